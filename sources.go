package hopper

import (
	"slices"

	"hopper/adapters"
	"hopper/adapters/events"
	"hopper/adapters/ga"
	"hopper/adapters/matomo"
	"hopper/adapters/plausible"
	"hopper/adapters/posthog"
	"hopper/adapters/simpleanalytics"
	"hopper/adapters/umami"
)

// Sources returns the adapters, in the order in which they are asked whether
// inputs are theirs.
func Sources() []adapters.Adapter {
	return []adapters.Adapter{umami.Adapter{}, plausible.Adapter{}, ga.Adapter{}, matomo.Adapter{}, posthog.Adapter{}, simpleanalytics.Adapter{}, events.Adapter{}}
}

// SourceNames returns what [Options.From] can be, but for "auto".
func SourceNames() []string {
	var names []string
	for _, a := range Sources() {
		names = append(names, a.Name())
	}
	return names
}

// SourceOptions returns the options that some adapters offer, each once.
func SourceOptions() []adapters.Option {
	var all []adapters.Option
	for _, a := range Sources() {
		for _, o := range a.Options() {
			if !slices.ContainsFunc(all, func(other adapters.Option) bool { return other.Name == o.Name }) {
				all = append(all, o)
			}
		}
	}
	return all
}

// offering returns the titles of the sources that offer an option.
func offering(option string) []string {
	var titles []string
	for _, a := range Sources() {
		if slices.ContainsFunc(a.Options(), func(o adapters.Option) bool { return o.Name == option }) {
			titles = append(titles, a.Title())
		}
	}
	return titles
}
