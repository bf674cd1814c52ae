package reconstruct

import "slices"

// paths fills each paged visit's pageviews between its first and last: every
// page as often as it has pageviews left, on as many visits, and of as many
// visitors, as the export says saw it. It returns the pages in between, per
// paged visit.
func (b *builder) paths() [][]int32 {
	f := b.newPathFiller()
	for _, p := range f.mostFirst() {
		if f.left[p] == 0 {
			continue
		}
		f.meetEnds(p)
		f.placeOnReturns(p)
		f.placeOnEnds(p)
		f.placeInTurn(p)
	}
	return f.inner
}

// pathFiller places pages on paged visits (numbered from 0 here), one page
// after the other.
type pathFiller struct {
	b *builder

	inner [][]int32 // of a visit: the pages placed
	room  []int32   // of a visit: how many are still to be placed
	open  []int32   // the visits with room, and full ones not met since they filled up
	next  int       // where in open the turn is

	left    []int     // of a page: pageviews still to be placed
	again   []int     // of a page: how many of those should go to visits that have seen it
	ends    [][]int32 // of a page: the visits that begin or end with it
	bounced [][]int32 // of a page: the groups with a bounce on it

	// Marks of the page in hand are left behind for the next, which knows them
	// by their number: clearing them per page would not be linear.
	saw    []int32 // of a visit: the page it saw last, plus 1
	met    []int32 // of a visitor: likewise
	people int     // visitors who saw the page in hand
}

func (b *builder) newPathFiller() *pathFiller {
	f := &pathFiller{b: b, saw: make([]int32, b.paged), met: make([]int32, b.persons)}
	f.openVisits()
	f.countLeft()
	f.findBounced()
	return f
}

// openVisits makes room for each visit's pageviews, and an order of no meaning
// for the visits to take turns in.
func (f *pathFiller) openVisits() {
	n := f.b.paged
	f.inner, f.room = make([][]int32, n), make([]int32, n)
	total := 0
	for v := range n {
		f.room[v] = f.b.extra[views][v]
		total += int(f.room[v])
	}
	backing := make([]int32, total) // one for all visits: there are many, mostly short
	for v, room := range f.room {
		f.inner[v], backing = backing[:0:room], backing[room:]
		if room > 0 {
			f.open = append(f.open, int32(v))
		}
	}
	shuffle(f.b.rng, f.open)
}

// countLeft takes the pageviews that visits begin and end with, and bounces
// consist of, from what each page has to give.
func (f *pathFiller) countLeft() {
	b := f.b
	entry, exit := b.endDims()
	f.left = slices.Clone(b.views)
	for p, k := range entry.bounces {
		f.left[p] -= k
	}
	f.again = make([]int, len(b.views))
	for p, k := range b.distinct {
		if k > 0 {
			f.again[p] = max(0, b.views[p]-k)
		}
	}
	f.ends = make([][]int32, len(b.views))
	for v := range b.paged {
		e, x := entry.row[b.bounces+v], exit.row[b.bounces+v]
		f.left[e]--
		f.left[x]--
		f.ends[e] = append(f.ends[e], int32(v))
		if e == x {
			f.again[e]--
		} else {
			f.ends[x] = append(f.ends[x], int32(v))
		}
	}
}

// findBounced lists the groups that know a page from a bounce: one with two
// bounces on a page twice.
func (f *pathFiller) findBounced() {
	entry, _ := f.b.endDims()
	f.bounced = make([][]int32, len(f.b.views))
	for v, p := range entry.row[:f.b.bounces] {
		if g := f.b.groupOf(v); g >= 0 {
			f.bounced[p] = append(f.bounced[p], g)
		}
	}
}

// mostFirst returns the pages, those with the most views to place first: they
// need the most visits.
func (f *pathFiller) mostFirst() []int {
	order := make([]int, len(f.left))
	for p := range order {
		order[p] = p
	}
	slices.SortStableFunc(order, func(p, q int) int { return f.left[q] - f.left[p] })
	return order
}

// meetEnds takes a page in hand: it marks the visits that begin or end with
// it, and counts the visitors who have seen it there or in a bounce.
func (f *pathFiller) meetEnds(p int) {
	entry, _ := f.b.endDims()
	// Bounces of no group are a visitor each, who has no other visit to mark.
	f.people = entry.bounces[p] - len(f.bounced[p])
	for _, g := range f.bounced[p] {
		f.meet(g, p)
	}
	for _, v := range f.ends[p] {
		f.mark(v, p)
	}
}

// placeOnReturns places a page on other visits of visitors who have seen it,
// as long as there are more visits to come than visitors.
func (f *pathFiller) placeOnReturns(p int) {
	if f.b.people[p] == 0 {
		return
	}
	for _, g := range f.bounced[p] {
		f.placeOnGroup(g, p)
	}
	for _, v := range f.ends[p] {
		if g := f.b.groupOf(int(v) + f.b.bounces); g >= 0 {
			f.placeOnGroup(g, p)
		}
	}
}

func (f *pathFiller) placeOnGroup(g int32, p int) {
	newcomers := max(0, f.b.people[p]-f.people)
	first := f.b.groups[g].other - f.b.bounces
	for v := first; v < first+f.b.groups[g].others; v++ {
		if v < f.b.paged && !f.hasSeen(int32(v), p) && f.room[v] > 0 && f.fresh(p) > newcomers {
			f.put(int32(v), p)
		}
	}
}

// placeOnEnds gives visits that begin or end with a page what it has of
// repeated views, evenly; the bound is so that few visits do not get them all.
func (f *pathFiller) placeOnEnds(p int) {
	for progress, pass := true, 0; progress && pass < 8; pass++ {
		progress = false
		for _, v := range f.ends[p] {
			if f.again[p] > 0 && f.left[p] > 0 && f.room[v] > 0 {
				f.putAgain(v, p)
				progress = true
			}
		}
	}
}

// placeInTurn places what is left of a page on the open visits in turn. It
// passes over those that do not suit, but no more of them than there are open
// visits: the day's pageviews come before who sees what.
func (f *pathFiller) placeInTurn(p int) {
	for passed := 0; f.left[p] > 0; {
		v, ok := f.nextOpen()
		if !ok {
			return
		}
		mayPass := passed < len(f.open)
		fresh := f.fresh(p)
		switch {
		case f.hasSeen(v, p):
			if mayPass && fresh > 0 {
				passed++
				continue
			}
			f.putAgain(v, p)
		case mayPass && f.lacksPeople(p) && f.met[f.visitor(v)] == int32(p)+1:
			passed++
		default:
			f.put(v, p)
			// Repeated views are shared evenly among the visits new to the page.
			for k := (f.again[p] + fresh - 1) / max(1, fresh); k > 0 && f.left[p] > 0 && f.room[v] > 0; k-- {
				f.putAgain(v, p)
			}
		}
	}
}

// nextOpen returns the visit with room whose turn it is, if any has.
func (f *pathFiller) nextOpen() (int32, bool) {
	for len(f.open) > 0 {
		if f.next >= len(f.open) {
			f.next = 0
		}
		v := f.open[f.next]
		if f.room[v] > 0 {
			f.next++
			return v, true
		}
		last := len(f.open) - 1
		f.open[f.next] = f.open[last]
		f.open = f.open[:last]
	}
	return 0, false
}

// fresh returns how many views of a page should go to visits new to it.
func (f *pathFiller) fresh(p int) int { return f.left[p] - max(0, f.again[p]) }

// lacksPeople reports whether more visitors saw a page than have seen it so far.
func (f *pathFiller) lacksPeople(p int) bool {
	return f.b.people[p] > 0 && f.people < f.b.people[p]
}

func (f *pathFiller) put(v int32, p int) {
	f.inner[v] = append(f.inner[v], int32(p))
	f.room[v]--
	f.left[p]--
	f.mark(v, p)
}

// putAgain places a page on a visit that has seen it.
func (f *pathFiller) putAgain(v int32, p int) {
	f.put(v, p)
	f.again[p]--
}

func (f *pathFiller) mark(v int32, p int) {
	f.saw[v] = int32(p) + 1
	f.meet(f.visitor(v), p)
}

func (f *pathFiller) meet(visitor int32, p int) {
	if f.met[visitor] != int32(p)+1 {
		f.met[visitor] = int32(p) + 1
		f.people++
	}
}

func (f *pathFiller) hasSeen(v int32, p int) bool { return f.saw[v] == int32(p)+1 }

func (f *pathFiller) visitor(v int32) int32 { return f.b.visitor[int(v)+f.b.bounces] }
