//go:build !amd64 || purego

package reconstruct

// weigh does what weighPortable does.
func (s *scale) weigh(at int, views, seconds float64, gains *[lanes]float64) (may uint32) {
	return s.weighPortable(at, views, seconds, gains)
}
