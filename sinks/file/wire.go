package file

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/ipc"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/parquet-go/parquet-go"

	"hopper/pipeline"
)

// wireTable is the records of a wire format as a table: a column of text for each
// field of a record, in its order. All records of a format have the same fields.
type wireTable struct {
	encode func(dst []byte, ev *pipeline.Event) []byte
	names  []string
	sorted []int // which names come first, second, … in their order
}

func newWireTable(encode func(dst []byte, ev *pipeline.Event) []byte) (*wireTable, error) {
	t := &wireTable{encode: encode}
	err := eachField(encode(nil, &pipeline.Event{}), func(name, _ string) { t.names = append(t.names, name) })
	for _, name := range slices.Sorted(slices.Values(t.names)) {
		t.sorted = append(t.sorted, slices.Index(t.names, name))
	}
	return t, err
}

// cells returns the values of an event's record, by column.
func (t *wireTable) cells(ev *pipeline.Event) []string {
	cells := make([]string, len(t.names))
	err := eachField(t.encode(nil, ev), func(name, value string) {
		if i := slices.Index(t.names, name); i >= 0 {
			cells[i] = value
		}
	})
	if err != nil {
		panic(err) // a wire format writes JSON objects
	}
	return cells
}

// eachField yields the fields of a JSON object. Values that are no text are JSON.
func eachField(object []byte, yield func(name, value string)) error {
	d := json.NewDecoder(bytes.NewReader(object))
	if _, err := d.Token(); err != nil {
		return fmt.Errorf("a record is no JSON object: %w", err)
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return err
		}
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			return err
		}
		var text string
		if json.Unmarshal(raw, &text) != nil {
			text = string(raw)
		}
		yield(fmt.Sprint(name), text)
	}
	return nil
}

// write writes the table in a format.
func (t *wireTable) write(ctx context.Context, j *Job, translation *pipeline.Translation, src pipeline.Source) (pipeline.Stats, []Part, error) {
	switch j.Format {
	case CSV:
		return write(ctx, j, translation, src, pipeline.Encode(t.appendCSV), func(w io.Writer) (writer[*pipeline.Records], error) {
			return newLinesBehind(w, strings.Join(t.names, ",")+"\n")
		})
	case Parquet:
		return write(ctx, j, translation, src, func() pipeline.Collector[[]parquet.Row] { return &wireRows{table: t} }, t.newParquet)
	case Arrow:
		return write(ctx, j, translation, src, func() pipeline.Collector[arrow.Record] {
			return &wireBatch{t, array.NewRecordBuilder(memory.NewGoAllocator(), t.arrowSchema())}
		}, func(w io.Writer) (writer[arrow.Record], error) {
			return &arrowWriter{ipc.NewWriter(w, ipc.WithSchema(t.arrowSchema()))}, nil
		})
	}
	return pipeline.Stats{}, nil, fmt.Errorf("%q is no format of files; there are %v", j.Format, Formats())
}

func (t *wireTable) appendCSV(dst []byte, ev *pipeline.Event) []byte {
	for i, cell := range t.cells(ev) {
		if i > 0 {
			dst = append(dst, ',')
		}
		from := len(dst)
		dst = quoteCell(append(dst, cell...), from)
	}
	return dst
}

// newParquet begins a file whose columns are texts, ordered by name.
func (t *wireTable) newParquet(w io.Writer) (writer[[]parquet.Row], error) {
	group := parquet.Group{}
	for _, name := range t.names {
		group[name] = parquet.Compressed(parquet.Encoded(parquet.String(), &parquet.RLEDictionary), &parquet.Zstd)
	}
	return &parquetWriter{parquet.NewGenericWriter[any](w, parquet.NewSchema("hopper_wire", group), parquet.MaxRowsPerRowGroup(rowsAGroup))}, nil
}

// wireRows collects a chunk's records as rows of Parquet.
type wireRows struct {
	table *wireTable
	rows  []parquet.Row
}

func (r *wireRows) Begin() { r.rows = r.rows[:0] }

func (r *wireRows) Add(ev *pipeline.Event) {
	cells := r.table.cells(ev)
	row := make(parquet.Row, len(cells))
	for column, i := range r.table.sorted { // as a group orders them
		row[column] = parquet.ByteArrayValue([]byte(cells[i])).Level(0, 0, column)
	}
	r.rows = append(r.rows, row)
}

func (r *wireRows) Done() []parquet.Row { return r.rows }

func (t *wireTable) arrowSchema() *arrow.Schema {
	fields := make([]arrow.Field, len(t.names))
	for i, name := range t.names {
		fields[i] = arrow.Field{Name: name, Type: arrow.BinaryTypes.String}
	}
	return arrow.NewSchema(fields, nil)
}

// wireBatch collects a chunk's records as an Arrow record.
type wireBatch struct {
	table   *wireTable
	builder *array.RecordBuilder
}

func (b *wireBatch) Begin() {}

func (b *wireBatch) Add(ev *pipeline.Event) {
	for i, cell := range b.table.cells(ev) {
		b.builder.Field(i).(*array.StringBuilder).Append(cell)
	}
}

func (b *wireBatch) Done() arrow.Record { return b.builder.NewRecord() }
