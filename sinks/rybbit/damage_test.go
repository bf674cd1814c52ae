package rybbit

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"hopper/sinks/rybbit/ledger"
	"hopper/sinks/rybbit/sandbox"
)

// left is what an earlier run has left: a ledger, and the server's database.
type left struct {
	name             string
	ledger, database []byte
	path             string // of the ledger in the state directory
	noSQL            bool
}

// leave stops a migration at its end, between two batches, or while one is in
// doubt that the server has stored.
func leave(t *testing.T, name string, noSQL bool) *left {
	t.Helper()
	var w *world
	switch name {
	case "complete":
		w = newWorld(t, 60, sandbox.Options{NoSQL: noSQL})
		w.complete()
	case "halfway":
		w = halfway(t, sandbox.Options{NoSQL: noSQL})
	case "in doubt":
		ctx, cancel := context.WithCancel(t.Context())
		w = newWorld(t, 60, sandbox.Options{NoSQL: noSQL, Hook: func(r sandbox.Request) []sandbox.Fault {
			if r.Call == sandbox.Events && r.N == 3 {
				cancel()
				return []sandbox.Fault{{Effect: sandbox.Lost}}
			}
			return nil
		}})
		w.opt.MaxBatchBytes = 5 << 10
		if _, err := w.run(ctx); !resumable(err) {
			t.Fatalf("error %v", err)
		}
	}
	records, err := ledger.Records(w.state, "sandbox", "1")
	if err != nil || len(records) != 1 {
		t.Fatal(records, err)
	}
	l := &left{name: name, noSQL: noSQL}
	if l.path, err = filepath.Rel(w.state, records[0].Ledger); err != nil {
		t.Fatal(err)
	}
	if l.ledger, err = os.ReadFile(records[0].Ledger); err != nil {
		t.Fatal(err)
	}
	if _, err := w.server.DB().Exec("VACUUM INTO ?", filepath.Join(w.state, "copy.db")); err != nil {
		t.Fatal(err)
	}
	if l.database, err = os.ReadFile(filepath.Join(w.state, "copy.db")); err != nil {
		t.Fatal(err)
	}
	return l
}

// damage does to a ledger what disks, editors and backups do.
func damage(rng *rand.Rand, text []byte) (what string, damaged []byte) {
	text = bytes.Clone(text)
	lines := bytes.SplitAfter(text, []byte("\n"))
	line, at := rng.IntN(len(lines)-1), rng.IntN(len(text)) // after the last newline there is no line
	switch rng.IntN(9) {
	case 0:
		return fmt.Sprint("cut off at ", at), text[:at]
	case 1:
		text[at] ^= 1 << rng.IntN(8)
		return fmt.Sprint("a bit flipped at ", at), text
	case 2:
		return fmt.Sprint("without line ", line), bytes.Join(slices.Delete(lines, line, line+1), nil)
	case 3:
		return fmt.Sprint("with line twice ", line), bytes.Join(slices.Insert(lines, line, lines[line]), nil)
	case 4:
		other := rng.IntN(len(lines) - 1)
		lines[line], lines[other] = lines[other], lines[line]
		return fmt.Sprint("with lines in each other's place ", line, other), bytes.Join(lines, nil)
	case 5:
		clear(text[at:])
		return fmt.Sprint("zeros from ", at), text
	case 6:
		return fmt.Sprint("cut off after line ", line), bytes.Join(lines[:line], nil)
	case 7:
		return fmt.Sprint("zeros behind what is cut off at ", at), append(text[:at], make([]byte, 100)...)
	default:
		return fmt.Sprint("half of a line twice ", at), append(text[:at], text[max(0, at-50):]...)
	}
}

// resume goes on with what is left, damaged, until it is complete or ends in an
// error. Complete it holds each event once; and whatever the end, none twice.
func (l *left) resume(t *testing.T, damaged []byte) (complete bool) {
	w := newWorld(t, 60, sandbox.Options{NoSQL: l.noSQL})
	w.opt.MaxBatchBytes, w.opt.SettleAfter, w.opt.RetryFor = 5<<10, time.Millisecond, 50*time.Millisecond
	w.stop()
	path := filepath.Join(w.state, l.path)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{w.sandbox.Path: l.database, path: damaged} {
		if err := os.WriteFile(name, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	w.address = "127.0.0.1:0"
	w.start()
	var summary ledger.Summary
	err := fmt.Errorf("not begun")
	for range 5 {
		if summary, err = w.run(t.Context()); err == nil || !resumable(err) {
			break
		}
	}
	if err == nil {
		w.exactlyOnce(summary)
		return true
	}
	var rows, distinct int
	if err := w.server.DB().QueryRow("SELECT count(*), count(DISTINCT pathname) FROM events").Scan(&rows, &distinct); err != nil {
		t.Fatal(err)
	}
	if rows != distinct {
		t.Errorf("%d events, %d different ones, after %v", rows, distinct, err)
	}
	return false
}

// TestDamagedLedgers resumes migrations whose ledgers are damaged. HOPPER_DAMAGED is
// how many there are.
func TestDamagedLedgers(t *testing.T) {
	count := number(t, "HOPPER_DAMAGED", 60)
	var all []*left
	for _, name := range []string{"complete", "halfway", "in doubt"} {
		for _, noSQL := range []bool{false, true} {
			all = append(all, leave(t, name, noSQL))
		}
	}
	var complete atomic.Int64
	t.Cleanup(func() {
		t.Logf("%d damaged ledgers, %d of which went on to a complete migration", count, complete.Load())
	})
	for seed := range count {
		l := all[seed%len(all)]
		what, damaged := damage(rand.New(rand.NewPCG(uint64(seed), 6)), l.ledger)
		t.Run(fmt.Sprint(seed, " ", l.name, " ", what, " without SQL ", l.noSQL), func(t *testing.T) {
			t.Parallel()
			if l.resume(t, damaged) {
				complete.Add(1)
			}
		})
	}
}
