package text

import (
	"errors"
	"iter"
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
	tuples   []span  // of rows in INSERT commands
	memory   *memory // that is the chunk's own; nil is none
}

// Release gives back the chunk's memory. Neither it nor a string of its rows may be
// used after that. A chunk that is not released is left to the garbage collector.
func (c *Chunk) Release() {
	if c.memory != nil {
		c.memory.free()
	}
	c.text, c.layout, c.memory = "", nil, nil
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

	text string
	// ends are those of the layout that cells stand between in text; nil where that is not known.
	ends []uint32
}

// Between returns the cells of the columns from first to last as they stand in the text,
// with what stands between them, or "" where that is not known or last is the last
// column. Rows of a table for which it is the same have the same cells there.
func (r *Row) Between(first, last int) string {
	if last >= len(r.ends)-2 {
		return ""
	}
	return r.text[r.ends[first]+1 : r.ends[last+1]]
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
	s := splitter{Dialect: t.Dialect, nullWord: t.nullWord()}
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
		text := c.encoding.decode(c.text)
		if c.layout != nil && len(text) == len(c.text) { // else it was decoded, and cells end elsewhere
			c.laidRows(yield)
			return
		}
		columns := len(c.Table.Columns)
		s := splitter{Dialect: c.Table.Dialect, nullWord: c.Table.nullWord()}
		valid := utf8.ValidString(text)
		row := Row{Number: c.FirstRow - 1, Cells: make([]string, 0, columns+1)}
		for at := 0; at < len(text); {
			row.Number++
			end := at + s.split(&row, text[at:])
			row.Raw = strings.TrimSuffix(strings.TrimSuffix(text[at:end], "\n"), "\r")
			at = end
			if row.isNone(columns) {
				continue
			}
			row.check(columns, valid)
			if !yield(&row) {
				return
			}
		}
	}
}

func (t *Table) nullWord() string {
	if t.block {
		return ""
	}
	return t.NullWord
}

// laidRows is Rows where there is a layout.
func (c *Chunk) laidRows(yield func(*Row) bool) {
	text, columns := c.text, len(c.Table.Columns)
	l := newLaid(c)
	valid := c.layout.valid(text)
	row := Row{Number: c.FirstRow - 1, Cells: make([]string, columns, columns+1), text: text}
	before := uint32(0) // the end that the next record begins behind
	for _, next := range c.layout.records {
		ends := c.layout.ends[before:next]
		before = next - 1
		begin, end := ends[0]+1, ends[len(ends)-1]
		row.Number++
		// Where there is no CR, text is not looked at before its cells are, in order.
		if row.Raw = text[begin:end]; c.layout.crs && row.Raw != "" && row.Raw[len(row.Raw)-1] == '\r' {
			row.Raw = row.Raw[:len(row.Raw)-1]
		}
		l.record(&row, ends)
		if row.isNone(columns) {
			continue
		}
		if row.Err = nil; len(row.Cells) != columns || !valid {
			row.check(columns, valid)
		}
		if !yield(&row) {
			return
		}
	}
}

// isNone reports whether what was read is no record of a table with that many columns.
func (r *Row) isNone(columns int) bool {
	return r.Raw == "" || len(r.Cells) == 1 && columns > 1 && isNone(r.Raw)
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
	nullWord string // see Table.NullWord
}

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
	return len(cell) == 2 && cell == `\N` || len(cell) == len(s.nullWord) && cell == s.nullWord
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
