package spill

import (
	"bufio"
	"encoding/binary"
	"io"
	"slices"
)

// Bins hold records in any number of bins, each in the order in which they were
// added, in memory up to a limit and on disk beyond it. The zero Bins are ready for
// use, by one goroutine; once nothing is added any more any number may read.
type Bins struct {
	// Dir is where they spill; empty means the system's directory for temporary files.
	Dir string
	// Limit is how many bytes of memory to take; 0 means DefaultLimit.
	Limit int

	bins []bin
	room int // bytes that the bins take in memory
	file *File
	size int64 // of what was spilled
}

// bin is what a bin has on disk, and behind that in memory.
type bin struct {
	spilled []run
	held    []byte
}

// New returns the number of a further bin.
func (b *Bins) New() int {
	b.bins = append(b.bins, bin{})
	return len(b.bins) - 1
}

// Len returns the number of bins.
func (b *Bins) Len() int { return len(b.bins) }

// Add copies a record into the bin of that number.
func (b *Bins) Add(number int, record []byte) error {
	to := &b.bins[number]
	before := cap(to.held)
	to.held = append(binary.AppendUvarint(to.held, uint64(len(record))), record...)
	limit := b.Limit
	if limit == 0 {
		limit = DefaultLimit
	}
	if b.room += cap(to.held) - before; b.room > limit {
		return b.spill()
	}
	return nil
}

// spill appends what is in memory to the file, bin by bin.
func (b *Bins) spill() (err error) {
	if b.file == nil {
		if b.file, err = Temp(b.Dir); err != nil {
			return err
		}
	}
	w := bufio.NewWriterSize(io.NewOffsetWriter(b.file, b.size), maxBuffer)
	for i := range b.bins {
		of := &b.bins[i]
		if len(of.held) == 0 {
			continue
		}
		if _, err := w.Write(of.held); err != nil {
			return err
		}
		part := run{b.size, b.size + int64(len(of.held))}
		if last := len(of.spilled) - 1; last >= 0 && of.spilled[last].end == part.start {
			of.spilled[last].end = part.end
		} else {
			of.spilled = append(of.spilled, part)
		}
		b.size, of.held = part.end, nil
	}
	b.room = 0
	return w.Flush()
}

// Each calls yield with each record of a bin in order; what it gets is valid until
// it returns. Each returns the first error of yield.
func (b *Bins) Each(number int, yield func(record []byte) error) error {
	of := &b.bins[number]
	var record []byte
	for _, part := range of.spilled {
		size := part.end - part.start
		r := bufio.NewReaderSize(io.NewSectionReader(b.file, part.start, size), int(min(size, maxBuffer)))
		for {
			n, err := binary.ReadUvarint(r)
			if err == io.EOF {
				break
			}
			if err != nil {
				return err
			}
			record = slices.Grow(record[:0], int(n))[:n]
			if _, err := io.ReadFull(r, record); err != nil {
				return err
			}
			if err := yield(record); err != nil {
				return err
			}
		}
	}
	for rest := of.held; len(rest) > 0; {
		n, head := binary.Uvarint(rest)
		end := head + int(n)
		if err := yield(rest[head:end:end]); err != nil {
			return err
		}
		rest = rest[end:]
	}
	return nil
}

// Close gives up all memory and disk space.
func (b *Bins) Close() error {
	b.bins, b.room = nil, 0
	if b.file == nil {
		return nil
	}
	f := b.file
	b.file = nil
	return f.Close()
}
