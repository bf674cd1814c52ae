// Package byteset looks for bytes of a set in texts, and joins texts that have none,
// 32 bytes at a time where the processor can.
package byteset

import "slices"

// A Set is a set of bytes. [Of] makes one.
type Set struct {
	has [256]bool
	halves
	// divided says that there is such a low and a high, and fast that the processor can
	// look for bytes by them.
	divided, fast bool
}

// halves are tables of lower and of upper halves of bytes. A byte is in the set where low,
// at its lower four bits, and high, at its upper four, have a bit in common.
type halves struct{ low, high [16]byte }

// Of returns the set of the bytes that are in it.
func Of(in func(c byte) bool) *Set {
	s := new(Set)
	for c := range s.has {
		s.has[c] = in(byte(c))
	}
	s.divide()
	s.fast = hasAll && s.divided
	return s
}

// divide finds low and high: those upper halves share a bit that have the same lower
// halves beside them, which takes no more bits than there are in most sets.
func (s *Set) divide() {
	var rows []uint16 // of each bit, its lower halves
	for high := range s.high {
		var row uint16
		for low := range s.low {
			if s.has[high<<4|low] {
				row |= 1 << low
			}
		}
		if row == 0 {
			continue
		}
		bit := slices.Index(rows, row)
		if bit < 0 {
			bit = len(rows)
			rows = append(rows, row)
		}
		if bit >= 8 {
			return
		}
		s.high[high] = 1 << bit
		for low := range s.low {
			if row>>low&1 != 0 {
				s.low[low] |= 1 << bit
			}
		}
	}
	s.divided = true
}

// Has reports whether c is in the set.
func (s *Set) Has(c byte) bool { return s.has[c] }

// Fast reports whether the processor looks for bytes of the set in 32 bytes at a time.
func (s *Set) Fast() bool { return s.fast }

// hasAnyPortable is HasAny for any processor.
func (s *Set) hasAnyPortable(text string) bool {
	for i := range len(text) {
		if s.has[text[i]] {
			return true
		}
	}
	return false
}

// Sets are for as many texts, each for one. [Together] makes them.
type Sets struct {
	sets   []*Set
	halves []halves
	fast   bool
}

// Together returns sets that are looked for together.
func Together(sets ...*Set) *Sets {
	all := &Sets{sets: sets, fast: true}
	for _, s := range sets {
		all.halves = append(all.halves, s.halves)
		all.fast = all.fast && s.fast
	}
	return all
}

// hasAnyPortable is HasAny for any processor.
func (s *Sets) hasAnyPortable(texts []string) bool {
	for i, text := range texts {
		if s.sets[i].HasAny(text) {
			return true
		}
	}
	return false
}

// spare is how many bytes behind what it writes Join may overwrite.
const spare = 32

// joinPortable is Join for any processor.
func (s *Set) joinPortable(dst []byte, literals, texts []string) ([]byte, int) {
	for i, text := range texts {
		dst = append(dst, literals[i]...)
		if s.HasAny(text) {
			return dst, i
		}
		dst = append(dst, text...)
	}
	return dst, len(texts)
}
