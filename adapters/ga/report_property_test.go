package ga

import (
	"cmp"
	"encoding/csv"
	"encoding/json"
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

	diffs "github.com/google/go-cmp/cmp"
	"github.com/linkedin/goavro/v2"
	"github.com/parquet-go/parquet-go"
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
	seconds         int
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
			if len(v.pages) > 1 {
				v.seconds = rapid.IntRange(1, 4000).Draw(t, "seconds")
			}
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
				case f == averageSession:
					row[m] += v.seconds
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

// The forms of days and of lengths of time.
var (
	dayForms = []func(day time.Time) string{
		func(d time.Time) string { return d.Format("20060102") }, func(d time.Time) string { return d.Format(time.DateOnly) },
		func(d time.Time) string { return d.Format("Jan 2, 2006") }, func(d time.Time) string { return fmt.Sprintf("%d. März 2024", d.Day()) },
		func(d time.Time) string { return fmt.Sprintf("%d mars 2024", d.Day()) }, func(d time.Time) string { return fmt.Sprintf("%d de março de 2024", d.Day()) },
		func(d time.Time) string { return fmt.Sprintf("%d marca 2024", d.Day()) }, func(d time.Time) string { return fmt.Sprintf("%d Mart 2024", d.Day()) },
		func(d time.Time) string { return fmt.Sprintf("%d мар. 2024 г.", d.Day()) }, func(d time.Time) string { return fmt.Sprintf("2024年3月%d日", d.Day()) },
		func(d time.Time) string { return fmt.Sprintf("2024. 3. %d.", d.Day()) },
	}
	lengthForms = []func(seconds float64) string{
		func(s float64) string { return fmt.Sprint(s) },
		func(s float64) string { return fmt.Sprintf("00:%02d:%02d", int(s+.5)/60, int(s+.5)%60) },
		func(s float64) string { return fmt.Sprintf("%dm %ds", int(s+.5)/60, int(s+.5)%60) },
		func(s float64) string { return fmt.Sprintf("%d Min. %d Sek.", int(s+.5)/60, int(s+.5)%60) },
		func(s float64) string { return fmt.Sprintf("%d min y %d s", int(s+.5)/60, int(s+.5)%60) },
		func(s float64) string { return fmt.Sprintf("%d dk. %d sn.", int(s+.5)/60, int(s+.5)%60) },
		func(s float64) string { return fmt.Sprintf("%d мин. %d сек.", int(s+.5)/60, int(s+.5)%60) },
		func(s float64) string { return fmt.Sprintf("%d分%d秒", int(s+.5)/60, int(s+.5)%60) },
		func(s float64) string { return fmt.Sprintf("%d분 %d초", int(s+.5)/60, int(s+.5)%60) },
	}
)

// cells returns the report's rows, with days and lengths of time in some form.
func (r *drawnReport) cells(t *rapid.T) (cells [][]string) {
	dayForm, lengthForm := rapid.SampledFrom(dayForms).Draw(t, "form of days"), rapid.SampledFrom(lengthForms).Draw(t, "form of lengths")
	at := slices.IndexFunc(r.fields, field.isMetric)
	for _, key := range slices.Sorted(maps.Keys(r.rows)) {
		row := strings.Split(key, "\x00")[:at]
		day, err := time.Parse("20060102", row[0])
		if err != nil {
			t.Fatal(err)
		}
		row[0] = dayForm(day)
		for m, n := range r.rows[key] {
			if r.fields[at+m] == averageSession {
				row = append(row, lengthForm(float64(n)/float64(r.rows[key][0])))
				continue
			}
			row = append(row, fmt.Sprint(n))
		}
		cells = append(cells, row)
	}
	return cells
}

// writeParquet writes counts as numbers.
func writeParquet(t *rapid.T, to io.Writer, titles []string, fields []field, cells [][]string) {
	group := parquet.Group{}
	isCount := func(i int) bool { return fields[i].isMetric() && !fields[i].isMean() }
	for i, title := range titles {
		if group[title] = parquet.String(); isCount(i) {
			group[title] = parquet.Int(64)
		}
	}
	w := parquet.NewGenericWriter[map[string]any](to, parquet.NewSchema("report", group))
	for _, row := range cells {
		object := map[string]any{}
		for i, s := range row {
			if object[titles[i]] = s; isCount(i) {
				n, _ := strconv.ParseInt(s, 10, 64)
				object[titles[i]] = n
			}
		}
		if _, err := w.Write([]map[string]any{object}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

// writeAvro writes text, under the names of the API: Avro's have letters alone.
func writeAvro(t *rapid.T, to io.Writer, fields []field, cells [][]string) {
	var members []string
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i], _, _ = strings.Cut(cmp.Or(dimensionTitles[f], metricTitles[f]), "|")
		members = append(members, fmt.Sprintf(`{"name":%q,"type":"string"}`, names[i]))
	}
	w, err := goavro.NewOCFWriter(goavro.OCFConfig{W: to, Schema: `{"type":"record","name":"report","fields":[` + strings.Join(members, ",") + `]}`})
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range cells {
		object := map[string]any{}
		for i, s := range row {
			object[names[i]] = s
		}
		if err := w.Append([]any{object}); err != nil {
			t.Fatal(err)
		}
	}
}

// write writes the report in a container, with a totals row where users is not 0.
func (r *drawnReport) write(t *rapid.T, path string, users int) string {
	titles := make([]string, len(r.fields))
	for i, f := range r.fields {
		titles[i] = drawTitle(t, f)
	}
	cells := r.cells(t)
	var b strings.Builder
	switch container := rapid.SampledFrom([]string{"csv", "semicolons", "api", "lines", "parquet", "avro"}).Draw(t, "container"); {
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
	case container == "parquet" && users == 0:
		path += ".parquet"
		writeParquet(t, &b, titles, r.fields, cells)
	case container == "avro" && users == 0:
		path += ".avro"
		writeAvro(t, &b, r.fields, cells)
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
		add(d.report("", []field{sessions, users, views, engagedSessions, averageSession}, one(func(*drawnVisit) string { return "" })), told)
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
	if diff := diffs.Diff(want, entries); diff != "" {
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
			want.Seconds += float64(v.seconds)
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
		if off := g.Seconds - want.Seconds; off*off > float64(want.Sessions*want.Sessions) { // averages are of whole seconds
			t.Fatalf("day %d: %f seconds, not %f", day, g.Seconds, want.Seconds)
		}
		for f, maps := range map[field][2]map[string]int{byPage: {want.Pages, g.Pages}, byCountry: {want.Countries, g.Countries}, bySource: {want.Sources, g.Sources}} {
			if diff := diffs.Diff(maps[0], maps[1]); has[f] && diff != "" {
				t.Fatalf("day %d by %s (-want +got):\n%s", day, f, diff)
			}
		}
	}
}
