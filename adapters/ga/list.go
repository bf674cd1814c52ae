package ga

import (
	"slices"

	"hopper/adapters/input/rows/record"
	"hopper/pipeline"
)

// A list writes objects as a JSON array.
type list struct {
	b     []byte // empty without objects
	first bool   // no member of the current object is written yet
}

func (l *list) open() {
	before := byte(',')
	if len(l.b) == 0 {
		l.b, before = slices.Grow(l.b, 512), '['
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

func (l *list) member(key, value string, isNumber bool) {
	if isNumber {
		l.number(key, value)
	} else {
		l.text(key, value)
	}
}

// String returns the array, which has an object.
func (l *list) String() string { return string(append(l.b, ']')) }

func (l *list) property(ps []pipeline.Property, key string) []pipeline.Property {
	if len(l.b) == 0 {
		return ps
	}
	return append(ps, pipeline.Property{Key: key, Value: l.String(), Literal: true})
}
