//go:build !amd64 || purego

package byteset

// HasAny reports whether a byte of text is in the set.
func (s *Set) HasAny(text string) bool { return s.hasAnyPortable(text) }

// join appends pairs, up to one whose Text has a byte of the set, and returns how many
// it appended.
func (s *Set) join(dst []byte, pairs []Pair) ([]byte, int) { return s.joinPortable(dst, pairs) }
