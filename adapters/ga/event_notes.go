package ga

import (
	"bytes"
	"context"
	"encoding/binary"
	"hash/maphash"
	"slices"

	"hopper/adapters/input/spill"
)

// Tables of events and of sessions take up to 24 and 8 MB.
const (
	minSlots    = 1 << 10
	maxEvents   = 1 << 20
	maxSessions = 1 << 20
)

// isFull reports whether a table of so many slots finds free ones slowly.
func isFull(used, slots int) bool { return used >= slots/4*3 }

const (
	digestSize   = 16
	eventKeySize = digestSize + 8
)

// An eventNote is an event's digest and position.
type eventNote struct {
	digest [digestSize]byte
	at     uint64
}

// Type eventNotes finds the events whose digest is that of one before them. It holds the
// first of each digest in a table while that is small enough, and sorts them on
// disk beyond it.
type eventNotes struct {
	slots   []eventNote // free where the position is 0, as rows count from 1
	used    int
	later   []uint64     // positions
	spilled spill.Sorter // by digest and position
}

// add notes an event. They can come in any order.
func (t *eventNotes) add(ev *eventNote) error {
	if isFull(t.used, len(t.slots)) {
		if err := t.grow(); err != nil {
			return err
		}
	}
	t.put(ev)
	return nil
}

func (t *eventNotes) put(ev *eventNote) {
	mask := uint64(len(t.slots) - 1)
	for i := binary.LittleEndian.Uint64(ev.digest[:]) & mask; ; i = (i + 1) & mask {
		switch first := &t.slots[i]; {
		case first.at == 0:
			*first = *ev
			t.used++
			return
		case first.digest == ev.digest:
			t.later = append(t.later, max(first.at, ev.at))
			first.at = min(first.at, ev.at)
			return
		}
	}
}

// grow makes room, by a larger table or by emptying the largest.
func (t *eventNotes) grow() error {
	if len(t.slots) == maxEvents {
		return t.spill()
	}
	before := t.slots
	t.slots, t.used = make([]eventNote, max(minSlots, 2*len(before))), 0
	for i := range before {
		if before[i].at != 0 {
			t.put(&before[i])
		}
	}
	return nil
}

func (t *eventNotes) spill() error {
	var key [eventKeySize]byte
	for i := range t.slots {
		if ev := &t.slots[i]; ev.at != 0 {
			binary.BigEndian.PutUint64(key[copy(key[:], ev.digest[:]):], ev.at)
			if err := t.spilled.Add(key[:], nil); err != nil {
				return err
			}
		}
	}
	clear(t.slots)
	t.used = 0
	return nil
}

// found returns the positions of events that repeat one before them, in order.
func (t *eventNotes) found(ctx context.Context) ([]uint64, error) {
	if t.spilled.Len() == 0 {
		t.slots = nil
		slices.Sort(t.later)
		return t.later, nil
	}
	if err := t.spill(); err != nil {
		return nil, err
	}
	t.slots = nil
	var last []byte
	err := t.spilled.Each(ctx, func(key, _ []byte) error {
		if bytes.Equal(key[:digestSize], last) {
			t.later = append(t.later, binary.BigEndian.Uint64(key[digestSize:]))
		}
		last = append(last[:0], key[:digestSize]...)
		return nil
	})
	slices.Sort(t.later)
	return t.later, err
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
