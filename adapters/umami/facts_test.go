package umami_test

import (
	"bytes"
	"encoding/csv"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"hopper/adapters"
	"hopper/adapters/input"
	"hopper/adapters/umami"
	"hopper/pipeline"
	"hopper/pipeline/recount"
)

// recounted compares an export with the events made of it.
func recounted(t *testing.T, rules pipeline.Normalizer, opt adapters.Options, paths ...string) *recount.Comparison {
	t.Helper()
	ins, err := input.Open(t.Context(), paths, nil, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer ins.Close()
	reading, err := umami.Adapter{}.Match(t.Context(), ins.Files).Open(t.Context(), opt)
	if err != nil {
		t.Fatal(err)
	}
	defer reading.Source.Close()
	c, err := reading.Verify(t.Context(), pipeline.Translation{Normalizer: rules, Jobs: 2}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func totals(c *recount.Comparison) map[string]recount.Line {
	lines := map[string]recount.Line{}
	for _, l := range c.Total {
		lines[l.Table+" "+l.Measure] = l
	}
	return lines
}

// TestFactsAgree recounts all fixtures: nothing that their rows tell is lost
// or changed on its way, and what is left out is counted.
func TestFactsAgree(t *testing.T) {
	for _, name := range []string{
		"postgres", "postgres-semicolon", "postgres-tab", "postgres-pipe", "postgres-packed", "pg_dump.sql",
		"postgres-2.10", "clickhouse.csv", "clickhouse-2.10.csv", "cloud-2024.zip", "cloud-2026.zip", "v1", "broken/rows.csv",
	} {
		t.Run(name, func(t *testing.T) {
			c := recounted(t, pipeline.Normalizer{Hostname: "garden.example"}, adapters.Options{TempDir: t.TempDir()}, filepath.Join(fixtures, name))
			for _, g := range c.Guarantees {
				if !g.Holds {
					t.Errorf("%+v", g)
				}
			}
			for _, r := range c.Worst {
				t.Errorf("%+v", r)
			}
			lines := totals(c)
			for _, l := range []string{"days events", "days users", "days sessions", "pages pageviews", "pages entries", "browsers events", "referrers events", "custom events events", "query parameters events", "titles events", "properties events"} {
				if lines[l].Sent == 0 {
					t.Errorf("%s: nothing was counted", l)
				}
			}
		})
	}
}

// TestFactsOfDays compares the days that are asked for alone.
func TestFactsOfDays(t *testing.T) {
	since := time.Date(2026, 2, 9, 0, 0, 0, 0, time.UTC)
	rules := pipeline.Normalizer{Since: pipeline.MicrosOf(since), Until: pipeline.MicrosOf(since.AddDate(0, 0, 7))}
	c := recounted(t, rules, adapters.Options{TempDir: t.TempDir()}, filepath.Join(fixtures, "cloud-2026.zip"))
	if !c.Holds() {
		t.Errorf("%+v", c.Worst)
	}
	if len(c.Days) == 0 || len(c.Days) > 7 || c.Days[0].Date < "2026-02-09" || c.Days[len(c.Days)-1].Date > "2026-02-15" {
		t.Errorf("got days %+v", c.Days)
	}
}

// fromHost and fromPath are what a browser can tell of where a visitor came
// from. What else may stand there is dropped by one reader and shown as it is
// by the other.
var (
	fromHost = regexp.MustCompile(`^([a-zA-Z0-9][a-zA-Z0-9.-]*(:[0-9]+)?)?$`)
	fromPath = regexp.MustCompile(`^(/[!-~]*|[a-z-]+://[a-zA-Z0-9][a-zA-Z0-9.-]*/?)?$`)
)

// FuzzFacts has the two readers of a row agree, whatever stands in it.
func FuzzFacts(f *testing.F) {
	f.Add("s", "v", "/p", "", "", "1", "")
	f.Add("s", "", "p?q#r", "www.a.example", "search", "2", "buy")
	f.Add("", "v", "", "", "android-app://a.b/", "3", "")
	f.Add("", "", "/a b/../ü", "A.example:80", "//x", "9", "x")
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, session, visit, path, domain, refPath, kind, name string) {
		// Identifiers that differ in case alone are the same to Rybbit.
		session, visit = strings.ToLower(session), strings.ToLower(visit)
		if !fromHost.MatchString(domain) || !fromPath.MatchString(refPath) {
			return
		}
		var b bytes.Buffer
		w := csv.NewWriter(&b)
		w.Write([]string{"session_id", "visit_id", "created_at", "url_path", "url_query", "referrer_domain", "referrer_path", "page_title", "event_type", "event_name"})
		for _, minute := range []string{"00", "10", "50"} {
			w.Write([]string{session, visit, "2024-05-01 10:" + minute + ":00", path, "", domain, refPath, "", kind, name})
			path, visit = "/b", ""
		}
		w.Flush()
		ins, err := input.Open(t.Context(), []string{"-"}, zipped(t, "website_event.csv", b.String()), dir)
		if err != nil {
			return
		}
		defer ins.Close()
		opt := adapters.Options{TempDir: dir}
		reading, err := umami.Adapter{}.Match(t.Context(), ins.Files).Open(t.Context(), opt)
		if err != nil {
			return
		}
		defer reading.Source.Close()
		c, err := reading.Verify(t.Context(), pipeline.Translation{}, nil)
		if err != nil {
			return
		}
		if !c.Holds() {
			t.Errorf("%q: %+v, %v, %v", b.String(), c.Worst, c.Stats.Rejected, c.Stats.Omitted)
		}
	})
}
