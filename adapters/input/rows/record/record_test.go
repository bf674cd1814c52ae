package record

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/linkedin/goavro/v2"
	"github.com/parquet-go/parquet-go"
	"pgregory.net/rapid"

	"hopper/adapters/input"
)

// inputOf makes an input of what a file would hold.
func inputOf(t testing.TB, content []byte) *input.Input {
	t.Helper()
	inputs, err := input.Open(context.Background(), []string{"-"}, bytes.NewReader(content), t.TempDir())
	if err != nil {
		t.Skip(err) // of no interest here: nothing could be opened
	}
	t.Cleanup(func() { inputs.Close() })
	return inputs.Files[0]
}

// line is a record as JSON with its number, or why it cannot be read.
type line struct {
	row  int64
	text string
}

// readAll returns the records of a file.
func readAll(t testing.TB, content []byte, wanted func(string) bool) (lines []line, err error) {
	t.Helper()
	ctx := context.Background()
	r, err := Open(ctx, inputOf(t, content), wanted)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return drain(r)
}

func drain(r Reader) (lines []line, err error) {
	for {
		c, err := r.Next(context.Background())
		if errors.Is(err, io.EOF) {
			return lines, nil
		}
		if err != nil {
			return lines, err
		}
		err = c.Read(func(rec *Record) {
			if rec.Err != nil {
				lines = append(lines, line{rec.Row, "error: " + rec.Err.Error()})
			} else {
				lines = append(lines, line{rec.Row, string(rec.Root.AppendJSON(nil))})
			}
		})
		if err != nil {
			return lines, err
		}
	}
}

func mustRead(t *testing.T, content []byte, wanted func(string) bool) []line {
	t.Helper()
	lines, err := readAll(t, content, wanted)
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

func check(t *testing.T, got []line, want ...line) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

func TestLines(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       []line
	}{
		{"plain", "{\"a\":1}\n{\"a\":2}\n", []line{{1, `{"a":1}`}, {2, `{"a":2}`}}},
		{"no newline at the end", "{\"a\":1}\n{\"a\":2}", []line{{1, `{"a":1}`}, {2, `{"a":2}`}}},
		{"CRLF and blank lines", "{\"a\":1}\r\n\r\n{\"a\":2}\r\n", []line{{1, `{"a":1}`}, {3, `{"a":2}`}}},
		{"a broken line", "{\"a\":1}\n{\"a\":\n{\"a\":3}\n[4]\n", []line{
			{1, `{"a":1}`}, {2, "error: not valid JSON: the end at byte 6"}, {3, `{"a":3}`}, {4, "error: a JSON value that is no object"},
		}},
		{"escapes", `{"a":"\u00e9\n\"\\\/\ud83d\ude00\ud800"}`, []line{{1, `{"a":"é\n\"\\/😀` + "\uFFFD" + `"}`}}},
		{"array", `[{"a":1},{"a":[2,{"b":"]"}]}]`, []line{{1, `{"a":1}`}, {2, `{"a":[2,{"b":"]"}]}`}}},
		{"indented array", "[\n  {\n    \"a\": 1\n  },\n  {\n    \"a\": \"}\\\"\"\n  }\n]\n", []line{{1, `{"a":1}`}, {2, `{"a":"}\""}`}}},
		{"records over lines", "{\n\"a\": 1}\n{\n\"a\": 2\n}", []line{{1, `{"a":1}`}, {2, `{"a":2}`}}},
		{"an array that is cut off", `[{"a":1},{"a":2`, []line{{1, `{"a":1}`}, {2, "error: not valid JSON: no comma or end of the list at byte 7"}}},
		{"a broken record in an array", `[{"a":1},{"a":x},{"a":3}]`, []line{{1, `{"a":1}`}, {2, "error: not valid JSON: no value at byte 6"}, {3, `{"a":3}`}}},
		{"nulls", `{"a":null,"b":[null],"c":{}}`, []line{{1, `{"b":[null],"c":{}}`}}},
		{"UTF-16", "\xff\xfe{\x00\"\x00a\x00\"\x00:\x001\x00}\x00\n\x00", []line{{1, `{"a":1}`}}},
	} {
		t.Run(c.name, func(t *testing.T) { check(t, mustRead(t, []byte(c.text), nil), c.want...) })
	}
}

// TestCutting checks that records survive being cut into chunks: all of them,
// each with its number.
func TestCutting(t *testing.T) {
	for _, form := range []string{"lines", "array", "indented"} {
		t.Run(form, func(t *testing.T) {
			rapid.Check(t, func(r *rapid.T) {
				var b bytes.Buffer
				var want []line
				if form != "lines" {
					b.WriteString("[")
				}
				for i := range rapid.IntRange(1, 30).Draw(r, "records") {
					size := rapid.IntRange(0, 100).Draw(r, "size")
					text := fmt.Sprintf(`{"n":%d,"s":"%s\"\\"}`, i, strings.Repeat("}]{", size))
					want = append(want, line{int64(i + 1), text})
					if form != "lines" && i > 0 {
						b.WriteString(",")
					}
					if form == "indented" {
						b.WriteString("\n  ")
					}
					b.WriteString(text)
					if form == "lines" {
						b.WriteString("\n")
					}
				}
				if form != "lines" {
					b.WriteString("]")
				}
				j := &jsonReader{
					in: "x.json", r: io.NopCloser(iotest.HalfReader(&b)), layout: layoutOf(b.Bytes()),
					chunk: rapid.IntRange(1, 300).Draw(r, "chunk"), limit: 1000,
				}
				got, err := drain(j)
				if err != nil {
					r.Fatal(err)
				}
				if len(got) != len(want) {
					r.Fatalf("%d records, want %d", len(got), len(want))
				}
				for i := range got {
					if got[i] != want[i] {
						r.Fatalf("record %d: got %.80v, want %.80v", i+1, got[i], want[i])
					}
				}
			})
		})
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}
func (endless) Close() error { return nil }

func TestEndlessLine(t *testing.T) {
	for _, lines := range []bool{true, false} {
		j := &jsonReader{in: "x.json", r: endless{}, layout: layout{lines: lines}, row: 6, chunk: 1000, limit: 100_000}
		_, err := j.Next(context.Background())
		var positioned *input.Error
		if !errors.As(err, &positioned) || positioned.Row != 7 || !strings.Contains(err.Error(), "64 MiB") {
			t.Errorf("lines %t: %v", lines, err)
		}
	}
}

// same reports whether v is what encoding/json makes of the same text.
func same(v *Value, want any) bool {
	switch want := want.(type) {
	case nil:
		return v.Kind == Null
	case bool:
		return v.Kind == Bool && v.Text == fmt.Sprint(want)
	case json.Number:
		return v.Kind == Number && v.Text == want.String()
	case string:
		return v.Kind == Text && strings.ToValidUTF8(v.Text, "\uFFFD") == strings.ToValidUTF8(want, "\uFFFD")
	case []any:
		if v.Kind != List || len(v.Kids) != len(want) {
			return false
		}
		for i := range want {
			if !same(&v.Kids[i], want[i]) {
				return false
			}
		}
		return true
	case map[string]any:
		last := make(map[string]*Value)
		for i := range v.Kids {
			last[strings.ToValidUTF8(v.Kids[i].Key, "\uFFFD")] = &v.Kids[i]
		}
		for key, w := range want {
			if got := last[strings.ToValidUTF8(key, "\uFFFD")]; got == nil || !same(got, w) {
				return false
			}
		}
		return v.Kind == Object && len(last) == len(want)
	}
	return false
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{`{"a":[1,-2.5e+3,true,false,null,"\u00e9\ud83d\ude00\n"]}`, `[[],{},0,01,"`, "\"\x00\"", `{"a":1,"a":2}`, `"\ud800\ud800"`, "\"\xff\"", "[1,]", `{"a" 1}`, `"\ud800\u0041"`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		v, err := Parse(s)
		checkMarked(t, s, v, err)
		d := json.NewDecoder(strings.NewReader(s))
		d.UseNumber()
		var want any
		valid := json.Valid([]byte(s))
		if err != nil {
			if valid && !strings.Contains(err.Error(), "nested too deep") {
				t.Fatalf("%q: %v; encoding/json reads it", s, err)
			}
			return
		}
		if !valid {
			t.Fatalf("%q: read as %s; encoding/json refuses it", s, v.AppendJSON(nil))
		}
		if err := d.Decode(&want); err != nil {
			t.Fatal(err)
		}
		if !same(v, want) && strings.ToValidUTF8(s, "") == s {
			t.Fatalf("%q: read as %s; encoding/json reads %v", s, v.AppendJSON(nil), want)
		}
		if !json.Valid(v.AppendJSON(nil)) {
			t.Fatalf("%q: written as %s", s, v.AppendJSON(nil))
		}
	})
}

// checkMarked checks that a text so long that it is marked is read alike.
func checkMarked(t *testing.T, s string, want *Value, wantErr error) {
	t.Helper()
	v, err := Parse(strings.Repeat(" ", minMarked) + s)
	if (err == nil) != (wantErr == nil) || err == nil && !bytes.Equal(v.AppendJSON(nil), want.AppendJSON(nil)) {
		t.Fatalf("%q: %v; behind space %v", s, wantErr, err)
	}
	var at, wantAt *syntaxError
	if errors.As(err, &at) && errors.As(wantErr, &wantAt) && (at.what != wantAt.what || at.at != wantAt.at+minMarked) {
		t.Fatalf("%q: %v; behind space %v", s, wantErr, err)
	}
}

// FuzzOpen reads arbitrary content in all containers: it must end, without
// panic, in records or in an error that names the input.
func FuzzOpen(f *testing.F) {
	paths, err := filepath.Glob("../../../../fixtures/ga/*_2*")
	if err != nil || len(paths) == 0 {
		f.Fatalf("no fixtures: %v", err)
	}
	for _, path := range paths {
		content, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(content)
		f.Add(content[:len(content)*2/3])
	}
	f.Add([]byte("PAR1junkPAR1"))
	f.Add([]byte("PAR1\x15\x04\x00\x00\xff\xff\xff\x7fPAR1"))
	f.Add([]byte("Obj\x01\x02\x16avro.schema\x04{}\x00"))
	f.Fuzz(func(t *testing.T, content []byte) {
		if len(bytes.TrimSpace(content)) == 0 {
			t.Skip("no input")
		}
		ctx := context.Background()
		in := inputOf(t, content)
		if fields, err := Fields(ctx, in); err != nil && fields != nil {
			t.Fatal("fields and an error")
		}
		_, err := readAll(t, content, nil)
		var positioned *input.Error
		if err != nil && !errors.As(err, &positioned) {
			t.Fatalf("an error without an input: %v", err)
		}
		readColumns(t, content)
	})
}

// readColumns reads all columns of an input that has them apart.
func readColumns(t *testing.T, content []byte) {
	r, err := Open(context.Background(), inputOf(t, content), nil)
	if err != nil {
		return
	}
	defer r.Close()
	for {
		c, err := r.Next(context.Background())
		if err != nil {
			return
		}
		columns, ok := c.(Columns)
		if !ok {
			return
		}
		columns.Parts(100, func(part *Part) error {
			for _, column := range columns.Schema() {
				readColumn(part, column)
			}
			return nil
		})
	}
}

func readColumn(c *Part, column *Column) {
	first, end := c.Span()
	within := func(i int) {
		if i < 0 || int64(i) >= end-first {
			panic("a record behind the last")
		}
	}
	c.Values(column, func(i int, _ *Value) { within(i) })
	switch {
	case column.Element != nil && column.Element.Kids != nil && column.rep == 1:
		var leaves []*Column
		for _, kid := range column.Element.Kids {
			if kid.Kids == nil && kid.Element == nil {
				leaves = append(leaves, kid)
			}
		}
		if leaves != nil {
			c.EachElement(column, leaves, func(i int, _ []*Word) { within(i) })
		}
	case column.Element == nil && column.Kids == nil:
		for _, cell := range c.Texts(column, nil) {
			within(cell.Record)
		}
	}
	if column.Element == nil {
		for _, kid := range column.Kids {
			readColumn(c, kid)
		}
	}
}

// TestDamaged reads each fixture with its end cut off and with bytes flipped.
func TestDamaged(t *testing.T) {
	for _, name := range []string{"events_20240305.avro", "ga_sessions_20190412.avro", "events_20240305.bigquery.parquet", "events_20240305.standard.parquet", "events_20240305.bare.parquet"} {
		content, err := os.ReadFile("../../../../fixtures/ga/" + name)
		if err != nil {
			t.Fatal(err)
		}
		step := max(1, len(content)/25)
		for n := len(content) - 1; n > 40; n -= step {
			if _, err := readAll(t, content[:n], nil); err == nil {
				if bytes.HasSuffix(content[:n], content[len(content)-16:]) && strings.HasSuffix(name, ".avro") {
					continue // the end of a block of Avro is where a file could end
				}
				t.Errorf("%s: cut to %d bytes, it reads as if it were whole", name, n)
			} else if !strings.Contains(err.Error(), "again") {
				t.Errorf("%s: cut to %d bytes: %v; want what to do", name, n, err)
			}
			flipped := bytes.Clone(content)
			flipped[n] ^= 0x55
			readAll(t, flipped, nil) // may succeed, must not panic or hang
		}
	}
}

func TestAvroTypes(t *testing.T) {
	schema := `{"type":"record","name":"r","namespace":"n","fields":[
		{"name":"b","type":"boolean"},{"name":"i","type":"int"},{"name":"l","type":["null","long"]},
		{"name":"f","type":"float"},{"name":"d","type":"double"},{"name":"s","type":"string"},{"name":"y","type":"bytes"},
		{"name":"e","type":{"type":"enum","name":"en","symbols":["A","B"]}},{"name":"x","type":{"type":"fixed","name":"fx","size":2}},
		{"name":"m","type":{"type":"map","values":"long"}},{"name":"a","type":{"type":"array","items":["null","string"]}},
		{"name":"t","type":{"type":"long","logicalType":"timestamp-micros"}},{"name":"again","type":"en"},
		{"name":"dropped","type":"string"}]}`
	for _, codec := range []string{"null", "deflate", "snappy"} {
		var b bytes.Buffer
		w, err := goavro.NewOCFWriter(goavro.OCFConfig{W: &b, Schema: schema, CompressionName: codec})
		if err != nil {
			t.Fatal(err)
		}
		record := map[string]any{
			"b": true, "i": int32(-7), "l": map[string]any{"long": int64(1) << 62}, "f": float32(0.1), "d": -2.5, "s": "é\"", "y": []byte("raw"),
			"e": "B", "x": []byte("xy"), "m": map[string]any{"k": int64(3)}, "a": []any{nil, map[string]any{"string": "z"}},
			"t": time.UnixMicro(1709625600123456), "again": "A", "dropped": "never seen",
		}
		if err := w.Append([]any{record, record}); err != nil {
			t.Fatal(err)
		}
		want := `{"b":true,"i":-7,"l":4611686018427387904,"f":0.1,"d":-2.5,"s":"é\"","y":"raw","e":"B","x":"xy","m":{"k":3},"a":[null,"z"],"t":1709625600123456,"again":"A"}`
		check(t, mustRead(t, b.Bytes(), func(path string) bool { return path != "dropped" }), line{1, want}, line{2, want})
	}
}

// TestAvroSkips spoils a block byte by byte: what is not wanted is found to be damaged
// as what is read, and the same values follow it.
func TestAvroSkips(t *testing.T) {
	schema := `{"type":"record","name":"r","fields":[
		{"name":"skipped","type":{"type":"record","name":"s","fields":[
			{"name":"b","type":"boolean"},{"name":"l","type":["null","long"]},{"name":"f","type":"float"},{"name":"d","type":"double"},
			{"name":"y","type":"bytes"},{"name":"e","type":{"type":"enum","name":"en","symbols":["A","B"]}},{"name":"x","type":{"type":"fixed","name":"fx","size":2}},
			{"name":"m","type":{"type":"map","values":"long"}},{"name":"a","type":{"type":"array","items":["null","string"]}}]}},
		{"name":"read","type":"string"}]}`
	codec, err := goavro.NewCodec(schema)
	if err != nil {
		t.Fatal(err)
	}
	block, err := codec.BinaryFromNative(nil, map[string]any{"read": "kept", "skipped": map[string]any{
		"b": true, "l": map[string]any{"long": int64(1) << 62}, "f": float32(0.1), "d": -2.5, "y": []byte("raw"), "e": "B", "x": []byte("xy"),
		"m": map[string]any{"k": int64(3)}, "a": []any{nil, map[string]any{"string": "z"}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	decode := func(block []byte, wanted func(string) bool) (read string, rest int, err error) {
		root, err := parseAvroSchema([]byte(schema), wanted)
		if err != nil {
			t.Fatal(err)
		}
		d := avroDecoder{s: string(block)}
		var v Value
		err = d.value(root, &v, 0)
		return v.Get("read").String(), len(d.s) - d.at, err
	}
	compare := func(block []byte) {
		t.Helper()
		read, rest, err := decode(block, func(string) bool { return true })
		again, left, failed := decode(block, func(path string) bool { return path == "read" })
		if fmt.Sprint(err) != fmt.Sprint(failed) || err == nil && (read != again || rest != left) {
			t.Fatalf("%q is %q with %d bytes left (%v), and where it is skipped %q with %d (%v)", block, read, rest, err, again, left, failed)
		}
	}
	for i := range block {
		compare(block[:i])
		for c := range 256 {
			spoiled := bytes.Clone(block)
			spoiled[i] = byte(c)
			compare(spoiled)
		}
	}
	if read, rest, err := decode(block, func(path string) bool { return path == "read" }); read != "kept" || rest != 0 || err != nil {
		t.Errorf("%q, %d bytes left, %v", read, rest, err)
	}
}

func TestParquetLists(t *testing.T) {
	type element struct {
		K string   `parquet:"k"`
		V *float64 `parquet:"v,optional"`
		L []int64  `parquet:"l,list"`
	}
	type pair struct {
		A int64  `parquet:"a"`
		B string `parquet:"b,optional"`
	}
	type row struct {
		N     int64     `parquet:"n,timestamp(millisecond)"`
		D     int32     `parquet:"d,date"`
		M     int64     `parquet:"m,decimal(2:18)"`
		Three []element `parquet:"three,list"`
		Two   struct {
			Array []pair `parquet:"array"`
		} `parquet:"two,optional"`
		Old struct {
			List []pair `parquet:"list"`
		} `parquet:"old"`
		Bare  []element `parquet:"bare"`
		Texts []string  `parquet:"texts"`
		Group *struct {
			Drop string  `parquet:"drop"`
			Keep *string `parquet:"keep,optional"`
		} `parquet:"group,optional"`
	}
	f, s := 1.5, "kept"
	full := row{N: 1709625600123, D: 19787, M: -12345, Three: []element{{"a", &f, []int64{1, 2}}, {"b", nil, nil}}, Bare: []element{{"c", nil, []int64{3}}}, Texts: []string{"x", ""}}
	full.Group = &struct {
		Drop string  `parquet:"drop"`
		Keep *string `parquet:"keep,optional"`
	}{"dropped", &s}
	full.Two.Array = []pair{{1, "p"}, {2, ""}}
	full.Old.List = full.Two.Array[:1]
	var b bytes.Buffer
	w := parquet.NewGenericWriter[row](&b, parquet.PageBufferSize(64))
	var want []line
	for i := range 2500 { // more than a chunk has, in pages of a few rows
		if i%2 == 0 {
			if _, err := w.Write([]row{full}); err != nil {
				t.Fatal(err)
			}
			want = append(want, line{int64(i + 1), `{"n":1709625600123000,"d":"2024-03-05","m":-123.45,"three":[{"k":"a","v":1.5,"l":[1,2]},{"k":"b","l":[]}],"two":[{"a":1,"b":"p"},{"a":2}],"old":[{"a":1,"b":"p"}],"bare":[{"k":"c","l":[3]}],"texts":["x",""],"group":{"keep":"kept"}}`})
		} else {
			if _, err := w.Write([]row{{}}); err != nil {
				t.Fatal(err)
			}
			want = append(want, line{int64(i + 1), `{"n":0,"d":"1970-01-01","m":0,"three":[],"two":[],"old":[],"bare":[],"texts":[]}`})
		}
		if i == 1200 {
			if err := w.Flush(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	check(t, mustRead(t, b.Bytes(), func(path string) bool { return path != "group.drop" }), want...)
}

func TestElements(t *testing.T) {
	for _, text := range []string{`["a","b"]`, `{"list":[{"element":"a"},{"element":"b"}]}`, `{"list":[{"item":"a"},{"item":"b"}]}`} {
		v, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, e := range v.Elements() {
			got = append(got, e.Text)
		}
		if fmt.Sprint(got) != "[a b]" {
			t.Errorf("%s: %v", text, got)
		}
	}
	if (*Value)(nil).Elements() != nil || (*Value)(nil).Get("x") != nil || (*Value)(nil).String() != "" {
		t.Error("an absent value holds something")
	}
}

func TestFields(t *testing.T) {
	long := `{"event_name":"x","event_params":[{"key":"no"}],"note":"` + strings.Repeat("y", 100<<10) + `"}`
	got, err := Fields(context.Background(), inputOf(t, []byte(long)))
	if err != nil || fmt.Sprint(got) != "[event_name event_params note]" {
		t.Errorf("of a record longer than the head: %v, %v", got, err)
	}
	var documented bytes.Buffer
	schema := fmt.Sprintf(`{"type":"record","name":"r","fields":[{"name":"a","doc":%q,"type":"long"}]}`, strings.Repeat("explained ", 10_000))
	w, err := goavro.NewOCFWriter(goavro.OCFConfig{W: &documented, Schema: schema})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Append([]any{map[string]any{"a": int64(1)}}); err != nil {
		t.Fatal(err)
	}
	in := inputOf(t, documented.Bytes())
	if got, err := Fields(context.Background(), in); err != nil || fmt.Sprint(got) != "[a]" {
		t.Errorf("of a schema longer than the head: %v, %v", got, err)
	}
	if r, err := Open(context.Background(), in, nil); err != nil {
		t.Errorf("after its fields were asked for: %v", err)
	} else if got, err := drain(r); err != nil || len(got) != 1 {
		t.Errorf("after its fields were asked for: %v, %v", got, err)
	}
	for _, name := range []string{"events_20240305.avro", "events_20240305.bigquery.parquet", "events_20240305.ndjson", "events_20240305.json"} {
		content, err := os.ReadFile("../../../../fixtures/ga/" + name)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Fields(context.Background(), inputOf(t, content))
		if all := fmt.Sprint(got); err != nil || !strings.Contains(all, "event_params") || !strings.Contains(all, "device.web_info.browser") {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

func TestDecimal(t *testing.T) {
	for _, c := range []struct {
		b     []byte
		scale int
		want  string
	}{{[]byte{0x30, 0x39}, 2, "123.45"}, {[]byte{0xff}, 0, "-1"}, {[]byte{0x00}, 9, "0"}, {nil, 3, "0"}, {[]byte{0x64}, 2, "1"}} {
		if got := decimal(c.b, c.scale); got != c.want {
			t.Errorf("decimal(%x, %d) = %s; want %s", c.b, c.scale, got, c.want)
		}
	}
}

func benchmark(b *testing.B, name string) {
	content, err := os.ReadFile("../../../../fixtures/ga/" + name)
	if err != nil {
		b.Fatal(err)
	}
	if strings.HasSuffix(name, ".ndjson") {
		content = bytes.Repeat(content, 100)
	}
	b.SetBytes(int64(len(content)))
	b.ReportAllocs()
	records := 0
	for b.Loop() {
		lines := 0
		r, err := Open(context.Background(), inputOf(b, content), nil)
		if err != nil {
			b.Fatal(err)
		}
		for {
			c, err := r.Next(context.Background())
			if err != nil {
				break
			}
			c.Read(func(*Record) { lines++ })
		}
		r.Close()
		records += lines
	}
	b.ReportMetric(float64(records)/b.Elapsed().Seconds(), "records/s")
}

func BenchmarkJSON(b *testing.B)    { benchmark(b, "events_20240305.ndjson") }
func BenchmarkAvro(b *testing.B)    { benchmark(b, "events_20240305.avro") }
func BenchmarkParquet(b *testing.B) { benchmark(b, "events_20240305.bigquery.parquet") }
