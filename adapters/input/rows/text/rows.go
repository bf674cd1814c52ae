package text

import (
	"errors"
	"iter"
	"math/bits"
	"strings"
	"unicode/utf8"
)

// A Chunk is some records of a table, in order.
type Chunk struct {
	Table *Table
	// FirstRow is the first record's number, and EndRow the number after the
	// last one's.
	FirstRow, EndRow int64

	text     string
	layout   *layout // where cells end; nil where that is to be found out
	encoding encoding
	tuples   []span // of rows in INSERT commands
}

// A Row is one record. It is reused for the next one; its strings are not,
// but each keeps the whole chunk in memory: clone what is kept for long.
type Row struct {
	// Number counts records from 1, the header and blank lines included, so
	// that it is the line where no cell spans lines. In a COPY block it is
	// the line in the dump.
	Number int64
	// Cells are as many as the table has columns, unless Err is set. NULL is empty.
	Cells []string
	// Raw is the record as read, without the line's end.
	Raw string
	// Err is ErrFewCells, ErrManyCells, ErrUnclosed or nil.
	Err error
	// Replaced says that bytes that are no UTF-8 became U+FFFD in Cells.
	Replaced bool
}

// Why a record is not what the header promises. There are few such texts, so
// that they can be counted.
var (
	ErrFewCells  = errors.New("fewer cells than the header")
	ErrManyCells = errors.New("more cells than the header")
	ErrUnclosed  = errors.New("a quoted field is not closed before the end of the file, which may be cut off")
)

// Cells takes a record apart, which stands alone.
func (t *Table) Cells(record string) []string {
	var row Row
	s := splitter{Dialect: t.Dialect, nullWord: t.NullWord && !t.block}
	s.split(&row, record)
	return row.Cells
}

// Rows yields the chunk's records. It skips blank lines and psql's "(12 rows)".
// Any goroutine may call it.
func (c *Chunk) Rows() iter.Seq[*Row] {
	if c.Table.inserts != nil {
		return c.insertRows
	}
	return func(yield func(*Row) bool) {
		columns := len(c.Table.Columns)
		text := c.encoding.decode(c.text)
		s := splitter{Dialect: c.Table.Dialect, nullWord: c.Table.NullWord && !c.Table.block, only: c.Table.Only}
		if len(text) == len(c.text) { // else it was decoded, and cells end elsewhere
			s.layout = c.layout
		}
		valid := s.layout != nil && s.layout.ascii || utf8.ValidString(text)
		row := Row{Number: c.FirstRow - 1, Cells: make([]string, 0, columns+1)}
		for at := 0; at < len(text); {
			row.Number++
			end := s.record(&row, text, at)
			row.Raw = strings.TrimSuffix(strings.TrimSuffix(text[at:end], "\n"), "\r")
			at = end
			if row.Raw == "" || len(row.Cells) == 1 && columns > 1 && isNone(row.Raw) {
				continue
			}
			row.check(columns, valid)
			if !yield(&row) {
				return
			}
		}
	}
}

// check says what is wrong with a row that was taken apart. That all text is valid
// UTF-8 can be known.
func (r *Row) check(columns int, valid bool) {
	switch {
	case r.Err != nil:
	case len(r.Cells) < columns:
		r.Err = ErrFewCells
	case len(r.Cells) > columns:
		r.Err = ErrManyCells
	}
	r.Replaced = !valid && !utf8.ValidString(r.Raw)
	if r.Replaced {
		for i, cell := range r.Cells {
			r.Cells[i] = strings.ToValidUTF8(cell, "\uFFFD")
		}
	}
}

// isNone reports whether a line with one cell, in a table with several columns,
// is not a record: it is blank, a rule, ends a COPY block or is the count of rows
// that psql or MySQL prints.
func isNone(raw string) bool {
	trimmed := strings.TrimSpace(raw)
	if trimmed == "" || trimmed == `\.` || isRule(trimmed) {
		return true
	}
	if count, words, _ := strings.Cut(trimmed, " "); strings.HasPrefix(words, "row in set") || strings.HasPrefix(words, "rows in set") {
		return strings.Trim(count, "0123456789") == ""
	}
	count, opened := strings.CutPrefix(trimmed, "(")
	count, plural := strings.CutSuffix(count, " rows)")
	if !plural {
		count, plural = strings.CutSuffix(count, " row)")
	}
	return opened && plural && count != "" && strings.Trim(count, "0123456789") == ""
}

// splitter takes records apart.
type splitter struct {
	Dialect
	nullWord bool
	layout   *layout // of the text; nil where it has none
	cursor   cursor
	only     []bool          // see Table.Only
	undouble strings.Builder // holds cells of which doubled quotes were taken
}

// record sets row's Cells and Err to what the record at begin holds, and returns
// where the next one begins. With a layout, the records are to be taken in order.
func (s *splitter) record(row *Row, text string, begin int) int {
	if s.layout == nil {
		return begin + s.split(row, text[begin:])
	}
	row.Cells, row.Err = row.Cells[:0], nil
	for at := begin; ; {
		end := s.cursor.next(s.layout, len(text))
		cell := text[at:end]
		last := end == len(text) || text[end] == '\n'
		if n := len(row.Cells); n < len(s.only) && !s.only[n] {
			cell = ""
		} else if last {
			cell = strings.TrimSuffix(cell, "\r")
		}
		if cell != "" && cell[0] == '"' {
			cell = s.laid(text, at+1, at+len(cell)-1)
		} else {
			if s.Aligned {
				cell = strings.TrimSpace(cell)
			}
			if s.null(cell) {
				cell = ""
			}
		}
		row.Cells = append(row.Cells, cell)
		at = min(end+1, len(text))
		if last {
			s.unbox(row)
			return at
		}
	}
}

// cursor is a place in a layout.
type cursor struct {
	ends    uint64 // that remain of the block before block
	block   int
	doubled int
}

// next returns where the next cell ends.
func (c *cursor) next(l *layout, length int) int {
	for c.ends == 0 {
		if c.block == len(l.ends) {
			return length
		}
		c.ends = l.ends[c.block]
		c.block++
	}
	at := (c.block-1)*blockSize + bits.TrailingZeros64(c.ends)
	c.ends &= c.ends - 1
	return at
}

// doubledWithin returns where quotes are doubled from begin to end.
func (c *cursor) doubledWithin(l *layout, begin, end int) []int {
	for c.doubled < len(l.doubled) && l.doubled[c.doubled] < begin { // in cells that were passed over
		c.doubled++
	}
	first := c.doubled
	for c.doubled < len(l.doubled) && l.doubled[c.doubled] < end {
		c.doubled++
	}
	return l.doubled[first:c.doubled]
}

// laid returns the cell whose content stands in quotes from begin to end, in text
// with a layout, in which backslashes escape nothing.
func (s *splitter) laid(text string, begin, end int) string {
	doubled := s.cursor.doubledWithin(s.layout, begin, end)
	if len(doubled) == 0 {
		if s.null(text[begin:end]) {
			return ""
		}
		return text[begin:end]
	}
	// Many cells share a builder: to grow it anew leaves those before as they are.
	if s.undouble.Cap()-s.undouble.Len() < end-begin {
		s.undouble = strings.Builder{}
		s.undouble.Grow(max(end-begin, min(len(text)/8, undoubleSize)))
	}
	from := s.undouble.Len()
	for _, second := range doubled {
		s.undouble.WriteString(text[begin:second])
		begin = second + 1
	}
	s.undouble.WriteString(text[begin:end])
	return s.undouble.String()[from:]
}

// undoubleSize is how much a splitter's builder holds.
const undoubleSize = 16 << 10

// split sets row's Cells and Err to what text's first record holds, and
// returns the record's length with the line's end.
func (s *splitter) split(row *Row, text string) int {
	row.Cells, row.Err = row.Cells[:0], nil
	for at := 0; ; at++ {
		var cell string
		if s.Quoted && at < len(text) && text[at] == '"' {
			closing, quotes := s.closing(text, at+1)
			if closing < 0 {
				row.Err = ErrUnclosed
				closing = len(text)
			}
			cell = s.quoted(text[at+1:closing], quotes)
			at = min(closing+1, len(text))
			if strings.HasPrefix(text[at:], "\r") {
				at++
			}
		} else {
			cell, at = s.plain(text, at)
		}
		row.Cells = append(row.Cells, cell)
		if at < len(text) && text[at] != '\n' {
			continue
		}
		s.unbox(row)
		return min(at+1, len(text))
	}
}

// unbox takes away the empty cells outside of the edges of a table that has them.
func (d Dialect) unbox(row *Row) {
	last := len(row.Cells) - 1
	if d.Boxed && last > 0 && row.Cells[0] == "" && row.Cells[last] == "" {
		row.Cells = append(row.Cells[:0], row.Cells[1:last]...)
	}
}

// plain returns the unquoted cell that begins at begin, and where it ends.
func (s *splitter) plain(text string, begin int) (cell string, end int) {
	at, escapes := begin, false
	for ; at < len(text); at++ {
		c := text[at]
		if c == s.Delimiter || c == '\n' {
			break
		}
		if c == '\\' {
			if escapes = true; s.Escaped && !s.Quoted && at+1 < len(text) {
				at++ // a delimiter or a line's end that is escaped is none
			}
		}
	}
	cell = text[begin:at]
	if at == len(text) || text[at] == '\n' {
		cell = strings.TrimSuffix(cell, "\r")
	}
	if s.Aligned {
		cell = strings.TrimSpace(cell)
	}
	switch {
	case s.null(cell):
		return "", at
	case escapes && s.Escaped:
		return unescape(cell), at
	}
	return cell, at
}

// quoted returns the cell whose quotes hold content, which has quotes in it or not.
func (s *splitter) quoted(content string, quotes bool) string {
	switch {
	case s.null(content):
		return ""
	case s.Escaped && strings.IndexByte(content, '\\') >= 0:
		return unescape(content)
	case quotes:
		return strings.ReplaceAll(content, `""`, `"`)
	}
	return content
}

func (s *splitter) null(cell string) bool {
	return len(cell) == 2 && cell == `\N` || len(cell) == 4 && s.nullWord && cell == "NULL"
}

// escapes are what PostgreSQL, ClickHouse and MySQL write. A backslash before
// anything else stands for itself.
var escapes = [256]byte{'\n': '\n', '\t': '\t', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t', 'v': '\v', '\\': '\\', '\'': '\'', '"': '"'}

func unescape(cell string) string {
	b := make([]byte, 0, len(cell))
	for i := 0; i < len(cell); i++ {
		c := cell[i]
		if c == '\\' && i+1 < len(cell) && escapes[cell[i+1]] != 0 {
			i++
			c = escapes[cell[i]]
		}
		b = append(b, c)
	}
	return string(b)
}
