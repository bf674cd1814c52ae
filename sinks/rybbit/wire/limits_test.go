package wire_test

import (
	"context"
	"io"
	"testing"

	"pgregory.net/rapid"

	"hopper/pipeline"
	"hopper/sinks/rybbit/wire"
)

// drawn is a source of one chunk that holds drawn events.
type drawn struct {
	events []pipeline.Event
	read   bool
}

func (d *drawn) Next(context.Context) (pipeline.Chunk, error) {
	if d.read {
		return nil, io.EOF
	}
	d.read = true
	return d, nil
}

func (d *drawn) Close() error { return nil }

func (d *drawn) Decode(out *pipeline.Emitter) error {
	for i := range d.events {
		ev := d.events[i].Clone()
		out.Event(&ev)
	}
	return nil
}

// watcher calls itself with each event.
type watcher func(*pipeline.Event)

func (w watcher) Begin()                 {}
func (w watcher) Add(ev *pipeline.Event) { w(ev) }
func (w watcher) Done() struct{}         { return struct{}{} }

// TestLimitsLeaveNothingToCut checks that what a format says of its limits is
// what its encoder needs: after normalization to them, where each cut is
// counted, the encoder cuts nothing more. It does where a limit is of several
// fields together: a page URL with its escapes, and properties with what stands
// among them for an outbound click or an error.
func TestLimitsLeaveNothingToCut(t *testing.T) {
	for _, format := range wire.Formats() {
		rapid.Check(t, func(t *rapid.T) {
			source := &drawn{events: rapid.SliceOfN(events(false), 1, 10).Draw(t, "events")}
			watch := watcher(func(ev *pipeline.Event) {
				for f := range pipeline.Field(pipeline.Fields) {
					switch {
					case !ev.Has(f) || f == pipeline.FieldPrecision:
					case format.Limits().URL != 0 && (f == pipeline.FieldPath || f == pipeline.FieldQuery):
					case f == pipeline.FieldProperties && format.Limits().Properties == 0: // one text of all of them
					case ev.Kind == pipeline.Outbound || ev.Kind == pipeline.Error:
					case format.Carries(f, ev) == wire.Shortened:
						t.Errorf("%s cuts the %v of %+v", format.Platform(), f, ev)
					}
				}
			})
			_, err := pipeline.Translate(context.Background(), &pipeline.Translation{Target: wire.Target(format)}, source, pipeline.Mark{},
				func() pipeline.Collector[struct{}] { return watch },
				func(context.Context, *pipeline.Collected[struct{}]) error { return nil })
			if err != nil {
				t.Fatal(err)
			}
		})
	}
}
