package file

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"

	"github.com/parquet-go/parquet-go"

	"hopper/pipeline"
)

// schema is the table of events in Parquet: times are timestamps in
// microseconds, texts that repeat themselves are dictionaries, properties are maps
// of texts, each with a list of those that are JSON beside it. The leaves are its columns.
var parquetSchema = sync.OnceValues(func() (*parquet.Schema, []leaf) {
	group := parquet.Group{}
	leaves := make(map[string]leaf)
	text := parquet.Compressed(parquet.Encoded(parquet.String(), &parquet.RLEDictionary), &parquet.Zstd)
	for i := range columns {
		c := &columns[i]
		if c.Type == pipeline.ObjectColumn {
			group[c.Name] = parquet.Optional(parquet.Map(text, parquet.Optional(text)))
			group[c.JSONKeys()] = parquet.Optional(parquet.List(text))
			leaves[c.Name+".key_value.key"] = leaf{c, appendKeys}
			leaves[c.Name+".key_value.value"] = leaf{c, appendMapped}
			leaves[c.JSONKeys()+".list.element"] = leaf{c, appendJSONKeys}
			continue
		}
		node, add := parquetNode(c), appendValue
		if isOptional(c) {
			node, add = parquet.Optional(node), appendOptional
		}
		group[c.Name] = parquet.Compressed(node, &parquet.Zstd)
		leaves[c.Name] = leaf{c, add}
	}
	s := parquet.NewSchema(fmt.Sprintf("hopper_events_v%d", pipeline.TableVersion), group)
	// A group orders its columns by name.
	all := make([]leaf, 0, len(leaves))
	for _, path := range s.Columns() {
		all = append(all, leaves[strings.Join(path, ".")])
	}
	return s, all
})

func parquetNode(c *pipeline.Column) parquet.Node {
	switch c.Type {
	case pipeline.TimeColumn:
		return parquet.Timestamp(parquet.Microsecond)
	case pipeline.IntegerColumn:
		return parquet.Int(32)
	case pipeline.NumberColumn:
		return parquet.Leaf(parquet.DoubleType)
	case pipeline.FlagColumn:
		return parquet.Leaf(parquet.BooleanType)
	}
	return parquet.Encoded(parquet.String(), &parquet.RLEDictionary)
}

func isOptional(c *pipeline.Column) bool { return c.Name != "time" && c.Name != "kind" }

// leaf is a column of values, in the order of the schema.
type leaf struct {
	*pipeline.Column
	// add appends what an event has there. Text is memory to write into.
	add func(row parquet.Row, at int, c *pipeline.Column, ev *pipeline.Event, text []byte) parquet.Row
}

// tableRows collects a chunk's events as rows.
type tableRows struct {
	leaves []leaf
	rows   []parquet.Row
	text   []byte
}

func collectRows() pipeline.Collector[[]parquet.Row] {
	_, leaves := parquetSchema()
	return &tableRows{leaves: leaves, text: make([]byte, 0, 1<<10)}
}

func (g *tableRows) Begin() { g.rows = g.rows[:0] }

func (g *tableRows) Add(ev *pipeline.Event) {
	row := make(parquet.Row, 0, len(g.leaves)+2*len(ev.Properties))
	for i, l := range g.leaves {
		row = l.add(row, i, l.Column, ev, g.text)
	}
	g.rows = append(g.rows, row)
}

func (g *tableRows) Done() []parquet.Row { return g.rows }

func appendValue(row parquet.Row, at int, c *pipeline.Column, ev *pipeline.Event, text []byte) parquet.Row {
	return append(row, valueOf(c, ev, c.Append(text, ev)).Level(0, 0, at))
}

func appendOptional(row parquet.Row, at int, c *pipeline.Column, ev *pipeline.Event, text []byte) parquet.Row {
	if text = c.Append(text, ev); len(text) == 0 {
		return append(row, parquet.Value{}.Level(0, 0, at))
	}
	return append(row, valueOf(c, ev, text).Level(0, 1, at))
}

// The levels of maps and lists: 0 is no map, 1 an empty one, which is not written,
// 2 an entry, and 3 an entry's value that is not null.

func appendKeys(row parquet.Row, at int, c *pipeline.Column, ev *pipeline.Event, _ []byte) parquet.Row {
	return appendEntries(row, at, *c.Object(ev), func(p *pipeline.Property) parquet.Value {
		return parquet.ByteArrayValue([]byte(p.Key)).Level(0, 2, at)
	})
}

func appendMapped(row parquet.Row, at int, c *pipeline.Column, ev *pipeline.Event, _ []byte) parquet.Row {
	return appendEntries(row, at, *c.Object(ev), func(p *pipeline.Property) parquet.Value {
		if isNull(p) {
			return parquet.Value{}.Level(0, 2, at)
		}
		return parquet.ByteArrayValue([]byte(p.Value)).Level(0, 3, at)
	})
}

func appendJSONKeys(row parquet.Row, at int, c *pipeline.Column, ev *pipeline.Event, _ []byte) parquet.Row {
	return appendEntries(row, at, jsonOf(*c.Object(ev)), func(p *pipeline.Property) parquet.Value {
		return parquet.ByteArrayValue([]byte(p.Key)).Level(0, 2, at)
	})
}

func appendEntries(row parquet.Row, at int, ps []pipeline.Property, value func(*pipeline.Property) parquet.Value) parquet.Row {
	if len(ps) == 0 {
		return append(row, parquet.Value{}.Level(0, 0, at))
	}
	for i := range ps {
		v := value(&ps[i])
		row = append(row, v.Level(min(i, 1), v.DefinitionLevel(), at))
	}
	return row
}

// isNull reports whether a property's value is JSON's null, which maps have, too.
func isNull(p *pipeline.Property) bool { return p.Literal && p.Value == "null" }

// jsonOf returns the properties whose text in a map is JSON.
func jsonOf(ps []pipeline.Property) []pipeline.Property {
	var all []pipeline.Property
	for i := range ps {
		if ps[i].Literal && !isNull(&ps[i]) {
			all = append(all, ps[i])
		}
	}
	return all
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
	schema, _ := parquetSchema()
	return &parquetWriter{parquet.NewGenericWriter[any](w, schema, parquet.MaxRowsPerRowGroup(rowsAGroup),
		parquet.KeyValueMetadata("hopper.table", strconv.Itoa(pipeline.TableVersion)))}, nil
}

func (p *parquetWriter) write(rows []parquet.Row) error {
	_, err := p.w.WriteRows(rows)
	return err
}

func (p *parquetWriter) close() error { return p.w.Close() }
