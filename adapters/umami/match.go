package umami

import (
	"context"

	"hopper/adapters"
	"hopper/adapters/input"
)

// Title is "Umami".
func (Adapter) Title() string { return "Umami" }

// Options are the choices that the exports of Umami offer.
func (Adapter) Options() []adapters.Option { return []adapters.Option{adapters.Website} }

// Match looks for Umami's tables among the inputs.
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
	var events []*input.Input
	for _, in := range m.Own {
		if isJoined(ctx, in) {
			m.Joined = append(m.Joined, in)
		} else {
			events = append(events, in)
		}
	}
	m.Units = adapters.EachAlone(events)
	return m
}
