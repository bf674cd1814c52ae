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
//
// The bytes stay where they are until they are dropped, so that one goroutine can
// read a batch while another adds what follows it.
type Queue struct {
	// The records, joined by commas, are a stream of bytes from begin to end, which
	// blocks hold from base on. All of them are full but the last.
	base, begin, end int64
	blocks           [][]byte
	spare            [][]byte // blocks to be used again
	ends             []int64  // where in the stream each record ends
	first            int64    // index of the first record
	marks            []Mark
}

// blockSize is the size of a queue's blocks: so few for a batch that they count for
// nothing, and small beside it.
const blockSize = 1 << 20

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

// Add appends records from one index to before another, until the size of the
// queue is greater than most, and returns the index of the first that it left.
// Number is the first one's among all events of the migration. It follows that of the
// record added before; an empty queue takes any.
func (q *Queue) Add(number int64, records *Records, from, to, most int) int {
	if len(q.ends) == 0 {
		q.first = number
	}
	for ; from < to && q.Size() <= most; from++ {
		if len(q.ends) > 0 {
			q.write(comma)
		}
		q.write(records.Record(from))
		q.ends = append(q.ends, q.end)
	}
	return from
}

var comma = []byte{','}

func (q *Queue) write(p []byte) {
	for len(p) > 0 {
		at := int(q.end-q.base) / blockSize
		if at == len(q.blocks) {
			q.blocks = append(q.blocks, q.block())
		}
		n := copy(q.blocks[at][int(q.end-q.base)%blockSize:], p)
		q.end += int64(n)
		p = p[n:]
	}
}

func (q *Queue) block() []byte {
	if last := len(q.spare) - 1; last >= 0 {
		b := q.spare[last]
		q.spare = q.spare[:last]
		return b
	}
	return make([]byte, blockSize)
}

// Mark notes a mark. It must come before the records that follow the mark.
func (q *Queue) Mark(m Mark) {
	m.Stats = m.Stats.Clone()
	q.marks = append(q.marks, m)
}

// Len is how many records wait.
func (q *Queue) Len() int { return len(q.ends) }

// Size is how many bytes the body of all of them takes.
func (q *Queue) Size() int { return int(q.end - q.begin) }

// Batch returns the longest batch from the front of the queue whose body has
// at most limit bytes, and whether it is full: a further record is there and
// does not fit. A first record that alone exceeds the limit gives an empty full
// batch.
func (q *Queue) Batch(limit int) (batch Batch, full bool) {
	most := q.begin + int64(limit)
	n := sort.Search(len(q.ends), func(i int) bool { return q.ends[i] > most })
	batch = Batch{First: q.first, Events: n}
	if n > 0 {
		batch.Size = int(q.ends[n-1] - q.begin)
		batch.Body = q.parts(int(q.begin-q.base), int(q.ends[n-1]-q.base))
	}
	for _, m := range q.marks {
		if m.Stats.Events > q.first {
			break
		}
		batch.Mark = m
	}
	return batch, n < len(q.ends)
}

// parts returns what the blocks hold between two offsets.
func (q *Queue) parts(from, to int) [][]byte {
	var parts [][]byte
	for from < to {
		at := from % blockSize
		part := q.blocks[from/blockSize][at:min(blockSize, at+to-from)]
		parts = append(parts, part)
		from += len(part)
	}
	return parts
}

// Drop removes n records from the front.
func (q *Queue) Drop(n int) {
	if n == 0 {
		return
	}
	q.first += int64(n)
	if n == len(q.ends) {
		q.begin = q.end
	} else {
		q.begin = q.ends[n-1] + 1 // the comma goes too
	}
	q.ends = slices.Delete(q.ends, 0, n)
	unused := int(q.begin-q.base) / blockSize
	q.spare = append(q.spare, q.blocks[:unused]...)
	q.blocks = slices.Delete(q.blocks, 0, unused)
	q.base += int64(unused) * blockSize
	// Keep the last mark at or before the new front, and all that follow it.
	keep := 0
	for i, m := range q.marks {
		if m.Stats.Events <= q.first {
			keep = i
		}
	}
	q.marks = slices.Delete(q.marks, 0, keep)
}
