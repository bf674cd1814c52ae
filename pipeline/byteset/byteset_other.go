//go:build !amd64 || purego

package byteset

// hasAll reports whether the processor has what looking for bytes by halves needs.
const hasAll = false

// HasAny reports whether a byte of text is in the set.
func (s *Set) HasAny(text string) bool { return s.hasAnyPortable(text) }

// HasAny reports whether a text has a byte of the set with its number. There must be as
// many texts as sets.
func (s *Sets) HasAny(texts []string) bool { return s.hasAnyPortable(texts) }

// Join appends literals as they stand, and behind each of them the text with its number,
// up to the first text that has a byte of the set. Of this one it appends the literal. It
// returns how many texts are appended. There must be as many literals as texts.
func (s *Set) Join(dst []byte, literals, texts []string) (_ []byte, done int) {
	return s.joinPortable(dst, literals, texts)
}
