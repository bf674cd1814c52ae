package handles_test

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"
	"testing/iotest"

	"github.com/xitongsys/parquet-go-source/local"
	"github.com/xitongsys/parquet-go/source"

	"hopper/adapters/input/handles"
)

// counting counts seeks, and reads in pieces with empty ones between, as a socket does.
type counting struct {
	source.ParquetFile
	seeks *int
	empty *bool
}

func (c counting) Open(name string) (source.ParquetFile, error) {
	f, err := c.ParquetFile.Open(name)
	return counting{f, c.seeks, new(bool)}, err
}

func (c counting) Seek(offset int64, whence int) (int64, error) {
	*c.seeks++
	return c.ParquetFile.Seek(offset, whence)
}

func (c counting) Read(p []byte) (int, error) {
	if *c.empty = !*c.empty; *c.empty {
		return 0, nil
	}
	return c.ParquetFile.Read(p[:min(len(p), 7)])
}

func TestReaderAt(t *testing.T) {
	content := bytes.Repeat([]byte("0123456789"), 1000)
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := local.NewLocalFileReader(path)
	if err != nil {
		t.Fatal(err)
	}
	seeks := 0
	r := handles.New(counting{file, &seeks, new(bool)}, int64(len(content)))
	if err := iotest.TestReader(io.NewSectionReader(r, 0, int64(len(content))), content); err != nil {
		t.Error(err)
	}
	seeks = 0
	for offset := int64(500); offset < 1000; offset += 100 {
		if n, err := r.ReadAt(make([]byte, 100), offset); n != 100 || err != nil {
			t.Errorf("read %d bytes, %v", n, err)
		}
	}
	if seeks > 1 {
		t.Errorf("going forward took %d seeks", seeks)
	}
	if _, err := r.ReadAt(make([]byte, 1), -1); err == nil {
		t.Error("a negative offset: got no error")
	}
	// Shorter than it was said to be.
	long := handles.New(file, int64(len(content))+1)
	if _, err := long.ReadAt(make([]byte, 10), int64(len(content))-5); err != io.ErrUnexpectedEOF {
		t.Errorf("got %v", err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}
