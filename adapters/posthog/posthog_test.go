package posthog_test

import (
	"encoding/json"
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
	"hopper/adapters/posthog"
	"hopper/pipeline"
)

var update = flag.Bool("update", false, "write golden files anew")

const fixtures = "../../fixtures/posthog/"

func translate(t testing.TB, stdin string, opt adapters.Options, args ...string) ([]pipeline.Event, pipeline.Stats, error) {
	t.Helper()
	return adaptertest.Translate(t, posthog.Adapter{}, stdin, opt, args...)
}

// TestGolden holds what the fixtures become, in words.
func TestGolden(t *testing.T) {
	events, stats, err := translate(t, "", adapters.Options{}, fixtures+"batch")
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%d rows, omitted %d, repaired %d\n", stats.Rows, stats.Omitted.Total(), stats.Repaired.Total())
	for i := range events {
		ev := &events[i]
		fmt.Fprintf(&b, "%s %s %q %s%s?%s %q from %q to %q %q %s %s/%s %s/%s %dx%d %s %s %s %s %v %s visit %.40s user %.8s %q %+v\n", ev.Time.Time().Format(time.RFC3339Nano), ev.Kind, ev.Name,
			ev.Hostname, ev.Path, ev.Query, ev.Title, ev.Referrer, ev.Target, ev.TargetText, ev.Browser, ev.BrowserVersion, ev.OS, ev.OSVersion, ev.Device, ev.ScreenWidth, ev.ScreenHeight,
			ev.Language, ev.Country, ev.Region, ev.City, ev.Vitals, ev.Message, ev.Session, ev.Visitor, ev.Identified, ev.Properties)
	}
	adaptertest.Golden(t, "testdata/events.golden", b.String(), *update)
}

// counted are users, sessions, page views, custom events and others.
type counted struct{ users, sessions, views, custom, others int }

func count(events []pipeline.Event) (c counted) {
	users, sessions := map[string]bool{}, map[string]bool{}
	for i := range events {
		users[events[i].Visitor], sessions[events[i].Session] = true, true
		switch events[i].Kind {
		case pipeline.Pageview:
			c.views++
		case pipeline.Custom:
			c.custom++
		default:
			c.others++
		}
	}
	c.users, c.sessions = len(users), len(sessions)
	return c
}

// TestSameOfEveryShape checks that the same events come out of whatever they were
// exported to, each once. Where an export has no persons, who is who follows from
// $identify.
func TestSameOfEveryShape(t *testing.T) {
	const parquet = "2024-06-03T00_00_00+00_00-2024-06-12T00_00_00+00_00-0.parquet.zst"
	var first map[string]string
	for _, name := range []string{"batch", "sql-editor.csv", "query.json", "events-api.json", parquet, "clickhouse.tsv", "postgres.sql", "bigquery-000000000000.json.gz", "snowflake_0_0_0.csv.gz"} {
		events, _, err := translate(t, "", adapters.Options{}, fixtures+name)
		if err != nil {
			t.Fatal(err)
		}
		users, got := map[string]string{}, map[string]string{}
		for i := range events {
			ev := events[i]
			key := fmt.Sprint(ev.Time, ev.Kind, ev.Name, ev.Session)
			if users[ev.Visitor] == "" || key < users[ev.Visitor] {
				users[ev.Visitor] = key
			}
		}
		for i := range events {
			ev := events[i]
			key := fmt.Sprint(ev.Time, ev.Kind, ev.Name, ev.Session)
			ev.Visitor = users[ev.Visitor] // by whatever name
			ev.Origin, ev.Raw = pipeline.Origin{}, ""
			if strings.Contains(ev.Session, "@") {
				ev.Session = "derived"
				key = fmt.Sprint(ev.Time, ev.Kind, ev.Name)
			}
			ev.Visitor = strings.Split(ev.Visitor, " ")[0]
			text, err := json.Marshal(ev)
			if err != nil {
				t.Fatal(err)
			}
			got[key] = string(text)
		}
		if first == nil {
			first = got
		}
		if d := cmp.Diff(first, got); d != "" || len(got) == 0 {
			t.Errorf("%s: %s", name, d)
		}
	}
}

// TestNothingPersonal looks for what the fixtures hold of persons.
func TestNothingPersonal(t *testing.T) {
	for _, name := range []string{"batch", "events-api.json", "postgres.sql"} {
		events, stats, err := translate(t, "", adapters.Options{}, fixtures+name)
		if err != nil {
			t.Fatal(err)
		}
		for i := range events {
			events[i].Raw, events[i].Visitor, events[i].Session = "", "", ""
			if text := fmt.Sprintf("%+v", events[i]); strings.Contains(text, "203.0.113.9") || strings.Contains(text, "ann@") || strings.Contains(text, "Ann") || strings.Contains(text, "phc_") {
				t.Errorf("%s: %s", name, text)
			}
		}
		if stats.Repaired.Total() == 0 {
			t.Errorf("%s: no address was left out as a user's name", name)
		}
	}
}

const samples = "../../../shared/samples/sources/posthog/"

// TestSamples counts what the samples hold that others made.
func TestSamples(t *testing.T) {
	if _, err := os.Stat(samples); err != nil {
		t.Skipf("there are no samples: %v", err)
	}
	day1, day2, fill := samples+"2024-06-10T00-00-00_00-00-2024-06-11T00-00-00_00-00.jsonl", samples+"2024-06-11T00-00-00_00-00-2024-06-12T00-00-00_00-00.jsonl.gz", samples+"None-2024-06-11T00-00-00_00-00.jsonl"
	persons := samples + "persons-2024-06-10T00-00-00_00-00-2024-06-12T00-00-00_00-00.jsonl"
	want := counted{users: 6, sessions: 8, views: 10, custom: 5, others: 3}
	for _, args := range [][]string{{day1, day2, fill}, {fill, day2, day1, persons}} {
		events, stats, err := translate(t, "", adapters.Options{}, args...)
		if err != nil {
			t.Fatal(err)
		}
		if got := count(events); got != want || stats.Omitted.Total() != 11 {
			t.Errorf("%d files: %+v, left out %d", len(args), got, stats.Omitted.Total())
		}
	}
}

const header = "uuid,event,distinct_id,person_id,timestamp,properties\n"

var uuids int

// row is a row of the SQL editor's.
func row(clock, event, distinct, person string, properties string) string {
	uuids++
	return fmt.Sprintf("u%d,%s,%s,%s,2024-05-01 %s+00:00,\"%s\"\n", uuids, event, distinct, person, clock, strings.ReplaceAll(properties, `"`, `""`))
}

func page(session string, more string) string {
	p := `{"$current_url":"https://orbit.example/","$lib":"web"`
	if session != "" {
		p += `,"$session_id":"` + session + `"`
	}
	return p + more + "}"
}

// TestWhoIsWho says which events are one user's, and in which sessions.
func TestWhoIsWho(t *testing.T) {
	identify := func(clock, user, person, anonymous string) string {
		return row(clock, "$identify", user, person, `{"$anon_distinct_id":"`+anonymous+`"}`)
	}
	for name, c := range map[string]struct {
		rows string
		want counted
	}{
		"two who never met":        {row("10:00:00", "$pageview", "a", "p", page("s", "")) + row("10:01:00", "$pageview", "b", "q", page("t", "")), counted{2, 2, 2, 0, 0}},
		"one who is known later":   {row("10:00:00", "$pageview", "a", "p", page("s", "")) + identify("10:00:30", "u", "q", "a") + row("10:01:00", "$pageview", "u", "q", page("s", "")), counted{1, 1, 2, 0, 0}},
		"without persons":          {row("10:00:00", "$pageview", "a", "", page("s", "")) + identify("10:00:30", "u", "", "a") + row("10:01:00", "$pageview", "u", "", page("s", "")), counted{1, 1, 2, 0, 0}},
		"a user is not merged":     {identify("09:00:00", "a", "p", "x") + row("10:00:00", "$pageview", "a", "p", page("s", "")) + identify("10:00:30", "u", "q", "a") + row("10:01:00", "$pageview", "u", "q", page("t", "")), counted{2, 2, 2, 0, 0}},
		"an alias":                 {row("10:00:00", "$pageview", "a", "p", page("s", "")) + row("10:00:01", "$create_alias", "u", "q", `{"alias":"a"}`) + row("10:01:00", "$pageview", "u", "q", page("t", "")), counted{1, 2, 2, 0, 0}},
		"a mistake is nobody":      {row("10:00:00", "$pageview", "undefined", "p", page("s", "")) + identify("10:00:30", "u", "q", "undefined") + row("10:01:00", "$pageview", "u", "q", page("t", "")), counted{2, 2, 2, 0, 0}},
		"a person that changed":    {row("10:00:00", "$pageview", "a", "p", page("s", "")) + row("10:01:00", "$pageview", "a", "q", page("t", "")) + row("10:02:00", "$pageview", "b", "q", page("t", "")), counted{1, 2, 3, 0, 0}},
		"a device of one user":     {row("10:00:00", "$pageview", "d", "p", page("s", `,"$device_id":"d"`)) + row("10:01:00", "$pageview", "u", "q", page("t", `,"$device_id":"d","$is_identified":true`)), counted{1, 2, 2, 0, 0}},
		"a device of two users":    {row("10:00:00", "$pageview", "d", "p", page("s", `,"$device_id":"d"`)) + row("10:01:00", "$pageview", "u", "q", page("t", `,"$device_id":"d","$is_identified":true`)) + row("10:02:00", "$pageview", "v", "r", page("w", `,"$device_id":"d","$is_identified":true`)), counted{3, 3, 3, 0, 0}},
		"nobody who consented":     {row("10:00:00", "$pageview", "$posthog_cookieless", "p", page("s", "")) + row("10:01:00", "$pageview", "$posthog_cookieless", "p", page("t", "")), counted{1, 2, 2, 0, 0}},
		"a pause without sessions": {row("10:00:00", "$pageview", "a", "p", page("", "")) + row("10:29:59", "$pageview", "a", "p", page("", "")) + row("10:59:59", "$pageview", "a", "p", page("", "")), counted{1, 2, 3, 0, 0}},
		"a server in a visit":      {row("10:00:00", "$pageview", "a", "p", page("s", "")) + row("10:29:59", "paid", "a", "p", `{"$lib":"posthog-node"}`), counted{1, 1, 1, 1, 0}},
		"a server after it":        {row("10:00:00", "$pageview", "a", "p", page("s", "")) + row("10:30:00", "paid", "a", "p", `{"$lib":"posthog-node"}`), counted{1, 1, 1, 0, 0}},
		"ids with a NUL":           {row("10:00:00", "$pageview", "a\x00b", "p\x00", page("s\\u0000t", "")) + row("10:01:00", "$pageview", "a\x00c", "q", page("t", "")) + row("10:01:01", "paid", "a\x00b", "p\x00", `{"$lib":"posthog-node"}`), counted{2, 2, 2, 1, 0}},
		"a server of another":      {row("10:00:00", "$pageview", "a", "p", page("s", "")) + row("10:01:00", "paid", "b", "q", `{"$lib":"posthog-node"}`), counted{1, 1, 1, 0, 0}},
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

// TestNewestOfPersons checks that a table of persons decides by its highest version.
func TestNewestOfPersons(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"events.csv":    header + row("10:00:00", "$pageview", "a", "p", page("s", "")) + row("10:01:00", "$pageview", "b", "q", page("t", "")) + row("10:02:00", "$pageview", "c", "r", page("u", "")),
		"persons.jsonl": `{"team_id":1,"distinct_id":"a","person_id":"r","person_distinct_id_version":0,"is_deleted":false}` + "\n" + `{"team_id":1,"distinct_id":"a","person_id":"q","person_distinct_id_version":10,"is_deleted":false}` + "\n" + `{"team_id":1,"distinct_id":"a","person_id":"r","person_distinct_id_version":9,"is_deleted":false}` + "\n",
	} {
		if err := os.WriteFile(dir+"/"+name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	events, _, err := translate(t, "", adapters.Options{}, dir)
	if err != nil || len(events) != 3 || events[0].Visitor != "q" || events[1].Visitor != "q" || events[2].Visitor != "r" {
		t.Errorf("%+v, %v", events, err)
	}
}

// TestRows says what becomes of single rows.
func TestRows(t *testing.T) {
	for name, c := range map[string]struct {
		event, properties, want string
	}{
		"an old click":           {"$autocapture", page("s", `,"$event_type":"click"`), ""},
		"a click with its link":  {"$autocapture", page("s", `,"$event_type":"click","$external_click_url":"https://moon.example/x"`), `outbound "" / to "https://moon.example/x" [] from ""`},
		"a host and a path":      {"$pageview", `{"$host":"orbit.example","$pathname":"/a","$session_id":"s"}`, `pageview "" /a to "" [] from ""`},
		"a masked address":       {"$pageview", `{"$current_url":"<masked>","$session_id":"s"}`, ""},
		"a referrer of its own":  {"$pageview", page("s", `,"$referrer":"https://www.orbit.example/x"`), `pageview "" / to "" [] from ""`},
		"a referrer":             {"$pageview", page("s", `,"$referrer":"https://moon.example/x"`), `pageview "" / to "" [] from "https://moon.example/x"`},
		"properties of its own":  {"123", page("s", `,"n":12345678901234567890123,"x":"NaN","token":"t","utm_source":"a","o":{"a":[1]},"none":null,"lone":"\ud83d"`), `custom_event "123" / to "" [{n 12345678901234567890123 true} {x NaN false} {o {"a":[1]} true} {lone ` + "\ufffd" + ` false}] from ""`},
		"an old exception":       {"$exception", page("s", `,"$exception_type":"E","$exception_message":"m"`), `error "E" / to "" [] from ""`},
		"something new of its":   {"$something", page("s", ""), ""},
		"a feature flag's":       {"$feature_flag_called", page("s", ""), ""},
		"a screen of an app":     {"$screen", `{"$session_id":"s","$screen_name":"A"}`, ""},
		"an event without page":  {"opened", `{"$session_id":"s"}`, `custom_event "opened"  to "" [] from ""`},
		"properties of no shape": {"opened", `["a"]`, ""},
		"properties cut off":     {"opened", `{"$session_id":"s","a":`, ""},
	} {
		events, stats, err := translate(t, header+row("10:00:00", c.event, "a", "p", c.properties), adapters.Options{}, "-")
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if len(events) == 1 {
			ev := &events[0]
			got = fmt.Sprintf("%s %q %s to %q %v from %q", ev.Kind, ev.Name, ev.Path, ev.Target, ev.Properties, ev.Referrer)
		}
		if got != c.want || len(events) == 0 && stats.Omitted.Total()+stats.Rejected.Total() != 1 {
			t.Errorf("%s: %s, want %s; %+v %+v", name, got, c.want, stats.Omitted, stats.Rejected)
		}
	}
}

// TestFlattened reads the activity page's CSV, and clicks as elements say them.
func TestFlattened(t *testing.T) {
	const flat = "event,person.distinct_id,properties.$current_url,properties.$session_id,properties.plan,timestamp,elements_chain,properties.$event_type\n" +
		"$pageview,a,https://orbit.example/x,s,,2024-05-01T10:00:00.000Z,,\n" +
		"chosen,a,https://orbit.example/x,s,pro,2024-05-01T10:00:01.000Z,,\n" +
		"$autocapture,a,https://orbit.example/x,s,,2024-05-01T10:00:02.000Z,\"span:text=\"\"Go\"\";a.link:href=\"\"https://moon.example/\"\"nth-child=\"\"1\"\"\",click\n" +
		"$autocapture,a,https://orbit.example/x,s,,2024-05-01T10:00:03.000Z,\"a:href=\"\"https://orbit.example/y\"\"\",click\n"
	events, _, err := translate(t, flat, adapters.Options{}, "-")
	if err != nil || len(events) != 3 {
		t.Fatalf("%+v, %v", events, err)
	}
	if events[0].Path != "/x" || events[0].Visitor != "a" || events[1].Properties[0] != (pipeline.Property{Key: "plan", Value: "pro"}) || events[2].Target != "https://moon.example/" {
		t.Errorf("%+v", events)
	}
}

func TestRefused(t *testing.T) {
	for name, want := range map[string]string{
		"two-hosts.csv":    "orbit.example (2 events); moon.example (1 events). Choose one with --website",
		"two-projects.csv": "project 1 (1 events); project 2 (1 events); orbit.example (2 events). Choose one with --website",
		"persons.jsonl":    "holds no events of PostHog",
	} {
		if _, _, err := translate(t, "", adapters.Options{}, fixtures+"broken/"+name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for website, c := range map[string]struct {
		file  string
		views int
	}{"www.orbit.example": {"two-hosts.csv", 2}, "1": {"two-hosts.csv", 3}, "2": {"two-projects.csv", 1}} {
		opt := adapters.Options{Chosen: map[string]string{"website": website}}
		events, _, err := translate(t, "", opt, fixtures+"broken/"+c.file)
		if err != nil || len(events) != c.views {
			t.Errorf("%s of %s: %d events, %v", website, c.file, len(events), err)
		}
	}
	for website, file := range map[string]string{"sun.example": "two-hosts.csv", "orbit.example": "two-projects.csv"} {
		opt := adapters.Options{Chosen: map[string]string{"website": website}}
		if _, _, err := translate(t, "", opt, fixtures+"broken/"+file); err == nil {
			t.Errorf("%s of %s is read", website, file)
		}
	}
}

func FuzzPostHog(f *testing.F) {
	text, err := os.ReadFile(fixtures + "sql-editor.csv")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(strings.Join(strings.SplitAfterN(string(text), "\n", 5)[:4], ""))
	f.Add(header + row("10:00:00", "$identify", "u", "q", `{"$anon_distinct_id":"\"a\""}`) + row("10:00:00", "$autocapture", "u", "q", `{"$event_type":"click","$exception_list":[1]}`))
	f.Add(`{"event":"$pageview","distinct_id":1,"timestamp":1717408800,"properties":{"$current_url":["x"],"$session_id":{}},"person":{"distinct_ids":[1,"a"]}}` + "\n")
	f.Fuzz(func(t *testing.T, text string) {
		_, _, err := translate(t, text, adapters.Options{}, "-")
		var positioned *input.Error
		if err != nil && !errors.As(err, &positioned) && text != "" {
			t.Fatalf("%v says not where", err)
		}
	})
}
