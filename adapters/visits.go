package adapters

import (
	"context"
	"encoding/binary"
	"strconv"
	"time"

	"hopper/adapters/input/spill"
	"hopper/pipeline"
)

// VisitGap is how long a visitor must pause for a new visit to begin, as
// Rybbit has it.
const VisitGap = pipeline.Micros(30 * time.Minute / time.Microsecond)

// A VisitFinder finds the visits of events that are given with a visitor and a
// time alone, in any order. It sorts them by visitor and time, and the result
// back into the order of the input, both on disk where need be. The zero value
// is ready for use, by one goroutine.
type VisitFinder struct {
	// Dir is where it spills; empty is the system's directory for temporary files.
	Dir string

	byVisitor spill.Sorter
}

// Add takes an event, which is the row of that number in the table of that number.
func (f *VisitFinder) Add(visitor ID, at pipeline.Micros, table int, row int64) error {
	f.byVisitor.Dir = f.Dir
	var key [24]byte
	copy(key[:], visitor[:])
	binary.BigEndian.PutUint64(key[16:], uint64(at)^1<<63) // so that earlier than 1970 sorts first
	rowAt := position(table, row)
	return f.byVisitor.Add(key[:], rowAt[:])
}

// Find ends adding and returns the visits, which the caller closes.
func (f *VisitFinder) Find(ctx context.Context) (*Visits, error) {
	defer f.Close()
	v := &Visits{ByRow{Dir: f.Dir}}
	err := f.start(ctx, &v.rows)
	if err == nil {
		err = v.rows.Sort(ctx)
	}
	if err != nil {
		v.Close()
		return nil, err
	}
	return v, nil
}

// Close gives up all memory and disk space. Find does so too.
func (f *VisitFinder) Close() error { return f.byVisitor.Close() }

// start adds to by, which sorts by rows, when the visit of each event began.
func (f *VisitFinder) start(ctx context.Context, by *ByRow) error {
	var visitor ID
	var start, last pipeline.Micros
	first := true
	return f.byVisitor.Each(ctx, func(key, position []byte) error {
		at := pipeline.Micros(binary.BigEndian.Uint64(key[16:]) ^ 1<<63)
		if u := ID(key[:16]); first || u != visitor || at-last >= VisitGap {
			visitor, start = u, at
		}
		first, last = false, at
		var value [8]byte
		binary.BigEndian.PutUint64(value[:], uint64(start))
		return by.add(position, value[:])
	})
}

// Visits yields when the visits of events began, in the order of tables and rows.
type Visits struct{ rows ByRow }

// Visit says when the visit of one row began.
type Visit struct {
	Row   int64
	Start pipeline.Micros
}

// Name returns the visit's identifier.
func (v *Visit) Name(visitor string) string {
	return visitor + "@" + strconv.FormatInt(int64(v.Start), 10)
}

// Take returns the visits of the rows below end in the table of that number.
// Tables and rows are taken in ascending order.
func (v *Visits) Take(ctx context.Context, table int, end int64) (taken []Visit, err error) {
	err = v.rows.Take(ctx, table, end, func(row int64, start []byte) {
		taken = append(taken, Visit{row, pipeline.Micros(binary.BigEndian.Uint64(start))})
	})
	return taken, err
}

// Close gives up all memory and disk space.
func (v *Visits) Close() error { return v.rows.Close() }
