package input

import (
	"context"
	"regexp"
	"time"
)

// A Relation is a table of a product's database, and says how a live database is
// read: which rows, which columns and in what order. An adapter sees it as it
// sees a file of that name with a header.
type Relation struct {
	// Table matches its whole name, in lower case.
	Table *regexp.Regexp
	// Unless names a table that has the same rows: where the database has it, the
	// relation's is not read. Empty is none.
	Unless string
	// Needs are columns without which a table of that name is another product's.
	Needs []string
	// Columns are those that are read, where the table has them; nil is all.
	Columns []string
	// Time is the column that says when a row was added. Rows are read in its order,
	// and only those from before the migration began, so that a resumed run reads
	// the same ones. Empty is all rows.
	Time string
	// Key are columns that with Time give no two rows the same place. Where the
	// table lacks one of them, or there are none, all columns decide.
	Key []string
	// Counted says that Key orders the rows alone, as a counter that grows with time
	// does: the database reads along its primary key, and need not sort a table that
	// has no index of Time.
	Counted bool
}

// Growing are [Contents] that go on growing, as a table of a live database.
type Growing interface {
	// AsOf limits what is read from now on to what there was at a time.
	AsOf(time.Time)
}

// Selective are [Contents] of rows that can be given in part.
type Selective interface {
	// Select leaves only the rows of which a column has a value, if it can.
	Select(column, value string)
	// Selected returns how many rows that leaves, and how many have the value by a look
	// at the column of all rows; nothing where there is no choice.
	Selected(ctx context.Context) (left, have int64, err error)
}

// Select leaves out, from now on, the rows of which a column has another value,
// where the input is the table of a database: it need not send what is not read.
func (in *Input) Select(column, value string) {
	if s, ok := in.contents.(Selective); ok {
		s.Select(column, value)
	}
}

// Selected counts the rows that Select leaves of the inputs, and those that have the
// values which were asked for by a look at all. No rows are where nothing is left out.
func (ins *Inputs) Selected(ctx context.Context) (left, have int64, err error) {
	for _, in := range ins.Files {
		s, ok := in.contents.(Selective)
		if !ok {
			continue
		}
		l, h, err := s.Selected(ctx)
		if err != nil {
			return 0, 0, err
		}
		left, have = left+l, have+h
	}
	return left, have, nil
}

// Previewer are [Contents] whose beginning costs less than Open, which prepares
// to return all.
type Previewer interface {
	// Preview returns at least 64 KiB of the beginning, or some hundred rows.
	Preview(ctx context.Context) ([]byte, error)
}

// AsOf limits inputs that go on growing to what they held at a time.
func (ins *Inputs) AsOf(t time.Time) {
	for _, in := range ins.Files {
		if g, ok := in.contents.(Growing); ok {
			g.AsOf(t)
		}
	}
}

// Growing returns the names of the inputs that go on growing.
func (ins *Inputs) Growing() map[string]bool {
	names := map[string]bool{}
	for _, in := range ins.Files {
		if _, grows := in.contents.(Growing); grows {
			names[in.Name] = true
		}
	}
	return names
}
