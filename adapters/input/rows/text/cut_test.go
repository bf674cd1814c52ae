package text

import (
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

var dialects = []Dialect{
	{Delimiter: ',', Quoted: true},
	{Delimiter: ';', Quoted: true, Escaped: true},
	{Delimiter: '\t', Escaped: true},
	{Delimiter: '|', Aligned: true},
}

type numbered struct {
	Number   int64
	Raw      string
	Cells    []string
	Err      error
	Replaced bool
}

func rowsOf(c *Chunk) (rows []numbered) {
	for row := range c.Rows() {
		rows = append(rows, numbered{row.Number, row.Raw, append([]string(nil), row.Cells...), row.Err, row.Replaced})
	}
	return rows
}

// However text is cut, well-formed or not, the records are those of the whole.
func TestCutAnywhere(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		table := &Table{Dialect: rapid.SampledFrom(dialects).Draw(rt, "dialect"), Columns: []string{"a", "b"}}
		text := rapid.StringOfN(rapid.SampledFrom([]rune("\"\"\"\n\n\r,;\t|\\ax ")), 0, 60, -1).Draw(rt, "text")
		want := rowsOf(&Chunk{Table: table, FirstRow: 2, text: text})

		var got []numbered
		row, start := int64(2), 0
		for end := 0; start < len(text); {
			end = min(end+rapid.IntRange(1, 8).Draw(rt, "read"), len(text))
			n, records := table.Dialect.cut(text[start:end], end == len(text))
			got = append(got, rowsOf(&Chunk{Table: table, FirstRow: row, text: text[start : start+n]})...)
			start += n
			row += records
		}
		if !reflect.DeepEqual(got, want) {
			rt.Fatalf("%q\ngot  %+v\nwant %+v", text, got, want)
		}
	})
}

func BenchmarkCut(b *testing.B) {
	text := strings.Repeat(`"7f3c9a52-0000-4000-8000-000000000001","example.com","chrome","/articles/1","An ""article""","1","2024-05-01 10:00:00"`+"\n", 4000)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if end, _ := dialects[0].cut(text, false); end != len(text) {
			b.Fatal(end)
		}
	}
}
