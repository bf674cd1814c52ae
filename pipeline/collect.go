package pipeline

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
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
	for _, s := range append(c.texts(), &c.Origin.Input, &c.Raw) {
		*s = strings.Clone(*s)
	}
	c.Properties = cloneProperties(ev.Properties)
	c.UserProperties = cloneProperties(ev.UserProperties)
	return c
}

// texts are the event's strings, but for properties and where it stood.
func (ev *Event) texts() []*string {
	return []*string{
		&ev.Name, &ev.Visitor, &ev.Session, &ev.Identified, &ev.Hostname, &ev.Path, &ev.Query, &ev.Title, &ev.Referrer,
		&ev.Browser, &ev.BrowserVersion, &ev.OS, &ev.OSVersion, &ev.Device, &ev.Language, &ev.Country, &ev.Region, &ev.City,
		&ev.TimeZone, &ev.Target, &ev.TargetText, &ev.Message,
	}
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
	return &surveyed{ahead: []Chunk{&collector{events: events}}}
}

// Survey reads the first chunks of src, until they hold at least so many
// events, and returns these as the adapter made them, together with a source
// that yields all that src would have yielded, in the same chunks. Closing it
// closes src.
func Survey(ctx context.Context, src Source, events int) ([]Event, Source, error) {
	var sample []Event
	s := &surveyed{rest: src}
	for len(sample) < events {
		chunk, err := src.Next(ctx)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, nil, err
		}
		c := new(collector)
		if err := c.decode(chunk); err != nil {
			return nil, nil, err
		}
		s.ahead = append(s.ahead, c)
		sample = append(sample, c.events...)
	}
	return sample, s, nil
}

type surveyed struct {
	ahead []Chunk
	rest  Source // nil is none
}

func (s *surveyed) Next(ctx context.Context) (Chunk, error) {
	if len(s.ahead) > 0 {
		chunk := s.ahead[0]
		s.ahead = s.ahead[1:]
		return chunk, nil
	}
	if s.rest == nil {
		return nil, io.EOF
	}
	return s.rest.Next(ctx)
}

func (s *surveyed) Close() error {
	if s.rest == nil {
		return nil
	}
	return s.rest.Close()
}
