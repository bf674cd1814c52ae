package database

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
)

// postgres is a database of PostgreSQL. Its connections see the snapshot that the
// first one exports.
type postgres struct {
	config *pgconn.Config
	schema string // empty is what the user's search path finds

	mu       sync.Mutex
	leader   *pgconn.PgConn
	snapshot string
}

// prismas are parameters of addresses that Umami's own settings hold and that
// mean nothing to PostgreSQL.
var prismas = []string{"schema", "pgbouncer", "connection_limit", "pool_timeout", "socket_timeout", "statement_cache_size", "sslaccept", "sslidentity"}

// newPostgres reads an address. What it lacks comes from the variables that
// PostgreSQL's own clients know (PGHOST, PGUSER, PGPASSWORD, PGPASSFILE, …).
func newPostgres(u *url.URL) (engine, error) {
	query := u.Query()
	schema := query.Get("schema")
	for _, name := range prismas {
		query.Del(name)
	}
	plain := *u
	plain.Scheme, plain.RawQuery = "postgres", query.Encode()
	config, err := pgconn.ParseConfig(plain.String())
	if err != nil {
		return nil, err
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = patience
	}
	// A statement that is no longer wanted is cancelled, or it would go on sorting.
	config.BuildContextWatcherHandler = func(c *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.CancelRequestContextWatcherHandler{Conn: c, DeadlineDelay: 5 * time.Second}
	}
	return &postgres{config: config, schema: schema}, nil
}

func (e *postgres) identity() string {
	return fmt.Sprintf("postgres %s %d %s %s", e.config.Host, e.config.Port, e.config.Database, e.schema)
}

const (
	beginPostgres = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
	// Limits of the server's would end a transaction that waits for an upload.
	settings = "SET LOCAL timezone = 'UTC'; SET LOCAL datestyle = 'ISO, YMD'; SET LOCAL extra_float_digits = 1; SET LOCAL bytea_output = 'hex'; " +
		"SET LOCAL client_encoding = 'UTF8'; SET LOCAL lock_timeout = '30s'; SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0"
)

func (e *postgres) connect(ctx context.Context) (session, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.leader == nil {
		conn, err := e.open(ctx, "")
		if err != nil {
			return nil, err
		}
		answer, err := ask(ctx, conn, "SELECT pg_export_snapshot()")
		if err != nil {
			return nil, errors.Join(err, hangUp(conn))
		}
		e.leader, e.snapshot = conn, answer[0][0]
	}
	conn, err := e.open(ctx, e.snapshot)
	if err != nil {
		return nil, err
	}
	return &postgresSession{conn}, nil
}

// open begins a transaction that sees a snapshot, or makes one.
func (e *postgres) open(ctx context.Context, snapshot string) (*pgconn.PgConn, error) {
	conn, err := pgconn.ConnectConfig(ctx, e.config)
	if err != nil {
		return nil, err
	}
	statements := []string{beginPostgres}
	if snapshot != "" {
		statements = append(statements, "SET TRANSACTION SNAPSHOT '"+snapshot+"'")
	}
	for _, statement := range append(statements, settings) {
		if _, err := conn.Exec(ctx, statement).ReadAll(); err != nil {
			return nil, errors.Join(err, hangUp(conn))
		}
	}
	return conn, nil
}

// close ends the transaction of the snapshot.
func (e *postgres) close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.leader == nil {
		return nil
	}
	leader := e.leader
	e.leader = nil
	return hangUp(leader)
}

func hangUp(conn *pgconn.PgConn) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	return conn.Close(ctx)
}

// ask returns the rows of an answer as text.
func ask(ctx context.Context, conn *pgconn.PgConn, query string, args ...string) ([][]string, error) {
	params := make([][]byte, len(args))
	for i, arg := range args {
		params[i] = []byte(arg)
	}
	result := conn.ExecParams(ctx, query, params, nil, nil, nil).Read()
	rows := make([][]string, len(result.Rows))
	for i, row := range result.Rows {
		for _, cell := range row {
			rows[i] = append(rows[i], string(cell))
		}
	}
	return rows, result.Err
}

func (e *postgres) tables(ctx context.Context, s session) ([]table, error) {
	rows, err := ask(ctx, s.(*postgresSession).conn, "SELECT table_schema, table_name, column_name, data_type FROM information_schema.columns "+
		"WHERE table_schema = $1 OR $1 = '' AND table_schema = ANY (current_schemas(false)) ORDER BY table_schema, table_name, ordinal_position", e.schema)
	var all tableList
	for _, row := range rows {
		all.add(row[0], row[1], column{row[2], row[3]})
	}
	return all, err
}

func (*postgres) quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

func (e *postgres) cell(c column) string { return "t." + e.quote(c.name) }

func (e *postgres) before(c column, t time.Time) string {
	return "t." + e.quote(c.name) + " < '" + t.Format(time.DateTime) + "'"
}

func (*postgres) sortable(c column) bool {
	return c.kind != "json" && c.kind != "xml" && c.kind != "point"
}

type postgresSession struct{ conn *pgconn.PgConn }

func (s *postgresSession) clock(ctx context.Context) (time.Time, error) {
	answer, err := ask(ctx, s.conn, "SELECT extract(epoch FROM clock_timestamp())")
	if err != nil {
		return time.Time{}, err
	}
	seconds, err := strconv.ParseFloat(answer[0][0], 64)
	return time.UnixMilli(int64(seconds * 1000)), err
}

// copy has the database write the CSV.
func (s *postgresSession) copy(ctx context.Context, query string, w writer) error {
	if _, err := s.conn.CopyTo(ctx, w, "COPY ("+query+") TO STDOUT WITH (FORMAT csv, HEADER)"); err != nil {
		return err
	}
	return w.Flush()
}

func (s *postgresSession) close() error { return hangUp(s.conn) }

// whyPostgres returns what to do about an error of the server's, or "".
func whyPostgres(err error) string {
	var answer *pgconn.PgError
	if !errors.As(err, &answer) {
		return ""
	}
	switch answer.Code {
	case "28P01", "28000":
		return "put the password into PGPASSWORD, or into the file ~/.pgpass"
	case "42501":
		return "grant the user SELECT on the table"
	case "3D000":
		return "give the database's name behind the host, as postgres://USER@HOST/DATABASE"
	}
	return ""
}
