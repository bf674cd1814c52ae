package ga

import (
	"context"
	"slices"
	"strings"

	"hopper/adapters/input"
	"hopper/adapters/input/rows"
	"hopper/adapters/input/rows/record"
)

// Connectors wrap rows: Airbyte keeps them as JSON in a column of its raw
// tables, Airbyte's and Singer's protocols send them as messages with other
// messages between, and loaders to Snowflake put them into one column of the
// type VARIANT.

// airbyteData is the column in which raw tables of Airbyte keep a row as JSON.
const airbyteData = "_airbyte_data"

// mayEnvelop reports whether rows with these members can be wrapped.
func mayEnvelop(names []string) bool {
	has := func(name string) bool {
		return slices.ContainsFunc(names, func(s string) bool { return strings.EqualFold(s, name) })
	}
	return has(airbyteData) || has("type") || has("json") || len(names) == 1 || has("dimensions") && has("metrics")
}

// unwrapped returns the row that a record wraps, with the name of the stream that
// it is of where the connector says; the record itself where it wraps none, and
// nil where it is another of the connector's messages.
func unwrapped(root *record.Value) (row *record.Value, stream string) {
	if data := memberFold(root, airbyteData); data != nil {
		return objectOf(data), ""
	}
	kind := root.Get("type")
	if kind != nil && kind.Kind == record.Text {
		switch kind.Text {
		case "RECORD":
			inner := objectOf(root.Get("record"))
			if data := inner.Get("data"); inner != nil && objectOf(data) != nil {
				return objectOf(data), inner.Get("stream").String()
			}
			return inner, root.Get("stream").String()
		case "SCHEMA", "STATE", "LOG", "TRACE", "ACTIVATE_VERSION", "BATCH", "SPEC", "CATALOG", "CONNECTION_STATUS", "CONTROL":
			return nil, ""
		}
	}
	if dimensions, metrics := root.Get("dimensions"), root.Get("metrics"); objectOf(dimensions) != nil && objectOf(metrics) != nil {
		both := record.Value{Kind: record.Object, Kids: slices.Concat(objectOf(dimensions).Kids, objectOf(metrics).Kids)}
		return &both, ""
	}
	if inner := root.Get("json"); inner != nil && inner.Kind == record.Object { // an item of n8n
		return inner, ""
	}
	if len(root.Kids) == 1 && objectOf(&root.Kids[0]) != nil {
		return objectOf(&root.Kids[0]), ""
	}
	return root, ""
}

func memberFold(v *record.Value, name string) *record.Value {
	for i := range v.Kids {
		if strings.EqualFold(v.Kids[i].Key, name) {
			return &v.Kids[i]
		}
	}
	return nil
}

// objectOf returns an object, also one that stands as text; nil is none.
func objectOf(v *record.Value) *record.Value {
	if v == nil {
		return nil
	}
	if v.Kind == record.Text {
		parsed, ok := parseNested(v.Text)
		if !ok {
			return nil
		}
		v = parsed
	}
	if v.Kind != record.Object {
		return nil
	}
	return v
}

// rooted returns a row of a table as one record: objects and lists that stand in
// cells as text are opened.
func rooted(t *rows.Table, row *rows.Row) *record.Value {
	root := &record.Value{Kind: record.Object, Kids: make([]record.Value, 0, len(row.Cells))}
	for i, text := range row.Cells {
		if text == "" {
			continue
		}
		v := row.Value(i)
		if v.Kind == record.Text {
			if opened, ok := parseNested(v.Text); ok {
				v = opened
			}
		}
		kid := *v
		kid.Key = t.Header[i]
		root.Kids = append(root.Kids, kid)
	}
	return root
}

// An envelope is a table whose rows are wrapped.
type envelope struct {
	table  *rows.Table
	fields []string // of the rows of the first stream that is known
	shape  shape
}

// findEnvelope returns the first table of an input whose rows are wrapped events
// or rows of reports, or nil.
func findEnvelope(ctx context.Context, in *input.Input) (*envelope, error) {
	tables, err := rows.Find(ctx, in)
	if err != nil {
		return nil, err
	}
	for _, t := range tables {
		if !mayEnvelop(t.Header) {
			continue
		}
		sample, err := t.Sample(ctx)
		if err != nil {
			return nil, err
		}
		for row := range sample.Rows() {
			if row.Err != nil {
				continue
			}
			root := rooted(t, row)
			inner, _ := unwrapped(root)
			if inner == nil || inner == root {
				continue
			}
			e := &envelope{table: t}
			for i := range inner.Kids {
				e.fields = append(e.fields, strings.Clone(inner.Kids[i].Key))
			}
			if e.shape = shapeOfFields(e.fields); e.shape == unknown && isHeader(e.fields) {
				e.shape = report
			}
			if e.shape != unknown {
				return e, nil
			}
		}
	}
	return nil, nil
}
