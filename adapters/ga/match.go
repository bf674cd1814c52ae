package ga

import (
	"context"
	"regexp"

	"hopper/adapters"
	"hopper/adapters/input"
)

// Title is "Google Analytics".
func (Adapter) Title() string { return "Google Analytics" }

// Options are the choices that the exports of Google Analytics offer.
func (Adapter) Options() []adapters.Option {
	return []adapters.Option{GAEvents, Dedupe, adapters.Website, adapters.PeriodUsers, adapters.DateOrders}
}

// Match looks for Google Analytics's tables among the inputs.
func (a Adapter) Match(ctx context.Context, inputs []*input.Input) adapters.Match {
	m := adapters.Match{Open: func(ctx context.Context, opt adapters.Options) (*adapters.Reading, error) {
		return open(ctx, inputs, opt)
	}}
	units := make(map[string]int)
	for _, in := range inputs {
		r, ours := detect(ctx, in)
		if !ours {
			continue
		}
		m.Fit, m.Own = adapters.Fits, append(m.Own, in)
		name, dated := unitOf(r)
		m.Sums = m.Sums || r.shape == report
		at, known := units[name]
		if !known {
			at, units[name] = len(m.Units), len(m.Units)
			m.Units = append(m.Units, adapters.Unit{Name: name, Dated: dated})
		}
		m.Units[at].Inputs = append(m.Units[at].Inputs, in)
	}
	return m
}

// sessionTable matches the names of Universal Analytics' tables.
var sessionTable = regexp.MustCompile(`.*ga_sessions_(\d{8})`)

// unitOf returns what an input is a part of: the table of a day, whose shards
// are one, or all reports, which complete each other; else it stands alone. It
// also reports whether that is a day's.
func unitOf(r recognized) (name string, dated bool) {
	if r.shape == report {
		return "reports", false
	}
	if found := dayTable.FindStringSubmatch(r.in.Name); found != nil {
		return "events_" + found[2], true
	}
	if found := sessionTable.FindStringSubmatch(r.in.Name); found != nil {
		return "ga_sessions_" + found[1], true
	}
	return r.in.Name, false
}
