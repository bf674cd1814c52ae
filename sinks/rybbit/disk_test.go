package rybbit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"testing"
	"time"

	"hopper/sinks/rybbit/ledger"
	"hopper/sinks/rybbit/sandbox"
)

// fullDisk is a file on a disk that has room for so many more bytes.
type fullDisk struct {
	ledger.File
	room int
}

func (f *fullDisk) Write(p []byte) (int, error) {
	if len(p) <= f.room {
		f.room -= len(p)
		return f.File.Write(p)
	}
	n, err := f.File.Write(p[:f.room])
	f.room = 0
	return n, errors.Join(err, syscall.ENOSPC)
}

// TestFullDisk lets the disk run full at each byte of the ledger in turn:
// nothing is sent that is not recorded, and with room again the same
// migration goes on.
func TestFullDisk(t *testing.T) {
	whole := newWorld(t, 30, sandbox.Options{})
	whole.opt.MaxBatchBytes = 5 << 10
	whole.complete()
	text, err := os.ReadFile(openTestLedger(t, whole, nil).Path())
	if err != nil {
		t.Fatal(err)
	}
	// At the beginning and in the middle of each record; they vary by some bytes.
	var rooms []int
	for end, line := range lineEnds(text) {
		rooms = append(rooms, end-line, end-line/2)
	}
	for _, room := range rooms {
		t.Run(fmt.Sprint(room), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, 30, sandbox.Options{})
			w.opt.MaxBatchBytes = 5 << 10
			begun := openTestLedger(t, w, nil)
			info, err := os.Stat(begun.Path())
			if err != nil {
				t.Fatal(err)
			}
			begun.Close()
			l := openTestLedger(t, w, func(f ledger.File) ledger.File { return &fullDisk{f, max(0, room-int(info.Size()))} })
			_, err = w.runWith(context.Background(), l)
			if !errors.Is(err, ledger.ErrWrite) || !errors.Is(err, syscall.ENOSPC) {
				t.Fatalf("error %v", err)
			}
			sent := w.batches()
			if _, err := w.runWith(context.Background(), l); !errors.Is(err, ledger.ErrWrite) || len(w.batches()) != len(sent) {
				t.Fatalf("with the same ledger: error %v, %d more batches", err, len(w.batches())-len(sent))
			}
			text, err := os.ReadFile(l.Path())
			if err != nil {
				t.Fatal(err)
			}
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			if recorded := bytes.Count(text, []byte(`"type":"send"`)); recorded < len(sent) {
				t.Errorf("%d batches are sent and %d recorded", len(sent), recorded)
			}
			w.exactlyOnce(w.complete())
		})
	}
}

// lineEnds yields where each line of text ends, and its length.
func lineEnds(text []byte) func(func(end, length int) bool) {
	return func(yield func(int, int) bool) {
		end := 0
		for line := range bytes.Lines(text) {
			if end += len(line); !yield(end, len(line)) {
				return
			}
		}
	}
}

func openTestLedger(t *testing.T, w *world, disk func(ledger.File) ledger.File) *ledger.Ledger {
	t.Helper()
	l, err := ledger.Open(w.migration(), ledger.Options{Dir: w.state, Version: "test", Now: time.Now(), Disk: disk})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}
