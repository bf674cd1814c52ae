package plausible

import (
	"context"
	"path"
	"regexp"
	"slices"
	"strings"

	"hopper/adapters"
	"hopper/adapters/input"
	"hopper/adapters/input/rows"
)

// Title is "Plausible".
func (Adapter) Title() string { return "Plausible" }

// Options are the choices that the exports of Plausible offer.
func (Adapter) Options() []adapters.Option {
	return []adapters.Option{adapters.Website, adapters.PeriodUsers, adapters.DateOrders}
}

// Match looks for Plausible's tables among the inputs.
func (a Adapter) Match(ctx context.Context, inputs []*input.Input) adapters.Match {
	m := adapters.Match{Open: func(ctx context.Context, opt adapters.Options) (*adapters.Reading, error) {
		return open(ctx, inputs, opt)
	}}
	var events, sums, joined, others []*input.Input
	for _, in := range inputs {
		switch look(ctx, in) {
		case eventsRole:
			events = append(events, in)
		case sumsRole:
			sums = append(sums, in)
		case sessionsRole, sitesRole:
			joined = append(joined, in)
		case strangerRole:
			others = append(others, in)
		}
	}
	if len(events)+len(sums) == 0 {
		if m.Err = unusable(ctx, inputs); m.Err != nil {
			m.Fit = adapters.Near
		}
		return m
	}
	m.Fit, m.Joined = adapters.Fits, joined
	for _, in := range inputs {
		if !slices.Contains(others, in) {
			m.Own = append(m.Own, in)
		}
	}
	m.Units = append(adapters.EachAlone(events), exportsOf(sums)...)
	return m
}

// role is what an input is to Plausible.
type role uint8

const (
	strangerRole role = iota
	eventsRole
	sumsRole
	sessionsRole // sessions_v2, which is not needed
	sitesRole    // the sites' names
)

// look returns the role of an input by its columns. It reads no more than the
// head.
func look(ctx context.Context, in *input.Input) role {
	if !rows.IsTable(in) {
		return strangerRole
	}
	found, err := rows.Find(ctx, in)
	if err != nil || len(found) != 1 {
		return strangerRole
	}
	return roleOf(found[0])
}

func roleOf(t *rows.Table) role {
	if _, known := kindOf(t); known && (strings.HasPrefix(t.Input.Base, "imported_") || distinctive(t)) {
		return sumsRole
	}
	switch {
	case isEvents(t):
		return eventsRole
	case isSessions(t):
		return sessionsRole
	case isSites(t):
		return sitesRole
	}
	return strangerRole
}

func isSessions(t *rows.Table) bool { return t.Column("sign") >= 0 && t.Column("session_id") >= 0 }

// namedDays finds the days of a site export in the names of its files.
var namedDays = regexp.MustCompile(`_(\d{8})_(\d{8})\.[a-z]+$`)

// exportsOf groups the tables of several site exports: those of one archive or
// folder and of the same days.
func exportsOf(sums []*input.Input) []adapters.Unit {
	var units []adapters.Unit
	for _, in := range sums {
		name := exportOf(in)
		if days := namedDays.FindStringSubmatch(in.Base); days != nil {
			name = strings.TrimPrefix(name+" "+days[1]+" to "+days[2], " ")
		}
		i := slices.IndexFunc(units, func(u adapters.Unit) bool { return u.Name == name })
		if i < 0 {
			i = len(units)
			units = append(units, adapters.Unit{Name: name})
		}
		units[i].Inputs = append(units[i].Inputs, in)
	}
	return units
}

// exportOf returns the archive or folder of a table, or its file by itself.
func exportOf(in *input.Input) string {
	if dir, _ := path.Split(in.Name); dir != "" {
		return strings.TrimSuffix(dir, "/")
	}
	return in.Name
}

// unusable says why inputs without any table that can be read are none, or
// returns nil where nothing is of Plausible's.
func unusable(ctx context.Context, inputs []*input.Input) error {
	if isDashboard(inputs) {
		return input.Errorf(inputs[0].Name, "is the dashboard's export: at most a few hundred rows for the whole period, and none per day, of which no visits can be made").
			Advise("in Plausible open the site's settings, Imports & Exports, Export data, Export to CSV, and give the ZIP that it mails")
	}
	for _, in := range inputs {
		if !rows.IsTable(in) {
			continue
		}
		found, err := rows.Find(ctx, in)
		if err != nil || len(found) != 1 {
			continue
		}
		switch t := found[0]; {
		case isSessions(t) && t.Column("site_id") >= 0:
			return input.Errorf(in.Name, "holds sessions_v2, which has no pages").
				Advise("export events_v2 instead: clickhouse-client -q \"select * from events_v2 where site_id = … format CSVWithNames\"")
		case isCounts(t):
			return input.Errorf(in.Name, "holds days with %s alone; visits are made of days with visits or pageviews", strings.Join(t.Columns[1:], ", ")).
				Advise("give the site's whole export: in Plausible open the site's settings, Imports & Exports, Export data, Export to CSV")
		}
	}
	return nil
}

// isCounts recognizes a table of days with visitors, and with nothing that
// visits can be made of.
func isCounts(t *rows.Table) bool {
	return t.Column("date") == 0 && t.Column("visitors") > 0 && t.Column("visits") < 0 && t.Column("pageviews") < 0 &&
		(strings.HasPrefix(t.Input.Base, "imported_") || t.Input.Base == "visitors.csv")
}
