// Package handles gives random access to a file that can only seek and read,
// such as those of parquet-go-source, through any number of handles of it.
package handles

import (
	"errors"
	"io"
	"sync"

	"github.com/xitongsys/parquet-go/source"
)

// A ReaderAt reads a file at any offset, by any number of goroutines.
type ReaderAt struct {
	file source.ParquetFile // only opens others
	size int64

	mu   sync.Mutex
	free []*handle
}

// handle is a file with its position.
type handle struct {
	source.ParquetFile
	at int64
}

// New returns a ReaderAt of file, which has size bytes. Closing it closes file.
func New(file source.ParquetFile, size int64) *ReaderAt { return &ReaderAt{file: file, size: size} }

// ReadAt is that of [io.ReaderAt].
func (r *ReaderAt) ReadAt(p []byte, offset int64) (int, error) {
	if offset < 0 {
		return 0, errors.New("negative offset")
	}
	if offset >= r.size {
		return 0, io.EOF
	}
	h, err := r.take(offset)
	if err != nil {
		return 0, err
	}
	want := p[:min(int64(len(p)), r.size-offset)]
	// A handle that stands there already goes on with its connection.
	if h.at != offset {
		if _, err := h.Seek(offset, io.SeekStart); err != nil {
			return 0, errors.Join(err, h.Close())
		}
	}
	n, err := io.ReadFull(h.ParquetFile, want)
	if err != nil {
		h.Close()
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return n, err
	}
	h.at = offset + int64(n)
	r.mu.Lock()
	r.free = append(r.free, h)
	r.mu.Unlock()
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// take returns a handle that nobody reads, if possible one at offset.
func (r *ReaderAt) take(offset int64) (*handle, error) {
	r.mu.Lock()
	best := len(r.free) - 1
	for i, h := range r.free {
		if h.at == offset {
			best = i
		}
	}
	if best >= 0 {
		h := r.free[best]
		r.free = append(r.free[:best], r.free[best+1:]...)
		r.mu.Unlock()
		return h, nil
	}
	r.mu.Unlock()
	file, err := r.file.Open("")
	if err != nil {
		return nil, err
	}
	return &handle{file, 0}, nil
}

// Close closes all handles. Nobody may be reading.
func (r *ReaderAt) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	errs := []error{r.file.Close()}
	for _, h := range r.free {
		errs = append(errs, h.Close())
	}
	r.free = nil
	return errors.Join(errs...)
}
