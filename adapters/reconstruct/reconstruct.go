package reconstruct

import (
	"math"
	"slices"
	"sync"
	"time"

	"hopper/pipeline/recount"
)

// A Plan is a day of sums that agree with each other, from which visits can be
// made, a part of the day at a time: a day of millions of visits never has to
// be in memory at once. Its methods may be called concurrently.
type Plan struct {
	whole *builder
	parts []builder

	mu      sync.Mutex
	counted []bool // parts
	count   *counts
}

// NewPlan settles the sums of a day; see the package comment for which of them
// the visits keep. It takes any day whose End is at least a second after Start
// and whose numbers stay below [MaxHits]: inconsistent sums are no error, but
// show in the report. It keeps day, and does not change it. The same day gives
// the same visits.
func NewPlan(day *Day) (*Plan, error) {
	b, err := settle(day)
	if err != nil {
		return nil, err
	}
	n := b.countParts()
	b.plan()
	p := &Plan{whole: b, counted: make([]bool, n), count: newCounts(day, len(b.pages))}
	if n == 1 {
		p.parts = []builder{*b}
	} else {
		p.parts = b.deal(n)
		*b = builder{day: b.day, pages: b.pages}
	}
	return p, nil
}

// CountParts returns how many parts the plan of a day will have, which takes
// less time than making the plan, and how many visitors.
func CountParts(day *Day) (parts, visitors int, err error) {
	b, err := settle(day)
	if err != nil {
		return 0, 0, err
	}
	return b.countParts(), b.persons, nil
}

// Parts returns how many parts the day has, at least 1.
func (p *Plan) Parts() int { return len(p.parts) }

// Pages returns what [Hit.Page] indexes, in all parts.
func (p *Plan) Pages() []string { return p.whole.pages }

// Part makes the visits of a part of the day.
func (p *Plan) Part(i int) *Result {
	b := p.parts[i] // a copy, to leave the plan as it is
	b.dims = slices.Clone(b.dims)
	b.rng = b.part.rng(b.day)
	res := &Result{Pages: p.whole.pages, FirstVisitor: b.part.visitor, FirstVisit: b.part.visit}
	if b.visits() > 0 {
		b.best()
		b.assemble(res, b.paths())
	}
	p.add(i, res)
	return res
}

// add counts a part's visits for the report.
func (p *Plan) add(i int, res *Result) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.counted[i] {
		return
	}
	p.counted[i] = true
	for _, v := range visitsByVisitor(res) {
		p.count.visit(int32(res.FirstVisit)+v, &res.Visits[v])
	}
}

// Report compares the visits of all parts with the day, and reports whether
// all have been made.
func (p *Plan) Report() (recount.Report, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if slices.Contains(p.counted, false) {
		return recount.Report{}, false
	}
	return p.count.compare(p.whole.day, p.whole.pages), true
}

// best assigns and fits; on small days, where chance decides how well the few
// visits can fit all tables, several times, to keep the best.
func (b *builder) best() {
	const work = 450 // visits in all attempts together
	attempts := min(max(1, work/b.visits()), 12)
	var kept builder
	least := math.Inf(1)
	for range attempts {
		b.assign()
		cost := b.fit() + float64(b.taken)*100/float64(b.visits())
		if cost < least {
			least, kept = cost, *b
			kept.dims = slices.Clone(b.dims)
		}
		if cost < 1e-3 {
			break
		}
	}
	*b = kept
}

// assign gives every visit its visitor and its row in each dimension.
func (b *builder) assign() {
	// Few visits can fail to fit by chance; forming visitors again is cheap.
	tries := max(1, 15_000/b.visits())
	if b.taken > 0 {
		tries = 1 // the attempt before has found no way
	}
	for range tries {
		if b.taken = b.formVisitors(); b.taken == 0 {
			break
		}
	}
	b.kin = make([]uint16, b.visits())
	entry, exit := b.endDims()
	for i := range b.dims {
		d := &b.dims[i]
		if d == exit {
			copy(exit.row[:b.bounces], entry.row[:b.bounces]) // a bounce's only page
		}
		if !d.perVisitor {
			b.shareRows(d)
		}
		if d != exit {
			b.drawSingles(d, 0, b.bounces)
		}
		if !d.page {
			b.drawSingles(d, b.bounces+b.paged, b.visits())
		}
		b.align(d)
	}
	b.numberVisitors()
	b.hosted = b.placeEvents()
}

// numberVisitors numbers the visitors, those with several visits first.
func (b *builder) numberVisitors() {
	b.visitor = make([]int32, b.visits())
	for v := range b.visitor {
		b.visitor[v] = -1
	}
	for i, g := range b.groups {
		for k := range g.size() {
			b.visitor[g.visit(k)] = int32(i)
		}
	}
	next := int32(len(b.groups))
	for v := range b.visitor {
		if b.visitor[v] < 0 {
			b.visitor[v] = next
			next++
		}
	}
}

// assemble places visits and their hits in time.
func (b *builder) assemble(res *Result, inner [][]int32) {
	length := b.lengths()
	start := b.starts(length)
	order := make([]uint64, b.visits()) // visits by start
	for v := range order {
		order[v] = uint64(start[v])<<32 | uint64(v)
	}
	new(sorter).sort(order, 32)

	tables := len(b.day.Tables)
	rows := make([]int32, len(order)*tables) // one block for all visits, as are the hits
	w := hitWriter{b: b, hits: make([]Hit, 0, b.pageviews+b.numEvents)}
	res.Visits = make([]Visit, 0, len(order))
	res.Persons = b.persons
	for _, next := range order {
		v := int(uint32(next))
		visit := Visit{Visitor: b.part.visitor + int(b.visitor[v]), Rows: rows[:tables:tables]}
		rows = rows[tables:]
		b.copyRows(visit.Rows, v)

		from := len(w.hits)
		w.at, w.long = time.Duration(start[v])*time.Second, time.Duration(length[v])*time.Second
		switch i := v - b.bounces; {
		case i < 0:
			w.bounce(v, b.hosted[v])
		case i < b.paged:
			w.path(v, inner[i], b.hosted[v])
		default:
			w.spread(b.hosted[v], 0, -1)
		}
		visit.Hits = w.hits[from:len(w.hits):len(w.hits)]
		res.Visits = append(res.Visits, visit)
	}
	b.placeProperties(res.Visits)
	b.name(w.hits)
}

// name gives hits the events' and properties' places in the day for those in
// its part.
func (b *builder) name(hits []Hit) {
	for i := range hits {
		h := &hits[i]
		if h.Event >= 0 {
			h.Event = b.customs[h.Event].index
		}
		for k, p := range h.Properties {
			h.Properties[k] = b.properties[p].index
		}
	}
}

// copyRows sets a visit's row in each of the day's tables, -1 where a
// dimension has it in the row that stands for no row.
func (b *builder) copyRows(rows []int32, v int) {
	for i := range rows {
		d := &b.dims[i]
		rows[i] = d.row[v]
		switch {
		case int(rows[i]) == len(d.engaged)-1:
			rows[i] = -1
		case d.index != nil:
			rows[i] = d.index[rows[i]]
		}
	}
}

// hitWriter writes the hits of one visit after the other.
type hitWriter struct {
	b        *builder
	hits     []Hit
	at, long time.Duration // start and length of the visit being written
}

func (w *hitWriter) hit(at time.Duration, page, event int32) {
	w.hits = append(w.hits, Hit{At: at, Page: page, Event: event})
}

// page returns a hit's page. The last stands for pages that no table has.
func (w *hitWriter) page(p int32) int32 {
	entry, _ := w.b.endDims()
	switch {
	case int(p) == len(w.b.views)-1:
		return -1
	case entry.index != nil:
		return entry.index[p]
	}
	return p
}

// bounce writes a visit with one pageview.
func (w *hitWriter) bounce(v int, events []int32) {
	entry, _ := w.b.endDims()
	p := w.page(entry.row[v])
	w.hit(w.at, p, -1)
	w.spread(events, 1, p)
}

// path writes a visit with two or more pageviews, its events between the
// first and the last.
func (w *hitWriter) path(v int, inner, events []int32) {
	entry, exit := w.b.endDims()
	p := w.page(entry.row[v])
	w.hit(w.at, p, -1)
	steps, k := len(inner)+len(events)+1, 0
	between := func(page, event int32) {
		k++
		w.hit(w.between(k, steps), page, event)
	}
	// The pageviews part the visit into as many pieces and one more, among
	// which the events are spread evenly.
	for j, e := 0, 0; j <= len(inner); j++ {
		for ; e < len(events)*(j+1)/(len(inner)+1); e++ {
			between(p, events[e])
		}
		if j < len(inner) {
			p = w.page(inner[j])
			between(p, -1)
		}
	}
	w.hit(w.at+w.long, w.page(exit.row[v]), -1)
}

// between returns when the k-th of a visit's steps from hit to hit ends: at a
// whole second, a second or more from the others, where the visit is long
// enough. Servers that count in seconds would else not know which of two pages
// came last.
func (w *hitWriter) between(k, steps int) time.Duration {
	if at, ok := w.second(k, steps); ok {
		return at
	}
	begin, span := w.at, w.long
	if w.long >= 2*time.Second {
		// At least the first and the last hit have a second of their own.
		begin, span = w.at+time.Second, w.long-2*time.Second
	}
	return begin + span/time.Millisecond*time.Duration(k)/time.Duration(steps)*time.Millisecond
}

// second returns the whole second at which the k-th step ends, where there is
// one for each.
func (w *hitWriter) second(k, steps int) (time.Duration, bool) {
	long := int(w.long / time.Second)
	return w.at + time.Duration(long*k/steps)*time.Second, long >= steps
}

// spread writes the events of a visit that has at most one pageview, so many
// hits being before them, the last at the visit's end.
func (w *hitWriter) spread(events []int32, before int, page int32) {
	steps := max(1, before+len(events)-1)
	for k, e := range events {
		at, ok := w.second(before+k, steps)
		if !ok {
			at = w.at + w.long/time.Millisecond*time.Duration(before+k)/time.Duration(steps)*time.Millisecond
		}
		w.hit(at, page, e)
	}
}

// lengths returns the visits' seconds.
func (b *builder) lengths() []int32 {
	out := make([]int32, b.visits())
	if b.paged > 0 {
		for i, s := range b.extra[seconds] {
			out[b.bounces+i] = s + int32(b.floor[seconds])
		}
		if b.reserved() > 0 {
			for v := b.bounces + b.paged; v < b.visits(); v++ {
				out[v] = int32(len(b.hosted[v]) - 1)
			}
		}
		return out
	}
	// Without paged visits only events can make a visit last: a second from
	// event to event, and what is left evenly.
	var carriers, least []int
	for v, e := range b.hosted {
		steps := len(e)
		if v >= b.bounces {
			steps--
		}
		if steps > 0 {
			carriers, least = append(carriers, v), append(least, min(steps, b.seconds-1))
		}
	}
	left := b.duration
	if need := sum(least); need <= left {
		left -= need
	} else {
		clear(least)
	}
	for k, v := range carriers {
		part := min((left+len(carriers)-k-1)/(len(carriers)-k), b.seconds-1-least[k])
		out[v] = int32(least[k] + part)
		left -= part
	}
	return out
}

// reserved returns how many of the day's seconds the visits with events alone
// take to have these a second apart, where the day has enough for all visits.
func (b *builder) reserved() int {
	need := 0
	for _, e := range b.hosted[b.bounces+b.paged:] {
		need += min(len(e), b.seconds) - 1
	}
	steps := b.pageviews - b.bounces - b.paged + b.numEvents - b.eventOnly // between hits
	if b.duration < steps || b.duration-need < b.floor[seconds]*b.paged {
		return 0
	}
	return need
}

// starts spreads the visits evenly over the day, in an order of no meaning,
// each as late as it can be and still end in the day. A visitor's visits
// follow one another at equal distances.
func (b *builder) starts(length []int32) []int32 {
	out := make([]int32, len(length))
	place := b.rng.perm(len(length))
	at := func(v int, u float64) int32 { return int32(u * float64(b.seconds-int(length[v]))) }
	for v := range length {
		out[v] = at(v, b.part.share((float64(place[v])+0.5)/float64(len(length))))
	}
	for _, g := range b.groups {
		u := b.part.share((float64(place[g.visit(0)]) + 0.5) / float64(len(length)))
		for k := range g.size() {
			out[g.visit(k)] = at(g.visit(k), (u+float64(k))/float64(g.size()))
		}
	}
	return out
}
