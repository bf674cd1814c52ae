package text

import (
	"math"
	"strings"
	"unsafe"
)

// laid takes records apart whose cells' ends are known, one after the other.
type laid struct {
	splitter
	text    string
	layout  *layout
	columns int
	only    []bool // see Table.Only
	read    []int  // the columns that are read, where these are not all

	escape int             // number of the next of the layout's escapes
	built  strings.Builder // holds cells of which doubled quotes were taken
}

func newLaid(c *Chunk) laid {
	l := laid{
		splitter: splitter{Dialect: c.Table.Dialect, nullWord: c.Table.nullWord()},
		text:     c.text, layout: c.layout, columns: len(c.Table.Columns), only: c.Table.Only,
	}
	if l.Aligned || l.Boxed {
		l.only = nil // their cells are taken apart together
	}
	for i := range l.columns {
		if i < len(l.only) && l.only[i] {
			l.read = append(l.read, i)
		}
	}
	return l
}

// record sets row's Cells to what the next record holds, whose cells begin behind one
// of ends and end at the next. Its Raw is set.
func (l *laid) record(row *Row, ends []uint32) {
	end, last := int(ends[len(ends)-1]), int(ends[0]+1)+len(row.Raw)
	row.ends = nil
	if l.Aligned || l.Boxed || len(ends)-1 != l.columns {
		row.Cells = l.cells(row.Cells[:0], ends, last)
		l.unbox(row)
		return
	}
	row.Cells, row.ends = row.Cells[:l.columns], ends
	if !l.Quoted {
		l.unquoted(row.Cells, ends, last)
		return
	}
	if l.only == nil {
		l.all(row.Cells, ends)
	} else {
		l.some(row.Cells, ends)
	}
	if n := l.columns - 1; last < end && (l.only == nil || l.only[n]) {
		row.Cells[n] = l.cell(unsafe.StringData(l.text), int(ends[n]+1), last)
	}
	if l.next() < end {
		l.undouble(row.Cells, ends, last)
	}
}

// all fills cells.
func (l *laid) all(cells []string, ends []uint32) {
	text, begin := unsafe.StringData(l.text), int(ends[0]+1)
	for i, end := range ends[1 : 1+len(cells)] {
		cells[i] = l.cell(text, begin, int(end))
		begin = int(end) + 1
	}
}

// some fills those cells that are read.
func (l *laid) some(cells []string, ends []uint32) {
	text := unsafe.StringData(l.text)
	for _, i := range l.read {
		cells[i] = l.cell(text, int(ends[i]+1), int(ends[i+1]))
	}
}

// cell returns the cell between two places in text, which are those of a layout,
// without the quotes around it.
func (l *laid) cell(text *byte, begin, end int) string {
	first, size := (*byte)(unsafe.Add(unsafe.Pointer(text), begin)), end-begin
	if size > 0 && *first == '"' {
		first, size = (*byte)(unsafe.Add(unsafe.Pointer(first), 1)), size-2
	}
	cell := unsafe.String(first, size)
	if (size == 2 || size == len(l.nullWord)) && l.null(cell) {
		return ""
	}
	return cell
}

// cells appends all cells, of which the last one ends at last, with whatever may be in them.
func (l *laid) cells(cells []string, ends []uint32, last int) []string {
	for i := range len(ends) - 1 {
		begin, end := int(ends[i]+1), min(int(ends[i+1]), last)
		cell := l.text[begin:end]
		switch {
		case l.Quoted && cell != "" && cell[0] == '"':
			cell = l.undoubled(begin+1, end-1)
		case l.Aligned:
			cell = strings.TrimSpace(cell)
		}
		cells = append(cells, l.meaning(cell))
	}
	return cells
}

// meaning returns what a cell without quotes around it is.
func (l *laid) meaning(cell string) string {
	switch {
	case l.null(cell):
		return ""
	case l.Escaped && !l.Quoted && strings.IndexByte(cell, '\\') >= 0:
		return unescape(cell)
	}
	return cell
}

// unquoted fills cells, where quotes are characters.
func (l *laid) unquoted(cells []string, ends []uint32, last int) {
	next := l.next()
	for i := range cells {
		begin, end := int(ends[i]+1), min(int(ends[i+1]), last)
		escaped := next < end
		for ; next < end; next = l.next() {
			l.escape++
		}
		if l.only == nil || l.only[i] {
			cell := l.text[begin:end]
			if escaped || l.nullWord != "" || !l.Escaped {
				cell = l.meaning(cell)
			}
			cells[i] = cell
		}
	}
}

// next returns where the next quote is doubled, or the next backslash.
func (l *laid) next() int {
	if l.escape < len(l.layout.escapes) {
		return int(l.layout.escapes[l.escape])
	}
	return math.MaxInt
}

// undouble takes doubled quotes from cells that are filled.
func (l *laid) undouble(cells []string, ends []uint32, last int) {
	for i := 0; l.next() < last; i++ {
		for int(ends[i+1]) < l.next() {
			i++
		}
		end := min(int(ends[i+1]), last)
		if l.only == nil || l.only[i] {
			cells[i] = l.undoubled(int(ends[i]+1)+1, end-1)
		}
		for l.next() < end { // in a cell that is not read
			l.escape++
		}
	}
}

// undoubled returns the cell whose content stands in quotes from begin to end.
func (l *laid) undoubled(begin, end int) string {
	for l.next() < begin { // in cells that were passed over
		l.escape++
	}
	if l.next() >= end {
		return l.text[begin:end]
	}
	// Many cells share a builder: to grow it anew leaves those before as they are.
	if size := end - begin; l.built.Cap()-l.built.Len() < size {
		l.built = strings.Builder{}
		l.built.Grow(max(size, min(len(l.text)/8, builtSize)))
	}
	from := l.built.Len()
	for ; l.next() < end; l.escape++ {
		l.built.WriteString(l.text[begin:l.next()])
		begin = l.next() + 1
	}
	l.built.WriteString(l.text[begin:end])
	return l.built.String()[from:]
}

// builtSize is how much a builder holds.
const builtSize = 16 << 10
