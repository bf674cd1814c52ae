// Package input turns what a user names (files, directories, globs, archives,
// standard input) into [Inputs]: streams of bytes with their compression taken
// off, which have a name for messages and a head for recognition.
//
// Nothing is unpacked to a name from an archive, and nothing is allocated by
// what a header claims; what unpacks to a thousand times its size is refused.
package input

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"unicode/utf8"

	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"

	"hopper/adapters/input/spill"
)

// headSize is how much of an input's beginning is kept in [Input.Head].
const headSize = 64 << 10

// An Input is one stream of bytes to read: a file, a member of an archive,
// or standard input, with its compression taken off.
//
// The methods of an Input may be called by several goroutines.
type Input struct {
	// Name is how messages call it: "export.zip/website_event.csv".
	Name string
	// Base is its file name in lower case without directories, archive and
	// compression suffix: "website_event.csv".
	Base string
	// Head is the beginning of its content as Open gives it, at most 64 KiB.
	Head []byte

	// packed opens the bytes as stored and keeps read up to date with how
	// many of them were read.
	packed func(ctx context.Context, read *atomic.Int64) (io.ReadCloser, error)
	// size is how many there are; -1 is unknown.
	size int64
	// path is the file that packed opens, where there is one.
	path    string
	packing packing
	tempDir string

	read atomic.Int64 // packed bytes read since the latest Open

	mu      sync.Mutex
	stream  io.ReadCloser // the only pass over a stream, until somebody takes it
	taken   bool
	spooled *spill.File // the content without compression
}

// Open returns the content from its beginning, with gzip, zstd and bzip2
// taken off. Reading it ends with ctx's error when ctx ends, and with an
// [Error] when the content is cut off, damaged, or unpacks to more than a
// thousand times its size.
//
// Standard input that is a pipe can be opened once, unless Spool was called.
func (in *Input) Open(ctx context.Context) (io.ReadCloser, error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.spooled != nil {
		return in.openSpooled(ctx)
	}
	if in.packed == nil {
		if in.taken {
			return nil, Errorf(in.Name, "is a stream that can be read only once; save it to a file and give that")
		}
		in.taken = true
		return &contextReader{ctx, in.stream}, nil
	}
	return in.unpack(ctx)
}

// unpack opens the packed bytes and takes the compression off.
func (in *Input) unpack(ctx context.Context) (io.ReadCloser, error) {
	in.read.Store(0)
	raw, err := in.packed(ctx, &in.read)
	if err != nil {
		return nil, in.explain(err)
	}
	r, err := in.packing.unpack(raw, &in.read, in.Name)
	if err != nil {
		raw.Close()
		return nil, in.explain(err)
	}
	return &contextReader{ctx, r}, nil
}

// Text is Open for text: UTF-16 of either byte order becomes UTF-8, and a
// byte order mark is taken off. Bytes that are no UTF-8 pass as they are.
func (in *Input) Text(ctx context.Context) (io.ReadCloser, error) {
	r, err := in.Open(ctx)
	if err != nil {
		return nil, err
	}
	if t := textTransformer(in.Head); t != nil {
		return &readCloser{transform.NewReader(r, t), r.Close}, nil
	}
	return r, nil
}

// TextHead is Head as Text gives it.
func (in *Input) TextHead() []byte {
	t := textTransformer(in.Head)
	if t == nil {
		return in.Head
	}
	// The head can end amid a character, so what was converted counts.
	text, _, _ := transform.Bytes(t, in.Head[:len(in.Head)&^1])
	return text
}

// A File is an input's content with random access.
type File struct {
	io.ReaderAt
	size  int64
	close func() error
}

// Size returns the content's length in bytes.
func (f *File) Size() int64 { return f.size }

// Close must be called when the file is no longer read.
func (f *File) Close() error { return f.close() }

// File returns the content with random access, for formats such as Parquet.
// A plain file is read in place; anything else is unpacked into a temporary
// file first, once.
func (in *Input) File(ctx context.Context) (*File, error) {
	if in.path != "" && in.packing == unpacked {
		f, err := os.Open(in.path)
		if err != nil {
			return nil, in.explain(err)
		}
		in.read.Store(in.size)
		return &File{f, in.size, f.Close}, nil
	}
	if err := in.spool(ctx); err != nil {
		return nil, err
	}
	info, err := in.spooled.Stat()
	if err != nil {
		return nil, &Error{Input: in.Name, Err: err}
	}
	return &File{in.spooled, info.Size(), func() error { return nil }}, nil
}

// Spool makes sure that the input can be opened more than once. It does
// nothing except for standard input, which it copies to a temporary file.
// It must be called before the first Open.
func (in *Input) Spool(ctx context.Context) error {
	if in.packed != nil {
		return nil
	}
	return in.spool(ctx)
}

func (in *Input) spool(ctx context.Context) error {
	in.mu.Lock()
	spooled := in.spooled != nil
	in.mu.Unlock()
	if spooled {
		return nil
	}
	r, err := in.Open(ctx)
	if err != nil {
		return err
	}
	defer r.Close()
	f, err := spill.Temp(in.tempDir)
	if err != nil {
		return Errorf(in.Name, "making a temporary file: %w", err)
	}
	if _, err := io.Copy(f, r); err != nil {
		f.Close()
		return &Error{Input: in.Name, Err: err}
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.spooled != nil { // another goroutine was faster
		return f.Close()
	}
	in.spooled = f
	return nil
}

func (in *Input) openSpooled(ctx context.Context) (io.ReadCloser, error) {
	info, err := in.spooled.Stat()
	if err != nil {
		return nil, &Error{Input: in.Name, Err: err}
	}
	return &contextReader{ctx, io.NopCloser(io.NewSectionReader(in.spooled, 0, info.Size()))}, nil
}

func (in *Input) close() error {
	in.mu.Lock()
	defer in.mu.Unlock()
	var errs []error
	if in.stream != nil {
		errs = append(errs, in.stream.Close())
	}
	if in.spooled != nil {
		errs = append(errs, in.spooled.Close())
		in.spooled = nil
	}
	return errors.Join(errs...)
}

func (in *Input) explain(err error) error { return explain(in.Name, in.read.Load(), err) }

// readHead fills Head. The bytes of a stream stay in front of it.
func (in *Input) readHead(ctx context.Context) error {
	r, err := in.Open(ctx)
	if err != nil {
		return err
	}
	in.Head = make([]byte, headSize)
	n, err := io.ReadFull(r, in.Head)
	in.Head = in.Head[:n:n]
	if in.packed == nil && in.spooled == nil {
		if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
			return err
		}
		in.stream = &readCloser{io.MultiReader(bytes.NewReader(in.Head), r), in.stream.Close}
		in.taken = false
		return nil
	}
	closeErr := r.Close()
	in.read.Store(0)
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		err = nil
	}
	return errors.Join(err, closeErr)
}

// A Format is what an input holds, by its first bytes.
type Format string

const (
	Empty   Format = "empty"
	Text    Format = "text"
	JSON    Format = "JSON" // an object or array, or one a line
	Parquet Format = "Parquet"
	Avro    Format = "Avro"
	Arrow   Format = "Arrow"
	// Other formats cannot be read by any adapter; messages name them.
	PGCustom Format = "pg_dump's custom format"
	SQLite   Format = "an SQLite database"
	Nested   Format = "an archive inside an archive"
	Tar      Format = "a tar archive"
	Packed   Format = "an archive or compression (xz, 7z, rar) that cannot be read here"
	Binary   Format = "binary data"
)

var magics = []struct {
	at    int
	magic string
	is    Format
}{
	{0, "PAR1", Parquet},
	{0, "Obj\x01", Avro},
	{0, "ARROW1", Arrow},
	{0, "\xff\xff\xff\xff", Arrow}, // the stream format
	{0, "PGDMP", PGCustom},
	{0, "SQLite format 3\x00", SQLite},
	{0, "PK\x03\x04", Nested},
	{257, "ustar", Tar},
	{0, "\xfd7zXZ\x00", Packed},
	{0, "7z\xbc\xaf\x27\x1c", Packed},
	{0, "Rar!\x1a\x07", Packed},
}

// Format returns what the input holds, by its head.
func (in *Input) Format() Format {
	for _, m := range magics {
		if len(in.Head) >= m.at+len(m.magic) && string(in.Head[m.at:m.at+len(m.magic)]) == m.magic {
			return m.is
		}
	}
	head := in.TextHead()
	switch trimmed := bytes.TrimLeft(head, " \t\r\n"); {
	case len(trimmed) == 0:
		return Empty
	case !mostlyText(head):
		return Binary
	case trimmed[0] == '{' || trimmed[0] == '[':
		return JSON
	}
	return Text
}

// mostlyText tells text, also in a one-byte encoding or with a few damaged
// characters, from binary data. ClickHouse pads short strings with zeros.
func mostlyText(head []byte) bool {
	var control, invalid, zero int
	for rest := head; len(rest) > 0; {
		r, n := utf8.DecodeRune(rest)
		switch {
		case r == utf8.RuneError && n == 1:
			invalid++
		case r == 0:
			zero++
		case r < ' ' && r != '\n' && r != '\r' && r != '\t':
			control++
		}
		rest = rest[n:]
	}
	return control <= len(head)/50 && invalid <= len(head)/3 && (zero == 0 || zero <= len(head)/16 && invalid == 0)
}

// textTransformer returns what makes UTF-8 without a mark of text that begins
// with head, or nil where it is that already.
func textTransformer(head []byte) transform.Transformer {
	switch {
	case bytes.HasPrefix(head, []byte("\xff\xfe")):
		return unicode.UTF16(unicode.LittleEndian, unicode.ExpectBOM).NewDecoder()
	case bytes.HasPrefix(head, []byte("\xfe\xff")):
		return unicode.UTF16(unicode.BigEndian, unicode.ExpectBOM).NewDecoder()
	case bytes.HasPrefix(head, []byte("\xef\xbb\xbf")):
		return unicode.BOMOverride(transform.Nop)
	}
	switch even, odd := zeros(head); {
	case odd > len(head)/4 && even == 0:
		return unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM).NewDecoder()
	case even > len(head)/4 && odd == 0:
		return unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM).NewDecoder()
	}
	return nil
}

// zeros counts the NUL bytes at even and at odd positions.
func zeros(head []byte) (even, odd int) {
	for i, c := range head {
		if c == 0 {
			if i%2 == 0 {
				even++
			} else {
				odd++
			}
		}
	}
	return even, odd
}

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

// openFile opens the file at path for a pass over its bytes.
func openFile(path string) func(context.Context, *atomic.Int64) (io.ReadCloser, error) {
	return func(_ context.Context, read *atomic.Int64) (io.ReadCloser, error) {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		return &countingReader{f, read}, nil
	}
}

// openAt opens a file that is open already for a pass over its bytes.
func openAt(r io.ReaderAt, size int64) func(context.Context, *atomic.Int64) (io.ReadCloser, error) {
	return func(_ context.Context, read *atomic.Int64) (io.ReadCloser, error) {
		return &countingReader{io.NopCloser(io.NewSectionReader(r, 0, size)), read}, nil
	}
}

type countingReader struct {
	io.ReadCloser
	read *atomic.Int64
}

func (r *countingReader) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	r.read.Add(int64(n))
	return n, err
}
