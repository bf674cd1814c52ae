package recount

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"time"

	"hopper/pipeline"
)

// tally counts sessions, or users, for one goroutine.
type tally struct {
	*Count
	grid  grid
	ties  ties
	full  error // of the disk
	seen  []user
	users []user
	once  map[userKey]sides // the users of a bin

	// columns are each table's columns by measure; -1 is none.
	columns [][numMeasures]int8
	// freshPages says that a table counts the sessions of a page.
	freshPages bool

	group group
	of    visits
	r     record
}

func newTally(c *Count) *tally {
	t := &tally{Count: c, grid: newGrid(c.layout), seen: make([]user, seenUsers), once: map[userKey]sides{}}
	for i := range c.layout.Tables {
		of := &c.layout.Tables[i]
		var columns [numMeasures]int8
		for m := range columns {
			columns[m] = int8(of.column(Measure(m)))
		}
		t.columns = append(t.columns, columns)
		t.freshPages = t.freshPages || of.By == ByPage && columns[Sessions] >= 0
	}
	return t
}

// A group is a bin's records in memory, by session.
type group struct {
	records  []byte
	at       []int   // where each record begins, and where the last one ends
	next     []int32 // the session's next record; -1 is none
	sessions []chain
	slots    []int32 // where a session is in sessions, plus one; 0 is nowhere
	order    []int32 // the records of one session
}

// chain is the records of a session, from the first to the last.
type chain struct {
	first, last int32
	// disordered says that one is earlier than one before it.
	disordered bool
}

// countHits counts the sessions of a bin. They are taken in the order in which they
// begin in the bin: those of a day, which have much in common, follow each other.
func (t *tally) countHits(ctx context.Context, bin int) error {
	if t.hits.sizes[bin] > 2*t.memory {
		return t.countSorted(ctx, bin)
	}
	g := &t.group
	if err := g.read(&t.hits, bin); err != nil {
		return err
	}
	for i := range g.sessions {
		for _, n := range g.of(&g.sessions[i]) {
			t.r.parse(g.record(n), t.layout.Dimensions)
			t.countOne()
		}
		t.finishVisits()
		if err := t.settle(); err != nil {
			return err
		}
	}
	return nil
}

// countSorted is countHits for a bin that does not fit into memory.
func (t *tally) countSorted(ctx context.Context, bin int) error {
	sorter := t.scratch.Sorter(t.memory)
	err := t.hits.Each(bin, func(record []byte) error { return sorter.Add(record[:recordKey], record) })
	var session [idSize]byte
	if err == nil {
		err = sorter.Each(ctx, func(_, record []byte) error {
			if !bytes.Equal(session[:], record[:idSize]) {
				t.finishVisits()
			}
			session = [idSize]byte(record)
			t.r.parse(record, t.layout.Dimensions)
			t.countOne()
			return t.settle()
		})
	}
	if err == nil {
		t.finishVisits()
		err = t.settle()
	}
	return errors.Join(err, sorter.Close())
}

// read takes the records of a bin in place of those before.
func (g *group) read(from *bins, bin int) error {
	g.records, g.at, g.next, g.sessions = slices.Grow(g.records[:0], from.sizes[bin]), append(g.at[:0], 0), g.next[:0], g.sessions[:0]
	clear(g.slots)
	return from.Each(bin, func(record []byte) error {
		g.records = append(g.records, record...)
		g.at = append(g.at, len(g.records))
		g.join(int32(len(g.next)))
		return nil
	})
}

// record returns the bytes of a record.
func (g *group) record(n int32) []byte { return g.records[g.at[n]:g.at[n+1]] }

// join adds a record to its session.
func (g *group) join(n int32) {
	if 2*len(g.sessions) >= len(g.slots) {
		g.grow()
	}
	g.next = append(g.next, -1)
	record := g.record(n)
	mask := uint64(len(g.slots) - 1)
	for slot := slotOf(record) & mask; ; slot = (slot + 1) & mask {
		at := g.slots[slot]
		if at == 0 {
			g.sessions = append(g.sessions, chain{first: n, last: n})
			g.slots[slot] = int32(len(g.sessions))
			return
		}
		of := &g.sessions[at-1]
		before := g.record(of.last)
		if bytes.Equal(before[:idSize], record[:idSize]) {
			of.disordered = of.disordered || timeIn(record) < timeIn(before)
			g.next[of.last], of.last = n, n
			return
		}
	}
}

// slotOf tells sessions apart by other bytes than the bins do.
func slotOf(record []byte) uint64 { return binary.LittleEndian.Uint64(record[1:]) }

func (g *group) grow() {
	g.slots = make([]int32, max(minSlots, 2*len(g.slots)))
	mask := uint64(len(g.slots) - 1)
	for i := range g.sessions {
		slot := slotOf(g.record(g.sessions[i].first)) & mask
		for g.slots[slot] != 0 {
			slot = (slot + 1) & mask
		}
		g.slots[slot] = int32(i + 1)
	}
}

// of returns the records of a session, in the order of their times.
func (g *group) of(c *chain) []int32 {
	g.order = g.order[:0]
	for n := c.first; n >= 0; n = g.next[n] {
		g.order = append(g.order, n)
	}
	if c.disordered {
		slices.SortStableFunc(g.order, func(a, b int32) int { return cmp.Compare(timeIn(g.record(a)), timeIn(g.record(b))) })
	}
	return g.order
}

// settle hands on what is in memory where that is too much.
func (t *tally) settle() error {
	if t.full == nil && t.grid.size() >= t.memory {
		t.full = t.Sums.take(&t.grid)
	}
	if t.full == nil && len(t.users) >= manyUsers {
		t.full = t.putUsers()
	}
	return t.full
}

// visits are the same session on each side; what a side left out is not in its own.
type visits struct {
	any  bool
	last pipeline.Micros
	// As long as the same sides have each hit, both is the visit of all of them. When
	// that ends they are apart.
	both  visit
	sides sides
	apart bool
	by    [numSides]visit
}

// part has the sides go on by themselves.
func (of *visits) part() {
	for side := range Side(numSides) {
		if of.sides.has(side) {
			of.by[side].copy(&of.both)
		}
	}
	of.apart = true
}

// countOne counts the next hit of a session, or of all sessions of a visitor that
// pauses tell apart.
func (t *tally) countOne() {
	r, of := &t.r, &t.of
	var untoldBy untoldSet
	if t.untoldBy != nil {
		untoldBy = t.untoldBy(r.input, r.row)
	}
	for i := range r.rows {
		if untoldBy&(noDimension<<i) != 0 {
			r.rows[i] = untold
		}
	}
	if untoldBy&noVisitor != 0 {
		r.visitor = [idSize]byte{}
	}
	if r.paused && of.any && r.at-of.last >= pipeline.Micros(Pause/time.Microsecond) {
		t.finishVisits()
	}
	day := t.dayOf(r.at)
	t.countHit(r, day)
	of.any, of.last = true, r.at
	if untoldBy&noSession == 0 {
		t.addToVisits(r, day)
	}
}

func (t *tally) addToVisits(r *record, day Day) {
	of := &t.of
	if !of.apart && of.both.hits > 0 && of.sides != r.sides {
		of.part()
	}
	fresh := sides(0) // to which the page is new
	if !of.apart {
		if of.sides = r.sides; t.addTo(&of.both, r) {
			fresh = r.sides
		}
	} else {
		for side := range Side(numSides) {
			if r.sides.has(side) && t.addTo(&of.by[side], r) {
				fresh |= only(side)
			}
		}
	}
	if fresh == 0 {
		return
	}
	for i := range t.layout.Tables {
		if t.layout.Tables[i].By == ByPage {
			t.count(i, Sessions, r.page, day, fresh, 1)
		}
	}
}

// addTo adds a hit to a visit, and reports whether some table asks for its page, which
// is new to the visit.
func (t *tally) addTo(v *visit, r *record) bool {
	v.add(r, t.layout.FirstOfTies)
	return t.freshPages && v.addPage(r.page)
}

// countHit counts a hit where hits are counted by themselves.
func (t *tally) countHit(r *record, day Day) {
	for i := range t.layout.Tables {
		row := theDay
		switch of := &t.layout.Tables[i]; of.By {
		case ByDay:
		case ByDimension:
			t.count(i, Events, r.rows[of.Dimension], day, r.sides, 1)
			continue
		case ByPage:
			row = r.page
		case ByName:
			row = r.name
		case ByLink:
			row = r.link
		case ByTitle:
			t.countOfKind(i, r, r.title, day)
			continue
		case ByProperty:
			for _, w := range r.properties {
				t.count(i, Events, w, day, r.sides, 1)
				t.user(i, w, day, r.sides, r.visitor)
			}
			continue
		default:
			continue
		}
		t.countOfKind(i, r, row, day)
		t.user(i, row, day, r.sides, r.visitor)
	}
}

// countOfKind adds a hit to the columns that count events.
func (t *tally) countOfKind(table int, r *record, row word, day Day) {
	t.count(table, Events, row, day, r.sides, 1)
	t.count(table, kindMeasures[r.kind], row, day, r.sides, 1)
}

// count adds to a table's column of a measure, if it has one.
func (t *tally) count(table int, m Measure, row word, day Day, on sides, n int64) {
	column := t.columns[table][m]
	if row == untold || column < 0 {
		return
	}
	if t.layout.Tables[table].Whole {
		day = AllDays
	}
	t.grid.add(rowKey{day, row, uint8(table), on}, int(column), n)
}

// finishVisits counts the sides' sessions and begins anew.
func (t *tally) finishVisits() {
	of := &t.of
	if of.both.hits > 0 && !of.apart {
		t.countVisit(of.sides, &of.both)
	}
	of.both.reset()
	if of.apart {
		for side := range Side(numSides) {
			if v := &of.by[side]; v.hits > 0 {
				t.countVisit(only(side), v)
				v.reset()
			}
		}
	}
	of.any, of.apart = false, false
}

func (t *tally) countVisit(on sides, v *visit) {
	day := t.dayOf(v.first)
	for side := range Side(numSides) {
		if !on.has(side) {
			continue
		}
		t.ties.sessions[side]++
		if v.entryTied {
			t.ties.entries[side]++
		}
		if v.exitTied {
			t.ties.exits[side]++
		}
	}
	for i := range t.layout.Tables {
		of := &t.layout.Tables[i]
		row := theDay
		switch of.By {
		case ByDimension:
			row = v.rows[of.Dimension]
		case ByEntry:
			row = v.entry
		case ByExit:
			row = v.exit
		case ByPage:
			t.count(i, Entries, v.entry, day, on, 1)
			t.count(i, Exits, v.exit, day, on, 1)
			continue
		case ByName, ByProperty, ByLink, ByTitle:
			continue
		}
		for _, of := range [...]struct {
			Measure
			n int64
		}{{Sessions, 1}, {Bounces, v.bounces()}, {Seconds, v.seconds()}} {
			if of.n != 0 {
				t.count(i, of.Measure, row, day, on, of.n)
			}
		}
		if of.By == ByDay {
			continue
		}
		if v.views > 0 {
			t.count(i, Pageviews, row, day, on, int64(v.views))
		}
		t.user(i, row, day, on, v.visitor)
	}
}

// userKey is a visitor and, as [cell.append] has it, the cell that counts it.
type userKey [idSize + cellKey]byte

// user is a visitor to be counted once on each of some sides.
type user struct {
	userKey
	on sides
}

const (
	userSize = len(userKey{}) + 1
	// seenUsers is how many users are remembered: most are known from hits before.
	seenUsers = 1 << 12
	// manyUsers are put aside at once.
	manyUsers = 1 << 12
	// roomOfUser is about what a user takes in a map, while those of a bin are counted.
	roomOfUser = 2 * userSize
)

// user notes a visitor of a row, to be counted once.
func (t *tally) user(table int, row word, day Day, on sides, visitor [idSize]byte) {
	if row == untold || visitor == ([idSize]byte{}) {
		return
	}
	if t.layout.Tables[table].Whole {
		day = AllDays
	}
	if column := t.columns[table][Users]; column >= 0 {
		t.noteUser(cell{day, row, uint8(table), uint8(column)}, on, visitor)
	}
	if column := t.columns[table][UsersOfAll]; column >= 0 {
		t.noteUser(cell{AllDays, row, uint8(table), uint8(column)}, on, visitor)
	}
}

func (t *tally) noteUser(of cell, on sides, visitor [idSize]byte) {
	u := user{on: on}
	copy(u.userKey[:], visitor[:])
	of.append(u.userKey[idSize:idSize])
	hash := binary.LittleEndian.Uint32(visitor[4:]) ^ uint32(of.row)*0x9e3779b1 ^ uint32(of.day)*0x85ebca6b ^ uint32(of.table)<<4 ^ uint32(of.column)
	seen := &t.seen[hash%seenUsers]
	if seen.userKey == u.userKey {
		if seen.on&on == on {
			return
		}
		seen.on |= on
	} else {
		*seen = u
	}
	t.users = append(t.users, u)
}

// putUsers puts the users aside. Several goroutines may call it.
func (t *tally) putUsers() error {
	t.usersMutex.Lock()
	defer t.usersMutex.Unlock()
	var record [userSize]byte
	for i := range t.users {
		copy(record[:], t.users[i].userKey[:])
		record[userSize-1] = byte(t.users[i].on)
		if err := t.Count.users.add(record[:]); err != nil {
			return err
		}
	}
	t.users = t.users[:0]
	return nil
}

// countUsers counts the visitors of a bin once in each cell. Where these are too many
// to be held, it looks at some of them after the others.
func (t *tally) countUsers(_ context.Context, bin int) error {
	rounds := min(1+t.Count.users.sizes[bin]/userSize*roomOfUser/(2*t.memory), 1<<8)
	for round := range rounds {
		clear(t.once)
		err := t.Count.users.Each(bin, func(record []byte) error {
			if int(record[1])%rounds != round {
				return nil
			}
			u, on := userKey(record), sides(record[userSize-1])
			known := t.once[u]
			if fresh := on &^ known; fresh != 0 {
				t.once[u] = known | on
				of := parseCell(record[idSize:])
				t.grid.add(rowKey{of.day, of.row, of.table, fresh}, int(of.column), 1)
			}
			return t.settle()
		})
		if err != nil {
			return err
		}
	}
	return nil
}
