package ga

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"slices"
	"strings"

	"hopper/adapters/input"
)

// isReport tells a report in text: by the comment lines it begins with, or by a
// header of names that are Google's, one of them a metric's.
func isReport(head []byte) bool {
	text := strings.TrimLeft(string(head), "\"\r\n\t ")
	if strings.HasPrefix(text, "# -----") || strings.HasPrefix(text, "#,") {
		return true
	}
	if isSheet(text) || isProtoText(text) || isPythonAnswer(text) {
		return true
	}
	lines := strings.SplitN(text, "\n", maxCaptions+2)
	for len(lines) > 2 && (strings.Trim(lines[0], ",;\t\r ") == "" || isCaption(split(lines[0]))) {
		lines = lines[1:]
	}
	titles := split(lines[0])
	if len(lines) > 1 && isSecondHeader(titles, split(lines[1])) {
		titles = split(lines[1])
	}
	return isHeader(titles)
}

// maxCaptions is how many lines can stand above a table's header.
const maxCaptions = 8

// isHeader reports whether columns are those of a report of Google's: at least
// two that are known, and a metric that is not called as in other products.
func isHeader(titles []string) bool {
	known, measured := 0, false
	for _, title := range titles {
		f := fieldOf(title)
		switch {
		case f == "" || f == unknownDimension:
			continue
		case f.isMetric():
			measured = measured || f != unknownMetric && !isCommonName(title)
		}
		measured = measured || isInterfacePage(title)
		known++
	}
	return measured && known >= 2
}

// isCommonName reports whether other products call a metric the same.
func isCommonName(title string) bool {
	switch strings.ToLower(strings.TrimSpace(title)) {
	case "pageviews", "users", "bounces", "bounce_rate", "views", "events", "entrances", "exits", "visitors", "unique visitors", "unique_visitors", "visits", "user", "revenue":
		return true
	}
	return false
}

// isInterfacePage reports whether a title is one of GA4's interface for pages,
// beside which views are Google's.
func isInterfacePage(title string) bool {
	for _, name := range [...]string{"Page path", "Page title", "Full page URL", "Page location", "Landing page"} {
		if strings.HasPrefix(title, name) {
			return true
		}
	}
	return false
}

// delimiters of tables, the least likely in a title first.
var delimiters = []rune{'\t', ';', ','}

// split takes a header line apart, whatever its delimiter.
func split(line string) []string {
	for _, delimiter := range delimiters {
		if strings.ContainsRune(line, delimiter) {
			cells := strings.Split(strings.TrimRight(line, "\r"), string(delimiter))
			for i := range cells {
				cells[i] = strings.Trim(cells[i], `" `)
			}
			return cells
		}
	}
	return []string{strings.Trim(line, "\"\r ")}
}

// readTables reads a report as CSV: comment lines, and tables that blank lines
// part.
func readTables(store *rowStore, in *input.Input, text io.Reader) ([]*reportTable, error) {
	var (
		tables   []*reportTable
		dates    rangeReader
		property propertyReader
		sampled  bool
	)
	lines := &reportLines{in: in, r: bufio.NewReader(text), comment: func(comment string) {
		dates.read(comment)
		property.read(comment)
	}}
	for lines.nextBlock() {
		part := sheetPart(firstLine(string(lines.line)))
		if part == sheetHead || part == sheetTotals {
			block, err := io.ReadAll(lines)
			if err != nil {
				return nil, err
			}
			sampled = sampled || strings.Contains(spelling(string(block)), "containssampleddatayes")
			continue
		}
		if part == sheetRows {
			lines.advance()
		}
		read, err := readBlock(store, in, lines)
		if err != nil {
			return nil, err
		}
		for _, t := range read {
			t.within, t.property = dates.whole(), property.name
			if sampled {
				t.warn("is an estimate from a sample; shorter ranges are not sampled")
			}
		}
		tables = append(tables, read...)
	}
	// The dates can follow the table they belong to.
	for _, t := range tables {
		if t.within.isZero() {
			t.within = dates.whole()
		}
	}
	return tables, lines.err
}

// reportLines reads a report block by block: a block is a table, up to the next
// blank line or comment.
type reportLines struct {
	in      *input.Input
	r       *bufio.Reader
	comment func(string) // is called with each comment, in order

	line   []byte // the next one, empty at the end
	rest   []byte // of it
	number int64  // of it
	parts  bool   // it is blank or a comment
	quoted bool   // a cell that spans lines goes on behind it
	begun  int64  // the line at which a row begins, or one before it
	record int    // how many bytes are read since
	err    error  // other than io.EOF
}

// maxRow is the longest row that is read.
const maxRow = 16 << 20

// advance reads the next line.
func (l *reportLines) advance() {
	within := l.quoted
	l.line = l.line[:0]
	for more := true; more; {
		part, err := l.r.ReadSlice('\n')
		l.line = append(l.line, part...)
		more = errors.Is(err, bufio.ErrBufferFull)
		switch {
		case err != nil && !more && !errors.Is(err, io.EOF):
			l.err, l.line = err, nil
		case len(l.line) > maxRow:
			l.begun = l.number + 1
			l.fail()
			more = false
		}
	}
	l.rest = l.line
	l.number++
	trimmed := l.trimmed()
	l.parts = !within && (len(trimmed) == 0 || trimmed[0] == '#')
	if !l.parts && bytes.Count(l.line, []byte(`"`))%2 == 1 {
		l.quoted = !within
	}
}

func (l *reportLines) fail() {
	l.err, l.line = input.Errorf(l.in.Name, "the row at line %d is longer than %d MiB: is a quote never closed? Export the report again", l.begun, maxRow>>20), nil
}

func (l *reportLines) trimmed() []byte { return bytes.Trim(l.line, "\" ,;\t\r\n") }

// nextBlock goes to where the next block begins, and reports whether there is one.
func (l *reportLines) nextBlock() bool {
	if l.number == 0 {
		l.advance()
	}
	for len(l.line) > 0 && l.parts {
		l.comment(strings.TrimSpace(strings.TrimLeft(string(l.trimmed()), "#")))
		l.advance()
	}
	return len(l.line) > 0
}

// Read reads what is left of the block.
func (l *reportLines) Read(b []byte) (int, error) {
	if l.err != nil {
		return 0, l.err
	}
	if len(l.line) == 0 || l.parts {
		return 0, io.EOF
	}
	n := copy(b, l.rest)
	if l.rest = l.rest[n:]; len(l.rest) == 0 {
		l.advance()
	}
	if l.record += n; l.record > maxRow {
		l.fail()
	}
	return n, nil
}

// readBlock reads one table, whose header is the next line.
func readBlock(store *rowStore, in *input.Input, lines *reportLines) ([]*reportTable, error) {
	number := lines.number
	head := make([]byte, 4096)
	n, _ := io.ReadFull(lines, head)
	if lines.err != nil {
		return nil, lines.err
	}
	head = head[:n]
	header := []byte(firstLine(string(head)))
	for line := range bytes.Lines(head) {
		if isHeader(split(string(line))) {
			header = line
			break
		}
	}
	c := csv.NewReader(io.MultiReader(bytes.NewReader(head), lines))
	c.FieldsPerRecord, c.LazyQuotes, c.TrimLeadingSpace, c.ReuseRecord = -1, true, true, true
	for _, delimiter := range delimiters {
		if bytes.ContainsRune(header, delimiter) {
			c.Comma = delimiter
			break
		}
	}
	t := store.table(in)
	var above []string // the header proper, if anything
	lines.begun = number
	for {
		lines.record = 0
		cells, err := c.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if lines.err != nil {
			return nil, lines.err
		}
		if err != nil {
			return nil, input.Errorf(in.Name, "table at row %d: %w; export the report again", number, err)
		}
		line, _ := c.FieldPos(0)
		at := number + int64(line) - 1
		lines.begun = at + 1
		if t.titles == nil || t.rows.n == 0 && above == nil && isCaption(t.titles) && (isCaption(cells) || isHeader(cells)) {
			t.titles = slices.Clone(cells)
			continue
		}
		if t.rows.n == 0 && above == nil && isSecondHeader(t.titles, cells) {
			above, t.titles = t.titles, slices.Clone(cells)
			continue
		}
		if slices.Equal(cells, t.titles) {
			continue // files that were put together
		}
		if err := t.rows.add(reportRow{number: at, cells: cells}); err != nil {
			return nil, err
		}
	}
	if above != nil {
		if pivoted, err := t.unpivoted(above); err != nil || pivoted != nil {
			return pivoted, err
		}
		t.titles = joinHeaders(above, t.titles)
	}
	return []*reportTable{t}, nil
}

// isCaption reports whether a line above a header is a title of its own.
func isCaption(cells []string) bool {
	return !slices.ContainsFunc(cells[1:], func(s string) bool { return strings.TrimSpace(s) != "" }) && fieldOf(cells[0]) == ""
}

// isSecondHeader reports whether the row below a header is the header proper,
// and what stands above it names groups of columns.
func isSecondHeader(above, below []string) bool {
	names := func(cells []string) (n int) {
		for _, title := range cells {
			if fieldOf(title) != "" {
				n++
			}
		}
		return n
	}
	return names(below) > 0 && names(below) >= names(above) && len(below) >= 2 && !slices.ContainsFunc(below, func(s string) bool {
		return strings.ContainsAny(s, "0123456789") && fieldOf(s) == ""
	})
}

// joinHeaders returns the lower header's titles, those of a metric that stands
// below several groups but for the first with the group's name: they are parts
// of it, or comparisons.
func joinHeaders(above, below []string) []string {
	titles := slices.Clone(below)
	group, seen := "", make(map[string]bool)
	for i, title := range titles {
		if s := cell(above, i); s != "" {
			group = s
		}
		if title == "" {
			titles[i] = cell(above, i)
		}
		if seen[title] && title != "" {
			titles[i] = group + ": " + title
		}
		seen[title] = true
	}
	return titles
}
