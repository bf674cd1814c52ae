package ga

import (
	"sync"

	"hopper/adapters/input/rows/record"
	"hopper/pipeline"
)

// scanned translates chunks of JSON without putting their records together.
type scanned struct {
	ga4      *ga4
	index    int // of the input
	property string
	flat     map[string]setter
	space    sync.Pool // of *scanSpace
}

// scanSpace is what a goroutine needs to translate a chunk.
type scanSpace struct {
	row    row
	event  pipeline.Event
	layout layout
	places int
}

func newScanned(g *ga4, index int, property string, fields []string) *scanned {
	return &scanned{ga4: g, index: index, property: property, flat: settersByName(fields)}
}

// decode returns what translates c, where general takes the records that are not
// as plain as most.
func (p *scanned) decode(c record.Members, input string, general func(out sink, seen *seen) func(*record.Record)) decode {
	return func(out sink, seen *seen) error {
		space, ok := p.space.Get().(*scanSpace)
		if !ok {
			space = new(scanSpace)
			space.layout = layout{flat: p.flat, places: &space.places}
		}
		defer func() {
			if space.places < maxPlaces {
				p.space.Put(space)
			}
		}()
		r := &space.row
		return c.Scan(func(rec *record.Record, s *record.Scanner) bool {
			r.reset()
			r.at = pipeline.Origin{Input: input, Row: rec.Row}
			r.input, r.raw, r.property = p.index, rec.Text(), p.property
			if !r.scan(s, &space.layout) || !s.Done() {
				return false
			}
			out.Rows(1)
			p.ga4.emit(r, &space.event, out, seen)
			return true
		}, general(out, seen))
	}
}

// scan is record for a record that is not put together.
func (r *row) scan(s *record.Scanner, l *layout) (ok bool) {
	var p *place
	return members(s, l, &p, func() bool { return r.scanField(s, p) })
}

// members goes through the members of an object. It calls do for each, with p at
// its place.
func members(s *record.Scanner, l *layout, p **place, do func() bool) (ok bool) {
	if !s.Open('{') {
		return false
	}
	for first := true; ; first = false {
		more, ok := s.Next('}', first)
		if !ok || !more {
			return ok
		}
		guess := l.first
		if *p != nil {
			guess = (*p).next
		}
		name := ""
		if guess != nil {
			name = guess.key
		}
		if name, ok = s.Name(name); !ok {
			return false
		}
		if *p = l.find(*p, name); !do() {
			return false
		}
	}
}

// scanField is field for a member that is not put together.
func (r *row) scanField(s *record.Scanner, p *place) (ok bool) {
	if p.isUnread {
		return s.Skip()
	}
	next := s.Peek()
	switch {
	case p.column == "event_params" && next == '[':
		return r.scanParams(s, (*row).param)
	case p.column == "user_properties" && next == '[':
		return r.scanParams(s, (*row).userProperty)
	case p.isGroup && next != '{', p.isParams(), p.column == "event_params", p.column == "user_properties", p.column == "items":
		v, ok := s.Value()
		if ok {
			r.field(p, v)
		}
		return ok
	case next == '{':
		if p.skipped {
			return s.Skip()
		}
		return r.scanGroup(s, p.members)
	case next == '[':
		return s.Skip() // a list says nothing
	}
	return r.scanScalar(s, p)
}

func (r *row) scanScalar(s *record.Scanner, p *place) (ok bool) {
	w, ok := s.Scalar()
	if ok && w.Text != "" && p.set != nil {
		p.set(r, w.Text)
	}
	return ok
}

// scanGroup is group for one that is not put together.
func (r *row) scanGroup(s *record.Scanner, l *layout) (ok bool) {
	var p *place
	return members(s, l, &p, func() bool {
		switch s.Peek() {
		case '{':
			return r.scanGroup(s, p.members)
		case '[':
			return s.Skip()
		}
		return r.scanScalar(s, p)
	})
}

// scanParams is eachParam for a list that is not put together.
func (r *row) scanParams(s *record.Scanner, set func(r *row, key, text string, isNumber bool)) (ok bool) {
	if !s.Open('[') {
		return false
	}
	for first := true; ; first = false {
		more, ok := s.Next(']', first)
		if !ok || !more {
			return ok
		}
		s.Peek()
		at := s.Mark()
		if key, text, isNumber, ok := scanParam(s); ok {
			set(r, key, text, isNumber)
			continue
		}
		s.Back(at)
		v, ok := s.Value()
		if !ok {
			return false
		}
		r.eachParam(&record.Value{Kind: record.List, Kids: []record.Value{*v}}, set)
	}
}

// scanParam reads the schema's key and value, in this order.
func scanParam(s *record.Scanner) (key, text string, isNumber, ok bool) {
	if !s.Open('{') || !named(s, "key", true) || s.Peek() != '"' {
		return "", "", false, false
	}
	w, ok := s.Scalar()
	if !ok || w.Text == "" || !named(s, "value", false) || !s.Open('{') {
		return "", "", false, false
	}
	for first := true; ; first = false {
		more, ok := s.Next('}', first)
		if !ok {
			return "", "", false, false
		}
		if !more {
			break
		}
		name, ok := s.Name("string_value")
		if !ok {
			return "", "", false, false
		}
		value, ok := s.Scalar()
		if !ok {
			return "", "", false, false
		}
		if text != "" || value.Text == "" || isBesideValue(name) {
			continue
		}
		text, isNumber = paramValue(&record.Value{Kind: value.Kind, Text: value.Text})
		isNumber = isNumber || text != "" && isTyped(name)
	}
	more, ok := s.Next('}', false)
	return w.Text, text, isNumber, ok && !more
}

// named reads a member's name, which is to be this one.
func named(s *record.Scanner, name string, first bool) bool {
	more, ok := s.Next('}', first)
	if !ok || !more {
		return false
	}
	got, ok := s.Name(name)
	return ok && got == name
}
