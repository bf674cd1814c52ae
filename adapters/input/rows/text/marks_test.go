package text

import (
	"encoding/csv"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// cellsWritten are pieces of text, well-formed or not, that blocks of 64 bytes
// cut in all places.
var cellsWritten = []string{
	"", `""`, "plain", "a longer plain cell, no", `"quoted"`, `"a ""b"" c"`, `""""`, `"""x"""`, "\"line\nline\"", "\"crlf\r\n\"", `"a,b;c"`,
	`"0123456789012345678901234567890123456789012345678901234567890123"`, "é", `"日本"`, `\N`, "NULL", "nan",
	`a"b`, `"a"b`, `"a" `, ` "a"`, `"open`, "a\rb", "\"a\"\rb", `\"`, "a\\\nb", "\xff",
	`\\`, `a\\\`, "\\\t", "a\\\\\tb", `x\`, "\\\r", `\tb`, strings.Repeat(`\`, 63), strings.Repeat(`\`, 64), strings.Repeat(`\`, 129),
}

var wellFormed = cellsWritten[:16]

func drawText(rt *rapid.T) string {
	pieces := wellFormed
	if rapid.Bool().Draw(rt, "malformed") {
		pieces = cellsWritten
	}
	ends := []string{",", ",", ",", ";", "\t", "\t", "|", "\n", "\n", "\r\n"}
	var text strings.Builder
	for range rapid.IntRange(1, 40).Draw(rt, "cells") {
		text.WriteString(rapid.SampledFrom(pieces).Draw(rt, "cell"))
		text.WriteString(rapid.SampledFrom(ends).Draw(rt, "end"))
	}
	s := text.String()
	return s[:rapid.IntRange(0, len(s)).Draw(rt, "length")]
}

// Where text has a layout, it is cut and taken apart as without.
func TestLayoutIsWhatSplitFinds(t *testing.T) {
	laid := 0
	rapid.Check(t, func(rt *rapid.T) {
		table := &Table{Dialect: rapid.SampledFrom(dialects).Draw(rt, "dialect"), Columns: []string{"a", "b"}, NullWord: rapid.SampledFrom([]string{"", "NULL", "nan"}).Draw(rt, "null word")}
		table.Dialect.Aligned, table.Dialect.Boxed = rapid.Bool().Draw(rt, "aligned"), rapid.Bool().Draw(rt, "boxed")
		text, atEnd := drawText(rt), rapid.Bool().Draw(rt, "at end")
		layout, end, records := table.Dialect.lay(text, atEnd, new(layout))
		if layout == nil {
			return
		}
		laid++
		wantEnd, wantRecords := table.Dialect.cut(text, atEnd)
		if end != wantEnd || records != wantRecords {
			rt.Fatalf("%q: %d records end at %d, want %d at %d", text, records, end, wantRecords, wantEnd)
		}
		got := rowsOf(&Chunk{Table: table, FirstRow: 2, text: text[:end], layout: layout})
		want := rowsOf(&Chunk{Table: table, FirstRow: 2, text: text[:end]})
		if !reflect.DeepEqual(got, want) {
			rt.Fatalf("%q\ngot  %+v\nwant %+v", text, got, want)
		}
	})
	if laid == 0 {
		t.Error("no text had a layout")
	}
}

// The columns that are read are those of the whole.
func TestOnly(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		table := Table{Dialect: rapid.SampledFrom(dialects).Draw(rt, "dialect"), Columns: []string{"a", "b", "c"}}
		table.Dialect.Boxed = rapid.Bool().Draw(rt, "boxed")
		some := table
		some.Only = rapid.SliceOfN(rapid.Bool(), 3, 3).Draw(rt, "only")
		text := drawText(rt)
		layout, _, _ := table.Dialect.lay(text, true, new(layout))
		want := rowsOf(&Chunk{Table: &table, FirstRow: 2, text: text, layout: layout})
		got := rowsOf(&Chunk{Table: &some, FirstRow: 2, text: text, layout: layout})
		for _, rows := range [][]numbered{got, want} {
			for _, row := range rows {
				for i := range row.Cells {
					if i < 3 && !some.Only[i] {
						row.Cells[i] = ""
					}
				}
			}
		}
		if !reflect.DeepEqual(got, want) {
			rt.Fatalf("%q\ngot  %+v\nwant %+v", text, got, want)
		}
	})
}

// Rows with the same text between two columns have the same cells there.
func TestBetween(t *testing.T) {
	known := 0
	rapid.Check(t, func(rt *rapid.T) {
		table := &Table{Dialect: rapid.SampledFrom(dialects).Draw(rt, "dialect"), Columns: []string{"a", "b", "c", "d"}, NullWord: rapid.SampledFrom([]string{"", "NULL", "nan"}).Draw(rt, "null word")}
		var text strings.Builder
		for range rapid.IntRange(1, 10).Draw(rt, "rows") {
			for i := range table.Columns {
				text.WriteString(rapid.SampledFrom(append(slices.Clone(wellFormed), "NULL", "nan", `\N`)).Draw(rt, "cell"))
				text.WriteByte([]byte{table.Dialect.Delimiter, '\n'}[i/3])
			}
		}
		layout, end, _ := table.Dialect.lay(text.String(), true, new(layout))
		if layout == nil {
			return
		}
		cells := map[string][]string{}
		for row := range (&Chunk{Table: table, FirstRow: 2, text: text.String()[:end], layout: layout}).Rows() {
			if len(row.Cells) != len(table.Columns) {
				continue
			}
			between, got := row.Between(1, 2), slices.Clone(row.Cells[1:3])
			if want, again := cells[between]; again && between != "" && !slices.Equal(got, want) {
				rt.Fatalf("%q between %q and %q", between, got, want)
			}
			if cells[between] = got; between != "" {
				known++
			}
			if row.Between(1, 3) != "" || row.Between(0, 100) != "" {
				rt.Fatal("text is known up to the last column")
			}
		}
	})
	if known == 0 {
		t.Error("nothing is known of any row")
	}
}

// Whatever encoding/csv writes has a layout.
func TestWellFormedTextHasALayout(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var text strings.Builder
		w := csv.NewWriter(&text)
		w.UseCRLF = rapid.Bool().Draw(rt, "crlf")
		records := rapid.SliceOfN(rapid.SliceOfN(rapid.String(), 2, 6), 1, 20).Draw(rt, "records")
		if err := w.WriteAll(records); err != nil {
			rt.Fatal(err)
		}
		if l, end, n := (Dialect{Delimiter: ',', Quoted: true}).lay(text.String(), true, new(layout)); l == nil || end != text.Len() || n != int64(len(records)) {
			rt.Fatalf("%q: layout %v, %d records, end %d", text.String(), l, n, end)
		}
	})
}

func TestBlocksAreTheSameOnAnyProcessor(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		text := rapid.SliceOfN(rapid.OneOf(rapid.Byte(), rapid.SampledFrom([]byte("\",;\n\r\\"))), blockSize, 8*blockSize).Draw(rt, "text")
		blocks := len(text) / blockSize
		got, want := make([]block, blocks), make([]block, blocks)
		here := scanned{
			inside: -rapid.Uint64Range(0, 1).Draw(rt, "inside"), before: rapid.Uint64Range(0, 1).Draw(rt, "before"),
			closing: rapid.Uint64Range(0, 1).Draw(rt, "closing"), cr: rapid.Uint64Range(0, 1).Draw(rt, "cr"),
		}
		anywhere, quoted := here, here.inside != 0
		scan(got, &text[0], ',', &here)
		scanPortable(want, &text[0], ',', &anywhere)
		for _, s := range []*scanned{&here, &anywhere} {
			s.backslash, s.anyCR = min(s.backslash, 1), min(s.anyCR, 1)
		}
		for _, blocks := range [][]block{got, want} {
			for i := range blocks {
				blocks[i].high = min(blocks[i].high, 1)
			}
		}
		if here != anywhere || !reflect.DeepEqual(got, want) {
			rt.Fatalf("%q\ngot  %+v %x\nwant %+v %x", text, here, got, anywhere, want)
		}
		marked, markedAnywhere := make([]block, blocks), make([]block, blocks)
		mark(marked, &text[0], ',')
		markPortable(markedAnywhere, &text[0], ',')
		for i := range marked {
			if marked[i].high, markedAnywhere[i].high = min(marked[i].high, 1), min(markedAnywhere[i].high, 1); marked[i] != markedAnywhere[i] {
				rt.Fatalf("%q\ngot  %x\nwant %x", text, marked, markedAnywhere)
			}
		}
		for i, c := range text[:blocks*blockSize] {
			b, bit := want[i/blockSize], uint64(1)<<(i%blockSize)
			quoted = quoted != (c == '"')
			if m := marked[i/blockSize]; (m.ends&bit != 0) != (c == ',') || (m.lines&bit != 0) != (c == '\n') || (m.escapes&bit != 0) != (c == '\\') {
				rt.Fatalf("%q at %d: %x", text, i, m)
			}
			if (b.ends&bit != 0) != (!quoted && (c == ',' || c == '\n')) || (b.lines&bit != 0) != (!quoted && c == '\n') {
				rt.Fatalf("%q at %d: %x", text, i, b)
			}
		}
	})
}

// Of text without quotes, those ends count that no backslash makes part of a cell.
func TestEscapedEnds(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		text := rapid.SliceOfN(rapid.SampledFrom([]byte("\\\\\\\\\\\\,\nx")), 2*blockSize, 2*blockSize).Draw(rt, "text")
		escaped := rapid.Bool().Draw(rt, "escaped")
		var blocks [2]block
		var s scanned
		if escaped {
			s.escaped = 1
		}
		mark(blocks[:], &text[0], ',')
		s.unescape(blocks[:], true)
		for i, c := range text {
			b, bit := blocks[i/blockSize], uint64(1)<<(i%blockSize)
			if (b.ends&bit != 0) != (!escaped && (c == ',' || c == '\n')) || (b.lines&bit != 0) != (!escaped && c == '\n') || (b.escapes&bit != 0) != (c == '\\') {
				rt.Fatalf("%q at %d: %x", text, i, b)
			}
			escaped = !escaped && c == '\\'
		}
		if escaped != (s.escaped == 1) {
			rt.Fatalf("%q: %d at the end, want %v", text, s.escaped, escaped)
		}
	})
}

func BenchmarkLay(b *testing.B) {
	text := strings.Repeat(`"7f3c9a52-0000-4000-8000-000000000001","example.com","chrome","/articles/1","An ""article""","1","2024-05-01 10:00:00"`+"\n", 4000)
	var l layout
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, end, _ := dialects[0].lay(text, false, &l); end != len(text) {
			b.Fatal(end)
		}
	}
}

// BenchmarkRows takes a chunk apart: all of it, and few of its columns.
func BenchmarkRows(b *testing.B) {
	text := strings.Repeat(`"7f3c9a52-0000-4000-8000-000000000001","example.com","chrome","/articles/1","An ""article""","1","2024-05-01 10:00:00"`+"\n", 4000)
	layout, _, _ := dialects[0].lay(text, false, new(layout))
	for name, only := range map[string][]bool{"All": nil, "Few": {true, false, false, false, false, false, true}} {
		b.Run(name, func(b *testing.B) {
			c := &Chunk{Table: &Table{Dialect: dialects[0], Columns: make([]string, 7), Only: only}, FirstRow: 2, text: text, layout: layout}
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				for range c.Rows() {
				}
			}
		})
	}
}
