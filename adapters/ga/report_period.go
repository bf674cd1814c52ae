package ga

import (
	"fmt"
	"slices"
	"time"

	"hopper/adapters/input"
	"hopper/adapters/reconstruct"
)

// A period is what tables tell of several days together: the sums of a report
// without dates, of a week or of a month.
type period struct {
	span span
	reportDay
	// named says that rows name their week or month: these are spread over the
	// days even where nothing else tells of those.
	named  bool
	titles []string
}

// period returns what is known of a span of days.
func (r *reports) period(t *reportTable, of span) *reportDay {
	for _, p := range r.periods {
		if p.span == of {
			return &p.reportDay
		}
	}
	p := &period{span: of, reportDay: *newReportDay(t.in.Name), named: of != t.within, titles: t.titles}
	r.periods = append(r.periods, p)
	return &p.reportDay
}

// spread gives what is told of periods to their days: a table's margins, so that
// both the period's rows and the days' totals come out.
func (r *reports) spread() {
	slices.SortStableFunc(r.periods, func(a, b *period) int { return a.span.days() - b.span.days() })
	for _, p := range r.periods {
		r.loose.rows += p.outcomes.rows
		r.loose.omitted = append(r.loose.omitted, p.omitted...)
		r.loose.rejected = append(r.loose.rejected, p.rejected...)
		days := r.daysOf(p)
		if days == nil {
			continue
		}
		r.tables++
		p.impliedVisits()
		for _, key := range p.order {
			r.spreadTable(p, p.tables[key], days)
		}
	}
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
		r.addUndated(&reportTable{in: &input.Input{Name: p.input}, titles: p.titles})
		return nil
	}
	for day := p.span.from; !day.After(p.span.to); day = day.AddDate(0, 0, 1) {
		r.days[day] = newReportDay(p.input)
		days = append(days, day)
	}
	r.note(fmt.Sprintf("%s tells no days but longer periods: their numbers are spread evenly over the days. Add the dimension Date.", p.input))
	return days
}

// impliedVisits makes visits of users where a table tells nothing else: each of
// a period's users made one at least. They are not the sum of the days' users.
func (p *period) impliedVisits() {
	for _, t := range p.tables {
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
			r.note(fmt.Sprintf("%s: the table by %s of %s is told by days too, and not read again.", p.input, t, p.span))
		}
		return
	}
	if t.kind == ofTotals && r.totalsOf(days).has&t.has == t.has {
		return
	}
	cells := make([]map[string]*part, len(days))
	for i := range cells {
		cells[i] = make(map[string]*part)
	}
	share := func(has reconstruct.Measure, events bool) {
		amounts := make([]int, len(t.order))
		for i, key := range t.order {
			if amounts[i] = t.rows[key].events; !events {
				each(has, &t.rows[key].Sums, &reconstruct.Sums{}, func(n, _ *int) { amounts[i] = *n })
			}
		}
		for d, row := range deal(amounts, r.weights(days, t.kind, has)) {
			for i, n := range row {
				c := cells[d][t.order[i]]
				if c == nil {
					c = &part{kind: t.kind, fields: t.fields, key: t.order[i], measured: measured{averages: noAverages}}
					cells[d][t.order[i]] = c
				}
				if events {
					c.events = n
					continue
				}
				each(has, &c.Sums, &reconstruct.Sums{}, func(to, _ *int) { *to = n })
				c.has |= has
			}
		}
	}
	for _, m := range [...]reconstruct.Measure{reconstruct.Visits, reconstruct.Bounces, reconstruct.Pageviews, reconstruct.Duration} {
		if t.has&m != 0 {
			share(m, false)
		}
	}
	if t.kind == ofEvents {
		share(0, true)
	}
	for d, day := range days {
		for _, key := range t.order {
			r.days[day].add(*cells[d][key], r.tables)
		}
	}
	r.note(fmt.Sprintf("%s: the numbers by %s are of %s as a whole; they are spread over the days as the days' totals are, so that both come out. On which day each happened is not told.", p.input, t, p.span))
}

// tells reports whether a day has a table, with the measures of another, itself.
func (r *reports) tells(day time.Time, t *daySums) bool {
	own := r.days[day].tables[t.tableKey]
	return own != nil && (own.has&t.has != 0 || t.kind == ofEvents)
}

// totalsOf returns the totals of days, with the measures that all of them tell.
func (r *reports) totalsOf(days []time.Time) (sum told) {
	sum.has = ^reconstruct.Measure(0)
	for _, day := range days {
		t := r.days[day].totals()
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
			t := r.days[day].totals()
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

// deal spreads amounts over days: each amount is kept, and each day gets its
// share of all. Where the days are totals of what the amounts are parts of, no
// day gets more than its total.
func deal(amounts, days []int) [][]int {
	left := slices.Clone(amounts)
	rest := 0
	for _, n := range amounts {
		rest += n
	}
	weight := 0
	for _, n := range days {
		weight += n
	}
	dealt := make([][]int, len(days))
	for d, n := range days {
		give := 0
		if weight > 0 {
			give = int((int64(rest)*int64(n)*2 + int64(weight)) / (int64(weight) * 2))
		}
		dealt[d] = reconstruct.Apportion(min(give, rest), left, left)
		for i, k := range dealt[d] {
			left[i] -= k
			rest -= k
		}
		weight -= n
	}
	return dealt
}
