package pipeline

import (
	"math/bits"
	"strings"

	"hopper/pipeline/places"
	"hopper/pipeline/vocabulary"
)

// A Part writes some of an event's facts, as one wire format has them. Memos know
// it by its address.
type Part struct {
	Write func(dst []byte, ev *Event) []byte
}

// A Memo is for encoders to keep what they wrote of facts that many events share.
// It is one worker's.
type Memo struct {
	written [2]written
	plain   *facts // what they were normalized to; nil where that has repairs to count
}

// written is what a part wrote.
type written struct {
	part *Part
	text string
}

// Append appends what part writes of ev, which is done once for each memo: it must
// depend on the memo's facts alone. A format should have two parts of one memo at
// most, because a memo keeps the latest two. Nil is a memo that keeps nothing.
func (m *Memo) Append(dst []byte, part *Part, ev *Event) []byte {
	if m == nil {
		return part.Write(dst, ev)
	}
	if text := m.Written(part); text != "" {
		return append(dst, text...)
	}
	begin := len(dst)
	dst = part.Write(dst, ev)
	m.written = [2]written{{part, string(dst[begin:])}, m.written[0]}
	return dst
}

// Written returns what part wrote, "" where that is nothing or not known.
func (m *Memo) Written(part *Part) string {
	switch {
	case m == nil:
	case m.written[0].part == part:
		return m.written[0].text
	case m.written[1].part == part:
		return m.written[1].text
	}
	return ""
}

// facts are some of an event's, that are normalized together.
type facts struct {
	texts         [5]string
	width, height int
	apart         bool
}

// longest is how many bytes of text facts have at most that are remembered: what
// is longer hardly repeats itself.
const longest = 512

// measure returns a hash, which tells most facts apart that occur together, and the
// texts' lengths in one word, which say where each ends when all are joined. They are
// long where they are together longer than [longest].
func (f *facts) measure() (hash uint64, lengths uint64, long bool) {
	const width = 10 // bits of a length up to longest
	size := 0
	hash = uint64(f.width)*31 ^ uint64(f.height)
	for i := range f.texts {
		s := f.texts[i]
		n := len(s)
		if n > 0 {
			hash ^= uint64(s[0])<<8 ^ uint64(s[n/2])<<16 ^ uint64(s[n-1])<<24
		}
		size += n
		lengths = lengths<<width | uint64(n)
		hash = bits.RotateLeft64(hash, 11)
	}
	return (hash ^ lengths) * 0x9E3779B97F4A7C15, lengths, size > longest
}

// memos remember what facts were normalized to, since few that differ stand in many
// events. They are for one worker.
type memos [1 << memoBits]shelf

const memoBits = 10

// shelf holds two memos of those whose hashes begin alike, the later one first.
type shelf struct {
	memos  [2]*memo
	hashes [2]uint32
	// passed is the hash of the latest facts that found no memo of theirs. They get
	// one when they come again: most that are rare leave nothing behind and put
	// nothing out.
	passed uint32
}

// memo is what facts were normalized to. What it is found by comes first, so that a
// look at it takes one line of a processor's cache.
type memo struct {
	text          string // of the facts as they were, joined
	lengths       uint64
	width, height int
	apart         bool

	Memo
	after   facts
	repairs []string
}

// isOf reports whether m is the memo of f, whose texts have these lengths.
func (m *memo) isOf(f *facts, lengths uint64) bool {
	if m.lengths != lengths || m.width != f.width || m.height != f.height || m.apart != f.apart {
		return false
	}
	all := m.text
	for i := range f.texts {
		s := f.texts[i]
		if all[:len(s)] != s {
			return false
		}
		all = all[len(s):]
	}
	return true
}

// recall returns the memo of f, nil where it has none, and counts its repairs.
func (m *memos) recall(f *facts, normalize normalization, count func(string)) *memo {
	if m == nil {
		return nil
	}
	hash64, lengths, long := f.measure()
	if long {
		return nil
	}
	hash := uint32(hash64 >> 32)
	at := &m[hash>>(32-memoBits)]
	var found *memo
	switch {
	case at.hashes[0] == hash && at.memos[0] != nil && at.memos[0].isOf(f, lengths):
		found = at.memos[0]
	case at.hashes[1] == hash && at.memos[1] != nil && at.memos[1].isOf(f, lengths):
		found = at.memos[1]
	case at.passed != hash:
		at.passed = hash
		return nil
	default:
		found = newMemo(f, lengths, normalize)
		at.memos[1], at.hashes[1] = at.memos[0], at.hashes[0]
		at.memos[0], at.hashes[0] = found, hash
	}
	for _, kind := range found.repairs {
		count(kind)
	}
	return found
}

// anew normalizes f without a memo.
func (f *facts) anew(normalize normalization, count func(string)) *facts {
	for _, kind := range normalize(f) {
		count(kind)
	}
	return f
}

func newMemo(f *facts, lengths uint64, normalize normalization) *memo {
	m := &memo{lengths: lengths, width: f.width, height: f.height, apart: f.apart, after: *f}
	m.text = strings.Join(f.texts[:], "") // without the chunk that they point into
	all := m.text
	for i, s := range f.texts {
		m.after.texts[i], all = all[:len(s)], all[len(s):]
	}
	if m.repairs = normalize(&m.after); len(m.repairs) == 0 {
		m.plain = &m.after
	}
	return m
}

// normalization changes facts and returns what repairs that were, by kind.
type normalization func(*facts) (repairs []string)

// known is what a worker remembers. The zero known remembers nothing.
type known struct {
	clients, places         *memos
	clientsFrom, placesFrom *passages
	// Of the event at hand, so that it needs no memory of its own.
	facts            facts
	visitor, session hashed
}

func newKnown() *known {
	return &known{clients: new(memos), places: new(memos), clientsFrom: newPassages(), placesFrom: newPassages()}
}

// recall is [Emitter.Recall].
func (k *known) recall(ev *Event) (client, place bool) {
	if m := k.clientsFrom.recall(ev.ClientFrom); m != nil {
		ev.setClient(&m.after)
		ev.ClientMemo, client = &m.Memo, true
	}
	if m := k.placesFrom.recall(ev.PlaceFrom); m != nil {
		ev.setPlace(&m.after)
		ev.City = m.after.texts[3]
		ev.PlaceMemo, place = &m.Memo, true
	}
	ev.ClientRecalled, ev.PlaceRecalled = client, place
	return client, place
}

// Follow sets the facts of ev's client, and those of its place, to what normalization
// made of those of an earlier event, which had the same as its adapter set them.
// Where that is not remembered they stay as they are.
func (ev *Event) Follow(earlier *Event) {
	if m := earlier.ClientMemo; m != nil && m.plain != nil && !ev.ClientRecalled {
		ev.setClient(m.plain)
		ev.ClientMemo, ev.ClientRecalled = m, true
	}
	if m := earlier.PlaceMemo; m != nil && m.plain != nil && !ev.PlaceRecalled {
		ev.setPlace(m.plain)
		ev.PlaceMemo, ev.PlaceRecalled = m, true
	}
}

func (ev *Event) setClient(f *facts) {
	t := &f.texts
	ev.Browser, ev.BrowserVersion, ev.OS, ev.OSVersion, ev.Device = t[0], t[1], t[2], t[3], t[4]
	ev.ScreenWidth, ev.ScreenHeight = f.width, f.height
}

func (ev *Event) setPlace(f *facts) {
	ev.Language, ev.Country, ev.Region = f.texts[0], f.texts[1], f.texts[2]
}

// client normalizes browser, system, device and screen. Of a browser's version only
// what is kept of it tells memos apart: the rest differs between many visitors.
func (k *known) client(ev *Event, count func(string)) {
	if ev.ClientRecalled {
		ev.ClientRecalled = false
		return
	}
	f := facts{[5]string{ev.Browser, vocabulary.Major(ev.BrowserVersion), ev.OS, ev.OSVersion, ev.Device}, ev.ScreenWidth, ev.ScreenHeight, ev.ClientApart}
	var after *facts
	if memo := k.clients.recall(&f, normalizeClient, count); memo != nil {
		after, ev.ClientMemo = &memo.after, &memo.Memo
		k.clientsFrom.keep(ev.ClientFrom, memo)
	} else {
		k.facts = f
		after, ev.ClientMemo = k.facts.anew(normalizeClient, count), nil
	}
	ev.setClient(after)
}

func normalizeClient(f *facts) (repairs []string) {
	t := &f.texts
	if f.apart {
		var none string
		vocabulary.Normalize(&t[0], &t[1], &none, &none, &t[4])
		vocabulary.Normalize(&none, &none, &t[2], &t[3], &none)
	} else {
		vocabulary.Normalize(&t[0], &t[1], &t[2], &t[3], &t[4])
	}
	if f.width|f.height != 0 && (!isScreenSide(f.width) || !isScreenSide(f.height)) {
		f.width, f.height = 0, 0
		return []string{RepairScreen}
	}
	return nil
}

// place normalizes language, country and region.
func (k *known) place(ev *Event, count func(string)) {
	if ev.PlaceRecalled {
		ev.PlaceRecalled = false
		return
	}
	f := facts{texts: [5]string{ev.Language, ev.Country, ev.Region, ev.City}}
	var after *facts
	if memo := k.places.recall(&f, normalizePlace, count); memo != nil {
		after, ev.PlaceMemo = &memo.after, &memo.Memo
		k.placesFrom.keep(ev.PlaceFrom, memo)
	} else {
		k.facts = f
		after, ev.PlaceMemo = k.facts.anew(normalizePlace, count), nil
	}
	ev.setPlace(after)
}

func normalizePlace(f *facts) (repairs []string) {
	language, country, region := &f.texts[0], &f.texts[1], &f.texts[2]
	if *language != "" {
		tag, ok := places.Language(*language)
		if !ok {
			repairs = append(repairs, named(RepairLanguage, *language))
		}
		*language = tag
	}
	if *country != "" {
		code, ok := places.Country(*country)
		if !ok {
			repairs = append(repairs, named(RepairCountry, *country))
		}
		*country = code
	}
	if *region != "" {
		code, ok := places.Region(*country, *region)
		if !ok {
			repairs = append(repairs, named(RepairRegion, *region+" ("+*country+")"))
		} else if *country == "" {
			*country = code[:len("US")] // an ISO 3166-2 code begins with it
		}
		*region = code
	}
	return repairs
}
