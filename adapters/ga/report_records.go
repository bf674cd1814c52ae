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
func readRecords(ctx context.Context, store *rowStore, in *input.Input) ([]*reportTable, error) {
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
	plain := store.table(in)
	plain.titles, plain.padded = slices.Clone(from.Header), true
	streams, order := make(map[string]*reportTable), []*reportTable(nil)
	err = from.Each(ctx, func(row *rows.Row) error {
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
				to = store.table(in)
				to.padded = true
				streams[strings.Clone(stream)], order = to, append(order, to)
			}
			one.cells = to.members(inner)
		default:
			one.cells = row.Cells
		}
		return to.rows.add(one)
	})
	if !wrapped || plain.rows.n > 0 {
		order = append(order, plain)
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
