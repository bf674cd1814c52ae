package ga

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"hopper/adapters"
	"hopper/adapters/input"
	"hopper/pipeline"
	"hopper/pipeline/recount"
)

// verified compares an export with the events made of it.
func verified(t *testing.T, opt adapters.Options, paths ...string) *recount.Comparison {
	t.Helper()
	inputs, err := input.Open(t.Context(), paths, nil, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer inputs.Close()
	reading, err := Adapter{}.Match(t.Context(), inputs.Files).Open(t.Context(), opt)
	if err != nil {
		t.Fatal(err)
	}
	defer reading.Source.Close()
	c, err := reading.Verify(t.Context(), pipeline.Translation{Jobs: 2}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !c.Holds() {
		t.Errorf("%+v", c.Guarantees)
	}
	for _, r := range c.Worst {
		t.Errorf("%+v", r)
	}
	return c
}

func total(c *recount.Comparison, table, measure string) recount.Line {
	for _, l := range c.Total {
		if l.Table == table && l.Measure == measure {
			return l
		}
	}
	return recount.Line{}
}

// TestFactsAgree recounts fixtures and samples: nothing
// that their rows tell is lost or changed on its way, and what is left out is
// counted.
func TestFactsAgree(t *testing.T) {
	fixtures := filepath.Join("..", "..", "fixtures", "ga")
	for _, name := range []string{
		"events_20240305.ndjson", "events_20240305.json", "events_20240305.avro", "events_20240305.bigquery.parquet",
		"events_20240305.standard.parquet", "events_20240305.bare.parquet", "flat.csv", "cells.csv", "params.csv",
		"ga_sessions_20190412.ndjson", "ga_sessions_20190412.avro", "ga_sessions_20190412.parquet",
	} {
		t.Run(name, func(t *testing.T) {
			for _, opt := range []adapters.Options{{}, {Chosen: map[string]string{"ga-events": "all"}}, {Chosen: map[string]string{"dedupe": "true"}}} {
				c := verified(t, opt, filepath.Join(fixtures, name))
				for _, l := range []struct{ table, measure string }{
					{"days", "sessions"}, {"days", "users"}, {"pages", "entries"}, {"browsers", "events"}, {"referrers", "events"}, {"custom events", "events"},
				} {
					if total(c, l.table, l.measure).Sent == 0 {
						t.Errorf("%s, %s: nothing was counted", l.table, l.measure)
					}
				}
			}
		})
	}
	for _, c := range []struct {
		name                           string
		sessions, users, sent, leftOut int64
	}{
		{"ga4.ndjson.gz", 53, 50, 86, 144}, {"ga4.avro", 53, 50, 86, 144}, {"ga4.parquet", 53, 50, 86, 144},
		{"ua.ndjson.gz", 915, 903, 7212, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := verified(t, adapters.Options{}, samples(t, c.name))
			events := total(got, "days", "events")
			if total(got, "days", "sessions").Sent != c.sessions || total(got, "days", "users").Sent != c.users ||
				events.Sent != c.sent || events.LeftOut != c.leftOut {
				t.Errorf("got %+v", got.Total)
			}
		})
	}
}

func TestAddressOf(t *testing.T) {
	for u, want := range map[string][2]string{
		"https://a.example/b//c?d#e": {"a.example", "/b//c"}, "https://a.example?b": {"a.example", "/"}, "//a.example/b": {"a.example", "/b"},
		"a.example/b": {"a.example", "/b"}, "/b//c?https://x.example/": {"", "/b//c"}, "b": {"", "b"}, "": {"", ""},
	} {
		if host, path := addressOf(u); [2]string{host, path} != want {
			t.Errorf("%s: got %q, %q, want %q", u, host, path, want)
		}
	}
}

func TestMomentOf(t *testing.T) {
	const want = 1709625600123456
	berlin := time.FixedZone("", 3600)
	for s, want := range map[string]pipeline.Micros{
		"1709625600123456": want, "1709625600123": want / 1000 * 1000, "1709625600": want / 1000000 * 1000000, "1709625600.0": want / 1000000 * 1000000,
		"2024-03-05 08:00:00.123456 UTC": want, "2024-03-05T08:00:00.123456Z": want, "2024-03-05 09:00:00.123456": want,
		"2024-03-05 10:00:00.123456+02": want, "2024-03-05 10:00:00.123456+02:00": want, "": 0, "soon": 0, "-1": 0, "17096256001234567890": 0,
	} {
		if got := momentOf(s, "", clock{zone: berlin}); got != want {
			t.Errorf("%q: got %d, want %d", s, got, want)
		}
	}
}

// FuzzFacts has the two readers of an event agree, whatever stands in it.
func FuzzFacts(f *testing.F) {
	// What a browser can tell of where a visitor came from. What else may stand
	// there is dropped by one reader and shown as it is by the other.
	address := regexp.MustCompile(`^([a-z-]+://)?[a-zA-Z0-9][a-zA-Z0-9.-]*(:[0-9]+)?(/[!-~]*)?$`)
	f.Add("page_view", "1.2", "3", "https://a.example/b?c#d", "", "https://b.example/", "Chrome", "Windows", "United States", "")
	f.Add("click", "1.2", "3", "a.example/b//c", "/d", "(not set)", "<Other>", "Web", "(not set)", "https://c.example/")
	f.Add("exception", "", "3", "", "x", "android-app://a.b/", "", "Macintosh", "DE", "mailto:a@b.example")
	f.Add("buy", "", "", "", "", "", "", "", "", "")
	f.Fuzz(func(t *testing.T, name, user, session, location, path, referrer, browser, os, country, link string) {
		if referrer != "" && !address.MatchString(referrer) {
			return
		}
		type param struct {
			Key   string            `json:"key"`
			Value map[string]string `json:"value"`
		}
		params := []param{{"outbound", map[string]string{"string_value": "true"}}}
		for key, text := range map[string]string{
			"ga_session_id": session, "page_location": location, "page_path": path, "page_referrer": referrer, "link_url": link,
		} {
			params = append(params, param{key, map[string]string{"string_value": text}})
		}
		var b bytes.Buffer
		w := json.NewEncoder(&b)
		for _, at := range []string{"1709625600123456", "1709625660123456"} {
			if err := w.Encode(map[string]any{
				"event_name": name, "event_timestamp": at, "user_pseudo_id": user, "event_params": params,
				"device": map[string]any{"category": "desktop", "operating_system": os, "web_info": map[string]any{"browser": browser}},
				"geo":    map[string]any{"country": country},
			}); err != nil {
				return
			}
			location, name = "https://a.example/", "page_view"
		}
		verified(t, adapters.Options{}, write(t, "events.ndjson", b.String()))
	})
}
