package hopper

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"hopper/adapters"
	"hopper/adapters/input"
	"hopper/pipeline"
)

// TestOpenedAhead checks which source is read where one was opened ahead, and that
// the others are closed.
func TestOpenedAhead(t *testing.T) {
	began := time.Date(2026, 11, 26, 8, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name           string
		now            time.Time
		err            error
		reads          bool
		opened, closed []time.Time
	}{
		{name: "new", now: began, reads: true, opened: []time.Time{began}},
		{name: "resumed", now: began.Add(-time.Hour), reads: true, opened: []time.Time{began, began.Add(-time.Hour)}, closed: []time.Time{began}},
		{name: "complete", now: began, opened: []time.Time{began}, closed: []time.Time{began}},
		{name: "broken", now: began, err: errors.New("broken"), reads: true, opened: []time.Time{began}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var opened, closed []time.Time
			e := &Export{inputs: new(input.Inputs)}
			e.match.Open = func(_ context.Context, o adapters.Options) (*adapters.Reading, error) {
				opened = append(opened, o.Now)
				return &adapters.Reading{Source: &closes{pipeline.Replay(nil), func() { closed = append(closed, o.Now) }}}, c.err
			}
			r := &reader{export: e, now: began}
			r.begin(t.Context(), true)
			r.now = c.now
			if c.reads {
				if reading, err := r.take(t.Context()); !errors.Is(err, c.err) || reading == nil {
					t.Errorf("opened %v, %v", reading, err)
				}
			}
			if err := r.close(); err != nil {
				t.Error(err)
			}
			if !slices.Equal(opened, c.opened) || !slices.Equal(closed, c.closed) {
				t.Errorf("opened %v and closed %v, want %v and %v", opened, closed, c.opened, c.closed)
			}
		})
	}
}

type closes struct {
	pipeline.Source
	closed func()
}

func (c *closes) Close() error { c.closed(); return c.Source.Close() }
