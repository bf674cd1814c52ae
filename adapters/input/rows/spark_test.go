package rows_test

import (
	"bytes"
	"encoding/binary"
	"math/big"
	"slices"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// sparkFile writes rows as Spark, Hive and Impala do: times as INT96, decimals in
// every physical type, lists in the encodings of all ages. Old writers annotate
// types as old readers know them, and not as the present format does.
func sparkFile(t *testing.T, old bool) []byte {
	t.Helper()
	list := func(middle, element string) parquet.Node {
		return parquet.Optional(parquet.Group{middle: parquet.Repeated(parquet.Group{element: parquet.Optional(parquet.String())})})
	}
	schema := parquet.NewSchema("spark_schema", parquet.Group{
		"a_int96":  parquet.Optional(parquet.Leaf(parquet.Int96Type)),
		"b_dec32":  parquet.Optional(parquet.Decimal(2, 9, parquet.Int32Type)),
		"c_dec64":  parquet.Optional(parquet.Decimal(4, 18, parquet.Int64Type)),
		"d_dec128": parquet.Optional(parquet.Decimal(10, 38, parquet.FixedLenByteArrayType(16))),
		"e_day":    parquet.Optional(parquet.Date()),
		"f_millis": parquet.Optional(parquet.Timestamp(parquet.Millisecond)),
		"g_micros": parquet.Optional(parquet.Timestamp(parquet.Microsecond)),
		"h_uint":   parquet.Optional(parquet.Uint(32)),
		"i_text":   parquet.Optional(parquet.Encoded(parquet.String(), &parquet.RLEDictionary)),
		"j_hive":   list("bag", "array_element"),
		"k_spark":  list("list", "element"),
		"l_avro":   parquet.Optional(parquet.Group{"array": parquet.Repeated(parquet.String())}),
	})
	at := time.Date(2024, 5, 1, 8, 20, 0, 123456000, time.UTC)
	dec128 := make([]byte, 16)
	new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 128), big.NewInt(15000000000)).FillBytes(dec128) // -1.5
	values := []parquet.Value{
		parquet.Int96Value(int96(at)), parquet.Int32Value(1950), parquet.Int64Value(-123456), parquet.FixedLenByteArrayValue(dec128),
		parquet.Int32Value(int32(at.Unix() / 86400)), parquet.Int64Value(at.UnixMilli()), parquet.Int64Value(at.UnixMicro()),
		parquet.Int32Value(-1), parquet.ByteArrayValue([]byte("é")),
	}
	var full, empty parquet.Row
	for i, v := range values {
		full, empty = append(full, v.Level(0, 1, i)), append(empty, parquet.Value{}.Level(0, 0, i))
	}
	for i := len(values); i < len(schema.Columns()); i++ {
		def := 3
		if i == len(schema.Columns())-1 { // elements are not optional
			def = 2
		}
		for n, text := range []string{"x", "y"} {
			full = append(full, parquet.ByteArrayValue([]byte(text)).Level(n, def, i))
		}
		empty = append(empty, parquet.Value{}.Level(0, 0, i))
	}
	var file bytes.Buffer
	w := parquet.NewGenericWriter[any](&file, schema, parquet.Compression(&parquet.Snappy))
	if _, err := w.WriteRows([]parquet.Row{full, empty}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if old {
		return withoutLogicalTypes(t, file.Bytes())
	}
	return file.Bytes()
}

// int96 is a time in nanoseconds of a Julian day.
func int96(at time.Time) deprecated.Int96 {
	nanos := at.UnixNano() % 86_400_000_000_000
	return deprecated.Int96{uint32(nanos), uint32(nanos >> 32), uint32(at.Unix()/86400 + 2_440_588)}
}

// withoutLogicalTypes leaves in a file's schema what old writers knew of types.
func withoutLogicalTypes(t *testing.T, file []byte) []byte {
	t.Helper()
	size := int(binary.LittleEndian.Uint32(file[len(file)-8:]))
	body := file[:len(file)-8-size]
	var meta format.FileMetaData
	if err := thrift.Unmarshal(new(thrift.CompactProtocol), file[len(body):len(body)+size], &meta); err != nil {
		t.Fatal(err)
	}
	for i := range meta.Schema {
		meta.Schema[i].LogicalType = format.LogicalType{}
	}
	footer, err := thrift.Marshal(new(thrift.CompactProtocol), meta)
	if err != nil {
		t.Fatal(err)
	}
	out := append(slices.Clone(body), footer...)
	return append(binary.LittleEndian.AppendUint32(out, uint32(len(footer))), "PAR1"...)
}

// What Spark and Hive write is read, of every age.
func TestSpark(t *testing.T) {
	want := []string{
		"2024-05-01T08:20:00.123456Z", "19.5", "-12.3456", "-1.5", "2024-05-01", "2024-05-01T08:20:00.123Z", "2024-05-01T08:20:00.123456Z",
		"4294967295", "é", `["x","y"]`, `["x","y"]`, `["x","y"]`,
	}
	for _, old := range []bool{false, true} {
		got := read(t, find(t, sparkFile(t, old)))
		if len(got) != 2 || !slices.Equal(got[0], want) {
			t.Errorf("old %v: got  %q\nwant %q", old, got, want)
		}
		for i, cell := range got[1] {
			if cell != "" && cell != "[]" {
				t.Errorf("old %v: column %d without a value is %q", old, i, cell)
			}
		}
	}
}
