package umami

import (
	"context"
	"slices"

	"hopper/adapters"
	"hopper/adapters/input"
	"hopper/adapters/input/rows"
)

// Title is "Umami".
func (Adapter) Title() string { return "Umami" }

// Options are the choices that the exports of Umami offer.
func (Adapter) Options() []adapters.Option {
	return []adapters.Option{adapters.Website, adapters.DateOrders}
}

// Match looks for Umami's tables among the inputs.
func (a Adapter) Match(ctx context.Context, inputs []*input.Input) adapters.Match {
	m := adapters.Match{Open: func(ctx context.Context, opt adapters.Options) (*adapters.Reading, error) {
		return open(ctx, inputs, opt)
	}}
	if !detect(ctx, inputs) {
		m.Fit, m.Err = nearly(ctx, inputs)
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
	if i := slices.IndexFunc(events, func(in *input.Input) bool { return lacksVisits(ctx, in) }); i >= 0 {
		m.Tied = events[i].Name + " has no visit_id, so that visits follow from pauses, also across files"
	}
	return m
}

// lacksVisits reports whether a table of events does not say which visit each
// belongs to.
func lacksVisits(ctx context.Context, in *input.Input) bool {
	found, err := rows.Find(ctx, in)
	return err == nil && slices.ContainsFunc(found, func(t *rows.Table) bool {
		return (t.Column("url_path") >= 0 || t.Column("url") >= 0) && t.Column("visit_id") < 0
	})
}

// nearly recognizes databases as Umami is kept in, in forms that are no tables, and
// JSON that holds something of Umami's and no rows.
func nearly(ctx context.Context, inputs []*input.Input) (adapters.Fit, error) {
	for _, in := range inputs {
		switch in.Format() {
		case input.PGCustom:
			return adapters.Near, input.Errorf(in.Name, "is in pg_dump's custom format; convert it with pg_restore -f dump.sql %s and give dump.sql", in.Base)
		case input.SQLite:
			return adapters.Near, input.Errorf(in.Name, "is an SQLite database; write its tables as text with sqlite3 %s .dump > dump.sql and give dump.sql", in.Base)
		case input.JSON:
			if err := nearlyRows(ctx, in); err != nil {
				return adapters.Near, err
			}
		}
	}
	return adapters.NoFit, nil
}

// nearlyRows says of an object of JSON which of Umami's it is, or returns nil.
func nearlyRows(ctx context.Context, in *input.Input) error {
	found, err := rows.Find(ctx, in)
	if err != nil || len(found) != 1 {
		return nil
	}
	has := func(columns ...string) bool {
		return !slices.ContainsFunc(columns, func(name string) bool { return found[0].Column(name) < 0 })
	}
	switch {
	case has("website_event"):
		return input.Errorf(in.Name, "holds several tables in one JSON object (%s)", list(found[0].Header)).
			Advise("write each to a file of its own, as with jq .%s %s > website_event.json", found[0].Header[found[0].Column("website_event")], in.Base)
	case has("pageviews", "sessions"), has("pageviews", "visitors", "visits", "bounces", "totaltime"):
		return input.Errorf(in.Name, "is an answer of Umami's API with sums, from which no events can be made").
			Advise("export the events instead: %s", howToExport)
	}
	return nil
}
