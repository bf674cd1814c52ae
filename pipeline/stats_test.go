package pipeline

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func someStats(t *rapid.T, label string) Stats {
	var s Stats
	s.Rows = rapid.Int64Range(0, 9).Draw(t, label)
	for range rapid.IntRange(0, 5).Draw(t, label) {
		s.Events++
		s.span(Micros(rapid.Int64Range(1, 99).Draw(t, label)))
	}
	for _, tally := range []*Tally{&s.Repaired, &s.Rejected, &s.Omitted} {
		for range rapid.IntRange(0, 3).Draw(t, label) {
			tally.add(rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, label), Origin{"in", rapid.Int64Range(1, 9).Draw(t, label)})
		}
	}
	return s
}

// TestStatsMerge: it does not matter how chunks are put together, clones share
// nothing, and a ledger reads back what it wrote.
func TestStatsMerge(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := someStats(t, "a"), someStats(t, "b"), someStats(t, "c")
		left := a.Clone()
		left.Merge(&b)
		kept := left.Clone()
		left.Merge(&c)
		tail := b.Clone()
		tail.Merge(&c)
		right := a.Clone()
		right.Merge(&tail)
		if !reflect.DeepEqual(left, right) {
			t.Fatalf("(a b) c is\n%+v\na (b c) is\n%+v", left, right)
		}
		again := a.Clone()
		if again.Merge(&b); !reflect.DeepEqual(again, kept) {
			t.Fatalf("a clone changed with its original:\n%+v\n%+v", kept, again)
		}
		text, err := json.Marshal(left)
		if err != nil {
			t.Fatal(err)
		}
		var read Stats
		if err := json.Unmarshal(text, &read); err != nil || !reflect.DeepEqual(read, left) {
			t.Fatalf("%s reads back as %+v, %v", text, read, err)
		}
		if left.Rejected.Total() != a.Rejected.Total()+b.Rejected.Total()+c.Rejected.Total() {
			t.Fatal("rejects got lost")
		}
	})
}

func TestTallyKinds(t *testing.T) {
	var tally Tally
	for _, kind := range []string{"b", "a", "c", "c"} {
		tally.add(kind, Origin{"in", int64(len(tally)) + 1})
	}
	if got := tally.Kinds(); !reflect.DeepEqual(got, []string{"c", "a", "b"}) {
		t.Errorf("kinds %v", got)
	}
	if first := tally["c"].First(); first != (Origin{"in", 3}) {
		t.Errorf("c was first seen in %v", first)
	}
}

func TestReject(t *testing.T) {
	long := strings.Repeat("é", MaxRaw)
	r := newReject(Origin{"in", 3}, "reason", long[1:])
	if len(r.Raw) > MaxRaw+2 || !utf8.ValidString(r.Raw) || !strings.HasPrefix(r.Raw, "\uFFFDé") {
		t.Errorf("%d bytes kept, beginning with %q", len(r.Raw), r.Raw[:5])
	}
	if r := newReject(Origin{}, "", "a\xffb"); r.Raw != "a\uFFFDb" {
		t.Errorf("raw %q", r.Raw)
	}
}

// TestTallyIsBounded: an input that names something new in every row does not
// fill the memory, and everything stays counted.
func TestTallyIsBounded(t *testing.T) {
	var whole, part Tally
	for i := range 3 * maxKinds {
		part.add(fmt.Sprint("unknown region dropped: ", i), Origin{Input: "in", Row: int64(i)})
		if i%100 == 99 {
			whole.merge(part)
			part = nil
		}
	}
	whole.merge(part)
	if len(whole) != maxKinds+1 || whole.Total() != 3*maxKinds {
		t.Errorf("%d kinds, %d in all", len(whole), whole.Total())
	}
	if others := whole["unknown region dropped: others"]; others.Count != 2*maxKinds {
		t.Errorf("%d others", others.Count)
	}
}
