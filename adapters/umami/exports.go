package umami

import (
	"fmt"
	"slices"
	"strings"

	"hopper/adapters/input/rows"
)

// database is where a self-hosted Umami keeps its tables.
type database uint8

const (
	anyDatabase database = iota
	postgres
	mysql
	clickhouse
)

// howToExport says how to get the tables of a self-hosted Umami.
var howToExport = strings.Join([]string{
	"of PostgreSQL with " + postgres.export([]string{"website_event"}), "of MySQL with " + mysql.export([]string{"website_event", "session", "event_data"}),
	"of ClickHouse with " + clickhouse.export([]string{"website_event"}),
}, "; ") + "; session and event_data likewise (version 1: pageview, event and session)"

// export returns a command for the shell that writes the tables to files.
func (d database) export(tables []string) string {
	switch d {
	case postgres:
		if len(tables) == 1 {
			return fmt.Sprintf(`psql "$DATABASE_URL" -c "\copy %s to '%s.csv' csv header"`, tables[0], tables[0])
		}
		return fmt.Sprintf(`for t in %s; do psql "$DATABASE_URL" -c "\copy $t to '$t.csv' csv header"; done`, strings.Join(tables, " "))
	case mysql:
		return fmt.Sprintf("mysqldump --single-transaction umami %s > umami.sql", strings.Join(tables, " "))
	case clickhouse:
		if len(tables) == 1 {
			return fmt.Sprintf(`clickhouse-client -q "select * from umami.%s format CSVWithNames" > %s.csv`, tables[0], tables[0])
		}
		return fmt.Sprintf(`for t in %s; do clickhouse-client -q "select * from umami.$t format CSVWithNames" > $t.csv; done`, strings.Join(tables, " "))
	}
	return postgres.export(tables) + " (PostgreSQL), or " + mysql.export(tables) + " (MySQL)"
}

// database tells which one the tables come from, as far as they say.
func (f *tables) database() database {
	e := f.events[0]
	switch {
	case e.kind == modern && e.wide() && len(f.sessions) == 0:
		return clickhouse
	case rows.IsSQL(e.Input):
		head := string(e.Input.TextHead())
		if strings.Contains(head, "PostgreSQL database dump") || strings.Contains(head, "FROM stdin;") {
			return postgres
		}
		if strings.Contains(head, "MySQL dump") || strings.Contains(head, "MariaDB dump") || strings.Contains(head, "phpMyAdmin") {
			return mysql
		}
	}
	return anyDatabase
}

// advice says how to get the tables that are not among the inputs, from the
// database and for the version at hand. The Cloud's export has what there is.
func (f *tables) advice() []string {
	e := f.events[0]
	if strings.Contains(e.Input.Name, ".zip/") || strings.Contains(e.Input.Name, "://") {
		return nil
	}
	has := func(kind eventsKind) bool {
		return slices.ContainsFunc(f.events, func(e *eventTable) bool { return e.kind == kind })
	}
	var missing []string
	want := func(table string, found bool) {
		if !found {
			missing = append(missing, table)
		}
	}
	if e.kind != modern {
		want("pageview", has(v1Pageviews))
		want("event", has(v1Events))
	}
	if !e.wide() {
		want("session", len(f.sessions) > 0)
	}
	want("event_data", len(f.eventData) > 0)
	if len(f.sites) > 1 {
		want("website", len(f.named) > 0)
	}
	if len(missing) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("Not among the inputs: %s. If the database has them, export them too and give all files: %s", list(missing), f.database().export(missing))}
}
