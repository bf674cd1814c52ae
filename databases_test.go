package hopper_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"hopper"
	"hopper/adapters/input/database/databasetest"
	"hopper/fixtures/peers"
	"hopper/sinks/rybbit"
	"hopper/sinks/rybbit/sandbox"
)

// umamiKeys are the tables of a fixture of Umami with the columns by which a
// database orders rows of the same time.
var umamiKeys = map[string]string{"website_event": "event_id", "session": "session_id", "event_data": "event_data_id"}

// table is what a CSV file holds.
type table struct {
	name    string
	columns []string
	rows    [][]string
}

// umamiTables returns the tables of the fixture in the order in which a database
// gives their rows, with times that all databases can hold.
func umamiTables(t *testing.T) []table {
	t.Helper()
	var all []table
	for _, name := range []string{"event_data", "session", "website_event"} {
		file, err := os.Open(filepath.Join("fixtures/umami/postgres", name+".csv"))
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		records, err := csv.NewReader(file).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		one := table{name, records[0], records[1:]}
		at, key := slices.Index(one.columns, "created_at"), slices.Index(one.columns, umamiKeys[name])
		for _, row := range one.rows {
			for i := range row {
				if when, err := time.Parse("2006-01-02 15:04:05.999999Z07", row[i]); err == nil {
					row[i] = when.UTC().Format("2006-01-02 15:04:05.000")
				}
			}
		}
		slices.SortFunc(one.rows, func(a, b []string) int { return strings.Compare(a[at]+a[key], b[at]+b[key]) })
		all = append(all, one)
	}
	return all
}

// files writes tables as CSV into a directory.
func files(t *testing.T, tables []table) string {
	t.Helper()
	dir := t.TempDir()
	for _, one := range tables {
		var text bytes.Buffer
		w := csv.NewWriter(&text)
		if err := w.WriteAll(append([][]string{one.columns}, one.rows...)); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, one.name+".csv"), text.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// fill makes tables in a database.
func fill(t *testing.T, db *databasetest.Database, tables []table) {
	t.Helper()
	for _, one := range tables {
		var columns []string
		for _, c := range one.columns {
			column := c + " " + db.Kind(c)
			if c == umamiKeys[one.name] {
				column += " PRIMARY KEY"
			}
			columns = append(columns, column)
		}
		exec(t, db, "CREATE TABLE "+one.name+" ("+strings.Join(columns, ", ")+")")
		for _, row := range one.rows {
			insert(t, db, one.name, row)
		}
	}
}

// insert adds a row, whose empty cells are NULL.
func insert(t *testing.T, db *databasetest.Database, name string, row []string) {
	t.Helper()
	values, marks := make([]any, len(row)), make([]string, len(row))
	for i, cell := range row {
		marks[i] = db.Mark(i + 1)
		if cell != "" {
			values[i] = cell
		}
	}
	exec(t, db, "INSERT INTO "+name+" VALUES ("+strings.Join(marks, ", ")+")", values...)
}

func exec(t *testing.T, db *databasetest.Database, statement string, args ...any) {
	t.Helper()
	if _, err := db.SQL.ExecContext(context.Background(), statement, args...); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// translated returns the events of inputs in the common model.
func translated(t *testing.T, options hopper.Options, inputs ...string) string {
	t.Helper()
	export, err := hopper.Open(t.Context(), inputs, options)
	if err != nil {
		t.Fatal(err)
	}
	defer export.Close()
	var out bytes.Buffer
	if _, err := export.Translate(t.Context(), hopper.Translation{Stdout: &out}); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// compareWithFiles expects of a database what files with the same rows give, and
// that verify finds that all of it is sent.
func compareWithFiles(t *testing.T, address string, tables []table) {
	t.Helper()
	got, want := translated(t, hopper.Options{}, address), translated(t, hopper.Options{}, files(t, tables))
	if got != want {
		t.Errorf("the database gives other events than files:\n%.2000s\nwant\n%.2000s", got, want)
	}
	if strings.Count(got, "\n") != 87 {
		t.Errorf("got %d events", strings.Count(got, "\n"))
	}
	export, err := hopper.Open(t.Context(), []string{address}, hopper.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer export.Close()
	if v, err := export.Verify(t.Context(), ""); err != nil || !v.Holds || v.Events != 87 {
		t.Errorf("verify: got %+v, %v", v, err)
	}
}

func TestDatabases(t *testing.T) {
	tables := umamiTables(t)
	databasetest.Each(t, func(t *testing.T, db *databasetest.Database) {
		fill(t, db, tables)
		exec(t, db, "CREATE TABLE account (user_id TEXT, password TEXT)")
		exec(t, db, "CREATE TABLE website (website_id VARCHAR(36), name TEXT, domain TEXT, share_id TEXT)")
		compareWithFiles(t, db.Address, tables)
	})
}

// TestDatabasesOfSeveralSites holds that of a database the rows of the website that
// is asked for are read, and no others.
func TestDatabasesOfSeveralSites(t *testing.T) {
	const mine, other = "e2dbf597-9d3a-562b-88f1-5ef3d2e4df79", "aaaaaaaa-9d3a-562b-88f1-5ef3d2e4df79"
	tables := umamiTables(t)
	for i := range tables {
		at, key := slices.Index(tables[i].columns, "website_id"), slices.Index(tables[i].columns, umamiKeys[tables[i].name])
		for n, row := range tables[i].rows {
			row[at] = mine
			if n%2 == 0 {
				foreign := slices.Clone(row)
				foreign[at], foreign[key] = other, "bbbbbbbb"+row[key][8:]
				tables[i].rows = append(tables[i].rows, foreign)
			}
		}
	}
	databasetest.Each(t, func(t *testing.T, db *databasetest.Database) {
		fill(t, db, tables)
		exec(t, db, "CREATE TABLE website (website_id VARCHAR(36), name TEXT, domain TEXT)")
		exec(t, db, "INSERT INTO website VALUES ('"+mine+"', 'Mine', 'shop.example'), ('"+other+"', 'Other', 'other.example')")
		for _, asked := range []string{mine, "mine", "shop.example"} {
			selected(t, 87, hopper.Options{Chosen: map[string]string{"website": asked}}, db.Address)
		}
	})
}

// TestVerifyOfChosenWebsite has ids in capitals in some rows, which a database does not
// take for the same: what it leaves out for that, verify finds.
func TestVerifyOfChosenWebsite(t *testing.T) {
	const mine, other = "e2dbf597-9d3a-562b-88f1-5ef3d2e4df79", "aaaaaaaa-9d3a-562b-88f1-5ef3d2e4df79"
	db := databasetest.SQLite(t)
	tables := umamiTables(t)
	for i := range tables {
		at := slices.Index(tables[i].columns, "website_id")
		for n, row := range tables[i].rows {
			if row[at] = mine; tables[i].name == "website_event" && n%10 == 0 {
				row[at] = strings.ToUpper(mine)
			} else if n%10 == 1 {
				row[at] = other
			}
		}
	}
	fill(t, db, tables)
	export, err := hopper.Open(t.Context(), []string{db.Address}, hopper.Options{Chosen: map[string]string{"website": mine}})
	if err != nil {
		t.Fatal(err)
	}
	defer export.Close()
	v, err := export.Verify(t.Context(), "")
	if err != nil || v.Holds {
		t.Fatalf("verify: %+v, %v", v, err)
	}
	last := v.Total[len(v.Total)-1]
	if last.Measure != "of the website, as the database chose them" || last.Source-last.Sent != 9 {
		t.Errorf("%+v", last)
	}
}

// selected expects that so many rows are read, and that each becomes an event.
func selected(t *testing.T, rows int64, options hopper.Options, inputs ...string) {
	t.Helper()
	export, err := hopper.Open(t.Context(), inputs, options)
	if err != nil {
		t.Fatal(err)
	}
	defer export.Close()
	got, err := export.Translate(t.Context(), hopper.Translation{Stdout: io.Discard})
	if err != nil || got.Rows != rows || got.Events != rows || len(got.Omitted) > 0 {
		t.Errorf("%v: %d rows became %d events, %v left out, %v; want %d", options.Chosen, got.Rows, got.Events, got.Omitted, err, rows)
	}
	if v, err := export.Verify(t.Context(), ""); err != nil || !v.Holds {
		t.Errorf("%v: verify: %+v, %v", options.Chosen, v, err)
	}
}

// TestPlausiblesDatabases reads the events of one site from ClickHouse, which the
// table sites in PostgreSQL has the name of.
func TestPlausiblesDatabases(t *testing.T) {
	db := databasetest.PostgreSQL(t)
	exec(t, db, "CREATE TABLE sites (id bigint PRIMARY KEY, domain text, timezone text, public boolean)")
	exec(t, db, "INSERT INTO sites VALUES (1, 'shop.example.com', 'Europe/Berlin', false), (2, 'other.example', 'Etc/UTC', true)")
	rows, err := os.ReadFile("fixtures/plausible/events.csv")
	if err != nil {
		t.Fatal(err)
	}
	server := peers.ClickHouse(t, "plausible_events_db")
	server.Exec(t, plausibleClickHouse, nil)
	server.Exec(t, "INSERT INTO events_v2 FORMAT CSVWithNames", rows)
	server.Exec(t, "INSERT INTO events_v2 SELECT * REPLACE (2 AS site_id) FROM events_v2", nil)
	both := []string{server.Address, db.Address}
	want := sorted(translated(t, hopper.Options{}, "fixtures/plausible/events.csv"))
	for _, asked := range []string{"1", "shop.example.com"} {
		if got := sorted(translated(t, hopper.Options{Chosen: map[string]string{"website": asked}}, both...)); !slices.Equal(got, want) {
			t.Errorf("--website %s gives %d events, not %d", asked, len(got), len(want))
		}
	}
}

func TestDatabaseWithoutKnownTables(t *testing.T) {
	db := databasetest.SQLite(t)
	exec(t, db, "CREATE TABLE customers (id TEXT)")
	exec(t, db, "CREATE TABLE session (id TEXT, data BLOB)") // another product's
	_, err := hopper.Open(t.Context(), []string{db.Address}, hopper.Options{})
	const want = "umami.db: holds no tables that are known; found customers, session; give the database, and the schema, that the product writes to"
	if err == nil || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("got %v", err)
	}
}

// A password in an address is refused and not repeated.
func TestDatabasePasswords(t *testing.T) {
	for _, address := range []string{
		"postgres://me:SECRET@127.0.0.1:1/db", "postgresql://me:SEC/RET%zz@127.0.0.1:1/db", "mysql://me:SECRET@127.0.0.1:1/db",
		"clickhouse://me:SECRET@127.0.0.1:1/db", "clickhouse://127.0.0.1:1/db?password=SECRET", "POSTGRES://me:SE?CRET@127.0.0.1:1/db",
	} {
		_, err := hopper.Open(t.Context(), []string{address}, hopper.Options{})
		if err == nil || !strings.Contains(err.Error(), "has a password in it") || strings.Contains(err.Error(), "SEC") || strings.Contains(err.Error(), "CRET") {
			t.Errorf("%s: got %v", address, err)
		}
	}
}

// umamiClickHouse and plausibleClickHouse are the tables as the products make them.
const (
	umamiClickHouse = `CREATE TABLE website_event (website_id UUID, session_id UUID, visit_id UUID, event_id UUID, hostname LowCardinality(String),
		browser LowCardinality(String), os LowCardinality(String), device LowCardinality(String), screen LowCardinality(String), language LowCardinality(String),
		country LowCardinality(String), region LowCardinality(String), city String, url_path String, url_query String, utm_source String, utm_medium String,
		utm_campaign String, utm_content String, utm_term String, referrer_path String, referrer_query String, referrer_domain String, page_title String,
		gclid String, fbclid String, msclkid String, ttclid String, li_fat_id String, twclid String, event_type UInt32, event_name String, tag String,
		distinct_id String, created_at DateTime('UTC'), job_id Nullable(UUID))
		ENGINE = MergeTree PARTITION BY toYYYYMM(created_at) ORDER BY (toStartOfHour(created_at), website_id, session_id, visit_id, created_at)`
	plausibleClickHouse = `CREATE TABLE events_v2 (timestamp DateTime CODEC(Delta(4), LZ4), name LowCardinality(String), site_id UInt64, user_id UInt64, session_id UInt64,
		hostname String, pathname String, referrer String, referrer_source String, country_code FixedString(2), screen_size LowCardinality(String),
		operating_system LowCardinality(String), browser LowCardinality(String), utm_medium String, utm_source String, utm_campaign String,
		` + "`meta.key` Array(String), `meta.value` Array(String)" + `, browser_version LowCardinality(String), operating_system_version LowCardinality(String),
		subdivision1_code LowCardinality(String), subdivision2_code LowCardinality(String), city_geoname_id UInt32, utm_content String, utm_term String,
		revenue_reporting_amount Nullable(Decimal(18, 3)), revenue_reporting_currency FixedString(3), revenue_source_amount Nullable(Decimal(18, 3)),
		revenue_source_currency FixedString(3)) ENGINE = MergeTree PARTITION BY toYYYYMM(timestamp) ORDER BY (site_id, toDate(timestamp), name, user_id, timestamp)`
)

// TestClickHouse reads the tables of Umami and Plausible from ClickHouse's own engine.
func TestClickHouse(t *testing.T) {
	for file, create := range map[string]string{"fixtures/umami/clickhouse.csv": umamiClickHouse, "fixtures/plausible/events.csv": plausibleClickHouse} {
		t.Run(filepath.Base(file), func(t *testing.T) {
			server := peers.ClickHouse(t, "site")
			rows, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			server.Exec(t, create, nil)
			table := strings.Fields(create)[2]
			server.Exec(t, "INSERT INTO "+table+" FORMAT CSVWithNames", rows)
			got, want := sorted(translated(t, hopper.Options{}, server.Address)), sorted(translated(t, hopper.Options{}, file))
			if len(got) < 60 || !slices.Equal(got, want) {
				t.Errorf("the database gives other events than the file:\n%.3000s\nwant\n%.3000s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
			verified(t, hopper.Options{}, server.Address)
			for _, format := range []string{"ArrowStream", "Parquet", "Avro", "JSON", "JSONStrings", "JSONCompactEachRowWithNames", "TSVWithNames"} {
				path := filepath.Join(t.TempDir(), table)
				if err := os.WriteFile(path, server.Exec(t, "SELECT * FROM "+table+" FORMAT "+format, nil), 0o600); err != nil {
					t.Fatal(err)
				}
				if got := sorted(translated(t, hopper.Options{}, path)); !slices.Equal(got, want) {
					t.Errorf("%s gives other events than the file:\n%.3000s\nwant\n%.3000s", format, strings.Join(got, "\n"), strings.Join(want, "\n"))
				}
			}
		})
	}
}

func sorted(lines string) []string {
	return slices.Sorted(strings.SplitSeq(strings.TrimSpace(lines), "\n"))
}

// TestNewRowsOfDatabases imports each night what a database was given since, and
// finishes what an earlier run left.
func TestNewRowsOfDatabases(t *testing.T) {
	tables := umamiTables(t)
	databasetest.Each(t, func(t *testing.T, db *databasetest.Database) {
		fill(t, db, tables)
		at := slices.IndexFunc(tables, func(one table) bool { return one.name == "website_event" })
		created, id, path := slices.Index(tables[at].columns, "created_at"), slices.Index(tables[at].columns, "event_id"), slices.Index(tables[at].columns, "url_path")
		add := func(n int) {
			row := slices.Clone(tables[at].rows[0])
			row[created], row[id], row[path] = time.Date(2025, 6, 1, 0, 0, n, 0, time.UTC).Format("2006-01-02 15:04:05.000"), fmt.Sprintf("cccccccc-0000-4000-8000-%012d", n), fmt.Sprintf("/new/%d", n)
			insert(t, db, "website_event", row)
		}
		server, err := sandbox.Open(t.Context(), sandbox.Options{Path: filepath.Join(t.TempDir(), "rybbit.db")})
		if err != nil {
			t.Fatal(err)
		}
		defer server.Close()
		state := t.TempDir()
		run := func(kill int) (*hopper.Result, error) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			door := &door{server: server, at: kill, after: true, state: state, next: t.TempDir(), kill: cancel}
			web := httptest.NewServer(door)
			defer web.Close()
			client, err := rybbit.NewClient(web.URL, "1", "sandbox", rybbit.ClientOptions{})
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			export, err := hopper.Open(ctx, []string{db.Address}, hopper.Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer export.Close()
			res, err := export.Import(ctx, hopper.Import{Client: client, Server: "sandbox", State: state, New: true, Wire: "umami", Upload: rybbit.Options{
				MaxBatchBytes: 1 << 10, RetryFor: 5 * time.Second, SettleAfter: time.Millisecond, Grace: time.Millisecond, Backoff: time.Millisecond,
			}})
			if door.killed() {
				state = door.next
			}
			return res, err
		}
		expect := func(status hopper.Status, kill int, total int) {
			t.Helper()
			res, err := run(kill)
			if kill == 0 && (err != nil || res.Status != status) || kill > 0 && err == nil {
				t.Fatalf("status %s instead of %s, %v", res.Status, status, err)
			}
			var n, different int
			if err := server.DB().QueryRow("SELECT count(*), count(DISTINCT timestamp || pathname) FROM events WHERE pathname LIKE '/new/%'").Scan(&n, &different); err != nil {
				t.Fatal(err)
			}
			if total >= 0 && (n != total || different != total) {
				t.Fatalf("the server holds %d new events, %d different ones, of %d", n, different, total)
			}
		}
		expect(hopper.Complete, 0, 0)
		expect(hopper.NothingNew, 0, 0)
		for n := range 3 {
			add(n)
		}
		expect(hopper.Complete, 0, 3)
		expect(hopper.NothingNew, 0, 3)
		for n := range 40 {
			add(10 + n)
		}
		expect("", 6, -1)
		expect(hopper.Resumed, 0, 43)
		add(60)
		expect(hopper.Complete, 0, 44)
		expect(hopper.NothingNew, 0, 44)
	})
}

// posthogClickHouse are PostHog's tables as far as they matter: the one that all read
// and write, and one that it is spread over.
const posthogClickHouse = `CREATE TABLE %s (uuid UUID, event String, properties String CODEC(ZSTD(3)), timestamp DateTime64(6, 'UTC'), team_id Int64, distinct_id String,
	elements_chain String, created_at DateTime64(6, 'UTC'), person_id UUID, person_properties String, ` + "`mat_$current_url`" + ` String)
	ENGINE = MergeTree PARTITION BY toYYYYMM(timestamp) ORDER BY (team_id, toDate(timestamp), event, distinct_id, uuid)`

// TestPostHogsDatabases reads PostHog's own ClickHouse, its formats, and the table that
// a batch export writes to PostgreSQL.
func TestPostHogsDatabases(t *testing.T) {
	const file = "fixtures/posthog/clickhouse.tsv"
	want := sorted(translated(t, hopper.Options{}, file))
	t.Run("PostgreSQL", func(t *testing.T) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSpace(string(text)), "\n")
		db := databasetest.PostgreSQL(t)
		exec(t, db, `CREATE TABLE posthog_events (uuid text, event text, properties jsonb, "timestamp" timestamptz, team_id integer, distinct_id text, elements_chain text, created_at timestamptz, person_id text, set jsonb)`)
		for _, line := range lines[1:] {
			cells := strings.Split(line, "\t")
			cells[2], cells[3] = strings.ReplaceAll(cells[2], `\\`, `\`), cells[3]+"+00"
			insert(t, db, "posthog_events", cells[:10])
		}
		if got := sorted(translated(t, hopper.Options{}, db.Address)); len(got) != len(want) {
			t.Errorf("the database gives %d events, not %d", len(got), len(want))
		}
		verified(t, hopper.Options{}, db.Address)
	})
	t.Run("ClickHouse", func(t *testing.T) {
		rows, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		server := peers.ClickHouse(t, "posthog")
		for _, table := range []string{"events", "sharded_events"} {
			server.Exec(t, fmt.Sprintf(posthogClickHouse, table), nil)
			server.Exec(t, "INSERT INTO "+table+" FORMAT TSVWithNames", rows)
		}
		server.Exec(t, "CREATE TABLE person_distinct_id2 (team_id Int64, distinct_id String, person_id UUID, is_deleted Int8, version Int64) ENGINE = MergeTree ORDER BY (team_id, distinct_id)", nil)
		server.Exec(t, "INSERT INTO person_distinct_id2 SELECT DISTINCT team_id, distinct_id, person_id, 0, 0 FROM events", nil)
		server.Exec(t, "INSERT INTO person_distinct_id2 SELECT team_id, JSONExtractString(properties, '$anon_distinct_id'), person_id, 0, 1 FROM events WHERE event = '$identify'", nil)
		if got := sorted(translated(t, hopper.Options{}, server.Address)); !slices.Equal(got, want) {
			t.Errorf("the database gives other events than the file:\n%.3000s\nwant\n%.3000s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		verified(t, hopper.Options{}, server.Address)
		for _, format := range []string{"ArrowStream", "Parquet", "JSON", "JSONEachRow", "CSVWithNames"} {
			path := filepath.Join(t.TempDir(), "events")
			if err := os.WriteFile(path, server.Exec(t, "SELECT * FROM events FORMAT "+format, nil), 0o600); err != nil {
				t.Fatal(err)
			}
			if got := sorted(translated(t, hopper.Options{}, path)); !slices.Equal(got, want) {
				t.Errorf("%s gives other events than the file:\n%.3000s\nwant\n%.3000s", format, strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		}
		server.Exec(t, "DROP TABLE events", nil) // or whoever reads may not read it
		if got := sorted(translated(t, hopper.Options{}, server.Address)); !slices.Equal(got, want) {
			t.Errorf("the shard gives other events than the file:\n%.3000s", strings.Join(got, "\n"))
		}
	})
}

// TestMatomosDatabase reads a live MariaDB that was filled by a dump.
func TestMatomosDatabase(t *testing.T) {
	const file = "fixtures/matomo/hex-blob.sql"
	dump, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	db := databasetest.MariaDB(t)
	for statement := range strings.SplitSeq(string(dump), ";\n") {
		if strings.TrimSpace(statement) != "" {
			exec(t, db, statement)
		}
	}
	got, want := sorted(translated(t, hopper.Options{}, db.Address)), sorted(translated(t, hopper.Options{}, file))
	if !slices.Equal(got, want) {
		t.Errorf("the database gives other events than its dump:\n%.3000s\nwant\n%.3000s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	verified(t, hopper.Options{}, db.Address)
}
