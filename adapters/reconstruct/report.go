package reconstruct

import (
	"hopper/pipeline"
	"hopper/pipeline/recount"
)

// measureNames are the measures' names, in the order of their bits.
var measureNames = [...]string{"visits", "bounces", "visitors", "pageviews", "duration"}

// The measures' places in that order.
const (
	visitsAt = iota
	bouncesAt
	visitorsAt
	pageviewsAt
	durationAt
)

// counter counts rows that are known by number, which is all that an import
// needs. What a session counts is for package recount to say.
type counter struct {
	sums [len(measureNames)][]int // by measure and row
	last []int                    // of a row: the visitor counted last, plus 1
}

func newCounter(rows int) *counter {
	c := &counter{last: make([]int, rows)}
	for i := range c.sums {
		c.sums[i] = make([]int, rows)
	}
	return c
}

// seen counts a visitor in a row once; visitors come in order.
func (c *counter) seen(row, visitor int) {
	if c.last[row] != visitor+1 {
		c.last[row] = visitor + 1
		c.sums[visitorsAt][row]++
	}
}

func (c *counter) visit(row, visitor int, s Sums) {
	c.sums[visitsAt][row] += s.Visits
	c.sums[bouncesAt][row] += s.Bounces
	c.seen(row, visitor)
	c.sums[pageviewsAt][row] += s.Pageviews
	c.sums[durationAt][row] += s.Duration
}

// event counts an event, where rows are kinds of events or values of
// properties: these have no visits, whose place their number takes.
func (c *counter) event(row, visitor int) {
	c.sums[visitsAt][row]++
	c.seen(row, visitor)
}

// compareTable adds the lines of the measures that a table has.
func compareTable(r *recount.Report, name string, has Measure, rows []Row, c *counter) {
	for m, measure := range measureNames {
		if has&(1<<m) == 0 {
			continue
		}
		want := make([]int, len(rows))
		for i, row := range rows {
			want[i] = [...]int{row.Visits, row.Bounces, row.Visitors, row.Pageviews, row.Duration}[m]
		}
		r.Compare(name, measure, want, c.sums[m])
	}
}

// visitsByVisitor returns the visits' indices, those of each visitor together,
// which lets a counter know visitors by the last one it counted.
func visitsByVisitor(res *Result) []int32 {
	next := make([]int32, res.Persons+1) // where each visitor's next visit goes
	for _, v := range res.Visits {
		next[v.Visitor-res.FirstVisitor+1]++
	}
	for i := range res.Persons {
		next[i+1] += next[i]
	}
	order := make([]int32, len(res.Visits))
	for i, v := range res.Visits {
		own := v.Visitor - res.FirstVisitor
		order[next[own]] = int32(i)
		next[own]++
	}
	return order
}

// counts are what a result comes to, by all that a day has.
type counts struct {
	total                 *counter
	tables                []*counter // as Day.Tables
	entries, exits, pages *counter
	events, properties    *counter
	noPage                int     // the row of pages that no table has
	lastVisit             []int32 // of a page: the visit counted last, plus 1
}

func newCounts(day *Day, pages int) *counts {
	c := &counts{
		total:   newCounter(1),
		entries: newCounter(pages + 1), exits: newCounter(pages + 1), pages: newCounter(pages + 1),
		events: newCounter(len(day.Events)), properties: newCounter(len(day.Properties)),
		noPage:    pages,
		lastVisit: make([]int32, pages+1),
	}
	for i := range day.Tables {
		c.tables = append(c.tables, newCounter(len(day.Tables[i].Rows)))
	}
	return c
}

// visit counts the visit with the index i.
func (c *counts) visit(i int32, v *Visit) {
	first, last := v.Hits[0].At, v.Hits[len(v.Hits)-1].At
	s := Sums{Visits: 1, Duration: int(recount.Lasted(pipeline.Micros(first.Microseconds()), pipeline.Micros(last.Microseconds())))}
	entry, exit := 0, 0
	for j := range v.Hits {
		h := &v.Hits[j]
		for _, p := range h.Properties {
			c.properties.event(int(p), v.Visitor)
		}
		if h.Event >= 0 {
			c.events.event(int(h.Event), v.Visitor)
			continue
		}
		exit = c.pageview(i, v.Visitor, h)
		if s.Pageviews == 0 {
			entry = exit
		}
		s.Pageviews++
	}
	s.Bounces = int(recount.Bounced(s.Pageviews))
	c.total.visit(0, v.Visitor, s)
	for t, row := range v.Rows {
		if row >= 0 {
			c.tables[t].visit(int(row), v.Visitor, s)
		}
	}
	if s.Pageviews > 0 {
		c.entries.visit(entry, v.Visitor, s)
		c.exits.visit(exit, v.Visitor, s)
	}
}

// pageview counts a pageview of the visit with the index i and returns its
// page's row.
func (c *counts) pageview(i int32, visitor int, h *Hit) int {
	row := int(h.Page)
	if row < 0 {
		row = c.noPage
	}
	c.pages.sums[pageviewsAt][row]++
	c.pages.seen(row, visitor)
	if c.lastVisit[row] != i+1 {
		c.lastVisit[row] = i + 1
		c.pages.sums[visitsAt][row]++
	}
	return row
}

// compare reports how the count differs from the day; pages are what
// [Hit.Page] indexes.
func (c *counts) compare(day *Day, pages []string) recount.Report {
	index := make(map[string]int, len(pages))
	for i, p := range pages {
		index[p] = i
	}
	var r recount.Report
	compareTable(&r, "day", day.Has, []Row{{Sums: day.Totals}}, c.total)
	for i := range day.Tables {
		compareTable(&r, day.Tables[i].Name, day.Tables[i].Has, day.Tables[i].Rows, c.tables[i])
	}
	if len(day.Pages) > 0 {
		has, rows := pageRows(day, index)
		compareTable(&r, "pages", has, rows, c.pages)
	}
	compareTable(&r, "entry pages", day.Entries.Has, endRows(&day.Entries, index), c.entries)
	compareTable(&r, "exit pages", day.Exits.Has, endRows(&day.Exits, index), c.exits)

	var events, properties eventSums
	for _, e := range day.Events {
		events.add(e.Events, e.Visitors)
	}
	for _, p := range day.Properties {
		properties.add(p.Events, p.Visitors)
	}
	events.compare(&r, "custom events", c.events)
	properties.compare(&r, "custom properties", c.properties)
	return r
}

// pageRows adds up what a day says of each page, with a row at the end for
// pages that no table has, and which measures it has of any.
func pageRows(day *Day, index map[string]int) (Measure, []Row) {
	has, rows := Pageviews, make([]Row, len(index)+1)
	for _, p := range day.Pages {
		row := &rows[index[p.Key]]
		row.Pageviews += p.Pageviews
		row.Visits += p.Visits
		row.Visitors += p.Visitors
		if p.Visits > 0 {
			has |= Visits
		}
		if p.Visitors > 0 {
			has |= Visitors
		}
	}
	return has, rows
}

// endRows puts a table's rows where their pages are.
func endRows(t *Table, index map[string]int) []Row {
	rows := make([]Row, len(index)+1)
	for _, row := range t.Rows {
		rows[index[row.Key]] = row
	}
	return rows
}

// eventSums are what a day says of custom events, or of values of properties.
type eventSums struct{ events, visitors []int }

func (t *eventSums) add(events, visitors int) {
	t.events = append(t.events, events)
	t.visitors = append(t.visitors, visitors)
}

// compare adds the lines of what the day has, if anything.
func (t *eventSums) compare(r *recount.Report, name string, c *counter) {
	if len(t.events) == 0 {
		return
	}
	r.Compare(name, "events", t.events, c.sums[visitsAt])
	r.Compare(name, "visitors", t.visitors, c.sums[visitorsAt])
}
