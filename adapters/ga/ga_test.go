package ga

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hopper/adapters"
	"hopper/adapters/input"
	"hopper/pipeline"
)

// write makes a file of content.
func write(t testing.TB, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestSystem(t *testing.T) {
	for _, c := range []struct {
		device        device
		name, version string
	}{
		{device{category: "desktop", os: "Web", osVersion: "Intel 10.15", browser: "Chrome"}, "Macintosh", "10.15"},
		{device{category: "desktop", os: "Macintosh", osVersion: "Macintosh Intel 10.15"}, "Macintosh", "10.15"},
		{device{category: "desktop", os: "Macintosh", osVersion: "Intel 10.14"}, "Macintosh", "10.14"},
		{device{category: "desktop", os: "Web", osVersion: "10", browser: "Chrome", brand: "Google"}, "Windows", "10"},
		{device{category: "mobile", os: "Web", osVersion: "10", browser: "Chrome", brand: "Samsung"}, "Android", "10"},
		{device{category: "mobile", os: "Web", osVersion: "<Other>", browser: "Safari", brand: "Apple"}, "iOS", ""},
		{device{category: "mobile", os: "Web", osVersion: "<Other>", browser: "Android Webview"}, "Android", ""},
		{device{category: "desktop", os: "Web", osVersion: "<Other>", browser: "Chrome", brand: "Google"}, "", ""},
		{device{category: "mobile", os: "Web", osVersion: "<Other>"}, "", ""},
		{device{os: "<Other>", osVersion: "<Other>"}, "", ""},
		{device{os: "Web", osVersion: "Windows 7"}, "Windows", "7"},
		{device{os: "Windows", osVersion: "Windows 10"}, "Windows", "10"},
		{device{os: "Windows", osVersion: "XP"}, "Windows", "XP"},
		{device{os: "iOS", osVersion: "iOS 14.3"}, "iOS", "14.3"},
		{device{os: "Android", osVersion: "Android 10"}, "Android", "10"},
		{device{os: "Chrome OS", osVersion: "Chrome OS 86.0"}, "Chrome OS", "86.0"},
		{device{os: "Linux", osVersion: "(not set)"}, "Linux", ""},
		{device{os: "ANDROID", osVersion: "14"}, "ANDROID", "14"},
	} {
		if name, version := c.device.system(); name != c.name || version != c.version {
			t.Errorf("%+v: %q %q; want %q %q", c.device, name, version, c.name, c.version)
		}
	}
}

func TestSplitURL(t *testing.T) {
	for u, want := range map[string][3]string{
		"https://a.example/b/c?d=e&f#g":   {"a.example", "/b/c", "d=e&f"},
		"https://a.example":               {"a.example", "/", ""},
		"https://a.example?x=1":           {"a.example", "/", "x=1"},
		"http://user@a.example:8080/":     {"a.example", "/", ""},
		"https://[::1]/x":                 {"[::1]", "/x", ""},
		"a.example/b":                     {"a.example", "/b", ""},
		"//a.example/b":                   {"a.example", "/b", ""},
		"/b?x=https://c.example/d":        {"", "/b", "x=https://c.example/d"},
		"/b.html":                         {"", "/b.html", ""},
		"https://a.example/go/http://b/c": {"a.example", "/go/http://b/c", ""},
		"":                                {"", "", ""},
		"https://a.example/b?":            {"a.example", "/b", ""},
	} {
		host, path, query := splitURL(u)
		if got := [3]string{host, path, query}; got != want {
			t.Errorf("splitURL(%q) = %q; want %q", u, got, want)
		}
	}
}

func TestSplitPath(t *testing.T) {
	for p, want := range map[string][3]string{
		"//a/b?c#d": {"", "//a/b", "c"}, "/a//b": {"", "/a//b", ""}, "https://a.example/b": {"a.example", "/b", ""}, "a.example/b": {"a.example", "/b", ""},
	} {
		host, path, query := splitPath(p)
		if got := [3]string{host, path, query}; got != want {
			t.Errorf("splitPath(%q) = %q; want %q", p, got, want)
		}
	}
}

func TestTraffic(t *testing.T) {
	for _, c := range []struct {
		name                   string
		from                   traffic
		query, referrer        string
		wantQuery, wantReferer string
	}{
		{"a campaign", traffic{source: "news letter", medium: "email", campaign: "a&b"}, "p=1", "", "p=1&utm_source=news+letter&utm_medium=email&utm_campaign=a%26b", ""},
		{"the page's own win", traffic{source: "x", medium: "y"}, "UTM_Source=z&utm_medium", "", "UTM_Source=z&utm_medium", ""},
		{"direct", traffic{source: "(direct)", medium: "(none)", campaign: "(direct)"}, "", "", "", ""},
		{"organic", traffic{source: "google", medium: "organic", campaign: "(organic)", term: "(not provided)"}, "", "https://www.google.com/", "utm_source=google&utm_medium=organic", "https://www.google.com/"},
		{"a referral without its referrer", traffic{source: "blog.example.org", medium: "referral"}, "", "", "utm_source=blog.example.org&utm_medium=referral", "https://blog.example.org"},
		{"the site itself", traffic{source: "www.shop.example", medium: "referral", campaign: "(referral)"}, "", "", "", ""},
		{"click ids", traffic{gclid: "G", dclid: "D", srsltid: "S"}, "gclid=own", "", "gclid=own&dclid=D&srsltid=S", ""},
		{"obfuscated", traffic{source: "<Other>", medium: "referral", campaign: "(data deleted)"}, "", "", "utm_medium=referral", ""},
	} {
		ev := pipeline.Event{Query: c.query, Referrer: c.referrer}
		c.from.into(&ev, "shop.example")
		if ev.Query != c.wantQuery || ev.Referrer != c.wantReferer {
			t.Errorf("%s: %q, %q; want %q, %q", c.name, ev.Query, ev.Referrer, c.wantQuery, c.wantReferer)
		}
	}
}

func TestMomentIn(t *testing.T) {
	zone := time.FixedZone("", 3600)
	want := pipeline.MicrosOf(time.Date(2024, 3, 5, 8, 0, 0, 123456000, time.UTC))
	for s, cut := range map[string]pipeline.Micros{
		"1709625600123456": 1, "1709625600123": 1000, "1709625600": 1e6, "1709625600123456.0": 1, "2024-03-05 08:00:00.123456 UTC": 1,
		"2024-03-05T08:00:00.123456Z": 1, "2024-03-05 09:00:00.123456": 1, "2024-03-05 09:00:00.123456+01:00": 1, "2024-03-05T09:00:00": 1e6,
	} {
		if got, reject := momentIn(s, &adapters.Times{Zone: zone, Serials: true}); reject != "" || got != want/cut*cut {
			t.Errorf("momentIn(%q) = %v, %q", s, got.Time(), reject)
		}
	}
	for _, s := range []string{"", "0", "-5", "1.70963E+15", "x", "99999999999999999999", "2024-03-05"} {
		if got, reject := momentIn(s, &adapters.Times{Zone: zone, Serials: true}); reject == "" {
			t.Errorf("momentIn(%q) = %v", s, got.Time())
		}
	}
}

func TestProperty(t *testing.T) {
	for text, want := range map[string]pipeline.Property{
		"17": {Value: "17", Literal: true}, "-17": {Value: "-17", Literal: true}, "0": {Value: "0", Literal: true}, "-0": {Value: "0", Literal: true},
		"007": {Value: "7", Literal: true}, "+5": {Value: "5", Literal: true}, "1e3": {Value: "1000", Literal: true}, "1.50": {Value: "1.5", Literal: true},
		"9223372036854775807": {Value: "9223372036854775807", Literal: true}, "99999999999999999999": {Value: "100000000000000000000", Literal: true},
		"-": {Value: "-"}, "": {}, " 5": {Value: " 5"}, "NaN": {Value: "NaN"},
	} {
		want.Key = "k"
		if got := property("k", text, true); got != want {
			t.Errorf("property(%q) = %+v; want %+v", text, got, want)
		}
	}
}

// TestColumns checks that the columns of flattened tables are found by
// whatever name queries give them.
func TestColumns(t *testing.T) {
	for _, content := range []string{
		"event_timestamp,event_name,user_pseudo_id,ga_session_id,page_location,country,browser,source,rating\n1709625600123456,sign_up,u1,17,https://a.example/x,France,Chrome,mail,5\n",
		"Timestamp;Event;Client ID;Session ID;Page URL;geo.country;device.web_info.browser;utm_source;ep_rating\n\"2024-03-05 08:00:00.123456 UTC\";sign_up;u1;17;https://a.example/x;France;Chrome;mail;5\n",
		"event_timestamp\tevent_name\tuser_pseudo_id\tga_session_id\tpage_location\tgeo_country\tdevice_browser\tcollected_traffic_source_manual_source\tevent_params_rating\ttraffic_source_source\tmetro\n1709625600123456\tsign_up\tu1\t17.0\thttps://a.example/x\tFrance\tChrome\tmail\t5\tfirst\tParis\n",
		`{"event_timestamp":1709625600123456,"event_name":"sign_up","user_pseudo_id":"u1","ga_session_id":17,"page_location":"https://a.example/x","country":"France","browser":"Chrome","source":"mail","rating":5}` + "\n",
		`{"event_timestamp":"1709625600123456","event_name":"sign_up","user_pseudo_id":"u1","event_params":{"ga_session_id":17,"page_location":"https://a.example/x","rating":5},"geo":{"country":"France"},"device":{"browser":"Chrome"},"collected_traffic_source":{"manual_source":"mail"}}` + "\n",
		`{"event_timestamp":"1709625600123456","event_name":"sign_up","user_pseudo_id":"u1","event_params":{"list":[{"element":{"key":"ga_session_id","value":{"int_value":17}}},{"element":{"key":"page_location","value":{"string_value":"https://a.example/x"}}},{"element":{"key":"rating","value":{"int_value":"5"}}}]},"geo":{"country":"France"},"device":{"web_info":{"browser":"Chrome"}},"collected_traffic_source":{"manual_source":"mail"}}` + "\n",
	} {
		name := "x.csv"
		if content[0] == '{' {
			name = "x.json"
		}
		events, stats, _ := read(t, adapters.Options{}, write(t, name, content))
		if len(events) != 1 || stats.Rows != 1 {
			t.Errorf("%q: %d events of %d rows", content, len(events), stats.Rows)
			continue
		}
		got := events[0]
		got.Raw, got.ValidUTF8, got.Origin = "", false, pipeline.Origin{}
		want := pipeline.Event{
			Time: 1709625600123456, Kind: pipeline.Custom, Name: "sign_up", Visitor: "u1", Session: "u1.17",
			Hostname: "a.example", Path: "/x", Query: "utm_source=mail", Browser: "Chrome", Country: "France",
			Properties: []pipeline.Property{{Key: "rating", Value: "5", Literal: true}},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", content, diff)
		}
	}
}

// TestBadRows checks that each row that cannot be read is rejected with a
// reason, and the others are kept.
func TestBadRows(t *testing.T) {
	lines := []string{
		`{"event_timestamp":"1709625600123456","event_name":"a","user_pseudo_id":"u","event_params":[]}`,
		`{"event_timestamp":"soon","event_name":"a","user_pseudo_id":"u","event_params":[]}`,
		`{"event_name":"a","user_pseudo_id":"u","event_params":[]}`,
		`{"event_timestamp":"1709625600123456","user_pseudo_id":"u","event_params":[]}`,
		`{"event_timestamp":"17096`,
		`{"event_timestamp":"1709625600123456","event_name":"b","event_params":[{"key":"page_title","value":"string_value"},{"key":null},{"value":{}}],"device":null,"items":"x"}`,
	}
	events, stats, rejects, _ := readAll(t, adapters.Options{}, write(t, "x.json", strings.Join(lines, "\n")))
	var got []string
	for _, r := range rejects {
		got = append(got, r.Reason)
		if r.Raw != lines[r.Row-1] {
			t.Errorf("row %d: raw %q", r.Row, r.Raw)
		}
	}
	expect(t, "reasons", got, []string{rejectTime, pipeline.RejectNoTime, rejectNoName, "not valid JSON: a string that does not end at byte 26"})
	if len(events) != 2 || stats.Rows != 6 {
		t.Errorf("%d events of %d rows", len(events), stats.Rows)
	}
}

// TestSuperseded checks that a day's provisional table is left out where its
// final one is an input too, and tables without events always.
func TestSuperseded(t *testing.T) {
	day, err := os.ReadFile(fixture("events_20240305.ndjson"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, content := range map[string]string{
		"events_20240305-000000000000.json": string(day), "events_intraday_20240305.json": string(day) + "\n", "events_intraday_20240306.json": string(day) + "\n\n",
		"pseudonymous_users_20240305.json": `{"pseudo_user_id":"1","user_info":{"last_active_timestamp_micros":"1"}}`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	_, stats, reading := read(t, adapters.Options{}, dir)
	notes := strings.Join(reading.Notes, "\n")
	if stats.Rows != 42 || !strings.Contains(notes, "events_intraday_20240305.json holds the events of a day whose final table") ||
		!strings.Contains(notes, "pseudonymous_users_20240305.json is a table of users") || !strings.Contains(notes, "streams 3141592653 18, 2718281828 3") || len(reading.Notes) != 3 {
		t.Errorf("%d rows, notes:\n%s", stats.Rows, notes)
	}
}

// TestSkipped checks that a run that goes on in the middle counts what the
// whole has in common as a run from the beginning does.
func TestSkipped(t *testing.T) {
	day := fixture("events_20240305.ndjson")
	_, want, _ := read(t, adapters.Options{}, day, fixture("events_20240305.avro"))
	for skip := range 3 {
		ctx := context.Background()
		inputs, err := input.Open(ctx, []string{day, fixture("events_20240305.avro")}, nil, "")
		if err != nil {
			t.Fatal(err)
		}
		defer inputs.Close()
		reading, err := Adapter{}.Match(ctx, inputs.Files).Open(ctx, adapters.Options{})
		if err != nil {
			t.Fatal(err)
		}
		for range skip {
			if _, err := reading.Source.Next(ctx); err != nil {
				t.Fatal(err)
			}
		}
		_, stats, _, err := pipeline.Collect(ctx, reading.Source)
		if err != nil {
			t.Fatal(err)
		}
		for _, kind := range []string{repairDuplicate, repairLoneSession} {
			if stats.Repaired[kind].Count != want.Repaired[kind].Count {
				t.Errorf("%d chunks skipped: %q counted %d times; want %d", skip, kind, stats.Repaired[kind].Count, want.Repaired[kind].Count)
			}
		}
		if _, err := reading.Source.Next(ctx); !errors.Is(err, io.EOF) {
			t.Errorf("after the end: %v", err)
		}
		if err := reading.Source.Close(); err != nil {
			t.Error(err)
		}
	}
}

// lines collects what tells events apart, as text.
var lines = pipeline.Encode(func(dst []byte, ev *pipeline.Event) []byte {
	return fmt.Appendf(dst, "%d %s %s %s %s %v %d\n", ev.Time, ev.Kind, ev.Name, ev.Session, ev.Path, ev.Properties, ev.Origin.Row)
})

// TestWorkers checks that the result does not depend on how many workers
// there are, and that counts over all chunks do not either.
func TestWorkers(t *testing.T) {
	day, err := os.ReadFile(fixture("events_20240305.ndjson"))
	if err != nil {
		t.Fatal(err)
	}
	path := write(t, "x.json", strings.Repeat(string(day), 100))
	for _, opt := range []adapters.Options{{}, {Chosen: map[string]string{"dedupe": "true"}}} {
		var want string
		for _, jobs := range []int{1, 4} {
			ctx := context.Background()
			inputs, err := input.Open(ctx, []string{path}, nil, "")
			if err != nil {
				t.Fatal(err)
			}
			defer inputs.Close()
			reading, err := Adapter{}.Match(ctx, inputs.Files).Open(ctx, opt)
			if err != nil {
				t.Fatal(err)
			}
			defer reading.Source.Close()
			var b strings.Builder
			run := pipeline.Translation{Jobs: jobs}
			stats, err := pipeline.Translate(ctx, &run, reading.Source, pipeline.Mark{}, lines, func(_ context.Context, chunk *pipeline.Collected[*pipeline.Records]) error {
				b.Write(chunk.Value.Body)
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprint(&b, stats.Rows, stats.Events, stats.Omitted, stats.Repaired)
			kept := map[bool]int64{false: 1500, true: 14}[opt.Is(Dedupe)]
			if stats.Events != kept || stats.Repaired[repairLoneSession].Count != 1 || !opt.Is(Dedupe) && stats.Repaired[repairDuplicate].Count != 1500-14 {
				t.Errorf("%+v, %d jobs: %d events, repaired %v", opt, jobs, stats.Events, stats.Repaired)
			}
			if want == "" {
				want = b.String()
			} else if want != b.String() {
				t.Errorf("%+v: 4 workers give another result than 1", opt)
			}
		}
	}
}

// TestCanceled checks that reading ends when its context does.
func TestCanceled(t *testing.T) {
	for _, name := range []string{"events_20240305.ndjson", "events_20240305.avro", "events_20240305.bare.parquet", "flat.csv", "params.csv", "report-pages.csv"} {
		ctx, cancel := context.WithCancel(context.Background())
		inputs, err := input.Open(ctx, []string{fixture(name)}, nil, "")
		if err != nil {
			t.Fatal(err)
		}
		defer inputs.Close()
		reading, err := Adapter{}.Match(ctx, inputs.Files).Open(ctx, adapters.Options{})
		if err != nil {
			t.Fatal(err)
		}
		cancel()
		if _, err := reading.Source.Next(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
		reading.Source.Close()
	}
}

// TestSkippedMany checks that chunks which are never decoded are counted as
// they pass, so that they need not be held until the end.
func TestSkippedMany(t *testing.T) {
	tally := newTally(t.TempDir())
	defer tally.close()
	n := 3 * maxOpen()
	for i := range n {
		_, err := tally.chunk(func(_ sink, seen *seen) error {
			seen.session(fmt.Sprint("session ", i), i%2 == 0)
			seen.duplicate(&row{at: pipeline.Origin{Row: int64(i) + 1}}, fmt.Sprint("visitor ", i/3))
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if len(tally.open) > maxOpen() {
			t.Fatalf("%d chunks are held", len(tally.open))
		}
	}
	c, err := tally.summarize(context.Background(), []sourceInput{{name: "x"}})
	if err != nil {
		t.Fatal(err)
	}
	if s := c.(summary); s.lone != n/2 || int(s.duplicates.Len()) != n-(n+2)/3 {
		t.Errorf("%d lone sessions, %d duplicates; want %d and %d", s.lone, s.duplicates.Len(), n/2, n-(n+2)/3)
	}
}

// TestDamaged checks that a file that is cut off is claimed, and the cause told.
func TestDamaged(t *testing.T) {
	for _, name := range []string{"events_20240305.bigquery.parquet", "ga_sessions_20190412.parquet", "events_20240305.avro"} {
		content, err := os.ReadFile(fixture(name))
		if err != nil {
			t.Fatal(err)
		}
		ctx := context.Background()
		inputs, err := input.Open(ctx, []string{write(t, name, string(content[:1000]))}, nil, "")
		if err != nil {
			t.Fatal(err)
		}
		defer inputs.Close()
		if fit := (Adapter{}).Match(t.Context(), inputs.Files).Fit; fit != adapters.Fits {
			t.Errorf("%s: not detected", name)
		}
		_, err = Adapter{}.Match(ctx, inputs.Files).Open(ctx, adapters.Options{})
		if err == nil || !strings.Contains(err.Error(), "cut off") || !strings.Contains(err.Error(), "download it again") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestConsent checks that stand-ins for withheld ids are the same in every
// run and differ where there is a difference to see.
func TestConsent(t *testing.T) {
	row := func(fields string) string {
		return `{"event_date":"20240305","event_name":"page_view","stream_id":"1","event_params":[{"key":"page_location","value":{"string_value":"https://a.example/"}}],` + fields + "}\n"
	}
	content := row(`"event_timestamp":"1709625600000000","device":{"category":"desktop"},"geo":{"country":"France"}`) +
		row(`"event_timestamp":"1709625660000000","device":{"category":"desktop"},"geo":{"country":"France"}`) +
		row(`"event_timestamp":"1709632860000000","device":{"category":"desktop"},"geo":{"country":"France"}`) +
		row(`"event_timestamp":"1709625600000000","device":{"category":"mobile"},"geo":{"country":"France"}`) +
		row(`"event_timestamp":"1709625600000000","device":{"category":"mobile"},"geo":{"country":"France"},"user_id":"ann"`) +
		row(`"event_timestamp":"1709625600000001","device":{"category":"mobile"},"geo":{"country":"Spain"},"user_id":"ann"`)
	events, stats, _ := read(t, adapters.Options{}, write(t, "x.json", content))
	c := countEvents(events)
	if c.Visitors != 3 || c.Sessions != 4 {
		t.Errorf("%d visitors, %d sessions; want 3 and 4", c.Visitors, c.Sessions)
	}
	expect(t, "repaired", stats.Repaired.Counts(), map[string]int64{repairVisitor: 4, repairUserVisitor: 2, repairSession: 6})
}

func TestDetect(t *testing.T) {
	for content, want := range map[string]bool{
		"date,visitors,pageviews,bounces,visits,visit_duration\n2024-01-01,1,2,3,4,5\n": false, // Plausible's imported_visitors
		"website_id,session_id,event_id,created_at,event_name\n1,2,3,4,5\n":             false, // Umami's
		"date,browser,visitors,visits,visit_duration,bounces,pageviews\n":               false,
		"event_timestamp,event_name,user_pseudo_id\n":                                   true,
		"date,sessions,activeUsers\n20240101,1,1\n":                                     true,
		`{"Time":1,"Kind":"pageview","Name":""}`:                                        false,
		`{"event":"$pageview","timestamp":"2024-01-01T00:00:00Z","distinct_id":"1"}`:    false, // PostHog's
		"event,timestamp,user_id,url\nx,1,2,3\n":                                        false, // anybody's
		"just text\n":                                                                   false,
		`{"fullVisitorId":"1","visitId":"2","hits":[]}`:                                 true,
	} {
		ctx := context.Background()
		inputs, err := input.Open(ctx, []string{write(t, "x.txt", content)}, nil, "")
		if err != nil {
			t.Fatal(err)
		}
		if got := (Adapter{}).Match(t.Context(), inputs.Files).Fit == adapters.Fits; got != want {
			t.Errorf("Detect(%q) = %t", content, got)
		}
		inputs.Close()
	}
}

func validJSON(s string) bool { return json.Valid([]byte(s)) }

func FuzzRow(f *testing.F) {
	day, err := os.ReadFile(fixture("events_20240305.ndjson"))
	if err != nil {
		f.Fatal(err)
	}
	for line := range strings.Lines(string(day)) {
		f.Add(line)
	}
	sessions, err := os.ReadFile(fixture("ga_sessions_20190412.ndjson"))
	if err != nil {
		f.Fatal(err)
	}
	for line := range strings.Lines(string(sessions)) {
		f.Add(line)
	}
	f.Add("event_timestamp,event_name,user_pseudo_id\n1,2,3\n")
	f.Add(`{"event_timestamp":1,"event_name":"a","event_params":[{"key":"a","value":{"double_value":1e999}}],"items":[{"item_params":[{"key":"x","value":{"int_value":"0x1"}}],"price":"NaN"}]}`)
	f.Fuzz(func(t *testing.T, content string) {
		ctx := context.Background()
		inputs, err := input.Open(ctx, []string{"-"}, strings.NewReader(content), t.TempDir())
		if err != nil {
			t.Skip(err)
		}
		defer inputs.Close()
		for _, dedupe := range []bool{false, true} {
			reading, err := Adapter{}.Match(ctx, inputs.Files).Open(ctx, adapters.Options{Chosen: map[string]string{"dedupe": strconv.FormatBool(dedupe)}})
			if err != nil {
				return
			}
			events, stats, _, err := pipeline.Collect(ctx, reading.Source)
			reading.Source.Close()
			if err != nil {
				return
			}
			for _, ev := range events {
				for _, p := range ev.Properties {
					if p.Literal && !validJSON(p.Value) {
						t.Fatalf("property %+v is no JSON", p)
					}
				}
			}
			if strings.HasPrefix(content, "{") && !strings.Contains(content, "hits") && stats.Rows != stats.Events+stats.Omitted.Total()+stats.Rejected.Total() {
				t.Fatalf("%d rows, but %d events, %d omitted, %d rejected", stats.Rows, stats.Events, stats.Omitted.Total(), stats.Rejected.Total())
			}
			if !dedupe {
				if err := inputs.Files[0].Spool(ctx); err != nil {
					return // a stream that was read
				}
			}
		}
	})
}

// TestWarehouses reads the forms that warehouses and their tools give events.
func TestWarehouses(t *testing.T) {
	const params = `[{"key":"ga_session_id","value":{"int_value":7}},{"key":"page_location","value":{"string_value":"https://a.example/x"}},{"key":"engagement_time_msec","value":{"int_value":100}}]`
	python := strings.NewReplacer(`"`, `'`, `{'int_value':7}`, `{'string_value': None, 'int_value': 7}`).Replace(params)
	quoted, _ := json.Marshal(params)
	device := `{\"category\":\"desktop\",\"web_info\":{\"browser\":\"Chrome\"}}`
	for name, content := range map[string]string{
		"text.json":  `{"event_timestamp":"1709625600000000","event_name":"page_view","user_pseudo_id":"u","event_params":` + string(quoted) + `,"device":"` + device + `","geo":"{\"country\":\"Germany\"}"}`,
		"upper.json": `{"EVENT_TIMESTAMP":1709625600000000,"EVENT_NAME":"page_view","USER_PSEUDO_ID":"u","VARIANT__EVENT_PARAMS":` + params + `,"DEVICE":{"CATEGORY":"desktop","WEB_INFO":{"BROWSER":"Chrome"}},"GEO":{"COUNTRY":"Germany"}}`,
		"pandas.csv": "event_timestamp,event_name,user_pseudo_id,event_params,device,geo\n1709625600000000,page_view,u,\"" + python + "\",\"{'category': 'desktop', 'web_info': {'browser': 'Chrome'}}\",{'country': 'Germany'}\n",
		"fivetran.csv": "_fivetran_id,name,timestamp,user_pseudo_id,param_ga_session_id,param_page_location,device_category,device_web_info_browser,geo_country\n" +
			"f,page_view,2024-03-05 08:00:00,u,7,https://a.example/x,desktop,Chrome,Germany\n",
		"own.csv": "event_timestamp,event_name,user_pseudo_id,ep,device_category,browser,country\n1709625600,page_view,u,\"" + strings.ReplaceAll(params, `"`, `""`) + "\",desktop,Chrome,Germany\n",
	} {
		events, _, _ := read(t, adapters.Options{}, write(t, name, content))
		if len(events) != 1 {
			t.Errorf("%s: %d events", name, len(events))
			continue
		}
		ev := events[0]
		got := []string{ev.Time.Time().Format(time.DateTime), ev.Session, ev.Hostname, ev.Path, ev.Device, ev.Browser, ev.Country}
		if diff := cmp.Diff([]string{"2024-03-05 08:00:00", "u.7", "a.example", "/x", "desktop", "Chrome", "Germany"}, got); diff != "" || len(ev.Properties) != 0 {
			t.Errorf("%s: %s\nproperties %v", name, diff, ev.Properties)
		}
	}
	_, _, rejects, _ := readAll(t, adapters.Options{}, write(t, "nowhere.csv", "event_timestamp,event_name,user_pseudo_id,ga_session_id\n1709625600000000,page_view,u,7\n1000,page_view,u,7\n"))
	if len(rejects) != 2 || rejects[0].Reason != rejectNoPage || rejects[1].Reason != rejectTime {
		t.Errorf("rejects %v", rejects)
	}
}
