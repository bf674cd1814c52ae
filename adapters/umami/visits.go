package umami

import (
	"context"
	"encoding/binary"
	"io"
	"time"

	"hopper/adapters"
	"hopper/adapters/input/rows"
	"hopper/adapters/input/spill"
	"hopper/pipeline"
)

// visitGap is how long a visitor must pause for a new visit to begin, as
// Umami itself and Rybbit have it.
const visitGap = pipeline.Micros(30 * time.Minute / time.Microsecond)

// visits tells for each event without a visit when its visit began. They are
// found by sorting all such events by visitor and time, and sorting the
// result back into the order of the input, both on disk where need be: the
// input itself may be in any order.
type visits struct {
	sorter *spill.Sorter // by table and row
	sorted *spill.Sorted
	ahead  visit // the next one
	table  uint32
	more   bool
}

// visit is when the visit of one row began.
type visit struct {
	row   int64
	start pipeline.Micros
}

// findVisits reads the tables without visits through.
func findVisits(ctx context.Context, tables []*eventTable, opt adapters.Options) (*visits, error) {
	byVisitor := &spill.Sorter{Dir: opt.TempDir}
	defer byVisitor.Close()
	for ordinal, t := range tables {
		if !t.derive {
			continue
		}
		// What cannot be read here is rejected when it is read again.
		err := each(ctx, t.Table, nil, func(row *rows.Row) error {
			get := cells(row.Cells)
			at, ok := parseTime(get.at(t.createdAt), opt.Location())
			if !ok || get.at(t.sessionID) == "" || !noVisit(get.at(t.visitID)) {
				return nil
			}
			var key [24]byte
			u := idOf(get.at(t.sessionID))
			copy(key[:], u[:])
			binary.BigEndian.PutUint64(key[16:], uint64(at)^1<<63) // so that earlier than 1970 sorts first
			return byVisitor.Add(key[:], position(ordinal, row.Number))
		})
		if err != nil {
			return nil, err
		}
	}
	byRow := &spill.Sorter{Dir: opt.TempDir}
	if err := startVisits(ctx, byVisitor, byRow); err != nil {
		byRow.Close()
		return nil, err
	}
	sorted, err := byRow.Sort()
	if err != nil {
		byRow.Close()
		return nil, err
	}
	v := &visits{sorter: byRow, sorted: sorted}
	return v, v.next(ctx)
}

func position(table int, row int64) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint32(nil, uint32(table)), uint64(row))
}

// startVisits adds to byRow when the visit of each event began.
func startVisits(ctx context.Context, byVisitor, byRow *spill.Sorter) error {
	sorted, err := byVisitor.Sort()
	if err != nil {
		return err
	}
	var visitor id
	var start, last pipeline.Micros
	for first := true; ; first = false {
		key, position, err := sorted.Next(ctx)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		at := pipeline.Micros(binary.BigEndian.Uint64(key[16:]) ^ 1<<63)
		if u := id(key[:16]); first || u != visitor || at-last >= visitGap {
			visitor, start = u, at
		}
		last = at
		var value [8]byte
		binary.BigEndian.PutUint64(value[:], uint64(start))
		if err := byRow.Add(position, value[:]); err != nil {
			return err
		}
	}
}

// take returns the visits of the rows below end in the table with that number.
func (v *visits) take(ctx context.Context, table int, end int64) (taken []visit, err error) {
	for v.more && v.table == uint32(table) && v.ahead.row < end {
		taken = append(taken, v.ahead)
		if err := v.next(ctx); err != nil {
			return nil, err
		}
	}
	return taken, nil
}

func (v *visits) next(ctx context.Context) error {
	position, start, err := v.sorted.Next(ctx)
	if v.more = err == nil; !v.more {
		if err == io.EOF {
			return nil
		}
		return err
	}
	v.table = binary.BigEndian.Uint32(position)
	v.ahead = visit{int64(binary.BigEndian.Uint64(position[4:])), pipeline.Micros(binary.BigEndian.Uint64(start))}
	return nil
}

func (v *visits) Close() error { return v.sorter.Close() }

// noVisit reports whether a visit_id is none: ClickHouse fills a column that
// was added later with zeros.
func noVisit(visitID string) bool {
	return visitID == "" || visitID == "00000000-0000-0000-0000-000000000000"
}
