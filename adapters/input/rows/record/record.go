// Package record reads nested records from the containers that BigQuery
// exports them in: newline-delimited JSON, JSON arrays, Parquet, Avro and Arrow.
//
// All end in the same tree of [Value]s, so that whoever translates
// records does it once. The tree keeps what the containers agree on: names,
// nesting and the text of values. A 64-bit integer is the string "17" in
// BigQuery's JSON, the number 17 in hand-made JSON and eight bytes in Parquet
// and Avro; here its Text is "17" in each. Lists are lists, whether Parquet
// writes them as a repeated group, as BigQuery's unannotated list.element or
// as the standard's three levels.
//
// A [Reader] cuts its input sequentially and cheaply; its [Chunk]s are decoded
// by any goroutine.
package record

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"hopper/adapters/input"
)

const (
	// chunkSize is how many bytes of input a chunk aims at.
	chunkSize = 512 << 10
	// chunkRecords is how many records a chunk has at most, where the
	// container's blocks can be divided.
	chunkRecords = 1000
	// MaxRecord is the longest record that is read, in bytes. BigQuery's own
	// limit for a row is 100 MB; exports of analytics stay below one.
	MaxRecord = 64 << 20
	// maxDepth is how deep records may nest. BigQuery's limit is 15.
	maxDepth = 64
)

// Kind says what a [Value] is.
type Kind uint8

const (
	Null Kind = iota
	Bool
	Number
	Text
	Object
	List
)

// A Value is a node of a record.
type Value struct {
	// Key is the member's name, inside an Object.
	Key  string
	Kind Kind
	// Time is set where a Number is a point in time, in microseconds since 1970.
	Time Time
	// Text is a Text's characters, a Number as JSON writes it, "true" or "false".
	Text string
	// Kids are an Object's members or a List's elements, in the order of the
	// container.
	Kids []Value
}

// Time says what a container knows of a time's zone.
type Time uint8

const (
	NoTime  Time = iota
	Instant      // in UTC
	Local        // in a zone that the container does not say
)

// FormatTime writes the time that v is: 2024-05-01T08:20:00.123Z where it is
// an Instant, 2024-05-01 08:20:00.123 where it is Local.
func (v *Value) FormatTime() string {
	micros, err := strconv.ParseInt(v.Text, 10, 64)
	if err != nil {
		return v.Text
	}
	layout := "2006-01-02T15:04:05.999999Z"
	if v.Time == Local {
		layout = "2006-01-02 15:04:05.999999"
	}
	return time.UnixMicro(micros).UTC().Format(layout)
}

// Get returns the member with that name, or nil. It may be called on nil.
func (v *Value) Get(key string) *Value {
	if v == nil || v.Kind != Object {
		return nil
	}
	for i := range v.Kids {
		if v.Kids[i].Key == key {
			return &v.Kids[i]
		}
	}
	return nil
}

// String returns a scalar's text, and "" for anything else and for nil.
func (v *Value) String() string {
	if v == nil {
		return ""
	}
	return v.Text
}

// Elements returns what a repeated field holds, or nil. Lists that were
// written as {"list": [{"element": …}]}, as tools do that read BigQuery's
// Parquet without knowing its encoding, are unwrapped.
func (v *Value) Elements() []Value {
	switch {
	case v == nil:
		return nil
	case v.Kind == List:
		return v.Kids
	case v.Kind == Object && len(v.Kids) == 1 && v.Kids[0].Key == "list" && v.Kids[0].Kind == List:
		list := slices.Clone(v.Kids[0].Kids)
		for i := range list {
			if e := &list[i]; e.Kind == Object && len(e.Kids) == 1 && (e.Kids[0].Key == "element" || e.Kids[0].Key == "item") {
				list[i] = e.Kids[0]
			}
		}
		return list
	}
	return nil
}

// Clone returns a copy that stays valid when the record does not.
func (v *Value) Clone() Value {
	c := *v
	c.Kids = slices.Clone(v.Kids)
	for i := range c.Kids {
		c.Kids[i] = c.Kids[i].Clone()
	}
	return c
}

// AppendJSON appends v to b as JSON, without members that are null.
func (v *Value) AppendJSON(b []byte) []byte {
	switch v.Kind {
	case Null:
		return append(b, "null"...)
	case Bool, Number:
		return append(b, v.Text...)
	case Text:
		return AppendQuoted(b, v.Text)
	}
	open, closing := byte('['), byte(']')
	if v.Kind == Object {
		open, closing = '{', '}'
	}
	b = append(b, open)
	first := true
	for i := range v.Kids {
		kid := &v.Kids[i]
		if v.Kind == Object && kid.Kind == Null {
			continue
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		if v.Kind == Object {
			b = append(AppendQuoted(b, kid.Key), ':')
		}
		b = kid.AppendJSON(b)
	}
	return append(b, closing)
}

// number returns a floating-point number as a Value. JSON has no word for
// infinities and NaN; those become text.
func number(f float64) Value {
	if math.IsInf(f, 0) || math.IsNaN(f) {
		return Value{Kind: Text, Text: strconv.FormatFloat(f, 'g', -1, 64)}
	}
	return Value{Kind: Number, Text: FormatFloat(f)}
}

// FormatFloat writes a finite f the way JSON encoders agree on.
func FormatFloat(f float64) string {
	format := byte('f')
	if a := math.Abs(f); a != 0 && (a < 1e-6 || a >= 1e21) {
		format = 'e'
	}
	return strconv.FormatFloat(f, format, -1, 64)
}

// A Record is one row of an export. It is valid until the next one is read.
type Record struct {
	// Row counts records from 1; in newline-delimited JSON it counts lines.
	Row int64
	// Root is the record: an Object, or a List where the rows of a [Table] are
	// lists. It is nil when Err is not.
	Root *Value
	// Err says why the record cannot be read.
	Err error

	text string // as read; empty where the container is binary
}

// Text returns the record as it was read, or "" where the container is binary.
func (r *Record) Text() string { return r.text }

// Raw returns the record as text: as it was read, or as JSON.
func (r *Record) Raw() string {
	if r.text != "" || r.Root == nil {
		return r.text
	}
	return string(r.Root.AppendJSON(nil))
}

// A Chunk is a part of an input, cut at a record's boundary.
type Chunk interface {
	// Read decodes the chunk and calls yield for each record, in input order.
	// It may be called once, by any goroutine. An error means that the rest of
	// the chunk, and so of the input, cannot be read.
	Read(yield func(*Record)) error
	// Span returns the number of the chunk's first record and the number after
	// that of its last.
	Span() (first, end int64)
}

// A Reader cuts an input into chunks. Next returns io.EOF after the last; its
// other errors are [input.Error]s.
type Reader interface {
	Next(ctx context.Context) (Chunk, error)
	Close() error
}

// join appends a member's name to a path.
func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// damaged is an error for a container that cannot be decoded.
func damaged(in string, format input.Format, row int64, err error) error {
	return &input.Error{Input: in, Row: row, Err: fmt.Errorf("cannot be read as %s: %w; export or download it again", format, err)}
}

var errTooLong = errors.New("record is longer than 64 MiB")
