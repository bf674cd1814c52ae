package adapters

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"hopper/pipeline"
)

func TestVisits(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(rt *rapid.T) {
		minutes := rapid.SliceOfN(rapid.IntRange(-100, 300), 0, 60).Draw(rt, "minutes")
		visitor := func(i int) string { return fmt.Sprint("visitor ", i%3) }
		at := func(i int) pipeline.Micros { return pipeline.Micros(minutes[i]) * 60e6 }
		f := VisitFinder{Dir: dir}
		for i := range minutes {
			if err := f.Add(IDOf(visitor(i)), at(i), i/20, int64(i)); err != nil {
				rt.Fatal(err)
			}
		}
		found, err := f.Find(t.Context())
		if err != nil {
			rt.Fatal(err)
		}
		defer found.Close()
		for i := range minutes {
			taken, err := found.Take(t.Context(), i/20, int64(i)+1)
			if err != nil || len(taken) != 1 || taken[0].Row != int64(i) {
				rt.Fatalf("row %d: got %v, %v", i, taken, err)
			}
			if want := visitStart(minutes, i); taken[0].Start != pipeline.Micros(want)*60e6 {
				rt.Fatalf("row %d: began at %v, want %d minutes", i, taken[0].Start.Time(), want)
			}
		}
	})
}

// visitStart goes back from an event to the first of its visit.
func visitStart(minutes []int, of int) int {
	var own []int
	for i, m := range minutes {
		if i%3 == of%3 && m <= minutes[of] {
			own = append(own, m)
		}
	}
	slices.Sort(own)
	start := len(own) - 1
	for start > 0 && time.Duration(own[start]-own[start-1])*time.Minute < 30*time.Minute {
		start--
	}
	return own[start]
}

func FuzzIDs(f *testing.F) {
	f.Add("6c1c77a2-c723-50b2-9268-0868c3c6305d", "6C1C77A2-C723-50B2-9268-0868C3C6305D")
	f.Add("1", "6c1c77a2-c723-50b2-9268-0868c3c6305-")
	f.Fuzz(func(t *testing.T, a, b string) {
		same := IDOf(a) == IDOf(b)
		if a == b && !same {
			t.Errorf("%q has two ids", a)
		}
		if same && len(a) != len(b) {
			t.Errorf("%q and %q have one id", a, b)
		}
	})
}
