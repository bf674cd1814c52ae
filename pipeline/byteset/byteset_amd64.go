//go:build !purego

package byteset

import (
	"unsafe"

	"golang.org/x/sys/cpu"
)

// hasAll reports whether the processor has what the functions here need.
var hasAll = cpu.X86.HasAVX2 && cpu.X86.HasBMI2

// HasAny reports whether a byte of text is in the set.
func (s *Set) HasAny(text string) bool {
	if text == "" {
		return false
	}
	if hasAll && s.divided {
		return hasAnyAVX2(&s.low, &s.high, unsafe.StringData(text), len(text))
	}
	return s.hasAnyPortable(text)
}

// join appends pairs, up to one whose Text has a byte of the set or for which dst has no
// room, and returns how many it appended.
func (s *Set) join(dst []byte, pairs []Pair) ([]byte, int) {
	if !hasAll || !s.divided {
		return s.joinPortable(dst, pairs)
	}
	room := cap(dst) - len(dst) - spare
	if room < 0 {
		return dst, 0
	}
	written, whole := joinAVX2(&s.low, &s.high, unsafe.SliceData(dst[len(dst):cap(dst)]), room, &pairs[0], len(pairs))
	return dst[:len(dst)+written], whole
}

// hasAnyAVX2 is hasAnyPortable in the processor's own words, for at least one byte.
//
//go:noescape
func hasAnyAVX2(low, high *[16]byte, text *byte, n int) bool

// joinAVX2 writes pairs to dst, up to one whose Text has a byte of the set or with which
// more than room bytes would be written. It may overwrite the spare bytes behind room.
//
//go:noescape
func joinAVX2(low, high *[16]byte, dst *byte, room int, pairs *Pair, n int) (written, whole int)
