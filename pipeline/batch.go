package pipeline

import (
	"cmp"
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
//
// The bytes stay where they are until they are dropped, so that one goroutine can
// read a batch while another adds what follows it. A chunk's bytes are not copied: the
// queue keeps them, and gives other memory in exchange for the chunks to come.
type Queue struct {
	// The records, with a comma behind each, are a stream of bytes from begin to end,
	// which pieces hold from base on.
	base, begin, end int64
	pieces           []*piece
	ends             []int64 // where in the stream each record ends
	first            int64   // index of the first record
	marks            []Mark
	// added are the records added last, if the queue has some of their bytes, of which
	// latest are the last.
	added  *Records
	latest *piece
	// bodies are memory to be used again.
	bodies [][]byte
	// shortest is how many bytes a piece has that is not copied; 0 is shortestPiece.
	shortest int
}

// shortestPiece lets a batch of chunks of a few records have few pieces: all of them are
// gone through for each chunk.
const shortestPiece = 64 << 10

// A piece is a part of a queue's bytes.
type piece struct {
	bytes []byte
	// memory is used again once the piece is dropped. It is nil where a later piece, or
	// whoever made the records, has it still, and for a copy.
	memory []byte
	copied bool // what follows can be copied behind it
}

// A Batch is a run of records that are sent together.
type Batch struct {
	// First is the index of its first record among all events of the
	// migration, Events how many it has.
	First  int64
	Events int
	// Body holds the records, joined by commas, in parts. It belongs to its queue
	// and is valid until the batch is dropped.
	Body [][]byte
	// Size is the length of all parts of Body.
	Size int
	// Mark is a place at or before First from which the records can be made again.
	Mark Mark
}

// Next returns the index of the record that follows the batch.
func (b Batch) Next() int64 { return b.First + int64(b.Events) }

// Add appends records from one index to before another. Number is the first one's
// among all events of the migration. It follows that of the record added before; an
// empty queue takes any. Keep must be called before others use the records' memory.
func (q *Queue) Add(number int64, records *Records, from, to int) {
	if from == to {
		return
	}
	if len(q.ends) == 0 {
		q.first = number
	}
	begin := records.begin(from)
	part := records.Body[begin : records.Ends[to-1]+1]
	for _, end := range records.Ends[from:to] {
		q.ends = append(q.ends, q.end+int64(end-begin))
	}
	q.end += int64(len(part))
	// The whole is not kept for a little of it.
	if shortest := cmp.Or(q.shortest, shortestPiece); len(part) < max(cap(records.Body)/2, shortest) {
		q.copy(part, shortest)
		return
	}
	q.added, q.latest = records, &piece{bytes: part}
	q.pieces = append(q.pieces, q.latest)
}

// copy copies bytes to the last piece, if that is a copy with room for them, or to a new one.
func (q *Queue) copy(part []byte, shortest int) {
	if n := len(q.pieces); n > 0 {
		if last := q.pieces[n-1]; last.copied && cap(last.bytes)-len(last.bytes) >= len(part) {
			last.bytes = append(last.bytes, part...)
			return
		}
	}
	room := make([]byte, 0, max(len(part), shortest))
	q.pieces = append(q.pieces, &piece{bytes: append(room, part...), copied: true})
}

// Keep keeps the memory of the records added last as long as they are in the queue,
// and gives other to who made them.
func (q *Queue) Keep() {
	if q.latest == nil {
		return
	}
	q.latest.memory = q.added.Body[:0]
	if last := len(q.bodies) - 1; last >= 0 {
		q.added.Body, q.bodies = q.bodies[last], q.bodies[:last]
	} else {
		q.added.Body = make([]byte, 0, cap(q.added.Body))
	}
	q.added, q.latest = nil, nil
}

// Mark notes a mark. It must come before the records that follow the mark.
func (q *Queue) Mark(m Mark) {
	m.Stats = m.Stats.Clone()
	q.marks = append(q.marks, m)
}

// Len is how many records wait.
func (q *Queue) Len() int { return len(q.ends) }

// Size is how many bytes the body of all of them takes.
func (q *Queue) Size() int { return max(0, int(q.end-q.begin)-len(",")) }

// Batch returns the longest batch from the front of the queue whose body has
// at most limit bytes, and whether it is full: a further record is there and
// does not fit. A first record that alone exceeds the limit gives an empty full
// batch.
func (q *Queue) Batch(limit int) (batch Batch, full bool) { return q.BatchFrom(q.first, limit) }

// BatchFrom is Batch as it will be once what precedes the record of that number, which
// is in the queue or follows it, is dropped.
func (q *Queue) BatchFrom(number int64, limit int) (batch Batch, full bool) {
	before := int(number - q.first)
	begin := q.begin
	if before > 0 {
		begin = q.ends[before-1] + 1
	}
	ends := q.ends[before:]
	most := begin + int64(limit)
	n := sort.Search(len(ends), func(i int) bool { return ends[i] > most })
	batch = Batch{First: number, Events: n}
	if n > 0 {
		batch.Size = int(ends[n-1] - begin)
		batch.Body = q.parts(int(begin-q.base), int(ends[n-1]-q.base))
	}
	if marks := sort.Search(len(q.marks), func(i int) bool { return q.marks[i].Stats.Events > number }); marks > 0 {
		batch.Mark = q.marks[marks-1]
	}
	return batch, n < len(ends)
}

// parts returns what the pieces hold between two offsets.
func (q *Queue) parts(from, to int) [][]byte {
	var parts [][]byte
	at := 0
	for _, p := range q.pieces {
		if at >= to {
			break
		}
		if end := at + len(p.bytes); end > from {
			parts = append(parts, p.bytes[max(from-at, 0):min(to-at, len(p.bytes))])
		}
		at += len(p.bytes)
	}
	return parts
}

// Drop removes n records from the front.
func (q *Queue) Drop(n int) {
	if n == 0 {
		return
	}
	q.first += int64(n)
	q.begin = q.ends[n-1] + 1 // the comma goes too
	q.ends = slices.Delete(q.ends, 0, n)
	unused := 0
	for unused < len(q.pieces) && q.base+int64(len(q.pieces[unused].bytes)) <= q.begin {
		q.base += int64(len(q.pieces[unused].bytes))
		if p := q.pieces[unused]; p == q.latest {
			q.added, q.latest = nil, nil // who made the records has their memory
		} else if p.memory != nil {
			q.bodies = append(q.bodies, p.memory)
		}
		unused++
	}
	q.pieces = slices.Delete(q.pieces, 0, unused)
	// Keep the last mark at or before the new front, and all that follow it.
	keep := 0
	for i, m := range q.marks {
		if m.Stats.Events <= q.first {
			keep = i
		}
	}
	q.marks = slices.Delete(q.marks, 0, keep)
}
