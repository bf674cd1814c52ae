package adapters

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestRepeats(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(rt *rapid.T) {
		tables := rapid.SliceOfN(rapid.SliceOfN(rapid.IntRange(0, 40), 0, 40), 1, 4).Draw(rt, "events of tables")
		f := RepeatFinder{Dir: dir}
		seen := map[int]bool{}
		want := make([][]int64, len(tables))
		for table, events := range tables {
			for row, event := range events {
				if seen[event] {
					want[table] = append(want[table], int64(row))
				}
				seen[event] = true
				if err := f.Add(IDOf(fmt.Sprint(event)), table, int64(row)); err != nil {
					rt.Fatal(err)
				}
			}
		}
		found, err := f.Find(t.Context())
		if err != nil {
			rt.Fatal(err)
		}
		for table, events := range tables {
			var got []int64
			for end := int64(0); end <= int64(len(events)); end += 7 {
				some, err := found.Take(t.Context(), table, min(end+7, int64(len(events))))
				if err != nil {
					rt.Fatal(err)
				}
				got = append(got, some...)
			}
			if !slices.Equal(got, want[table]) {
				rt.Fatalf("table %d: got %v, want %v", table, got, want[table])
			}
		}
		if found != nil {
			found.Close()
		}
	})
}
