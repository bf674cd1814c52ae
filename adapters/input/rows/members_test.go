package rows_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"

	"hopper/adapters/input"
	"hopper/adapters/input/rows"
)

// Members of nested records are columns where one of them is asked for, whatever
// the container.
func TestMembers(t *testing.T) {
	type session struct {
		Browser string `parquet:"browser"`
		OS      string `parquet:"os"`
	}
	type event struct {
		Path    string  `parquet:"url_path"`
		Session session `parquet:"session"`
	}
	var pq bytes.Buffer
	if err := parquet.Write(&pq, []event{{"/", session{"firefox", "Linux"}}, {"/a", session{"chrome", "iOS"}}}); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"objects": `{"urlPath":"/","session":{"browser":"firefox","OS":"Linux"}}` + "\n" + `{"urlPath":"/a","session":{"browser":"chrome","OS":"iOS"}}`,
		"lists":   `[["url_path","session"],["/",{"browser":"firefox","os":"Linux"}],["/a",{"browser":"chrome","os":"iOS"}]]`,
		"text":    "url_path,session\n/,\"{\"\"browser\"\":\"\"firefox\"\",\"\"os\"\":\"\"Linux\"\"}\"\nurl_path,session\n/a,\"{\"\"browser\"\":\"\"chrome\"\",\"\"os\"\":\"\"iOS\"\"}\"\n",
		"Parquet": pq.String(),
	} {
		t.Run(name, func(t *testing.T) {
			ins, err := input.Open(t.Context(), []string{"-"}, strings.NewReader(text), t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			defer ins.Close()
			all, err := rows.Find(t.Context(), ins.Files[0])
			if err != nil {
				t.Fatal(err)
			}
			table := all[0]
			if err := table.Unfold(t.Context(), []string{"browser", "country"}); err != nil || len(table.Columns) != 2 {
				t.Fatalf("with one name that is asked for, the columns are %q, %v", table.Columns, err)
			}
			if err := table.Unfold(t.Context(), []string{"browser", "os"}, "session"); err != nil || len(table.Columns) != 2 {
				t.Fatalf("excepted, the columns are %q, %v", table.Columns, err)
			}
			if err := table.Unfold(t.Context(), []string{"browser", "os"}); err != nil {
				t.Fatal(err)
			}
			want := []string{"url_path", "session", "session.browser", "session.os"}
			if !slices.Equal(table.Columns, want) {
				t.Fatalf("the columns are %q", table.Columns)
			}
			if table.Unqualify("browser"); table.Column("browser") != 2 {
				t.Errorf("unqualified, the columns are %q", table.Columns)
			}
			for _, only := range []bool{false, true} {
				read := *table
				if only {
					read.Only(0, 2)
				}
				var got []string
				err := read.Each(t.Context(), func(row *rows.Row) error {
					got = append(got, row.Cells[0]+" "+row.Cells[2])
					return row.Err
				})
				if err != nil || !slices.Equal(got, []string{"/ firefox", "/a chrome"}) {
					t.Errorf("only %t: got %q, %v", only, got, err)
				}
			}
		})
	}
}

// A value that MongoDB writes with its type is the value.
func TestExtendedJSON(t *testing.T) {
	const text = `{"_id":{"$oid":"65f0"},"at":{"$date":{"$numberLong":"1714551600000"}},"n":{"$numberInt":"2"},"other":{"$ref":"x"}}`
	ins, err := input.Open(t.Context(), []string{"-"}, strings.NewReader(text), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer ins.Close()
	all, err := rows.Find(t.Context(), ins.Files[0])
	if err != nil {
		t.Fatal(err)
	}
	err = all[0].Each(t.Context(), func(row *rows.Row) error {
		if want := []string{"65f0", "1714551600000", "2", `{"$ref":"x"}`}; !slices.Equal(row.Cells, want) {
			t.Errorf("got %q", row.Cells)
		}
		return row.Err
	})
	if err != nil {
		t.Fatal(err)
	}
}
