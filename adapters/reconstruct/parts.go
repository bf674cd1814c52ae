package reconstruct

import (
	"cmp"
	"slices"
)

// partHits is how many pageviews and events a part of a day has, more or less,
// and partOfMany how many it has where the day has many: several parts are in
// memory at once, with what is written of them.
const (
	partHits   = 30_000
	many       = 300_000
	partOfMany = 8_000
)

// clump is how many visits of a row a part gets at least, where the row has
// them: visitors with several visits are within a part.
const clump = 64

// part says which part of a day a builder makes.
type part struct {
	index, of      int
	visit, visitor int // the number of its first
}

// rng returns the source of chance of a part.
func (p part) rng(day *Day) *dice {
	return newDice(uint64(day.Start.Unix()), 0x9e3779b97f4a7c15+uint64(p.index))
}

// share returns where a share of the part is in the day.
func (p part) share(u float64) float64 { return (float64(p.index) + u) / float64(p.of) }

// countParts returns how many parts the day is made in. Each has visitors.
func (b *builder) countParts() int {
	hits, size := b.pageviews+b.numEvents, partHits
	if hits > many {
		size = partOfMany
	}
	n := 1 + hits/size
	return max(1, min(n, b.persons/2))
}

// deal splits a planned day into parts whose margins add up to the day's, so
// that whatever sums the parts keep the day keeps.
func (b *builder) deal(n int) []builder {
	parts := make([]builder, n)
	for i := range parts {
		parts[i] = builder{day: b.day, seconds: b.seconds, floor: b.floor, part: part{index: i, of: n}}
	}
	b.dealEvents(parts)
	b.dealTotals(parts)
	for i := range b.dims[:len(b.dims)-2] {
		b.dealTable(parts, &b.dims[i])
	}
	b.dealPages(parts)
	return parts
}

// evenly splits n into parts that differ by one at most.
func evenly(n, parts int) []int {
	out := make([]int, parts)
	for i := range out {
		out[i] = n / parts
		if i < n%parts {
			out[i]++
		}
	}
	return out
}

// dealTotals splits what the day has in all.
func (b *builder) dealTotals(parts []builder) {
	n := len(parts)
	events := collect(parts, func(p *builder) int { return p.numEvents })
	bounces, paged := evenly(b.bounces, n), evenly(b.paged, n)
	eventOnly := apportion(b.eventOnly, events, events) // each has an event
	visits := make([]int, n)
	for i := range visits {
		visits[i] = bounces[i] + paged[i] + eventOnly[i]
	}
	persons := apportion(b.persons, visits, visits)
	weight, most := paged, make([]int, n)
	if b.paged == 0 {
		weight = visits // events alone make them last
	}
	for i := range most {
		most[i] = weight[i] * (b.seconds - 1 - b.floor[seconds])
	}
	pages := apportion(b.pageviews-b.bounces-2*b.paged, paged, nil)
	long := apportion(b.duration-b.floor[seconds]*b.paged, weight, most)
	for i := range parts {
		p := &parts[i]
		p.bounces, p.paged, p.eventOnly, p.persons = bounces[i], paged[i], eventOnly[i], persons[i]
		p.pageviews = bounces[i] + 2*paged[i] + pages[i]
		p.duration = b.floor[seconds]*paged[i] + long[i]
		if i+1 < n {
			parts[i+1].part.visit = p.part.visit + p.visits()
			parts[i+1].part.visitor = p.part.visitor + p.persons
		}
	}
}

// collect returns a number of each part.
func collect(parts []builder, number func(*builder) int) []int {
	out := make([]int, len(parts))
	for i := range parts {
		out[i] = number(&parts[i])
	}
	return out
}

// dealEvents splits the events and properties, each by itself evenly: a
// property with as many values as a kind has events keeps it so in each part.
func (b *builder) dealEvents(parts []builder) {
	n := len(parts)
	for _, e := range b.customs {
		persons := sharesOf(e, evenly(e.count, n))
		for i, k := range evenly(e.count, n) {
			if k > 0 {
				parts[i].customs = append(parts[i].customs, amount{e.index, k, persons[i]})
				parts[i].numEvents += k
			}
		}
	}
	need := map[string][]int{} // of a property's name
	for _, p := range b.properties {
		name := b.day.Properties[p.index].Name
		if need[name] == nil {
			total := 0
			for _, q := range b.properties {
				if b.day.Properties[q.index].Name == name {
					total += q.count
				}
			}
			need[name] = evenly(total, n)
		}
		counts := apportion(p.count, need[name], need[name])
		persons := sharesOf(p, counts)
		for i, k := range counts {
			need[name][i] -= k
			if k > 0 {
				parts[i].properties = append(parts[i].properties, amount{p.index, k, persons[i]})
			}
		}
	}
}

// sharesOf splits an amount's visitors as its events are split.
func sharesOf(a amount, counts []int) []int {
	persons := apportion(a.persons, counts, counts)
	for i, k := range counts {
		if a.persons > 0 && k > 0 {
			persons[i] = max(persons[i], 1)
		}
	}
	return persons
}

// dealer splits rows over parts. A row of few visits goes to few parts.
type dealer struct {
	parts     int
	next      int // the part at which the next such row begins
	from, set int // the parts of the row in hand: the first and how many
	weight    []int
	limit     []int
}

func newDealer(parts int) *dealer {
	return &dealer{parts: parts, weight: make([]int, parts), limit: make([]int, parts)}
}

// row takes a row in hand.
func (d *dealer) row(visits int) {
	d.from, d.set = d.next, min(max(1, visits/clump), d.parts)
	d.next = (d.next + d.set) % d.parts
}

// deal splits n over the parts of the row in hand, in proportion to what these
// need, or over others where they do not need so much, and takes it from what
// they need.
func (d *dealer) deal(n int, need []int) []int {
	if d.set == 1 && need[d.from] >= n { // as for most rows
		out := make([]int, d.parts)
		out[d.from] = n
		need[d.from] -= n
		return out
	}
	clear(d.weight)
	for k := range d.set {
		p := (d.from + k) % d.parts
		d.weight[p] = need[p]
	}
	out := apportion(n, d.weight, need)
	for p, k := range out {
		need[p] -= k
	}
	return out
}

// dealBy splits n in proportion to weight, over parts with a weight alone and
// at most as many as these need, and takes it from what they need.
func (d *dealer) dealBy(n int, weight, need []int) []int {
	for p := range d.limit {
		if d.limit[p] = need[p]; weight[p] == 0 {
			d.limit[p] = 0
		}
	}
	out := apportion(n, weight, d.limit)
	for p, k := range out {
		need[p] -= k
	}
	return out
}

// needs is what parts still need of a table's margins.
type needs struct {
	bounces, engaged, repeats []int
	target                    [2][]int
}

// needsOf returns the needs of parts for a table of which visits of the given
// number that are no bounces have a row.
func needsOf(parts []builder, engaged func(*builder) int) *needs {
	return &needs{
		bounces: collect(parts, func(p *builder) int { return p.bounces }),
		engaged: collect(parts, engaged),
		repeats: collect(parts, func(p *builder) int { return p.visits() - p.persons }),
		target: [2][]int{
			collect(parts, func(p *builder) int { return p.pageviews - p.bounces - 2*p.paged }),
			collect(parts, func(p *builder) int { return p.duration - p.floor[seconds]*p.paged }),
		},
	}
}

// margins are what a part has of a row.
type margins struct {
	row                       int32 // in the whole day
	bounces, engaged, repeats int
	target                    [2]int
}

// margins splits the margins of row r, of which bounces are split already.
func (d *dealer) margins(whole *dim, r int, bounces []int, need *needs) []margins {
	out := make([]margins, d.parts)
	engaged := d.deal(whole.engaged[r], need.engaged)
	for p := range out {
		out[p] = margins{row: int32(r), bounces: bounces[p], engaged: engaged[p]}
	}
	if whole.repeats != nil {
		again := make([]int, d.parts)
		for p := range again {
			again[p] = max(0, bounces[p]+engaged[p]-1)
			if whole.perVisitor {
				again[p] = min(again[p], need.repeats[p])
			}
		}
		for p, k := range apportion(whole.repeats[r], again, again) {
			out[p].repeats = k
			need.repeats[p] -= k
		}
	}
	for m := range whole.target {
		if whole.target[m] == nil {
			continue
		}
		for p, k := range d.dealBy(whole.target[m][r], engaged, need.target[m]) {
			out[p].target[m] = k
		}
	}
	return out
}

// bySize returns a dimension's rows, those with the fewest visits first: the
// others can fill up any part.
func (d *dim) bySize() []int {
	order := make([]int, len(d.engaged))
	for r := range order {
		order[r] = r
	}
	slices.SortStableFunc(order, func(q, r int) int { return cmp.Compare(d.size(q), d.size(r)) })
	return order
}

func (d *dim) size(r int) int { return d.bounces[r] + d.engaged[r] }

// dealTable splits a table's margins.
func (b *builder) dealTable(parts []builder, whole *dim) {
	d, need := newDealer(len(parts)), needsOf(parts, (*builder).engaged)
	dealt := make([][]margins, len(parts))
	none := len(whole.engaged) - 1
	for _, r := range whole.bySize() {
		d.row(whole.size(r))
		for p, m := range d.margins(whole, r, d.deal(whole.bounces[r], need.bounces), need) {
			if r == none || m.bounces+m.engaged > 0 {
				dealt[p] = append(dealt[p], m)
			}
		}
	}
	for p := range parts {
		slices.SortFunc(dealt[p], func(a, b margins) int { return cmp.Compare(a.row, b.row) })
		parts[p].dims = append(parts[p].dims, whole.dealt(len(dealt[p]), func(i int) *margins { return &dealt[p][i] }))
	}
}

// dealt returns a part of a dimension.
func (d *dim) dealt(rows int, at func(i int) *margins) dim {
	out := dim{perVisitor: d.perVisitor, page: d.page, index: make([]int32, rows), bounces: make([]int, rows), engaged: make([]int, rows)}
	if d.repeats != nil {
		out.repeats = make([]int, rows)
	}
	for m := range d.target {
		if d.target[m] != nil {
			out.target[m] = make([]int, rows)
		}
	}
	if d.kin != nil {
		out.kin = make([]uint16, rows)
	}
	for i := range rows {
		row := at(i)
		out.index[i], out.bounces[i], out.engaged[i] = row.row, row.bounces, row.engaged
		if d.repeats != nil {
			out.repeats[i] = row.repeats
		}
		for m := range d.target {
			if d.target[m] != nil {
				out.target[m][i] = row.target[m]
			}
		}
		if d.kin != nil {
			out.kin[i] = d.kin[row.row]
		}
	}
	return out
}

// pageMargins are what a part has of a page.
type pageMargins struct {
	entry, exit             margins
	views, distinct, people int
}

// dealPages splits entries, exits and pageviews, which go together.
func (b *builder) dealPages(parts []builder) {
	entry, exit := b.endDims()
	paged := func(p *builder) int { return p.paged }
	d, atEntry, atExit := newDealer(len(parts)), needsOf(parts, paged), needsOf(parts, paged)
	inner := collect(parts, func(p *builder) int { return p.pageviews - p.bounces - 2*p.paged })
	dealt := make([][]pageMargins, len(parts))
	none := len(b.views) - 1
	order := entry.bySize()
	slices.SortStableFunc(order, func(p, q int) int { return cmp.Compare(b.views[p], b.views[q]) })
	for _, r := range order {
		d.row(b.views[r])
		bounces := d.deal(entry.bounces[r], atEntry.bounces)
		entries, exits := d.margins(entry, r, bounces, atEntry), d.margins(exit, r, bounces, atExit)
		views := d.deal(b.views[r]-entry.size(r)-exit.engaged[r], inner)
		for p := range views {
			views[p] += bounces[p] + entries[p].engaged + exits[p].engaged
		}
		distinct := sharesOf(amount{persons: b.distinct[r]}, views)
		people := sharesOf(amount{persons: b.people[r]}, views)
		for p := range parts {
			if r == none || views[p] > 0 {
				dealt[p] = append(dealt[p], pageMargins{entries[p], exits[p], views[p], distinct[p], people[p]})
			}
		}
	}
	for p := range parts {
		slices.SortFunc(dealt[p], func(a, b pageMargins) int { return cmp.Compare(a.entry.row, b.entry.row) })
		parts[p].takePages(entry, exit, dealt[p])
	}
}

func (b *builder) takePages(entry, exit *dim, dealt []pageMargins) {
	b.dims = append(b.dims,
		entry.dealt(len(dealt), func(i int) *margins { return &dealt[i].entry }),
		exit.dealt(len(dealt), func(i int) *margins { return &dealt[i].exit }))
	for _, m := range dealt {
		b.views = append(b.views, m.views)
		b.distinct = append(b.distinct, m.distinct)
		b.people = append(b.people, m.people)
	}
}
