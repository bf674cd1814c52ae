package reconstruct

import (
	"testing"

	"pgregory.net/rapid"
)

// A scale tells of every window what trades gain, as counted in whole numbers, and which
// of them may be better than the best.
func TestScale(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const rows = 5
		amount := rapid.OneOf(rapid.IntRange(-3, 3), rapid.IntRange(-1<<45, 1<<45))
		visits := rapid.IntRange(1, 20).Draw(t, "visits")
		s := &scale{lots: newLots(visits), rows: make([]int32, visits)}
		s.viewWeight, s.secondWeight = rapid.SampledFrom([]float64{0, 1.0 / 7}).Draw(t, "a view's"), rapid.SampledFrom([]float64{0, 1.0 / 1200}).Draw(t, "a second's")
		s.best = rapid.SampledFrom([]float64{-0.4, 1e-12, 0.2}).Draw(t, "best")
		var tooMany, tooLong [rows]int
		for r := range rows {
			tooMany[r], tooLong[r] = amount.Draw(t, "views too many"), amount.Draw(t, "seconds too many")
			s.offs = append(s.offs, off{views: float64(tooMany[r]), seconds: float64(tooLong[r]), row: float64(r), repeats: rapid.SampledFrom([]float64{0, 0.1}).Draw(t, "repeats")})
		}
		type visit struct{ row, kind, views, seconds int }
		all := make([]visit, visits)
		for v := range all {
			all[v] = visit{rapid.IntRange(0, rows-1).Draw(t, "row"), rapid.IntRange(0, 2).Draw(t, "kind"), amount.Draw(t, "views"), amount.Draw(t, "seconds")}
			at := reach + v
			s.visits[at], s.rows[v] = int32(v), int32(all[v].row)
			s.kinds[at], s.views[at], s.seconds[at] = int32(all[v].kind), float64(all[v].views), float64(all[v].seconds)
		}
		of := rapid.SampledFrom(all).Draw(t, "of")
		s.kind, s.own = int32(of.kind), s.offs[of.row]
		for at := range visits + 1 {
			for name, weigh := range map[string]func(int, float64, float64, *[lanes]float64) uint32{"weigh": s.weigh, "weighPortable": s.weighPortable} {
				var gains [lanes]float64
				may := weigh(at, float64(of.views), float64(of.seconds), &gains)
				for k := range lanes {
					v, want := at-reach+k, false
					if k < 2*reach && v >= 0 && v < visits {
						o := all[v]
						gain := float64(nearer(tooMany[of.row], tooMany[o.row], of.views-o.views)) * s.viewWeight
						gain += float64(nearer(tooLong[of.row], tooLong[o.row], of.seconds-o.seconds)) * s.secondWeight
						if gains[k] != gain {
							t.Fatalf("%s around %d: visit %d gains %v, counted %v", name, at, v, gains[k], gain)
						}
						want = o.row != of.row && o.kind == of.kind && gain+(s.own.repeats+s.offs[o.row].repeats) > s.best
					}
					if got := may>>k&1 != 0; got != want {
						t.Fatalf("%s around %d: visit %d may gain: %v, counted %v", name, at, v, got, want)
					}
				}
			}
		}
	})
}
