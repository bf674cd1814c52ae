// Package adapters holds what the adapters have in common: the contract of an
// adapter, the options that one can offer, and the parsing that every product's
// exports need.
//
// An [Adapter], one for each analytics product and in a package of its own
// beneath this one, recognizes its product's inputs (package input) and makes
// a [pipeline.Source] of them. ADAPTERS.md says how to write one. Errors that
// end a run are of type [input.Error] and say where and what to do. A record
// that cannot be read ends nothing: it is a reject of the source.
package adapters

import (
	"context"
	"time"

	"hopper/adapters/input"
	"hopper/adapters/input/spill"
	"hopper/pipeline"
	"hopper/pipeline/recount"
)

// An Adapter translates the exports of one analytics product.
type Adapter interface {
	// Name is what --from calls the product, "umami".
	Name() string
	// Title is what people call it, "Umami".
	Title() string
	// Options are the choices that only some adapters offer.
	Options() []Option
	// Match looks at the names and heads of inputs, which are one migration,
	// and reports what it found.
	Match(ctx context.Context, inputs []*input.Input) Match
}

// Relational is an [Adapter] whose product keeps its events in a database that
// people have at hand.
type Relational interface {
	// Relations are the tables that are read of a live database. Each is an input
	// of its own to Match, named as the table.
	Relations() []input.Relation
}

// Fit says how well inputs fit an adapter; a greater one is better.
type Fit uint8

const (
	// NoFit is nothing of the product's.
	NoFit Fit = iota
	// Near is something of the product's that cannot be used; Match.Err says why.
	Near
	// Fits is an export of the product's. Opening it can still fail.
	Fits
)

// A Match is what an adapter found in inputs.
type Match struct {
	Fit Fit
	// Err says of a Near fit why the inputs cannot be used: what was found, what
	// was expected and what to do.
	Err error
	// Own are the inputs that are the product's: those with events and those
	// that are joined to them.
	Own []*input.Input
	// Joined are those of Own that hold no events, but what belongs to events of
	// others, such as a table of sessions. Several migrations may share them.
	Joined []*input.Input
	// Units are the inputs of Own with events, grouped by what belongs together:
	// each unit can be imported without the others.
	Units []Unit
	// Tied, if set, says why units that are translated apart would not give what
	// they give together.
	Tied string
	// Sums says that some of Own hold sums of days rather than events.
	Sums bool
	// Open prepares to read the inputs. It is always there: a user can insist
	// with --from. It may read them through (for a join or a sort, spilling to
	// Options.TempDir) and returns early when ctx ends. An error names the input,
	// what was found, what was expected and what to do.
	Open func(ctx context.Context, opt Options) (*Reading, error)
}

// A Unit is a part of an export that can be imported by itself: a day's table,
// a month's file, an archive.
type Unit struct {
	Name   string
	Inputs []*input.Input
	// Dated says that Name stands for a day, so that units of other names hold
	// no events of its, and one of the same name holds the same day's.
	Dated bool
}

// EachAlone returns a unit for each input.
func EachAlone(inputs []*input.Input) []Unit {
	units := make([]Unit, len(inputs))
	for i, in := range inputs {
		units[i] = Unit{Name: in.Name, Inputs: inputs[i : i+1]}
	}
	return units
}

// An Option is a choice that an adapter offers. It has the same meaning in each
// adapter that offers it.
type Option struct {
	// Name is its flag's, without dashes.
	Name string
	// Placeholder stands for the value in help, as ID; empty is a switch, whose
	// value is "true".
	Placeholder string
	Help        string
	// Values are all that are allowed; none is any. The first is the default.
	Values []string
}

// Default returns the value that is the same as not choosing.
func (o Option) Default() string {
	switch {
	case len(o.Values) > 0:
		return o.Values[0]
	case o.Placeholder == "":
		return "false"
	}
	return ""
}

// Website is the option of sources whose exports can hold several sites.
var Website = Option{Name: "website", Placeholder: "SITE", Help: "read only the events of this site of the export: its id, name or domain"}

// Options are the choices of a user that change how inputs are read. The zero
// value is what most users want.
type Options struct {
	// Timezone is the zone of sources that give days or times without one; nil is UTC.
	Timezone *time.Location
	// Now is when the migration began, which a resumed run does not change. The
	// zero value is long ago. What a day's sums tell of today had happened by then.
	Now time.Time
	// TempDir is where a join or a sort spills; empty is the system's.
	TempDir string
	// Chosen holds the adapter's own options that are set, by name.
	Chosen map[string]string
}

// Get returns the value of an option, or its default.
func (o Options) Get(option Option) string {
	if value, chosen := o.Chosen[option.Name]; chosen {
		return value
	}
	return option.Default()
}

// Is reports whether a switch is on.
func (o Options) Is(option Option) bool { return o.Get(option) == "true" }

// Location returns the zone of times without one.
func (o Options) Location() *time.Location {
	if o.Timezone == nil {
		return time.UTC
	}
	return o.Timezone
}

// Scratch returns a maker of what counting puts records aside in.
func (o Options) Scratch() recount.Scratch { return scratch{o.TempDir} }

// scratch is in a directory.
type scratch struct{ dir string }

func (s scratch) Sorter(memory int) recount.Sorter { return &spill.Sorter{Dir: s.dir, Limit: memory} }

func (s scratch) Bins(memory int) recount.Bins { return &spill.Bins{Dir: s.dir, Limit: memory} }

// End returns when the day from start to end was over for an export: an export
// of today's sums does not reach to midnight.
func (o Options) End(start, end time.Time) time.Time {
	// A second is the least that a day can be made of.
	if least := start.Add(time.Second); o.Now.After(least) && o.Now.Before(end) {
		return o.Now
	}
	return end
}

// A Reading is an export that has been recognized and is ready to be read.
type Reading struct {
	Source pipeline.Source
	// Shape and Schema say what was recognized: "Umami Cloud export",
	// "41 columns, v2.19 or newer".
	Shape, Schema string
	// Notes are sentences a user should read before the import: what is
	// missing and was derived, what an answer depends on.
	Notes []string
	// Advice are sentences for those who can still export more: what would make
	// the import better, ready to be used. Inspect alone shows them.
	Advice []string
	// Doubt, if set, says why what would come of the export is implausible, and
	// what to add to it. An import stops with it unless it is forced.
	Doubt error
	// Remarks, if set, returns what is known only once the source has been
	// read: how what was made of the export differs from it, in sentences.
	Remarks func() []string
	// Verify compares what a translation of the source sends with what the
	// export itself says. It reads the source to its end.
	Verify func(ctx context.Context, t pipeline.Translation, progress func(events int64)) (*recount.Comparison, error)
	// Facts yields the rows of an export of events; nil is one of sums.
	Facts recount.Facts
}

// VerifyRows returns a [Reading]'s Verify for an export of events, whose rows
// are counted by themselves.
func VerifyRows(src pipeline.Source, opt Options, facts recount.Facts) func(context.Context, pipeline.Translation, func(int64)) (*recount.Comparison, error) {
	return func(ctx context.Context, t pipeline.Translation, progress func(events int64)) (*recount.Comparison, error) {
		return recount.Compare(ctx, recount.Export{Facts: facts, Source: src, Progress: progress, Scratch: opt.Scratch()}, t)
	}
}
