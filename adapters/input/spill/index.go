package spill

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"hash/maphash"
	"io"
	"sync/atomic"
)

const (
	// blockSize is about how much is read at once.
	blockSize = 8 << 10
	// maxHeld is how many blocks are held in memory at most, some 33 MiB, and
	// maxHeldSize is how large a block may be for that: a record can be of any size.
	maxHeld     = 3 << 10
	maxHeldSize = 2 * blockSize
	// filterBits is how many bits the filter takes for a record, and
	// maxFilter how many at most: 16 MiB.
	filterBits = 12
	maxFilter  = 1 << 27
)

// An Index finds records by key. They are on disk in sorted blocks; in memory
// it holds each block's first key (some 50 bytes for 8 KiB of records), the
// blocks that were read last, up to a limit, and a filter that spares most
// lookups of absent keys the disk. Any number of goroutines may use it.
type Index struct {
	file     *File
	starts   []int64  // of the blocks, and the end of the last
	firsts   [][]byte // their first keys
	prefixes []uint64 // of firsts, which decide most comparisons
	seed     maphash.Seed
	filter   []uint64
	held     []atomic.Pointer[block] // each block has one place, which it shares with others
}

// block is a block in memory.
type block struct {
	number   int
	records  []byte
	at       []uint32 // of each record in records
	prefixes []uint64 // of their keys
}

// NewIndex sorts what s holds into an Index in the same directory, and closes s.
func NewIndex(ctx context.Context, s *Sorter) (*Index, error) {
	defer s.Close()
	sorted, err := s.Sort()
	if err != nil {
		return nil, err
	}
	f, err := Temp(s.Dir)
	if err != nil {
		return nil, err
	}
	ix := &Index{file: f, seed: maphash.MakeSeed(), filter: make([]uint64, min(s.Len()*filterBits, maxFilter)/64+1)}
	if err := ix.fill(ctx, sorted); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	ix.held = make([]atomic.Pointer[block], min(len(ix.firsts), maxHeld))
	return ix, nil
}

func (ix *Index) fill(ctx context.Context, sorted *Sorted) error {
	w := bufio.NewWriterSize(ix.file, maxBuffer)
	var record []byte
	var at int64
	for {
		key, value, err := sorted.Next(ctx)
		if err == io.EOF {
			ix.starts = append(ix.starts, at)
			return w.Flush()
		}
		if err != nil {
			return err
		}
		if len(ix.starts) == 0 || at-ix.starts[len(ix.starts)-1] >= blockSize {
			ix.starts = append(ix.starts, at)
			ix.firsts = append(ix.firsts, bytes.Clone(key))
			ix.prefixes = append(ix.prefixes, prefix(key))
		}
		for _, bit := range ix.bits(key) {
			ix.filter[bit/64] |= 1 << (bit % 64)
		}
		record = appendRecord(record[:0], key, value)
		if _, err := w.Write(record); err != nil {
			return err
		}
		at += int64(len(record))
	}
}

// bits returns which of the filter's bits stand for key.
func (ix *Index) bits(key []byte) [4]uint64 {
	h := maphash.Bytes(ix.seed, key)
	size := uint64(len(ix.filter)) * 64
	step := h>>32 | 1
	return [4]uint64{h % size, (h + step) % size, (h + 2*step) % size, (h + 3*step) % size}
}

// Lookup calls yield for each record with this key, in the order in which
// they were added. The value is valid during the call only.
func (ix *Index) Lookup(key []byte, yield func(value []byte)) error {
	for _, bit := range ix.bits(key) {
		if ix.filter[bit/64]&(1<<(bit%64)) == 0 {
			return nil
		}
	}
	first := ix.find(key)
	// The first record can stand at the end of the block before the first one
	// that begins with the key.
	for i := max(first-1, 0); i < len(ix.firsts) && bytes.Compare(ix.firsts[i], key) <= 0; i++ {
		b, err := ix.block(i)
		if err != nil {
			return err
		}
		for n := b.find(key); n < len(b.at); n++ {
			k, v, _ := parseRecord(b.records[b.at[n]:])
			if !bytes.Equal(k, key) {
				return nil
			}
			yield(v)
		}
	}
	return nil
}

// find returns the number of the first block that does not begin before key.
func (ix *Index) find(key []byte) int {
	return search(ix.prefixes, key, func(i int) []byte { return ix.firsts[i] })
}

// search returns the index of the first key that is not less than key, by their
// prefixes and, where these are equal, by the keys.
func search(prefixes []uint64, key []byte, at func(i int) []byte) int {
	p := prefix(key)
	low, high := 0, len(prefixes)
	for low < high {
		mid := int(uint(low+high) >> 1)
		if prefixes[mid] < p || prefixes[mid] == p && bytes.Compare(at(mid), key) < 0 {
			low = mid + 1
		} else {
			high = mid
		}
	}
	return low
}

// block returns the block of that number, from memory or disk.
func (ix *Index) block(number int) (*block, error) {
	place := &ix.held[number%len(ix.held)]
	if b := place.Load(); b != nil && b.number == number {
		return b, nil
	}
	records := make([]byte, ix.starts[number+1]-ix.starts[number])
	if _, err := ix.file.ReadAt(records, ix.starts[number]); err != nil {
		return nil, err
	}
	_, _, size := parseRecord(records)
	likely := min(len(records), maxHeldSize)/size + 1 // since the others are about as large as the first
	ats, prefixes := make([]uint32, 0, likely), make([]uint64, 0, likely)
	for at := 0; at < len(records); at += size {
		var key []byte
		key, _, size = parseRecord(records[at:])
		ats, prefixes = append(ats, uint32(at)), append(prefixes, prefix(key))
	}
	b := &block{number, records, ats, prefixes}
	if len(b.records) <= maxHeldSize {
		place.Store(b)
	}
	return b, nil
}

// find returns which is the first record whose key is not less than key.
func (b *block) find(key []byte) int {
	return search(b.prefixes, key, func(i int) []byte {
		k, _, _ := parseRecord(b.records[b.at[i]:])
		return k
	})
}

// Close removes the index.
func (ix *Index) Close() error { return ix.file.Close() }
