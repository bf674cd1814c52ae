package ga

import (
	"context"
	"errors"
	"io"

	"hopper/adapters/input"
	"hopper/adapters/input/rows/record"
	"hopper/pipeline"
)

// A sink takes what a chunk holds: a [pipeline.Emitter], or nobody while
// duplicates are looked for.
type sink interface {
	Rows(n int)
	Event(ev *pipeline.Event)
	Reject(at pipeline.Origin, reason, raw string)
	Omit(at pipeline.Origin, reason string)
	Repair(at pipeline.Origin, kind string)
}

// nobody is the sink of a first reading.
type nobody struct{}

func (nobody) Rows(int)                               {}
func (nobody) Event(*pipeline.Event)                  {}
func (nobody) Reject(pipeline.Origin, string, string) {}
func (nobody) Omit(pipeline.Origin, string)           {}
func (nobody) Repair(pipeline.Origin, string)         {}

// decode hands what a chunk holds to out.
type decode func(out sink, seen *seen) error

// A reader cuts one input into chunks. Next returns io.EOF after the last.
type reader interface {
	Next(ctx context.Context) (decode, error)
	Close() error
}

// source reads inputs one after the other.
type source struct {
	inputs []sourceInput
	seen   *tally
	ga4    *ga4

	ahead   decode // the first chunk, where it has been looked at
	current reader
	next    int  // input
	ended   bool // the tally has been handed out
}

// A sourceInput is one file or table, with how it is opened. Its index is that in
// source.inputs.
type sourceInput struct {
	name string
	open func(ctx context.Context, index int) (reader, error)
}

// first returns the first chunk, which chunk then returns too.
func (s *source) first(ctx context.Context) (d decode, err error) {
	s.ahead, err = s.chunk(ctx)
	return s.ahead, err
}

// chunk returns the next chunk of the inputs.
func (s *source) chunk(ctx context.Context) (decode, error) {
	if d := s.ahead; d != nil {
		s.ahead = nil
		return d, ctx.Err()
	}
	for {
		if s.current == nil {
			if s.next == len(s.inputs) {
				return nil, io.EOF
			}
			r, err := s.inputs[s.next].open(ctx, s.next)
			if err != nil {
				return nil, err
			}
			s.current = r
			s.next++
		}
		d, err := s.current.Next(ctx)
		if !errors.Is(err, io.EOF) {
			return d, err
		}
		if err := s.close(); err != nil {
			return nil, err
		}
	}
}

func (s *source) close() error {
	if s.current == nil {
		return nil
	}
	err := s.current.Close()
	s.current = nil
	return err
}

func (s *source) Next(ctx context.Context) (pipeline.Chunk, error) {
	if s.ended {
		return nil, io.EOF
	}
	d, err := s.chunk(ctx)
	if errors.Is(err, io.EOF) {
		s.ended = true
		return s.seen.summarize(ctx, s.inputs)
	}
	if err != nil {
		return nil, err
	}
	return s.seen.chunk(d)
}

func (s *source) Close() error {
	return errors.Join(s.close(), s.seen.close())
}

// recordReader reads nested records.
type recordReader struct {
	record.Reader
	// each makes what translates the records of one chunk.
	each func() translate
	// fast translates chunks whose records need not be put together, unless it is nil.
	fast *fast
	in   *input.Input
}

// fast is how chunks are translated by column and by member.
type fast struct {
	columns *columnar
	members *scanned
}

// translate hands a record that could be read to out as the events it is.
type translate func(rec *record.Record, at pipeline.Origin, out sink, seen *seen)

func (r *recordReader) Next(ctx context.Context) (decode, error) {
	c, err := r.Reader.Next(ctx)
	if err != nil {
		return nil, err
	}
	read := func(out sink, seen *seen) func(*record.Record) {
		each := r.each()
		return func(rec *record.Record) {
			out.Rows(1)
			at := pipeline.Origin{Input: r.in.Name, Row: rec.Row}
			if rec.Err != nil {
				out.Reject(at, rec.Err.Error(), rec.Raw())
				return
			}
			each(rec, at, out, seen)
		}
	}
	records := func(out sink, seen *seen) error { return c.Read(read(out, seen)) }
	if r.fast == nil {
		return records, nil
	}
	switch c := c.(type) {
	case record.Columns:
		return r.fast.columns.decode(c, r.in.Name, read), nil
	case record.Members:
		return r.fast.members.decode(c, r.in.Name, read), nil
	}
	return records, nil
}
