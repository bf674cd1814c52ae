package ga

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"iter"
	mathbits "math/bits"
	"slices"
	"strings"

	"github.com/zeebo/xxh3"

	"hopper/adapters/input"
	"hopper/adapters/input/spill"
)

// Rows are looked at several times before it is known what they say, and may be
// more than fit into memory. They are written down once, and each look reads them.

// maxRows is how much memory the rows of all tables take, maxSorted what is
// compared with each other, both in bytes.
const (
	maxRows   = 16 << 20
	maxSorted = 16 << 20
)

// rowStore holds the rows of all tables.
type rowStore struct {
	spill.Bins
	record []byte
}

func newRowStore(dir string) *rowStore {
	return &rowStore{Bins: spill.Bins{Dir: dir, Limit: maxRows}}
}

// table returns a table of an input, without rows.
func (s *rowStore) table(in *input.Input) *reportTable {
	return &reportTable{in: in, rows: reportRows{store: s, bins: []int{s.New()}}}
}

// reportRows are a table's rows.
type reportRows struct {
	store *rowStore
	bins  []int
	n     int
	first int64 // number of the first row
	// fates are why rows are left out, by row, as their places in reasons; nil
	// where none was left out since it was written down.
	fates   []uint8
	reasons []fate
}

// A fate is why a row is left out, if it is.
type fate struct{ omit, reject string }

// A reportRow is a row with its number in the input.
type reportRow struct {
	number int64
	cells  []string
	span   span
	fate
	texts strings.Builder // where those of cells lie
}

// stays reports whether the row is not left out.
func (row *reportRow) stays() bool { return row.fate == fate{} }

// add takes a row, of which it keeps number, cells and why it is rejected.
func (r *reportRows) add(row reportRow) error {
	if r.n++; r.n == 1 {
		r.first = row.number
	}
	record := binary.AppendUvarint(r.store.record[:0], uint64(row.number))
	record = appendText(record, row.reject)
	record = binary.AppendUvarint(record, uint64(len(row.cells)))
	for _, cell := range row.cells {
		record = binary.AppendUvarint(record, uint64(len(cell)))
	}
	for _, cell := range row.cells {
		record = append(record, cell...)
	}
	r.store.record = record
	return r.store.Add(r.bins[len(r.bins)-1], record)
}

// take takes all rows of other, behind its own.
func (r *reportRows) take(other *reportRows) {
	r.bins = append(r.bins, other.bins...)
	r.n += other.n
}

// read sets row to what a record says, in memory of its own but for cells, whose
// elements are set anew by the next row.
func (row *reportRow) read(record []byte) {
	number, record := cutNumber(record)
	reject, record := cutText(record)
	n, record := cutNumber(record)
	lengths := record
	for range n {
		_, record = cutNumber(record)
	}
	row.number, row.span, row.fate = int64(number), span{}, fate{reject: reject}
	row.cells = row.cells[:0]
	text := row.own(record)
	for range n {
		var length uint64
		length, lengths = cutNumber(lengths)
		row.cells, text = append(row.cells, text[:length]), text[length:]
	}
}

// own returns a copy of a row's text, in memory that some rows share.
func (row *reportRow) own(text []byte) string {
	const most = 4 << 10 // that whoever keeps a cell keeps with it
	b := &row.texts
	if b.Cap()-b.Len() < len(text) {
		b.Reset()
		b.Grow(max(most, len(text)))
	}
	begin := b.Len()
	b.Write(text)
	return b.String()[begin:]
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func cutNumber(b []byte) (uint64, []byte) {
	if len(b) > 0 && b[0] < 0x80 { // as most are
		return uint64(b[0]), b[1:]
	}
	n, size := binary.Uvarint(b)
	return n, b[size:]
}

func cutText(b []byte) (string, []byte) {
	text, rest := cutBytes(b)
	return string(text), rest
}

func cutBytes(b []byte) (text, rest []byte) {
	n, b := cutNumber(b)
	return b[:n], b[n:]
}

// leave sets why a row is left out.
func (r *reportRows) leave(i int, why fate) {
	if r.fates == nil {
		r.fates, r.reasons = make([]uint8, r.n), []fate{{}}
	}
	at := slices.Index(r.reasons, why)
	if at < 0 {
		at = len(r.reasons)
		r.reasons = append(r.reasons, why) // the reasons that there are, and few together
	}
	r.fates[i] = uint8(at)
}

// errEnough ends a look at rows.
var errEnough = errors.New("no more rows are needed")

// all yields the table's rows in order, with their places. What is done to a row's
// fate stays; the row itself is valid until the next one. An error is in
// t.broken then.
func (t *reportTable) all() iter.Seq2[int, *reportRow] {
	return func(yield func(int, *reportRow) bool) {
		i, row, blanks := 0, reportRow{}, make([]string, len(t.continued))
		each := func(record []byte) error {
			row.read(record)
			if t.rows.fates != nil && t.rows.fates[i] != 0 {
				row.fate = t.rows.reasons[t.rows.fates[i]]
			}
			t.completed(&row, blanks)
			before := row.fate
			more := yield(i, &row)
			if row.fate != before {
				t.rows.leave(i, row.fate)
			}
			if i++; !more {
				return errEnough
			}
			return nil
		}
		for _, bin := range t.rows.bins {
			if err := t.rows.store.Each(bin, each); err != nil {
				if !errors.Is(err, errEnough) {
					t.broken = errors.Join(t.broken, err)
				}
				return
			}
		}
	}
}

// completed gives a row what is known of all rows: as many cells as there are
// columns, the values above blank cells, and its days.
func (t *reportTable) completed(row *reportRow, above []string) {
	for t.padded && row.reject == "" && len(row.cells) < len(t.titles) {
		row.cells = append(row.cells, "") // the first rows can have fewer members than others
	}
	for k, column := range t.continued {
		if s := cell(row.cells, column); s != "" {
			above[k] = s
		} else if above[k] != "" && row.reject == "" && column < len(row.cells) && !t.isBlank(row, t.keyed) {
			row.cells[column] = above[k]
		}
	}
	if t.find != nil && row.stays() {
		row.span, _ = t.find(row)
	}
}

// mayRepeat reports whether two of the rows that stay may have the same key, which
// appends it to what it is given. Of so many rows that their sums would take too much
// memory, it is not found out.
func (t *reportTable) mayRepeat(key func(b []byte, row *reportRow) []byte) bool {
	if t.rows.n > maxSorted/8 {
		return true
	}
	sums, b := make([]uint64, 0, t.rows.n), []byte(nil)
	for _, row := range t.all() {
		if row.stays() {
			b = key(b[:0], row)
			sums = append(sums, xxh3.Hash(b))
		}
	}
	n := len(sums)
	slices.Sort(sums)
	return len(slices.Compact(sums)) < n
}

// sameRows finds the rows that have the same key.
type sameRows struct {
	sorter     spill.Sorter
	key, value []byte
}

// same returns what finds rows with the same key.
func (t *reportTable) same() *sameRows {
	return &sameRows{sorter: spill.Sorter{Dir: t.rows.store.Dir, Limit: maxSorted}}
}

// add takes a row's key, and what is to be known of the row.
func (s *sameRows) add(key []byte, i int, about ...string) error {
	s.key = binary.BigEndian.AppendUint64(s.key[:0], xxh3.Hash(key)) // by which they are sorted fast
	s.key = append(s.key, key...)
	s.value = binary.AppendUvarint(s.value[:0], uint64(i))
	for _, text := range about {
		s.value = appendText(s.value, text)
	}
	return s.sorter.Add(s.key, s.value)
}

// A sameRow is one of the rows with the same key.
type sameRow struct {
	i     int
	about []string
}

// each calls do with each row whose key an earlier one has, and with the first
// such, in the order of rows as far as they have the same key.
func (s *sameRows) each(ctx context.Context, do func(first, row *sameRow)) error {
	var key []byte
	var first, row sameRow
	none := true
	return s.sorter.Each(ctx, func(k, value []byte) error {
		if none || string(k) != string(key) {
			key, none = append(key[:0], k...), false
			first.read(value)
			return nil
		}
		row.read(value)
		do(&first, &row)
		return nil
	})
}

func (r *sameRow) read(value []byte) {
	i, value := cutNumber(value)
	r.i, r.about = int(i), r.about[:0]
	for len(value) > 0 {
		var text string
		text, value = cutText(value)
		r.about = append(r.about, text)
	}
}

// any reports whether two rows have the same key.
func (s *sameRows) any(ctx context.Context) (bool, error) {
	sorted, err := s.sorter.Sort()
	if err != nil {
		return false, err
	}
	_, _, err = sorted.NextRepeat(ctx)
	if errors.Is(err, io.EOF) {
		return false, nil
	}
	return err == nil, err
}

func (s *sameRows) close() error { return s.sorter.Close() }

// bits is a set of rows by their places.
type bits []uint64

func newBits(n int) bits { return make(bits, (n+63)/64) }

func (b bits) set(i int) { b[i/64] |= 1 << (i % 64) }

func (b bits) all() iter.Seq[int] {
	return func(yield func(int) bool) {
		for word, set := range b {
			for ; set != 0; set &= set - 1 {
				if !yield(word*64 + mathbits.TrailingZeros64(set)) {
					return
				}
			}
		}
	}
}
