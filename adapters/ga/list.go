package ga

import (
	"hopper/adapters/input/rows/record"
	"hopper/pipeline"
)

// A list writes objects as a JSON array.
type list struct {
	b     []byte // nil without objects
	first bool   // no member of the current object is written yet
}

func (l *list) open() {
	before := byte(',')
	if l.b == nil {
		l.b, before = make([]byte, 0, 512), '['
	}
	l.b, l.first = append(l.b, before, '{'), true
}

func (l *list) close() { l.b = append(l.b, '}') }

func (l *list) key(key string) {
	if !l.first {
		l.b = append(l.b, ',')
	}
	l.first = false
	l.b = append(record.AppendQuoted(l.b, key), ':')
}

func (l *list) text(key, value string) {
	if value != "" {
		l.key(key)
		l.b = record.AppendQuoted(l.b, value)
	}
}

func (l *list) number(key, value string) {
	if p := property(key, value, true); p.Literal {
		l.key(key)
		l.b = append(l.b, p.Value...)
	}
}

func (l *list) property(ps []pipeline.Property, key string) []pipeline.Property {
	if l.b == nil {
		return ps
	}
	return append(ps, pipeline.Property{Key: key, Value: string(append(l.b, ']')), Literal: true})
}
