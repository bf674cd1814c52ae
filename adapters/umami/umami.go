// Package umami reads what Umami exports: the Cloud's ZIP, and the tables of a
// self-hosted PostgreSQL, MySQL or ClickHouse in any container that package rows
// reads, dumps with COPY or INSERT among them; of all versions from 1 on.
//
// # Tables
//
// Tables are recognized by their columns, whatever the files are called and in
// whatever order they come. Columns are found by name, and any that is not
// needed may be absent. Without a header they are recognized where their order
// is that of a known version. In a join of events with other tables, the event's
// own column of a name is the one nearest to its page.
//
//   - website_event, one row an event: pageview and event in version 1.
//     ClickHouse has all there is in it. Several are one migration.
//   - session has the visitors' browsers and places in PostgreSQL and MySQL.
//   - event_data and session_data have the properties of events and visitors,
//     one row each. Those of version 1, an object each, belong to its table event
//     alone. They are sorted and looked up on disk, as sessions are.
//   - website has the names of the sites, which a user can choose by.
//   - revenue repeats what event_data has, and is not read.
//
// Tables that Umami's upgrades leave behind (v1_event, _event_old) are left out
// where there are events beside them.
//
// The events are surveyed first: which of them repeat an earlier one, how many
// each website has, and in which order dates such as 5/1/2024 hold day and month.
// Where visits are missing, the input is read once more to find them. Then events
// are read in a stream, in the order of the input, and decoded in parallel.
//
// # Meaning
//
// The same event_id is the same event: of rows with it the first counts. An id
// that is no UUID, as in version 1, needs the same visitor and time too.
//
// Umami's session is a visitor and its visit is Rybbit's session. Where
// visit_id is missing, or is the session_id again as tools write it that know no
// visits, events of a visitor with a pause of 30 minutes or more between them are
// different visits, named by visitor and start. A row with an
// empty visit_id in a table whose first rows have one is left to
// normalization, which makes one visit of a visitor's day.
//
// UTM values and click identifiers that stand in columns and not in the query
// go back into it. The tag becomes a property of that name. An event's
// properties keep their types. Hits on short links and pixels (event types 3
// and 4) are omitted unless they have a name.
package umami

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"

	"hopper/adapters"
	"hopper/adapters/input"
	"hopper/adapters/input/rows"
	"hopper/adapters/input/spill"
	"hopper/pipeline/recount"
)

// Adapter is the [adapters.Adapter] for Umami.
type Adapter struct{}

// Name is "umami".
func (Adapter) Name() string { return "umami" }

// detect looks for a table of Umami's, or a name of one.
func detect(ctx context.Context, inputs []*input.Input) bool {
	if isAggregates(inputs) {
		return true
	}
	return slices.ContainsFunc(inputs, func(in *input.Input) bool {
		if strings.HasPrefix(in.Base, "website_event") {
			return true // even where it is broken, Open can say how
		}
		if rows.IsSQL(in) {
			head := string(in.TextHead())
			return strings.Contains(head, "website_event") || strings.Contains(head, "url_path") && strings.Contains(head, "session_id") || v1Dump.MatchString(head) && strings.Contains(head, "session")
		}
		if !rows.IsTable(in) {
			return false
		}
		found, err := tablesOf(ctx, in, inputs) // reads no more than the head
		return err == nil && slices.ContainsFunc(found, func(t *rows.Table) bool { return roleOf(t) != other || headless(t) })
	})
}

// v1Dump finds the table pageview in a dump; other products have events of that name.
var v1Dump = regexp.MustCompile("(?i)\\b(?:table|tables|into|copy)\\s+(?:if\\s+(?:not\\s+)?exists\\s+)?(?:only\\s+)?[\\w.\"`]*pageview\\b")

// isJoined reports whether an input is a table of sessions or properties.
func isJoined(ctx context.Context, in *input.Input) bool {
	if !rows.IsTable(in) {
		return false
	}
	found, err := tablesOf(ctx, in, []*input.Input{in}) // reads no more than the head
	return err == nil && len(found) > 0 && !slices.ContainsFunc(found, func(t *rows.Table) bool {
		switch roleOf(t) {
		case sessionsRole, eventDataRole, sessionDataRole, websitesRole:
			return false
		}
		return true
	})
}

// open reads the tables that are joined to the events, and the events where
// visits must be found.
func open(ctx context.Context, inputs []*input.Input, opt adapters.Options) (_ *adapters.Reading, err error) {
	found, err := find(ctx, inputs)
	if err != nil {
		return nil, err
	}
	src := &source{
		opt: opt, times: adapters.Times{Zone: opt.Location(), Serials: true, Order: adapters.OrderOf(opt)},
		tables: found.events, mixed: found.mixed(), rejects: new(rejects),
	}
	for _, t := range found.events {
		src.loop.List = append(src.loop.List, t.Table)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, src.Close())
		}
	}()
	found.selectWebsite(opt.Get(adapters.Website))
	if src.repeats, err = found.survey(ctx, opt); err != nil {
		return nil, err
	}
	if src.website, err = found.website(opt.Get(adapters.Website)); err != nil {
		return nil, err
	}
	if len(found.sessions) > 0 {
		if src.sessions, err = readSessions(ctx, found.sessions, opt.TempDir, src.rejects); err != nil {
			return nil, err
		}
	}
	objects, data := found.splitData()
	if src.data, err = src.index(ctx, data, "website_event_id", "event_id"); err != nil {
		return nil, err
	}
	if src.objects, err = src.index(ctx, objects, "event_id"); err != nil {
		return nil, err
	}
	if src.userData, err = src.index(ctx, found.sessionData, "session_id"); err != nil {
		return nil, err
	}
	if slices.ContainsFunc(found.events, func(t *eventTable) bool { return t.derive }) {
		if src.visits, err = src.findVisits(ctx); err != nil {
			return nil, err
		}
	}
	facts := func(ctx context.Context, tell func(recount.Pieces) error) error {
		return tellRows(ctx, found, src.website, opt, tell)
	}
	return &adapters.Reading{
		Source: src, Shape: found.shape(), Schema: found.schema(), Notes: found.notes(), Advice: found.advice(), Remarks: found.remarks, Facts: facts, Verify: adapters.VerifyRows(src, opt, facts),
	}, nil
}

// index sorts the properties in tables into an index by the column owner.
func (s *source) index(ctx context.Context, tables []*rows.Table, owner ...string) (*spill.Index, error) {
	if len(tables) == 0 {
		return nil, nil
	}
	sorter := &spill.Sorter{Dir: s.opt.TempDir}
	defer sorter.Close()
	for _, t := range tables {
		if err := loadData(ctx, t, t.Column(owner...), &s.times, sorter, s.rejects); err != nil {
			return nil, err
		}
	}
	ix, err := spill.NewIndex(ctx, sorter)
	return ix, sorting(ctx, tables[0], err)
}

// findVisits reads the tables without visits through.
func (s *source) findVisits(ctx context.Context) (*adapters.Visits, error) {
	finder := adapters.VisitFinder{Dir: s.opt.TempDir}
	defer finder.Close()
	for ordinal, t := range s.tables {
		if !t.derive {
			continue
		}
		// What cannot be read here is rejected when it is read again.
		err := each(ctx, t.Table, nil, func(row *rows.Row) error {
			get := cells(row.Cells)
			at, ok := t.times.Parse(get.at(t.createdAt))
			if !ok || get.at(t.sessionID) == "" || t.visit(get) != "" {
				return nil
			}
			return finder.Add(adapters.IDOf(get.at(t.sessionID)), at, ordinal, row.Number)
		})
		if err != nil {
			return nil, err
		}
	}
	return finder.Find(ctx)
}

// splitData returns the tables with one object of properties an event, and
// those with a row for each property.
func (f *tables) splitData() (objects, single []*rows.Table) {
	for _, t := range f.eventData {
		if t.Column("event_data") >= 0 && t.Column("data_key", "event_key") < 0 {
			objects = append(objects, t)
		} else {
			single = append(single, t)
		}
	}
	return objects, single
}

// mixed reports whether there are events of version 1 and of later ones.
func (f *tables) mixed() bool {
	old := func(e *eventTable) bool { return e.kind != modern }
	return slices.ContainsFunc(f.events, old) && slices.ContainsFunc(f.events, func(e *eventTable) bool { return !old(e) })
}
