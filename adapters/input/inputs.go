package input

import (
	"context"
	"errors"
	"io"
	"net/url"
	"path"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"
)

// Inputs are what the arguments of a command name, ready to be read.
type Inputs struct {
	// Files are the inputs in the order of the arguments; those of a
	// directory, a glob or an archive in name order.
	Files []*Input
	// PassedOver is what was found in directories, prefixes and archives and
	// is no input, or an empty one, which is among Files too.
	PassedOver []PassedOver

	size    int64    // of all; -1 is unknown
	streams []*Input // those of Files that are
	// readBefore and hashedBefore is what was counted of what is not among Files.
	readBefore, hashedBefore int64

	shared  *shared
	stores  []Store
	seen    map[string]bool // ids of objects, while they are found
	closers []io.Closer
}

// Open finds the inputs that args name: paths, globs, directories (all files
// beneath, without hidden ones), addresses in one of stores, ZIP archives (all
// members), and "-" for stdin. It reads the head of each and nothing more,
// except for an archive on stdin, which goes to a temporary file in tempDir
// (empty: the system's). The inputs can be read for as long as ctx lasts.
//
// It fails with an [Error] on what is no input: a missing or empty file, an
// address of no store, an archive that is cut off, encrypted, or has two
// members of one name.
func Open(ctx context.Context, args []string, stdin io.Reader, tempDir string, stores ...Store) (*Inputs, error) {
	ins := &Inputs{shared: &shared{ctx: ctx, tempDir: tempDir}, stores: stores, seen: map[string]bool{}}
	for _, arg := range args {
		if err := ins.add(ctx, arg, stdin); err != nil {
			ins.Close()
			return nil, err
		}
	}
	ins.seen = nil
	ins.countOwn() // archives have been read to open them
	if len(ins.Files) == 0 {
		return nil, errors.New("no inputs; give files, directories, or - for standard input")
	}
	return ins, nil
}

// Learned returns how many members the inputs have learned, see [Input.Learn].
func (ins *Inputs) Learned() (n int) {
	for _, in := range ins.Files {
		n += len(in.Learned())
	}
	return n
}

func (ins *Inputs) add(ctx context.Context, arg string, stdin io.Reader) error {
	if arg == "-" {
		return ins.addStdin(ctx, stdin)
	}
	store, err := ins.storeOf(arg)
	if err != nil {
		return err
	}
	w := &window{ins: ins}
	err = store.Find(ctx, arg, func(o Object) error { return w.add(ctx, o) }, func(p PassedOver) {
		ins.PassedOver = append(ins.PassedOver, p)
	})
	if err != nil {
		return err
	}
	return w.flush(ctx)
}

// storeOf returns the store that an argument is an address of.
func (ins *Inputs) storeOf(arg string) (Store, error) {
	scheme, _, ok := strings.Cut(arg, "://")
	if !ok || strings.ContainsAny(scheme, `/\.`) {
		return Files{}, nil
	}
	for _, s := range ins.stores {
		for _, known := range s.Schemes() {
			if strings.EqualFold(scheme, known) {
				return s, nil
			}
		}
	}
	return nil, Errorf(Printable(arg), "reading from %s addresses is not supported", scheme).Advise("download it and give the file")
}

// Printable returns an argument as messages call it: an address without what
// may be secret, which is the user's name and password and, except in a
// bucket, the query, which holds the signature of a presigned address.
func Printable(arg string) string {
	scheme, rest, ok := strings.Cut(arg, "://")
	if !ok || strings.EqualFold(scheme, "sqlite") { // a file, whose name may hold any character
		return arg
	}
	bucket := strings.EqualFold(scheme, "s3") || strings.EqualFold(scheme, "gs")
	if !bucket { // where "?" is a part of a glob
		rest, _, _ = cutAny(rest, "?#")
	}
	host, file, slash := strings.Cut(rest, "/")
	host = host[strings.LastIndex(host, "@")+1:]
	if _, port, ok := strings.Cut(host, ":"); ok && strings.Trim(port, "0123456789") != "" && !strings.HasPrefix(host, "[") {
		return scheme + "://…" // no port: a password with a character that ends the host
	}
	if slash {
		host += "/"
	}
	if plain, err := url.PathUnescape(file); err == nil && !bucket {
		file = plain
	}
	return scheme + "://" + host + file
}

// cutAny cuts s at the first of chars.
func cutAny(s, chars string) (before, after string, found bool) {
	if i := strings.IndexAny(s, chars); i >= 0 {
		return s[:i], s[i+1:], true
	}
	return s, "", false
}

// window is a number of objects that are opened at the same time and become
// inputs in their order.
type window struct {
	ins     *Inputs
	objects []Object
}

const (
	windowSize = 256
	// openAtOnce is how many objects are opened at the same time: most of the
	// time goes into waiting for a store.
	openAtOnce = 16
)

func (w *window) add(ctx context.Context, o Object) error {
	if w.ins.seen[o.ID] {
		return Errorf(o.Name, "is given twice, perhaps under another name").Advise("give it once, so that its events are imported once")
	}
	w.ins.seen[o.ID] = true
	w.objects = append(w.objects, o)
	if len(w.objects) < windowSize {
		return nil
	}
	return w.flush(ctx)
}

func (w *window) flush(ctx context.Context) error {
	results := make([]opened, len(w.objects))
	var group errgroup.Group
	group.SetLimit(openAtOnce)
	for i, o := range w.objects {
		group.Go(func() error {
			results[i] = w.ins.open(ctx, o)
			return nil
		})
	}
	group.Wait()
	w.objects = w.objects[:0]
	var first error
	for _, r := range results {
		if err := w.ins.collect(r); err != nil && first == nil {
			first = err
		}
	}
	return first
}

// opened is what an object holds, and what was opened for it.
type opened struct {
	inputs  []*Input
	passed  []PassedOver
	closers []io.Closer
	err     error
}

// collect takes over what was opened.
func (ins *Inputs) collect(o opened) error {
	for _, in := range o.inputs {
		ins.take(in)
	}
	ins.PassedOver = append(ins.PassedOver, o.passed...)
	ins.closers = append(ins.closers, o.closers...)
	return o.err
}

// take adds an input to Files.
func (ins *Inputs) take(in *Input) {
	ins.Files = append(ins.Files, in)
	if in.contents == nil {
		ins.streams = append(ins.streams, in)
	}
	if in.size < 0 || ins.size < 0 {
		ins.size = -1
	} else {
		ins.size += in.size
	}
}

// open returns the inputs of an object: one, or the members of an archive.
func (ins *Inputs) open(ctx context.Context, o Object) opened {
	if o.Once {
		r, err := o.Contents.Open(ctx, 0, -1)
		if err != nil {
			return opened{err: explain(o.Name, 0, err)}
		}
		return ins.openStream(ctx, o.Name, r)
	}
	if o.Size == 0 && o.Named {
		return opened{err: Errorf(o.Name, "is empty").Advise("export or download it again")}
	}
	in := ins.newInput(o)
	if err := in.probe(ctx); err != nil {
		return opened{err: err}
	}
	if in.packing == zipped {
		return ins.openArchive(ctx, o, 0)
	}
	if in.format == SQLite && in.packing == unpacked {
		if f, ok := o.Contents.(*localFile); ok {
			return ins.openDatabase(ctx, f.path)
		}
	}
	return opened{inputs: []*Input{in}, passed: passedEmpty(in)}
}

// openDatabase returns the tables of a database that is a file of this machine,
// or the file, where no store opens it.
func (ins *Inputs) openDatabase(ctx context.Context, file string) (all opened) {
	const scheme = "sqlite://"
	store, err := ins.storeOf(scheme + file)
	if err != nil {
		return opened{err: Errorf(file, "is %s, which is not supported here", SQLite)}
	}
	err = store.Find(ctx, scheme+file, func(o Object) error {
		o.Name = strings.TrimPrefix(o.Name, scheme)
		table := ins.open(ctx, o)
		all.add(table)
		return table.err
	}, func(p PassedOver) {
		p.Name = strings.TrimPrefix(p.Name, scheme)
		all.passed = append(all.passed, p)
	})
	var known *Error
	if errors.As(err, &known) {
		known.Input = strings.TrimPrefix(known.Input, scheme)
	}
	all.err = err
	return all
}

// add takes what another object holds.
func (o *opened) add(other opened) {
	o.inputs, o.passed = append(o.inputs, other.inputs...), append(o.passed, other.passed...)
	o.closers, o.err = append(o.closers, other.closers...), other.err
}

// passedEmpty lists an input that is empty. It is kept, for an adapter to pass
// over: a directory or archive can hold an empty table.
func passedEmpty(in *Input) []PassedOver {
	if in.format != Empty {
		return nil
	}
	return []PassedOver{{in.Name, "empty"}}
}

func (ins *Inputs) newInput(o Object) *Input {
	in := &Input{
		Name: o.Name, Base: base(o.Name), Named: o.Named,
		contents: o.Contents, size: o.Size, shared: ins.shared,
	}
	if o.Version != "" {
		in.more = &more{version: o.Version}
	}
	return in
}

// heads are buffers for the heads of inputs.
var heads = sync.Pool{New: func() any { return new([headSize]byte) }}

// probe finds out how the contents are packed, and what they hold.
func (in *Input) probe(ctx context.Context) error {
	head := heads.Get().(*[headSize]byte)
	defer heads.Put(head)
	n, err := in.readHead(ctx, head[:])
	if err != nil {
		return err
	}
	in.recognize(head[:n])
	return nil
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
	if ins.shared == nil { // there are none
		return 0
	}
	return ins.shared.read.Load() - ins.readBefore
}

// Size returns how many bytes, as stored, there are to read in a pass over
// all inputs, or -1 where that is unknown.
func (ins *Inputs) Size() int64 { return ins.size }

// Spool makes sure that all inputs can be opened more than once, see [Input.Spool].
func (ins *Inputs) Spool(ctx context.Context) error {
	for _, in := range ins.Files {
		if err := in.Spool(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Only returns some of the files as inputs of their own, in the order of Files.
// They are read through ins, which is the one to close. Others must not be read while
// progress is asked for.
func (ins *Inputs) Only(files []*Input) *Inputs {
	chosen := make(map[*Input]bool, len(files))
	for _, in := range files {
		chosen[in] = true
	}
	part := &Inputs{shared: ins.shared, stores: ins.stores}
	for _, in := range ins.Files {
		if chosen[in] {
			part.take(in)
		}
	}
	part.countOwn()
	return part
}

// countOwn leaves what others have counted so far out of what is read and hashed.
func (ins *Inputs) countOwn() {
	ins.readBefore, ins.hashedBefore = ins.shared.read.Load(), ins.shared.hashed.Load()
	for _, in := range ins.Files {
		ins.readBefore -= in.read.Load()
		ins.hashedBefore -= in.hashed.Load()
	}
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
