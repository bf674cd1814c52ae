package reconstruct

import (
	"cmp"
	"math"
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

// Places are sorted as comparing their scores and rows sorts them.
func TestSortedRows(t *testing.T) {
	score := rapid.OneOf(rapid.Float64Range(-1e-5, 1e-5), rapid.Float64Range(-3, 12), rapid.Float64Range(-300, 300), rapid.SampledFrom([]float64{0, 1, math.Inf(1), math.Inf(-1)}))
	rapid.Check(t, func(t *rapid.T) {
		places := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) place {
			return place{score.Draw(t, "score"), rapid.Int32Range(0, 9).Draw(t, "row")}
		}), 0, 100).Draw(t, "places")
		got := sortedRows(slices.Clone(places))
		slices.SortFunc(places, func(a, b place) int { return cmp.Or(cmp.Compare(a.score, b.score), cmp.Compare(a.row, b.row)) })
		for k, p := range places {
			if got[k] != p.row {
				t.Fatalf("%v at %d, want %v", got, k, places)
			}
		}
	})
}
