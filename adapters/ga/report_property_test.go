package ga

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"hopper/adapters"
	"hopper/pipeline"
)

// drawnVisit is a visit that a report counts.
type drawnVisit struct {
	day             int
	visitor         int
	country, source string
	pages           []string
}

// drawn are visits, and the reports that Google would make of them.
type drawn struct {
	visits []drawnVisit
	users  int // of all days
}

func drawVisits(t *rapid.T) drawn {
	var d drawn
	countries, sources := []string{"Germany", "France", "Japan"}, []string{"google", "bing", "news.example.org"}
	pages := []string{"/", "/a", "/b?x=1", "/c"}
	persons := rapid.IntRange(1, 12).Draw(t, "persons")
	seen := map[int]bool{}
	for day := range rapid.IntRange(1, 4).Draw(t, "days") {
		for range rapid.IntRange(1, 15).Draw(t, "visits") {
			v := drawnVisit{day: day, visitor: rapid.IntRange(0, persons-1).Draw(t, "visitor"), source: rapid.SampledFrom(sources).Draw(t, "source")}
			v.country = countries[v.visitor%len(countries)]
			v.pages = rapid.SliceOfN(rapid.SampledFrom(pages), 1, 5).Draw(t, "pages")
			d.visits = append(d.visits, v)
			seen[v.visitor] = true
		}
	}
	d.users = len(seen)
	return d
}

// drawnReport is a report: a dimension beside the date, or none, and metrics.
type drawnReport struct {
	fields []field
	rows   map[string][]int // metrics by day and value
}

func (d *drawn) report(by field, metrics []field, values func(v *drawnVisit) []string) drawnReport {
	r := drawnReport{fields: []field{byDate}, rows: map[string][]int{}}
	if by != "" {
		r.fields = append(r.fields, by)
	}
	r.fields = append(r.fields, metrics...)
	people := map[string]map[int]bool{}
	for i := range d.visits {
		v := &d.visits[i]
		inVisit := map[string]bool{}
		for _, value := range values(v) {
			key := fmt.Sprintf("202403%02d", v.day+1) + "\x00" + value
			row := r.rows[key]
			if row == nil {
				row, people[key] = make([]int, len(metrics)), map[int]bool{}
				r.rows[key] = row
			}
			for m, f := range metrics {
				switch {
				case f == sessions && (by != byPage || !inVisit[value]):
					row[m]++
				case f == sessions:
				case f == views && by == byPage:
					row[m]++
				case f == views:
					row[m] += len(v.pages)
				case f == engagedSessions && len(v.pages) > 1:
					row[m]++
				case f == users && !people[key][v.visitor]:
					row[m]++
				}
			}
			people[key][v.visitor] = true
			inVisit[value] = true
		}
	}
	return r
}

// title returns one of the names that a field has in any language.
func drawTitle(t *rapid.T, f field) string {
	titles := dimensionTitles[f]
	if titles == "" {
		titles = metricTitles[f]
	}
	return rapid.SampledFrom(slices.DeleteFunc(strings.Split(titles, "|"), func(s string) bool { return f == sessions && isCommonName(s) })).Draw(t, "title")
}

// write writes the report in a container, with a totals row where users is not 0.
func (r *drawnReport) write(t *rapid.T, path string, users int) string {
	titles := make([]string, len(r.fields))
	for i, f := range r.fields {
		titles[i] = drawTitle(t, f)
	}
	var cells [][]string
	for _, key := range slices.Sorted(maps.Keys(r.rows)) {
		row := strings.Split(key, "\x00")
		if r.fields[1].isMetric() {
			row = row[:1]
		}
		for _, n := range r.rows[key] {
			row = append(row, fmt.Sprint(n))
		}
		cells = append(cells, row)
	}
	var b strings.Builder
	switch container := rapid.SampledFrom([]string{"csv", "semicolons", "api", "lines"}).Draw(t, "container"); {
	case container == "api":
		path += ".json"
		names := func(titles []string) (list []map[string]string) {
			for _, s := range titles {
				list = append(list, map[string]string{"name": s})
			}
			return list
		}
		values := func(cells []string) (list []map[string]string) {
			for _, s := range cells {
				list = append(list, map[string]string{"value": s})
			}
			return list
		}
		n := slices.IndexFunc(r.fields, field.isMetric)
		answer := map[string]any{"dimensionHeaders": names(titles[:n]), "metricHeaders": names(titles[n:]), "rowCount": len(cells)}
		var rows []map[string]any
		for _, row := range cells {
			rows = append(rows, map[string]any{"dimensionValues": values(row[:n]), "metricValues": values(row[n:])})
		}
		answer["rows"] = rows
		if users > 0 {
			total := slices.Repeat([]string{"RESERVED_TOTAL"}, n)
			for _, f := range r.fields[n:] {
				if f == engagedSessions {
					total = append(total, "0")
					continue
				}
				total = append(total, fmt.Sprint(users))
			}
			answer["totals"] = []map[string]any{{"dimensionValues": values(total[:n]), "metricValues": values(total[n:])}}
		}
		json.NewEncoder(&b).Encode(answer)
	case container == "lines" && users == 0:
		path += ".jsonl"
		for _, row := range cells {
			object := map[string]string{}
			for i, s := range row {
				object[titles[i]] = s
			}
			json.NewEncoder(&b).Encode(object)
		}
	default:
		path += ".csv"
		b.WriteString("# ----------------------------------------\n# Freies Format\n# ----------------------------------------\n\n")
		w := csv.NewWriter(&b)
		if container == "semicolons" {
			w.Comma = ';'
		}
		w.Write(titles)
		w.WriteAll(cells)
		if users > 0 {
			total := make([]string, len(titles))
			for i, f := range r.fields {
				if f.isMetric() {
					total[i] = fmt.Sprint(users)
				}
			}
			w.Write(total)
			w.Flush()
		}
	}
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestReportsOfDrawnVisits aggregates visits as reports do, in any language and
// container, imports the reports and counts again.
func TestReportsOfDrawnVisits(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(rt *rapid.T) {
		d := drawVisits(rt)
		withUsers := rapid.SampledFrom([]string{"", "totals row", "file"}).Draw(rt, "period's users told")
		told, opt := 0, adapters.Options{}
		switch withUsers {
		case "totals row":
			told = d.users
		case "file":
			file := filepath.Join(dir, "users.csv")
			if err := os.WriteFile(file, fmt.Appendf(nil, "period,users\n2024-03,%d\n", d.users), 0o600); err != nil {
				t.Fatal(err)
			}
			opt.Chosen = map[string]string{adapters.PeriodUsers.Name: file}
		}
		one := func(of func(v *drawnVisit) string) func(v *drawnVisit) []string {
			return func(v *drawnVisit) []string { return []string{of(v)} }
		}
		var paths []string
		add := func(r drawnReport, users int) {
			paths = append(paths, r.write(rt, filepath.Join(dir, fmt.Sprint("r", len(paths))), users))
		}
		add(d.report("", []field{sessions, users, views, engagedSessions}, one(func(*drawnVisit) string { return "" })), told)
		has := map[field]bool{}
		for _, by := range []field{byPage, byCountry, bySource} {
			if has[by] = rapid.Bool().Draw(rt, string(by)); !has[by] {
				continue
			}
			switch by {
			case byPage:
				add(d.report(by, []field{views, sessions}, func(v *drawnVisit) []string { return v.pages }), 0)
			case byCountry:
				add(d.report(by, []field{sessions, users}, one(func(v *drawnVisit) string { return v.country })), 0)
			case bySource:
				add(d.report(by, []field{sessions}, one(func(v *drawnVisit) string { return v.source })), 0)
			}
		}
		period := rapid.Bool().Draw(rt, "devices of the whole period")
		if period {
			paths = append(paths, d.writePeriod(rt, filepath.Join(dir, "period.csv")))
		}
		events, _, reading := read(t, opt, paths...)
		d.compare(rt, recountDays(events), has)
		if period && !has[byPage] { // a day's views of a page bound how many visits began there
			d.comparePeriod(rt, recountDays(events))
		}
		d.named(rt, strings.Join(reading.Notes, "\n"), has, withUsers != "")
		if people := visitorsOf(events); withUsers != "" && people != d.users {
			rt.Errorf("%d users of the period; want %d", people, d.users)
		}
	})
}

// writePeriod writes how many sessions of all days a landing page had.
func (d *drawn) writePeriod(t *rapid.T, path string) string {
	text := "# ----------------------------------------\n# Landing page\n# ----------------------------------------\n#\n# Start date: 20240301\n# End date: 20240304\n" +
		drawTitle(t, byLanding) + "," + drawTitle(t, sessions) + "\n"
	counts := map[string]int{}
	for _, v := range d.visits {
		counts[v.pages[0]]++
	}
	for _, page := range slices.Sorted(maps.Keys(counts)) {
		text += fmt.Sprintf("%s,%d\n", page, counts[page])
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// comparePeriod checks that the landing pages of all days come out together.
func (d *drawn) comparePeriod(t *rapid.T, got map[string]*dayCounts) {
	entries, want := map[string]int{}, map[string]int{}
	for _, day := range got {
		for page, n := range day.Entries {
			entries[page] += n
		}
	}
	for _, v := range d.visits {
		want[v.pages[0]]++
	}
	if diff := cmp.Diff(want, entries); diff != "" {
		t.Errorf("landing pages of the period (-want +got):\n%s", diff)
	}
}

// named checks that what the set does not tell is named.
func (d *drawn) named(t *rapid.T, notes string, has map[field]bool, withUsers bool) {
	for by, name := range map[field]string{byPage: "pages (", byCountry: "places (", bySource: "sources and campaigns ("} {
		if strings.Contains(strings.ReplaceAll(notes, "entry pages (", ""), name) == has[by] {
			t.Errorf("reports by %s: %v, but the notes are\n%s", by, has[by], notes)
		}
	}
	days := map[int]bool{}
	for _, v := range d.visits {
		days[v.day] = true
	}
	if unknown := !withUsers && len(days) > 1; strings.Contains(notes, "which of the days' users are the same people") != unknown {
		t.Errorf("the period's users are told: %v, but the notes are\n%s", withUsers, notes)
	}
}

func visitorsOf(events []pipeline.Event) int {
	people := map[string]bool{}
	for _, ev := range events {
		people[ev.Visitor] = true
	}
	return len(people)
}

func (d *drawn) compare(t *rapid.T, got map[string]*dayCounts, has map[field]bool) {
	for day := range 4 {
		want := &dayCounts{Pages: map[string]int{}, Countries: map[string]int{}, Sources: map[string]int{}}
		for _, v := range d.visits {
			if v.day != day {
				continue
			}
			want.Sessions++
			want.Views += len(v.pages)
			if len(v.pages) == 1 {
				want.Bounces++
			}
			for _, p := range v.pages {
				want.Pages[p]++
			}
			want.Countries[v.country]++
			want.Sources[v.source]++
		}
		if want.Sessions == 0 {
			continue
		}
		g := got[fmt.Sprintf("2024-03-%02d", day+1)]
		if g == nil || g.Sessions != want.Sessions || g.Views != want.Views || g.Bounces != want.Bounces {
			t.Fatalf("day %d: %+v; want %+v", day, g, want)
		}
		for f, maps := range map[field][2]map[string]int{byPage: {want.Pages, g.Pages}, byCountry: {want.Countries, g.Countries}, bySource: {want.Sources, g.Sources}} {
			if diff := cmp.Diff(maps[0], maps[1]); has[f] && diff != "" {
				t.Fatalf("day %d by %s (-want +got):\n%s", day, f, diff)
			}
		}
	}
}
