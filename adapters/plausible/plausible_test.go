package plausible_test

import (
	"bytes"
	"errors"
	"flag"
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
	"hopper/adapters/adaptertest"
	"hopper/adapters/input"
	"hopper/adapters/plausible"
	"hopper/pipeline"
	"hopper/pipeline/recount"
)

var update = flag.Bool("update", false, "write fixtures and golden files anew")

const (
	fixtures = "../../fixtures/plausible/"
	sample   = "../../../shared/samples/plausible"
)

var firstDay = time.Date(2024, 1, 29, 0, 0, 0, 0, time.UTC)

func open(t testing.TB, stdin io.Reader, opt adapters.Options, args ...string) (*adapters.Reading, error) {
	t.Helper()
	opt.TempDir = t.TempDir()
	ins, err := input.Open(t.Context(), args, stdin, opt.TempDir)
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { ins.Close() })
	switch m := (plausible.Adapter{}).Match(t.Context(), ins.Files); m.Fit {
	case adapters.NoFit:
		return nil, errors.New("not detected")
	case adapters.Near:
		return nil, m.Err
	}
	r, err := plausible.Adapter{}.Match(t.Context(), ins.Files).Open(t.Context(), opt)
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() {
		if err := r.Source.Close(); err != nil {
			t.Error(err)
		}
	})
	return r, nil
}

var normalizer = pipeline.Normalizer{Namespace: pipeline.SiteNamespace("plausible", "1"), Hostname: "example.com"}

func verify(t testing.TB, r *adapters.Reading) *recount.Comparison {
	t.Helper()
	v, err := r.Verify(t.Context(), pipeline.Translation{Normalizer: normalizer, Jobs: 2}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func text(v *recount.Comparison) string {
	var b strings.Builder
	for _, l := range v.Total {
		fmt.Fprintf(&b, "%+v\n", l)
	}
	for _, g := range v.Guarantees {
		if !g.Holds {
			fmt.Fprintf(&b, "does not hold: %+v\n", g)
		}
	}
	return b.String()
}

// asSaved are forms in which people's tools save the tables of a site export.
var asSaved = map[string]struct {
	date, dialect string
	change        func(*sheet)
}{
	"spreadsheet-de": {"02.01.2006", "semicolon", inNumbers(grouped("."))},
	"spreadsheet-us": {"1/2/2006", "comma", func(t *sheet) {
		inNumbers(func(column, n string) string {
			if column == "visit_duration" {
				return inUnits(column, n, "%d:%02d:%02d")
			}
			return grouped(",")(column, n)
		})(t)
		t.rows = append(t.rows, t.rows[len(t.rows)-1]) // pasted twice
	}},
	"inserts":    {time.DateOnly, "INSERT", func(*sheet) {}},
	"json-lines": {"2006-01-02 00:00:00", "JSON lines", func(*sheet) {}},
}

// TestFixtures writes the fixtures anew when asked to, and fails where they
// are not what the code beside it makes.
func TestFixtures(t *testing.T) {
	s := newSite(11, firstDay, 5, 24)
	tables := s.sums()
	files := map[string][]byte{"export.zip": s.archive(tables)}
	write := func(name string, f func(io.Writer)) {
		var b bytes.Buffer
		f(&b)
		files[name] = b.Bytes()
	}
	// An older version's: text quoted, pages with exits and time_on_page, no
	// custom_props, and pages in no order.
	for i := range tables {
		old := tables[i]
		switch old.name {
		case "custom_props":
			continue
		case "pages":
			old.columns = strings.Fields("date hostname page exits time_on_page visits visitors pageviews")
			rows := make([][]string, len(old.rows))
			for j, r := range old.rows {
				rows[(j*7+3)%len(rows)] = append([]string{r[0], r[1], r[2], "0", "0"}, r[3:6]...)
			}
			if slices.ContainsFunc(rows, func(r []string) bool { return r == nil }) {
				t.Fatal("7 divides the number of pages' rows: shuffle them in another way")
			}
			old.rows = rows
		}
		write("old/"+s.file(&old), old.quoted)
	}
	for folder, form := range asSaved {
		for _, table := range s.sums() {
			for _, row := range table.rows {
				day, _ := time.Parse(time.DateOnly, row[0])
				row[0] = day.Format(form.date)
			}
			form.change(&table)
			text, ending := sumsDialects[form.dialect](&table)
			name := strings.TrimSuffix(s.file(&table), ".csv") + ending
			write(folder+"/"+name, func(w io.Writer) { io.WriteString(w, text) })
		}
	}
	events := s.events()
	write("events.csv", events.csv)
	write("events.tsv", func(w io.Writer) { events.tsv(w, true) })
	headless := events
	headless.columns = headless.rows[0]
	headless.rows = headless.rows[1:]
	write("events-headless.csv", headless.csv)
	write("dashboard/visitors.csv", func(w io.Writer) {
		io.WriteString(w, "date,visitors,pageviews,visits,views_per_visit,bounce_rate,visit_duration\n2024-01-29,20,41,22,1.86,59,80\n")
	})
	write("dashboard/pages.csv", func(w io.Writer) {
		io.WriteString(w, "name,visitors,pageviews,bounce_rate,time_on_page\n/,80,130,55,31\n")
	})
	for _, name := range slices.Sorted(maps.Keys(files)) {
		path := fixtures + name
		if *update {
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, files[name], 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if have, err := os.ReadFile(path); err != nil || !bytes.Equal(have, files[name]) {
			t.Errorf("%s is not what -update writes (%v)", name, err)
		}
	}
}

func TestGolden(t *testing.T) {
	for _, name := range []string{"export.zip", "old", "events.csv", "spreadsheet-us"} {
		t.Run(name, func(t *testing.T) {
			r, err := open(t, nil, adapters.Options{}, fixtures+name)
			if err != nil {
				t.Fatal(err)
			}
			events, stats, rejects, err := pipeline.Collect(t.Context(), r.Source)
			if err != nil {
				t.Fatal(err)
			}
			var b strings.Builder
			fmt.Fprintf(&b, "%s\n%s\n%s\nrows %d events %d rejects %d omitted %v repaired %v\n",
				r.Shape, r.Schema, strings.Join(r.Notes, "\n"), stats.Rows, stats.Events, len(rejects), stats.Omitted.Counts(), stats.Repaired.Counts())
			for i := range events {
				e := &events[i]
				fmt.Fprintf(&b, "%s %s %s|%s %s %s|%s%s?%s|%s|%s %s %s %s %s|%s %s %s|%v\n", e.Time.Time().Format(time.DateTime), e.Kind, e.Name, e.Target,
					e.Visitor, e.Session, e.Hostname, e.Path, e.Query, e.Referrer, e.Browser, e.BrowserVersion, e.OS, e.OSVersion, e.Device,
					e.Country, e.Region, e.City, e.Properties)
			}
			path := filepath.Join("testdata", strings.TrimSuffix(name, filepath.Ext(name))+".golden")
			adaptertest.Golden(t, path, b.String(), *update)
		})
	}
}

func TestRealExportKeepsItsDays(t *testing.T) {
	if _, err := os.Stat(sample); errors.Is(err, os.ErrNotExist) {
		t.Skip("the sample is not here")
	}
	r, err := open(t, nil, adapters.Options{}, sample)
	if err != nil {
		t.Fatal(err)
	}
	v := verify(t, r)
	if len(v.Days) != 9 || !v.Holds() {
		t.Errorf("%d days\n%s", len(v.Days), text(v))
	}
	want := map[string]int64{"visits": 25234, "visitors": 18756, "pageviews": 56052, "bounces": 15672, "duration": 4477606}
	for _, d := range v.Days {
		for _, l := range d.Lines {
			if l.Table == "visitors" {
				want[l.Measure] -= l.Sent
			}
			if l.Off != 0 && (l.Table == "visitors" || l.Table == "devices" && d.Date < "2023-02-11" && (l.Measure == "visits" || l.Measure == "bounces")) {
				t.Errorf("%s: %+v", d.Date, l)
			}
		}
	}
	for m, left := range want {
		if left != 0 {
			t.Errorf("%s of all days are off by %d", m, -left)
		}
	}
	if v.Stats.Rejected.Total() != 0 {
		t.Errorf("rejected: %v", v.Stats.Rejected)
	}
}

// TestConsistentExportsCountTheSame draws sites, exports them and counts what
// is imported.
func TestConsistentExportsCountTheSame(t *testing.T) {
	for seed := range uint64(3) {
		s := newSite(seed, firstDay, 12, 20+int(seed)*40)
		r, err := open(t, bytes.NewReader(s.archive(s.sums())), adapters.Options{}, "-")
		if err != nil {
			t.Fatal(err)
		}
		v := verify(t, r)
		if !v.Holds() {
			t.Errorf("seed %d:\n%s", seed, text(v))
		}
		// Both count by themselves, and so agree on which tables are off.
		off := make(map[string]bool)
		for _, l := range v.Total {
			off[l.Table] = off[l.Table] || l.Off > 0
		}
		remarks := strings.Join(r.Remarks(), "\n")
		for table, is := range off {
			if told := strings.Contains(remarks, "of "+table+":"); told != is {
				t.Errorf("seed %d: that %s is off is %v, the remarks tell:\n%s", seed, table, is, remarks)
			}
		}
		for _, g := range v.Guarantees {
			if g.Days == 0 && g.Table != "locations" {
				t.Errorf("seed %d: nothing was compared of %s %s", seed, g.Table, g.Measure)
			}
		}
		if v.Stats.Rejected.Total() != 0 {
			t.Errorf("seed %d: %v", seed, v.Stats.Rejected)
		}
	}
}

// TestTodayIsNotOver imports an export on the day that it ends with: nothing of
// that day may lie ahead, where Rybbit would take it for the future.
func TestTodayIsNotOver(t *testing.T) {
	s := newSite(5, firstDay, 3, 60)
	noon := firstDay.AddDate(0, 0, 2).Add(12 * time.Hour)
	export := func() *adapters.Reading {
		r, err := open(t, bytes.NewReader(s.archive(s.sums())), adapters.Options{Now: noon}, "-")
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	events, _, _, err := pipeline.Collect(t.Context(), export().Source)
	if err != nil {
		t.Fatal(err)
	}
	latest := pipeline.Micros(0)
	for i := range events {
		latest = max(latest, events[i].Time)
	}
	if got := latest.Time(); !got.Before(noon) || got.Before(noon.Add(-6*time.Hour)) {
		t.Errorf("the last event is at %s, imported at %s", got, noon)
	}
	if v := verify(t, export()); len(v.Days) != 3 || !v.Holds() {
		t.Errorf("%d days\n%s", len(v.Days), text(v))
	}
}

// TestVisitsOverMidnight moves visits such that many end on the next day.
func TestVisitsOverMidnight(t *testing.T) {
	s := newSite(4, firstDay, 10, 60)
	for d := range s.visits {
		for i := range s.visits[d] {
			v := &s.visits[d][i]
			late := firstDay.AddDate(0, 0, d+1).Add(-time.Duration(i%3*20+1) * time.Second).Sub(v.hits[0].at)
			for j := range v.hits {
				if i%2 == 0 {
					v.hits[j].at = v.hits[j].at.Add(late)
				}
			}
		}
	}
	r, err := open(t, bytes.NewReader(s.archive(s.sums())), adapters.Options{}, "-")
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range verify(t, r).Days {
		for _, l := range d.Lines {
			if l.Table == "visitors" && l.Off > 0 {
				t.Errorf("%s: %+v", d.Date, l)
			}
		}
	}
}

// TestSampledSites scales all numbers, so that rows do not add up.
func TestSampledSites(t *testing.T) {
	s := newSite(6, firstDay, 10, 40)
	tables := s.sums()
	for i := range tables {
		for _, row := range tables[i].rows {
			for j := range row {
				if n, err := strconv.Atoi(row[j]); err == nil && tables[i].columns[j] != "city" {
					row[j] = strconv.Itoa(int(float64(n)*9.7 + 0.5))
				}
			}
		}
	}
	r, err := open(t, bytes.NewReader(s.archive(tables)), adapters.Options{}, "-")
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range verify(t, r).Days {
		for _, l := range d.Lines {
			if l.Table == "visitors" && l.Off > 0 {
				t.Errorf("%s: %+v", d.Date, l)
			}
			if l.Share > 0.1 && l.Table != "pages" && (l.Measure == "visits" || l.Measure == "bounces") {
				t.Errorf("%s: %+v", d.Date, l)
			}
		}
	}
}

// TestVerifyFindsWhatIsMissing takes events away.
func TestVerifyFindsWhatIsMissing(t *testing.T) {
	s := newSite(1, firstDay, 3, 30)
	r, err := open(t, bytes.NewReader(s.archive(s.sums())), adapters.Options{}, "-")
	if err != nil {
		t.Fatal(err)
	}
	v, err := r.Verify(t.Context(), pipeline.Translation{Normalizer: normalizer, Target: picky}, nil)
	if err != nil {
		t.Fatal(err)
	}
	failed := map[string]bool{}
	for _, g := range v.Guarantees {
		if !g.Holds {
			failed[g.Table+" "+g.Measure] = true
		}
	}
	for _, want := range []string{"visitors pageviews", "pages pageviews", "entry_pages visits"} {
		if !failed[want] {
			t.Errorf("%s is said to hold without /pricing", want)
		}
	}
}

// picky refuses a page.
var picky = pipeline.Target{Refuses: func(ev *pipeline.Event) string {
	if ev.Path == "/pricing" {
		return "test"
	}
	return ""
}}

// TestVerifyFindsStrangeHosts gives visits of a page to a host that no page has.
func TestVerifyFindsStrangeHosts(t *testing.T) {
	s := newSite(1, firstDay, 3, 30)
	moved := pipeline.Target{Adapts: func(ev *pipeline.Event) string {
		if ev.Path != "/pricing" {
			return ""
		}
		ev.Hostname = "other.example"
		return "test"
	}}
	for _, c := range []struct {
		target pipeline.Target
		holds  bool
	}{{pipeline.Target{}, true}, {moved, false}} {
		r, err := open(t, bytes.NewReader(s.archive(s.sums())), adapters.Options{}, "-")
		if err != nil {
			t.Fatal(err)
		}
		v, err := r.Verify(t.Context(), pipeline.Translation{Normalizer: normalizer, Target: c.target}, nil)
		if err != nil {
			t.Fatal(err)
		}
		at := slices.IndexFunc(v.Guarantees, func(g recount.Guarantee) bool { return g.Table == "hosts of no page" })
		if at < 0 && !c.holds || at >= 0 && v.Guarantees[at].Holds != c.holds {
			t.Errorf("hosts of no page: %d of %+v, want %t", at, v.Guarantees, c.holds)
		}
	}
}

// TestSubsets reads parts of an export: the day's totals hold.
func TestSubsets(t *testing.T) {
	s := newSite(2, firstDay, 6, 40)
	all := s.sums()
	for name, keep := range map[string][]string{
		"pages and visitors": {"pages", "visitors"},
		"visitors":           {"visitors"},
		"no pages":           {"visitors", "entry_pages", "exit_pages", "sources", "custom_events", "custom_props"},
		"no visitors":        {"pages", "entry_pages", "exit_pages", "sources", "devices"},
	} {
		t.Run(name, func(t *testing.T) {
			var tables []sheet
			for _, table := range all {
				if slices.Contains(keep, table.name) {
					tables = append(tables, table)
				}
			}
			r, err := open(t, bytes.NewReader(s.archive(tables)), adapters.Options{}, "-")
			if err != nil {
				t.Fatal(err)
			}
			v := verify(t, r)
			if !v.Holds() {
				t.Error(text(v))
			}
			for _, l := range v.Total {
				if l.Measure != "visitors" && (l.Table == "visitors" || l.Table == "pages" && l.Measure == "pageviews") && l.Off != 0 {
					t.Errorf("%+v", l)
				}
			}
		})
	}
}

// TestDaysLieInTheirZone checks first and last events around a change of clocks.
func TestDaysLieInTheirZone(t *testing.T) {
	for _, zone := range []string{"America/New_York", "Europe/Berlin", "America/Sao_Paulo"} {
		loc, err := time.LoadLocation(zone)
		if err != nil {
			t.Skip(err)
		}
		s := newSite(3, time.Date(2017, 10, 14, 0, 0, 0, 0, time.UTC), 3, 30)
		r, err := open(t, bytes.NewReader(s.archive(s.sums())), adapters.Options{Timezone: loc}, "-")
		if err != nil {
			t.Fatal(err)
		}
		events, _, _, err := pipeline.Collect(t.Context(), r.Source)
		if err != nil {
			t.Fatal(err)
		}
		days := map[string]string{} // of a visitor
		all := map[string]bool{}
		for _, e := range events {
			day := e.Time.Time().In(loc).Format(time.DateOnly)
			all[day] = true
			if was, ok := days[e.Visitor]; ok && was != day {
				t.Fatalf("%s: a visitor of %s is there on %s", zone, was, day)
			}
			days[e.Visitor] = day
		}
		if !maps.Equal(all, map[string]bool{"2017-10-14": true, "2017-10-15": true, "2017-10-16": true}) {
			t.Errorf("%s: days %v", zone, all)
		}
	}
}

// TestEventDumpsAreTheSame reads the same events in all forms.
func TestEventDumpsAreTheSame(t *testing.T) {
	read := func(name string) ([]pipeline.Event, pipeline.Stats) {
		r, err := open(t, nil, adapters.Options{}, fixtures+name)
		if err != nil {
			t.Fatal(err)
		}
		events, stats, rejects, err := pipeline.Collect(t.Context(), r.Source)
		if err != nil || len(rejects) > 0 {
			t.Fatal(name, err, rejects)
		}
		for i := range events {
			events[i].Raw, events[i].Origin = "", pipeline.Origin{}
		}
		return events, stats
	}
	want, stats := read("events.csv")
	if stats.Omitted.Total() == 0 || len(want) == 0 {
		t.Fatalf("stats %+v", stats)
	}
	kinds := map[pipeline.Kind]int{}
	for _, e := range want {
		kinds[e.Kind]++
		if e.Kind == pipeline.Outbound && !strings.HasPrefix(e.Target, "https://example.") {
			t.Errorf("outbound click to %q", e.Target)
		}
	}
	if kinds[pipeline.Outbound] == 0 || kinds[pipeline.Custom] == 0 {
		t.Errorf("kinds: %v", kinds)
	}
	for _, name := range []string{"events.tsv", "events-headless.csv"} {
		if got, _ := read(name); !cmp.Equal(want, got) {
			t.Errorf("%s: %.2000s", name, cmp.Diff(want, got))
		}
	}
}

func TestErrorsSayWhatToDo(t *testing.T) {
	write := func(files map[string]string) string {
		dir := t.TempDir()
		for name, content := range files {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		return dir
	}
	const visitors = "date,visitors,pageviews,bounces,visits,visit_duration\n2024-01-01,1,1,1,1,0\n"
	for _, c := range []struct{ name, dir, want string }{
		{"dashboard", fixtures + "dashboard", "Export to CSV"},
		{"overlap", write(map[string]string{"imported_visitors_1.csv": visitors, "imported_visitors_2.csv": visitors}), "only one of them"},
		{"events and sums", write(map[string]string{"imported_visitors_1.csv": visitors,
			"events.csv": "timestamp,name,user_id,session_id,hostname,pathname\n2024-01-01 00:00:00,pageview,1,1,a.b,/\n"}), "one or the other"},
		{"a day too large", write(map[string]string{"imported_visitors_1.csv": "date,visitors,pageviews,bounces,visits,visit_duration\n2024-01-01,1,99999999999,1,1,0\n"}), "damaged"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := open(t, nil, adapters.Options{}, c.dir)
			if err == nil {
				_, _, _, err = pipeline.Collect(t.Context(), r.Source)
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q in it", err, c.want)
			}
		})
	}
}

func TestBadRowsAreRejects(t *testing.T) {
	in := "date,visitors,pageviews,bounces,visits,visit_duration\nyesterday,1,1,1,1,0\n2024-01-01,2,3,1,2,10\n2024-01-02,x,1,1,1,0\n2024-01-02,1\n2024-01-03,1,1,1,1,0\n"
	r, err := open(t, strings.NewReader(in), adapters.Options{}, "-")
	if err != nil {
		t.Fatal(err)
	}
	events, stats, rejects, err := pipeline.Collect(t.Context(), r.Source)
	if err != nil {
		t.Fatal(err)
	}
	if len(events) != 4 || stats.Rows != 5 || len(rejects) != 3 {
		t.Errorf("%d events, %d rows, rejects %v", len(events), stats.Rows, rejects)
	}
}

func FuzzSiteExport(f *testing.F) {
	s := newSite(5, firstDay, 2, 6)
	for _, t := range s.sums() {
		var b bytes.Buffer
		t.csv(&b)
		f.Add(b.Bytes())
	}
	f.Fuzz(fuzz)
}

func FuzzEvents(f *testing.F) {
	s := newSite(5, firstDay, 1, 6)
	e := s.events()
	var b bytes.Buffer
	e.csv(&b)
	f.Add(b.Bytes())
	b.Reset()
	e.tsv(&b, true)
	f.Add(b.Bytes())
	b.Reset()
	e.tsv(&b, false)
	f.Add(b.Bytes())
	f.Fuzz(fuzz)
}

// fuzz reads anything: it ends, and each row is accounted for.
func fuzz(t *testing.T, data []byte) {
	if len(data) > 20_000 || bytes.Contains(data, []byte("99999")) {
		t.Skip("takes long: many visits are no error")
	}
	r, err := open(t, bytes.NewReader(data), adapters.Options{}, "-")
	if err != nil {
		return
	}
	if _, _, err := pipeline.Count(t.Context(), &pipeline.Translation{Normalizer: normalizer}, r.Source); err != nil {
		t.Skip(err)
	}
}
