package reconstruct

import (
	"math/bits"
	"slices"
)

// trades has each row that is off trade visits for other rows', at most so many, by
// which the table comes nearest to its sums. It returns how many it made. Visits
// keep their pageviews and seconds, so that tables do not depend on each other.
func (f *fitter) trades(round, most int) (made int) {
	f.sortLengths()
	for _, d := range f.dims {
		if d.off[views] == nil && d.off[seconds] == nil {
			continue
		}
		f.setScale(d)
		for r := range int32(len(d.engaged)) {
			for k := range min(1+d.size(r)/8, most) {
				if !f.tradeRow(d, r, (round+k)*f.members) {
					break
				}
				made++
			}
		}
	}
	return made
}

// What a length has room for: a day has at most [MaxHits] visits.
const (
	visitBits   = 27
	secondBits  = 25
	mostSeconds = 1<<secondBits - 1
	mostViews   = 1<<(64-visitBits-secondBits) - 1
)

// lengthOf is a paged visit with its pageviews and seconds, as visits are sorted by
// these.
func lengthOf(views, seconds, visit int) uint64 {
	return uint64(min(views, mostViews))<<(visitBits+secondBits) | uint64(min(seconds, mostSeconds))<<visitBits | uint64(visit)
}

// visitOf returns the visit of a length.
func visitOf(length uint64) int32 { return int32(length & (1<<visitBits - 1)) }

// sortLengths lists the visits by length, with what they take along in a trade.
func (f *fitter) sortLengths() {
	n := f.b.paged
	f.lengths = f.lengths[:0]
	for v := range n {
		f.lengths = append(f.lengths, lengthOf(int(f.extra[views][v]), int(f.extra[seconds][v]), v))
	}
	f.sorter.sort(f.lengths, visitBits)
	if f.place == nil {
		f.place, f.alone, f.together = make([]int32, n), newLots(n), newLots(n)
	}
	for k, l := range f.lengths {
		v, at := visitOf(l), reach+k
		f.place[v], f.alone.visits[at], f.together.visits[at] = int32(at), v, v
		x, y := float64(f.extra[views][v]), float64(f.extra[seconds][v])
		f.alone.views[at], f.alone.seconds[at] = x, y
		f.together.kinds[at], f.together.views[at], f.together.seconds[at] = f.kinds[v], x, y
	}
	for _, g := range f.b.groups {
		first := g.other - f.b.bounces
		if g.others < 2 || first+g.others > n { // its visits trade alone, or are apart
			continue
		}
		x, y := 0, 0
		for v := first; v < first+g.others; v++ {
			x, y = x+int(f.extra[views][v]), y+int(f.extra[seconds][v])
		}
		for _, at := range f.place[first:][:g.others] {
			f.together.views[at], f.together.seconds[at] = float64(x), float64(y)
		}
	}
}

// setScale prepares to weigh trades of a table.
func (f *fitter) setScale(d *fitDim) {
	s := &f.scale
	if s.lots, s.rows, s.kind = f.alone, d.row, single; d.perVisitor {
		s.lots = f.together
	}
	s.offs = slices.Grow(s.offs[:0], len(d.engaged))[:len(d.engaged)]
	for r := range s.offs {
		f.setOff(d, int32(r))
	}
	s.viewWeight, s.secondWeight = 0, 0
	if d.off[views] != nil {
		s.viewWeight = f.weight[views]
	}
	if d.off[seconds] != nil {
		s.secondWeight = f.weight[seconds]
	}
}

// setOff tells the scale by how much a row is off.
func (f *fitter) setOff(d *fitDim, r int32) {
	at := d.first + int(r)
	o := off{views: float64(f.off[views][at]), seconds: float64(f.off[seconds][at]), row: float64(r)}
	if d.countsRepeats() {
		o.repeats = float64(min(abs(d.again[r]), 1)) * f.weight[visitors]
	}
	f.scale.offs[r] = o
}

// countsRepeats reports whether a trade changes the table's repeats.
func (d *fitDim) countsRepeats() bool { return d.again != nil && !d.perVisitor }

// A bestTrade is the best trade of a row found so far; see scale for what it gains.
type bestTrade struct{ i, j int32 }

// tradeRow makes the best trade of a row's visits, some of them from the given one
// on, with visits that are longer or shorter by what the row is off.
func (f *fitter) tradeRow(d *fitDim, r int32, from int) bool {
	s := &f.scale
	e := [2]int{f.off[views][d.first+int(r)], f.off[seconds][d.first+int(r)]}
	again := s.offs[r].repeats != 0
	size := d.size(r)
	if e == [2]int{} && !again || size == 0 {
		return false
	}
	const least = 1e-12
	s.own, s.best = s.offs[r], least-f.loss
	best := bestTrade{}
	slots := d.slot[d.start[r]:d.start[r+1]]
	next := from % size
	for range min(size, f.members) {
		i := slots[next]
		if next++; next == size {
			next = 0
		}
		if d.perVisitor {
			if s.kind = f.kinds[i]; s.kind == apart {
				continue
			}
		}
		x, y := int(f.extra[views][i]), int(f.extra[seconds][i])
		f.seek(d, i, x-e[views], y-e[seconds], &best)
		if e[views] != 0 && e[seconds] != 0 {
			f.seek(d, i, x, y-e[seconds], &best)
		}
		if again {
			f.seek(d, i, x, y, &best)
		}
	}
	if best.i == best.j {
		return false
	}
	other := d.row[best.j]
	f.trade(d, best.i, best.j)
	f.setOff(d, r)
	f.setOff(d, other)
	return true
}

// seek looks among the visits of about so many pageviews and seconds for one that i
// best trades with. Mostly none gains enough, which the scale tells of all at once.
func (f *fitter) seek(d *fitDim, i int32, x, y int, best *bestTrade) {
	if x < 0 {
		return
	}
	at, place, s := f.placeOf(lengthOf(x, max(y, 0), 0)), f.place[i], &f.scale
	var gains [lanes]float64
	for may := s.weigh(at, s.views[place], s.seconds[place], &gains); may != 0; may &= may - 1 {
		k := bits.TrailingZeros32(may)
		j, gain := s.visits[at+k], gains[k]
		if gain+(s.own.repeats+s.offs[d.row[j]].repeats) <= s.best {
			continue
		}
		if f.kinds[i]|f.kinds[j] != single && d.countsRepeats() {
			gain += f.repeatGain(d, i, j)
		}
		if gain > s.best && !f.estranges(d, i, j) {
			*best, s.best = bestTrade{i, j}, gain
		}
	}
}

// placeOf returns the place of the first length that is not less. Which half it is in
// is not easy to foretell: hence no branches.
func (f *fitter) placeOf(l uint64) int {
	list := f.lengths
	at := 0
	for n := uint(len(list)); n > 0; {
		half := (n + 1) / 2
		_, less := bits.Sub64(list[at+int(half)-1], l, 0)
		at += int(half) & -int(less)
		n -= half
	}
	return at
}

// The kinds of visits besides those of visitors with several visits.
const (
	single = 0  // the only visit of its visitor
	apart  = -1 // of a visitor whose visits cannot trade a trait with another's
)

// setKinds sets for each visit a number that is the same where visitors have as many
// visits of each class, which therefore can trade traits.
func (f *fitter) setKinds() {
	f.kinds = make([]int32, f.b.paged)
	last := f.b.bounces + f.b.paged
	known := map[[2]int]int32{}
	for _, g := range f.b.groups {
		size := [2]int{g.bounces, g.others}
		if known[size] == 0 {
			known[size] = int32(len(known)) + 1
		}
		kind := known[size]
		if g.other+g.others > last {
			kind = apart
		}
		for v := g.other; v < min(g.other+g.others, last); v++ {
			f.kinds[v-f.b.bounces] = kind
		}
	}
}

// nearer returns by how much rows that have so much too much come nearer to their sums
// where k goes from the one to the other.
func nearer(from, to, k int) int { return abs(from) - abs(from-k) + abs(to) - abs(to+k) }

// alike reports whether two visits can trade rows. In a table of visitors' traits
// all visits of their visitors trade, and both must have as many of each kind.
func (f *fitter) alike(d *fitDim, i, j int32) bool {
	return !d.perVisitor || f.kinds[i] == f.kinds[j] && f.kinds[i] != apart
}

// estranges reports whether more rows that do not belong together would meet
// if two visits traded theirs of a table of visitors' traits.
func (f *fitter) estranges(d *fitDim, i, j int32) bool {
	if !d.perVisitor || d.kin == nil {
		return false
	}
	of, to, more := d.kin[d.row[i]], d.kin[d.row[j]], 0
	for _, o := range f.kindred {
		if o != d {
			a, b := o.kin[o.row[i]], o.kin[o.row[j]]
			more += strange(a, to) + strange(b, of) - strange(a, of) - strange(b, to)
		}
	}
	return more > 0
}

// strange returns 0 for sets that are [akin], else 1. Which are is not easy to foretell:
// hence no branches.
func strange(a, b uint16) int {
	empty := func(set uint16) uint32 { return (uint32(set) - 1) >> 31 }
	return int(empty(a&b) &^ (empty(a) | empty(b)))
}

// whose returns all visits that trade a visitor's trait together with v.
func (f *fitter) whose(v int32) group {
	if g := f.groupOf(v); g >= 0 {
		return f.b.groups[g]
	}
	return group{other: int(v) + f.b.bounces, others: 1}
}

// moved returns by how much a trade of i's and j's rows in d moves a measure.
func (f *fitter) moved(d *fitDim, m int, i, j int32) int {
	extra := f.extra[m]
	if !d.perVisitor || f.groupOf(i) < 0 { // j is of as many visits
		return int(extra[i] - extra[j])
	}
	a, b := f.whose(i), f.whose(j)
	k := 0
	for v := range a.others {
		k += int(extra[a.other+v-f.b.bounces] - extra[b.other+v-f.b.bounces])
	}
	return k
}

func (f *fitter) groupOf(v int32) int32 { return f.b.groupOf(int(v) + f.b.bounces) }

// tradeGain returns what a trade of i's and j's rows in d gains. Where that is no
// more than enough, it is not worked out.
func (f *fitter) tradeGain(d *fitDim, i, j int32, enough float64) float64 {
	r, s := d.row[i], d.row[j]
	gain := 0.0
	for m := range d.off {
		off := d.off[m]
		if off == nil {
			continue
		}
		gain += float64(nearer(off[r], off[s], f.moved(d, m, i, j))) * f.weight[m]
	}
	if d.again == nil || d.perVisitor {
		return gain
	}
	most := min(abs(d.again[r]), 1) + min(abs(d.again[s]), 1) // of the repeats, that it can gain
	if gain+float64(most)*f.weight[visitors] <= enough {
		return gain
	}
	return gain + f.repeatGain(d, i, j)
}

// repeatGain returns what a trade gains in repeats.
func (f *fitter) repeatGain(d *fitDim, i, j int32) float64 {
	e, g := d.again[d.row[i]], d.again[d.row[j]]
	dr, ds := f.againChange(d, int(i)+f.b.bounces, int(j)+f.b.bounces)
	return float64(abs(e)-abs(e+dr)+abs(g)-abs(g+ds)) * f.weight[visitors]
}

// againChange returns how the repeats of the rows of visits v and w change by a
// trade.
func (f *fitter) againChange(d *fitDim, v, w int) (dr, ds int) {
	gi, gj := f.b.groupOf(v), f.b.groupOf(w)
	if gi == gj {
		return 0, 0
	}
	rows := d.dim.row
	r, s := rows[v], rows[w]
	if gi >= 0 {
		lost, gained := f.b.groups[gi].change(rows, r, s)
		dr, ds = dr-lost, ds+gained
	}
	if gj >= 0 {
		lost, gained := f.b.groups[gj].change(rows, s, r)
		dr, ds = dr+gained, ds-lost
	}
	return dr, ds
}

// change returns whether a visitor, of whose visits one goes from a row to
// another, has a repeat less of the one, and one more of the other.
func (g group) change(rows []int32, from, to int32) (lost, gained int) {
	had, has := 0, 0
	for _, r := range rows[g.bounce:][:g.bounces] {
		had, has = had+same(r, from), has+same(r, to)
	}
	for _, r := range rows[g.other:][:g.others] {
		had, has = had+same(r, from), has+same(r, to)
	}
	return min(max(had-1, 0), 1), min(has, 1)
}

// same returns 1 for equal rows, else 0.
func same(a, b int32) int {
	if a == b {
		return 1
	}
	return 0
}

func (f *fitter) trade(d *fitDim, i, j int32) {
	f.settled = [2]bool{}
	r, s := d.row[i], d.row[j]
	if d.again != nil && !d.perVisitor {
		dr, ds := f.againChange(d, int(i)+f.b.bounces, int(j)+f.b.bounces)
		d.again[r] += dr
		d.again[s] += ds
	}
	for m := range 2 {
		if d.off[m] != nil {
			k := f.moved(d, m, i, j)
			d.off[m][r] -= k
			d.off[m][s] += k
		}
	}
	if !d.perVisitor {
		d.swap(i, j)
		return
	}
	a, b := f.whose(i), f.whose(j)
	for k := range a.bounces {
		d.dim.row[a.bounce+k], d.dim.row[b.bounce+k] = s, r
	}
	for k := range a.others {
		d.swap(int32(a.other+k-f.b.bounces), int32(b.other+k-f.b.bounces))
	}
}

// swap exchanges two visits' rows.
func (d *fitDim) swap(i, j int32) {
	d.row[i], d.row[j] = d.row[j], d.row[i]
	x, y := int(i)*d.tables, int(j)*d.tables
	d.at[x], d.at[y] = d.at[y], d.at[x]
	pi, pj := d.pos[i], d.pos[j]
	d.slot[pi], d.slot[pj] = j, i
	d.pos[i], d.pos[j] = pj, pi
}
