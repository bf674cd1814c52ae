package reconstruct

import (
	"math/bits"
	"math/rand/v2"
)

// dice is a [rand.PCG] and the [rand.Rand] over it, number for number. The search
// draws two numbers for each move it tries, and without the calls through an
// interface these take half the time.
type dice struct {
	*rand.Rand
	hi, lo uint64
}

func newDice(seed1, seed2 uint64) *dice {
	d := &dice{hi: seed1, lo: seed2}
	d.Rand = rand.New(d)
	return d
}

// Uint64 returns the next number, see [rand.PCG].
func (d *dice) Uint64() uint64 {
	const (
		mulHi, mulLo = 2549297995355413924, 4865540595714422341
		incHi, incLo = 6364136223846793005, 1442695040888963407
		cheapMul     = 0xda942042e4dd58b5
	)
	hi, lo := bits.Mul64(d.lo, mulLo)
	hi += d.hi*mulLo + d.lo*mulHi
	lo, carry := bits.Add64(lo, incLo, 0)
	hi, _ = bits.Add64(hi, incHi, carry)
	d.hi, d.lo = hi, lo
	hi ^= hi >> 32
	hi *= cheapMul
	hi ^= hi >> 48
	return hi * (lo | 1)
}

// IntN returns a number below n, see [rand.Rand.IntN].
func (d *dice) IntN(n int) int {
	if n <= 0 {
		panic("a number below nothing")
	}
	x := uint64(n)
	if x&(x-1) == 0 {
		return int(d.Uint64() & (x - 1))
	}
	hi, lo := bits.Mul64(d.Uint64(), x)
	if lo < x {
		for thresh := -x % x; lo < thresh; {
			hi, lo = bits.Mul64(d.Uint64(), x)
		}
	}
	return int(hi)
}

// shuffle is [rand.Rand.Shuffle] of a list.
func shuffle[T any](d *dice, list []T) {
	for i := len(list) - 1; i > 0; i-- {
		j := d.IntN(i + 1)
		list[i], list[j] = list[j], list[i]
	}
}

// perm is [rand.Rand.Perm], of smaller numbers.
func (d *dice) perm(n int) []int32 {
	p := make([]int32, n)
	for i := range p {
		p[i] = int32(i)
	}
	shuffle(d, p)
	return p
}
