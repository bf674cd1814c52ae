// Package simpleanalytics reads what Simple Analytics exports: data points, each
// a page view or an event, as CSV of the dashboard or of the export API, as the
// API's JSON, or in any other container that package rows reads. The visits that
// the API of 2020 gave are read too.
//
// # Columns
//
// Columns are found by name, in any order; users choose which to export. Needed
// are a time (added_iso or added_unix) and a page (path, path_and_query or url).
// Without datapoint each row is a page view. A time with an offset other than Z
// is taken from added_unix where that is there, which is assumed of exports
// that were asked for in another zone.
//
// # Meaning
//
// Simple Analytics knows neither visitors nor visits. A session_id lives as long
// as a document in the browser, so that most page loads have one of their own.
// Visits are derived: rows of one session_id belong together; a page view whose
// referrer is the site itself continues the newest visit of the last 30 minutes
// that looks the same (agent, screen, country, language) and whose last page was
// the referrer, else any such visit; each other page load begins a visit. A visit
// that begins with a unique page view is a visitor of its own, which is how
// Simple Analytics counts them; any other is the visitor's of the newest visit of
// that day that looks the same. All is sorted on disk where need be.
//
// The same uuid, time, name and page are the same data point: of rows with them
// the first counts. Robots are left out. Clicks on links away and downloads
// stay events, with the address as a property. The name of an event of an
// e-mail link holds the address, which is personal: it becomes "email". Values
// of metadata become properties; of a number that is there as text too, the
// number.
package simpleanalytics

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"hopper/adapters"
	"hopper/adapters/input"
	"hopper/adapters/input/rows"
	"hopper/pipeline/recount"
)

// Adapter is the [adapters.Adapter] for Simple Analytics. Its zero value is ready.
type Adapter struct{}

// Name is "simpleanalytics".
func (Adapter) Name() string { return "simpleanalytics" }

// Title is "Simple Analytics".
func (Adapter) Title() string { return "Simple Analytics" }

// Options are the choices that these exports offer.
func (Adapter) Options() []adapters.Option { return []adapters.Option{adapters.Website} }

// howToExport says how to get data points.
const howToExport = "export the data points: in the dashboard under Settings, Export data, with all fields and both page views and events, " +
	"or of the API /api/export/datapoints?version=6&format=csv&type=all&hostname=…&start=…&end=…&fields=…"

// Match looks for tables of data points.
func (Adapter) Match(ctx context.Context, inputs []*input.Input) adapters.Match {
	m := adapters.Match{Open: func(ctx context.Context, opt adapters.Options) (*adapters.Reading, error) {
		return open(ctx, inputs, opt)
	}}
	for _, in := range inputs {
		if !rows.IsTable(in) {
			continue
		}
		found, err := rows.Find(ctx, in)
		if err != nil || len(found) != 1 {
			continue
		}
		switch t := found[0]; {
		case isDatapoints(t):
			m.Own = append(m.Own, in)
		case isSums(t):
			m.Fit, m.Err = adapters.Near, sumsError(in)
		}
	}
	if len(m.Own) > 0 {
		m.Fit, m.Err, m.Units = adapters.Fits, nil, adapters.EachAlone(m.Own)
		m.Tied = "Simple Analytics does not say which page views are one visit, so that visits follow from all of them together"
	}
	return m
}

// isSums reports whether a table is of days and names of events.
func isSums(t *rows.Table) bool {
	return slices.Equal(t.Columns, []string{"date", "events", "referrer"})
}

func sumsError(in *input.Input) error {
	return input.Errorf(in.Name, "holds days and names of events without their times and pages (/api/export/events of 2020), from which no visits can be made; %s", howToExport)
}

// isDatapoints reports whether a table's columns are those of data points.
func isDatapoints(t *rows.Table) bool {
	return t.Column("added_iso", "added_unix") >= 0 && t.Column("path", "path_and_query", "url") >= 0 &&
		t.Column("is_unique", "datapoint", "document_referrer", "referrer_raw", "lang_language", "scrolled_percentage", "hostname") >= 0
}

func open(ctx context.Context, inputs []*input.Input, opt adapters.Options) (_ *adapters.Reading, err error) {
	src := &source{opt: opt}
	for _, in := range inputs {
		found, err := rows.Find(ctx, in)
		if err != nil {
			return nil, err
		}
		for _, t := range found {
			if isSums(t) {
				return nil, sumsError(in)
			}
			if !isDatapoints(t) {
				return nil, input.Errorf(in.Name, "holds no data points: the columns added_iso or added_unix, and path, were expected, and there are %s; %s",
					strings.Join(adapters.Few(t.Columns, 12), ", "), howToExport)
			}
			if err := t.Twice(known...); err != nil {
				return nil, err
			}
			src.tables = append(src.tables, newTable(t, opt))
			src.loop.List = append(src.loop.List, t)
		}
	}
	if len(src.tables) == 0 {
		if len(inputs) == 0 {
			return nil, errors.New("the inputs hold no data points of Simple Analytics; " + howToExport)
		}
		return nil, input.Errorf(inputs[0].Name, "holds no data points of Simple Analytics; %s", howToExport)
	}
	found, err := survey(ctx, src.tables, opt)
	if err != nil {
		return nil, err
	}
	if src.website, err = chooseSite(inputs[0].Name, found.hosts, opt.Get(adapters.Website)); err != nil {
		return nil, errors.Join(err, found.repeats.close())
	}
	if src.visits, err = findVisits(ctx, src, found.repeats); err != nil {
		return nil, err
	}
	facts := recount.InPieces(func(ctx context.Context, yield func(*recount.Fact) error) error {
		return tell(ctx, src.loop.List, opt, yield)
	})
	return &adapters.Reading{
		Source: src, Shape: "Simple Analytics data points", Schema: fmt.Sprintf("%d columns", len(src.tables[0].Columns)),
		Notes: src.notes(), Facts: facts, Verify: adapters.VerifyRows(src, opt, facts),
	}, nil
}

// chooseSite returns the host whose data points to read, empty for all.
func chooseSite(in string, hosts map[string]int64, asked string) (string, error) {
	all := adapters.ListSites(hosts, "data points", func(host string) string { return host })
	switch {
	case asked == "" && len(hosts) > 1:
		return "", input.Errorf(in, "holds the data points of several websites: %s. Choose one with --website, by its hostname, and import each into its own site", all)
	case asked == "":
		return "", nil
	case slices.ContainsFunc(slices.Collect(maps.Keys(hosts)), func(name string) bool { return adapters.SameHost(name, asked) }):
		return asked, nil
	}
	return "", input.Errorf(in, "holds no data points of a website with the hostname %q; there are: %s", asked, all)
}

func (s *source) notes() []string {
	v := s.visits
	notes := []string{fmt.Sprintf("Simple Analytics keeps no visits: %d were derived from page loads and referrers, %d of them begun by no unique page view; visitors are its unique page views.", v.found, v.before)}
	if v.overMidnight > 0 {
		notes = append(notes, fmt.Sprintf("%d visits go on over midnight: Rybbit shows their visitors on both days, Simple Analytics on the first.", v.overMidnight))
	}
	for _, t := range s.tables {
		var unread []string
		for _, name := range t.Columns {
			if !slices.Contains(known, name) && !isMetadata(name) || slices.Contains(notCarried, name) {
				unread = append(unread, name)
			}
		}
		if len(unread) > 0 {
			notes = append(notes, fmt.Sprintf("%s: not read: %s.", t.Input.Name, strings.Join(unread, ", ")))
		}
		notes = append(notes, t.Notes()...)
	}
	return notes
}
