package plausible

import (
	"context"

	"hopper/adapters"
	"hopper/adapters/input"
)

// Title is "Plausible".
func (Adapter) Title() string { return "Plausible" }

// Options are the choices that the exports of Plausible offer.
func (Adapter) Options() []adapters.Option { return []adapters.Option{} }

// Match looks for Plausible's tables among the inputs.
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
