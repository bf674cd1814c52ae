package ga

import (
	"context"
	"errors"
	"io"
	"slices"

	"hopper/adapters/input"
	"hopper/adapters/input/rows"
	"hopper/adapters/input/rows/record"
	"hopper/pipeline"
)

const omitJoined = "further parameter of an event, joined with its first row"

// paramColumns are the columns of a table with one row a parameter, by index
// or -1.
type paramColumns struct{ key, text, integer, float, double, value int }

// The spellings of those columns, as columnOf writes them.
var (
	paramKeys     = []string{"event_params_key", "event_param_key", "params_key", "param_key", "key"}
	paramTexts    = []string{"event_params_value_string_value", "value_string_value", "string_value", "param_string_value"}
	paramIntegers = []string{"event_params_value_int_value", "value_int_value", "int_value", "param_int_value"}
	paramFloats   = []string{"event_params_value_float_value", "value_float_value", "float_value", "param_float_value"}
	paramDoubles  = []string{"event_params_value_double_value", "value_double_value", "double_value", "param_double_value"}
	paramValues   = []string{"event_params_value", "params_value", "param_value", "value"}
)

// findParamColumns returns which of the names are a parameter's, or nil where
// rows are events.
func findParamColumns(names []string) *paramColumns {
	find := func(spellings []string) int {
		for _, s := range spellings {
			if i := slices.IndexFunc(names, func(name string) bool { return columnOf(name) == s }); i >= 0 {
				return i
			}
		}
		return -1
	}
	p := paramColumns{find(paramKeys), find(paramTexts), find(paramIntegers), find(paramFloats), find(paramDoubles), find(paramValues)}
	if p.key < 0 || p.text < 0 && p.integer < 0 && p.float < 0 && p.double < 0 && p.value < 0 {
		return nil
	}
	return &p
}

// columns lists the indexes.
func (p *paramColumns) columns() [6]int {
	return [...]int{p.key, p.text, p.integer, p.float, p.double, p.value}
}

// param is a row of a table with one row a parameter.
type param struct {
	at    pipeline.Origin
	event row // without parameters
	key   string
	text  string
	// isNumber says that the value was a number before it became text.
	isNumber bool
	bad      string // why the row cannot be read
	replaced bool   // it held bytes that are no UTF-8
}

// paramRows reads the rows of such a table in order, some at a time.
type paramRows interface {
	next(ctx context.Context, yield func(param)) error
	Close() error
}

// paramReader joins the rows of an event. They stand together, as UNNEST
// writes them; a key that comes again begins the next event. Finding where
// events end is sequential.
type paramReader struct {
	rows  paramRows
	ga4   *ga4
	index int // of the input
	// property is whose the events are, where the input's name says.
	property string

	current *joined // the event that the last row belongs to
	eof     bool
}

// joined is an event made of rows.
type joined struct {
	param
	keys   map[string]bool
	others []pipeline.Origin // of the rows after the first
}

func (p *paramReader) Close() error { return p.rows.Close() }

func (p *paramReader) Next(ctx context.Context) (decode, error) {
	var events []*joined
	for !p.eof && len(events) == 0 {
		err := p.rows.next(ctx, func(row param) {
			if done := p.take(row); done != nil {
				events = append(events, done)
			}
		})
		if errors.Is(err, io.EOF) {
			p.eof = true
			if p.current != nil {
				events = append(events, p.current)
			}
		} else if err != nil {
			return nil, err
		}
	}
	if len(events) == 0 {
		return nil, io.EOF
	}
	return func(out sink, seen *seen) error {
		var (
			r  row // a copy, since an event may be decoded twice at the same time
			ev pipeline.Event
		)
		for _, e := range events {
			out.Rows(1 + len(e.others))
			if e.bad != "" {
				out.Reject(e.at, e.bad, e.event.raw)
				continue
			}
			if e.replaced {
				out.Repair(e.at, pipeline.RepairUTF8)
			}
			ids, products := r.ids, r.products
			r = e.event
			r.ids, r.products = ids, products
			p.ga4.emit(&r, &ev, out, seen)
			for _, at := range e.others {
				out.Omit(at, omitJoined)
			}
		}
		return nil
	}, nil
}

// take adds a row to the current event, or begins the next one and returns
// the one before.
func (p *paramReader) take(row param) (done *joined) {
	e := p.current
	if goesOn := e != nil && e.bad == "" && row.bad == "" && isBlank(&row.event); !goesOn &&
		(e == nil || e.bad != "" || row.bad != "" || !sameEvent(&e.event, &row.event) || e.keys[row.key]) {
		done = e
		e = &joined{param: row, keys: make(map[string]bool)}
		e.event.at, e.event.input = row.at, p.index
		if e.event.property == "" {
			e.event.property = p.property
		}
		p.current = e
	} else {
		e.others = append(e.others, row.at)
		e.replaced = e.replaced || row.replaced
	}
	if row.key != "" && row.bad == "" {
		e.keys[row.key] = true
		e.event.param(row.key, row.text, row.isNumber)
	}
	return done
}

// isBlank reports whether a row has nothing of an event, but a parameter: the
// BigQuery console writes an event's own columns in its first row alone.
func isBlank(r *row) bool {
	return r.time == "" && r.name == "" && r.date == "" && r.pseudo == "" && r.user == ""
}

func sameEvent(a, b *row) bool {
	return a.time == b.time && a.name == b.name && a.pseudo == b.pseudo && a.user == b.user && a.bundle == b.bundle && a.index == b.index
}

// value sets the parameter's value of a cell, in which warehouses that flatten
// lists write it as JSON.
func (p *param) value(text string) {
	if v, ok := parseNested(text); ok && v.Kind == record.Object {
		p.text, p.isNumber = paramValue(v)
		return
	}
	p.text, p.isNumber = text, text != "" && looksNumber(p.key, text)
}

// tableParams reads delimited text.
type tableParams struct {
	*rows.Reader
	flat *flatTable
}

func (t *tableParams) next(ctx context.Context, yield func(param)) error {
	c, err := t.Reader.Next(ctx)
	if err != nil {
		return err
	}
	columns := t.flat.params
	for rec := range c.Rows() {
		p := param{at: pipeline.Origin{Input: t.flat.table.Input.Name, Row: rec.Number}, replaced: rec.Replaced}
		p.event.raw = rec.Raw
		if rec.Err != nil {
			p.bad = rec.Err.Error()
			yield(p)
			continue
		}
		cell := func(i int) string {
			if i < 0 {
				return ""
			}
			return rec.Cells[i]
		}
		t.flat.fill(&p.event, rec.Cells)
		p.key = cell(columns.key)
		if p.text = cell(columns.text); p.text == "" {
			p.value(cell(columns.value))
		}
		for _, i := range [...]int{columns.integer, columns.float, columns.double} {
			if p.text == "" {
				p.text, p.isNumber = cell(i), true
			}
		}
		yield(p)
	}
	return c.Err()
}

// recordParams reads records whose event_params is one parameter, or whose
// members are its key and value.
type recordParams struct {
	record.Reader
	in     *input.Input
	layout layout
}

func (r *recordParams) next(ctx context.Context, yield func(param)) error {
	c, err := r.Reader.Next(ctx)
	if err != nil {
		return err
	}
	return c.Read(func(rec *record.Record) {
		p := param{at: pipeline.Origin{Input: r.in.Name, Row: rec.Row}}
		p.event.raw = rec.Text()
		if rec.Err != nil {
			p.bad, p.event.raw = rec.Err.Error(), rec.Raw()
			yield(p)
			return
		}
		// The record is valid until the next one only.
		base := record.Value{Kind: record.Object}
		for _, kid := range rec.Root.Kids {
			name := columnOf(kid.Key)
			isNumber := slices.Contains(paramIntegers, name) || slices.Contains(paramFloats, name) || slices.Contains(paramDoubles, name)
			switch {
			case name == "event_params" && kid.Get("key") != nil:
				p.key = kid.Get("key").String()
				if value := kid.Get("value"); value != nil {
					p.text, p.isNumber = paramValue(value)
				}
			case slices.Contains(paramKeys, name):
				p.key = kid.Text
			case isNumber, slices.Contains(paramTexts, name), slices.Contains(paramValues, name), name == "value" && kid.Kind == record.Object:
				if text, wasNumber := paramValue(&kid); text != "" {
					p.text, p.isNumber = text, isNumber || wasNumber
				}
			default:
				base.Kids = append(base.Kids, kid.Clone())
			}
		}
		p.event.record(&base, &r.layout)
		yield(p)
	})
}
