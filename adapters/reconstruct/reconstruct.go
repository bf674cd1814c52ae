package reconstruct

import (
	"math"
	"slices"
	"time"
)

// Reconstruct makes visits from a day's sums; see the package comment for what
// of the sums the result keeps. The same day gives the same result. It takes
// any day whose End is at least a second after Start and whose numbers stay
// below [MaxHits]; inconsistent sums are no error, but show in the report.
// Reconstruct may be called concurrently; it does not keep or change day.
func Reconstruct(day *Day) (*Result, error) {
	b, err := plan(day)
	if err != nil {
		return nil, err
	}
	res := &Result{Pages: b.pages}
	if b.visits() > 0 {
		b.best()
		b.assemble(res, b.paths())
	}
	res.Report = b.report(res)
	return res, nil
}

// best assigns and fits; on small days, where chance decides how well the few
// visits can fit all tables, several times, to keep the best.
func (b *builder) best() {
	const work = 600 // visits in all attempts together
	attempts := min(max(1, work/b.visits()), 4)
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
	events := b.placeEvents()
	length := b.lengths(events)
	start := b.starts(length)
	order := make([]uint64, b.visits()) // visits by start
	for v := range order {
		order[v] = uint64(start[v])<<32 | uint64(v)
	}
	slices.Sort(order)

	tables := len(b.day.Tables)
	rows := make([]int32, len(order)*tables) // one block for all visits, as are the hits
	w := hitWriter{b: b, hits: make([]Hit, 0, b.pageviews+b.numEvents)}
	res.Visits = make([]Visit, 0, len(order))
	res.Persons = b.persons
	for _, next := range order {
		v := int(uint32(next))
		visit := Visit{Visitor: int(b.visitor[v]), Rows: rows[:tables:tables]}
		rows = rows[tables:]
		b.copyRows(visit.Rows, v)

		from := len(w.hits)
		w.at, w.long = time.Duration(start[v])*time.Second, time.Duration(length[v])*time.Second
		switch i := v - b.bounces; {
		case i < 0:
			w.bounce(v, events[v])
		case i < b.paged:
			w.path(v, inner[i], events[v])
		default:
			w.spread(events[v], 0, -1)
		}
		visit.Hits = w.hits[from:len(w.hits):len(w.hits)]
		res.Visits = append(res.Visits, visit)
	}
	b.placeProperties(res.Visits)
}

// copyRows sets a visit's row in each of the day's tables, -1 where a
// dimension has it in the row that stands for no row.
func (b *builder) copyRows(rows []int32, v int) {
	for i := range rows {
		rows[i] = b.dims[i].row[v]
		if int(rows[i]) == len(b.day.Tables[i].Rows) {
			rows[i] = -1
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

// page returns what a hit tells of a page: nothing of the last, which stands
// for pages that no table tells.
func (w *hitWriter) page(p int32) int32 {
	if int(p) == len(w.b.pages) {
		return -1
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
	// What is between keeps a second's distance from both ends, so that
	// these are first and last in formats without fractions too.
	begin, span := w.at, w.long
	if w.long >= 2*time.Second {
		begin, span = w.at+time.Second, w.long-2*time.Second
	}
	steps := time.Duration(len(inner)+len(events)) + 1
	k := time.Duration(0)
	between := func(page, event int32) {
		k++
		w.hit(begin+(span*k/steps).Truncate(time.Millisecond), page, event)
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

// spread writes the events of a visit that has at most one pageview, so many
// hits being before them, the last at the visit's end.
func (w *hitWriter) spread(events []int32, before int, page int32) {
	steps := time.Duration(max(1, before+len(events)-1))
	for k, e := range events {
		w.hit(w.at+(w.long*time.Duration(before+k)/steps).Truncate(time.Millisecond), page, e)
	}
}

// lengths returns the visits' seconds.
func (b *builder) lengths(events [][]int32) []int32 {
	out := make([]int32, b.visits())
	if b.paged > 0 {
		for i, s := range b.extra[seconds] {
			out[b.bounces+i] = s + int32(b.floor[seconds])
		}
		return out
	}
	// Without paged visits only events can make a visit last.
	left := b.duration
	var carriers []int
	for v, e := range events {
		if len(e) > 1 || len(e) == 1 && v < b.bounces {
			carriers = append(carriers, v)
		}
	}
	for k, v := range carriers {
		part := min((left+len(carriers)-k-1)/(len(carriers)-k), b.seconds-1)
		out[v] = int32(part)
		left -= part
	}
	return out
}

// starts spreads the visits evenly over the day, in an order of no meaning,
// each as late as it can be and still end in the day. A visitor's visits
// follow one another at equal distances.
func (b *builder) starts(length []int32) []int32 {
	out := make([]int32, len(length))
	place := b.rng.Perm(len(length))
	at := func(v int, u float64) int32 { return int32(u * float64(b.seconds-int(length[v]))) }
	for v := range length {
		out[v] = at(v, (float64(place[v])+0.5)/float64(len(length)))
	}
	for _, g := range b.groups {
		u := (float64(place[g.visit(0)]) + 0.5) / float64(len(length))
		for k := range g.size() {
			out[g.visit(k)] = at(g.visit(k), (u+float64(k))/float64(g.size()))
		}
	}
	return out
}
