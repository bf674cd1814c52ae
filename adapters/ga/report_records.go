package ga

import (
	"context"
	"slices"
	"strings"

	"hopper/adapters/input"
	"hopper/adapters/input/rows"
	"hopper/adapters/input/rows/record"
)

// readRecords reads a report whose rows are records, as connectors write them: a
// table for each of their streams.
func readRecords(ctx context.Context, in *input.Input) ([]*reportTable, error) {
	tables, err := rows.Find(ctx, in)
	if err != nil || len(tables) == 0 {
		return nil, err
	}
	from, wrapped := tables[0], false
	if e, err := findEnvelope(ctx, in); err != nil {
		return nil, err
	} else if e != nil && e.shape == report {
		from, wrapped = e.table, true
	}
	plain := &reportTable{in: in, titles: slices.Clone(from.Header)}
	streams, order := make(map[string]*reportTable), []*reportTable(nil)
	size := 0
	err = from.Each(ctx, func(row *rows.Row) error {
		if size += len(row.Raw) + 16*len(row.Cells); size > maxReport {
			return input.Errorf(in.Name, "is a report of more than %d MiB; export it in parts, a month or a year each", maxReport>>20)
		}
		one, to := reportRow{number: row.Number}, plain
		switch {
		case row.Err != nil:
			one.reject = row.Err.Error()
		case wrapped:
			inner, stream := unwrapped(rooted(from, row))
			if inner == nil {
				return nil
			}
			if to = streams[stream]; to == nil {
				to = &reportTable{in: in}
				streams[strings.Clone(stream)], order = to, append(order, to)
			}
			one.cells = to.members(inner)
		default:
			one.cells = slices.Clone(row.Cells)
		}
		for i := range one.cells {
			one.cells[i] = strings.Clone(one.cells[i])
		}
		to.rows = append(to.rows, one)
		return nil
	})
	if !wrapped || len(plain.rows) > 0 {
		order = append(order, plain)
	}
	for _, t := range order {
		for i := range t.rows { // the first rows can have fewer members than others
			for row := &t.rows[i]; row.reject == "" && len(row.cells) < len(t.titles); {
				row.cells = append(row.cells, "")
			}
		}
	}
	return order, err
}

// members returns an object's members as cells, and adds columns for those
// that no object before had.
func (t *reportTable) members(v *record.Value) []string {
	cells := make([]string, len(t.titles))
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
