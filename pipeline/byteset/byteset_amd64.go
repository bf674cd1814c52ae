//go:build !purego

package byteset

import (
	"slices"
	"unsafe"

	"golang.org/x/sys/cpu"
)

// hasAll reports whether the processor has what the functions here need.
var hasAll = cpu.X86.HasAVX2 && cpu.X86.HasBMI2

// HasAny reports whether a byte of text is in the set.
func (s *Set) HasAny(text string) bool {
	if s.fast && text != "" {
		return hasAnyAVX2(&s.halves, &text, 1)
	}
	return s.hasAnyPortable(text)
}

// HasAny reports whether a text has a byte of the set with its number. There must be as
// many texts as sets.
func (s *Sets) HasAny(texts []string) bool {
	if s.fast && len(texts) == len(s.halves) {
		return hasAnyAVX2(&s.halves[0], &texts[0], len(texts))
	}
	return s.hasAnyPortable(texts)
}

// Join appends literals as they stand, and behind each of them the text with its number,
// up to the first text that has a byte of the set. Of this one it appends the literal. It
// returns how many texts are appended. There must be as many literals as texts.
func (s *Set) Join(dst []byte, literals, texts []string) (_ []byte, done int) {
	if !s.fast || len(literals) != len(texts) {
		return s.joinPortable(dst, literals, texts)
	}
	for done < len(texts) {
		if room := cap(dst) - len(dst) - spare; room >= 0 {
			written, n := joinAVX2(&s.halves, unsafe.SliceData(dst[len(dst):cap(dst)]), room, &literals[done], &texts[done], len(texts)-done)
			dst = dst[:len(dst)+written]
			if done += n; done == len(texts) {
				break
			}
		}
		literal, text := literals[done], texts[done]
		if s.HasAny(text) {
			return append(dst, literal...), done
		}
		dst = slices.Grow(dst, len(literal)+len(text)+spare)
	}
	return dst, done
}

// hasAnyAVX2 reports whether one of n texts, at least one, has a byte of its set.
//
//go:noescape
func hasAnyAVX2(sets *halves, texts *string, n int) bool

// joinAVX2 writes literals and texts to dst, up to a text that has a byte of the set or
// with which more than room bytes would be written. It may overwrite the spare bytes
// behind room.
//
//go:noescape
func joinAVX2(set *halves, dst *byte, room int, literals, texts *string, n int) (written, done int)
