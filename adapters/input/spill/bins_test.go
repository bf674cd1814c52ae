package spill_test

import (
	"os"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"hopper/adapters/input/spill"
)

func TestBinsKeepTheirOrder(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(rt *rapid.T) {
		b := spill.Bins{Dir: dir, Limit: rapid.SampledFrom([]int{0, 1, 100, 2000}).Draw(rt, "limit")}
		defer b.Close()
		want := make([][]string, rapid.IntRange(1, 5).Draw(rt, "bins"))
		for range want {
			b.New()
		}
		compare := func() {
			for number := range want {
				var got []string
				if err := b.Each(number, func(record []byte) error {
					got = append(got, string(record))
					return nil
				}); err != nil {
					rt.Fatal(err)
				}
				if !slices.Equal(got, want[number]) {
					rt.Fatalf("bin %d: got %q, want %q", number, got, want[number])
				}
			}
		}
		for range rapid.IntRange(0, 200).Draw(rt, "records") {
			number := rapid.IntRange(0, len(want)-1).Draw(rt, "bin")
			record := rapid.StringN(0, 60, -1).Draw(rt, "record")
			if err := b.Add(number, []byte(record)); err != nil {
				rt.Fatal(err)
			}
			want[number] = append(want[number], record)
			if len(want[number]) == 20 {
				compare() // more can be added to what was read
			}
		}
		compare()
	})
}

// What is beyond the limit is on disk, and nowhere once the bins are closed.
func TestBinsSpill(t *testing.T) {
	dir := t.TempDir()
	b := spill.Bins{Dir: dir, Limit: 1 << 10}
	for range 3 {
		b.New()
	}
	for i := range 3000 {
		if err := b.Add(i%3, make([]byte, 100)); err != nil {
			t.Fatal(err)
		}
		if held := spill.HeldBy(&b); held > 2<<10 {
			t.Fatalf("%d records take %d bytes of memory", i+1, held)
		}
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if files, _ := os.ReadDir(dir); len(files) > 0 {
		t.Errorf("left %v", files)
	}
}
