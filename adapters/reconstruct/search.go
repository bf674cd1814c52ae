package reconstruct

import (
	"math"
	"math/bits"
	"slices"
)

// search improves the fit by moves that keep every visit, bounce and total: two
// visits trade their rows of one table, or a pageview or some seconds go from one
// visit to another. Moves are sought where rows are off. A trade changes the sums
// of one table alone, which makes rows of many visits easy to mend: in the first
// rounds shifts therefore count rows of few visits for more, and trades may lose
// a little, less from round to round, to leave where no single move helps.
func (f *fitter) search() {
	n := f.b.paged
	if n < 2 {
		return
	}
	f.countOff()
	f.weighRows()
	e := effortFor(n)
	for round := range e.rounds {
		f.loss = f.weight[views] * max(0, 3-3*float64(round)/float64(e.rounds-2))
		f.members = e.members
		if f.loss == 0 {
			f.members = e.membersLast
		}
		moved := f.trades(round, e.repeat)
		if round == e.rounds-1 {
			f.evenRows()
		}
		for range e.shifts {
			made := f.shifts(views) + f.shifts(seconds)
			if moved += made; made == 0 {
				break
			}
		}
		if moved == 0 && f.loss == 0 {
			break
		}
	}
	f.trades(e.rounds, e.repeat)
	f.draw(e.draws)
}

// effort says how long moves are sought.
type effort struct {
	rounds               int
	members, membersLast int // visits of a row that seek a partner, at first and in the end
	repeat               int // the most trades of a row in a round
	shifts               int // how often all visits are ranked in a round
	draws                int
}

// effortFor returns the effort for so many visits: sums of many fit soon.
func effortFor(visits int) effort {
	if visits <= 500 {
		return effort{rounds: 7, members: 8, membersLast: 40, repeat: 4, shifts: 4, draws: max(2_000, 20*visits)}
	}
	return effort{rounds: 3, members: 4, membersLast: 8, repeat: 2, shifts: 2, draws: 10_000 + visits}
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
		d.tables, d.at, d.first = f.tables, f.at[min(i, len(f.at)):], rows
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

// mostHeft is the most that a row counts for in a shift.
const mostHeft = 8

// weighRows sets what a row that is off counts for in a shift, 0 where a table
// does not have the measure. Rows that may not meet all others are as hard to mend
// as those of few visits.
func (f *fitter) weighRows() {
	for m := range f.heft {
		f.heft[m] = make([]int32, len(f.off[m]))
		for _, d := range f.dims {
			if d.off[m] == nil {
				continue
			}
			for r := range d.engaged {
				heft := int32(1)
				switch k := d.size(int32(r)); {
				case k <= 2 || d.kin != nil:
					heft = mostHeft
				case k <= 6 || d.again != nil && !d.page:
					heft = 4
				case k <= 20:
					heft = 2
				}
				f.heft[m][d.first+r] = heft
			}
		}
	}
	f.worth = make([]worth, len(f.off[0]))
	f.ranks = make([]worth, f.b.paged)
}

// evenRows lets all rows count for the same.
func (f *fitter) evenRows() {
	for m := range f.heft {
		for r, heft := range f.heft[m] {
			f.heft[m][r] = min(heft, 1)
		}
	}
	f.settled = [2]bool{}
}

// A worth is what one less of a measure in a row, or in all rows of a visit, gains,
// and what one more does: in the upper and the lower half, so that both are added up
// at once.
type worth int64

func worthOf(less, more int32) worth { return worth(less)<<32 + worth(more) }

func (w worth) more() int32 { return int32(w) }

// less takes off what a more below zero has taken from the upper half.
func (w worth) less() int32 { return int32((w - worth(w.more())) >> 32) }

// even returns what is lost by one less and one more: in rows that are not off, for in
// others the one gains what the other loses.
func (w worth) even() int32 { return -(w.less() + w.more()) }

// value returns the worth of a row. What rows are off is not easy to foretell: hence
// no branches.
func (f *fitter) value(m int, row int32) worth {
	const top = bits.UintSize - 1
	heft, e := f.heft[m][row], f.off[m][row]
	less, more := int32(-e>>top)<<1|1, int32(e>>top)<<1|1 // -1 where there is too much, or too little, else 1
	return worthOf(-heft*less, -heft*more)
}

// total returns the worth of all rows of a visit.
func (f *fitter) total(v int32) (sum worth) {
	for _, r := range f.rows(v) {
		sum += f.worth[r]
	}
	return sum
}

// shifts moves amounts of a measure between visits, from those whose rows have too
// much to those whose rows have too little, the ones that gain most first. It
// returns how many it made.
func (f *fitter) shifts(m int) (made int) {
	if f.settled[m] {
		return 0
	}
	f.rankVisits(m)
	f.clearTakings()
	next, blocked := 0, false // of the takers: each giver begins at another
	for _, g := range f.givers {
		i := int32(uint32(g))
		f.give(i)
		best, most := int32(-1), int32(0)
		at := next
		for range min(looks, len(f.takers)) {
			t := f.takers[at]
			if f.ranked(g)+f.ranked(t) <= 0 {
				next = 0 // what follows gains nothing, but the first may
				break
			}
			j := int32(uint32(t))
			if f.mostGain(at, j) > most {
				if gain := f.slope(j); gain > most && i != j {
					if f.room(m, i, j) > 0 {
						best, most = j, gain
					} else {
						blocked = true
					}
				}
			}
			if at++; at == len(f.takers) {
				at = 0
			}
		}
		if best >= 0 {
			f.shift(m, i, best, f.amount(m, i, best, most))
			made++
		}
		if next++; next >= len(f.takers) {
			next = 0
		}
	}
	f.settled[m] = made == 0 && !blocked
	return made
}

// looks is how many takers a giver looks at.
const looks = 8

// rankVisits lists the visits that can gain by giving some of a measure to one of
// those that it lists as takers, those that gain most first.
func (f *fitter) rankVisits(m int) {
	for r := range f.worth {
		f.worth[r] = f.value(m, int32(r))
	}
	mostLess, mostMore := int32(math.MinInt32/2), int32(math.MinInt32/2)
	for v := range f.ranks {
		sum := f.total(int32(v))
		f.ranks[v] = sum
		mostLess, mostMore = max(mostLess, sum.less()), max(mostMore, sum.more())
	}
	n := len(f.ranks)
	f.givers, f.takers = slices.Grow(f.givers[:0], n)[:n], slices.Grow(f.takers[:0], n)[:n]
	givers, takers := 0, 0
	for v, sum := range f.ranks {
		// Who is listed is not easy to foretell: the next one overwrites who is not.
		f.givers[givers] = f.rank(sum.less(), v)
		givers += positive(sum.less()+mostMore) & positive(f.spare(m, int32(v)))
		f.takers[takers] = f.rank(sum.more(), v)
		takers += positive(sum.more() + mostLess)
	}
	f.givers, f.takers = f.givers[:givers], f.takers[:takers]
	f.sorter.sort(f.givers, rankBits)
	f.sorter.sort(f.takers, rankBits)
}

// positive returns 1 for a number above zero, else 0.
func positive(x int32) int { return int(uint32(-x) >> 31) }

const rankBits = 32

// rank is a visit as it is sorted by value, the greatest first.
func (f *fitter) rank(value int32, visit int) uint64 {
	return uint64(mostHeft*int32(f.tables)-value)<<rankBits | uint64(visit)
}

// ranked returns the value that a visit is sorted by.
func (f *fitter) ranked(rank uint64) int32 { return mostHeft*int32(f.tables) - int32(rank>>rankBits) }

// spare returns how much of a measure a visit can give.
func (f *fitter) spare(m int, v int32) int32 {
	if m == seconds {
		return f.extra[seconds][v] - f.least(v)
	}
	return f.extra[views][v]
}

// stride is the most that a visit without any gains in a move.
var stride = [2]int{1, 30}

// room returns how much of a measure visit i can give visit j.
func (f *fitter) room(m int, i, j int32) int {
	// A visit at most doubles, so that no one takes a whole row's difference.
	most := min(int(f.extra[m][i]), int(f.extra[m][j])+stride[m])
	switch long := f.extra[seconds]; {
	case m == seconds: // both keep their hits apart, and within the day
		most = min(most, int(f.limit-long[j]), int(long[i]-f.least(i)))
	case long[j] < f.most: // one more hit takes a second
		most = min(most, int(long[j]-f.steps(j)))
	}
	return most
}

// give sets the visit that slope is about.
func (f *fitter) give(i int32) {
	f.giving = f.giving[:0]
	f.gives = 0
	for _, r := range f.rows(i) {
		w := f.worth[r]
		f.giving = append(f.giving, given{r, w.less()})
		f.gives += w
	}
}

// given is a row of the visit that gives, and what one less in it gains.
type given struct{ row, less int32 }

// taking is the worth of a taker's rows, as of the time when so many shifts were made.
type taking struct {
	worth
	made int32
}

// clearTakings forgets what takers yield.
func (f *fitter) clearTakings() {
	f.takings = slices.Grow(f.takings[:0], len(f.takers))[:len(f.takers)]
	clear(f.takings)
	f.made = 1
}

// mostGain returns the most that slope can return for visit j, a taker at a place: where
// both have the same rows, these gain nothing, but those that are not off lose nothing.
// That takes one look where no shift was made since the last giver.
func (f *fitter) mostGain(at int, j int32) int32 {
	t := &f.takings[at]
	if t.made != f.made {
		*t = taking{f.total(j), f.made}
	}
	return f.gives.less() + t.more() + min(f.gives.even(), t.even())
}

// slope returns what the first of a measure that visit j gets gains. In which tables
// its rows are others is not easy to foretell: hence no branches.
func (f *fitter) slope(j int32) (gain int32) {
	to := f.rows(j)[:len(f.giving)]
	for t, from := range f.giving {
		s := to[t]
		differ := ((from.row - s) | (s - from.row)) >> 31 // all ones, or 0 where they are one
		gain += (from.less + f.worth[s].more()) & differ
	}
	return gain
}

// amount returns how much of a measure visit i best gives visit j, where the first
// of it gains slope: as much as is in their rows too much, or too little.
func (f *fitter) amount(m int, i, j, slope int32) int {
	most := f.room(m, i, j)
	of, to, off := f.rows(i), f.rows(j), f.off[m]
	for k := 0; ; {
		next, less := most, int32(0)
		meet := func(e int, row int32) {
			switch {
			case e <= k || e > next:
			case e < next:
				next, less = e, f.heft[m][row]
			default:
				less += f.heft[m][row]
			}
		}
		for t, r := range of {
			if s := to[t]; r != s {
				meet(off[r], r)
				meet(-off[s], s)
			}
		}
		k = next
		if slope -= 2 * less; k == most || slope <= 0 {
			return k
		}
	}
}

func (f *fitter) shift(m int, i, j int32, k int) {
	f.made++
	f.settled[m] = false
	if m == views {
		f.settled[seconds] = false // a visit's hits take seconds
	}
	f.extra[m][i] -= int32(k)
	f.extra[m][j] += int32(k)
	of, to, off := f.rows(i), f.rows(j), f.off[m]
	for _, t := range f.measured[m] {
		r, s := of[t], to[t]
		off[r] -= k
		off[s] += k
		f.worth[r], f.worth[s] = f.value(m, r), f.value(m, s)
	}
}

func abs(x int) int {
	sign := x >> (bits.UintSize - 1)
	return x ^ sign - sign
}

// rows returns a visit's rows of all tables, numbered through these.
func (f *fitter) rows(v int32) []int32 { return f.at[int(v)*f.tables:][:f.tables] }
