//go:build unix

package input_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func TestNamedPipe(t *testing.T) {
	p := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(p, 0o600); err != nil {
		t.Skip(err)
	}
	go func() {
		if f, err := os.OpenFile(p, os.O_WRONLY, 0); err == nil {
			f.Write(gz(content))
			f.Close()
		}
	}()
	if text := readAll(t, open(t, nil, p).Files[0]); text != content {
		t.Errorf("got %q", text)
	}
}
