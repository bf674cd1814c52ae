package reconstruct

import (
	"math"
	"slices"
)

// drawSingles gives the bounces and event-only visits of visitors with one
// visit their rows: any order of what is left keeps all sums.
func (b *builder) drawSingles(d *dim, from, to int) {
	var labels []int32
	if left := b.left(d, from < b.bounces); left != nil {
		for r, k := range left {
			for range k {
				labels = append(labels, int32(r))
			}
		}
	}
	shuffle(b.rng, labels)
	b.give(d, from, to, labels)
}

// give gives the visits without a row the rows in order. Visits near each
// other trade theirs where rows do not belong together.
func (b *builder) give(d *dim, from, to int, labels []int32) {
	visits := make([]int32, 0, len(labels))
	for v := from; v < to; v++ {
		if d.row[v] < 0 {
			visits = append(visits, int32(v))
		}
	}
	if d.kin != nil {
		const reach = 300
		ok := func(visit, label int) bool { return akin(b.kin[visits[visit]], d.kin[labels[label]]) }
		for k := range visits {
			if ok(k, k) {
				continue
			}
			for j := k + 1; j < min(len(visits), k+reach); j++ {
				if ok(k, j) && (ok(j, k) || !ok(j, j)) {
					labels[k], labels[j] = labels[j], labels[k]
					break
				}
			}
			for j := k - 1; j >= max(0, k-reach) && !ok(k, k); j-- {
				if ok(k, j) && ok(j, k) {
					labels[k], labels[j] = labels[j], labels[k]
				}
			}
		}
	}
	for k, v := range visits {
		d.row[v] = labels[k]
	}
	b.join(d, visits)
}

// join narrows what the rows of visits have in common by those of d.
func (b *builder) join(d *dim, visits []int32) {
	if d.kin == nil {
		return
	}
	for _, v := range visits {
		b.kin[v] = common(b.kin[v], d.kin[d.row[v]])
	}
}

// akin reports whether two sets go together; common is what they share, or
// the first where they do not.
func akin(a, b uint16) bool { return a == 0 || b == 0 || a&b != 0 }

func common(a, b uint16) uint16 {
	switch {
	case a == 0:
		return b
	case a&b == 0:
		return a
	}
	return a & b
}

// left returns how many visits of a kind each row has yet to get.
func (b *builder) left(d *dim, bounces bool) []int {
	counts, from, to := slices.Clone(d.engaged), b.bounces, b.visits()
	if bounces {
		counts, from, to = slices.Clone(d.bounces), 0, b.bounces
	}
	for v := from; v < to; v++ {
		if d.row[v] >= 0 {
			counts[d.row[v]]--
		}
	}
	return counts
}

// align gives the paged visits of visitors with one visit their rows, such
// that rows of long visits meet. It draws a length for each open place of the
// table, around the mean of its row (closely where the row has few visits),
// orders the places by length, and gives the k-th visit the k-th place.
func (b *builder) align(d *dim) {
	var places []place
	for r, k := range b.left(d, false) {
		mean := 0.0
		spread := 1.5 * math.Sqrt(1-1/float64(max(1, d.engaged[r])))
		switch m := float64(max(1, d.engaged[r])); {
		case d.target[seconds] != nil:
			mean = math.Log(float64(d.target[seconds][r])/m + 0.5)
		case d.target[views] != nil:
			mean = math.Log(float64(d.target[views][r])/m + 0.5)
		}
		for range k {
			places = append(places, place{mean + spread*(b.rng.NormFloat64()-spread/2), int32(r)})
		}
	}
	b.give(d, b.bounces, b.bounces+b.paged, sortedRows(places))
}

// place is an open place of a row, and the logarithm of a length.
type place struct {
	score float64
	row   int32
}

// before reports whether p comes before q; no score is NaN.
func (p *place) before(q *place) bool {
	return p.score < q.score || p.score == q.score && p.row < q.row
}

// sortedRows returns the places' rows in the order of their scores, equal ones in that
// of rows.
func sortedRows(places []place) []int32 {
	// The first bits of most scores differ, and byte by byte these sort sooner.
	const (
		most  = 64 // a logarithm of seconds, and what chance adds
		scale = 1 << 24 / (2 * most)
	)
	order := make([]uint64, len(places))
	for k := range places {
		coarse := (min(max(places[k].score, -most), most-1) + most) * scale
		order[k] = uint64(coarse)<<rankBits | uint64(k)
	}
	new(sorter).sort(order, rankBits)
	rows := make([]int32, len(places))
	for k, next := range order {
		at := k
		for ; at > 0 && places[uint32(next)].before(&places[uint32(order[at-1])]); at-- {
			order[at] = order[at-1]
		}
		order[at] = next
	}
	for k, of := range order {
		rows[k] = places[uint32(of)].row
	}
	return rows
}

// fitter distributes the fitted measures over the paged visits, which are
// numbered from 0 here, and moves visits between rows to bring sums closer.
type fitter struct {
	b       *builder
	dims    []*fitDim
	kindred []*fitDim  // of these, where not all rows belong together
	extra   [2][]int32 // what each visit has beyond its floor
	limit   int32      // most seconds beyond the floor
	most    int32      // of the seconds that hits take to be apart
	weight  [3]float64 // of one pageview, second, visitor in the wrong row

	budget      int     // of moves that draw still tries
	over, under []int32 // rows with too much and with too little

	loss    float64  // the most that a trade may lose
	members int      // how many visits of a row seek another to trade with
	kinds   []int32  // of a visit, see setKinds
	lengths []uint64 // see lengthOf; of the visits, sorted
	place   []int32  // of a visit in the scale

	alone, together lots // of visits that trade alone, and with all of their visitor
	scale           scale

	heft           [2][]int32 // of a row, see weighRows
	worth          []worth    // of a row
	ranks          []worth    // of a visit: of all its rows
	givers, takers []uint64   // visits by rank
	sorter         sorter
	giving         []given // the rows of the visit that gives, see slope
	gives          worth   // of all of them
	takings        []taking
	made           int32   // shifts since takings were cleared
	settled        [2]bool // measures of which no shift helps until rows trade

	// What every move looks at lies together: a visit's rows of all tables,
	// numbered through these, and by how much each of these has too much.
	tables   int
	at       []int32
	off      [2][]int
	measured [2][]int // the tables that have a measure
	events   []int32  // of a visit: what its custom events add to steps
}

type fitDim struct {
	*dim
	row   []int32  // the dim's rows of paged visits
	start []int32  // row r has slots start[r] to start[r+1]
	slot  []int32  // the visit in a slot
	pos   []int32  // the slot of a visit
	off   [2][]int // of the fitter's, nil when unknown
	again []int    // repeats too many, nil when unknown

	first  int     // the number of its first row through all tables
	tables int     // how far apart the rows of two visits are in at
	at     []int32 // of the fitter's, from this table on
}

func (b *builder) fit() float64 {
	f := &fitter{b: b, limit: int32(b.seconds - 1 - b.floor[seconds])}
	f.most = f.limit
	f.weight = [3]float64{1 / float64(max(1, b.pageviews)), 1 / (2 * float64(max(1, b.duration))), 6 / float64(b.persons)}
	for i := range b.dims {
		d := b.newFitDim(&b.dims[i])
		f.dims = append(f.dims, d)
		if d.kin != nil {
			f.kindred = append(f.kindred, d)
		}
	}
	f.events = make([]int32, b.paged)
	for v := range f.events {
		f.events[v] = int32(len(b.hosted[v+b.bounces]) + 1 - b.floor[seconds])
	}
	f.extra[views] = f.rake(views, b.pageviews-b.bounces-2*b.paged, make([]int32, b.paged))
	total := b.duration - b.floor[seconds]*b.paged - b.reserved()
	f.extra[seconds] = f.rake(seconds, total, f.apart(total))
	f.setKinds()
	f.search()
	if b.day.SettleRepeats {
		f.settleRepeats()
	}
	b.extra = f.extra
	return f.cost()
}

// steps returns how many seconds beyond the floor a visit takes to have its
// hits a second apart.
func (f *fitter) steps(v int32) int32 { return f.extra[views][v] + f.events[v] }

// least returns the fewest seconds beyond the floor that a visit has.
func (f *fitter) least(v int32) int32 { return min(max(f.steps(v), 0), f.most) }

// apart returns the least seconds of all visits. Where there are fewer in all,
// the visits with the most hits get less than they need.
func (f *fitter) apart(total int) []int32 {
	out := make([]int32, f.b.paged)
	for {
		sum, highest := 0, int32(0)
		for v := range out {
			out[v] = f.least(int32(v))
			sum += int(out[v])
			highest = max(highest, out[v])
		}
		if sum <= max(total, 0) {
			return out
		}
		f.most = min(highest/2, f.most)
	}
}

// cost weighs what is left in wrong rows.
func (f *fitter) cost() float64 {
	c := 0.0
	for _, d := range f.dims {
		for m := range 2 {
			for _, e := range d.off[m] {
				c += float64(abs(e)) * f.weight[m]
			}
		}
		for _, e := range d.again {
			c += float64(abs(e)) * f.weight[visitors]
		}
	}
	return c
}

func (b *builder) newFitDim(d *dim) *fitDim {
	fd := &fitDim{dim: d, row: d.row[b.bounces : b.bounces+b.paged]}
	fd.start = make([]int32, len(d.engaged)+1)
	for _, r := range fd.row {
		fd.start[r+1]++
	}
	for r := range d.engaged {
		fd.start[r+1] += fd.start[r]
	}
	next := slices.Clone(fd.start)
	fd.slot, fd.pos = make([]int32, b.paged), make([]int32, b.paged)
	for v, r := range fd.row {
		fd.slot[next[r]], fd.pos[v] = int32(v), next[r]
		next[r]++
	}
	if d.repeats != nil {
		fd.again = make([]int, len(d.repeats))
		for r, k := range d.repeats {
			fd.again[r] = -k
		}
		for _, g := range b.groups {
			for i := 1; i < g.size(); i++ {
				r := d.row[g.visit(i)]
				for j := range i {
					if r >= 0 && d.row[g.visit(j)] == r {
						fd.again[r]++
						break
					}
				}
			}
		}
	}
	return fd
}

func (d *fitDim) size(r int32) int { return int(d.start[r+1] - d.start[r]) }

// rake returns how much of a measure each visit has: it fits the visits to the
// sums of all rows, iteratively and in proportion, and rounds to integers.
// No visit has less than least.
func (f *fitter) rake(m, total int, least []int32) []int32 {
	n := f.b.paged
	out := slices.Clone(least)
	for _, k := range least {
		total -= int(k)
	}
	if total <= 0 || n == 0 {
		return out
	}
	var dims []*fitDim
	for _, d := range f.dims {
		if d.target[m] != nil {
			dims = append(dims, d)
		}
	}
	// Coarse tables first, so that the finest has the last word.
	slices.SortStableFunc(dims, func(a, b *fitDim) int { return f.used(a) - f.used(b) })
	x := f.proportions(m, total, dims, least)
	// Rounding carries the error on along the finest table's rows.
	order := make([]int32, n)
	if len(dims) > 0 {
		copy(order, dims[len(dims)-1].slot)
	} else {
		for v := range order {
			order[v] = int32(v)
		}
	}
	limit := int(f.limit)
	if m == views {
		limit = math.MaxInt32
	}
	all := 0.0
	for _, y := range x {
		all += y
	}
	carry, done := 0.0, 0
	for _, v := range order {
		carry += x[v] * float64(total) / all
		k := min(max(int(carry+0.5)-done, 0), limit-int(out[v]), total-done)
		out[v] += int32(k)
		done += k
	}
	for _, v := range order {
		k := min(total-done, limit-int(out[v]))
		out[v] += int32(k)
		done += k
	}
	return out
}

// proportions fits what each visit has of a measure beyond its least to the
// sums of the rows.
func (f *fitter) proportions(m, total int, dims []*fitDim, least []int32) []float64 {
	targets := make([][]float64, len(dims))
	for i, d := range dims {
		targets[i] = make([]float64, len(d.engaged))
		for r, k := range d.target[m] {
			targets[i][r] = float64(k)
		}
		for v, r := range d.row {
			targets[i][r] -= float64(least[v])
		}
		for r := range targets[i] {
			targets[i][r] = max(targets[i][r], 0)
		}
	}
	x := guesses(float64(total)/float64(len(least)), dims, targets, len(least))
	if len(dims) == 0 {
		return x
	}
	// Fitting to one table's rows and adding up the next one's is one pass.
	most := 0
	for _, d := range dims {
		most = max(most, len(d.engaged))
	}
	sums, spare := make([]float64, most), make([]float64, most)
	for v, r := range dims[0].row {
		sums[r] += x[v]
	}
	for round := range 12 * len(dims) {
		factors := sums[:len(dims[round%len(dims)].engaged)]
		for r := range factors {
			if factors[r] > 0 {
				factors[r] = (targets[round%len(dims)][r] + 1e-6) / factors[r]
			}
		}
		now, next := dims[round%len(dims)], dims[(round+1)%len(dims)]
		sums, spare = spare, sums
		clear(sums[:len(next.engaged)])
		to := next.row[:len(now.row)]
		for v, r := range now.row {
			x[v] *= factors[r]
			sums[to[v]] += x[v]
		}
	}
	return x
}

// guesses returns what each visit has of a measure by the means of its rows, the
// smaller ones counting more.
func guesses(mean float64, dims []*fitDim, targets [][]float64, visits int) []float64 {
	type part struct{ log, weight float64 } // of a row
	parts := make([][]part, len(dims))
	for i, d := range dims {
		parts[i] = make([]part, len(d.engaged))
		for r := range parts[i] {
			if k := float64(d.size(int32(r))); k > 0 {
				parts[i][r] = part{math.Log(targets[i][r]/k+0.05) / k, 1 / k}
			}
		}
	}
	x := make([]float64, visits)
	all := math.Log(mean) * 0.01
	for v := range x {
		s, w := all, 0.01
		for i, d := range dims {
			p := parts[i][d.row[v]]
			s += p.log
			w += p.weight
		}
		x[v] = math.Exp(s / w)
	}
	return x
}

func (f *fitter) used(d *fitDim) int {
	n := 0
	for r := range d.engaged {
		if d.start[r+1] > d.start[r] {
			n++
		}
	}
	return n
}

// settleRepeats trades rows of visits until each row of the tables that are no
// traits of visitors has its repeats, or no trade drawn helps.
func (f *fitter) settleRepeats() {
	const rounds, tries = 8, 1024
	for _, d := range f.dims {
		if d.again == nil || d.perVisitor || len(f.b.groups) == 0 {
			continue
		}
		for range rounds {
			gained := false
			for r, e := range d.again {
				for n := 0; n < tries && d.again[r] != 0 && d.start[r+1] > d.start[r]; n++ {
					gained = f.moveRepeat(d, int32(r), e < 0) || gained
				}
			}
			if !gained {
				break
			}
		}
	}
}

// moveRepeat draws a visitor and makes it have a row once more, or once less, if
// that brings the table nearer, and reports whether it did. Bounces trade with
// bounces, where they do not begin and end on the row.
func (f *fitter) moveRepeat(d *fitDim, r int32, more bool) bool {
	g := f.b.groups[f.b.rng.IntN(len(f.b.groups))]
	own, other, seen := 0, -1, 0 // visits of the row; one that is to leave or to get it
	for k := range g.size() {
		v := g.visit(k)
		has := d.dim.row[v] == r
		if has {
			own++
		}
		bounce := v < f.b.bounces
		if has == more || v >= f.b.bounces+f.b.paged || bounce && (d.page || d.kin != nil) {
			continue
		}
		if seen++; f.b.rng.IntN(seen) == 0 {
			other = v
		}
	}
	switch {
	case other < 0 || own == 0 || !more && own < 2:
		return false
	case other < f.b.bounces:
		return f.tradeBounces(d, other, f.b.rng.IntN(f.b.bounces))
	}
	i, j := int32(other-f.b.bounces), int32(f.b.rng.IntN(f.b.paged))
	if more {
		j = d.slot[int(d.start[r])+f.b.rng.IntN(d.size(r))]
	}
	if d.row[i] == d.row[j] || f.tradeGain(d, i, j, 0) <= 0 {
		return false
	}
	f.trade(d, i, j)
	return true
}

// tradeBounces trades two bounces' rows if that brings the repeats nearer, and
// reports whether it did.
func (f *fitter) tradeBounces(d *fitDim, v, w int) bool {
	r, s := d.dim.row[v], d.dim.row[w]
	if r == s || r < 0 || s < 0 {
		return false
	}
	dr, ds := f.againChange(d, v, w)
	if abs(d.again[r]+dr)+abs(d.again[s]+ds) >= abs(d.again[r])+abs(d.again[s]) {
		return false
	}
	d.again[r] += dr
	d.again[s] += ds
	d.dim.row[v], d.dim.row[w] = s, r
	return true
}
