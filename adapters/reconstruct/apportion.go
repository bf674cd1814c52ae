package reconstruct

import (
	"math/bits"
	"slices"
)

// apportion splits total over weights by largest remainder (Hamilton's
// method), giving none more than its cap (nil: no caps). What no weight can
// take goes wherever a cap leaves room. The parts add up to total, or to the
// caps' sum where that is less. Ties go to the lower index.
func apportion(total int, weights, caps []int) []int {
	out := make([]int, len(weights))
	if len(out) == 0 {
		return out
	}
	room := func(i int) int {
		if caps == nil {
			return total
		}
		return caps[i] - out[i]
	}
	type share struct {
		index int
		rest  uint64
	}
	shares := make([]share, 0, len(weights))
	// Each round closes a row at its cap or ends; the bound is against
	// weights made to close them one by one.
	for round := 0; total > 0 && round < 32; round++ {
		sum := 0
		for i, w := range weights {
			if room(i) > 0 {
				sum += w
			}
		}
		if sum == 0 {
			break
		}
		shares = shares[:0]
		left := total
		for i, w := range weights {
			if w == 0 || room(i) <= 0 {
				continue
			}
			hi, lo := bits.Mul64(uint64(total), uint64(w))
			q, rest := bits.Div64(hi, lo, uint64(sum))
			part := min(int(q), room(i))
			if part < int(q) {
				rest = 0
			}
			out[i] += part
			left -= part
			shares = append(shares, share{i, rest})
		}
		slices.SortFunc(shares, func(a, b share) int {
			if a.rest != b.rest {
				if a.rest > b.rest {
					return -1
				}
				return 1
			}
			return a.index - b.index
		})
		for _, s := range shares {
			if left == 0 || s.rest == 0 {
				break
			}
			if caps == nil || caps[s.index] > out[s.index] {
				out[s.index]++
				left--
			}
		}
		total = left
	}
	for i := range out {
		if total == 0 {
			break
		}
		if more := min(room(i), total); more > 0 {
			out[i] += more
			total -= more
		}
	}
	return out
}

func sum(xs []int) int {
	s := 0
	for _, x := range xs {
		s += x
	}
	return s
}

// Apportion splits total over weights by largest remainder, giving none more
// than its cap (nil: no caps). The parts add up to total, or to the caps' sum
// where that is less.
func Apportion(total int, weights, caps []int) []int { return apportion(total, weights, caps) }
