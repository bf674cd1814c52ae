package database

import (
	"bytes"
	"cmp"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"

	"hopper/adapters/input"
)

const (
	// patience is how long a database may take to list its tables, and stall how
	// long for the next rows: it may have to sort a table first.
	patience = 30 * time.Second
	stall    = 30 * time.Minute
	// previewed is how many rows are a table's beginning.
	previewed = 200
)

var (
	errPatience = fmt.Errorf("the database has not answered for %s", patience)
	errStall    = fmt.Errorf("the database has sent nothing for %s", stall)
	errClosed   = errors.New("no longer read")
)

// contents are a table's rows as CSV.
type contents struct {
	*database
	input    string // the table's name for messages
	table    table
	relation input.Relation
	only     selection
}

// selection is of the rows of which a column has a value; the zero one is of all.
type selection struct {
	column column
	value  string
}

// identifier matches values that need no quoting in any database.
var identifier = regexp.MustCompile(`^[0-9A-Za-z-]+$`)

// Select limits the rows to those of which a column has a value, see [input.Selective].
func (c *contents) Select(column, value string) {
	i := c.table.column(column)
	if i < 0 || !identifier.MatchString(value) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.only = selection{c.table.columns[i], value}
}

// Selected counts rows twice, see [input.Selective]: those that the database gives,
// and those of all with the value in any case, in which it may be written.
func (c *contents) Selected(ctx context.Context) (left, have int64, err error) {
	only := c.selected()
	if only.value == "" {
		return 0, 0, nil
	}
	read := "SELECT " + c.cell(only.column) + " AS " + c.quote(only.column.name)
	if left, err = c.count(ctx, read+c.from(only), func(string) bool { return true }); err != nil {
		return 0, 0, err
	}
	have, err = c.count(ctx, read+c.from(selection{}), func(cell string) bool { return strings.EqualFold(cell, only.value) })
	return left, have, err
}

// count reads one column and returns how many of its cells are meant.
func (c *contents) count(ctx context.Context, query string, isMeant func(cell string) bool) (n int64, err error) {
	s := c.read(ctx, query)
	defer func() { err = errors.Join(err, s.Close()) }()
	cells := csv.NewReader(s)
	cells.ReuseRecord = true
	if _, err := cells.Read(); err != nil { // the header
		return 0, err
	}
	for {
		row, err := cells.Read()
		if err == io.EOF {
			return n, nil
		}
		if err != nil {
			return 0, err
		}
		if isMeant(row[0]) {
			n++
		}
	}
}

// AsOf leaves out rows that were added later than [Lag] before t.
func (c *contents) AsOf(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.until = t.Add(-Lag)
}

// OpenAt is not supported.
func (c *contents) OpenAt(context.Context) (input.ReaderAtCloser, error) {
	return nil, errors.ErrUnsupported
}

// Preview returns the first rows.
func (c *contents) Preview(ctx context.Context) ([]byte, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, stall, errStall)
	defer cancel()
	var head bytes.Buffer
	err := c.copyTo(ctx, fmt.Sprintf("%s LIMIT %d", c.query(), previewed), &head)
	return head.Bytes(), c.explain(ctx, c.input, err)
}

// Open returns all rows.
func (c *contents) Open(ctx context.Context, offset, _ int64) (io.ReadCloser, error) {
	s := c.read(ctx, c.query())
	if _, err := io.CopyN(io.Discard, s, offset); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// read begins to read what a query returns.
func (c *contents) read(ctx context.Context, query string) *stream {
	ctx, cancel := context.WithCancelCause(ctx)
	r, w := io.Pipe()
	s := &stream{PipeReader: r, cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(s.done)
		err := c.copyTo(ctx, query, w)
		w.CloseWithError(c.explain(ctx, c.input, err))
	}()
	return s
}

func (c *contents) copyTo(ctx context.Context, query string, w io.Writer) error {
	s, err := c.session(ctx)
	if err != nil {
		return err
	}
	if err := s.copy(ctx, query, newWriter(w)); err != nil {
		return errors.Join(err, s.close())
	}
	c.done(s)
	return nil
}

// query returns the statement that reads the rows.
func (c *contents) query() string {
	var cells, order []string
	chosen := c.columns()
	for _, col := range chosen {
		cells = append(cells, c.cell(col)+" AS "+c.quote(col.name))
	}
	by := func(col column) { order = append(order, "t."+c.quote(col.name)) }
	at := c.table.column(c.relation.Time)
	key, whole := c.key(chosen)
	if at >= 0 && !(whole && c.relation.Counted) {
		by(c.table.columns[at])
	}
	for _, col := range key {
		by(col)
	}
	q := "SELECT " + strings.Join(cells, ", ") + c.from(c.selected())
	if len(order) > 0 {
		q += " ORDER BY " + strings.Join(order, ", ")
	}
	return q
}

// from returns of which table and rows a statement is.
func (c *contents) from(only selection) string {
	name := c.quote(c.table.name)
	if c.table.schema != "" {
		name = c.quote(c.table.schema) + "." + name
	}
	q := " FROM " + name + " AS t"
	var where []string
	if only.value != "" {
		where = append(where, "t."+c.quote(only.column.name)+" = '"+only.value+"'")
	}
	if at := c.table.column(c.relation.Time); at >= 0 {
		col := c.table.columns[at]
		where = append(where, "(t."+c.quote(col.name)+" IS NULL OR "+c.before(col, c.bound().UTC().Truncate(time.Second))+")")
	}
	if len(where) > 0 {
		q += " WHERE " + strings.Join(where, " AND ")
	}
	return q
}

func (c *contents) selected() selection {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.only
}

// columns returns those that are read.
func (c *contents) columns() []column {
	if c.relation.Columns == nil {
		return c.table.columns
	}
	var chosen []column
	for _, name := range c.relation.Columns {
		if i := c.table.column(name); i >= 0 {
			chosen = append(chosen, c.table.columns[i])
		}
	}
	return chosen
}

// key returns the columns that order rows of the same time, and whether they are
// the relation's Key.
func (c *contents) key(chosen []column) (key []column, whole bool) {
	for _, name := range c.relation.Key {
		if i := c.table.column(name); i >= 0 {
			key = append(key, c.table.columns[i])
		}
	}
	if len(key) > 0 && len(key) == len(c.relation.Key) {
		return key, true
	}
	key = nil
	for _, col := range chosen {
		if c.sortable(col) && !strings.EqualFold(col.name, c.relation.Time) {
			key = append(key, col)
		}
	}
	return key, false
}

// explain says of an error which table it was, and whether the same run can
// succeed later.
func (*database) explain(ctx context.Context, name string, err error) error {
	if err == nil {
		return nil
	}
	var known *input.Error
	if errors.As(err, &known) {
		return err
	}
	cause := context.Cause(ctx)
	switch {
	case errors.Is(cause, errPatience), errors.Is(cause, errStall):
		err = &input.AwayError{Err: cause}
	case cause != nil:
		return cause
	case isAway(err):
		err = &input.AwayError{Err: err}
	}
	hint := cmp.Or(whyPostgres(err), whyMySQL(err), whyClickHouse(err))
	return &input.Error{Input: name, Err: fmt.Errorf("reading from the database: %w", err), Hint: hint}
}

// stream is a table that is being read.
type stream struct {
	*io.PipeReader
	cancel context.CancelCauseFunc
	done   chan struct{}
}

// Read waits for the next rows for no longer than stall.
func (s *stream) Read(p []byte) (int, error) {
	timer := time.AfterFunc(stall, func() { s.cancel(errStall) })
	defer timer.Stop()
	return s.PipeReader.Read(p)
}

// Close ends the statement, if it has not ended, and waits for that.
func (s *stream) Close() error {
	s.cancel(errClosed)
	s.PipeReader.Close()
	<-s.done
	return nil
}
