package ga

import (
	"bufio"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"hopper/adapters/input"
	"hopper/adapters/input/spill"
)

// Rows are taken out of answers one by one, wherever they stand, and nothing else is.
func TestRowsOfAnswers(t *testing.T) {
	for text, want := range map[string][]string{
		`{"rows":[{"a":1}, [2,"]"] ,"x,y"],"rowCount":3}`:                  {`{"rows":[0],"rowCount":3}`, `{"a":1}`, `[2,"]"]`, `"x,y"`},
		"junk {\"reports\": [{\"data\":{\"rows\" : [\n{\"m\":[1]}\n]}}]} ": {`{"reports": [{"data":{"rows" : [0]}}]}`, `{"m":[1]}`},
		`{"rows":[]}{"rows":[1]}`:                                          {`{"rows":[0]}`, `{"rows":[1]}`, `1`},
		`[{"rows":[{"rows":[1,2]}]}]`:                                      {`[{"rows":[0]}]`, `{"rows":[1,2]}`},
		`{"a":"rows","b":[1],"rows":7,"c":["rows",[2]]}`:                   {`{"a":"rows","b":[1],"rows":7,"c":["rows",[2]]}`},
		`{"k\"rows":[1],"no rows":[2],"rows2":[3],"s":"\\","rows":[4]}`:    {`{"k\"rows":[1],"no rows":[2],"rows2":[3],"s":"\\","rows":[0]}`, `4`},
		`{"rows":[1,`: {`{"rows":[`, `1`},
		`{"s":"\`:     {`{"s":"\`},
	} {
		var rows spill.Bins
		a := answerReader{in: &input.Input{Name: "x"}, r: bufio.NewReader(strings.NewReader(text)), rows: &rows}
		var got []string
		for {
			answer, err := a.next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", text, err)
			}
			got = append(got, string(answer))
		}
		for bin := range rows.Len() {
			rows.Each(bin, func(row []byte) error {
				got = append(got, string(row))
				return nil
			})
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", text, got, want)
		}
		rows.Close()
	}
}

// endless is text without an end.
type endless struct{ text string }

func (e endless) Read(b []byte) (n int, err error) {
	for n < len(b) {
		n += copy(b[n:], e.text)
	}
	return n, nil
}

// What has no end is not read to it.
func TestEndlessReports(t *testing.T) {
	store, in := newRowStore(t.TempDir()), &input.Input{Name: "x"}
	defer store.Close()
	for begin, more := range map[string]string{
		`{"rows":[{"dimensionValues":[`: `{"value":"a"},`,
		`{"metadata":[`:                 `{"value":"a"},`,
		`{"rows":["`:                    `text `,
	} {
		if _, err := readAPI(store, in, io.MultiReader(strings.NewReader(begin), endless{more})); err == nil || !strings.Contains(err.Error(), "16 MiB") {
			t.Errorf("%s…: %v", begin, err)
		}
	}
	for begin, more := range map[string]string{
		"Date,Sessions\n20240101,\"": "a long text\n",
		"Date,Sessions\n20240101,":   "without an end ",
	} {
		if _, err := readTables(store, in, io.MultiReader(strings.NewReader(begin), endless{more})); err == nil || !strings.Contains(err.Error(), "line 2 is longer than 16 MiB") {
			t.Errorf("%q…: %v", begin, err)
		}
	}
}
