package events

import (
	"context"
	"encoding/json"
	"slices"

	"hopper/adapters"
	"hopper/adapters/input/rows"
	"hopper/adapters/input/rows/record"
	"hopper/pipeline"
)

// Why a row is no event.
const (
	RejectTime       = "time is no time"
	RejectProperties = "properties is no JSON object"
)

// source reads tables one after the other.
type source struct {
	adapters.Tables
	times adapters.Times
}

// Next returns the next chunk, see [pipeline.Source].
func (s *source) Next(ctx context.Context) (pipeline.Chunk, error) {
	at, c, err := s.Tables.Next(ctx)
	if err != nil {
		return nil, err
	}
	t := s.List[at]
	return &chunk{times: &s.times, table: t, places: placesOf(t), rows: c}, nil
}

// places are where a table has what an event is made of; -1 is nowhere.
type places struct {
	time, kind, name int
	set              []place
	objects          []object
}

type place struct {
	column int
	pipeline.Column
}

// object is where the properties are, and the list of those that are JSON.
type object struct {
	place
	json int
}

func placesOf(t *rows.Table) places {
	p := places{time: t.Column("time"), kind: t.Column("kind"), name: t.Column("name")}
	for _, c := range columns {
		switch i := t.Column(c.Name); {
		case i < 0:
		case c.Set != nil:
			p.set = append(p.set, place{i, c})
		case c.Object != nil:
			p.objects = append(p.objects, object{place{i, c}, t.Column(c.JSONKeys())})
		}
	}
	return p
}

type chunk struct {
	times  *adapters.Times
	table  *rows.Table
	places places
	rows   *rows.Chunk
}

// Decode makes an event of each row, see [pipeline.Chunk].
func (c *chunk) Decode(out *pipeline.Emitter) error {
	for row := range c.rows.Rows() {
		out.Rows(1)
		at := pipeline.Origin{Input: c.table.Input.Name, Row: row.Number}
		if row.Replaced {
			out.Repair(at, pipeline.RepairUTF8)
		}
		ev := pipeline.Event{Origin: at, Raw: row.Raw}
		if reason := c.fill(&ev, row); reason != "" {
			out.Reject(at, reason, row.Text())
			continue
		}
		out.Event(&ev)
	}
	return c.rows.Err()
}

// fill sets ev to what a row says, or returns why it is no event.
func (c *chunk) fill(ev *pipeline.Event, row *rows.Row) (reject string) {
	if row.Err != nil {
		return row.Err.Error()
	}
	p := &c.places
	var ok bool
	if ev.Time, ok = c.times.Parse(row.Cells[p.time]); !ok {
		return RejectTime
	}
	for i := range p.set {
		if text := row.Cells[p.set[i].column]; text != "" {
			if err := p.set[i].Set(ev, text); err != nil {
				return p.set[i].Name + " cannot be read"
			}
		}
	}
	if (p.kind < 0 || row.Cells[p.kind] == "") && ev.Name != "" {
		ev.Kind = pipeline.Custom
	}
	for i := range p.objects {
		o := &p.objects[i]
		ps, ok := propertiesOf(row, o)
		if !ok {
			return RejectProperties
		}
		*o.Object(ev) = ps
	}
	return ""
}

// propertiesOf returns the members of an object in their order.
func propertiesOf(row *rows.Row, o *object) ([]pipeline.Property, bool) {
	v := row.Value(o.column)
	if v == nil {
		return nil, true
	}
	if v.Kind != record.Object {
		return nil, false
	}
	isJSON := row.Value(o.json).Elements()
	ps := make([]pipeline.Property, 0, len(v.Kids))
	for i := range v.Kids {
		kid := &v.Kids[i]
		p := pipeline.Property{Key: kid.Key, Value: kid.Text}
		switch {
		case kid.Kind != record.Text:
			p.Value, p.Literal = string(kid.AppendJSON(nil)), true
		case slices.ContainsFunc(isJSON, func(key record.Value) bool { return key.Text == kid.Key }):
			p.Literal = json.Valid([]byte(kid.Text))
		}
		ps = append(ps, p)
	}
	return ps, true
}
