package text

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"path"
	"strconv"
	"strings"
	"unicode/utf8"

	"hopper/adapters/input"
)

// inserts is a table whose rows stand in INSERT commands.
type inserts struct {
	name    string
	columns []string // that the commands name; empty where they name none
	escapes bool
}

func (i *inserts) matches(p sqlPiece) bool {
	return strings.EqualFold(i.name, p.table) && len(i.columns) == len(p.columns) && strings.Join(i.columns, ",") == strings.Join(p.columns, ",")
}

// sqlPieces reads a dump's pieces in order. It calls each with a piece and
// where it begins and ends.
func sqlPieces(ctx context.Context, in *input.Input, each func(p sqlPiece, start, end int64)) error {
	r, err := in.Text(ctx)
	if err != nil {
		return err
	}
	defer r.Close()
	l := sqlLexer{escapes: sqlEscapes(in.TextHead())}
	buf := make([]byte, 0, 2*chunkSize)
	var before int64
	for done := false; ; {
		n, err := io.ReadFull(r, buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			done = true
		} else if err != nil {
			return err
		}
		at := 0
		for at < len(buf) {
			p, size, ok := l.next(buf[at:], done)
			if !ok {
				break
			}
			each(p, before+int64(at), before+int64(at+size))
			at += size
		}
		if done {
			return nil
		}
		rest := copy(buf, buf[at:])
		buf, before = buf[:rest], before+int64(at)
		if at == 0 {
			if len(buf) >= maxRecord {
				return &input.Error{Input: in.Name, Err: fmt.Errorf("the command at byte %d is longer than %d MiB: is a quote never closed? Dump the table again", before, maxRecord>>20)}
			}
			buf = append(make([]byte, 0, 2*cap(buf)), buf...)
		}
	}
}

// findInserts finds the tables that a dump's INSERT commands fill.
func findInserts(ctx context.Context, in *input.Input) ([]*Table, error) {
	var (
		tables  []*Table
		current *Table
		created = make(map[string][]string)
	)
	escapes := sqlEscapes(in.TextHead())
	err := sqlPieces(ctx, in, func(p sqlPiece, start, end int64) {
		switch p.kind {
		case sqlCreate:
			created[strings.ToLower(p.table)] = p.columns
		case sqlInsert:
			current = nil
			for _, t := range tables {
				if t.inserts.matches(p) {
					current = t
				}
			}
			if current == nil {
				current = &Table{
					Name: strings.ToLower(p.table), Columns: p.columns, Input: in, start: start, firstRow: 1, block: true,
					inserts: &inserts{p.table, p.columns, escapes},
				}
				if strings.EqualFold(p.table, "table") { // ClickHouse's name for what has none
					current.Name = strings.TrimSuffix(in.Base, path.Ext(in.Base))
				}
				tables = append(tables, current)
			}
		case sqlTuple:
			if current != nil {
				current.end = end
			}
		}
	})
	if err != nil {
		return nil, err
	}
	kept := tables[:0]
	for _, t := range tables {
		if len(t.Columns) == 0 {
			t.Columns = created[t.Name]
		}
		if t.end > 0 {
			kept = append(kept, t)
		}
	}
	return kept, nil
}

// Named returns a table of INSERT commands with columns for its values.
func (t *Table) Named(columns []string) *Table {
	n := *t
	n.Columns = columns
	return &n
}

// Declared returns the columns that a dump's CREATE TABLE gives the table of
// that name, or nil.
func Declared(ctx context.Context, in *input.Input, table string) (columns []string, err error) {
	if err := in.Spool(ctx); err != nil {
		return nil, err
	}
	err = sqlPieces(ctx, in, func(p sqlPiece, _, _ int64) {
		if p.kind == sqlCreate && columns == nil && strings.EqualFold(p.table, table) {
			columns = p.columns
		}
	})
	return columns, err
}

// A span is where a tuple stands in a chunk's text.
type span struct{ start, end int }

// nextInserts is Next for rows in INSERT commands.
func (r *Reader) nextInserts(ctx context.Context) (*Chunk, error) {
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		var err error
		if r.rest, err = r.fill(r.rest); err != nil {
			return nil, err
		}
		spans, size := r.tuples()
		if len(spans) > 0 {
			c := &Chunk{Table: r.table, FirstRow: r.row, EndRow: r.row + int64(len(spans)), text: string(r.rest[:size]), tuples: spans}
			if r.encoding == unsure {
				r.encoding = encodingOf(c.text)
			}
			c.encoding = r.encoding
			r.row = c.EndRow
			r.rest = r.rest[:copy(r.rest, r.rest[size:])]
			return c, nil
		}
		if r.done {
			return nil, io.EOF
		}
		r.rest = r.rest[:copy(r.rest, r.rest[size:])]
		if len(r.rest) == cap(r.rest) {
			if len(r.rest) >= maxRecord {
				return nil, &input.Error{Input: r.table.Input.Name, Row: r.row,
					Err: fmt.Errorf("the row that begins here is longer than %d MiB: is a quote never closed? Dump the table again", maxRecord>>20)}
			}
			r.rest = append(make([]byte, 0, 2*cap(r.rest)+chunkSize), r.rest...)
		}
	}
}

// tuples returns where the table's rows stand in the rest, and how much of it
// is whole pieces.
func (r *Reader) tuples() (spans []span, at int) {
	for at < len(r.rest) {
		p, size, ok := r.lexer.next(r.rest[at:], r.done)
		if !ok {
			break
		}
		switch p.kind {
		case sqlInsert:
			r.ours = r.table.inserts.matches(p)
		case sqlTuple:
			if r.ours {
				spans = append(spans, span{at + p.start, at + size})
			}
		}
		at += size
	}
	return spans, at
}

// insertRows yields the rows that the chunk's tuples are.
func (c *Chunk) insertRows(yield func(*Row) bool) {
	columns := len(c.Table.Columns)
	row := Row{Number: c.FirstRow - 1}
	d := tupleReader{escapes: c.Table.inserts.escapes}
	text := []byte(c.text)
	for _, at := range c.tuples {
		row.Number++
		row.Raw = c.text[at.start:at.end]
		row.Cells, row.Err = d.read(row.Raw, text[at.start:at.end], row.Cells[:0])
		switch {
		case row.Err != nil:
		case len(row.Cells) < columns:
			row.Err = ErrFewCells
		case len(row.Cells) > columns:
			row.Err = ErrManyCells
		}
		row.Replaced = false
		for i, cell := range row.Cells {
			cell = c.encoding.decode(cell)
			row.Cells[i] = cell
			if !utf8.ValidString(cell) {
				row.Cells[i], row.Replaced = strings.ToValidUTF8(cell, "\uFFFD"), true
			}
		}
		if !yield(&row) {
			return
		}
	}
}

// A tupleReader reads the values of a row: ('a', 1, NULL).
type tupleReader struct {
	escapes bool
}

// read appends the cells of a tuple, which is b.
func (t *tupleReader) read(tuple string, b []byte, cells []string) ([]string, error) {
	l := sqlLexer{escapes: t.escapes, b: b, at: 1, end: true}
	for start := 1; l.at < len(l.b); {
		switch c := l.b[l.at]; c {
		case '\'', '"', '`':
			l.quote()
		case '(', '[', '{':
			l.tuple()
		case ',', ')':
			cells = append(cells, t.cell(strings.TrimSpace(tuple[start:l.at])))
			if l.at++; c == ')' {
				return cells, nil
			}
			start = l.at
		default:
			l.at++
		}
		if l.short {
			break
		}
	}
	return cells, ErrUnclosed
}

// cell returns what an expression of a dump stands for.
func (t *tupleReader) cell(s string) string {
	if s == "" {
		return ""
	}
	if s[0] == '\'' || s[0] == '"' {
		return t.literal(s, t.escapes)
	}
	if c := s[0]; c == '-' || '0' <= c && c <= '9' {
		if digits, is := strings.CutPrefix(s, "0x"); is {
			return fromHex(digits)
		}
		return s
	}
	switch strings.ToUpper(s) {
	case "NULL", "DEFAULT":
		return ""
	case "TRUE", "FALSE":
		return strings.ToLower(s)
	}
	quote := strings.IndexByte(s, '\'')
	if quote < 0 || s[0] == '[' || s[0] == '{' { // a list of ClickHouse's, or nothing with a text
		return s
	}
	prefix := strings.ToUpper(strings.TrimSpace(s[:quote]))
	if strings.HasPrefix(prefix, "REPLACE(") { // as SQLite writes line ends
		return t.replaced(s)
	}
	switch prefix {
	case "E":
		return t.literal(s[quote:], true)
	case "X":
		return fromHex(strings.Trim(s[quote:], "'"))
	case "B":
		if n, err := strconv.ParseUint(strings.Trim(s[quote:], "'"), 2, 64); err == nil {
			return strconv.FormatUint(n, 10)
		}
		return s
	}
	// _utf8mb4'…', timestamp '…', CAST('…' AS JSON)
	return t.literal(s[quote:], t.escapes)
}

// literal returns the text in quotes that s begins with; a cast may follow.
func (t *tupleReader) literal(s string, escapes bool) string {
	l := sqlLexer{escapes: escapes, b: []byte(s), end: true}
	l.quote()
	if l.at < 2 {
		return ""
	}
	quote, inner := s[:1], s[1:l.at-1]
	if strings.Contains(inner, quote) {
		inner = strings.ReplaceAll(inner, quote+quote, quote)
	}
	if escapes && strings.IndexByte(inner, '\\') >= 0 {
		return unescapeSQL(inner)
	}
	return inner
}

// replaced evaluates replace('a\nb','\n',char(10)), which may nest.
func (t *tupleReader) replaced(s string) string {
	call := s[strings.IndexByte(s, '('):]
	args, err := t.read(call, []byte(call), nil)
	if err != nil || len(args) != 3 {
		return s
	}
	code, is := strings.CutPrefix(args[2], "char(")
	n, err := strconv.Atoi(strings.TrimSuffix(code, ")"))
	if !is || err != nil || n < 0 || n > utf8.MaxRune {
		return s
	}
	return strings.ReplaceAll(args[0], args[1], string(rune(n)))
}

// fromHex returns the text that hexadecimal digits encode. Bytes that are no
// text stay digits.
func fromHex(digits string) string {
	b, err := hex.DecodeString(digits)
	if err != nil || !utf8.Valid(b) {
		return digits
	}
	return string(b)
}

// sqlUnescapes are the escapes of MySQL and ClickHouse that mean a control
// character.
var sqlUnescapes = [256]byte{'0': 0, 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t', 'v': '\v', 'a': '\a', 'Z': 26}

func unescapeSQL(s string) string {
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '\\' && i+1 < len(s) {
			i++
			switch c = s[i]; {
			case sqlUnescapes[c] != 0 || c == '0':
				c = sqlUnescapes[c]
			case c == '%' || c == '_': // only escaped where a pattern stands
				b = append(b, '\\')
			}
		}
		b = append(b, c)
	}
	return string(b)
}
