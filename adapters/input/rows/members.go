package rows

import (
	"context"
	"slices"
	"strings"

	"hopper/adapters/input/rows/record"
)

// member is a column that is a member of the objects in another.
type member struct {
	of  int
	key string
}

// Unfold makes columns of the members of objects that stand in cells, as ORMs and
// search engines nest records: {"session":{"browser":"firefox"}} is the column
// session.browser. An object is taken apart where two of its members in the first
// rows have one of these names, but for those of the columns except, whose members
// are data. It must come before Open.
func (t *Table) Unfold(ctx context.Context, names []string, except ...string) error {
	sample, err := t.sampleObjects(ctx)
	if err != nil {
		return err
	}
	var found []member
	for row := range sample.Rows() {
		for i := range row.Cells {
			if row.Err != nil || !strings.HasPrefix(row.Cells[i], "{") || slices.Contains(except, t.Columns[i]) {
				continue
			}
			v := row.Value(i)
			if v.Kind != record.Object || !hasTwo(v.Kids, names) {
				continue
			}
			for _, kid := range v.Kids {
				if m := (member{i, strings.Clone(kid.Key)}); !slices.Contains(found, m) {
					found = append(found, m)
				}
			}
		}
	}
	if err := sample.Err(); err != nil || len(found) == 0 {
		return err
	}
	t.reform()
	t.Header, t.Columns = slices.Clone(t.Header), slices.Clone(t.Columns)
	for _, m := range found {
		t.Header = append(t.Header, t.Header[m.of]+"."+m.key)
		t.Columns = append(t.Columns, t.Columns[m.of]+"."+Name(m.key))
	}
	t.members = found
	return nil
}

// hasTwo reports whether two members have one of these names.
func hasTwo(members []record.Value, names []string) bool {
	found := 0
	for i := range members {
		if slices.Contains(names, Name(members[i].Key)) {
			found++
		}
	}
	return found >= 2
}

// own returns the names of the container's own columns, as they are written.
func (t *Table) own() []string { return t.Header[:len(t.Header)-len(t.members)] }

// unfold appends the cells of members to a row.
func (t *Table) unfold(row *Row) {
	if row.Err != nil {
		return
	}
	last, object := -1, (*record.Value)(nil)
	for _, m := range t.members {
		if m.of != last {
			last, object = m.of, row.Value(m.of)
		}
		cell := ""
		if object != nil && object.Kind == record.Object {
			if v := object.Get(m.key); v != nil {
				cell = cellOf(v)
			}
		}
		row.Cells = append(row.Cells, cell)
	}
}
