package database_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"hopper/adapters/input"
	"hopper/adapters/input/database"
)

// clickhouse answers as ClickHouse's HTTP interface does.
type clickhouse struct {
	rows     string // of CSV, with a header
	readonly bool   // the user may not change settings
	queries  []string
}

func (c *clickhouse) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	switch {
	case r.Header.Get("X-ClickHouse-Key") != "SECRET" || r.Header.Get("X-ClickHouse-User") != "reader":
		http.Error(w, "Code: 516. DB::Exception: reader: Authentication failed: password is incorrect. (AUTHENTICATION_FAILED)", http.StatusForbidden)
		return
	case q.Get("database") != "plausible":
		http.Error(w, "Code: 81. DB::Exception: Database other does not exist. (UNKNOWN_DATABASE)", http.StatusNotFound)
		return
	case c.readonly && len(q) > 2:
		http.Error(w, "Code: 164. DB::Exception: Cannot modify 'max_bytes_before_external_sort' setting in readonly mode. (READONLY)", http.StatusInternalServerError)
		return
	}
	query := q.Get("query")
	c.queries = append(c.queries, query)
	switch {
	case strings.Contains(query, "system.columns"):
		for _, column := range []string{"timestamp DateTime", "site_id UInt64", "user_id UInt64", "session_id UInt64", "pathname String", "meta.key Array(String)", "extra Map(String, String)"} {
			name, kind, _ := strings.Cut(column, " ")
			fmt.Fprintf(w, "[\"events_v2\",%q,%q]\n", name, kind)
		}
	case strings.Contains(query, "now()"):
		fmt.Fprintln(w, time.Now().Unix())
	default:
		io.WriteString(w, c.rows)
	}
}

func TestClickHouse(t *testing.T) {
	const rows = "timestamp,site_id\n\"2024-05-01 08:20:00\",1\n"
	broken := rows + strings.Repeat("\"2024-05-01 08:20:00\",1\n", 3000) + "Code: 241. DB::Exception: Memory limit exceeded. (MEMORY_LIMIT_EXCEEDED) (version 24.3)\n"
	for name, test := range map[string]struct {
		server   clickhouse
		database string
		password string
		fails    string
	}{
		"rows":           {clickhouse{rows: rows}, "plausible", "SECRET", ""},
		"no settings":    {clickhouse{rows: rows, readonly: true}, "plausible", "SECRET", ""},
		"wrong password": {clickhouse{}, "plausible", "WRONG", "put the password into the environment variable CLICKHOUSE_PASSWORD"},
		"wrong database": {clickhouse{}, "other", "SECRET", "give the database's name behind the host"},
		"fails amid":     {clickhouse{rows: broken}, "plausible", "SECRET", "Memory limit exceeded"},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(&test.server)
			defer server.Close()
			t.Setenv("CLICKHOUSE_PASSWORD", test.password)
			store := &database.Store{Relations: []input.Relation{{Table: regexp.MustCompile("events_v2"), Time: "timestamp"}}}
			address := strings.Replace(server.URL, "http://", "clickhouse://reader@", 1) + "/" + test.database
			text, err := read(t, store, address)
			if test.fails != "" {
				if err == nil || !strings.Contains(err.Error(), test.fails) || strings.Contains(err.Error(), "SECRET") {
					t.Errorf("got %v", err)
				}
				return
			}
			if err != nil || text != rows {
				t.Errorf("got %q, %v", text, err)
			}
			query := regexp.MustCompile(`'[-0-9]+ [:0-9]+'`).ReplaceAllString(test.server.queries[len(test.server.queries)-1], "'…'")
			const want = "SELECT toTimeZone(t.`timestamp`, 'UTC') AS `timestamp`, t.`site_id` AS `site_id`, t.`user_id` AS `user_id`, t.`session_id` AS `session_id`, " +
				"t.`pathname` AS `pathname`, t.`meta.key` AS `meta.key`, t.`extra` AS `extra` FROM `events_v2` AS t WHERE (t.`timestamp` IS NULL OR t.`timestamp` < toDateTime('…', 'UTC')) " +
				"ORDER BY t.`timestamp`, t.`site_id`, t.`user_id`, t.`session_id`, t.`pathname`, t.`meta.key` FORMAT CSVWithNames"
			if query != want {
				t.Errorf("got  %s\nwant %s", query, want)
			}
		})
	}
}

// TestCounted checks that a database need not sort by time what a counter orders, and
// does where the table lacks the counter.
func TestCounted(t *testing.T) {
	for column, want := range map[string]string{"session_id": "ORDER BY t.`session_id` FORMAT", "id": "ORDER BY t.`timestamp`, t.`site_id`, "} {
		fake := clickhouse{rows: "timestamp,site_id\n"}
		server := httptest.NewServer(&fake)
		t.Setenv("CLICKHOUSE_PASSWORD", "SECRET")
		store := &database.Store{Relations: []input.Relation{{Table: regexp.MustCompile("events_v2"), Time: "timestamp", Key: []string{column}, Counted: true}}}
		_, err := read(t, store, strings.Replace(server.URL, "http://", "clickhouse://reader@", 1)+"/plausible")
		server.Close()
		if query := fake.queries[len(fake.queries)-1]; err != nil || !strings.Contains(query, want) || !strings.Contains(query, "t.`timestamp` < ") {
			t.Errorf("%s: %s, %v", column, query, err)
		}
	}
}

// read returns all tables of a database, one behind the other.
func read(t *testing.T, store *database.Store, address string) (text string, err error) {
	ins, err := input.Open(t.Context(), []string{address}, nil, t.TempDir(), store)
	if err != nil {
		return "", err
	}
	defer ins.Close()
	for _, in := range ins.Files {
		r, err := in.Open(t.Context())
		if err != nil {
			return text, err
		}
		b, err := io.ReadAll(r)
		r.Close()
		if text += string(b); err != nil {
			return text, err
		}
	}
	return text, nil
}
