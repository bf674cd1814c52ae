package ga

import (
	"slices"
	"strings"
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
		seen.release = c.Release
		r := &space.row
		return c.Scan(func(rec *record.Record, s *record.Scanner) bool {
			r.reset()
			r.at = pipeline.Origin{Input: input, Row: rec.Row}
			r.input, r.raw, r.property, r.scanned = p.index, rec.Text(), p.property, true
			if !r.scan(s, &space.layout) || !s.Done() {
				return false
			}
			r.validUTF8 = s.ASCII()
			out.Rows(1)
			p.ga4.emit(r, &space.event, out, seen)
			return true
		}, general(out, seen))
	}
}

// scan is record for a record that is not put together.
func (r *row) scan(s *record.Scanner, l *layout) (ok bool) {
	if !s.Open('{') {
		return false
	}
	var p *place
	for {
		if next, text := l.scanText(s, p); next != nil {
			if p = next; text != "" && p.set != nil {
				p.set(r, text)
			}
			continue
		}
		if p, ok = l.scanName(s, p); p == nil {
			return ok
		}
		if !r.scanField(s, p) {
			return false
		}
	}
}

// scanText reads a member whose name is written as it was in the record before, and
// whose value is text without escapes that is taken as it stands. Otherwise it returns
// nil and reads nothing.
func (l *layout) scanText(s *record.Scanner, before *place) (p *place, text string) {
	p = l.first
	if before != nil {
		p = before.next
	}
	if p == nil || !p.takesText {
		return nil, ""
	}
	text, ok := s.Text(*p.written(before == nil))
	if !ok {
		return nil, ""
	}
	return p, text
}

// scanName reads the name of the member that stands behind another, or first where
// before is nil, and returns its place, or nil behind the last one. Mostly it is
// written as it was in the record before.
func (l *layout) scanName(s *record.Scanner, before *place) (p *place, ok bool) {
	guess := l.first
	if before != nil {
		guess = before.next
	}
	name := ""
	if guess != nil {
		if s.Past(*guess.written(before == nil)) {
			return guess, true
		}
		name = guess.key
	}
	at := s.Mark()
	more, ok := s.Next('}', before == nil)
	if !ok || !more {
		return nil, ok
	}
	if name, ok = s.Name(name); !ok {
		return nil, false
	}
	p = l.find(before, name)
	s.Peek()
	if written, is := p.written(before == nil), s.Since(at); *written != is && len(is) <= maxWritten {
		*written = strings.Clone(is)
	}
	return p, true
}

// written returns what stands before the member's value when it was last read: a
// comma, unless it is first, its name and a colon.
func (p *place) written(isFirst bool) *string {
	if isFirst {
		return &p.writtenFirst
	}
	return &p.writtenNext
}

// maxWritten is how long what stands before a value may be to be remembered.
const maxWritten = 256

// scanField is field for a member that is not put together.
func (r *row) scanField(s *record.Scanner, p *place) (ok bool) {
	if p.isUnread {
		return s.SkipRepeated(&p.repeated)
	}
	next := s.Peek()
	switch {
	case p.column == "event_params" && next == '[':
		return r.scanParams(s, p.params)
	case p.column == "user_properties" && next == '[':
		return r.scanParams(s, p.params)
	case p.column == "items" && next == '[':
		return r.scanItems(s, p.members)
	case p.isGroup && next != '{', p.isParams(), p.column == "event_params", p.column == "user_properties", p.column == "items":
		v, ok := s.Value()
		if ok {
			r.field(p, v)
		}
		return ok
	case next == '{':
		if p.skipped {
			return s.SkipRepeated(&p.repeated)
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
	if !s.Open('{') {
		return false
	}
	var p *place
	for {
		if next, text := l.scanText(s, p); next != nil {
			if p = next; text != "" && p.set != nil {
				p.set(r, text)
			}
			continue
		}
		if p, ok = l.scanName(s, p); p == nil {
			return ok
		}
		switch s.Peek() {
		case '{':
			ok = r.scanGroup(s, p.members)
		case '[':
			ok = s.Skip()
		default:
			ok = r.scanScalar(s, p)
		}
		if !ok {
			return false
		}
	}
}

// scanParams is eachParam for a list that is not put together.
func (r *row) scanParams(s *record.Scanner, l *paramLayout) (ok bool) {
	if !s.Open('[') {
		return false
	}
	guesses := &l.first
	for first := true; ; first = false {
		if p, text, isNumber := guesses.scan(s); p != nil {
			l.set(r, p.use, p.key, text, isNumber)
			guesses = &p.next
			continue
		}
		at := s.Mark()
		more, ok := s.Next(']', first)
		if !ok || !more {
			return ok
		}
		s.Peek()
		element := s.Mark()
		if p, text, isNumber, ok := scanParam(s, at); ok {
			p.use = l.of(p.key)
			l.set(r, p.use, p.key, text, isNumber)
			guesses = l.remember(guesses, p, text)
			continue
		}
		guesses = &l.other
		s.Back(element)
		v, ok := s.Value()
		if !ok {
			return false
		}
		r.eachParam(&record.Value{Kind: record.List, Kids: []record.Value{*v}}, func(r *row, key, text string, isNumber bool) {
			l.set(r, l.of(key), key, text, isNumber)
		})
	}
}

// scanParam reads the schema's key and value, in this order. The element begins, with
// the comma before it, at a mark.
func scanParam(s *record.Scanner, at record.Mark) (p paramPlace, text string, isNumber, ok bool) {
	if !s.Open('{') || !named(s, "key", true) || s.Peek() != '"' {
		return p, "", false, false
	}
	w, ok := s.Scalar()
	if !ok || w.Text == "" || !named(s, "value", false) || !s.Open('{') {
		return p, "", false, false
	}
	p.key = w.Text
	var end record.Mark // of the value
	for first := true; ; first = false {
		more, ok := s.Next('}', first)
		if !ok {
			return p, "", false, false
		}
		if !more {
			break
		}
		name, ok := s.Name("string_value")
		if !ok {
			return p, "", false, false
		}
		s.Peek()
		written := s.Since(at)
		value, ok := s.Scalar()
		if !ok {
			return p, "", false, false
		}
		if text != "" || value.Text == "" || isBesideValue(name) {
			continue
		}
		if text, isNumber = paramText(value.Kind, value.Text); text != "" {
			p.isTyped, p.written, end = isTyped(name), written, s.Mark()
			isNumber = isNumber || p.isTyped
		}
	}
	more, ok := s.Next('}', false)
	if text != "" {
		p.rest = s.Since(end)
	}
	return p, text, isNumber, ok && !more
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

// A paramLayout remembers how parameters are written. It is for one goroutine.
type paramLayout struct {
	of  func(key string) paramUse
	set func(r *row, p paramUse, key, text string, isNumber bool)

	first paramGuesses
	other paramGuesses           // behind one that is not remembered
	known map[string]*paramPlace // by what stands before the value
}

// A paramPlace is a parameter whose value alone differs.
type paramPlace struct {
	key           string
	use           paramUse
	isTyped       bool   // the member that holds the value is one of numbers
	written, rest string // what stands before the value, with a comma unless it is first, and behind
	next          paramGuesses
}

// paramGuesses are the parameters that probably come next. Different events have
// different ones.
type paramGuesses [4]*paramPlace

// scan reads a parameter that is written as one before it, or returns nil. One
// without a value is for scanParam.
func (g *paramGuesses) scan(s *record.Scanner) (p *paramPlace, text string, isNumber bool) {
	at := s.Mark()
	for i, p := range g {
		if p == nil {
			break
		}
		if !s.Past(p.written) {
			continue
		}
		w := record.Word{Kind: record.Text}
		var ok bool
		if w.Text, ok = s.Plain(); !ok {
			w, ok = s.Scalar()
		}
		if ok && s.Past(p.rest) {
			if text, isNumber = paramText(w.Kind, w.Text); text != "" {
				if i > 0 {
					g[i-1], g[i] = p, g[i-1]
				}
				return p, text, isNumber || p.isTyped
			}
		}
		break
	}
	s.Back(at)
	return nil, "", false
}

// remember notes that a parameter stood where g guessed others, and returns what
// comes next.
func (l *paramLayout) remember(g *paramGuesses, p paramPlace, text string) *paramGuesses {
	if text == "" || len(p.written)+len(p.rest) > maxWritten {
		return &l.other
	}
	is := l.known[p.written]
	if is == nil {
		if len(l.known) == maxPlaces {
			return &l.other
		}
		if l.known == nil {
			l.known = make(map[string]*paramPlace)
		}
		is = &paramPlace{key: strings.Clone(p.key), use: p.use, isTyped: p.isTyped, written: strings.Clone(p.written)}
		l.known[is.written] = is
	}
	if is.rest != p.rest {
		is.rest = strings.Clone(p.rest)
	}
	if !slices.Contains(g[:], is) {
		copy(g[1:], g[:])
		g[0] = is
	}
	return &is.next
}
