package pipeline

import (
	"bytes"
	"reflect"
	"testing"

	"pgregory.net/rapid"
)

// records draws encoded records, some of them empty or long.
func records(t *rapid.T) [][]byte {
	return rapid.SliceOfN(rapid.SliceOfN(rapid.ByteRange('a', 'z'), 0, 30), 0, 60).Draw(t, "records")
}

// drained are the bodies of all batches of records that are added in chunks, and these
// in pieces of random size, sending what is full, as an upload does: while a batch is on
// its way, further records are added, and chunks are written over.
func drained(t *rapid.T, all [][]byte, first int64, limit int) []string {
	q := Queue{shortest: rapid.SampledFrom([]int{0, 1, 20}).Draw(t, "shortest")}
	var bodies []string
	var flying *Batch
	next := first
	land := func() {
		if flying != nil {
			bodies = append(bodies, string(bytes.Join(flying.Body, nil)))
			ahead, more := q.BatchFrom(flying.Next(), limit)
			q.Drop(flying.Events)
			flying = nil
			if b, full := q.Batch(limit); q.Len() > 0 && (full != more || !reflect.DeepEqual(b, ahead)) {
				t.Fatalf("batch %+v was to be %+v", b, ahead)
			}
		}
	}
	take := func(full bool) {
		for land(); q.Len() > 0 && (q.Size() > limit || full); land() {
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
			if size := len(bytes.Join(b.Body, nil)); b.First != next || b.Size > limit || b.Size != size {
				t.Fatalf("batch of %d bytes, or %d, from %d, want at most %d from %d", b.Size, size, b.First, limit, next)
			}
			if i := b.Next() - first; more && b.Size+1+len(all[i]) <= limit {
				t.Fatalf("record %d would still fit", i)
			}
			if b.Mark.Stats.Events > b.First {
				t.Fatalf("mark at %d, beyond the batch's beginning at %d", b.Mark.Stats.Events, b.First)
			}
			if want := b.First - b.First%marked; b.Mark.Stats.Events < want-marked {
				t.Fatalf("mark at %d, far before the batch's beginning at %d", b.Mark.Stats.Events, b.First)
			}
			next = b.Next()
			if flying = &b; !full && rapid.Bool().Draw(t, "flies") {
				return
			}
		}
	}
	for i := 0; i < len(all); {
		index := first + int64(i)
		to := min(len(all), i+marked-int(index%marked))
		if index%marked == 0 || i == 0 {
			q.Mark(Mark{Chunk: index / marked, Stats: Stats{Events: index - index%marked}})
		}
		chunk := asRecords(all[i:to])
		if rapid.Bool().Draw(t, "spare") {
			chunk.Body = append(make([]byte, 0, rapid.IntRange(1, 5).Draw(t, "times")*len(chunk.Body)), chunk.Body...)
		}
		for added := 0; added < len(chunk.Ends); {
			more := rapid.IntRange(added+1, len(chunk.Ends)).Draw(t, "more")
			q.Add(index+int64(added), chunk, added, more)
			if added = more; rapid.IntRange(0, 3).Draw(t, "now") == 0 {
				take(false)
			}
		}
		q.Keep()
		for i := range chunk.Body[:cap(chunk.Body)] {
			chunk.Body[:cap(chunk.Body)][i] = '!' // as the next chunk would
		}
		i = to
	}
	take(true)
	return bodies
}

func asRecords(all [][]byte) *Records {
	var r Records
	for _, record := range all {
		r.Body = append(r.Body, record...)
		r.Ends = append(r.Ends, len(r.Body))
		r.Body = append(r.Body, ',')
	}
	return &r
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

// TestQueueOfManyChunks fills batches of many chunks, some of which are little of
// their memory, and checks that what was sent does not pile up.
func TestQueueOfManyChunks(t *testing.T) {
	const size, limit = 1 << 20, 5 << 19
	var q Queue
	var sent, want bytes.Buffer
	encoder := Records{}
	for i := range int64(1000) {
		record := bytes.Repeat([]byte{byte('a' + i%26)}, int(i*7919)%(size/32))
		if i > 0 {
			want.WriteByte(',')
		}
		want.Write(record)
		q.Mark(Mark{Chunk: i, Stats: Stats{Events: i}})
		encoder.Body = append(append(encoder.Body[:0], record...), ',')
		encoder.Ends = append(encoder.Ends[:0], len(record))
		q.Add(i, &encoder, 0, 1)
		q.Keep()
		for q.Size() > limit || i == 999 && q.Len() > 0 {
			b, more := q.Batch(limit)
			sent.Write(bytes.Join(b.Body, nil))
			if more {
				sent.WriteByte(',')
			}
			q.Drop(b.Events)
		}
	}
	if !bytes.Equal(sent.Bytes(), want.Bytes()) {
		t.Error("the batches do not hold the records")
	}
	memory := 0
	for _, b := range q.bodies {
		memory += cap(b)
	}
	if memory > 3*limit || len(q.pieces) > 0 || cap(q.ends) > 1000 || cap(q.marks) > 1000 {
		t.Errorf("the queue keeps %d bytes, %d pieces, %d records, %d marks", memory, len(q.pieces), cap(q.ends), cap(q.marks))
	}
}

// TestQueueOfShortChunks checks that a batch of chunks with a record each has few parts.
func TestQueueOfShortChunks(t *testing.T) {
	var q Queue
	var all []byte
	for i := range int64(1000) {
		chunk := asRecords([][]byte{bytes.Repeat([]byte{'a' + byte(i%26)}, 300)})
		q.Mark(Mark{Chunk: i, Stats: Stats{Events: i}})
		q.Add(i, chunk, 0, 1)
		q.Keep()
		all = append(all, chunk.Body...)
	}
	batch, _ := q.Batch(len(all))
	if got := bytes.Join(batch.Body, nil); !bytes.Equal(got, all[:len(all)-1]) {
		t.Errorf("the batch has %d bytes, others than the %d that were added", len(got), len(all)-1)
	}
	if parts, most := len(batch.Body), 1+len(all)/shortestPiece*2; parts > most {
		t.Errorf("the batch has %d parts, want at most %d", parts, most)
	}
}
