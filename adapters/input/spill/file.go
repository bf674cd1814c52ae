// Package spill holds on disk what would not fit into memory: temporary files
// that vanish with the process, an external merge sort of byte records
// ([Sorter]), a lookup of records by key ([Index]) and what is read as it was
// written ([Blocks]).
//
// Nothing in it is kept between runs. Everything it writes goes to files that
// are unlinked as soon as they are open, so that a crash leaves nothing
// behind, on systems that can do that (Windows cannot; there Close removes
// them).
package spill

import (
	"errors"
	"io/fs"
	"os"
)

// A File is a temporary file without a name.
type File struct {
	*os.File
	path string // still to be removed; empty once unlinked
}

// Temp creates an empty File in dir; empty means the system's directory for
// temporary files.
func Temp(dir string) (*File, error) {
	f, err := os.CreateTemp(dir, "hopper-*.tmp")
	if err != nil {
		return nil, explain(dir, err)
	}
	t := &File{File: f}
	if err := os.Remove(f.Name()); err != nil {
		t.path = f.Name()
	}
	return t, nil
}

// Close closes the file and gives its space back.
func (f *File) Close() error {
	err := f.File.Close()
	if f.path == "" {
		return err
	}
	path := f.path
	f.path = ""
	if rm := os.Remove(path); !errors.Is(rm, fs.ErrNotExist) {
		err = errors.Join(err, rm)
	}
	return err
}
