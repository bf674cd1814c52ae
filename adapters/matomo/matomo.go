// Package matomo reads the database of a self-hosted Matomo, or Piwik: live, as a dump,
// or its tables in any container that package rows reads; and the visits log that
// Matomo exports (Live.getLastVisitsDetails) as JSON, CSV or TSV.
//
// # Tables
//
// Tables are recognized by their columns, whatever their prefix.
//
//   - log_link_visit_action, one row an action, is what events are made of.
//   - log_visit has each visit's visitor, browser, place and how it was come to.
//   - log_action has the addresses, titles and names that actions point to.
//   - site has the names and addresses of the sites, which a user can choose by.
//   - custom_dimensions has the names of custom dimensions.
//
// log_visit and log_action are sorted on disk and looked up, so that memory does not grow
// with them. Actions stream in the order of the input. Columns come by Matomo's
// plugins; those that are absent are empty.
//
// # Meaning
//
// A visit is Rybbit's session, and idvisitor its user; user_id identifies the user.
// Times are UTC. A row with an event category is a custom event, named by the
// category, with action, name and value as properties; one of a search is the
// custom event "Site Search", named and counted so; a link away and a download are
// outbound clicks; the others are page views. What is no page view is on the page
// that was viewed before, else on the visit's first. A page view without an
// address is on "/(not set)" of the site. Views of content and clicks on it are left
// out. So are goals and orders, since what triggered them is there; on request they
// are custom events, named by the goal or "Order", with their revenue.
//
// Custom dimensions and custom variables are properties, those of a visit of each of
// its events. Of two with one name the later has its scope behind it.
//
// The referrer is a visit's, and stands at its first second; there a campaign goes
// back into the query, from which Matomo takes it. Titles and names hold entities of
// HTML, which are decoded once. Fragments of addresses are left out, as Rybbit's own
// script does. IP addresses and coordinates of visitors are not read.
//
// The same idlink_va is the same action: of rows with it the first counts.
//
// # Visits log
//
// The log has a row a visit, in which its actions are a list or flat columns. They
// mean what they mean in the database. Pages of the log overlap: of rows with one
// idVisit that with the most actions counts, which is the visit when it had ended.
// Where idVisit is absent, a visit is a visitor's with its first second. Times are the
// actions' own timestamps; what Matomo writes in the language of whoever exports is
// read only where there is no code for it. Types of actions that plugins add, and
// names of columns before version 3, are assumed from few examples.
package matomo

import (
	"bytes"
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

// Adapter is the [adapters.Adapter] for Matomo. Its zero value is ready.
type Adapter struct{}

// Name is "matomo".
func (Adapter) Name() string { return "matomo" }

// Title is "Matomo".
func (Adapter) Title() string { return "Matomo" }

// Options are the choices that these exports offer.
func (Adapter) Options() []adapters.Option { return []adapters.Option{adapters.Website, Conversions} }

// Relations are the tables that are read of a live database, under any prefix.
func (Adapter) Relations() []input.Relation {
	named := func(table string) *regexp.Regexp { return regexp.MustCompile(`(?:\w+_)?` + table) }
	return []input.Relation{
		{Table: named("log_link_visit_action"), Needs: []string{"idlink_va", "idvisit"}, Columns: slices.Concat(actionColumns, dimensionColumns()), Time: "server_time", Key: []string{"idlink_va"}, Counted: true},
		{Table: named("log_visit"), Needs: []string{"idvisit", "idvisitor"}, Columns: slices.Concat([]string{"idvisit"}, visitColumns, dimensionColumns()), Time: "visit_first_action_time", Key: []string{"idvisit"}, Counted: true},
		{Table: named("log_action"), Needs: []string{"idaction", "name"}, Columns: []string{"idaction", "name", "type", "url_prefix"}, Key: []string{"idaction"}},
		{Table: named("log_conversion"), Needs: []string{"idvisit", "idgoal", "server_time"}, Columns: conversionColumns, Time: "server_time", Key: []string{"idvisit", "idgoal", "buster"}},
		{Table: named("goal"), Needs: []string{"idsite", "idgoal", "name"}, Columns: []string{"idsite", "idgoal", "name", "match_attribute"}, Key: []string{"idsite", "idgoal"}},
		{Table: named("custom_dimensions"), Needs: []string{"idcustomdimension", "index", "scope"}, Columns: []string{"idcustomdimension", "idsite", "name", "index", "scope"}, Key: []string{"idsite", "idcustomdimension"}},
		{Table: named("site"), Needs: []string{"idsite", "main_url"}, Columns: []string{"idsite", "name", "main_url"}, Key: []string{"idsite"}},
	}
}

// howToExport says how to give a Matomo's database.
const howToExport = "give the database's address (mysql://USER@HOST/matomo), or the tables log_visit, log_link_visit_action, log_action and site: " +
	"mysqldump --hex-blob matomo matomo_log_visit matomo_log_link_visit_action matomo_log_action matomo_site > matomo.sql"

// dumped finds a dump of Matomo's by the first of its tables.
var dumped = regexp.MustCompile("(?i)(?:table|tables|into)\\s+(?:if\\s+(?:not\\s+)?exists\\s+)?[\\w.`\"]*(?:log_action|log_visit|log_link_visit_action|archive_blob_\\d{4}_\\d\\d|archive_invalidations|matomo_access|piwik_access)[`\" ]")

// Match looks for Matomo's tables among the inputs.
func (Adapter) Match(ctx context.Context, inputs []*input.Input) adapters.Match {
	m := adapters.Match{Open: func(ctx context.Context, opt adapters.Options) (*adapters.Reading, error) {
		return open(ctx, inputs, opt)
	}}
	log := new(visitsLog)
	for _, in := range inputs {
		switch {
		case rows.IsSQL(in):
			if dumped.Match(in.TextHead()) {
				m.Own = append(m.Own, in)
			}
		case rows.IsTable(in):
			found, err := rows.FindAmong(ctx, in, inputs)
			if err != nil && isXMLLog(in) {
				m.Fit, m.Err = adapters.Near, errXMLLog(in)
			}
			if err != nil || len(found) != 1 {
				continue
			}
			switch role := roleOf(found[0]); {
			case role != other:
				m.Own = append(m.Own, in)
				if role != actionsRole {
					m.Joined = append(m.Joined, in)
				}
			case isVisitsLog(found[0]):
				if err := log.add(found[0]); err != nil {
					m.Fit, m.Err = adapters.Near, err
				} else {
					log.inputs = append(log.inputs, in)
				}
			}
		}
	}
	switch {
	case len(m.Own) == 0 && len(log.inputs) > 0:
		return log.match()
	case len(m.Own) == 0:
		return m
	}
	m.Fit, m.Err = adapters.Fits, nil
	events := slices.DeleteFunc(slices.Clone(m.Own), func(in *input.Input) bool { return slices.Contains(m.Joined, in) })
	m.Units = adapters.EachAlone(events)
	return m
}

// isXMLLog reports whether an input is a visits log as XML, which is Matomo's default.
func isXMLLog(in *input.Input) bool {
	head := bytes.TrimLeft(in.TextHead(), " \t\r\n")
	return bytes.HasPrefix(head, []byte("<?xml")) && bytes.Contains(head, []byte("<idVisit>"))
}

func errXMLLog(in *input.Input) error {
	return input.Errorf(in.Name, "is Matomo's visits log as XML; export it again with format=JSON in the address (or CSV or TSV), without which Matomo writes XML")
}

// role is what a table is to Matomo.
type role uint8

const (
	other role = iota
	actionsRole
	visitsRole
	namesRole
	sitesRole
	conversionsRole
	goalsRole
	dimensionsRole
)

func roleOf(t *rows.Table) role {
	has := func(names ...string) bool {
		return !slices.ContainsFunc(names, func(name string) bool { return t.Column(name) < 0 })
	}
	switch {
	case has("idlink_va", "idvisit", "server_time", "idaction_url") && !has("idgoal"):
		return actionsRole
	case has("idvisit", "idvisitor", "visit_first_action_time"):
		return visitsRole
	case has("idaction", "name", "type"):
		return namesRole
	case has("idcustomdimension", "idsite", "name", "index", "scope"):
		return dimensionsRole
	case has("idsite", "main_url"):
		return sitesRole
	case has("idvisit", "idgoal", "server_time") && !has("idaction_sku"):
		return conversionsRole
	case has("idsite", "idgoal", "name", "match_attribute"):
		return goalsRole
	}
	return other
}

// tables are those of an export, by role.
type tables struct{ actions, visits, names, sites, conversions, goals, dimensions []*rows.Table }

func find(ctx context.Context, inputs []*input.Input) (*tables, error) {
	f := new(tables)
	for _, in := range inputs {
		if isXMLLog(in) {
			return nil, errXMLLog(in)
		}
		all, err := rows.FindAmong(ctx, in, inputs)
		if err != nil {
			return nil, err
		}
		for _, t := range all {
			t.NullWord = "NULL"
			switch roleOf(t) {
			case actionsRole:
				f.actions = append(f.actions, t)
			case visitsRole:
				f.visits = append(f.visits, t)
			case namesRole:
				f.names = append(f.names, t)
			case dimensionsRole:
				f.dimensions = append(f.dimensions, t)
			case sitesRole:
				f.sites = append(f.sites, t)
			case conversionsRole:
				f.conversions = append(f.conversions, t)
			case goalsRole:
				f.goals = append(f.goals, t)
			case other:
				if isVisitsLog(t) {
					if err := new(visitsLog).add(t); err != nil {
						return nil, err
					}
					return nil, input.Errorf(in.Name, "is an export of Matomo's visits log, and the database is given, too, which holds the same visits; give one of the two")
				}
			}
		}
	}
	var missing []string
	for name, of := range map[string][]*rows.Table{"log_link_visit_action": f.actions, "log_visit": f.visits, "log_action": f.names} {
		if len(of) == 0 {
			missing = append(missing, name)
		}
	}
	if slices.Sort(missing); len(missing) > 0 {
		if len(inputs) == 0 {
			return nil, errors.New("there are no tables of Matomo's; " + howToExport)
		}
		return nil, input.Errorf(inputs[0].Name, "lacks Matomo's %s, without which actions have no page or no visit; %s", strings.Join(missing, " and "), howToExport)
	}
	return f, nil
}

func open(ctx context.Context, inputs []*input.Input, opt adapters.Options) (_ *adapters.Reading, err error) {
	found, err := find(ctx, inputs)
	if err != nil {
		return nil, err
	}
	src := &source{}
	if opt.Get(Conversions) != "true" {
		found.conversions = nil
	}
	src.loop.List = slices.Concat(found.actions, found.conversions)
	defer func() {
		if err != nil {
			err = errors.Join(err, src.Close())
		}
	}()
	for _, t := range found.actions {
		src.tables = append(src.tables, newActions(t))
	}
	for _, t := range found.conversions {
		src.more = append(src.more, newConversions(t))
	}
	for _, t := range slices.Concat(found.actions, found.visits, found.names, found.conversions) {
		if err := t.Input.Spool(ctx); err != nil {
			return nil, err
		}
	}
	sites, err := readSites(ctx, found.sites)
	if err != nil {
		return nil, err
	}
	if id := sites.only(opt.Get(adapters.Website)); id != "" {
		for _, t := range slices.Concat(found.actions, found.visits) {
			t.Input.Select("idsite", id)
		}
	}
	src.moreColumns = attributeColumns(found.visits)
	if src.visits, err = indexVisits(ctx, found.visits, opt, sites, src.moreColumns); err != nil {
		return nil, err
	}
	if src.site, err = sites.choose(found.visits[0].Input.Name, opt.Get(adapters.Website)); err != nil {
		return nil, err
	}
	src.sites = sites
	if err := src.findAttributes(ctx, found.dimensions); err != nil {
		return nil, err
	}
	if src.goals, err = readGoals(ctx, found.goals); err != nil {
		return nil, err
	}
	if src.names, err = indexNames(ctx, found.names, opt); err != nil {
		return nil, err
	}
	if src.repeats, err = findRepeats(ctx, src, opt); err != nil {
		return nil, err
	}
	facts := recount.InPieces(func(ctx context.Context, yield func(*recount.Fact) error) error {
		return tell(ctx, found, src.site, opt, yield)
	})
	return &adapters.Reading{
		Source: src, Shape: "Matomo database", Schema: fmt.Sprintf("log_link_visit_action with %d columns, log_visit with %d", len(found.actions[0].Columns), len(found.visits[0].Columns)),
		Notes: src.notes(), Facts: facts, Verify: adapters.VerifyRows(src, opt, facts),
	}, nil
}

func (s *source) notes() []string {
	var notes []string
	if n := s.sites.destroyed; n > 0 {
		notes = append(notes, fmt.Sprintf("%d visits have an idvisitor whose bytes did not survive the export: each is a visitor of its own; dump with --hex-blob.", n))
	}
	return notes
}
