package record

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"slices"

	"hopper/adapters/input"
)

// A Table is the records of an input, taken as rows.
type Table struct {
	// Columns are the names of the records' members, as they are written. A
	// name that one record has twice stands there twice.
	Columns []string

	in     *input.Input
	layout layout          // of JSON
	plain  map[string]bool // columns of Parquet that hold neither objects nor text
}

// Find returns the table that an input of JSON, Parquet, Avro or Arrow holds. All
// but JSON name all columns; of JSON, whose records may each have other
// members, those of all records at the input's beginning are named. It fails with
// an [input.Error] where the first record of JSON is longer than 4 MiB.
func Find(ctx context.Context, in *input.Input) (*Table, error) {
	t := &Table{in: in}
	switch in.Format() {
	case input.JSON:
		head, whole, err := beginning(ctx, in)
		switch {
		case err != nil:
			return nil, err
		case !whole:
			return nil, input.Errorf(in.Name, "is JSON whose first record does not end within %d MiB, where a record a line or a list of records was expected", maxBeginning>>20)
		}
		t.layout = layoutOf(head)
		t.Columns = t.layout.names
		if !t.layout.lists {
			t.Columns = columnsOf(&jsonReader{in: in.Name, r: io.NopCloser(bytes.NewReader(head)), layout: t.layout, chunk: len(head), limit: MaxRecord})
		}
		return t, nil
	case input.Avro:
		schema, err := avroSchemaOf(ctx, in)
		if err != nil {
			return nil, err
		}
		t.Columns = schema.names
		return t, nil
	case input.Arrow:
		schema, err := arrowSchema(ctx, in)
		if err != nil {
			return nil, err
		}
		for _, f := range schema.Fields() {
			t.Columns = append(t.Columns, f.Name)
		}
		return t, nil
	case input.Parquet:
		f, p, err := openParquetFile(ctx, in)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		t.plain = make(map[string]bool)
		for _, c := range p.Root().Columns() {
			t.Columns = append(t.Columns, c.Name())
			t.plain[c.Name()] = isPlainColumn(c)
		}
		return t, nil
	}
	return nil, input.Errorf(in.Name, "is %s; expected JSON, Parquet, Avro or Arrow", in.Format())
}

// columnsOf returns the members of the records that r has at its beginning,
// each as often as a record has it most.
func columnsOf(r Reader) (names []string) {
	known := make(map[string]int)
	for {
		c, err := r.Next(context.Background())
		if err != nil {
			return names
		}
		err = c.Read(func(rec *Record) {
			if rec.Root == nil {
				return
			}
			seen := make(map[string]int, len(rec.Root.Kids))
			for i := range rec.Root.Kids {
				key := rec.Root.Kids[i].Key
				if seen[key]++; seen[key] > known[key] {
					known[key]++
					names = append(names, key)
				}
			}
		})
		if err != nil {
			return names
		}
	}
}

// Lists reports whether the records are lists of cells, in the order of
// Columns, and not objects.
func (t *Table) Lists() bool { return t.layout.lists }

// Headless returns the table for lists of which the first is a record, and
// does not hold the columns' names.
func (t *Table) Headless(columns []string) *Table {
	h := *t
	h.Columns, h.layout.header = columns, 0
	return &h
}

// Open begins to read the records. Columns that wanted refuses are not read
// where the container allows to leave them out; see [Open].
func (t *Table) Open(ctx context.Context, wanted func(path string) bool) (Reader, error) {
	if t.in.Format() == input.JSON {
		return openJSON(ctx, t.in, t.layout, nil) // of others is told that they came late
	}
	return Open(ctx, t.in, wanted)
}

// Sample returns the first records, or nil where there are none.
func (t *Table) Sample(ctx context.Context) (Chunk, error) { return t.sample(ctx, nil) }

// SampleObjects is Sample for whoever looks for objects alone: columns that can hold
// neither these nor text, as lists can not, may be missing.
func (t *Table) SampleObjects(ctx context.Context) (Chunk, error) {
	wanted := func(path string) bool { return !t.plain[path] }
	if len(t.plain) > 0 && !slices.ContainsFunc(t.Columns, wanted) {
		return nil, nil
	}
	return t.sample(ctx, wanted)
}

func (t *Table) sample(ctx context.Context, wanted func(string) bool) (Chunk, error) {
	var (
		r   Reader
		err error
	)
	switch t.in.Format() {
	case input.JSON:
		head, _, err := beginning(ctx, t.in)
		if err != nil {
			return nil, err
		}
		r = &jsonReader{in: t.in.Name, r: io.NopCloser(bytes.NewReader(head)), layout: t.layout, chunk: len(head), limit: MaxRecord}
	default:
		if err := t.in.Spool(ctx); err != nil { // it is read again
			return nil, err
		}
		if r, err = Open(ctx, t.in, wanted); err != nil {
			return nil, err
		}
	}
	defer r.Close()
	c, err := r.Next(ctx)
	if errors.Is(err, io.EOF) {
		return nil, nil
	}
	return c, err
}

// Open opens an input of JSON, Parquet, Avro or Arrow. Columns whose path ("geo.metro",
// without the names that encode lists) wanted refuses are not read where the
// container allows to leave them out; nil wants all.
func Open(ctx context.Context, in *input.Input, wanted func(path string) bool) (Reader, error) {
	if wanted == nil {
		wanted = func(string) bool { return true }
	}
	switch in.Format() {
	case input.JSON:
		head, _, err := beginning(ctx, in)
		if err != nil {
			return nil, err
		}
		return openJSON(ctx, in, layoutOf(head), wanted)
	case input.Avro:
		return openAvro(ctx, in, wanted)
	case input.Parquet:
		return openParquet(ctx, in, wanted)
	case input.Arrow:
		a, err := openArrow(ctx, in, wanted)
		if err != nil {
			return nil, err
		}
		return a, nil
	}
	return nil, input.Errorf(in.Name, "is %s; expected JSON, Parquet, Avro or Arrow", in.Format())
}

// Fields returns the names of the first record's members, at the top level
// and joined by dots below it, as far as the beginning of the input tells
// them, and nil where in holds no records.
func Fields(ctx context.Context, in *input.Input) ([]string, error) {
	switch in.Format() {
	case input.JSON:
		head, _, err := beginning(ctx, in)
		return jsonFields(head), err
	case input.Avro:
		schema, err := avroSchemaOf(ctx, in)
		if err != nil {
			return nil, err
		}
		return avroNames(nil, "", schema, 0), nil
	case input.Parquet:
		return parquetFields(ctx, in)
	case input.Arrow:
		schema, err := arrowSchema(ctx, in)
		if err != nil {
			return nil, err
		}
		return arrowNames(nil, "", schema.Fields(), 0), nil
	}
	return nil, nil
}

// avroSchemaOf returns the schema, which stands at the beginning and nearly
// always within the head.
func avroSchemaOf(ctx context.Context, in *input.Input) (*avroType, error) {
	all := func(string) bool { return true }
	a := &avroReader{in: in.Name, b: bufio.NewReader(bytes.NewReader(in.Head()))}
	err := a.header(all)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		if err := in.Spool(ctx); err != nil {
			return nil, err
		}
		r, err := openAvro(ctx, in, all)
		if err != nil {
			return nil, err
		}
		defer r.Close()
		return r.(*avroReader).schema, nil
	}
	if err != nil {
		return nil, damagedAvro(in.Name, 0, err)
	}
	return a.schema, nil
}
