package pipeline

import (
	"slices"
	"sort"
)

// A Queue gathers encoded records, in order, until they fill a batch. Its size
// is measured on the encoded bytes. It serves formats whose records are joined
// by a single comma, as those in a JSON array are.
//
// The batches that a Queue gives depend on the records, the limits and the
// index of the first record alone, not on when records are added: that is what
// makes a resumed upload send the same bytes.
type Queue struct {
	body  []byte
	ends  []int // where each record ends in body
	first int64 // index of the first record
	marks []Mark
}

// A Batch is a run of records that are sent together.
type Batch struct {
	// First is the index of its first record among all events of the
	// migration, Events how many it has.
	First  int64
	Events int
	// Body holds the records, joined by commas. It is part of its queue and
	// valid until records are added or dropped.
	Body []byte
	// Mark is a place at or before First from which the records can be made again.
	Mark Mark
}

// Next returns the index of the record that follows the batch.
func (b Batch) Next() int64 { return b.First + int64(b.Events) }

// Reserve makes room for a body of size bytes, so that the queue does not hold
// two while it grows.
func (q *Queue) Reserve(size int) { q.body = slices.Grow(q.body, size) }

// Add appends a record. Its index follows that of the record added before;
// an empty queue takes any.
func (q *Queue) Add(index int64, record []byte) {
	if len(q.ends) == 0 {
		q.first = index
	} else {
		q.body = append(q.body, ',')
	}
	q.body = append(q.body, record...)
	q.ends = append(q.ends, len(q.body))
}

// Mark notes a mark. It must come before the records that follow the mark.
func (q *Queue) Mark(m Mark) {
	m.Stats = m.Stats.Clone()
	q.marks = append(q.marks, m)
}

// Len is how many records wait.
func (q *Queue) Len() int { return len(q.ends) }

// Size is how many bytes the body of all of them takes.
func (q *Queue) Size() int { return len(q.body) }

// Batch returns the longest batch from the front of the queue whose body has
// at most limit bytes, and whether it is full: a further record is there and
// does not fit. A first record that alone exceeds the limit gives an empty full
// batch.
func (q *Queue) Batch(limit int) (batch Batch, full bool) {
	n := sort.SearchInts(q.ends, limit+1)
	batch = Batch{First: q.first, Events: n}
	if n > 0 {
		batch.Body = q.body[:q.ends[n-1]]
	}
	for _, m := range q.marks {
		if m.Stats.Events > q.first {
			break
		}
		batch.Mark = m
	}
	return batch, n < len(q.ends)
}

// Drop removes n records from the front.
func (q *Queue) Drop(n int) {
	if n == 0 {
		return
	}
	q.first += int64(n)
	if n == len(q.ends) {
		q.body, q.ends = q.body[:0], q.ends[:0]
	} else {
		cut := q.ends[n-1] + 1 // the comma goes too
		q.body = q.body[:copy(q.body, q.body[cut:])]
		q.ends = slices.Delete(q.ends, 0, n)
		for i := range q.ends {
			q.ends[i] -= cut
		}
	}
	// Keep the last mark at or before the new front, and all that follow it.
	keep := 0
	for i, m := range q.marks {
		if m.Stats.Events <= q.first {
			keep = i
		}
	}
	q.marks = slices.Delete(q.marks, 0, keep)
}
