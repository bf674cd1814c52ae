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
	if s.fast && text != "" {
		return hasAnyAVX2(&s.halves, unsafe.StringData(text), len(text))
	}
	return s.hasAnyPortable(text)
}

// HasAny reports whether a text has a byte of the set with its number. There must be as
// many texts as sets.
func (s *Sets) HasAny(texts []string) bool {
	if s.fast && len(texts) == len(s.halves) {
		return hasAnyOfAVX2(&s.halves[0], &texts[0], len(texts))
	}
	return s.hasAnyPortable(texts)
}

// join appends literals and texts, up to a text that has a byte of the set or for which
// dst has no room, and returns how many texts it appended.
func (s *Set) join(dst []byte, literals, texts []string) ([]byte, int) {
	if !s.fast {
		return s.joinPortable(dst, literals, texts)
	}
	room := cap(dst) - len(dst) - spare
	if room < 0 {
		return dst, 0
	}
	written, done := joinAVX2(&s.halves, unsafe.SliceData(dst[len(dst):cap(dst)]), room, &literals[0], &texts[0], len(texts))
	return dst[:len(dst)+written], done
}

// hasAnyAVX2 is hasAnyPortable in the processor's own words, for at least one byte.
//
//go:noescape
func hasAnyAVX2(set *halves, text *byte, n int) bool

// hasAnyOfAVX2 reports whether one of n texts, at least one, has a byte of its set.
//
//go:noescape
func hasAnyOfAVX2(sets *halves, texts *string, n int) bool

// joinAVX2 writes literals and texts to dst, up to a text that has a byte of the set or
// with which more than room bytes would be written. It may overwrite the spare bytes
// behind room.
//
//go:noescape
func joinAVX2(set *halves, dst *byte, room int, literals, texts *string, n int) (written, done int)
