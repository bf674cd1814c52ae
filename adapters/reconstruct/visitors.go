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

// pool counts what a dimension's rows have left to give while visitors are formed.
type pool struct {
	dim     *dim
	bounces []int
	engaged []int
	repeats []int
	labels  []int32 // rows, as often as they have repeats, shuffled
	rows    []int32 // those with any visits
}

// visitors left that a row holds besides repeats.
func (p *pool) heads(r int32) int { return p.bounces[r] + p.engaged[r] - p.repeats[r] }

// grouping forms the visitors with several visits.
type grouping struct {
	b                *builder
	pools            []*pool
	visits, repeats  int // left
	nextBounce, next int
	lastBounce, last int
	row              []int32 // the visitor in the making: its row in each pool
	taken            int     // visits that rows had to take from others
}

// formVisitors makes as many visits repeat ones as the day has more visits
// than visitors, each visitor in one row of every table of visitors' traits,
// such that rows get their repeats. It sets the rows of those visits and
// returns how many visits stand in a row that has not so many.
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
		// No table tells visitors' traits: as if one had all visits in one row.
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
	b.rng.Shuffle(len(p.labels), func(i, j int) { p.labels[i], p.labels[j] = p.labels[j], p.labels[i] })
	return p
}

// prospect is a visitor while rows are sought for it.
type prospect struct {
	repeats          int
	bounces, engaged int    // the most visits of each kind that its rows so far have
	kin              uint16 // what its rows so far have in common
}

// fits reports whether a row wants the visitor's repeats, has the visits, and
// is not left with repeats of nobody.
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

// seekLoyal finds a row for a long chain of visits, -1 for none. It goes where
// chains are longest, or rows that need it are left without: of some rows the
// one most short of visitors, more or less.
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

// seekAny draws a row by the repeats it wants, -1 if none fits in the attempts
// made; rows that belong together come first.
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

// take returns what row r has left after giving n, others giving what it lacks.
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

// force makes a visitor though no rows want one, for the day's visitors come
// first: in each table in the row of those looked at with most visits in common
// with the tables before. Where even these have too few for two visits, rows
// take from others what they lack.
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

// shareRows gives the visits of visitors with several their rows in a table
// that is no trait of visitors: as many of them equal as the table has
// repeats, the others different. Rows already set (a bounce's exit) count.
func (b *builder) shareRows(d *dim) {
	bounces, engaged := slices.Clone(d.bounces), slices.Clone(d.engaged)
	for v, r := range d.row {
		if r < 0 {
			continue
		}
		if v < b.bounces {
			bounces[r]--
		} else {
			engaged[r]--
		}
	}
	left := func(v int) []int {
		if v < b.bounces {
			return bounces
		}
		return engaged
	}
	skip := func(v int) bool { return d.page && v >= b.bounces+b.paged }
	set := func(v int, r int32) {
		d.row[v] = r
		left(v)[r]--
	}
	if d.repeats != nil {
		b.shareEqual(d, left, set, skip)
	}
	// The rest: rows drawn from what is left, different within a visitor.
	for kind, counts := range [2][]int{bounces, engaged} {
		var labels []int32
		for r, k := range counts {
			for range k {
				labels = append(labels, int32(r))
			}
		}
		for _, g := range b.groups {
			for i := range g.size() {
				v := g.visit(i)
				if d.row[v] >= 0 || skip(v) || (v < b.bounces) != (kind == 0) {
					continue
				}
				pick := b.rng.IntN(len(labels))
				for tries := 0; tries < 16 && g.has(d, labels[pick]); tries++ {
					pick = b.rng.IntN(len(labels))
				}
				d.row[v] = labels[pick]
				labels[pick] = labels[len(labels)-1]
				labels = labels[:len(labels)-1]
			}
		}
	}
}

func (g group) has(d *dim, row int32) bool {
	for i := range g.size() {
		if d.row[g.visit(i)] == row {
			return true
		}
	}
	return false
}

// shareEqual gives visits of one visitor equal rows until each row has its repeats.
func (b *builder) shareEqual(d *dim, left func(int) []int, set func(int, int32), skip func(int) bool) {
	want := slices.Clone(d.repeats)
	// Repeats that set rows make already.
	for _, g := range b.groups {
		for i := 1; i < g.size(); i++ {
			r := d.row[g.visit(i)]
			for j := range i {
				if r >= 0 && d.row[g.visit(j)] == r {
					want[r] = max(0, want[r]-1)
					break
				}
			}
		}
	}
	rows := make([]int32, 0, len(want))
	for r, k := range want {
		if k > 0 {
			rows = append(rows, int32(r))
		}
	}
	rate := func(r int32) float64 {
		v := d.bounces[r] + d.engaged[r]
		return float64(want[r]) / float64(max(1, v-d.repeats[r]))
	}
	slices.SortStableFunc(rows, func(a, b int32) int { return cmp.Compare(rate(b), rate(a)) })
	order := b.rng.Perm(len(b.groups))
	slices.SortStableFunc(order, func(i, j int) int { return b.groups[j].size() - b.groups[i].size() })
	// Visitors are tried from where the last row stopped; one that cannot
	// serve a row is left for the next.
	begin := 0
	for _, r := range rows {
		heads := max(1, d.bounces[r]+d.engaged[r]-d.repeats[r])
		chain := (want[r]+heads-1)/heads + 1
		for begin < len(order) && order[begin] < 0 {
			begin++
		}
		misses := 0
		for k := begin; k < len(order) && want[r] > 0 && misses < 64; k++ {
			if order[k] < 0 {
				continue
			}
			g := b.groups[order[k]]
			first, n := -1, 0
			if g.has(d, r) {
				n = 1
			}
			open := 0
			for i := range g.size() {
				v := g.visit(i)
				if d.row[v] >= 0 || skip(v) {
					continue
				}
				open++
				if want[r] == 0 || n >= chain || left(v)[r] == 0 {
					continue
				}
				if n > 0 {
					if first >= 0 {
						set(first, r)
						first = -1
						open--
					}
					if left(v)[r] == 0 {
						break
					}
					set(v, r)
					want[r]--
					open--
				} else {
					first = v
				}
				n++
			}
			if n < 2 {
				misses++
			}
			if open < 1 {
				order[k] = -1
			}
		}
	}
}
