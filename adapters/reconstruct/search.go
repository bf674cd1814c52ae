package reconstruct

import "math/bits"

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
	n := f.b.paged
	f.tables = len(f.dims)
	f.at = make([]int32, n*f.tables)
	rows := 0
	for _, d := range f.dims {
		rows += len(d.engaged)
	}
	f.off = [2][]int{make([]int, rows), make([]int, rows)}
	rows = 0
	for i, d := range f.dims {
		d.tables, d.at = f.tables, f.at[min(i, len(f.at)):]
		for v, r := range d.row {
			d.at[v*d.tables] = int32(rows) + r
		}
		for m, target := range d.target {
			if target == nil {
				continue
			}
			f.measured[m] = append(f.measured[m], i)
			d.off[m] = f.off[m][rows : rows+len(d.engaged)]
			for r, t := range target {
				d.off[m][r] = -t
			}
			for v, r := range d.row {
				d.off[m][r] += int(f.extra[m][v])
			}
		}
		rows += len(d.engaged)
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

// stride is the most that a visit without any gains in a move.
var stride = [2]int{1, 30}

// try draws a visit of row r and one of row s, makes the best move between
// them and returns what it gained.
func (f *fitter) try(d *fitDim, m int, r, s int32) float64 {
	i := d.slot[int(d.start[r])+f.b.rng.IntN(d.size(r))]
	j := d.slot[int(d.start[s])+f.b.rng.IntN(d.size(s))]
	byShift, shift := f.bestShift(m, i, j, min(d.off[m][r], -d.off[m][s]))
	byTrade := -1.0
	if f.alike(d, i, j) {
		if byTrade = f.tradeGain(d, i, j); byTrade >= 0 && f.estranges(d, i, j) {
			byTrade = -1
		}
	}
	const least = 1e-12
	switch {
	case byTrade > least && byTrade >= byShift:
		f.trade(d, i, j)
		return byTrade
	case byShift > least:
		f.shift(m, i, j, shift)
		return byShift
	case byTrade == 0:
		f.trade(d, i, j)
	}
	return 0
}

// bestShift returns how much of a measure, at most so much, visit i best gives
// visit j, and what that gains, if anything.
func (f *fitter) bestShift(m int, i, j int32, most int) (gain float64, shift int) {
	// A visit at most doubles, so that no one takes a whole row's difference.
	most = min(most, int(f.extra[m][i]), int(f.extra[m][j])+stride[m])
	switch long := f.extra[seconds]; {
	case m == seconds: // both keep their hits apart, and within the day
		most = min(most, int(f.limit-long[j]), int(long[i]-f.least(i)))
	case long[j] < f.most: // one more hit takes a second
		most = min(most, int(long[j]-f.steps(j)))
	}
	if most <= 0 || f.firstGain(m, i, j) <= 0 {
		return 0, 0
	}
	gain, shift = f.shiftGain(m, i, j, most), most
	if half := (most + 1) / 2; half < most {
		if g := f.shiftGain(m, i, j, half); g > gain {
			gain, shift = g, half
		}
	}
	return gain, shift
}

func abs(x int) int {
	sign := x >> (bits.UintSize - 1)
	return x ^ sign - sign
}

// rows returns a visit's rows of all tables, numbered through these.
func (f *fitter) rows(v int32) []int32 { return f.at[int(v)*f.tables:][:f.tables] }

// firstGain returns in how many rows more the first of a measure that visit i
// gives visit j is one less too many, or too few, than in how many it is one
// more. What follows gains no more than the first, so that most moves end here,
// and no sign is easy to foretell: hence no branches.
func (f *fitter) firstGain(m int, i, j int32) int {
	const top = bits.UintSize - 1
	of, to, off := f.rows(i), f.rows(j), f.off[m]
	gain := 0
	for _, t := range f.measured[m] {
		r, s := int(of[t]), int(to[t])
		differ := ((r - s) | (s - r)) >> top // all ones, or 0 where they are one
		less := (off[r]-1)>>top | 1          // 1 where row r has too much, else -1
		more := -(off[s]>>top*2 + 1)         // 1 where row s has too little, else -1
		gain += (less + more) & differ
	}
	return gain
}

func (f *fitter) shiftGain(m int, i, j int32, k int) float64 {
	of, to, off := f.rows(i), f.rows(j), f.off[m]
	gain := 0
	for _, t := range f.measured[m] {
		r, s := of[t], to[t]
		if r == s {
			continue
		}
		e, g := off[r], off[s]
		gain += abs(e) - abs(e-k) + abs(g) - abs(g+k)
	}
	return float64(gain) * f.weight[m]
}

func (f *fitter) shift(m int, i, j int32, k int) {
	f.extra[m][i] -= int32(k)
	f.extra[m][j] += int32(k)
	of, to, off := f.rows(i), f.rows(j), f.off[m]
	for _, t := range f.measured[m] {
		off[of[t]] -= k
		off[to[t]] += k
	}
}

// alike reports whether two visits can trade rows. In a table of visitors' traits
// all visits of their visitors trade, and both must have as many of each kind.
func (f *fitter) alike(d *fitDim, i, j int32) bool {
	if !d.perVisitor || f.groupOf(i) < 0 && f.groupOf(j) < 0 {
		return true
	}
	a, b := f.whose(i), f.whose(j)
	last := f.b.bounces + f.b.paged
	return a.bounces == b.bounces && a.others == b.others && a.other+a.others <= last && b.other+b.others <= last
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

// tradeGain returns what a trade of i's and j's rows in d gains. Where that is a
// loss, how much is not worked out.
func (f *fitter) tradeGain(d *fitDim, i, j int32) float64 {
	r, s := d.row[i], d.row[j]
	gain := 0.0
	for m := range d.off {
		off := d.off[m]
		if off == nil {
			continue
		}
		e, g, k := off[r], off[s], f.excess(d, m, i, j)
		gain += float64(abs(e)-abs(e-k)+abs(g)-abs(g+k)) * f.weight[m]
	}
	if d.again == nil || d.perVisitor {
		return gain
	}
	e, g := d.again[r], d.again[s]
	most := min(abs(e), 1) + min(abs(g), 1) // of the repeats, that it can gain
	if gain+float64(most)*f.weight[2] < 0 {
		return gain
	}
	dr, ds := f.againChange(d, int(i)+f.b.bounces, int(j)+f.b.bounces)
	return gain + float64(abs(e)-abs(e+dr)+abs(g)-abs(g+ds))*f.weight[2]
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
