package recount

import (
	"cmp"
	"math/bits"
	"slices"
)

// rowKey is a row of a table, as some sides have it.
type rowKey struct {
	day   Day
	row   word
	table uint8
	on    sides
}

// grid holds amounts by row and column in memory, for one goroutine.
type grid struct {
	widths  []int    // how many columns each table has
	slots   []uint32 // where a row is in rows, plus one; 0 is nowhere
	rows    []gridRow
	amounts []int64  // the columns of each row
	last    []uint32 // of each table the row that was asked for last, as in slots
}

type gridRow struct {
	rowKey
	has uint16 // the columns with an amount, as bits, be it zero
	at  uint32 // of the first column in amounts
}

const (
	minSlots = 1 << 8
	rowSize  = 20 + 2*4 // of a row and its slots
)

func newGrid(layout *Layout) grid {
	g := grid{last: make([]uint32, len(layout.Tables))}
	for i := range layout.Tables {
		g.widths = append(g.widths, len(layout.Tables[i].Columns))
	}
	return g
}

// size is about how much memory the amounts take.
func (g *grid) size() int { return len(g.rows)*rowSize + len(g.amounts)*8 }

// add adds to a column of a row.
func (g *grid) add(k rowKey, column int, n int64) {
	last := g.last[k.table]
	if last == 0 || g.rows[last-1].rowKey != k {
		last = g.find(k)
		g.last[k.table] = last
	}
	r := &g.rows[last-1]
	r.has |= 1 << column
	g.amounts[int(r.at)+column] += n
}

// find returns where a row is, as in slots; a new one has no amounts.
func (g *grid) find(k rowKey) uint32 {
	if 2*len(g.rows) >= len(g.slots) {
		g.grow()
	}
	mask := uint64(len(g.slots) - 1)
	for slot := k.hash() & mask; ; slot = (slot + 1) & mask {
		switch at := g.slots[slot]; {
		case at == 0:
			g.rows = append(g.rows, gridRow{rowKey: k, at: uint32(len(g.amounts))})
			for range g.widths[k.table] {
				g.amounts = append(g.amounts, 0)
			}
			g.slots[slot] = uint32(len(g.rows))
			return g.slots[slot]
		case g.rows[at-1].rowKey == k:
			return at
		}
	}
}

func (k rowKey) hash() uint64 {
	high, low := bits.Mul64(uint64(k.row)<<32^uint64(uint32(k.day))^0x9e3779b97f4a7c15, uint64(k.table)<<8^uint64(k.on)^0xe7037ed1a0b428db)
	return high ^ low
}

func (g *grid) grow() {
	g.slots = make([]uint32, max(minSlots, 2*len(g.slots)))
	mask := uint64(len(g.slots) - 1)
	for i := range g.rows {
		slot := g.rows[i].hash() & mask
		for g.slots[slot] != 0 {
			slot = (slot + 1) & mask
		}
		g.slots[slot] = uint32(i + 1)
	}
}

// each yields the amounts by cell and forgets them. Rows come in order, which spares a
// sorter most comparisons.
func (g *grid) each(yield func(c cell, on sides, n int64) error) error {
	slices.SortFunc(g.rows, func(a, b gridRow) int {
		return cmp.Or(cmp.Compare(a.table, b.table), cmp.Compare(a.row, b.row), cmp.Compare(a.day, b.day))
	})
	for i := range g.rows {
		r := &g.rows[i]
		for column := range g.widths[r.table] {
			if r.has&(1<<column) == 0 {
				continue
			}
			if err := yield(cell{r.day, r.row, r.table, uint8(column)}, r.on, g.amounts[int(r.at)+column]); err != nil {
				return err
			}
		}
	}
	clear(g.slots)
	clear(g.last)
	g.rows, g.amounts = g.rows[:0], g.amounts[:0]
	return nil
}
