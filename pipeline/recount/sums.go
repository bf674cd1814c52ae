package recount

import (
	"context"
	"encoding/binary"
	"fmt"
	"sync"
	"time"
)

// A Sorter sorts any number of records by key, on disk where they are many.
// Records of equal keys keep their order.
type Sorter interface {
	// Add copies a record.
	Add(key, value []byte) error
	// Each ends adding and calls yield with the records in order, which are valid
	// until it returns. It returns the first error of yield.
	Each(ctx context.Context, yield func(key, value []byte) error) error
	Close() error
}

// Bins hold any number of records in bins, each in the order in which they were added,
// on disk where they are many. Once nothing is added any more, several goroutines may
// read.
type Bins interface {
	// New returns the number of a further bin.
	New() int
	// Add copies a record into a bin.
	Add(bin int, record []byte) error
	// Each calls yield with the records of a bin, which are valid until it returns.
	// It returns the first error of yield.
	Each(bin int, yield func(record []byte) error) error
	Close() error
}

// A Scratch makes what a count puts records aside in. Each takes about so many bytes of
// memory before it spills.
type Scratch interface {
	Sorter(memory int) Sorter
	Bins(memory int) Bins
}

// Side is one of the givers of sums that are compared.
type Side uint8

const (
	// Source is what all of an export comes to, and Kept what it comes to without
	// the rows that were left out for a reason.
	Source Side = iota
	Kept
	// Sent is what the events come to that are sent.
	Sent
	// Shown is what a server shows of them.
	Shown

	numSides = iota
)

// sides is a set of them.
type sides uint8

func only(s Side) sides { return 1 << s }

func (s sides) has(side Side) bool { return s&only(side) != 0 }

// Sums are what each side comes to: amounts by day, table, row and column. They
// are in memory up to a limit and on disk beyond it.
type Sums struct {
	layout  *Layout
	words   []string // of rows, by number
	numbers map[string]word
	recent  grid
	most    int // bytes in recent
	told    map[tableDay]*telling
	known   map[Day]bool

	mutex sync.Mutex // of what follows, to which several goroutines add
	cells Sorter
	has   [numSides]uint64 // the tables with an amount, as bits
}

// NoValue is the row of what has no value. So are several of it: rows can be
// made of values with it between them.
const NoValue = "\x00"

// cell is a place in a table.
type cell struct {
	day    Day
	row    word
	table  uint8
	column uint8
}

// amounts are what a cell comes to on each side.
type amounts [numSides]int64

func (a *amounts) add(b *amounts) {
	for i := range a {
		a[i] += b[i]
	}
}

// Day is a day by its number since 1970-01-01.
type Day int32

// AllDays is the day of what is counted over all days at once.
const AllDays Day = 1<<31 - 1

// DayOf returns the day of a date.
func DayOf(year int, month time.Month, day int) Day {
	return Day(time.Date(year, month, day, 0, 0, 0, 0, time.UTC).Unix() / (24 * 60 * 60))
}

// ParseDay reads 2024-01-31.
func ParseDay(date string) (Day, error) {
	t, err := time.Parse(time.DateOnly, date)
	if err != nil {
		return 0, fmt.Errorf("%q is no day such as 2024-01-31", date)
	}
	return DayOf(t.Date()), nil
}

// String returns the date, as 2024-01-31.
func (d Day) String() string {
	if d == AllDays {
		return ""
	}
	return time.Unix(int64(d)*24*60*60, 0).UTC().Format(time.DateOnly)
}

func newSums(layout *Layout, sorter Sorter, memory int) *Sums {
	return &Sums{layout: layout, numbers: map[string]word{}, recent: newGrid(layout), most: memory, cells: sorter}
}

func (s *Sums) close() error { return s.cells.Close() }

// word numbers a text, which it keeps; empty is untold.
func (s *Sums) word(text string) word {
	if text == "" {
		return untold
	}
	n, known := s.numbers[text]
	if !known {
		n = word(len(s.words))
		s.numbers[text] = n
		s.words = append(s.words, text)
	}
	return n
}

// Add adds an amount to the row of a table. What is added to Source is added to
// Kept, too. The table and the column are their indices in the layout. A table
// by day has one row, ""; in others that is no row, and [NoValue] is the row of
// what has no value.
func (s *Sums) Add(side Side, day Day, table, column int, row string, n int64) error {
	on := only(side)
	if side == Source {
		on |= only(Kept)
	}
	return s.addRow(on, day, table, column, row, n)
}

// AddLeftOut is Add for what the source tells and is left out with a reason.
func (s *Sums) AddLeftOut(day Day, table, column int, row string, n int64) error {
	return s.addRow(only(Source), day, table, column, row, n)
}

func (s *Sums) addRow(on sides, day Day, table, column int, row string, n int64) error {
	w := theDay
	if s.layout.Tables[table].By != ByDay {
		if w = s.word(row); w == untold {
			return nil
		}
	}
	s.recent.add(rowKey{day, w, uint8(table), on}, column, n)
	s.had(on, uint8(table), n)
	if s.recent.size() < s.most {
		return nil
	}
	return s.take(&s.recent)
}

// Has reports whether a side has any amount in a table.
func (s *Sums) Has(of Side, table int) bool { return s.has[of]&(1<<table) != 0 }

func (s *Sums) had(on sides, table uint8, n int64) {
	for side := range s.has {
		if n != 0 && on.has(Side(side)) {
			s.has[side] |= 1 << table
		}
	}
}

// A cell is sorted by table, column, row and day.
const cellKey = 1 + 1 + 4 + 4

func (c cell) append(key []byte) []byte {
	key = append(key, c.table, c.column)
	key = binary.BigEndian.AppendUint32(key, uint32(c.row))
	return binary.BigEndian.AppendUint32(key, uint32(c.day)^1<<31)
}

func parseCell(key []byte) cell {
	return cell{
		table: key[0], column: key[1], row: word(binary.BigEndian.Uint32(key[2:])), day: Day(binary.BigEndian.Uint32(key[6:]) ^ 1<<31),
	}
}

// take moves what is in a grid to the cells. Several goroutines may call it.
func (s *Sums) take(g *grid) error {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	var key [cellKey]byte
	return g.each(func(c cell, on sides, n int64) error {
		s.had(on, c.table, n)
		var value [8 * numSides]byte
		for side := range Side(numSides) {
			if on.has(side) {
				binary.BigEndian.PutUint64(value[8*side:], uint64(n))
			}
		}
		return s.cells.Add(c.append(key[:0]), value[:])
	})
}

// each yields the cells in order.
func (s *Sums) each(ctx context.Context, yield func(cell, *amounts)) error {
	if err := s.take(&s.recent); err != nil {
		return err
	}
	var (
		last  cell
		total amounts
		any   bool
	)
	err := s.cells.Each(ctx, func(key, value []byte) error {
		c := parseCell(key)
		if any && c != last {
			yield(last, &total)
			total = amounts{}
		}
		last, any = c, true
		for i := range total {
			total[i] += int64(binary.BigEndian.Uint64(value[8*i:]))
		}
		return nil
	})
	if err == nil && any {
		yield(last, &total)
	}
	return err
}

// tableDay is a table on a day.
type tableDay struct {
	day   Day
	table int
}

// telling is what is told of a table on a day.
type telling struct {
	columns  uint16 // those told, as bits
	promised uint16 // those of which something is promised
}

// Know says that there is nothing to compare on a day but what [Sums.Tell]
// names. On days that are not known, all is compared that any day tells.
func (s *Sums) Know(day Day) {
	if s.told == nil {
		s.told, s.known = map[tableDay]*telling{}, map[Day]bool{}
	}
	s.known[day] = true
}

// Tell says that a column of a table is told on a day. Sums of which nothing is
// known tell everything.
func (s *Sums) Tell(day Day, table, column int) { s.telling(day, table).columns |= 1 << column }

// Promise says that what is promised of columns of a table, all if none are
// given, must hold on that day.
func (s *Sums) Promise(day Day, table int, columns ...int) {
	t := s.telling(day, table)
	for _, column := range columns {
		t.promised |= 1 << column
	}
	if len(columns) == 0 {
		t.promised = allColumns
	}
}

const allColumns = 1<<16 - 1

func (s *Sums) telling(day Day, table int) *telling {
	s.Know(day)
	at := tableDay{day, table}
	if s.told[at] == nil {
		s.told[at] = new(telling)
	}
	return s.told[at]
}

// tells returns what is told of a table on a day.
func (s *Sums) tells(day Day, table int) telling {
	switch t := s.told[tableDay{day, table}]; {
	case s.told == nil:
		return telling{allColumns, allColumns}
	case t != nil:
		return *t
	case s.known[day]:
		return telling{}
	}
	all := telling{promised: allColumns}
	for at, t := range s.told {
		if at.table == table {
			all.columns |= t.columns
		}
	}
	return all
}
