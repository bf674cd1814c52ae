package reconstruct

import "math"

// A trade is sought among the visits next to a length: so many before its place in their
// order and as many behind. Where lanes are weighed at once, the last ones do not count.
const (
	reach = 3
	lanes = 8
)

// lots are what visits take along where they trade, in the order of their lengths. Before
// the first visit are reach places that no visit has, and behind the last one lanes: with
// infinitely many pageviews, so that none of them gains.
type lots struct {
	visits         []int32
	kinds          []int32 // visits of one kind can trade
	views, seconds []float64
}

func newLots(visits int) lots {
	places := reach + visits + lanes
	l := lots{make([]int32, places), make([]int32, places), make([]float64, places), make([]float64, places)}
	for at := range places {
		if at < reach || at >= reach+visits {
			l.views[at], l.seconds[at] = math.Inf(1), math.Inf(1)
		}
	}
	return l
}

// A scale weighs what a visit gains by trading its row of a table with one of several
// other visits.
type scale struct {
	lots
	rows []int32 // of visits
	offs []off   // of rows

	viewWeight, secondWeight float64 // 0 where the table does not have the measure

	// Of the visit that seeks a trade.
	kind int32
	own  off     // of its row
	best float64 // gain
}

// An off is by how much a row has too much, and what the repeats weigh, at most, that it
// can gain by a trade. The row is its number.
type off struct{ views, seconds, repeats, row float64 }

// weighPortable sets what a visit that takes so many pageviews and seconds along gains, in
// the sums of these, by trading with each visit around the place of a length. It reports
// by bits with which of them it may gain more than the best: those of its kind and of other
// rows, with all that repeats can gain.
func (s *scale) weighPortable(at int, views, seconds float64, gains *[lanes]float64) (may uint32) {
	const window = 2 * reach
	visits, kinds := s.visits[at:at+window], s.kinds[at:at+window]
	theirViews, theirSeconds := s.views[at:at+window], s.seconds[at:at+window]
	for k, visit := range visits {
		o := &s.offs[s.rows[visit]]
		gain := float64(gained(s.own.views, o.views, views-theirViews[k]) * s.viewWeight)
		gain += gained(s.own.seconds, o.seconds, seconds-theirSeconds[k]) * s.secondWeight
		gains[k] = gain
		if o.row != s.own.row && kinds[k] == s.kind && gain+(s.own.repeats+o.repeats) > s.best {
			may |= 1 << k
		}
	}
	return may
}

// gained is [nearer] of whole numbers that are not stored as such, for k can be infinite.
func gained(from, to, k float64) float64 {
	return math.Abs(from) - math.Abs(from-k) + math.Abs(to) - math.Abs(to+k)
}
