package recount

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
)

// place is a column of a table on a day.
type place struct {
	day           Day
	table, column uint8
}

func (p place) compare(q place) int {
	return cmp.Or(cmp.Compare(p.day, q.day), cmp.Compare(p.table, q.table), cmp.Compare(p.column, q.column))
}

// sum compares a place.
type sum struct {
	amounts
	over, under, rows int64
	none              amounts // of the row without a value
	withNone          bool    // none is in amounts
}

// told is what a side's rows come to, also that without a value.
func (s *sum) told(of Side) int64 {
	if s.withNone {
		return s.amounts[of]
	}
	return s.amounts[of] + s.none[of]
}

// comparing is how one side is compared with another.
type comparing struct {
	*Sums
	want, got Side
	found     map[place]*sum
	out       *Comparison
	within    []Row // that differ most where some may
}

// Compare compares what one side should be with what another is.
func (s *Sums) Compare(ctx context.Context, want, got Side) (*Comparison, error) {
	c := &comparing{Sums: s, want: want, got: got, found: map[place]*sum{}, out: newComparison()}
	if err := c.readRows(ctx); err != nil {
		return nil, err
	}
	totals := map[place]int{} // where in out.Total; the day is 0
	for _, p := range slices.SortedFunc(maps.Keys(c.found), place.compare) {
		c.addNone(p)
		l := c.line(p)
		if p.day != AllDays {
			c.out.addDay(p.day.String(), l)
		}
		c.addTotal(totals, p, l)
	}
	c.conclude(totals)
	return c.out, nil
}

// readRows adds up the rows of each place and keeps those that differ most.
func (c *comparing) readRows(ctx context.Context) error {
	return c.each(ctx, func(at cell, n *amounts) {
		p := place{at.day, at.table, at.column}
		if c.tells(p.day, int(p.table)).columns&(1<<p.column) == 0 {
			return
		}
		s := c.found[p]
		if s == nil {
			s = new(sum)
			c.found[p] = s
		}
		row := ""
		if c.layout.Tables[p.table].By != ByDay {
			row = c.words[at.row]
			if strings.Trim(row, NoValue) == "" {
				s.none.add(n)
				return
			}
		}
		c.compareRow(p, s, row, n)
	})
}

func (c *comparing) compareRow(p place, s *sum, row string, n *amounts) {
	s.add(n)
	d := n[c.got] - n[c.want]
	if d == 0 {
		return
	}
	s.rows++
	s.over += max(d, 0)
	s.under += max(-d, 0)
	t := &c.layout.Tables[p.table]
	worst := Row{Table: t.Name, Measure: t.Columns[p.column].Name, Row: rowName(row), Date: p.day.String(), Source: n[Kept], Sent: n[Sent]}
	if c.got == Shown {
		shown := n[Shown]
		worst.Shown = &shown
	}
	if t.Columns[p.column].Limit == 0 {
		c.out.Worst = worse(c.out.Worst, worst)
	} else if t.Columns[p.column].Limit > 0 {
		c.within = worse(c.within, worst)
	}
}

// rowName returns how people read a row that is made of several values.
func rowName(row string) string {
	return strings.ReplaceAll(strings.Trim(row, NoValue), NoValue, " / ")
}

// addNone adds the row without a value, unless the table leaves sessions out.
func (c *comparing) addNone(p place) {
	s := c.found[p]
	if s.none == (amounts{}) {
		return
	}
	if c.layout.Tables[p.table].Partial && c.coverage(p) < 1 {
		return
	}
	s.withNone = true
	c.compareRow(p, s, "", &s.none)
}

// coverage returns which share of the day's sessions the table has.
func (c *comparing) coverage(p place) float64 {
	has, all := int64(0), int64(0)
	if column := c.layout.Tables[p.table].column(Sessions); column >= 0 {
		if s := c.found[place{p.day, p.table, uint8(column)}]; s != nil {
			has = s.told(c.want)
		}
	}
	for i := range c.layout.Tables {
		if t := &c.layout.Tables[i]; t.By == ByDay && t.column(Sessions) >= 0 {
			if s := c.found[place{p.day, uint8(i), uint8(t.column(Sessions))}]; s != nil {
				all = s.amounts[c.got]
			}
			break
		}
	}
	if has >= all {
		return 1
	}
	return float64(has) / float64(all)
}

// column returns the index of a table's column of a measure, or -1.
func (t *Table) column(m Measure) int {
	return slices.IndexFunc(t.Columns, func(c Column) bool { return c.Measure == m })
}

func (c *comparing) line(p place) Line {
	s, t := c.found[p], &c.layout.Tables[p.table]
	l := Line{
		Table: t.Name, Measure: t.Columns[p.column].Name,
		Source: s.amounts[Source], LeftOut: s.amounts[Source] - s.amounts[Kept], Sent: s.amounts[Sent],
		Off: max(s.over, s.under), Rows: s.rows,
	}
	if c.got == Shown {
		shown := s.amounts[Shown]
		l.Shown = &shown
	}
	l.share()
	return l
}

// addTotal adds a day's line to the total and the guarantee.
func (c *comparing) addTotal(totals map[place]int, p place, l Line) {
	column := &c.layout.Tables[p.table].Columns[p.column]
	of := place{table: p.table, column: p.column}
	at, known := totals[of]
	if !known {
		at = len(c.out.Total)
		totals[of] = at
		c.out.Total = append(c.out.Total, Line{Table: l.Table, Measure: l.Measure})
		c.out.Guarantees = append(c.out.Guarantees, Guarantee{Table: l.Table, Measure: l.Measure, Limit: column.Limit})
	}
	sum, g := &c.out.Total[at], &c.out.Guarantees[at]
	sum.add(&l)
	promised := c.tells(p.day, int(p.table)).promised&(1<<p.column) != 0 && column.Limit >= 0
	if !promised || column.Limit > 0 && c.coverage(p) < 0.9 {
		return
	}
	g.Days++
	g.want, g.got, g.off = g.want+l.of(c.want), g.got+l.of(c.got), g.off+l.Off
	if l.Share > column.Limit {
		g.Failed++
	}
}

// conclude decides the guarantees and brings them and the totals in the order
// of the tables and columns.
func (c *comparing) conclude(totals map[place]int) {
	total, guarantees := c.out.Total, c.out.Guarantees
	c.out.Total, c.out.Guarantees = make([]Line, 0, len(total)), make([]Guarantee, 0, len(total))
	for _, p := range slices.SortedFunc(maps.Keys(totals), place.compare) {
		l, g := total[totals[p]], guarantees[totals[p]]
		l.share()
		c.out.Total = append(c.out.Total, l)
		if g.Limit < 0 {
			continue
		}
		g.decide()
		for _, row := range c.within {
			if !g.Holds && row.Table == g.Table && row.Measure == g.Measure {
				c.out.Worst = worse(c.out.Worst, row)
			}
		}
		c.out.Guarantees = append(c.out.Guarantees, g)
	}
}
