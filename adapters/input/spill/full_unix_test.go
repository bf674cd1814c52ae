//go:build unix

package spill_test

import (
	"errors"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"

	"hopper/adapters/input/spill"
)

func TestFullDisk(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip(err)
	}
	defer full.Close()
	f := &spill.File{File: full}
	_, write := f.Write([]byte("x"))
	_, copied := io.Copy(f, strings.NewReader("x"))
	for _, err := range []error{write, copied} {
		var typed *spill.FullError
		if !errors.As(err, &typed) || typed.Dir != "/dev" || !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("got %v", err)
		}
	}
}
