package spill

import (
	"context"
	"io"
)

// Blocks hold blocks of bytes in the order in which they were added, in memory up to
// a limit and on disk beyond it. The zero Blocks are ready for use, by one goroutine.
type Blocks struct {
	// Dir is where they spill; empty means the system's directory for temporary files.
	Dir string
	// Limit is how many bytes of memory to take; 0 means DefaultLimit.
	Limit int

	held  [][]byte // in memory, all of them where file is nil
	size  int      // of held
	file  *File
	sizes []int // of those in file
}

// Add takes a block, and returns its memory where it can be used again, else nil.
func (b *Blocks) Add(block []byte) (free []byte, err error) {
	limit := b.Limit
	if limit == 0 {
		limit = DefaultLimit
	}
	b.held = append(b.held, block)
	if b.size += len(block); b.file == nil && b.size <= limit {
		return nil, nil
	}
	if b.file == nil {
		if b.file, err = Temp(b.Dir); err != nil {
			return nil, err
		}
	}
	for _, block := range b.held {
		if _, err := b.file.Write(block); err != nil {
			return nil, err
		}
		b.sizes = append(b.sizes, len(block))
	}
	clear(b.held)
	b.held, b.size = b.held[:0], 0
	return block[:0], nil
}

// Each calls yield with each block in order, as often as it is called itself. What
// yield gets is valid until it returns. Each returns the first error of yield.
func (b *Blocks) Each(ctx context.Context, yield func(block []byte) error) error {
	var buffer []byte
	at := int64(0)
	for _, size := range b.sizes {
		if err := ctx.Err(); err != nil {
			return err
		}
		if size > len(buffer) {
			buffer = make([]byte, size)
		}
		if _, err := io.ReadFull(io.NewSectionReader(b.file, at, int64(size)), buffer[:size]); err != nil {
			return err
		}
		if err := yield(buffer[:size]); err != nil {
			return err
		}
		at += int64(size)
	}
	for _, block := range b.held {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := yield(block); err != nil {
			return err
		}
	}
	return nil
}

// Close gives up all memory and disk space.
func (b *Blocks) Close() error {
	b.held, b.sizes, b.size = nil, nil, 0
	if b.file == nil {
		return nil
	}
	f := b.file
	b.file = nil
	return f.Close()
}
