package pipeline

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"unsafe"
)

// Collect reads src to its end and returns all events as the adapter made
// them, before normalization. It holds them all in memory: it is for tests
// and for looking at samples.
func Collect(ctx context.Context, src Source) ([]Event, Stats, []Reject, error) {
	var c collector
	for {
		chunk, err := src.Next(ctx)
		if errors.Is(err, io.EOF) {
			return c.events, c.stats, c.rejects, nil
		}
		if err == nil {
			err = c.decode(chunk)
		}
		if err != nil {
			return c.events, c.stats, c.rejects, err
		}
	}
}

// collector is where a decoded chunk can be kept and replayed.
type collector struct {
	events  []Event
	stats   Stats
	rejects []Reject
}

func (c *collector) decode(chunk Chunk) error {
	return chunk.Decode(&Emitter{
		stats:   &c.stats,
		rejects: &c.rejects,
		event: func(ev *Event) {
			c.events = append(c.events, ev.Clone())
			c.stats.Events++
			c.stats.span(ev.Time)
		},
	})
}

// Decode replays the chunk that was decoded into c.
func (c *collector) Decode(out *Emitter) error {
	counted := c.stats.Clone()
	// The emitter counts events itself, after normalization.
	counted.Events, counted.Earliest, counted.Latest = 0, 0, 0
	out.stats.Merge(&counted)
	*out.rejects = append(*out.rejects, c.rejects...)
	for i := range c.events {
		ev := c.events[i]
		out.Event(&ev)
	}
	return nil
}

// Clone returns a copy of ev that shares no memory with it.
func (ev *Event) Clone() Event {
	c := *ev
	for s := range c.texts {
		*s = strings.Clone(*s)
	}
	c.Origin.Input, c.Raw = strings.Clone(ev.Origin.Input), strings.Clone(ev.Raw)
	c.Properties = cloneProperties(ev.Properties)
	c.UserProperties = cloneProperties(ev.UserProperties)
	c.ClientFrom, c.PlaceFrom, c.ClientMemo, c.PlaceMemo = Passage{}, Passage{}, nil, nil
	return c
}

func cloneProperties(ps []Property) []Property {
	ps = slices.Clone(ps)
	for i := range ps {
		ps[i].Key, ps[i].Value = strings.Clone(ps[i].Key), strings.Clone(ps[i].Value)
	}
	return ps
}

// Replay returns a source of events, in one chunk.
func Replay(events []Event) Source {
	return &replayed{ahead: []Chunk{&collector{events: events}}}
}

// Sample bounds what [TranslateSample] translates: it stops after the chunk with which
// the events, or the bytes that events and rejects take in memory, reach the bound.
type Sample struct{ Events, Bytes int }

// A Beginning is what was translated of a source.
type Beginning struct {
	Stats Stats
	// Whole says that the source has no further chunks.
	Whole bool
	// Chunks is how many chunks were translated, and Read how many were read.
	Chunks, Read int
}

var errSampled = errors.New("the sample is complete")

// TranslateSample is [Translate] of a source's first chunks. It returns also a source
// that yields all that src would have yielded, in the same chunks. Closing it closes src.
func TranslateSample[T any](
	ctx context.Context, t *Translation, src Source, most Sample, collect func() Collector[T],
	emit func(ctx context.Context, chunk *Collected[T]) error,
) (*Beginning, Source, error) {
	kept := &keeping{src: src, ctx: ctx}
	b := new(Beginning)
	bytes := 0
	stats, err := Translate(ctx, t, kept, Mark{}, InOnePass(collect, func() Collector[int] { return new(sizes) }),
		func(ctx context.Context, chunk *Collected[Both[T, int]]) error {
			if err := emit(ctx, &Collected[T]{chunk.Before, chunk.Value.First, chunk.Stats, chunk.Rejects}); err != nil {
				return err
			}
			b.Chunks++
			bytes += chunk.Value.Second
			for i := range chunk.Rejects {
				bytes += chunk.Rejects[i].size()
			}
			if chunk.Before.Stats.Events+chunk.Stats.Events >= int64(most.Events) || bytes >= most.Bytes {
				return errSampled
			}
			return nil
		})
	if b.Whole = err == nil; err != nil && !errors.Is(err, errSampled) {
		return nil, nil, err
	}
	b.Stats, b.Read = stats, len(kept.chunks)
	return b, &replayed{ahead: kept.chunks, err: kept.err, rest: src}, nil
}

// keeping keeps the chunks of a source, so that they can be decoded again.
type keeping struct {
	src    Source
	ctx    context.Context // which outlives the translation of a sample: a source may not go on where its context has ended
	chunks []Chunk
	err    error // that ended the source
}

func (k *keeping) Next(context.Context) (chunk Chunk, err error) {
	if chunk, err = k.src.Next(k.ctx); err == nil {
		chunk, err = repeatable(chunk)
	}
	if k.err = err; err != nil {
		return nil, err
	}
	k.chunks = append(k.chunks, chunk)
	return unreleased{chunk}, nil
}

// Close leaves the source open.
func (k *keeping) Close() error { return nil }

// repeatable returns a chunk that can be decoded again. Its events are kept only
// where the chunk itself cannot.
func repeatable(chunk Chunk) (Chunk, error) {
	if again, ok := chunk.(Repeatable); ok && again.Repeatable() {
		return chunk, nil
	}
	c := new(collector)
	return c, c.decode(chunk)
}

// sizes collects how many bytes events take.
type sizes struct{ sum int }

func (s *sizes) Begin()        { s.sum = 0 }
func (s *sizes) Add(ev *Event) { s.sum += ev.size() }
func (s *sizes) Done() int     { return s.sum }

// size is how many bytes an event takes, about.
func (ev *Event) size() int {
	n := int(unsafe.Sizeof(*ev)) + len(ev.Raw)
	for s := range ev.texts {
		n += len(*s)
	}
	for _, ps := range [][]Property{ev.Properties, ev.UserProperties} {
		for _, p := range ps {
			n += int(unsafe.Sizeof(p)) + len(p.Key) + len(p.Value)
		}
	}
	return n
}

// size is how many bytes a reject takes, about.
func (r *Reject) size() int { return int(unsafe.Sizeof(*r)) + len(r.Raw) }

// replayed yields chunks that were read already, then those of a source.
type replayed struct {
	ahead []Chunk
	err   error  // what comes behind them, where rest has ended
	rest  Source // nil is none
}

func (s *replayed) Next(ctx context.Context) (Chunk, error) {
	if len(s.ahead) > 0 {
		chunk := s.ahead[0]
		s.ahead[0] = nil // it may be large
		s.ahead = s.ahead[1:]
		return chunk, nil
	}
	switch {
	case s.err != nil:
		return nil, s.err
	case s.rest == nil:
		return nil, io.EOF
	}
	return s.rest.Next(ctx)
}

func (s *replayed) Close() error {
	if s.rest == nil {
		return nil
	}
	return s.rest.Close()
}
