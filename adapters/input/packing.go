package input

import (
	"bytes"
	"compress/bzip2"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"sync/atomic"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zip"
	"github.com/klauspost/compress/zstd"
)

// packing is how bytes are compressed.
type packing string

const (
	unpacked packing = ""
	gzipped  packing = "\x1f\x8b"
	zstded   packing = "\x28\xb5\x2f\xfd"
	bzipped  packing = "BZh"
	zipped   packing = "PK\x03\x04"
)

// suffixes are what file names end in, by packing; Base goes without them.
var suffixes = []string{".gz", ".gzip", ".zst", ".zstd", ".bz2"}

// packingOf recognizes a packing by the first bytes, since names lie.
func packingOf(head []byte) packing {
	for _, p := range []packing{gzipped, zstded, bzipped, zipped} {
		if bytes.HasPrefix(head, []byte(p)) {
			return p
		}
	}
	if bytes.HasPrefix(head, []byte("PK\x05\x06")) { // an archive without members
		return zipped
	}
	return unpacked
}

// maxWindow is the largest zstd window that is accepted, zstd's own default.
const maxWindow = 128 << 20

// unpack takes the compression off raw, of which read tells the bytes read so far.
func (p packing) unpack(raw io.ReadCloser, read *atomic.Int64, name string) (io.ReadCloser, error) {
	var r io.Reader
	closeAll := raw.Close
	switch p {
	case gzipped:
		z, err := gzip.NewReader(raw)
		if err != nil {
			return nil, err
		}
		r = z
	case zstded:
		z, err := zstd.NewReader(raw, zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return nil, err
		}
		r, closeAll = z, func() error { z.Close(); return raw.Close() }
	case bzipped:
		r = bzip2.NewReader(raw)
	default:
		r = raw
	}
	return &readCloser{&checkedReader{r: r, name: name, read: read, packed: p != unpacked}, closeAll}, nil
}

// What unpacks to more than maxRatio times its size, beyond ratioFree bytes,
// is no export but made to fill a disk. Deflate reaches 1032 on constant bytes.
const (
	maxRatio  = 1000
	ratioFree = 64 << 20
)

var errBomb = fmt.Errorf("unpacks to more than %d times its size, which no export does; unpack it yourself if you trust it", maxRatio)

// checkedReader turns decompressors' errors into ones that say what to do, and
// guards against what unpacks to too much.
type checkedReader struct {
	r      io.Reader
	name   string
	read   *atomic.Int64 // packed bytes so far
	packed bool
	n      int64 // unpacked bytes so far
}

func (c *checkedReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	if c.packed && c.n > ratioFree && c.n/maxRatio > c.read.Load() {
		return 0, &Error{Input: c.name, Err: errBomb}
	}
	if err != nil && err != io.EOF {
		err = explain(c.name, c.read.Load(), err)
	}
	return n, err
}

// explain says of an error from the system or a decompressor, after read
// bytes of the input, what a user can do about it.
func explain(name string, read int64, err error) error {
	var known *Error
	var path *fs.PathError
	switch {
	case errors.As(err, &known), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.Is(err, io.ErrUnexpectedEOF):
		return Errorf(name, "is cut off after %d bytes; download or copy it again (%w)", read, err)
	case errors.Is(err, zip.ErrFormat):
		return Errorf(name, "is cut off or damaged: it begins as a ZIP archive and has no directory at its end; download or copy it again (%w)", err)
	case errors.Is(err, zip.ErrAlgorithm):
		return Errorf(name, "is compressed in a way that cannot be read here; unpack it first (%w)", err)
	case errors.Is(err, zstd.ErrWindowSizeExceeded), errors.Is(err, zstd.ErrDecoderSizeExceeded):
		return Errorf(name, "needs more than %d MiB to unpack; unpack it first with zstd -d --long=31 (%w)", maxWindow>>20, err)
	case errors.As(err, &path):
		return &Error{Input: name, Err: path.Err} // the name stands in front already
	case isDamage(err):
		return Errorf(name, "is damaged near byte %d; download or copy it again (%w)", read, err)
	}
	return &Error{Input: name, Err: err}
}

// isDamage reports whether a decompressor found data that it cannot unpack.
func isDamage(err error) bool {
	var structural bzip2.StructuralError
	if errors.As(err, &structural) || errors.Is(err, gzip.ErrChecksum) || errors.Is(err, gzip.ErrHeader) || errors.Is(err, zip.ErrChecksum) {
		return true
	}
	// flate's and zstd's errors have many types and values, and one look.
	text := err.Error()
	return strings.HasPrefix(text, "flate: ") || strings.Contains(text, "corrupt") || strings.Contains(text, "magic number mismatch") ||
		strings.Contains(text, "invalid")
}
