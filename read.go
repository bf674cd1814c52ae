package hopper

import (
	"context"
	"errors"
	"time"

	"hopper/pipeline"
	"hopper/sinks/rybbit/wire"
)

// reader opens the source of a run, once for each pass. The first may be
// opened early, to choose the wire format by its beginning.
type reader struct {
	export *Export
	now    time.Time // when the migration began
	opened pipeline.Source
	told   bool
	// remarks are those of the source opened last.
	remarks func() []string
}

func (r *reader) open(ctx context.Context) (pipeline.Source, error) {
	if src := r.opened; src != nil {
		r.opened = nil
		return src, nil
	}
	reading, err := r.export.match.Open(ctx, r.export.reading(r.now))
	if err != nil {
		return nil, err
	}
	r.remarks = reading.Remarks
	if !r.told {
		r.told = true
		log := r.export.options.Log
		log.Info(reading.Shape, "schema", reading.Schema)
		for _, note := range reading.Notes {
			log.Warn(note)
		}
	}
	return reading.Source, nil
}

// remark tells what is known once the source has been read.
func (r *reader) remark() {
	if r.remarks == nil {
		return
	}
	for _, remark := range r.remarks() {
		r.export.options.Log.Warn(remark)
	}
}

// close closes a source that was opened early and never used.
func (r *reader) close() error {
	if r.opened == nil {
		return nil
	}
	return r.opened.Close()
}

// sample is how much of an input's beginning decides which wire format loses least.
var sample = pipeline.Sample{Events: 10_000, Bytes: 32 << 20}

// survey counts what the wire formats make of the input's beginning. It
// returns nil when the input has no events at all.
func (r *reader) survey(ctx context.Context, rules pipeline.Normalizer) (*wire.Survey, error) {
	src, err := r.open(ctx)
	if err != nil {
		return nil, err
	}
	events, rest, err := pipeline.Peek(ctx, src, sample)
	if err != nil {
		return nil, errors.Join(err, src.Close())
	}
	r.opened = rest
	if len(events) == 0 {
		return nil, nil
	}
	survey, _, err := surveyAll(ctx, &pipeline.Translation{Normalizer: rules}, pipeline.Replay(events), func(int64) {})
	return survey, err
}

// surveyAll counts what the wire formats make of a source's events.
func surveyAll(ctx context.Context, t *pipeline.Translation, src pipeline.Source, came func(events int64)) (*wire.Survey, pipeline.Stats, error) {
	all := new(wire.Survey)
	collect := func() pipeline.Collector[*wire.Survey] { return new(wire.Survey) }
	stats, err := pipeline.Translate(ctx, t, src, pipeline.Mark{}, collect, func(_ context.Context, chunk *pipeline.Collected[*wire.Survey]) error {
		all.Merge(chunk.Value)
		came(chunk.Before.Stats.Events + chunk.Stats.Events)
		return nil
	})
	return all, stats, err
}
