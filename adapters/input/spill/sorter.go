package spill

import (
	"bufio"
	"bytes"
	"cmp"
	"container/heap"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"slices"
)

// DefaultLimit is how much memory a [Sorter] takes before it spills.
const DefaultLimit = 64 << 20

const (
	entrySize = 32      // of an entry, in memory, and of its room while it is sorted
	minBuffer = 4 << 10 // of a run's reader
	maxBuffer = 256 << 10
	minBlock  = 4 << 10 // of records in memory; a block is as large as those before it
	maxBlock  = 1 << 20
)

// A Sorter sorts any number of records by key, in memory up to a limit and
// on disk beyond it. Records of equal keys keep the order in which they were
// added. The zero Sorter is ready for use, by one goroutine.
type Sorter struct {
	// Dir is where it spills; empty means the system's directory for temporary files.
	Dir string
	// Limit is about how many bytes of memory to take; 0 means DefaultLimit. A
	// record that is larger is taken nevertheless.
	Limit int

	// blocks hold the records, each as appendRecord writes it. They are filled one
	// after the other, so that what is there is not copied when there is more.
	blocks  [][]byte
	held    int // bytes of records in blocks
	entries []entry
	runs    []run
	file    *File
	size    int64 // of what was spilled
	n       int64
}

// entry is a record in memory: a key's first bytes decide most comparisons.
type entry struct {
	prefix    uint64
	block, at uint32
}

// run is a sorted part of the file.
type run struct{ start, end int64 }

// Add copies a record.
func (s *Sorter) Add(key, value []byte) error {
	limit := s.Limit
	if limit == 0 {
		limit = DefaultLimit
	}
	if len(s.entries) > 0 && s.held+len(s.entries)*entrySize+len(key)+len(value) > limit {
		if err := s.spill(); err != nil {
			return err
		}
	}
	block := s.room(2*binary.MaxVarintLen64 + len(key) + len(value))
	s.entries = append(s.entries, entry{prefix(key), uint32(len(s.blocks) - 1), uint32(len(*block))})
	before := len(*block)
	*block = appendRecord(*block, key, value)
	s.held += len(*block) - before
	s.n++
	return nil
}

// room returns the block to append to, which has room for size bytes more.
func (s *Sorter) room(size int) *[]byte {
	if last := len(s.blocks) - 1; last >= 0 && cap(s.blocks[last])-len(s.blocks[last]) >= size {
		return &s.blocks[last]
	}
	s.blocks = append(s.blocks, make([]byte, 0, max(size, min(max(s.held, minBlock), maxBlock))))
	return &s.blocks[len(s.blocks)-1]
}

// Len returns the number of records added.
func (s *Sorter) Len() int64 { return s.n }

func prefix(key []byte) uint64 {
	if len(key) >= 8 {
		return binary.BigEndian.Uint64(key)
	}
	var b [8]byte
	copy(b[:], key)
	return binary.BigEndian.Uint64(b[:])
}

func appendRecord(b, key, value []byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(key)))
	b = binary.AppendUvarint(b, uint64(len(value)))
	b = append(b, key...)
	return append(b, value...)
}

// parseRecord returns the record that b begins with, and its length.
func parseRecord(b []byte) (key, value []byte, size int) {
	k, n := binary.Uvarint(b)
	v, m := binary.Uvarint(b[n:])
	begin := n + m
	mid, end := begin+int(k), begin+int(k)+int(v)
	return b[begin:mid:mid], b[mid:end:end], end
}

// sort brings the entries in order: by prefix, and where these are the same by key.
func (s *Sorter) sort() {
	sortByPrefix(s.entries)
	for begin := 0; begin < len(s.entries); {
		end := begin + 1
		for end < len(s.entries) && s.entries[end].prefix == s.entries[begin].prefix {
			end++
		}
		if end-begin > 1 {
			slices.SortFunc(s.entries[begin:end], func(a, b entry) int {
				if c := bytes.Compare(s.key(a), s.key(b)); c != 0 {
					return c
				}
				return cmp.Or(cmp.Compare(a.block, b.block), cmp.Compare(a.at, b.at))
			})
		}
		begin = end
	}
}

func (s *Sorter) key(e entry) []byte {
	key, _, _ := parseRecord(s.record(e))
	return key
}

// record returns bytes that begin with an entry's record.
func (s *Sorter) record(e entry) []byte { return s.blocks[e.block][e.at:] }

// fewEntries are sorted faster by comparing them.
const fewEntries = 512

// sortByPrefix goes over the entries once for each byte in which prefixes differ,
// from the last to the first, and deals them out by that byte.
func sortByPrefix(entries []entry) {
	if len(entries) < fewEntries {
		slices.SortFunc(entries, func(a, b entry) int { return cmp.Compare(a.prefix, b.prefix) })
		return
	}
	var counts [8][256]uint32
	for _, e := range entries {
		for digit := range counts {
			counts[digit][byte(e.prefix>>(8*digit))]++
		}
	}
	from, to := entries, make([]entry, len(entries))
	for digit := range counts {
		next, shift := &counts[digit], 8*digit
		if next[byte(from[0].prefix>>shift)] == uint32(len(from)) {
			continue // all have the same byte
		}
		begin := uint32(0)
		for i, n := range next {
			next[i] = begin
			begin += n
		}
		for _, e := range from {
			at := &next[byte(e.prefix>>shift)]
			to[*at] = e
			*at++
		}
		from, to = to, from
	}
	if &from[0] != &entries[0] {
		copy(entries, from)
	}
}

// spill appends what is in memory to the file, as one more run.
func (s *Sorter) spill() error {
	if s.file == nil {
		f, err := Temp(s.Dir)
		if err != nil {
			return err
		}
		s.file = f
	}
	s.sort()
	w := bufio.NewWriterSize(io.NewOffsetWriter(s.file, s.size), maxBuffer)
	r := run{start: s.size, end: s.size}
	for _, e := range s.entries {
		record := s.record(e)
		_, _, size := parseRecord(record)
		if _, err := w.Write(record[:size]); err != nil {
			return err
		}
		r.end += int64(size)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	s.size = r.end
	s.runs = append(s.runs, r)
	s.blocks, s.held, s.entries = nil, 0, s.entries[:0]
	return nil
}

// Sorted yields a Sorter's records in order.
type Sorted struct {
	s     *Sorter
	at    int   // next entry, where all is in memory
	heads heads // runs with records left, else

	last []byte // key that NextRepeat saw last, if it saw some
	some bool
}

// Sort ends adding and begins reading.
func (s *Sorter) Sort() (*Sorted, error) {
	if len(s.runs) == 0 {
		s.sort()
		return &Sorted{s: s}, nil
	}
	if err := s.spill(); err != nil {
		return nil, err
	}
	limit := s.Limit
	if limit == 0 {
		limit = DefaultLimit
	}
	s.entries = nil
	buffer := min(max(limit/len(s.runs), minBuffer), maxBuffer)
	sorted := &Sorted{s: s}
	for i, r := range s.runs {
		h := &head{run: i, r: bufio.NewReaderSize(io.NewSectionReader(s.file, r.start, r.end-r.start), buffer)}
		switch err := h.next(); {
		case err == nil:
			sorted.heads = append(sorted.heads, h)
		case !errors.Is(err, io.EOF):
			return nil, err
		}
	}
	heap.Init(&sorted.heads)
	return sorted, nil
}

// Next returns the next record, which is valid until the next call, and
// io.EOF after the last. It returns early with ctx's error when ctx ends.
func (s *Sorted) Next(ctx context.Context) (key, value []byte, err error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	if len(s.s.runs) == 0 {
		if s.at == len(s.s.entries) {
			return nil, nil, io.EOF
		}
		key, value, _ = parseRecord(s.s.record(s.s.entries[s.at]))
		s.at++
		return key, value, nil
	}
	// The record returned last is overwritten only now.
	if s.at > 0 && len(s.heads) > 0 {
		switch err := s.heads[0].next(); {
		case err == nil:
			heap.Fix(&s.heads, 0)
		case errors.Is(err, io.EOF):
			heap.Pop(&s.heads)
		default:
			return nil, nil, err
		}
	}
	s.at = 1
	if len(s.heads) == 0 {
		return nil, nil, io.EOF
	}
	return s.heads[0].key, s.heads[0].value, nil
}

// NextRepeat returns the next record that has the key of the one before it, and
// io.EOF after the last. It is for those who want no others: in memory it hardly
// looks at them. The record is valid until the next call.
func (s *Sorted) NextRepeat(ctx context.Context) (key, value []byte, err error) {
	for len(s.s.runs) == 0 {
		entries := s.s.entries
		for s.at++; s.at < len(entries); s.at++ {
			if entries[s.at].prefix == entries[s.at-1].prefix {
				break
			}
		}
		if s.at >= len(entries) {
			return nil, nil, io.EOF
		}
		key, value, _ = parseRecord(s.s.record(entries[s.at]))
		if bytes.Equal(key, s.s.key(entries[s.at-1])) {
			return key, value, ctx.Err()
		}
	}
	for {
		if key, value, err = s.Next(ctx); err != nil {
			return nil, nil, err
		}
		repeats := s.some && bytes.Equal(key, s.last)
		s.last, s.some = append(s.last[:0], key...), true
		if repeats {
			return key, value, nil
		}
	}
}

// Close gives up all memory and disk space.
func (s *Sorter) Close() error {
	s.blocks, s.entries = nil, nil
	if s.file == nil {
		return nil
	}
	f := s.file
	s.file = nil
	return f.Close()
}

// head is a run's next record.
type head struct {
	run        int
	r          *bufio.Reader
	record     []byte
	key, value []byte
}

func (h *head) next() error {
	k, err := binary.ReadUvarint(h.r)
	if err != nil {
		return err
	}
	v, err := binary.ReadUvarint(h.r)
	if err != nil {
		return err
	}
	h.record = slices.Grow(h.record[:0], int(k+v))[:k+v]
	if _, err := io.ReadFull(h.r, h.record); err != nil {
		return err
	}
	h.key, h.value = h.record[:k], h.record[k:]
	return nil
}

// heads is a heap; of equal keys the earlier run's comes first.
type heads []*head

func (h heads) Len() int { return len(h) }
func (h heads) Less(i, j int) bool {
	if c := bytes.Compare(h[i].key, h[j].key); c != 0 {
		return c < 0
	}
	return h[i].run < h[j].run
}
func (h heads) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *heads) Push(x any)   { *h = append(*h, x.(*head)) }
func (h *heads) Pop() any {
	old := *h
	last := old[len(old)-1]
	*h = old[:len(old)-1]
	return last
}
