package rybbit

import (
	"context"
	"errors"
	"testing"
	"time"

	"hopper/sinks/rybbit/ledger"
	"hopper/sinks/rybbit/sandbox"
)

func (w *world) again(ctx context.Context) (ledger.Summary, error) {
	w.t.Helper()
	l, err := ledger.Open(w.migration(), ledger.Options{Dir: w.state, Again: true, Now: time.Now()})
	if err != nil {
		return ledger.Summary{}, err
	}
	defer l.Close()
	return w.runWith(ctx, l)
}

// TestAgain imports anew what is complete.
func TestAgain(t *testing.T) {
	bothWays(t, func(t *testing.T, opt sandbox.Options) {
		w := newWorld(t, 20, opt)
		first := w.complete()
		second, err := w.again(t.Context())
		if err != nil || len(second.Imports) != 1 || second.Imports[0] == first.Imports[0] {
			t.Fatalf("again: %+v, %v", second, err)
		}
		records, err := ledger.Records(w.state, "sandbox", "1")
		if err != nil || len(records) != 2 || !records[0].Complete || !records[1].Complete {
			t.Fatalf("the ledgers hold %+v, %v", records, err)
		}
	})
}

// TestAgainRefused has an --again that the server refuses before an import is
// opened: the plain command is complete as it was before.
func TestAgainRefused(t *testing.T) {
	bothWays(t, func(t *testing.T, opt sandbox.Options) {
		for _, fault := range []string{"list@1=401", "create@1=402"} {
			w := newWorld(t, 20, opt)
			first := w.complete()
			w.faults(fault)
			if _, err := w.again(t.Context()); err == nil {
				t.Fatalf("%s: no error", fault)
			}
			w.exactlyOnce(first)
		}
	})
}

// TestAgainUnfinished has an --again that ends early: the plain command does
// nothing and says so, and --again goes on.
func TestAgainUnfinished(t *testing.T) {
	bothWays(t, func(t *testing.T, opt sandbox.Options) {
		w := newWorld(t, 20, opt)
		w.complete()
		faults, err := sandbox.ParseFaults("events@1=401")
		if err != nil {
			t.Fatal(err)
		}
		w.server.SetFaults(faults...)
		if _, err := w.again(t.Context()); err == nil {
			t.Fatal("no error")
		}
		var unfinished *ledger.AgainError
		if _, err := w.run(t.Context()); !errors.As(err, &unfinished) {
			t.Fatalf("the plain command: %v", err)
		}
		s, err := w.again(t.Context())
		if err != nil || s.Counts.Imported != 20 {
			t.Fatalf("%+v, %v", s, err)
		}
		if again, err := w.run(t.Context()); err != nil || again.Imports[0] != s.Imports[0] {
			t.Fatalf("a further run: %+v, %v", again, err)
		}
	})
}
