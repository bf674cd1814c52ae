package hopper

import (
	"context"
	"errors"
	"slices"
	"time"

	"hopper/adapters"
	"hopper/pipeline"
	"hopper/sinks/rybbit/wire"
)

// Inspection is what an export holds and what would become of it.
type Inspection struct {
	Source   string         `json:"source"`
	Shape    string         `json:"shape"`
	Schema   string         `json:"schema"`
	Notes    []string       `json:"notes"`
	Inputs   []string       `json:"inputs"`
	Rows     int64          `json:"rows"`
	Events   int64          `json:"events"`
	Earliest string         `json:"earliest,omitempty"`
	Latest   string         `json:"latest,omitempty"`
	Rejected pipeline.Tally `json:"rejected"`
	Omitted  pipeline.Tally `json:"omitted"`
	Repaired pipeline.Tally `json:"repaired"`
	// Wires are the wire formats, the one that loses least first.
	Wires  []WireVerdict `json:"wires"`
	Fields []FieldRow    `json:"fields"`
}

// WireVerdict is what a wire format does to the events as a whole.
type WireVerdict struct {
	Wire string `json:"wire"`
	// Refused is how many events it cannot carry at all.
	Refused int64 `json:"refused"`
	// Loses are the fields that it loses or shortens for some events.
	Loses []string `json:"loses"`
	// Seconds is about how long a server needs to store the events in this format,
	// by experience with others.
	Seconds float64 `json:"seconds"`
}

// FieldRow is a row of the fidelity table.
type FieldRow struct {
	Field  string                  `json:"field"`
	Events int64                   `json:"events"`
	Share  float64                 `json:"share"` // of all events
	Wires  map[string]FieldVerdict `json:"wires"`
}

// FieldVerdict counts the events that fill a field by what a wire format makes of it.
type FieldVerdict struct {
	// Verdict is the worst that occurs, or "refused" when the format takes none
	// of the events that fill the field.
	Verdict   string `json:"verdict"`
	Kept      int64  `json:"kept"`
	Derived   int64  `json:"derived"`
	Shortened int64  `json:"shortened"`
	Lost      int64  `json:"lost"`
	Refused   int64  `json:"refused"`
}

// Inspect reads the export through and says what is in it, what is repaired,
// left out or rejected, and what each wire format would lose. It uploads nothing.
func (e *Export) Inspect(ctx context.Context) (_ *Inspection, err error) {
	now := time.Now()
	reading, err := e.open(ctx, e.reading(now))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, reading.Source.Close()) }()
	translation := pipeline.Translation{Normalizer: e.normalizer("", now), Jobs: e.options.Jobs}
	survey, err := surveyAll(ctx, &translation, reading.Source, e.came)
	if err != nil {
		return nil, err
	}
	stats := survey.stats
	i := &Inspection{
		Source: e.Source(), Shape: reading.Shape, Schema: reading.Schema, Notes: append([]string{}, slices.Concat(doubtful(reading), reading.Notes, reading.Advice)...), Inputs: e.Inputs(),
		Rows: stats.Rows, Events: stats.Events,
		Rejected: orEmpty(stats.Rejected), Omitted: orEmpty(stats.Omitted), Repaired: orEmpty(stats.Repaired),
	}
	i.Earliest, i.Latest = span(&stats)
	i.fidelity(&survey.Survey)
	return i, nil
}

// doubtful returns as a note why an import would stop, if it would.
func doubtful(reading *adapters.Reading) []string {
	if reading.Doubt == nil {
		return nil
	}
	return []string{"An import stops unless it is forced: " + reading.Doubt.Error() + "."}
}

// span returns the first and the last time of an event, empty where there is none.
func span(stats *pipeline.Stats) (earliest, latest string) {
	if stats.Events == 0 {
		return "", ""
	}
	return stats.Earliest.Time().Format(time.RFC3339Nano), stats.Latest.Time().Format(time.RFC3339Nano)
}

func orEmpty(t pipeline.Tally) pipeline.Tally {
	if t == nil {
		return pipeline.Tally{}
	}
	return t
}

func (i *Inspection) fidelity(survey *wire.Survey) {
	for _, f := range survey.Rank() {
		v := WireVerdict{Wire: f.Platform(), Refused: survey.Refused(f), Loses: []string{}}
		v.Seconds = needed(survey.Events()-v.Refused, float64(f.EventsPerSecond())).Seconds()
		for _, field := range survey.Loses(f) {
			v.Loses = append(v.Loses, field.String())
		}
		i.Wires = append(i.Wires, v)
	}
	i.Fields = []FieldRow{}
	for _, row := range survey.Rows() {
		f := FieldRow{
			Field: row.Field.String(), Events: row.Events,
			Share: float64(row.Events) / float64(survey.Events()), Wires: make(map[string]FieldVerdict),
		}
		for n, format := range wire.Formats() {
			v := row.Formats[n]
			verdict := FieldVerdict{
				v.Worst().String(), v[wire.Kept], v[wire.Derived], v[wire.Shortened], v[wire.Lost], row.Events - v.Total(),
			}
			if v.Total() == 0 {
				verdict.Verdict = "refused"
			}
			f.Wires[format.Platform()] = verdict
		}
		i.Fields = append(i.Fields, f)
	}
}
