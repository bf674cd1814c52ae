package reconstruct

// pageMargins settles how often each page begins and ends a visit or is the
// only page of one, within the pageviews the day and the page have. Pages win
// over entries and exits: a visit whose page has no pageview to give begins or
// ends on a page that has.
func (b *builder) pageMargins() {
	index := map[string]int{}
	at := func(key string) int {
		i, ok := index[key]
		if !ok {
			i = len(b.pages)
			index[key] = i
			b.pages = append(b.pages, key)
		}
		return i
	}
	day := b.day
	for _, p := range day.Pages {
		at(p.Key)
	}
	for _, t := range []*Table{&day.Entries, &day.Exits} {
		for _, r := range t.Rows {
			at(r.Key)
		}
	}
	n := len(b.pages)
	b.views, b.distinct, b.people = make([]int, n+1), make([]int, n+1), make([]int, n+1)
	for _, p := range day.Pages {
		i := at(p.Key)
		b.views[i] += clip(p.Pageviews)
		b.distinct[i] += clip(p.Visits)
		b.people[i] += clip(p.Visitors)
	}
	if s := sum(b.views); s > b.pageviews {
		b.views = apportion(b.pageviews, b.views, nil)
	}
	slack := b.pageviews - sum(b.views)

	entry, entryRows := b.pageTable(&day.Entries, index)
	exit, exitRows := b.pageTable(&day.Exits, index)
	bounces := b.bouncePages(&entry, &exit, day)
	b.endMargins(&entry, &day.Entries, bounces)
	b.endMargins(&exit, &day.Exits, bounces)

	// A page with fewer pageviews than its visits need takes from those that
	// no page claims, then gives up exits, entries and bounces, in this order:
	// a visit over midnight has its exit's pageview on the next day.
	for i := range n {
		lack := bounces[i] + entry.engaged[i] + exit.engaged[i] - b.views[i]
		if lack <= 0 {
			continue
		}
		part := min(lack, slack)
		slack -= part
		b.views[i] += part
		lack -= part
		for _, c := range []*int{&exit.engaged[i], &entry.engaged[i], &bounces[i]} {
			part := min(lack, *c)
			*c -= part
			lack -= part
		}
	}
	b.views[n] = slack
	// What has no page yet goes to pages with pageviews to spare.
	spare := make([]int, n+1)
	for _, c := range []struct {
		counts []int
		total  int
	}{{bounces, b.bounces}, {entry.engaged, b.paged}, {exit.engaged, b.paged}} {
		for i := range spare {
			spare[i] = b.views[i] - bounces[i] - entry.engaged[i] - exit.engaged[i]
		}
		for i, more := range apportion(c.total-sum(c.counts), spare, spare) {
			c.counts[i] += more
		}
	}
	for _, e := range []struct {
		d    *dim
		t    *Table
		rows []Row
	}{{&entry, &day.Entries, entryRows}, {&exit, &day.Exits, exitRows}} {
		e.d.page = true
		e.d.bounces = bounces
		if e.t.Has&Visitors != 0 {
			e.d.repeats = make([]int, n+1)
			for i, r := range e.rows {
				if v := bounces[i] + e.d.engaged[i]; v > 0 && r.Visitors > 0 {
					e.d.repeats[i] = min(max(0, v-clip(r.Visitors)), v-1)
				}
			}
		}
		b.targets(e.d, e.t, e.rows)
		b.dims = append(b.dims, *e.d)
	}
}

// pageTable spreads a table of entries or exits over the day's pages.
func (b *builder) pageTable(t *Table, index map[string]int) (dim, []Row) {
	n := len(b.pages)
	rows := make([]Row, n)
	for _, r := range t.Rows {
		rows[index[r.Key]] = r
	}
	d := dim{bounces: make([]int, n+1), engaged: make([]int, n+1)}
	if t.Has&Visits == 0 {
		return d, rows
	}
	for i, r := range rows {
		v := clip(r.Visits)
		if t.Has&Bounces != 0 {
			d.bounces[i] = min(clip(r.Bounces), v)
		}
		d.engaged[i] = v - d.bounces[i]
	}
	return d, rows
}

// bouncePages returns how many bounces each page has. A bounce's entry is its
// exit, so that two tables tell the same; where they differ the lower counts.
func (b *builder) bouncePages(entry, exit *dim, day *Day) []int {
	n := len(b.pages)
	out := make([]int, n+1)
	tells := func(t *Table) bool { return t.Has&(Visits|Bounces) == Visits|Bounces }
	switch e, x := tells(&day.Entries), tells(&day.Exits); {
	case e && x:
		for i := range n {
			out[i] = min(entry.bounces[i], exit.bounces[i])
		}
		if more := b.bounces - sum(out); more > 0 {
			rest := make([]int, n)
			for i := range rest {
				rest[i] = max(entry.bounces[i], exit.bounces[i]) - out[i]
			}
			for i, m := range apportion(more, rest, rest) {
				out[i] += m
			}
		}
	case e:
		copy(out, entry.bounces)
	case x:
		copy(out, exit.bounces)
	default:
		// Nothing tells them: as entries where these are told, without
		// bounces, else as the pages' pageviews.
		caps := append([]int(nil), b.views...)
		for _, d := range []*dim{entry, exit} {
			if all := sum(d.engaged); all > 0 {
				share := apportion(min(all, b.bounces), d.engaged, d.engaged)
				for i := range n {
					out[i] = min(share[i], max(caps[i], d.engaged[i]))
				}
				return out
			}
		}
		return apportion(min(b.bounces, sum(caps)), caps, caps)
	}
	if s := sum(out); s > b.bounces {
		out = apportion(b.bounces, out, out)
	}
	return out
}

// endMargins makes the visits that begin (or end) on each page and are no
// bounce as many as the day's paged visits, or fewer.
func (b *builder) endMargins(d *dim, t *Table, bounces []int) {
	for i := range d.engaged {
		d.engaged[i] = max(0, d.engaged[i]+d.bounces[i]-bounces[i])
	}
	if sum(d.engaged) > b.paged {
		d.engaged = apportion(b.paged, d.engaged, d.engaged)
	}
}
