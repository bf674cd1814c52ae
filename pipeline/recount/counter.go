package recount

import (
	"crypto/sha256"
	"encoding/binary"
	"strings"
	"time"
	"unicode/utf8"

	"hopper/adapters/input/spill"
	"hopper/pipeline"
	"hopper/pipeline/places"
	"hopper/pipeline/vocabulary"
)

// What is known of a row, and what it tells.
const (
	rowSent uint16 = 1 << iota
	rowRejected
	// From here on a bit is set where the row tells nothing.
	noSession
	noVisitor
	noDimension // one bit for each of the dimensions
)

// side is where something was counted.
type side uint8

const (
	all  side = iota // rows of the export
	kept             // those of them that became events
	sent             // events
	sides
)

// dimension is what a session and its events have in common.
type dimension uint8

const (
	referrers dimension = iota
	browsers
	systems
	devices
	countries
	dimensions
)

// keyUnits is how much of a page's or another row's text tells it from others,
// in UTF-16 code units. Wire formats shorten what is longer than 255.
const keyUnits = 200

// hit is a fact or an event, brought into one form.
type hit struct {
	origin           pipeline.Origin
	at               pipeline.Micros
	kind             pipeline.Kind
	name, page       string
	visitor, session string
	paused           bool
	dims             [dimensions]string
}

// counter collects both sides.
type counter struct {
	rules *pipeline.Normalizer

	inputs []inputRows
	byName map[string]uint16
	last   uint16 // input

	words   []string // of pages, referrers and so on, by number
	numbers map[string]uint32
	hits    spill.Sorter

	facts, rejected, omitted, joined int64
	untold                           [2]int64 // rows without session, without visitor
}

// inputRows holds what is known of each row of an input.
type inputRows struct {
	name  string
	flags []uint16
}

func newCounter(rules *pipeline.Normalizer, dir string, memory int) *counter {
	return &counter{
		rules: rules, byName: map[string]uint16{}, numbers: map[string]uint32{},
		hits: spill.Sorter{Dir: dir, Limit: memory},
	}
}

func (c *counter) close() error { return c.hits.Close() }

// input returns the number of an input.
func (c *counter) input(name string) uint16 {
	if len(c.inputs) > 0 && c.inputs[c.last].name == name {
		return c.last
	}
	n, known := c.byName[name]
	if !known {
		n = uint16(len(c.inputs))
		name = strings.Clone(name)
		c.byName[name] = n
		c.inputs = append(c.inputs, inputRows{name: name})
	}
	c.last = n
	return n
}

// row returns the flags of a row, until the next call.
func (c *counter) row(at pipeline.Origin) *uint16 {
	in := &c.inputs[c.input(at.Input)]
	if need := at.Row + 1 - int64(len(in.flags)); need > 0 {
		in.flags = append(in.flags, make([]uint16, need)...)
	}
	return &in.flags[at.Row]
}

func (c *counter) word(s string) uint32 {
	n, known := c.numbers[s]
	if !known {
		n = uint32(len(c.words))
		s = strings.Clone(s)
		c.numbers[s] = n
		c.words = append(c.words, s)
	}
	return n
}

// hits collects the events of one chunk.
type hits struct {
	words map[string]string // those of the chunk, once each
	list  []hit
}

func (c *hits) keep(s string) string {
	if s == "" {
		return ""
	}
	if known, ok := c.words[s]; ok {
		return known
	}
	s = strings.Clone(s)
	c.words[s] = s
	return s
}

// Begin forgets the chunk before.
func (c *hits) Begin() { c.words, c.list = map[string]string{}, c.list[:0] }

// Add keeps what is counted of an event.
func (c *hits) Add(ev *pipeline.Event) {
	h := hit{
		origin: pipeline.Origin{Input: c.keep(ev.Origin.Input), Row: ev.Origin.Row}, at: ev.Time, kind: ev.Kind,
		visitor: c.keep(ev.Visitor), session: c.keep(ev.Session),
		dims: [dimensions]string{c.keep(hostOf(ev.Referrer)), c.keep(family(ev.Browser)), c.keep(ev.OS), c.keep(ev.Device), c.keep(ev.Country)},
	}
	switch ev.Kind {
	case pipeline.Pageview:
		h.page = c.keep(clip(ev.Path))
	case pipeline.Custom:
		h.name = c.keep(clip(ev.Name))
	}
	c.list = append(c.list, h)
}

// Done returns the chunk's hits.
func (c *hits) Done() []hit { return c.list }

// sent counts the events of a chunk.
func (c *counter) sent(list []hit) error {
	for i := range list {
		*c.row(list[i].origin) |= rowSent
		if err := c.add(sent, &list[i]); err != nil {
			return err
		}
	}
	return nil
}

// source counts a row of the export.
func (c *counter) source(f *Fact) error {
	c.facts++
	c.joined += f.Joined
	flags := c.row(f.Origin)
	shown := f.At != 0 && (f.Kind != pipeline.Custom || f.Name != "") && (f.Kind != pipeline.Pageview || f.Page != "" || f.Host != "" || c.rules.Hostname != "")
	asked := f.At >= c.rules.Since && (c.rules.Until == 0 || f.At < c.rules.Until)
	became := shown && asked && *flags&rowSent != 0
	switch {
	case became:
	case *flags&rowRejected != 0 && (asked || f.At == 0):
		c.rejected++
	default:
		c.omitted++
	}
	if f.At == 0 || !asked {
		return nil
	}
	for i, s := range [...]string{f.Session, f.Visitor} {
		if s == "" && !(i == 0 && f.Paused && f.Visitor != "") {
			*flags |= noSession << i
			if became {
				c.untold[i]++
			}
		}
	}
	h := hit{origin: f.Origin, at: f.At, kind: f.Kind, visitor: f.Visitor, session: f.Session, dims: f.dimensions()}
	if f.Session == "" && f.Paused {
		h.session, h.paused = "visitor "+f.Visitor, true
	}
	for i, word := range h.dims {
		if word == "" {
			*flags |= noDimension << i
		}
	}
	switch f.Kind {
	case pipeline.Pageview:
		h.page = clip(pageOf(f.Page))
	case pipeline.Custom:
		h.name = clip(f.Name)
	}
	if became {
		return c.add(kept, &h)
	}
	return c.add(all, &h)
}

// dimensions returns what the row tells, in the words that Rybbit shows, and
// empty what it does not tell.
func (f *Fact) dimensions() (d [dimensions]string) {
	if f.Referrer != "" {
		d[referrers] = orNone(hostOf(f.Referrer))
	}
	browser, os, device := f.Browser, f.OS, f.Device
	var version, osVersion string
	vocabulary.Normalize(&browser, &version, &os, &osVersion, &device)
	if f.Browser != "" {
		d[browsers] = orNone(family(browser))
	}
	if f.OS != "" {
		d[systems] = orNone(os)
	}
	if f.Device != "" {
		d[devices] = orNone(device)
	}
	if f.Country != "" {
		code, _ := places.Country(f.Country)
		d[countries] = orNone(code)
	}
	return d
}

// family is a browser's name without what the system adds to it, which rows do
// not always tell.
func family(browser string) string { return strings.TrimPrefix(browser, "Mobile ") }

func orNone(s string) string {
	if s == "" {
		return None
	}
	return s
}

func clip(s string) string { return pipeline.Cut(strings.ToValidUTF8(s, "\uFFFD"), keyUnits) }

// pageOf returns a path as a browser tells it.
func pageOf(path string) string {
	path, _, _ = strings.Cut(strings.ToValidUTF8(path, "\uFFFD"), "?")
	if path == "" || path[0] != '/' {
		path = "/" + path
	}
	return pipeline.EscapePath(path)
}

// hostOf returns the host of a referrer; empty where it is none. One without a
// scheme must have a dot within to be told from other words, and one with other
// characters than hosts have counts as none on either side.
func hostOf(referrer string) string {
	if referrer == None {
		return ""
	}
	scheme, host, isURL := strings.Cut(strings.TrimSpace(referrer), "://")
	if !isURL {
		host = strings.TrimSpace(referrer)
	} else if scheme == "" || strings.ContainsFunc(scheme, notOfScheme) {
		return ""
	}
	if i := strings.IndexAny(host, "/?#"); i >= 0 {
		host = host[:i]
	}
	if !isURL && (strings.LastIndexByte(host, '.') < 1 || strings.Contains(host, ":")) || strings.ContainsFunc(host, notOfHost) {
		return ""
	}
	return clip(strings.ToLower(host))
}

func notOfHost(r rune) bool {
	return r < utf8.RuneSelf && r != '.' && r != '-' && r != '_' && r != ':' && r != '[' && r != ']' && (r < '0' || r > '9') && (r|0x20 < 'a' || r|0x20 > 'z')
}

func notOfScheme(r rune) bool {
	return r != '+' && r != '-' && r != '.' && (r < '0' || r > '9') && (r|0x20 < 'a' || r|0x20 > 'z')
}

// A hit is sorted by side (fromSource or fromEvents), session and time. Its
// value is whether it is kept and of a paused visitor, kind, input (2 bytes), row (8), visitor (16), and
// the numbers of its page or name and of its dimensions' words (4 each).
const (
	sessionKey = 1 + 16
	hitKey     = sessionKey + 8
	hitValue   = 1 + 1 + 2 + 8 + 16 + 4*(1+int(dimensions))

	fromSource = 0
	fromEvents = 1

	isKept   = 1
	isPaused = 2
)

// untoldWord is the number of a word that is not told.
const untoldWord = 1<<32 - 1

// add puts a hit aside until all is known of its row.
func (c *counter) add(s side, h *hit) error {
	key := [hitKey]byte{fromSource}
	if s == sent {
		key[0] = fromEvents
	}
	if h.session != "" {
		id := idOf(h.session)
		copy(key[1:], id[:])
	}
	binary.BigEndian.PutUint64(key[sessionKey:], uint64(h.at)^1<<63) // so that earlier than 1970 sorts first
	var v [hitValue]byte
	if s == kept {
		v[0] = isKept
	}
	if h.paused {
		v[0] |= isPaused
	}
	v[1] = byte(h.kind)
	binary.BigEndian.PutUint16(v[2:], c.input(h.origin.Input))
	binary.BigEndian.PutUint64(v[4:], uint64(h.origin.Row))
	if h.visitor != "" {
		id := idOf(h.visitor)
		copy(v[12:], id[:])
	}
	word := uint32(untoldWord)
	switch h.kind {
	case pipeline.Pageview:
		word = c.word(h.page)
	case pipeline.Custom:
		word = c.word(h.name)
	}
	binary.BigEndian.PutUint32(v[28:], word)
	for i, w := range h.dims {
		word := uint32(untoldWord)
		if s == sent {
			w = orNone(w)
		}
		if w != "" {
			word = c.word(w)
		}
		binary.BigEndian.PutUint32(v[32+4*i:], word)
	}
	return c.hits.Add(key[:], v[:])
}

func idOf(s string) [16]byte {
	sum := sha256.Sum256([]byte(s))
	return [16]byte(sum[:16])
}

const dayMicros = pipeline.Micros(24 * time.Hour / time.Microsecond)

func dayOf(t pipeline.Micros) int32 {
	day := t / dayMicros
	if t%dayMicros < 0 {
		day--
	}
	return int32(day)
}
