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
	c.ClientMemo, c.PlaceMemo = nil, nil
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

// Sample bounds what [Peek] reads: it stops after the chunk with which the events,
// or the bytes that events and rejects take in memory, reach the bound.
type Sample struct{ Events, Bytes int }

// A Beginning is the first chunks of a source.
type Beginning struct {
	// Whole says that the source has no further chunks.
	Whole  bool
	chunks []Chunk
}

// Source returns a source of the beginning alone. It may be read several times,
// one after the other.
func (b *Beginning) Source() Source {
	kept := make([]Chunk, len(b.chunks))
	for i, c := range b.chunks {
		kept[i] = unreleased{c}
	}
	return &replayed{ahead: kept}
}

// Peek reads the first chunks of src and returns them, together with a source
// that yields all that src would have yielded, in the same chunks. Closing it
// closes src.
func Peek(ctx context.Context, src Source, most Sample) (*Beginning, Source, error) {
	b := new(Beginning)
	var events, bytes int
	for events < most.Events && bytes < most.Bytes {
		chunk, err := src.Next(ctx)
		if errors.Is(err, io.EOF) {
			b.Whole = true
			break
		}
		if err != nil {
			return nil, nil, err
		}
		n, size, err := b.take(chunk)
		if err != nil {
			return nil, nil, err
		}
		events += n
		bytes += size
	}
	return b, &replayed{ahead: slices.Clone(b.chunks), rest: src}, nil
}

// take appends a chunk, and returns how many events it holds and about how many
// bytes they take. Events are kept only where the chunk cannot be decoded again.
func (b *Beginning) take(chunk Chunk) (events, bytes int, err error) {
	c := new(collector)
	if again, ok := chunk.(Repeatable); ok && again.Repeatable() {
		b.chunks = append(b.chunks, chunk)
		err = chunk.Decode(&Emitter{stats: &c.stats, rejects: &c.rejects, event: func(ev *Event) {
			events++
			bytes += ev.size()
		}})
		return events, bytes + c.size(), err
	}
	b.chunks = append(b.chunks, c)
	err = c.decode(chunk)
	return len(c.events), c.size(), err
}

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

// size is how many bytes the collected events and rejects take, about.
func (c *collector) size() int {
	n := (cap(c.events) - len(c.events)) * int(unsafe.Sizeof(Event{}))
	for i := range c.events {
		n += c.events[i].size()
	}
	for i := range c.rejects {
		n += int(unsafe.Sizeof(Reject{})) + len(c.rejects[i].Raw)
	}
	return n
}

// replayed yields chunks that were decoded already, then those of a source.
type replayed struct {
	ahead []Chunk
	rest  Source // nil is none
}

func (s *replayed) Next(ctx context.Context) (Chunk, error) {
	if len(s.ahead) > 0 {
		chunk := s.ahead[0]
		s.ahead[0] = nil // it may be large
		s.ahead = s.ahead[1:]
		return chunk, nil
	}
	if s.rest == nil {
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
