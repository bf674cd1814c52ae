package plausible_test

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hopper/adapters"
	"hopper/adapters/input"
	"hopper/adapters/plausible"
	"hopper/pipeline"
)

// write writes files to a new directory and returns it.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// written writes tables as a site export writes them.
func (s *site) written(t *testing.T, tables []sheet) string {
	files := map[string]string{}
	for i := range tables {
		var b bytes.Buffer
		tables[i].csv(&b)
		files[s.file(&tables[i])] = b.String()
	}
	return write(t, files)
}

// collect returns the events of an export without where they stood.
func collect(t *testing.T, opt adapters.Options, args ...string) ([]pipeline.Event, error) {
	t.Helper()
	r, err := open(t, nil, opt, args...)
	if err != nil {
		return nil, err
	}
	events, _, rejects, err := pipeline.Collect(t.Context(), r.Source)
	if err == nil && len(rejects) > 0 {
		t.Errorf("rejects: %v", rejects)
	}
	for i := range events {
		events[i].Origin, events[i].Raw = pipeline.Origin{}, ""
	}
	return events, err
}

// inNumbers changes the counts of a table.
func inNumbers(change func(column, n string) string) func(*sheet) {
	counts := strings.Fields("visitors visits pageviews bounces visit_duration entrances exits events")
	return func(table *sheet) {
		for i, column := range table.columns {
			if !slices.Contains(counts, column) {
				continue
			}
			for _, row := range table.rows {
				row[i] = change(column, row[i])
			}
		}
	}
}

func grouped(separator string) func(column, n string) string {
	return func(_, n string) string {
		for at := len(n) - 3; at > 0; at -= 3 {
			n = n[:at] + separator + n[at:]
		}
		return n
	}
}

func inUnits(column, n, layout string) string {
	seconds, err := strconv.Atoi(n)
	if err != nil || column != "visit_duration" {
		return n
	}
	return fmt.Sprintf(layout, seconds/3600, seconds/60%60, seconds%60)
}

// inEmpty writes a word where a cell is empty.
func inEmpty(word string) func(*sheet) {
	return func(table *sheet) {
		for _, row := range table.rows {
			for i := range row {
				if row[i] == "" {
					row[i] = word
				}
			}
		}
	}
}

// TestSameEventsInAnyForm holds that a site export gives the same events in any
// form that people's tools make of it.
func TestSameEventsInAnyForm(t *testing.T) {
	s := newSite(8, firstDay, 6, 12)
	plain := s.sums()
	want, err := collect(t, adapters.Options{}, s.written(t, plain))
	if err != nil || len(want) == 0 {
		t.Fatalf("%d events, %v", len(want), err)
	}
	inDates := func(layout string) func(*sheet) {
		return func(table *sheet) {
			for _, row := range table.rows {
				day, _ := time.Parse(time.DateOnly, row[0])
				row[0] = day.Format(layout)
			}
		}
	}
	for name, change := range map[string]func(*sheet){
		"1/31/2024":           inDates("1/2/2006"),
		"31.01.2024":          inDates("02.01.2006"),
		"31/01/2024":          inDates("02/01/2006"),
		"2024-01-31 00:00:00": inDates("2006-01-02 00:00:00"),
		"2024-01-31T00:00Z":   inDates("2006-01-02T00:00:00.000Z"),
		"Jan 31, 2024":        inDates("Jan 2, 2006"),
		"20240131":            inDates("20060102"),
		"1.0 for 1": func(table *sheet) {
			for _, row := range table.rows {
				row[len(row)-1] += ".0"
			}
		},
		"1.234 for 1234":   inNumbers(grouped(".")),
		"1,234 for 1234":   inNumbers(grouped(",")),
		"1 234 for 1234":   inNumbers(grouped("\u202f")),
		"1,0 for 1":        inNumbers(func(_, n string) string { return n + ",0" }),
		"1:02:03":          inNumbers(func(column, n string) string { return inUnits(column, n, "%d:%02d:%02d") }),
		"1h 2m 3s":         inNumbers(func(column, n string) string { return inUnits(column, n, "%dh %dm %ds") }),
		"NULL for nothing": inEmpty("NULL"),
		"NaN for nothing":  inEmpty("NaN"),
		"[NULL]":           inEmpty("[NULL]"),
		"every row twice":  func(table *sheet) { table.rows = append(table.rows, table.rows...) },
		"every row twice a day": func(table *sheet) {
			table.rows = slices.Repeat(table.rows, 2)
			slices.SortStableFunc(table.rows, func(a, b []string) int { return strings.Compare(a[0], b[0]) })
		},
		"totals": func(table *sheet) {
			total := slices.Repeat([]string{"9"}, len(table.columns))
			total[0] = "Total"
			table.rows = append(table.rows, total)
		},
		"Display Names": func(table *sheet) {
			for i, column := range table.columns {
				words := strings.Split(column, "_")
				for j, w := range words {
					words[j] = strings.ToUpper(w[:1]) + w[1:]
				}
				table.columns[i] = strings.Join(words, " ")
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			tables := s.sums()
			for i := range tables {
				change(&tables[i])
			}
			got, err := collect(t, adapters.Options{}, s.written(t, tables))
			if err != nil {
				t.Fatal(err)
			}
			if !cmp.Equal(want, got) {
				t.Errorf("%.2000s", cmp.Diff(want, got))
			}
		})
	}
	t.Run("days in two files", func(t *testing.T) {
		dir := s.written(t, plain)
		for i := range plain {
			early, late := plain[i], plain[i]
			early.rows, late.rows = nil, nil
			for _, row := range plain[i].rows {
				if row[0] < "2024-02-01" {
					early.rows = append(early.rows, row)
				} else {
					late.rows = append(late.rows, row)
				}
			}
			path := filepath.Join(dir, s.file(&plain[i]))
			os.Remove(path)
			for part, table := range map[string]sheet{"early": early, "late": late} {
				var b bytes.Buffer
				table.csv(&b)
				os.MkdirAll(filepath.Join(dir, part), 0o755)
				os.WriteFile(filepath.Join(dir, part, s.file(&plain[i])), b.Bytes(), 0o644)
			}
		}
		got, err := collect(t, adapters.Options{}, dir)
		if err != nil || !cmp.Equal(want, got) {
			t.Errorf("%v %.2000s", err, cmp.Diff(want, got))
		}
	})
}

// TestDaysTwice has days in several rows that are not the same.
func TestDaysTwice(t *testing.T) {
	const header = "date,visitors,pageviews,bounces,visits,visit_duration\n"
	for _, rows := range []string{
		"2024-03-01 09:00:00,1,1,1,1,0\n2024-03-01 10:00:00,1,1,1,1,0\n", // hours
		"2024-03-01,1,1,1,1,0\n2024-03-01,2,2,2,2,0\n",
	} {
		_, err := collect(t, adapters.Options{}, write(t, map[string]string{"imported_visitors.csv": header + rows}))
		if err == nil || !strings.Contains(err.Error(), "the day 2024-03-01, which row 2 is too") {
			t.Errorf("%s: %v", rows, err)
		}
	}
	dir := write(t, map[string]string{
		"imported_visitors.csv": header + "2024-03-01,2,2,2,2,0\n",
		"imported_devices.csv":  "date,device,visitors,visits,visit_duration,bounces,pageviews\n2024-03-01,Mobile,1,1,0,1,1\n2024-03-01,Mobile,-1,1,-7,1,1\n2024-03-01,Mobile,1,1,0,1,1\n",
	})
	r, err := open(t, nil, adapters.Options{}, dir)
	if err != nil {
		t.Fatal(err)
	}
	_, stats, _, err := pipeline.Collect(t.Context(), r.Source)
	if err != nil || stats.Omitted[plausible.OmitRow].Count != 1 || stats.Repaired[plausible.RepairAdded].Count != 1 || stats.Repaired[plausible.RepairSum].Count != 1 {
		t.Errorf("%v, omitted %v, repaired %v", err, stats.Omitted.Counts(), stats.Repaired.Counts())
	}
}

// TestDatesOfNoOrder has days that are possible both ways, in files whose names
// do not say which days they have.
func TestDatesOfNoOrder(t *testing.T) {
	const table = "date,visitors,pageviews,bounces,visits,visit_duration\n3/1/2024,1,1,1,1,0\n4/2/2024,1,1,1,1,0\n"
	_, err := collect(t, adapters.Options{}, write(t, map[string]string{"imported_visitors.csv": table}))
	if err == nil || !strings.Contains(err.Error(), "--date-order") {
		t.Errorf("got %v", err)
	}
	opt := adapters.Options{Chosen: map[string]string{"date-order": "dmy"}}
	events, err := collect(t, opt, write(t, map[string]string{"imported_visitors.csv": table}))
	if err != nil || len(events) != 2 || events[0].Time.Time().Month() != time.January {
		t.Errorf("got %v, %v", events, err)
	}
	events, err = collect(t, adapters.Options{}, write(t, map[string]string{"imported_visitors_20240301_20240402.csv": table}))
	if err != nil || len(events) != 2 || events[0].Time.Time().Month() != time.March {
		t.Errorf("got %v, %v", events, err)
	}
}

// TestEventsAlone reads a site that counts custom events and no pageviews.
func TestEventsAlone(t *testing.T) {
	dir := write(t, map[string]string{
		"imported_visitors_20240301_20240302.csv":      "date,visitors,pageviews,bounces,visits,visit_duration\n2024-03-01,25,0,30,30,0\n2024-03-02,30,0,30,30,0\n",
		"imported_pages_20240301_20240302.csv":         "date,hostname,page,visits,visitors,pageviews\n",
		"imported_entry_pages_20240301_20240302.csv":   "date,entry_page,visitors,entrances,visit_duration,bounces,pageviews\n2024-03-01,,25,30,0,30,0\n",
		"imported_custom_events_20240301_20240302.csv": "date,name,link_url,path,visitors,events\n2024-03-01,Signup,,,25,30\n2024-03-02,Signup,,,30,30\n",
		"imported_devices_20240301_20240302.csv":       "date,device,visitors,visits,visit_duration,bounces,pageviews\n2024-03-01,Mobile,25,30,0,30,0\n2024-03-02,Mobile,30,30,0,30,0\n",
	})
	events, err := collect(t, adapters.Options{}, dir)
	if err != nil {
		t.Fatal(err)
	}
	sessions, visitors := map[string]bool{}, map[string]bool{}
	for _, ev := range events {
		if ev.Kind != pipeline.Custom {
			t.Fatalf("a %s", ev.Kind)
		}
		sessions[ev.Session], visitors[ev.Visitor] = true, true
	}
	if len(events) != 60 || len(sessions) != 60 || len(visitors) != 55 {
		t.Errorf("%d events in %d visits of %d visitors", len(events), len(sessions), len(visitors))
	}
}

// TestEventsTableAlone has nothing but custom events, which are no pageviews.
func TestEventsTableAlone(t *testing.T) {
	dir := write(t, map[string]string{"imported_custom_events.csv": "date,name,link_url,path,visitors,events\n2024-03-01,Signup,,,7,9\n2024-03-01,Login,,,3,3\n"})
	events, err := collect(t, adapters.Options{}, dir)
	sessions := map[string]bool{}
	for _, ev := range events {
		if ev.Kind != pipeline.Custom {
			t.Errorf("a %s", ev.Kind)
		}
		sessions[ev.Session] = true
	}
	if err != nil || len(events) != 12 || len(sessions) != 7 {
		t.Errorf("%d events in %d visits, %v", len(events), len(sessions), err)
	}
}

// TestDoubt has tables that cannot be one site's days.
func TestDoubt(t *testing.T) {
	visitors := func(days ...string) string {
		return "date,visitors,pageviews,bounces,visits,visit_duration\n" + strings.Join(days, ",1,1,1,1,0\n") + ",1,1,1,1,0\n"
	}
	pages := func(day, host string) string {
		return "date,hostname,page,visits,visitors,pageviews,color\n" + day + "," + host + ",/,1,1,1,red\n"
	}
	for name, c := range map[string]struct {
		files map[string]string
		want  string
	}{
		"weeks":                           {map[string]string{"imported_visitors.csv": visitors("2024-01-01", "2024-01-08", "2024-01-15", "2024-01-29", "2024-02-05")}, "one day a week"},
		"months":                          {map[string]string{"imported_visitors.csv": visitors("2024-01-01", "2024-02-01", "2024-03-01")}, "the first of months"},
		"days":                            {map[string]string{"imported_visitors.csv": visitors("2024-01-01", "2024-01-08", "2024-01-15", "2024-01-22", "2024-01-28")}, ""},
		"two sites":                       {map[string]string{"a/imported_pages.csv": pages("2024-01-01", "a.example"), "b/imported_pages.csv": pages("2024-01-02", "b.test")}, "two sites"},
		"one site":                        {map[string]string{"a/imported_pages.csv": pages("2024-01-01", "a.example"), "b/imported_pages.csv": pages("2024-01-02", "www.a.example")}, ""},
		"two sites of a country's domain": {map[string]string{"a/imported_pages.csv": pages("2024-01-01", "a.co.uk"), "b/imported_pages.csv": pages("2024-01-02", "b.co.uk")}, "two sites"},
		"two sites of a host":             {map[string]string{"a/imported_pages.csv": pages("2024-01-01", "a.github.io"), "b/imported_pages.csv": pages("2024-01-02", "b.github.io")}, "two sites"},
		"subdomains":                      {map[string]string{"a/imported_pages.csv": pages("2024-01-01", "a.co.uk"), "b/imported_pages.csv": pages("2024-01-02", "shop.a.co.uk")}, ""},
		"without host":                    {map[string]string{"a/imported_pages.csv": pages("2024-01-01", "a.example"), "b/imported_pages.csv": pages("2024-01-02", "")}, ""},
	} {
		r, err := open(t, nil, adapters.Options{}, write(t, c.files))
		if err != nil {
			t.Fatal(err)
		}
		if (r.Doubt == nil) != (c.want == "") || r.Doubt != nil && !strings.Contains(r.Doubt.Error(), c.want) {
			t.Errorf("%s: %v", name, r.Doubt)
		}
		if strings.Contains(name, "site") && !strings.Contains(strings.Join(r.Notes, "\n"), "not read are the columns color") {
			t.Errorf("%s: %q", name, r.Notes)
		}
	}
}

// TestOnlyHost has a day without pages, on a site of one host.
func TestOnlyHost(t *testing.T) {
	dir := write(t, map[string]string{
		"imported_visitors_20240301_20240302.csv": "date,visitors,pageviews,bounces,visits,visit_duration\n2024-03-01,1,1,1,1,0\n2024-03-02,1,1,1,1,0\n",
		"imported_pages_20240301_20240302.csv":    "date,hostname,page,visits,visitors,pageviews\n2024-03-01,bistro.example,/menu,1,1,1\n",
	})
	events, err := collect(t, adapters.Options{}, dir)
	if err != nil || len(events) != 2 || events[1].Hostname != "bistro.example" || events[1].Path != "/(not set)" {
		t.Errorf("%+v, %v", events, err)
	}
}

const twoSites = "timestamp,name,site_id,user_id,session_id,hostname,pathname\n" +
	"2024-03-01 10:00:00,pageview,1,11,21,bistro.example,/\n2024-03-01 10:00:05,pageview,2,12,22,other.example,/\n2024-03-01 10:00:09,pageview,1,11,21,bistro.example,/menu\n"

func TestSites(t *testing.T) {
	names := "id,domain,timezone\n1,Bistro.example,Europe/Berlin\n2,shop.example,Etc/UTC\n"
	sums := map[string]string{
		"imported_visitors.csv": "site_id,date,visitors,pageviews,bounces,visits,visit_duration,import_id\n1,2024-03-01,2,2,2,2,0,0\n2,2024-03-01,5,5,5,5,0,0\n",
		"imported_pages.csv":    "site_id,date,hostname,page,visits,visitors,pageviews,import_id\n1,2024-03-01,bistro.example,/,2,2,2,0\n2,2024-03-01,other.example,/,5,5,5,0\n",
	}
	withNames := maps.Clone(sums)
	withNames["sites.csv"] = names
	for _, c := range []struct {
		files  map[string]string
		site   string
		events int
		err    string
	}{
		{map[string]string{"events_v2.csv": twoSites}, "", 0, "1 bistro.example (2 events); 2 other.example (1 events)"},
		{map[string]string{"events_v2.csv": twoSites}, "1", 2, ""},
		{map[string]string{"events_v2.csv": twoSites}, "other.example", 1, ""},
		{map[string]string{"events_v2.csv": twoSites}, "3", 0, `no site "3"`},
		{map[string]string{"events_v2.csv": twoSites, "sites.csv": names}, "shop.example", 1, ""},
		{map[string]string{"events_v2.csv": twoSites, "sites.csv": names}, "", 0, "2 shop.example (1 events)"},
		{sums, "", 0, "several sites"},
		{sums, "2", 5, ""},
		{sums, "BISTRO.example", 2, ""},
		{withNames, "shop.example", 5, ""},
		{map[string]string{"imported_visitors.csv": "date,visitors,pageviews,bounces,visits,visit_duration\n2024-03-01,2,2,2,2,0\n"}, "1", 0, "no column site_id"},
	} {
		opt := adapters.Options{}
		if c.site != "" {
			opt.Chosen = map[string]string{"website": c.site}
		}
		events, err := collect(t, opt, write(t, c.files))
		if len(events) != c.events || (err != nil) != (c.err != "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("site %q of %v: %d events, %v", c.site, slices.Sorted(maps.Keys(c.files)), len(events), err)
		}
	}
}

// TestMatches says of inputs what the adapter makes of them.
func TestMatches(t *testing.T) {
	const visitors = "date,visitors,pageviews,bounces,visits,visit_duration\n2024-01-01,1,1,1,1,0\n"
	for _, c := range []struct {
		name  string
		files map[string]string
		fit   adapters.Fit
		err   string
		units int
	}{
		{"two exports and a stranger", map[string]string{"a/imported_visitors_20240101_20240101.csv": visitors,
			"b/imported_visitors_20240201_20240201.csv": visitors, "b/notes.csv": "a,b\n1,2\n"}, adapters.Fits, "", 2},
		{"events beside sessions", map[string]string{"events_v2.csv": twoSites, "sessions_v2.csv": "session_id,sign,site_id,user_id\n1,1,1,1\n"}, adapters.Fits, "", 1},
		{"sessions alone", map[string]string{"sessions_v2.csv": "session_id,sign,site_id,user_id\n1,1,1,1\n"}, adapters.Near, "export events_v2", 0},
		{"visitors alone", map[string]string{"visitors.csv": "date,visitors\n2024-01-01,3\n"}, adapters.Near, "visits or pageviews", 0},
		{"sessions of version 1", map[string]string{"s.csv": "session_id,domain,user_id,is_bounce,entry_page,exit_page\n1,a.example,1,1,/,/\n"}, adapters.Near, "export events_v2", 0},
		{"answer of the API", map[string]string{"q.json": `{"results":[{"metrics":[1,2],"dimensions":["2024-01-01"]}],"meta":{},"query":{}}`}, adapters.Near, "Stats API", 0},
		{"rates", map[string]string{"x.csv": "name,visitors,bounce_rate,visit_duration\nGoogle,3,50,60\n"}, adapters.Near, "rates and averages", 0},
		{"nothing", map[string]string{"notes.csv": "a,b\n1,2\n"}, adapters.NoFit, "", 0},
	} {
		ins, err := input.Open(t.Context(), []string{write(t, c.files)}, nil, t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		m := plausible.Adapter{}.Match(t.Context(), ins.Files)
		if m.Fit != c.fit || len(m.Units) != c.units || (m.Err == nil) != (c.err == "") || c.err != "" && !strings.Contains(m.Err.Error(), c.err) {
			t.Errorf("%s: %d, %v, %d units", c.name, m.Fit, m.Err, len(m.Units))
		}
		ins.Close()
	}
}

// inserts writes a table as ClickHouse's FORMAT SQLInsert does.
func (t *sheet) inserts(w io.Writer, name string) {
	for _, row := range t.rows {
		cells := make([]string, len(row))
		for i, c := range row {
			cells[i] = "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(c) + "'"
			switch {
			case strings.HasPrefix(c, "["): // an array
				cells[i] = c
			case c == `\N`:
				cells[i] = "NULL"
			}
		}
		fmt.Fprintf(w, "INSERT INTO %s (`%s`) VALUES (%s);\n", name, strings.Join(t.columns, "`, `"), strings.Join(cells, ", "))
	}
}

// TestInserts reads dumps with INSERT commands, one file a table and all tables
// in one file.
func TestInserts(t *testing.T) {
	s := newSite(8, firstDay, 6, 12)
	for _, tables := range [][]sheet{s.sums(), {s.events()}} {
		plain, each, one := map[string]string{}, map[string]string{}, new(bytes.Buffer)
		for i := range tables {
			var text, sql bytes.Buffer
			tables[i].csv(&text)
			tables[i].inserts(&sql, "imported_"+tables[i].name)
			tables[i].inserts(one, "imported_"+tables[i].name)
			plain["imported_"+tables[i].name+".csv"], each[tables[i].name+".sql"] = text.String(), sql.String()
		}
		want, err := collect(t, adapters.Options{}, write(t, plain))
		if err != nil || len(want) == 0 {
			t.Fatalf("%d events, %v", len(want), err)
		}
		for name, files := range map[string]map[string]string{"a file a table": each, "one file": {"dump.sql": one.String()}} {
			if got, err := collect(t, adapters.Options{}, write(t, files)); err != nil || !cmp.Equal(want, got) {
				t.Errorf("%s: %v %.2000s", name, err, cmp.Diff(want, got))
			}
		}
	}
}

// TestOverlap has exports of periods that share days.
func TestOverlap(t *testing.T) {
	day := func(from, to int) string {
		var b strings.Builder
		io.WriteString(&b, "date,visitors,pageviews,bounces,visits,visit_duration\n")
		for d := from; d <= to; d++ {
			fmt.Fprintf(&b, "2024-03-%02d,1,1,1,1,0\n", d)
		}
		return b.String()
	}
	dir := write(t, map[string]string{"a/imported_visitors_20240301_20240304.csv": day(1, 4), "b/imported_visitors_20240303_20240306.csv": day(3, 6)})
	_, err := collect(t, adapters.Options{}, dir)
	if err == nil || !strings.Contains(err.Error(), "from 2024-03-03 to 2024-03-04") || !strings.Contains(err.Error(), "/b by itself with --since 2024-03-05") {
		t.Errorf("got %v", err)
	}
}

// TestPeriodUsers shares the users of two periods out to their days.
func TestPeriodUsers(t *testing.T) {
	s := newSite(9, firstDay, 20, 30) // from 29 January on
	dir := s.written(t, s.sums())
	file := filepath.Join(write(t, map[string]string{"users.csv": "period,users\n2024-01,40\n2024-02,200\n"}), "users.csv")
	users := func(opt adapters.Options) (month map[time.Month]map[string]bool, day map[string]map[string]bool) {
		events, err := collect(t, opt, dir)
		if err != nil {
			t.Fatal(err)
		}
		month, day = map[time.Month]map[string]bool{1: {}, 2: {}}, map[string]map[string]bool{}
		for _, ev := range events {
			at := ev.Time.Time()
			month[at.Month()][ev.Visitor] = true
			date := at.Format(time.DateOnly)
			if day[date] == nil {
				day[date] = map[string]bool{}
			}
			day[date][ev.Visitor] = true
		}
		return month, day
	}
	_, before := users(adapters.Options{})
	month, days := users(adapters.Options{Chosen: map[string]string{"period-users": file}})
	if len(month[1]) != 40 || len(month[2]) != 200 {
		t.Errorf("%d and %d users", len(month[1]), len(month[2]))
	}
	for date := range days {
		if len(days[date]) != len(before[date]) {
			t.Errorf("%s: %d visitors, not %d", date, len(days[date]), len(before[date]))
		}
	}
}

// TestPeriodsAndDays says of periods and days that do not cover each other.
func TestPeriodsAndDays(t *testing.T) {
	s := newSite(9, firstDay, 6, 10) // from 29 January to 3 February
	dir := s.written(t, s.sums())
	for periods, want := range map[string]string{
		"2024-01,15\n2024-02,20\n":      "lacks 28 days of the period 2024-01-01 to 2024-01-31",
		"2024-01,15\n":                  "3 days of the export are in no period",
		"2024-01-29..2024-02-03,9999\n": "not 9999",
		"2024-01-29..2024-02-03,25\n":   "",
	} {
		file := filepath.Join(write(t, map[string]string{"users.csv": periods}), "users.csv")
		r, err := open(t, nil, adapters.Options{Chosen: map[string]string{"period-users": file}}, dir)
		if err != nil {
			t.Fatal(err)
		}
		if notes := strings.Join(r.Notes, "\n"); !strings.Contains(notes, want) || want == "" && strings.Contains(notes, "period") {
			t.Errorf("%q: %s", periods, notes)
		}
	}
}

// TestEventsInAnyForm holds that a dump of events gives the same events in any
// form that people's tools make of it.
func TestEventsInAnyForm(t *testing.T) {
	events := newSite(8, firstDay, 2, 12).events()
	saved := func(change func(*sheet)) string {
		table := sheet{name: events.name, columns: slices.Clone(events.columns)}
		for _, row := range events.rows {
			table.rows = append(table.rows, slices.Clone(row))
		}
		change(&table)
		var b bytes.Buffer
		table.csv(&b)
		return b.String()
	}
	plain := saved(func(*sheet) {})
	want, err := collect(t, adapters.Options{}, write(t, map[string]string{"events_v2.csv": plain}))
	if err != nil || len(want) == 0 {
		t.Fatalf("%d events, %v", len(want), err)
	}
	times := func(layout string) func(*sheet) {
		return func(table *sheet) {
			for _, row := range table.rows {
				at, _ := time.Parse(time.DateTime, row[0])
				row[0] = at.Format(layout)
			}
		}
	}
	header, rest, _ := strings.Cut(plain, "\n")
	middle := strings.Index(rest[len(rest)/2:], "\n2024-") + len(rest)/2 + 1
	meta := func(write func(keys, values []string) string) string {
		return saved(func(table *sheet) {
			keys, values := slices.Index(table.columns, "meta.key"), slices.Index(table.columns, "meta.value")
			table.columns[keys], table.columns[values] = "meta", "other"
			for _, row := range table.rows {
				row[keys], row[values] = write(items(row[keys]), items(row[values])), "x"
			}
		})
	}
	for name, dump := range map[string]string{
		"header in the middle":  header + "\n" + rest[:middle] + header + "\n" + rest[middle:],
		"file twice":            plain + rest,
		"time in quotes":        saved(times("'2006-01-02 15:04:05'")),
		"time of a spreadsheet": saved(times("01/02/2006 3:04:05 PM")),
		"NULL for nothing":      saved(inEmpty("NULL")),
		"page with host": saved(func(table *sheet) {
			host, path := slices.Index(table.columns, "hostname"), slices.Index(table.columns, "pathname")
			for _, row := range table.rows {
				row[path] = "https://" + row[host] + row[path]
			}
		}),
		"meta as an object": meta(func(keys, values []string) string {
			var members []string
			for i := range keys {
				members = append(members, strconv.Quote(keys[i])+":"+strconv.Quote(values[i]))
			}
			return "{" + strings.Join(members, ",") + "}"
		}),
		"meta as a map": meta(func(keys, values []string) string {
			var members []string
			for i := range keys {
				members = append(members, "'"+keys[i]+"':'"+values[i]+"'")
			}
			return "{" + strings.Join(members, ",") + "}"
		}),
		"meta as pairs": meta(func(keys, values []string) string {
			var members []string
			for i := range keys {
				members = append(members, "["+strconv.Quote(keys[i])+","+strconv.Quote(values[i])+"]")
			}
			return "[" + strings.Join(members, ",") + "]"
		}),
	} {
		dir := write(t, map[string]string{"events_v2.csv": dump})
		if got, err := collect(t, adapters.Options{}, dir); err != nil || !cmp.Equal(want, got) {
			t.Errorf("%s: %v %.2000s", name, err, cmp.Diff(want, got))
		}
		r, err := open(t, nil, adapters.Options{}, dir)
		if err != nil {
			t.Fatal(err)
		}
		if v := verify(t, r); !v.Holds() {
			t.Errorf("%s: %s", name, text(v))
		}
	}
	if _, err := collect(t, adapters.Options{}, write(t, map[string]string{"events_v2.csv": saved(times(time.DateOnly))})); err == nil || !strings.Contains(err.Error(), "without the time of day") {
		t.Errorf("days alone: %v", err)
	}
	// Avro writes ids from 2^63 on as negative numbers.
	signed := saved(func(table *sheet) {
		for _, row := range table.rows {
			for _, column := range []string{"user_id", "session_id"} {
				at := slices.Index(table.columns, column)
				n, _ := strconv.ParseUint(row[at], 10, 64)
				row[at] = strconv.FormatInt(int64(n), 10)
			}
		}
	})
	dir := write(t, map[string]string{"a.csv": plain, "b.csv": signed})
	if got, err := collect(t, adapters.Options{}, dir); err != nil || !cmp.Equal(want, got) {
		t.Errorf("twice, once with signed ids: %d events for %d, %v", len(got), len(want), err)
	}
	if r, err := open(t, nil, adapters.Options{}, dir); err != nil || !verify(t, r).Holds() {
		t.Errorf("with signed ids: %v", err)
	}
	// A copy of a spreadsheet repeats all, and says the same times otherwise.
	both := write(t, map[string]string{"a.csv": plain, "b.csv": saved(times("1/2/2006 15:04:05"))})
	if got, err := collect(t, adapters.Options{}, both); err != nil || !cmp.Equal(want, got) {
		t.Errorf("twice, once by a spreadsheet: %d events for %d, %v", len(got), len(want), err)
	}
	nobody := saved(func(table *sheet) {
		for _, row := range table.rows {
			row[slices.Index(table.columns, "user_id")] = "0"
		}
	})
	got, err := collect(t, adapters.Options{}, write(t, map[string]string{"events_v2.csv": nobody}))
	if err != nil || len(got) != len(want) || got[0].Visitor != "" || got[0].Session != want[0].Session {
		t.Errorf("without users: %d events, %v", len(got), err)
	}
	for _, id := range []string{"1.23457E+18", "1,23457E+18", "1.2345678901e+18"} {
		rounded := saved(func(table *sheet) {
			for _, row := range table.rows {
				row[slices.Index(table.columns, "user_id")] = id
			}
		})
		if _, err := collect(t, adapters.Options{}, write(t, map[string]string{"events_v2.csv": rounded})); err == nil || !strings.Contains(err.Error(), "rounded") {
			t.Errorf("%s: %v", id, err)
		}
	}
}

// items takes an array of simple strings apart.
func items(array string) []string {
	if array == "[]" {
		return nil
	}
	return strings.Split(strings.Trim(array, "[]'"), "','")
}

// TestRepeatedEvents has two dumps of periods that overlap, one of them saved in
// another form, with two equal events in one second.
func TestRepeatedEvents(t *testing.T) {
	const header = "timestamp,name,user_id,session_id,hostname,pathname\n"
	a := header + "2024-03-01 10:00:00,pageview,11,21,bistro.example,/\n2024-03-01 10:00:05,Order,11,21,bistro.example,/\n2024-03-01 10:00:05,Order,11,21,bistro.example,/\n"
	b := header + "2024-03-01T10:00:05Z,Order,11,21,bistro.example,/\n2024-03-01T10:00:05Z,Order,11,21,bistro.example,/\n2024-03-01T10:00:09Z,pageview,11,21,bistro.example,/\n"
	dir := write(t, map[string]string{"a.csv": a, "b.csv": b})
	events, err := collect(t, adapters.Options{}, dir)
	if err != nil || len(events) != 4 {
		t.Errorf("%d events, %v", len(events), err)
	}
	r, err := open(t, nil, adapters.Options{}, dir)
	if err != nil {
		t.Fatal(err)
	}
	if v := verify(t, r); !v.Holds() {
		t.Error(text(v))
	}
}
