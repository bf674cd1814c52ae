package adapters

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math/bits"
	"math/rand/v2"

	"hopper/adapters/input/spill"
)

// A RepeatFinder finds the rows whose event an earlier row has already, by the
// events' identifiers, within a table and over several. It notes them one after the
// other, 17 bytes an event, on disk where they are many, and looks in the end which
// of them may repeat one, by fingerprints of 8 bytes an event and at most 64 MB. Only
// these few are sorted, since most exports have none. The zero value is ready for use,
// by one goroutine.
type RepeatFinder struct {
	// Dir is where it spills; empty is the system's directory for temporary files.
	Dir string

	notes spill.Blocks // each event's row, as the step from the one before, and identifier
	block []byte       // the next one of notes
	last  place        // of the event that was noted last
	count int

	slots int // limits a prints; 0 is maxSlots
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
	maxSlots  = 16 << 20
	roomSlots = 2 // for each event
)

// Add takes the event of the row of that number in the table of that number.
// Tables and rows are added in ascending order.
func (f *RepeatFinder) Add(event ID, table int, row int64) error {
	if cap(f.block)-len(f.block) < maxNote {
		if err := f.turn(); err != nil {
			return err
		}
	}
	notes := f.block
	// A step has one bit more, which says that the table follows, whose rows begin anew.
	if table == f.last.table && row >= f.last.row {
		notes = binary.AppendUvarint(notes, uint64(row-f.last.row)<<1)
	} else {
		notes = binary.AppendUvarint(notes, uint64(row)<<1|1)
		notes = binary.AppendUvarint(notes, uint64(table))
	}
	f.block = append(notes, event[:]...)
	f.last = place{table, row}
	f.count++
	return nil
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
	if f.slots == 0 {
		f.slots = maxSlots
	}
	parts := 1 + roomSlots*f.count/f.slots
	p := prints{seeds: [2]uint64{rand.Uint64(), rand.Uint64()}, parts: uint64(parts), slots: make([]uint32, 1+min(roomSlots*f.count, f.slots))}
	for p.part = range p.parts {
		if err := f.suspect(ctx, &p, &byID); err != nil {
			return nil, err
		}
	}
	if byID.Len() == 0 {
		return nil, nil
	}
	return f.among(ctx, &byID)
}

// suspect adds the events of a part of which several may be the same.
func (f *RepeatFinder) suspect(ctx context.Context, p *prints, byID *spill.Sorter) error {
	clear(p.slots)
	p.used, p.twice = 0, false
	err := f.each(ctx, func(event *ID, _ place) error {
		p.add(event)
		return nil
	})
	if p.addAll(); err != nil || !p.twice {
		return err
	}
	return f.each(ctx, func(event *ID, at place) error {
		if !p.several(event) {
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
	f.block = nil
	return f.notes.Close()
}

// prints are fingerprints of the events of one of several parts, in a table with open
// addressing. Two events may have the same, although that is rare.
type prints struct {
	seeds       [2]uint64 // nobody can make an export whose events all have the same place
	part, parts uint64
	slots       []uint32 // 0 is empty; the lowest bit says that several events have it
	used        int
	twice       bool // there is such a bit, or no slot was left

	// ahead are events to be added. Their slots are far from each other in memory, which
	// takes as long for many as for one where they are looked at together first.
	ahead  [32]printed
	n      int
	looked uint32
}

// printed is an event's fingerprint and the slot where it begins to look for it.
type printed struct {
	print uint32
	slot  uint64
}

// of returns what is to be looked for, and whether the event is of the part.
func (p *prints) of(event *ID) (of printed, mine bool) {
	high, low := bits.Mul64(binary.LittleEndian.Uint64(event[:])^p.seeds[0], binary.LittleEndian.Uint64(event[8:])^p.seeds[1])
	hash := high ^ low
	slot, _ := bits.Mul64(hash, uint64(len(p.slots)))
	return printed{max(uint32(hash)<<1, 2), slot}, uint64(uint32(hash))*p.parts>>32 == p.part
}

// add notes an event, some of them at a time.
func (p *prints) add(event *ID) {
	of, mine := p.of(event)
	if !mine {
		return
	}
	p.ahead[p.n] = of
	if p.n++; p.n == len(p.ahead) {
		p.addAll()
	}
}

// addAll notes the events that are ahead.
func (p *prints) addAll() {
	ahead := p.ahead[:p.n]
	for i := range ahead {
		p.looked += p.slots[ahead[i].slot]
	}
	for _, of := range ahead {
		p.put(of)
	}
	p.n = 0
}

func (p *prints) put(of printed) {
	for slot := of.slot; ; {
		switch found := &p.slots[slot]; {
		case *found == 0:
			// One slot stays empty, where each search ends.
			if p.used == len(p.slots)-1 {
				p.twice = true
				return
			}
			*found = of.print
			p.used++
			return
		case *found&^1 == of.print:
			*found |= 1
			p.twice = true
			return
		}
		if slot++; slot == uint64(len(p.slots)) {
			slot = 0
		}
	}
}

// several reports whether another event may be the same as one of the part.
func (p *prints) several(event *ID) bool {
	of, mine := p.of(event)
	for slot := of.slot; mine; {
		switch found := p.slots[slot]; {
		case found == 0:
			return true // no slot was left for it
		case found&^1 == of.print:
			return found&1 != 0
		}
		if slot++; slot == uint64(len(p.slots)) {
			slot = 0
		}
	}
	return false
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
