package spill

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"hash/maphash"
	"io"
	"sort"
	"sync"
)

const (
	// blockSize is about how much one lookup reads.
	blockSize = 8 << 10
	// filterBits is how many bits the filter takes for a record, and
	// maxFilter how many at most: 16 MiB.
	filterBits = 12
	maxFilter  = 1 << 27
)

// An Index finds records by key. They are on disk in sorted blocks; in memory
// it holds each block's first key (some 50 bytes for 8 KiB of records), and a
// filter that spares most lookups of absent keys the disk. Any number of
// goroutines may use it.
type Index struct {
	file   *File
	starts []int64  // of the blocks, and the end of the last
	firsts [][]byte // their first keys
	seed   maphash.Seed
	filter []uint64
	blocks sync.Pool
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
	ix.blocks.New = func() any { return new([]byte) }
	if err := ix.fill(ctx, sorted); err != nil {
		return nil, errors.Join(err, f.Close())
	}
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
	// The first record can stand at the end of the block before the first one
	// that begins with the key.
	first := sort.Search(len(ix.firsts), func(i int) bool { return bytes.Compare(ix.firsts[i], key) >= 0 })
	held := ix.blocks.Get().(*[]byte)
	defer ix.blocks.Put(held)
	for i := max(first-1, 0); i < len(ix.firsts) && bytes.Compare(ix.firsts[i], key) <= 0; i++ {
		size := int(ix.starts[i+1] - ix.starts[i])
		if cap(*held) < size {
			*held = make([]byte, size)
		}
		block := (*held)[:size]
		if _, err := ix.file.ReadAt(block, ix.starts[i]); err != nil {
			return err
		}
		for len(block) > 0 {
			k, v, size := parseRecord(block)
			switch c := bytes.Compare(k, key); {
			case c > 0:
				return nil
			case c == 0:
				yield(v)
			}
			block = block[size:]
		}
	}
	return nil
}

// Close removes the index.
func (ix *Index) Close() error { return ix.file.Close() }
