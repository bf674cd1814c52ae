package file

import (
	"errors"
	"io"
	"os"
	"path/filepath"
)

// atomic is a file that gets its name only when it is complete.
type atomic struct {
	*os.File
	path string
}

// Create begins a file that will stand at path, whole or not at all. Its folder
// must exist. A link keeps its place: the file that it leads to is replaced. A
// device or a pipe, such as /dev/stdout, is written to as it is.
func Create(path string) (Output, error) {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return nil, err
		}
		return device{f}, nil
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return nil, err
	}
	return &atomic{f, path}, nil
}

// Commit gives the file its name, once it is on the disk.
func (a *atomic) Commit() error {
	err := errors.Join(a.Chmod(0o644), a.Sync(), a.Close())
	if err == nil {
		err = os.Rename(a.Name(), a.path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(a.Name()))
	}
	return nil
}

// Abandon removes what was written.
func (a *atomic) Abandon() error { return errors.Join(a.Close(), os.Remove(a.Name())) }

// device is a device or a pipe: what was written to it cannot be taken back.
type device struct{ *os.File }

func (d device) Commit() error  { return d.Close() }
func (d device) Abandon() error { return d.Close() }

// Replace has fill write a file that will stand at path, whole or not at all.
func Replace(path string, fill func(io.Writer) error) error {
	out, err := Create(path)
	if err != nil {
		return err
	}
	if err := fill(out); err != nil {
		return errors.Join(err, out.Abandon())
	}
	return out.Commit()
}

// stream is an output that cannot be taken back.
type stream struct{ io.Writer }

// Stream returns an output to w, such as standard output.
func Stream(w io.Writer) Output { return stream{w} }

func (stream) Commit() error  { return nil }
func (stream) Abandon() error { return nil }

// upload is a file that is put somewhere once it is complete.
type upload struct {
	*os.File
	put func(content io.ReadSeeker, size int64) error
}

// Upload begins a file of a store that takes files whole. It lies in a directory
// until then; empty is the system's for temporary files.
func Upload(dir string, put func(content io.ReadSeeker, size int64) error) (Output, error) {
	f, err := os.CreateTemp(dir, "hopper-part-*")
	if err != nil {
		return nil, err
	}
	return &upload{f, put}, nil
}

// Commit hands the file over.
func (u *upload) Commit() error {
	size, err := u.Seek(0, io.SeekEnd)
	if err == nil {
		err = u.put(u.File, size)
	}
	return errors.Join(err, u.Abandon())
}

// Abandon removes what was written.
func (u *upload) Abandon() error { return errors.Join(u.Close(), os.Remove(u.Name())) }
