//go:build !amd64 || purego

package byteset

// hasAll reports whether the processor has what looking for bytes by halves needs.
const hasAll = false

// HasAny reports whether a byte of text is in the set.
func (s *Set) HasAny(text string) bool { return s.hasAnyPortable(text) }

// HasAny reports whether a text has a byte of the set with its number. There must be as
// many texts as sets.
func (s *Sets) HasAny(texts []string) bool { return s.hasAnyPortable(texts) }

// join appends literals and texts, up to a text that has a byte of the set, and returns
// how many texts it appended.
func (s *Set) join(dst []byte, literals, texts []string) ([]byte, int) {
	return s.joinPortable(dst, literals, texts)
}
