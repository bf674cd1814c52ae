package reconstruct

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// What the sorter sorts byte by byte is what comparing sorts.
func TestSorter(t *testing.T) {
	var s sorter
	rapid.Check(t, func(t *rapid.T) {
		low := rapid.IntRange(0, 40).Draw(t, "low")
		high := rapid.SampledFrom([]uint64{1, 7, 255, 256, 1 << 20, 1<<24 - 1}).Draw(t, "high")
		list := make([]uint64, rapid.IntRange(0, 300).Draw(t, "numbers"))
		for i := range list {
			list[i] = rapid.Uint64Range(0, high).Draw(t, "number")<<low | uint64(i)&(1<<low-1)
		}
		if low < 9 { // not all places fit
			low = 0
		}
		want := slices.Clone(list)
		slices.Sort(want)
		if s.sort(list, low); !slices.Equal(list, want) {
			t.Fatalf("%x, want %x", list, want)
		}
	})
}
