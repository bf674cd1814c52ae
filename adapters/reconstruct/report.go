package reconstruct

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// Report compares a reconstruction with what the export told: a line per
// table and measure. It adds up over days.
type Report struct {
	Lines []Line `json:"lines"`
}

// Line compares one measure of one table.
type Line struct {
	Table   string `json:"table"`
	Measure string `json:"measure"`
	Want    int    `json:"want"` // what the export's rows sum to
	Got     int    `json:"got"`  // what the reconstruction's rows sum to
	// Off is how much stands in wrong rows: what rows have too much or what
	// they lack, whichever is more on a day, so that a visit in the wrong row
	// counts once.
	Off int `json:"off"`
	// Rows is how many rows, over all days, differ.
	Rows int `json:"rows"`
}

// WriteText writes the comparison as a table for people.
func (r *Report) WriteText(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "table\tmeasure\texport\tRybbit\tdifference\tin wrong rows\tshare\t")
	for _, l := range r.Lines {
		fmt.Fprintf(t, "%s\t%s\t%d\t%d\t%+d\t%d\t%.2f %%\t\n", l.Table, l.Measure, l.Want, l.Got, l.Got-l.Want, l.Off, 100*l.Share())
	}
	return t.Flush()
}

// Share returns the share of the measure's mass that is in the wrong place.
func (l Line) Share() float64 {
	if l.Off == 0 {
		return 0
	}
	return float64(l.Off) / float64(max(l.Want, l.Got, 1))
}

// Add adds another day's report.
func (r *Report) Add(o Report) {
	for _, l := range o.Lines {
		r.add(l)
	}
}

func (r *Report) add(l Line) {
	for i := range r.Lines {
		if m := &r.Lines[i]; m.Table == l.Table && m.Measure == l.Measure {
			m.Want += l.Want
			m.Got += l.Got
			m.Off += l.Off
			m.Rows += l.Rows
			return
		}
	}
	r.Lines = append(r.Lines, l)
}

// Compare adds a line for one measure of one table of one day, given what
// each row should and does count, the rows that the export lacks among them
// with want 0.
func (r *Report) Compare(table, measure string, want, got []int) {
	l := Line{Table: table, Measure: measure}
	over, under := 0, 0
	for i := range want {
		l.Want += want[i]
		l.Got += got[i]
		switch d := got[i] - want[i]; {
		case d > 0:
			over += d
			l.Rows++
		case d < 0:
			under -= d
			l.Rows++
		}
	}
	l.Off = max(over, under)
	r.add(l)
}

// counter counts rows the way Rybbit's dashboard does: users and sessions by
// distinct id, a bounce as a session with one pageview, a session's duration
// from its first to its last event.
type counter struct {
	sums [5][]int // by measure, in the order of their bits
	last []int    // of a row: the visitor counted last, plus 1
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
		c.sums[2][row]++
	}
}

func (c *counter) visit(row, visitor int, s Sums) {
	c.sums[0][row] += s.Visits
	c.sums[1][row] += s.Bounces
	c.seen(row, visitor)
	c.sums[3][row] += s.Pageviews
	c.sums[4][row] += s.Duration
}

var measureNames = [5]string{"visits", "bounces", "visitors", "pageviews", "duration"}

func (r *Report) table(name string, has Measure, rows []Row, c *counter) {
	for m, measure := range measureNames {
		if has&(1<<m) == 0 {
			continue
		}
		want := make([]int, len(rows))
		for i, row := range rows {
			want[i] = [5]int{row.Visits, row.Bounces, row.Visitors, row.Pageviews, row.Duration}[m]
		}
		r.Compare(name, measure, want, c.sums[m])
	}
}

// report recounts a result and compares it with the day.
func (b *builder) report(res *Result) Report {
	day := b.day
	index := map[string]int{}
	for i, p := range res.Pages {
		index[p] = i
	}
	byVisitor := make([]int32, len(res.Visits)) // visits in order of visitors
	starts := make([]int32, res.Persons+1)
	for _, v := range res.Visits {
		starts[v.Visitor+1]++
	}
	for i := range res.Persons {
		starts[i+1] += starts[i]
	}
	for i, v := range res.Visits {
		byVisitor[starts[v.Visitor]] = int32(i)
		starts[v.Visitor]++
	}
	total := newCounter(1)
	tables := make([]*counter, len(day.Tables))
	for i := range tables {
		tables[i] = newCounter(len(day.Tables[i].Rows))
	}
	none := len(res.Pages) // stands for pages that no table tells
	entries, exits, pages := newCounter(none+1), newCounter(none+1), newCounter(none+1)
	lastVisit := make([]int32, none+1)
	events, props := newCounter(len(day.Events)), newCounter(len(day.Properties))
	for _, i := range byVisitor {
		v := &res.Visits[i]
		s := Sums{Visits: 1, Duration: int((v.Hits[len(v.Hits)-1].At - v.Hits[0].At).Seconds())}
		entry, exit := -1, -1
		for j := range v.Hits {
			h := &v.Hits[j]
			for _, p := range h.Properties {
				props.sums[0][p]++
				props.seen(int(p), v.Visitor)
			}
			if h.Event >= 0 {
				events.sums[0][h.Event]++
				events.seen(int(h.Event), v.Visitor)
				continue
			}
			s.Pageviews++
			exit = int(h.Page)
			if exit < 0 {
				exit = none
			}
			if entry < 0 {
				entry = exit
			}
			pages.sums[3][exit]++
			pages.seen(exit, v.Visitor)
			if lastVisit[exit] != i+1 {
				lastVisit[exit] = i + 1
				pages.sums[0][exit]++
			}
		}
		if s.Pageviews == 1 {
			s.Bounces = 1
		}
		total.visit(0, v.Visitor, s)
		for t, r := range v.Rows {
			if r >= 0 {
				tables[t].visit(int(r), v.Visitor, s)
			}
		}
		if entry >= 0 {
			entries.visit(entry, v.Visitor, s)
			exits.visit(exit, v.Visitor, s)
		}
	}

	var r Report
	r.table("day", day.Has, []Row{{Sums: day.Totals}}, total)
	for i := range day.Tables {
		r.table(day.Tables[i].Name, day.Tables[i].Has, day.Tables[i].Rows, tables[i])
	}
	if len(day.Pages) > 0 {
		rows := make([]Row, none+1)
		has := Pageviews
		for _, p := range day.Pages {
			row := &rows[index[p.Key]]
			row.Pageviews += p.Pageviews
			row.Sums.Visits += p.Visits
			row.Visitors += p.Visitors
			if p.Visits > 0 {
				has |= Visits
			}
			if p.Visitors > 0 {
				has |= Visitors
			}
		}
		r.table("pages", has, rows, pages)
	}
	for _, e := range []struct {
		name string
		t    *Table
		c    *counter
	}{{"entry pages", &day.Entries, entries}, {"exit pages", &day.Exits, exits}} {
		rows := make([]Row, none+1)
		for _, row := range e.t.Rows {
			rows[index[row.Key]] = row
		}
		r.table(e.name, e.t.Has, rows, e.c)
	}
	if len(day.Events) > 0 {
		want, visitors := make([]int, len(day.Events)), make([]int, len(day.Events))
		for i, e := range day.Events {
			want[i], visitors[i] = e.Events, e.Visitors
		}
		r.Compare("custom events", "events", want, events.sums[0])
		r.Compare("custom events", "visitors", visitors, events.sums[2])
	}
	if len(day.Properties) > 0 {
		want, visitors := make([]int, len(day.Properties)), make([]int, len(day.Properties))
		for i, p := range day.Properties {
			want[i], visitors[i] = p.Events, p.Visitors
		}
		r.Compare("custom properties", "events", want, props.sums[0])
		r.Compare("custom properties", "visitors", visitors, props.sums[2])
	}
	return r
}
