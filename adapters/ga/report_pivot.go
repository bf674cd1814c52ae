package ga

import (
	"slices"
	"strings"
)

// unpivoted returns a table with a dimension in its columns as one with that
// dimension's values in rows, and one of the totals beside them where there are
// any; nil where the table is none of these. Above the header stands the
// dimension's title, and then its value for each column, or for the first of
// those that it is of.
func (t *reportTable) unpivoted(above []string) ([]*reportTable, error) {
	below := t.titles
	k := 0 // columns of dimensions
	for k < len(below) && !fieldOf(below[k]).isMetric() {
		k++
	}
	title := ""
	for _, s := range above[:min(k, len(above))] {
		if title == "" {
			title = strings.TrimSpace(s)
		}
	}
	if k == 0 || k == len(below) || fieldOf(title).isMetric() {
		return nil, nil
	}
	groups := groupsOf(above, below, k)
	if len(groups) < 2 {
		return nil, nil
	}
	if title == "" {
		title = "heading of columns"
	}
	metrics := below[k:groups[0].end]
	long, totals := t.rows.store.table(t.in), t.rows.store.table(t.in)
	long.titles, totals.titles = slices.Concat(below[:k], []string{title}, metrics), slices.Concat(below[:k], metrics)
	for _, row := range t.all() {
		for _, g := range groups {
			if g.end > len(row.cells) {
				continue
			}
			own, to := reportRow{number: row.number}, totals
			if isTotal(g.value) {
				own.cells = slices.Concat(row.cells[:k], row.cells[g.from:g.end])
			} else if own.cells, to = slices.Concat(row.cells[:k], []string{g.value}, row.cells[g.from:g.end]), long; !slices.ContainsFunc(
				row.cells[g.from:g.end], func(s string) bool { return strings.TrimSpace(s) != "" }) {
				continue
			}
			if err := to.rows.add(own); err != nil {
				return nil, err
			}
		}
	}
	if totals.rows.n == 0 {
		return []*reportTable{long}, t.broken
	}
	return []*reportTable{totals, long}, t.broken
}

// A columnGroup are the columns of one value of a dimension in columns.
type columnGroup struct {
	value     string
	from, end int
}

// groupsOf finds the groups of columns from k on, which all have the same
// metrics; nil where they have not.
func groupsOf(above, below []string, k int) []columnGroup {
	var groups []columnGroup
	for i := k; i < len(below); i++ {
		value := cell(above, i)
		last := len(groups) - 1
		if last >= 0 && (value == "" || value == groups[last].value) {
			groups[last].end = i + 1
			continue
		}
		if value == "" {
			return nil
		}
		groups = append(groups, columnGroup{value, i, i + 1})
	}
	for _, g := range groups {
		if !slices.Equal(below[g.from:g.end], below[k:groups[0].end]) {
			return nil
		}
	}
	return groups
}

// The lines that begin the parts of what Google's add-ons for Sheets write.
const (
	sheetRows   = "resultsbreakdown"
	sheetTotals = "totalsforallresults"
	sheetHead   = "reportname"
)

// sheetPart returns which part of a sheet of Google's add-on a line begins;
// empty is none.
func sheetPart(line string) string {
	first := split(line)[0]
	switch s := spelling(first); s {
	case sheetRows, sheetTotals, sheetHead:
		return s
	}
	return ""
}

// isSheet recognizes a sheet of Google's add-ons by its first lines.
func isSheet(head string) bool {
	if sheetPart(firstLine(head)) != sheetHead {
		return false
	}
	for line := range strings.Lines(head) {
		if sheetPart(line) == sheetRows {
			return true
		}
	}
	return false
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return strings.TrimRight(line, "\r")
}
