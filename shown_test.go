package hopper_test

import (
	"database/sql"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	_ "modernc.org/sqlite"

	"hopper"
	"hopper/pipeline/recount"
	"hopper/sinks/rybbit"
	"hopper/sinks/rybbit/sandbox"
)

// imported is an export in a site of a sandbox.
type imported struct {
	export   *hopper.Export
	client   *rybbit.Client
	result   *hopper.Result
	database string
}

func importInto(t *testing.T, noSQL bool, options hopper.Options, paths ...string) *imported {
	t.Helper()
	var opts sandbox.Options
	in := &imported{database: filepath.Join(t.TempDir(), "sandbox.db")}
	opts.Path, opts.Key, opts.Site = in.database, "secret", "1"
	server, err := sandbox.Open(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if noSQL && strings.HasPrefix(req.URL.Path, "/api/organizations/") {
			http.Error(w, `{"error":"Route not found"}`, http.StatusNotFound)
			return
		}
		server.ServeHTTP(w, req)
	}))
	t.Cleanup(func() {
		web.Close()
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	if in.client, err = rybbit.NewClient(web.URL, "1", "secret", rybbit.ClientOptions{}); err != nil {
		t.Fatal(err)
	}
	if in.export, err = hopper.Open(t.Context(), paths, options); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.export.Close() })
	if in.result, err = in.export.Import(t.Context(), hopper.Import{Client: in.client, State: t.TempDir()}); err != nil {
		t.Fatal(err)
	}
	return in
}

func (in *imported) verify(t *testing.T) *hopper.ShownVerification {
	t.Helper()
	v, err := in.export.VerifyShown(t.Context(), hopper.Shown{Client: in.client, Imports: in.result.ImportIDs, Wire: in.result.Wire})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// ofEachSource are exports of each source and shape.
var ofEachSource = map[string]string{
	"umami": "fixtures/umami/cloud-2026.zip", "umami, joined": "fixtures/umami/postgres", "plausible": "fixtures/plausible/export.zip", "plausible events": "fixtures/plausible/events.csv",
	"ga4": "fixtures/ga/events_20240305.avro", "ua": "fixtures/ga/ga_sessions_20190412.parquet", "reports": "fixtures/ga/report-pages.csv",
	"events": "fixtures/events/shop.csv",
}

// TestServerShowsWhatWasSent imports exports of each source and looks at what the
// server shows of them, in SQL and without.
func TestServerShowsWhatWasSent(t *testing.T) {
	for name, path := range ofEachSource {
		for _, noSQL := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, without SQL %v", name, noSQL), func(t *testing.T) {
				in := importInto(t, noSQL, hopper.Options{Timezone: "Europe/Vienna"}, path)
				v := in.verify(t)
				if !v.Holds {
					for _, g := range v.Guarantees {
						if !g.Holds {
							t.Errorf("%+v", g)
						}
					}
					for _, r := range v.Worst {
						t.Errorf("%s %s %q %s: sent %d, shown %d", r.Date, r.Table, r.Row, r.Measure, r.Sent, *r.Shown)
					}
				}
				t.Logf("%d requests, SQL %v, %d lines, notes %q", v.Requests, v.BySQL, len(v.Total), v.Notes)
			})
		}
	}
}

// double stores each pageview twice.
const double = "insert into events select id + 1000000, import_id, timestamp, kind, session_id, user_id, identified_user_id, hostname, pathname, querystring, page_title, referrer, browser, browser_version, operating_system, operating_system_version, device_type, screen_width, screen_height, language, country, region, city, lat, lon, timezone, event_name, props, outbound_url, outbound_text, lcp, cls, inp, fcp, ttfb, site from events where kind = 'pageview'"

// change changes what the server holds.
func (in *imported) change(t *testing.T, statement string) {
	t.Helper()
	db, err := sql.Open("sqlite", in.database)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	result, err := db.Exec(statement)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := result.RowsAffected(); err != nil || n == 0 {
		t.Fatalf("%s changed %d rows, %v", statement, n, err)
	}
}

// TestEachSourceLost removes, doubles, changes and moves an event of each source,
// which must be found, in SQL or without, and named.
func TestEachSourceLost(t *testing.T) {
	const one = "(select min(id) from events where kind = 'pageview')"
	for source, path := range ofEachSource {
		for name, c := range map[string]struct {
			change, want string
			noSQL        bool
		}{
			"removed": {"delete from events where id = " + one, "days pageviews", false},
			"doubled": {double + " and id = " + one, "days pageviews", true},
			"changed": {"update events set pathname = '/other' where id = " + one, "pages events", false},
			"moved":   {"update events set timestamp = datetime(timestamp, '+1 day') || '.000' where id = " + one, "days pageviews", true},
		} {
			t.Run(source+" "+name, func(t *testing.T) {
				in := importInto(t, c.noSQL, hopper.Options{}, path)
				in.change(t, c.change)
				v := in.verify(t)
				failed := []string{}
				for _, g := range v.Guarantees {
					if !g.Holds {
						failed = append(failed, g.Table+" "+g.Measure)
					}
				}
				if !slices.Contains(failed, c.want) {
					t.Errorf("%s is said to hold; these do not: %q", c.want, failed)
				}
				if !slices.ContainsFunc(v.Worst, func(r recount.Row) bool { return r.Table+" "+r.Measure == c.want }) {
					t.Errorf("no row of %s is named: %+v", c.want, v.Worst)
				}
				t.Logf("found by %q", failed)
			})
		}
	}
}

// TestServerThatLost changes what the server holds, which must be found.
func TestServerThatLost(t *testing.T) {
	for name, c := range map[string]struct{ change, want string }{
		"an event removed": {"delete from events where id = (select min(id) from events where kind = 'pageview')", "days pageviews"},
		"events doubled":   {double, "days bounces"},
		"a page renamed":   {"update events set pathname = '/other'", "pages events"},
		"a country lost":   {"update events set country = ''", "countries sessions"},
		"a day moved":      {"update events set timestamp = datetime(timestamp, '+1 day') || '.000'", "days sessions"},
		"a title changed":  {"update events set page_title = page_title || '!' where page_title <> ''", "titles pageviews"},
		"a version lost":   {"update events set operating_system_version = ''", "system versions sessions"},
		"a name changed":   {"update events set event_name = event_name || '!' where event_name <> ''", "custom events events"},
	} {
		t.Run(name, func(t *testing.T) {
			in := importInto(t, false, hopper.Options{}, "fixtures/umami/cloud-2026.zip")
			in.change(t, c.change)
			v := in.verify(t)
			if !slices.ContainsFunc(v.Guarantees, func(g recount.Guarantee) bool { return !g.Holds && g.Table+" "+g.Measure == c.want }) {
				t.Errorf("%s is said to hold: %+v", c.want, v.Guarantees)
			}
			if len(v.Worst) == 0 {
				t.Error("no row is named")
			}
		})
	}
}
