package spill

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"
)

// Where blocks share few places in memory, and several goroutines push out each
// other's, every lookup still finds what was added, in order.
func TestLookupsWithFewBlocksHeld(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(rt *rapid.T) {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 0))
		keys := rapid.Uint64Range(1, 5000).Draw(rt, "keys")
		tail := rapid.IntRange(0, 3).Draw(rt, "bytes behind the prefix")
		s := &Sorter{Dir: dir, Limit: 64 << 10}
		want := map[string][]string{}
		for i := range rapid.IntRange(0, 3000).Draw(rt, "records") {
			key := aKey(r, keys, tail)
			value := fmt.Sprint(i)
			if r.IntN(500) == 0 {
				value += strings.Repeat("long", r.IntN(3*maxHeldSize/4))
			}
			want[key] = append(want[key], value)
			if err := s.Add([]byte(key), []byte(value)); err != nil {
				rt.Fatal(err)
			}
		}
		ix, err := NewIndex(t.Context(), s)
		if err != nil {
			rt.Fatal(err)
		}
		defer ix.Close()
		places := rapid.IntRange(1, 8).Draw(rt, "places")
		ix.held = make([]atomic.Pointer[block], min(places, len(ix.held)))
		var all sync.WaitGroup
		wrong := make([]string, 3)
		for g := range wrong {
			r := rand.New(rand.NewPCG(uint64(g), 1))
			all.Go(func() {
				for range 200 {
					key := aKey(r, keys+2, tail)
					var got []string
					err := ix.Lookup([]byte(key), func(v []byte) { got = append(got, string(v)) })
					if err != nil || !slices.Equal(got, want[key]) {
						wrong[g] = fmt.Sprintf("%x: %d values, want %d: %v", key, len(got), len(want[key]), err)
						return
					}
				}
			})
		}
		all.Wait()
		for _, w := range wrong {
			if w != "" {
				rt.Fatal(w)
			}
		}
		for i := range ix.held {
			if b := ix.held[i].Load(); b != nil && len(b.records) > maxHeldSize {
				rt.Fatalf("holds a block of %d bytes", len(b.records))
			}
		}
	})
}

// aKey makes one of n keys, of some of which another is the beginning.
func aKey(r *rand.Rand, n uint64, tail int) string {
	key := binary.BigEndian.AppendUint64(nil, r.Uint64N(n)/uint64(tail+1))
	return string(append(key, make([]byte, r.IntN(tail+1))...))
}

func BenchmarkIndex(b *testing.B) {
	const records = 1 << 18
	s := &Sorter{Dir: b.TempDir()}
	key := func(n int) []byte { return binary.BigEndian.AppendUint64(nil, uint64(n)) }
	for i := range records {
		if err := s.Add(key(i), []byte("example.com/some/page/of/this/length")); err != nil {
			b.Fatal(err)
		}
	}
	ix, err := NewIndex(b.Context(), s)
	if err != nil {
		b.Fatal(err)
	}
	defer ix.Close()
	for name, next := range map[string]func(i int) int{"ascending": func(i int) int { return i / 4 % records }, "anywhere": func(int) int { return rand.IntN(records) }} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				found := 0
				if err := ix.Lookup(key(next(i)), func([]byte) { found++ }); err != nil || found != 1 {
					b.Fatal(found, err)
				}
			}
		})
	}
}
