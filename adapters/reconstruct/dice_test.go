package reconstruct

import (
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestDiceAreThoseOfTheStandardLibrary(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seed1, seed2 := rapid.Uint64().Draw(t, "seed1"), rapid.Uint64().Draw(t, "seed2")
		ours, theirs := newDice(seed1, seed2), rand.New(rand.NewPCG(seed1, seed2))
		for range 20 {
			n := rapid.OneOf(rapid.IntRange(1, 100), rapid.IntRange(1, 1<<62), rapid.Just(3<<61)).Draw(t, "n")
			if got, want := ours.IntN(n), theirs.IntN(n); got != want {
				t.Fatalf("IntN(%d) is %d, want %d", n, got, want)
			}
		}
		a, b := make([]int, 33), make([]int, 33)
		for i := range a {
			a[i], b[i] = i, i
		}
		shuffle(ours, a)
		theirs.Shuffle(len(b), func(i, j int) { b[i], b[j] = b[j], b[i] })
		if !slices.Equal(a, b) {
			t.Fatalf("shuffled to %v, want %v", a, b)
		}
		if got, want := ours.NormFloat64(), theirs.NormFloat64(); got != want {
			t.Fatalf("NormFloat64 is %v, want %v", got, want)
		}
	})
}
