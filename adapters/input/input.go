// Package input turns what a user names (files, directories, globs, archives,
// standard input, addresses in a [Store]) into [Inputs]: streams of bytes with
// their compression taken off, which have a name for messages and a head for
// recognition.
//
// Nothing is unpacked to a name from an archive, and nothing is allocated by
// what a header claims; what unpacks to a thousand times its size is refused.
package input

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/klauspost/compress/zip"
	"golang.org/x/text/transform"

	"hopper/adapters/input/spill"
)

const (
	// headSize is how much of an input's beginning Head returns.
	headSize = 64 << 10
	// headsKept is how many bytes of heads stay in memory; others are read
	// again when they are asked for.
	headsKept = 8 << 20
	// spoolLimit is the most that is copied to a temporary file.
	spoolLimit = 64 << 30
)

// An Input is one stream of bytes to read: a file, an object of a store, a
// member of an archive, or standard input, with its compression taken off.
//
// The methods of an Input may be called by several goroutines.
type Input struct {
	// Name is how messages call it: "export.zip/website_event.csv".
	Name string
	// Base is its file name in lower case without directories, archive and
	// compression suffix: "website_event.csv".
	Base string
	// Named reports whether the user named it, alone or by a glob. Others were
	// found in a directory or archive.
	Named bool

	// There can be hundreds of thousands: what few of them have is in other places.
	packing  packing
	contents Contents        // as stored; nil for a stream
	size     int64           // of the contents; -1 is unknown
	member   *memberContents // what contents is, of a member of an archive
	format   Format
	shared   *shared

	read   atomic.Int64 // bytes of the contents read since the latest Open
	hashed atomic.Int64 // bytes of the contents read to identify them
	// summed is what a pass over the content has found that sums it up.
	summed atomic.Pointer[summed]
	looked atomic.Pointer[any] // see Keep

	mu   sync.Mutex
	head *keptHead // nil where it is not kept
	more *more     // nil where there is none
}

// more is what few of many inputs have. It is guarded by the input.
type more struct {
	version string // what the store says identifies the contents
	stream  *stream
	spooled *spooled
	members []string // see Learn

	finding sync.Mutex
	found   any // see Remember
}

// shared is what the inputs of one command have in common.
type shared struct {
	ctx     context.Context // of Open, for heads that are read again
	tempDir string
	heads   atomic.Int64 // bytes of heads that are kept
	summing atomic.Bool  // see SumUp
	// read and hashed are those of all inputs: to sum up hundreds of thousands for
	// each line of progress takes a twentieth of the time.
	read, hashed atomic.Int64
	// latest is the head that was read again last: whoever looks at an input
	// asks for its head several times.
	latest atomic.Pointer[keptHead]

	mu    sync.Mutex
	alike map[any]any // see Alike
}

// Alike returns value, or what was given before with an equal key for an input of the
// same command: many files of one kind have much in common. Neither may be changed.
func Alike[T any](in *Input, key any, value T) T {
	in.shared.mu.Lock()
	defer in.shared.mu.Unlock()
	if known, ok := in.shared.alike[key]; ok {
		return known.(T)
	}
	if in.shared.alike == nil {
		in.shared.alike = map[any]any{}
	}
	in.shared.alike[key] = value
	return value
}

// Keep keeps what a look at the beginning has found, so that not each adapter has to look
// again. It is the same for all inputs of a command that keep it with the same key, and
// must not be changed.
func (in *Input) Keep(key, found any) {
	in.looked.Store(Alike(in, key, &found))
}

// Kept returns what was given to Keep, or nil.
func (in *Input) Kept() any {
	if found := in.looked.Load(); found != nil {
		return *found
	}
	return nil
}

// listed is the key of a list, with its elements joined.
type listed string

// Share returns list, or an equal one that was given before, see [Alike].
func (in *Input) Share(list []string) []string {
	return Alike(in, listed(strings.Join(list, "\x00")), list)
}

// maxMembers is how many members are remembered: names can be data.
const maxMembers = 1000

// Learn remembers names of members that records have and that none at the
// beginning of the input had.
func (in *Input) Learn(names ...string) {
	in.mu.Lock()
	defer in.mu.Unlock()
	l := in.extend()
	all := slices.Clone(l.members)
	for _, name := range names {
		if at, known := slices.BinarySearch(all, name); !known && len(all) < maxMembers {
			all = slices.Insert(all, at, strings.Clone(name))
		}
	}
	if len(all) > len(l.members) {
		l.members = in.Share(all)
	}
}

// extend returns where to put what few inputs have. The input is locked.
func (in *Input) extend() *more {
	if in.more == nil {
		in.more = new(more)
	}
	return in.more
}

// version is what the store says identifies the contents, or empty.
func (in *Input) version() string {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.more == nil {
		return ""
	}
	return in.more.version
}

// copied is the copy of the content on the disk, or nil. The input is locked.
func (in *Input) copied() *spooled {
	if in.more == nil {
		return nil
	}
	return in.more.spooled
}

// Learned returns what was given to Learn, sorted.
func (in *Input) Learned() []string {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.more == nil {
		return nil
	}
	return in.more.members
}

// Remember returns what find returned when it succeeded first, without calling it
// again: each adapter looks at an input, and that can mean to read all of it. What it
// returns is shared and must not be changed.
func (in *Input) Remember(find func() (any, error)) (any, error) {
	in.mu.Lock()
	l := in.extend()
	in.mu.Unlock()
	l.finding.Lock()
	defer l.finding.Unlock()
	if l.found != nil {
		return l.found, nil
	}
	found, err := find()
	if err == nil {
		l.found = found
	}
	return found, err
}

// keptHead is the beginning of an input's content.
type keptHead struct {
	of   *Input
	head []byte
}

// spooled is a copy of an input's content without compression.
type spooled struct {
	*spill.File
	size   int64
	digest string // XXH3
}

// Open returns the content from its beginning, with gzip, zstd and bzip2
// taken off. Reading it ends with ctx's error when ctx ends, and with an
// [Error] when the content is cut off, damaged, changes meanwhile, or unpacks
// to more than a thousand times its size.
//
// Standard input that is a pipe can be opened once, unless Spool was called.
func (in *Input) Open(ctx context.Context) (io.ReadCloser, error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if s := in.copied(); s != nil {
		return &contextReader{ctx, io.NopCloser(io.NewSectionReader(s, 0, s.size))}, nil
	}
	if in.contents == nil {
		r, err := in.more.stream.take(ctx)
		if err != nil {
			return nil, &Error{Input: in.Name, Err: err, Hint: "save it to a file and give that"}
		}
		return r, nil
	}
	raw, err := in.contents.Open(ctx, 0, -1)
	if err != nil {
		return nil, in.explain(err)
	}
	r, err := in.unpack(raw, in.reading())
	if err != nil {
		return nil, err
	}
	if in.shared.summing.Load() && in.summed.Load() == nil {
		r = newPassingReader(in, r)
	}
	return &contextReader{ctx, r}, nil
}

// unpack takes the compression off raw, the contents from their beginning, and counts
// what is read of them.
func (in *Input) unpack(raw io.ReadCloser, read tally) (io.ReadCloser, error) {
	read.set(0)
	r := io.ReadCloser(&countingReader{raw, read})
	var err error
	if in.member != nil {
		r, err = inflate(in.member.file, r)
	}
	if err == nil && in.format == "" { // it is opened for the first time
		buffered := bufio.NewReaderSize(r, 4<<10)
		start, _ := buffered.Peek(4) // the error comes again
		r, in.packing = &readCloser{buffered, r.Close}, packingOf(start)
		if in.packing == zipped && in.member != nil {
			in.packing = unpacked // the format says that it is an archive
		}
	}
	if err == nil {
		compressed := in.packing != unpacked || in.member != nil && in.member.file.Method != zip.Store
		r, err = in.packing.unpack(r, &checkedReader{name: in.Name, read: read.one, packed: compressed})
	}
	if err != nil {
		raw.Close()
		return nil, explain(in.Name, read.one.Load(), err)
	}
	return r, nil
}

// reading counts what is read in the latest pass, hashing what is read to identify the input.
func (in *Input) reading() tally { return tally{&in.read, &in.shared.read} }
func (in *Input) hashing() tally { return tally{&in.hashed, &in.shared.hashed} }

// Size returns how many bytes are stored; -1 is unknown.
func (in *Input) Size() int64 { return in.size }

// Text is Open for text: UTF-16 of either byte order becomes UTF-8, and a
// byte order mark is taken off. Bytes that are no UTF-8 pass as they are.
func (in *Input) Text(ctx context.Context) (io.ReadCloser, error) {
	r, err := in.Open(ctx)
	if err != nil {
		return nil, err
	}
	if t := textTransformer(in.Head()); t != nil {
		return &readCloser{transform.NewReader(r, t), r.Close}, nil
	}
	return r, nil
}

// Head returns the beginning of the content as Open gives it, at most 64 KiB.
// Where it has to be read again and cannot be, it is empty; Open tells why. It is
// empty too when the inputs' context has ended, so that whoever looks at a million
// heads ends soon.
func (in *Input) Head() []byte {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.shared.ctx.Err() != nil {
		return nil
	}
	if in.head != nil {
		return in.head.head
	}
	if in.contents == nil {
		return nil
	}
	if latest := in.shared.latest.Load(); latest != nil && latest.of == in {
		return latest.head
	}
	buffer := heads.Get().(*[headSize]byte)
	defer heads.Put(buffer)
	n, err := in.readHead(in.shared.ctx, buffer[:])
	if err != nil {
		return nil
	}
	head := bytes.Clone(buffer[:n])
	in.shared.latest.Store(&keptHead{in, head})
	return head
}

// TextHead is Head as Text gives it.
func (in *Input) TextHead() []byte { return textOf(in.Head()) }

// Format returns what the input holds, by its head.
func (in *Input) Format() Format { return in.format }

// readHead reads the beginning of the content into head, and no more of the
// contents than that takes.
func (in *Input) readHead(ctx context.Context, head []byte) (int, error) {
	read := in.reading()
	defer read.set(in.read.Load())
	raw, err := openHead(ctx, in.contents, in.size)
	if err != nil {
		return 0, in.explain(err)
	}
	r, err := in.unpack(raw, in.reading())
	if err != nil {
		return 0, err
	}
	defer r.Close()
	n, err := io.ReadFull(r, head)
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		err = nil
	}
	return n, err
}

// recognize sets the format by the head, and keeps the head while there is room.
func (in *Input) recognize(head []byte) {
	in.format = formatOf(head)
	if in.shared.heads.Add(int64(len(head))) <= headsKept || in.contents == nil {
		in.head = &keptHead{in, append(make([]byte, 0, len(head)), head...)}
		return
	}
	in.shared.heads.Add(-int64(len(head)))
}

// A File is an input's content with random access.
type File struct {
	io.ReaderAt
	size  int64
	close func() error
	// remote says that each read is a request to a store.
	remote  bool
	tempDir string
}

// Size returns the content's length in bytes.
func (f *File) Size() int64 { return f.size }

// Temp returns an empty temporary file where those of the input go.
func (f *File) Temp() (*spill.File, error) { return spill.Temp(f.tempDir) }

// Close must be called when the file is no longer read.
func (f *File) Close() error { return f.close() }

// File returns the content with random access, for formats such as Parquet,
// for as long as ctx lasts. What is stored as it is, is read in place;
// anything else is unpacked into a temporary file first, once.
func (in *Input) File(ctx context.Context) (*File, error) {
	if in.contents != nil && in.member == nil && in.packing == unpacked && in.size >= 0 {
		f, err := in.contents.OpenAt(ctx)
		if err == nil {
			in.reading().set(in.size)
			_, local := in.contents.(*localFile)
			return &File{f, in.size, f.Close, !local, in.shared.tempDir}, nil
		}
		if !errors.Is(err, errors.ErrUnsupported) {
			return nil, in.explain(err)
		}
	}
	s, err := in.spool(ctx)
	if err != nil {
		return nil, err
	}
	return &File{ReaderAt: s, size: s.size, close: func() error { return nil }, tempDir: in.shared.tempDir}, nil
}

// Spool makes sure that the input can be opened more than once. It does
// nothing except for standard input, which it copies to a temporary file.
// It must be called before the first Open.
func (in *Input) Spool(ctx context.Context) error {
	if in.contents != nil {
		return nil
	}
	_, err := in.spool(ctx)
	return err
}

// spool returns the copy of the content on the disk, which it makes once.
func (in *Input) spool(ctx context.Context) (*spooled, error) {
	in.mu.Lock()
	done := in.copied()
	in.mu.Unlock()
	if done != nil {
		return done, nil
	}
	r, err := in.Open(ctx)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	s, err := copyToDisk(in.Name, in.shared.tempDir, r, spoolLimit)
	if err != nil {
		return nil, err
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	if faster := in.copied(); faster != nil { // another goroutine
		return faster, s.Close()
	}
	in.extend().spooled = s
	return s, nil
}

func (in *Input) close() error {
	in.mu.Lock()
	defer in.mu.Unlock()
	var errs []error
	if c, ok := in.contents.(io.Closer); ok { // a connection
		errs = append(errs, c.Close())
	}
	if m := in.more; m != nil && m.stream != nil {
		errs = append(errs, m.stream.Close())
	}
	if s := in.copied(); s != nil {
		errs = append(errs, s.Close())
		in.more.spooled = nil
	}
	return errors.Join(errs...)
}

func (in *Input) explain(err error) error { return explain(in.Name, in.read.Load(), err) }
