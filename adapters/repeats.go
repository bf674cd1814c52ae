package adapters

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math/bits"
	"math/rand/v2"
	"slices"

	"hopper/adapters/input/spill"
)

// A RepeatFinder finds the rows whose event an earlier row has already, by the
// events' identifiers, within a table and over several. It notes them one after the
// other, 17 bytes an event, on disk where they are many, and looks in the end which
// of them may repeat one, by hashes of 8 bytes an event and some 40 MB at most. Only
// these few are sorted, since most exports have none. The zero value is ready for use,
// by one goroutine.
type RepeatFinder struct {
	// Dir is where it spills; empty is the system's directory for temporary files.
	Dir string

	notes spill.Blocks // each event's row, as the step from the one before, and identifier
	block []byte       // the next one of notes
	last  place        // of the event that was noted last
	count int

	hashes hashes // of the events, while these are not too many
	limit  int    // of hashes; 0 is maxHashes
}

// place is a table and a row.
type place struct {
	table int
	row   int64
}

const (
	maxNote   = binary.MaxVarintLen64 + binary.MaxVarintLen64 + len(ID{})
	minNotes  = 4 << 10 // the first block of notes; each is as large as those before it
	maxNotes  = 256 << 10
	maxHashes = 4 << 20
)

// An Identified is an event by its identifier, with the number of its row.
type Identified struct {
	ID  ID
	Row int64
}

// Add takes events of the table of that number. Tables and rows are added in ascending order.
func (f *RepeatFinder) Add(table int, events ...Identified) error {
	if f.count == 0 {
		f.hashes.seeds = [2]uint64{rand.Uint64(), rand.Uint64()}
		if f.limit == 0 {
			f.limit = maxHashes
		}
	}
	for i := range events {
		event := &events[i]
		if cap(f.block)-len(f.block) < maxNote {
			if err := f.turn(); err != nil {
				return err
			}
		}
		f.note(table, event)
		switch {
		case f.count < f.limit:
			f.hashes.add(&event.ID)
		case f.count == f.limit: // there are too many
			f.hashes = hashes{seeds: f.hashes.seeds}
		}
		f.count++
	}
	return nil
}

// note adds an event to the block.
func (f *RepeatFinder) note(table int, event *Identified) {
	notes := f.block
	// A step has one bit more, which says that the table follows, whose rows begin anew.
	if table == f.last.table && event.Row >= f.last.row {
		notes = binary.AppendUvarint(notes, uint64(event.Row-f.last.row)<<1)
	} else {
		notes = binary.AppendUvarint(notes, uint64(event.Row)<<1|1)
		notes = binary.AppendUvarint(notes, uint64(table))
	}
	f.block = append(notes, event.ID[:]...)
	f.last = place{table, event.Row}
}

// turn begins a new block of notes.
func (f *RepeatFinder) turn() (err error) {
	free := f.block
	if len(f.block) > 0 {
		f.notes.Dir = f.Dir
		if free, err = f.notes.Add(f.block); err != nil {
			return err
		}
	}
	if f.block = free; cap(f.block) < maxNote {
		f.block = make([]byte, 0, min(max(f.count*len(ID{}), minNotes), maxNotes))
	}
	return nil
}

// each calls yield with all events in the order in which they were added.
func (f *RepeatFinder) each(ctx context.Context, yield func(event *ID, at place) error) error {
	var at place
	return f.notes.Each(ctx, func(notes []byte) error {
		for len(notes) > 0 {
			step, n := binary.Uvarint(notes)
			notes = notes[n:]
			if at.row += int64(step >> 1); step&1 != 0 {
				table, n := binary.Uvarint(notes)
				at, notes = place{int(table), int64(step >> 1)}, notes[n:]
			}
			event := (*ID)(notes)
			if err := yield(event, at); err != nil {
				return err
			}
			notes = notes[len(event):]
		}
		return nil
	})
}

// Find ends adding and returns the repeats, which the caller closes. Where
// there are none it returns nil.
func (f *RepeatFinder) Find(ctx context.Context) (*Repeats, error) {
	defer f.Close()
	if err := f.turn(); err != nil {
		return nil, err
	}
	byID := spill.Sorter{Dir: f.Dir}
	defer byID.Close()
	if err := f.suspects(ctx, &byID); err != nil {
		return nil, err
	}
	if byID.Len() == 0 {
		return nil, nil
	}
	return f.among(ctx, &byID)
}

// suspects adds the events of which several may be the same. Where these are too many
// for their hashes to be held, it looks at some of them after the others.
func (f *RepeatFinder) suspects(ctx context.Context, byID *spill.Sorter) error {
	if f.count <= f.limit {
		return f.suspect(ctx, byID)
	}
	h := &f.hashes
	h.rounds = uint64(1 + f.count/f.limit)
	for h.round = range h.rounds {
		h.clear()
		err := f.each(ctx, func(event *ID, _ place) error {
			h.add(event)
			return nil
		})
		if err == nil {
			err = f.suspect(ctx, byID)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// suspect adds the events of which several may be the same by their hashes.
func (f *RepeatFinder) suspect(ctx context.Context, byID *spill.Sorter) error {
	if !f.hashes.anyTwice() {
		return nil
	}
	return f.each(ctx, func(event *ID, at place) error {
		if !f.hashes.several(event) {
			return nil
		}
		position := position(at.table, at.row)
		return byID.Add(event[:], position[:])
	})
}

// among returns the repeats among events that were added in order.
func (f *RepeatFinder) among(ctx context.Context, byID *spill.Sorter) (*Repeats, error) {
	sorted, err := byID.Sort()
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
func (f *RepeatFinder) Close() error {
	f.block, f.hashes = nil, hashes{}
	return f.notes.Close()
}

// hashes are those of events, or of one of several rounds of them, in parts by their first
// bits. Two events may have the same, although that is rare.
type hashes struct {
	seeds         [2]uint64 // nobody can make an export whose events all have the same
	round, rounds uint64    // 0 is one round
	count         int
	parts         [1 << partBits]part
}

// part is some of the hashes; later those that several events have, in order.
type part struct {
	hashes []uint64
	before [][]uint64 // full blocks of hashes: one that grew would be copied, and take twice its size
	count  int        // of hashes in before
	full   bool       // it has far more than others, so that many events are the same
}

const (
	// partBits parts let a processor have near at hand what a part is looked at with: to
	// look for each hash in one large table would wait for memory.
	partBits = 6
	// A part's first block is small, and each has room for as many as those before it.
	minHashes = 32
	maxBlock  = 1 << 10
	skewed    = 1 << 10
)

// clear begins a round.
func (h *hashes) clear() {
	h.count = 0
	clear(h.parts[:])
}

// of returns an event's hash and its part, and whether the event is of the round.
func (h *hashes) of(event *ID) (hash uint64, of *part, mine bool) {
	high, low := bits.Mul64(binary.LittleEndian.Uint64(event[:])^h.seeds[0], binary.LittleEndian.Uint64(event[8:])^h.seeds[1])
	hash = high ^ low
	return hash, &h.parts[hash>>(64-partBits)], uint64(uint32(hash))*h.rounds>>32 == h.round
}

// add notes an event.
func (h *hashes) add(event *ID) {
	hash, of, mine := h.of(event)
	if !mine || of.full {
		return
	}
	h.count++
	if n := len(of.hashes); n == cap(of.hashes) {
		if of.count += n; of.count > skewed+8*h.count>>partBits {
			*of = part{full: true}
			return
		}
		if n > 0 {
			of.before = append(of.before, of.hashes)
		}
		of.hashes = make([]uint64, 0, min(max(of.count, minHashes), maxBlock))
	}
	of.hashes = append(of.hashes, hash)
}

// anyTwice ends adding, and reports whether several events have the same hash.
func (h *hashes) anyTwice() bool {
	found := false
	var slots []uint32
	for i := range h.parts {
		p := &h.parts[i]
		bits := bits.Len(uint(2 * (p.count + len(p.hashes))))
		slots = slices.Grow(slots[:0], 1<<bits)[:1<<bits]
		clear(slots)
		var twice []uint64
		for _, block := range append(p.before, p.hashes) {
			for _, hash := range block {
				if wasPut(slots, hash<<partBits>>(64-bits), max(uint32(hash), 1)) {
					twice = append(twice, hash)
				}
			}
		}
		slices.Sort(twice)
		*p = part{hashes: twice, full: p.full}
		found = found || len(twice) > 0 || p.full
	}
	return found
}

// wasPut reports whether a print is in the slots from one on up to an empty one, and puts
// it there if not. At least half of the slots stay empty.
func wasPut(slots []uint32, slot uint64, print uint32) bool {
	for ; ; slot = (slot + 1) & uint64(len(slots)-1) {
		switch slots[slot] {
		case 0:
			slots[slot] = print
			return false
		case print:
			return true
		}
	}
}

// several reports whether another event may be the same as one of the round.
func (h *hashes) several(event *ID) bool {
	hash, of, mine := h.of(event)
	if !mine || of.full {
		return mine
	}
	_, found := slices.BinarySearch(of.hashes, hash)
	return found
}

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
