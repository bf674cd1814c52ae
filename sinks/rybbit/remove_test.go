package rybbit

import (
	"context"
	"testing"
	"time"

	"hopper/sinks/rybbit/ledger"
	"hopper/sinks/rybbit/sandbox"
)

// remove deletes what a migration has brought.
func (w *world) remove(ctx context.Context) error {
	w.t.Helper()
	l, err := ledger.Open(w.migration(), ledger.Options{Dir: w.state, Now: time.Now()})
	if err != nil {
		w.t.Fatal(err)
	}
	defer l.Close()
	client, err := NewClient("http://"+w.address, "1", "sandbox", w.client)
	if err != nil {
		w.t.Fatal(err)
	}
	defer client.Close()
	memory, err := OpenMemory(w.state, w.address, time.Now())
	if err != nil {
		w.t.Fatal(err)
	}
	return NewUpload(client, l, memory, w.opt).Remove(ctx, "a test")
}

// nothingLeft holds that neither the server nor the ledger has anything, and that
// the migration can be done anew.
func (w *world) nothingLeft() {
	w.t.Helper()
	var events, imports int
	row := w.server.DB().QueryRow("SELECT (SELECT count(*) FROM events), (SELECT count(*) FROM imports)")
	if err := row.Scan(&events, &imports); err != nil {
		w.t.Fatal(err)
	}
	records, err := ledger.Records(w.state, "sandbox", "1")
	if err != nil || events != 0 || imports != 0 || len(records) != 0 {
		w.t.Fatalf("%d events and %d imports are left, and the ledgers know %+v (%v)", events, imports, records, err)
	}
	w.exactlyOnce(w.complete())
}

func TestRemove(t *testing.T) {
	for _, faults := range []string{"delete@1=lost", "delete@1=500", "delete@1-2=cut", "delete@1=429,retry=1s", "delete@1=503;list@1=500"} {
		t.Run(faults, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, 60, sandbox.Options{})
			w.complete()
			parsed, err := sandbox.ParseFaults(faults)
			if err != nil {
				t.Fatal(err)
			}
			w.server.SetFaults(parsed...)
			if err := w.remove(t.Context()); err != nil {
				t.Fatal(err)
			}
			w.server.SetFaults()
			w.nothingLeft()
		})
	}
}

// TestRemoveUnfinished deletes an import that is still open.
func TestRemoveUnfinished(t *testing.T) {
	w := faulty(t, 60, "events@2=401")
	if _, err := w.run(t.Context()); err == nil {
		t.Fatal("no error")
	}
	w.server.SetFaults()
	if err := w.remove(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.nothingLeft()
}

// TestRemoveWaitsForWhatIsInFlight deletes nothing before a batch has landed that was
// on its way when the process was killed: it would stay for ever.
func TestRemoveWaitsForWhatIsInFlight(t *testing.T) {
	looked, landed := make(chan struct{}), make(chan struct{})
	ctx, kill := context.WithCancel(t.Context())
	looks, killed, early := 0, false, false
	w := newWorld(t, 60, sandbox.Options{
		Hook: func(r sandbox.Request) []sandbox.Fault {
			switch {
			case r.Call == sandbox.Events && r.N == 2:
				killed = true
				kill()
				return []sandbox.Fault{{Effect: sandbox.Lost, Until: looked}}
			case r.Call == sandbox.Delete:
				select {
				case <-landed:
				default:
					early = true // a real server would store the batch afterwards
				}
			case r.Call == sandbox.List && killed:
				if looks++; looks == 2 {
					close(looked)
					<-landed
				}
			}
			return nil
		},
		Observe: func(x sandbox.Exchange) {
			if x.Call == sandbox.Events && x.N == 2 {
				close(landed)
			}
		},
	})
	w.opt.Grace = time.Millisecond
	if _, err := w.run(ctx); err == nil {
		t.Fatal("no error")
	}
	if err := w.remove(t.Context()); err != nil {
		t.Fatal(err)
	}
	if early {
		t.Error("the import was deleted before the batch had landed")
	}
	w.nothingLeft()
}
