package rows

import (
	"context"
	"errors"
	"io"
	"iter"
	"slices"
	"strings"

	"hopper/adapters/input"
	"hopper/adapters/input/rows/record"
	"hopper/adapters/input/rows/text"
)

// Why a record of text is not what the header promises.
var (
	ErrFewCells  = text.ErrFewCells
	ErrManyCells = text.ErrManyCells
	ErrUnclosed  = text.ErrUnclosed
)

// A Reader cuts a table into chunks. It is for one goroutine.
type Reader struct {
	table   *Table
	text    *text.Reader
	records record.Reader
}

// Open begins to read the rows. The table must not be changed after.
func (t *Table) Open(ctx context.Context) (*Reader, error) {
	r := &Reader{table: t}
	var err error
	if t.text != nil {
		r.text, err = t.asText().Open(ctx)
	} else {
		r.records, err = t.records.Open(ctx, t.wanted)
	}
	if err != nil {
		return nil, err
	}
	return r, nil
}

// asText returns the table of text as this table is read.
func (t *Table) asText() *text.Table {
	own := *t.text
	own.Name, own.Input, own.NullWord = t.Name, t.Input, t.NullWord
	if t.only != nil {
		own.Only = t.only[:len(t.own())]
	}
	return &own
}

// Close ends reading. Chunks stay valid.
func (r *Reader) Close() error {
	if r.text != nil {
		return r.text.Close()
	}
	return r.records.Close()
}

// Next returns the next rows, and io.EOF after the last. The same input is
// always cut in the same places. Other errors are of type [input.Error].
func (r *Reader) Next(ctx context.Context) (*Chunk, error) {
	if r.text != nil {
		c, err := r.text.Next(ctx)
		if err != nil {
			return nil, err
		}
		return &Chunk{Table: r.table, FirstRow: c.FirstRow, EndRow: c.EndRow, text: c}, nil
	}
	c, err := r.records.Next(ctx)
	if err != nil {
		return nil, err
	}
	return recordChunk(r.table, c), nil
}

func recordChunk(t *Table, c record.Chunk) *Chunk {
	chunk := &Chunk{Table: t, records: c}
	chunk.FirstRow, chunk.EndRow = c.Span()
	return chunk
}

// Sample returns the first rows, for a look at what they hold. It reads no
// more than the input's head where that is enough.
func (t *Table) Sample(ctx context.Context) (*Chunk, error) {
	if t.text != nil {
		c, err := t.asText().Sample(ctx)
		if err != nil {
			return nil, err
		}
		return &Chunk{Table: t, FirstRow: c.FirstRow, EndRow: c.EndRow, text: c, sample: true}, nil
	}
	return t.sampleOf(t.records.Sample(ctx))
}

// sampleObjects is Sample without columns that cannot hold objects, where these would
// be read in vain.
func (t *Table) sampleObjects(ctx context.Context) (*Chunk, error) {
	if t.text != nil {
		return t.Sample(ctx)
	}
	return t.sampleOf(t.records.SampleObjects(ctx))
}

func (t *Table) sampleOf(c record.Chunk, err error) (*Chunk, error) {
	if err != nil {
		return nil, err
	}
	if c == nil {
		return &Chunk{Table: t, FirstRow: 1, EndRow: 1}, nil
	}
	return recordChunk(t, c), nil
}

// Each reads the table through and calls do for each row, in order, until it
// returns an error. Rows that cannot be read are among them.
func (t *Table) Each(ctx context.Context, do func(*Row) error) error {
	return t.EachChunk(ctx, func(chunk *Chunk) error {
		for row := range chunk.Rows() {
			if err := do(row); err != nil {
				return err
			}
		}
		return chunk.Err()
	})
}

// EachChunk cuts the table into chunks and calls do for each, in order, until it
// returns an error.
func (t *Table) EachChunk(ctx context.Context, do func(*Chunk) error) error {
	r, err := t.Open(ctx)
	if err != nil {
		return err
	}
	defer r.Close()
	for {
		chunk, err := r.Next(ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = do(chunk)
		}
		if err != nil {
			return err
		}
	}
}

// A Chunk is some rows of a table, in order. One goroutine at a time may use it.
type Chunk struct {
	Table *Table
	// FirstRow is the first row's number, and EndRow the number after the
	// last one's.
	FirstRow, EndRow int64

	text    *text.Chunk // or
	records record.Chunk
	sample  bool // is for a look alone
	err     error
}

// Err returns why the chunk, and so the input, could not be read to its end.
// It is to be asked after Rows.
func (c *Chunk) Err() error { return c.err }

// Release gives back what memory the chunk has of its own. Neither it nor a string of
// its rows may be used after that. To leave it out costs a little time.
func (c *Chunk) Release() {
	if c.text != nil {
		c.text.Release()
	}
}

// Repeatable reports whether Rows may be called again when it has ended.
func (c *Chunk) Repeatable() bool { return c.text != nil }

// Rows yields the chunk's rows. Blank lines and psql's "(12 rows)" are none,
// nor is a row of types under the header, nor the header once more where files
// were put one behind the other. Where its columns stand in another order then, the
// input cannot be read on.
func (c *Chunk) Rows() iter.Seq[*Row] {
	switch {
	case c.text != nil:
		return c.textRows
	case c.records != nil:
		return c.recordRows
	}
	return func(func(*Row) bool) {}
}

func (c *Chunk) textRows(yield func(*Row) bool) {
	row := Row{table: c.Table}
	types, header := c.Table.types, c.Table.header()
	var cells []string // of rows with members
	for r := range c.text.Rows() {
		if r.Number == types && types > 0 {
			continue
		}
		if header.mayBe(r) {
			if c.Table.isHeader(r) {
				continue
			}
			if c.Table.isMoved(r, header.column) {
				if !c.sample {
					c.err = (&input.Error{Input: c.Table.Input.Name, Row: r.Number, Err: errMoved}).Advise("make a file of its own of what begins there")
				}
				return
			}
		}
		row.Number, row.Cells, row.Raw, row.Err, row.Replaced, row.text = r.Number, r.Cells, r.Raw, r.Err, r.Replaced, r
		if len(c.Table.members) > 0 {
			row.Cells = append(cells[:0], r.Cells...)
			c.Table.unfold(&row)
			cells = row.Cells
		}
		if !yield(&row) {
			return
		}
	}
}

var errMoved = errors.New("is a header again, with the columns in another order than in the first")

// header is what tells most rows from the header: the first cell of it that is read,
// which has the length of a column's name.
type header struct {
	column int    // -1 is none
	sizes  uint64 // a bit for each length that there is
}

func (t *Table) header() header {
	own := t.own()
	for i := range own {
		if !t.headed || t.only != nil && !t.only[i] {
			continue
		}
		h := header{column: i}
		for _, name := range own {
			h.sizes |= 1<<min(len(name), 63) | 1<<min(len("\ufeff"+name), 63)
		}
		return h
	}
	return header{column: -1}
}

// mayBe reports whether a row may be the header once more.
func (h header) mayBe(r *text.Row) bool {
	return uint(h.column) < uint(len(r.Cells)) && h.sizes>>min(len(r.Cells[h.column]), 63)&1 != 0
}

// isHeader reports whether a row that may be the header is.
func (t *Table) isHeader(r *text.Row) bool {
	if r.Err != nil || len(r.Cells) < 2 {
		return false
	}
	own := t.own()
	for i, name := range own { // of what was read, which differs in most rows
		if (t.only == nil || t.only[i]) && r.Cells[i] != name && (i > 0 || strings.TrimPrefix(r.Cells[0], "\ufeff") != name) {
			return false
		}
	}
	if t.only == nil {
		return true
	}
	cells := t.asText().Cells(r.Raw)
	return strings.TrimPrefix(cells[0], "\ufeff") == own[0] && slices.Equal(cells[1:], own[1:])
}

// isMoved reports whether a row is the header with its columns in another order, by a
// column that is read, and then by all.
func (t *Table) isMoved(r *text.Row, column int) bool {
	own := t.own()
	if r.Err != nil || len(own) < 3 || !slices.Contains(own, strings.TrimPrefix(r.Cells[column], "\ufeff")) {
		return false
	}
	cells := slices.Clone(t.asText().Cells(r.Raw))
	cells[0] = strings.TrimPrefix(cells[0], "\ufeff")
	names := slices.Clone(own)
	slices.Sort(cells)
	slices.Sort(names)
	return slices.Equal(cells, names)
}

func (c *Chunk) recordRows(yield func(*Row) bool) {
	f := newFiller(c.Table)
	stopped := false
	c.err = c.records.Read(func(rec *record.Record) {
		if stopped || rec.Row == c.Table.types && rec.Row > 0 {
			return
		}
		f.fill(rec)
		c.Table.unfold(&f.row)
		stopped = !yield(&f.row)
	})
	c.Table.late.add(f.late)
}
