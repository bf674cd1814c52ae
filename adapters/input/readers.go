package input

import (
	"bytes"
	"context"
	"encoding/hex"
	"io"
	"sync/atomic"

	"github.com/zeebo/xxh3"

	"hopper/adapters/input/spill"
)

type readCloser struct {
	io.Reader
	close func() error
}

func (r *readCloser) Close() error { return r.close() }

// contextReader ends reading when its context ends.
type contextReader struct {
	ctx context.Context
	io.ReadCloser
}

func (r *contextReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.ReadCloser.Read(p)
}

// A tally counts bytes of one input, and with them those of all.
type tally struct{ one, all *atomic.Int64 }

func (t tally) set(n int64) { t.all.Add(n - t.one.Swap(n)) }

func (t tally) add(n int64) {
	t.one.Add(n)
	t.all.Add(n)
}

type countingReader struct {
	io.ReadCloser
	read tally
}

func (r *countingReader) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	r.read.add(int64(n))
	return n, err
}

// openHead opens contents of which the beginning is wanted. More than that is
// asked of the store only when it is read.
func openHead(ctx context.Context, c Contents, size int64) (io.ReadCloser, error) {
	if p, ok := c.(Previewer); ok {
		head, err := p.Preview(ctx)
		return io.NopCloser(bytes.NewReader(head)), err
	}
	if size < 0 || size <= headSize {
		return c.Open(ctx, 0, -1)
	}
	r, err := c.Open(ctx, 0, headSize)
	if err != nil {
		return nil, err
	}
	return &headReader{ctx: ctx, contents: c, size: size, ReadCloser: r}, nil
}

type headReader struct {
	ctx      context.Context
	contents Contents
	size     int64
	n        int64
	rest     bool
	io.ReadCloser
}

func (h *headReader) Read(p []byte) (int, error) {
	n, err := h.ReadCloser.Read(p)
	h.n += int64(n)
	if err != io.EOF || h.rest || h.n >= h.size {
		return n, err
	}
	h.rest = true
	rest, err := h.contents.Open(h.ctx, h.n, -1)
	if err != nil {
		return n, err
	}
	h.ReadCloser.Close()
	h.ReadCloser = rest
	return n, nil
}

// copyToDisk copies r, of the input name, to a temporary file in dir.
func copyToDisk(name, dir string, r io.Reader, limit int64) (*spooled, error) {
	f, err := spill.Temp(dir)
	if err != nil {
		return nil, Errorf(name, "making a temporary file: %w", err)
	}
	sum := xxh3.New128()
	n, err := io.Copy(io.MultiWriter(f, sum), io.LimitReader(r, limit+1))
	switch {
	case err != nil:
		err = explain(name, n, err)
	case n > limit:
		err = Errorf(name, "holds more than the %d GiB that are copied to a temporary file", limit>>30).Advise("save it to a file and give that")
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return &spooled{f, n, hex.EncodeToString(sum.Sum(nil))}, nil
}

// sectionContents are contents with random access at hand.
type sectionContents struct {
	r    io.ReaderAt
	size int64
}

func (s sectionContents) Open(_ context.Context, offset, _ int64) (io.ReadCloser, error) {
	return io.NopCloser(io.NewSectionReader(s.r, offset, s.size-offset)), nil
}

func (s sectionContents) OpenAt(context.Context) (ReaderAtCloser, error) {
	return struct {
		io.ReaderAt
		io.Closer
	}{s.r, io.NopCloser(nil)}, nil
}
