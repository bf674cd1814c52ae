package reconstruct

import (
	"testing"

	"pgregory.net/rapid"
)

// Sets are strange where they are not akin.
func TestStrange(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		set := rapid.OneOf(rapid.Just[uint16](0), rapid.Uint16Range(0, 7), rapid.Uint16())
		a, b := set.Draw(t, "a"), set.Draw(t, "b")
		if got := strange(a, b); got != 0 == akin(a, b) || got>>1 != 0 {
			t.Fatalf("%b and %b: strange %d, akin %v", a, b, got, akin(a, b))
		}
	})
}
