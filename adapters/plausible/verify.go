package plausible

import (
	"context"
	"crypto/sha256"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"hopper/adapters/input/rows"
	"hopper/adapters/plausible/cities"
	"hopper/adapters/reconstruct"
	"hopper/pipeline"
	"hopper/pipeline/places"
	"hopper/pipeline/recount"
	"hopper/pipeline/vocabulary"
)

// verify translates a site export once more, as t does, counts the events that
// go to Rybbit the way its dashboard does, and compares that with the export's
// tables, day by day. It reads src to its end and does not close it. Days that t
// leaves out are not compared.
func verify(ctx context.Context, src *days, t pipeline.Translation, progress func(int64)) (_ *recount.Comparison, err error) {
	layout := layoutOf(src, t.Normalizer.Hostname)
	count := recount.NewCount(layout, src.opt.Scratch())
	defer func() {
		if closed := count.Close(); err == nil {
			err = closed
		}
	}()
	v := &verifier{days: src, sums: count.Sums, rules: &t.Normalizer, agreed: map[string]agreement{}, totals: map[string]*[kinds]reconstruct.Sums{}}
	stats, err := pipeline.Translate(ctx, &t, v, pipeline.Mark{}, count.Hits, func(_ context.Context, chunk *pipeline.Collected[*recount.Hits]) error {
		if progress != nil {
			progress(chunk.Before.Stats.Events + chunk.Stats.Events)
		}
		return count.Sent(chunk.Value)
	})
	if err != nil {
		return nil, err
	}
	if err := v.read(ctx); err != nil {
		return nil, err
	}
	if err := count.Finish(ctx, t.Jobs); err != nil {
		return nil, err
	}
	c, err := count.Sums.Compare(ctx, recount.Kept, recount.Sent)
	if err != nil {
		return nil, err
	}
	c.Stats = stats
	return c, nil
}

// measures are the names and the measures of a table's columns.
var measures = [5]string{"visits", "bounces", "visitors", "pageviews", "duration"}

var counted = [5]recount.Measure{recount.Sessions, recount.Bounces, recount.Users, recount.Pageviews, recount.Seconds}

// strangeHosts is the table of the hosts that no page of the export has.
const strangeHosts = kinds

// layoutOf lays the export's tables out as events are counted, in the order of
// their kinds, and then the hosts that no page has.
func layoutOf(src *days, hostname string) *recount.Layout {
	known := src.knownHosts(hostname)
	l := &recount.Layout{Zone: src.opt.Location(), Dimensions: len(dimensions) + 1, Hit: func(ev *pipeline.Event, h *recount.Hit) {
		countEvent(ev, h)
		if known != nil && !known[ev.Hostname] {
			h.Rows[len(dimensions)] = rowOf(ev.Hostname)
		}
	}}
	for k := range kind(kinds) {
		t := recount.Table{Name: k.String(), By: subjects[k], Partial: partly(k)}
		for i, d := range dimensions {
			if d == k {
				t.Dimension = i
			}
		}
		for m, name := range measures {
			column := recount.Column{Measure: counted[m], Name: name, Limit: limit(k, m)}
			if m == 0 && (k == customEventsTable || k == customPropsTable) {
				column.Measure, column.Name = recount.Events, "events"
			}
			t.Columns = append(t.Columns, column)
		}
		l.Tables = append(l.Tables, t)
	}
	l.Tables = append(l.Tables, recount.Table{Name: "hosts of no page", By: recount.ByDimension, Dimension: len(dimensions),
		Columns: []recount.Column{{Measure: recount.Events, Name: "events"}}})
	return l
}

// knownHosts returns the hosts that the pages and the user name, or nil where
// these are too many or stand within pages.
func (d *days) knownHosts(hostname string) map[string]bool {
	known := map[string]bool{"": true, strings.ToLower(hostname): true}
	for _, t := range d.tables {
		if t.kind != pagesTable {
			continue
		}
		if len(t.hosts) >= manyHosts || t.addresses {
			return nil
		}
		for host := range t.hosts {
			known[strings.TrimRight(strings.ToLower(host), ".")] = true
		}
	}
	return known
}

var subjects = [kinds]recount.Subject{
	visitorsTable: recount.ByDay, pagesTable: recount.ByPage, entryPagesTable: recount.ByEntry, exitPagesTable: recount.ByExit,
	customEventsTable: recount.ByName, customPropsTable: recount.ByProperty,
	sourcesTable: recount.ByDimension, locationsTable: recount.ByDimension, devicesTable: recount.ByDimension,
	browsersTable: recount.ByDimension, systemsTable: recount.ByDimension,
}

// partly reports whether a table may leave visits out.
func partly(k kind) bool { return k >= locationsTable || k == sourcesTable }

// countEvent says what an event counts as in the export's tables.
func countEvent(ev *pipeline.Event, h *recount.Hit) {
	copy(h.Rows, []string{
		rowOf(ev.Referrer, ev.Query),
		rowOf(ev.Country, ev.Region, ev.City),
		rowOf(ev.Device),
		rowOf(ev.Browser, ev.BrowserVersion),
		rowOf(ev.OS, ev.OSVersion),
	})
	link, path := ev.Target, ""
	for _, p := range ev.Properties {
		switch {
		case p.Key == "url":
			link = p.Value
		case p.Key == "path":
			path = p.Value
		default:
			h.Properties = append(h.Properties, rowOf(p.Key, p.Value))
		}
	}
	if ev.Kind == pipeline.Pageview {
		h.Page = rowOf(ev.Path)
		return
	}
	h.Name = rowOf(ev.Name, link, path)
	if ev.Kind == pipeline.Outbound {
		h.Name = rowOf(ev.Name, link, path, outbound)
	}
}

// rowOf makes a row of values; without any it is that without a value.
func rowOf(values ...string) string {
	for i := range values {
		values[i] = recount.Clip(values[i])
	}
	if row := strings.Join(values, "\x00"); row != "" {
		return row
	}
	return recount.NoValue
}

// verifier reads the tables once more, and sees the days as they are translated.
type verifier struct {
	*days
	sums   *recount.Sums
	rules  *pipeline.Normalizer
	agreed map[string]agreement                // by date
	totals map[string]*[kinds]reconstruct.Sums // by date
}

// agreement says of a day which of its tables agree with each other, page by
// page and value by value.
type agreement struct{ ends, properties bool }

// Next also looks at the day.
func (v *verifier) Next(ctx context.Context) (pipeline.Chunk, error) {
	c, err := v.days.Next(ctx)
	if err == nil {
		if p := c.(*part); p.index == 0 && p.date != "" {
			v.agreed[p.date] = agreement{endsAgree(p.day), propertiesAgree(p.day)}
		}
	}
	return c, err
}

// read adds what the tables say, and what of it is promised.
func (v *verifier) read(ctx context.Context) error {
	for _, t := range v.tables {
		if err := v.readTable(ctx, t); err != nil {
			return err
		}
	}
	for date, totals := range v.totals {
		day, err := recount.ParseDay(date)
		if err != nil {
			return err
		}
		v.sums.Tell(day, strangeHosts, 0)
		v.sums.Promise(day, strangeHosts)
		for k, promised := range v.promises(totals, v.agreed[date]) {
			if promised {
				v.sums.Promise(day, k)
			}
		}
	}
	return nil
}

// readTable looks up the columns by their names and understands no more of the
// rows than that.
func (v *verifier) readTable(ctx context.Context, t *sumsTable) error {
	k := t.kind
	columns := [5]int{
		t.Column(first(visitColumns[k], "visits")...), t.Column("bounces"), t.Column("visitors"), t.Column("pageviews"), t.Column("visit_duration"),
	}
	date := t.Column("date")
	read := readRows{sorted: t.sorted}
	return t.Each(ctx, func(row *rows.Row) error {
		if row.Err != nil || t.only != "" && t.site >= 0 && strings.TrimSuffix(row.Cells[t.site], ".0") != t.only || read.again(row.Cells, date) {
			return nil
		}
		cell := func(column string) string {
			if i := t.Column(column); i >= 0 {
				return row.Cells[i]
			}
			return ""
		}
		day, ok := v.day(t, row.Cells[date])
		if !ok || k == customEventsTable && cell("name") == "engagement" ||
			k == customPropsTable && (cell("property") == "url" || cell("property") == "path") {
			return nil
		}
		var n [5]int
		for m, column := range columns {
			if column < 0 {
				continue
			}
			if n[m], ok = v.amount(t, m, row.Cells[column]); !ok {
				return nil
			}
		}
		keys := make([]string, len(keyColumns[k]))
		for i, column := range keyColumns[k] {
			if keys[i] = cell(column); t.nulls && isNull(keys[i]) {
				keys[i] = ""
			}
		}
		return v.addRow(day, k, canonical(k, keyOf(keys)), n, columns)
	})
}

// day reads a day by itself where it is written as the export has it.
func (v *verifier) day(t *sumsTable, cell string) (string, bool) {
	if len(cell) == len(time.DateOnly) && cell[4] == '-' {
		_, err := recount.ParseDay(cell)
		return cell, err == nil
	}
	if day := dayWithin(cell, t.Input.Base); day != "" {
		return day, true
	}
	return t.dates.day(cell)
}

// dayWithin reads 3/1/2024, 3/1/24 and 01.03.2024 where but one order of day and month
// is among the days of the file's name.
func dayWithin(cell, base string) string {
	days := namedDays.FindStringSubmatch(base)
	numbers := strings.FieldsFunc(cell, func(r rune) bool { return strings.ContainsRune("/.-", r) })
	if days == nil || len(numbers) != 3 {
		return ""
	}
	if len(numbers[2]) == 2 {
		numbers[2] = "20" + numbers[2]
	}
	var found []string
	for _, order := range [...][2]string{{numbers[0], numbers[1]}, {numbers[1], numbers[0]}} {
		at, err := time.Parse("2006-1-2", numbers[2]+"-"+order[0]+"-"+order[1])
		if compact := at.Format("20060102"); err == nil && compact >= days[1] && compact <= days[2] {
			found = append(found, at.Format(time.DateOnly))
		}
	}
	if len(found) == 1 || len(found) == 2 && found[0] == found[1] {
		return found[0]
	}
	return ""
}

// amount reads a number by itself where it is written plainly.
func (v *verifier) amount(t *sumsTable, measure int, cell string) (int, bool) {
	if n, err := strconv.Atoi(cell); err == nil {
		return max(n, 0), true
	}
	if groups := strings.FieldsFunc(cell, func(r rune) bool { return strings.ContainsRune(".,'", r) }); len(groups) > 1 &&
		!slices.ContainsFunc(groups[1:], func(g string) bool { return len(g) != 3 || g == "000" }) {
		n, err := strconv.Atoi(strings.Join(groups, ""))
		return n, err == nil
	}
	f, ok := t.amounts.amount(measure, cell)
	return int(max(math.Round(f), 0)), ok
}

// readRows are the rows of a table that were read, of one day where the table
// is sorted: a row that stands in it twice counts once.
type readRows struct {
	sorted bool
	date   string
	lines  map[string]bool
}

func (r *readRows) again(cells []string, date int) bool {
	if r.lines == nil || r.sorted && cells[date] != r.date {
		r.date, r.lines = strings.Clone(cells[date]), map[string]bool{}
	}
	sum := sha256.Sum256([]byte(strings.Join(cells, "\x00")))
	line := string(sum[:16])
	again := r.lines[line]
	r.lines[line] = true
	return again
}

// first returns a list of a text, where there is one, and another.
func first(text, other string) []string {
	if text == "" {
		return []string{other}
	}
	return []string{text, other}
}

// visitColumns are what tables call their visits, or what stands in their place.
var visitColumns = [kinds]string{entryPagesTable: "entrances", exitPagesTable: "exits", customEventsTable: "events", customPropsTable: "events"}

// keyColumns are the columns that make a row.
var keyColumns = [kinds][]string{
	sourcesTable:      {"source", "referrer", "utm_source", "utm_medium", "utm_campaign", "utm_content", "utm_term"},
	pagesTable:        {"page"},
	entryPagesTable:   {"entry_page"},
	exitPagesTable:    {"exit_page"},
	customEventsTable: {"name", "link_url", "path"},
	customPropsTable:  {"property", "value"},
	locationsTable:    {"country", "region", "city"},
	devicesTable:      {"device"},
	browsersTable:     {"browser", "browser_version"},
	systemsTable:      {"operating_system", "operating_system_version"},
}

// addRow adds a row of a day, unless the day is not asked for as a whole.
func (v *verifier) addRow(date string, k kind, key string, n [5]int, columns [5]int) error {
	day, err := recount.ParseDay(date)
	if err != nil {
		return err
	}
	v.sums.Know(day)
	d := newDay(date, v.opt)
	if pipeline.MicrosOf(d.start) < v.rules.Since || v.rules.Until != 0 && pipeline.MicrosOf(d.end) > v.rules.Until {
		return nil
	}
	if n == [5]int{} && k != visitorsTable {
		return nil
	}
	totals := v.totals[date]
	if totals == nil {
		totals = new([kinds]reconstruct.Sums)
		v.totals[date] = totals
	}
	t := &totals[k]
	t.Visits, t.Bounces, t.Visitors, t.Pageviews = t.Visits+n[0], t.Bounces+n[1], t.Visitors+n[2], t.Pageviews+n[3]
	for m, column := range columns {
		if column < 0 {
			continue
		}
		v.sums.Tell(day, int(k), m)
		if err := v.sums.Add(recount.Source, day, int(k), m, key, int64(n[m])); err != nil {
			return err
		}
	}
	return nil
}

// canonical returns the key under which Rybbit shows a row: two rows of an
// export can become one there (Laptop and Desktop).
func canonical(k kind, key string) string {
	c := cells(key)
	var none string
	switch k {
	case sourcesTable:
		o := originOf(key)
		return rowOf(o.referrer, o.query)
	case locationsTable:
		country, _ := places.Country(c[0])
		region := ""
		if c[1] != "" {
			region, _ = places.Region(country, c[1])
		}
		city := c[2]
		if id, err := strconv.ParseUint(strings.TrimSuffix(city, ".0"), 10, 32); err == nil {
			city, _ = cities.Name(uint32(id))
		}
		return rowOf(country, region, city)
	case devicesTable:
		name, _ := vocabulary.Device(c[0])
		return rowOf(name)
	case browsersTable:
		vocabulary.Normalize(&c[0], &c[1], &none, &none, &none)
		return rowOf(c[0], c[1])
	case systemsTable:
		vocabulary.Normalize(&none, &none, &c[0], &c[1], &none)
		return rowOf(c[0], c[1])
	case customEventsTable:
		if c[0] == "Outbound Link: Click" && strings.Contains(c[1], "://") {
			c = append(c, outbound)
		}
	case pagesTable, entryPagesTable, exitPagesTable:
		page, _, _ := strings.Cut(key, "?")
		if _, address, found := strings.Cut(page, "://"); found && strings.HasPrefix(page, "http") {
			_, page, _ = strings.Cut(address, "/")
		}
		switch {
		case key == "":
			page = notSet
		case page == "" || page[0] != '/':
			page = "/" + page
		}
		return rowOf(pipeline.EscapePath(page))
	}
	return rowOf(c...)
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

// promises says which tables of a day agree with each other, so that what is
// promised of them must hold.
func (v *verifier) promises(sums *[kinds]reconstruct.Sums, agreed agreement) (ok [kinds]bool) {
	ok[customEventsTable] = true
	day := sums[visitorsTable]
	if !v.complete() {
		return ok
	}
	others := day.Visits - day.Bounces
	possible := day.Bounces <= day.Visits && day.Pageviews-day.Bounces >= 2*others && (others > 0 || day.Pageviews == day.Bounces) &&
		day.Visitors <= day.Visits && (day.Visitors > 0) == (day.Visits > 0)
	ok[visitorsTable] = possible
	for _, k := range dimensions {
		s := sums[k]
		ok[k] = possible && s.Visits <= day.Visits && s.Bounces <= day.Bounces && s.Visits-s.Bounces <= others
	}
	ok[pagesTable] = possible && sums[pagesTable].Pageviews == day.Pageviews
	// A visit's ends need pageviews of their page, and bounces the same page at both.
	ends := agreed.ends && ok[pagesTable] && sums[entryPagesTable].Visits == day.Visits && sums[exitPagesTable].Visits == day.Visits &&
		sums[entryPagesTable].Bounces == day.Bounces
	ok[entryPagesTable], ok[exitPagesTable] = ends, ends
	ok[customPropsTable] = possible && agreed.properties
	return ok
}

// complete reports whether the table of days has all measures.
func (v *verifier) complete() bool {
	for _, t := range v.tables {
		if t.kind == visitorsTable && t.Column("visits") >= 0 && t.Column("bounces") >= 0 && t.Column("visitors") >= 0 &&
			t.Column("pageviews") >= 0 && t.Column("visit_duration") >= 0 {
			return true
		}
	}
	return false
}

// endsAgree reports whether each page has the views that its entries and exits
// need, and the same bounces at both ends.
func endsAgree(d *day) bool {
	need, bounces := map[string]int{}, map[string]int{}
	for _, end := range [...]struct {
		kind
		sign int
	}{{entryPagesTable, 1}, {exitPagesTable, -1}} {
		for i, key := range d.tables[end.kind].keys {
			s := d.tables[end.kind].sums[i]
			if s.Bounces > s.Visits {
				return false
			}
			need[key] += s.Visits
			bounces[key] += end.sign * s.Bounces
			if end.kind == exitPagesTable {
				need[key] -= s.Bounces
			}
		}
	}
	for i, key := range d.tables[pagesTable].keys {
		need[key] -= d.tables[pagesTable].sums[i].Pageviews
	}
	for key := range need {
		if need[key] > 0 || bounces[key] != 0 {
			return false
		}
	}
	return true
}

// propertiesAgree reports whether there are as many events as a property has values.
func propertiesAgree(d *day) bool {
	carriers := 0
	for _, s := range d.tables[visitorsTable].sums {
		carriers += s.Pageviews
	}
	for _, s := range d.tables[customEventsTable].sums {
		carriers += s.Visits
	}
	perName := map[string]int{}
	for i, key := range d.tables[customPropsTable].keys {
		name, _, _ := strings.Cut(key, "\x00")
		if perName[name] += d.tables[customPropsTable].sums[i].Visits; perName[name] > carriers {
			return false
		}
	}
	return true
}
