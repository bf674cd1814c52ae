package reconstruct

import (
	"cmp"
	"slices"
)

// group is a visitor with several visits: two runs of visit numbers, among the
// bounces and among the others.
type group struct {
	bounce, bounces int
	other, others   int
}

func (g group) size() int { return g.bounces + g.others }

// visit returns the group's i-th visit, bounces first.
func (g group) visit(i int) int {
	if i < g.bounces {
		return g.bounce + i
	}
	return g.other + i - g.bounces
}

// pool counts the visits that a dimension's rows have left while visitors are formed.
type pool struct {
	dim     *dim
	bounces []int
	engaged []int
	repeats []int
	labels  []int32 // rows, as often as they have repeats, shuffled
	rows    []int32 // those with any visits
}

// heads returns how many visitors a row has left: its visits but for repeats.
func (p *pool) heads(r int32) int { return p.bounces[r] + p.engaged[r] - p.repeats[r] }

// grouping forms the visitors with several visits.
type grouping struct {
	b                *builder
	pools            []*pool
	visits, repeats  int // left
	nextBounce, next int
	lastBounce, last int
	row              []int32 // the visitor in the making: its row in each pool
	taken            int     // visits that rows without enough took from others
}

// formVisitors forms the visitors with several visits. Each has one row in
// every table of visitors' traits, and rows get the repeats that they have. It
// sets the rows of those visits, and returns how many visits are in a row that
// has fewer.
func (b *builder) formVisitors() int {
	for i := range b.dims {
		b.dims[i].row = unset(b.visits())
	}
	b.groups = nil
	g := b.newGrouping()
	if g.repeats == 0 {
		return 0
	}
	g.formLoyal()
	g.formPairs()
	for g.repeats > 0 {
		g.force()
	}
	return g.taken
}

// unset returns the rows of n visits that have none yet.
func unset(n int) []int32 {
	rows := make([]int32, n)
	for v := range rows {
		rows[v] = -1
	}
	return rows
}

func (b *builder) newGrouping() *grouping {
	n := b.visits()
	g := &grouping{b: b, visits: n, repeats: n - b.persons, next: b.bounces, lastBounce: b.bounces, last: n}
	for i := range b.dims {
		if b.dims[i].perVisitor {
			g.pools = append(g.pools, b.newPool(&b.dims[i]))
		}
	}
	if len(g.pools) == 0 {
		// No table has visitors' traits: one row with all visits stands for it.
		all := dim{bounces: []int{b.bounces}, engaged: []int{b.engaged()}, repeats: []int{g.repeats}, row: make([]int32, n)}
		g.pools = []*pool{b.newPool(&all)}
	}
	g.row = make([]int32, len(g.pools))
	return g
}

// candidate is a row of a pool that visitors are formed from, and its rank.
type candidate struct {
	pool int
	row  int32
	rank float64
}

// candidates returns the rows that want repeats and that rank ranks, by rank.
func (g *grouping) candidates(rank func(p *pool, r int32) (float64, bool)) []candidate {
	var out []candidate
	for i, p := range g.pools {
		for _, r := range p.rows {
			if k, ok := rank(p, r); ok && p.repeats[r] > 0 {
				out = append(out, candidate{i, r, k})
			}
		}
	}
	slices.SortStableFunc(out, func(a, b candidate) int { return cmp.Compare(a.rank, b.rank) })
	return out
}

// formLoyal forms visitors from the rows with fewer visitors than repeats,
// before others take what these need: visitors with long chains of visits.
func (g *grouping) formLoyal() {
	tight := g.candidates(func(p *pool, r int32) (float64, bool) {
		heads := p.heads(r)
		return -float64(p.repeats[r]) / float64(max(heads, 1)), p.repeats[r] > heads
	})
	for _, c := range tight {
		p := g.pools[c.pool]
		for p.repeats[c.row] > 0 && p.heads(c.row) > 0 {
			repeats, heads := p.repeats[c.row], p.heads(c.row)
			chain := (repeats + heads - 1) / heads
			if heads <= 4 || repeats <= 16 {
				// Of few visitors, often one made most of the visits.
				chain += g.b.rng.IntN(repeats - chain + 1)
			}
			for chain > 0 && !g.form(chain, c.pool, c.row) {
				chain /= 2
			}
			if chain == 0 {
				break
			}
		}
	}
}

// formPairs forms visitors with two visits, from the rows with the fewest
// visits on, of every table in turn, while the others still have room.
func (g *grouping) formPairs() {
	smallest := g.candidates(func(p *pool, r int32) (float64, bool) {
		return float64(p.bounces[r] + p.engaged[r]), true
	})
	for _, c := range smallest {
		p := g.pools[c.pool]
		for p.repeats[c.row] > 0 && p.heads(c.row) > 0 {
			chain := 1
			if p.heads(c.row) == 1 {
				chain = p.repeats[c.row] // nobody else could take the others
			}
			if !g.form(chain, c.pool, c.row) {
				break
			}
		}
	}
}

func (b *builder) newPool(d *dim) *pool {
	p := &pool{dim: d, bounces: slices.Clone(d.bounces), engaged: slices.Clone(d.engaged), repeats: slices.Clone(d.repeats)}
	for r, k := range p.repeats {
		for range k {
			p.labels = append(p.labels, int32(r))
		}
		if p.bounces[r]+p.engaged[r] > 0 {
			p.rows = append(p.rows, int32(r))
		}
	}
	shuffle(b.rng, p.labels)
	return p
}

// prospect is a visitor while rows are sought for it.
type prospect struct {
	repeats          int
	bounces, engaged int    // the most visits of each kind that its rows so far have
	kin              uint16 // what its rows so far have in common
}

// fits reports whether a row lacks the visitor's repeats and has the visits for
// them, and has a visitor left for the repeats that remain.
func (v *prospect) fits(p *pool, r int32) bool {
	heads := p.heads(r)
	return p.repeats[r] >= v.repeats && (heads > 1 || p.repeats[r] == v.repeats && heads == 1) &&
		min(v.bounces, p.bounces[r])+min(v.engaged, p.engaged[r]) > v.repeats
}

// akin reports whether a row belongs together with the visitor's so far.
func (v *prospect) akin(p *pool, r int32) bool {
	return p.dim.kin == nil || akin(v.kin, p.dim.kin[r])
}

func (v *prospect) join(p *pool, r int32) {
	if k := p.dim.kin; k != nil {
		v.kin = common(v.kin, k[r])
	}
	v.bounces = min(v.bounces, p.bounces[r])
	v.engaged = min(v.engaged, p.engaged[r])
}

// form makes a visitor with the given number of repeat visits in the given
// row, if rows of the other tables can be found that still want as many.
func (g *grouping) form(repeats, at int, row int32) bool {
	if repeats > g.repeats || (g.visits-g.repeats == 1 && repeats < g.repeats) {
		return false
	}
	// The counters are runs of visit numbers.
	v := prospect{repeats: repeats, bounces: g.lastBounce - g.nextBounce, engaged: g.last - g.next}
	if !v.fits(g.pools[at], row) {
		return false
	}
	g.row[at] = row
	v.join(g.pools[at], row)
	for i, p := range g.pools {
		if i == at {
			continue
		}
		var r int32
		if repeats > 1 {
			r = g.seekLoyal(&v, p)
		} else {
			r = g.seekAny(&v, p)
		}
		if r < 0 {
			return false
		}
		g.row[i] = r
		v.join(p, r)
	}
	g.add(repeats, v.bounces, v.engaged)
	return true
}

// seekLoyal finds a row for a visitor with many visits, or returns -1. It looks
// at some rows and mostly picks the one with the most repeats a visitor, which
// would find no visitor later.
func (g *grouping) seekLoyal(v *prospect, p *pool) int32 {
	best, most := int32(-1), 0.0
	begin := g.b.rng.IntN(len(p.rows))
	for k := range min(len(p.rows), 256) {
		r := p.rows[(begin+k)%len(p.rows)]
		if !v.fits(p, r) {
			continue
		}
		rate := float64(p.repeats[r]) / float64(p.heads(r)) * (0.5 + g.b.rng.Float64())
		if !v.akin(p, r) {
			rate /= 8
		}
		if rate > most {
			best, most = r, rate
		}
	}
	return best
}

// seekAny draws a row, a row with more repeats more often, and prefers rows
// that belong together. It returns -1 where no row drawn fits.
func (g *grouping) seekAny(v *prospect, p *pool) int32 {
	for tries := 0; tries < 64 && len(p.labels) > 0; tries++ {
		k := g.b.rng.IntN(len(p.labels))
		r := p.labels[k]
		if p.repeats[r] == 0 {
			last := len(p.labels) - 1
			p.labels[k] = p.labels[last]
			p.labels = p.labels[:last]
			continue
		}
		if v.fits(p, r) && (tries >= 32 || v.akin(p, r)) {
			return r
		}
	}
	return -1
}

// add takes a visitor's visits, at most so many of each kind, as likely a
// bounce each as what is left.
func (g *grouping) add(repeats, bounces, engaged int) {
	size := repeats + 1
	n := 0
	left := g.lastBounce - g.nextBounce
	for range size {
		if g.b.rng.IntN(g.visits) < left {
			n++
		}
	}
	n = min(max(n, size-engaged), bounces, size)
	gr := group{g.nextBounce, n, g.next, size - n}
	g.nextBounce += n
	g.next += size - n
	g.visits -= size
	g.repeats -= repeats
	g.b.groups = append(g.b.groups, gr)
	for i, p := range g.pools {
		r := g.row[i]
		g.taken += max(0, gr.bounces-p.bounces[r]) + max(0, gr.others-p.engaged[r])
		p.bounces[r] = p.take(p.bounces, r, gr.bounces)
		p.engaged[r] = p.take(p.engaged, r, gr.others)
		p.repeats[r] = max(0, p.repeats[r]-repeats)
		for k := range size {
			p.dim.row[gr.visit(k)] = r
		}
	}
}

// take returns what row r has left after giving n visits. Where it has less,
// other rows give the rest.
func (p *pool) take(counts []int, r int32, n int) int {
	left := counts[r] - n
	for k := len(p.rows) - 1; left < 0 && k >= 0; k-- {
		s := p.rows[k]
		if s == r {
			continue
		}
		part := min(-left, counts[s])
		counts[s] -= part
		left += part
		if p.bounces[s]+p.engaged[s] == 0 && s != r {
			p.rows = slices.Delete(p.rows, k, k+1)
		}
	}
	return left
}

// force forms a visitor although no rows fit together, because the number of
// the day's visitors must hold. It takes, table by table, the row with the most
// visits in common with the rows before it, of some that it looks at. Where
// these have less than two visits in common, they take visits from other rows.
func (g *grouping) force() {
	heads := g.visits - g.repeats
	repeats := (g.repeats + heads - 1) / heads
	const looks = 32
	row := make([]int32, len(g.pools))
	most, bounces, engaged := -1, 0, 0
	for range 4 {
		b, e := g.lastBounce-g.nextBounce, g.last-g.next
		for i, p := range g.pools {
			begin := g.b.rng.IntN(len(p.rows))
			best := -1
			for k := range min(looks, len(p.rows)) {
				r := p.rows[(begin+k)%len(p.rows)]
				if n := 2*(min(b, p.bounces[r])+min(e, p.engaged[r])) + min(1, p.repeats[r]); n > best {
					best, row[i] = n, r
				}
			}
			b, e = min(b, p.bounces[row[i]]), min(e, p.engaged[row[i]])
		}
		if b+e > most {
			most, bounces, engaged = b+e, b, e
			copy(g.row, row)
		}
	}
	switch {
	case most > repeats:
	case most > 1 && heads > 1:
		repeats = most - 1
	default:
		bounces, engaged = g.lastBounce-g.nextBounce, g.last-g.next
	}
	g.add(repeats, bounces, engaged)
}

// sharer gives the visits of visitors with several visits their rows in a
// table that is no trait of visitors.
type sharer struct {
	b    *builder
	d    *dim
	left [2][]int // of each row: the bounces and the other visits that it has to give
	want []int    // of each row: the repeats that it lacks
}

// shareRows gives those visits rows such that as many are equal within a
// visitor as the table has repeats, and the others differ. Rows that are set
// already (a bounce's exit) count.
func (b *builder) shareRows(d *dim) {
	s := &sharer{b: b, d: d, left: [2][]int{slices.Clone(d.bounces), slices.Clone(d.engaged)}}
	for v, r := range d.row {
		if r >= 0 {
			s.left[s.class(v)][r]--
		}
	}
	if d.repeats != nil {
		s.countWant()
		s.shareEqual()
	}
	for class := range s.left {
		s.shareOther(class)
	}
}

// class returns 0 for a bounce and 1 for another visit.
func (s *sharer) class(v int) int {
	if v < s.b.bounces {
		return 0
	}
	return 1
}

// open reports whether a visit is still to be given a row. One without
// pageviews has none in a table of pages.
func (s *sharer) open(v int) bool {
	return s.d.row[v] < 0 && !(s.d.page && v >= s.b.bounces+s.b.paged)
}

// mayGive reports whether a row has a visit of v's class to give.
func (s *sharer) mayGive(v int, r int32) bool { return s.left[s.class(v)][r] > 0 }

func (s *sharer) give(v int, r int32) {
	s.d.row[v] = r
	s.left[s.class(v)][r]--
}

// countWant takes the repeats that rows which are set already make from those
// that the table has.
func (s *sharer) countWant() {
	s.want = slices.Clone(s.d.repeats)
	for _, g := range s.b.groups {
		for i := 1; i < g.size(); i++ {
			if r := s.d.row[g.visit(i)]; r >= 0 && g.hasBefore(s.d, r, i) {
				s.want[r] = max(0, s.want[r]-1)
			}
		}
	}
}

// shareEqual gives visits of one visitor equal rows until each row has its
// repeats, the rows with the most repeats a visitor first.
func (s *sharer) shareEqual() {
	rows := make([]int32, 0, len(s.want))
	for r, k := range s.want {
		if k > 0 {
			rows = append(rows, int32(r))
		}
	}
	visitors := func(r int32) int { return max(1, s.d.bounces[r]+s.d.engaged[r]-s.d.repeats[r]) }
	rate := func(r int32) float64 { return float64(s.want[r]) / float64(visitors(r)) }
	slices.SortStableFunc(rows, func(a, b int32) int { return cmp.Compare(rate(b), rate(a)) })
	order := s.b.rng.perm(len(s.b.groups))
	slices.SortStableFunc(order, func(i, j int32) int { return s.b.groups[j].size() - s.b.groups[i].size() })

	const patience = 64 // visitors that do not suit a row
	for _, r := range rows {
		chain := (s.want[r]+visitors(r)-1)/visitors(r) + 1
		for len(order) > 0 && order[0] < 0 {
			order = order[1:]
		}
		misses := 0
		for k := 0; k < len(order) && s.want[r] > 0 && misses < patience; k++ {
			if order[k] < 0 {
				continue
			}
			seen, open := s.repeat(s.b.groups[order[k]], r, chain)
			if seen < 2 {
				misses++
			}
			if open < 1 {
				order[k] = -1 // no row needs this visitor any more
			}
		}
	}
}

// repeat gives a visitor's open visits row r until it has been seen chain
// times, and none where it would be seen only once. It returns how often the
// row was or could be seen, and how many visits stay open.
func (s *sharer) repeat(g group, r int32, chain int) (seen, open int) {
	first := -1 // a visit that is given the row together with a second one
	if g.hasBefore(s.d, r, g.size()) {
		seen = 1
	}
	for i := range g.size() {
		v := g.visit(i)
		if !s.open(v) {
			continue
		}
		open++
		switch {
		case s.want[r] == 0 || seen >= chain || !s.mayGive(v, r):
			continue
		case seen == 0:
			first, seen = v, 1
			continue
		}
		if first >= 0 {
			s.give(first, r)
			first = -1
			open--
		}
		if !s.mayGive(v, r) {
			break
		}
		s.give(v, r)
		s.want[r]--
		seen++
		open--
	}
	return seen, open
}

// shareOther gives the open visits of a class rows drawn from what is left,
// mostly different ones within a visitor.
func (s *sharer) shareOther(class int) {
	var labels []int32
	for r, k := range s.left[class] {
		for range k {
			labels = append(labels, int32(r))
		}
	}
	const tries = 16
	for _, g := range s.b.groups {
		for i := range g.size() {
			v := g.visit(i)
			if s.class(v) != class || !s.open(v) {
				continue
			}
			pick := s.b.rng.IntN(len(labels))
			for n := 0; n < tries && g.hasBefore(s.d, labels[pick], g.size()); n++ {
				pick = s.b.rng.IntN(len(labels))
			}
			s.d.row[v] = labels[pick]
			labels[pick] = labels[len(labels)-1]
			labels = labels[:len(labels)-1]
		}
	}
}

// hasBefore reports whether one of a visitor's first n visits has a row.
func (g group) hasBefore(d *dim, row int32, n int) bool {
	for i := range n {
		if d.row[g.visit(i)] == row {
			return true
		}
	}
	return false
}
