package reconstruct

import (
	"testing"

	"pgregory.net/rapid"
)

// No visit that takes gains more than is told without comparing rows.
func TestMostGain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const rows, visits = 4, 6 // rows of a table
		f := &fitter{tables: rapid.IntRange(1, 5).Draw(t, "tables")}
		for range f.tables * rows {
			heft := rapid.SampledFrom([]int32{0, 1, 2, mostHeft}).Draw(t, "heft")
			f.heft[views] = append(f.heft[views], heft)
			f.off[views] = append(f.off[views], rapid.IntRange(-1, 1).Draw(t, "off"))
			f.worth = append(f.worth, f.value(views, int32(len(f.worth))))
		}
		for v := range visits {
			for table := range f.tables {
				f.at = append(f.at, int32(table*rows+rapid.IntRange(0, rows-1).Draw(t, "row")))
			}
			f.takers = append(f.takers, uint64(v))
		}
		f.clearTakings()
		for range 2 {
			for i := range int32(visits) {
				f.give(i)
				for j := range int32(visits) {
					if most, gain := f.mostGain(int(j), j), f.slope(j); gain > most {
						t.Fatalf("%d gives %d: %d, told are at most %d", i, j, gain, most)
					}
				}
			}
			// A shift changes what rows are worth.
			for r := range f.worth {
				f.off[views][r] = rapid.IntRange(-1, 1).Draw(t, "off then")
				f.worth[r] = f.value(views, int32(r))
			}
			f.made++
		}
	})
}
