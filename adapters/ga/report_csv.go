package ga

import (
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
func readTables(in *input.Input, text []byte) ([]*reportTable, error) {
	var (
		tables   []*reportTable
		dates    rangeReader
		property propertyReader
		sampled  bool
		block    []byte
		first    int64 // line of the block
	)
	flush := func() error {
		defer func() { block = nil }()
		if len(bytes.TrimSpace(block)) == 0 {
			return nil
		}
		switch part := sheetPart(firstLine(string(block))); part {
		case sheetHead, sheetTotals:
			sampled = sampled || strings.Contains(spelling(string(block)), "containssampleddatayes")
			return nil
		case sheetRows:
			_, below, _ := bytes.Cut(block, []byte("\n"))
			block, first = below, first+1
		}
		read, err := readBlock(in, block, first)
		if err != nil {
			return err
		}
		for _, t := range read {
			t.within, t.property = dates.whole(), property.name
			if sampled {
				t.warn("is an estimate from a sample; shorter ranges are not sampled")
			}
		}
		tables = append(tables, read...)
		return nil
	}
	var number int64
	quoted := false // inside a cell that spans lines
	for line := range bytes.Lines(text) {
		number++
		trimmed := bytes.Trim(line, "\" ,;\t\r\n")
		if !quoted && (len(trimmed) == 0 || trimmed[0] == '#') {
			if err := flush(); err != nil {
				return nil, err
			}
			comment := strings.TrimSpace(strings.TrimLeft(string(trimmed), "#"))
			dates.read(comment)
			property.read(comment)
			continue
		}
		if block == nil {
			first = number
		}
		block = append(block, line...)
		if bytes.Count(line, []byte(`"`))%2 == 1 {
			quoted = !quoted
		}
	}
	if err := flush(); err != nil {
		return nil, err
	}
	// The dates can follow the table they belong to.
	for _, t := range tables {
		if t.within.isZero() {
			t.within = dates.whole()
		}
	}
	return tables, nil
}

// readBlock reads one table, whose header is the line with that number.
func readBlock(in *input.Input, block []byte, number int64) ([]*reportTable, error) {
	header := []byte(firstLine(string(block)))
	for line := range bytes.Lines(block[:min(len(block), 4096)]) {
		if isHeader(split(string(line))) {
			header = line
			break
		}
	}
	c := csv.NewReader(bytes.NewReader(block))
	c.FieldsPerRecord, c.LazyQuotes, c.TrimLeadingSpace = -1, true, true
	for _, delimiter := range delimiters {
		if bytes.ContainsRune(header, delimiter) {
			c.Comma = delimiter
			break
		}
	}
	t := &reportTable{in: in}
	var above []string // the header proper, if anything
	for {
		cells, err := c.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, input.Errorf(in.Name, "table at row %d: %w; export the report again", number, err)
		}
		if t.titles == nil || len(t.rows) == 0 && above == nil && isCaption(t.titles) && (isCaption(cells) || isHeader(cells)) {
			t.titles = cells
			continue
		}
		if len(t.rows) == 0 && above == nil && isSecondHeader(t.titles, cells) {
			above, t.titles = t.titles, cells
			continue
		}
		if slices.Equal(cells, t.titles) {
			continue // files that were put together
		}
		line, _ := c.FieldPos(0)
		t.rows = append(t.rows, reportRow{number: number + int64(line) - 1, cells: cells})
	}
	if above != nil {
		if pivoted := t.unpivoted(above); pivoted != nil {
			return pivoted, nil
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
