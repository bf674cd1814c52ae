package reconstruct

import "math/bits"

// draw tries so many moves more, between visits drawn from a row with too much and
// one with too little, and makes those that help.
func (f *fitter) draw(moves int) {
	f.budget = moves
	patience := moves / 3
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

// try draws a visit of row r and one of row s, makes the best move between
// them and returns what it gained.
func (f *fitter) try(d *fitDim, m int, r, s int32) float64 {
	i := d.slot[int(d.start[r])+f.b.rng.IntN(d.size(r))]
	j := d.slot[int(d.start[s])+f.b.rng.IntN(d.size(s))]
	byShift, shift := f.bestShift(m, i, j, min(d.off[m][r], -d.off[m][s]))
	byTrade := -1.0
	if f.alike(d, i, j) {
		if byTrade = f.tradeGain(d, i, j, -1e-12); byTrade >= 0 && f.estranges(d, i, j) {
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
	most = min(most, f.room(m, i, j))
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
		gain += nearer(off[r], off[s], k)
	}
	return float64(gain) * f.weight[m]
}
