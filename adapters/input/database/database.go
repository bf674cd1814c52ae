// Package database reads the tables of live databases: PostgreSQL, MySQL and
// MariaDB, ClickHouse, and SQLite files.
//
// A table is an [input.Object] whose contents are CSV with a header, as the
// database's own export writes it, made while it is read. So an adapter needs
// to know nothing of databases but which tables it reads ([input.Relation]);
// others are not looked at.
//
// Nothing is written. What a database can hold still is held still: tables are
// read from one snapshot in PostgreSQL, and each connection from one in MySQL
// and SQLite. Rows come in the order of their time and key, and those of the
// last minute before the migration began are left for the next one: a row can
// be committed after another that is newer. So each pass, and each run that
// resumes, gives the same bytes.
//
// A database is identified by host, port, name and table, and not by who reads
// it. Passwords are taken from where the databases' own clients take them, and
// an address with one is refused: other users see it in the list of processes.
package database

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"hopper/adapters/input"
)

// Lag is how long before a migration began the rows that it reads were added.
const Lag = time.Minute

// Store is the [input.Store] of databases.
type Store struct {
	// Relations are the tables that are read.
	Relations []input.Relation
}

// engine is a kind of database, at an address.
type engine interface {
	// identity is what tells the database from others, without who reads it.
	identity() string
	// connect begins to read what the database holds now.
	connect(ctx context.Context) (session, error)
	// tables returns the tables there are.
	tables(ctx context.Context, s session) ([]table, error)
	// quote quotes the name of a column or table.
	quote(name string) string
	// cell returns what a column's value is written as; before returns a
	// condition that its time is before t; sortable says whether rows can be
	// ordered by it.
	cell(c column) string
	before(c column, t time.Time) string
	sortable(c column) bool
	// close ends what connections have in common.
	close() error
}

// session is a connection that sees one state of the database. One goroutine
// at a time uses it.
type session interface {
	// clock returns the database's time.
	clock(ctx context.Context) (time.Time, error)
	// copy writes what a query returns as CSV with a header.
	copy(ctx context.Context, query string, w writer) error
	close() error
}

type table struct {
	schema, name string
	columns      []column
}

type column struct{ name, kind string }

// Schemes returns those of PostgreSQL, MySQL, ClickHouse and SQLite.
func (*Store) Schemes() []string {
	return []string{"postgres", "postgresql", "mysql", "mariadb", "clickhouse", "clickhouses", "sqlite"}
}

// Find finds the tables of a database that are in Relations.
func (s *Store) Find(ctx context.Context, address string, found func(input.Object) error, passed func(input.PassedOver)) error {
	if err := refusePassword(address); err != nil {
		return err
	}
	name := strings.TrimSuffix(input.Printable(address), "/")
	e, err := open(address)
	if err != nil {
		return &input.Error{Input: name, Err: err}
	}
	d := &database{engine: e, name: name, until: time.Now().Add(-Lag)}
	tables, err := d.list(ctx)
	if err != nil {
		return errors.Join(d.explain(ctx, name, err), d.Close())
	}
	slices.SortFunc(tables, func(a, b table) int {
		return strings.Compare(a.schema+"\x00"+a.name, b.schema+"\x00"+b.name)
	})
	n := 0
	for _, t := range tables {
		i := slices.IndexFunc(s.Relations, func(r input.Relation) bool { return isOf(t, r) && !isGiven(r.Unless, t, tables) })
		if i < 0 {
			continue
		}
		n++
		id := e.identity() + " " + t.schema + " " + t.name
		o := input.Object{
			Name: name + "/" + t.name, ID: id, Size: -1, Version: id,
			Contents: &contents{database: d, input: name + "/" + t.name, table: t, relation: s.Relations[i]},
		}
		if err := found(o); err != nil {
			return err
		}
	}
	if n == 0 {
		return errors.Join(nothing(name, tables), d.Close())
	}
	return nil
}

// open returns what reads the database at an address. It does not connect yet.
func open(address string) (engine, error) {
	scheme, rest, _ := strings.Cut(address, "://")
	if strings.EqualFold(scheme, "sqlite") {
		return &sqliteFile{path: rest}, nil
	}
	u, err := url.Parse(address)
	if err != nil {
		return nil, fmt.Errorf("is no address of a database, which is %s://USER@HOST:PORT/DATABASE", scheme)
	}
	switch u.Scheme {
	case "mysql", "mariadb":
		return newMySQL(u)
	case "clickhouse", "clickhouses":
		return newClickHouse(u)
	}
	return newPostgres(u)
}

// refusePassword refuses an address with a password in it.
func refusePassword(address string) error {
	scheme, rest, _ := strings.Cut(address, "://")
	scheme = strings.ToLower(scheme)
	if scheme == "sqlite" {
		return nil
	}
	user := rest[:max(0, strings.LastIndex(rest, "@"))] // a password can hold "/" and "?"
	_, query, _ := strings.Cut(rest, "?")
	_, password, _ := strings.Cut(user, ":")
	for pair := range strings.SplitSeq(query, "&") {
		if key, value, _ := strings.Cut(pair, "="); strings.Contains(strings.ToLower(key), "password") {
			password += value
		}
	}
	if password == "" {
		return nil
	}
	how := map[string]string{
		"mysql": "MYSQL_PWD", "mariadb": "MYSQL_PWD", "clickhouse": "CLICKHOUSE_PASSWORD", "clickhouses": "CLICKHOUSE_PASSWORD",
	}[scheme]
	if how == "" {
		how = "PGPASSWORD, or the file ~/.pgpass"
	}
	return input.Errorf(scheme+"://…", "has a password in it, which others see in the list of processes").
		Advise("leave it out of the address and put it into the environment variable %s", how)
}

// isOf reports whether a table is that of a relation.
func isOf(t table, r input.Relation) bool {
	if found := r.Table.FindString(strings.ToLower(t.name)); found == "" || len(found) != len(t.name) {
		return false
	}
	return !slices.ContainsFunc(r.Needs, func(name string) bool { return t.column(name) < 0 })
}

// isGiven reports whether there is a table of that name beside another.
func isGiven(name string, beside table, tables []table) bool {
	return slices.ContainsFunc(tables, func(t table) bool { return t.schema == beside.schema && t.name == name })
}

// column returns the index of a column, or -1.
func (t *table) column(name string) int {
	return slices.IndexFunc(t.columns, func(c column) bool { return strings.EqualFold(c.name, name) })
}

// nothing says that a database holds no table that is read.
func nothing(name string, tables []table) error {
	const most = 12
	var names []string
	for _, t := range tables[:min(len(tables), most)] {
		names = append(names, t.name)
	}
	what := strings.Join(names, ", ")
	switch {
	case len(tables) > most:
		what += ", …"
	case len(tables) == 0:
		what = "none that this user may read"
	}
	return input.Errorf(name, "holds no tables that are known; found %s", what).Advise("give the database, and the schema, that the product writes to")
}

// database is an engine with the connections that are open.
type database struct {
	engine
	name string // how messages call it

	mu    sync.Mutex
	until time.Time
	idle  []session
}

// list returns the tables, and checks the clock, by which rows are chosen.
func (d *database) list(ctx context.Context) ([]table, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, errPatience)
	defer cancel()
	s, err := d.session(ctx)
	if err != nil {
		return nil, err
	}
	tables, err := d.tables(ctx, s)
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	now, err := s.clock(ctx)
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	d.done(s)
	if behind := time.Since(now); behind > Lag {
		return nil, input.Errorf(d.name, "its clock is %s behind this machine's, so that rows would be missed that are added while it is read",
			behind.Round(time.Second)).Advise("set the clocks")
	}
	return tables, nil
}

// session returns a connection that is not in use.
func (d *database) session(ctx context.Context) (session, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if n := len(d.idle); n > 0 {
		s := d.idle[n-1]
		d.idle = d.idle[:n-1]
		return s, nil
	}
	return d.connect(ctx)
}

// Close ends the connections that are not in use.
func (d *database) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	var errs []error
	for _, s := range d.idle {
		errs = append(errs, s.close())
	}
	d.idle = nil
	return errors.Join(append(errs, d.close())...)
}

// done takes back a connection that nothing went wrong with.
func (d *database) done(s session) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.idle = append(d.idle, s)
}

func (d *database) bound() time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.until
}
