package input

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"runtime"
	"slices"
	"sync"

	"github.com/zeebo/xxh3"
	"golang.org/x/sync/errgroup"
)

// A Fingerprint identifies bytes. Its digests are in hexadecimal.
type Fingerprint struct {
	Name string
	Size int64
	// XXH3 is of 128 bits. It is empty where a store says what its objects hold, and
	// for bytes as stored of which Contents has what is in them.
	XXH3 string
	// SHA256 is empty unless it was asked for, or where a store says what its
	// objects hold (by a version, a generation, an ETag): it is then of the object's
	// address, size and version, so that nothing is downloaded to be hashed.
	SHA256 string
}

// An Identity says which contents inputs have.
type Identity struct {
	// Contents has one entry for each of Files that is not empty, in their
	// order, of its bytes as Open gives them. Packing does not count: a file
	// and its .gz, a ZIP archive and the folder that it unpacks to have the
	// same set of sums. The exception is an archive in a store that knows
	// versions, which has one entry as a whole.
	Contents []Fingerprint
	// Stored has one entry for each file that the arguments name, of the bytes
	// as they are stored, with archives and compression left as they are
	// (standard input that is a pipe: of the unpacked bytes). Ledgers before
	// version 2 hold their SHA-256.
	Stored []Fingerprint
}

// Identify reads the inputs through and returns what identifies them, with their
// SHA-256 too if that is asked for. Without it, what [Inputs.SumUp] has summed up is
// not read again. It copies standard input to a temporary file where it is a pipe.
// BytesIdentified tells meanwhile how far it is. Where the inputs are [Inputs.Local],
// others may read them meanwhile.
func (ins *Inputs) Identify(ctx context.Context, sha bool) (*Identity, error) {
	groups := ins.groups()
	whole := &Identity{Contents: make([]Fingerprint, len(ins.Files)), Stored: make([]Fingerprint, len(groups))}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	rest := whole.Contents
	for i, files := range groups {
		contents := rest[:len(files)]
		rest = rest[len(files):]
		group.Go(func() (err error) {
			whole.Stored[i], err = identify(ctx, files, contents, sha)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	whole.Contents = slices.DeleteFunc(whole.Contents, func(f Fingerprint) bool { return f.Name == "" })
	if slices.Equal(whole.Contents, whole.Stored) { // there can be hundreds of thousands
		whole.Stored = whole.Contents
	}
	return whole, nil
}

// Identified reports whether Identify, without SHA-256, needs to read nothing, since all
// inputs have been summed up, or are identified by what a store says.
func (ins *Inputs) Identified() bool {
	return !slices.ContainsFunc(ins.Files, func(in *Input) bool {
		versioned := in.version() != "" || in.member != nil && in.member.archive.version != ""
		return !versioned && in.summed.Load() == nil
	})
}

// BytesIdentified returns how many bytes, as stored, Identify has read of all inputs.
// It may be called at any time, to show progress.
func (ins *Inputs) BytesIdentified() int64 {
	n := ins.shared.hashed.Load() - ins.hashedBefore
	for _, in := range ins.streams {
		n += in.read.Load()
	}
	return n
}

// Local reports whether all inputs are files of this machine, or lie in archives that
// are: to read these twice at the same time takes little more than once.
func (ins *Inputs) Local() bool {
	for _, in := range ins.Files {
		c := in.contents
		if in.member != nil {
			c = in.member.archive.contents
		}
		if _, local := c.(*localFile); !local {
			return false
		}
	}
	return true
}

// SumUp says whether inputs are summed up by those who open and read them to their
// ends, so that they need not be read once more to be identified.
func (ins *Inputs) SumUp(so bool) {
	if ins.shared != nil { // else there are none
		ins.shared.summing.Store(so)
	}
}

// PlainSizes returns the sizes of the inputs, nil where one of them is packed, or none
// of known size.
func (ins *Inputs) PlainSizes() map[int64]bool {
	sizes := make(map[int64]bool, len(ins.Files))
	for _, in := range ins.Files {
		if in.packing != unpacked || in.member != nil || in.size < 0 {
			return nil
		}
		sizes[in.size] = true
	}
	return sizes
}

// StoredNames returns the names of the inputs as they are stored: that of an
// archive once, instead of its members'.
func (ins *Inputs) StoredNames() []string {
	var names []string
	for _, files := range ins.groups() {
		name := files[0].Name
		if m := files[0].member; m != nil {
			name = m.archive.name
		}
		names = append(names, name)
	}
	return names
}

// groups returns the inputs with those of one archive together.
func (ins *Inputs) groups() [][]*Input {
	var groups [][]*Input
	for i, in := range ins.Files {
		if i > 0 && in.sameArchive(ins.Files[i-1]) {
			last := &groups[len(groups)-1]
			*last = append(*last, in)
			continue
		}
		groups = append(groups, ins.Files[i:i+1:i+1])
	}
	return groups
}

// sameArchive reports whether two inputs are members of one archive.
func (in *Input) sameArchive(other *Input) bool {
	return in.member != nil && other.member != nil && in.member.archive == other.member.archive
}

// identify returns what identifies a file, or an archive of files, as it is stored, and
// sets contents to what identifies those that are not empty, see [Identity].
func identify(ctx context.Context, files []*Input, contents []Fingerprint, sha bool) (stored Fingerprint, err error) {
	first := files[0]
	if m := first.member; m != nil && m.archive.version != "" {
		contents[0] = versioned(m.archive.name, m.archive.size, m.archive.version)
		return contents[0], nil
	}
	if version := first.version(); version != "" {
		contents[0] = versioned(first.Name, first.size, version)
		return contents[0], nil
	}
	for i, in := range files {
		var content Fingerprint
		if content, stored, err = in.identify(ctx, sha); err != nil {
			return Fingerprint{}, fmt.Errorf("fingerprint: %w", explain(in.Name, content.Size, err))
		}
		if content.Size > 0 {
			contents[i] = content
		}
	}
	if first.member == nil {
		return stored, nil
	}
	whole := first.member.archive
	stored = Fingerprint{Name: whole.name, Size: whole.size}
	if sha {
		stored.SHA256, err = whole.sum(ctx)
	}
	return stored, err
}

func versioned(name string, size int64, version string) Fingerprint {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\n%d\n%s", name, size, version))
	return Fingerprint{Name: name, Size: size, SHA256: hex.EncodeToString(sum[:])}
}

// identify sums up the content and, in the same pass, the bytes as stored.
func (in *Input) identify(ctx context.Context, sha bool) (content, stored Fingerprint, err error) {
	if in.contents == nil {
		content, err = in.identifyStream(ctx, sha)
		return content, content, err
	}
	plain := in.packing == unpacked && in.member == nil
	if known := in.summed.Load(); known != nil && !sha {
		content = Fingerprint{Name: in.Name, Size: known.size, XXH3: hex.EncodeToString(known.xxh3[:])}
		return content, in.storedAs(content, plain), nil
	}
	raw, err := in.contents.Open(ctx, 0, -1)
	if err != nil {
		return content, stored, err
	}
	packed := &summedReader{r: &contextReader{ctx, raw}}
	if sha {
		packed.sum = sha256.New()
	}
	r, err := in.unpack(&readCloser{packed, raw.Close}, in.hashing())
	if err != nil {
		return content, stored, err
	}
	defer r.Close()
	inner := &summedReader{r: r, sum: xxh3.New128()}
	var whole io.Reader = inner
	older := packed
	if sha && !plain {
		older = &summedReader{r: inner, sum: sha256.New()}
		whole = older
	}
	content = Fingerprint{Name: in.Name}
	content.Size, err = drain(whole)
	if err == nil { // a decompressor can end before the file does
		_, err = drain(packed)
	}
	content.XXH3, content.SHA256 = inner.hex(), older.hex()
	stored = in.storedAs(content, plain)
	stored.Size, stored.SHA256 = packed.n, packed.hex()
	return content, stored, err
}

// storedAs returns what identifies the input as it is stored: what its content is, if
// it is plain.
func (in *Input) storedAs(content Fingerprint, plain bool) Fingerprint {
	if plain {
		return content
	}
	return Fingerprint{Name: in.Name, Size: in.size}
}

// identifyStream identifies what is copied to a temporary file.
func (in *Input) identifyStream(ctx context.Context, sha bool) (Fingerprint, error) {
	spooled, err := in.spool(ctx)
	if err != nil {
		return Fingerprint{}, err
	}
	f := Fingerprint{Name: in.Name, Size: spooled.size, XXH3: spooled.digest}
	if !sha {
		return f, nil
	}
	older := &summedReader{r: &contextReader{ctx, io.NopCloser(io.NewSectionReader(spooled, 0, spooled.size))}, sum: sha256.New()}
	_, err = drain(older)
	f.SHA256 = older.hex()
	return f, err
}

// sum returns the SHA-256 of an archive as it is stored.
func (a *archive) sum(ctx context.Context) (string, error) {
	r, err := a.contents.Open(ctx, 0, -1)
	if err != nil {
		return "", explain(a.name, 0, err)
	}
	defer r.Close()
	summed := &summedReader{r: &contextReader{ctx, r}, sum: sha256.New()}
	if n, err := drain(summed); err != nil {
		return "", explain(a.name, n, err)
	}
	return summed.hex(), nil
}

// drainers are buffers for drain: io.Discard would have files read by 8 KiB.
var drainers = sync.Pool{New: func() any { return new([128 << 10]byte) }}

// drain reads r to its end, and returns how many bytes that were.
func drain(r io.Reader) (n int64, err error) {
	buffer := drainers.Get().(*[128 << 10]byte)
	defer drainers.Put(buffer)
	for {
		m, err := r.Read(buffer[:])
		n += int64(m)
		if err == io.EOF {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
}

// summedReader sums up what is read through it.
type summedReader struct {
	r   io.Reader
	sum hash.Hash // nil sums up nothing
	n   int64
}

func (s *summedReader) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if s.sum != nil {
		s.sum.Write(p[:n])
	}
	s.n += int64(n)
	return n, err
}

// hex returns the digest, empty where nothing is summed up.
func (s *summedReader) hex() string {
	if s.sum == nil {
		return ""
	}
	return hex.EncodeToString(s.sum.Sum(nil))
}

// summed is what sums up a content.
type summed struct {
	size int64
	xxh3 [16]byte
}

// A passingReader sums up a content that is read for its own sake, and leaves it to
// the input what identifies it once it has been read to its end. It gives up where
// inputs are not summed up any more before that.
type passingReader struct {
	summedReader
	io.Closer
	of *Input
}

func newPassingReader(in *Input, r io.ReadCloser) *passingReader {
	return &passingReader{summedReader{r: r, sum: xxh3.New128()}, r, in}
}

func (p *passingReader) Read(b []byte) (int, error) {
	if !p.of.shared.summing.Load() {
		p.sum = nil
	}
	n, err := p.summedReader.Read(b)
	if err == io.EOF && p.sum != nil {
		p.of.summed.Store(&summed{p.n, [16]byte(p.sum.Sum(nil))})
	}
	return n, err
}
