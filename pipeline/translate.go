package pipeline

import (
	"context"
	"errors"
	"io"
)

// A Target is what events are made ready for. Its zero value limits nothing
// and takes every event as it is.
type Target struct {
	// Limits are the lengths that normalization cuts to.
	Limits Limits
	// Refuses, if set, returns why the target cannot express ev at all, and ""
	// where it can. A refused event is counted as omitted under that reason.
	Refuses func(ev *Event) string
	// Adapts, if set, returns what the target changes in ev beyond cutting it to
	// the limits, to be counted as a repair of that kind, and "" for nothing.
	Adapts func(ev *Event) string
}

// A Mark is a place between two chunks of a source and all that was counted
// before it: enough to go on from there without decoding what precedes it.
type Mark struct {
	// Chunk is the index of the chunk that follows.
	Chunk int64 `json:"chunk"`
	// Stats counts everything before it; Stats.Events is the index of its first event.
	Stats Stats `json:"stats"`
}

// ErrShort is returned when a source ends before the mark to go on from.
var ErrShort = errors.New("the input ends before the place where its migration stopped; it has been changed")

// A Translation says what becomes of a source's events.
type Translation struct {
	Normalizer Normalizer
	Target     Target
	// Jobs is the number of workers; 0 is one.
	Jobs int
}

// Collected is what came of one chunk.
type Collected[T any] struct {
	// Before is the mark that stands before the chunk.
	Before Mark
	// Value is what the collector made of the chunk's events.
	Value T
	// Stats counts this chunk alone.
	Stats   Stats
	Rejects []Reject
}

// After returns the mark that stands behind the chunk.
func (c *Collected[T]) After() Mark {
	stats := c.Before.Stats.Clone()
	stats.Merge(&c.Stats)
	return Mark{Chunk: c.Before.Chunk + 1, Stats: stats}
}

// Translate translates src to its end and calls emit with what came of each
// chunk, in order. It returns what was counted in all. The chunks before from
// are cut from the input and neither decoded nor emitted. What emit gets is
// valid until emit returns.
//
// The function collect makes a collector; Translate calls it once for each
// chunk that is under way at the same time, from several goroutines, and uses
// what it returns for many chunks.
func Translate[T any](
	ctx context.Context, t *Translation, src Source, from Mark, collect func() Collector[T],
	emit func(ctx context.Context, chunk *Collected[T]) error,
) (Stats, error) {
	type output struct {
		Collected[T]
		collector Collector[T]
	}
	outputs := newSpare(4*t.Jobs, func() *output { return &output{collector: collect()} })
	memory := newSpare(t.Jobs, newKnown)
	for range from.Chunk {
		_, err := src.Next(ctx)
		if errors.Is(err, io.EOF) {
			return Stats{}, ErrShort
		}
		if err != nil {
			return Stats{}, err
		}
	}
	mark := Mark{Chunk: from.Chunk, Stats: from.Stats.Clone()}
	err := Ordered(ctx, t.Jobs, src.Next,
		func(chunk Chunk) (*output, error) {
			out := outputs.take()
			out.Collected = Collected[T]{}
			out.collector.Begin()
			remembered := memory.take()
			err := t.decode(chunk, &out.Stats, &out.Rejects, out.collector.Add, remembered)
			memory.put(remembered)
			out.Value = out.collector.Done()
			if r, ok := chunk.(Releasable); ok {
				r.Release()
			}
			return out, err
		},
		func(ctx context.Context, out *output) error {
			out.Before = mark
			err := emit(ctx, &out.Collected)
			mark.Chunk++
			mark.Stats.Merge(&out.Stats)
			outputs.put(out)
			return err
		})
	return mark.Stats, err
}

// spare keeps what waits to be used again. A sync.Pool would lose it to the garbage
// collector, and what collectors hold and workers remember takes long to grow.
type spare[T any] struct {
	waiting chan T
	create  func() T
}

// newSpare returns a spare that keeps at most n.
func newSpare[T any](n int, create func() T) *spare[T] {
	return &spare[T]{make(chan T, max(n, 1)), create}
}

func (s *spare[T]) take() T {
	select {
	case v := <-s.waiting:
		return v
	default:
		return s.create()
	}
}

func (s *spare[T]) put(v T) {
	select {
	case s.waiting <- v:
	default:
	}
}

// decode hands the events of a chunk, made ready for the target, to collect.
func (t *Translation) decode(chunk Chunk, stats *Stats, rejects *[]Reject, collect func(*Event), known *known) error {
	emitter := Emitter{stats: stats, rejects: rejects, known: known}
	emitter.event = func(ev *Event) {
		decided := t.Normalizer.normalize(ev, &t.Target.Limits, &stats.Repaired, known)
		if decided == (outcome{}) && t.Target.Refuses != nil {
			decided.omit = t.Target.Refuses(ev)
		}
		switch {
		case decided.reject != "":
			emitter.Reject(ev.Origin, decided.reject, ev.Raw)
			return
		case decided.omit != "":
			emitter.Omit(ev.Origin, decided.omit)
			return
		}
		if t.Target.Adapts != nil {
			if kind := t.Target.Adapts(ev); kind != "" {
				emitter.Repair(ev.Origin, kind)
			}
		}
		stats.Events++
		stats.span(ev.Time)
		collect(ev)
	}
	err := chunk.Decode(&emitter)
	if t.Normalizer.Privacy.leaves() {
		for i := range *rejects {
			(*rejects)[i].Raw = ""
		}
	}
	return err
}
