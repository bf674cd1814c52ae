package recount

import (
	"crypto/sha256"
	"encoding/binary"

	"hopper/pipeline"
)

// A Hit is what is counted of an event. Texts that are empty are not told: the
// hit has no row in their tables.
type Hit struct {
	Origin           pipeline.Origin
	At               pipeline.Micros
	Kind             pipeline.Kind
	Visitor, Session string
	// Paused says that Session holds all of the visitor's sessions, which pauses
	// tell apart.
	Paused                  bool
	Page, Name, Link, Title string
	Rows                    []string // by dimension
	Properties              []string
}

// record is a hit as it is sorted: by group (that of the source or that of the
// events), session and time.
type record struct {
	group   byte
	session [idSize]byte
	at      pipeline.Micros

	sides                   sides // on which it is counted
	paused                  bool
	kind                    pipeline.Kind
	input                   uint16
	row                     int64
	visitor                 [idSize]byte // zero is none
	page, name, link, title word
	rows                    []word
	properties              []word
}

const (
	idSize     = 16
	sessionKey = 1 + idSize
	hitKey     = sessionKey + 8
	// hitFixed is the size of a value without rows and properties.
	hitFixed = 1 + 1 + 1 + 2 + 8 + idSize + 4 + 4 + 4 + 4
)

// append appends the record's key and value.
func (r *record) append(key, value []byte) (_, _ []byte) {
	key = append(append(key, r.group), r.session[:]...)
	key = binary.BigEndian.AppendUint64(key, uint64(r.at)^1<<63) // so that earlier than 1970 sorts first
	var paused byte
	if r.paused {
		paused = 1
	}
	value = append(value, byte(r.sides), paused, byte(r.kind))
	value = binary.BigEndian.AppendUint16(value, r.input)
	value = binary.BigEndian.AppendUint64(value, uint64(r.row))
	value = append(value, r.visitor[:]...)
	for _, w := range [...]word{r.page, r.name, r.link, r.title} {
		value = binary.BigEndian.AppendUint32(value, uint32(w))
	}
	for _, list := range [...][]word{r.rows, r.properties} {
		for _, w := range list {
			value = binary.BigEndian.AppendUint32(value, uint32(w))
		}
	}
	return key, value
}

// parse reads a record with so many rows; the rest are properties. It reuses
// the record's memory.
func (r *record) parse(key, value []byte, rows int) {
	r.group = key[0]
	copy(r.session[:], key[1:])
	r.at = pipeline.Micros(binary.BigEndian.Uint64(key[sessionKey:]) ^ 1<<63)
	r.sides, r.paused, r.kind = sides(value[0]), value[1] != 0, pipeline.Kind(value[2])
	r.input = binary.BigEndian.Uint16(value[3:])
	r.row = int64(binary.BigEndian.Uint64(value[5:]))
	copy(r.visitor[:], value[13:])
	r.page = word(binary.BigEndian.Uint32(value[29:]))
	r.name = word(binary.BigEndian.Uint32(value[33:]))
	r.link = word(binary.BigEndian.Uint32(value[37:]))
	r.title = word(binary.BigEndian.Uint32(value[41:]))
	r.rows, r.properties = r.rows[:0], r.properties[:0]
	for rest := value[hitFixed:]; len(rest) > 0; rest = rest[4:] {
		w := word(binary.BigEndian.Uint32(rest))
		if len(r.rows) < rows {
			r.rows = append(r.rows, w)
		} else {
			r.properties = append(r.properties, w)
		}
	}
}

// idOf returns a short form of an identifier; that of none is zero.
func idOf(s string) (id [idSize]byte) {
	if s != "" {
		sum := sha256.Sum256([]byte(s))
		copy(id[:], sum[:])
	}
	return id
}

// word is the number of a text.
type word uint32

const (
	// untold is the number of a text that is not told.
	untold word = 1<<32 - 1
	// theDay is the only row of a table by day.
	theDay word = 0
)
