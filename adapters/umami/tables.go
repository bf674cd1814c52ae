package umami

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"hopper/adapters"
	"hopper/adapters/input"
	"hopper/adapters/input/rows"
	"hopper/pipeline"
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
)

// eventColumns are those that no other of Umami's tables has, most of them.
var eventColumns = []string{"url_path", "url_query", "referrer_path", "referrer_domain", "page_title", "visit_id", "event_type", "event_name"}

// roleOf tells a table by its columns.
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
	case has("event_id", "event_data"):
		return eventDataRole
	case has("session_id", "url", "referrer"):
		return v1PageviewsRole
	case has("session_id", "url") && either("event_name", "event_value"):
		return v1EventsRole
	case specific >= 4:
		return eventsRole
	case has("session_id", "browser", "os") && either("screen", "device"):
		return sessionsRole
	}
	return other
}

// tables are those of an export, by role.
type tables struct {
	events                           []*eventTable
	sessions, eventData, sessionData []*rows.Table
	passedOver                       []string // inputs without any
	websites                         []string // in the events' first rows, sorted
	derived                          bool
}

// find sorts the inputs' tables by role, and fails where they do not make an
// export that can be read.
func find(ctx context.Context, inputs []*input.Input) (*tables, error) {
	var found tables
	var broken error
	sites := map[string]bool{}
	for _, in := range inputs {
		all, err := rows.Find(ctx, in)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil && broken == nil {
			broken = err
		}
		before := found.count()
		for _, t := range all {
			t.NullWord = true
			switch r := roleOf(t); r {
			case eventsRole, v1PageviewsRole, v1EventsRole:
				e := newEventTable(t, map[role]eventsKind{eventsRole: modern, v1PageviewsRole: v1Pageviews, v1EventsRole: v1Events}[r])
				if err := e.complete(); err != nil {
					return nil, err
				}
				if err := e.sample(ctx, sites); err != nil {
					return nil, err
				}
				found.derived = found.derived || e.derive
				found.events = append(found.events, e)
			case sessionsRole:
				if t.Column("session_id") < 0 {
					return nil, missing(t, "session_id", "without it sessions cannot be joined to their events")
				}
				found.sessions = append(found.sessions, t)
			case eventDataRole:
				found.eventData = append(found.eventData, t)
			case sessionDataRole:
				found.sessionData = append(found.sessionData, t)
			}
		}
		if found.count() == before {
			found.passedOver = append(found.passedOver, in.Name)
		}
	}
	found.websites = slices.Sorted(maps.Keys(sites))
	switch {
	case len(found.events) > 0:
		return &found, nil
	case isAggregates(inputs):
		archive := path.Dir(filepath.ToSlash(inputs[0].Name))
		return nil, input.Errorf(archive, "%s", aggregatesAdvice)
	case broken != nil:
		return nil, broken
	case found.count() > 0:
		return nil, input.Errorf(append(found.sessions, append(found.eventData, found.sessionData...)...)[0].Input.Name,
			"belongs to a table of events, which is not among the inputs; give website_event (version 1: pageview and event) as well, in any order")
	}
	for _, in := range inputs {
		if all, err := rows.Find(ctx, in); err == nil && len(all) == 1 && headless(all[0]) {
			return nil, &input.Error{Input: in.Name, Row: 1,
				Err: errors.New("has values where a header with the columns' names was expected; export it with a header (COPY … CSV HEADER, FORMAT CSVWithNames)")}
		}
	}
	return nil, input.Errorf(inputs[0].Name,
		"holds no table of Umami's that can be read; a website_event with the columns session_id, created_at and url_path was expected, found %s", contents(ctx, inputs))
}

const aggregatesAdvice = "is the export of a dashboard: sums without dates, from which no events can be made. " +
	"Export the events instead: on Umami Cloud the data export of the settings, which has a website_event.csv; " +
	`self-hosted the tables themselves: psql -c "\copy website_event to 'website_event.csv' csv header", and session and event_data likewise`

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

// sample looks at the table's first rows, whether they tell visits, and of
// which websites they are.
func (e *eventTable) sample(ctx context.Context, sites map[string]bool) error {
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
		e.derive = e.derive || noVisit(get.at(e.visitID))
		if _, omit := e.eventKind(get); omit != "" {
			continue // Umami gives each short link and pixel a website_id
		}
		if id := get.at(e.websiteID); id != "" {
			sites[strings.Clone(id)] = true
		}
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

// headless reports whether a table's header is a row of Umami's values: a
// time among at least three identifiers.
func headless(t *rows.Table) bool {
	var times adapters.Times
	ids, dates := 0, 0
	for _, c := range t.Header {
		if _, ok := times.Parse(strings.ToUpper(c)); ok {
			dates++
		}
		if pipeline.IsUUID(c) {
			ids++
		}
	}
	return ids >= 3 && dates > 0
}

// contents says what tables the inputs hold.
func contents(ctx context.Context, inputs []*input.Input) string {
	const most = 3
	var found []string
	for _, in := range inputs[:min(len(inputs), most)] {
		all, err := rows.Find(ctx, in)
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
	case e.wide() && strings.Contains(e.Input.Name, ".zip/"):
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

// website returns which website's events to read, empty for all: a dump of
// a self-hosted Umami holds those of all its websites.
func (f *tables) website(asked string) (string, error) {
	switch {
	case asked != "" && !slices.ContainsFunc(f.events, func(e *eventTable) bool { return e.websiteID >= 0 }):
		return "", input.Errorf(f.events[0].Input.Name, "has no column website_id to choose the website %s by", asked)
	case asked != "":
		return asked, nil
	case len(f.websites) > 1:
		return "", input.Errorf(f.events[0].Input.Name, "holds the events of several websites (%s); choose one with --website, and import each into its own site",
			strings.Join(f.websites, ", "))
	case len(f.websites) == 1:
		return f.websites[0], nil
	}
	return "", nil
}

// notes are what a user should know before an import.
func (f *tables) notes() []string {
	var notes []string
	wide := !slices.ContainsFunc(f.events, func(e *eventTable) bool { return !e.wide() })
	if len(f.sessions) == 0 && !wide {
		notes = append(notes, "The session table is missing, so browser, system, device, screen, language and country stay empty. "+
			`Export it too and give both files: psql -c "\copy session to 'session.csv' csv header"`)
	}
	if f.derived {
		notes = append(notes, "Visits are not told (visit_id came with version 2.11): a pause of 30 minutes or more begins a new one.")
	}
	if !slices.ContainsFunc(f.events, func(e *eventTable) bool { return e.hostname >= 0 }) &&
		!slices.ContainsFunc(f.sessions, func(t *rows.Table) bool { return t.Column("hostname") >= 0 }) {
		notes = append(notes, "The site's hostname is not told: give it with --hostname.")
	}
	if len(f.passedOver) > 0 {
		notes = append(notes, "Passed over, since no table of Umami's is in it: "+strings.Join(f.passedOver, ", ")+".")
	}
	return notes
}
