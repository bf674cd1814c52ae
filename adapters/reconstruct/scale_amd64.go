//go:build !purego

package reconstruct

import "golang.org/x/sys/cpu"

// weigh does what weighPortable does.
func (s *scale) weigh(at int, views, seconds float64, gains *[lanes]float64) (may uint32) {
	if cpu.X86.HasAVX2 {
		return weighAVX2(s, at, views, seconds, gains)
	}
	return s.weighPortable(at, views, seconds, gains)
}

// weighAVX2 is weighPortable for four visits at a time. There must be lanes places from
// this one on, and the visits' rows.
//
//go:noescape
func weighAVX2(s *scale, at int, views, seconds float64, gains *[lanes]float64) (may uint32)
