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
		switch look(ctx, in, inputs) {
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
	m.Fit, m.Joined, m.Sums = adapters.Fits, joined, len(sums) > 0
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

// look returns the role of an input by its tables' columns: that of the first
// table that has events or sums, else of any. It reads no more than the head,
// but a database's dump as a whole.
func look(ctx context.Context, in *input.Input, inputs []*input.Input) role {
	best := strangerRole
	for _, t := range tablesOf(ctx, in, inputs) {
		switch r := roleOf(t); {
		case r == eventsRole || r == sumsRole:
			return r
		case r != strangerRole:
			best = r
		}
	}
	return best
}

// tablesOf returns the tables of an input; one that cannot be read has none.
func tablesOf(ctx context.Context, in *input.Input, inputs []*input.Input) []*rows.Table {
	if !rows.IsTable(in) && !rows.IsSQL(in) {
		return nil
	}
	found, err := rows.FindAmong(ctx, in, inputs)
	if err != nil {
		return nil
	}
	return found
}

func roleOf(t *rows.Table) role {
	if _, known := kindOf(t); known && (isImported(t) || distinctive(t)) {
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

// isSessions recognizes sessions_v2, or sessions of version 1.
func isSessions(t *rows.Table) bool {
	return t.Column("session_id") >= 0 && t.Column("user_id") >= 0 &&
		(t.Column("sign") >= 0 || t.Column("is_bounce") >= 0 && t.Column("entry_page") >= 0)
}

// isImported reports whether a table is called as those of the site export are.
func isImported(t *rows.Table) bool {
	return strings.HasPrefix(t.Input.Base, "imported_") || strings.HasPrefix(t.Name, "imported_")
}

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
		for _, t := range tablesOf(ctx, in, inputs) {
			if err := unusableTable(t); err != nil {
				return err
			}
		}
	}
	return nil
}

// wholeExport says how to get what can be used.
const wholeExport = "give the site's whole export: in Plausible open the site's settings, Imports & Exports, Export data, Export to CSV"

// unusableTable says of a table of Plausible's why nothing can be made of it,
// or returns nil.
func unusableTable(t *rows.Table) error {
	name := t.Input.Name
	switch {
	case isSessions(t):
		return input.Errorf(name, "holds sessions_v2, which has no pages").
			Advise("export events_v2 instead: clickhouse-client -q \"select * from events_v2 where site_id = … format CSVWithNames\"")
	case isQuery(t):
		return input.Errorf(name, "is an answer of Plausible's Stats API (metrics by dimensions), which says nothing of how its rows go together").Advise(wholeExport)
	case isCounts(t):
		return input.Errorf(name, "holds days with %s alone; visits are made of days with visits or pageviews", strings.Join(t.Columns[1:], ", ")).Advise(wholeExport)
	case t.Column("visitors") >= 0 && t.Column("bounce_rate", "views_per_visit", "time_on_page", "conversion_rate") >= 0:
		return input.Errorf(name, "holds rates and averages, as Plausible's dashboard and Stats API give them (columns %s), of which no visits can be made", strings.Join(t.Columns, ", ")).
			Advise(wholeExport)
	}
	return nil
}

// isQuery recognizes an answer of the Stats API.
func isQuery(t *rows.Table) bool { return t.Column("metrics") >= 0 && t.Column("dimensions") >= 0 }

// isCounts recognizes a table of days with visitors, and with nothing that
// visits can be made of.
func isCounts(t *rows.Table) bool {
	return t.Column("date") == 0 && t.Column("visitors") > 0 && t.Column("visits") < 0 && t.Column("pageviews") < 0 &&
		(isImported(t) || t.Input.Base == "visitors.csv")
}
