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
// events. They are for one worker; nil remembers nothing.
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

// normalize normalizes f, and returns a memo of what came of it. The function do
// normalizes what is not known yet.
func (m *memos) normalize(f *facts, do func(f *facts, repair func(string)), repair func(string)) *Memo {
	if m == nil {
		do(f, repair)
		return nil
	}
	slot := &m[f.hash()>>(32-memoBits)]
	known := *slot
	if known == nil || known.before != *f {
		known = &memo{before: *f}
		for i, s := range known.before.texts {
			known.before.texts[i] = strings.Clone(s) // without the chunk that it points into
		}
		known.after = known.before
		do(&known.after, func(kind string) { known.repairs = append(known.repairs, kind) })
		*slot = known
	}
	*f = known.after
	for _, kind := range known.repairs {
		repair(kind)
	}
	return &known.Memo
}

// known is what a worker remembers.
type known struct{ clients, places memos }

func (k *known) client(ev *Event, repair func(string)) {
	var m *memos
	if k != nil {
		m = &k.clients
	}
	f := facts{[5]string{ev.Browser, ev.BrowserVersion, ev.OS, ev.OSVersion, ev.Device}, ev.ScreenWidth, ev.ScreenHeight, ev.ClientApart}
	ev.ClientMemo = m.normalize(&f, normalizeClient, repair)
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

func (k *known) place(ev *Event, repair func(string)) {
	var m *memos
	if k != nil {
		m = &k.places
	}
	f := facts{texts: [5]string{ev.Language, ev.Country, ev.Region, ev.City}}
	ev.PlaceMemo = m.normalize(&f, normalizePlace, repair)
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
