package sandbox

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	_ "modernc.org/sqlite" // the database/sql driver "sqlite"
)

// timeLayout is how times are written into the database: UTC, milliseconds, so
// that text order is time order.
const timeLayout = "2006-01-02 15:04:05.000"

// schema is the tables' first form, from which [migrations] go on.
const schema = `
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS imports (
	import_id       TEXT PRIMARY KEY,
	site            TEXT NOT NULL,
	platform        TEXT NOT NULL,
	imported_events INTEGER NOT NULL DEFAULT 0,
	skipped_events  INTEGER NOT NULL DEFAULT 0,
	invalid_events  INTEGER NOT NULL DEFAULT 0,
	batches         INTEGER NOT NULL DEFAULT 0,
	started_at      TEXT NOT NULL,
	last_batch_at   TEXT NOT NULL,
	completed_at    TEXT,
	lease_lost      INTEGER NOT NULL DEFAULT 0
);

CREATE TABLE IF NOT EXISTS events (
	id                       INTEGER PRIMARY KEY,
	import_id                TEXT NOT NULL,
	timestamp                TEXT NOT NULL,
	kind                     TEXT NOT NULL,
	session_id               TEXT NOT NULL,
	user_id                  TEXT NOT NULL,
	identified_user_id       TEXT NOT NULL,
	hostname                 TEXT NOT NULL,
	pathname                 TEXT NOT NULL,
	querystring              TEXT NOT NULL,
	page_title               TEXT NOT NULL,
	referrer                 TEXT NOT NULL,
	browser                  TEXT NOT NULL,
	browser_version          TEXT NOT NULL,
	operating_system         TEXT NOT NULL,
	operating_system_version TEXT NOT NULL,
	device_type              TEXT NOT NULL,
	screen_width             INTEGER,
	screen_height            INTEGER,
	language                 TEXT NOT NULL,
	country                  TEXT NOT NULL,
	region                   TEXT NOT NULL,
	city                     TEXT NOT NULL,
	lat                      REAL,
	lon                      REAL,
	timezone                 TEXT NOT NULL,
	event_name               TEXT NOT NULL,
	props                    TEXT NOT NULL,
	outbound_url             TEXT NOT NULL,
	outbound_text            TEXT NOT NULL,
	lcp                      REAL,
	cls                      REAL,
	inp                      REAL,
	fcp                      REAL,
	ttfb                     REAL
);
CREATE INDEX IF NOT EXISTS events_import ON events (import_id);
`

// migrations bring the tables to their present form, one after the other. The
// user_version of a database is the number of migrations that it has had.
var migrations = []string{
	// Events that belong to no import need a site of their own.
	`ALTER TABLE events ADD COLUMN site TEXT NOT NULL DEFAULT '';
	UPDATE events SET site = coalesce((SELECT site FROM imports WHERE imports.import_id = events.import_id), '');`,
}

// views count as the dashboard does. They are made anew when a database is opened.
const views = `
DROP VIEW IF EXISTS daily;
DROP VIEW IF EXISTS pages;
DROP VIEW IF EXISTS sessions;

CREATE VIEW sessions AS
SELECT session_id,
	max(CASE WHEN nth = 1 THEN user_id END) AS user_id,
	min(timestamp) AS start,
	max(timestamp) AS end,
	strftime('%s', max(timestamp)) - strftime('%s', min(timestamp)) AS duration,
	count(*) AS events,
	sum(kind = 'pageview') AS pageviews,
	sum(kind = 'pageview') = 1 AS bounce,
	max(CASE WHEN nth = 1 THEN pathname END) AS entry_page,
	max(CASE WHEN final = 1 THEN pathname END) AS exit_page,
	max(CASE WHEN nth = 1 THEN hostname END) AS hostname,
	max(CASE WHEN nth = 1 THEN referrer END) AS referrer,
	max(CASE WHEN nth = 1 THEN browser END) AS browser,
	max(CASE WHEN nth = 1 THEN operating_system END) AS operating_system,
	max(CASE WHEN nth = 1 THEN device_type END) AS device_type,
	max(CASE WHEN nth = 1 THEN language END) AS language,
	max(CASE WHEN nth = 1 THEN country END) AS country,
	max(CASE WHEN nth = 1 THEN region END) AS region,
	max(CASE WHEN nth = 1 THEN city END) AS city
FROM (SELECT *,
	row_number() OVER (PARTITION BY session_id ORDER BY substr(timestamp, 1, 19), id) AS nth,
	row_number() OVER (PARTITION BY session_id ORDER BY substr(timestamp, 1, 19) DESC, id) AS final
	FROM events)
GROUP BY session_id;

CREATE VIEW daily AS
SELECT day, users, sessions, pageviews, events, coalesce(bounces, 0) AS bounces
FROM (SELECT substr(timestamp, 1, 10) AS day,
		count(DISTINCT user_id) AS users,
		count(DISTINCT session_id) AS sessions,
		sum(kind = 'pageview') AS pageviews,
		count(*) AS events
	FROM events GROUP BY 1)
LEFT JOIN (SELECT substr(start, 1, 10) AS day, sum(bounce) AS bounces FROM sessions GROUP BY 1) USING (day);

CREATE VIEW pages AS
SELECT hostname, pathname,
	count(*) AS pageviews,
	count(DISTINCT session_id) AS sessions,
	count(DISTINCT user_id) AS users
FROM events WHERE kind = 'pageview' GROUP BY hostname, pathname;
`

// insertColumns are the columns of an event, in the order of [event.values].
const insertColumns = `import_id, timestamp, kind, session_id, user_id, identified_user_id, hostname, pathname,
	querystring, page_title, referrer, browser, browser_version, operating_system, operating_system_version,
	device_type, screen_width, screen_height, language, country, region, city, lat, lon, timezone, event_name,
	props, outbound_url, outbound_text, lcp, cls, inp, fcp, ttfb, site`

// Rybbit's kinds of events.
const (
	pageview    = "pageview"
	customEvent = "custom_event"
	outbound    = "outbound"
	performance = "performance"
	errorEvent  = "error"
)

// event is a row of the table events, before it has been stored.
type event struct {
	at     time.Time
	noDate bool // the time had the right form, but no such day exists: skipped

	kind, session, user, identified           string
	hostname, pathname, querystring, title    string
	referrer                                  string
	browser, browserVersion, os, osVersion    string
	device, language                          string
	country, region, city, timezone           string
	name, props                               string
	outboundURL, outboundText                 string
	width, height                             sql.NullInt64
	lat, lon, lcp, cls, inp, firstPaint, ttfb sql.NullFloat64
}

func (e *event) values(to []any, importID, site string) []any {
	return append(to, importID, e.at.Format(timeLayout), e.kind, e.session, e.user, e.identified, e.hostname, e.pathname,
		e.querystring, e.title, e.referrer, e.browser, e.browserVersion, e.os, e.osVersion,
		e.device, e.width, e.height, e.language, e.country, e.region, e.city, e.lat, e.lon, e.timezone, e.name,
		e.props, e.outboundURL, e.outboundText, e.lcp, e.cls, e.inp, e.firstPaint, e.ttfb, site)
}

// openDB opens or creates the database file, and a second time for reading alone,
// and returns its instance id.
func openDB(ctx context.Context, path string) (db, readOnly *sql.DB, instance string, err error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, nil, "", fmt.Errorf("sandbox: database %s: %w", path, err)
	}
	open := func(options string) *sql.DB {
		dsn := url.URL{Scheme: "file", OmitHost: true, Path: filepath.ToSlash(abs), RawQuery: "_pragma=busy_timeout(10000)" + options}
		db, openErr := sql.Open("sqlite", dsn.String())
		err = errors.Join(err, openErr)
		return db
	}
	db = open("&_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)&_txlock=immediate")
	readOnly = open("&_pragma=query_only(1)")
	if err != nil {
		return nil, nil, "", fmt.Errorf("sandbox: open database %s: %w", path, err)
	}
	instance = uuid.NewString()
	if err = migrate(ctx, db); err == nil {
		_, err = db.ExecContext(ctx, `INSERT INTO meta VALUES ('instance', ?) ON CONFLICT DO NOTHING`, instance)
	}
	if err == nil {
		err = db.QueryRowContext(ctx, `SELECT value FROM meta WHERE key = 'instance'`).Scan(&instance)
	}
	if err != nil {
		err = fmt.Errorf("sandbox: prepare database %s (is it a SQLite file, and of no later version of hopper?): %w", path, err)
		return nil, nil, "", errors.Join(err, readOnly.Close(), db.Close())
	}
	return db, readOnly, instance, nil
}

// migrate brings a database to the present schema.
func migrate(ctx context.Context, db *sql.DB) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	var had int
	if err := tx.QueryRowContext(ctx, `PRAGMA user_version`).Scan(&had); err != nil {
		return err
	}
	if had > len(migrations) {
		return fmt.Errorf("its schema is number %d, and this version knows only up to %d", had, len(migrations))
	}
	steps := append([]string{schema}, migrations[had:]...)
	steps = append(steps, views, fmt.Sprintf(`PRAGMA user_version = %d`, len(migrations)))
	for _, step := range steps {
		if _, err := tx.ExecContext(ctx, step); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// importRow is a row of the table imports.
type importRow struct {
	nth                        int64 // in the order of their creation
	id, site, platform         string
	imported, skipped, invalid int64
	started, lastBatch         string
	completed                  sql.NullString
	leaseLost                  bool
}

const importColumns = `rowid, import_id, site, platform, imported_events, skipped_events, invalid_events,
	started_at, last_batch_at, completed_at, lease_lost`

func (i *importRow) scan(row interface{ Scan(...any) error }) error {
	return row.Scan(&i.nth, &i.id, &i.site, &i.platform, &i.imported, &i.skipped, &i.invalid,
		&i.started, &i.lastBatch, &i.completed, &i.leaseLost)
}

// findImport returns the import, or nil when there is none of that id.
func findImport(ctx context.Context, db interface {
	QueryRowContext(context.Context, string, ...any) *sql.Row
}, id string) (*importRow, error) {
	var row importRow
	err := row.scan(db.QueryRowContext(ctx, `SELECT `+importColumns+` FROM imports WHERE import_id = ?`, id))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return &row, err
}

// allImports returns the imports of a site, the newest first.
func allImports(ctx context.Context, db *sql.DB, site string) ([]importRow, error) {
	rows, err := db.QueryContext(ctx, `SELECT `+importColumns+` FROM imports WHERE site = ?`, site)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []importRow
	for rows.Next() {
		var row importRow
		if err := row.scan(rows); err != nil {
			return nil, err
		}
		all = append(all, row)
	}
	slices.SortFunc(all, newestFirst)
	return all, rows.Err()
}

func newestFirst(a, b importRow) int {
	return cmp.Or(strings.Compare(b.started, a.started), cmp.Compare(b.nth, a.nth))
}

// rowsPerInsert is how many rows one statement inserts; fewer take longer.
const rowsPerInsert = 32

// insertEvents stores events of one import within tx. With an empty importID they
// are events of the site's tracker.
func insertEvents(ctx context.Context, tx *sql.Tx, importID, site string, events []*event) error {
	if len(events) == 0 {
		return nil
	}
	columns := strings.Count(insertColumns, ",") + 1
	tuple := "(?" + strings.Repeat(",?", columns-1) + ")"
	prepare := func(rows int) (*sql.Stmt, error) {
		return tx.PrepareContext(ctx, `INSERT INTO events (`+insertColumns+`) VALUES `+tuple+strings.Repeat(","+tuple, rows-1))
	}
	values := make([]any, 0, columns*rowsPerInsert)
	var stmt *sql.Stmt
	size := 0
	for len(events) > 0 {
		rows := min(rowsPerInsert, len(events))
		if rows != size {
			if stmt != nil {
				stmt.Close()
			}
			var err error
			if stmt, err = prepare(rows); err != nil {
				return err
			}
			size = rows
		}
		values = values[:0]
		for _, e := range events[:rows] {
			values = e.values(values, importID, site)
		}
		if _, err := stmt.ExecContext(ctx, values...); err != nil {
			return errors.Join(err, stmt.Close())
		}
		events = events[rows:]
	}
	return stmt.Close()
}

// deleteImport removes an import and its events.
func deleteImport(ctx context.Context, tx *sql.Tx, id string) error {
	if _, err := tx.ExecContext(ctx, `DELETE FROM events WHERE import_id = ?`, id); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, `DELETE FROM imports WHERE import_id = ?`, id)
	return err
}
