package hopper

import (
	"context"
	"errors"
	"time"

	"hopper/adapters"
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
	// doubt says why what comes of the inputs is implausible, if it is.
	doubt error
	ahead *ahead // nil where nothing is opened ahead
}

// ahead is the opening of a source beside something else.
type ahead struct {
	now    time.Time
	cancel context.CancelFunc
	done   chan struct{}
	// reading and err are what came of it.
	reading *adapters.Reading
	err     error
}

// begin opens the source, or does so beside the identification of the inputs: where
// sum is set, what is read to its end to open it is summed up on the way, so that it
// need not be read once more to be identified. It does so where two that read take
// little more than one after the other.
func (r *reader) begin(ctx context.Context, sum bool) {
	if r.export.identity != nil || !r.export.inputs.Local() {
		return
	}
	ctx, cancel := context.WithCancel(ctx)
	a := &ahead{now: r.now, cancel: cancel, done: make(chan struct{})}
	r.ahead = a
	r.export.inputs.SumUp(sum)
	go func() {
		defer close(a.done)
		defer r.export.inputs.SumUp(false)
		a.reading, a.err = r.export.openUnseen(ctx, r.export.reading(a.now))
	}()
}

// settle returns when what begin opens is open, or cannot be, of which whoever takes
// it learns the reason.
func (r *reader) settle() {
	if r.ahead != nil {
		_ = r.export.during("surveying", r.export.inputs.BytesRead, r.ahead.wait)
	}
}

// take opens the source, or returns what begin opened as of the same time.
func (r *reader) take(ctx context.Context) (*adapters.Reading, error) {
	a := r.ahead
	r.ahead = nil
	if a != nil && a.now.Equal(r.now) {
		err := r.export.during("surveying", r.export.inputs.BytesRead, a.wait)
		return a.reading, err
	}
	if err := a.drop(); err != nil {
		return nil, err
	}
	return r.export.open(ctx, r.export.reading(r.now))
}

// wait returns when the source is open, or cannot be.
func (a *ahead) wait() error {
	<-a.done
	return a.err
}

// drop closes what nobody reads.
func (a *ahead) drop() error {
	if a == nil {
		return nil
	}
	a.cancel()
	if a.wait() != nil {
		return nil // whoever opens it again meets the same error
	}
	return a.reading.Source.Close()
}

func (r *reader) open(ctx context.Context) (pipeline.Source, error) {
	if src := r.opened; src != nil {
		r.opened = nil
		return src, nil
	}
	reading, err := r.take(ctx)
	if err != nil {
		return nil, err
	}
	r.remarks, r.doubt = reading.Remarks, reading.Doubt
	if !r.told {
		r.told = true
		log := r.export.options.Log
		log.Info(reading.Shape, "event", "recognized", "schema", reading.Schema)
		for _, note := range reading.Notes {
			log.Warn(note, "event", "note")
		}
	}
	return reading.Source, nil
}

// remark logs what is known once the source has been read.
func (r *reader) remark() {
	if r.remarks == nil {
		return
	}
	for _, remark := range r.remarks() {
		r.export.options.Log.Warn(remark, "event", "note")
	}
}

// close closes a source that was opened early and never used.
func (r *reader) close() error {
	err := r.ahead.drop()
	if r.opened == nil {
		return err
	}
	return errors.Join(err, r.opened.Close())
}

// sample is how much of an input's beginning decides which wire format loses least.
var sample = pipeline.Sample{Events: 10_000, Bytes: 32 << 20}

// maxShown is how many rejects of an input that is not imported are kept to be
// shown.
const maxShown = 1000

// surveyed is what became of a source's events, or of its beginning's.
type surveyed struct {
	wire.Survey
	stats pipeline.Stats
	// rejects are the first ones, at most maxShown.
	rejects []pipeline.Reject
	// whole says that there is no more than that.
	whole bool
}

// survey counts what becomes of the input's beginning.
func (r *reader) survey(ctx context.Context, rules pipeline.Normalizer) (*surveyed, error) {
	src, err := r.open(ctx)
	if err != nil {
		return nil, err
	}
	s := new(surveyed)
	t := &pipeline.Translation{Normalizer: rules, Jobs: r.export.options.Jobs}
	beginning, rest, err := pipeline.TranslateSample(ctx, t, src, sample, newSurvey, s.add)
	if err != nil {
		return nil, errors.Join(err, src.Close())
	}
	r.opened = rest
	s.stats, s.whole = beginning.Stats, beginning.Whole
	events := s.stats.Events
	if !s.whole {
		// Chunks are about as large as one another. One may be read ahead, or a part of it.
		read := events * int64(2*beginning.Read+1) / int64(2*beginning.Chunks)
		events = proportion(read, r.export.inputs.BytesRead(), r.export.inputs.Size())
	}
	r.export.expected.Store(events)
	if s.stats.Events > 0 || s.whole {
		return s, nil
	}
	return r.surveyRest(ctx, rules)
}

// surveyRest reads an input to its end whose beginning gives no events.
func (r *reader) surveyRest(ctx context.Context, rules pipeline.Normalizer) (*surveyed, error) {
	err := r.close()
	r.opened = nil
	if err != nil {
		return nil, err
	}
	src, err := r.open(ctx)
	if err != nil {
		return nil, err
	}
	s, err := surveyAll(ctx, &pipeline.Translation{Normalizer: rules, Jobs: r.export.options.Jobs}, src, func(int64) {})
	if err = errors.Join(err, src.Close()); err != nil {
		return nil, err
	}
	s.whole = true
	return s, nil
}

// surveyAll counts what the wire formats make of a source's events.
func surveyAll(ctx context.Context, t *pipeline.Translation, src pipeline.Source, came func(events int64)) (*surveyed, error) {
	s := new(surveyed)
	stats, err := pipeline.Translate(ctx, t, src, pipeline.Mark{}, newSurvey, func(ctx context.Context, chunk *pipeline.Collected[*wire.Survey]) error {
		came(chunk.Before.Stats.Events + chunk.Stats.Events)
		return s.add(ctx, chunk)
	})
	s.stats = stats
	return s, err
}

func newSurvey() pipeline.Collector[*wire.Survey] { return new(wire.Survey) }

// add adds what came of a chunk, but for what is counted.
func (s *surveyed) add(_ context.Context, chunk *pipeline.Collected[*wire.Survey]) error {
	s.Merge(chunk.Value)
	s.rejects = append(s.rejects, chunk.Rejects[:min(len(chunk.Rejects), maxShown-len(s.rejects))]...)
	return nil
}
