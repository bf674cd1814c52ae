package reconstruct

import (
	"math/bits"
	"slices"
)

// A sorter sorts numbers that stand in the order of their low bits already: it goes
// through them once for each byte above these in which any differ. It keeps the
// memory that it takes.
type sorter struct{ spare []uint64 }

// sort sorts a list whose numbers are in the order of their lowest bits.
func (s *sorter) sort(list []uint64, low int) {
	const few = 24 // which comparing sorts sooner
	if len(list) <= few {
		slices.Sort(list)
		return
	}
	differ := uint64(0)
	for _, x := range list {
		differ |= x ^ list[0]
	}
	s.spare = slices.Grow(s.spare[:0], len(list))
	from, to := list, s.spare[:len(list)]
	for differ = differ >> low << low; differ != 0; {
		shift := bits.TrailingZeros64(differ)
		differ = differ >> shift &^ 0xFF << shift
		var next [256]uint32 // where a number of the byte goes
		for _, x := range from {
			next[byte(x>>shift)]++
		}
		at := uint32(0)
		for b, n := range next {
			next[b] = at
			at += n
		}
		for _, x := range from {
			b := byte(x >> shift)
			to[next[b]] = x
			next[b]++
		}
		from, to = to, from
	}
	if &from[0] != &list[0] {
		copy(list, from)
	}
}
