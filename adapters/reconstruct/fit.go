package reconstruct

import (
	"cmp"
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
	b.rng.Shuffle(len(labels), func(i, j int) { labels[i], labels[j] = labels[j], labels[i] })
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
	type place struct {
		score float64
		row   int32
	}
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
	slices.SortFunc(places, func(a, b place) int {
		return cmp.Or(cmp.Compare(a.score, b.score), cmp.Compare(a.row, b.row))
	})
	labels := make([]int32, len(places))
	for k, p := range places {
		labels[k] = p.row
	}
	b.give(d, b.bounces, b.bounces+b.paged, labels)
}

// fitter distributes the fitted measures over the paged visits, which are
// numbered from 0 here, and moves visits between rows to bring sums closer.
type fitter struct {
	b      *builder
	dims   []*fitDim
	extra  [2][]int32 // what each visit has beyond its floor
	limit  int32      // most seconds beyond the floor
	most   int32      // of the seconds that hits take to be apart
	weight [3]float64 // of one pageview, second, visitor in the wrong row

	budget      int     // of moves that search still tries
	over, under []int32 // rows with too much and with too little
}

type fitDim struct {
	*dim
	row   []int32 // the dim's rows of paged visits
	start []int32 // row r has slots start[r] to start[r+1]
	slot  []int32 // the visit in a slot
	pos   []int32 // the slot of a visit
	off   [2][]int
	again []int // repeats too many, nil when unknown
}

func (b *builder) fit() float64 {
	f := &fitter{b: b, limit: int32(b.seconds - 1 - b.floor[seconds])}
	f.most = f.limit
	f.weight = [3]float64{1 / float64(max(1, b.pageviews)), 1 / (2 * float64(max(1, b.duration))), 2 / float64(b.persons)}
	for i := range b.dims {
		f.dims = append(f.dims, b.newFitDim(&b.dims[i]))
	}
	f.extra[views] = f.rake(views, b.pageviews-b.bounces-2*b.paged, make([]int32, b.paged))
	total := b.duration - b.floor[seconds]*b.paged - b.reserved()
	f.extra[seconds] = f.rake(seconds, total, f.apart(total))
	f.search()
	if b.day.SettleRepeats {
		f.settleRepeats()
	}
	b.extra = f.extra
	return f.cost()
}

// steps returns how many seconds beyond the floor a visit takes to have its
// hits a second apart.
func (f *fitter) steps(v int32) int32 {
	return f.extra[views][v] + int32(len(f.b.hosted[int(v)+f.b.bounces])+1-f.b.floor[seconds])
}

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
			c += float64(abs(e)) * f.weight[2]
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
	mean := float64(total) / float64(len(least))
	x := make([]float64, len(least))
	for v := range x {
		s, w := math.Log(mean)*0.01, 0.01
		for i, d := range dims {
			r := d.row[v]
			k := float64(d.size(r))
			s += math.Log(targets[i][r]/k+0.05) / k
			w += 1 / k
		}
		x[v] = math.Exp(s / w)
	}
	sums := []float64{}
	for range 12 {
		for i, d := range dims {
			sums = append(sums[:0], make([]float64, len(d.engaged))...)
			for v, r := range d.row {
				sums[r] += x[v]
			}
			for r := range sums {
				if sums[r] > 0 {
					sums[r] = (targets[i][r] + 1e-6) / sums[r]
				}
			}
			for v, r := range d.row {
				x[v] *= sums[r]
			}
		}
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

// search improves the fit by moves that keep every visit, bounce and total:
// a pageview or some seconds go from one visit to another, or two visits trade
// their rows of one table. Moves are drawn between a row with too much and one
// with too little, and made when they help.
func (f *fitter) search() {
	n := f.b.paged
	if n < 2 {
		return
	}
	f.countOff()
	f.budget = 300_000 + 12*n
	patience := min(2_000+40*n, 25_000)
	for idle := 0; f.budget > 0 && idle < patience; {
		gain, before := 0.0, f.budget
		f.budget -= 20
		for _, d := range f.dims {
			for m := range d.off {
				if d.off[m] != nil {
					gain += f.balance(d, m)
				}
			}
		}
		if idle += before - f.budget; gain > 1e-4 {
			idle = 0
		}
	}
}

// countOff sets by how much each row has too much of a measure.
func (f *fitter) countOff() {
	for _, d := range f.dims {
		for m, target := range d.target {
			if target == nil {
				continue
			}
			d.off[m] = make([]int, len(d.engaged))
			for r, t := range target {
				d.off[m][r] = -t
			}
			for v, r := range d.row {
				d.off[m][r] += int(f.extra[m][v])
			}
		}
	}
}

// balance tries moves between rows of one table with too much and with too
// little of a measure, and returns what they gained.
func (f *fitter) balance(d *fitDim, m int) (gain float64) {
	f.over, f.under = f.over[:0], f.under[:0]
	for r, e := range d.off[m] {
		switch {
		case d.start[r+1] == d.start[r]:
		case e > 0:
			f.over = append(f.over, int32(r))
		case e < 0:
			f.under = append(f.under, int32(r))
		}
	}
	f.budget -= 20
	if len(f.over) == 0 || len(f.under) == 0 {
		return 0
	}
	for range 4 * max(len(f.over), len(f.under)) {
		r, s := f.over[f.b.rng.IntN(len(f.over))], f.under[f.b.rng.IntN(len(f.under))]
		if d.off[m][r] <= 0 || d.off[m][s] >= 0 {
			f.budget--
			continue
		}
		for range 6 {
			f.budget--
			if g := f.try(d, m, r, s); g > 0 {
				gain += g
				break
			}
		}
	}
	return gain
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
	if d.row[i] == d.row[j] || f.tradeGain(d, i, j) <= 0 {
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

// stride is the most that a visit without any gains in a move.
var stride = [2]int{1, 30}

// try draws a visit of row r and one of row s, makes the best move between
// them and returns what it gained.
func (f *fitter) try(d *fitDim, m int, r, s int32) float64 {
	i := d.slot[int(d.start[r])+f.b.rng.IntN(d.size(r))]
	j := d.slot[int(d.start[s])+f.b.rng.IntN(d.size(s))]
	// A visit at most doubles, so that no one takes a whole row's difference.
	shift := int32(min(d.off[m][r], -d.off[m][s], int(f.extra[m][i]), int(f.extra[m][j])+stride[m]))
	switch long := f.extra[seconds]; {
	case m == seconds: // both keep their hits apart, and within the day
		shift = min(shift, f.limit-long[j], long[i]-f.least(i))
	case long[j] < f.most: // one more hit takes a second
		shift = min(shift, long[j]-f.steps(j))
	}
	byShift := 0.0
	if shift > 0 {
		byShift = f.shiftGain(m, i, j, int(shift))
		if shift > 1 {
			if g := f.shiftGain(m, i, j, int(shift+1)/2); g > byShift {
				byShift, shift = g, (shift+1)/2
			}
		}
	}
	byTrade := 0.0
	if f.mayTrade(d, i, j) {
		byTrade = f.tradeGain(d, i, j)
	}
	const least = 1e-12
	switch {
	case byTrade > least && byTrade >= byShift:
		f.trade(d, i, j)
		return byTrade
	case byShift > least:
		f.shift(m, i, j, int(shift))
		return byShift
	case byTrade == 0 && f.mayTrade(d, i, j) && d.row[i] != d.row[j]:
		f.trade(d, i, j)
	}
	return 0
}

func abs(x int) int {
	if x < 0 {
		return -x
	}
	return x
}

func (f *fitter) shiftGain(m int, i, j int32, k int) float64 {
	gain := 0
	for _, d := range f.dims {
		r, s := d.row[i], d.row[j]
		if r == s || d.off[m] == nil {
			continue
		}
		e, g := d.off[m][r], d.off[m][s]
		gain += abs(e) - abs(e-k) + abs(g) - abs(g+k)
	}
	return float64(gain) * f.weight[m]
}

func (f *fitter) shift(m int, i, j int32, k int) {
	f.extra[m][i] -= int32(k)
	f.extra[m][j] += int32(k)
	for _, d := range f.dims {
		if d.off[m] != nil {
			d.off[m][d.row[i]] -= k
			d.off[m][d.row[j]] += k
		}
	}
}

// mayTrade reports whether two visits may trade rows. In a table of visitors'
// traits all visits of their visitors trade, and both must have as many of each
// kind.
func (f *fitter) mayTrade(d *fitDim, i, j int32) bool {
	if !d.perVisitor {
		return true
	}
	a, b := f.whose(i), f.whose(j)
	last := f.b.bounces + f.b.paged
	return a.bounces == b.bounces && a.others == b.others && a.other+a.others <= last && b.other+b.others <= last &&
		(d.kin == nil || f.strangers(d, i, d.row[j])+f.strangers(d, j, d.row[i]) <= f.strangers(d, i, d.row[i])+f.strangers(d, j, d.row[j]))
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
	if !d.perVisitor {
		return int(f.extra[m][i] - f.extra[m][j])
	}
	a, b := f.whose(i), f.whose(j)
	k := 0
	for v := range a.others {
		k += int(f.extra[m][a.other+v-f.b.bounces] - f.extra[m][b.other+v-f.b.bounces])
	}
	return k
}

func (f *fitter) groupOf(v int32) int32 { return f.b.groupOf(int(v) + f.b.bounces) }

func (f *fitter) tradeGain(d *fitDim, i, j int32) float64 {
	r, s := d.row[i], d.row[j]
	gain := 0.0
	for m := range 2 {
		if d.off[m] == nil {
			continue
		}
		k := f.excess(d, m, i, j)
		e, g := d.off[m][r], d.off[m][s]
		gain += float64(abs(e)-abs(e-k)+abs(g)-abs(g+k)) * f.weight[m]
	}
	if d.again != nil && !d.perVisitor {
		dr, ds := f.againChange(d, int(i)+f.b.bounces, int(j)+f.b.bounces)
		e, g := d.again[r], d.again[s]
		gain += float64(abs(e)-abs(e+dr)+abs(g)-abs(g+ds)) * f.weight[2]
	}
	return gain
}

// againChange returns how the repeats of the rows of visits v and w change by a
// trade.
func (f *fitter) againChange(d *fitDim, v, w int) (dr, ds int) {
	gi, gj := f.b.groupOf(v), f.b.groupOf(w)
	if gi == gj {
		return 0, 0
	}
	r, s := d.dim.row[v], d.dim.row[w]
	for _, c := range []struct {
		group    int32
		from, to int32
		df, dt   *int
	}{{gi, r, s, &dr, &ds}, {gj, s, r, &ds, &dr}} {
		if c.group < 0 {
			continue
		}
		g := f.b.groups[c.group]
		had, has := 0, 0
		for k := range g.size() {
			switch d.dim.row[g.visit(k)] {
			case c.from:
				had++
			case c.to:
				has++
			}
		}
		if had > 1 {
			*c.df--
		}
		if has > 0 {
			*c.dt++
		}
	}
	return dr, ds
}

func (f *fitter) trade(d *fitDim, i, j int32) {
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
	pi, pj := d.pos[i], d.pos[j]
	d.slot[pi], d.slot[pj] = j, i
	d.pos[i], d.pos[j] = pj, pi
}
