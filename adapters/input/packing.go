package input

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"context"
	"errors"
	"io"
	"io/fs"
	"strings"
	"sync/atomic"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zip"
	"github.com/klauspost/compress/zstd"
)

// packing is how bytes are compressed.
type packing uint8

const (
	unpacked packing = iota
	gzipped
	zstded
	bzipped
	zipped
)

// packed are the first bytes of what is compressed.
var packed = []struct {
	magic string
	by    packing
}{
	{"\x1f\x8b", gzipped},
	{"\x28\xb5\x2f\xfd", zstded},
	{"BZh", bzipped},
	{"PK\x03\x04", zipped},
	{"PK\x05\x06", zipped}, // an archive without members
}

// suffixes are what file names end in, by packing; Base goes without them.
var suffixes = []string{".gz", ".gzip", ".zst", ".zstd", ".bz2"}

// packingOf recognizes a packing by the first bytes, since names lie.
func packingOf(head []byte) packing {
	for _, p := range packed {
		if bytes.HasPrefix(head, []byte(p.magic)) {
			return p.by
		}
	}
	return unpacked
}

// maxWindow is the largest zstd window that is accepted, zstd's own default.
const maxWindow = 128 << 20

// unpack takes the compression off raw, under the eyes of checked.
func (p packing) unpack(raw io.ReadCloser, checked *checkedReader) (io.ReadCloser, error) {
	closeAll := raw.Close
	switch p {
	case gzipped:
		z, err := newGzipReader(raw)
		if err != nil {
			return nil, err
		}
		checked.r = z
	case zstded:
		z, err := newZstdReader(raw)
		if err != nil {
			return nil, err
		}
		checked.r, closeAll = z, func() error { z.Close(); return raw.Close() }
	case bzipped:
		checked.r = bzip2.NewReader(raw)
	default:
		checked.r = raw
	}
	return &readCloser{checked, closeAll}, nil
}

// gzipReader reads members one after the other, and as gunzip does it passes
// over zeros behind the last.
type gzipReader struct {
	raw *bufio.Reader
	z   *gzip.Reader
}

func newGzipReader(raw io.Reader) (*gzipReader, error) {
	buffered := bufio.NewReaderSize(raw, 64<<10)
	z, err := gzip.NewReader(buffered)
	if err != nil {
		return nil, err
	}
	z.Multistream(false)
	return &gzipReader{buffered, z}, nil
}

func (g *gzipReader) Read(p []byte) (int, error) {
	for {
		n, err := g.z.Read(p)
		if err != io.EOF {
			return n, err
		}
		if n > 0 {
			return n, nil
		}
		switch next, err := g.raw.Peek(1); {
		case err != nil:
			return 0, err
		case next[0] == 0:
			if !onlyZeros(g.raw) {
				return 0, gzip.ErrHeader
			}
			return 0, io.EOF
		}
		if err := g.z.Reset(g.raw); err != nil {
			return 0, err
		}
		g.z.Multistream(false)
	}
}

// onlyZeros reports whether r holds nothing but zeros up to its end.
func onlyZeros(r io.Reader) bool {
	b := make([]byte, 4<<10)
	for {
		n, err := r.Read(b)
		if len(bytes.TrimLeft(b[:n], "\x00")) > 0 {
			return false
		}
		if err != nil {
			return err == io.EOF
		}
	}
}

// zstdReader passes over zeros behind the last frame.
type zstdReader struct {
	*zstd.Decoder
	raw *tailReader
}

func newZstdReader(raw io.Reader) (*zstdReader, error) {
	tail := &tailReader{r: raw}
	z, err := zstd.NewReader(tail, zstd.WithDecoderMaxWindow(maxWindow))
	if err != nil {
		return nil, err
	}
	return &zstdReader{z, tail}, nil
}

func (z *zstdReader) Read(p []byte) (int, error) {
	n, err := z.Decoder.Read(p)
	// The decoder reads exactly a frame's first four bytes to find that they are none.
	if errors.Is(err, zstd.ErrMagicMismatch) && z.raw.tail == [4]byte{} && onlyZeros(z.raw.r) {
		err = io.EOF
	}
	return n, err
}

// tailReader knows the four bytes read last.
type tailReader struct {
	r    io.Reader
	tail [4]byte
}

func (t *tailReader) Read(p []byte) (int, error) {
	n, err := t.r.Read(p)
	last := append(t.tail[:], p[max(0, n-4):n]...)
	copy(t.tail[:], last[len(last)-4:])
	return n, err
}

// What unpacks to more than maxRatio times its size, beyond ratioFree bytes,
// is no export but made to fill a disk. Deflate reaches 1032 on constant bytes.
const (
	maxRatio  = 1000
	ratioFree = 64 << 20
)

func bomb(name string) *Error {
	return Errorf(name, "unpacks to more than %d times its size, which no export does", maxRatio).Advise("unpack it yourself if you trust it")
}

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
		return 0, bomb(c.name)
	}
	if err != nil && err != io.EOF {
		err = explain(c.name, c.read.Load(), err)
	}
	return n, err
}

const again = "download or copy it again"

// explain says of an error from the system or a decompressor, after read
// bytes of the input, what a user can do about it.
func explain(name string, read int64, err error) error {
	var known *Error
	var path *fs.PathError
	switch {
	case errors.As(err, &known), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.Is(err, io.ErrUnexpectedEOF):
		return Errorf(name, "is cut off after %d bytes (%w)", read, err).Advise(again)
	case errors.Is(err, zip.ErrFormat):
		return Errorf(name, "is cut off or damaged: it begins as a ZIP archive and has no directory at its end (%w)", err).Advise(again)
	case errors.Is(err, zip.ErrAlgorithm):
		return Errorf(name, "is compressed in a way that cannot be read here (%w)", err).Advise("unpack it first")
	case errors.Is(err, zstd.ErrWindowSizeExceeded), errors.Is(err, zstd.ErrDecoderSizeExceeded):
		return Errorf(name, "needs more than %d MiB to unpack (%w)", maxWindow>>20, err).Advise("unpack it first with zstd -d --long=31")
	case errors.As(err, &path):
		return &Error{Input: name, Err: path.Err} // the name stands in front already
	case isDamage(err):
		return Errorf(name, "is damaged near byte %d (%w)", read, err).Advise(again)
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
