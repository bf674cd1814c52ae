package spill

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// A FullError says that there is no room for temporary files. The same run
// succeeds once there is.
type FullError struct {
	Dir string // where they go
	Err error
}

func (e *FullError) Error() string {
	return fmt.Sprintf("%s, where temporary files go, has no space left (%v); free some, or set TMPDIR to a directory with more", e.Dir, e.Err)
}

func (e *FullError) Unwrap() error { return e.Err }

// Full reports whether err says that a disk, or the user's share of it, has no
// room left.
func Full(err error) bool {
	var typed *FullError
	return errors.As(err, &typed) || fullError(err) != nil
}

// fullError returns the system's error for a full disk within err, or nil.
func fullError(err error) error {
	for _, full := range fullErrors {
		if errors.Is(err, full) {
			return full
		}
	}
	return nil
}

// explain turns the system's errors for a full disk into a [FullError].
func explain(dir string, err error) error {
	full := fullError(err)
	if full == nil {
		return err
	}
	if dir == "" {
		dir = os.TempDir()
	}
	return &FullError{dir, full}
}

func (f *File) explain(err error) error { return explain(filepath.Dir(f.Name()), err) }

// Write is that of [os.File], with a [FullError].
func (f *File) Write(p []byte) (int, error) {
	n, err := f.File.Write(p)
	return n, f.explain(err)
}

// WriteAt is that of [os.File], with a [FullError].
func (f *File) WriteAt(p []byte, offset int64) (int, error) {
	n, err := f.File.WriteAt(p, offset)
	return n, f.explain(err)
}

// ReadFrom is that of [os.File], with a [FullError].
func (f *File) ReadFrom(r io.Reader) (int64, error) {
	n, err := f.File.ReadFrom(r)
	return n, f.explain(err)
}

// WriteString is that of [os.File], with a [FullError].
func (f *File) WriteString(s string) (int, error) {
	n, err := f.File.WriteString(s)
	return n, f.explain(err)
}
