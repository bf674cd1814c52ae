package reconstruct

// pageMargins settles how often each page begins and ends a visit or is the
// only page of one, within the pageviews the day and the page have. Pages win
// over entries and exits: a visit whose page has no pageview to give begins or
// ends on a page that has.
func (b *builder) pageMargins() {
	day := b.day
	index := b.indexPages()
	unclaimed := b.countPages(index)

	entry, entryRows := b.pageTable(&day.Entries, index)
	exit, exitRows := b.pageTable(&day.Exits, index)
	bounces := b.bouncePages(&entry, &exit, day)
	b.endMargins(&entry, bounces)
	b.endMargins(&exit, bounces)
	b.cutEnds(bounces, entry.engaged, exit.engaged, unclaimed)
	b.fillEnds(bounces, entry.engaged, exit.engaged)

	entry.bounces, exit.bounces = bounces, bounces
	b.addEndDim(&entry, &day.Entries, entryRows)
	b.addEndDim(&exit, &day.Exits, exitRows)
}

// indexPages lists the pages of all tables and returns where each is listed.
func (b *builder) indexPages() map[string]int {
	most := max(len(b.day.Pages), len(b.day.Entries.Rows), len(b.day.Exits.Rows)) // mostly of all tables
	index := make(map[string]int, most)
	b.pages = make([]string, 0, most)
	add := func(key string) {
		if _, ok := index[key]; !ok {
			index[key] = len(b.pages)
			b.pages = append(b.pages, key)
		}
	}
	for _, p := range b.day.Pages {
		add(p.Key)
	}
	for _, t := range []*Table{&b.day.Entries, &b.day.Exits} {
		for _, r := range t.Rows {
			add(r.Key)
		}
	}
	return index
}

// countPages adds up what the day says of each page, scaled to the day's
// pageviews where it is more, and returns how many it leaves to no page.
func (b *builder) countPages(index map[string]int) (unclaimed int) {
	n := len(b.pages)
	b.views, b.distinct, b.people = make([]int, n+1), make([]int, n+1), make([]int, n+1)
	for _, p := range b.day.Pages {
		i := index[p.Key]
		b.views[i] += clip(p.Pageviews)
		b.distinct[i] += clip(p.Visits)
		b.people[i] += clip(p.Visitors)
	}
	if s := sum(b.views); s > b.pageviews {
		b.views = apportion(b.pageviews, b.views, nil)
	}
	return b.pageviews - sum(b.views)
}

// cutEnds gives a page with fewer pageviews than its visits need some of those
// that no page claims, then takes exits, entries and bounces from it, in this
// order: a visit over midnight has its exit's pageview on the next day. What
// stays unclaimed goes to the place of pages that no table has.
func (b *builder) cutEnds(bounces, entries, exits []int, unclaimed int) {
	for i := range b.pages {
		lack := bounces[i] + entries[i] + exits[i] - b.views[i]
		if lack <= 0 {
			continue
		}
		part := min(lack, unclaimed)
		unclaimed -= part
		b.views[i] += part
		lack -= part
		for _, c := range [][]int{exits, entries, bounces} {
			part := min(lack, c[i])
			c[i] -= part
			lack -= part
		}
	}
	b.views[len(b.pages)] = unclaimed
}

// fillEnds gives the bounces and the visits that begin or end on no page yet
// to pages with pageviews to spare.
func (b *builder) fillEnds(bounces, entries, exits []int) {
	spare := make([]int, len(b.views))
	fill := func(counts []int, total int) {
		for i := range spare {
			spare[i] = b.views[i] - bounces[i] - entries[i] - exits[i]
		}
		for i, more := range apportion(total-sum(counts), spare, spare) {
			counts[i] += more
		}
	}
	fill(bounces, b.bounces)
	fill(entries, b.paged)
	fill(exits, b.paged)
}

// addEndDim adds the dimension of entry or exit pages, with its repeats, as
// far as the table has visitors, and targets.
func (b *builder) addEndDim(d *dim, t *Table, rows []Row) {
	d.page = true
	if t.Has&Visitors != 0 {
		d.repeats = make([]int, len(d.engaged))
		for i, r := range rows {
			if v := d.bounces[i] + d.engaged[i]; v > 0 && r.Visitors > 0 {
				d.repeats[i] = min(max(0, v-clip(r.Visitors)), v-1)
			}
		}
	}
	b.targets(d, t, rows)
	b.dims = append(b.dims, *d)
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
// exit, so that two tables say the same; where they differ the lower counts.
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
		// Nothing gives them: as entries where these are given, without
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
func (b *builder) endMargins(d *dim, bounces []int) {
	for i := range d.engaged {
		d.engaged[i] = max(0, d.engaged[i]+d.bounces[i]-bounces[i])
	}
	if sum(d.engaged) > b.paged {
		d.engaged = apportion(b.paged, d.engaged, d.engaged)
	}
}
