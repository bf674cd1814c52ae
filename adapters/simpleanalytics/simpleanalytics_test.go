package simpleanalytics_test

import (
	"encoding/csv"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hopper/adapters"
	"hopper/adapters/adaptertest"
	"hopper/adapters/input"
	"hopper/adapters/simpleanalytics"
	"hopper/pipeline"
)

var update = flag.Bool("update", false, "write golden files anew")

const fixtures = "../../fixtures/simpleanalytics/"

func translate(t testing.TB, stdin string, opt adapters.Options, args ...string) ([]pipeline.Event, pipeline.Stats, error) {
	t.Helper()
	return adaptertest.Translate(t, simpleanalytics.Adapter{}, stdin, opt, args...)
}

// TestGolden holds what the fixtures become, in words.
func TestGolden(t *testing.T) {
	var b strings.Builder
	for _, name := range []string{"datapoints.csv", "visits-2020.csv"} {
		events, stats, err := translate(t, "", adapters.Options{}, fixtures+name)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "%s: %d rows, omitted %d, repaired %d\n", name, stats.Rows, stats.Omitted.Total(), stats.Repaired.Total())
		for i := range events {
			ev := &events[i]
			fmt.Fprintf(&b, "%s %s %q %s%s?%s from %q %s/%s/%s %dx%d %s %s visit %.6s user %.6s %+v\n", ev.Time.Time().Format(time.RFC3339Nano), ev.Kind, ev.Name,
				ev.Hostname, ev.Path, ev.Query, ev.Referrer, ev.Browser, ev.OS, ev.Device, ev.ScreenWidth, ev.ScreenHeight, ev.Country, ev.Language, ev.Session, ev.Visitor, ev.Properties)
		}
	}
	adaptertest.Golden(t, "testdata/events.golden", b.String(), *update)
}

// counted are users, visits, page views and other events.
type counted struct{ users, visits, views, others int }

func count(events []pipeline.Event) (c counted) {
	users, visits := map[string]bool{}, map[string]bool{}
	for i := range events {
		users[events[i].Visitor], visits[events[i].Session] = true, true
		if events[i].Kind == pipeline.Pageview {
			c.views++
		} else {
			c.others++
		}
	}
	c.users, c.visits = len(users), len(visits)
	return c
}

// TestSameOfEveryShape checks that the same data points are the same events
// whatever they came in, each once.
func TestSameOfEveryShape(t *testing.T) {
	first, _, err := translate(t, "", adapters.Options{}, fixtures+"datapoints.csv")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"datapoints.json", "overlap"} {
		again, _, err := translate(t, "", adapters.Options{}, fixtures+name)
		if err != nil {
			t.Fatal(err)
		}
		for i := range again {
			again[i].Origin, again[i].Raw = first[i].Origin, first[i].Raw
		}
		if d := cmp.Diff(first, again); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}

// TestVisitorsAreUniqueViews counts users as Simple Analytics' dashboard counts
// visitors.
func TestVisitorsAreUniqueViews(t *testing.T) {
	for _, name := range []string{fixtures + "datapoints.csv", fixtures + "pageviews.csv"} {
		events, _, err := translate(t, "", adapters.Options{}, name)
		if err != nil {
			t.Fatal(err)
		}
		file, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		records, err := csv.NewReader(file).ReadAll()
		if err := errors.Join(err, file.Close()); err != nil {
			t.Fatal(err)
		}
		unique, robot := -1, -1
		for i, column := range records[0] {
			switch column {
			case "is_unique":
				unique = i
			case "is_robot":
				robot = i
			}
		}
		want := 0
		for _, r := range records[1:] {
			if r[unique] == "true" && (robot < 0 || r[robot] == "false") {
				want++
			}
		}
		if got := count(events); got.users != want || got.visits != want {
			t.Errorf("%s: %+v, and %d unique page views", name, got, want)
		}
	}
}

const header = "added_iso,datapoint,is_unique,session_id,path,document_referrer,user_agent,hostname,uuid\n"

// TestVisits says which rows are one visit, and whose it is.
func TestVisits(t *testing.T) {
	row := func(clock, name, unique, session, path, referrer, agent string) string {
		return fmt.Sprintf("2024-05-01T%s.000Z,%s,%s,%s,%s,%s,%s,kiln.example,%s-%s\n", clock, name, unique, session, path, referrer, agent, clock, path)
	}
	for name, c := range map[string]struct {
		rows string
		want counted
	}{
		"a page load continues where its referrer was": {
			row("10:00:00", "pageview", "true", "s1", "/a", "", "x") + row("10:01:00", "pageview", "true", "s2", "/b", "", "x") +
				row("10:02:00", "pageview", "false", "s3", "/c", "kiln.example/a", "x"), counted{2, 2, 3, 0}},
		"another look is another visit": {
			row("10:00:00", "pageview", "true", "s1", "/a", "", "x") + row("10:02:00", "pageview", "false", "s3", "/c", "kiln.example/a", "y"), counted{2, 2, 2, 0}},
		"after half an hour it is another visit of the same visitor": {
			row("10:00:00", "pageview", "true", "s1", "/a", "", "x") + row("10:30:00", "pageview", "false", "s3", "/c", "kiln.example/a", "x"), counted{1, 2, 2, 0}},
		"a reload is another visit of the same visitor": {
			row("10:00:00", "pageview", "true", "s1", "/a", "", "x") + row("10:02:00", "pageview", "false", "s3", "/a", "", "x"), counted{1, 2, 2, 0}},
		"an event before its page view": {
			row("10:00:00", "pageview", "true", "s1", "/a", "", "x") + row("10:01:00", "loaded", "", "s2", "/b", "", "x") +
				row("10:01:01", "pageview", "false", "s2", "/b", "kiln.example/a", "x"), counted{1, 1, 2, 1}},
		"a document that stays open is one visit": {
			row("10:00:00", "pageview", "true", "s1", "/a", "", "x") + row("12:00:00", "pageview", "false", "s1", "/b", "kiln.example/a", "x"), counted{1, 1, 2, 0}},
		"an event without session belongs to the page": {
			row("10:00:00", "pageview", "true", "", "/a", "", "x") + row("10:02:00", "buy", "", "", "/a", "", "x"), counted{1, 1, 1, 1}},
		"a repeat": {
			row("10:00:00", "pageview", "true", "s1", "/a", "", "x") + row("10:00:00", "pageview", "true", "s1", "/a", "", "x"), counted{1, 1, 1, 0}},
	} {
		events, _, err := translate(t, header+c.rows, adapters.Options{}, "-")
		if err != nil {
			t.Fatal(err)
		}
		if got := count(events); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}

func TestAddressIsPersonal(t *testing.T) {
	for name, want := range map[string]string{"email_hello_kiln_com": "email", "email_signup": "email_signup", "email_form_opened": "email_form_opened", "404": "404"} {
		events, _, err := translate(t, header+"2024-05-01T10:00:00.000Z,"+name+",,s,/a,,x,kiln.example,u\n", adapters.Options{}, "-")
		if err != nil || len(events) != 1 || events[0].Name != want {
			t.Errorf("%s became %+v, %v", name, events, err)
		}
	}
}

func TestRefused(t *testing.T) {
	for name, want := range map[string]string{"events-2020.csv": "without their times", "two-sites.csv": "kiln.example (2 data points); wheel.example (1 data points). Choose one with --website"} {
		if _, _, err := translate(t, "", adapters.Options{}, fixtures+"broken/"+name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	opt := adapters.Options{Chosen: map[string]string{"website": "www.kiln.example"}}
	events, stats, err := translate(t, "", opt, fixtures+"broken/two-sites.csv")
	if err != nil || len(events) != 2 || stats.Omitted.Total() != 1 {
		t.Errorf("%d events, %+v, %v", len(events), stats.Omitted, err)
	}
}

func FuzzSimpleAnalytics(f *testing.F) {
	text, err := os.ReadFile(fixtures + "datapoints.csv")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(strings.Join(strings.SplitAfterN(string(text), "\n", 8)[:7], ""))
	f.Add(header + "2024-05-01T10:00:00+02:00,email_a_b_com,,s,/a,x y,x,kiln.example,u\n")
	f.Fuzz(func(t *testing.T, text string) {
		_, _, err := translate(t, text, adapters.Options{}, "-")
		var positioned *input.Error
		if err != nil && !errors.As(err, &positioned) && text != "" {
			t.Fatalf("%v says not where", err)
		}
	})
}
