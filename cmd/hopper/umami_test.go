package main

import (
	"archive/zip"
	"database/sql"
	"encoding/csv"
	"encoding/json"
	"hopper"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hopper/sinks/rybbit/wire"
)

// importInto imports inputs into the embedded sandbox of a new state directory
// and returns the sandbox's database and what was printed.
func importInto(t *testing.T, args ...string) (*sql.DB, hopper.Result) {
	t.Helper()
	state := t.TempDir()
	var stdout, stderr strings.Builder
	args = append([]string{"import", "--sandbox", "--json", "--state", state}, args...)
	if code := run(args, strings.NewReader(""), &stdout, &stderr); code != exitDone {
		t.Fatalf("exit code %d: %s", code, &stderr)
	}
	var result hopper.Result
	if err := json.Unmarshal([]byte(stdout.String()), &result); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", filepath.Join(state, "sandbox.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db, result
}

// counts runs a query of a text and a number.
func counts(t *testing.T, db *sql.DB, query string) map[string]int {
	t.Helper()
	rows, err := db.Query(query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	m := make(map[string]int)
	for rows.Next() {
		var key string
		var n int
		if err := rows.Scan(&key, &n); err != nil {
			t.Fatal(err)
		}
		m[key] = n
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return m
}

// exported reads a table of an export with nothing but the standard library.
func exported(t *testing.T, path, member string) []map[string]string {
	t.Helper()
	var r io.Reader
	if member == "" {
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		r = f
	} else {
		z, err := zip.OpenReader(path)
		if err != nil {
			t.Fatal(err)
		}
		defer z.Close()
		f, err := z.Open(member)
		if err != nil {
			t.Fatal(err)
		}
		r = f
	}
	records, err := csv.NewReader(r).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var rows []map[string]string
	for _, record := range records[1:] {
		row := make(map[string]string)
		for i, cell := range record {
			if cell != `\N` {
				row[records[0][i]] = cell
			}
		}
		rows = append(rows, row)
	}
	return rows
}

func tally(rows []map[string]string, key func(map[string]string) string) map[string]int {
	m := make(map[string]int)
	for _, row := range rows {
		if k := key(row); k != "" {
			m[k]++
		}
	}
	return m
}

func distinct(m map[string]int) map[string]int {
	m = maps.Clone(m)
	for k := range m {
		m[k] = 1
	}
	return m
}

// TestUmamiArrives compares what Rybbit would show with the rows of exports,
// both counted without hopper.
func TestUmamiArrives(t *testing.T) {
	for _, fixture := range []struct{ path, member string }{
		{"cloud-2024.zip", "website_event.csv"},
		{"cloud-2026.zip", "website_event.csv"},
		{"clickhouse.csv", ""},
	} {
		t.Run(fixture.path, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join("../../fixtures/umami", fixture.path)
			rows := exported(t, path, fixture.member)
			// Hits on short links and pixels are no visit to the site.
			rows = slices.DeleteFunc(rows, func(r map[string]string) bool { return r["event_type"] == "3" || r["event_type"] == "4" })
			db, result := importInto(t, path)
			if result.Sent != result.Events || result.Invalid != 0 || int(result.Events) != len(rows) {
				t.Errorf("%d rows, %d events, %d sent, %d invalid", len(rows), result.Events, result.Sent, result.Invalid)
			}
			pageview := func(r map[string]string) bool { return r["event_type"] == "1" }
			for name, check := range map[string]struct {
				query string
				want  map[string]int
			}{
				"sessions": {
					"SELECT session_id, 1 FROM events GROUP BY 1",
					distinct(tally(rows, func(r map[string]string) string { return r["visit_id"] })),
				},
				"users": {
					"SELECT user_id, 1 FROM events GROUP BY 1",
					distinct(tally(rows, func(r map[string]string) string { return r["session_id"] })),
				},
				"pageviews per session": {
					"SELECT session_id, count(*) FROM events WHERE kind = 'pageview' GROUP BY 1",
					tally(rows, func(r map[string]string) string {
						if !pageview(r) {
							return ""
						}
						return r["visit_id"]
					}),
				},
				"pageviews per day": {
					"SELECT day, pageviews FROM daily WHERE pageviews > 0",
					tally(rows, func(r map[string]string) string {
						if !pageview(r) {
							return ""
						}
						return r["created_at"][:10]
					}),
				},
				"titles": {
					"SELECT page_title, count(*) FROM events WHERE kind = 'pageview' AND page_title <> '' GROUP BY 1",
					tally(rows, func(r map[string]string) string {
						if !pageview(r) {
							return ""
						}
						return r["page_title"]
					}),
				},
				"custom events": {
					"SELECT event_name, count(*) FROM events WHERE kind = 'custom_event' GROUP BY 1",
					tally(rows, func(r map[string]string) string {
						if r["event_type"] != "2" {
							return ""
						}
						return r["event_name"]
					}),
				},
				"referring hosts": {
					"SELECT substr(referrer, 9, instr(substr(referrer, 9) || '/', '/') - 1), count(*) FROM events " +
						"WHERE referrer LIKE 'https://%' GROUP BY 1",
					tally(rows, func(r map[string]string) string {
						if strings.TrimPrefix(r["referrer_domain"], "www.") == strings.TrimPrefix(r["hostname"], "www.") {
							return "" // Rybbit takes the site itself for no referrer
						}
						return r["referrer_domain"]
					}),
				},
				"countries": {
					"SELECT country, count(*) FROM events WHERE country <> '' GROUP BY 1",
					tally(rows, func(r map[string]string) string { return strings.ToUpper(r["country"]) }),
				},
			} {
				if diff := cmp.Diff(check.want, counts(t, db, check.query)); diff != "" {
					t.Errorf("%s (-export +Rybbit):\n%s", name, diff)
				}
			}
		})
	}
}

// TestUmamiProperties compares event_data with the properties that arrived.
func TestUmamiProperties(t *testing.T) {
	path := "../../fixtures/umami/cloud-2026.zip"
	db, _ := importInto(t, path)
	want := tally(exported(t, path, "event_data.csv"), func(r map[string]string) string { return r["data_key"] })
	got := counts(t, db, `SELECT key, count(*) FROM events, json_each(events.props)
		WHERE kind = 'custom_event' AND key <> 'tag' GROUP BY 1`)
	if diff := cmp.Diff(want, got); diff != "" || len(want) == 0 {
		t.Errorf("properties (-export +Rybbit):\n%s", diff)
	}
}

// TestWiresAgree imports one export through each wire format: the dashboards
// must show the same.
func TestWiresAgree(t *testing.T) {
	for _, fixture := range []string{"cloud-2024.zip", "postgres", "v1"} {
		var first map[string]map[string]int
		for _, format := range wire.Formats() {
			db, result := importInto(t, "--wire", format.Platform(), "../../fixtures/umami/"+fixture)
			if result.Invalid != 0 || result.Skipped != 0 {
				t.Errorf("%s: %d invalid, %d skipped", format.Platform(), result.Invalid, result.Skipped)
			}
			got := make(map[string]map[string]int)
			for name, query := range map[string]string{
				"users and sessions": "SELECT 'users', count(DISTINCT user_id) FROM events UNION SELECT 'sessions', count(DISTINCT session_id) FROM events",
				"users per day":      "SELECT day, users FROM daily",
				"sessions per day":   "SELECT day, sessions FROM daily",
				"pageviews per day":  "SELECT day, pageviews FROM daily",
				"pageviews per page": "SELECT pathname, pageviews FROM pages",
				"custom events":      "SELECT event_name, count(*) FROM events WHERE kind = 'custom_event' GROUP BY 1",
			} {
				got[name] = counts(t, db, query)
			}
			if first == nil {
				first = got
			}
			if diff := cmp.Diff(first, got); diff != "" {
				t.Errorf("%s: %s against %s:\n%s", fixture, wire.Formats()[0].Platform(), format.Platform(), diff)
			}
		}
	}
}
