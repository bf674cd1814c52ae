package recount

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"time"

	"hopper/pipeline"
)

// A Scratch makes sorters for a count, which take about so many bytes of memory
// before they spill.
type Scratch func(memory int) Sorter

// memory is what each of a count's sorters and its sums in memory take.
const memory = 16 << 20

// Count counts hits as Rybbit's dashboard does: it puts them aside, sorts them
// by session, and adds up what each session comes to.
type Count struct {
	Sums   *Sums
	layout *Layout
	zone   *time.Location

	inputs []string
	byName map[string]uint16
	last   uint16 // input

	hits  Sorter
	users Sorter // by side, table, row, day and visitor
	// seen is the user of each table that was added last.
	seen       map[uint8]string
	key, value []byte
	put        record

	// untoldBy, if set, returns what a row of the inputs does not tell.
	untoldBy func(input uint16, row int64) untoldSet
	err      error // of adding
	// sessions are those of each side, and of them those whose first or last page
	// shares its time with another.
	sessions, entriesTied, exitsTied [numSides]int64
}

// untoldSet are bits for what a row does not tell, one for each dimension above.
type untoldSet uint32

const (
	noSession untoldSet = 1 << iota
	noVisitor
	noDimension
)

// NewCount returns a count by a layout.
func NewCount(layout *Layout, scratch Scratch) *Count { return newCount(layout, scratch, memory) }

func newCount(layout *Layout, scratch Scratch, memory int) *Count {
	c := &Count{
		Sums: newSums(layout, scratch(memory), memory), layout: layout, zone: layout.Zone, byName: map[string]uint16{},
		hits: scratch(memory), users: scratch(memory), seen: map[uint8]string{},
	}
	if c.zone == nil {
		c.zone = time.UTC
	}
	return c
}

// Close releases temporary files.
func (c *Count) Close() error {
	return errors.Join(c.Sums.close(), c.hits.Close(), c.users.Close())
}

// input returns the number of an input.
func (c *Count) input(name string) uint16 {
	if len(c.inputs) > 0 && c.inputs[c.last] == name {
		return c.last
	}
	n, known := c.byName[name]
	if !known {
		n = uint16(len(c.inputs))
		name = strings.Clone(name)
		c.byName[name] = n
		c.inputs = append(c.inputs, name)
	}
	c.last = n
	return n
}

// Hits makes collectors of what is counted of events.
func (c *Count) Hits() pipeline.Collector[[]Hit] { return &hits{layout: c.layout} }

// hits collects the events of one chunk.
type hits struct {
	layout *Layout
	words  map[string]string // those of the chunk, once each
	list   []Hit
}

func (c *hits) keep(s string) string {
	if s == "" {
		return ""
	}
	if known, ok := c.words[s]; ok {
		return known
	}
	s = strings.Clone(s)
	c.words[s] = s
	return s
}

// Begin forgets the chunk before.
func (c *hits) Begin() { c.words, c.list = map[string]string{}, c.list[:0] }

// Add keeps what is counted of an event.
func (c *hits) Add(ev *pipeline.Event) {
	h := Hit{
		Origin: pipeline.Origin{Input: c.keep(ev.Origin.Input), Row: ev.Origin.Row}, At: ev.Time, Kind: ev.Kind,
		Visitor: c.keep(ev.Visitor), Session: c.keep(ev.Session), Rows: make([]string, c.layout.Dimensions),
	}
	c.layout.Hit(ev, &h)
	h.Page, h.Name, h.Link, h.Title = c.keep(h.Page), c.keep(h.Name), c.keep(h.Link), c.keep(h.Title)
	for _, list := range [...][]string{h.Rows, h.Properties} {
		for i, s := range list {
			list[i] = c.keep(s)
		}
	}
	c.list = append(c.list, h)
}

// Done returns the chunk's hits.
func (c *hits) Done() []Hit { return c.list }

// Sent adds the hits of events that are sent.
func (c *Count) Sent(list []Hit) error {
	for i := range list {
		if err := c.add(only(Sent), &list[i]); err != nil {
			return err
		}
	}
	return nil
}

// The groups in which hits are sorted: those of the export and those of events
// do not meet in a session.
const (
	ofSource = iota
	ofEvents
)

// add puts a hit aside until all are known.
func (c *Count) add(on sides, h *Hit) error {
	r := &c.put
	*r = record{
		group: ofSource, session: idOf(h.Session), at: h.At, sides: on, paused: h.Paused, kind: h.Kind,
		input: c.input(h.Origin.Input), row: h.Origin.Row, visitor: idOf(h.Visitor),
		page: c.Sums.word(h.Page), name: c.Sums.word(h.Name), link: c.Sums.word(h.Link), title: c.Sums.word(h.Title), rows: r.rows[:0], properties: r.properties[:0],
	}
	if on.has(Sent) {
		r.group = ofEvents
	}
	for _, text := range h.Rows {
		r.rows = append(r.rows, c.Sums.word(text))
	}
	for _, text := range h.Properties {
		r.properties = append(r.properties, c.Sums.word(text))
	}
	c.key, c.value = r.append(c.key[:0], c.value[:0])
	return c.hits.Add(c.key, c.value)
}

// Finish adds up what was put aside.
func (c *Count) Finish(ctx context.Context) error {
	r := record{}
	var of visits
	var begin [sessionKey]byte
	err := c.hits.Each(ctx, func(key, value []byte) error {
		if of.any && !bytes.Equal(begin[:], key[:sessionKey]) {
			c.finish(&of)
		}
		copy(begin[:], key)
		r.parse(key, value, c.layout.Dimensions)
		c.hit(&of, &r)
		return c.err
	})
	if err != nil {
		return err
	}
	c.finish(&of)
	if c.err != nil {
		return c.err
	}
	return c.countUsers(ctx)
}

// visits are the same session on each side; what a side left out is not in its own.
type visits struct {
	any  bool
	last pipeline.Micros
	by   [numSides]visit
}

// hit counts the next hit of a session, or of all sessions of a visitor that
// pauses tell apart.
func (c *Count) hit(of *visits, r *record) {
	var untoldBy untoldSet
	if c.untoldBy != nil {
		untoldBy = c.untoldBy(r.input, r.row)
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
		c.finish(of)
	}
	c.countHit(r)
	of.any, of.last = true, r.at
	fresh := [numSides]bool{}
	for side := range Side(numSides) {
		if r.sides.has(side) && untoldBy&noSession == 0 {
			v := &of.by[side]
			fresh[side] = v.add(r, c.layout.FirstOfTies)
		}
	}
	c.countPageOfVisit(r, fresh)
}

// countHit counts a hit where hits are counted by themselves.
func (c *Count) countHit(r *record) {
	day := c.dayOf(r.at)
	var one amounts
	for side := range Side(numSides) {
		if r.sides.has(side) {
			one[side] = 1
		}
	}
	for i := range c.layout.Tables {
		switch t := &c.layout.Tables[i]; t.By {
		case ByDay:
			c.addHit(i, t, theDay, day, r, &one)
			c.user(i, t, theDay, day, r.sides, r.visitor)
		case ByDimension:
			c.addColumn(i, t, Events, r.rows[t.Dimension], day, &one)
		case ByPage:
			c.addHit(i, t, r.page, day, r, &one)
			c.user(i, t, r.page, day, r.sides, r.visitor)
		case ByName:
			c.addHit(i, t, r.name, day, r, &one)
			c.user(i, t, r.name, day, r.sides, r.visitor)
		case ByLink:
			c.addHit(i, t, r.link, day, r, &one)
			c.user(i, t, r.link, day, r.sides, r.visitor)
		case ByTitle:
			c.addHit(i, t, r.title, day, r, &one)
		case ByProperty:
			for _, w := range r.properties {
				c.addColumn(i, t, Events, w, day, &one)
				c.user(i, t, w, day, r.sides, r.visitor)
			}
		}
	}
}

// addHit adds a hit to the columns that count events.
func (c *Count) addHit(index int, t *Table, row word, day Day, r *record, one *amounts) {
	c.addColumn(index, t, Events, row, day, one)
	c.addColumn(index, t, kindMeasures[r.kind], row, day, one)
}

// addColumn adds to a table's columns of a measure.
func (c *Count) addColumn(index int, t *Table, m Measure, row word, day Day, n *amounts) {
	if row == untold || c.err != nil {
		return
	}
	if t.Whole {
		day = AllDays
	}
	for column := range t.Columns {
		if t.Columns[column].Measure == m {
			c.err = c.Sums.add(cell{day, row, uint8(index), uint8(column)}, n)
			return
		}
	}
}

// countPageOfVisit counts the sides' sessions to which a page is new.
func (c *Count) countPageOfVisit(r *record, fresh [numSides]bool) {
	var n amounts
	for side, is := range fresh {
		if is {
			n[side] = 1
		}
	}
	if n == (amounts{}) {
		return
	}
	for i := range c.layout.Tables {
		if t := &c.layout.Tables[i]; t.By == ByPage {
			c.addColumn(i, t, Sessions, r.page, c.dayOf(r.at), &n)
		}
	}
}

// finish counts the sides' sessions and begins anew.
func (c *Count) finish(of *visits) {
	for side := range Side(numSides) {
		v := &of.by[side]
		if v.hits > 0 {
			c.countVisit(side, v)
		}
		v.reset()
	}
	of.any = false
}

func (c *Count) countVisit(side Side, v *visit) {
	day := c.dayOf(v.first)
	c.sessions[side]++
	if v.entryTied {
		c.entriesTied[side]++
	}
	if v.exitTied {
		c.exitsTied[side]++
	}
	for i := range c.layout.Tables {
		t := &c.layout.Tables[i]
		row := theDay
		switch t.By {
		case ByDimension:
			row = v.rows[t.Dimension]
		case ByEntry:
			row = v.entry
		case ByExit:
			row = v.exit
		case ByPage:
			c.addVisit(side, i, t, Entries, v.entry, day, 1)
			c.addVisit(side, i, t, Exits, v.exit, day, 1)
			continue
		case ByName, ByProperty, ByLink, ByTitle:
			continue
		}
		c.addVisit(side, i, t, Sessions, row, day, 1)
		c.addVisit(side, i, t, Bounces, row, day, v.bounces())
		c.addVisit(side, i, t, Seconds, row, day, v.seconds())
		if t.By != ByDay {
			c.addVisit(side, i, t, Pageviews, row, day, int64(v.views))
			c.user(i, t, row, day, only(side), v.visitor)
		}
	}
}

func (c *Count) addVisit(side Side, index int, t *Table, m Measure, row word, day Day, n int64) {
	if n == 0 {
		return
	}
	var a amounts
	a[side] = n
	c.addColumn(index, t, m, row, day, &a)
}

// dayOf returns the day of a time in the layout's zone.
func (c *Count) dayOf(at pipeline.Micros) Day {
	if c.zone == time.UTC {
		const micros = 24 * 60 * 60 * 1e6
		day := at / micros
		if at%micros < 0 {
			day--
		}
		return Day(day)
	}
	return DayOf(at.Time().In(c.zone).Date())
}

// user puts a visitor of a row aside, to be counted once.
func (c *Count) user(index int, t *Table, row word, day Day, on sides, visitor [idSize]byte) {
	if row == untold || visitor == ([idSize]byte{}) {
		return
	}
	if t.Whole {
		day = AllDays
	}
	for column := range t.Columns {
		switch t.Columns[column].Measure {
		case Users:
			c.addUser(cell{day, row, uint8(index), uint8(column)}, on, visitor)
		case UsersOfAll:
			c.addUser(cell{AllDays, row, uint8(index), uint8(column)}, on, visitor)
		}
	}
}

// addUser sorts users by cell, side and visitor.
func (c *Count) addUser(of cell, on sides, visitor [idSize]byte) {
	for side := range Side(numSides) {
		if !on.has(side) || c.err != nil {
			continue
		}
		c.key = append(of.append(c.key[:0]), byte(side))
		c.key = append(c.key, visitor[:]...)
		// A session's events follow each other: most are known from the one before.
		at := of.table<<4 | of.column&0x0f
		if c.seen[at] != string(c.key) {
			c.err = c.users.Add(c.key, nil)
			c.seen[at] = string(c.key)
		}
	}
}

// countUsers counts the visitors of each row once.
func (c *Count) countUsers(ctx context.Context) error {
	var last []byte
	return c.users.Each(ctx, func(key, _ []byte) error {
		if bytes.Equal(key, last) {
			return nil
		}
		last = append(last[:0], key...)
		var one amounts
		one[key[cellKey]] = 1
		return c.Sums.add(parseCell(key), &one)
	})
}

// visit is what the dashboard knows of a session.
type visit struct {
	hits, views int
	first, last pipeline.Micros
	visitor     [idSize]byte
	entry, exit word
	// entryTied and exitTied say that another page has the same time.
	entryAt, exitAt     pipeline.Micros
	entryTied, exitTied bool
	rows                []word
	pages               map[word]struct{}
}

func (v *visit) reset() {
	clear(v.pages)
	*v = visit{rows: v.rows[:0], pages: v.pages}
}

// add adds the next hit in time and reports whether its page is new to the session.
func (v *visit) add(r *record, firstOfTies bool) (fresh bool) {
	if v.hits == 0 {
		v.first, v.entry, v.exit, v.visitor = r.at, untold, untold, r.visitor
		v.rows = append(v.rows[:0], r.rows...)
	}
	for i, w := range r.rows {
		if v.rows[i] == untold {
			v.rows[i] = w
		}
	}
	v.hits++
	v.last = r.at
	if r.kind == pipeline.Pageview {
		v.views++
	}
	if r.page == untold {
		return false
	}
	if v.entry == untold {
		v.entry, v.entryAt = r.page, r.at
	}
	v.entryTied = v.entryTied || r.at == v.entryAt && r.page != v.entry
	switch {
	case v.exit == untold || r.at > v.exitAt:
		v.exit, v.exitAt, v.exitTied = r.page, r.at, false
	case r.page != v.exit:
		v.exitTied = true
		if !firstOfTies {
			v.exit = r.page
		}
	}
	if v.pages == nil {
		v.pages = map[word]struct{}{}
	}
	_, known := v.pages[r.page]
	v.pages[r.page] = struct{}{}
	return !known
}

// bounces is 1 of a session with one pageview.
func (v *visit) bounces() int64 { return Bounced(v.views) }

// seconds is how long the session lasted.
func (v *visit) seconds() int64 { return Lasted(v.first, v.last) }

// Bounced is 1 where a session with so many pageviews is a bounce, and else 0.
func Bounced(pageviews int) int64 {
	if pageviews == 1 {
		return 1
	}
	return 0
}

// Lasted is how many seconds a session lasts, from its first to its last event.
func Lasted(first, last pipeline.Micros) int64 { return int64((last - first) / 1e6) }
