package input

import (
	"context"
	"io"
)

// A Store holds objects under addresses: a file system, a bucket, a web server.
//
// An implementation is used by several goroutines at once. It repeats what
// failed for a moment only, and its errors are of type [Error], name the
// object and carry no credentials.
type Store interface {
	// Schemes returns what its addresses begin with, without "://".
	Schemes() []string
	// Find calls found for each object that address names: the object itself,
	// those that a glob matches, or all beneath a directory or prefix, in
	// order of their names. It calls passed for what it leaves out. An address
	// that names nothing is an error, and an error of found ends the search.
	Find(ctx context.Context, address string, found func(Object) error, passed func(PassedOver)) error
}

// An Object is a file in a [Store], as it was when the store was asked.
type Object struct {
	// Name is how messages call it. It carries no credentials.
	Name string
	// ID is equal for two names of one file.
	ID string
	// Size is its length in bytes; -1 means that the store does not say.
	Size int64
	// Version identifies its contents where the store can say so without
	// reading them: a version, a generation, an ETag. It is empty elsewhere.
	Version string
	// Named reports whether the user named the object, alone or by a glob;
	// others were found beneath a directory or prefix.
	Named bool
	// Once reports whether the contents can be read only once, as a pipe's.
	Once bool

	Contents Contents
}

// Contents gives the bytes of an [Object].
type Contents interface {
	// Open returns length bytes from offset on, or all from there where length
	// is negative. It may return more than length. Reading fails when the
	// object is no longer what it was when it was found.
	Open(ctx context.Context, offset, length int64) (io.ReadCloser, error)
	// OpenAt returns the contents with random access, for as long as ctx lasts.
	// Any number of goroutines may read.
	OpenAt(ctx context.Context) (ReaderAtCloser, error)
}

// A ReaderAtCloser is random access that must be closed when it is no longer needed.
type ReaderAtCloser interface {
	io.ReaderAt
	io.Closer
}

// PassedOver is something beneath a directory or prefix, or in an archive,
// that is no input.
type PassedOver struct {
	Name string `json:"name"`
	Why  string `json:"why"` // "hidden", "empty", "a link to nowhere"
}

// An AwayError says that a store could not be reached, or did not answer. The
// same run succeeds once it does.
type AwayError struct{ Err error }

func (e *AwayError) Error() string { return e.Err.Error() }
func (e *AwayError) Unwrap() error { return e.Err }
