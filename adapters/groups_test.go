package adapters_test

import (
	"bytes"
	"encoding/binary"
	"maps"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"hopper/adapters"
)

func numbered(n uint64) (id adapters.ID) {
	binary.BigEndian.PutUint64(id[8:], n)
	return id
}

// TestGroupsAsByWalking compares groups with those that a walk from name to name
// finds: chains, rings, stars, cliques and what is drawn at random.
func TestGroupsAsByWalking(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(rt *rapid.T) {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 0))
		n := rapid.Uint64Range(1, 300).Draw(rt, "identifiers")
		shape := rapid.SampledFrom([]string{"chain", "star", "random", "sparse"}).Draw(rt, "shape")
		names := r.Perm(int(n))
		f := adapters.GroupFinder{Dir: dir}
		defer f.Close()
		near := map[adapters.ID][]adapters.ID{}
		for i := range rapid.Uint64Range(0, 2*n).Draw(rt, "pairs") {
			a, b := i%n, (i+1)%n
			switch shape {
			case "star":
				a = 0
			case "random":
				a, b = r.Uint64N(n), r.Uint64N(n)
			case "sparse":
				a = r.Uint64N(n)
				b = a / 4 * 4
			}
			x, y := numbered(uint64(names[a])), numbered(uint64(names[b]))
			near[x], near[y] = append(near[x], y), append(near[y], x)
			if err := f.Add(x, y); err != nil {
				rt.Fatal(err)
			}
		}
		want := map[adapters.ID]adapters.ID{}
		for i := range n { // in ascending order, so that the first to come is the least
			start := numbered(i)
			if near[start] == nil {
				continue
			}
			for next := []adapters.ID{start}; len(next) > 0; next = next[1:] {
				if _, met := want[next[0]]; !met {
					want[next[0]] = start
					next = append(next, near[next[0]]...)
				}
			}
		}
		got, last := map[adapters.ID]adapters.ID{}, adapters.ID{}
		err := f.Find(t.Context(), func(member, least adapters.ID) error {
			if len(got) > 0 && bytes.Compare(member[:], last[:]) <= 0 {
				rt.Errorf("%x comes behind %x", member, last)
			}
			got[member], last = least, member
			return nil
		})
		if err != nil || !maps.Equal(got, want) {
			rt.Fatalf("%v %s", err, cmp.Diff(want, got))
		}
	})
}

// TestManyGroups finds groups of which there are more than fit into memory at a time.
func TestManyGroups(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	const groups, size = 100_000, 4
	f := adapters.GroupFinder{Dir: t.TempDir()}
	defer f.Close()
	r := rand.New(rand.NewPCG(1, 2))
	for range groups { // chains: a-b, b-c, c-d
		id := r.Uint64() | 1
		for i := range uint64(size - 1) {
			if err := f.Add(numbered(id+i*i*1e17), numbered(id+(i+1)*(i+1)*1e17)); err != nil {
				t.Fatal(err)
			}
		}
	}
	of := map[adapters.ID]int{}
	err := f.Find(t.Context(), func(_, least adapters.ID) error {
		of[least]++
		return nil
	})
	if err != nil || len(of) != groups {
		t.Fatalf("%d groups, %v", len(of), err)
	}
	for least, n := range of {
		if n != size {
			t.Fatalf("%x has %d", least, n)
		}
	}
}
