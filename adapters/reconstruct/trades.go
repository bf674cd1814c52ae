package reconstruct

// trades has each row that is off trade visits for other rows', at most so many, by
// which the table comes nearest to its sums. It returns how many it made. Visits
// keep their pageviews and seconds, so that tables do not depend on each other.
func (f *fitter) trades(round, most int) (made int) {
	f.sortLengths()
	for _, d := range f.dims {
		if d.off[views] == nil && d.off[seconds] == nil {
			continue
		}
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

// sortLengths lists the visits by length.
func (f *fitter) sortLengths() {
	f.lengths = f.lengths[:0]
	for v := range f.b.paged {
		f.lengths = append(f.lengths, lengthOf(int(f.extra[views][v]), int(f.extra[seconds][v]), v))
	}
	f.sorter.sort(f.lengths, visitBits)
}

// A bestTrade is the best trade of a row found so far.
type bestTrade struct {
	i, j int32
	gain float64
}

// tradeRow makes the best trade of a row's visits, some of them from the given one
// on, with visits that are longer or shorter by what the row is off.
func (f *fitter) tradeRow(d *fitDim, r int32, from int) bool {
	var e [2]int
	for m := range e {
		if d.off[m] != nil {
			e[m] = d.off[m][r]
		}
	}
	size := d.size(r)
	again := d.again != nil && !d.perVisitor && d.again[r] != 0
	if e == [2]int{} && !again || size == 0 {
		return false
	}
	const least = 1e-12
	best := bestTrade{gain: least - f.loss}
	for q := range min(size, f.members) {
		i := d.slot[int(d.start[r])+(from+q)%size]
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
	f.trade(d, best.i, best.j)
	return true
}

// seek looks among the visits of about so many pageviews and seconds for one that i
// best trades with.
func (f *fitter) seek(d *fitDim, i int32, x, y int, best *bestTrade) {
	if x < 0 {
		return
	}
	const reach = 3
	at := f.placeOf(lengthOf(x, max(y, 0), 0))
	near := f.lengths[max(0, at-reach):min(len(f.lengths), at+reach)]
	switch kind := f.kinds[i]; {
	case !d.perVisitor && d.again != nil:
		f.seekRepeat(d, i, near, best)
	case !d.perVisitor || kind == single:
		f.seekAlone(d, i, near, best)
	case kind != apart:
		f.seekAlike(d, i, near, best)
	}
}

// seekAlone seeks where no other visits trade with the two. Whether these are of one
// row, or both alone, is not easy to foretell: what they gain, which is mostly too
// little, is asked first.
func (f *fitter) seekAlone(d *fitDim, i int32, near []uint64, best *bestTrade) {
	r := d.row[i]
	for _, l := range near {
		j := visitOf(l)
		gain := f.lengthGain(d, i, j)
		if gain > best.gain && d.row[j] != r && (!d.perVisitor || f.kinds[j] == single) && !f.estranges(d, i, j) {
			*best = bestTrade{i, j, gain}
		}
	}
}

// seekRepeat seeks in a table that is no trait of visitors and tells of their repeats.
func (f *fitter) seekRepeat(d *fitDim, i int32, near []uint64, best *bestTrade) {
	r := d.row[i]
	most := float64(min(abs(d.again[r]), 1)) // of the repeats, that the row can gain
	for _, l := range near {
		j := visitOf(l)
		s := d.row[j]
		gain := f.lengthGain(d, i, j)
		if gain+(most+float64(min(abs(d.again[s]), 1)))*f.weight[visitors] <= best.gain || s == r {
			continue
		}
		if f.kinds[i]|f.kinds[j] != single {
			gain += f.repeatGain(d, i, j)
		}
		if gain > best.gain {
			*best = bestTrade{i, j, gain}
		}
	}
}

// seekAlike seeks among the visits of visitors with as many of each class, in a table
// of visitors' traits.
func (f *fitter) seekAlike(d *fitDim, i int32, near []uint64, best *bestTrade) {
	for _, l := range near {
		j := visitOf(l)
		if f.kinds[j] != f.kinds[i] || d.row[j] == d.row[i] {
			continue
		}
		if gain := f.tradeGain(d, i, j, best.gain); gain > best.gain && !f.estranges(d, i, j) {
			*best = bestTrade{i, j, gain}
		}
	}
}

// placeOf returns the place of the first length that is not less. Which half it is in
// is not easy to foretell: hence no branches.
func (f *fitter) placeOf(l uint64) int {
	list := f.lengths
	at := 0
	for n := len(list); n > 0; {
		half := (n + 1) / 2
		next := at
		if list[at+half-1] < l {
			next = at + half
		}
		at, n = next, n-half
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

// lengthGain returns what a trade of i's and j's rows in d gains in the sums of
// pageviews and seconds, where no other visits trade with them.
func (f *fitter) lengthGain(d *fitDim, i, j int32) (gain float64) {
	r, s := d.row[i], d.row[j]
	if off, extra := d.off[views], f.extra[views]; off != nil {
		gain = float64(nearer(off[r], off[s], int(extra[i]-extra[j]))) * f.weight[views]
	}
	if off, extra := d.off[seconds], f.extra[seconds]; off != nil {
		gain += float64(nearer(off[r], off[s], int(extra[i]-extra[j]))) * f.weight[seconds]
	}
	return gain
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
	return d.perVisitor && d.kin != nil &&
		f.strangers(d, i, d.row[j])+f.strangers(d, j, d.row[i]) > f.strangers(d, i, d.row[i])+f.strangers(d, j, d.row[j])
}

// strangers counts the rows of a visit, those of d apart, with which a row of
// d does not belong together.
func (f *fitter) strangers(d *fitDim, v, row int32) int {
	n := 0
	for _, o := range f.dims {
		if o != d && o.kin != nil && !akin(o.kin[o.row[v]], d.kin[row]) {
			n++
		}
	}
	return n
}

// whose returns all visits that trade a visitor's trait together with v.
func (f *fitter) whose(v int32) group {
	if g := f.groupOf(v); g >= 0 {
		return f.b.groups[g]
	}
	return group{other: int(v) + f.b.bounces, others: 1}
}

// excess returns by how much a trade of i's and j's rows in d moves a measure.
func (f *fitter) excess(d *fitDim, m int, i, j int32) int {
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
		gain += float64(nearer(off[r], off[s], f.excess(d, m, i, j))) * f.weight[m]
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
	for _, run := range [2][]int32{rows[g.bounce : g.bounce+g.bounces], rows[g.other : g.other+g.others]} {
		for _, r := range run {
			if r == from {
				had++
			}
			if r == to {
				has++
			}
		}
	}
	return min(max(had-1, 0), 1), min(has, 1)
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
			k := f.excess(d, m, i, j)
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
