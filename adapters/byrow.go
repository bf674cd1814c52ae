package adapters

import (
	"context"
	"encoding/binary"
	"errors"
	"io"

	"hopper/adapters/input/spill"
)

// byRow yields what was found out about rows, in the order of tables and rows.
type byRow struct {
	sorter spill.Sorter // keys are made by position
	sorted *spill.Sorted

	// The next one, if there is more.
	table uint32
	row   int64
	value []byte
	more  bool
}

func position(table int, row int64) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint32(nil, uint32(table)), uint64(row))
}

// sort ends adding to the sorter.
func (b *byRow) sort(ctx context.Context) (err error) {
	if b.sorted, err = b.sorter.Sort(); err != nil {
		return err
	}
	return b.next(ctx)
}

// take yields what there is of the rows below end in the table of that number.
// Tables and rows are taken in ascending order.
func (b *byRow) take(ctx context.Context, table int, end int64, yield func(row int64, value []byte)) error {
	for b.more && b.table == uint32(table) && b.row < end {
		yield(b.row, b.value)
		if err := b.next(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (b *byRow) next(ctx context.Context) error {
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
func (b *byRow) Close() error { return b.sorter.Close() }
