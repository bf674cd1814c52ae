package spill_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"hopper/adapters/input/spill"
)

type pair struct{ key, value string }

func drain(t rapid.TB, s *spill.Sorter) []pair {
	sorted, err := s.Sort()
	if err != nil {
		t.Fatal(err)
	}
	var got []pair
	for {
		k, v, err := sorted.Next(context.Background())
		if err == io.EOF {
			return got
		}
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, pair{string(k), string(v)})
	}
}

var pairs = rapid.SliceOf(rapid.Custom(func(t *rapid.T) pair {
	return pair{rapid.StringN(0, 12, -1).Draw(t, "key"), rapid.SampledFrom([]string{"", "v", "value", strings.Repeat("long", 50)}).Draw(t, "value")}
}))

func TestSorterAsStableSort(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(rt *rapid.T) {
		want := pairs.Draw(rt, "pairs")
		for i := range want {
			if rapid.Bool().Draw(rt, "same key") {
				want[i].key = want[0].key
			}
			want[i].value += fmt.Sprint(i)
		}
		s := &spill.Sorter{Dir: dir, Limit: rapid.SampledFrom([]int{0, 1, 100, 1000}).Draw(rt, "limit")}
		defer s.Close()
		for _, p := range want {
			if err := s.Add([]byte(p.key), []byte(p.value)); err != nil {
				rt.Fatal(err)
			}
		}
		slices.SortStableFunc(want, func(a, b pair) int { return strings.Compare(a.key, b.key) })
		if got := drain(rt, s); !slices.Equal(got, want) {
			rt.Fatalf("got %q, want %q", got, want)
		}
	})
}

// Many records are sorted otherwise than few, and their repeats are those that a
// look at each record finds.
func TestManyRecords(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(rt *rapid.T) {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 0))
		mask := rapid.SampledFrom([]uint64{0, 1, 0xFF00FF, 0xFF << 56, 1<<12 - 1, 1<<64 - 1}).Draw(rt, "differ")
		limit := rapid.SampledFrom([]int{0, 40 << 10}).Draw(rt, "limit")
		var want []pair
		sorters := [2]*spill.Sorter{{Dir: dir, Limit: limit}, {Dir: dir, Limit: limit}}
		for i := range rapid.IntRange(400, 3000).Draw(rt, "records") {
			key := binary.BigEndian.AppendUint64(nil, r.Uint64()&mask)
			key = append(key, make([]byte, r.IntN(3))...)
			want = append(want, pair{string(key), fmt.Sprint(i)})
			for _, s := range sorters {
				if err := s.Add(key, []byte(fmt.Sprint(i))); err != nil {
					rt.Fatal(err)
				}
			}
		}
		slices.SortStableFunc(want, func(a, b pair) int { return strings.Compare(a.key, b.key) })
		if got := drain(rt, sorters[0]); !slices.Equal(got, want) {
			rt.Fatalf("got %q, want %q", got, want)
		}
		repeats := slices.Clone(want[:0])
		for i := 1; i < len(want); i++ {
			if want[i].key == want[i-1].key {
				repeats = append(repeats, want[i])
			}
		}
		sorted, err := sorters[1].Sort()
		var got []pair
		for err == nil {
			var k, v []byte
			if k, v, err = sorted.NextRepeat(context.Background()); err == nil {
				got = append(got, pair{string(k), string(v)})
			}
		}
		if err != io.EOF || !slices.Equal(got, repeats) {
			rt.Fatalf("%v: %d repeats, want %d", err, len(got), len(repeats))
		}
		for _, s := range sorters {
			s.Close()
		}
	})
}

func TestIndexFindsAll(t *testing.T) {
	dir := t.TempDir()
	for _, limit := range []int{0, 4 << 10} {
		s := &spill.Sorter{Dir: dir, Limit: limit}
		want := map[string][]string{}
		r := rand.New(rand.NewPCG(1, 2))
		for i := range 5000 {
			key := fmt.Sprintf("key %d", r.IntN(1000))
			if i%3 == 0 {
				key = "key 500" // spans blocks
			}
			value := fmt.Sprintf("value %d of %s", i, key)
			want[key] = append(want[key], value)
			if err := s.Add([]byte(key), []byte(value)); err != nil {
				t.Fatal(err)
			}
		}
		ix, err := spill.NewIndex(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		defer ix.Close()
		for i := range 2000 {
			key := fmt.Sprintf("key %d", i)
			var got []string
			if err := ix.Lookup([]byte(key), func(v []byte) { got = append(got, string(v)) }); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got, want[key]) {
				t.Fatalf("%s: got %d values, want %d", key, len(got), len(want[key]))
			}
		}
	}
}

func TestEmptyIndex(t *testing.T) {
	ix, err := spill.NewIndex(t.Context(), &spill.Sorter{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer ix.Close()
	if err := ix.Lookup([]byte("x"), func([]byte) { t.Error("found something") }); err != nil {
		t.Error(err)
	}
}

func TestLeavesNoFiles(t *testing.T) {
	dir := t.TempDir()
	s := &spill.Sorter{Dir: dir, Limit: 1}
	for range 3 {
		if err := s.Add([]byte("key"), bytes.Repeat([]byte("x"), 100)); err != nil {
			t.Fatal(err)
		}
	}
	ix, err := spill.NewIndex(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	if err := ix.Close(); err != nil {
		t.Fatal(err)
	}
	if files, _ := os.ReadDir(dir); len(files) > 0 {
		t.Errorf("left %v", files)
	}
}

func TestNowhereToSpill(t *testing.T) {
	s := &spill.Sorter{Dir: "/does/not/exist", Limit: 1}
	err := s.Add([]byte("a"), nil)
	if err == nil {
		err = s.Add([]byte("b"), nil)
	}
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v, want %v", err, os.ErrNotExist)
	}
}

func BenchmarkSorter(b *testing.B) {
	const records = 1 << 20
	b.SetBytes(records * 32)
	b.ReportAllocs()
	for b.Loop() {
		s := &spill.Sorter{Limit: 16 << 20}
		r := rand.New(rand.NewPCG(1, 2))
		var key [24]byte
		var value [8]byte
		for i := range records {
			binary.BigEndian.PutUint64(key[:], r.Uint64N(records/10))
			binary.BigEndian.PutUint64(key[16:], uint64(i))
			if err := s.Add(key[:], value[:]); err != nil {
				b.Fatal(err)
			}
		}
		drainAll(b, s)
		s.Close()
	}
}

func drainAll(b *testing.B, s *spill.Sorter) {
	sorted, err := s.Sort()
	for err == nil {
		_, _, err = sorted.Next(b.Context())
	}
	if err != io.EOF {
		b.Fatal(err)
	}
}
