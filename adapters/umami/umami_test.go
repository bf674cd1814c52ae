package umami_test

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"hopper/adapters"
	"hopper/adapters/adaptertest"
	"hopper/adapters/input"
	"hopper/adapters/input/rows"
	"hopper/adapters/umami"
	"hopper/pipeline"
)

var update = flag.Bool("update", false, "write golden files anew")

const fixtures = "../../fixtures/umami/"

type result struct {
	*adapters.Reading
	events  []pipeline.Event
	stats   pipeline.Stats
	rejects []pipeline.Reject
}

func translate(t testing.TB, stdin io.Reader, opt adapters.Options, args ...string) (result, error) {
	t.Helper()
	if opt.TempDir == "" {
		opt.TempDir = t.TempDir()
	}
	ins, err := input.Open(t.Context(), args, stdin, opt.TempDir)
	if err != nil {
		return result{}, err
	}
	defer ins.Close()
	reading, err := umami.Adapter{}.Match(t.Context(), ins.Files).Open(t.Context(), opt)
	if err != nil {
		return result{}, err
	}
	r := result{Reading: reading}
	r.events, r.stats, r.rejects, err = pipeline.Collect(t.Context(), reading.Source)
	if err := errors.Join(err, reading.Source.Close()); err != nil {
		return result{}, err
	}
	if n := r.stats.Events + r.stats.Rejected.Total() + r.stats.Omitted.Total(); n != r.stats.Rows {
		t.Errorf("%d rows became %d events, rejects and omissions", r.stats.Rows, n)
	}
	return r, nil
}

// source returns the events of a table as text.
func source(t testing.TB, text string) pipeline.Source {
	t.Helper()
	ins, err := input.Open(t.Context(), []string{"-"}, strings.NewReader(text), "")
	if err != nil {
		t.Fatal(err)
	}
	reading, err := umami.Adapter{}.Match(t.Context(), ins.Files).Open(t.Context(), adapters.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return reading.Source
}

func fixture(t testing.TB, names ...string) result {
	t.Helper()
	for i := range names {
		names[i] = fixtures + names[i]
	}
	r, err := translate(t, nil, adapters.Options{}, names...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// compact leaves out what is empty.
func compact(v reflect.Value) any {
	switch v.Kind() {
	case reflect.Struct:
		if m, ok := v.Interface().(pipeline.Measure); ok {
			return m.Value
		}
		out := map[string]any{}
		for i := range v.NumField() {
			if f := v.Field(i); !f.IsZero() && !(f.Kind() == reflect.Slice && f.Len() == 0) {
				out[v.Type().Field(i).Name] = compact(f)
			}
		}
		return out
	case reflect.Slice:
		out := []any{}
		for i := range v.Len() {
			out = append(out, compact(v.Index(i)))
		}
		return out
	}
	switch x := v.Interface().(type) {
	case pipeline.Micros:
		return x.Time().Format(time.RFC3339Nano)
	case pipeline.Kind:
		return x.String()
	default:
		return x
	}
}

func golden(r result) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.Encode(map[string]any{
		"shape": r.Shape, "schema": r.Schema, "notes": r.Notes, "rows": r.stats.Rows,
		"rejected": r.stats.Rejected.Counts(), "repaired": r.stats.Repaired.Counts(), "omitted": r.stats.Omitted.Counts(),
	})
	for _, x := range r.rejects {
		enc.Encode(compact(reflect.ValueOf(x)))
	}
	for i := range r.events {
		ev := r.events[i]
		ev.Raw, ev.ValidUTF8 = "", false
		enc.Encode(compact(reflect.ValueOf(ev)))
	}
	return bytes.ReplaceAll(b.Bytes(), []byte(fixtures), nil)
}

func TestGolden(t *testing.T) {
	for _, name := range []string{"cloud-2024.zip", "cloud-2026.zip", "clickhouse.csv", "clickhouse-2.10.csv", "postgres", "postgres-2.10", "v1", "broken/rows.csv"} {
		t.Run(name, func(t *testing.T) {
			got := golden(fixture(t, name))
			path := filepath.Join("testdata", strings.NewReplacer("/", "-", ".", "-").Replace(name)+".golden")
			adaptertest.Golden(t, path, string(got), *update)
		})
	}
}

// bare is events without what differs between forms of the same export.
func bare(events []pipeline.Event, properties bool) []pipeline.Event {
	out := slices.Clone(events)
	for i := range out {
		out[i].Origin, out[i].Raw, out[i].ValidUTF8 = pipeline.Origin{}, "", false
		if !properties {
			out[i].Properties = slices.DeleteFunc(slices.Clone(out[i].Properties), func(p pipeline.Property) bool { return p.Key != "tag" })
		}
		if len(out[i].Properties) == 0 {
			out[i].Properties = nil
		}
	}
	return out
}

func TestFormsAgree(t *testing.T) {
	want := fixture(t, "postgres").events
	for name, c := range map[string]struct {
		inputs     []string
		properties bool
	}{
		"semicolon":        {[]string{"postgres-semicolon"}, false},
		"tab":              {[]string{"postgres-tab"}, false},
		"pipe":             {[]string{"postgres-pipe"}, false},
		"packed":           {[]string{"postgres-packed"}, true},
		"dump":             {[]string{"pg_dump.sql"}, true},
		"in another order": {[]string{"postgres/session.csv", "postgres/website_event.csv", "postgres/event_data.csv"}, true},
		"mixed":            {[]string{"postgres-packed/event_data.csv", "postgres-tab/website_event.tsv", "postgres-pipe/session.txt"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			got := fixture(t, c.inputs...).events
			if diff := cmp.Diff(bare(want, c.properties), bare(got, c.properties)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// What encoding/csv reads of the Cloud's export is what arrives.
func TestAsEncodingCSV(t *testing.T) {
	for _, name := range []string{"cloud-2024.zip", "cloud-2026.zip"} {
		t.Run(name, func(t *testing.T) {
			got := fixture(t, name)
			z, err := zip.OpenReader(fixtures + name)
			if err != nil {
				t.Fatal(err)
			}
			defer z.Close()
			f, err := z.Open("website_event.csv")
			if err != nil {
				t.Fatal(err)
			}
			rows, err := csv.NewReader(f).ReadAll()
			if err != nil {
				t.Fatal(err)
			}
			column := map[string]int{}
			for i, c := range rows[0] {
				column[c] = i
			}
			var want, have []string
			for _, r := range rows[1:] {
				get := func(c string) string { return strings.Replace(r[column[c]], `\N`, "", 1) }
				if kind := get("event_type"); kind != "3" && kind != "4" {
					want = append(want, fmt.Sprintf("%q", []string{get("session_id"), get("visit_id"), get("created_at"), get("url_path"), get("page_title"), get("event_name"), get("browser"), get("city")}))
				}
			}
			for _, ev := range got.events {
				have = append(have, fmt.Sprintf("%q", []string{ev.Visitor, ev.Session, ev.Time.Time().Format(time.DateTime), ev.Path, ev.Title, ev.Name, ev.Browser, ev.City}))
			}
			if diff := cmp.Diff(want, have); diff != "" || len(want) == 0 {
				t.Error(diff)
			}
		})
	}
}

func TestCannotBeRead(t *testing.T) {
	for name, want := range map[string]string{
		"aggregates.zip":            "aggregates.zip: is the export of a dashboard: sums without dates",
		"broken/truncated.zip":      "cut off or damaged",
		"broken/junk.csv":           "holds binary data",
		"broken/empty.csv":          "is empty",
		"broken/missing-column.csv": `missing-column.csv: row 1: field "created_at": is missing from the header`,
		"broken/session.csv":        "give website_event",
		"generate.go":               "holds no table of Umami's",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := translate(t, nil, adapters.Options{}, fixtures+name)
			var positioned *input.Error
			if !errors.As(err, &positioned) || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want something with %q", err, want)
			}
		})
	}
}

func TestDetect(t *testing.T) {
	for name, want := range map[string]bool{
		"cloud-2024.zip": true, "cloud-2026.zip": true, "clickhouse.csv": true, "postgres": true, "postgres-tab": true, "postgres-packed": true,
		"pg_dump.sql": true, "v1": true, "aggregates.zip": true, "broken/session.csv": true, "broken/missing-column.csv": true, "broken/headless.csv": true,
		"generate.go": false, "broken/junk.csv": false,
	} {
		ins, err := input.Open(t.Context(), []string{fixtures + name}, nil, "")
		if err != nil {
			t.Fatal(err)
		}
		if got := (umami.Adapter{}).Match(t.Context(), ins.Files).Fit == adapters.Fits; got != want {
			t.Errorf("%s: got %t", name, got)
		}
		ins.Close()
	}
}

const header = "session_id,visit_id,created_at,url_path,url_query,referrer_domain,referrer_path,referrer_query,event_type,event_name,page_title,screen,utm_source,gclid,tag,lcp,cls\n"

// one translates a single row of that header.
func one(t *testing.T, row string) result {
	t.Helper()
	r, err := translate(t, strings.NewReader(header+row+"\n"), adapters.Options{}, "-")
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestMeaning(t *testing.T) {
	const start = "s,v,2024-05-01 10:00:00,"
	for row, want := range map[string]pipeline.Event{
		start + "/p,,,,,1,,,,,,,,":                                     {},
		start + "/p,,www.x.org,/a,b=c,1,,,,,,,,":                       {Referrer: "https://www.x.org/a?b=c"},
		start + "/p,,x.org,,,1,,,,,,,,":                                {Referrer: "https://x.org"},
		start + "/p,,,/own,q=1,1,,,,,,,,":                              {},
		start + "/p,,,android-app://com.google.android.gm/,,1,,,,,,,,": {Referrer: "android-app://com.google.android.gm/"},
		start + "/p,a=1,,,,1,,,,X & Y,g1,,,":                           {Query: "a=1&utm_source=X+%26+Y&gclid=g1"},
		start + "/p,utm_source=x,,,,1,,,,y,,,,":                        {Query: "utm_source=x"},
		start + "/p,my_utm_source=x,,,,1,,,,y,,,,":                     {Query: "my_utm_source=x&utm_source=y"},
		start + "/p,,,,,2,buy,T,1920x1080,,,spring,,":                  {Kind: pipeline.Custom, Name: "buy", Title: "T", ScreenWidth: 1920, ScreenHeight: 1080, Properties: []pipeline.Property{{Key: "tag", Value: "spring"}}},
		start + "/p,,,,,5,,,,,,,1200.5,0.1":                            {Kind: pipeline.Vitals, Vitals: pipeline.WebVitals{LCP: pipeline.Known(1200.5), CLS: pipeline.Known(0.1)}},
		start + "/p,,,,,3,download,,,,,,,":                             {Kind: pipeline.Custom, Name: "download"},
		start + "/p,,,,,,,,,,,,,":                                      {},
		start + "/p,,,,,'1',,,,,,,,":                                   {},
		start + "/p,,,,,pageView,,,,,,,,":                              {},
		start + "/p,,,,,custom_event,buy,,,,,,,":                       {Kind: pipeline.Custom, Name: "buy"},
		start + "/p,,,,,,named,,,,,,,":                                 {Kind: pipeline.Custom, Name: "named"},
	} {
		want.Time, want.Visitor, want.Session, want.Path = 1714557600000000, "s", "v", "/p"
		if got := bare(one(t, row).events, true); len(got) != 1 || !reflect.DeepEqual(got[0], want) {
			t.Errorf("%s\n%s", row, cmp.Diff([]pipeline.Event{want}, got))
		}
	}
	for row, want := range map[string]string{
		start + "/p,,,,,3,,,,,,,,":                 umami.OmitLink,
		start + "/p,,,,,4,,,,,,,,":                 umami.OmitPixel,
		start + "/p,,,,,9,,,,,,,,":                 umami.RejectKind,
		"s,v,,/p,,,,,1,,,,,,,,":                    umami.RejectTime,
		"s,v,2024-02-30 10:00:00,/p,,,,,1,,,,,,,,": umami.RejectTime,
		"s,v": rows.ErrFewCells.Error(),
	} {
		r := one(t, row)
		got := append(r.stats.Omitted.Kinds(), r.stats.Rejected.Kinds()...)
		if len(r.events) != 0 || !slices.Equal(got, []string{want}) {
			t.Errorf("%s: got %q", row, got)
		}
	}
	for row, want := range map[string]string{
		start + "/p,,,,,1,,,wide,,,,,": pipeline.RepairScreen,
		start + "/p,,,,,5,,,,,,,fast,": pipeline.RepairVitals,
		start + "/p\xff,,,,,1,,,,,,,,": pipeline.RepairUTF8,
	} {
		r := one(t, row)
		if len(r.events) != 1 || !slices.Equal(r.stats.Repaired.Kinds(), []string{want}) {
			t.Errorf("%s: got %q", row, r.stats.Repaired.Kinds())
		}
	}
}

func TestSecondsOfVisits(t *testing.T) {
	text := "session_id,created_at,url_path,url_query,referrer_path,page_title\n"
	// In no order: a pauses for 30 minutes before 11:00 and less before 11:29.
	for _, r := range []string{"a,11:29:59", "a,11:00:00", "b,10:30:00", "a,10:00:00", "a,10:30:00", "b,10:59:59", "a,10:29:59", "a,noon", "a,11:59:59"} {
		visitor, clock, _ := strings.Cut(r, ",")
		text += visitor + ",2024-05-01 " + clock + ",/,,,\n"
	}
	begin := func(visitor string, clock string) string {
		at, _ := time.Parse(time.DateTime, "2024-05-01 "+clock)
		return visitor + "@" + strconv.FormatInt(at.UnixMicro(), 10)
	}
	want := []string{
		begin("a", "11:00:00"), begin("a", "11:00:00"), begin("b", "10:30:00"), begin("a", "10:00:00"), begin("a", "10:00:00"),
		begin("b", "10:30:00"), begin("a", "10:00:00"), begin("a", "11:59:59"),
	}
	for name, stdin := range map[string]io.Reader{"file": strings.NewReader(text), "pipe": iotest.HalfReader(strings.NewReader(text))} {
		r, err := translate(t, stdin, adapters.Options{}, "-")
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, ev := range r.events {
			got = append(got, ev.Session)
		}
		if !slices.Equal(got, want) || len(r.rejects) != 1 {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

func TestTimezone(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Skip(err)
	}
	text := header + "s,v,2024-07-01 12:00:00,/,,,,,1,,,,,,,,\ns,v,2024-07-01 12:00:00+00,/,,,,,1,,,,,,,,\n"
	r, err := translate(t, strings.NewReader(text), adapters.Options{Timezone: berlin}, "-")
	if err != nil || len(r.events) != 2 {
		t.Fatal(err, len(r.events))
	}
	if d := r.events[1].Time - r.events[0].Time; d != 2*3600*1e6 {
		t.Errorf("got %d µs between noon in Berlin and noon UTC", d)
	}
}

func TestNotes(t *testing.T) {
	for name, want := range map[string]string{
		"postgres/website_event.csv":      `session table is missing.*\\copy session`,
		"postgres-2.10":                   "Visits are not in the export",
		"clickhouse-2.10.csv":             "Visits are not in the export",
		"cloud-2024.zip":                  "^$",
		"postgres-2.10/website_event.csv": "--hostname",
	} {
		if notes := strings.Join(fixture(t, name).Notes, "\n"); !regexp.MustCompile(want).MatchString(notes) {
			t.Errorf("%s: got %q, want %q", name, notes, want)
		}
	}
}

// TestWebsites reads a dump of an Umami with several websites.
func TestWebsites(t *testing.T) {
	const row = "s,v,2024-07-01 12:00:00,/,,,,,1,,,,,,,,,"
	dump := func(websites ...string) io.Reader {
		return strings.NewReader(header[:len(header)-1] + ",website_id\n" + row + strings.Join(websites, "\n"+row) + "\n")
	}
	_, err := translate(t, dump("w1", "w2"), adapters.Options{}, "-")
	if err == nil || !strings.Contains(err.Error(), "several websites: w1 (1 events); w2 (1 events). Choose one with --website") {
		t.Errorf("two websites, none chosen: got %v", err)
	}
	for _, c := range []struct {
		name    string
		input   io.Reader
		website string
		events  int
	}{
		{"one", dump("w1", "w1"), "", 2},
		{"chosen", dump("w1", "w2", "w1"), "W1", 2},
		{"another after the head", dump(append(slices.Repeat([]string{"w1"}, 5000), "w2")...), "w1", 5000},
	} {
		r, err := translate(t, c.input, adapters.Options{Chosen: map[string]string{"website": c.website}}, "-")
		if err != nil {
			t.Fatal(c.name, err)
		}
		if n := r.stats.Omitted[umami.OmitWebsite].Count; len(r.events) != c.events || r.stats.Rows != int64(c.events)+n {
			t.Errorf("%s: got %d events, %d of other websites, %d rows", c.name, len(r.events), n, r.stats.Rows)
		}
	}
}

// The survey remembers websites when the memory that held their names has been used
// again for rows far behind.
func TestWebsitesOfManyChunks(t *testing.T) {
	var dump strings.Builder
	dump.WriteString("website_id,session_id,visit_id,created_at,url_path,url_query,page_title,event_type\n")
	for i := range 40_000 {
		fmt.Fprintf(&dump, "website-%d,s,v,2024-07-01 12:00:00,/,,\"%0100d\",1\n", i/8000, i)
	}
	_, err := translate(t, strings.NewReader(dump.String()), adapters.Options{}, "-")
	if want := "website-0 (8000 events); website-1 (8000 events); website-2 (8000 events)"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
}

// zipped is an export's tables as they are on standard input.
func zipped(t testing.TB, members ...string) io.Reader {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for i := 0; i < len(members); i += 2 {
		m, err := w.CreateHeader(&zip.FileHeader{Name: members[i]}) // not compressed
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(m, members[i+1])
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return bytes.NewReader(b.Bytes())
}

func TestTypesOfProperties(t *testing.T) {
	const events = "event_id,session_id,visit_id,created_at,url_path,url_query,page_title,event_type,event_name\ne,s,v,2024-05-01 10:00:00,/,,,2,buy\n"
	for name, c := range map[string]struct {
		data string
		want []pipeline.Property
	}{
		"PostgreSQL": {"website_event_id,data_key,string_value,number_value,date_value,data_type\n" +
			"e,a,x,,,1\ne,b,,19.9000,,2\ne,c,false,,,3\ne,d,,,2024-05-01 12:00:00+02,4\ne,f,\"[1,2]\",,,5\ne,a,later,,,1\nother,z,z,,,1\n",
			[]pipeline.Property{{Key: "a", Value: "later"}, {Key: "b", Value: "19.9", Literal: true}, {Key: "c", Value: "false", Literal: true},
				{Key: "d", Value: "2024-05-01T10:00:00Z"}, {Key: "f", Value: "[1,2]", Literal: true}}},
		"version 1": {"event_id,event_key,event_string_value,event_numeric_value,event_date_value,event_data_type\ne,a,x,,,1\ne,b,,10.0,,2\n",
			[]pipeline.Property{{Key: "a", Value: "x"}, {Key: "b", Value: "10", Literal: true}}},
		"one column": {"event_data_id,event_id,event_data\n1,e,\"{\"\"b\"\":1.5,\"\"a\"\":\"\"x\"\",\"\"c\"\":null}\"\n",
			[]pipeline.Property{{Key: "a", Value: "x"}, {Key: "b", Value: "1.5", Literal: true}, {Key: "c", Value: "null", Literal: true}}},
		"not what their type says": {"event_id,data_key,string_value,number_value,date_value,data_type\ne,a,1e,,,2\ne,b,perhaps,,,3\ne,c,soon,,,4\ne,d,[1,,,5\ne,f,x,,,9\ne,g,,7,,\n",
			[]pipeline.Property{{Key: "a", Value: "1e"}, {Key: "b", Value: "perhaps"}, {Key: "c", Value: "soon"}, {Key: "d", Value: "[1"}, {Key: "f", Value: "x"}, {Key: "g", Value: "7", Literal: true}}},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := translate(t, zipped(t, "website_event.csv", events, "event_data.csv", c.data), adapters.Options{}, "-")
			if err != nil || len(r.events) != 1 {
				t.Fatal(len(r.events), err)
			}
			if diff := cmp.Diff(c.want, r.events[0].Properties); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestBadRowsOfJoinedTables(t *testing.T) {
	const events = "event_id,session_id,visit_id,created_at,url_path,url_query,page_title,event_type,event_name\ne,s,v,2024-05-01 10:00:00,/,,,1,\nf,t,v,2024-05-01 10:00:00,/,,,1,\n"
	const sessions = "session_id,browser,os,device\ns,chrome,Linux,desktop\n,chrome,Linux,desktop\nx,y\n"
	r, err := translate(t, zipped(t, "website_event.csv", events, "session.csv", sessions), adapters.Options{}, "-")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]int64{"a session without session_id": 1, rows.ErrFewCells.Error(): 1}
	if len(r.events) != 2 || !reflect.DeepEqual(r.stats.Rejected.Counts(), want) || r.stats.Repaired.Counts()[umami.RepairSession] != 1 {
		t.Errorf("got %d events, %v, %v", len(r.events), r.stats.Rejected.Counts(), r.stats.Repaired.Counts())
	}
	_, err = translate(t, zipped(t, "website_event.csv", events, "session.csv", sessions+strings.Repeat("x\n", 10000)), adapters.Options{}, "-")
	if err == nil || !strings.Contains(err.Error(), "more than 10000 records cannot be read") {
		t.Errorf("got %v", err)
	}
}

// printed collects events as text.
var printed = pipeline.Encode(func(dst []byte, ev *pipeline.Event) []byte { return fmt.Appendf(dst, "%+v\n", ev.Clone()) })

// Several workers give the same events in the same order as one, over many
// chunks, with all that is joined and derived.
func TestWorkersAgree(t *testing.T) {
	var events, sessions, data strings.Builder
	events.WriteString("event_id,session_id,created_at,url_path,url_query,referrer_domain,page_title,event_type,event_name\n")
	sessions.WriteString("session_id,browser,os,device,distinct_id\n")
	data.WriteString("website_event_id,data_key,string_value,number_value,date_value,data_type\n")
	for i := range 12000 {
		fmt.Fprintf(&events, "ff2ad331-ade6-500f-8692-%012x,6c1c77a2-c723-50b2-9268-%012x,2024-05-%02d %02d:%02d:00,/diary/%d,,,\"A title\nof two lines\",2,buy\n", i, i*7919%3000, i%28+1, i%24, i%60, i%50)
		fmt.Fprintf(&data, "ff2ad331-ade6-500f-8692-%012x,price,,%d.5000,,2\n", i*31%12000, i)
	}
	for i := range 3000 {
		fmt.Fprintf(&sessions, "6c1c77a2-c723-50b2-9268-%012x,chrome,Linux,desktop,user %d\n", i, i)
	}
	run := func(jobs int) (string, int) {
		ins, err := input.Open(t.Context(), []string{"-"}, zipped(t, "a.csv", events.String(), "b.csv", sessions.String(), "c.csv", data.String()), t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		defer ins.Close()
		reading, err := umami.Adapter{}.Match(t.Context(), ins.Files).Open(t.Context(), adapters.Options{TempDir: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		defer reading.Source.Close()
		var out strings.Builder
		chunks := 0
		_, err = pipeline.Translate(t.Context(), &pipeline.Translation{Jobs: jobs}, reading.Source, pipeline.Mark{}, printed, func(_ context.Context, chunk *pipeline.Collected[*pipeline.Records]) error {
			chunks++
			out.Write(chunk.Value.Body)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return out.String(), chunks
	}
	want, chunks := run(1)
	if strings.Count(want, "Name:buy") != 12000 || strings.Count(want, "Key:price") != 12000 || chunks < 3 {
		t.Fatalf("got %d events, %d prices in %d chunks", strings.Count(want, "Name:buy"), strings.Count(want, "Key:price"), chunks)
	}
	if got, _ := run(4); got != want {
		t.Error("four workers give something else than one")
	}
}

func FuzzUmami(f *testing.F) {
	for _, name := range []string{"postgres", "postgres-2.10", "v1"} {
		var tables []string
		for _, table := range []string{"website_event.csv", "session.csv", "event_data.csv", "pageview.csv"} {
			text, _ := os.ReadFile(fixtures + name + "/" + table)
			lines := strings.SplitAfterN(string(text), "\n", 6)
			tables = append(tables, strings.Join(lines[:min(len(lines), 5)], ""))
		}
		f.Add(tables[0]+tables[3], tables[1], tables[2])
	}
	f.Add(header+"s,v,2024-05-01 10:00:00,/p,,,,,1,,,,,,,,\n", "", "")
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, events, sessions, data string) {
		r, err := translate(t, zipped(t, "a.csv", events, "b.csv", sessions, "c.csv", data), adapters.Options{TempDir: dir}, "-")
		if err != nil {
			var positioned *input.Error
			if !errors.As(err, &positioned) {
				t.Fatalf("%v says not where", err)
			}
			return
		}
		for _, ev := range r.events {
			if ev.Origin.Row < 2 || ev.Raw == "" {
				t.Fatalf("%+v", ev)
			}
		}
	})
}

// wide repeats a row as ClickHouse exports it.
func wide(rows int) string {
	var b strings.Builder
	b.WriteString(`"website_id","session_id","visit_id","event_id","hostname","browser","os","device","screen","language","country","region","city","url_path","url_query","utm_source","referrer_path","referrer_domain","page_title","event_type","event_name","created_at"` + "\n")
	for i := range rows {
		fmt.Fprintf(&b, `"1fd7751f-80f6-5a85-bca9-26f540482e23","6c1c77a2-c723-50b2-9268-%012x","6cfb97a3-f72f-5643-8d9e-%012x","ff2ad331-ade6-500f-8692-%012x","garden.example","chrome","Windows 10","desktop","1920x1080","de-DE","DE","DE-BY","München","/diary/%d","utm_source=letter","letter","/search","www.google.com","Spring bulbs","1","","2024-05-01 10:%02d:%02d"`+"\n", i/9, i/3, i, i%50, i/60%60, i%60)
	}
	return b.String()
}

// Where client and place stand side by side they are read as one text: that changes
// nothing but the time it takes.
func TestFactsReadSideBySide(t *testing.T) {
	ids := `6c1c77a2-c723-50b2-9268-000000000001,6cfb97a3-f72f-5643-8d9e-000000000001,2024-05-01 10:00:00,/`
	values := []string{"", "chrome", "ios", `"a ""quoted"" one"`, `"a,b"`, "DE", "DE-BY", `\N`, "NULL", "1920x1080", "wide"}
	written := func(between string) (events string, stats pipeline.Stats) {
		columns := strings.Join([]string{"browser", "os", "device", "screen", "language", "country", "region", "city"}, between+",")
		text := "session_id,visit_id,created_at,url_path," + columns + ",event_type\n"
		for i := range 4000 {
			cells := make([]string, 8)
			for j := range cells {
				cells[j] = values[(i*(j+3)/(2*j+1)+i%3)%len(values)]
			}
			text += ids + "," + strings.Join(cells, strings.Repeat(",", strings.Count(between, ",")+1)) + ",1\n"
		}
		write := pipeline.Encode(func(dst []byte, ev *pipeline.Event) []byte {
			return fmt.Appendf(dst, "%q %q %q %d %d %q %q %q %q\n", ev.Browser, ev.OS, ev.Device, ev.ScreenWidth, ev.ScreenHeight, ev.Language, ev.Country, ev.Region, ev.City)
		})
		var err error
		stats, err = pipeline.Translate(t.Context(), new(pipeline.Translation), source(t, text), pipeline.Mark{}, write,
			func(_ context.Context, chunk *pipeline.Collected[*pipeline.Records]) error {
				events += string(chunk.Value.Body)
				return nil
			})
		if err != nil {
			t.Fatal(err)
		}
		return events, stats
	}
	got, gotStats := written("")
	want, wantStats := written(",another")
	if got != want || !reflect.DeepEqual(gotStats, wantStats) || gotStats.Events != 4000 {
		t.Fatalf("side by side %+v, apart %+v", gotStats, wantStats)
	}
}

func BenchmarkDecode(b *testing.B) {
	text := wide(20000)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		stats, _, err := pipeline.Count(b.Context(), new(pipeline.Translation), source(b, text))
		if err != nil || stats.Events != 20000 {
			b.Fatal(stats.Events, err)
		}
	}
}
