package ga

import (
	"context"

	"hopper/adapters"
	"hopper/adapters/input"
)

// Title is "Google Analytics".
func (Adapter) Title() string { return "Google Analytics" }

// Options are the choices that the exports of Google Analytics offer.
func (Adapter) Options() []adapters.Option { return []adapters.Option{GAEvents, Dedupe} }

// Match looks for Google Analytics's tables among the inputs.
func (a Adapter) Match(ctx context.Context, inputs []*input.Input) adapters.Match {
	m := adapters.Match{Open: func(ctx context.Context, opt adapters.Options) (*adapters.Reading, error) {
		return open(ctx, inputs, opt)
	}}
	if !detect(ctx, inputs) {
		return m
	}
	m.Fit = adapters.Fits
	for _, in := range inputs {
		if detect(ctx, []*input.Input{in}) {
			m.Own = append(m.Own, in)
		}
	}
	m.Units = []adapters.Unit{{Name: a.Title() + " export", Inputs: m.Own}}
	return m
}
