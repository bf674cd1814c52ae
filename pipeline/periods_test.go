package pipeline

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// Periods cover each time that was added, and none more than a day away from it.
func TestPeriods(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		times := rapid.SliceOfN(rapid.Int64Range(0, 40), 1, 30).Draw(t, "half days")
		var p Periods
		for _, at := range times {
			p.Add(Micros(at)*aDay/2, Micros(at)*aDay/2)
		}
		slices.Sort(times)
		var want Periods
		for _, at := range times {
			at := Micros(at) * aDay / 2
			if n := len(want); n > 0 && at < want[n-1][1]+aDay {
				want[n-1][1] = at
				continue
			}
			want = append(want, [2]Micros{at, at})
		}
		if !slices.Equal(p, want) {
			t.Fatalf("%v gives %v, not %v", times, p, want)
		}
	})
}
