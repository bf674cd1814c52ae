package reconstruct

import (
	"fmt"
	"slices"
	"time"
)

// builder holds one day's reconstruction. Visits are numbered with the bounces
// first, then the visits with two or more pageviews, then those with events alone.
type builder struct {
	day     *Day
	rng     *dice
	seconds int // the day's length
	part    part

	bounces, paged, eventOnly      int
	persons                        int
	pageviews, duration, numEvents int

	dims       []dim // Day.Tables, then entry and exit pages
	pages      []string
	views      []int    // pageviews per page, the last for pages that no table has
	distinct   []int    // visits per page, 0 where unknown
	people     []int    // visitors per page, 0 where unknown
	customs    []amount // of Day.Events
	properties []amount // of Day.Properties

	visitor []int32   // of a visit
	kin     []uint16  // of a visit: the common bits of its rows so far
	groups  []group   // the visitors with several visits, numbered first
	taken   int       // visits in a row that has fewer
	hosted  [][]int32 // of a visit: its custom events
	extra   [2][]int32
	floor   [2]int // what each paged visit has of a measure besides extra
}

// The measures that are fitted: pageviews and seconds beyond a floor that
// every paged visit has.
const (
	views = iota
	seconds
	visitors // which have weights alone
)

// dim is a dimension of visits whose margins agree with the day. Its last row
// stands for the visits that no row of the table covers.
type dim struct {
	perVisitor bool
	page       bool  // rows are entry or exit pages; a visit without pageviews has none
	bounces    []int // of each row
	engaged    []int // of each row: visits that are no bounces
	repeats    []int // of each row: visits that are not the first of their visitor; nil is unknown
	target     [2][]int
	kin        []uint16 // of each row; nil where all rows belong together
	index      []int32  // of each row: its place in the whole day's dimension; nil where that is the same
	row        []int32  // of a visit, -1 while open
}

// amount is how many events of a kind there are, or events with a value of a
// property, and of how many visitors, 0 where unknown.
type amount struct {
	index          int32 // in the Day
	count, persons int
}

func (b *builder) visits() int  { return b.bounces + b.paged + b.eventOnly }
func (b *builder) engaged() int { return b.paged + b.eventOnly }

// endDims returns the dimensions of entry and exit pages.
func (b *builder) endDims() (entry, exit *dim) {
	return &b.dims[len(b.dims)-2], &b.dims[len(b.dims)-1]
}

// groupOf returns which group a visit is of, -1 for the only visit of its
// visitor. Groups are the first visitors, each numbered as its group.
func (b *builder) groupOf(visit int) int32 {
	if g := b.visitor[visit]; int(g) < len(b.groups) {
		return g
	}
	return -1
}

// settle returns the day with its totals settled.
func settle(day *Day) (*builder, error) {
	b := &builder{day: day, seconds: int(day.End.Sub(day.Start) / time.Second), part: part{of: 1}}
	if b.seconds < 1 {
		return nil, fmt.Errorf("day %s to %s has no length", day.Start, day.End)
	}
	b.rng = b.part.rng(day)
	t := b.totals()
	if n := t.Visits + t.Pageviews + b.numEvents; n > MaxHits {
		return nil, fmt.Errorf("day %s has %d visits, pageviews and events, more than %d: the export is damaged",
			day.Start.Format(time.DateOnly), n, MaxHits)
	}
	b.classes(t)
	b.persons = min(max(t.Visitors, 1), b.visits())
	b.pageviews = max(t.Pageviews, b.bounces+2*b.paged)
	if b.paged == 0 {
		b.pageviews = b.bounces
	}
	b.duration = min(t.Duration, b.paged*(b.seconds-1))
	if b.paged == 0 {
		b.duration = t.Duration
	}
	// A visit of a second has its first and last page apart, one of two seconds
	// those and the pages between.
	b.floor = [2]int{2, 0}
	switch {
	case b.duration >= 4*b.paged:
		b.floor[seconds] = 2
	case b.duration >= b.paged:
		b.floor[seconds] = 1
	}
	return b, nil
}

// plan makes the margins of every table agree with the day's totals.
func (b *builder) plan() {
	for i := range b.day.Tables {
		b.dims = append(b.dims, b.margins(&b.day.Tables[i]))
	}
	b.pageMargins()
	for i, e := range b.day.Events {
		b.customs = append(b.customs, amount{int32(i), clip(e.Events), clip(e.Visitors)})
	}
	for i, p := range b.day.Properties {
		b.properties = append(b.properties, amount{int32(i), clip(p.Events), clip(p.Visitors)})
	}
}

const maxCount = 1 << 40 // of one cell: sums of a table's rows cannot overflow

func clip(n int) int { return min(max(n, 0), maxCount) }

// totals returns the day's sums, and takes unknown ones from the tables.
func (b *builder) totals() Sums {
	day := b.day
	best, seen := largest(day)
	views, pageVisits := 0, 0
	for _, p := range day.Pages {
		views += clip(p.Pageviews)
		pageVisits = max(pageVisits, clip(p.Visits), clip(p.Visitors))
	}
	senders := 0 // of events, at least
	for _, e := range day.Events {
		b.numEvents += clip(e.Events)
		senders = max(senders, min(clip(e.Visitors), clip(e.Events)))
	}
	pick := func(m Measure, told, derived int) int {
		if day.Has&m != 0 {
			return clip(told)
		}
		return derived
	}

	var t Sums
	t.Pageviews = pick(Pageviews, day.Totals.Pageviews, max(best.Pageviews, views))
	hits := t.Pageviews + b.numEvents

	visits := max(best.Visits, pageVisits)
	if visits == 0 && hits > 0 {
		visits = max(1, min(best.Visitors, t.Pageviews), senders)
	}
	t.Visits = pick(Visits, day.Totals.Visits, visits)

	visitors := mostVisitors(day, t.Visits)
	if best.Visitors > 0 {
		visitors = best.Visitors
	}
	t.Visitors = pick(Visitors, day.Totals.Visitors, visitors)

	if t.Visits == 0 && hits > 0 {
		// Visits that began the day before: their hits need one.
		t.Visits = max(1, min(t.Visitors, t.Pageviews))
	}
	eventsAlone := day.Has == 0 && seen == 0 && views == 0 // which have no pageviews
	if day.Has&Pageviews == 0 && !eventsAlone {
		t.Pageviews = max(t.Pageviews, t.Visits)
	}

	bounces := best.Bounces
	if seen&Bounces == 0 && !eventsAlone {
		// As few as leave two pageviews to every other visit.
		bounces = max(0, 2*t.Visits-t.Pageviews)
	}
	t.Bounces = min(pick(Bounces, day.Totals.Bounces, bounces), t.Visits)

	t.Duration = pick(Duration, day.Totals.Duration, best.Duration)
	if (seen|day.Has)&Duration == 0 {
		// No table has it: a second from hit to hit, to keep their order.
		t.Duration = max(0, t.Pageviews+b.numEvents-t.Visits)
	}
	return t
}

// largest returns, per measure, the largest sum that a table of the day adds
// up to, for a table can lack rows, and the measures that any table has.
func largest(day *Day) (best Sums, seen Measure) {
	take := func(t *Table) {
		s := sumRows(t)
		seen |= t.Has
		best.Visits = max(best.Visits, s.Visits)
		best.Bounces = max(best.Bounces, s.Bounces)
		if t.PerVisitor { // of other tables, visitors are in several rows
			best.Visitors = max(best.Visitors, s.Visitors)
		}
		best.Pageviews = max(best.Pageviews, s.Pageviews)
		best.Duration = max(best.Duration, s.Duration)
	}
	for i := range day.Tables {
		take(&day.Tables[i])
	}
	take(&day.Entries)
	take(&day.Exits)
	return best, seen
}

// mostVisitors returns how many visitors the visits can be of: no more than any
// table adds up to that has all of them, since a visitor is in one of its rows
// at least.
func mostVisitors(day *Day, visits int) int {
	most := visits
	for i := range day.Tables {
		t := &day.Tables[i]
		if s := sumRows(t); t.Has&Visitors != 0 && s.Visitors > 0 && s.Visits >= visits {
			most = min(most, s.Visitors)
		}
	}
	return most
}

// sumRows adds up a table's rows, with nothing of the measures it does not tell.
func sumRows(t *Table) Sums {
	told := func(m Measure, n int) int {
		if t.Has&m == 0 {
			return 0
		}
		return clip(n)
	}
	var s Sums
	for _, r := range t.Rows {
		s.Visits += told(Visits, r.Visits)
		s.Bounces += told(Bounces, r.Bounces)
		s.Visitors += told(Visitors, r.Visitors)
		s.Pageviews += told(Pageviews, r.Pageviews)
		s.Duration += told(Duration, r.Duration)
	}
	return s
}

// classes splits the day's visits into bounces, paged visits and visits with
// events alone, the latter only as far as pageviews are short and events there.
func (b *builder) classes(t Sums) {
	if short := t.Bounces - t.Pageviews; short > 0 && b.day.Has&Pageviews != 0 {
		// Without a pageview a visit is no bounce to Rybbit: it has an event.
		t.Bounces -= min(short, b.numEvents)
	}
	engaged := t.Visits - t.Bounces
	spare := max(0, t.Pageviews-t.Bounces)
	if engaged == 0 && spare > 0 && t.Bounces > 0 {
		// Pageviews that no visit can hold, as after midnight.
		engaged, spare = 1, spare+1
	}
	b.eventOnly = max(0, engaged-spare/2)
	if spare%2 == 1 && b.eventOnly == engaged && engaged > 0 {
		b.eventOnly--
	}
	b.eventOnly = min(b.eventOnly, b.numEvents)
	// Visits with a single pageview that is no bounce to the source: to Rybbit it is one.
	single := min(max(0, 2*(engaged-b.eventOnly)-spare), engaged-b.eventOnly)
	b.paged = engaged - b.eventOnly - single
	b.bounces = t.Visits - engaged + single
}

// margins makes a table's rows agree with the day's visits and bounces.
func (b *builder) margins(t *Table) dim {
	n := len(t.Rows)
	want := Sums{Visits: b.visits()}
	visits, bounces := make([]int, n), make([]int, n)
	for i, r := range t.Rows {
		switch {
		case t.Has&Visits != 0:
			visits[i] = clip(r.Visits)
		case t.Has&Visitors != 0:
			visits[i] = clip(r.Visitors)
		case t.Has&Pageviews != 0:
			visits[i] = clip(r.Pageviews)
		}
		bounces[i] = clip(r.Bounces)
	}
	told := sum(visits)
	scaled := told > want.Visits || (t.Has&Visits == 0 && told > 0)
	if scaled {
		visits = apportion(want.Visits, visits, nil)
	}
	bounces = b.splitBounces(visits, bounces, t.Has&Bounces != 0, b.engaged())
	if t.Has&Bounces == 0 && t.Has&Pageviews != 0 && !scaled && b.eventOnly == 0 {
		bounces = fitBounces(visits, bounces, t.Rows)
	}
	d := dim{perVisitor: t.PerVisitor, bounces: append(bounces, 0), engaged: make([]int, n+1)}
	for i := range visits {
		d.engaged[i] = visits[i] - bounces[i]
	}
	d.bounces[n] = b.bounces - sum(bounces)
	d.engaged[n] = b.engaged() - sum(d.engaged)
	if t.PerVisitor && slices.ContainsFunc(t.Rows, func(r Row) bool { return r.Kin != 0 }) {
		d.kin = make([]uint16, n+1)
		for i, r := range t.Rows {
			d.kin[i] = r.Kin
		}
	}
	b.repeats(&d, t, scaled)
	b.targets(&d, t, t.Rows)
	return d
}

// splitBounces returns how many of each row's visits are bounces: as given,
// as long as the day has that many bounces and that many other visits.
func (b *builder) splitBounces(visits, told []int, known bool, engaged int) []int {
	total := sum(visits)
	low, high := max(0, total-engaged), min(b.bounces, total)
	if !known {
		part := 0
		if all := b.bounces + engaged; all > 0 {
			part = int(float64(b.bounces) * float64(total) / float64(all))
		}
		return apportion(min(max(part, low), high), visits, visits)
	}
	bounces := make([]int, len(told))
	rest := make([]int, len(told))
	for i := range told {
		bounces[i] = min(told[i], visits[i])
		rest[i] = visits[i] - bounces[i]
	}
	switch s := sum(bounces); {
	case s > high:
		bounces = apportion(high, bounces, bounces)
	case s < low:
		rest = apportion(total-low, rest, rest)
		for i := range rest {
			bounces[i] = visits[i] - rest[i]
		}
	}
	return bounces
}

// fitBounces moves bounces that no row tells between rows such that each row's
// pageviews can be those it tells: one for a bounce, and two or more for others.
func fitBounces(visits, bounces []int, rows []Row) []int {
	more, less := make([]int, len(rows)), make([]int, len(rows))
	fit, off := make([]int, len(rows)), 0
	for i, r := range rows {
		views, most := clip(r.Pageviews), visits[i]
		if views > visits[i] {
			most = max(0, most-1)
		}
		least := min(max(0, 2*visits[i]-views), most)
		fit[i] = min(max(bounces[i], least), most)
		more[i], less[i] = most-fit[i], fit[i]-least
		off += fit[i] - bounces[i]
	}
	room, sign := less, -1
	if off < 0 {
		room, sign, off = more, 1, -off
	}
	if sum(room) < off {
		return bounces // no day has such rows
	}
	for i, n := range apportion(off, room, room) {
		fit[i] += sign * n
	}
	return fit
}

// repeats sets how many of each row's visits are not the first of their
// visitor. In a table of visitors' own traits they add up to the day's.
func (b *builder) repeats(d *dim, t *Table, scaled bool) {
	n := len(t.Rows)
	caps := make([]int, n+1)
	for i := range caps {
		caps[i] = max(0, d.bounces[i]+d.engaged[i]-1)
	}
	want := b.visits() - b.persons
	if t.Has&Visitors == 0 {
		if d.perVisitor {
			d.repeats = apportion(want, caps, caps)
		}
		return
	}
	d.repeats = make([]int, n+1)
	for i, r := range t.Rows {
		v := d.bounces[i] + d.engaged[i]
		w := clip(r.Visitors)
		if scaled && r.Visits > 0 {
			w = int(float64(w)*float64(v)/float64(clip(r.Visits)) + 0.5)
		}
		d.repeats[i] = min(max(0, v-w), caps[i])
	}
	if !d.perVisitor {
		return
	}
	have := sum(d.repeats)
	if have > want {
		d.repeats = apportion(want, d.repeats, d.repeats)
		return
	}
	d.repeats[n] = min(want-have, caps[n])
	have += d.repeats[n]
	for i := range caps {
		caps[i] -= d.repeats[i]
	}
	for i, more := range apportion(want-have, caps, caps) {
		d.repeats[i] += more
	}
}

// targets sets what each row's paged visits should sum to of the fitted
// measures, so that a dimension's rows sum to what the day has.
func (b *builder) targets(d *dim, t *Table, rows []Row) {
	if t.Has&Pageviews != 0 {
		d.target[views] = b.target(d, b.pageviews-b.bounces-2*b.paged, func(i int) int {
			return clip(rows[i].Pageviews) - d.bounces[i] - 2*d.engaged[i]
		})
	}
	if t.Has&Duration != 0 {
		f := b.floor[seconds]
		d.target[seconds] = b.target(d, b.duration-f*b.paged, func(i int) int {
			return clip(rows[i].Duration) - f*d.engaged[i]
		})
	}
}

func (b *builder) target(d *dim, total int, told func(int) int) []int {
	n := len(d.engaged)
	out := make([]int, n)
	have := 0
	for i := range n - 1 {
		if d.engaged[i] > 0 {
			out[i] = max(0, told(i))
			have += out[i]
		}
	}
	if b.paged == 0 || total < 0 {
		return nil
	}
	if have < total && d.engaged[n-1] > 0 {
		out[n-1] = total - have
		have = total
	}
	if have == 0 {
		return nil
	}
	if have != total {
		out = apportion(total, out, nil)
	}
	return out
}
