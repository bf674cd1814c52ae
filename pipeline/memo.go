package pipeline

import (
	"bytes"
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
type Memo struct{ written [2]written }

// written is what a part wrote.
type written struct {
	part  *Part
	bytes []byte
}

// Append appends what part writes of ev, which is done once for each memo: it must
// depend on the memo's facts alone. A format should have two parts of one memo at
// most, because a memo keeps the latest two. Nil is a memo that keeps nothing.
func (m *Memo) Append(dst []byte, part *Part, ev *Event) []byte {
	if m == nil {
		return part.Write(dst, ev)
	}
	if m.written[0].part == part {
		return append(dst, m.written[0].bytes...)
	}
	if m.written[1].part == part {
		return append(dst, m.written[1].bytes...)
	}
	begin := len(dst)
	dst = part.Write(dst, ev)
	m.written = [2]written{{part, bytes.Clone(dst[begin:])}, m.written[0]}
	return dst
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

// size is how many bytes of text f has.
func (f *facts) size() (n int) {
	for i := range f.texts {
		n += len(f.texts[i])
	}
	return n
}

// hash tells most facts apart that occur together.
func (f *facts) hash() uint32 {
	h := uint32(f.width)*31 ^ uint32(f.height)
	for i := range f.texts {
		s := f.texts[i]
		if n := len(s); n > 0 {
			h ^= uint32(n) ^ uint32(s[0])<<8 ^ uint32(s[n/2])<<16 ^ uint32(s[n-1])<<24
		}
		h *= 0x9E3779B1
	}
	return h
}

// same is ==, for texts of which most are short.
func (f *facts) same(g *facts) bool {
	for i := range f.texts {
		if !sameText(f.texts[i], g.texts[i]) {
			return false
		}
	}
	return f.width == g.width && f.height == g.height && f.apart == g.apart
}

// sameText is ==, without a call for up to 16 bytes: it compares their first and
// last eight, or four, which may be the same ones.
func sameText(a, b string) bool {
	n := len(a)
	switch {
	case n != len(b):
		return false
	case n > 16:
		return a == b
	case n >= 8:
		return word(a, 0) == word(b, 0) && word(a, n-8) == word(b, n-8)
	case n >= 4:
		return half(a, 0) == half(b, 0) && half(a, n-4) == half(b, n-4)
	case n > 0:
		return a[0] == b[0] && a[n/2] == b[n/2] && a[n-1] == b[n-1]
	}
	return true
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

// find returns the memo of f, nil where there is none.
func (s *shelf) find(f *facts, hash uint32) *memo {
	for i, of := range &s.hashes {
		if of == hash && s.memos[i] != nil && s.memos[i].before.same(f) {
			return s.memos[i]
		}
	}
	return nil
}

type memo struct {
	Memo
	before, after facts
	repairs       []string
}

// recall returns what normalize makes of f, which may be f itself, and its memo,
// nil where it has none, and counts the repairs.
func (m *memos) recall(f *facts, normalize normalization, count func(string)) (*facts, *Memo) {
	if m == nil {
		return f.anew(normalize, count)
	}
	hash := f.hash()
	at := &m[hash>>(32-memoBits)]
	found := at.find(f, hash)
	if found == nil {
		if at.passed != hash || f.size() > longest {
			at.passed = hash
			return f.anew(normalize, count)
		}
		found = newMemo(f, normalize)
		at.memos[1], at.hashes[1] = at.memos[0], at.hashes[0]
		at.memos[0], at.hashes[0] = found, hash
	}
	for _, kind := range found.repairs {
		count(kind)
	}
	return &found.after, &found.Memo
}

func (f *facts) anew(normalize normalization, count func(string)) (*facts, *Memo) {
	for _, kind := range normalize(f) {
		count(kind)
	}
	return f, nil
}

func newMemo(f *facts, normalize normalization) *memo {
	m := &memo{before: *f}
	all := strings.Join(m.before.texts[:], "") // without the chunk that they point into
	for i, s := range m.before.texts {
		m.before.texts[i], all = all[:len(s)], all[len(s):]
	}
	m.after = m.before
	m.repairs = normalize(&m.after)
	return m
}

// normalization changes facts and returns what repairs that were, by kind.
type normalization func(*facts) (repairs []string)

// known is what a worker remembers. The zero known remembers nothing.
type known struct {
	clients, places *memos
	facts           facts // of the event at hand, so that it needs no memory of its own
}

func newKnown() *known { return &known{clients: new(memos), places: new(memos)} }

// client normalizes browser, system, device and screen. Of a browser's version only
// what is kept of it tells memos apart: the rest differs between many visitors.
func (k *known) client(ev *Event, count func(string)) {
	k.facts = facts{[5]string{ev.Browser, vocabulary.Major(ev.BrowserVersion), ev.OS, ev.OSVersion, ev.Device}, ev.ScreenWidth, ev.ScreenHeight, ev.ClientApart}
	f, memo := k.clients.recall(&k.facts, normalizeClient, count)
	ev.Browser, ev.BrowserVersion, ev.OS, ev.OSVersion, ev.Device = f.texts[0], f.texts[1], f.texts[2], f.texts[3], f.texts[4]
	ev.ScreenWidth, ev.ScreenHeight = f.width, f.height
	ev.ClientMemo = memo
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
	k.facts = facts{texts: [5]string{ev.Language, ev.Country, ev.Region, ev.City}}
	f, memo := k.places.recall(&k.facts, normalizePlace, count)
	ev.Language, ev.Country, ev.Region = f.texts[0], f.texts[1], f.texts[2]
	ev.PlaceMemo = memo
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
