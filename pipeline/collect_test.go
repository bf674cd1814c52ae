package pipeline

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestTranslateSample looks at the beginning of a source: what comes out of it then is
// what would have come out anyway, mark by mark. Within a chunk, the rejects
// that the adapter makes may come before those of normalization.
func TestTranslateSample(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		chunks := rapid.SliceOfN(rapid.StringMatching(`[eerotfx2]{0,6}`), 0, 8).Draw(t, "chunks")
		tr := Translation{Target: picky, Jobs: 2}
		if rapid.Bool().Draw(t, "private") {
			tr.Normalizer.Privacy.Properties = []string{"email"}
		}
		collect := func(src Source) (all []emitted, stats Stats) {
			stats, err := Translate(context.Background(), &tr, src, Mark{}, paths, func(_ context.Context, c *Collected[*Records]) error {
				e := emitted{mark: Mark{c.Before.Chunk, c.Before.Stats.Clone()}, rejects: append([]Reject(nil), c.Rejects...)}
				slices.SortFunc(e.rejects, func(a, b Reject) int { return int(a.Row - b.Row) })
				for _, reject := range e.rejects {
					if private := tr.Normalizer.Privacy.Properties != nil; private != (reject.Raw == "") {
						t.Fatalf("with privacy %v: %+v", private, reject)
					}
				}
				for i := range c.Value.Len() {
					e.records = append(e.records, string(c.Value.Record(i)))
				}
				all = append(all, e)
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			return all, stats
		}
		want, wantStats := collect(&scripted{chunks: chunks})
		most := Sample{Events: rapid.IntRange(0, 10).Draw(t, "events"), Bytes: rapid.IntRange(0, 5000).Draw(t, "bytes")}
		source := &scripted{chunks: chunks, again: rapid.Bool().Draw(t, "again")}
		var sampled []string
		beginning, src, err := TranslateSample(context.Background(), &tr, source, most, paths, func(_ context.Context, c *Collected[*Records]) error {
			for i := range c.Value.Len() {
				sampled = append(sampled, string(c.Value.Record(i)))
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if beginning.Chunks > len(want) || beginning.Read < beginning.Chunks || beginning.Whole && beginning.Chunks < len(want) {
			t.Fatalf("%+v of %d chunks", beginning, len(want))
		}
		var first []string
		for _, e := range want[:beginning.Chunks] {
			if len(first) > 0 && len(first) >= most.Events {
				t.Fatalf("translated %d chunks for %+v", beginning.Chunks, most)
			}
			first = append(first, e.records...)
		}
		if enough := len(first) >= most.Events; !slices.Equal(sampled, first) || int64(len(first)) != beginning.Stats.Events || beginning.Whole && enough && len(want) > 0 {
			t.Fatalf("%+v, %q for %+v, want %q", beginning, sampled, most, first)
		}
		got, gotStats := collect(src)
		if !reflect.DeepEqual(got, want) || !reflect.DeepEqual(gotStats, wantStats) {
			t.Fatalf("surveyed\n%+v\n%+v\nwant\n%+v\n%+v", got, gotStats, want, wantStats)
		}
		if source.again && len(source.released) != len(chunks) {
			t.Fatalf("%d of %d chunks were released", len(source.released), len(chunks))
		}
	})
}

func TestCollect(t *testing.T) {
	events, stats, rejects, err := Collect(t.Context(), &scripted{chunks: []string{"er", "o2"}})
	if err != nil || len(events) != 3 || stats.Rows != 4 || stats.Events != 3 || len(rejects) != 1 || stats.Omitted.Total() != 1 {
		t.Errorf("%d events, %+v, %v, %v", len(events), stats, rejects, err)
	}
	if _, _, err := TranslateSample(t.Context(), new(Translation), &scripted{chunks: []string{"!"}}, Sample{1, 1000}, paths, nil); err == nil {
		t.Error("a broken chunk is translated")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, _, err := Collect(ctx, &scripted{chunks: []string{"e"}}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

func TestCloneSharesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ev := anyEvent(t)
		c := ev.Clone()
		for i := range ev.Properties {
			ev.Properties[i].Key = "changed"
		}
		for i, p := range c.Properties {
			if p.Key == "changed" {
				t.Fatalf("property %d changed with its original", i)
			}
		}
	})
}

// Of the memory that a long chunk is encoded into little is empty, since a queue holds all
// of it, and copies what fills less than a half.
func TestEncoderOfLongChunk(t *testing.T) {
	e := encoder{add: func(dst []byte, _ *Event) []byte { return append(dst, make([]byte, 500)...) }}
	for e.Begin(); len(e.records.Body) < 20*mostDoubled; {
		e.Add(new(Event))
		if body := e.records.Body; len(body) > 2*mostDoubled && cap(body) > len(body)*3/2 {
			t.Fatalf("%d bytes take %d", len(body), cap(body))
		}
	}
}
