package ga

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"hopper/adapters"
	"hopper/adapters/input"
	"hopper/pipeline"
	"hopper/pipeline/recount"
)

// openReports prepares to read reports.
func openReports(ctx context.Context, inputs []*input.Input, opt adapters.Options) (*adapters.Reading, error) {
	r, err := readReports(ctx, inputs, opt)
	if err != nil {
		return nil, err
	}
	reading := &adapters.Reading{Shape: shapeNames[report]}
	r.reading(reading)
	reading.Source = &reportSource{reports: r, days: r.sorted(), first: true}
	reading.Verify = verifyReports(reading.Source, inputs, r.zone, opt)
	return reading, nil
}

// openBoth prepares to read reports of the days before there were events, and
// events from then on.
func openBoth(ctx context.Context, c *contents, opt adapters.Options) (*adapters.Reading, error) {
	r, err := readReports(ctx, c.reports, opt)
	if err != nil {
		return nil, err
	}
	reading, err := r.before(ctx, c, opt)
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return reading, nil
}

// before prepares to read the reports' days before there were events, and the events.
func (r *reports) before(ctx context.Context, c *contents, opt adapters.Options) (*adapters.Reading, error) {
	for _, one := range c.events {
		if err := one.in.Spool(ctx); err != nil {
			return nil, err
		}
	}
	first, err := firstDay(ctx, c.events, opt, r.zone)
	if err != nil {
		return nil, err
	}
	left := 0
	for day, sums := range r.days {
		if !day.Before(first) {
			left++
			r.loose.rows += sums.rows
			delete(r.days, day)
		}
	}
	if len(r.days) == 0 {
		return nil, input.Errorf(c.reports[0].Name, "is a report of days that the events of %s cover, and holds sums of the same events; import one or the other", c.events[0].in.Name)
	}
	reading, err := openEvents(ctx, c.events, opt)
	if err != nil {
		return nil, err
	}
	events := reading.Source
	before := new(adapters.Reading)
	r.reading(before)
	reading.Shape, reading.Schema = shapeNames[report]+", then "+reading.Shape, before.Schema+"; "+reading.Schema
	reading.Notes = append(before.Notes, reading.Notes...)
	reading.Notes = append(reading.Notes, fmt.Sprintf("Events begin on %s: reports are read up to the day before (%d days), and left out from then on (%d days).", first.Format(time.DateOnly), len(r.days), left))
	reading.Doubt, reading.Advice = before.Doubt, before.Advice
	reading.Source = &sequence{sources: []pipeline.Source{&reportSource{reports: r, days: r.sorted(), first: true}, events}}
	reading.Facts = nil
	reading.Verify = func(context.Context, pipeline.Translation, func(int64)) (*recount.Comparison, error) {
		return nil, input.Errorf(c.reports[0].Name, "is a report beside events: each is counted in a way of its own; verify the reports and the events by themselves")
	}
	return reading, nil
}

// firstDay returns the first day in a zone on which there are events.
func firstDay(ctx context.Context, all []recognized, opt adapters.Options, zone *time.Location) (time.Time, error) {
	src, err := eventSource(ctx, all, adapters.Options{Timezone: opt.Timezone, TempDir: opt.TempDir}, nil)
	if err != nil {
		return time.Time{}, err
	}
	defer src.Close()
	first := new(earliest)
	for {
		decode, err := src.chunk(ctx)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return time.Time{}, err
		}
		if err := decode(first, newSeen(src.seen)); err != nil {
			return time.Time{}, err
		}
	}
	y, m, d := first.at.Time().In(zone).Date()
	return time.Date(y, m, d, 0, 0, 0, 0, time.UTC), nil
}

// earliest is a sink that looks for the first event.
type earliest struct {
	nobody
	at pipeline.Micros
}

func (e *earliest) Event(ev *pipeline.Event) {
	if e.at == 0 || ev.Time < e.at {
		e.at = ev.Time
	}
}

// sequence reads sources one after the other.
type sequence struct {
	sources []pipeline.Source
	next    int
}

func (s *sequence) Next(ctx context.Context) (pipeline.Chunk, error) {
	for s.next < len(s.sources) {
		chunk, err := s.sources[s.next].Next(ctx)
		if !errors.Is(err, io.EOF) {
			return chunk, err
		}
		s.next++
	}
	return nil, io.EOF
}

func (s *sequence) Close() error {
	var err error
	for _, src := range s.sources {
		err = errors.Join(err, src.Close())
	}
	return err
}
