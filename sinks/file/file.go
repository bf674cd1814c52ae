// Package file writes events to files: as the table of the common model
// ([pipeline.Columns]), as NDJSON, CSV, Parquet or Arrow, or as the records of a wire
// format in any of these, where each field is a column of text. The table is read
// back by --from events.
package file

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"

	"hopper/pipeline"
)

// A Format is a container of rows.
type Format string

// The formats that events are written in.
const (
	NDJSON  Format = "ndjson"
	CSV     Format = "csv"
	Parquet Format = "parquet"
	Arrow   Format = "arrow" // the stream format
)

// Formats returns all formats.
func Formats() []Format { return []Format{NDJSON, CSV, Parquet, Arrow} }

// A Part is one file that was written.
type Part struct {
	Name   string `json:"name"`
	Events int64  `json:"events"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// An Output is where a part is written to.
type Output interface {
	io.Writer
	// Commit is called when the part is complete, Abandon when it will never be.
	Commit() error
	Abandon() error
}

// A Job says what is written, and where to.
type Job struct {
	Format Format
	// Wire, if set, appends an event's record in a wire format, which is
	// written instead of the table.
	Wire func(dst []byte, ev *pipeline.Event) []byte
	// Create begins part number n, counting from 0, and returns its name.
	Create func(n int) (name string, out Output, err error)
	// PartBytes begins another part between two chunks once one has so many
	// bytes; 0 writes one part.
	PartBytes int64
	// Came, if set, is told how many events are written.
	Came func(events int64)
	// Rejected, if set, takes the rejects of each chunk.
	Rejected func(before int64, rejects []pipeline.Reject) error
}

// Write translates src to its end into files. Where it fails, no part stands
// that is not complete.
func (j *Job) Write(ctx context.Context, t *pipeline.Translation, src pipeline.Source) (pipeline.Stats, []Part, error) {
	if j.Wire != nil {
		if j.Format == NDJSON {
			return write(ctx, j, t, src, pipeline.Encode(j.Wire), newLines)
		}
		table, err := newWireTable(j.Wire)
		if err != nil {
			return pipeline.Stats{}, nil, err
		}
		return table.write(ctx, j, t, src)
	}
	switch j.Format {
	case NDJSON:
		return write(ctx, j, t, src, pipeline.Encode(appendJSON), newLines)
	case CSV:
		return write(ctx, j, t, src, pipeline.Encode(appendCSV), newCSV)
	case Parquet:
		return write(ctx, j, t, src, collectRows, newParquet)
	case Arrow:
		return write(ctx, j, t, src, collectRecordBatch, newArrow)
	}
	return pipeline.Stats{}, nil, fmt.Errorf("%q is no format of files; there are %v", j.Format, Formats())
}

// writer writes what is made of chunks, in order.
type writer[T any] interface {
	write(T) error
	// close writes what is left, but does not close what is written to.
	close() error
}

// parts writes one part after the other.
type parts[T any] struct {
	*Job
	begin   func(io.Writer) (writer[T], error)
	out     Output
	counted *counted
	w       writer[T]
	part    Part
	done    []Part
}

func write[T any](
	ctx context.Context, j *Job, t *pipeline.Translation, src pipeline.Source,
	collect func() pipeline.Collector[T], begin func(io.Writer) (writer[T], error),
) (pipeline.Stats, []Part, error) {
	p := &parts[T]{Job: j, begin: begin}
	if err := p.next(); err != nil {
		return pipeline.Stats{}, nil, err
	}
	stats, err := pipeline.Translate(ctx, t, src, pipeline.Mark{}, collect, func(_ context.Context, chunk *pipeline.Collected[T]) error {
		if p.PartBytes > 0 && p.counted.n >= p.PartBytes {
			if err := errors.Join(p.finish(), p.next()); err != nil {
				return err
			}
		}
		p.part.Events += chunk.Stats.Events
		if p.Came != nil {
			p.Came(chunk.Before.Stats.Events + chunk.Stats.Events)
		}
		if p.Rejected != nil {
			if err := p.Rejected(chunk.Before.Stats.Rejected.Total(), chunk.Rejects); err != nil {
				return err
			}
		}
		return p.w.write(chunk.Value)
	})
	if err == nil {
		err = p.finish()
	}
	if err != nil && p.out != nil {
		err = errors.Join(err, p.out.Abandon())
	}
	return stats, p.done, err
}

// next begins a part.
func (p *parts[T]) next() (err error) {
	p.part = Part{}
	if p.part.Name, p.out, err = p.Create(len(p.done)); err != nil {
		p.out = nil
		return err
	}
	p.counted = &counted{w: p.out, sum: sha256.New()}
	p.w, err = p.begin(p.counted)
	return err
}

// finish completes a part.
func (p *parts[T]) finish() error {
	if err := p.w.close(); err != nil {
		return err
	}
	out := p.out
	p.out = nil
	if err := out.Commit(); err != nil {
		return err
	}
	p.part.Bytes, p.part.SHA256 = p.counted.n, hex.EncodeToString(p.counted.sum.Sum(nil))
	p.done = append(p.done, p.part)
	return nil
}

// counted counts and sums up what is written.
type counted struct {
	w   io.Writer
	n   int64
	sum hash.Hash
}

func (c *counted) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	c.sum.Write(p[:n])
	return n, err
}
