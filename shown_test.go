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

// TestServerShowsWhatWasSent imports exports of each source and looks at what the
// server shows of them, in SQL and without.
func TestServerShowsWhatWasSent(t *testing.T) {
	for name, path := range map[string]string{
		"umami": "fixtures/umami/cloud-2026.zip", "umami, joined": "fixtures/umami/postgres", "plausible": "fixtures/plausible/export.zip", "plausible events": "fixtures/plausible/events.csv",
		"ga4": "fixtures/ga/events_20240305.avro", "ua": "fixtures/ga/ga_sessions_20190412.parquet", "reports": "fixtures/ga/report-pages.csv",
	} {
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

// TestServerThatLost changes what the server holds, which must be found.
func TestServerThatLost(t *testing.T) {
	for name, c := range map[string]struct{ change, want string }{
		"an event removed": {"delete from events where id = (select min(id) from events where kind = 'pageview')", "days pageviews"},
		"events doubled":   {"insert into events select id + 1000000, import_id, timestamp, kind, session_id, user_id, identified_user_id, hostname, pathname, querystring, page_title, referrer, browser, browser_version, operating_system, operating_system_version, device_type, screen_width, screen_height, language, country, region, city, lat, lon, timezone, event_name, props, outbound_url, outbound_text, lcp, cls, inp, fcp, ttfb, site from events where kind = 'pageview'", "days bounces"},
		"a page renamed":   {"update events set pathname = '/other'", "pages events"},
		"a country lost":   {"update events set country = ''", "countries sessions"},
		"a day moved":      {"update events set timestamp = datetime(timestamp, '+1 day') || '.000'", "days sessions"},
		"a name changed":   {"update events set event_name = event_name || '!' where event_name <> ''", "custom events events"},
	} {
		t.Run(name, func(t *testing.T) {
			in := importInto(t, false, hopper.Options{}, "fixtures/umami/cloud-2026.zip")
			db, err := sql.Open("sqlite", in.database)
			if err != nil {
				t.Fatal(err)
			}
			_, err = db.Exec(c.change)
			if err != nil {
				t.Fatal(err)
			}
			db.Close()
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
