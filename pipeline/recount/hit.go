package recount

import (
	"encoding/binary"
	"hash/maphash"
	"strings"

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

// Hits are those of a chunk. Their texts are held once each, so that the numbers
// that a [Count] gives them are looked up once a chunk.
type Hits struct {
	inputs  []string
	texts   []string // in the order in which the hits have them
	numbers map[string]word
	list    []record // whose inputs and words are indices of inputs and texts
	ids     ids

	before []word // those of the hit before, which often come again
	room   []word // for words of records
}

func newHits(ids ids) Hits { return Hits{numbers: map[string]word{}, ids: ids} }

// begin forgets the chunk before.
func (h *Hits) begin() {
	clear(h.numbers)
	h.inputs, h.texts, h.list, h.before = h.inputs[:0], h.texts[:0], h.list[:0], h.before[:0]
}

// input returns the index of an input's name.
func (h *Hits) input(name string) uint32 {
	for i := len(h.inputs) - 1; i >= 0; i-- {
		if h.inputs[i] == name {
			return uint32(i)
		}
	}
	h.inputs = append(h.inputs, strings.Clone(name))
	return uint32(len(h.inputs) - 1)
}

// word returns the index of a text that stands at a place of its hit.
func (h *Hits) word(place int, text string) word {
	if text == "" {
		return untold
	}
	for len(h.before) <= place {
		h.before = append(h.before, untold)
	}
	before := &h.before[place]
	if *before != untold && h.texts[*before] == text {
		return *before
	}
	n, known := h.numbers[text]
	if !known {
		n = word(len(h.texts))
		text = strings.Clone(text)
		h.numbers[text] = n
		h.texts = append(h.texts, text)
	}
	*before = n
	return n
}

// add takes a hit and keeps nothing of it.
func (h *Hits) add(hit *Hit) {
	r := record{
		session: h.ids.of(hit.Session), at: hit.At, paused: hit.Paused, kind: hit.Kind, input: h.input(hit.Origin.Input), row: hit.Origin.Row,
		visitor: h.ids.of(hit.Visitor), page: h.word(0, hit.Page), name: h.word(1, hit.Name), link: h.word(2, hit.Link), title: h.word(3, hit.Title),
	}
	size, place := len(hit.Rows)+len(hit.Properties), 4
	if cap(h.room)-len(h.room) < size {
		h.room = make([]word, 0, max(size, roomOfWords))
	}
	begin := len(h.room)
	for _, list := range [...][]string{hit.Rows, hit.Properties} {
		for _, text := range list {
			h.room = append(h.room, h.word(place, text))
			place++
		}
	}
	words := h.room[begin:]
	r.rows, r.properties = words[:len(hit.Rows):len(hit.Rows)], words[len(hit.Rows):]
	h.list = append(h.list, r)
}

// roomOfWords is how many words are made room for at once.
const roomOfWords = 4 << 10

// collector collects the hits of one chunk's events.
type collector struct {
	layout *Layout
	hits   Hits
	hit    Hit
}

func (c *collector) Begin() { c.hits.begin() }

func (c *collector) Add(ev *pipeline.Event) {
	h := &c.hit
	rows := h.Rows[:0]
	for range c.layout.Dimensions {
		rows = append(rows, "")
	}
	*h = Hit{Origin: ev.Origin, At: ev.Time, Kind: ev.Kind, Visitor: ev.Visitor, Session: ev.Session, Rows: rows, Properties: h.Properties[:0]}
	c.layout.Hit(ev, h)
	c.hits.add(h)
}

func (c *collector) Done() *Hits { return &c.hits }

// record is a hit as it is put aside.
type record struct {
	// session is of the source or of the events by its last bit: the two do not
	// meet in a session.
	session [idSize]byte
	at      pipeline.Micros

	sides                   sides // on which it is counted
	paused                  bool
	kind                    pipeline.Kind
	input                   uint32
	row                     int64
	visitor                 [idSize]byte // zero is none
	page, name, link, title word
	rows                    []word
	properties              []word
}

const (
	idSize = 16
	// recordKey is the size of a session and a time, by which records are sorted. They
	// stand first, as they sort.
	recordKey = idSize + 8
	// recordFixed is the size of a record without rows and properties.
	recordFixed = recordKey + 1 + 1 + 1 + 4 + 8 + idSize + 4 + 4 + 4 + 4
)

// append appends the record's bytes.
func (r *record) append(b []byte) []byte {
	b = append(b, r.session[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(r.at)^1<<63) // so that earlier than 1970 sorts first
	var paused byte
	if r.paused {
		paused = 1
	}
	b = append(b, byte(r.sides), paused, byte(r.kind))
	b = binary.LittleEndian.AppendUint32(b, r.input)
	b = binary.LittleEndian.AppendUint64(b, uint64(r.row))
	b = append(b, r.visitor[:]...)
	for _, w := range [...]word{r.page, r.name, r.link, r.title} {
		b = binary.LittleEndian.AppendUint32(b, uint32(w))
	}
	for _, list := range [...][]word{r.rows, r.properties} {
		for _, w := range list {
			b = binary.LittleEndian.AppendUint32(b, uint32(w))
		}
	}
	return b
}

// timeIn returns the time in a record's bytes, as it sorts.
func timeIn(b []byte) uint64 { return binary.BigEndian.Uint64(b[idSize:]) }

// parse reads a record with so many rows; the rest are properties. It reuses
// the record's memory.
func (r *record) parse(b []byte, rows int) {
	r.session = [idSize]byte(b)
	r.at = pipeline.Micros(timeIn(b) ^ 1<<63)
	b = b[recordKey:]
	r.sides, r.paused, r.kind = sides(b[0]), b[1] != 0, pipeline.Kind(b[2])
	r.input = binary.LittleEndian.Uint32(b[3:])
	r.row = int64(binary.LittleEndian.Uint64(b[7:]))
	r.visitor = [idSize]byte(b[15:])
	r.page = word(binary.LittleEndian.Uint32(b[31:]))
	r.name = word(binary.LittleEndian.Uint32(b[35:]))
	r.link = word(binary.LittleEndian.Uint32(b[39:]))
	r.title = word(binary.LittleEndian.Uint32(b[43:]))
	r.rows, r.properties = r.rows[:0], r.properties[:0]
	for b = b[recordFixed-recordKey:]; len(b) > 0; b = b[4:] {
		w := word(binary.LittleEndian.Uint32(b))
		if len(r.rows) < rows {
			r.rows = append(r.rows, w)
		} else {
			r.properties = append(r.properties, w)
		}
	}
}

// ids make short forms of identifiers, the same in one count.
type ids [2]maphash.Seed

func newIDs() ids { return ids{maphash.MakeSeed(), maphash.MakeSeed()} }

// of returns the short form of an identifier; that of none is zero.
func (i *ids) of(s string) (id [idSize]byte) {
	if s != "" {
		binary.LittleEndian.PutUint64(id[:], maphash.String(i[0], s))
		binary.LittleEndian.PutUint64(id[8:], maphash.String(i[1], s))
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
