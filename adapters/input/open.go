package input

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/klauspost/compress/zip"
	"github.com/klauspost/compress/zstd"

	"hopper/adapters/input/spill"
)

// Inputs are what the arguments of a command name, ready to be read.
type Inputs struct {
	// Files are the inputs in the order of the arguments; those of a
	// directory, a glob or an archive in name order.
	Files []*Input

	tempDir string
	args    []argument
	seen    []os.FileInfo // of the files among args
	closers []io.Closer
}

// argument is a file as given, before archives are taken apart.
type argument struct {
	name   string
	open   func() (io.ReadCloser, error)
	stream *Input // where set, the bytes are this input's
}

// A Fingerprint identifies a file's contents.
type Fingerprint struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"` // of the bytes as stored, in hexadecimal
}

// Open finds the inputs that args name: paths, globs, directories (all files
// beneath, without hidden ones), ZIP archives (all members), and "-" for
// stdin. It reads the head of each and nothing more, except for an archive on
// stdin, which goes to a temporary file in tempDir (empty: the system's).
//
// It fails with an [Error] on what is no input: a missing or empty file, a
// URL, an archive that is cut off, encrypted, or has two members of one name.
func Open(ctx context.Context, args []string, stdin io.Reader, tempDir string) (*Inputs, error) {
	ins := &Inputs{tempDir: tempDir}
	for _, arg := range args {
		if err := ins.add(ctx, arg, stdin); err != nil {
			ins.Close()
			return nil, err
		}
	}
	if len(ins.Files) == 0 {
		return nil, errors.New("no inputs; give files, directories, or - for standard input")
	}
	return ins, nil
}

func (ins *Inputs) add(ctx context.Context, arg string, stdin io.Reader) error {
	if arg == "-" {
		return ins.addStdin(ctx, stdin)
	}
	if scheme, _, ok := strings.Cut(arg, "://"); ok && !strings.ContainsAny(scheme, `/\.`) {
		return Errorf(arg, "reading from %s addresses is not supported yet; download it and give the file", scheme)
	}
	info, err := os.Stat(arg)
	if errors.Is(err, fs.ErrNotExist) && strings.ContainsAny(arg, "*?[") {
		return ins.addGlob(ctx, arg)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Errorf(arg, "no such file or directory")
	case err != nil:
		return explain(arg, 0, err)
	case info.IsDir():
		return ins.addDir(ctx, arg)
	case !info.Mode().IsRegular(): // a shell's <(command)
		f, err := os.Open(arg)
		if err != nil {
			return explain(arg, 0, err)
		}
		ins.closers = append(ins.closers, f)
		return ins.addStream(ctx, arg, f)
	case info.Size() == 0:
		return Errorf(arg, "is empty; export or download it again")
	}
	return ins.addFile(ctx, arg)
}

func (ins *Inputs) addGlob(ctx context.Context, pattern string) error {
	paths, err := filepath.Glob(pattern)
	if err != nil {
		return &Error{Input: pattern, Err: err}
	}
	if len(paths) == 0 {
		return Errorf(pattern, "no file has such a name")
	}
	for _, p := range paths { // in name order already
		if err := ins.add(ctx, p, nil); err != nil {
			return err
		}
	}
	return nil
}

func (ins *Inputs) addDir(ctx context.Context, dir string) error {
	before := len(ins.Files)
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return explain(p, 0, err)
		}
		if p != dir && hidden(d.Name()) {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		info, err := os.Stat(p) // follows a link to a file
		if err != nil || !info.Mode().IsRegular() {
			return nil
		}
		return ins.addFile(ctx, p)
	})
	if err == nil && len(ins.Files) == before {
		err = Errorf(dir, "holds no files")
	}
	return err
}

// hidden reports whether a file of that name is no data of a user, such as
// the ".DS_Store" and "__MACOSX" of archives made on a Mac.
func hidden(name string) bool { return strings.HasPrefix(name, ".") || name == "__MACOSX" }

// addFile adds a regular file. One that is empty is kept, for an adapter to
// pass over: a directory or archive can hold an empty table.
func (ins *Inputs) addFile(ctx context.Context, name string) error {
	f, err := os.Open(name)
	if err != nil {
		return explain(name, 0, err)
	}
	head := make([]byte, 8)
	n, _ := io.ReadFull(f, head)
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return explain(name, 0, err)
	}
	if slices.ContainsFunc(ins.seen, func(other os.FileInfo) bool { return os.SameFile(info, other) }) {
		f.Close()
		return Errorf(name, "is given twice, perhaps under another name; give it once, so that its events are imported once")
	}
	ins.seen = append(ins.seen, info)
	ins.args = append(ins.args, argument{name: name, open: func() (io.ReadCloser, error) { return os.Open(name) }})
	packing := packingOf(head[:n])
	if packing == zipped {
		ins.closers = append(ins.closers, f)
		return ins.addZip(ctx, name, f, info.Size())
	}
	f.Close()
	return ins.addInput(ctx, &Input{
		Name: name, Base: base(name), packed: openFile(name), path: name, size: info.Size(), packing: packing, tempDir: ins.tempDir,
	})
}

func (ins *Inputs) addInput(ctx context.Context, in *Input) error {
	if err := in.readHead(ctx); err != nil {
		in.close()
		return err
	}
	ins.Files = append(ins.Files, in)
	return nil
}

// addStdin reads a file on standard input in place, and streams a pipe.
func (ins *Inputs) addStdin(ctx context.Context, stdin io.Reader) error {
	const name = "standard input"
	if stdin == nil {
		return Errorf(name, "is not there")
	}
	if slices.ContainsFunc(ins.args, func(a argument) bool { return a.name == name }) {
		return Errorf(name, "is given twice")
	}
	if r, size, ok := randomAccess(stdin); ok {
		return ins.addReaderAt(ctx, name, r, size)
	}
	return ins.addStream(ctx, name, stdin)
}

// addStream adds what can be read once.
func (ins *Inputs) addStream(ctx context.Context, name string, r io.Reader) error {
	buffered := bufio.NewReaderSize(r, headSize)
	head, err := buffered.Peek(4)
	if err != nil && err != io.EOF {
		return explain(name, 0, err)
	}
	if len(head) == 0 {
		return Errorf(name, "is empty")
	}
	in := &Input{Name: name, Base: base(name), size: -1, packing: packingOf(head), tempDir: ins.tempDir}
	if in.packing == zipped {
		f, err := spill.Temp(ins.tempDir)
		if err != nil {
			return Errorf(name, "making a temporary file for the archive: %w", err)
		}
		ins.closers = append(ins.closers, f)
		size, err := io.Copy(f, &contextReader{ctx, io.NopCloser(buffered)})
		if err != nil {
			return explain(name, size, err)
		}
		return ins.addReaderAt(ctx, name, f, size)
	}
	raw := &countingReader{io.NopCloser(buffered), &in.read}
	if in.stream, err = in.packing.unpack(raw, &in.read, name); err != nil {
		return in.explain(err)
	}
	ins.args = append(ins.args, argument{name: name, stream: in})
	return ins.addInput(ctx, in)
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

func (ins *Inputs) addReaderAt(ctx context.Context, name string, r io.ReaderAt, size int64) error {
	if size == 0 {
		return Errorf(name, "is empty")
	}
	head := make([]byte, min(size, 8))
	if _, err := r.ReadAt(head, 0); err != nil && err != io.EOF {
		return explain(name, 0, err)
	}
	ins.args = append(ins.args, argument{name: name, open: func() (io.ReadCloser, error) {
		return io.NopCloser(io.NewSectionReader(r, 0, size)), nil
	}})
	packing := packingOf(head)
	if packing == zipped {
		return ins.addZip(ctx, name, r, size)
	}
	return ins.addInput(ctx, &Input{
		Name: name, Base: base(name), packed: openAt(r, size), size: size, packing: packing, tempDir: ins.tempDir,
	})
}

func (ins *Inputs) addZip(ctx context.Context, name string, r io.ReaderAt, size int64) error {
	z, err := zip.NewReader(r, size)
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) { // nothing is written under a member's name
		return explain(name, 0, err)
	}
	z.RegisterDecompressor(zstd.ZipMethodWinZip, zstd.ZipDecompressor(zstd.WithDecoderMaxWindow(maxWindow)))
	members := slices.DeleteFunc(slices.Clone(z.File), func(m *zip.File) bool {
		return m.FileInfo().IsDir() || slices.ContainsFunc(strings.Split(m.Name, "/"), hidden)
	})
	if len(members) == 0 {
		return Errorf(name, "is an archive without files")
	}
	slices.SortStableFunc(members, func(a, b *zip.File) int { return strings.Compare(a.Name, b.Name) })
	seen := map[string]string{}
	for _, m := range members {
		folded := strings.ToLower(m.Name)
		if first, twice := seen[folded]; twice {
			return Errorf(name, "holds %q and %q, and cannot say which is meant; unpack it and give the right files", first, m.Name)
		}
		seen[folded] = m.Name
	}
	for _, m := range members {
		if err := ins.addMember(ctx, name, m); err != nil {
			return err
		}
	}
	return nil
}

func (ins *Inputs) addMember(ctx context.Context, archive string, m *zip.File) error {
	const encrypted = 1 // flag of the member's header
	name := archive + "/" + m.Name
	switch {
	case m.Flags&encrypted != 0:
		return Errorf(name, "is encrypted; unpack the archive with its password and give the files")
	case m.UncompressedSize64 > ratioFree && m.UncompressedSize64/maxRatio > m.CompressedSize64:
		return &Error{Input: name, Err: errBomb}
	}
	in := &Input{Name: name, Base: base(m.Name), packed: openMember(name, m), size: int64(m.CompressedSize64), tempDir: ins.tempDir}
	if m.UncompressedSize64 > 0 {
		head, err := in.packed(ctx, &in.read)
		if err != nil {
			return in.explain(err)
		}
		magic := make([]byte, 4)
		n, _ := io.ReadFull(head, magic) // readHead meets the error again
		head.Close()
		if in.packing = packingOf(magic[:n]); in.packing == zipped {
			in.packing = unpacked // Format tells that it is one
		}
	}
	return ins.addInput(ctx, in)
}

// openMember opens an archive's member for a pass over its bytes. What counts
// as read is the share of its packed size.
func openMember(name string, m *zip.File) func(context.Context, *atomic.Int64) (io.ReadCloser, error) {
	return func(_ context.Context, read *atomic.Int64) (io.ReadCloser, error) {
		r, err := m.Open()
		if err != nil {
			return nil, err
		}
		ratio := float64(m.CompressedSize64) / float64(max(m.UncompressedSize64, 1))
		return &memberReader{r, &checkedReader{r: r, name: name, read: read}, read, ratio, m.CompressedSize64}, nil
	}
}

type memberReader struct {
	io.Closer
	r      *checkedReader
	read   *atomic.Int64
	ratio  float64
	packed uint64
}

func (m *memberReader) Read(p []byte) (int, error) {
	n, err := m.r.Read(p)
	m.read.Store(int64(float64(m.r.n) * m.ratio))
	if m.r.n > ratioFree && uint64(m.r.n)/maxRatio > m.packed { // the header can lie
		return 0, &Error{Input: m.r.name, Err: errBomb}
	}
	return n, err
}

// base returns a name without directories and compression, in lower case.
func base(name string) string {
	b := strings.ToLower(path.Base(filepath.ToSlash(name)))
	for _, suffix := range suffixes {
		if trimmed, ok := strings.CutSuffix(b, suffix); ok {
			return trimmed
		}
	}
	return b
}

// BytesRead returns how many bytes, as stored, were read of all inputs in
// each one's latest pass. It may be called at any time, to show progress.
func (ins *Inputs) BytesRead() int64 {
	var n int64
	for _, in := range ins.Files {
		n += in.read.Load()
	}
	return n
}

// Size returns how many bytes, as stored, there are to read in a pass over
// all inputs, or -1 where that is unknown.
func (ins *Inputs) Size() int64 {
	var n int64
	for _, in := range ins.Files {
		if in.size < 0 {
			return -1
		}
		n += in.size
	}
	return n
}

// Fingerprints returns those of the files that the arguments name, in order;
// an archive has one. It reads them through, and copies standard input to a
// temporary file where it is a pipe: that one's is of the unpacked bytes.
func (ins *Inputs) Fingerprints(ctx context.Context) ([]Fingerprint, error) {
	prints := make([]Fingerprint, 0, len(ins.args))
	for _, arg := range ins.args {
		var r io.ReadCloser
		var err error
		if arg.stream != nil {
			if err = arg.stream.Spool(ctx); err == nil {
				r, err = arg.stream.Open(ctx)
			}
		} else {
			r, err = arg.open()
		}
		if err != nil {
			return nil, explain(arg.name, 0, err)
		}
		sum := sha256.New()
		n, err := io.Copy(sum, &contextReader{ctx, r})
		r.Close()
		if err != nil {
			return nil, fmt.Errorf("fingerprint: %w", explain(arg.name, n, err))
		}
		prints = append(prints, Fingerprint{arg.name, n, hex.EncodeToString(sum.Sum(nil))})
	}
	return prints, nil
}

// Close removes temporary files and closes what is open. Readers of the
// inputs must be closed before.
func (ins *Inputs) Close() error {
	var errs []error
	for _, in := range ins.Files {
		errs = append(errs, in.close())
	}
	for _, c := range ins.closers {
		errs = append(errs, c.Close())
	}
	return errors.Join(errs...)
}
