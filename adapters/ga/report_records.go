package ga

import (
	"context"
	"slices"
	"strings"

	"hopper/adapters/input"
	"hopper/adapters/input/rows"
	"hopper/adapters/input/rows/record"
)

// airbyteData is the column in which raw tables of Airbyte keep a row as JSON.
const airbyteData = "_airbyte_data"

// readRecords reads a report whose rows are records, as connectors write them.
func readRecords(ctx context.Context, in *input.Input) ([]*reportTable, error) {
	tables, err := rows.Find(ctx, in)
	if err != nil || len(tables) == 0 {
		return nil, err
	}
	from := tables[0]
	t := &reportTable{in: in, titles: slices.Clone(from.Header)}
	raw := slices.Index(from.Header, airbyteData)
	if raw >= 0 {
		t.titles = nil
	}
	size := 0
	err = from.Each(ctx, func(row *rows.Row) error {
		if size += len(row.Raw) + 16*len(row.Cells); size > maxReport {
			return input.Errorf(in.Name, "is a report of more than %d MiB; export it in parts, a month or a year each", maxReport>>20)
		}
		one := reportRow{number: row.Number}
		switch {
		case row.Err != nil:
			one.reject = row.Err.Error()
		case raw >= 0:
			one.cells = t.members(row.Value(raw))
		default:
			one.cells = slices.Clone(row.Cells)
		}
		for i := range one.cells {
			one.cells[i] = strings.Clone(one.cells[i])
		}
		t.rows = append(t.rows, one)
		return nil
	})
	for i := range t.rows { // the first rows can have fewer members than others
		for row := &t.rows[i]; row.reject == "" && len(row.cells) < len(t.titles); {
			row.cells = append(row.cells, "")
		}
	}
	return []*reportTable{t}, err
}

// members returns an object's members as cells, and adds columns for those
// that no object before had.
func (t *reportTable) members(v *record.Value) []string {
	cells := make([]string, len(t.titles))
	if v == nil {
		return cells
	}
	for i := range v.Kids {
		kid := &v.Kids[i]
		at := slices.Index(t.titles, kid.Key)
		if at < 0 {
			at = len(t.titles)
			t.titles, cells = append(t.titles, strings.Clone(kid.Key)), append(cells, "")
		}
		cells[at] = kid.Text
	}
	return cells
}

// isRecordReport reports whether records with these members are a report's rows.
func isRecordReport(ctx context.Context, in *input.Input, fields []string) bool {
	if !slices.Contains(fields, airbyteData) {
		return isHeader(fields)
	}
	tables, err := rows.Find(ctx, in)
	if err != nil || len(tables) == 0 {
		return false
	}
	sample, err := tables[0].Sample(ctx)
	if err != nil {
		return false
	}
	raw := new(reportTable)
	for row := range sample.Rows() {
		if row.Err == nil {
			raw.members(row.Value(slices.Index(tables[0].Header, airbyteData)))
		}
		break
	}
	return isHeader(raw.titles)
}
