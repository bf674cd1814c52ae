package stats

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"hopper/pipeline/recount"
)

const (
	// sqlRows is the most that a query returns.
	sqlRows = 1000
	// sqlPages is how often a table is asked for more rows. One that is longer is
	// not compared.
	sqlPages = 25
)

// bySQL asks in SQL.
func (s *showing) bySQL(ctx context.Context) error {
	if err := s.daysBySQL(ctx); err != nil {
		return err
	}
	others, err := s.others(ctx)
	if err != nil {
		return err
	}
	// A site can have many pages, and the statistics give them in one request.
	pages := s.pages
	if others > 0 {
		pages = s.pagesBySQL
	}
	if err := pages(ctx); err != nil {
		return err
	}
	where := " from scoped_events where " + s.where()
	for _, fields := range together {
		tables, values := make([]int, len(fields)), make([]string, len(fields))
		for i, field := range fields {
			tables[i] = recount.DashboardDimensions + slices.Index(recount.DashboardFields[:], field)
			values[i] = firstOf(field)
		}
		inner := "select " + strings.Join(values, " || "+quote(between)+" || ") + " as v" + where + " group by session_id"
		if err := s.tablesBySQL(ctx, tables, inner); err != nil {
			return err
		}
	}
	if err := s.channelsBySQL(ctx); err != nil {
		return err
	}
	return s.detailsBySQL(ctx, others)
}

// together are the fields that are asked for in one query, as few combinations of
// their values occur.
var together = [][]string{
	{"referrer"},
	{"hostname", "language"},
	{"country", "region", "city"},
	{"device_type", "operating_system", "operating_system_version", "browser"},
	{"browser_version"},
	{"utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content"},
}

// between stands between the values of fields that are asked for together.
const between = "\x1f"

// firstOf is a session's first value of a field.
func firstOf(field string) string {
	column, value := field, field
	switch name, isVersion := strings.CutSuffix(field, "_version"); {
	case isVersion:
		column, value = name, "concat("+name+", ' ', "+field+")"
	case strings.HasPrefix(field, "utm_"):
		column = "url_parameters['" + field + "']"
		value = column
	}
	first := "argMinIf(" + value + ", timestamp, " + column + " != '')"
	if field == "referrer" {
		return "domainWithoutWWW(" + first + ")"
	}
	return first
}

// channelsBySQL notes what channels the server shows.
func (s *showing) channelsBySQL(ctx context.Context) error {
	var rows []channel
	from := "select argMin(channel, timestamp) as v from scoped_events where " + s.where() + " and channel not in ('', 'Direct', 'Internal') group by session_id"
	err := s.query(ctx, "select v as value, count() as count from ("+from+") group by v order by count desc limit 100", &rows)
	if err == nil {
		s.noteChannels(rows)
	}
	return err
}

// where limits a query to the imports, or to the days.
func (s *showing) where() string {
	if len(s.Imports) == 0 {
		return fmt.Sprintf("toDate(timestamp, %s) >= %s and toDate(timestamp, %s) <= %s", quote(s.zone()), quote(s.first.String()), quote(s.zone()), quote(s.last.String()))
	}
	return "import_id in (" + s.imports() + ")"
}

func (s *showing) imports() string {
	ids := make([]string, len(s.Imports))
	for i, id := range s.Imports {
		ids[i] = quote(id)
	}
	return strings.Join(ids, ", ")
}

// quote writes a text as ClickHouse reads it.
func quote(text string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(text) + "'"
}

func (s *showing) daysBySQL(ctx context.Context) error {
	day := func(of string) string { return "toDate(" + of + ", " + quote(s.zone()) + ")" }
	err := s.eachDay(ctx, day("timestamp"), "countIf(type = 'pageview') as views, uniqExact(user_id) as users", "scoped_events where "+s.where()+" and",
		func(r *dayRow) map[int]number {
			return map[int]number{recount.DayPageviews: r.Views, recount.DayUsers: r.Users}
		})
	if err != nil {
		return err
	}
	sessions := "(select min(timestamp) as begun, dateDiff('second', min(timestamp), max(timestamp)) as lasted, " +
		"if(countIf(type = 'pageview') = 1, 1, 0) as bounced from scoped_events where " + s.where() + " group by session_id)"
	err = s.eachDay(ctx, day("begun"), "count() as sessions, sum(bounced) as bounces, sum(lasted) as seconds", sessions+" where",
		func(r *dayRow) map[int]number {
			return map[int]number{recount.DaySessions: r.Sessions, recount.DayBounces: r.Bounces, recount.DaySeconds: r.Seconds}
		})
	if err == nil {
		s.tellDays()
	}
	return err
}

type dayRow struct {
	Day                                      string
	Views, Users, Sessions, Bounces, Seconds number
}

// eachDay adds what columns come to on each day, in pages of days.
func (s *showing) eachDay(ctx context.Context, day, columns, from string, amounts func(*dayRow) map[int]number) error {
	for after := "1970-01-01"; ; {
		var rows []dayRow
		query := fmt.Sprintf("select %s as day, %s from %s %s > %s group by day order by day limit %d", day, columns, from, day, quote(after), sqlRows)
		if err := s.query(ctx, query, &rows); err != nil {
			return err
		}
		for i := range rows {
			at, err := s.day(rows[i].Day)
			if err == nil {
				err = s.showDay(at, amounts(&rows[i]))
			}
			if err != nil {
				return err
			}
			after = at.String()
		}
		if len(rows) < sqlRows {
			return nil
		}
	}
}

func (s *showing) day(date string) (recount.Day, error) {
	if len(date) > 10 {
		date = date[:10]
	}
	return recount.ParseDay(date)
}

func (s *showing) showDay(day recount.Day, columns map[int]number) error {
	for column, n := range columns {
		if err := s.show(day, recount.DashboardDays, column, "", int64(n)); err != nil {
			return err
		}
	}
	return nil
}

// pagesBySQL asks for pages, entry and exit pages, and titles.
func (s *showing) pagesBySQL(ctx context.Context) error {
	complete, err := s.valuesBySQL(ctx, "pages", "select pathname as v, session_id from scoped_events where "+s.where(), ", uniqExact(session_id) as m", func(r *valueRow) error {
		row := recount.DashboardRow(string(r.V))
		if err := s.show(recount.AllDays, recount.DashboardPages, recount.PageEvents, row, int64(r.N)); err != nil {
			return err
		}
		return s.show(recount.AllDays, recount.DashboardPages, recount.PageSessions, row, int64(r.M))
	})
	if err != nil {
		return err
	}
	if complete {
		s.tell(recount.DashboardPages, recount.PageSessions, recount.PageEvents)
	}
	where := " from scoped_events where " + s.where()
	for _, t := range []struct {
		table int
		inner string
	}{
		{recount.DashboardEntries, "select argMin(pathname, timestamp) as v" + where + " group by session_id"},
		{recount.DashboardExits, "select argMax(pathname, timestamp) as v" + where + " group by session_id"},
		{recount.DashboardTitles, "select page_title as v" + where + " and type = 'pageview'"},
	} {
		if err := s.tablesBySQL(ctx, []int{t.table}, t.inner); err != nil {
			return err
		}
	}
	return nil
}

// tablesBySQL counts the values of a query, which holds one for each of some tables.
func (s *showing) tablesBySQL(ctx context.Context, tables []int, inner string) error {
	names, layout := []string(nil), recount.Dashboard(nil)
	for _, table := range tables {
		names = append(names, layout.Tables[table].Name)
	}
	complete, err := s.valuesBySQL(ctx, strings.Join(names, ", "), inner, "", func(r *valueRow) error {
		for i, value := range strings.SplitN(string(r.V), between, len(tables)) {
			if value == "" {
				continue
			}
			if err := s.show(recount.AllDays, tables[i], 0, s.row(tables[i], value), int64(r.N)); err != nil {
				return err
			}
		}
		return nil
	})
	if complete {
		for _, table := range tables {
			s.tell(table, 0)
		}
	}
	return err
}

// valueRow is a value and how often it occurs.
type valueRow struct {
	V    text
	N, M number
}

// valuesBySQL counts the values of a query in pages of their order, and reports
// whether that are all.
func (s *showing) valuesBySQL(ctx context.Context, what, inner, columns string, each func(*valueRow) error) (complete bool, err error) {
	after := ""
	var all []valueRow
	for page := 0; ; page++ {
		if page == sqlPages {
			s.Notes = append(s.Notes, fmt.Sprintf("The server has more than %d rows of %s, which are not compared.", sqlPages*sqlRows, what))
			return false, nil
		}
		rows := all[:0:0]
		query := fmt.Sprintf("select v, count() as n%s from (%s) where v > %s group by v order by v limit %d", columns, inner, quote(after), sqlRows)
		if err := s.query(ctx, query, &rows); err != nil {
			return false, err
		}
		all = append(all, rows...)
		if len(rows) < sqlRows {
			break
		}
		after = string(rows[len(rows)-1].V)
	}
	for i := range all {
		if err := each(&all[i]); err != nil {
			return false, err
		}
	}
	return true, nil
}

// others returns how many other events the server has on the days that are asked for.
func (s *showing) others(ctx context.Context) (int64, error) {
	if len(s.Imports) == 0 {
		return 0, nil
	}
	var others []struct{ N number }
	err := s.query(ctx, fmt.Sprintf("select count() as n from scoped_events where toDate(timestamp, %[1]s) >= %[2]s and toDate(timestamp, %[1]s) <= %[3]s and import_id not in (%[4]s)",
		quote(s.zone()), quote(s.first.String()), quote(s.last.String()), s.imports()), &others)
	if err != nil || len(others) == 0 {
		return 0, err
	}
	return int64(others[0].N), nil
}

// detailsBySQL asks for custom events and, where no other events are in the
// statistics, for what only these have.
func (s *showing) detailsBySQL(ctx context.Context, others int64) error {
	var names []named
	complete, err := s.valuesBySQL(ctx, "custom events", "select event_name as v from scoped_events where "+s.where()+" and type = 'custom_event'", "", func(r *valueRow) error {
		names = append(names, named{r.V, r.N})
		return nil
	})
	if err == nil && complete {
		err = s.showNames(names)
	}
	if err != nil {
		return err
	}
	if others > 0 {
		s.Notes = append(s.Notes, fmt.Sprintf("The site holds %d other events on these days: properties and outbound links, which the server does not show by import, are not compared.", others))
		return nil
	}
	return s.details(ctx, names)
}

func (s *showing) query(ctx context.Context, query string, rows any) error {
	answer := struct{ Data any }{rows}
	return s.patiently(ctx, func() error {
		return s.Asker.Post(ctx, "query the server", []string{"organizations", s.site.Organization, "analytics", "query"},
			map[string]any{"query": query, "siteId": s.site.Number}, &answer)
	})
}
