package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	_ "modernc.org/sqlite" // the driver
)

// sqliteFile is an SQLite database.
type sqliteFile struct{ path string }

func (e *sqliteFile) identity() string {
	if path, err := filepath.Abs(e.path); err == nil {
		return "sqlite " + path
	}
	return "sqlite " + e.path
}

func (*sqliteFile) close() error { return nil }

func (e *sqliteFile) connect(ctx context.Context) (session, error) {
	path, err := filepath.Abs(e.path)
	if err != nil {
		return nil, err
	}
	file := url.URL{Scheme: "file", OmitHost: true, Path: filepath.ToSlash(path), RawQuery: "mode=ro&_pragma=query_only(1)&_pragma=busy_timeout(10000)"}
	db, err := sql.Open("sqlite", file.String())
	if err != nil {
		return nil, err
	}
	s := &sqlSession{db: db, now: "SELECT strftime('%s', 'now')", blobs: true}
	if s.conn, err = db.Conn(ctx); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	// The snapshot is that of the first statement.
	for _, statement := range []string{"BEGIN", "SELECT count(*) FROM sqlite_schema"} {
		if _, err := s.conn.ExecContext(ctx, statement); err != nil {
			return nil, errors.Join(err, s.close())
		}
	}
	return s, nil
}

func (e *sqliteFile) tables(ctx context.Context, s session) ([]table, error) {
	return s.(*sqlSession).tables(ctx,
		"SELECT '', m.name, c.name, c.type FROM sqlite_schema AS m, pragma_table_info(m.name) AS c WHERE m.type IN ('table', 'view') ORDER BY m.name, c.cid")
}

func (*sqliteFile) quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// cell hides the column's type, by which the driver would make times.
func (e *sqliteFile) cell(c column) string { return "+t." + e.quote(c.name) }

// before takes times as text, and as seconds or milliseconds since 1970.
func (e *sqliteFile) before(c column, t time.Time) string {
	name := "t." + e.quote(c.name)
	return fmt.Sprintf("CASE WHEN typeof(%[1]s) = 'text' THEN coalesce(datetime(%[1]s), %[1]s) < '%[2]s' WHEN %[1]s > 100000000000 THEN %[1]s < %[3]d ELSE %[1]s < %[4]d END",
		name, t.Format(time.DateTime), t.UnixMilli(), t.Unix())
}

func (*sqliteFile) sortable(column) bool { return true }

// sqlSession is a connection of a driver for database/sql.
type sqlSession struct {
	db   *sql.DB
	conn *sql.Conn
	now  string // the query that returns seconds since 1970
	// blobs says that bytes are no text whatever the column's type.
	blobs bool
}

func (s *sqlSession) close() error {
	if s.conn == nil {
		return s.db.Close()
	}
	return errors.Join(s.conn.Close(), s.db.Close())
}

func (s *sqlSession) clock(ctx context.Context) (time.Time, error) {
	var text string
	if err := s.conn.QueryRowContext(ctx, s.now).Scan(&text); err != nil {
		return time.Time{}, err
	}
	seconds, err := strconv.ParseFloat(text, 64)
	return time.UnixMilli(int64(seconds * 1000)), err
}

// tables reads the answer of a query of schema, table, column and its type.
func (s *sqlSession) tables(ctx context.Context, query string, args ...any) ([]table, error) {
	rows, err := s.conn.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all tableList
	for rows.Next() {
		var schema, name string
		var c column
		if err := rows.Scan(&schema, &name, &c.name, &c.kind); err != nil {
			return nil, err
		}
		all.add(schema, name, c)
	}
	return all, rows.Err()
}

// tableList collects columns of tables, those of a table together.
type tableList []table

func (l *tableList) add(schema, name string, c column) {
	if n := len(*l); n == 0 || (*l)[n-1].schema != schema || (*l)[n-1].name != name {
		*l = append(*l, table{schema: schema, name: name})
	}
	last := &(*l)[len(*l)-1]
	last.columns = append(last.columns, c)
}

// copy reads the rows one after the other.
func (s *sqlSession) copy(ctx context.Context, query string, w writer) error {
	rows, err := s.conn.QueryContext(ctx, query)
	if err != nil {
		return err
	}
	defer rows.Close()
	types, err := rows.ColumnTypes()
	if err != nil {
		return err
	}
	names, values := make([]string, len(types)), make([]any, len(types))
	into, raw := slices.Clone(values), make([]bool, len(types))
	for i, t := range types {
		names[i], into[i] = t.Name(), &values[i]
		kind := t.DatabaseTypeName()
		raw[i] = s.blobs || strings.HasSuffix(kind, "BINARY") || strings.HasSuffix(kind, "BLOB") || kind == "BIT"
	}
	if err := w.header(names); err != nil {
		return err
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return err
		}
		for i, value := range values {
			w.value(i, value, raw[i])
		}
		if err := w.WriteByte('\n'); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	return w.Flush()
}

// value writes what a driver returns. Binary says that bytes are no text.
func (w writer) value(i int, value any, binary bool) {
	switch v := value.(type) {
	case nil:
		w.cell(i, nil)
	case []byte:
		if binary {
			w.binary(i, v)
			return
		}
		w.cell(i, v)
	case string:
		w.cell(i, []byte(v))
	case int64:
		w.cell(i, strconv.AppendInt(nil, v, 10))
	case float32:
		w.cell(i, strconv.AppendFloat(nil, float64(v), 'f', -1, 32))
	case float64:
		w.cell(i, strconv.AppendFloat(nil, v, 'f', -1, 64))
	case bool:
		w.cell(i, strconv.AppendBool(nil, v))
	case time.Time:
		w.cell(i, v.UTC().AppendFormat(nil, "2006-01-02 15:04:05.999999"))
	default:
		w.cell(i, fmt.Append(nil, v))
	}
}
