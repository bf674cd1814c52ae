package plausible

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"sync"

	"hopper/adapters/reconstruct"
	"hopper/pipeline"
	"hopper/pipeline/places"
	"hopper/pipeline/recount"
	"hopper/pipeline/vocabulary"
)

// verification compares a site export with the events made of it, counted as
// Rybbit's dashboard counts.
type verification struct {
	Days []DayCheck `json:"days"`
	// Total adds up the days.
	Total reconstruct.Report `json:"total"`
	// Guarantees say what must hold, on the days on which the export agrees
	// with itself as far as the guarantee needs it; those with a limit, where
	// a table covers nine tenths of the day's visits or more.
	Guarantees []recount.Guarantee `json:"guarantees"`
	// Stats are the translation's own counts.
	Stats pipeline.Stats `json:"stats"`
}

// DayCheck compares one day.
type DayCheck struct {
	Date string `json:"date"`
	reconstruct.Report
}

// comparison brings v into the form that all exports share.
func (v *verification) comparison() *recount.Comparison {
	c := &recount.Comparison{
		Days: []recount.Day{}, Total: linesOf(v.Total), Worst: []recount.Row{},
		Guarantees: append([]recount.Guarantee{}, v.Guarantees...), Notes: []string{}, Stats: v.Stats,
	}
	for _, d := range v.Days {
		c.Days = append(c.Days, recount.Day{Date: d.Date, Lines: linesOf(d.Report)})
	}
	return c
}

func linesOf(report reconstruct.Report) []recount.Line {
	lines := make([]recount.Line, len(report.Lines))
	for i, l := range report.Lines {
		lines[i] = recount.Line{
			Table: l.Table, Measure: l.Measure, Source: int64(l.Want), Sent: int64(l.Got), Off: int64(l.Off), Rows: int64(l.Rows), Share: l.Share(),
		}
	}
	return lines
}

// verify translates a site export once more, as t does, counts the events that
// go to Rybbit the way its dashboard does, and compares that with the export's
// tables, day by day. It reads src to its end and does not close it. Days that t
// leaves out are not compared.
func verify(ctx context.Context, src *days, t pipeline.Translation) (*recount.Comparison, error) {
	v := &verifier{src: src, normalizer: &t.Normalizer}
	collect := func() pipeline.Collector[[]visit] { return new(visits) }
	stats, err := pipeline.Translate(ctx, &t, v, pipeline.Mark{}, collect, func(_ context.Context, chunk *pipeline.Collected[[]visit]) error {
		v.visits = append(v.visits, chunk.Value...)
		return v.compare()
	})
	if err != nil {
		return nil, err
	}
	v.out.Stats = stats
	for i := range v.out.Guarantees {
		g := &v.out.Guarantees[i]
		mass := v.mass[i]
		if mass.want > 0 {
			g.Share = float64(mass.off) / float64(mass.want)
		}
		g.Holds = g.Share <= g.Limit && (g.Limit > 0 || g.Failed == 0)
	}
	return v.out.comparison(), nil
}

// verifier compares the days of a source while it is translated.
type verifier struct {
	src        *days
	normalizer *pipeline.Normalizer

	mu   sync.Mutex
	ways []*part // handed out and not compared yet, in order

	visits []visit // of the day being counted
	out    verification
	mass   []mass // of the guarantees
}

type mass struct{ want, off int }

// Next passes the source's chunks on.
func (v *verifier) Next(ctx context.Context) (pipeline.Chunk, error) {
	c, err := v.src.Next(ctx)
	if err == nil {
		v.mu.Lock()
		v.ways = append(v.ways, c.(*part))
		v.mu.Unlock()
	}
	return c, err
}

// Close does nothing: the source is the caller's.
func (v *verifier) Close() error { return nil }

// visit is what the dashboard knows of a session.
type visit struct {
	visitor     string
	first, last pipeline.Micros
	keys        [len(dimensions)]string
	views       []string // pages in time order
	at          []pipeline.Micros
	events      []string
	props       []string
}

// visits collects the sessions of one chunk.
type visits struct {
	index  map[string]int
	visits []visit
}

// Begin forgets the chunk before.
func (o *visits) Begin() { o.index, o.visits = map[string]int{}, nil }

// Add adds an event to its session.
func (o *visits) Add(ev *pipeline.Event) {
	i, ok := o.index[ev.Session]
	if !ok {
		i = len(o.visits)
		o.index[ev.Session] = i
		o.visits = append(o.visits, visit{visitor: ev.Visitor, first: ev.Time, last: ev.Time, keys: [...]string{
			ev.Referrer + "\x00" + ev.Query,
			ev.Country + "\x00" + ev.Region + "\x00" + ev.City,
			ev.Device,
			ev.Browser + "\x00" + ev.BrowserVersion,
			ev.OS + "\x00" + ev.OSVersion,
		}})
	}
	s := &o.visits[i]
	s.first, s.last = min(s.first, ev.Time), max(s.last, ev.Time)
	link, path := ev.Target, ""
	for _, p := range ev.Properties {
		switch {
		case p.Key == "url":
			link = p.Value
		case p.Key == "path":
			path = p.Value
		default:
			s.props = append(s.props, p.Key+"\x00"+p.Value)
		}
	}
	if ev.Kind == pipeline.Pageview {
		s.views, s.at = append(s.views, ev.Path), append(s.at, ev.Time)
		return
	}
	s.events = append(s.events, ev.Name+"\x00"+link+"\x00"+path)
}

// Done returns the chunk's sessions.
func (o *visits) Done() []visit { return o.visits }

// counter counts a table's rows by key.
type counter struct {
	index map[string]int
	sums  [5][]int
	seen  map[string]bool // key and visitor
}

func newCounter() *counter { return &counter{index: map[string]int{}, seen: map[string]bool{}} }

func (c *counter) at(key string) int {
	i, ok := c.index[key]
	if !ok {
		i = len(c.index)
		c.index[key] = i
		for m := range c.sums {
			c.sums[m] = append(c.sums[m], 0)
		}
	}
	return i
}

func (c *counter) add(key, visitor string, s reconstruct.Sums) {
	i := c.at(key)
	for m, n := range [...]int{s.Visits, s.Bounces, 0, s.Pageviews, s.Duration} {
		c.sums[m][i] += n
	}
	if k := strconv.Itoa(i) + "|" + visitor; visitor != "" && !c.seen[k] {
		c.seen[k] = true
		c.sums[2][i]++
	}
}

// want adds an export's row.
func (c *counter) want(key string, s reconstruct.Sums) {
	i := c.at(key)
	for m, n := range [...]int{s.Visits, s.Bounces, s.Visitors, s.Pageviews, s.Duration} {
		c.sums[m][i] += n
	}
}

// compare is called after each chunk, and compares a day after its last.
func (v *verifier) compare() error {
	v.mu.Lock()
	p := v.ways[0]
	v.ways = v.ways[1:]
	v.mu.Unlock()
	if p.index+1 < p.of {
		return nil
	}
	visits := v.visits
	v.visits = nil
	since, until := v.normalizer.Since, v.normalizer.Until
	if p.date == "" || pipeline.MicrosOf(p.start) < since || until != 0 && pipeline.MicrosOf(p.end) > until {
		return nil
	}
	v.compareDay(p.day, visits)
	return nil
}

var measures = [5]string{"visits", "bounces", "visitors", "pageviews", "duration"}

func (v *verifier) compareDay(d *day, visits []visit) {
	got := map[string]*counter{}
	for _, name := range []string{"visitors", "pages", "entry_pages", "exit_pages", "custom_events", "custom_props",
		"sources", "locations", "devices", "browsers", "operating_systems"} {
		got[name] = newCounter()
	}
	for i := range visits {
		countVisit(got, &visits[i])
	}
	check := DayCheck{Date: d.date}
	expected := expectations(d)
	for k := range d.tables {
		t := &d.tables[k]
		if len(t.keys) == 0 {
			continue
		}
		name := kind(k).String()
		want, have := newCounter(), got[name]
		told := 0
		for _, s := range t.sums {
			told += s.Visits
		}
		covers := !partly(kind(k)) || told >= len(visits)
		for i, key := range t.keys {
			want.want(canonical(kind(k), key), t.sums[i])
		}
		for m, measure := range measures {
			if t.has&(1<<m) == 0 {
				continue
			}
			w, g := align(want, have, m, covers)
			if k == int(customEventsTable) || k == int(customPropsTable) {
				if m == 0 {
					measure = "events"
				}
			}
			check.Compare(name, measure, w, g)
			most := limit(kind(k), m)
			v.judge(name, measure, most, expected[k] && (most == 0 || 10*told >= 9*len(visits)), w, g)
		}
	}
	v.out.Days = append(v.out.Days, check)
	v.out.Total.Add(check.Report)
}

// partly reports whether a table may leave visits out.
func partly(k kind) bool { return k >= locationsTable || k == sourcesTable }

// align returns both counters' numbers of a measure, row by row. Where a table
// does not cover all visits, those it leaves out have an empty key in Rybbit,
// which is not compared.
func align(want, got *counter, m int, covers bool) (w, g []int) {
	skip := func(key string) bool { return !covers && strings.Trim(key, "\x00") == "" }
	for key, i := range want.index {
		if skip(key) {
			continue
		}
		w = append(w, want.sums[m][i])
		if j, ok := got.index[key]; ok {
			g = append(g, got.sums[m][j])
		} else {
			g = append(g, 0)
		}
	}
	for key, j := range got.index {
		if _, ok := want.index[key]; !ok && !skip(key) {
			w, g = append(w, 0), append(g, got.sums[m][j])
		}
	}
	return w, g
}

// countVisit counts a session in every table.
func countVisit(got map[string]*counter, s *visit) {
	// Events of a session come in time order but for its parts' order.
	sums := reconstruct.Sums{Visits: 1, Pageviews: len(s.views), Duration: int((s.last - s.first) / 1e6)}
	if len(s.views) == 1 {
		sums.Bounces = 1
	}
	got["visitors"].add("", s.visitor, sums)
	for i, k := range dimensions {
		got[k.String()].add(s.keys[i], s.visitor, sums)
	}
	if n := len(s.views); n > 0 {
		first, last := 0, 0
		for i := range s.at {
			if s.at[i] < s.at[first] {
				first = i
			}
			if s.at[i] >= s.at[last] {
				last = i
			}
		}
		got["entry_pages"].add(s.views[first], s.visitor, sums)
		got["exit_pages"].add(s.views[last], s.visitor, sums)
	}
	for i, page := range s.views {
		once := 0
		if slices.Index(s.views, page) == i {
			once = 1
		}
		got["pages"].add(page, s.visitor, reconstruct.Sums{Visits: once, Pageviews: 1})
	}
	for _, e := range s.events {
		got["custom_events"].add(e, s.visitor, reconstruct.Sums{Visits: 1})
	}
	for _, p := range s.props {
		got["custom_props"].add(p, s.visitor, reconstruct.Sums{Visits: 1})
	}
}

// canonical returns the key under which Rybbit shows a row: two rows of an
// export can become one there (Laptop and Desktop).
func canonical(k kind, key string) string {
	c := cells(key)
	var none string
	switch k {
	case sourcesTable:
		o := originOf(key)
		return o.referrer + "\x00" + o.query
	case locationsTable:
		p := placeOf(key)
		country, _ := places.Country(p.country)
		region := ""
		if p.region != "" {
			region, _ = places.Region(country, p.region)
		}
		return country + "\x00" + region + "\x00" + p.city
	case devicesTable:
		name, _ := vocabulary.Device(c[0])
		return name
	case browsersTable:
		vocabulary.Normalize(&c[0], &c[1], &none, &none, &none)
		return c[0] + "\x00" + c[1]
	case systemsTable:
		vocabulary.Normalize(&none, &none, &c[0], &c[1], &none)
		return c[0] + "\x00" + c[1]
	case pagesTable, entryPagesTable, exitPagesTable:
		page, _, _ := strings.Cut(key, "?")
		switch {
		case key == "":
			page = notSet
		case page == "" || page[0] != '/':
			page = "/" + page
		}
		return pipeline.EscapePath(page)
	}
	return key
}

// limit is the share of a measure's mass that may stand in wrong rows, or a
// negative number where nothing is promised.
func limit(k kind, measure int) float64 {
	switch k {
	case visitorsTable:
		return 0
	case pagesTable:
		if measure == 3 {
			return 0
		}
		return -1
	case customEventsTable, customPropsTable:
		if measure == 0 {
			return 0
		}
		return -1
	}
	return [5]float64{0, 0, 0.03, 0.05, 0.15}[measure]
}

// expectations says for which tables a day agrees with itself, so that what
// is promised of them must hold.
func expectations(d *day) (ok [kinds]bool) {
	var sums [kinds]reconstruct.Sums
	for k := range d.tables {
		for _, s := range d.tables[k].sums {
			t := &sums[k]
			t.Visits += s.Visits
			t.Bounces += s.Bounces
			t.Pageviews += s.Pageviews
		}
	}
	day := sums[visitorsTable]
	if d.tables[visitorsTable].has&(1<<5-1) != 1<<5-1 {
		return ok
	}
	others := day.Visits - day.Bounces
	visitors := d.tables[visitorsTable].sums[0].Visitors
	possible := day.Bounces <= day.Visits && day.Pageviews-day.Bounces >= 2*others && (others > 0 || day.Pageviews == day.Bounces) &&
		visitors <= day.Visits && (visitors > 0) == (day.Visits > 0)
	ok[visitorsTable] = possible
	for _, k := range dimensions {
		s := sums[k]
		ok[k] = possible && s.Visits <= day.Visits && s.Bounces <= day.Bounces && s.Visits-s.Bounces <= others
	}
	ok[pagesTable] = possible && sums[pagesTable].Pageviews == day.Pageviews
	// A visit's ends need pageviews of their page, and bounces the same page at both.
	ends := ok[pagesTable] && sums[entryPagesTable].Visits == day.Visits && sums[exitPagesTable].Visits == day.Visits &&
		sums[entryPagesTable].Bounces == day.Bounces
	if ends {
		need := map[string]int{}
		bounces := map[string]int{}
		for _, k := range []kind{entryPagesTable, exitPagesTable} {
			sign := 1
			if k == exitPagesTable {
				sign = -1
			}
			for i, key := range d.tables[k].keys {
				s := d.tables[k].sums[i]
				need[key] += s.Visits
				bounces[key] += sign * s.Bounces
				if k == exitPagesTable {
					need[key] -= s.Bounces
				}
				ends = ends && s.Bounces <= s.Visits
			}
		}
		for i, key := range d.tables[pagesTable].keys {
			need[key] -= d.tables[pagesTable].sums[i].Pageviews
		}
		for key := range need {
			ends = ends && need[key] <= 0 && bounces[key] == 0
		}
	}
	ok[entryPagesTable], ok[exitPagesTable] = ends, ends
	ok[customEventsTable] = true
	carriers := day.Pageviews + sums[customEventsTable].Visits
	perName := map[string]int{}
	ok[customPropsTable] = possible
	for i, key := range d.tables[customPropsTable].keys {
		name, _, _ := strings.Cut(key, "\x00")
		perName[name] += d.tables[customPropsTable].sums[i].Visits
		ok[customPropsTable] = ok[customPropsTable] && perName[name] <= carriers
	}
	return ok
}

// judge adds a day's measure to its guarantee, on a day on which it must hold.
func (v *verifier) judge(table, measure string, limit float64, expected bool, want, got []int) {
	if limit < 0 {
		return
	}
	i := slices.IndexFunc(v.out.Guarantees, func(g recount.Guarantee) bool { return g.Table == table && g.Measure == measure })
	if i < 0 {
		i = len(v.out.Guarantees)
		v.out.Guarantees = append(v.out.Guarantees, recount.Guarantee{Table: table, Measure: measure, Limit: limit})
		v.mass = append(v.mass, mass{})
	}
	if !expected {
		return
	}
	var r reconstruct.Report
	r.Compare(table, measure, want, got)
	g, m := &v.out.Guarantees[i], &v.mass[i]
	g.Days++
	if limit == 0 && r.Lines[0].Off > 0 {
		g.Failed++
	}
	m.want += r.Lines[0].Want
	m.off += r.Lines[0].Off
}
