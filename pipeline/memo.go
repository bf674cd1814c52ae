package pipeline

import (
	"strings"

	"hopper/pipeline/places"
	"hopper/pipeline/vocabulary"
)

// A Memo is for an encoder to keep what it wrote of facts that many events share.
// It is one worker's.
type Memo struct {
	by    any
	bytes []byte
}

// Append appends what write appends of ev, which it does once for each memo. What
// that is must depend on the memo's facts alone. By says whose write it is; nil is
// a memo that keeps nothing.
func (m *Memo) Append(dst []byte, by any, ev *Event, write func([]byte, *Event) []byte) []byte {
	if m == nil {
		return write(dst, ev)
	}
	if m.by != by {
		m.by, m.bytes = by, write(nil, ev)
	}
	return append(dst, m.bytes...)
}

// facts are some of an event's, that are normalized together.
type facts struct {
	texts         [5]string
	width, height int
	apart         bool
}

// hash tells most facts apart that occur together.
func (f *facts) hash() uint32 {
	h := uint32(f.width)*31 ^ uint32(f.height)
	for _, s := range &f.texts {
		if n := len(s); n > 0 {
			h ^= uint32(n) ^ uint32(s[0])<<8 ^ uint32(s[n/2])<<16 ^ uint32(s[n-1])<<24
		}
		h *= 0x9E3779B1
	}
	return h
}

// memos remember what facts were normalized to, since few that differ stand in many
// events. They are for one worker.
type memos [memoSlots]*memo

const (
	memoBits  = 11
	memoSlots = 1 << memoBits
)

type memo struct {
	Memo
	before, after facts
	repairs       []string
}

// slot returns where the memo of f is, or is to be.
func (m *memos) slot(f *facts) **memo { return &m[f.hash()>>(32-memoBits)] }

// newMemo returns a memo of f that is to be normalized.
func newMemo(f *facts) *memo {
	m := &memo{before: *f}
	for i, s := range m.before.texts {
		m.before.texts[i] = strings.Clone(s) // without the chunk that it points into
	}
	m.after = m.before
	return m
}

func (m *memo) repair(kind string) { m.repairs = append(m.repairs, kind) }

// recall makes f what it was normalized to, and counts the repairs.
func (m *memo) recall(f *facts, repair func(string)) *Memo {
	*f = m.after
	for _, kind := range m.repairs {
		repair(kind)
	}
	return &m.Memo
}

// known is what a worker remembers; nil remembers nothing.
type known struct{ clients, places memos }

// client normalizes browser, system, device and screen. Nothing here is called by
// a value, so that nothing needs memory of its own for each event.
func (k *known) client(ev *Event, repair func(string)) {
	f := facts{[5]string{ev.Browser, ev.BrowserVersion, ev.OS, ev.OSVersion, ev.Device}, ev.ScreenWidth, ev.ScreenHeight, ev.ClientApart}
	if k == nil {
		normalizeClient(&f, repair)
	} else {
		slot := k.clients.slot(&f)
		if *slot == nil || (*slot).before != f {
			*slot = newMemo(&f)
			normalizeClient(&(*slot).after, (*slot).repair)
		}
		ev.ClientMemo = (*slot).recall(&f, repair)
	}
	ev.Browser, ev.BrowserVersion, ev.OS, ev.OSVersion, ev.Device = f.texts[0], f.texts[1], f.texts[2], f.texts[3], f.texts[4]
	ev.ScreenWidth, ev.ScreenHeight = f.width, f.height
}

func normalizeClient(f *facts, repair func(string)) {
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
		repair(RepairScreen)
	}
}

// place normalizes language, country and region.
func (k *known) place(ev *Event, repair func(string)) {
	f := facts{texts: [5]string{ev.Language, ev.Country, ev.Region, ev.City}}
	if k == nil {
		normalizePlace(&f, repair)
	} else {
		slot := k.places.slot(&f)
		if *slot == nil || (*slot).before != f {
			*slot = newMemo(&f)
			normalizePlace(&(*slot).after, (*slot).repair)
		}
		ev.PlaceMemo = (*slot).recall(&f, repair)
	}
	ev.Language, ev.Country, ev.Region = f.texts[0], f.texts[1], f.texts[2]
}

func normalizePlace(f *facts, repair func(string)) {
	language, country, region := &f.texts[0], &f.texts[1], &f.texts[2]
	if *language != "" {
		tag, ok := places.Language(*language)
		if !ok {
			repair(named(RepairLanguage, *language))
		}
		*language = tag
	}
	if *country != "" {
		code, ok := places.Country(*country)
		if !ok {
			repair(named(RepairCountry, *country))
		}
		*country = code
	}
	if *region != "" {
		code, ok := places.Region(*country, *region)
		if !ok {
			repair(named(RepairRegion, *region+" ("+*country+")"))
		} else if *country == "" {
			*country = code[:len("US")] // an ISO 3166-2 code begins with it
		}
		*region = code
	}
}
