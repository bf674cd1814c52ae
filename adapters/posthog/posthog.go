// Package posthog reads the events that PostHog exports: batch exports to a bucket
// and files of the download API (JSON lines or Parquet), the SQL editor's and the
// activity page's CSV, answers of the API, and tables of events: ClickHouse's of a
// self-hosted one, and those that batch exports write into other databases.
//
// # Tables
//
// Tables are recognized by their columns. Needed are event, timestamp and one of
// distinct_id, person_id and person; properties are a nested value, JSON text, or
// columns of their own (properties.$current_url, $session_id). A table of persons
// (distinct_id and person_id with a version: the batch export's model persons, or
// ClickHouse's person_distinct_id2 and person_distinct_id_overrides) is joined.
//
// # Meaning
//
// A user is a person. An export says of each event which person it was when it came
// in, and is not corrected when persons are merged; so the persons of these are one:
// of one distinct_id; of both sides of $identify, $create_alias and
// $merge_dangerously; of a device on which one identified user alone was seen. What
// is merged is held in memory, some 200 bytes an identifier; all else is sorted on
// disk. An event without a person is its distinct_id's.
//
// A session is $session_id. Events of web pages without one are visits by pause of
// their person; what a server sent belongs to the visit that the person has had an
// event of in the last 30 minutes, else it is left out.
//
// Page views, clicks that lead to another site, web vitals, exceptions and events
// without a $ before their name become events, the others are left out and counted.
// A page view without an address is one of these. A referrer that is the site itself
// is none. Fragments of addresses are left out, as Rybbit's own script does.
//
// The same uuid, event, distinct_id and time is the same event: of rows with them
// the first counts; a uuid alone can stand on different events.
//
// IP addresses, properties of persons and groups, and what $set holds are not read.
// The distinct_id of an identified user is carried unless it is an e-mail address.
//
// The names of the activity page's columns, rows of the old S3 plugin, and versions
// in tables of persons are read as they are assumed to be.
package posthog

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"hopper/adapters"
	"hopper/adapters/input"
	"hopper/adapters/input/rows"
	"hopper/pipeline/recount"
)

// Adapter is the [adapters.Adapter] for PostHog. Its zero value is ready.
type Adapter struct{}

// Name is "posthog".
func (Adapter) Name() string { return "posthog" }

// Title is "PostHog".
func (Adapter) Title() string { return "PostHog" }

// Options are the choices that these exports offer.
func (Adapter) Options() []adapters.Option { return []adapters.Option{adapters.Website} }

// local is ClickHouse's own table of events, over which "events" is spread: on
// each shard it has a part of them.
const local = "sharded_events"

// Relations are the tables that are read of a live database: ClickHouse's own, its
// local one only where the other cannot be read, and those of batch exports.
func (Adapter) Relations() []input.Relation {
	events := input.Relation{
		Table: regexp.MustCompile(`events?|\w*posthog\w*`), Needs: []string{"uuid", "event", "distinct_id", "properties", "timestamp"},
		Columns: []string{"uuid", "event", "distinct_id", "person_id", "properties", "elements_chain", "elements", "team_id", "timestamp"},
		Time:    "timestamp", Key: []string{"uuid", "event", "distinct_id"},
	}
	part := events
	part.Table, part.Unless = regexp.MustCompile(local), "events"
	return []input.Relation{
		events, part,
		{
			Table: regexp.MustCompile(`person_distinct_id2|person_distinct_id_overrides|\w*persons`), Needs: []string{"distinct_id", "person_id"},
			Columns: []string{"team_id", "distinct_id", "person_id", "person_distinct_id_version", "version", "is_deleted"},
			Key:     []string{"distinct_id", "person_id"},
		},
	}
}

// howToExport says how to get events.
const howToExport = "export the events: as a batch export of the model events to a bucket (Parquet or JSON lines), or of the SQL editor, month by month, " +
	"select uuid, event, properties, timestamp, distinct_id, $session_id, person_id from events"

// dumped finds a dump of PostHog's events by the head of the first statements.
var dumped = regexp.MustCompile(`(?is)posthog_event|\bdistinct_id\b.*\bproperties\b|\bproperties\b.*\bdistinct_id\b`)

// Match looks for tables of events and persons.
func (Adapter) Match(ctx context.Context, inputs []*input.Input) adapters.Match {
	inputs = slices.DeleteFunc(slices.Clone(inputs), isManifest)
	m := adapters.Match{Open: func(ctx context.Context, opt adapters.Options) (*adapters.Reading, error) {
		return open(ctx, inputs, opt)
	}}
	for _, in := range inputs {
		switch {
		case rows.IsSQL(in):
			if dumped.Match(in.TextHead()) {
				m.Own = append(m.Own, in)
			}
		case rows.IsTable(in):
			found, err := rows.Find(ctx, in)
			if err != nil || len(found) != 1 {
				continue
			}
			switch roleOf(found[0]) {
			case eventsRole:
				m.Own = append(m.Own, in)
			case personsRole:
				m.Own, m.Joined = append(m.Own, in), append(m.Joined, in)
			}
		}
	}
	events := slices.DeleteFunc(slices.Clone(m.Own), func(in *input.Input) bool { return slices.Contains(m.Joined, in) })
	switch {
	case len(events) > 0:
		m.Fit, m.Units = adapters.Fits, adapters.EachAlone(events)
		m.Tied = "PostHog does not say of earlier events which persons became one later, so that users follow from all of them together"
	case len(m.Own) > 0:
		m.Fit, m.Err = adapters.Near, input.Errorf(m.Own[0].Name, "holds PostHog's persons without their events; %s", howToExport)
	}
	return m
}

// isManifest reports whether an input is the list of files that a batch export
// leaves beside them.
func isManifest(in *input.Input) bool { return strings.HasSuffix(in.Base, "_manifest.json") }

// role is what a table is to PostHog.
type role uint8

const (
	other role = iota
	eventsRole
	personsRole
)

func roleOf(t *rows.Table) role {
	has := func(names ...string) bool { return t.Column(names...) >= 0 }
	properties := has("properties", "$session_id", "$current_url") || slices.ContainsFunc(t.Columns, func(c string) bool { return strings.HasPrefix(c, "properties.") })
	switch {
	case has("event") && has("timestamp") && has("distinct_id", "person_id", "person", "person.distinct_id") && properties:
		return eventsRole
	case has("distinct_id") && has("person_id") && has("person_distinct_id_version", "version") && !has("event"):
		return personsRole
	}
	return other
}

func open(ctx context.Context, inputs []*input.Input, opt adapters.Options) (_ *adapters.Reading, err error) {
	src := &source{opt: opt}
	var persons []*rows.Table
	for _, in := range inputs {
		found, err := rows.Find(ctx, in)
		if err != nil {
			return nil, err
		}
		for _, t := range found {
			t.NullWord = "NULL"
			switch roleOf(t) {
			case eventsRole:
				if err := t.Twice("uuid", "event", "timestamp", "distinct_id", "person_id", "properties", "team_id"); err != nil {
					return nil, err
				}
				src.tables = append(src.tables, newTable(t, opt))
				src.loop.List = append(src.loop.List, t)
			case personsRole:
				persons = append(persons, t)
			case other:
				if !rows.IsSQL(in) {
					return nil, input.Errorf(in.Name, "holds no events of PostHog: the columns event, timestamp, distinct_id and properties were expected, and there are %s; %s",
						strings.Join(adapters.Few(t.Columns, 12), ", "), howToExport)
				}
			}
		}
	}
	if len(src.tables) == 0 {
		if len(inputs) == 0 {
			return nil, errors.New("the inputs hold no events of PostHog; " + howToExport)
		}
		return nil, input.Errorf(inputs[0].Name, "holds no events of PostHog; %s", howToExport)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, src.Close())
		}
	}()
	found, err := src.survey(ctx, persons)
	if err != nil {
		return nil, err
	}
	if src.site, err = found.choose(inputs[0].Name, opt.Get(adapters.Website)); err != nil {
		return nil, err
	}
	if found.sessionless > 0 {
		if src.visits, err = src.findVisits(ctx); err != nil {
			return nil, err
		}
	}
	facts := recount.InPieces(func(ctx context.Context, yield func(*recount.Fact) error) error {
		return tell(ctx, src.loop.List, persons, src.site, opt, yield)
	})
	return &adapters.Reading{
		Source: src, Shape: "PostHog events", Schema: fmt.Sprintf("%d columns", len(src.tables[0].Columns)),
		Notes: src.notes(found), Facts: facts, Verify: adapters.VerifyRows(src, opt, facts),
	}, nil
}

// site is what was chosen: all events, a project's or a host's.
type site struct{ team, host string }

// choose returns the site to read.
func (s *surveyed) choose(in, asked string) (site, error) {
	teams := adapters.ListSites(s.teams, "events", func(id string) string { return "project " + id })
	all := strings.Trim(teams+"; "+adapters.ListSites(s.hosts, "events", func(host string) string { return host }), "; ")
	_, isTeam := s.teams[asked]
	switch {
	case asked == "" && (len(s.teams) > 1 || len(s.hosts) > 1):
		return site{}, input.Errorf(in, "holds the events of several sites: %s. Choose one with --website, a project by its number with all its hosts or one host by its name, and import each into its own site", all)
	case asked == "":
		return site{}, nil
	case isTeam:
		return site{team: asked}, nil
	case len(s.teams) > 1:
		return site{}, input.Errorf(in, "holds the events of several projects: %s. Choose one with --website, by its number", all)
	}
	for host := range s.hosts {
		if adapters.SameHost(host, asked) {
			return site{host: asked}, nil
		}
	}
	return site{}, input.Errorf(in, "holds no events of the project or the host %q; there are: %s", asked, all)
}

func (s *source) notes(found *surveyed) []string {
	var notes []string
	if n := found.merged; n > 0 {
		notes = append(notes, fmt.Sprintf("%d persons and distinct ids are users that have others, too: PostHog merged them, or $identify says so.", n))
	}
	if s.visits != nil {
		notes = append(notes, fmt.Sprintf("%d events have no $session_id: those of pages are visits by pauses of 30 minutes, a server's belong to a visit that is going on.", found.sessionless))
	}
	if found.cookieless > 0 {
		notes = append(notes, fmt.Sprintf("%d events were sent before consent without an identifier: their users are their sessions.", found.cookieless))
	}
	for _, t := range s.tables {
		if t.Name == local {
			notes = append(notes, t.Input.Name+" is the table of one of ClickHouse's shards: where there are several, give the database in which the table events is, which has the events of all.")
		}
		notes = append(notes, t.Notes()...)
	}
	return notes
}
