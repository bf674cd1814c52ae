package ledger

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestTorn cuts a ledger at each byte, as a crash could: what is left replays
// to the state after its last whole record, and can be appended to.
func TestTorn(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		records := rapid.SliceOfN(rapid.StringN(0, 20, 200), 1, 8).Draw(t, "records")
		records[0] = strings.Repeat("long ", rapid.SampledFrom([]int{0, 1, maxHeld / 5, maxHeld}).Draw(t, "long")) + records[0]
		dir, err := os.MkdirTemp("", "hopper-journal-")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		path := filepath.Join(dir, "sub", "journal")
		write(t, path, nil, records...)
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		cut := rapid.IntRange(0, len(text)).Draw(t, "cut")
		torn := slices.Clone(text[:cut])
		if n := bytes.LastIndexByte(torn, '\n') + 1; n < len(torn) && rapid.Bool().Draw(t, "zeros") {
			// A file system may have the length and not the bytes.
			clear(torn[n:])
		}
		if err := os.WriteFile(path, torn, 0o600); err != nil {
			t.Fatal(err)
		}
		whole := bytes.Count(text[:cut], []byte("\n"))
		write(t, path, records[:whole], "appended")
		write(t, path, append(slices.Clone(records[:whole]), "appended"))
	})
}

// write opens a journal, expects it to hold some records, and appends more.
func write(t *rapid.T, path string, want []string, more ...string) {
	t.Helper()
	var got []string
	j, err := openJournal(path, func(record io.Reader) error {
		text, err := io.ReadAll(record)
		got = append(got, string(text))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	defer j.close()
	if len(got) != len(want) {
		t.Fatalf("%d records, want %d", len(got), len(want))
	}
	for _, record := range more {
		if err := j.add(record); err != nil {
			t.Fatal(err)
		}
	}
}

// TestDamaged changes one byte of a record that others follow: nothing of such
// a ledger is believed.
func TestDamaged(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp("", "hopper-journal-")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		path := filepath.Join(dir, "journal")
		write(t, path, nil, strings.Repeat("first ", rapid.SampledFrom([]int{1, maxHeld}).Draw(t, "long")), "second", "third")
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		// Not a letter of the checksum's case, which changes nothing.
		at := rapid.IntRange(0, bytes.LastIndexByte(text[:len(text)-1], '\n')-1).Filter(func(i int) bool { return text[i] != '\n' }).Draw(t, "at")
		text[at] ^= 0x40
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err = openJournal(path, func(io.Reader) error { return nil })
		if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "damaged") {
			t.Fatalf("error %v", err)
		}
		if left, err := os.ReadFile(path); err != nil || !bytes.Equal(left, text) {
			t.Fatalf("the damaged file was changed (%v)", err)
		}
	})
}

func TestLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	nothing := func(io.Reader) error { return nil }
	first, err := openJournal(path, nothing)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := openJournal(path, nothing); !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), path) {
		t.Fatalf("a second one: %v", err)
	}
	if err := first.add("kept"); err != nil { // the refusal has not released it
		t.Fatal(err)
	}
	if _, err := openJournal(path, nothing); !errors.Is(err, ErrLocked) {
		t.Fatalf("a third one: %v", err)
	}
	if err := first.close(); err != nil {
		t.Fatal(err)
	}
	again, err := openJournal(path, nothing)
	if err != nil {
		t.Fatal(err)
	}
	again.close()
}

// TestLockDies kills a process that holds the lock.
func TestLockDies(t *testing.T) {
	if path := os.Getenv("HOPPER_TEST_HOLD"); path != "" {
		if _, err := openJournal(path, func(io.Reader) error { return nil }); err != nil {
			fmt.Println(err)
		} else {
			fmt.Println("held")
		}
		select {}
	}
	path := filepath.Join(t.TempDir(), "journal")
	holder := exec.Command(os.Args[0], "-test.run=^TestLockDies$")
	holder.Env = append(os.Environ(), "HOPPER_TEST_HOLD="+path)
	out, err := holder.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	word := make([]byte, 4)
	if _, err := out.Read(word); err != nil || string(word) != "held" {
		t.Fatalf("the holder says %q, %v", word, err)
	}
	if _, err := openJournal(path, func(io.Reader) error { return nil }); !errors.Is(err, ErrLocked) {
		t.Errorf("while it is held: %v", err)
	}
	if err := holder.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	holder.Wait()
	j, err := openJournal(path, func(io.Reader) error { return nil })
	if err != nil {
		t.Fatalf("after its death: %v", err)
	}
	j.close()
}

// FuzzLedger replays anything, sealed or not.
func FuzzLedger(f *testing.F) {
	f.Add(smallLedger, true)
	f.Add("00000000 \n", false)
	f.Fuzz(func(t *testing.T, text string, seal bool) {
		if seal {
			var lines []byte
			for line := range strings.Lines(text) {
				record := []byte(strings.TrimSuffix(line, "\n"))
				lines = fmt.Appendf(lines, "%08x %s\n", crc32.Checksum(record, castagnoli), record)
			}
			text = string(lines)
		}
		l := new(Ledger)
		end, err := readJournal(strings.NewReader(text), l.replay)
		if err == nil && (end > int64(len(text)) || end > 0 && text[end-1] != '\n') {
			t.Errorf("the last record ends at %d of %d", end, len(text))
		}
		l.Complete()
		l.Resume()
		l.Missing()
	})
}

// smallLedger is one of each record.
const smallLedger = `{"type":"begin","at":"2026-01-01T00:00:00Z","migration":{"server":"s","site":"1","source":"numbers","inputs":null}}
{"type":"creating","platform":"posthog"}
{"type":"refused"}
{"type":"creating","platform":"umami"}
{"type":"import","import":"a","platform":"umami"}
{"type":"send","import":"a","batch":{"first":0,"events":3,"bytes":9,"sha256":"","mark":{"chunk":0,"stats":{"rows":0,"events":0}}}}
{"type":"stored"}
{"type":"send","import":"a","batch":{"first":3,"events":1,"bytes":9,"sha256":"","mark":{"chunk":0,"stats":{"rows":0,"events":0}}}}
{"type":"unsent"}
{"type":"closed","import":"a"}
{"type":"end","stats":{"rows":3,"events":3},"counts":{"imported":3}}
{"type":"gone","import":"a"}
`
