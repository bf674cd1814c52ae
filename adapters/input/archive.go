package input

import (
	"context"
	"errors"
	"hash/crc32"
	"io"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/zip"
	"github.com/klauspost/compress/zstd"
)

// archive is a ZIP archive whose members are inputs.
type archive struct {
	name     string
	contents Contents
	size     int64
	version  string
}

// maxDepth is how deep archives are opened inside archives.
const maxDepth = 2

// openArchive returns the members of an archive that are files, in name order.
// Depth is how many archives it is inside.
func (ins *Inputs) openArchive(ctx context.Context, o Object, depth int) (found opened) {
	r, err := o.Contents.OpenAt(ctx)
	if errors.Is(err, errors.ErrUnsupported) || o.Size < 0 {
		return ins.copyArchive(ctx, o, depth)
	}
	if err != nil {
		return opened{err: explain(o.Name, 0, err)}
	}
	found.closers = append(found.closers, r)
	ahead := &aheadReader{r: r, size: o.Size, ahead: 1 << 20}
	z, err := zip.NewReader(ahead, o.Size)
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) { // nothing is written under a member's name
		found.err = explain(o.Name, 0, err)
		return found
	}
	ahead.stop()
	a := &archive{o.Name, o.Contents, o.Size, o.Version}
	members, err := a.members(z.File, &found.passed)
	if err != nil {
		found.err = err
		return found
	}
	for _, m := range members {
		in, err := ins.openMember(ctx, a, m)
		if err != nil {
			found.err = err
			return found
		}
		if in.Format() == Nested && depth < maxDepth {
			inner := ins.openNested(ctx, in, depth+1)
			found.add(inner)
			if inner.err != nil {
				return found
			}
			continue
		}
		found.inputs = append(found.inputs, in)
		found.passed = append(found.passed, passedEmpty(in)...)
	}
	return found
}

// openNested opens a member that is an archive itself.
func (ins *Inputs) openNested(ctx context.Context, in *Input, depth int) opened {
	r, err := in.Open(ctx)
	if err != nil {
		return opened{err: err}
	}
	defer r.Close()
	s, err := copyToDisk(in.Name, ins.shared.tempDir, r, spoolLimit)
	if err != nil {
		return opened{err: err}
	}
	inner := ins.openArchive(ctx, Object{Name: in.Name, Size: s.size, Contents: sectionContents{s, s.size}}, depth)
	inner.closers = append(inner.closers, s)
	return inner
}

// copyArchive opens an archive from a copy on disk, where a store has no random access.
func (ins *Inputs) copyArchive(ctx context.Context, o Object, depth int) opened {
	r, err := o.Contents.Open(ctx, 0, -1)
	if err != nil {
		return opened{err: explain(o.Name, 0, err)}
	}
	defer r.Close()
	s, err := copyToDisk(o.Name, ins.shared.tempDir, &contextReader{ctx, r}, spoolLimit)
	if err != nil {
		return opened{err: err}
	}
	o.Size, o.Contents = s.size, sectionContents{s, s.size}
	archive := ins.openArchive(ctx, o, depth)
	archive.closers = append(archive.closers, s)
	return archive
}

// namedMember is a member with its name in one form, whatever made the archive.
type namedMember struct {
	name string
	*zip.File
}

// cleanName takes "./", "../" and a leading "/" off, and turns the separators of Windows.
func cleanName(name string) string { return path.Clean("/" + strings.ReplaceAll(name, `\`, "/"))[1:] }

// members returns those of files that are data, in name order.
func (a *archive) members(files []*zip.File, passed *[]PassedOver) ([]namedMember, error) {
	members := make([]namedMember, 0, len(files))
	for _, f := range files {
		name := cleanName(f.Name)
		switch {
		case f.FileInfo().IsDir():
		case slices.ContainsFunc(strings.Split(name, "/"), Hidden):
			*passed = append(*passed, PassedOver{a.name + "/" + name, "hidden"})
		default:
			members = append(members, namedMember{name, f})
		}
	}
	if len(members) == 0 {
		return nil, Errorf(a.name, "is an archive without files")
	}
	slices.SortStableFunc(members, func(a, b namedMember) int { return strings.Compare(a.name, b.name) })
	seen := map[string]string{}
	for _, m := range members {
		folded := strings.ToLower(m.name)
		if first, twice := seen[folded]; twice {
			return nil, Errorf(a.name, "holds %q and %q, and cannot say which is meant", first, m.Name).Advise("unpack it and give the right files")
		}
		seen[folded] = m.Name
	}
	return members, nil
}

// Hidden reports whether a file of that name is no data of a user, such as
// the ".DS_Store" and "__MACOSX" of archives made on a Mac.
func Hidden(name string) bool { return strings.HasPrefix(name, ".") || name == "__MACOSX" }

func (ins *Inputs) openMember(ctx context.Context, a *archive, m namedMember) (*Input, error) {
	const encrypted = 1 // flag of the member's header
	name := a.name + "/" + m.name
	switch {
	case m.Flags&encrypted != 0:
		return nil, Errorf(name, "is encrypted").Advise("unpack the archive with its password and give the files")
	case m.UncompressedSize64 > ratioFree && m.UncompressedSize64/maxRatio > m.CompressedSize64:
		return nil, bomb(name)
	}
	size := int64(m.CompressedSize64)
	member := &memberContents{a, m.File}
	in := ins.newInput(Object{Name: name, Size: size, Contents: member})
	in.member = member
	return in, in.probe(ctx)
}

// memberContents are a member's bytes as the archive stores them.
type memberContents struct {
	archive *archive
	file    *zip.File
}

func (m *memberContents) Open(ctx context.Context, offset, length int64) (io.ReadCloser, error) {
	start, err := m.file.DataOffset()
	if err != nil {
		return nil, err
	}
	left := int64(m.file.CompressedSize64) - offset
	if length < 0 || length > left {
		length = left
	}
	r, err := m.archive.contents.Open(ctx, start+offset, length)
	if err != nil {
		return nil, err
	}
	return &readCloser{io.LimitReader(r, left), r.Close}, nil
}

func (m *memberContents) OpenAt(context.Context) (ReaderAtCloser, error) {
	return nil, errors.ErrUnsupported // its content is unpacked to a file first
}

var flateReaders = sync.Pool{New: func() any { return flate.NewReader(nil) }}

// inflate takes a member's compression off raw, and compares the content with
// what the archive's directory says of it.
func inflate(f *zip.File, raw io.ReadCloser) (io.ReadCloser, error) {
	checked := &sumReader{r: raw, file: f}
	closeAll := raw.Close
	switch f.Method {
	case zip.Store:
	case zip.Deflate:
		z := flateReaders.Get().(io.ReadCloser)
		if err := z.(flate.Resetter).Reset(raw, nil); err != nil {
			return nil, err
		}
		checked.r, closeAll = z, sync.OnceValue(func() error {
			flateReaders.Put(z)
			return raw.Close()
		})
	case zstd.ZipMethodWinZip, zstd.ZipMethodPKWare:
		z, err := zstd.NewReader(raw, zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return nil, err
		}
		checked.r, closeAll = z, func() error { z.Close(); return raw.Close() }
	default:
		return nil, zip.ErrAlgorithm
	}
	return &readCloser{checked, closeAll}, nil
}

// sumReader checks a member's length and checksum at its end.
type sumReader struct {
	r    io.Reader
	file *zip.File
	n    uint64
	sum  uint32
}

func (s *sumReader) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	s.n += uint64(n)
	s.sum = crc32.Update(s.sum, crc32.IEEETable, p[:n])
	switch {
	case s.n > s.file.UncompressedSize64:
		return n, zip.ErrChecksum // longer than the directory says
	case err != io.EOF:
		return n, err
	case s.n < s.file.UncompressedSize64:
		return n, io.ErrUnexpectedEOF
	case s.sum != s.file.CRC32 && s.file.CRC32 != 0:
		return n, zip.ErrChecksum
	}
	return n, io.EOF
}

// aheadReader reads an archive's directory in large pieces, since the parser
// takes small ones and each read of a store is a request.
type aheadReader struct {
	r    io.ReaderAt
	size int64

	mu    sync.Mutex
	ahead int64 // 0 is to read what is asked for
	start int64 // of piece
	piece []byte
}

func (a *aheadReader) stop() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ahead, a.piece = 0, nil
}

func (a *aheadReader) ReadAt(p []byte, offset int64) (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.ahead == 0 || int64(len(p)) > a.ahead {
		return a.r.ReadAt(p, offset)
	}
	if offset < a.start || offset+int64(len(p)) > a.start+int64(len(a.piece)) {
		// The parser looks at the end first, and then goes forward.
		piece := make([]byte, min(a.ahead, a.size))
		start := min(offset, a.size-int64(len(piece)))
		n, err := a.r.ReadAt(piece, start)
		if err != nil && err != io.EOF {
			return 0, err
		}
		a.start, a.piece = start, piece[:n]
	}
	if offset > a.start+int64(len(a.piece)) {
		return 0, io.EOF
	}
	n := copy(p, a.piece[offset-a.start:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}
