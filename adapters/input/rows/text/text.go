// Package text reads delimited text, fast: CSV and TSV in the dialects that
// databases and their tools write, and the COPY blocks and INSERT commands of
// dumps.
//
// [Find] says which tables an input holds, by its first record. A [Reader]
// cuts a table into chunks of some hundred kilobytes at record boundaries,
// which is sequential and cheap; [Chunk.Rows] takes a chunk apart into cells,
// which is neither and can be done for many chunks at once.
//
// It goes on where others stop: a quote amid a cell is a character, and a
// record with too few cells is an error of that record alone. Bytes that are
// not UTF-8 are replaced. Well-formed text is read as encoding/csv reads it.
package text

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"hopper/adapters/input"
)

// A Dialect is how cells are told from each other.
type Dialect struct {
	Delimiter byte // ',', ';', tab, '|', '^' or '~'
	// Quoted says that a cell may stand in double quotes, with quotes in it doubled.
	Quoted bool
	// Escaped says that a backslash gives the next character another meaning:
	// in unquoted cells as PostgreSQL's COPY and ClickHouse's TSV have it, in
	// quoted ones as MySQL has it.
	Escaped bool
	// Aligned says that cells are padded with spaces, as psql does on a terminal.
	Aligned bool
	// Boxed says that a delimiter stands before the first cell and behind the
	// last too, as in MySQL's tables and Markdown's.
	Boxed bool
}

// A Table is one header with the records beneath it.
type Table struct {
	// Name is the file's name without extension, or the name in a COPY
	// command without its schema; in lower case: "website_event".
	Name string
	// Columns are the header's cells as they are written, without spaces around them.
	Columns []string
	Dialect Dialect
	Input   *input.Input
	// NullWord is what else is written for NULL, as "NULL": such a cell is empty,
	// quoted or not, as \N always is. Empty is no word. It must be set before Open; it
	// is ignored in COPY blocks.
	NullWord string
	// Only, if set, says of each column whether it is read. The cells of others
	// are empty where passing them over is quicker. It must be set before Open.
	Only []bool

	header     int64 // where the header begins in Input's text
	start, end int64 // byte range of the records; end -1 is the text's end
	firstRow   int64 // number of the first record
	block      bool  // is a COPY block, or INSERT commands
	inserts    *inserts
	encoding   encoding // by the input's head
}

// IsWindows1252 reports whether the text is no UTF-8 as a whole, so that it is
// read as Windows-1252, by the input's head.
func (t *Table) IsWindows1252() bool { return t.encoding == windows1252 }

// Block reports whether the table is one of a dump.
func (t *Table) Block() bool { return t.block }

// A likeness is what tables of text can have in common but for their inputs.
type likeness struct {
	first                   *string // of the columns, whose list is shared
	columns                 int
	dialect                 Dialect
	header, start, firstRow int64
	encoding                encoding
}

// Alike returns the table without its name and input, the same one for all whose text
// is read the same way, but t itself where it is one of a dump.
func (t *Table) Alike() *Table {
	if t.block || len(t.Columns) == 0 {
		return t
	}
	key := likeness{&t.Columns[0], len(t.Columns), t.Dialect, t.header, t.start, t.firstRow, t.encoding}
	like := *t
	like.Name, like.Input = "", nil
	return input.Alike(t.Input, key, &like)
}

// Headless returns the table for text whose first line is a record and no
// header, with columns in its place.
func (t *Table) Headless(columns []string) *Table {
	h := *t
	h.Columns, h.start = columns, t.header
	h.firstRow = t.firstRow - 1
	return &h
}

// Find returns the tables that an input holds, and fails with an
// [input.Error] where it is no text. A pg_dump is read through once, to
// find its COPY blocks and INSERT commands; of other text the head is enough. An empty input
// has no table.
func Find(ctx context.Context, in *input.Input) ([]*Table, error) {
	switch f := in.Format(); f {
	case input.Empty:
		return nil, nil
	case input.Text:
	default:
		return nil, input.Errorf(in.Name, "holds %s, where a table as text (CSV or TSV with a header, or a pg_dump) was expected", f)
	}
	if IsSQL(in) {
		return blocks(ctx, in)
	}
	t, err := sniff(string(in.TextHead()))
	if err != nil {
		return nil, &input.Error{Input: in.Name, Row: 1, Err: err}
	}
	t.Input = in
	t.Name = strings.TrimSuffix(in.Base, path.Ext(in.Base))
	t.encoding = encodingOf(string(in.TextHead()))
	for i, name := range t.Columns {
		t.Columns[i] = t.encoding.decode(name)
	}
	t.Columns = in.Share(t.Columns)
	return []*Table{t}, nil
}

// sniff finds the dialect and the header of text that begins with head.
func sniff(head string) (*Table, error) {
	body := head[preamble(head):]
	skipped := head[:len(head)-len(body)]

	d := Dialect{Quoted: true, Delimiter: delimiter(body)}
	var row Row
	size := (&splitter{Dialect: d}).split(&row, body)
	if size == len(head) && size > maxHeader {
		return nil, fmt.Errorf("the first line is longer than %d bytes; a header with the columns' names was expected", maxHeader)
	}
	header, rest := body[:size], body[size:]
	t := &Table{
		Dialect:  d,
		header:   int64(len(skipped)),
		start:    int64(len(skipped) + size),
		end:      -1,
		firstRow: int64(strings.Count(skipped, "\n")) + 2,
	}
	rule, _, _ := strings.Cut(rest, "\n")
	if d.Delimiter == '|' && isRule(rule) {
		t.Dialect = Dialect{Delimiter: '|', Aligned: true, Boxed: strings.HasPrefix(header, "|")}
		t.Dialect.unbox(&row)
		t.start += int64(len(rule)) + 1
		t.firstRow++
	} else {
		t.Dialect.Quoted, t.Dialect.Escaped = d.conventions(header, rest)
		t.Dialect.Aligned = t.Dialect.isPadded(rest, len(row.Cells))
	}
	for _, name := range row.Cells {
		t.Columns = append(t.Columns, strings.Clone(strings.TrimSpace(name))) // not to keep the head
	}
	return t, nil
}

// preambleLines is how many lines may stand above a header.
const preambleLines = 20

// preamble returns how long what stands above the header is: blank lines, the
// delimiter as spreadsheets write it ("sep=;"), the upper edge of a table as MySQL
// draws it, and titles of a report. A title has at most two cells, and a header under
// it at least five, all with a name, and the next record as many.
func preamble(head string) int {
	blank := func(at int) int { return at + len(head[at:]) - len(strings.TrimLeft(head[at:], "\r\n")) }
	begin := blank(0)
	line, _, more := strings.Cut(head[begin:], "\n")
	if trimmed := strings.TrimSpace(line); more && (len(trimmed) == 5 && strings.EqualFold(trimmed[:4], "sep=") || isRule(line)) {
		return blank(begin + len(line) + 1)
	}
	var row, next Row
	split := func(row *Row, at int) (end int) {
		s := splitter{Dialect: Dialect{Quoted: true, Delimiter: delimiter(head[at:])}}
		return at + s.split(row, head[at:])
	}
	for at, n := begin, 0; n < preambleLines && at < len(head); n++ {
		end := blank(split(&row, at))
		split(&next, end)
		switch {
		case len(row.Cells) > 4 && len(row.Cells) == len(next.Cells) && !slices.ContainsFunc(row.Cells, isNameless):
			return at
		case len(row.Cells) > 2:
			return begin
		}
		at = end
	}
	return begin
}

// isNameless reports whether a cell names no column: it is empty or a number.
func isNameless(cell string) bool { return strings.Trim(cell, "0123456789.,:- ") == "" }

// isRule reports whether a line is one that terminals and Markdown draw under a
// header: ---+---, +---+---+, |---|:--|.
func isRule(line string) bool {
	return len(line) > 1 && strings.Contains(line, "-") && strings.Trim(line, "-+|: \r") == ""
}

// maxHeader is the longest header that is read, less than an input's head.
const maxHeader = 60 << 10

// delimiter returns the candidate that stands most often outside of quotes in
// the first line.
func delimiter(head string) byte {
	var counts [256]int
	quoted := false
scan:
	for i := range len(head) {
		switch c := head[i]; {
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '\n':
			break scan
		default:
			counts[c]++
		}
	}
	best := byte(',')
	for _, c := range []byte(";\t|^~") {
		if counts[c] > counts[best] {
			best = c
		}
	}
	return best
}

// conventions reports whether the first records' cells are quoted, and whether
// backslashes escape. Databases that escape do not quote, except for MySQL,
// which does both. In tab separated text, a quote at the beginning of a cell
// may be part of a title.
func (d Dialect) conventions(header, rest string) (quoted, escaped bool) {
	if strings.HasPrefix(header, `"`) || d.Delimiter != '\t' {
		return true, mysqlEscapes(rest, d.Delimiter)
	}
	wrapped := false
	for line := range strings.Lines(rest) {
		if strings.HasSuffix(line, "\\\n") {
			return false, true
		}
		for cell := range strings.SplitSeq(strings.TrimRight(line, "\r\n"), "\t") {
			switch {
			case cell == `\N`, strings.Contains(cell, `\\`), strings.Contains(cell, `\n`), strings.Contains(cell, `\t`):
				return false, true
			case len(cell) > 1 && cell[0] == '"' && cell[len(cell)-1] == '"':
				wrapped = true
			}
		}
	}
	cells := strings.Count(header, "\t") + 1
	plain, quotes := Dialect{Delimiter: '\t'}.misfits(rest, cells), d.misfits(rest, cells)
	quoted = quotes < plain || quotes == plain && wrapped
	return quoted, !quoted
}

// isPadded reports whether a space stands before each cell but the first of the
// first records, as where people write ", " between them. A space in quotes is meant,
// and one that stands alone tells nothing.
func (d Dialect) isPadded(text string, cells int) bool {
	const records = 20
	var row Row
	padded, quote := 0, string([]byte{d.Delimiter, '"'})
	for s, n := (splitter{Dialect: d}), 0; text != "" && n < records; n++ {
		record := text[:s.split(&row, text)]
		if text = text[len(record):]; text == "" && n > 0 || len(row.Cells) != cells {
			break // it may be cut off
		}
		if d.Quoted && strings.Contains(record, quote) {
			return false
		}
		for _, cell := range row.Cells[1:] {
			if cell != "" && cell[0] != ' ' {
				return false
			}
			if strings.TrimSpace(cell) != "" {
				padded++
			}
		}
	}
	return padded > 2
}

// misfits counts the records of text that have another number of cells.
func (d Dialect) misfits(text string, cells int) (n int) {
	var row Row
	for s := (splitter{Dialect: d}); text != ""; {
		text = text[s.split(&row, text):]
		if len(row.Cells) != cells {
			n++
		}
	}
	return n
}

// mysqlEscapes reports whether quotes inside quoted cells are written \". A
// quote at the end of a cell does not count: where nothing is escaped, a cell
// may end in a backslash.
func mysqlEscapes(text string, delimiter byte) bool {
	found := false
	for {
		at := strings.IndexByte(text, '\\')
		if at < 0 || at+2 >= len(text) {
			return found
		}
		if text[at+1] == '"' {
			switch text[at+2] {
			case '"':
				if at+3 < len(text) && text[at+3] != delimiter && text[at+3] != '\n' && text[at+3] != '\r' {
					return false // a backslash before a doubled quote
				}
			case delimiter, '\n', '\r':
			default:
				found = true
			}
		}
		text = text[at+2:]
	}
}

// IsSQL reports by an input's first line whether it is a database's dump,
// which Find reads through.
func IsSQL(in *input.Input) bool {
	for line := range bytes.Lines(in.TextHead()) {
		line = bytes.TrimSpace(line)
		if len(line) == 0 {
			continue
		}
		upper := bytes.ToUpper(line[:min(len(line), 32)])
		for _, word := range []string{"--", "/*", "SET ", "COPY ", "BEGIN;", "CREATE ", "DROP ", "INSERT ", "REPLACE ", "PRAGMA ", "LOCK TABLES ", "USE ", `\RESTRICT `, `\CONNECT `} {
			if bytes.HasPrefix(upper, []byte(word)) {
				return true
			}
		}
		return false
	}
	return false
}

// blocks returns the tables of a dump, which is read through once however often
// they are asked for.
func blocks(ctx context.Context, in *input.Input) ([]*Table, error) {
	found, err := in.Remember(func() (any, error) { return findBlocks(ctx, in) })
	if err != nil {
		return nil, err
	}
	tables := slices.Clone(found.([]*Table))
	for i, t := range tables {
		own := *t
		tables[i] = &own
	}
	return tables, nil
}

// findBlocks finds the COPY blocks of a dump. It looks at the beginning of
// lines only: a line of data cannot end a block, since COPY escapes it, and a
// text constant with a line that begins a block is not worth a SQL parser.
func findBlocks(ctx context.Context, in *input.Input) ([]*Table, error) {
	if err := in.Spool(ctx); err != nil { // it is read once more for each table
		return nil, err
	}
	r, err := in.Text(ctx)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	lines := bufio.NewReaderSize(r, 1<<20)
	var tables []*Table
	var open *Table
	var at, row int64
	inserts := false
	for {
		line, err := lines.ReadSlice('\n')
		start, whole := at, !errors.Is(err, bufio.ErrBufferFull)
		at += int64(len(line))
		row++
		for errors.Is(err, bufio.ErrBufferFull) {
			var more []byte
			more, err = lines.ReadSlice('\n')
			at += int64(len(more))
		}
		switch {
		case !whole: // too long for a COPY
			inserts = inserts || open == nil && beginsInsert(line)
		case open != nil && string(trimNewline(line)) == `\.`:
			open.end = start
			open = nil
		case open == nil && bytes.HasPrefix(line, []byte("COPY ")):
			if t := parseCopy(string(trimNewline(line))); t != nil {
				t.Input, t.start, t.end, t.firstRow = in, at, -1, row+1
				tables, open = append(tables, t), t
			}
		case open == nil && beginsInsert(line):
			inserts = true
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
	}
	if inserts {
		filled, err := findInserts(ctx, in)
		if err != nil {
			return nil, err
		}
		tables = append(tables, filled...)
	}
	if len(tables) == 0 {
		return nil, input.Errorf(in.Name, "is SQL without rows (no COPY and no INSERT); dump the tables with their data (pg_dump without --schema-only, mysqldump without --no-data)")
	}
	return tables, nil
}

// beginsInsert reports whether a line begins a command with rows.
func beginsInsert(line []byte) bool {
	word, _, _ := bytes.Cut(bytes.TrimLeft(line[:min(len(line), 64)], " \t"), []byte(" "))
	return bytes.EqualFold(word, []byte("INSERT")) || bytes.EqualFold(word, []byte("REPLACE"))
}

// parseCopy reads `COPY public.session (session_id, "browser") FROM stdin;`.
func parseCopy(line string) *Table {
	rest, ok := strings.CutSuffix(strings.TrimPrefix(line, "COPY "), " FROM stdin;")
	if !ok {
		return nil
	}
	name, columns, ok := strings.Cut(rest, " (")
	columns, closed := strings.CutSuffix(columns, ")")
	if !ok || !closed {
		return nil
	}
	unquote := func(s string) string { return strings.Trim(strings.TrimSpace(s), `"`) }
	t := &Table{
		Name:    strings.ToLower(unquote(name[strings.LastIndexByte(name, '.')+1:])),
		Dialect: Dialect{Delimiter: '\t', Escaped: true},
		block:   true,
	}
	for c := range strings.SplitSeq(columns, ",") {
		t.Columns = append(t.Columns, unquote(c))
	}
	return t
}

func trimNewline(line []byte) []byte {
	line = bytes.TrimSuffix(line, []byte{'\n'})
	return bytes.TrimSuffix(line, []byte{'\r'})
}
