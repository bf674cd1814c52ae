package reconstruct

import "slices"

// paths fills each paged visit's pageviews between its first and last: every
// page as often as it has pageviews left, on as many visits, and of as many
// visitors, as the export says saw it. It returns the pages in between, per
// paged visit.
func (b *builder) paths() [][]int32 {
	entry, exit := &b.dims[len(b.dims)-2], &b.dims[len(b.dims)-1]
	n := b.paged
	inner := make([][]int32, n)
	room := make([]int32, n)
	total := 0
	for v := range n {
		room[v] = b.extra[views][v]
		total += int(room[v])
	}
	backing := make([]int32, 0, total)
	var open []int32
	for v := range n {
		at := len(backing)
		backing = backing[:at+int(room[v])]
		inner[v] = backing[at:at:len(backing)]
		if room[v] > 0 {
			open = append(open, int32(v))
		}
	}
	b.rng.Shuffle(len(open), func(i, j int) { open[i], open[j] = open[j], open[i] })

	pages := len(b.pages) + 1
	ends := make([][]int32, pages) // the visits that begin or end with a page
	left := make([]int, pages)
	copy(left, b.views)
	for p, k := range entry.bounces {
		left[p] -= k
	}
	again := make([]int, pages) // views of a page by visits that have seen it
	for p := range again {
		if b.distinct[p] > 0 {
			again[p] = max(0, b.views[p]-b.distinct[p])
		}
	}
	for v := range n {
		e, x := entry.row[b.bounces+v], exit.row[b.bounces+v]
		left[e]--
		left[x]--
		ends[e] = append(ends[e], int32(v))
		if e == x {
			again[e]--
		} else {
			ends[x] = append(ends[x], int32(v))
		}
	}
	// Pages with the most views to place first: they need the most visits.
	order := make([]int, pages)
	for p := range order {
		order[p] = p
	}
	slices.SortStableFunc(order, func(p, q int) int { return left[q] - left[p] })

	group := make([]int32, b.visits()) // plus 1
	for i, g := range b.groups {
		for k := range g.size() {
			group[g.visit(k)] = int32(i) + 1
		}
	}
	bounced := make([][]int32, pages) // groups with a bounce on a page
	for v, p := range entry.row[:b.bounces] {
		if group[v] > 0 {
			bounced[p] = append(bounced[p], group[v]-1)
		}
	}

	saw := make([]int32, n)            // the last page placed on a visit, plus 1
	person := make([]int32, b.persons) // and by a visitor
	people := 0                        // who saw the page that is being placed
	meet := func(visitor int32, p int) {
		if person[visitor] != int32(p)+1 {
			person[visitor] = int32(p) + 1
			people++
		}
	}
	put := func(v int32, p int) {
		inner[v] = append(inner[v], int32(p))
		room[v]--
		left[p]--
		saw[v] = int32(p) + 1
		meet(b.visitor[int(v)+b.bounces], p)
	}
	// Groups are the first visitors, each numbered as its group.
	returning := func(g int32, p, most int) {
		for k := range b.groups[g].others {
			v := int32(b.groups[g].other + k - b.bounces)
			if int(v) < n && saw[v] != int32(p)+1 && room[v] > 0 && left[p]-max(0, again[p]) > most {
				put(v, p)
			}
		}
	}
	next := 0
	for _, p := range order {
		if left[p] == 0 {
			continue
		}
		people = entry.bounces[p] - len(bounced[p])
		for _, g := range bounced[p] {
			meet(g, p)
		}
		for _, v := range ends[p] {
			saw[v] = int32(p) + 1
			meet(b.visitor[int(v)+b.bounces], p)
		}
		// Visits of visitors who saw it in another, as long as there are more
		// visits to come than visitors.
		if b.people[p] > 0 {
			for _, g := range bounced[p] {
				returning(g, p, max(0, b.people[p]-people))
			}
			for _, v := range ends[p] {
				if g := group[int(v)+b.bounces]; g > 0 {
					returning(g-1, p, max(0, b.people[p]-people))
				}
			}
		}
		for progress, pass := true, 0; progress && pass < 8; pass++ {
			progress = false
			for _, v := range ends[p] {
				if again[p] > 0 && left[p] > 0 && room[v] > 0 {
					put(v, p)
					again[p]--
					progress = true
				}
			}
		}
		for misses := 0; left[p] > 0 && len(open) > 0; {
			if next >= len(open) {
				next = 0
			}
			v := open[next]
			if room[v] == 0 {
				open[next] = open[len(open)-1]
				open = open[:len(open)-1]
				continue
			}
			next++
			fresh := left[p] - max(0, again[p])
			if saw[v] == int32(p)+1 {
				if fresh > 0 && misses < len(open) {
					misses++
					continue
				}
				put(v, p)
				again[p]--
				continue
			}
			if b.people[p] > 0 && misses < len(open) && people < b.people[p] && person[b.visitor[int(v)+b.bounces]] == int32(p)+1 {
				misses++
				continue
			}
			put(v, p)
			if again[p] <= 0 {
				continue
			}
			for k := (again[p] + fresh - 1) / max(1, fresh); k > 0 && left[p] > 0 && room[v] > 0; k-- {
				put(v, p)
				again[p]--
			}
		}
	}
	return inner
}
