package input

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/xitongsys/parquet-go-source/local"

	"hopper/adapters/input/handles"
)

// Files is the [Store] of this machine's file system.
type Files struct{}

// Schemes returns none: a path needs none.
func (Files) Schemes() []string { return nil }

// Find finds a path, the paths that a glob matches, or all files beneath a directory.
func (s Files) Find(ctx context.Context, path string, found func(Object) error, passed func(PassedOver)) error {
	info, err := os.Stat(path)
	// Windows calls a name with * or ? invalid, not missing.
	missing := errors.Is(err, fs.ErrNotExist) || err != nil && runtime.GOOS == "windows"
	if missing && strings.ContainsAny(path, "*?[") {
		return s.glob(ctx, path, found, passed)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if target, err := os.Readlink(path); err == nil {
			return Errorf(path, "is a link to %s, which does not exist", target)
		}
		return Errorf(path, "no such file or directory")
	case err != nil:
		return explain(path, 0, err)
	case info.IsDir():
		return s.walk(ctx, path, found, passed)
	}
	o := localObject(path, info)
	o.Named = true
	return found(o)
}

func (s Files) glob(ctx context.Context, pattern string, found func(Object) error, passed func(PassedOver)) error {
	paths, err := filepath.Glob(pattern)
	if err != nil {
		return &Error{Input: pattern, Err: err}
	}
	if len(paths) == 0 {
		return Errorf(pattern, "no file has such a name")
	}
	for _, p := range paths { // in name order already
		if err := s.Find(ctx, p, found, passed); err != nil {
			return err
		}
	}
	return nil
}

func (Files) walk(ctx context.Context, dir string, found func(Object) error, passed func(PassedOver)) error {
	files := 0
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return explain(p, 0, err)
		}
		if p != dir && Hidden(d.Name()) {
			passed(PassedOver{p, "hidden"})
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if d.IsDir() {
			return nil
		}
		info, err := os.Stat(p) // follows a link to a file
		switch {
		case errors.Is(err, fs.ErrNotExist):
			passed(PassedOver{p, "a link to nowhere"})
			return nil
		case err != nil:
			return explain(p, 0, err)
		case info.IsDir():
			passed(PassedOver{p, "a link to a directory"})
			return nil
		case !info.Mode().IsRegular():
			passed(PassedOver{p, "not a regular file"})
			return nil
		}
		files++
		return found(localObject(p, info))
	})
	if err == nil && files == 0 {
		err = Errorf(dir, "holds no files")
	}
	return err
}

func localObject(path string, info fs.FileInfo) Object {
	if !info.Mode().IsRegular() { // a named pipe, a shell's <(command)
		return Object{Name: path, ID: fileID(path, info), Size: -1, Once: true, Contents: localPipe(path)}
	}
	f := &localFile{path, info.Size(), info.ModTime().UnixNano()}
	return Object{Name: path, ID: fileID(path, info), Size: f.size, Contents: f}
}

// localFile is a regular file as it was when it was found.
type localFile struct {
	path     string
	size     int64
	modified int64 // nanoseconds
}

func (f *localFile) Open(_ context.Context, offset, _ int64) (io.ReadCloser, error) {
	file, err := os.Open(f.path)
	if err != nil {
		return nil, err
	}
	if _, err := file.Seek(offset, io.SeekStart); err != nil {
		file.Close()
		return nil, err
	}
	return &localReader{file, f, offset}, nil
}

func (f *localFile) OpenAt(context.Context) (ReaderAtCloser, error) {
	file, err := local.NewLocalFileReader(f.path)
	if err != nil {
		return nil, err
	}
	return handles.New(file, f.size), nil
}

// localReader fails when the file is no longer what it was when it was found.
type localReader struct {
	*os.File
	found  *localFile
	offset int64
}

func (r *localReader) Read(p []byte) (int, error) {
	n, err := r.File.Read(p)
	r.offset += int64(n)
	if err != io.EOF && r.offset <= r.found.size {
		return n, err
	}
	info, statErr := r.Stat()
	if statErr != nil {
		return n, statErr
	}
	if change := r.found.changed(info, r.offset); change != nil {
		return 0, change
	}
	return n, err
}

func (f *localFile) changed(info fs.FileInfo, read int64) error {
	var what error
	switch {
	case max(info.Size(), read) > f.size:
		what = fmt.Errorf("grew while it was read, from %d to %d bytes", f.size, max(info.Size(), read))
	case info.Size() < f.size:
		what = fmt.Errorf("shrank while it was read, from %d to %d bytes", f.size, info.Size())
	case info.ModTime().UnixNano() != f.modified:
		what = fmt.Errorf("was written at %s, while it was read", info.ModTime().Format(time.TimeOnly))
	default:
		return nil
	}
	return &Error{Input: f.path, Err: what, Hint: "wait until it is complete, or give a copy of it"}
}

// localPipe is a named pipe or a device.
type localPipe string

// Open waits until somebody writes to the pipe, or ctx ends.
func (p localPipe) Open(ctx context.Context, _, _ int64) (io.ReadCloser, error) {
	type result struct {
		file *os.File
		err  error
	}
	opened := make(chan result, 1)
	go func() {
		f, err := os.Open(string(p))
		opened <- result{f, err}
	}()
	select {
	case r := <-opened:
		if r.err != nil {
			return nil, r.err
		}
		return r.file, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (p localPipe) OpenAt(context.Context) (ReaderAtCloser, error) {
	return nil, errors.ErrUnsupported // it is copied to a file first
}
