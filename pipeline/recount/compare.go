package recount

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"maps"
	"slices"
	"time"

	"hopper/adapters/input/spill"
	"hopper/pipeline"
)

// table and measure are indices into their names.
type (
	table   uint8
	measure uint8
)

const (
	dayTable       table = iota
	pageTable            // by path
	dimensionTable       // and those that follow, by dimension
	nameTable      = dimensionTable + table(dimensions)
)

var tableNames = [...]string{"days", "pages", "referrers", "browsers", "systems", "devices", "countries", "custom events"}

const (
	sessions measure = iota
	users
	dailyUsers
	bounces
	duration
	events
	pageviews
	customEvents
	outbound
	vitals
	failures
	entries
	exits
)

var measureNames = [...]string{
	"sessions", "users", "users per day", "bounces", "seconds", "events", "pageviews", "custom events", "outbound clicks",
	"web vitals", "errors", "entries", "exits",
}

var kindMeasures = [...]measure{
	pipeline.Pageview: pageviews, pipeline.Custom: customEvents, pipeline.Outbound: outbound, pipeline.Vitals: vitals, pipeline.Error: failures,
}

// noDay is the day of what is counted over all days at once.
const noDay = 1<<31 - 1

// cell is a place in a table; the row of the table of days is 0.
type cell struct {
	table   table
	measure measure
	row     uint32
	day     int32
}

// amounts are what a cell comes to on each side.
type amounts [sides]int64

func (a *amounts) add(b *amounts) {
	for i := range a {
		a[i] += b[i]
	}
}

// sums add up cells, in memory up to a limit and on disk beyond it.
type sums struct {
	recent map[cell]*amounts
	sorter spill.Sorter
}

const (
	recentSize = 256 // bytes in memory, at most
	cellSize   = 1 + 1 + 4 + 4
)

func (s *sums) add(c cell, n amounts) error {
	if have := s.recent[c]; have != nil {
		have.add(&n)
		return nil
	}
	if len(s.recent) >= s.sorter.Limit/recentSize {
		if err := s.flush(); err != nil {
			return err
		}
	}
	if s.recent == nil {
		s.recent = map[cell]*amounts{}
	}
	s.recent[c] = &n
	return nil
}

func (s *sums) flush() error {
	for c, n := range s.recent {
		var key [cellSize]byte
		key[0], key[1] = byte(c.table), byte(c.measure)
		binary.BigEndian.PutUint32(key[2:], c.row)
		binary.BigEndian.PutUint32(key[6:], uint32(c.day)^1<<31)
		var value [8 * sides]byte
		for i, v := range n {
			binary.BigEndian.PutUint64(value[8*i:], uint64(v))
		}
		if err := s.sorter.Add(key[:], value[:]); err != nil {
			return err
		}
	}
	clear(s.recent)
	return nil
}

// each yields the cells in order.
func (s *sums) each(ctx context.Context, yield func(cell, *amounts)) error {
	if err := s.flush(); err != nil {
		return err
	}
	return groups(ctx, &s.sorter, cellSize, func(key []byte, values func() ([]byte, bool)) error {
		c := cell{table(key[0]), measure(key[1]), binary.BigEndian.Uint32(key[2:]), int32(binary.BigEndian.Uint32(key[6:]) ^ 1<<31)}
		var total amounts
		for v, ok := values(); ok; v, ok = values() {
			for i := range total {
				total[i] += int64(binary.BigEndian.Uint64(v[8*i:]))
			}
		}
		yield(c, &total)
		return nil
	})
}

// groups calls do for each run of records whose keys begin alike, with that
// beginning; values returns the records, each as the rest of its key and its value.
func groups(ctx context.Context, s *spill.Sorter, prefix int, do func(begin []byte, values func() ([]byte, bool)) error) error {
	sorted, err := s.Sort()
	if err != nil {
		return err
	}
	var begin, record []byte
	next := func() {
		var key, value []byte
		if key, value, err = sorted.Next(ctx); err == nil {
			record = append(append(record[:0], key...), value...)
		}
	}
	for next(); err == nil; {
		begin = append(begin[:0], record[:prefix]...)
		var taken []byte
		first := true
		failed := do(begin, func() ([]byte, bool) {
			if !first {
				next()
			}
			first = false
			if err != nil || !bytes.Equal(record[:prefix], begin) {
				return nil, false
			}
			taken = append(taken[:0], record[prefix:]...)
			return taken, true
		})
		if failed != nil {
			return failed
		}
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// session is what the dashboard knows of one.
type session struct {
	hits, views int
	first, last pipeline.Micros
	entry, exit uint32
	dims        [dimensions]uint32
}

func (s *session) add(at pipeline.Micros, isView bool, page uint32, dims *[dimensions]uint32) {
	if s.hits == 0 {
		s.first, s.dims = at, *dims
	}
	for i, word := range dims {
		if s.dims[i] == untoldWord {
			s.dims[i] = word
		}
	}
	s.hits++
	s.last = at
	if isView {
		if s.views == 0 {
			s.entry = page
		}
		s.views++
		s.exit = page
	}
}

// total adds up what was collected.
type total struct {
	*counter
	sums  sums
	users spill.Sorter // by side, visitor and day
	last  [userKey]byte
	err   error
}

// compare counts what was put aside.
func (c *counter) compare(ctx context.Context) (_ *Comparison, err error) {
	t := &total{counter: c}
	for _, s := range []*spill.Sorter{&t.sums.sorter, &t.users} {
		s.Dir, s.Limit = c.hits.Dir, c.hits.Limit
		defer func() { err = errors.Join(err, s.Close()) }()
	}
	if err := groups(ctx, &c.hits, sessionKey, t.session); err != nil {
		return nil, err
	}
	if err := t.countUsers(ctx); err != nil {
		return nil, err
	}
	return t.lines(ctx)
}

func (t *total) add(tb table, m measure, row uint32, day int32, n amounts) {
	if t.err == nil && row != untoldWord {
		t.err = t.sums.add(cell{tb, m, row, day}, n)
	}
}

// session counts the hits of one session on one side, in order, or those of
// all sessions of a visitor that pauses tell apart.
func (t *total) session(begin []byte, hits func() ([]byte, bool)) error {
	var whole, part session // with what was left out, and without
	for record, ok := hits(); ok; record, ok = hits() {
		at := pipeline.Micros(binary.BigEndian.Uint64(record) ^ 1<<63)
		day := dayOf(at)
		v := record[8:]
		kind := pipeline.Kind(v[1])
		flags := t.inputs[binary.BigEndian.Uint16(v[2:])].flags[binary.BigEndian.Uint64(v[4:])]
		n := amounts{all: 1}
		if begin[0] == fromEvents {
			n = amounts{sent: 1}
		} else if v[0]&isKept != 0 {
			n[kept] = 1
		}
		t.add(dayTable, events, 0, day, n)
		t.add(dayTable, kindMeasures[kind], 0, day, n)
		word := binary.BigEndian.Uint32(v[28:])
		switch kind {
		case pipeline.Pageview:
			t.add(pageTable, pageviews, word, day, n)
		case pipeline.Custom:
			t.add(nameTable, events, word, day, n)
		}
		var dims [dimensions]uint32
		for i := range dims {
			dims[i] = binary.BigEndian.Uint32(v[32+4*i:])
			if flags&(noDimension<<i) != 0 {
				dims[i] = untoldWord
			}
			t.add(dimensionTable+table(i), events, dims[i], day, n)
		}
		if flags&noVisitor == 0 {
			t.user(n, v[12:28], day)
		}
		if v[0]&isPaused != 0 && whole.hits > 0 && at-whole.last >= pipeline.Micros(Pause/time.Microsecond) {
			t.finish(&whole, all)
			t.finish(&part, kept)
			whole, part = session{}, session{}
		}
		if flags&noSession == 0 {
			whole.add(at, kind == pipeline.Pageview, word, &dims)
			if n[all] == 0 || n[kept] > 0 {
				part.add(at, kind == pipeline.Pageview, word, &dims)
			}
		}
	}
	if begin[0] == fromEvents {
		t.finish(&whole, sent)
	} else {
		t.finish(&whole, all)
		t.finish(&part, kept)
	}
	return t.err
}

func (t *total) finish(s *session, of side) {
	if s.hits == 0 {
		return
	}
	day := dayOf(s.first)
	var one, seconds amounts
	one[of] = 1
	seconds[of] = int64((s.last - s.first) / 1e6)
	t.add(dayTable, sessions, 0, day, one)
	t.add(dayTable, duration, 0, day, seconds)
	for i, word := range s.dims {
		t.add(dimensionTable+table(i), sessions, word, day, one)
	}
	if s.views == 0 {
		return
	}
	if s.views == 1 {
		t.add(dayTable, bounces, 0, day, one)
	}
	t.add(pageTable, entries, s.entry, day, one)
	t.add(pageTable, exits, s.exit, day, one)
}

// userKey is the size of a visitor's key: side, visitor and day.
const userKey = 1 + 16 + 4

// user puts a visitor aside, once for a session's day.
func (t *total) user(n amounts, visitor []byte, day int32) {
	for s := range sides {
		if n[s] == 0 {
			continue
		}
		var key [userKey]byte
		key[0] = byte(s)
		copy(key[1:], visitor)
		binary.BigEndian.PutUint32(key[17:], uint32(day)^1<<31)
		if key != t.last && t.err == nil {
			t.err = t.users.Add(key[:], nil)
		}
		t.last = key
	}
}

// countUsers counts visitors once, and once a day.
func (t *total) countUsers(ctx context.Context) error {
	return groups(ctx, &t.users, userKey-4, func(begin []byte, days func() ([]byte, bool)) error {
		var one amounts
		one[begin[0]] = 1
		t.add(dayTable, users, 0, noDay, one)
		last := int32(noDay)
		for v, ok := days(); ok; v, ok = days() {
			if day := int32(binary.BigEndian.Uint32(v) ^ 1<<31); day != last {
				t.add(dayTable, dailyUsers, 0, day, one)
				last = day
			}
		}
		return t.err
	})
}

// sum compares one measure of one table on one day.
type sum struct {
	amounts
	over, under, rows int64
}

// place is a measure of a table on a day.
type place struct {
	day     int32
	table   table
	measure measure
}

func (p place) compare(q place) int {
	return cmp.Or(cmp.Compare(p.day, q.day), cmp.Compare(p.table, q.table), cmp.Compare(p.measure, q.measure))
}

// lines compares the sums of both sides.
func (t *total) lines(ctx context.Context) (*Comparison, error) {
	out := &Comparison{Days: []Day{}, Total: []Line{}, Worst: []Row{}, Guarantees: []Guarantee{}, Notes: []string{}}
	found, err := t.compareRows(ctx, out)
	if err != nil {
		return nil, err
	}
	totals := map[place]int{} // where in out.Total; of no day
	for _, p := range slices.SortedFunc(maps.Keys(found), place.compare) {
		l := found[p].line(p)
		if p.day != noDay {
			out.addDay(dateOf(p.day), l)
		}
		p.day = 0
		at, known := totals[p]
		if !known {
			at = len(out.Total)
			totals[p] = at
			out.Total = append(out.Total, Line{Table: l.Table, Measure: l.Measure})
			out.Guarantees = append(out.Guarantees, Guarantee{Table: l.Table, Measure: l.Measure})
		}
		out.addTotal(at, l)
	}
	out.conclude()
	return out, nil
}

// compareRows adds up the rows of each place, and keeps those that differ
// most in out.
func (t *total) compareRows(ctx context.Context, out *Comparison) (map[place]*sum, error) {
	found := map[place]*sum{}
	err := t.sums.each(ctx, func(c cell, n *amounts) {
		p := place{c.day, c.table, c.measure}
		s := found[p]
		if s == nil {
			s = new(sum)
			found[p] = s
		}
		s.add(n)
		d := n[sent] - n[kept]
		if d == 0 {
			return
		}
		s.rows++
		s.over += max(d, 0)
		s.under += max(-d, 0)
		out.worse(t.row(c, n))
	})
	return found, err
}

// row names a cell that differs.
func (t *total) row(c cell, n *amounts) Row {
	row := Row{Table: tableNames[c.table], Measure: measureNames[c.measure], Source: n[kept], Sent: n[sent]}
	if c.table != dayTable {
		row.Row = t.words[c.row]
	}
	if c.day != noDay {
		row.Date = dateOf(c.day)
	}
	return row
}

func (s *sum) line(p place) Line {
	l := Line{
		Table: tableNames[p.table], Measure: measureNames[p.measure],
		Source: s.amounts[all], LeftOut: s.amounts[all] - s.amounts[kept], Sent: s.amounts[sent],
		Off: max(s.over, s.under), Rows: s.rows,
	}
	l.share()
	return l
}

// addDay adds a line to a day; days come in order.
func (c *Comparison) addDay(date string, l Line) {
	if len(c.Days) == 0 || c.Days[len(c.Days)-1].Date != date {
		c.Days = append(c.Days, Day{Date: date})
	}
	d := &c.Days[len(c.Days)-1]
	d.Lines = append(d.Lines, l)
}

// addTotal adds a day's line to the total and the guarantee at an index.
func (c *Comparison) addTotal(at int, l Line) {
	sum, g := &c.Total[at], &c.Guarantees[at]
	sum.Source += l.Source
	sum.LeftOut += l.LeftOut
	sum.Sent += l.Sent
	sum.Off += l.Off
	sum.Rows += l.Rows
	g.Days++
	if l.Off > 0 {
		g.Failed++
	}
}

// conclude decides the guarantees by the totals and brings both in the order
// of the tables' and measures' names.
func (c *Comparison) conclude() {
	for i := range c.Total {
		l, g := &c.Total[i], &c.Guarantees[i]
		l.share()
		g.Share, g.Holds = l.Share, g.Failed == 0
	}
	order := func(tb, m string) int {
		return slices.Index(tableNames[:], tb)*len(measureNames) + slices.Index(measureNames[:], m)
	}
	slices.SortFunc(c.Total, func(a, b Line) int { return order(a.Table, a.Measure) - order(b.Table, b.Measure) })
	slices.SortFunc(c.Guarantees, func(a, b Guarantee) int { return order(a.Table, a.Measure) - order(b.Table, b.Measure) })
}

func dateOf(day int32) string {
	return pipeline.Micros(int64(day) * int64(dayMicros)).Time().Format(time.DateOnly)
}
