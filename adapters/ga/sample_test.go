package ga

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hopper/adapters"
	"hopper/adapters/input"
	"hopper/pipeline"
)

// samples returns the path of a public sample, or skips the test.
func samples(t *testing.T, name string) string {
	t.Helper()
	path := filepath.Join("..", "..", "..", "shared", "samples", name)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("the public sample is not here: %v", err)
	}
	return path
}

// read returns what the inputs hold.
func read(t *testing.T, opt adapters.Options, paths ...string) ([]pipeline.Event, pipeline.Stats, *adapters.Reading) {
	t.Helper()
	events, stats, rejects, reading := readAll(t, opt, paths...)
	for _, r := range rejects {
		t.Errorf("rejected: %+v", r)
	}
	return events, stats, reading
}

func readAll(t *testing.T, opt adapters.Options, paths ...string) ([]pipeline.Event, pipeline.Stats, []pipeline.Reject, *adapters.Reading) {
	t.Helper()
	ctx := context.Background()
	inputs, err := input.Open(ctx, paths, nil, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer inputs.Close()
	if fit := (Adapter{}).Match(t.Context(), inputs.Files).Fit; fit != adapters.Fits {
		t.Fatalf("%v: not detected", paths)
	}
	reading, err := Adapter{}.Match(ctx, inputs.Files).Open(ctx, opt)
	if err != nil {
		t.Fatal(err)
	}
	defer reading.Source.Close()
	events, stats, rejects, err := pipeline.Collect(ctx, reading.Source)
	if err != nil {
		t.Fatal(err)
	}
	for i := range events { // whether nothing is nil or empty depends on what a slice was used for before
		if len(events[i].Properties) == 0 {
			events[i].Properties = nil
		}
		if len(events[i].UserProperties) == 0 {
			events[i].UserProperties = nil
		}
	}
	return events, stats, rejects, reading
}

// sameIn checks that the same rows in other containers give the same events.
func sameIn(t *testing.T, want []pipeline.Event, wantStats pipeline.Stats, path string) {
	t.Helper()
	events, stats, _ := read(t, adapters.Options{}, path)
	anonymous := func(events []pipeline.Event) []pipeline.Event {
		events = slices.Clone(events)
		for i := range events {
			events[i].Origin.Input, events[i].Raw, events[i].ValidUTF8 = "", "", false
		}
		return events
	}
	if !reflect.DeepEqual(anonymous(want), anonymous(events)) {
		diff := cmp.Diff(anonymous(want), anonymous(events))
		t.Errorf("%s: events differ (-ndjson +%s):\n%.4000s", path, filepath.Ext(path), diff)
	}
	counts := func(s pipeline.Stats) any {
		return []any{s.Rows, s.Events, s.Earliest, s.Latest, s.Repaired.Counts(), s.Rejected.Counts(), s.Omitted.Counts()}
	}
	if diff := cmp.Diff(counts(wantStats), counts(stats)); diff != "" {
		t.Errorf("%s: counts differ (-ndjson +%s):\n%s", path, filepath.Ext(path), diff)
	}
}

// rowsOf decodes newline-delimited JSON the plain way.
func rowsOf[T any](t *testing.T, path string) (rows []T) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	for d := json.NewDecoder(z); d.More(); {
		var row T
		if err := d.Decode(&row); err != nil {
			t.Fatal(err)
		}
		rows = append(rows, row)
	}
	return rows
}

// lifetime is a session's first and last time.
type lifetime struct{ First, Last int64 }

func (s lifetime) with(t int64) lifetime {
	if s == (lifetime{}) {
		return lifetime{t, t}
	}
	return lifetime{min(s.First, t), max(s.Last, t)}
}

// count is what both a query over the source and the events are reduced to.
type count struct {
	Visitors, Sessions int
	Views              map[string]int // by day and page
	Names              map[string]int
	Spans              map[string]lifetime
}

func countEvents(events []pipeline.Event) count {
	c := count{Views: map[string]int{}, Names: map[string]int{}, Spans: map[string]lifetime{}}
	visitors := map[string]bool{}
	for _, ev := range events {
		visitors[ev.Visitor] = true
		c.Spans[ev.Session] = c.Spans[ev.Session].with(int64(ev.Time))
		if ev.Kind == pipeline.Pageview {
			c.Views[ev.Time.Time().Format("2006-01-02 ")+ev.Hostname+ev.Path]++
		} else {
			c.Names[ev.Kind.String()+" "+ev.Name]++
		}
	}
	c.Visitors, c.Sessions = len(visitors), len(c.Spans)
	return c
}

func TestGA4Sample(t *testing.T) {
	path := samples(t, "ga4.ndjson.gz")
	events, stats, reading := read(t, adapters.Options{}, path)

	type sampleRow struct {
		Name   string `json:"event_name"`
		Time   string `json:"event_timestamp"`
		User   string `json:"user_pseudo_id"`
		Params []struct {
			Key   string
			Value map[string]string
		} `json:"event_params"`
	}
	var (
		rows     = rowsOf[sampleRow](t, path)
		want     = count{Views: map[string]int{}, Names: map[string]int{}, Spans: map[string]lifetime{}}
		omitted  = map[string]int64{}
		visitors = map[string]bool{}
		all      = map[string]bool{}
	)
	for _, r := range rows {
		p := map[string]string{}
		for _, param := range r.Params {
			for _, v := range param.Value {
				p[param.Key] = v
			}
		}
		session := r.User + "." + p["ga_session_id"]
		all[session] = true
		micros, _ := strconv.ParseInt(r.Time, 10, 64)
		switch r.Name {
		case "session_start", "first_visit", "user_engagement", "scroll":
			omitted["automatic event: "+r.Name]++
			continue
		case "page_view":
			u, err := url.Parse(p["page_location"])
			if err != nil {
				t.Fatal(err)
			}
			want.Views[pipeline.Micros(micros).Time().Format("2006-01-02 ")+u.Host+u.EscapedPath()]++
		default:
			want.Names["custom_event "+r.Name]++
		}
		visitors[r.User] = true
		want.Spans[session] = want.Spans[session].with(micros)
	}
	want.Visitors, want.Sessions = len(visitors), len(want.Spans)
	if diff := cmp.Diff(want, countEvents(events)); diff != "" {
		t.Errorf("events differ from a count over the rows (-rows +events):\n%s", diff)
	}
	if diff := cmp.Diff(omitted, stats.Omitted.Counts()); diff != "" {
		t.Errorf("omitted (-rows +events):\n%s", diff)
	}
	lone := map[string]int64{repairLoneSession: int64(len(all) - want.Sessions)}
	if diff := cmp.Diff(lone, stats.Repaired.Counts()); diff != "" {
		t.Errorf("repaired (-rows +events):\n%s", diff)
	}
	if got := stats.Events + stats.Omitted.Total(); stats.Rows != 230 || got != 230 {
		t.Errorf("rows = %d, events and omitted = %d; want 230", stats.Rows, got)
	}
	if reading.Shape != "GA4 BigQuery export" {
		t.Errorf("shape = %q", reading.Shape)
	}
	sameIn(t, events, stats, samples(t, "ga4.avro"))
	sameIn(t, events, stats, samples(t, "ga4.parquet"))

	checkSystems(t, events)

	everything, stats, _ := read(t, adapters.Options{Chosen: map[string]string{"ga-events": "all"}}, path)
	if c := countEvents(everything); c.Sessions != 64 || c.Visitors != 57 || len(everything) != 230 || len(stats.Omitted) != 0 {
		t.Errorf("with all events: %d sessions, %d visitors, %d events, omitted %v; want 64, 57, 230, none", c.Sessions, c.Visitors, len(everything), stats.Omitted)
	}
}

func TestUASample(t *testing.T) {
	if underRace {
		t.Skip("reads 25 MB three times in one goroutine, where there is no race to find")
	}
	path := samples(t, "ua.ndjson.gz")
	events, stats, reading := read(t, adapters.Options{}, path)

	type sampleRow struct {
		VisitStartTime, VisitID, FullVisitorID string
		Totals                                 struct{ Pageviews, TimeOnSite, Bounces string }
		Hits                                   []struct {
			Type, Time string
			Page       struct{ PagePath, Hostname string }
			EventInfo  *struct{ EventAction, EventCategory, EventLabel string }
			Product    []struct{ IsImpression bool }
		}
	}
	var (
		want        = count{Views: map[string]int{}, Names: map[string]int{}, Spans: map[string]lifetime{}}
		visitors    = map[string]bool{}
		impressions int64
		views       = map[string]int{} // by session
		bounces     int
	)
	rows := rowsOf[sampleRow](t, path)
	for _, r := range rows {
		visitors[r.FullVisitorID] = true
		session := r.FullVisitorID + "." + r.VisitID
		start, _ := strconv.ParseInt(r.VisitStartTime, 10, 64)
		for _, h := range r.Hits {
			ms, _ := strconv.ParseInt(h.Time, 10, 64)
			micros := start*1e6 + ms*1e3
			want.Spans[session] = want.Spans[session].with(micros)
			path, _, _ := strings.Cut(h.Page.PagePath, "?")
			switch {
			case h.Type == "PAGE":
				want.Views[pipeline.Micros(micros).Time().Format("2006-01-02 ")+h.Page.Hostname+path]++
				views[session]++
			case h.EventInfo == nil:
				want.Names["custom_event (not set)"]++
			default:
				want.Names["custom_event "+h.EventInfo.EventAction]++
			}
			for _, p := range h.Product {
				if p.IsImpression {
					impressions++
				}
			}
		}
		if n, _ := strconv.Atoi(r.Totals.Pageviews); n != views[session] {
			t.Errorf("session %s: %d page views, its totals say %d", session, views[session], n)
		}
		if r.Totals.Bounces == "1" {
			bounces++
		}
	}
	want.Visitors, want.Sessions = len(visitors), len(want.Spans)
	if diff := cmp.Diff(want, countEvents(events)); diff != "" {
		t.Errorf("events differ from a count over the rows (-rows +events):\n%s", diff)
	}
	if want.Sessions != 915 || want.Visitors != 903 || bounces != 415 || stats.Rows != 915 || stats.Events != 5767+1445 {
		t.Errorf("%d sessions, %d visitors, %d bounces, %d rows, %d events", want.Sessions, want.Visitors, bounces, stats.Rows, stats.Events)
	}
	if got := stats.Repaired[repairImpression].Count; got != impressions {
		t.Errorf("%d products left out, %d were only shown", got, impressions)
	}
	if reading.Shape != "Universal Analytics BigQuery export" {
		t.Errorf("shape = %q", reading.Shape)
	}
	checkSystems(t, events)
	for _, ev := range events {
		if ev.Kind == pipeline.Error {
			t.Errorf("%v: exceptionInfo of a page made an error", ev.Origin)
		}
	}
	sameIn(t, events, stats, samples(t, "ua.avro"))
	sameIn(t, events, stats, samples(t, "ua.parquet"))
}

// checkSystems checks that no system is named in Google's obfuscated ways.
func checkSystems(t *testing.T, events []pipeline.Event) {
	t.Helper()
	systems := map[string]bool{}
	for _, ev := range events {
		systems[fmt.Sprintf("%s|%s", ev.OS, ev.OSVersion)] = true
	}
	for key := range systems {
		if strings.Contains(key, "Intel") || strings.Contains(key, "Web") || strings.Contains(key, "<") || strings.Contains(key, "not ") {
			t.Errorf("system %q", key)
		}
	}
}
