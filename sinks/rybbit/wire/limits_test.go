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

// observer calls itself with each event.
type observer func(*pipeline.Event)

func (o observer) Event(ev *pipeline.Event) { o(ev) }
func (o observer) Done()                    {}

// TestLimitsLeaveNothingToCut checks that what a format says of its limits is
// what its encoder needs: after normalization to them, where each cut is
// counted, the encoder cuts nothing more. It does where a limit is of several
// fields together: a page URL with its escapes, and properties with what stands
// among them for an outbound click or an error.
func TestLimitsLeaveNothingToCut(t *testing.T) {
	for _, format := range wire.Formats() {
		rapid.Check(t, func(t *rapid.T) {
			source := &drawn{events: rapid.SliceOfN(events(false), 1, 10).Draw(t, "events")}
			translation := pipeline.Translation{
				Normalizer: pipeline.Normalizer{Limits: format.Limits()},
				Encoder:    format,
				Observe: func() pipeline.Observer {
					return observer(func(ev *pipeline.Event) {
						for f := range pipeline.Field(pipeline.Fields) {
							switch {
							case !ev.Has(f) || f == pipeline.FieldPrecision:
							case format.Limits().URL != 0 && (f == pipeline.FieldPath || f == pipeline.FieldQuery):
							case ev.Kind == pipeline.Outbound || ev.Kind == pipeline.Error:
							case format.Carries(f, ev) == wire.Shortened:
								t.Errorf("%s cuts the %v of %+v", format.Platform(), f, ev)
							}
						}
					})
				},
			}
			_, err := translation.Run(context.Background(), source, pipeline.Mark{},
				func(context.Context, pipeline.Mark, *pipeline.Encoded) error { return nil })
			if err != nil {
				t.Fatal(err)
			}
		})
	}
}
