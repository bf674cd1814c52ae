// Package adapters holds what the adapters have in common: the contract of an
// adapter, and what a user can choose.
//
// An [Adapter], one for each analytics product and in a package of its own
// beneath this one, recognizes its product's inputs (package input) and makes
// a [pipeline.Source] of them. Errors that end a run are of type [input.Error]
// and say where and what to do. A record that cannot be read ends nothing: it
// is a reject of the source.
package adapters

import (
	"context"
	"time"

	"hopper/adapters/input"
	"hopper/pipeline"
)

// An Adapter translates the exports of one analytics product.
type Adapter interface {
	// Name is what --from calls the product, "umami".
	Name() string
	// Detect reports whether the inputs come from this product, by their names
	// and heads alone. An export of the product that cannot be used (without
	// dates, say) is detected too, so that Open can say what to export instead.
	Detect(inputs []*input.Input) bool
	// Open prepares to read the inputs, which are one migration. It may read
	// them through (for a join or a sort, spilling to opt.TempDir) and must
	// return early when ctx ends. An error names the input, what was found,
	// what was expected and what to do.
	Open(ctx context.Context, inputs []*input.Input, opt Options) (*Reading, error)
}

// A Joiner is an [Adapter] that takes inputs without events of their own, such
// as a table of sessions, which several migrations may share.
type Joiner interface {
	// Joined reports whether an input holds no events, but what is joined to
	// those of others. It looks at the input's head alone.
	Joined(in *input.Input) bool
}

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
	// Website is the only one to read of inputs that hold several (--website).
	Website string
	// AllEvents keeps the automatic events that record no user's action (--ga-events all).
	AllEvents bool
	// Dedupe drops events that a tracker sent twice (--dedupe).
	Dedupe bool
}

// Location returns the zone of times without one.
func (o Options) Location() *time.Location {
	if o.Timezone == nil {
		return time.UTC
	}
	return o.Timezone
}

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
	// Remarks, if set, returns what is known only once the source has been
	// read: how what was made of the export differs from it, in sentences.
	Remarks func() []string
}
