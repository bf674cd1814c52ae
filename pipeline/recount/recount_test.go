package recount_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"hopper/adapters/input/spill"
	"hopper/pipeline"
	"hopper/pipeline/recount"
)

// scratch is on disk beyond some memory.
type scratch struct{}

func (scratch) Sorter(memory int) recount.Sorter { return &spill.Sorter{Limit: memory} }
func (scratch) Bins(memory int) recount.Bins     { return &spill.Bins{Limit: memory} }

// told are facts that are known.
type told []recount.Fact

func (t told) facts(_ context.Context, yield func(*recount.Fact) error) error {
	for i := range t {
		f := t[i]
		if err := yield(&f); err != nil {
			return err
		}
	}
	return nil
}

var noon = pipeline.MicrosOf(time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC))

const minute = pipeline.Micros(60 * 1e6)

// visits are two visits: one of two pages and an event, and a bounce.
func visits() (facts told, events []pipeline.Event) {
	for i, e := range []struct {
		visitor, session, page, name string
		at                           pipeline.Micros
	}{
		{"ann", "1", "/", "", 0},
		{"ann", "1", "/a b", "", minute},
		{"ann", "1", "/a b", "buy", 2 * minute},
		{"bob", "2", "/", "", 3 * minute},
	} {
		f := recount.Fact{
			Origin: pipeline.Origin{Input: "export", Row: int64(i + 2)}, At: noon + e.at, Name: e.name, Visitor: e.visitor, Session: e.session,
			Page: e.page, Referrer: "www.Google.com", Browser: "chrome", OS: "Windows 10", Device: "laptop", Country: "United States",
			BrowserVersion: "120.0", OSVersion: "10", Values: []pipeline.Property{},
		}
		if e.name != "" {
			f.Kind, f.Values = pipeline.Custom, []pipeline.Property{{Key: "size", Value: "5"}, {Key: "plan", Value: "pro"}}
		}
		facts = append(facts, f)
		events = append(events, pipeline.Event{
			Origin: f.Origin, Time: f.At, Kind: f.Kind, Name: f.Name, Visitor: f.Visitor, Session: f.Session, Path: f.Page,
			Referrer: "https://www.google.com/search", Browser: f.Browser, OS: f.OS, Device: f.Device, Country: "us",
			BrowserVersion: f.BrowserVersion, OSVersion: f.OSVersion, Properties: slices.Clone(f.Values),
		})
		slices.Reverse(events[i].Properties) // in any order
	}
	return facts, events
}

type tester interface {
	Helper()
	Fatal(...any)
}

func compare(t tester, facts told, events []pipeline.Event, rules pipeline.Normalizer) *recount.Comparison {
	t.Helper()
	return compareFor(t, facts, events, pipeline.Translation{Normalizer: rules})
}

func compareFor(t tester, facts told, events []pipeline.Event, translation pipeline.Translation) *recount.Comparison {
	t.Helper()
	c, err := recount.Compare(context.Background(), recount.Export{Facts: recount.InPieces(facts.facts), Source: pipeline.Replay(events), Scratch: scratch{}}, translation)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func line(c *recount.Comparison, table, measure string) recount.Line {
	i := slices.IndexFunc(c.Total, func(l recount.Line) bool { return l.Table == table && l.Measure == measure })
	if i < 0 {
		return recount.Line{}
	}
	return c.Total[i]
}

func TestCountsAsTheDashboard(t *testing.T) {
	facts, events := visits()
	c := compare(t, facts, events, pipeline.Normalizer{})
	if !c.Holds() || len(c.Worst) > 0 {
		t.Errorf("got %+v", c.Worst)
	}
	for _, want := range []struct {
		table, measure string
		n              int64
	}{
		{"days", "sessions", 2}, {"days", "users", 2}, {"days", "users per day", 2}, {"days", "bounces", 1}, {"days", "seconds", 120},
		{"days", "events", 4}, {"days", "pageviews", 3}, {"days", "custom events", 1},
		{"pages", "pageviews", 3}, {"pages", "entries", 2}, {"pages", "exits", 2},
		{"referrers", "sessions", 2}, {"browsers", "events", 4}, {"systems", "sessions", 2}, {"devices", "events", 4}, {"countries", "sessions", 2},
		{"custom events", "events", 1}, {"rows", "became events", 4},
	} {
		if l := line(c, want.table, want.measure); l.Source != want.n || l.Sent != want.n || l.LeftOut != 0 || l.Off != 0 {
			t.Errorf("%s %s: got %+v, want %d", want.table, want.measure, l, want.n)
		}
	}
	if len(c.Days) != 1 || c.Days[0].Date != "2024-05-01" {
		t.Errorf("got days %+v", c.Days)
	}
}

// TestFindsErrors makes errors that a translation could make, and looks where
// they show.
func TestFindsErrors(t *testing.T) {
	for name, c := range map[string]struct {
		err    func(events []pipeline.Event) []pipeline.Event
		failed []string
	}{
		"an event lost": {
			func(e []pipeline.Event) []pipeline.Event { return e[:3] },
			[]string{"rows left out with a reason"},
		},
		"an event sent twice": {
			func(e []pipeline.Event) []pipeline.Event { return append(e, e[3]) },
			[]string{"days bounces", "days events", "pages pageviews", "rows became events"},
		},
		"two sessions made one": {
			func(e []pipeline.Event) []pipeline.Event { e[3].Session = "1"; return e },
			[]string{"days sessions", "days bounces", "days seconds", "pages entries", "pages exits"},
		},
		"two visitors made one": {
			func(e []pipeline.Event) []pipeline.Event { e[3].Visitor = "ann"; return e },
			[]string{"days users", "days users per day"},
		},
		"an hour's error": {
			func(e []pipeline.Event) []pipeline.Event { e[2].Time += 60 * minute; return e },
			[]string{"days seconds"},
		},
		"another day": {
			func(e []pipeline.Event) []pipeline.Event { e[3].Time += 24 * 60 * minute; return e },
			[]string{"days sessions", "days events", "pages pageviews"},
		},
		"the wrong order": {
			func(e []pipeline.Event) []pipeline.Event {
				e[0].Time, e[1].Time = e[1].Time, e[0].Time
				return e
			},
			[]string{"pages entries", "pages exits"},
		},
		"another page": {
			func(e []pipeline.Event) []pipeline.Event { e[1].Path = "/a"; return e },
			[]string{"pages pageviews", "pages exits"},
		},
		"a pageview made an event": {
			func(e []pipeline.Event) []pipeline.Event { e[1].Kind, e[1].Name = pipeline.Custom, "/a b"; return e },
			[]string{"days pageviews", "days bounces", "custom events events"},
		},
		"another name": {
			func(e []pipeline.Event) []pipeline.Event { e[2].Name = "Buy"; return e },
			[]string{"custom events events"},
		},
		"no referrer": {
			func(e []pipeline.Event) []pipeline.Event { e[3].Referrer = ""; return e },
			[]string{"referrers sessions", "referrers events"},
		},
		"another country": {
			func(e []pipeline.Event) []pipeline.Event { e[0].Country = "DE"; return e },
			[]string{"countries sessions", "countries events"},
		},
		"another system": {
			func(e []pipeline.Event) []pipeline.Event { e[0].OS = "Linux"; return e },
			[]string{"systems sessions"},
		},
		"no browser version": {
			func(e []pipeline.Event) []pipeline.Event { e[0].BrowserVersion = ""; return e },
			[]string{"browser versions sessions", "browser versions events"},
		},
		"another system version": {
			func(e []pipeline.Event) []pipeline.Event { e[3].OSVersion = "8"; return e },
			[]string{"system versions sessions"},
		},
		"another value": {
			func(e []pipeline.Event) []pipeline.Event { e[2].Properties[1].Value = "6"; return e },
			[]string{"property values events"},
		},
		"no properties": {
			func(e []pipeline.Event) []pipeline.Event { e[2].Properties = nil; return e },
			[]string{"property values events"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			facts, events := visits()
			got := compare(t, facts, c.err(events), pipeline.Normalizer{})
			if got.Holds() {
				t.Fatal("not found")
			}
			for _, want := range c.failed {
				if !slices.ContainsFunc(got.Guarantees, func(g recount.Guarantee) bool { return !g.Holds && g.Table+" "+g.Measure == want }) {
					t.Errorf("%s holds: %+v", want, got.Guarantees)
				}
			}
			if want := "rows left out with a reason"; c.failed[0] != want && len(got.Worst) == 0 {
				t.Error("no row is named")
			}
		})
	}
}

// TestLeavesOut compares what rejects and omissions leave.
func TestLeavesOut(t *testing.T) {
	facts, events := visits()
	facts = append(facts, recount.Fact{Origin: pipeline.Origin{Input: "export", Row: 6}}) // says nothing
	events = append(events, pipeline.Event{Origin: facts[4].Origin})
	facts[1].Kind, facts[1].Name, events[1].Kind = pipeline.Custom, "", pipeline.Custom // without a name: rejected
	c := compare(t, facts, events, pipeline.Normalizer{Until: noon + 2*minute + 1})     // bob comes later
	if !c.Holds() {
		t.Errorf("got %+v, %+v", c.Worst, c.Guarantees)
	}
	if l := line(c, "rows", "became events"); l.Source != 5 || l.LeftOut != 3 || l.Sent != 2 {
		t.Errorf("got %+v", l)
	}
	if l := line(c, "days", "events"); l.Source != 3 || l.LeftOut != 1 || l.Sent != 2 {
		t.Errorf("got %+v", l)
	}
}

// TestUntold compares nothing that the rows do not tell.
func TestUntold(t *testing.T) {
	facts, events := visits()
	for i := range facts {
		f := &facts[i]
		f.Visitor, f.Session, f.Referrer, f.Browser, f.OS, f.Device, f.Country = "", "", "", "", "", "", ""
	}
	c := compare(t, facts, events, pipeline.Normalizer{})
	if !c.Holds() || len(c.Notes) != 2 {
		t.Errorf("got %+v, %q", c.Worst, c.Notes)
	}
	for _, measure := range []string{"sessions", "users", "bounces"} {
		if l := line(c, "days", measure); l != (recount.Line{}) {
			t.Errorf("got %+v", l)
		}
	}
}

// TestPauses finds visits that are not told, and not where a row's own visit is.
func TestPauses(t *testing.T) {
	facts, events := visits()
	for i := range facts {
		facts[i].Paused, facts[i].Visitor, events[i].Visitor = true, "ann", "ann"
		facts[i].At += pipeline.Micros(i/2) * 28 * minute // the third event comes 29 minutes after the second
		events[i].Time = facts[i].At
		if i < 3 {
			facts[i].Session = ""
		}
	}
	if c := compare(t, facts, events, pipeline.Normalizer{}); !c.Holds() || len(c.Notes) > 0 || line(c, "days", "seconds").Source != 30*60 {
		t.Errorf("got %+v", c.Total)
	}
	facts[2].At += minute // one more begins a new visit
	events[2].Time += minute
	c := compare(t, facts, events, pipeline.Normalizer{})
	if l := line(c, "days", "sessions"); c.Holds() || l.Source != 3 || l.Sent != 2 {
		t.Errorf("got %+v", l)
	}
	events[2].Session = "3"
	if c := compare(t, facts, events, pipeline.Normalizer{}); !c.Holds() {
		t.Errorf("got %+v", c.Worst)
	}
}

// TestLongTexts compares what wire formats shorten by its beginning.
func TestLongTexts(t *testing.T) {
	facts, events := visits()
	long := strings.Repeat("ü/", 2000)
	facts[1].Page, events[1].Path = "/"+long, "/"+long
	facts[2].Name, events[2].Name = long, long
	for i := range facts {
		f, ev := &facts[i], &events[i]
		f.Browser, f.OS, f.Device, f.City = "Browser"+long, "System"+long, "Device"+long, "City"+long
		ev.Browser, ev.OS, ev.Device, ev.City = f.Browser, f.OS, f.Device, f.City
	}
	limits := pipeline.Limits{Path: 2048, Name: 255, Browser: 30, OS: 25, Device: 20, City: 60}
	c := compareFor(t, facts, events, pipeline.Translation{Target: pipeline.Target{Limits: limits}})
	if !c.Holds() || len(c.Stats.Repaired) == 0 {
		t.Errorf("got %+v, repaired %v", c.Worst, c.Stats.Repaired)
	}
}

// TestSpills counts more than memory is taken for.
func TestSpills(t *testing.T) {
	const rows, sessions, pages, days = 9000, 3000, 400, 300
	var facts told
	var events []pipeline.Event
	for i := range rows {
		f := recount.Fact{
			Origin: pipeline.Origin{Input: "export", Row: int64(i)}, At: noon + minute*24*60*pipeline.Micros(i%sessions%days) + minute*pipeline.Micros(i/sessions),
			Visitor: fmt.Sprint(i % sessions / 2), Session: fmt.Sprint(i % sessions), Page: fmt.Sprint("/", i*7919%pages),
		}
		facts = append(facts, f)
		events = append(events, pipeline.Event{Origin: f.Origin, Time: f.At, Visitor: f.Visitor, Session: f.Session, Path: f.Page})
	}
	events[rows/2].Path = "/wrong"
	c, err := recount.CompareWithin(t.Context(), recount.Export{Facts: recount.InPieces(facts.facts), Source: pipeline.Replay(events), Scratch: scratch{}},
		pipeline.Translation{}, 64<<10)
	if err != nil {
		t.Fatal(err)
	}
	for measure, want := range map[string]int64{
		"sessions": sessions, "users": sessions / 2, "users per day": sessions, "bounces": 0, "seconds": sessions * 120, "pageviews": rows,
	} {
		if l := line(c, "days", measure); l.Source != want || l.Sent != want || l.Off != 0 {
			t.Errorf("%s: got %+v, want %d", measure, l, want)
		}
	}
	if l := line(c, "pages", "pageviews"); l.Off != 1 || l.Rows != 2 || len(c.Days) != days || c.Holds() {
		t.Errorf("got %+v on %d days", l, len(c.Days))
	}
}

// TestAnyMemory counts the same in little memory as in much, and on several
// goroutines as on one.
func TestAnyMemory(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var facts told
		var events []pipeline.Event
		text := func(name string, texts ...string) string { return rapid.SampledFrom(texts).Draw(rt, name) }
		for i := range rapid.IntRange(1, 60).Draw(rt, "rows") {
			f := recount.Fact{
				Origin: pipeline.Origin{Input: text("input", "a", "b"), Row: int64(i)}, At: noon + minute*pipeline.Micros(rapid.IntRange(-90, 90).Draw(rt, "at")),
				Kind: pipeline.Kind(rapid.IntRange(0, 1).Draw(rt, "kind")), Name: "name", Visitor: text("visitor", "", "1", "2"), Session: text("session", "", "1", "2", "3"),
				Paused: rapid.Bool().Draw(rt, "paused"), Page: text("page", "/", "/a", "/b"), Country: text("country", "", "DE", "FR"), OS: text("os", "", "Linux", "Windows"),
			}
			facts = append(facts, f)
			ev := pipeline.Event{Origin: f.Origin, Time: f.At, Kind: f.Kind, Name: f.Name, Visitor: "v" + f.Visitor, Session: "s" + f.Session, Path: f.Page, Country: f.Country, OS: f.OS}
			for range rapid.SampledFrom([]int{0, 1, 1, 1, 2}).Draw(rt, "times") {
				events = append(events, ev)
			}
		}
		var first string
		for _, how := range []struct{ memory, jobs int }{{16 << 20, 1}, {1, 3}} {
			c, err := recount.CompareWithin(t.Context(), recount.Export{Facts: recount.InPieces(facts.facts), Source: pipeline.Replay(events), Scratch: scratch{}},
				pipeline.Translation{Jobs: how.jobs}, how.memory)
			if err != nil {
				rt.Fatal(err)
			}
			b, err := json.Marshal(c)
			if err != nil {
				rt.Fatal(err)
			}
			if first == "" {
				first = string(b)
			}
			if first != string(b) {
				rt.Fatalf("in %d bytes on %d goroutines:\n%s\nand not\n%s", how.memory, how.jobs, b, first)
			}
		}
	})
}

// TestAsPlainMaps compares with a count that holds everything in maps, of all rows
// and of those that became events.
func TestAsPlainMaps(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var facts, kept told
		var events []pipeline.Event
		for i := range rapid.IntRange(1, 40).Draw(rt, "rows") {
			visitor := fmt.Sprint(rapid.IntRange(1, 4).Draw(rt, "visitor"))
			session := visitor + "." + fmt.Sprint(rapid.IntRange(1, 3).Draw(rt, "session"))
			f := recount.Fact{
				Origin: pipeline.Origin{Input: "export", Row: int64(i + 2)}, At: noon + minute*pipeline.Micros(rapid.IntRange(-3000, 3000).Draw(rt, "at")),
				Visitor: visitor, Session: session, Page: rapid.SampledFrom([]string{"/", "/a", "/b"}).Draw(rt, "page"),
			}
			facts = append(facts, f)
			if rapid.IntRange(0, 9).Draw(rt, "lost") > 0 {
				kept = append(kept, f)
				events = append(events, pipeline.Event{Origin: f.Origin, Time: f.At, Visitor: visitor, Session: session, Path: f.Page})
			}
		}
		c := compare(rt, facts, events, pipeline.Normalizer{})
		if len(c.Worst) > 0 {
			rt.Fatalf("got %+v", c.Worst)
		}
		all, left := facts.plainly(), kept.plainly()
		for measure, want := range all {
			if l := line(c, "days", measure); l.Source != want || l.Source-l.LeftOut != left[measure] || l.Sent != left[measure] {
				rt.Fatalf("%s: got %+v, want %d and %d", measure, l, want, left[measure])
			}
		}
	})
}

// plainly counts measures of days.
func (t told) plainly() map[string]int64 {
	type visit struct {
		first, last pipeline.Micros
		views       int64
	}
	visits, users, daily := map[string]*visit{}, map[string]bool{}, map[string]bool{}
	for i := range t {
		f := &t[i]
		v := visits[f.Session]
		if v == nil {
			v = &visit{first: f.At, last: f.At}
			visits[f.Session] = v
		}
		v.first, v.last = min(v.first, f.At), max(v.last, f.At)
		v.views++
		users[f.Visitor], daily[f.Visitor+f.At.Time().Format(time.DateOnly)] = true, true
	}
	var bounces, seconds int64
	for _, v := range visits {
		if v.views == 1 {
			bounces++
		}
		seconds += int64((v.last - v.first) / 1e6)
	}
	return map[string]int64{
		"sessions": int64(len(visits)), "users": int64(len(users)), "users per day": int64(len(daily)), "bounces": bounces, "seconds": seconds,
		"pageviews": int64(len(t)),
	}
}
