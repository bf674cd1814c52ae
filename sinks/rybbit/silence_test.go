package rybbit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"hopper/sinks/rybbit/ledger"
	"hopper/sinks/rybbit/sandbox"
)

// bothWays plays a scene on a server that answers SQL and on one that does not.
func bothWays(t *testing.T, scene func(t *testing.T, opt sandbox.Options)) {
	for _, noSQL := range []bool{false, true} {
		t.Run(fmt.Sprint("without SQL: ", noSQL), func(t *testing.T) {
			t.Parallel()
			scene(t, sandbox.Options{NoSQL: noSQL})
		})
	}
}

// halfway is a world whose migration has stored some batches and given up.
func halfway(t *testing.T, opt sandbox.Options) *world {
	t.Helper()
	w := newWorld(t, 60, opt)
	w.faults("events@3-=503")
	w.opt.MaxBatchBytes, w.opt.RetryFor = 5<<10, 200*time.Millisecond
	if _, err := w.run(t.Context()); !resumable(err) {
		t.Fatalf("error %v", err)
	}
	w.opt.RetryFor = 3 * time.Second
	w.faults("")
	return w
}

func (w *world) faults(spec string) {
	w.t.Helper()
	faults, err := sandbox.ParseFaults(spec)
	if err != nil {
		w.t.Fatal(err)
	}
	w.server.SetFaults(faults...)
}

// others makes imports that are newer than what the site has.
func (w *world) others(n int) {
	w.t.Helper()
	client, err := NewClient("http://"+w.address, "1", "sandbox", w.client)
	if err != nil {
		w.t.Fatal(err)
	}
	defer client.Close()
	for range n {
		made, err := client.Create(w.t.Context(), "umami")
		if err == nil {
			err = client.Complete(w.t.Context(), made.ID)
		}
		if err != nil {
			w.t.Fatal(err)
		}
	}
}

// TestListTooShort resumes a migration whose import eleven newer ones have
// pushed from the list.
func TestListTooShort(t *testing.T) {
	bothWays(t, func(t *testing.T, opt sandbox.Options) {
		opt.Release = "2.7"
		w := halfway(t, opt)
		w.others(11)
		w.exactlyOnce(w.complete())
	})
}

// TestListTooShortInDoubt is the same with a batch in doubt: SQL settles it, and
// without SQL nothing does.
func TestListTooShortInDoubt(t *testing.T) {
	bothWays(t, func(t *testing.T, opt sandbox.Options) {
		ctx, cancel := context.WithCancel(t.Context())
		opt.Release = "2.7"
		opt.Hook = func(r sandbox.Request) []sandbox.Fault {
			if r.Call == sandbox.Events && r.N == 2 {
				cancel()
				return []sandbox.Fault{{Effect: sandbox.Lost}}
			}
			return nil
		}
		w := newWorld(t, 60, opt)
		w.opt.MaxBatchBytes = 5 << 10
		if _, err := w.run(ctx); !resumable(err) {
			t.Fatalf("error %v", err)
		}
		w.others(11)
		if !opt.NoSQL {
			w.exactlyOnce(w.complete())
			return
		}
		sent := len(w.batches())
		_, err := w.run(t.Context())
		if err == nil || resumable(err) || !strings.Contains(err.Error(), "hopper imports delete") || len(w.batches()) != sent {
			t.Errorf("error %v, %d more batches", err, len(w.batches())-sent)
		}
	})
}

// TestListEmptyForAWhile resumes while the list has nothing, as a replica's that
// is behind.
func TestListEmptyForAWhile(t *testing.T) {
	bothWays(t, func(t *testing.T, opt sandbox.Options) {
		for _, spec := range []string{"list@1=empty,for=150ms", "list@1-5=empty"} {
			w := halfway(t, opt)
			w.faults(spec)
			w.exactlyOnce(w.complete())
		}
	})
}

// TestKilledInSlowBatch stops a run while the server is at work on a batch, and
// runs it again at once.
func TestKilledInSlowBatch(t *testing.T) {
	bothWays(t, func(t *testing.T, opt sandbox.Options) {
		for _, release := range []string{"", "2.7"} {
			t.Run(release, func(t *testing.T) {
				t.Parallel()
				ctx, cancel := context.WithCancel(t.Context())
				opt := opt
				opt.Release = release
				opt.Hook = func(r sandbox.Request) []sandbox.Fault {
					if r.Call == sandbox.Events && r.N == 2 {
						cancel()
						return []sandbox.Fault{{Effect: sandbox.Slow, For: 250 * time.Millisecond}}
					}
					return nil
				}
				w := newWorld(t, 60, opt)
				w.opt.MaxBatchBytes, w.opt.Grace = 5<<10, time.Millisecond
				if _, err := w.run(ctx); !resumable(err) {
					t.Fatalf("error %v", err)
				}
				w.exactlyOnce(w.complete())
			})
		}
	})
}

// TestPaceOutlivesKill has a server that needs long for each batch, longer than
// what is waited for otherwise: the ledger has it.
func TestPaceOutlivesKill(t *testing.T) {
	bothWays(t, func(t *testing.T, opt sandbox.Options) {
		ctx, cancel := context.WithCancel(t.Context())
		opt.Hook = func(r sandbox.Request) []sandbox.Fault {
			switch {
			case r.Call == sandbox.Events && r.N == 1:
				return []sandbox.Fault{{Effect: sandbox.Slow, For: 300 * time.Millisecond}}
			case r.Call == sandbox.Events && r.N == 2:
				cancel()
				return []sandbox.Fault{{Effect: sandbox.Slow, For: 900 * time.Millisecond}}
			}
			return nil
		}
		w := newWorld(t, 60, opt)
		w.opt.MaxBatchBytes, w.opt.Grace = 5<<10, time.Millisecond
		if _, err := w.run(ctx); !resumable(err) {
			t.Fatalf("error %v", err)
		}
		w.exactlyOnce(w.complete())
	})
}

// TestLandsAfterAll has a batch that is stored long after it was taken for lost:
// the import does not end before it is seen. On a machine that is slow enough,
// the batch lands before it is taken for lost, and all is well.
func TestLandsAfterAll(t *testing.T) {
	bothWays(t, func(t *testing.T, opt sandbox.Options) {
		opt.Release = "2.7"
		w := newWorld(t, 60, opt)
		w.faults("events@2=lost,for=500ms")
		w.opt.MaxBatchBytes = 5 << 10
		summary, err := w.run(t.Context())
		if err == nil {
			w.exactlyOnce(summary)
			return
		}
		var unsettled *UnsettledError
		if !errors.As(err, &unsettled) {
			t.Fatalf("error %v", err)
		}
	})
}

// TestCountersBehind has counters that lag: they are waited for.
func TestCountersBehind(t *testing.T) {
	bothWays(t, func(t *testing.T, opt sandbox.Options) {
		w := newWorld(t, 60, opt)
		w.faults("list=lag,for=200ms,counters")
		w.opt.MaxBatchBytes = 5 << 10
		w.exactlyOnce(w.complete())

		w = halfway(t, opt)
		if _, err := w.server.DB().Exec("UPDATE imports SET imported_events = imported_events - 1"); err != nil {
			t.Fatal(err)
		}
		_, err := w.run(t.Context())
		var away *AwayError
		if !errors.As(err, &away) || !strings.Contains(err.Error(), "behind") {
			t.Fatalf("error %v", err)
		}
		if _, err := w.server.DB().Exec("UPDATE imports SET imported_events = imported_events + 1"); err != nil {
			t.Fatal(err)
		}
		w.exactlyOnce(w.complete())
	})
}

// TestNotCounted has a server that stores a batch and fails to count it. SQL tells;
// without SQL the import is made anew.
func TestNotCounted(t *testing.T) {
	bothWays(t, func(t *testing.T, opt sandbox.Options) {
		for _, spec := range []string{"events@1=uncounted", "events@2-3=uncounted", "events@2=uncounted;delete@1=lost", "events@2=uncounted;query@1-2=500"} {
			w := newWorld(t, 60, opt)
			w.faults(spec)
			w.opt.MaxBatchBytes = 5 << 10
			w.exactlyOnce(w.complete())
		}
	})
}

// TestNotCountedKilled ends the run while it waits whether the batch is counted:
// the next one knows of it.
func TestNotCountedKilled(t *testing.T) {
	bothWays(t, func(t *testing.T, opt sandbox.Options) {
		ctx, cancel := context.WithCancel(t.Context())
		var failed atomic.Bool
		opt.Hook = func(r sandbox.Request) []sandbox.Fault {
			switch {
			case r.Call == sandbox.Events && r.N == 2:
				failed.Store(true)
				return []sandbox.Fault{{Effect: sandbox.Uncounted}}
			case r.Call == sandbox.List && failed.Load():
				cancel()
			}
			return nil
		}
		w := newWorld(t, 60, opt)
		w.opt.MaxBatchBytes = 5 << 10
		if _, err := w.run(ctx); !resumable(err) {
			t.Fatalf("error %v", err)
		}
		w.exactlyOnce(w.complete())
	})
}

// TestNotCountedInLargeImport does not send very much anew without being asked.
func TestNotCountedInLargeImport(t *testing.T) {
	u := &Upload{}
	imp := ledger.Import{ID: "7d9f", Events: 5, Bytes: cheapBytes + 1}
	d := doubt{batch: ledger.Batch{First: 5, Events: 2}, failed: true}
	err := u.replace(t.Context(), imp, d, ErrNoSQL)
	if err == nil || resumable(err) || Temporary(err) || !strings.Contains(err.Error(), "events 6 to 7") || !strings.Contains(err.Error(), "hopper imports delete 7d9f") {
		t.Errorf("without SQL: %v", err)
	}
	err = u.replace(t.Context(), imp, d, fmt.Errorf("%w: %w", ErrNoSQL, &StatusError{Status: 503}))
	if !Temporary(err) || strings.Contains(err.Error(), "delete") {
		t.Errorf("where SQL fails for a while: %v", err)
	}
}

// TestGoneWhileReconciled finds the import gone when a run goes on, and no other
// wire format to ask for.
func TestGoneWhileReconciled(t *testing.T) {
	bothWays(t, func(t *testing.T, opt sandbox.Options) {
		w := halfway(t, opt)
		if _, err := w.server.DB().Exec("DELETE FROM imports; DELETE FROM events"); err != nil {
			t.Fatal(err)
		}
		w.platforms = nil
		w.exactlyOnce(w.complete())
	})
}

// TestBackAgain has an import that the server denies, and has again once its
// events have been sent anew.
func TestBackAgain(t *testing.T) {
	bothWays(t, func(t *testing.T, opt sandbox.Options) {
		opt.Release = "2.7"
		w := halfway(t, opt)
		inner := w.http.Config.Handler
		records, err := ledger.Records(w.state, "sandbox", "1")
		if err != nil || len(records) != 1 {
			t.Fatal(records, err)
		}
		id, denied := records[0].Import, true
		w.http.Config.Handler = http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
			out.Header().Set("Content-Type", "application/json")
			switch {
			case denied && strings.Contains(r.URL.Path, id):
				out.WriteHeader(http.StatusNotFound)
				io.WriteString(out, `{"error":"Import not found"}`)
			case denied && r.Method == http.MethodGet:
				io.WriteString(out, `{"data":[]}`)
			default:
				denied = denied && !strings.HasSuffix(r.URL.Path, "/events")
				inner.ServeHTTP(out, r)
			}
		})
		if _, err := w.run(t.Context()); err == nil || resumable(err) || !strings.Contains(err.Error(), "is back") {
			t.Fatalf("error %v", err)
		}
		client, err := NewClient("http://"+w.address, "1", "sandbox", w.client)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(client.Complete(t.Context(), id), client.Delete(t.Context(), id)); err != nil {
			t.Fatal(err)
		}
		w.exactlyOnce(w.complete())
	})
}

// TestRestartIsNoSize restarts the server in the middle of a batch of a size that
// it has taken, and has a proxy that answers 413 now and then.
func TestRestartIsNoSize(t *testing.T) {
	bothWays(t, func(t *testing.T, opt sandbox.Options) {
		for _, spec := range []string{
			"events@3=restart,for=100ms", "events@3=cut,at=50%", "events@3-4=413,html", "events@/3=413,html", "events@4=restart,for=100ms,after",
		} {
			t.Run(strings.ReplaceAll(spec, "/", "every "), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, 3000*slowestBytes>>20, opt)
				w.faults(spec)
				w.pad, w.opt.MaxBatchBytes = 1000, slowestBytes // which no slow answer makes smaller
				s := w.complete()
				w.exactlyOnce(s)
				if s.Batches > 6 {
					t.Errorf("%d batches, so the size was blamed", s.Batches)
				}
			})
		}
	})
}

// TestCompletionIsNoSize has a proxy answer 413 to the request that ends an import,
// which has no events that could be too many.
func TestCompletionIsNoSize(t *testing.T) {
	bothWays(t, func(t *testing.T, opt sandbox.Options) {
		w := newWorld(t, 10, opt)
		w.faults("events@2=413,html")
		w.exactlyOnce(w.complete())
	})
}

// TestHeap has a server that dies under large batches: the next is smaller.
func TestHeap(t *testing.T) {
	bothWays(t, func(t *testing.T, opt sandbox.Options) {
		w := newWorld(t, 3000, opt)
		w.faults("events=restart,for=50ms,above=600KB")
		w.pad, w.opt.MaxBatchBytes = 1000, 2<<20
		w.exactlyOnce(w.complete())
	})
}

// TestLostState loses the state directory of a complete migration, and of one that
// was killed, and runs it again: it is refused, and --again is the way out.
func TestLostState(t *testing.T) {
	bothWays(t, func(t *testing.T, opt sandbox.Options) {
		for _, killed := range []bool{false, true} {
			t.Run(fmt.Sprint("killed: ", killed), func(t *testing.T) {
				t.Parallel()
				opt := opt
				opt.Release = "2.7"
				var w *world
				if killed {
					w = halfway(t, opt)
				} else {
					w = newWorld(t, 60, opt)
					w.complete()
				}
				sent := len(w.batches())
				w.state = t.TempDir()
				for range 2 {
					_, err := w.run(t.Context())
					var strange *StrangerError
					if !errors.As(err, &strange) || len(strange.Imports) != 1 || len(w.batches()) != sent {
						t.Fatalf("error %v, %d more batches", err, len(w.batches())-sent)
					}
				}
				var imports int
				if err := w.server.DB().QueryRow("SELECT count(*) FROM imports").Scan(&imports); err != nil || imports != 1 {
					t.Errorf("%d imports, %v", imports, err)
				}
				if s, err := w.again(t.Context()); err != nil || s.Counts.Imported != 60 {
					t.Errorf("--again: %+v, %v", s, err)
				}
			})
		}
	})
}

// TestLostRecord cuts a ledger off before the record of its import, which was
// filled.
func TestLostRecord(t *testing.T) {
	bothWays(t, func(t *testing.T, opt sandbox.Options) {
		opt.Release = "2.7"
		w := halfway(t, opt)
		records, err := ledger.Records(w.state, "sandbox", "1")
		if err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(records[0].Ledger)
		if err != nil {
			t.Fatal(err)
		}
		for cut := range 3 {
			short := bytes.Join(bytes.SplitAfter(text, []byte("\n"))[:cut], nil)
			if err := os.WriteFile(records[0].Ledger, short, 0o600); err != nil {
				t.Fatal(err)
			}
			var strange *StrangerError
			if _, err := w.run(t.Context()); !errors.As(err, &strange) {
				t.Errorf("cut after %d records: %v", cut, err)
			}
		}
	})
}

// TestUnrelatedImports leaves a site usable that has imports of others, and
// several migrations from one state directory.
func TestUnrelatedImports(t *testing.T) {
	bothWays(t, func(t *testing.T, opt sandbox.Options) {
		w := newWorld(t, 60, opt)
		w.complete()
		w.state = t.TempDir() // another machine
		for _, events := range []int{40, 30, 20} {
			w.events, w.shift = events, w.shift+1000
			w.complete()
		}
	})
}

// TestTwoHosts imports the same from two machines at once.
func TestTwoHosts(t *testing.T) {
	bothWays(t, func(t *testing.T, opt sandbox.Options) {
		var w *world
		opt.Release = "2.7"
		opt.Hook = func(r sandbox.Request) []sandbox.Fault {
			if r.Call == sandbox.Events && r.N == 1 {
				other := &world{t: t, address: w.address, state: t.TempDir(), events: w.events, platforms: w.platforms, opt: w.opt, client: w.client}
				if _, err := other.again(t.Context()); err != nil { // both saw an empty site
					t.Error(err)
				}
			}
			return nil
		}
		w = newWorld(t, 60, opt)
		// One waits for the other, however slow the machine is.
		w.opt.RetryFor, w.client.Stall = time.Hour, time.Hour
		_, err := w.run(t.Context())
		var strange *StrangerError
		if !errors.As(err, &strange) {
			t.Fatalf("error %v", err)
		}
	})
}

// TestBehindAnotherImport has an unfinished import of the same state directory
// in the way: the log says at once which.
func TestBehindAnotherImport(t *testing.T) {
	bothWays(t, func(t *testing.T, opt sandbox.Options) {
		w := halfway(t, opt)
		name := w.migration().Inputs[0].Name
		w.events = 10
		w.opt.RetryFor = 100 * time.Millisecond
		var said bytes.Buffer
		w.opt.Log = slog.New(slog.NewTextHandler(&said, &slog.HandlerOptions{Level: slog.LevelError}))
		_, err := w.run(t.Context())
		var away *AwayError
		if !errors.As(err, &away) || strings.Count(said.String(), "hopper import "+name) != 1 || !strings.Contains(said.String(), "hopper imports close") {
			t.Errorf("error %v, said %s", err, &said)
		}
	})
}

// TestForbiddenAtFirst has a rate limit that is told as 403 at the first contact.
func TestForbiddenAtFirst(t *testing.T) {
	bothWays(t, func(t *testing.T, opt sandbox.Options) {
		w := newWorld(t, 10, opt)
		w.faults("list@1-2=403")
		w.exactlyOnce(w.complete())
	})
}

// TestBehindOwnImport waits behind an import that an earlier run of the same
// migration left open: one that its ledger says is closed, and one whose creation
// was never answered and that a list did not show. Nothing of it is in doubt, so
// that it is closed at once.
func TestBehindOwnImport(t *testing.T) {
	bothWays(t, func(t *testing.T, opt sandbox.Options) {
		w := halfway(t, opt)
		records, err := ledger.Records(w.state, "sandbox", "1")
		if err != nil || len(records) != 1 {
			t.Fatal(records, err)
		}
		if err := ledger.NoteClosed(w.state, "sandbox", "1", records[0].Import); err != nil {
			t.Fatal(err)
		}
		w.opt.RetryFor = time.Minute
		var said bytes.Buffer
		w.opt.Log = slog.New(slog.NewTextHandler(&said, nil))
		began := time.Now()
		s := w.complete()
		if len(s.Imports) != 2 || time.Since(began) > 20*time.Second || strings.Count(said.String(), "event=import_closed") != 1 {
			t.Errorf("%d imports after %s, said %s", len(s.Imports), time.Since(began), &said)
		}
		w.exactlyOnce(s)

		w = newWorld(t, 60, opt)
		w.faults("create@1=lost;list@2=empty")
		w.opt.RetryFor = time.Minute
		w.exactlyOnce(w.complete())
		var open int
		if err := w.server.DB().QueryRow("SELECT count(*) FROM imports WHERE completed_at IS NULL").Scan(&open); err != nil || open != 0 {
			t.Errorf("%d imports are open, %v", open, err)
		}
	})
}

// TestOwnImport tells an import of this migration of which nothing is in doubt
// from all others.
func TestOwnImport(t *testing.T) {
	const mine, other = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
	created := []ledger.Step{ledger.Creating{Platform: "umami", Known: []string{other}}, ledger.Created{Import: mine, Platform: "umami"}}
	sending := ledger.Sending{Import: mine, Batch: ledger.Batch{Events: 2}}
	closed := ledger.Closed{Import: mine, Reason: "complete"}
	for _, tt := range []struct {
		name  string
		steps []ledger.Step
		imp   Import
		want  bool
	}{
		{"of another", created, Import{ID: other, Platform: "umami"}, false},
		{"open by the ledger, too", created, Import{ID: mine, Platform: "umami"}, false},
		{"closed by the ledger", append(slices.Clone(created), closed), Import{ID: mine, Platform: "umami"}, true},
		{"closed by the ledger, with events", append(slices.Clone(created), sending, ledger.Stored{}, closed), Import{ID: mine, Imported: 2}, true},
		{"closed by the ledger, with a batch in doubt", append(slices.Clone(created), sending, closed), Import{ID: mine}, false},
		{"of a creation without an answer", created[:1], Import{ID: mine, Platform: "umami"}, true},
		{"of before that creation", created[:1], Import{ID: other, Platform: "umami"}, false},
		{"of another wire format", created[:1], Import{ID: mine, Platform: "posthog"}, false},
		{"with somebody's events", created[:1], Import{ID: mine, Platform: "umami", Imported: 1}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l, err := ledger.Open(ledger.Migration{Server: "s", Site: "1", Inputs: []ledger.InputID{{Name: "n", Digest: ledger.Digest{SHA256: "1"}}}}, ledger.Options{Dir: t.TempDir(), Now: time.Now()})
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			for _, step := range tt.steps {
				if err := l.Add(step); err != nil {
					t.Fatal(err)
				}
			}
			if got := (&Upload{ledger: l}).own(tt.imp); got != tt.want {
				t.Errorf("own: %v", got)
			}
		})
	}
}
