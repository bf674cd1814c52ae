package adapters

import (
	"context"
	"errors"
	"io"

	"hopper/adapters/input/spill"
)

// A RepeatFinder finds the rows whose event an earlier row has already, by the
// events' identifiers, within a table and over several. It sorts them, on disk
// where need be: 62 bytes an event in memory, 30 on disk. The zero value is
// ready for use, by one goroutine.
type RepeatFinder struct {
	// Dir is where it spills; empty is the system's directory for temporary files.
	Dir string

	byID spill.Sorter
}

// Add takes the event of the row of that number in the table of that number.
// Tables and rows are added in ascending order.
func (f *RepeatFinder) Add(event ID, table int, row int64) error {
	f.byID.Dir = f.Dir
	at := position(table, row)
	return f.byID.Add(event[:], at[:])
}

// Find ends adding and returns the repeats, which the caller closes. Where
// there are none it returns nil.
func (f *RepeatFinder) Find(ctx context.Context) (*Repeats, error) {
	defer f.Close()
	sorted, err := f.byID.Sort()
	if err != nil {
		return nil, err
	}
	r := &Repeats{ByRow{Dir: f.Dir}}
	for {
		// Of equal keys the one that was added first comes first.
		_, position, err := sorted.NextRepeat(ctx)
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			err = r.rows.add(position, nil)
		}
		if err != nil {
			r.Close()
			return nil, err
		}
	}
	if r.rows.sorter.Len() == 0 {
		return nil, r.Close()
	}
	if err := r.rows.Sort(ctx); err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

// Close gives up all memory and disk space. Find does so too.
func (f *RepeatFinder) Close() error { return f.byID.Close() }

// Repeats yields the rows that repeat an earlier one, in the order of tables
// and rows.
type Repeats struct{ rows ByRow }

// Take returns the repeats among the rows below end in the table of that
// number. Tables and rows are taken in ascending order. A nil Repeats has none.
func (r *Repeats) Take(ctx context.Context, table int, end int64) (taken []int64, err error) {
	if r == nil {
		return nil, nil
	}
	err = r.rows.Take(ctx, table, end, func(row int64, _ []byte) { taken = append(taken, row) })
	return taken, err
}

// Close gives up all memory and disk space.
func (r *Repeats) Close() error { return r.rows.Close() }
