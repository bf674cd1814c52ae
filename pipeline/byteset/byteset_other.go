//go:build !amd64 || purego

package byteset

// hasAll reports whether the processor has what looking for bytes by halves needs.
const hasAll = false

// HasAny reports whether a byte of text is in the set.
func (s *Set) HasAny(text string) bool { return s.hasAnyPortable(text) }

// join appends literals and texts, up to a text that has a byte of the set, and returns
// how many texts it appended.
func (s *Set) join(dst []byte, literals, texts []string) ([]byte, int) {
	return s.joinPortable(dst, literals, texts)
}
