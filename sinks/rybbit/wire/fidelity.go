package wire

import (
	"cmp"
	"fmt"
	"slices"

	"hopper/pipeline"
)

// Fidelity is what becomes of a field on its way into Rybbit; a greater one is worse.
type Fidelity uint8

const (
	// Kept fields read back as they were.
	Kept Fidelity = iota
	// Derived fields arrive in another form that says the same: under
	// another name, in another spelling, or as a property.
	Derived
	// Shortened fields arrive cut, or within the text of another field, where
	// the dashboard cannot tell them apart.
	Shortened
	// Lost fields do not arrive.
	Lost

	fidelities = iota
)

var fidelityNames = [fidelities]string{"kept", "derived", "shortened", "lost"}

// String returns the verdict as the fidelity table prints it.
func (f Fidelity) String() string {
	if int(f) < len(fidelityNames) {
		return fidelityNames[f]
	}
	return fmt.Sprintf("fidelity(%d)", uint8(f))
}

// MarshalText writes the verdict's name.
func (f Fidelity) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// A Survey counts what each wire format would make of events. The zero Survey
// is ready. Events are to be normalized without limits: what a format would
// cut shows only then. A Survey serves one goroutine; [Survey.Merge] adds up several.
type Survey struct {
	events  int64
	present [pipeline.Fields]int64
	wires   [len(wires)]wireSurvey
	// found are the verdicts on the latest event, in memory that is used again.
	found []byte
}

type wireSurvey struct {
	refused int64
	cost    int64
	fields  [pipeline.Fields]Verdicts
}

// Verdicts counts events by what becomes of one field of theirs.
type Verdicts [fidelities]int64

// Worst returns the worst verdict that occurs.
func (v Verdicts) Worst() Fidelity {
	for f := Lost; f > Kept; f-- {
		if v[f] > 0 {
			return f
		}
	}
	return Kept
}

// Begin forgets what was counted; with [Survey.Done] it makes a Survey a
// collector.
func (s *Survey) Begin() { *s = Survey{found: s.found} }

// Done returns s.
func (s *Survey) Done() *Survey { return s }

// Add counts ev. An event that a format refuses counts as refused there, and
// in none of its fields.
func (s *Survey) Add(ev *pipeline.Event) {
	s.events++
	var refused [len(wires)]bool
	for i, w := range wires {
		if refused[i] = w.Refuses(ev) != ""; refused[i] {
			s.wires[i].refused++
		}
	}
	s.found = ev.ClientMemo.Append(s.found[:0], &clientVerdicts, ev)
	s.found = ev.PlaceMemo.Append(s.found, &placeVerdicts, ev)
	s.found = appendVerdicts(s.found, ev, ownFields, &refused)
	for found := s.found; len(found) > 0; found = found[1+len(wires):] {
		f := pipeline.Field(found[0])
		s.present[f]++
		weight := weight(f, ev)
		for i, verdict := range found[1 : 1+len(wires)] {
			counts := &s.wires[i]
			if refused[i] {
				counts.cost += weight * costs[Lost]
				continue
			}
			counts.fields[f][verdict]++
			counts.cost += weight * costs[verdict]
		}
	}
}

// What becomes of an event's client and place depends on nothing else of the event, so
// that their memos keep the verdicts for all events that share them.
var (
	clientFields = []pipeline.Field{
		pipeline.FieldBrowser, pipeline.FieldBrowserVersion, pipeline.FieldOS, pipeline.FieldOSVersion, pipeline.FieldDevice, pipeline.FieldScreen,
	}
	placeFields = []pipeline.Field{pipeline.FieldLanguage, pipeline.FieldCountry, pipeline.FieldRegion, pipeline.FieldCity}
	// ownFields are all others.
	ownFields = func() (own []pipeline.Field) {
		for f := range pipeline.Field(pipeline.Fields) {
			if !slices.Contains(clientFields, f) && !slices.Contains(placeFields, f) {
				own = append(own, f)
			}
		}
		return own
	}()

	clientVerdicts = pipeline.Part{Write: func(dst []byte, ev *pipeline.Event) []byte {
		return appendVerdicts(dst, ev, clientFields, new([len(wires)]bool))
	}}
	placeVerdicts = pipeline.Part{Write: func(dst []byte, ev *pipeline.Event) []byte {
		return appendVerdicts(dst, ev, placeFields, new([len(wires)]bool))
	}}
)

// appendVerdicts appends, for each of the fields that ev fills, the field and what
// becomes of it in each format, which is not asked where it refuses ev.
func appendVerdicts(dst []byte, ev *pipeline.Event, fields []pipeline.Field, refused *[len(wires)]bool) []byte {
	for _, f := range fields {
		if !ev.Has(f) {
			continue
		}
		dst = append(dst, byte(f))
		for i, w := range wires {
			verdict := Lost
			if !refused[i] {
				verdict = w.Carries(f, ev)
			}
			dst = append(dst, byte(verdict))
		}
	}
	return dst
}

// Merge adds what o has counted.
func (s *Survey) Merge(o *Survey) {
	s.events += o.events
	for f, n := range o.present {
		s.present[f] += n
	}
	for i := range o.wires {
		s.wires[i].refused += o.wires[i].refused
		s.wires[i].cost += o.wires[i].cost
		for f := range o.wires[i].fields {
			for verdict, n := range o.wires[i].fields[f] {
				s.wires[i].fields[f][verdict] += n
			}
		}
	}
}

// of returns what was counted for w, which must be one of [Formats].
func (s *Survey) of(w Format) *wireSurvey { return &s.wires[slices.Index(wires[:], w)] }

// Events returns how many events were added.
func (s *Survey) Events() int64 { return s.events }

// Refused returns how many of them the format refuses.
func (s *Survey) Refused(w Format) int64 { return s.of(w).refused }

// A Row of the fidelity table is a field that the input fills.
type Row struct {
	Field pipeline.Field
	// Events is how many events fill the field.
	Events int64
	// Formats holds what each format does to it, in the order of [Formats].
	Formats []Verdicts
}

// Rows returns the fidelity table: the fields that some event fills.
func (s *Survey) Rows() []Row {
	var rows []Row
	for f, n := range s.present {
		if n == 0 {
			continue
		}
		row := Row{Field: pipeline.Field(f), Events: n}
		for i := range s.wires {
			row.Formats = append(row.Formats, s.wires[i].fields[f])
		}
		rows = append(rows, row)
	}
	return rows
}

// Total is how many events were counted: those that fill the field, but for
// the ones that the format refuses.
func (v Verdicts) Total() int64 {
	var n int64
	for _, count := range v {
		n += count
	}
	return n
}

// Loses returns the fields of which the format loses or cuts something. A field
// is lost, too, when the format refuses all events that fill it.
func (s *Survey) Loses(w Format) []pipeline.Field {
	var fields []pipeline.Field
	for f, counts := range s.of(w).fields {
		if counts.Worst() >= Shortened || s.present[f] > 0 && counts.Total() == 0 {
			fields = append(fields, pipeline.Field(f))
		}
	}
	return fields
}

// costs say how much of a field's weight a verdict costs, in eighths.
var costs = [fidelities]int64{Kept: 0, Derived: 1, Shortened: 2, Lost: 8}

// weight says how much a field of ev matters. The title of an event that is no
// pageview shows nowhere, so that it never outweighs what does.
func weight(f pipeline.Field, ev *pipeline.Event) int64 {
	if f == pipeline.FieldTitle && ev.Kind != pipeline.Pageview {
		return 0
	}
	return f.Weight()
}

// Cost returns how much the format loses of the events added: 0 where all that
// matters is kept, else the sum over events and fields of the field's weight times
// the verdict's cost. Only comparing costs of one Survey makes sense.
func (s *Survey) Cost(w Format) int64 { return s.of(w).cost }

// Rank returns the wire formats in the order of what they lose of the events
// added, least first. Of equals the one comes first that servers store faster,
// and then the richer one.
func (s *Survey) Rank() []Format {
	wires := Formats()
	slices.SortStableFunc(wires, func(a, b Format) int {
		return cmp.Or(cmp.Compare(s.Cost(a), s.Cost(b)), cmp.Compare(b.EventsPerSecond(), a.EventsPerSecond()))
	})
	return wires
}
