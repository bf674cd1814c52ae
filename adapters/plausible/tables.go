package plausible

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"hopper/adapters"
	"hopper/adapters/input"
	"hopper/adapters/input/rows"
)

// kind is one of the site export's tables.
type kind uint8

const (
	visitorsTable kind = iota
	sourcesTable
	pagesTable
	entryPagesTable
	exitPagesTable
	customEventsTable
	customPropsTable
	locationsTable
	devicesTable
	browsersTable
	systemsTable

	kinds = iota
)

var kindNames = [kinds]string{
	"visitors", "sources", "pages", "entry_pages", "exit_pages", "custom_events",
	"custom_props", "locations", "devices", "browsers", "operating_systems",
}

func (k kind) String() string { return kindNames[k] }

// kindOf recognizes a table of the site export by its columns.
func kindOf(t *rows.Table) (kind, bool) {
	has := func(names ...string) bool {
		return !slices.ContainsFunc(names, func(n string) bool { return t.Column(n) < 0 })
	}
	if !has("date") || has("bounce_rate") || has("views_per_visit") {
		return 0, false
	}
	for _, c := range []struct {
		kind
		columns []string
	}{
		{entryPagesTable, []string{"entry_page"}},
		{exitPagesTable, []string{"exit_page"}},
		{pagesTable, []string{"page", "pageviews"}},
		{customPropsTable, []string{"property", "value", "events"}},
		{customEventsTable, []string{"name", "events"}},
		{sourcesTable, []string{"source"}},
		{locationsTable, []string{"country", "visits"}},
		{devicesTable, []string{"device", "visits"}},
		{browsersTable, []string{"browser", "visits"}},
		{systemsTable, []string{"operating_system", "visits"}},
		{visitorsTable, []string{"visitors", "pageviews"}},
	} {
		if has(c.columns...) {
			return c.kind, true
		}
	}
	return 0, false
}

// distinctive reports whether a table's columns are Plausible's alone, so
// that its file may have any name.
func distinctive(t *rows.Table) bool {
	return t.Column("visit_duration", "entrances", "exits", "link_url", "operating_system_version", "total_time_on_page", "time_on_page") >= 0
}

// dashboard are the files of the dashboard's "Export stats".
var dashboard = []string{
	"visitors.csv", "sources.csv", "channels.csv", "referrers.csv", "pages.csv", "entry_pages.csv", "exit_pages.csv",
	"countries.csv", "regions.csv", "cities.csv", "browsers.csv", "browser_versions.csv", "operating_systems.csv",
	"operating_system_versions.csv", "devices.csv", "conversions.csv", "custom_props.csv", "referrers.csv", "referral_sources.csv",
	"utm_mediums.csv", "utm_sources.csv", "utm_campaigns.csv", "utm_contents.csv", "utm_terms.csv", "goal_conversions.csv",
}

// isDashboard recognizes that export by its files' names: several of them, or
// the days' with its rates.
func isDashboard(inputs []*input.Input) bool {
	n, own := 0, false
	for _, in := range inputs {
		if !slices.Contains(dashboard, in.Base) {
			continue
		}
		header, _, _ := strings.Cut(string(in.TextHead()), "\n")
		header = strings.ToLower(header)
		dated := strings.HasPrefix(strings.Trim(header, "\" "), "date")
		if dated && !strings.Contains(header, "bounce_rate") && !strings.Contains(header, "views_per_visit") {
			continue // a table of the site export, renamed
		}
		n++
		switch in.Base {
		case "visitors.csv", "sources.csv", "entry_pages.csv", "exit_pages.csv", "conversions.csv", "custom_props.csv", "channels.csv":
			own = true
		}
	}
	return n >= 1 && own
}

// tables are what the inputs hold of Plausible's.
type tables struct {
	sums       [kinds][]*rows.Table
	events     []*eventTable
	sites      []*rows.Table
	passedOver []string
}

func find(ctx context.Context, inputs []*input.Input) (*tables, error) {
	found := &tables{}
	for _, in := range inputs {
		if !rows.IsTable(in) && !rows.IsSQL(in) {
			if in.Format() != input.Empty {
				found.passedOver = append(found.passedOver, in.Name)
			}
			continue
		}
		all, err := rows.FindAmong(ctx, in, inputs)
		if err != nil {
			return nil, err
		}
		used := false
		for _, t := range all {
			own, err := found.add(ctx, t)
			if err != nil {
				return nil, err
			}
			used = used || own
		}
		if !used {
			found.passedOver = append(found.passedOver, in.Name)
		}
	}
	sums := slices.ContainsFunc(found.sums[:], func(all []*rows.Table) bool { return len(all) > 0 })
	switch {
	case sums && len(found.events) > 0:
		return nil, input.Errorf(found.events[0].Input.Name, "holds events, while other inputs hold a site export's daily sums of perhaps the same visits").
			Advise("give one or the other, events by preference")
	case sums || len(found.events) > 0:
		return found, nil
	case len(inputs) == 0:
		return nil, fmt.Errorf("no inputs")
	}
	if err := unusable(ctx, inputs); err != nil {
		return nil, err
	}
	return nil, input.Errorf(inputs[0].Name, "holds no table of Plausible's: a site export (imported_visitors_….csv and others, or their ZIP) "+
		"or events (columns timestamp, name, user_id, hostname, pathname …) was expected")
}

// add takes a table for what it is, and reports whether it is read.
func (f *tables) add(ctx context.Context, t *rows.Table) (bool, error) {
	if e := newEventTable(t); e != nil {
		f.events = append(f.events, e)
		return true, e.Twice(slices.Concat(headColumns, arraysFirst, laterColumns)...)
	}
	k, known := kindOf(t)
	switch {
	case known:
		f.sums[k] = append(f.sums[k], t)
	case isSites(t):
		f.sites = append(f.sites, t)
	default:
		return false, nil
	}
	return true, t.Input.Spool(ctx) // it is read twice
}

// schema names the tables there are.
func (f *tables) schema() string {
	var names []string
	for k, all := range f.sums {
		if len(all) > 0 {
			names = append(names, kind(k).String())
		}
	}
	return fmt.Sprintf("%d of %d tables: %s", len(names), int(kinds), strings.Join(names, ", "))
}

// notes are what a user should know before an import.
func (f *tables) notes() []string {
	notes := []string{"The export holds sums per day, no visits: hopper makes visits whose sums are the same. " +
		"How dimensions go together, and the hours of visits, are not in it."}
	var missing []string
	for k, all := range f.sums {
		if len(all) == 0 && kind(k) != customPropsTable && kind(k) != customEventsTable {
			missing = append(missing, kind(k).String())
		}
	}
	if len(missing) > 0 {
		notes = append(notes, "Missing tables: "+strings.Join(missing, ", ")+". What they would say stays empty.")
	}
	if len(f.sums[pagesTable]) == 0 || f.sums[pagesTable][0].Column("hostname") < 0 {
		notes = append(notes, "The export does not have the site's hostname: give it with --hostname.")
	}
	if f.only(pagesTable) || f.only(pagesTable, customEventsTable, customPropsTable) {
		notes = append(notes, "Visits are not in the table pages: as few are made as its pages allow, which is fewer than there were. Give the table visitors too.")
	}
	for _, all := range f.sums {
		for _, t := range all {
			notes = append(notes, unread(t, sumsColumns)...)
		}
	}
	return f.passed(notes)
}

// only reports whether there are no sums but those of some kinds, the first
// among them.
func (f *tables) only(some ...kind) bool {
	for k, all := range f.sums {
		if len(all) > 0 && !slices.Contains(some, kind(k)) {
			return false
		}
	}
	return len(f.sums[some[0]]) > 0
}

// sumsColumns are those of all tables of site exports and imported_* tables,
// with those that say nothing that Rybbit could show.
var sumsColumns = strings.Fields("date site_id domain import_id hostname visits visitors pageviews bounces visit_duration entrances exits events name link_url path " +
	"property value page entry_page exit_page source referrer utm_source utm_medium utm_campaign utm_content utm_term channel country region city device browser " +
	"browser_version operating_system operating_system_version time_on_page active_visitors total_scroll_depth total_scroll_depth_visits total_time_on_page total_time_on_page_visits")

// unread names the columns of a table that are not read.
func unread(t *rows.Table, read []string) []string {
	var names []string
	for i, name := range t.Columns {
		if name != "" && !slices.Contains(read, name) && i < len(t.Header) {
			names = append(names, t.Header[i])
		}
	}
	if len(names) == 0 {
		return nil
	}
	const most = 8
	return []string{fmt.Sprintf("%s: not read are the columns %s.", t.Input.Name, strings.Join(adapters.Few(names, most), ", "))}
}

func (f *tables) passed(notes []string) []string {
	if len(f.passedOver) > 0 {
		notes = append(notes, "Passed over, since no table that is needed is in it: "+strings.Join(adapters.Few(f.passedOver, 3), ", ")+".")
	}
	return notes
}
