package input

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
)

const stdinName = "standard input"

// addStdin reads a file on standard input in place, and streams a pipe.
func (ins *Inputs) addStdin(ctx context.Context, stdin io.Reader) error {
	if stdin == nil {
		return Errorf(stdinName, "is not there")
	}
	if ins.seen[stdinName] {
		return Errorf(stdinName, "is given twice")
	}
	ins.seen[stdinName] = true
	r, size, ok := randomAccess(stdin)
	if !ok {
		return ins.collect(ins.openStream(ctx, stdinName, io.NopCloser(stdin)))
	}
	return ins.collect(ins.open(ctx, Object{Name: stdinName, Size: size, Named: true, Contents: sectionContents{r, size}}))
}

// randomAccess reports whether stdin is a file, or something as good.
func randomAccess(stdin io.Reader) (r io.ReaderAt, size int64, ok bool) {
	switch s := stdin.(type) {
	case *os.File:
		info, err := s.Stat()
		if err != nil || !info.Mode().IsRegular() {
			return nil, 0, false
		}
		return s, info.Size(), true
	case interface {
		io.ReaderAt
		Size() int64
	}:
		return s, s.Size(), true
	}
	return nil, 0, false
}

// openStream returns the inputs of what can be read once. An archive is copied to disk.
func (ins *Inputs) openStream(ctx context.Context, name string, r io.ReadCloser) opened {
	waiting := &waitingReader{ctx: ctx, r: r, buf: make([]byte, headSize), done: make(chan readResult, 1)}
	buffered := bufio.NewReaderSize(waiting, headSize)
	start, err := buffered.Peek(4)
	switch {
	case err != nil && err != io.EOF:
		return opened{err: explain(name, 0, err)}
	case len(start) == 0:
		return opened{err: Errorf(name, "is empty")}
	}
	in := ins.newInput(Object{Name: name, Size: -1, Named: true})
	if packingOf(start) == zipped {
		s, err := copyToDisk(name, ins.shared.tempDir, buffered, spoolLimit)
		if err != nil {
			return opened{err: err}
		}
		archive := ins.openArchive(ctx, Object{Name: name, Size: s.size, Contents: sectionContents{s, s.size}}, 0)
		archive.closers = append(archive.closers, s, r)
		return archive
	}
	content, err := in.unpack(&readCloser{buffered, r.Close}, in.reading())
	if err != nil {
		return opened{err: err}
	}
	head := make([]byte, headSize)
	n, err := io.ReadFull(content, head)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		content.Close()
		return opened{err: err}
	}
	in.recognize(head[:n])
	in.more = &more{stream: &stream{Reader: io.MultiReader(bytes.NewReader(in.head.head), content), waiting: waiting, close: content.Close}}
	return opened{inputs: []*Input{in}}
}

// stream is content of which there is only one pass.
type stream struct {
	io.Reader
	waiting *waitingReader
	taken   bool
	close   func() error
}

// take returns the stream to the one who reads it until ctx ends.
func (s *stream) take(ctx context.Context) (io.ReadCloser, error) {
	if s.taken {
		return nil, errors.New("is a stream that can be read only once")
	}
	s.taken = true
	s.waiting.ctx = ctx
	return &contextReader{ctx, io.NopCloser(s.Reader)}, nil
}

func (s *stream) Close() error { return s.close() }

// waitingReader reads what can stall, such as a pipe. Read returns when ctx
// ends, although the read beneath goes on in its goroutine.
type waitingReader struct {
	ctx     context.Context
	r       io.Reader
	buf     []byte
	rest    []byte // of buf, still to be returned
	err     error  // of the read beneath
	pending bool
	done    chan readResult
}

type readResult struct {
	n   int
	err error
}

func (w *waitingReader) Read(p []byte) (int, error) {
	if len(w.rest) == 0 && w.err == nil {
		if !w.pending {
			w.pending = true
			go func() {
				n, err := w.r.Read(w.buf)
				w.done <- readResult{n, err}
			}()
		}
		select {
		case done := <-w.done:
			w.pending = false
			w.rest, w.err = w.buf[:done.n], done.err
		case <-w.ctx.Done():
			return 0, w.ctx.Err()
		}
	}
	n := copy(p, w.rest)
	w.rest = w.rest[n:]
	if len(w.rest) > 0 {
		return n, nil
	}
	return n, w.err
}
