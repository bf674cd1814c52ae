package file

import (
	"fmt"
	"io"
	"strconv"

	"github.com/parquet-go/parquet-go"

	"hopper/pipeline"
)

// schema is the table of events in Parquet: times are timestamps in
// microseconds, texts that repeat themselves are dictionaries, properties are
// JSON.
var schema, leaves = parquetSchema()

func parquetSchema() (*parquet.Schema, []leaf) {
	group := parquet.Group{}
	for _, c := range columns {
		var node parquet.Node
		switch c.Type {
		case pipeline.TimeColumn:
			node = parquet.Timestamp(parquet.Microsecond)
		case pipeline.IntegerColumn:
			node = parquet.Int(32)
		case pipeline.NumberColumn:
			node = parquet.Leaf(parquet.DoubleType)
		case pipeline.FlagColumn:
			node = parquet.Leaf(parquet.BooleanType)
		case pipeline.ObjectColumn:
			node = parquet.JSON()
		default:
			node = parquet.Encoded(parquet.String(), &parquet.RLEDictionary)
		}
		if c.Type != pipeline.TimeColumn && c.Name != "kind" {
			node = parquet.Optional(node)
		}
		group[c.Name] = parquet.Compressed(node, &parquet.Zstd)
	}
	s := parquet.NewSchema(fmt.Sprintf("hopper_events_v%d", pipeline.TableVersion), group)
	// A group orders its columns by name.
	all := make([]leaf, 0, len(columns))
	for _, path := range s.Columns() {
		for i := range columns {
			if columns[i].Name == path[0] {
				all = append(all, leaf{Column: &columns[i], optional: columns[i].Type != pipeline.TimeColumn && columns[i].Name != "kind"})
			}
		}
	}
	return s, all
}

// leaf is a column of the schema, in its order.
type leaf struct {
	*pipeline.Column
	optional bool
}

// tableRows collects a chunk's events as rows.
type tableRows struct {
	rows []parquet.Row
	text []byte
}

func collectRows() pipeline.Collector[[]parquet.Row] { return new(tableRows) }

func (g *tableRows) Begin() { g.rows = g.rows[:0] }

func (g *tableRows) Add(ev *pipeline.Event) { g.rows = append(g.rows, g.row(ev)) }

func (g *tableRows) Done() []parquet.Row { return g.rows }

func (g *tableRows) row(ev *pipeline.Event) parquet.Row {
	row := make(parquet.Row, len(leaves))
	for i, l := range leaves {
		g.text = l.Append(g.text[:0], ev)
		value, level := parquet.Value{}, 0
		if len(g.text) > 0 {
			value = valueOf(l.Column, ev, g.text)
			if l.optional {
				level = 1
			}
		}
		row[i] = value.Level(0, level, i)
	}
	return row
}

func valueOf(c *pipeline.Column, ev *pipeline.Event, text []byte) parquet.Value {
	switch c.Type {
	case pipeline.TimeColumn:
		return parquet.Int64Value(int64(ev.Time))
	case pipeline.IntegerColumn:
		n, _ := strconv.ParseInt(string(text), 10, 32) // as Append wrote it
		return parquet.Int32Value(int32(n))
	case pipeline.NumberColumn:
		n, _ := strconv.ParseFloat(string(text), 64) // likewise
		return parquet.DoubleValue(n)
	case pipeline.FlagColumn:
		return parquet.BooleanValue(true)
	}
	return parquet.ByteArrayValue(append([]byte(nil), text...))
}

// rowsAGroup bounds what a reader must hold, and what the writer does.
const rowsAGroup = 100_000

type parquetWriter struct{ w *parquet.GenericWriter[any] }

func newParquet(w io.Writer) (writer[[]parquet.Row], error) {
	return &parquetWriter{parquet.NewGenericWriter[any](w, schema, parquet.MaxRowsPerRowGroup(rowsAGroup),
		parquet.KeyValueMetadata("hopper.table", strconv.Itoa(pipeline.TableVersion)))}, nil
}

func (p *parquetWriter) write(rows []parquet.Row) error {
	_, err := p.w.WriteRows(rows)
	return err
}

func (p *parquetWriter) close() error { return p.w.Close() }
