package pipeline

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"
)

// records draws encoded records, some of them empty or long.
func records(t *rapid.T) [][]byte {
	return rapid.SliceOfN(rapid.SliceOfN(rapid.ByteRange('a', 'z'), 0, 30), 0, 60).Draw(t, "records")
}

// drained are the bodies of all batches of records that are added in pieces of
// random size, each time sending what is full, as an upload does.
func drained(t *rapid.T, all [][]byte, first int64, limit int) []string {
	var q Queue
	var bodies []string
	next := first
	take := func(full bool) {
		for q.Len() > 0 && (q.Size() > limit || full) {
			b, more := q.Batch(limit)
			switch {
			case b.Events == 0 && !more:
				t.Fatal("an empty batch that is not full")
			case b.Events == 0: // one record exceeds the limit
				record := all[next-first]
				if len(record) <= limit {
					t.Fatalf("a record of %d bytes does not fit into %d", len(record), limit)
				}
				bodies = append(bodies, string(record))
				q.Drop(1)
				next++
				continue
			}
			if b.First != next || len(b.Body) > limit {
				t.Fatalf("batch of %d bytes from %d, want at most %d from %d", len(b.Body), b.First, limit, next)
			}
			if i := b.Next() - first; more && len(b.Body)+1+len(all[i]) <= limit {
				t.Fatalf("record %d would still fit", i)
			}
			if b.Mark.Stats.Events > b.First {
				t.Fatalf("mark at %d, beyond the batch's beginning at %d", b.Mark.Stats.Events, b.First)
			}
			if want := b.First - b.First%marked; b.Mark.Stats.Events < want-marked {
				t.Fatalf("mark at %d, far before the batch's beginning at %d", b.Mark.Stats.Events, b.First)
			}
			bodies = append(bodies, string(b.Body))
			next = b.Next()
			q.Drop(b.Events)
		}
	}
	for i, record := range all {
		index := first + int64(i)
		if index%marked == 0 || i == 0 {
			q.Mark(Mark{Chunk: index / marked, Stats: Stats{Events: index - index%marked}})
		}
		q.Add(index, record)
		if rapid.IntRange(0, 3).Draw(t, "now") == 0 {
			take(false)
		}
	}
	take(true)
	return bodies
}

// marked is how many records are between two marks.
const marked = 7

func TestQueue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := records(t)
		first := rapid.Int64Range(0, 1<<40).Draw(t, "first")
		limit := rapid.IntRange(1, 80).Draw(t, "limit")
		bodies := drained(t, all, first, limit)
		var joined [][]byte
		for _, b := range bodies {
			joined = append(joined, []byte(b))
		}
		if got, want := bytes.Join(joined, []byte(",")), bytes.Join(all, []byte(",")); !bytes.Equal(got, want) {
			t.Fatalf("the batches hold\n%s\nwant\n%s", got, want)
		}
		again := drained(t, all, first, limit)
		if len(again) != len(bodies) {
			t.Fatalf("%d batches, %d when records come at other times", len(bodies), len(again))
		}
		for i := range again {
			if again[i] != bodies[i] {
				t.Fatalf("batch %d is %q, and %q when records come at other times", i, bodies[i], again[i])
			}
		}
		// Going on where a batch ends gives the batches that follow.
		if len(bodies) > 1 {
			done := 0
			for size := -1; size < len(bodies[0]); done++ {
				size += len(all[done]) + 1
			}
			rest := drained(t, all[done:], first+int64(done), limit)
			if len(rest) != len(bodies)-1 || rest[0] != bodies[1] {
				t.Fatalf("resumed after record %d: %q, want %q", done, rest, bodies[1:])
			}
		}
	})
}

// TestQueueKeepsNothing checks that what was sent does not pile up.
func TestQueueKeepsNothing(t *testing.T) {
	var q Queue
	for i := range int64(10_000) {
		q.Mark(Mark{Chunk: i, Stats: Stats{Events: i}})
		q.Add(i, []byte("0123456789"))
		for q.Size() > 1000 {
			b, _ := q.Batch(1000)
			q.Drop(b.Events)
		}
	}
	if cap(q.body) > 5000 || cap(q.ends) > 500 || cap(q.marks) > 500 {
		t.Errorf("the queue keeps %d bytes, %d records, %d marks", cap(q.body), cap(q.ends), cap(q.marks))
	}
}
