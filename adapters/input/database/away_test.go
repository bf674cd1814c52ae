package database_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"strings"
	"testing"

	"hopper/adapters/input"
	"hopper/adapters/input/database"
	"hopper/adapters/input/database/databasetest"
)

// A connection that is cut amid a table is told as such: the same run can succeed.
func TestConnectionIsCut(t *testing.T) {
	store := &database.Store{Relations: []input.Relation{{Table: regexp.MustCompile("long_rows"), Key: []string{"id"}}}}
	for name, test := range map[string]struct {
		start func(*testing.T) *databasetest.Database
		cut   string
	}{
		"PostgreSQL": {databasetest.PostgreSQL, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND query LIKE 'COPY%'"},
		"MariaDB":    {databasetest.MariaDB, "KILL %d"},
	} {
		t.Run(name, func(t *testing.T) {
			db := test.start(t)
			exec := func(statement string) {
				t.Helper()
				if _, err := db.SQL.Exec(statement); err != nil {
					t.Fatalf("%s: %v", statement, err)
				}
			}
			exec("CREATE TABLE long_rows (id INTEGER, page VARCHAR(200))")
			exec("INSERT INTO long_rows VALUES (1, '" + strings.Repeat("x", 150) + "')")
			for i := 1; i < 1<<17; i *= 2 {
				exec(fmt.Sprintf("INSERT INTO long_rows SELECT id + %d, page FROM long_rows", i))
			}
			ins, err := input.Open(t.Context(), []string{db.Address}, nil, t.TempDir(), store)
			if err != nil {
				t.Fatal(err)
			}
			defer ins.Close()
			r, err := ins.Files[0].Open(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			if _, err := io.CopyN(io.Discard, r, 100_000); err != nil {
				t.Fatal(err)
			}
			if strings.Contains(test.cut, "%d") {
				var id int64
				if err := db.SQL.QueryRow("SELECT id FROM information_schema.processlist WHERE info LIKE 'SELECT t.%'").Scan(&id); err != nil {
					t.Fatal(err)
				}
				test.cut = fmt.Sprintf(test.cut, id)
			}
			exec(test.cut)
			n, err := io.Copy(io.Discard, r)
			var away *input.AwayError
			if !errors.As(err, &away) || strings.Contains(err.Error(), "@") {
				t.Errorf("got %d bytes and %v", n, err)
			}
		})
	}
}

func TestNobodyAnswers(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	for _, scheme := range []string{"postgres", "mysql", "clickhouse"} {
		_, err := read(t, &database.Store{}, scheme+"://me@"+l.Addr().String()+"/db")
		var away *input.AwayError
		if !errors.As(err, &away) || strings.Contains(err.Error(), "me@") {
			t.Errorf("%s: got %v", scheme, err)
		}
	}
}

// A table that has the same rows as another is read where the other is not there.
func TestTableUnlessAnother(t *testing.T) {
	store := &database.Store{Relations: []input.Relation{{Table: regexp.MustCompile("events")}, {Table: regexp.MustCompile("shard"), Unless: "events"}}}
	db := databasetest.SQLite(t)
	for _, step := range []struct{ statement, want string }{
		{"CREATE TABLE shard (id INTEGER)", "shard"}, {"CREATE TABLE events (id INTEGER)", "events"}, {"DROP TABLE events", "shard"},
	} {
		if _, err := db.SQL.ExecContext(t.Context(), step.statement); err != nil {
			t.Fatal(err)
		}
		var found []string
		err := store.Find(t.Context(), "sqlite://"+db.Address, func(o input.Object) error {
			found = append(found, o.Name[strings.LastIndex(o.Name, "/")+1:])
			return nil
		}, nil)
		if err != nil || strings.Join(found, " ") != step.want {
			t.Errorf("%s: read %v, want %s; %v", step.statement, found, step.want, err)
		}
	}
}
