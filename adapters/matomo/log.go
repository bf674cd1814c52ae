package matomo

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"hopper/adapters"
	"hopper/adapters/input"
	"hopper/adapters/input/rows"
	"hopper/adapters/input/rows/record"
	"hopper/adapters/input/spill"
	"hopper/pipeline"
	"hopper/pipeline/recount"
)

// howToExportLog says how to get all of the visits log.
const howToExportLog = "export with the API: method=Live.getLastVisitsDetails&format=JSON&period=range&date=…&filter_limit=-1, " +
	"without showColumns, hideColumns and translateColumnNames"

// detailColumn finds the columns of a visit's actions where they are flat.
var detailColumn = regexp.MustCompile(`^action_details_(\d{1,5})_([a-z_0-9]+)$`)

// isVisitsLog recognizes Live.getLastVisitsDetails, also where columns are absent
// that it cannot do without.
func isVisitsLog(t *rows.Table) bool {
	for _, column := range t.Columns {
		if column == "action_details" || detailColumn.MatchString(column) {
			return true
		}
	}
	return t.Column("id_visit") >= 0 && t.Column("last_action_timestamp", "server_timestamp", "first_action_timestamp") >= 0
}

// visitsLog is the visits log, one row a visit, of one or several files.
type visitsLog struct {
	inputs []*input.Input
	tables []*logTable
}

// logTable is a table of visits with its columns' positions; -1 is absent.
type logTable struct {
	*rows.Table
	site, id, visitor, first int
	siteName, actions, cut   int
	fields                   []int // of visit, in the order of logFields
	details                  int   // the actions as a list
	flat                     []map[string]int
	attributes               []attribute   // of the visit
	flatAttributes           [][]attribute // of the flat actions
	// quoted says that Matomo has put an apostrophe before what a spreadsheet
	// would calculate.
	quoted bool
}

// logFields are the columns of a visit in the order of visit's fields; "" is none.
var logFields = []string{
	"id_site", "visitor_id", "user_id", "first_action_timestamp", "", "",
	"referrer_type", "referrer_name", "referrer_keyword", "referrer_url", "language_code", "country_code", "region_code", "city",
	"browser_code", "browser_version", "operating_system_code", "operating_system_version", "device_type", "resolution",
	"campaign_source", "campaign_medium", "campaign_name", "campaign_content", "campaign_keyword",
}

// add takes a table of the visits log.
func (l *visitsLog) add(t *rows.Table) error {
	at := t.Column
	v := &logTable{
		Table: t, site: at("id_site"), id: at("id_visit"), visitor: at("visitor_id"), first: at("first_action_timestamp"),
		siteName: at("site_name"), actions: at("actions"), cut: at("truncated_actions_count"), details: at("action_details"), quoted: t.Input.Format() == input.Text,
	}
	for i, column := range t.Columns {
		m := detailColumn.FindStringSubmatch(column)
		if m == nil {
			continue
		}
		n, _ := strconv.Atoi(m[1])
		for len(v.flat) <= n {
			v.flat = append(v.flat, nil)
		}
		if v.flat[n] == nil {
			v.flat[n] = map[string]int{}
		}
		v.flat[n][m[2]] = i
	}
	v.attributes = attributesOf(t.Columns, unnamed)
	for _, columns := range v.flat {
		names := make([]string, len(t.Columns))
		for name, i := range columns {
			names[i] = name
		}
		v.flatAttributes = append(v.flatAttributes, attributesOf(names, unnamed))
	}
	for _, name := range logFields {
		column := -1
		if name != "" {
			column = at(name)
		}
		v.fields = append(v.fields, column)
	}
	switch {
	case v.details < 0 && v.flat == nil:
		return input.Errorf(t.Input.Name, "is Matomo's visits log without its actions: a column actionDetails or columns actionDetails_0_… were expected; %s", howToExportLog)
	case v.id < 0 && v.visitor < 0:
		return input.Errorf(t.Input.Name, "is Matomo's visits log without idVisit and visitorId, by which visits are told apart; %s", howToExportLog)
	}
	l.tables = append(l.tables, v)
	return nil
}

// match is what recognizing comes to.
func (l *visitsLog) match() adapters.Match {
	return adapters.Match{
		Own: l.inputs, Fit: adapters.Fits, Units: adapters.EachAlone(l.inputs),
		Tied: "files of Matomo's visits log overlap, so that which row of a visit counts follows from all of them together",
		Open: l.open,
	}
}

// action is what a visit's log says of one action.
type action struct {
	kind, url, title, time               string
	keyword, searchCategory, searchCount string
	category, action, name, value        string
	goal, goalName, order, revenue       string

	attributes []pipeline.Property // custom dimensions and variables
}

// actionFields are the names of the fields of action, as the columns are named.
var actionFields = []string{
	"type", "url", "page_title", "timestamp", "site_search_keyword", "site_search_category", "site_search_count",
	"event_category", "event_action", "event_name", "event_value", "goal_id", "goal_name", "order_id", "revenue",
}

func (a *action) fields() []*string {
	return []*string{&a.kind, &a.url, &a.title, &a.time, &a.keyword, &a.searchCategory, &a.searchCount, &a.category, &a.action, &a.name, &a.value,
		&a.goal, &a.goalName, &a.order, &a.revenue}
}

// actionKeys are actionFields as JSON has them.
var actionKeys = []string{
	"type", "url", "pageTitle", "timestamp", "siteSearchKeyword", "siteSearchCategory", "siteSearchCount",
	"eventCategory", "eventAction", "eventName", "eventValue", "goalId", "goalName", "orderId", "revenue",
}

// cell returns a cell as it was before Matomo wrote it.
func (t *logTable) cell(row *rows.Row, column int) string {
	text := row.Cell(column)
	if t.quoted {
		return unquoted(text)
	}
	return text
}

// unquoted takes off the apostrophe before what begins a formula.
func unquoted(text string) string {
	if len(text) > 1 && text[0] == '\'' && strings.IndexByte("=+-@", text[1]) >= 0 {
		return text[1:]
	}
	return text
}

// list returns the actions of a visit, in the log's order.
func (t *logTable) list(row *rows.Row) (list []action) {
	if t.details >= 0 {
		details := row.Value(t.details) // nil where the visit has none
		for i := range details.Elements() {
			list = append(list, actionOf(&details.Elements()[i]))
		}
		if details != nil && details.Kind == record.Object { // a list whose numbers have gaps
			for i := range details.Kids {
				list = append(list, actionOf(&details.Kids[i]))
			}
		}
	}
	cell := func(column int) string { return t.cell(row, column) }
	for n, columns := range t.flat {
		var a action
		present := false
		for i, field := range a.fields() {
			if column, known := columns[actionFields[i]]; known {
				*field = cell(column)
				present = present || *field != ""
			}
		}
		if present {
			a.attributes = propertiesOf(t.flatAttributes[n], cell)
			list = append(list, a)
		}
	}
	return list
}

func actionOf(v *record.Value) (a action) {
	for i, field := range a.fields() {
		*field = v.Get(actionKeys[i]).String()
	}
	a.attributes = loggedAttributes(v)
	return a
}

// identity tells visits apart: by idVisit, else by visitor and first second.
func (t *logTable) identity(row *rows.Row, list []action) string {
	if id := row.Cell(t.id); id != "" {
		return "visit " + id
	}
	first := row.Cell(t.first)
	if first == "" && len(list) > 0 {
		first = list[0].time
	}
	return "visit " + row.Cell(t.visitor) + "-" + first
}

// logSurvey is what was found out before translating.
type logSurvey struct {
	sites   *sites
	repeats *adapters.ByRow // rows of visits of which another row has more
	missing int64           // actions that the log lacks
	without int64           // visits that lack actions
}

// survey reads the log through for its sites and for visits that stand twice.
func (l *visitsLog) survey(ctx context.Context, opt adapters.Options) (_ *logSurvey, err error) {
	found := &logSurvey{sites: &sites{known: map[string]site{}, visits: map[string]int64{}}}
	byVisit := &spill.Sorter{Dir: opt.TempDir}
	defer byVisit.Close()
	for ordinal, t := range l.tables {
		err := t.Each(ctx, func(row *rows.Row) error {
			if row.Err != nil {
				return nil
			}
			list := t.list(row)
			found.look(t, row, list)
			id := adapters.IDOf(row.Cell(t.site) + " " + t.identity(row, list))
			value := binary.BigEndian.AppendUint32(nil, uint32(len(list)))
			value = binary.BigEndian.AppendUint32(value, uint32(ordinal))
			return byVisit.Add(id[:], binary.BigEndian.AppendUint64(value, uint64(row.Number)))
		})
		if err != nil {
			return nil, err
		}
	}
	found.repeats, err = repeatedVisits(ctx, byVisit, opt)
	return found, err
}

// look counts a visit of its site, whose address is that of the first page seen,
// and actions that the log lacks.
func (f *logSurvey) look(t *logTable, row *rows.Row, list []action) {
	id := row.Cell(t.site)
	f.sites.count(id)
	if known := f.sites.known[id]; known.address == "" && len(f.sites.known) < maxSites {
		for i := range list {
			if list[i].kind == "action" && strings.Contains(list[i].url, "://") {
				known.address = strings.Clone(list[i].url)
				break
			}
		}
		known.name = strings.Clone(t.cell(row, t.siteName))
		f.sites.known[strings.Clone(id)] = known
	}
	missing, err := strconv.ParseInt(row.Cell(t.cut), 10, 64)
	if err != nil {
		missing, _ = strconv.ParseInt(row.Cell(t.actions), 10, 64)
		missing -= int64(len(list))
	}
	if missing > 0 {
		f.missing += missing
		f.without++
	}
}

// repeatedVisits returns the rows of visits that another row tells better: the
// one with the most actions counts, and of these the first.
func repeatedVisits(ctx context.Context, byVisit *spill.Sorter, opt adapters.Options) (_ *adapters.ByRow, err error) {
	out := &adapters.ByRow{Dir: opt.TempDir}
	defer func() {
		if err != nil {
			out.Close()
		}
	}()
	leave := func(value []byte) error {
		return out.Add(int(binary.BigEndian.Uint32(value[4:])), int64(binary.BigEndian.Uint64(value[8:])), nil)
	}
	var id adapters.ID
	var best []byte
	err = byVisit.Each(ctx, func(key, value []byte) (err error) {
		switch {
		case best == nil || adapters.ID(key) != id:
			id, best = adapters.ID(key), append(best[:0], value...)
		case binary.BigEndian.Uint32(value) > binary.BigEndian.Uint32(best):
			err = leave(best)
			best = append(best[:0], value...)
		default:
			err = leave(value)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, out.Sort(ctx)
}

func (l *visitsLog) open(ctx context.Context, opt adapters.Options) (*adapters.Reading, error) {
	for _, t := range l.tables {
		if err := t.Input.Spool(ctx); err != nil {
			return nil, err
		}
	}
	found, err := l.survey(ctx, opt)
	if err != nil {
		return nil, err
	}
	src := &logSource{tables: l.tables, logSurvey: found, conversions: opt.Get(Conversions) == "true"}
	for _, t := range l.tables {
		src.loop.List = append(src.loop.List, t.Table)
	}
	if src.site, err = found.sites.choose(l.inputs[0].Name, opt.Get(adapters.Website)); err != nil {
		return nil, errors.Join(err, src.Close())
	}
	facts := recount.InPieces(func(ctx context.Context, yield func(*recount.Fact) error) error {
		return tellLog(ctx, src.loop.List, src.conversions, yield)
	})
	return &adapters.Reading{
		Source: src, Shape: "Matomo visits log", Schema: fmt.Sprintf("%d columns", len(l.tables[0].Columns)),
		Notes: src.notes(), Facts: facts, Verify: adapters.VerifyRows(src, opt, facts),
	}, nil
}

func (s *logSource) notes() []string {
	var notes []string
	if s.missing > 0 {
		notes = append(notes, fmt.Sprintf("%d actions of %d visits are not in the log: Matomo exports at most 500 actions a visit; the database has them all.", s.missing, s.without))
	}
	for _, t := range s.tables {
		if t.id < 0 {
			notes = append(notes, t.Input.Name+": has no idVisit: visits are told apart by visitorId and their first second.")
		}
	}
	return notes
}
