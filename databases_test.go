package hopper_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"hopper"
	"hopper/adapters/input/database/databasetest"
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
