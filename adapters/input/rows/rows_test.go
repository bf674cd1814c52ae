package rows_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/ipc"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/linkedin/goavro/v2"
	"github.com/parquet-go/parquet-go"
	"pgregory.net/rapid"

	"hopper/adapters/input"
	"hopper/adapters/input/rows"
)

// A fact is a row of the tables that every container is tried with.
type fact struct {
	ID     string
	At     int64 // in microseconds
	Count  int64
	Share  float64
	Member bool
	Title  *string
	Tags   []string
}

var header = []string{"id", "Created At", "eventCount", "share", "IS_MEMBER", "page_title", "tags"}
var columns = []string{"id", "created_at", "event_count", "share", "is_member", "page_title", "tags"}

// cells are what every container should give of a fact.
func (f fact) cells() []string {
	share, _ := json.Marshal(f.Share)
	title := ""
	if f.Title != nil {
		title = *f.Title
	}
	return []string{f.ID, time.UnixMicro(f.At).UTC().Format("2006-01-02T15:04:05.999999Z"), fmt.Sprint(f.Count), string(share), fmt.Sprint(f.Member), title, f.tags()}
}

func (f fact) tags() string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if f.Tags == nil {
		f.Tags = []string{}
	}
	e.Encode(f.Tags)
	return strings.TrimSpace(b.String())
}

// values are a fact's cells as JSON, for lists.
func (f fact) values() []string {
	quote := func(s string) string { b, _ := json.Marshal(s); return string(b) }
	c := f.cells()
	title := "null"
	if f.Title != nil {
		title = quote(c[5])
	}
	return []string{quote(c[0]), quote(c[1]), c[2], c[3] + map[bool]string{true: ".0"}[!strings.Contains(c[3], ".")], c[4], title, c[6]}
}

func (f fact) object() string {
	var members []string
	for i, v := range f.values() {
		members = append(members, fmt.Sprintf("%q:%s", header[i], v))
	}
	return "{" + strings.Join(members, ",") + "}"
}

func join(facts []fact, sep string, each func(fact) string) string {
	var all []string
	for _, f := range facts {
		all = append(all, each(f))
	}
	return strings.Join(all, sep)
}

func list(f fact) string { return "[" + strings.Join(f.values(), ",") + "]" }

func quoted(names []string) string { b, _ := json.Marshal(names); return string(b) }

const types = `["String","DateTime64(6, 'UTC')","Int64","Float64","Bool","Nullable(String)","Array(String)"]`

// containers write the same facts.
var containers = map[string]func(facts []fact) []byte{
	"CSV":        func(facts []fact) []byte { return delimited(facts, ',') },
	"semicolons": func(facts []fact) []byte { return delimited(facts, ';') },
	"TSV":        func(facts []fact) []byte { return escaped(facts, strings.Join(header, "\t")+"\n") },
	"TSV with types": func(facts []fact) []byte {
		var names []string
		json.Unmarshal([]byte(types), &names)
		return escaped(facts, strings.Join(header, "\t")+"\n"+strings.Join(names, "\t")+"\n")
	},
	"COPY": func(facts []fact) []byte {
		return append(escaped(facts, "--\nCOPY public.facts (id, \"Created At\", \"eventCount\", share, \"IS_MEMBER\", page_title, tags) FROM stdin;\n"), "\\.\n"...)
	},
	"INSERT": func(facts []fact) []byte {
		return []byte("-- MySQL dump\n" + join(facts, "", func(f fact) string {
			var cells []string
			for _, c := range f.cells() {
				cells = append(cells, "'"+strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(c)+"'")
			}
			return "INSERT INTO `facts` (`id`,`Created At`,`eventCount`,`share`,`IS_MEMBER`,`page_title`,`tags`) VALUES (" + strings.Join(cells, ",") + ");\n"
		}))
	},
	"JSON lines": func(facts []fact) []byte { return []byte(join(facts, "\n", fact.object)) },
	"JSON list":  func(facts []fact) []byte { return []byte("[" + join(facts, ",\n", fact.object) + "]") },
	"JSON in data": func(facts []fact) []byte {
		return []byte(`{"page":1,"data":[` + join(facts, ",", fact.object) + `],"count":3}`)
	},
	"ClickHouse JSON": func(facts []fact) []byte {
		return []byte("{\n\t\"meta\": [{\"name\":\"id\",\"type\":\"String\"}],\n\n\t\"data\":\n\t[\n" + join(facts, ",\n", fact.object) + "\n\t],\n\n\t\"rows\": 3,\n\t\"statistics\": {\"data\": [[1]]}\n}\n")
	},
	"JSONCompact": func(facts []fact) []byte {
		var meta []string
		for _, name := range header {
			meta = append(meta, fmt.Sprintf(`{"name": %q, "type": "String"}`, name))
		}
		return []byte(`{"meta":[` + strings.Join(meta, ",") + `],"data":[` + join(facts, ",", list) + `],"rows":3}`)
	},
	"JSONCompactEachRowWithNames": func(facts []fact) []byte { return []byte(quoted(header) + "\n" + join(facts, "\n", list)) },
	"JSONCompactEachRowWithNamesAndTypes": func(facts []fact) []byte {
		return []byte(quoted(header) + "\n" + types + "\n" + join(facts, "\n", list))
	},
	"lists in a list": func(facts []fact) []byte { return []byte("[" + quoted(header) + "," + join(facts, ",", list) + "]") },
	"Avro":            avro,
	"Arrow stream": func(facts []fact) []byte {
		var b bytes.Buffer
		arrowOf(facts, func(s *arrow.Schema) arrowWriter { return ipc.NewWriter(&b, ipc.WithSchema(s), ipc.WithZstd()) })
		return b.Bytes()
	},
	"Arrow file": func(facts []fact) []byte {
		var b bytes.Buffer
		arrowOf(facts, func(s *arrow.Schema) arrowWriter {
			w, err := ipc.NewFileWriter(&seekable{&b}, ipc.WithSchema(s))
			if err != nil {
				panic(err)
			}
			return w
		})
		return b.Bytes()
	},
	"Parquet": func(facts []fact) []byte {
		var b bytes.Buffer
		w := parquet.NewGenericWriter[parquetFact](&b)
		for _, f := range facts {
			w.Write([]parquetFact{{f.ID, f.At, f.Count, f.Share, f.Member, f.Title, f.Tags}})
		}
		w.Close()
		return b.Bytes()
	},
}

// arrowOf writes the facts, with a dictionary of titles.
func arrowOf(facts []fact, w func(*arrow.Schema) arrowWriter) {
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "id", Type: arrow.BinaryTypes.LargeString},
		{Name: "Created At", Type: &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "Europe/Berlin"}},
		{Name: "eventCount", Type: arrow.PrimitiveTypes.Int64}, {Name: "share", Type: arrow.PrimitiveTypes.Float64},
		{Name: "IS_MEMBER", Type: arrow.FixedWidthTypes.Boolean},
		{Name: "page_title", Type: &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int16, ValueType: arrow.BinaryTypes.String}, Nullable: true},
		{Name: "tags", Type: arrow.ListOf(arrow.BinaryTypes.String)},
	}, nil)
	out := w(schema)
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	for i, f := range facts {
		b.Field(0).(*array.LargeStringBuilder).Append(f.ID)
		b.Field(1).(*array.TimestampBuilder).Append(arrow.Timestamp(f.At))
		b.Field(2).(*array.Int64Builder).Append(f.Count)
		b.Field(3).(*array.Float64Builder).Append(f.Share)
		b.Field(4).(*array.BooleanBuilder).Append(f.Member)
		if titles := b.Field(5).(*array.BinaryDictionaryBuilder); f.Title != nil {
			titles.AppendString(*f.Title)
		} else {
			titles.AppendNull()
		}
		tags := b.Field(6).(*array.ListBuilder)
		tags.Append(true)
		for _, tag := range f.Tags {
			tags.ValueBuilder().(*array.StringBuilder).Append(tag)
		}
		if i == len(facts)-1 {
			if err := out.Write(b.NewRecord()); err != nil {
				panic(err)
			}
		}
	}
	if err := out.Close(); err != nil {
		panic(err)
	}
}

// seekable is a buffer that says where its end is.
type seekable struct{ *bytes.Buffer }

func (s *seekable) Seek(offset int64, whence int) (int64, error) { return int64(s.Len()), nil }

type arrowWriter interface {
	Write(arrow.Record) error
	Close() error
}

type parquetFact struct {
	ID     string   `parquet:"id,dict"`
	At     int64    `parquet:"Created At,timestamp(microsecond)"`
	Count  int64    `parquet:"eventCount"`
	Share  float64  `parquet:"share"`
	Member bool     `parquet:"IS_MEMBER"`
	Title  *string  `parquet:"page_title,optional"`
	Tags   []string `parquet:"tags,list"`
}

func delimited(facts []fact, comma rune) []byte {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	w.Comma = comma
	w.Write(header)
	for _, f := range facts {
		w.Write(f.cells())
	}
	w.Flush()
	return b.Bytes()
}

func escaped(facts []fact, head string) []byte {
	escape := strings.NewReplacer(`\`, `\\`, "\t", `\t`, "\n", `\n`)
	return []byte(head + join(facts, "", func(f fact) string {
		var cells []string
		for i, c := range f.cells() {
			if cells = append(cells, escape.Replace(c)); i == 5 && f.Title == nil {
				cells[i] = `\N`
			}
		}
		return strings.Join(cells, "\t") + "\n"
	}))
}

func avro(facts []fact) []byte {
	var b bytes.Buffer
	w, err := goavro.NewOCFWriter(goavro.OCFConfig{W: &b, Schema: `{"type":"record","name":"fact","fields":[
		{"name":"id","type":"string"},{"name":"createdAt","type":{"type":"long","logicalType":"timestamp-micros"}},{"name":"eventCount","type":"long"},
		{"name":"share","type":"double"},{"name":"IS_MEMBER","type":"boolean"},{"name":"page_title","type":["null","string"]},
		{"name":"tags","type":{"type":"array","items":"string"}}]}`})
	if err != nil {
		panic(err)
	}
	for _, f := range facts {
		var title any
		if f.Title != nil {
			title = goavro.Union("string", *f.Title)
		}
		if err := w.Append([]any{map[string]any{"id": f.ID, "createdAt": time.UnixMicro(f.At), "eventCount": f.Count, "share": f.Share,
			"IS_MEMBER": f.Member, "page_title": title, "tags": f.Tags}}); err != nil {
			panic(err)
		}
	}
	return b.Bytes()
}

func open(t rapid.TB, content []byte) *input.Input {
	t.Helper()
	ins, err := input.Open(context.Background(), []string{"-"}, bytes.NewReader(content), "")
	if err != nil {
		t.Fatal(err)
	}
	return ins.Files[0]
}

func find(t rapid.TB, content []byte) *rows.Table {
	t.Helper()
	tables, err := rows.Find(context.Background(), open(t, content))
	if err != nil || len(tables) != 1 {
		t.Fatalf("found %d tables, %v", len(tables), err)
	}
	return tables[0]
}

// read returns all cells, and checks what holds for the rows of any container.
func read(t rapid.TB, table *rows.Table) (all [][]string) {
	t.Helper()
	last := int64(0)
	r, err := table.Open(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for {
		chunk, err := r.Next(context.Background())
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		for row := range chunk.Rows() {
			if row.Err != nil || len(row.Cells) != len(table.Columns) {
				t.Fatalf("row %d: %q, %v", row.Number, row.Cells, row.Err)
			}
			if row.Number <= last || row.Number < chunk.FirstRow || row.Number >= chunk.EndRow {
				t.Fatalf("row %d after %d in a chunk of %d to %d", row.Number, last, chunk.FirstRow, chunk.EndRow)
			}
			last = row.Number
			if row.Text() == "" {
				t.Fatalf("row %d has no text", row.Number)
			}
			all = append(all, slices.Clone(row.Cells))
		}
		if err := chunk.Err(); err != nil {
			t.Fatal(err)
		}
	}
}

func facts(t *rapid.T) []fact {
	text := rapid.StringOf(rapid.SampledFrom([]rune("abc,;\t'\"\\\n{}[]|é\U0001F600 ")))
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) fact {
		f := fact{
			ID:     "i" + text.Draw(t, "id"),
			At:     rapid.Int64Range(0, 4e15).Draw(t, "at"),
			Count:  rapid.Int64().Draw(t, "count"),
			Share:  float64(rapid.IntRange(-1e6, 1e6).Draw(t, "share")) / 64,
			Member: rapid.Bool().Draw(t, "member"),
			Tags:   rapid.SliceOfN(text, 0, 3).Draw(t, "tags"),
		}
		if rapid.Bool().Draw(t, "has a title") {
			title := text.Draw(t, "title")
			f.Title = &title
		}
		return f
	}), 1, 12).Draw(t, "facts")
}

// The same facts give the same rows in every container.
func TestContainers(t *testing.T) {
	for _, name := range slices.Sorted(maps.Keys(containers)) {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(rt *rapid.T) {
				written := facts(rt)
				content := containers[name](written)
				table := find(rt, content)
				if !slices.Equal(table.Columns, columns) {
					rt.Fatalf("columns %q, want %q", table.Columns, columns)
				}
				sample, err := table.Sample(context.Background())
				if err != nil {
					rt.Fatal(err)
				}
				first := written[0].cells()
				for row := range sample.Rows() {
					if row.Err != nil || !slices.Equal(row.Cells, first) {
						rt.Fatalf("sample: %q, %v, want %q", row.Cells, row.Err, first)
					}
					var tags []string
					for _, v := range row.Value(6).Elements() {
						tags = append(tags, v.Text)
					}
					if !slices.Equal(tags, written[0].Tags) {
						rt.Fatalf("tags %q, want %q", tags, written[0].Tags)
					}
					break
				}
				got := read(rt, table)
				if len(got) != len(written) {
					rt.Fatalf("%d rows of %d in %.1000q", len(got), len(written), content)
				}
				for i, f := range written {
					if !slices.Equal(got[i], f.cells()) {
						rt.Fatalf("row %d\ngot  %q\nwant %q", i, got[i], f.cells())
					}
				}
			})
		})
	}
}

// What is cut off is not taken for whole, in any container.
func TestCutOff(t *testing.T) {
	var written []fact
	for i := range 400 {
		written = append(written, fact{ID: fmt.Sprintf("row %d", i), Tags: []string{"a", "b"}})
	}
	for name, write := range containers {
		if strings.Contains(name, "TSV") || name == "COPY" || name == "INSERT" || strings.Contains(name, "EachRow") || name == "JSON lines" {
			continue // a line less is as whole as the others
		}
		content := write(written)
		for _, cut := range []int{len(content) / 2, len(content) - 3, len(content)/2 + 7} {
			tables, err := rows.Find(t.Context(), open(t, content[:cut]))
			complained := err != nil
			n := 0
			for _, table := range tables {
				err := table.Each(t.Context(), func(row *rows.Row) error {
					complained = complained || row.Err != nil
					n++
					return nil
				})
				complained = complained || err != nil
			}
			if !complained && n < len(written)-1 && !strings.HasSuffix(string(content[:cut]), "]\"\n") && name != "CSV" && name != "semicolons" {
				t.Errorf("%s cut off at %d of %d: %d rows and no complaint", name, cut, len(content), n)
			}
		}
	}
}

func TestName(t *testing.T) {
	for name, want := range map[string]string{
		"created_at": "created_at", "Created At": "created_at", "createdAt": "created_at", "CREATED_AT": "created_at", " Created  At ": "created_at",
		"URL Path": "url_path", "urlPath": "url_path", "URLPath": "url_path", "Website ID": "website_id", "websiteId": "website_id", "websiteID": "website_id",
		"utm_source": "utm_source", "utmSource": "utm_source", "event_params.key": "event_params.key", "meta.key": "meta.key", "eventParams.key": "event_params.key",
		"subdivision1": "subdivision1", "LCP": "lcp", "userIDs": "user_ids", "views-per-visit": "views_per_visit", "Größe Neu": "größe_neu", "": "",
		"_airbyte_id": "_airbyte_id", "name:1": "name:1", "os": "os", "iOSVersion": "i_os_version",
	} {
		if got := rows.Name(name); got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
		if again := rows.Name(want); again != want {
			t.Errorf("%q becomes %q", want, again)
		}
	}
}

func TestTwice(t *testing.T) {
	for _, text := range []string{
		"id,created_at,created_at\na,1,2\n", "id,created_at,created_at_1\na,1,2\n", "id,created_at_x,created_at_y\na,1,2\n",
		"id,createdAt,Created At\na,1,2\n", "id,created_at,created_at.1\na,1,2\n", "id,created_at,created_at:1\na,1,2\n",
		`{"id":"a","created_at":1,"created_at":2}`, `{"id":"a","created_at":1,"createdAt":2}`,
	} {
		table := find(t, []byte(text))
		if got := table.Positions("created_at"); !slices.Equal(got, []int{1, 2}) || table.Column("created_at") != 1 {
			t.Errorf("%s: at %v", text, got)
		}
		err := table.Twice("id", "created_at")
		if err == nil || !strings.Contains(err.Error(), "column 2") || !strings.Contains(err.Error(), "column 3") {
			t.Errorf("%s: %v", text, err)
		}
		table.Resolve("created_at", 2)
		if err := table.Twice("id", "created_at"); err != nil || table.Column("created_at") != 2 {
			t.Errorf("%s: resolved, at %d, %v", text, table.Column("created_at"), err)
		}
		if got := read(t, table); len(got) != 1 || !slices.Equal(got[0], []string{"a", "1", "2"}) {
			t.Errorf("%s: read %q", text, got)
		}
	}
	if table := find(t, []byte("subdivision1_code,subdivision2_code,utm_source\na,b,c\n")); table.Twice("subdivision1_code", "utm_source") != nil {
		t.Error("names that only begin alike")
	}
}

// Members that none of the first records has are told.
func TestVaryingMembers(t *testing.T) {
	table := find(t, []byte("{\"a\":1}\n{\"b\":null,\"a\":\"x\"}\n{\"c\":{\"d\":1.50}}\n"))
	want := [][]string{{"1", "", ""}, {"x", "", ""}, {"", "", `{"d":1.50}`}}
	if got := read(t, table); !slices.Equal(table.Columns, []string{"a", "b", "c"}) || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%q: got %q, want %q", table.Columns, got, want)
	}
	text := strings.Repeat(`{"a":1,"b":"`+strings.Repeat("x", 1000)+"\"}\n", 100) + "{\"A\":2,\"late\":3}\n"
	table = find(t, []byte(text))
	got := read(t, table)
	if len(got) != 101 || got[100][0] != "2" || !slices.Equal(table.Late(), []string{"late"}) {
		t.Errorf("%d rows, last %q, late %q", len(got), got[len(got)-1], table.Late())
	}
}

// A first record of JSON that is longer than an input's head is read like any other.
func TestLongFirstRecord(t *testing.T) {
	long := func(size int) string { return strings.Repeat("x", size) }
	record := `{"extra":{"text":"` + long(200<<10) + `"},"b":"y"}`
	for name, content := range map[string]string{
		"a line":           record + "\n" + `{"b":"z"}` + "\n",
		"over lines":       strings.ReplaceAll(record, ",", ",\n") + "\n" + `{"b":"z"}` + "\n",
		"of a list":        "[" + record + `,{"b":"z"}]`,
		"of a member":      `{"data":[` + record + `,{"b":"z"}]}`,
		"behind a member":  `{"notes":"` + long(200<<10) + `","data":[` + record + `,{"b":"z"}]}`,
		"cells under data": `{"meta":[{"name":"extra"},{"name":"b"}],"notes":"` + long(200<<10) + `","data":[[{"text":"` + long(200<<10) + `"},"y"],[null,"z"]]}`,
	} {
		t.Run(name, func(t *testing.T) {
			table := find(t, []byte(content))
			got := read(t, table)
			if !slices.Equal(table.Columns, []string{"extra", "b"}) || len(got) != 2 || got[0][1] != "y" || got[1][1] != "z" || len(got[0][0]) != 200<<10+len(`{"text":""}`) {
				t.Errorf("%q: got %d rows", table.Columns, len(got))
			}
		})
	}
	_, err := rows.Find(t.Context(), open(t, []byte(`{"extra":"`+long(5<<20)+`"}`)))
	if err == nil || !strings.Contains(err.Error(), "first record does not end within 4 MiB") {
		t.Errorf("5 MiB: %v", err)
	}
}

func TestHeadless(t *testing.T) {
	for _, text := range []string{"1,x\n2,y\n", "[\"1\",\"x\"]\n[\"2\",\"y\"]\n", `[["1","x"],["2","y"]]`} {
		table := find(t, []byte(text))
		if !slices.Equal(table.Header, []string{"1", "x"}) {
			t.Fatalf("%s: header %q", text, table.Header)
		}
		if got := read(t, table.Headless([]string{"a", "b"})); len(got) != 2 || got[0][1] != "x" {
			t.Errorf("%s: %q", text, got)
		}
	}
}

// Files that were put one behind the other have their header once more.
func TestHeaderAgain(t *testing.T) {
	for _, text := range []string{"a,b\n1,x\na,b\n2,y\n", "\ufeffa;b\r\n1;x\r\n\ufeffa;b\r\n2;y\r\n", "\"a\"\tb\n1\tx\na\t\"b\"\n2\ty\n"} {
		if got := read(t, find(t, []byte(text))); len(got) != 2 || got[1][0] != "2" {
			t.Errorf("%q: %q", text, got)
		}
	}
	if got := read(t, find(t, []byte("a\nb\na\n"))); len(got) != 2 {
		t.Errorf("a column alone: %q", got)
	}
}

// It is known by all of its cells where few columns are read.
func TestHeaderAgainOfFewColumns(t *testing.T) {
	table := find(t, []byte("a,b\n1,x\na,b\n2,b\n"))
	table.Only(1)
	var got []string
	if err := table.Each(t.Context(), func(row *rows.Row) error {
		got = append(got, row.Cells[1])
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if want := []string{"x", "b"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Where its columns stand in another order then, what follows is not read as if they
// did not.
func TestHeaderAgainInAnotherOrder(t *testing.T) {
	for _, text := range []string{"a,b,c\n1,x,y\na,c,b\n2,y,x\n", "a,b,c\n1,x,y\n\ufeffc,b,a\n2,y,x\n", "a,b,c\n1,x,y\nb,a,\"c\"\n2,y,x\n"} {
		for _, only := range []bool{false, true} {
			table := find(t, []byte(text))
			if only {
				table.Only(1)
			}
			n := 0
			err := table.Each(t.Context(), func(*rows.Row) error { n++; return nil })
			var positioned *input.Error
			if !errors.As(err, &positioned) || positioned.Row != 3 || n != 1 || !strings.Contains(err.Error(), "another order") {
				t.Errorf("%q: %d rows, %v", text, n, err)
			}
		}
	}
	for _, text := range []string{"a,b,c\n1,x,y\na,a,b\n", "a,b,c\n1,x,y\na,b,d\n", "a,b\n1,x\nb,a\n"} {
		if got := read(t, find(t, []byte(text))); len(got) != 2 {
			t.Errorf("%q: %q", text, got)
		}
	}
}

func FuzzFind(f *testing.F) {
	written := []fact{{ID: "a", Tags: []string{"x"}}, {ID: "b"}}
	for _, write := range containers {
		f.Add(write(written))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		if len(content) == 0 {
			return
		}
		ins, err := input.Open(t.Context(), []string{"-"}, bytes.NewReader(content), t.TempDir())
		if err != nil {
			return
		}
		defer ins.Close()
		tables, err := rows.Find(t.Context(), ins.Files[0])
		if err != nil {
			return
		}
		for _, table := range tables {
			table.Column("a", "created_at")
			last := int64(0)
			table.Each(t.Context(), func(row *rows.Row) error {
				if row.Number <= last || row.Err == nil && len(row.Cells) != len(table.Columns) {
					t.Fatalf("row %d after %d: %q", row.Number, last, row.Cells)
				}
				last = row.Number
				row.Text()
				for i := range row.Cells {
					row.Value(i)
				}
				return nil
			})
		}
	})
}

// binaries are the containers in which a bit can claim anything.
var binaries = []string{"Avro", "Parquet", "Arrow stream", "Arrow file"}

// However a file is damaged, it is an error or other rows, and takes no more
// memory than its size allows.
func TestDamage(t *testing.T) {
	written := []fact{{ID: "a", Tags: []string{"x", "y"}}, {ID: "b", Title: new(string)}, {ID: "c", Count: 1 << 40}}
	for _, name := range binaries {
		t.Run(name, func(t *testing.T) {
			whole := containers[name](written)
			random := rand.New(rand.NewPCG(1, 2))
			for range 3000 {
				content := bytes.Clone(whole)
				var flipped []int
				for range 1 + random.IntN(4) {
					at := random.IntN(len(content))
					content[at] ^= 1 << random.IntN(8)
					flipped = append(flipped, at)
				}
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				err := readAny(t, content)
				runtime.ReadMemStats(&after)
				if took := after.TotalAlloc - before.TotalAlloc; took > 100<<20 {
					t.Fatalf("bits of the bytes %d: took %d MB", flipped, took>>20)
				}
				if err != nil && (strings.Contains(err.Error(), "runtime error") || strings.Contains(err.Error(), "index out of range") || strings.Contains(err.Error(), "slice bounds")) {
					t.Fatalf("bits of the bytes %d: %v", flipped, err)
				}
			}
		})
	}
}

func readAny(t *testing.T, content []byte) error {
	ins, err := input.Open(t.Context(), []string{"-"}, bytes.NewReader(content), "")
	if err != nil {
		return err
	}
	defer ins.Close()
	tables, err := rows.Find(t.Context(), ins.Files[0])
	for _, table := range tables {
		err = errors.Join(err, table.Each(t.Context(), func(row *rows.Row) error { return nil }))
	}
	return err
}

func TestNoRows(t *testing.T) {
	for name, c := range map[string]struct{ content, want string }{
		"pg_dump -Fc": {"PGDMP\x01\x0e\x00", "pg_restore -f dump.sql"},
		"pg_dump -Ft": {"toc.dat" + strings.Repeat("\x00", 250) + "ustar  \x00" + strings.Repeat("\x00", 300), "pg_restore -f dump.sql"},
		"tar":         {"a.csv" + strings.Repeat("\x00", 252) + "ustar  \x00" + strings.Repeat("\x00", 300), "tar -xf"},
		"psql's \\x":  {"-[ RECORD 1 ]---+---\nevent_id | 1\n", "as CSV with a header"},
		"mysql's \\G": {"*************************** 1. row ***************************\nevent_id: 1\n", "as CSV with a header"},
		"Vertical":    {"Row 1:\n──────\nevent_id: 1\n", "as CSV with a header"},
		"Pretty":      {"┏━━━━┓\n┃ id ┃\n", "as CSV with a header"},
		"phpMyAdmin":  {`[ {"type":"header","version":"5.2.1"}, {"type":"table","name":"a","data":[{"b":1}]}]`, "in the format SQL"},
		"SQLite":      {"SQLite format 3\x00\x10\x00", ".dump"},
		"a web page":  {"\n<!DOCTYPE html><html><title>Sign in</title>", "web page"},
		"XLSX":        {`<?xml version="1.0"?><worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">`, "save the sheet as CSV"},
		"an error":    {`{"error":{"code":401,"message":"Unauthorized"}}`, "Unauthorized"},
		"Native":      {"\x02\x03\x04time\x08DateTime\x00\x01\x02\xff\xfe\x80\x02id\x06UInt64\x00\x00\x00", "FORMAT CSVWithNames"},
		"Values":      {"('2024-05-01 10:00:00','pageview',1),('2024-05-01 10:00:01','pageview',1)", "FORMAT Values"},
		"quote":       {"'event_id','url_path','event_name'\n'1','/a, b',NULL\n", "double quotes or none"},
		"a binary":    {"\x00\x01\x02\x03\x99\xfe\x80\x00\x00\x07", "binary data"},
	} {
		t.Run(name, func(t *testing.T) {
			tables, err := rows.Find(t.Context(), open(t, []byte(c.content)))
			var positioned *input.Error
			if len(tables) > 0 || !errors.As(err, &positioned) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %d tables, %v, want something with %q", len(tables), err, c.want)
			}
		})
	}
}

// A table can stand before each column's name, or be the only member of an object.
func TestTablesInNames(t *testing.T) {
	for name, content := range map[string]string{
		"in the header": "session.id,session.createdAt,session.os\n1,2,3\n",
		"of an object":  "{\n \"session\": [\n  {\"id\":1,\"createdAt\":2,\"os\":3}\n ]}\n",
		"cut off":       `{"session":[` + strings.Repeat(`{"id":1,"createdAt":2,"os":3},`, 1) + strings.Repeat(" ", 70<<10) + `{"id":1,"createdAt":2,"os":3}]}`,
	} {
		table := find(t, []byte(content))
		if want := []string{"id", "created_at", "os"}; !slices.Equal(table.Columns, want) {
			t.Errorf("%s: the columns are %q", name, table.Columns)
		}
		for _, row := range read(t, table) {
			if !slices.Equal(row, []string{"1", "2", "3"}) {
				t.Errorf("%s: a row is %q", name, row)
			}
		}
	}
	// Not so where names have other parts, or an object another member.
	for _, content := range []string{"a.id,b.id,a.os\n1,2,3\n", `{"params":[{"id":1}],"name":"x"}` + "\n"} {
		if table := find(t, []byte(content)); slices.Equal(table.Columns, []string{"id"}) || slices.Equal(table.Columns, []string{"id", "id", "os"}) {
			t.Errorf("%s: the columns are %q", content, table.Columns)
		}
	}
}

// Rows and their columns' names may stand in two files, as mydumper writes them.
func TestFindAmong(t *testing.T) {
	schema := open(t, []byte("/*!40101 SET NAMES binary*/;\nCREATE TABLE `facts` (\n  `id` varchar(36),\n  `CreatedAt` timestamp\n);\n"))
	data := open(t, []byte("/*!40101 SET NAMES binary*/;\nINSERT INTO `facts` VALUES (\"a\",\"2024-05-01\")\n,(\"b\\\"\",NULL);\n"))
	tables, err := rows.FindAmong(t.Context(), data, []*input.Input{data, schema})
	if err != nil || len(tables) != 1 || !slices.Equal(tables[0].Columns, []string{"id", "created_at"}) {
		t.Fatalf("%v, %v", tables, err)
	}
	if got := read(t, tables[0]); fmt.Sprint(got) != "[[a 2024-05-01] [b\" ]]" {
		t.Errorf("read %q", got)
	}
	if _, err := rows.Find(t.Context(), data); err == nil || !strings.Contains(err.Error(), "--complete-insert") {
		t.Errorf("without the schema: %v", err)
	}
}

func TestNotes(t *testing.T) {
	for text, want := range map[string]string{
		"a\tb\nString\tNullable(UInt32)\nx\t1\n": "row 2 holds the columns' types",
		"a;b\nS\xe3o;x\n":                        "Windows-1252",
		"a,b\nx,1\n":                             "",
	} {
		table := find(t, []byte(text))
		if notes := strings.Join(table.Notes(), " "); want == "" && notes != "" || !strings.Contains(notes, want) {
			t.Errorf("%q: notes %q, want %q", text, notes, want)
		}
		if got := read(t, table); len(got) != 1 {
			t.Errorf("%q: read %q", text, got)
		}
	}
}

// TestColumnsBesideLists reads answers whose columns' names stand beside the rows.
func TestColumnsBesideLists(t *testing.T) {
	ins, err := input.Open(t.Context(), []string{"-"}, strings.NewReader(`{"columns":["id","name"],"results":[[1,"a"],[2,"b"]],"hasMore":false}`), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer ins.Close()
	found, err := rows.Find(t.Context(), ins.Files[0])
	if err != nil || len(found) != 1 || !slices.Equal(found[0].Columns, []string{"id", "name"}) {
		t.Fatalf("%+v, %v", found, err)
	}
	var cells []string
	err = found[0].Each(t.Context(), func(row *rows.Row) error {
		cells = append(cells, row.Cells...)
		return nil
	})
	if err != nil || !slices.Equal(cells, []string{"1", "a", "2", "b"}) {
		t.Errorf("%q, %v", cells, err)
	}
}

// Of many files with the same columns, these are held once.
func TestColumnsOfManyFilesAreShared(t *testing.T) {
	dir := t.TempDir()
	for i := range 2 {
		content := fmt.Sprintf("e.url_path,e.created_at,title\n/%d,2024-01-01 10:00:00,A\n", i)
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprint(i, ".csv")), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	inputs, err := input.Open(t.Context(), []string{dir}, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	defer inputs.Close()
	var columns, headers []*string
	for _, in := range inputs.Files {
		tables, err := rows.Find(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		tables[0].Unqualify("url_path", "created_at")
		columns, headers = append(columns, &tables[0].Columns[0]), append(headers, &tables[0].Header[0])
	}
	if *columns[0] != "url_path" || columns[0] != columns[1] || headers[0] != headers[1] {
		t.Errorf("each file has columns of its own")
	}
}
