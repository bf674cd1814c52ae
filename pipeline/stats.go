package pipeline

import (
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// Stats says what became of the records read so far. Each record ends as one
// or more events, as a reject or as an omission. The zero value is ready.
type Stats struct {
	// Rows are the records that the inputs held, header rows apart.
	Rows int64 `json:"rows"`
	// Events are those that passed normalization and go to the sink.
	Events int64 `json:"events"`
	// Earliest and Latest are the first and last time of an event.
	Earliest Micros `json:"earliest,omitzero"`
	Latest   Micros `json:"latest,omitzero"`
	// Repaired counts events that were changed to be kept, by what was wrong.
	Repaired Tally `json:"repaired,omitempty"`
	// Rejected counts records that could not be kept, by reason.
	Rejected Tally `json:"rejected,omitempty"`
	// Omitted counts records that are no part of what was asked for, by reason.
	Omitted Tally `json:"omitted,omitempty"`
}

// Merge adds o, which was counted after s.
func (s *Stats) Merge(o *Stats) {
	s.Rows += o.Rows
	s.Events += o.Events
	s.span(o.Earliest)
	s.span(o.Latest)
	s.Repaired.merge(o.Repaired)
	s.Rejected.merge(o.Rejected)
	s.Omitted.merge(o.Omitted)
}

// Clone returns a copy that shares nothing with s.
func (s *Stats) Clone() Stats {
	c := *s
	c.Repaired = maps.Clone(s.Repaired)
	c.Rejected = maps.Clone(s.Rejected)
	c.Omitted = maps.Clone(s.Omitted)
	return c
}

func (s *Stats) span(t Micros) {
	if t == 0 {
		return
	}
	if s.Earliest == 0 || t < s.Earliest {
		s.Earliest = t
	}
	if s.Latest == 0 || t > s.Latest {
		s.Latest = t
	}
}

func (s *Stats) reject(at Origin, reason string) { s.Rejected.add(reason, at) }

// Tally counts occurrences by kind and remembers where each was first seen. A
// kind may name what it is about behind a colon: "unknown region dropped:
// Atlantis (GR)". Beyond [maxKinds], those that are new are counted as "others".
type Tally map[string]Occurrence

// maxKinds bounds a tally: an input can name anything.
const maxKinds = 256

// room returns kind, or what it is counted under when the tally is full.
func (t Tally) room(kind string) string {
	if _, seen := t[kind]; seen || len(t) < maxKinds {
		return kind
	}
	if prefix, _, named := strings.Cut(kind, ": "); named {
		return prefix + ": others"
	}
	return kind
}

// Occurrence is how often something was seen, and where first.
type Occurrence struct {
	Count int64  `json:"count"`
	Input string `json:"input"`
	Row   int64  `json:"row,omitempty"`
}

// First returns where it was first seen.
func (o Occurrence) First() Origin { return Origin{Input: o.Input, Row: o.Row} }

func (t *Tally) add(kind string, at Origin) {
	if *t == nil {
		*t = make(Tally)
	}
	kind = t.room(kind)
	o, seen := (*t)[kind]
	if !seen {
		// A tally outlives the chunk that the strings may point into.
		kind = strings.Clone(kind)
		o.Input, o.Row = strings.Clone(at.Input), at.Row
	}
	o.Count++
	(*t)[kind] = o
}

func (t *Tally) merge(later Tally) {
	if len(later) == 0 {
		return
	}
	if *t == nil {
		*t = make(Tally, len(later))
	}
	// Sorted, because a full tally takes whoever comes first.
	for _, kind := range slices.Sorted(maps.Keys(later)) {
		o := later[kind]
		kind = t.room(kind)
		if have, ok := (*t)[kind]; ok {
			have.Count += o.Count
			o = have
		}
		(*t)[kind] = o
	}
}

// Total is the sum over all kinds.
func (t Tally) Total() int64 {
	var n int64
	for _, o := range t {
		n += o.Count
	}
	return n
}

// Counts returns the counts alone.
func (t Tally) Counts() map[string]int64 {
	counts := make(map[string]int64, len(t))
	for kind, o := range t {
		counts[kind] = o.Count
	}
	return counts
}

// Kinds returns the kinds, the most frequent first.
func (t Tally) Kinds() []string {
	return slices.SortedFunc(maps.Keys(t), func(a, b string) int {
		if d := t[b].Count - t[a].Count; d != 0 {
			return int(max(-1, min(1, d)))
		}
		return strings.Compare(a, b)
	})
}

// A Reject is a record that could not become an event.
type Reject struct {
	Input  string `json:"input"`
	Row    int64  `json:"row"`
	Reason string `json:"reason"`
	// Raw is the record as read, cut after [MaxRaw] bytes.
	Raw string `json:"raw"`
}

// MaxRaw is how many bytes of a rejected record are kept.
const MaxRaw = 64 << 10

func newReject(at Origin, reason, raw string) Reject {
	if len(raw) > MaxRaw {
		end := MaxRaw
		for end > 0 && !utf8.RuneStart(raw[end]) {
			end--
		}
		raw = raw[:end]
	}
	return Reject{
		Input:  strings.Clone(at.Input),
		Row:    at.Row,
		Reason: strings.Clone(reason),
		Raw:    strings.ToValidUTF8(strings.Clone(raw), "\uFFFD"),
	}
}
