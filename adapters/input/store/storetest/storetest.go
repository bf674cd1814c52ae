// Package storetest holds what every store of inputs must do, as tests that a
// store runs with a few lines.
package storetest

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"

	"hopper/adapters/input"
)

// A Server is a store's other side, of a test's own.
type Server struct {
	Store input.Store // nil is the local file system
	// Put stores an object, or another in its place.
	Put func(t *testing.T, key string, content []byte)
	// Address returns an object's address. A key can be a prefix or a glob.
	Address func(key string) string
	// Flat stores have no directories, prefixes and globs.
	Flat bool
	// Pinned stores go on giving what an object was when it was found.
	Pinned bool
}

// Run runs all tests.
func Run(t *testing.T, s Server) {
	t.Run("find", s.find)
	t.Run("missing", s.missing)
	t.Run("read", s.read)
	t.Run("random access", s.randomAccess)
	t.Run("packed", s.packed)
	t.Run("changed", s.changed)
	t.Run("identity", s.identity)
}

func (s Server) open(t *testing.T, keys ...string) (*input.Inputs, error) {
	args := make([]string, len(keys))
	for i, key := range keys {
		args[i] = s.Address(key)
	}
	var stores []input.Store
	if s.Store != nil {
		stores = append(stores, s.Store)
	}
	ins, err := input.Open(t.Context(), args, nil, t.TempDir(), stores...)
	if err == nil {
		t.Cleanup(func() {
			if err := ins.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	return ins, err
}

func (s Server) mustOpen(t *testing.T, keys ...string) *input.Inputs {
	t.Helper()
	ins, err := s.open(t, keys...)
	if err != nil {
		t.Fatal(err)
	}
	return ins
}

func (s Server) find(t *testing.T) {
	for _, key := range []string{"find/b.csv", "find/a.csv", "find/deep/ä c.csv", "find/.hidden/d.csv", "find/e.tsv"} {
		s.Put(t, key, []byte("content of "+key))
	}
	s.Put(t, "find/empty.csv", nil)
	s.Put(t, "finder.csv", []byte("x"))
	cases := map[string][]string{"find/a.csv": {"find/a.csv"}, "find/deep/ä c.csv": {"find/deep/ä c.csv"}}
	if !s.Flat {
		cases["find"] = []string{"find/a.csv", "find/b.csv", "find/deep/ä c.csv", "find/e.tsv", "find/empty.csv"}
		cases["find/"] = cases["find"]
		cases["find/[ab].csv"] = []string{"find/a.csv", "find/b.csv"}
		cases["find/?.*"] = []string{"find/a.csv", "find/b.csv", "find/e.tsv"}
	}
	for key, want := range cases {
		ins, err := s.open(t, key)
		if err != nil {
			t.Errorf("%s: %v", key, err)
			continue
		}
		var got []string
		for _, in := range ins.Files {
			name := filepath.ToSlash(in.Name) // on Windows, of a file
			got = append(got, strings.TrimPrefix(name, filepath.ToSlash(input.Printable(s.Address("")))))
			if in.Base != strings.ToLower(path.Base(name)) {
				t.Errorf("%s has the base %s", in.Name, in.Base)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: found %q, want %q", key, got, want)
		}
		if beneath := strings.TrimSuffix(key, "/") == "find"; beneath != (len(ins.PassedOver) == 2) || beneath == ins.Files[0].Named {
			t.Errorf("%s: passed over %v", key, ins.PassedOver)
		}
	}
	if _, err := s.open(t, "find/a.csv", "find/a.csv"); err == nil || !strings.Contains(err.Error(), "is given twice") {
		t.Errorf("twice: got %v", err)
	}
}

func (s Server) missing(t *testing.T) {
	keys := []string{"missing.csv"}
	if !s.Flat {
		keys = append(keys, "missing/", "missing/*.csv")
	}
	s.Put(t, "empty.csv", nil)
	for _, key := range append(keys, "empty.csv") {
		_, err := s.open(t, key)
		var positioned *input.Error
		if !errors.As(err, &positioned) || !strings.Contains(err.Error(), strings.TrimSuffix(key, "/")) {
			t.Errorf("%s: got %v", key, err)
		}
	}
}

// Long returns text longer than what stores read at a time.
func Long() []byte {
	var b bytes.Buffer
	for i := range 300_000 {
		fmt.Fprintf(&b, "row %09d\n", i)
	}
	return b.Bytes()
}

func (s Server) read(t *testing.T) {
	long := Long()
	s.Put(t, "long.csv", long)
	in := s.mustOpen(t, "long.csv").Files[0]
	if string(in.Head()) != string(long[:64<<10]) || in.Format() != input.Text {
		t.Errorf("head has %d bytes", len(in.Head()))
	}
	for range 2 {
		if got := content(t, in); !bytes.Equal(got, long) {
			t.Errorf("read %d bytes, want %d", len(got), len(long))
		}
	}
}

func content(t *testing.T, in *input.Input) []byte {
	t.Helper()
	r, err := in.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	got, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func (s Server) randomAccess(t *testing.T) {
	long := Long()
	s.Put(t, "random.csv", long)
	f, err := s.mustOpen(t, "random.csv").Files[0].File(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if f.Size() != int64(len(long)) {
		t.Errorf("size is %d, want %d", f.Size(), len(long))
	}
	var group errgroup.Group
	for i := range 8 {
		group.Go(func() error {
			for j := range 10 {
				offset, p := (i*7919+j*104729)*31%len(long), make([]byte, 1000*(i+1))
				n, err := f.ReadAt(p, int64(offset))
				want := long[offset:min(offset+len(p), len(long))]
				if !bytes.Equal(p[:n], want) || n == len(p) && err != nil || n < len(p) && err != io.EOF {
					return fmt.Errorf("at %d: read %d bytes of %d, %v", offset, n, len(want), err)
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		t.Error(err)
	}
	if n, err := f.ReadAt(make([]byte, 1), f.Size()); n != 0 || err != io.EOF {
		t.Errorf("at the end: read %d bytes, %v", n, err)
	}
}

func (s Server) packed(t *testing.T) {
	long := Long()
	var zipped, gzipped bytes.Buffer
	z := zip.NewWriter(&zipped)
	for _, name := range []string{"./b.csv", "a.csv"} {
		w, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		w.Write(long)
	}
	g := gzip.NewWriter(&gzipped)
	g.Write(long)
	if err := errors.Join(z.Close(), g.Close()); err != nil {
		t.Fatal(err)
	}
	s.Put(t, "packed.zip", zipped.Bytes())
	s.Put(t, "packed.csv.gz", gzipped.Bytes())
	ins := s.mustOpen(t, "packed.zip", "packed.csv.gz")
	if len(ins.Files) != 3 {
		t.Fatalf("found %d inputs", len(ins.Files))
	}
	for _, in := range ins.Files {
		if got := content(t, in); !bytes.Equal(got, long) {
			t.Errorf("%s: read %d bytes, want %d", in.Name, len(got), len(long))
		}
	}
}

func (s Server) changed(t *testing.T) {
	long := Long()
	s.Put(t, "changed.csv", long)
	in := s.mustOpen(t, "changed.csv").Files[0]
	s.Put(t, "changed.csv", append([]byte("another"), long...))
	r, err := in.Open(t.Context())
	var got []byte
	if err == nil {
		got, err = io.ReadAll(r)
		r.Close()
	}
	if s.Pinned && bytes.Equal(got, long) {
		return
	}
	var positioned *input.Error
	if !errors.As(err, &positioned) || !strings.Contains(err.Error(), "while it was read") {
		t.Errorf("read %d bytes, %v", len(got), err)
	}
}

func (s Server) identity(t *testing.T) {
	sum := func() string {
		id, err := s.mustOpen(t, "identity.csv").Identify(t.Context(), false)
		if err != nil {
			t.Fatal(err)
		}
		if len(id.Contents) != 1 || len(id.Stored) != 1 || len(id.Contents[0].XXH3+id.Contents[0].SHA256) < 32 {
			t.Fatalf("identity is %+v", id)
		}
		return id.Contents[0].XXH3 + id.Contents[0].SHA256
	}
	s.Put(t, "identity.csv", []byte("one"))
	one := sum()
	if again := sum(); again != one {
		t.Errorf("identity is %s and then %s", one, again)
	}
	s.Put(t, "identity.csv", []byte("two"))
	if two := sum(); two == one {
		t.Error("another content has the same identity")
	}
}
