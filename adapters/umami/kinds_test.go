package umami_test

import (
	"bytes"
	"compress/gzip"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"hopper/adapters"
	"hopper/adapters/input"
	"hopper/adapters/umami"
	"hopper/pipeline"
)

// shapes are ways in which people's tools leave the same table.
var (
	wideColumns = strings.Fields("website_id session_id visit_id event_id hostname browser os device country url_path url_query referrer_domain page_title event_type event_name tag created_at")
	timeForms   = map[string]func(time.Time) string{
		"database":     func(at time.Time) string { return at.Format("2006-01-02 15:04:05") },
		"ISO":          func(at time.Time) string { return at.Format("2006-01-02T15:04:05.000Z") },
		"offset":       func(at time.Time) string { return at.In(time.FixedZone("", 7200)).Format("2006-01-02 15:04:05-07") },
		"American":     func(at time.Time) string { return at.Format("1/2/2006 15:04") },
		"American, PM": func(at time.Time) string { return at.Format("1/2/2006 3:04 PM") },
		"German":       func(at time.Time) string { return at.Format("02.01.2006 15:04") },
		"British":      func(at time.Time) string { return at.Format("02/01/2006 15:04") },
		"Metabase":     func(at time.Time) string { return at.Format("January 2, 2006, 3:04 PM") },
		"milliseconds": func(at time.Time) string { return fmt.Sprint(at.UnixMilli()) },
	}
	containers = map[string]func(columns []string, rows [][]string) string{
		"comma":     func(c []string, r [][]string) string { return delimited(',', c, r) },
		"semicolon": func(c []string, r [][]string) string { return delimited(';', c, r) },
		"tab":       func(c []string, r [][]string) string { return delimited('\t', c, r) },
		"display names": func(c []string, r [][]string) string {
			names := make([]string, len(c))
			for i, name := range c {
				words := strings.Split(name, "_")
				for j, w := range words {
					words[j] = strings.ToUpper(w[:1]) + w[1:]
				}
				names[i] = strings.Join(words, " ")
			}
			return delimited(',', names, r)
		},
		"JSON lines": jsonLines,
		"INSERT":     inserts,
		"nested":     func(c []string, r [][]string) string { return nested(c, r, "") },
		"nested, in a cell": func(c []string, r [][]string) string {
			return nested(c, r, `"_id":"x","_source":`)
		},
	}
)

// nested writes what the session table has as a record within the event's, as
// ORMs join them, or all of it within another member.
func nested(columns []string, rows [][]string, within string) string {
	var b strings.Builder
	for _, cells := range rows {
		event, session := map[string]string{}, map[string]string{"id": cells[1], "created_at": "2020-01-01T00:00:00Z"}
		for i, column := range columns {
			switch column {
			case "browser", "os", "device", "country":
				session[column] = cells[i]
			default:
				event[column] = cells[i]
			}
		}
		one, _ := json.Marshal(event)
		other, _ := json.Marshal(session)
		if within != "" {
			for k, v := range session {
				if k != "created_at" && k != "id" {
					event[k] = v
				}
			}
			one, _ = json.Marshal(event)
			fmt.Fprintf(&b, "{%s%s}\n", within, one)
			continue
		}
		fmt.Fprintf(&b, "{%q:%s,%s\n", "session", other, one[1:])
	}
	return b.String()
}

func delimited(delimiter rune, columns []string, rows [][]string) string {
	var b strings.Builder
	w := csv.NewWriter(&b)
	w.Comma = delimiter
	w.Write(columns)
	w.WriteAll(rows)
	return b.String()
}

func jsonLines(columns []string, rows [][]string) string {
	var b strings.Builder
	for _, cells := range rows {
		b.WriteByte('{')
		for i, cell := range cells {
			text, _ := json.Marshal(cell)
			fmt.Fprintf(&b, "%s%q:%s", strings.Repeat(",", min(i, 1)), columns[i], text)
		}
		b.WriteString("}\n")
	}
	return b.String()
}

func inserts(columns []string, rows [][]string) string {
	var b strings.Builder
	b.WriteString("-- MySQL dump 10.13\n")
	for _, cells := range rows {
		quoted := make([]string, len(cells))
		for i, cell := range cells {
			quoted[i] = "'" + strings.ReplaceAll(cell, "'", "''") + "'"
		}
		fmt.Fprintf(&b, "INSERT INTO `website_event` (`%s`) VALUES (%s);\n", strings.Join(columns, "`,`"), strings.Join(quoted, ","))
	}
	return b.String()
}

// drawEvents draws rows of events, at whole minutes, with their times apart.
func drawEvents(rt *rapid.T) (rows [][]string, at []time.Time) {
	start := time.Date(2024, time.Month(rapid.IntRange(1, 12).Draw(rt, "month")), rapid.IntRange(1, 28).Draw(rt, "day"), 0, 0, 0, 0, time.UTC)
	for i, minute := range rapid.SliceOfN(rapid.IntRange(0, 40*24*60), 1, 25).Draw(rt, "minutes") {
		kind, name := "1", ""
		if i%5 == 4 {
			kind, name = "2", "it's bought"
		}
		rows = append(rows, []string{
			"bf7ace33-8040-53f4-9ab1-76264f86a35e", fmt.Sprintf("9397d22f-fdd3-5a2c-925a-%012d", i%4), fmt.Sprintf("adf4bc8f-ce37-52b6-a79e-%012d", i%7),
			fmt.Sprintf("a3590978-46c6-5e59-996d-%012d", i), "bakery.example", "chrome", "Windows 10", "desktop", "DE", fmt.Sprintf("/breads/%d", i%3), "a=1&b=2",
			"www.google.com", "Our \"daily\" breads; and, rolls", kind, name, "", "",
		})
		at = append(at, start.Add(time.Duration(minute)*time.Minute))
	}
	return rows, at
}

func stamped(rows [][]string, at []time.Time, form func(time.Time) string) [][]string {
	out := make([][]string, len(rows))
	for i, cells := range rows {
		out[i] = append([]string(nil), cells...)
		out[i][len(cells)-1] = form(at[i])
	}
	return out
}

// facts are an event without where it was read.
func facts(events []pipeline.Event) []pipeline.Event {
	out := make([]pipeline.Event, len(events))
	for i, ev := range events {
		ev.Origin, ev.Raw, ev.ValidUTF8 = pipeline.Origin{}, "", false
		ev.Properties, ev.UserProperties = nil, nil
		out[i] = ev
	}
	return out
}

// Any export gives the same events when it is duplicated, split, overlapped,
// saved again in another dialect, form of times or container, or packed.
func TestSameEventsInAnyShape(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		rows, at := drawEvents(rt)
		want, err := translate(t, strings.NewReader(delimited(',', wideColumns, stamped(rows, at, timeForms["database"]))), adapters.Options{}, "-")
		if err != nil {
			rt.Fatal(err)
		}
		form := rapid.SampledFrom(keys(timeForms)).Draw(rt, "times")
		container := rapid.SampledFrom(keys(containers)).Draw(rt, "container")
		opt := adapters.Options{Chosen: map[string]string{}}
		switch form {
		case "American", "American, PM":
			opt.Chosen["date-order"] = "mdy"
		case "British":
			opt.Chosen["date-order"] = "dmy"
		}
		text := func(from, to int) string {
			return containers[container](wideColumns, stamped(rows, at, timeForms[form])[from:to])
		}
		cut := rapid.IntRange(1, len(rows)).Draw(rt, "cut")
		overlap := rapid.IntRange(0, cut).Draw(rt, "overlap")
		var stdin io.Reader
		switch rapid.SampledFrom([]string{"whole", "gzip", "in two", "twice"}).Draw(rt, "packing") {
		case "whole":
			stdin = strings.NewReader(text(0, len(rows)))
		case "gzip":
			var b bytes.Buffer
			z := gzip.NewWriter(&b)
			io.WriteString(z, text(0, len(rows)))
			z.Close()
			stdin = &b
		case "twice":
			stdin = zipped(t, "a/website_event.csv", text(0, len(rows)), "b/website_event.csv", text(0, len(rows)))
		case "in two":
			stdin = zipped(t, "a/website_event.csv", text(0, cut), "b/website_event.csv", text(cut-overlap, len(rows)))
		}
		got, err := translate(t, stdin, opt, "-")
		if err != nil {
			rt.Fatal(err)
		}
		if !reflect.DeepEqual(facts(got.events), facts(want.events)) {
			rt.Fatalf("got %d events:\n%+v\nwant %d:\n%+v", len(got.events), facts(got.events), len(want.events), facts(want.events))
		}
	})
}

func keys[V any](m map[string]V) []string {
	var all []string
	for k := range m {
		all = append(all, k)
	}
	slices.Sort(all)
	return all
}

func TestRepeats(t *testing.T) {
	const columns = "event_id,session_id,visit_id,created_at,url_path,url_query,page_title,event_type\n"
	row := func(id int, created string) string {
		return fmt.Sprintf("a3590978-46c6-5e59-996d-%012d,s,v,%s,/,,,1\n", id, created)
	}
	a := columns + row(1, "2024-05-01 10:00:00") + row(2, "2024-05-01 10:01:00") + row(1, "2024-05-01 10:00:00")
	b := columns + row(2, "2024-05-01 10:01:00") + row(3, "yesterday") + row(3, "2024-05-01 10:02:00")
	r, err := translate(t, zipped(t, "a.csv", a, "b.csv", b), adapters.Options{}, "-")
	if err != nil {
		t.Fatal(err)
	}
	if n := r.stats.Omitted.Counts()[umami.OmitRepeat]; len(r.events) != 3 || n != 2 || len(r.rejects) != 1 {
		t.Errorf("got %d events, %d repeats, %d rejects", len(r.events), n, len(r.rejects))
	}
	// Ids that are no UUIDs are no one's own: another visitor or time is another event.
	r, err = translate(t, strings.NewReader(columns+"1,s,v,2024-05-01 10:00:00,/,,,1\n1,t,v,2024-05-01 10:00:00,/,,,1\n1,s,v,2024-05-01 10:00:01,/,,,1\n1,s,v,2024-05-01 10:00:00,/,,,1\n"), adapters.Options{}, "-")
	if err != nil || len(r.events) != 3 {
		t.Errorf("got %d events, %v", len(r.events), err)
	}
	// Another tool writes the same time in another form.
	r, err = translate(t, zipped(t, "a.csv", columns+"1,s,v,2024-05-01 10:00:00,/,,,1\n", "b.csv", columns+"1,s,v,2024-05-01T12:00:00+02:00,/,,,1\n"), adapters.Options{}, "-")
	if err != nil || len(r.events) != 1 {
		t.Errorf("in two forms: got %d events, %v", len(r.events), err)
	}
}

func TestDatesOfSpreadsheets(t *testing.T) {
	const columns = "session_id,visit_id,created_at,url_path,url_query,page_title,event_type\n"
	table := func(times ...string) string {
		text := columns
		for _, s := range times {
			text += "s,v," + s + ",/,,,1\n"
		}
		return text
	}
	first := func(stdin io.Reader, order string) (string, error) {
		r, err := translate(t, stdin, adapters.Options{Chosen: map[string]string{"date-order": order}}, "-")
		if err != nil {
			return "", err
		}
		return r.events[0].Time.Time().Format("2006-01-02 15:04"), nil
	}
	for name, c := range map[string]struct {
		stdin       io.Reader
		order, want string
	}{
		"far behind":           {strings.NewReader(table(append(strings.Split(strings.Repeat("5/1/2024 8:20|", 20000)+"5/13/2024 8:20", "|"), "5/1/2024 9:00")...)), "auto", "2024-05-01 08:20"},
		"chosen":               {strings.NewReader(table("5/1/2024 8:20")), "dmy", "2024-01-05 08:20"},
		"decided by another":   {zipped(t, "a.csv", table("5/1/2024 8:20"), "b.csv", table("28/2/2024 8:20")), "auto", "2024-01-05 08:20"},
		"serial days":          {strings.NewReader(table("45413.34722")), "auto", "2024-05-01 08:20"},
		"integers as decimals": {strings.NewReader(strings.Replace(table("1714551600.0"), ",1\n", ",1.0\n", 1)), "auto", "2024-05-01 08:20"},
	} {
		if got, err := first(c.stdin, c.order); got != c.want {
			t.Errorf("%s: got %s, %v, want %s", name, got, err, c.want)
		}
	}
	for name, stdin := range map[string]io.Reader{
		"--date-order mdy":                  strings.NewReader(table("5/1/2024 8:20", "5/1/2024 8:21")),
		"(5/13/2024 8:20) and with the day": strings.NewReader(table("5/13/2024 8:20", "14/5/2024 8:21")),
	} {
		_, err := first(stdin, "auto")
		var positioned *input.Error
		if err == nil || !strings.Contains(err.Error(), name) || !errors.As(err, &positioned) || positioned.Field != "created_at" {
			t.Errorf("got %v, want something with %q", err, name)
		}
	}
}

// The columns of a join stand in the event's and in the session's place.
func TestJoinsByHand(t *testing.T) {
	session := strings.Fields("session_id website_id browser os device created_at hostname")
	event := strings.Fields("event_id website_id session_id created_at url_path url_query page_title event_type event_name visit_id hostname")
	cells := map[string]string{"event_id": "e", "url_path": "/", "event_type": "1", "visit_id": "v", "browser": "chrome", "website_id": "w", "session_id": "s", "hostname": "a.example"}
	for name, order := range map[string][2][]string{"session first": {session, event}, "event first": {event, session}} {
		for _, suffix := range []string{"", "_1", ".1", "_y"} {
			var header, row []string
			seen := map[string]bool{}
			for i, part := range order {
				for _, column := range part {
					value := cells[column]
					if column == "created_at" {
						value = "2024-05-01 10:00:00"
						if reflect.DeepEqual(order[i], event) {
							value = "2024-05-01 12:00:00"
						}
					}
					if seen[column] {
						column += suffix
					}
					seen[column] = true
					header, row = append(header, column), append(row, value)
				}
			}
			r, err := translate(t, strings.NewReader(strings.Join(header, ",")+"\n"+strings.Join(row, ",")+"\n"), adapters.Options{}, "-")
			if err != nil || len(r.events) != 1 || r.events[0].Time.Time().Hour() != 12 || r.events[0].Browser != "chrome" {
				t.Errorf("%s%s: got %+v, %v", name, suffix, r.events, err)
			}
		}
	}
}

func TestLeftovers(t *testing.T) {
	const (
		pageview = "view_id,website_id,session_id,created_at,url,referrer\n1,1,1,2022-05-01 10:00:00,/,\n"
		event    = "event_id,website_id,session_id,created_at,url,event_name\n1,1,1,2022-05-01 10:00:00,/,buy\n"
		old      = "event_id,website_id,session_id,created_at,url,event_type,event_value\n1,1,1,2021-05-01 10:00:00,/,click,old\n"
		data     = "event_data_id,event_id,event_data\n1,1,\"{\"\"price\"\":4.5}\"\n"
		modern   = "event_id,session_id,visit_id,created_at,url_path,url_query,page_title,event_type,event_name\n1,1,v,2024-05-01 10:00:00,/,,,2,later\n"
	)
	r, err := translate(t, zipped(t, "pageview.csv", pageview, "event.csv", event, "_event_old.csv", old, "event_data.csv", data), adapters.Options{}, "-")
	if err != nil || len(r.events) != 2 || len(r.events[0].Properties) != 1 || len(r.events[1].Properties) != 0 {
		t.Fatalf("got %+v, %v", r.events, err)
	}
	if notes := strings.Join(r.Notes, "\n"); !strings.Contains(notes, "_event_old") {
		t.Errorf("the notes are %q", notes)
	}
	// Alone it is an export like any other.
	if r, err = translate(t, zipped(t, "_event_old.csv", old), adapters.Options{}, "-"); err != nil || len(r.events) != 1 {
		t.Errorf("got %d events, %v", len(r.events), err)
	}
	// Version 1's properties are none of a later event with the same id.
	r, err = translate(t, zipped(t, "event.csv", event, "event_data.csv", data, "website_event.csv", modern), adapters.Options{}, "-")
	if err != nil || len(r.events) != 2 || len(r.events[0].Properties) != 1 || len(r.events[1].Properties) != 0 {
		t.Errorf("got %+v, %v", r.events, err)
	}
}

// Tables without a header are read where their order of columns is known.
func TestOrdersOfColumns(t *testing.T) {
	const (
		id      = "a3590978-46c6-5e59-996d-000000000001"
		session = "\n" + id + "," + id + ",chrome,Windows 10,desktop,1920x1080,de-DE,DE,DE-BE,Berlin,2024-05-01 10:00:00,cust-0\n"
		event   = id + "," + id + "," + id + ",2024-05-01 10:00:00,/breads,,,,,Breads,1,," + id
	)
	for name, more := range map[string]string{"2.11": "", "2.14": ",spring", "2.18": ",spring,,,,,,,,,,,,bakery.example"} {
		r, err := translate(t, zipped(t, "website_event.txt", event+more+"\n", "session.txt", session), adapters.Options{}, "-")
		if err != nil || len(r.events) != 1 || r.events[0].Path != "/breads" || r.events[0].Browser != "chrome" || r.events[0].Identified != "cust-0" {
			t.Errorf("version %s: got %+v, %v", name, r.events, err)
		}
	}
	_, err := translate(t, strings.NewReader(strings.Replace(event, ",/breads,", ",breads,", 1)+"\n"), adapters.Options{}, "-")
	if err == nil || !strings.Contains(err.Error(), "has values where a header") {
		t.Errorf("got %v", err)
	}
}

func TestWebsitesByName(t *testing.T) {
	const (
		sites  = "website_id,name,domain\nw1,Garden,www.garden.example\nw2,Bakery,bakery.example\nw3,Garden,empty.example\n"
		events = "website_id,event_id,session_id,visit_id,created_at,url_path,url_query,page_title,event_type\nw1,1,s,v,2024-05-01 10:00:00,/,,,1\nw2,2,s,v,2024-05-01 10:00:00,/,,,1\nW1,3,s,v,2024-05-01 10:00:00,/,,,1\nw4,4,s,v,2024-05-01 10:00:00,/,,,4\n"
	)
	run := func(website string) (result, error) {
		return translate(t, zipped(t, "website.csv", sites, "website_event.csv", events), adapters.Options{Chosen: map[string]string{"website": website}}, "-")
	}
	for website, want := range map[string]int{"w1": 2, "W2": 1, "garden": 2, "garden.example": 2, "Bakery": 1} {
		if r, err := run(website); err != nil || len(r.events) != want {
			t.Errorf("%s: got %d events, %v", website, len(r.events), err)
		}
	}
	for website, want := range map[string]string{
		"":              `w1 "Garden" www.garden.example (2 events); w2 "Bakery" bakery.example (1 events)`,
		"w3":            `no events of a website with the id, name or domain "w3"`,
		"empty.example": "no events of a website",
	} {
		if _, err := run(website); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want something with %q", website, err, want)
		}
	}
}

// TestDatabases says of databases that are no tables how to make some.
func TestDatabases(t *testing.T) {
	for head, want := range map[string]string{"PGDMP\x01\x0e": "pg_restore -f dump.sql", "SQLite format 3\x00": ".dump > dump.sql"} {
		ins, err := input.Open(t.Context(), []string{"-"}, strings.NewReader(head+strings.Repeat("\x00", 100)), t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		m := umami.Adapter{}.Match(t.Context(), ins.Files)
		if m.Fit != adapters.Near || m.Err == nil || !strings.Contains(m.Err.Error(), want) {
			t.Errorf("%q: got %+v", head, m)
		}
		ins.Close()
	}
}

// TestFewColumns reads a table of which a query asked for the least.
func TestFewColumns(t *testing.T) {
	got, err := translate(t, strings.NewReader("session_id,created_at,url_path\ns,2024-01-01 10:00:00,/a\n"), adapters.Options{TempDir: t.TempDir()}, "-")
	if err != nil || len(got.events) != 1 || got.events[0].Path != "/a" {
		t.Errorf("got %+v, %v", got.events, err)
	}
}
