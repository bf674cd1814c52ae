package ga

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"hopper/adapters/input"
	"hopper/adapters/reconstruct"
)

// A period is what tables tell of several days together: the sums of a report
// without dates, of a week or of a month.
type period struct {
	span span
	knownDay
	*reportDay // while it is spread
	// named says that rows name their week or month: these are spread over the
	// days even where nothing else tells of those.
	named  bool
	titles []string
	users  *int // of the period, where it tells them
}

// period returns the days of a span.
func (r *reports) period(t *reportTable, of span) *knownDay {
	p := r.periods[of]
	if p == nil {
		p = &period{span: of, knownDay: r.newDay(t.in.Name), named: of != t.within, titles: t.titles}
		r.periods[of] = p
	}
	return &p.knownDay
}

// spread gives what is told of periods to their days: a table's margins, so that
// both the period's rows and the days' totals come out.
func (r *reports) spread() {
	for _, p := range r.inOrder() {
		p.reportDay = r.load(&p.knownDay)
		r.loose.take(&p.outcomes)
		if t := p.reportDay.tables[tableKey{kind: ofTotals}]; t != nil && t.rows[""].has&reconstruct.Visitors != 0 {
			p.users = &t.rows[""].Visitors
		}
		if days := r.daysOf(p); days != nil {
			r.tables++
			p.impliedVisits()
			for _, key := range p.order {
				r.spreadTable(p, p.reportDay.tables[key], days)
			}
		}
		p.reportDay = nil
	}
}

// inOrder returns the periods, the shortest first, and of these the one that was told
// first.
func (r *reports) inOrder() []*period {
	return slices.SortedFunc(maps.Values(r.periods), func(a, b *period) int {
		return cmp.Or(a.span.days()-b.span.days(), a.bin-b.bin)
	})
}

// daysOf returns the days of a period that something is known of, or all where
// its rows name it.
func (r *reports) daysOf(p *period) []time.Time {
	if len(p.order) == 0 {
		return nil // nothing is told of it
	}
	var days []time.Time
	for day := p.span.from; !day.After(p.span.to); day = day.AddDate(0, 0, 1) {
		if r.days[day] != nil {
			days = append(days, day)
		}
	}
	if days != nil {
		return days
	}
	const most = 3660 // days: ten years
	if !p.named || p.span.days() > most {
		r.addUndated(&reportTable{in: &input.Input{Name: p.knownDay.input}, titles: p.titles})
		return nil
	}
	for day := p.span.from; !day.After(p.span.to); day = day.AddDate(0, 0, 1) {
		begun := r.newDay(p.knownDay.input)
		r.days[day] = &begun
		days = append(days, day)
	}
	r.note(fmt.Sprintf("%s tells no days but longer periods: their numbers are spread evenly over the days. Add the dimension Date.", p.knownDay.input))
	return days
}

// impliedVisits makes visits of users where a table tells nothing else: each of
// a period's users made one at least. They are not the sum of the days' users.
func (p *period) impliedVisits() {
	for _, t := range p.reportDay.tables {
		if t.kind == ofVisits && t.has&(reconstruct.Visits|reconstruct.Pageviews) == 0 && t.has&reconstruct.Visitors != 0 {
			for _, row := range t.rows {
				row.Visits, row.has = row.Visitors, row.has|reconstruct.Visits
			}
			t.has |= reconstruct.Visits
		}
		t.has &^= reconstruct.Visitors
	}
}

// spreadTable gives a period's table to days that do not tell it themselves.
func (r *reports) spreadTable(p *period, t *daySums, days []time.Time) {
	missing := slices.DeleteFunc(slices.Clone(days), func(day time.Time) bool { return r.tells(day, t) })
	if len(missing) < len(days) || t.has == 0 && t.kind != ofEvents {
		if t.has != 0 {
			r.note(fmt.Sprintf("%s: the table by %s of %s is told by days too, and not read again.", p.knownDay.input, t, p.span))
		}
		return
	}
	if t.kind == ofTotals && r.totalsOf(days).has&t.has == t.has {
		return
	}
	var dealers []*dealer
	for _, m := range [...]reconstruct.Measure{reconstruct.Visits, reconstruct.Bounces, reconstruct.Pageviews, reconstruct.Duration} {
		if t.has&m != 0 {
			dealers = append(dealers, newDealer(m, t, r.weights(days, t.kind, m)))
		}
	}
	if t.kind == ofEvents {
		dealers = append(dealers, newDealer(0, t, r.weights(days, t.kind, 0)))
	}
	for d, day := range days {
		dealt := make([][]int, len(dealers))
		for i, of := range dealers {
			dealt[i] = of.deal(d)
		}
		for k, key := range t.order {
			m := measured{averages: noAverages}
			for i, of := range dealers {
				if n := dealt[i][k]; of.measure == 0 {
					m.events = n
				} else {
					each(of.measure, &m.Sums, &m.Sums, func(to, _ *int) { *to = n })
					m.has |= of.measure
				}
			}
			r.write(r.days[day].bin, &rowRecord{table: r.tables, dealt: true, parts: []part{{t.kind, t.fields, key, m}}})
		}
		r.days[day].stale = true
	}
	r.note(fmt.Sprintf("%s: the numbers by %s are of %s as a whole; they are spread over the days as the days' totals are, so that both come out. On which day each happened is not told.", p.knownDay.input, t, p.span))
}

// tells reports whether a day has a table, with the measures of another, itself.
func (r *reports) tells(day time.Time, t *daySums) bool {
	own := r.know(day).table(t.tableKey)
	return own != nil && (own.has&t.has != 0 || t.kind == ofEvents)
}

// totalsOf returns the totals of days, with the measures that all of them tell.
func (r *reports) totalsOf(days []time.Time) (sum told) {
	sum.has = ^reconstruct.Measure(0)
	for _, day := range days {
		t := r.know(day).told
		each(t.has, &sum.Sums, &t.Sums, func(to, n *int) { *to += *n })
		sum.has &= t.has
	}
	return sum
}

// weights returns how much of a measure each day has: of the measure itself
// where all days tell it, else of what is nearest to it, else all the same.
func (r *reports) weights(days []time.Time, kind tableKind, has reconstruct.Measure) []int {
	all := r.totalsOf(days)
	order := []reconstruct.Measure{has, reconstruct.Visits, reconstruct.Pageviews, reconstruct.Visitors}
	if kind == ofPages { // visits to pages are as views are
		order = []reconstruct.Measure{reconstruct.Pageviews, reconstruct.Visits, reconstruct.Visitors}
	}
	weights := make([]int, len(days))
	for _, m := range order {
		if m == 0 || all.has&m == 0 {
			continue
		}
		sum := 0
		for i, day := range days {
			t := r.know(day).told
			each(m, &t.Sums, &reconstruct.Sums{}, func(n, _ *int) { weights[i] = *n })
			sum += weights[i]
		}
		if sum > 0 {
			return weights
		}
	}
	for i := range weights {
		weights[i] = 1
	}
	return weights
}

// A dealer spreads amounts of a measure, or of events, over days: each amount is kept,
// and each day gets its share of all. Where the days are totals of what the amounts are
// parts of, no day gets more than its total.
type dealer struct {
	measure      reconstruct.Measure // 0 is events
	days, left   []int
	rest, weight int
}

func newDealer(measure reconstruct.Measure, t *daySums, days []int) *dealer {
	d := &dealer{measure: measure, days: days, left: make([]int, len(t.order))}
	for i, key := range t.order {
		d.left[i] = t.rows[key].events
		each(measure, &t.rows[key].Sums, &reconstruct.Sums{}, func(n, _ *int) { d.left[i] = *n })
		d.rest += d.left[i]
	}
	for _, n := range days {
		d.weight += n
	}
	return d
}

// deal returns what a day gets of each amount. Days are dealt to in order.
func (d *dealer) deal(day int) []int {
	n, give := d.days[day], 0
	if d.weight > 0 {
		give = int((int64(d.rest)*int64(n)*2 + int64(d.weight)) / (int64(d.weight) * 2))
	}
	dealt := reconstruct.Apportion(min(give, d.rest), d.left, d.left)
	for i, k := range dealt {
		d.left[i] -= k
		d.rest -= k
	}
	d.weight -= n
	return dealt
}
