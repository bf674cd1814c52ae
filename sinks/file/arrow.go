package file

import (
	"io"
	"strconv"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/ipc"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"hopper/pipeline"
)

// arrowSchema is the table of events in Arrow: times are timestamps in
// microseconds, UTC; texts that repeat themselves are dictionaries, one for each
// batch; properties are JSON, which they are marked as (arrow.json), since a map
// has values of one type.
var arrowSchema = newArrowSchema()

func newArrowSchema() *arrow.Schema {
	fields := make([]arrow.Field, len(columns))
	for i, c := range columns {
		var t arrow.DataType
		switch c.Type {
		case pipeline.TimeColumn:
			t = &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"}
		case pipeline.IntegerColumn:
			t = arrow.PrimitiveTypes.Int32
		case pipeline.NumberColumn:
			t = arrow.PrimitiveTypes.Float64
		case pipeline.FlagColumn:
			t = arrow.FixedWidthTypes.Boolean
		default:
			t = arrow.BinaryTypes.String
			if c.Type == pipeline.TextColumn && repeats(c.Name) {
				t = &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int32, ValueType: arrow.BinaryTypes.String}
			}
		}
		fields[i] = arrow.Field{Name: c.Name, Type: t, Nullable: c.Name != "time" && c.Name != "kind"}
		if c.Type == pipeline.ObjectColumn {
			fields[i].Metadata = arrow.NewMetadata([]string{"ARROW:extension:name", "ARROW:extension:metadata"}, []string{"arrow.json", ""})
		}
	}
	version := arrow.NewMetadata([]string{"hopper.table"}, []string{strconv.Itoa(pipeline.TableVersion)})
	return arrow.NewSchema(fields, &version)
}

// repeats reports whether a column's values occur often in a batch. Those of the
// others are each visitor's own.
func repeats(column string) bool {
	switch column {
	case "visitor", "session", "identified_user", "query", "target_text", "message":
		return false
	}
	return true
}

// recordBatch collects a chunk's events as an Arrow record.
type recordBatch struct {
	builder *array.RecordBuilder
	text    []byte
}

func collectRecordBatch() pipeline.Collector[arrow.Record] {
	return &recordBatch{builder: array.NewRecordBuilder(memory.NewGoAllocator(), arrowSchema)}
}

func (b *recordBatch) Begin() {}

func (b *recordBatch) Add(ev *pipeline.Event) {
	for i := range columns {
		b.text = columns[i].Append(b.text[:0], ev)
		appendArrow(b.builder.Field(i), ev, b.text)
	}
}

// Done hands the record over and leaves the builder empty.
func (b *recordBatch) Done() arrow.Record {
	record := b.builder.NewRecord()
	for _, field := range b.builder.Fields() {
		if dictionary, is := field.(*array.BinaryDictionaryBuilder); is {
			dictionary.ResetFull() // else it would grow from batch to batch
		}
	}
	return record
}

// appendArrow appends a value, as a column writes it as text.
func appendArrow(to array.Builder, ev *pipeline.Event, text []byte) {
	if len(text) == 0 {
		to.AppendNull()
		return
	}
	switch to := to.(type) {
	case *array.TimestampBuilder:
		to.Append(arrow.Timestamp(ev.Time))
	case *array.Int32Builder:
		n, _ := strconv.ParseInt(string(text), 10, 32) // as the column wrote it
		to.Append(int32(n))
	case *array.Float64Builder:
		n, _ := strconv.ParseFloat(string(text), 64) // likewise
		to.Append(n)
	case *array.BooleanBuilder:
		to.Append(true)
	case *array.StringBuilder:
		to.Append(string(text))
	case *array.BinaryDictionaryBuilder:
		if err := to.AppendString(string(text)); err != nil {
			panic(err) // an index of 32 bits is enough for a batch
		}
	}
}

// arrowWriter writes Arrow's stream format, which can be piped. It is not
// compressed: some readers, that of JavaScript among them, read no compression.
type arrowWriter struct{ w *ipc.Writer }

func newArrow(w io.Writer) (writer[arrow.Record], error) {
	return &arrowWriter{ipc.NewWriter(w, ipc.WithSchema(arrowSchema))}, nil
}

func (a *arrowWriter) write(record arrow.Record) error {
	defer record.Release()
	if record.NumRows() == 0 {
		return nil
	}
	return a.w.Write(record)
}

func (a *arrowWriter) close() error { return a.w.Close() }
