package ga

import (
	"bytes"
	"context"
	"encoding/binary"
	"hash/maphash"
	"slices"

	"hopper/adapters/input/spill"
)

const (
	// maxEvents is how many events are noted in memory, of 24 bytes each.
	maxEvents = 3 << 18
	// Tables of sessions take up to 8 MB.
	minSlots    = 1 << 10
	maxSessions = 1 << 20
)

const (
	digestSize   = 16
	eventKeySize = digestSize + 8
)

// An eventNote is an event's digest and position.
type eventNote struct {
	digest [digestSize]byte
	at     uint64
}

// Type eventNotes finds the events whose digest is that of one before them. It holds
// them in memory while they are few enough, and sorts them on disk beyond that.
type eventNotes struct {
	// noted are the events by their digests' first bytes, so that those that can be
	// equal are few and lie together when they are compared: a table of all of them
	// does not stay in a processor's cache.
	noted   [256]noteList
	count   int
	spilled spill.Sorter // by digest and position
}

// A noteList is a list that grows without being copied.
type noteList [][]eventNote

func (l *noteList) add(ev *eventNote) {
	const block = 128
	last := len(*l) - 1
	if last < 0 || len((*l)[last]) == block {
		*l = append(*l, make([]eventNote, 0, block))
		last++
	}
	(*l)[last] = append((*l)[last], *ev)
}

// add notes an event. They can come in any order.
func (t *eventNotes) add(ev *eventNote) error {
	if t.count == maxEvents {
		if err := t.spill(); err != nil {
			return err
		}
	}
	t.noted[ev.digest[0]].add(ev)
	t.count++
	return nil
}

func (t *eventNotes) spill() error {
	var key [eventKeySize]byte
	for i := range t.noted {
		for _, block := range t.noted[i] {
			for _, ev := range block {
				binary.BigEndian.PutUint64(key[copy(key[:], ev.digest[:]):], ev.at)
				if err := t.spilled.Add(key[:], nil); err != nil {
					return err
				}
			}
		}
	}
	t.forget()
	return nil
}

func (t *eventNotes) forget() { t.noted, t.count = [256]noteList{}, 0 }

// found adds the positions of events that repeat one before them to later.
func (t *eventNotes) found(ctx context.Context, later *spill.Sorter) error {
	if t.spilled.Len() == 0 {
		var r repeats
		for i := range t.noted {
			for _, at := range r.find(t.noted[i]) {
				key := positionKey(at)
				if err := later.Add(key[:], nil); err != nil {
					return err
				}
			}
		}
		t.forget()
		return nil
	}
	if err := t.spill(); err != nil {
		return err
	}
	var last []byte
	return t.spilled.Each(ctx, func(key, _ []byte) error {
		digest, at := key[:digestSize], key[digestSize:]
		if bytes.Equal(digest, last) {
			return later.Add(at, nil)
		}
		last = append(last[:0], digest...)
		return nil
	})
}

// repeats finds repeated events, in memory that it uses again.
type repeats struct {
	firsts []eventNote // of each digest
	slots  []uint32    // by digest: index into firsts, plus 1
	later  []uint64
}

// find returns the positions of events that repeat one before them, until the next call.
func (r *repeats) find(among noteList) []uint64 {
	n := 0
	for _, block := range among {
		n += len(block)
	}
	slots := 1
	for slots <= n+n/2 {
		slots *= 2
	}
	r.slots, r.firsts = slices.Grow(r.slots[:0], slots)[:slots], slices.Grow(r.firsts[:0], n)
	clear(r.slots)
	r.later = r.later[:0]
	for _, block := range among {
		for i := range block {
			ev := &block[i]
			if first := r.firstOf(ev); first.at != ev.at {
				r.later = append(r.later, max(first.at, ev.at))
				first.at = min(first.at, ev.at)
			}
		}
	}
	return r.later
}

// firstOf returns what was noted first of an event's digest, which may be the event itself.
func (r *repeats) firstOf(ev *eventNote) *eventNote {
	mask := uint64(len(r.slots) - 1)
	for i := binary.LittleEndian.Uint64(ev.digest[8:]) & mask; ; i = (i + 1) & mask {
		if r.slots[i] == 0 {
			r.firsts = append(r.firsts, *ev)
			r.slots[i] = uint32(len(r.firsts))
			return &r.firsts[len(r.firsts)-1]
		}
		if first := &r.firsts[r.slots[i]-1]; first.digest == ev.digest {
			return first
		}
	}
}

// A sessionNote is the hash of its id. The lowest bit says whether an event of it is
// kept; the next is set, so that none is 0.
type sessionNote uint64

const (
	sessionKept sessionNote = 1
	sessionSet  sessionNote = 2
)

// Type sessionNotes says of each session whether an event of it is kept, in a table while
// that is small enough, and on disk beyond it.
type sessionNotes struct {
	seed    maphash.Seed
	slots   []sessionNote // free where 0
	used    int
	spilled spill.Sorter // by hash; the value is the lowest bit
}

// of returns what notes a session with an event that is kept or not.
func (s *sessionNotes) of(id string, kept bool) sessionNote {
	hash := sessionNote(maphash.String(s.seed, id))&^sessionKept | sessionSet
	if kept {
		hash |= sessionKept
	}
	return hash
}

func (s *sessionNotes) add(one sessionNote) error {
	if isFull(s.used, len(s.slots)) {
		if err := s.grow(); err != nil {
			return err
		}
	}
	s.put(one)
	return nil
}

func (s *sessionNotes) put(one sessionNote) {
	mask := sessionNote(len(s.slots) - 1)
	for i := one >> 2 & mask; ; i = (i + 1) & mask {
		switch there := &s.slots[i]; {
		case *there == 0:
			*there = one
			s.used++
			return
		case (*there^one)&^sessionKept == 0:
			*there |= one
			return
		}
	}
}

// isFull reports whether a table of so many slots finds free ones slowly.
func isFull(used, slots int) bool { return used >= slots/4*3 }

// grow makes room, by a larger table or by emptying the largest.
func (s *sessionNotes) grow() error {
	if len(s.slots) == maxSessions {
		return s.spill()
	}
	before := s.slots
	s.slots, s.used = make([]sessionNote, max(minSlots, 2*len(before))), 0
	for _, one := range before {
		if one != 0 {
			s.put(one)
		}
	}
	return nil
}

func (s *sessionNotes) spill() error {
	var key [8]byte
	for _, one := range s.slots {
		if one != 0 {
			binary.BigEndian.PutUint64(key[:], uint64(one&^sessionKept))
			if err := s.spilled.Add(key[:], []byte{byte(one & sessionKept)}); err != nil {
				return err
			}
		}
	}
	clear(s.slots)
	s.used = 0
	return nil
}

// lone returns how many sessions have no event that is kept.
func (s *sessionNotes) lone(ctx context.Context) (lone int, err error) {
	if s.spilled.Len() == 0 {
		for _, one := range s.slots {
			if one != 0 && one&sessionKept == 0 {
				lone++
			}
		}
		return lone, nil
	}
	if err := s.spill(); err != nil {
		return 0, err
	}
	var last []byte
	kept := true // of the last session
	err = s.spilled.Each(ctx, func(key, value []byte) error {
		if !bytes.Equal(key, last) {
			if !kept {
				lone++
			}
			last, kept = append(last[:0], key...), false
		}
		kept = kept || value[0] == 1
		return nil
	})
	if !kept {
		lone++
	}
	return lone, err
}

// reset forgets all sessions.
func (s *sessionNotes) reset() error {
	err := s.spilled.Close()
	*s = sessionNotes{seed: s.seed, spilled: spill.Sorter{Dir: s.spilled.Dir, Limit: s.spilled.Limit}}
	return err
}
