package adapters

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestRepeats(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(rt *rapid.T) {
		tables := rapid.SliceOfN(rapid.SliceOfN(rapid.IntRange(0, 40), 0, 40), 1, 4).Draw(rt, "events of tables")
		f := RepeatFinder{Dir: dir}
		f.notes.Limit = rapid.SampledFrom([]int{0, 1}).Draw(rt, "memory")
		f.limit = rapid.SampledFrom([]int{0, 1, 7, 40, 100}).Draw(rt, "hashes")
		seen := map[int]bool{}
		want := make([][]int64, len(tables))
		for table, events := range tables {
			for row, event := range events {
				if seen[event] {
					want[table] = append(want[table], int64(row))
				}
				seen[event] = true
				if err := f.Add(table, Identified{IDOf(fmt.Sprint(event)), int64(row)}); err != nil {
					rt.Fatal(err)
				}
			}
		}
		checkRepeats(rt, &f, want)
	})
}

// TestRepeatsOfMany has more notes than a block holds, some of them on disk, and few
// repeats, far from each other.
func TestRepeatsOfMany(t *testing.T) {
	for _, limit := range []int{0, 600 << 10} {
		f := RepeatFinder{Dir: t.TempDir()}
		f.notes.Limit = limit
		var want []int64
		for row := range int64(100_000) {
			var id ID
			binary.LittleEndian.PutUint64(id[:], uint64(row))
			if row%9_973 == 9_972 {
				binary.LittleEndian.PutUint64(id[:], uint64(row-5000))
				want = append(want, row*3)
			}
			if err := f.Add(0, Identified{id, row * 3}); err != nil {
				t.Fatal(err)
			}
		}
		checkRepeats(t, &f, [][]int64{want})
	}
}

// TestRepeatsOfOneEvent has an event that far more rows are than others.
func TestRepeatsOfOneEvent(t *testing.T) {
	for _, limit := range []int{0, 3000} {
		f := RepeatFinder{Dir: t.TempDir(), limit: limit}
		var want []int64
		for row := range int64(20_000) {
			id := IDOf("one")
			if row%5 == 4 {
				id = IDOf(fmt.Sprint(row))
			} else if row > 0 {
				want = append(want, row)
			}
			if err := f.Add(0, Identified{id, row}); err != nil {
				t.Fatal(err)
			}
		}
		if found := slices.ContainsFunc(f.hashes.parts[:], func(p part) bool { return p.full }); found != (limit == 0) {
			t.Errorf("limit %d: a part is full: %v", limit, found)
		}
		checkRepeats(t, &f, [][]int64{want})
	}
}

// checkRepeats holds what a finder finds against the rows that are wanted of each table.
func checkRepeats(t rapid.TB, f *RepeatFinder, want [][]int64) {
	t.Helper()
	found, err := f.Find(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for table := range want {
		var got []int64
		for end := int64(7); end < 400_000; end += 7 + end/9 {
			some, err := found.Take(context.Background(), table, end)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, some...)
		}
		if !slices.Equal(got, want[table]) {
			t.Fatalf("table %d: got %v, want %v", table, got, want[table])
		}
	}
	if found != nil {
		found.Close()
	}
}

func BenchmarkRepeats(b *testing.B) {
	for _, n := range []int{20_000, 400_000, 2_000_000} {
		events := make([]Identified, n)
		random := rand.New(rand.NewPCG(1, 2))
		for i := range events {
			binary.LittleEndian.PutUint64(events[i].ID[:], random.Uint64())
			binary.LittleEndian.PutUint64(events[i].ID[8:], random.Uint64())
			events[i].Row = int64(i)
		}
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				f := RepeatFinder{Dir: b.TempDir()}
				for some := range slices.Chunk(events, 1000) {
					if err := f.Add(0, some...); err != nil {
						b.Fatal(err)
					}
				}
				if found, err := f.Find(b.Context()); found != nil || err != nil {
					b.Fatal(found, err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/event")
		})
	}
}
