package text_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"hopper/adapters/input"
	"hopper/adapters/input/rows/text"
)

type record struct {
	Row   int64
	Cells []string
	Err   string
}

func open(t rapid.TB, content string) *input.Input {
	t.Helper()
	ins, err := input.Open(context.Background(), []string{"-"}, strings.NewReader(content), "")
	if err != nil {
		t.Fatal(err)
	}
	if t, ok := t.(testing.TB); ok {
		t.Cleanup(func() { ins.Close() })
	}
	return ins.Files[0]
}

func find(t rapid.TB, content string) []*text.Table {
	t.Helper()
	tables, err := text.Find(context.Background(), open(t, content))
	if err != nil {
		t.Fatal(err)
	}
	return tables
}

func read(t rapid.TB, tab *text.Table) ([]record, error) {
	t.Helper()
	r, err := tab.Open(context.Background())
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var records []record
	for {
		chunk, err := r.Next(context.Background())
		if err == io.EOF {
			return records, nil
		}
		if err != nil {
			return records, err
		}
		for row := range chunk.Rows() {
			rec := record{Row: row.Number, Cells: append([]string{}, row.Cells...)}
			if row.Err != nil {
				rec.Err = row.Err.Error()
			}
			records = append(records, rec)
		}
	}
}

func TestDialects(t *testing.T) {
	two := []record{{2, []string{"x", "y"}, ""}, {3, []string{"", "z"}, ""}}
	for name, c := range map[string]struct {
		text    string
		columns []string
		want    []record
	}{
		"comma":               {"a,b\nx,y\n,z\n", []string{"a", "b"}, two},
		"no last line end":    {"a,b\nx,y\n,z", []string{"a", "b"}, two},
		"CRLF":                {"a,b\r\nx,y\r\n,z\r\n", []string{"a", "b"}, two},
		"CRLF quoted":         {"\"a\",\"b\"\r\n\"x\",\"y\"\r\n\"\",\"z\"\r\n", []string{"a", "b"}, two},
		"semicolon":           {"a;b\nx;y\n;z\n", []string{"a", "b"}, two},
		"pipe":                {"a|b\nx|y\n|z\n", []string{"a", "b"}, two},
		"psql on a terminal":  {" a | b \n---+---\n x | y\n   | z\n(2 rows)\n\n", []string{"a", "b"}, []record{{3, []string{"x", "y"}, ""}, {4, []string{"", "z"}, ""}}},
		"MySQL on a terminal": {"+---+---+\n| a | b |\n+---+---+\n| x | y |\n|   | z |\n+---+---+\n2 rows in set (0.00 sec)\n", []string{"a", "b"}, []record{{4, []string{"x", "y"}, ""}, {5, []string{"", "z"}, ""}}},
		"spaces after commas": {"a, b\nx, y\n, z\nu, v\nw, w\n", []string{"a", "b"}, []record{{2, []string{"x", "y"}, ""}, {3, []string{"", "z"}, ""}, {4, []string{"u", "v"}, ""}, {5, []string{"w", "w"}, ""}}},
		"spaces in quotes":    {"a,b,c\n\" x\",\" y\",\" z\"\n\"\",\" \",\" v\"\nu,\"\",\" w\t\"\n,,z\t\n", []string{"a", "b", "c"}, []record{{2, []string{" x", " y", " z"}, ""}, {3, []string{"", " ", " v"}, ""}, {4, []string{"u", "", " w\t"}, ""}, {5, []string{"", "", "z\t"}, ""}}},
		"nothing but spaces":  {"a,b\nx, \ny, \nz, \nu,v\t\n", []string{"a", "b"}, []record{{2, []string{"x", " "}, ""}, {3, []string{"y", " "}, ""}, {4, []string{"z", " "}, ""}, {5, []string{"u", "v\t"}, ""}}},
		"MySQL's line ends":   {"a\tb\n\\N\tx\\\ny\n\\\\\tz\n", []string{"a", "b"}, []record{{2, []string{"", "x\ny"}, ""}, {3, []string{`\`, "z"}, ""}}},
		"Markdown":            {"| a | b |\n|:--|--:|\n| x | y |\n|  | z |\n", []string{"a", "b"}, []record{{3, []string{"x", "y"}, ""}, {4, []string{"", "z"}, ""}}},
		"the delimiter told":  {"sep=;\r\na;b\r\nx;y\r\n;z\r\n", []string{"a", "b"}, []record{{3, []string{"x", "y"}, ""}, {4, []string{"", "z"}, ""}}},
		"Macintosh":           {"a,b\rx,y\r,z\r", []string{"a", "b"}, two},
		"a title above": {"Events of \"mill.example\", all\n\nFrom 2024-05-01\na,b,c,d,e\n1,2,3,4,5\n", strings.Split("abcde", ""),
			[]record{{5, strings.Split("12345", ""), ""}}},
		"no title":             {"a,b\n1,2,3,4,5\nx,y\n", []string{"a", "b"}, []record{{2, strings.Split("12345", ""), "more cells than the header"}, {3, []string{"x", "y"}, ""}}},
		"psql unaligned":       {"a;b\nx;y\n;z\n(2 rows)\n", []string{"a", "b"}, two},
		"BOM":                  {"\xef\xbb\xbfa,b\nx,y\n,z\n", []string{"a", "b"}, two},
		"UTF-16 LE":            {"\xff\xfea\x00,\x00b\x00\n\x00x\x00,\x00y\x00\n\x00,\x00z\x00", []string{"a", "b"}, two},
		"UTF-16 BE":            {"\xfe\xff\x00a\x00,\x00b\x00\n\x00x\x00,\x00y\x00\n\x00,\x00z", []string{"a", "b"}, two},
		"UTF-16 LE unmarked":   {"a\x00,\x00b\x00\n\x00x\x00,\x00y\x00\n\x00,\x00z\x00", []string{"a", "b"}, two},
		"NULL":                 {"a,b\nx,y\n\"\\N\",z\n", []string{"a", "b"}, two},
		"spaces in the header": {" A ,\"B\"\nx,y\n\\N,z\n", []string{"A", "B"}, two},
		"blank lines":          {"\na,b\n\nx,y\n\n", []string{"a", "b"}, []record{{4, []string{"x", "y"}, ""}}},
		"tab escaped":          {"a\tb\nx\\ty\t\"q\"\n\\N\tback\\\\slash\\q\n", []string{"a", "b"}, []record{{2, []string{"x\ty", `"q"`}, ""}, {3, []string{"", `back\slash\q`}, ""}}},
		"tab quoted":           {"a\tb\n\"x\ty\"\tz\n", []string{"a", "b"}, []record{{2, []string{"x\ty", "z"}, ""}}},
		"MySQL":                {"\"a\",\"b\"\n\"say \\\"hi\\\" now\",\"\\\"x\\\"\"\n\\N,\"z\\\\\"\n", []string{"a", "b"}, []record{{2, []string{`say "hi" now`, `"x"`}, ""}, {3, []string{"", `z\`}, ""}}},
		"backslash at the end": {"\"a\",\"b\"\n\"C:\\\",\"{\"\"k\"\":\"\"v\\\"\"\"\"}\"\n", []string{"a", "b"}, []record{{2, []string{`C:\`, `{"k":"v\""}`}, ""}}},
		"quoted line ends":     {"a,b\n\"x\ny\",\"1,2\"\nz,\"\"\"\"\n", []string{"a", "b"}, []record{{2, []string{"x\ny", "1,2"}, ""}, {3, []string{"z", `"`}, ""}}},
		"stray quotes":         {"a,b\nsay \"hi\",\"say \"hi\" now\"\nx,5\" disk\n", []string{"a", "b"}, []record{{2, []string{`say "hi"`, `say "hi" now`}, ""}, {3, []string{"x", `5" disk`}, ""}}},
		"too few, too many":    {"a,b\nx\nx,y\nx,y,z\n", []string{"a", "b"}, []record{{2, []string{"x"}, "fewer cells than the header"}, {3, []string{"x", "y"}, ""}, {4, []string{"x", "y", "z"}, "more cells than the header"}}},
		"never closed":         {"a,b\nx,\"y\n", []string{"a", "b"}, []record{{2, []string{"x", "y\n"}, "a quoted field is not closed before the end of the file, which may be cut off"}}},
		"one column":           {"a\nx\n(1 row)\n", []string{"a"}, []record{{2, []string{"x"}, ""}, {3, []string{"(1 row)"}, ""}}},
		"Windows-1252":         {"a;b\nx;S\xe3o Paulo\n\x80;z\n", []string{"a", "b"}, []record{{2, []string{"x", "São Paulo"}, ""}, {3, []string{"€", "z"}, ""}}},
		"Windows-1252 names":   {"a;stra\xdfe\nx;y\n", []string{"a", "straße"}, []record{{2, []string{"x", "y"}, ""}}},
		"damage in UTF-8":      {"a;b\nx;S\xe3o\n\xe9;é\n", []string{"a", "b"}, []record{{2, []string{"x", "S\uFFFDo"}, ""}, {3, []string{"\uFFFD", "é"}, ""}}},
		"cut characters":       {"a;b\ncaf\xc3;x\n", []string{"a", "b"}, []record{{2, []string{"caf\uFFFD", "x"}, ""}}},
		"invalid UTF-8":        {"a,b\nx\xff,y\n", []string{"a", "b"}, []record{{2, []string{"x\uFFFD", "y"}, ""}}},
	} {
		t.Run(name, func(t *testing.T) {
			tables := find(t, c.text)
			if len(tables) != 1 || !reflect.DeepEqual(tables[0].Columns, c.columns) {
				t.Fatalf("found %+v, want the columns %q", tables, c.columns)
			}
			got, err := read(t, tables[0])
			if err != nil || !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %+v, %v\nwant %+v", got, err, c.want)
			}
		})
	}
}

func TestNullWord(t *testing.T) {
	tab := find(t, "a,b\nNULL,\"NULL\"\nNULLS,null\n")[0]
	tab.NullWord = "NULL"
	got, err := read(t, tab)
	if want := []record{{2, []string{"", ""}, ""}, {3, []string{"NULLS", "null"}, ""}}; err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	tab = find(t, "a,b\n(null),\"(null)\"\nNULL,\\N\n")[0]
	tab.NullWord = "(null)"
	got, err = read(t, tab)
	if want := []record{{2, []string{"", ""}, ""}, {3, []string{"NULL", ""}, ""}}; err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
}

const dump = `--
-- PostgreSQL database dump
--

SET statement_timeout = 0;

CREATE TABLE public.session (session_id uuid);

COPY public.session (session_id, "Browser") FROM stdin;
s1	chrome
s2	\N
\.


COPY website_event (event_id, page_title) FROM stdin;
e1	NULL
e2	two\nlines
\.

COPY public.empty (a) FROM stdin;
\.
`

func TestDump(t *testing.T) {
	tables := find(t, dump)
	if len(tables) != 3 {
		t.Fatalf("found %d tables, want 3", len(tables))
	}
	for i, want := range []struct {
		name    string
		columns []string
		records []record
	}{
		{"session", []string{"session_id", "Browser"}, []record{{10, []string{"s1", "chrome"}, ""}, {11, []string{"s2", ""}, ""}}},
		{"website_event", []string{"event_id", "page_title"}, []record{{16, []string{"e1", "NULL"}, ""}, {17, []string{"e2", "two\nlines"}, ""}}},
		{"empty", []string{"a"}, nil},
	} {
		tables[i].NullWord = "NULL"
		got, err := read(t, tables[i])
		if err != nil || tables[i].Name != want.name || !reflect.DeepEqual(tables[i].Columns, want.columns) || !reflect.DeepEqual(got, want.records) {
			t.Errorf("table %d: got %s %q %+v, %v, want %+v", i, tables[i].Name, tables[i].Columns, got, err, want)
		}
	}
}

func TestSample(t *testing.T) {
	for text, want := range map[string]string{
		"a,b\nx,y\n,z": "2 x,", // the last record may go on
		"a,b\nx,y":     "2 x,",
		"a,b\n":        "",
		dump:           "10 s1,11 s2,",
	} {
		c, err := find(t, text)[0].Sample(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for row := range c.Rows() {
			got += fmt.Sprintf("%d %s,", row.Number, row.Cells[0])
		}
		if got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

func TestNoTable(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"schema only": {"--\nSET x = 0;\nCREATE TABLE a (b int);\n", "without rows"},
		"Parquet":     {"PAR1\x15\x04", "holds Parquet"},
		"junk":        {"\x00\x01\x02\x03\x99\xfe\x80\x00\x00\x07", "holds binary data"},
		"long header": {strings.Repeat("column,", 20000), "the first line is longer"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := text.Find(t.Context(), open(t, c.text))
			var positioned *input.Error
			if !errors.As(err, &positioned) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want something with %q", err, c.want)
			}
		})
	}
	if tables, err := text.Find(t.Context(), open(t, "\n \n")); len(tables) > 0 || err != nil {
		t.Errorf("blank text: got %v, %v, want no tables", tables, err)
	}
}

func TestChunks(t *testing.T) {
	var text strings.Builder
	text.WriteString("n,title\n")
	for i := range 60000 {
		fmt.Fprintf(&text, "%d,\"line %d\n, \"\"second\"\"\"\n", i, i)
	}
	got, err := read(t, find(t, text.String())[0])
	if err != nil || len(got) != 60000 {
		t.Fatalf("got %d records, %v", len(got), err)
	}
	for i, r := range got {
		want := record{int64(i) + 2, []string{fmt.Sprint(i), fmt.Sprintf("line %d\n, \"second\"", i)}, ""}
		if !reflect.DeepEqual(r, want) {
			t.Fatalf("got %+v, want %+v", r, want)
		}
	}
}

// A chunk that is released takes nothing from those that are read later.
func TestRelease(t *testing.T) {
	var content strings.Builder
	content.WriteString("n,title\n")
	for i := range 100_000 {
		fmt.Fprintf(&content, "%d,\"line %d\n, \"\"second\"\"\"\n", i, i)
	}
	r, err := find(t, content.String())[0].Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var held []*text.Chunk
	n := 0
	for {
		c, err := r.Next(t.Context())
		if held = append(held, c); len(held) == 3 || err == io.EOF {
			for _, c := range held {
				if c == nil {
					continue
				}
				for row := range c.Rows() {
					if want := fmt.Sprintf("line %d\n, \"second\"", n); row.Cells[1] != want {
						t.Fatalf("got %q, want %q", row.Cells[1], want)
					}
					n++
				}
				c.Release()
			}
			held = held[:0]
		}
		if err == io.EOF {
			break
		}
	}
	if n != 100_000 {
		t.Errorf("got %d rows", n)
	}
}

func TestEndlessRecord(t *testing.T) {
	text := "a,b\nx,y\nz,\"" + strings.Repeat("never closed,\n", 2<<20)
	_, err := read(t, find(t, text)[0])
	var positioned *input.Error
	if !errors.As(err, &positioned) || positioned.Row != 3 {
		t.Errorf("got %v, want an error of row 3", err)
	}
	fits := "a,b\nx,\"" + strings.Repeat("long\n", 3<<20) + "\"\nx,y\n"
	if got, err := read(t, find(t, fits)[0]); err != nil || len(got) != 2 || len(got[0].Cells[1]) != 15<<20 {
		t.Errorf("a record of 15 MiB: got %d records, %v", len(got), err)
	}
}

func TestCancel(t *testing.T) {
	tab := find(t, "a,b\nx,y\n")[0]
	r, err := tab.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Next(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
}

// What encoding/csv reads of well-formed text is what is read here.
func TestAsEncodingCSV(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		columns := rapid.IntRange(2, 5).Draw(rt, "columns")
		cell := rapid.StringOf(rapid.SampledFrom([]rune("ab,;\t\"\n é\U0001F600(1 row)\\N")))
		records := rapid.SliceOfN(rapid.SliceOfN(cell, columns, columns), 0, 20).Draw(rt, "records")
		quoteAll := rapid.Bool().Draw(rt, "quote all")

		header := strings.Split("c1,c2,c3,c4,c5", ",")[:columns]
		var text bytes.Buffer
		w := csv.NewWriter(&text)
		w.Write(header)
		for _, r := range records {
			if !quoteAll {
				w.Write(r)
				continue
			}
			w.Flush()
			for i, c := range r {
				if i > 0 {
					text.WriteByte(',')
				}
				text.WriteString(`"` + strings.ReplaceAll(c, `"`, `""`) + `"`)
			}
			text.WriteByte('\n')
		}
		w.Flush()
		want, err := csv.NewReader(bytes.NewReader(text.Bytes())).ReadAll()
		if err != nil {
			rt.Fatal(err)
		}
		got, err := read(t, find(t, text.String())[0])
		if err != nil {
			rt.Fatal(err)
		}
		compare(rt, got, want[1:])
	})
}

func compare(t rapid.TB, got []record, want [][]string) {
	if len(got) != len(want) {
		t.Fatalf("got %d records, want %d", len(got), len(want))
	}
	for i := range want {
		for j, c := range want[i] {
			if c == `\N` {
				want[i][j] = ""
			}
		}
		if !reflect.DeepEqual(got[i].Cells, want[i]) {
			t.Fatalf("record %d: got %+q, want %+q", i, got[i].Cells, want[i])
		}
	}
}

func FuzzTable(f *testing.F) {
	for _, s := range []string{"a,b\nx,y\n", "a;b\n\"x\";\"\\N\"\n", "a\tb\n\\N\tx\\ty\n", " a | b\n---+--\n 1 | 2\n(1 row)\n", dump, "a,b\n\"x\n", "\xff\xfea\x00,\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, content string) {
		if content == "" {
			return
		}
		tables, err := text.Find(t.Context(), open(t, content))
		if err != nil {
			return
		}
		for _, tab := range tables {
			got, err := read(t, tab)
			if err != nil {
				t.Fatal(err)
			}
			row := int64(0)
			for _, r := range got {
				if r.Row <= row || r.Err == "" && len(r.Cells) != len(tab.Columns) {
					t.Fatalf("after row %d: %+v", row, r)
				}
				row = r.Row
			}
			strict := csv.NewReader(strings.NewReader(content))
			strict.Comma = rune(tab.Dialect.Delimiter)
			want, err := strict.ReadAll()
			if first, _, _ := strings.Cut(content, "\n"); strings.Trim(first, "-+|: ") == "" {
				continue // the upper edge of a table
			}
			if err != nil || tab.Dialect.Escaped || tab.Dialect.Aligned || strings.ContainsAny(content, "\r\x00\uFEFF\uFFFD(\\") || len(want) < 1 {
				continue // text that encoding/csv refuses or has other conventions for
			}
			compare(t, got, want[1:])
		}
	})
}

func sample() string {
	var text strings.Builder
	text.WriteString(`"website_id","session_id","visit_id","event_id","hostname","browser","os","url_path","url_query","page_title","event_type","created_at"` + "\n")
	for i := range 20000 {
		fmt.Fprintf(&text, `"7f3c9a52-0000-4000-8000-000000000001","7f3c9a52-0000-4000-8000-%012d","7f3c9a52-1111-4000-8000-%012d","7f3c9a52-2222-4000-8000-%012d","example.com","chrome","Windows 10","/articles/%d","utm_source=news&x=%d","An ""article"" of some length","1","2024-05-01 10:00:00"`+"\n", i, i, i, i%100, i)
	}
	return text.String()
}

func BenchmarkTable(b *testing.B) {
	text := sample()
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		r, err := find(b, text)[0].Open(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		rows := 0
		for {
			c, err := r.Next(b.Context())
			if err == io.EOF {
				break
			}
			for range c.Rows() {
				rows++
			}
		}
		if r.Close(); rows != 20000 {
			b.Fatal(rows)
		}
	}
}

func BenchmarkEncodingCSV(b *testing.B) {
	text := sample()
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		r := csv.NewReader(strings.NewReader(text))
		r.ReuseRecord = true
		for {
			if _, err := r.Read(); err == io.EOF {
				break
			} else if err != nil {
				b.Fatal(err)
			}
		}
	}
}
