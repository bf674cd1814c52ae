package file

import (
	"io"
	"strconv"
	"sync"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/ipc"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"hopper/pipeline"
)

// arrowSchema is the table of events in Arrow: times are timestamps in
// microseconds, UTC; texts that repeat themselves are dictionaries, one for each
// batch; properties are maps of texts, each with a list of those that are JSON
// beside it.
var arrowSchema = sync.OnceValue(newArrowSchema)

func newArrowSchema() *arrow.Schema {
	fields := make([]arrow.Field, 0, len(columns)+2)
	for i := range columns {
		c := &columns[i]
		fields = append(fields, arrow.Field{Name: c.Name, Type: arrowType(c), Nullable: isOptional(c)})
		if c.Type == pipeline.ObjectColumn {
			fields = append(fields, arrow.Field{Name: c.JSONKeys(), Type: arrow.ListOfNonNullable(arrow.BinaryTypes.String), Nullable: true})
		}
	}
	version := arrow.NewMetadata([]string{"hopper.table"}, []string{strconv.Itoa(pipeline.TableVersion)})
	return arrow.NewSchema(fields, &version)
}

func arrowType(c *pipeline.Column) arrow.DataType {
	switch c.Type {
	case pipeline.TimeColumn:
		return &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"}
	case pipeline.IntegerColumn:
		return arrow.PrimitiveTypes.Int32
	case pipeline.NumberColumn:
		return arrow.PrimitiveTypes.Float64
	case pipeline.FlagColumn:
		return arrow.FixedWidthTypes.Boolean
	case pipeline.ObjectColumn:
		return arrow.MapOf(arrow.BinaryTypes.String, arrow.BinaryTypes.String)
	}
	if repeats(c.Name) {
		return &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int32, ValueType: arrow.BinaryTypes.String}
	}
	return arrow.BinaryTypes.String
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
	return &recordBatch{builder: array.NewRecordBuilder(memory.NewGoAllocator(), arrowSchema())}
}

func (b *recordBatch) Begin() {}

func (b *recordBatch) Add(ev *pipeline.Event) {
	at := 0
	for i := range columns {
		if object := columns[i].Object; object != nil {
			appendMap(b.builder.Field(at).(*array.MapBuilder), *object(ev))
			appendList(b.builder.Field(at+1).(*array.ListBuilder), jsonOf(*object(ev)))
			at += 2
			continue
		}
		b.text = columns[i].Append(b.text[:0], ev)
		appendArrow(b.builder.Field(at), ev, b.text)
		at++
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

func appendMap(to *array.MapBuilder, ps []pipeline.Property) {
	if len(ps) == 0 {
		to.AppendNull()
		return
	}
	to.Append(true)
	keys, values := to.KeyBuilder().(*array.StringBuilder), to.ItemBuilder().(*array.StringBuilder)
	for i := range ps {
		keys.Append(ps[i].Key)
		if isNull(&ps[i]) {
			values.AppendNull()
			continue
		}
		values.Append(ps[i].Value)
	}
}

// appendList appends the keys of properties.
func appendList(to *array.ListBuilder, ps []pipeline.Property) {
	if len(ps) == 0 {
		to.AppendNull()
		return
	}
	to.Append(true)
	keys := to.ValueBuilder().(*array.StringBuilder)
	for i := range ps {
		keys.Append(ps[i].Key)
	}
}

// arrowWriter writes Arrow's stream format, which can be piped. It is not
// compressed: some readers, that of JavaScript among them, read no compression.
type arrowWriter struct{ w *ipc.Writer }

func newArrow(w io.Writer) (writer[arrow.Record], error) {
	return &arrowWriter{ipc.NewWriter(w, ipc.WithSchema(arrowSchema()))}, nil
}

func (a *arrowWriter) write(record arrow.Record) error {
	defer record.Release()
	if record.NumRows() == 0 {
		return nil
	}
	return a.w.Write(record)
}

func (a *arrowWriter) close() error { return a.w.Close() }
