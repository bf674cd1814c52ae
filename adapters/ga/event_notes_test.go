package ga

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"hopper/adapters/input/spill"
	"hopper/pipeline"
)

// What tables find, in memory and beyond it, is what a look at all of it at once
// finds, in whatever order it came.
func TestNotes(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(rt *rapid.T) {
		tally := newTally(dir)
		defer tally.close()
		first, later := make(map[uint64]uint64), []uint64{}
		kept := make(map[string]bool)
		n := rapid.IntRange(1, 3*minSlots).Draw(rt, "notes")
		digests := rapid.Uint64Range(1, uint64(n)).Draw(rt, "digests")
		seed := rapid.Uint64().Draw(rt, "seed")
		for i := range n {
			seed = seed*6364136223846793005 + 1442695040888963407
			digest, id, keep := seed>>33%digests, fmt.Sprint(seed>>40%digests), seed>>20%4 == 0
			at := seed>>8&0xFFFF<<12 | uint64(i) + 1
			var ev eventNote
			spread := digest * 0x9E3779B97F4A7C15 // as a digest is
			binary.BigEndian.PutUint64(ev.digest[:], spread)
			binary.BigEndian.PutUint64(ev.digest[8:], spread/3)
			ev.at = at
			if err := tally.events.add(&ev); err != nil {
				rt.Fatal(err)
			}
			if before, found := first[digest]; found {
				later = append(later, max(before, at))
				at = min(before, at)
			}
			first[digest] = at
			if err := tally.sessions.add(tally.sessions.of(id, keep)); err != nil {
				rt.Fatal(err)
			}
			kept[id] = kept[id] || keep
			if seed>>50%uint64(n) < 2 { // as a full table does
				if tally.events.spill() != nil || tally.sessions.spill() != nil {
					rt.Fatal("does not spill")
				}
			}
		}
		slices.Sort(later)
		found, err := repeatsOf(t.Context(), tally)
		if err != nil || !slices.Equal(found, later) {
			rt.Errorf("found %d repeats of %d (%v)", len(found), len(later), err)
		}
		want := 0
		for _, keep := range kept {
			if !keep {
				want++
			}
		}
		if lone, err := tally.sessions.lone(t.Context()); err != nil || lone != want {
			rt.Errorf("found %d lone sessions of %d (%v)", lone, want, err)
		}
	})
}

// repeatsOf returns the positions of the events that repeat one before them.
func repeatsOf(ctx context.Context, t *tally) (at []uint64, err error) {
	if err := t.events.found(ctx, &t.repeated); err != nil {
		return nil, err
	}
	err = t.repeated.Each(ctx, func(key, _ []byte) error {
		at = append(at, binary.BigEndian.Uint64(key))
		return nil
	})
	return at, err
}

// Positions of many repeats are on disk, and looked up there.
func TestManyRepeats(t *testing.T) {
	tally := newTally(t.TempDir())
	defer tally.close()
	tally.repeated.Limit = 1 << 10
	const n = 5000
	decode := func(_ sink, seen *seen) error {
		for i := range n {
			seen.duplicate(&row{at: pipeline.Origin{Row: int64(i)}}, fmt.Sprint(i/2))
		}
		return nil
	}
	if _, err := tally.run(decode, nobody{}); err != nil {
		t.Fatal(err)
	}
	if found, err := repeatsOf(t.Context(), tally); err != nil || len(found) != n/2 || found[0] != 1 {
		t.Fatalf("%d repeats, want %d (%v)", len(found), n/2, err)
	}
	var err error
	if tally.known, err = spill.NewIndex(t.Context(), &tally.repeated); err != nil {
		t.Fatal(err)
	}
	seen := newSeen(tally)
	for i := range n {
		if got := seen.duplicate(&row{at: pipeline.Origin{Row: int64(i)}}, ""); got != (i%2 == 1) || seen.err != nil {
			t.Fatalf("event %d repeats another: %v (%v)", i, got, seen.err)
		}
	}
}
