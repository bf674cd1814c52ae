package umami

import (
	"context"
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"hopper/adapters"
	"hopper/adapters/input"
	"hopper/adapters/input/rows"
)

// role is what a table is to Umami.
type role uint8

const (
	other role = iota
	eventsRole
	v1PageviewsRole
	v1EventsRole
	sessionsRole
	eventDataRole
	sessionDataRole
	websitesRole
)

// eventColumns are those that no other of Umami's tables has, most of them.
var eventColumns = []string{"url_path", "url_query", "referrer_path", "referrer_domain", "page_title", "visit_id", "event_type", "event_name"}

// roleOf recognizes a table by its columns.
func roleOf(t *rows.Table) role {
	has := func(names ...string) bool {
		return !slices.ContainsFunc(names, func(name string) bool { return t.Column(name) < 0 })
	}
	either := func(names ...string) bool { return t.Column(names...) >= 0 }
	specific := 0
	for _, name := range eventColumns {
		if has(name) {
			specific++
		}
	}
	switch {
	case either("data_key", "event_key") && either("string_value", "event_string_value"):
		if either("website_event_id", "event_id") {
			return eventDataRole
		}
		if has("session_id") {
			return sessionDataRole
		}
		return other
	case has("event_id", "event_data") && specific < 4:
		return eventDataRole
	case has("session_id", "url", "event_type", "event_name"):
		return eventsRole // of version 2 or later, whose page somebody has put together
	case has("session_id", "url", "referrer"):
		return v1PageviewsRole
	case has("session_id", "url") && either("event_name", "event_value"):
		return v1EventsRole
	case specific >= 4, has("session_id", "created_at", "url_path"): // some columns of it may be all that was asked for
		return eventsRole
	case has("session_id", "browser", "os") && either("screen", "device"):
		return sessionsRole
	case has("website_id", "name", "domain"):
		return websitesRole
	}
	return other
}

// tables are those of an export, by role.
type tables struct {
	events                           []*eventTable
	sessions, eventData, sessionData []*rows.Table
	passedOver                       []string // inputs without any
	leftovers                        []string // tables that an upgrade has left
	revenue                          bool     // there is the table of it
	derived                          bool

	named     []site           // rows of the table website
	sites     map[string]int64 // events of each website, by its id in lower case
	moreSites bool             // there are more than are counted
	hosted    map[string]bool  // websites with events on the host that --website names
}

// find sorts the inputs' tables by role, and fails where they do not make an
// export that can be read.
func find(ctx context.Context, inputs []*input.Input) (*tables, error) {
	found, broken, err := collect(ctx, inputs)
	switch {
	case err != nil:
		return nil, err
	case len(found.events) > 0:
		return found, nil
	case isAggregates(inputs):
		archive := path.Dir(filepath.ToSlash(inputs[0].Name))
		return nil, input.Errorf(archive, "%s", aggregatesAdvice)
	case broken != nil:
		return nil, broken
	case found.count() > 0:
		return nil, input.Errorf(append(found.sessions, append(found.eventData, found.sessionData...)...)[0].Input.Name,
			"belongs to a table of events, which is not among the inputs; give website_event (version 1: pageview and event) as well, in any order")
	case len(found.named) > 0:
		return nil, input.Errorf(inputs[0].Name, "holds the table website and no events; %s", howToExport)
	}
	for _, in := range inputs {
		if all, err := rows.Find(ctx, in); err == nil && len(all) == 1 && headless(all[0]) {
			return nil, &input.Error{Input: in.Name, Row: 1,
				Err: errors.New("has values where a header with the columns' names was expected, and in no order that is known; export it with a header (COPY … CSV HEADER, FORMAT CSVWithNames)")}
		}
	}
	return nil, input.Errorf(inputs[0].Name,
		"holds no table of Umami's that can be read; a website_event with the columns session_id, created_at and url_path was expected, found %s", contents(ctx, inputs))
}

// collect sorts the inputs' tables by role. It returns beside the first error
// of an input that cannot be read.
func collect(ctx context.Context, inputs []*input.Input) (found *tables, broken, err error) {
	found = new(tables)
	all := make([][]*rows.Table, len(inputs))
	upgraded := false // there are events in a table of the present version
	for i, in := range inputs {
		if all[i], err = tablesOf(ctx, in, inputs); ctx.Err() != nil {
			return nil, nil, ctx.Err()
		}
		if err != nil && broken == nil {
			broken = err
		}
		upgraded = upgraded || slices.ContainsFunc(all[i], func(t *rows.Table) bool { return kindOf(roleOf(t)) > 0 && !leftover.MatchString(t.Name) })
	}
	for i, in := range inputs {
		used := false
		for _, t := range all[i] {
			r := roleOf(t)
			if r != other && upgraded && leftover.MatchString(t.Name) {
				found.leftovers = append(found.leftovers, t.Name)
				continue
			}
			used = used || r != other || isRevenue(t)
			found.revenue = found.revenue || isRevenue(t)
			if err := found.add(ctx, t, r); err != nil {
				return nil, nil, err
			}
		}
		if !used {
			found.passedOver = append(found.passedOver, in.Name)
		}
	}
	return found, broken, nil
}

// isRevenue recognizes Umami's table of revenue, which repeats what event_data has:
// the properties revenue and currency of an event.
func isRevenue(t *rows.Table) bool {
	return t.Column("revenue_id") >= 0 && t.Column("revenue") >= 0 && t.Column("currency") >= 0
}

// leftover matches the names of tables that Umami's upgrades leave behind.
var leftover = regexp.MustCompile(`^(v1_(account|event|event_data|pageview|session|website)|_?(website_event|event|event_data|pageview|session|session_data)_old)$`)

// add takes a table of that role.
func (f *tables) add(ctx context.Context, t *rows.Table, r role) error {
	switch r {
	case eventsRole, v1PageviewsRole, v1EventsRole:
		e := &eventTable{Table: t, positions: f.positions(t, kindOf(r))}
		if err := e.complete(); err != nil {
			return err
		}
		if err := e.sample(ctx); err != nil {
			return err
		}
		f.derived = f.derived || e.derive
		f.events = append(f.events, e)
	case sessionsRole:
		if t.Column("session_id") < 0 {
			return missing(t, "session_id", "without it sessions cannot be joined to their events")
		}
		f.sessions = append(f.sessions, t)
	case eventDataRole:
		f.eventData = append(f.eventData, t)
	case sessionDataRole:
		f.sessionData = append(f.sessionData, t)
	case websitesRole:
		return f.loadSites(ctx, t)
	}
	return nil
}

// positions returns those of a table's columns: the same as of the table of events
// before, where its columns are the same.
func (f *tables) positions(t *rows.Table, kind eventsKind) *positions {
	if n := len(f.events); n > 0 {
		if before := f.events[n-1]; before.kind == kind && slices.Equal(before.Columns, t.Columns) {
			return before.positions
		}
	}
	return positionsOf(t, kind)
}

var aggregatesAdvice = "is the export of a dashboard: sums without dates, from which no events can be made. " +
	"Export the events instead: on Umami Cloud the data export of the settings, which has a website_event.csv; " +
	"self-hosted give the database's address (postgres://USER@HOST/umami, mysql://…, clickhouse://…), or the tables themselves: " + howToExport

func (f *tables) count() int {
	return len(f.events) + len(f.sessions) + len(f.eventData) + len(f.sessionData)
}

// complete returns an error that names a column without which the table is of no use.
func (e *eventTable) complete() error {
	switch {
	case e.sessionID < 0:
		return missing(e.Table, "session_id", "without it nobody knows who came")
	case e.createdAt < 0:
		return missing(e.Table, "created_at", "without it nobody knows when")
	case e.path < 0:
		return missing(e.Table, "url_path", "without it nobody knows which page")
	}
	return e.Twice(columnsRead...)
}

func missing(t *rows.Table, column, why string) error {
	return &input.Error{Input: t.Input.Name, Row: 1, Field: column,
		Err: fmt.Errorf("is missing from the header, and %s; found %s; export the table again with all columns", why, list(t.Columns))}
}

// sample looks at the table's first rows, whether they have visits, and dates
// in which day and month could change places.
func (e *eventTable) sample(ctx context.Context) error {
	e.derive = e.visitID < 0
	chunk, err := e.Sample(ctx)
	if err != nil {
		return err
	}
	for row := range chunk.Rows() {
		if row.Err != nil {
			continue
		}
		get := cells(row.Cells)
		e.derive = e.derive || e.visit(get) == ""
		e.dated = e.dated || adapters.NeedsOrder(get.at(e.createdAt))
	}
	return nil
}

// aggregates are the files of the export button of version 3.
var aggregates = []string{"events.csv", "pages.csv", "referrers.csv", "browsers.csv", "os.csv", "devices.csv", "countries.csv"}

// isAggregates recognizes that export by its files' names. Plausible's is
// much the same, with others beside.
func isAggregates(inputs []*input.Input) bool {
	n := 0
	for _, in := range inputs {
		switch {
		case in.Base == "visitors.csv" || in.Base == "sources.csv":
			return false
		case slices.Contains(aggregates, in.Base):
			n++
		}
	}
	return n >= 4
}

// contents says what tables the inputs hold.
func contents(ctx context.Context, inputs []*input.Input) string {
	const most = 3
	var found []string
	for _, in := range inputs[:min(len(inputs), most)] {
		all, err := rows.FindAmong(ctx, in, inputs)
		if err != nil || len(all) == 0 {
			found = append(found, fmt.Sprintf("%s (%s)", in.Base, in.Format()))
		}
		for _, t := range all[:min(len(all), most)] {
			found = append(found, fmt.Sprintf("%s with %s", t.Name, list(t.Columns)))
		}
	}
	return strings.Join(found, "; ")
}

// list spells names out, the first of them.
func list(names []string) string {
	const most = 12
	if len(names) > most {
		return fmt.Sprintf("%s and %d more columns", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}

// shape says what kind of export it is.
func (f *tables) shape() string {
	e := f.events[0]
	switch {
	case e.kind != modern:
		return "Umami version 1, tables pageview and event"
	case e.wide() && (strings.Contains(e.Input.Name, ".zip/") || strings.HasPrefix(e.Input.Name, "standard input/")):
		return "Umami Cloud export"
	case e.wide():
		return "Umami, ClickHouse table website_event"
	case len(f.sessions) > 0:
		return "Umami, tables website_event and session"
	}
	return "Umami, table website_event without session"
}

// schema says how many columns the events have, and which version's they are.
func (f *tables) schema() string {
	e := f.events[0]
	version := "2.0 to 2.10"
	switch {
	case e.kind != modern:
		version = "1"
	case e.lcp >= 0:
		version = "3, with web vitals"
	case e.distinctID >= 0 || len(f.sessions) > 0 && f.sessions[0].Column("distinct_id") >= 0:
		version = "2.18 or newer"
	case len(e.campaign) > 0:
		version = "2.17 or newer"
	case e.tag >= 0:
		version = "2.14 or newer"
	case e.visitID >= 0:
		version = "2.11 or newer"
	}
	return fmt.Sprintf("%d columns, version %s", len(e.Columns), version)
}

// all are the tables that are read.
func (f *tables) all() []*rows.Table {
	all := slices.Concat(f.sessions, f.eventData, f.sessionData)
	for _, e := range f.events {
		all = append(all, e.Table)
	}
	return all
}

// remarks are what came up in the rows.
func (f *tables) remarks() (remarks []string) {
	for _, t := range f.all() {
		remarks = append(remarks, t.Remarks()...)
	}
	return remarks
}

// notes are what a user should know before an import.
func (f *tables) notes() []string {
	var notes []string
	if f.revenue {
		note := "The table revenue repeats the properties revenue and currency of events, and is not read."
		if len(f.eventData) == 0 {
			note += " These are in event_data, which is missing: give it, too."
		}
		notes = append(notes, note)
	}
	wide := !slices.ContainsFunc(f.events, func(e *eventTable) bool { return !e.wide() })
	if len(f.sessions) == 0 && !wide {
		notes = append(notes, "The session table is missing, so browser, system, device, screen, language and country stay empty. "+
			"Export it too and give both files: "+f.database().export([]string{"session"}))
	}
	if f.derived {
		notes = append(notes, "Visits are not in the export (visit_id came with version 2.11): a pause of 30 minutes or more begins a new one.")
	}
	if !slices.ContainsFunc(f.events, func(e *eventTable) bool { return e.hostname >= 0 }) &&
		!slices.ContainsFunc(f.sessions, func(t *rows.Table) bool { return t.Column("hostname") >= 0 }) {
		notes = append(notes, "The site's hostname is not in the export: give it with --hostname.")
	}
	if len(f.leftovers) > 0 {
		notes = append(notes, "Left out, since an upgrade of Umami has left them behind: "+strings.Join(f.leftovers, ", ")+".")
	}
	for _, t := range f.all() {
		notes = append(notes, t.Notes()...)
	}
	if len(f.passedOver) > 0 {
		notes = append(notes, "Passed over, since no table of Umami's is in it: "+strings.Join(adapters.Few(f.passedOver, 3), ", ")+".")
	}
	return notes
}
