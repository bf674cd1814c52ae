package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"unicode/utf8"
)

// errShape is a body that is JSON but fits no wire format. The whole batch is
// refused and nothing of it is stored.
var errShape = errors.New("validation error")

// batch is a decoded body of the events call.
type batch struct {
	events  []*event // those that kept every rule, in the order sent
	invalid int64    // the number of those that did not
	last    bool

	lenient bool     // takes events of the shape of any format
	others  []format // those whose shape the events have, when it is not the import's
}

func (b *batch) size() int64 { return int64(len(b.events)) + b.invalid }

// fields are the members of one event as sent.
type fields map[string]any

// get returns a field that is known to be a string.
func (f fields) get(name string) string {
	s, _ := f[name].(string)
	return s
}

// format is one wire format: the fields that each event must have, and how an
// event of that format is shown. Its row reports false for an event that breaks a
// rule, which the server drops and counts as invalid.
type format struct {
	names []string
	row   func(f fields, e *event) bool
}

// lacks returns the first field that the format requires and f does not have.
func (w format) lacks(f fields) string {
	for _, name := range w.names {
		if _, ok := f[name].(string); !ok {
			return name
		}
	}
	return ""
}

// formatsOf returns those of the formats that f has all fields of.
func formatsOf(f fields, among []format) []format {
	fitting := []format{}
	for _, w := range among {
		if w.lacks(f) == "" {
			fitting = append(fitting, w)
		}
	}
	return fitting
}

// decodeBatch reads a whole body of the events call. The error is errShape when
// the JSON is no batch of that format. It is another error when the body is no
// JSON or cannot be read. Broken JSON outweighs a broken shape, because a server
// parses before it looks. A lenient server also takes events in the shape of
// another format, if all events of the batch have it, and finds each of them
// invalid.
func decodeBatch(r io.Reader, wire format, lenient bool) (*batch, error) {
	dec := json.NewDecoder(r)
	start, err := dec.Token()
	if err != nil {
		return nil, err
	}
	b := &batch{lenient: lenient}
	shape := fmt.Errorf("%w: the body is no object", errShape)
	switch start {
	case json.Delim('{'):
		shape, err = b.decodeMembers(dec, wire)
	case json.Delim('['):
		err = skipList(dec)
	}
	if err != nil {
		return nil, err
	}
	switch _, err := dec.Token(); {
	case err == nil:
		return nil, errors.New("more than one JSON value")
	case err != io.EOF:
		return nil, err
	}
	if shape != nil {
		return nil, shape
	}
	return b, nil
}

// decodeMembers reads the body's object after its brace.
func (b *batch) decodeMembers(dec *json.Decoder, wire format) (shape, err error) {
	var hasEvents, hasLast bool
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return nil, err
		}
		switch key {
		case "events":
			hasEvents = true
			b.events, b.invalid, b.others = nil, 0, nil
			shape, err = b.decodeEvents(dec, wire)
		case "isLastBatch":
			var v any
			err = dec.Decode(&v)
			b.last, hasLast = v.(bool)
		default:
			err = dec.Decode(new(json.RawMessage))
		}
		if err != nil {
			return nil, err
		}
	}
	switch {
	case shape != nil:
	case !hasEvents:
		shape = fmt.Errorf("%w: events is missing", errShape)
	case !hasLast:
		shape = fmt.Errorf("%w: isLastBatch is missing or no boolean", errShape)
	}
	_, err = dec.Token()
	return shape, err
}

// skipList reads the rest of an array.
func skipList(dec *json.Decoder) error {
	for dec.More() {
		if err := dec.Decode(new(json.RawMessage)); err != nil {
			return err
		}
	}
	_, err := dec.Token()
	return err
}

// decodeEvents reads the array of events. It goes on after a broken shape, to
// find broken JSON behind it.
func (b *batch) decodeEvents(dec *json.Decoder, wire format) (shape, err error) {
	if !dec.More() { // "events": with nothing behind it
		return nil, dec.Decode(new(json.RawMessage))
	}
	start, err := dec.Token()
	if err != nil {
		return nil, err
	}
	if start != json.Delim('[') {
		if start == json.Delim('{') {
			err = skipMembers(dec)
		}
		return fmt.Errorf("%w: events is no array", errShape), err
	}
	f := make(fields)
	for n := 0; dec.More(); n++ {
		clear(f)
		err := dec.Decode(&f)
		if wrongType := new(json.UnmarshalTypeError); errors.As(err, &wrongType) || err == nil && f == nil {
			shape = fmt.Errorf("%w: events.%d is no object", errShape, n)
			f = make(fields)
		} else if err != nil {
			return nil, err
		}
		if shape == nil {
			shape = b.add(n, f, wire)
		}
	}
	_, err = dec.Token()
	return shape, err
}

// skipMembers reads the rest of an object.
func skipMembers(dec *json.Decoder) error {
	for dec.More() {
		if _, err := dec.Token(); err != nil {
			return err
		}
		if err := dec.Decode(new(json.RawMessage)); err != nil {
			return err
		}
	}
	_, err := dec.Token()
	return err
}

// add adds event number n. Its error is errShape.
func (b *batch) add(n int, f fields, wire format) error {
	lacks := wire.lacks(f)
	if n == 0 && lacks != "" && b.lenient {
		b.others = formatsOf(f, slices.Collect(maps.Values(wireFormats)))
	} else if len(b.others) > 0 {
		b.others = formatsOf(f, b.others)
	}
	e := &event{props: "{}"}
	switch {
	case len(b.others) > 0: // not this import's format, so that no event is valid
		b.invalid++
	case lacks != "":
		return fmt.Errorf("%w: events.%d.%s is missing or no string", errShape, n, lacks)
	case b.others != nil:
		return fmt.Errorf("%w: events.%d has another shape than the ones before", errShape, n)
	case wire.row(f, e):
		b.events = append(b.events, e)
	default:
		b.invalid++
	}
	return nil
}

// fits reports whether s has at most limit UTF-16 code units.
func fits(s string, limit int) bool {
	if len(s) <= limit { // a code unit takes at least a byte
		return true
	}
	n := 0
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		i += size
		n++
		if r > 0xFFFF {
			n++
		}
		if n > limit {
			return false
		}
	}
	return true
}
