package input

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"runtime"

	"golang.org/x/sync/errgroup"
)

// A Fingerprint identifies bytes.
type Fingerprint struct {
	Name string
	Size int64
	// SHA256 is in hexadecimal: of the bytes, or, where a store says what its
	// objects hold (by a version, a generation, an ETag), of the object's
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
	// version 2 hold these.
	Stored []Fingerprint
}

// Identify reads the inputs through and returns what identifies them. It
// copies standard input to a temporary file where it is a pipe. BytesIdentified
// tells meanwhile how far it is. Where the inputs are [Inputs.Local], others may
// read them meanwhile.
func (ins *Inputs) Identify(ctx context.Context) (*Identity, error) {
	groups := ins.groups()
	parts := make([]Identity, len(groups))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, files := range groups {
		group.Go(func() (err error) {
			parts[i], err = identify(ctx, files)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	whole := &Identity{}
	for _, p := range parts {
		whole.Contents = append(whole.Contents, p.Contents...)
		whole.Stored = append(whole.Stored, p.Stored...)
	}
	return whole, nil
}

// BytesIdentified returns how many bytes, as stored, Identify has read of all inputs.
// It may be called at any time, to show progress.
func (ins *Inputs) BytesIdentified() int64 {
	var n int64
	for _, in := range ins.Files {
		if in.contents == nil {
			n += in.read.Load()
		}
		n += in.hashed.Load()
	}
	return n
}

// Local reports whether all inputs are files of this machine, or lie in archives that
// are: to read these twice at the same time takes little more than once.
func (ins *Inputs) Local() bool {
	for _, in := range ins.Files {
		c := in.contents
		if member, ok := c.(*memberContents); ok {
			c = member.archive.contents
		}
		if _, local := c.(*localFile); !local {
			return false
		}
	}
	return true
}

// StoredNames returns the names of the inputs as they are stored: that of an
// archive once, instead of its members'.
func (ins *Inputs) StoredNames() []string {
	var names []string
	for _, files := range ins.groups() {
		name := files[0].Name
		if a := files[0].archive; a != nil {
			name = a.name
		}
		names = append(names, name)
	}
	return names
}

// groups returns the inputs with those of one archive together.
func (ins *Inputs) groups() [][]*Input {
	var groups [][]*Input
	for i, in := range ins.Files {
		if i > 0 && in.archive != nil && in.archive == ins.Files[i-1].archive {
			last := &groups[len(groups)-1]
			*last = append(*last, in)
			continue
		}
		groups = append(groups, ins.Files[i:i+1:i+1])
	}
	return groups
}

// identify returns the identity of a file, or of an archive's members.
func identify(ctx context.Context, files []*Input) (Identity, error) {
	first := files[0]
	if a := first.archive; a != nil && a.version != "" {
		return versioned(a.name, a.size, a.version), nil
	}
	if first.version != "" {
		return versioned(first.Name, first.size, first.version), nil
	}
	var id Identity
	for _, in := range files {
		content, stored, err := in.identify(ctx)
		if err != nil {
			return Identity{}, fmt.Errorf("fingerprint: %w", explain(in.Name, content.Size, err))
		}
		if content.Size > 0 {
			id.Contents = append(id.Contents, content)
		}
		id.Stored = []Fingerprint{stored}
	}
	if first.archive == nil {
		return id, nil
	}
	stored, err := first.archive.sum(ctx)
	id.Stored = []Fingerprint{stored}
	return id, err
}

func versioned(name string, size int64, version string) Identity {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\n%d\n%s", name, size, version))
	whole := []Fingerprint{{name, size, hex.EncodeToString(sum[:])}}
	return Identity{whole, whole}
}

// identify sums up the content and, in the same pass, the bytes as stored.
func (in *Input) identify(ctx context.Context) (content, stored Fingerprint, err error) {
	if in.contents == nil {
		if err := in.Spool(ctx); err != nil {
			return content, stored, err
		}
		whole := Fingerprint{in.Name, in.spooled.size, in.spooled.digest}
		return whole, whole, nil
	}
	raw, err := in.contents.Open(ctx, 0, -1)
	if err != nil {
		return content, stored, err
	}
	packed := sha256.New()
	kept := &summedReader{r: &contextReader{ctx, raw}, sum: packed}
	r, err := in.unpack(&readCloser{kept, raw.Close}, &in.hashed)
	if err != nil {
		return content, stored, err
	}
	defer r.Close()
	plain := packed
	if in.packing == unpacked && in.member == nil {
		content.Size, err = io.Copy(io.Discard, r)
	} else {
		plain = sha256.New()
		content.Size, err = io.Copy(plain, r)
	}
	if err == nil { // a decompressor can end before the file does
		_, err = io.Copy(io.Discard, kept)
	}
	return fingerprint(in.Name, content.Size, plain), fingerprint(in.Name, kept.n, packed), err
}

func fingerprint(name string, size int64, sum hash.Hash) Fingerprint {
	return Fingerprint{name, size, hex.EncodeToString(sum.Sum(nil))}
}

// sum sums up an archive as it is stored.
func (a *archive) sum(ctx context.Context) (Fingerprint, error) {
	r, err := a.contents.Open(ctx, 0, -1)
	if err != nil {
		return Fingerprint{}, explain(a.name, 0, err)
	}
	defer r.Close()
	sum := sha256.New()
	n, err := io.Copy(sum, &contextReader{ctx, r})
	if err != nil {
		return Fingerprint{}, explain(a.name, n, err)
	}
	return fingerprint(a.name, n, sum), nil
}

// summedReader sums up what is read through it.
type summedReader struct {
	r   io.Reader
	sum hash.Hash
	n   int64
}

func (s *summedReader) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	s.sum.Write(p[:n])
	s.n += int64(n)
	return n, err
}
