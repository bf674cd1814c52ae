package events

import (
	"context"

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
	time, kind, name           int
	properties, userProperties int
	set                        []place
}

type place struct {
	column int
	pipeline.Column
}

func placesOf(t *rows.Table) places {
	p := places{
		time: t.Column("time"), kind: t.Column("kind"), name: t.Column("name"),
		properties: t.Column("properties"), userProperties: t.Column("user_properties"),
	}
	for _, c := range columns {
		if i := t.Column(c.Name); i >= 0 && c.Set != nil {
			p.set = append(p.set, place{i, c})
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
	if ev.Properties, ok = propertiesOf(row, p.properties); !ok {
		return RejectProperties
	}
	if ev.UserProperties, ok = propertiesOf(row, p.userProperties); !ok {
		return RejectProperties
	}
	return ""
}

// propertiesOf returns the members of an object in their order.
func propertiesOf(row *rows.Row, column int) ([]pipeline.Property, bool) {
	v := row.Value(column)
	if v == nil {
		return nil, true
	}
	if v.Kind != record.Object {
		return nil, false
	}
	ps := make([]pipeline.Property, 0, len(v.Kids))
	for i := range v.Kids {
		kid := &v.Kids[i]
		p := pipeline.Property{Key: kid.Key, Value: kid.Text}
		if kid.Kind != record.Text {
			p.Value, p.Literal = string(kid.AppendJSON(nil)), true
		}
		ps = append(ps, p)
	}
	return ps, true
}
