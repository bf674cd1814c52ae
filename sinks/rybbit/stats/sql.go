package stats

import (
	"context"
	"fmt"
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
	type table struct {
		index, column int
		inner         string
	}
	where := " from scoped_events where " + s.where()
	perSession := func(value, has string) string {
		return "select " + value + " as v" + where + has + " group by session_id"
	}
	tables := []table{
		{recount.DashboardPages, recount.PageEvents, "select pathname as v" + where},
		{recount.DashboardPages, recount.PageSessions, "select distinct pathname as v, session_id" + where},
		{recount.DashboardEntries, 0, perSession("argMin(pathname, timestamp)", "")},
		{recount.DashboardExits, 0, perSession("argMax(pathname, timestamp)", "")},
		{recount.DashboardNames, 0, "select event_name as v" + where + " and type = 'custom_event'"},
	}
	for i, field := range recount.DashboardFields {
		column := field
		if strings.HasPrefix(field, "utm_") {
			column = "url_parameters['" + field + "']"
		}
		value := "argMin(" + column + ", timestamp)"
		if field == "referrer" {
			value = "domainWithoutWWW(" + value + ")"
		}
		tables = append(tables, table{recount.DashboardDimensions + i, 0, perSession(value, " and "+column+" != ''")})
	}
	for _, t := range tables {
		if err := s.tableBySQL(ctx, t.index, t.column, t.inner); err != nil {
			return err
		}
	}
	return s.detailsBySQL(ctx)
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

// tableBySQL counts the values of a query, in pages of their order.
func (s *showing) tableBySQL(ctx context.Context, table, column int, inner string) error {
	after := ""
	var all []struct {
		V text
		N number
	}
	for page := 0; ; page++ {
		if page == sqlPages {
			s.Notes = append(s.Notes, fmt.Sprintf("%s has more than %d rows on the server, and is not compared.",
				recount.Dashboard(nil).Tables[table].Name, sqlPages*sqlRows))
			return nil
		}
		rows := all[:0:0]
		query := fmt.Sprintf("select v, count() as n from (%s) where v > %s group by v order by v limit %d", inner, quote(after), sqlRows)
		if err := s.query(ctx, query, &rows); err != nil {
			return err
		}
		all = append(all, rows...)
		if len(rows) < sqlRows {
			break
		}
		after = string(rows[len(rows)-1].V)
	}
	for _, r := range all {
		if err := s.show(recount.AllDays, table, column, recount.DashboardRow(string(r.V)), int64(r.N)); err != nil {
			return err
		}
	}
	s.tell(table, column)
	return nil
}

// detailsBySQL asks for what only the statistics have, where no other events are
// in them.
func (s *showing) detailsBySQL(ctx context.Context) error {
	var others []struct{ N number }
	query := fmt.Sprintf("select count() as n from scoped_events where toDate(timestamp, %[1]s) >= %[2]s and toDate(timestamp, %[1]s) <= %[3]s",
		quote(s.zone()), quote(s.first.String()), quote(s.last.String()))
	if len(s.Imports) > 0 {
		query += " and import_id not in (" + s.imports() + ")"
		if err := s.query(ctx, query, &others); err != nil {
			return err
		}
	}
	if len(others) > 0 && others[0].N > 0 {
		s.Notes = append(s.Notes, fmt.Sprintf("The site holds %d other events on these days: properties and outbound links, which the server does not show by import, are not compared.", int64(others[0].N)))
		return nil
	}
	return s.details(ctx)
}

func (s *showing) query(ctx context.Context, query string, rows any) error {
	answer := struct{ Data any }{rows}
	return s.patiently(ctx, func() error {
		return s.Asker.Post(ctx, "query the server", []string{"organizations", s.site.Organization, "analytics", "query"},
			map[string]any{"query": query, "siteId": s.site.Number}, &answer)
	})
}
