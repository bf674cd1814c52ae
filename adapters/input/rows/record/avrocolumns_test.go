package record

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"testing"

	"pgregory.net/rapid"
)

// drawnType is a type of a schema with what draws and encodes its values.
type drawnType struct {
	schema any
	encode func(t *rapid.T, b []byte) []byte
}

func avroBytes(b []byte, s string) []byte {
	return append(binary.AppendVarint(b, int64(len(s))), s...)
}

// drawAvroType draws a type. With only, all of it can be decoded to columns.
func drawAvroType(t *rapid.T, names *int, depth int, only bool) drawnType {
	name := func() string {
		*names++
		return fmt.Sprint("t", *names)
	}
	whole := rapid.OneOf(rapid.Int64Range(-70, 70), rapid.Int64())
	integer := func(t *rapid.T, b []byte) []byte { return binary.AppendVarint(b, whole.Draw(t, "integer")) }
	text := func(t *rapid.T, b []byte) []byte {
		return avroBytes(b, rapid.SampledFrom([]string{"", "a", "\x00", "é", "\xff", "a longer text that takes more than a hundred bytes, so that its length takes two: it goes on and on and on until it ends here"}).Draw(t, "text"))
	}
	fixed := func(n int) func(t *rapid.T, b []byte) []byte {
		return func(t *rapid.T, b []byte) []byte {
			return append(b, rapid.SliceOfN(rapid.Byte(), n, n).Draw(t, "fixed")...)
		}
	}
	kinds := []string{"text", "integer", "text", "integer", "bool", "double", "float", "fixed", "enum", "decimal", "time", "date"}
	if depth > 0 {
		kinds = append(kinds, "record", "record", "array", "array")
		if !only {
			kinds = append(kinds, "map", "union", "null")
		}
	}
	var of drawnType
	switch kind := rapid.SampledFrom(kinds).Draw(t, "kind"); kind {
	case "text":
		of = drawnType{rapid.SampledFrom([]string{"string", "bytes"}).Draw(t, "type"), text}
	case "integer":
		of = drawnType{rapid.SampledFrom([]string{"int", "long"}).Draw(t, "type"), integer}
	case "bool":
		of = drawnType{"boolean", fixed(1)}
	case "double":
		of = drawnType{"double", fixed(8)}
	case "float":
		of = drawnType{"float", fixed(4)}
	case "fixed":
		of = drawnType{map[string]any{"type": "fixed", "name": name(), "size": 3}, fixed(3)}
	case "enum":
		of = drawnType{map[string]any{"type": "enum", "name": name(), "symbols": []string{"A", "B"}}, func(t *rapid.T, b []byte) []byte {
			return binary.AppendVarint(b, rapid.Int64Range(0, 1).Draw(t, "symbol"))
		}}
	case "decimal":
		of = drawnType{map[string]any{"type": "bytes", "logicalType": "decimal", "scale": 2}, text}
	case "time", "date":
		logical := rapid.SampledFrom([]string{"timestamp-micros", "local-timestamp-millis", "timestamp-nanos", "date", "other"}).Draw(t, "logical")
		of = drawnType{map[string]any{"type": "long", "logicalType": logical}, integer}
	case "record":
		return drawAvroRecord(t, names, depth-1, only)
	case "array", "map":
		element := drawAvroType(t, names, depth-1, only)
		of.schema = map[string]any{"type": kind, "items": element.schema, "values": element.schema}
		of.encode = func(t *rapid.T, b []byte) []byte {
			for range rapid.IntRange(0, 2).Draw(t, "blocks") {
				n := rapid.Int64Range(1, 3).Draw(t, "elements")
				if rapid.Bool().Draw(t, "sized") {
					b = binary.AppendVarint(binary.AppendVarint(b, -n), 99)
				} else {
					b = binary.AppendVarint(b, n)
				}
				for range n {
					if kind == "map" {
						b = avroBytes(b, "key")
					}
					b = element.encode(t, b)
				}
			}
			return append(b, 0)
		}
	case "union":
		return drawnType{[]any{"null", "string", "long"}, func(t *rapid.T, b []byte) []byte {
			if rapid.Bool().Draw(t, "is text") {
				return text(t, append(b, 2))
			}
			return integer(t, append(b, 4))
		}}
	case "null":
		return drawnType{"null", func(_ *rapid.T, b []byte) []byte { return b }}
	}
	if rapid.Bool().Draw(t, "nullable") {
		value, first := of.encode, rapid.Bool().Draw(t, "null first")
		null, there := byte(2), byte(0)
		of.schema = []any{of.schema, "null"}
		if first {
			null, there = 0, 2
			of.schema = []any{"null", of.schema.([]any)[0]}
		}
		of.encode = func(t *rapid.T, b []byte) []byte {
			if rapid.Bool().Draw(t, "is null") {
				return append(b, null)
			}
			return value(t, append(b, there))
		}
	}
	return of
}

func drawAvroRecord(t *rapid.T, names *int, depth int, only bool) drawnType {
	*names++
	var fields []any
	var kids []drawnType
	for i := range rapid.IntRange(1, 4).Draw(t, "fields") {
		kid := drawAvroType(t, names, depth, only)
		field := fmt.Sprint("f", i)
		if i > 0 && rapid.IntRange(0, 4).Draw(t, "unwanted") == 0 {
			field = "unwanted"
		}
		kids, fields = append(kids, kid), append(fields, map[string]any{"name": field, "type": kid.schema})
	}
	return drawnType{map[string]any{"type": "record", "name": fmt.Sprint("r", *names), "fields": fields}, func(t *rapid.T, b []byte) []byte {
		for i := range kids {
			b = kids[i].encode(t, b)
		}
		return b
	}}
}

// avroFile is a container file with a block that holds so many records.
func avroFile(t *rapid.T, schema any, count int, block []byte) []byte {
	text, err := json.Marshal(schema)
	if err != nil {
		t.Fatal(err)
	}
	const marker = "0123456789abcdef"
	b := binary.AppendVarint([]byte(avroMagic), 1)
	b = append(avroBytes(avroBytes(b, "avro.schema"), string(text)), "\x00"+marker...)
	b = binary.AppendVarint(b, int64(count))
	return append(avroBytes(b, string(block)), marker...)
}

// sameValues reports whether values are the same, where lists that are null are empty.
func sameValues(a, b *Value) bool {
	isList := func(v *Value) bool { return v.Kind == List || v.Kind == Null }
	if a.Key != b.Key || a.Text != b.Text || a.Time != b.Time || len(a.Kids) != len(b.Kids) || a.Kind != b.Kind && !(isList(a) && isList(b) && len(a.Kids) == 0) {
		return false
	}
	for i := range a.Kids {
		if !sameValues(&a.Kids[i], &b.Kids[i]) {
			return false
		}
	}
	return true
}

// Records that are decoded to columns are those that are decoded as such, also where
// the block is damaged.
func TestAvroColumnsAndRecordsAgree(t *testing.T) {
	ctx := context.Background()
	rapid.Check(t, func(rt *rapid.T) {
		only, names := rapid.IntRange(0, 9).Draw(rt, "only") > 0, 0
		drawn := drawAvroRecord(rt, &names, 3, only)
		var block []byte
		count := rapid.IntRange(1, 20).Draw(rt, "records")
		for range count {
			block = drawn.encode(rt, block)
		}
		switch damage := rapid.IntRange(0, 5).Draw(rt, "damage"); {
		case damage == 0 && len(block) > 0:
			block[rapid.IntRange(0, len(block)-1).Draw(rt, "at")] = rapid.Byte().Draw(rt, "byte")
		case damage == 1 && len(block) > 0:
			block = block[:rapid.IntRange(0, len(block)-1).Draw(rt, "end")]
		case damage == 2:
			block = append(block, 0)
		}
		content := avroFile(rt, drawn.schema, count, block)
		wanted := func(path string) bool { return !bytes.HasSuffix([]byte(path), []byte("unwanted")) }
		r, err := Open(ctx, inputOf(t, content), wanted)
		if err != nil {
			rt.Fatal(err)
		}
		defer r.Close()
		chunk, err := r.Next(ctx)
		if err != nil {
			rt.Fatal(err)
		}
		c, ok := chunk.(Columns)
		if !ok {
			if only {
				rt.Fatal("no columns")
			}
			return
		}
		var all []Record
		wantErr := chunk.Read(func(rec *Record) {
			one := *rec
			root := rec.Root.Clone()
			one.Root = &root
			all = append(all, one)
		})
		most := rapid.IntRange(1, 25).Draw(rt, "most")
		gotErr := c.Parts(most, func(part *Part) error {
			for _, column := range c.Schema() {
				readColumn(part, column)
			}
			n := 0
			if err := part.Read(func(rec *Record) {
				if n++; len(all) == 0 || rec.Row != all[0].Row || !sameValues(rec.Root, all[0].Root) {
					rt.Fatalf("record %d is %s; want %v", rec.Row, rec.Raw(), all)
				}
				all = all[1:]
			}); err != nil {
				return err
			}
			if first, end := part.Span(); n == 0 || n > most || int64(n) != end-first {
				rt.Fatalf("%d records in a part from %d to %d", n, first, end)
			}
			return nil
		})
		if len(all) > 0 || fmt.Sprint(gotErr) != fmt.Sprint(wantErr) {
			rt.Fatalf("%d records are missing, error %v; want %v", len(all), gotErr, wantErr)
		}
		if _, err := r.Next(ctx); !errors.Is(err, io.EOF) {
			rt.Fatal(err)
		}
	})
}
