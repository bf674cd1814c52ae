package adapters

import (
	"context"
	"encoding/binary"
	"errors"
	"io"

	"hopper/adapters/input/spill"
)

// A ByRow holds what was found out about rows, in any order, and yields it in the
// order of tables and rows, sorted on disk where need be. The zero value is ready
// for use, by one goroutine; a nil one holds nothing.
type ByRow struct {
	// Dir is where it spills; empty is the system's directory for temporary files.
	Dir string

	sorter spill.Sorter // keys are made by position
	sorted *spill.Sorted

	// The next one, if there is more.
	table uint32
	row   int64
	value []byte
	more  bool
}

func position(table int, row int64) (p [12]byte) {
	binary.BigEndian.PutUint32(p[:], uint32(table))
	binary.BigEndian.PutUint64(p[4:], uint64(row))
	return p
}

// Add takes what was found out about the row of that number in the table of that
// number. It copies the value.
func (b *ByRow) Add(table int, row int64, value []byte) error {
	at := position(table, row)
	return b.add(at[:], value)
}

func (b *ByRow) add(position, value []byte) error {
	b.sorter.Dir = b.Dir
	return b.sorter.Add(position, value)
}

// Sort ends adding.
func (b *ByRow) Sort(ctx context.Context) (err error) {
	if b.sorted, err = b.sorter.Sort(); err != nil {
		return err
	}
	return b.next(ctx)
}

// Take yields what there is of the rows below end in the table of that number; a
// value is valid until yield returns. Tables and rows are taken in ascending order.
func (b *ByRow) Take(ctx context.Context, table int, end int64, yield func(row int64, value []byte)) error {
	for b != nil && b.more && b.table == uint32(table) && b.row < end {
		yield(b.row, b.value)
		if err := b.next(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (b *ByRow) next(ctx context.Context) error {
	position, value, err := b.sorted.Next(ctx)
	if b.more = err == nil; !b.more {
		if errors.Is(err, io.EOF) {
			return nil
		}
		return err
	}
	b.table, b.row, b.value = binary.BigEndian.Uint32(position), int64(binary.BigEndian.Uint64(position[4:])), value
	return nil
}

// Close gives up all memory and disk space.
func (b *ByRow) Close() error {
	if b == nil {
		return nil
	}
	return b.sorter.Close()
}
