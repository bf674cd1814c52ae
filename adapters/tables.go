package adapters

import (
	"context"
	"errors"
	"io"

	"hopper/adapters/input"
	"hopper/adapters/input/rows"
)

// Tables reads tables to their ends, one after the other, as a [pipeline.Source]
// of several tables does. It is for one goroutine.
type Tables struct {
	List []*rows.Table

	at     int
	reader *rows.Reader
}

// Next returns the next rows and the index of their table, and io.EOF after the
// last.
func (t *Tables) Next(ctx context.Context) (table int, chunk *rows.Chunk, err error) {
	for ; t.at < len(t.List); t.at++ {
		if t.reader == nil {
			if t.reader, err = t.List[t.at].Open(ctx); err != nil {
				t.reader = nil
				return t.at, nil, err
			}
		}
		chunk, err = t.reader.Next(ctx)
		if !errors.Is(err, io.EOF) {
			return t.at, chunk, err
		}
		if err := t.Close(); err != nil {
			return t.at, nil, &input.Error{Input: t.List[t.at].Input.Name, Err: err}
		}
	}
	return t.at, nil, io.EOF
}

// Close ends reading the table that is being read.
func (t *Tables) Close() error {
	if t.reader == nil {
		return nil
	}
	err := t.reader.Close()
	t.reader = nil
	return err
}
