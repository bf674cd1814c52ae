package rybbit

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hopper/pipeline"
	"hopper/sinks/rybbit/ledger"
	"hopper/sinks/rybbit/sandbox"
	"hopper/sinks/rybbit/wire"
)

// TestMain runs more tests at once than there are processors: most of the time
// they wait.
func TestMain(m *testing.M) {
	flag.Parse()
	if f := flag.Lookup("test.parallel"); f.Value.String() == fmt.Sprint(runtime.GOMAXPROCS(0)) {
		flag.Set("test.parallel", "8")
	}
	os.Exit(m.Run())
}

// numbers is a source of events whose paths are /0, /1, …, in chunks of
// uneven size. Each has a query of pad bytes.
type numbers struct{ next, count, pad, shift int }

func (n *numbers) Next(ctx context.Context) (pipeline.Chunk, error) {
	if n.next >= n.count {
		return nil, io.EOF
	}
	c := numberChunk{n.next, min(n.next+1+n.next%7*5, n.count), n.pad, n.shift}
	n.next = c.end
	return c, ctx.Err()
}

func (n *numbers) Close() error { return nil }

type numberChunk struct{ start, end, pad, shift int }

func (c numberChunk) Decode(out *pipeline.Emitter) error {
	for i := c.start; i < c.end; i++ {
		out.Rows(1)
		out.Event(&pipeline.Event{
			Time:    pipeline.MicrosOf(time.Date(2024, 5, 1, 0, 0, i, 0, time.UTC)),
			Visitor: fmt.Sprint("visitor ", i%17), Session: fmt.Sprint("session ", i%41+c.shift),
			Hostname: "example.com", Path: fmt.Sprint("/", i), Query: strings.Repeat("q", c.pad), Title: strings.Repeat("title ", i%9),
		})
	}
	return nil
}

// world is a server and what a user keeps of a migration into it.
type world struct {
	t         *testing.T
	server    *sandbox.Server
	http      *httptest.Server
	sandbox   sandbox.Options
	address   string // of the server, which it keeps when it is restarted
	state     string
	events    int
	pad       int
	shift     int // of the sessions
	platforms []string
	opt       Options
	client    ClientOptions
	calls     int64 // of the last run

	mu     sync.Mutex
	bodies [][]byte // that reached the server whole
}

func newWorld(t *testing.T, events int, opt sandbox.Options) *world {
	w := &world{
		t: t, events: events, state: t.TempDir(), sandbox: opt, platforms: []string{"umami"}, address: "127.0.0.1:0",
		opt: Options{
			MaxBatchBytes: 8 << 10,
			RetryFor:      3 * time.Second,
			SettleAfter:   20 * time.Millisecond,
			Backoff:       time.Millisecond,
		},
		client: ClientOptions{Stall: 5 * time.Second},
	}
	w.sandbox.Path = filepath.Join(w.state, "sandbox.db")
	w.start()
	t.Cleanup(w.stop)
	return w
}

// faulty is a world where things go wrong as spec says.
func faulty(t *testing.T, events int, spec string) *world {
	t.Helper()
	faults, err := sandbox.ParseFaults(spec)
	if err != nil {
		t.Fatal(err)
	}
	return newWorld(t, events, sandbox.Options{Faults: faults})
}

func (w *world) start() {
	var err error
	if w.server, err = sandbox.Open(context.Background(), w.sandbox); err != nil {
		w.t.Fatal(err)
	}
	listener, err := net.Listen("tcp", w.address)
	if err != nil {
		w.t.Fatal(err)
	}
	w.address = listener.Addr().String()
	server := w.server
	w.http = &httptest.Server{Listener: listener, Config: &http.Server{Handler: http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		seen := &seen{ReadCloser: r.Body}
		r.Body = seen
		server.ServeHTTP(out, r)
		if strings.HasSuffix(r.URL.Path, "/events") && int64(seen.Len()) == r.ContentLength {
			w.mu.Lock()
			w.bodies = append(w.bodies, seen.Bytes())
			w.mu.Unlock()
		}
	})}}
	w.http.Start()
}

// seen keeps what is read of a body.
type seen struct {
	io.ReadCloser
	bytes.Buffer
}

func (s *seen) Read(p []byte) (int, error) {
	n, err := s.ReadCloser.Read(p)
	s.Buffer.Write(p[:n])
	return n, err
}

func (w *world) stop() {
	w.http.CloseClientConnections()
	w.http.Close()
	if err := w.server.Close(); err != nil {
		w.t.Error(err)
	}
}

func (w *world) migration() ledger.Migration {
	return ledger.Migration{
		Server: "sandbox", Site: "1", Source: "numbers",
		Inputs: []ledger.InputID{{Name: fmt.Sprint("numbers ", w.events), Size: int64(w.events), Digest: ledger.Digest{SHA256: fmt.Sprint(w.events)}}},
	}
}

// run is one run of a migration, from its ledger on.
func (w *world) run(ctx context.Context) (ledger.Summary, error) {
	w.t.Helper()
	l, err := ledger.Open(w.migration(), ledger.Options{Dir: w.state, Version: "test", Now: time.Now()})
	if err != nil {
		return ledger.Summary{}, err
	}
	defer l.Close()
	return w.runWith(ctx, l)
}

func (w *world) runWith(ctx context.Context, l *ledger.Ledger) (ledger.Summary, error) {
	w.t.Helper()
	client, err := NewClient("http://"+w.address, "1", "sandbox", w.client)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { w.calls = client.Calls(); client.Close() }()
	if s, done := l.Complete(); done {
		return s, nil
	}
	memory, err := OpenMemory(w.state, w.address, time.Now())
	if err != nil {
		w.t.Fatal(err)
	}
	opt := w.opt
	if opt.Log == nil && testing.Verbose() {
		opt.Log = slog.New(slog.NewTextHandler(w.t.Output(), nil))
	}
	u := NewUpload(client, l, memory, opt)
	platform, err := u.Open(ctx, w.platforms)
	if err != nil {
		return ledger.Summary{}, err
	}
	format, err := wire.For(platform)
	if err != nil {
		w.t.Fatal(err)
	}
	return u.Run(ctx, Run{
		Open: func(context.Context) (pipeline.Source, error) {
			return &numbers{count: w.events, pad: w.pad, shift: w.shift}, nil
		},
		Translation: &pipeline.Translation{Target: wire.Target(format), Jobs: 2},
		Encode:      wire.Encode(format),
	})
}

// resumable reports whether hopper would tell its user to run it again.
func resumable(err error) bool {
	var away *AwayError
	var rewind *RewindError
	return errors.As(err, &away) || errors.As(err, &rewind) || Temporary(err) || errors.Is(err, ledger.ErrWrite) || errors.Is(err, context.Canceled)
}

// complete runs until the migration is complete, as a user or a scheduler would.
func (w *world) complete() ledger.Summary {
	w.t.Helper()
	for range 50 {
		s, err := w.run(context.Background())
		if err == nil {
			return s
		}
		if !resumable(err) {
			w.t.Fatalf("not resumable: %v", err)
		}
	}
	w.t.Fatal("still not complete after 50 runs")
	panic("unreachable")
}

// exactlyOnce checks that the server holds each event once, that all agree on
// it, and that there is nothing left to do.
func (w *world) exactlyOnce(s ledger.Summary) {
	w.t.Helper()
	var rows, distinct int
	if err := w.server.DB().QueryRow("SELECT count(*), count(DISTINCT pathname) FROM events").Scan(&rows, &distinct); err != nil {
		w.t.Fatal(err)
	}
	if rows != w.events || distinct != w.events {
		w.t.Fatalf("the server holds %d events, %d different ones; want each of %d once", rows, distinct, w.events)
	}
	if got := s.Counts.Total(); got != int64(w.events) || s.Counts.Imported != got {
		w.t.Fatalf("summary counts %+v, want %d imported", s.Counts, w.events)
	}
	if s.Stats.Events != int64(w.events) || s.Stats.Rows != int64(w.events) {
		w.t.Fatalf("summary has %d rows and %d events, want %d", s.Stats.Rows, s.Stats.Events, w.events)
	}
	again, err := w.run(context.Background())
	if err != nil || w.calls != 0 || again.Counts != s.Counts || !slices.Equal(again.Imports, s.Imports) {
		w.t.Fatalf("a further run gives %+v, %v, in %d requests; want the same as before in none", again, err, w.calls)
	}
}

// batches returns the bodies that the server has seen whole, without the
// empty last ones.
func (w *world) batches() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []string
	for _, b := range w.bodies {
		if !bytes.HasPrefix(b, []byte(`{"events":[]`)) {
			all = append(all, string(b))
		}
	}
	return all
}

// TestFaults lets one thing go wrong at a time.
func TestFaults(t *testing.T) {
	for _, tt := range []struct{ releases, faults []string }{
		{[]string{""}, []string{
			"create@1=429", "create@1=403,retry=1s", "create@1=500", "create@1=200,html", "create@1=200,html,after", "create@1=cut",
			"list@1=500", "list@2=502,html", "list@2=404,html", "list@1=cut", "list@2=200,html",
			"events@1=cut", "events@2=cut", "events@2=cut,at=50%",
			"events@2=429", "events@2=429,retry=1s", "events@3=429,retry-date=1s", "events@2=503,after,retry=1s",
			"events@2=403", "events@2=404,html", "events@2=403,html",
			"events@2=408", "events@2=408,after", "events@2=500", "events@2=502", "events@2=503", "events@2=504",
			"events@2=502,after,html", "events@2=504,after",
			"events@2=200,html", "events@2=200,html,after",
			"events@1-2=413,above=4KB", "events=413,above=3KB", "events=413,html,above=3KB",
		}},
		// Where releases differ: imports that are left open, that have ended, and batches sent again.
		{[]string{"", "2.7"}, []string{
			"create@1=lost", "create@1=lost,for=30ms", "create@1=500,after",
			"events@2=lost", "events@2-4=lost", "events@2=500,after", "events@/3=lost", "events@/3=500",
			"events@3=complete", "events@3=complete,after", "events@1=complete",
			"events@3=expire", "events@3=expire,after", "events@1=expire",
			"events@3=abort", "events@1=abort", "events@3=delete", "events@3=delete,after", "events@1=delete",
		}},
	} {
		for _, release := range tt.releases {
			for _, fault := range tt.faults {
				t.Run(strings.ReplaceAll(fault, "/", "every ")+" "+release, func(t *testing.T) {
					t.Parallel()
					faults, err := sandbox.ParseFaults(fault)
					if err != nil {
						t.Fatal(err)
					}
					w := newWorld(t, 40, sandbox.Options{Faults: faults, Release: release})
					w.opt.MaxBatchBytes = 4 << 10
					w.exactlyOnce(w.complete())
				})
			}
		}
	}
}

// TestLateAnswer has a server that stores a batch and answers when the client
// has given up.
func TestLateAnswer(t *testing.T) {
	t.Parallel()
	w := faulty(t, 60, "events@2=late,for=2s")
	w.client.Stall = 500 * time.Millisecond
	w.exactlyOnce(w.complete())
}

// TestLateBatch has a server that stores a batch long after the connection has
// broken, when the first look has given its old counters.
func TestLateBatch(t *testing.T) {
	t.Parallel()
	looked, landed := make(chan struct{}), make(chan struct{})
	looks := 0
	w := newWorld(t, 60, sandbox.Options{
		Hook: func(r sandbox.Request) []sandbox.Fault {
			switch {
			case r.Call == sandbox.Events && r.N == 2:
				return []sandbox.Fault{{Effect: sandbox.Lost, Until: looked}}
			case r.Call == sandbox.List && r.N > 1:
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
	w.exactlyOnce(w.complete())
}

// TestBodyCutForItsSize has servers that cut the connection instead of
// answering 413, as 2.7.0 does.
func TestBodyCutForItsSize(t *testing.T) {
	for _, fault := range []string{"events=cut,above=700KB", "events=cut,at=90%,above=700KB", "events=413,above=900KB,html"} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			w := faulty(t, 500, fault)
			w.pad, w.opt.MaxBatchBytes = 2000, 2<<20
			w.exactlyOnce(w.complete())
			memory, err := OpenMemory(w.state, w.address, time.Now())
			if err != nil || memory.MaxBatchBytes == 0 || memory.MaxBatchBytes > 1<<20 {
				t.Errorf("the next run would try %d bytes first (%v)", memory.MaxBatchBytes, err)
			}
		})
	}
}

// TestLimitBelowOneEvent has a proxy that lets nothing pass. Once it does,
// hopper must not go on with what it learned before.
func TestLimitBelowOneEvent(t *testing.T) {
	w := faulty(t, 60, "events=413,above=100B")
	w.pad = 1500
	_, err := w.run(t.Context())
	if err == nil || resumable(err) || !strings.Contains(err.Error(), "proxy") {
		t.Fatalf("error %v", err)
	}
	w.server.SetFaults()
	s := w.complete()
	w.exactlyOnce(s)
	if s.Batches > 20 {
		t.Errorf("%d batches, so the old limit holds still", s.Batches)
	}
}

// TestGivesUp has servers that never get better, in ways that look like
// progress in between.
func TestGivesUp(t *testing.T) {
	for _, fault := range []string{
		"events=500", "events=500,html", "events=429", "events=403", "events=cut",
		"create=500", "create=429", "list=503",
		"events=expire", "events=complete", "events=abort", "events=delete", "events@/2=abort", "events=404,html",
	} {
		t.Run(strings.ReplaceAll(fault, "/", "every "), func(t *testing.T) {
			t.Parallel()
			w := faulty(t, 60, fault)
			w.opt.RetryFor, w.opt.MaxBatchBytes = 200*time.Millisecond, 5<<10
			for range 2 {
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				if _, err := w.run(ctx); !resumable(err) || ctx.Err() != nil {
					t.Fatalf("error %v", err)
				}
			}
			w.server.SetFaults()
			w.opt.RetryFor = 3 * time.Second
			if fault == "events=expire" {
				return // what it left keeps new imports out, until the lease ends
			}
			w.exactlyOnce(w.complete())
		})
	}
}

// TestRefusals are answers for good: no second try, no import left open.
func TestRefusals(t *testing.T) {
	for _, tt := range []struct {
		fault, says string
		calls       int64
	}{
		{"list=401", "RYBBIT_API_KEY", 1},
		{"list=403", "admin's or owner's", 3},
		{"list=404", "check --url and --site", 1},
		{"create=402", "402", 2},
		{"events=401", "RYBBIT_API_KEY", 3},
		{"events=400", "events 1 to ", 4},
	} {
		t.Run(tt.fault, func(t *testing.T) {
			w := faulty(t, 20, tt.fault)
			_, err := w.run(t.Context())
			if err == nil || resumable(err) || !strings.Contains(err.Error(), tt.says) || w.calls != tt.calls {
				t.Errorf("error %v after %d requests, want one with %q after %d", err, w.calls, tt.says, tt.calls)
			}
		})
	}
}

// TestWholeBatchRefused lets the same migration take another wire format
// afterwards, which a running import would not.
func TestWholeBatchRefused(t *testing.T) {
	w := faulty(t, 60, "events@1=400")
	if _, err := w.run(t.Context()); err == nil {
		t.Fatal("no error")
	}
	w.platforms = []string{"plausible"}
	s := w.complete()
	w.exactlyOnce(s)
	if s.Platform != "plausible" {
		t.Errorf("the wire format stays %s", s.Platform)
	}
}

// TestPlatforms has servers that know few: each is asked for once.
func TestPlatforms(t *testing.T) {
	w := newWorld(t, 10, sandbox.Options{Platforms: []string{"umami"}})
	w.platforms = []string{"posthog", "matomo", "umami"}
	w.exactlyOnce(w.complete())
	memory, err := OpenMemory(w.state, w.address, time.Now())
	if err != nil || len(memory.Unknown) != 2 {
		t.Fatalf("remembered are %v, %v", memory.Unknown, err)
	}
	w.platforms = []string{"posthog", "matomo"}
	w.events = 11 // another migration
	if _, err := w.run(t.Context()); err == nil || !strings.Contains(err.Error(), "--wire") {
		t.Fatalf("error %v", err)
	}
}

// TestRequests counts those of clean imports.
func TestRequests(t *testing.T) {
	for _, events := range []int{0, 1, 60, 300} {
		w := newWorld(t, events, sandbox.Options{})
		s := w.complete()
		if w.calls != int64(s.Batches)+4 {
			t.Errorf("%d events in %d batches took %d requests", events, s.Batches, w.calls)
		}
		batches := w.batches()
		for i, b := range batches {
			if len(b) > w.opt.MaxBatchBytes || i < len(batches)-1 && len(b) < w.opt.MaxBatchBytes-1000 {
				t.Errorf("batch %d of %d has %d bytes; the limit is %d", i+1, len(batches), len(b), w.opt.MaxBatchBytes)
			}
		}
	}
}

// TestBudget has a key for six requests a day: each run stops at once and says
// when to come back, and uses the day's requests for batches.
func TestBudget(t *testing.T) {
	for _, release := range []string{"", "2.7"} {
		t.Run(release, func(t *testing.T) {
			var clock atomic.Int64
			clock.Store(time.Now().Unix())
			w := newWorld(t, 100, sandbox.Options{
				Budget: 6, Release: release, Now: func() time.Time { return time.Unix(clock.Load(), 0) },
			})
			w.opt.MaxBatchBytes, w.opt.RetryFor = 5<<10, DefaultRetryFor
			for days := 1; ; days++ {
				s, err := w.run(t.Context())
				if err == nil {
					if most := (s.Batches+4)/4 + 1; days > most {
						t.Errorf("%d batches took %d days, want at most %d", s.Batches, days, most)
					}
					w.exactlyOnce(s)
					return
				}
				var away *AwayError
				if !errors.As(err, &away) || away.Next.IsZero() || away.Latest != (release != "") || w.calls > 11 {
					t.Fatalf("day %d: %d requests, error %v", days, w.calls, err)
				}
				clock.Add(24 * 3600)
			}
		})
	}
}

// TestInterrupt stops runs while each request in turn is on its way, and checks
// that what goes over the wire is what an undisturbed run sends.
func TestInterrupt(t *testing.T) {
	plain := newWorld(t, 120, sandbox.Options{})
	plain.complete()
	want := plain.batches()
	for _, call := range []sandbox.Call{sandbox.List, sandbox.Create, sandbox.Events} {
		for n := 1; n < len(want)+2; n++ {
			t.Run(fmt.Sprint(call, n), func(t *testing.T) {
				t.Parallel()
				ctx, cancel := context.WithCancelCause(context.Background())
				stopped := errors.New("stopped by the test")
				w := newWorld(t, 120, sandbox.Options{Hook: func(r sandbox.Request) []sandbox.Fault {
					if r.Call == call && r.N == n {
						cancel(stopped)
					}
					return nil
				}})
				before, err := w.run(ctx)
				if err != nil && !errors.Is(err, stopped) {
					t.Fatalf("error %v, want the context's cause", err)
				}
				if s := w.complete(); err == nil && !slices.Equal(s.Imports, before.Imports) {
					t.Error("not the same migration")
				} else {
					w.exactlyOnce(s)
				}
				if got := w.batches(); !slices.Equal(got, want) {
					t.Errorf("%d batches differ from the %d of a whole run", len(got), len(want))
				}
			})
		}
	}
}

// TestGraceEnds interrupts a run whose server does not answer.
func TestGraceEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	until := make(chan struct{})
	w := newWorld(t, 60, sandbox.Options{Hook: func(r sandbox.Request) []sandbox.Fault {
		if r.Call == sandbox.Events && r.N == 2 {
			cancel()
			return []sandbox.Fault{{Effect: sandbox.Late, Until: until}}
		}
		return nil
	}})
	w.opt.MaxBatchBytes, w.opt.Grace = 5<<10, 10*time.Millisecond
	if _, err := w.run(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v", err)
	}
	close(until)
	w.exactlyOnce(w.complete())
}

// TestStrangerInImport has something else write to the import: neither a guess
// nor a second copy may follow, but word of what to do.
func TestStrangerInImport(t *testing.T) {
	for _, fault := range []string{"events@2=lost", "events@9=500"} {
		t.Run(fault, func(t *testing.T) {
			faults, err := sandbox.ParseFaults(fault)
			if err != nil {
				t.Fatal(err)
			}
			var w *world
			w = newWorld(t, 60, sandbox.Options{Faults: faults, Hook: func(r sandbox.Request) []sandbox.Fault {
				if r.Call == sandbox.Events && r.N == 2 {
					if _, err := w.server.DB().Exec("UPDATE imports SET imported_events = imported_events + 1"); err != nil {
						t.Error(err)
					}
				}
				return nil
			}})
			w.opt.MaxBatchBytes = 5 << 10
			_, err = w.run(t.Context())
			var unsettled *UnsettledError
			if !errors.As(err, &unsettled) || !strings.Contains(err.Error(), "hopper imports delete "+unsettled.Import) {
				t.Fatalf("error %v", err)
			}
			sent := len(w.batches())
			if _, err = w.run(t.Context()); !errors.As(err, &unsettled) || len(w.batches()) != sent {
				t.Fatalf("a further run: error %v, %d more batches", err, len(w.batches())-sent)
			}
			// As it says: delete it, and run again.
			w.server.SetFaults()
			client, err := NewClient("http://"+w.address, "1", "sandbox", w.client)
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(client.Complete(t.Context(), unsettled.Import), client.Delete(t.Context(), unsettled.Import),
				ledger.NoteDeleted(w.state, "sandbox", "1", unsettled.Import)); err != nil {
				t.Fatal(err)
			}
			w.exactlyOnce(w.complete())
		})
	}
}

// TestOddList has a list that for once lacks the import: its events must not
// be sent again on that word.
func TestOddList(t *testing.T) {
	var w *world
	odd := true
	w = newWorld(t, 60, sandbox.Options{})
	inner := w.http.Config.Handler
	w.http.Config.Handler = http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet && len(w.batches()) > 0 && odd {
			odd = false
			io.WriteString(out, `{"data":[]}`)
			return
		}
		inner.ServeHTTP(out, r)
	})
	w.exactlyOnce(w.complete())
	if odd {
		t.Error("no list was asked for")
	}
}

// TestChangedInput resumes a migration whose input gives other events.
func TestChangedInput(t *testing.T) {
	for name, change := range map[string]func(*numbers){
		"other events": func(n *numbers) { n.pad = 1 },
		"fewer events": func(n *numbers) { n.count = 3 },
	} {
		t.Run(name, func(t *testing.T) {
			w := faulty(t, 60, "events@3-=500")
			w.opt.RetryFor, w.opt.MaxBatchBytes = 50*time.Millisecond, 5<<10
			if _, err := w.run(t.Context()); !resumable(err) {
				t.Fatalf("error %v", err)
			}
			w.server.SetFaults()
			sent := len(w.batches())
			n := numbers{count: w.events}
			change(&n)
			// The ledger is found by the fingerprint, which stays the same here.
			m := w.migration()
			l, err := ledger.Open(m, ledger.Options{Dir: w.state, Now: time.Now()})
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			w.events, w.pad = n.count, n.pad
			if _, err = w.runWith(t.Context(), l); err == nil || !strings.Contains(err.Error(), "changed") {
				t.Fatalf("error %v", err)
			}
			if len(w.batches()) != sent {
				t.Error("other events were sent into the same import")
			}
		})
	}
}

// TestPaced checks that waiting for the pace is no part of a batch's flight.
func TestPaced(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	w := newWorld(t, 60, sandbox.Options{Hook: func(r sandbox.Request) []sandbox.Fault {
		if r.Call == sandbox.Events {
			cancel()
		}
		return nil
	}})
	w.client.PerMinute, w.opt.MaxBatchBytes = 600, 5<<10
	if _, err := w.run(ctx); !errors.Is(err, context.Canceled) || w.calls != 3 {
		t.Fatalf("error %v after %d requests", err, w.calls)
	}
	l, err := ledger.Open(w.migration(), ledger.Options{Dir: w.state, Now: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if l.Pending() != nil {
		t.Error("a batch is recorded as sent that waited for its turn")
	}
}

// TestChecker compares batches with what builds now and before have written of them.
func TestChecker(t *testing.T) {
	const records = "{},[1],2" // indexes 5 to 7
	before := sha256.Sum256([]byte(records))
	older := ledger.Batch{First: 5, Events: 3, SHA256: hex.EncodeToString(before[:])}
	batch := pipeline.Batch{First: 5, Events: 3, Body: [][]byte{[]byte(records[:5]), []byte(records[5:])}, Size: len(records)}
	newer := ledger.Batch{First: 5, Events: 3, XXH3: new(sum).of(batch)}
	for _, want := range []ledger.Batch{older, newer} {
		for _, last := range []string{"2", "3"} {
			check := newChecker(want)
			var err error
			for i, record := range []string{"{}", "[1]", last} {
				err = errors.Join(err, check.add(4, nil), check.add(int64(5+i), []byte(record)))
			}
			if changed := last != "2"; (err != nil) != changed || !check.done() {
				t.Errorf("%+v, and a record of %s: error %v", want, last, err)
			}
		}
	}
}
