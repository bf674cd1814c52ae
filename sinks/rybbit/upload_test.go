package rybbit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hopper/pipeline"
	"hopper/sinks/rybbit/sandbox"
)

// numbers is a source of events whose paths are /0, /1, …, in chunks of
// uneven size.
type numbers struct{ next, count int }

func (n *numbers) Next(ctx context.Context) (pipeline.Chunk, error) {
	if n.next >= n.count {
		return nil, io.EOF
	}
	c := numberChunk{n.next, min(n.next+1+n.next%7*5, n.count)}
	n.next = c.end
	return c, ctx.Err()
}

func (n *numbers) Close() error { return nil }

type numberChunk struct{ start, end int }

func (c numberChunk) Decode(out *pipeline.Emitter) error {
	for i := c.start; i < c.end; i++ {
		out.Rows(1)
		out.Event(&pipeline.Event{
			Time:    pipeline.MicrosOf(time.Date(2024, 5, 1, 0, 0, i, 0, time.UTC)),
			Visitor: fmt.Sprint("visitor ", i%17), Session: fmt.Sprint("session ", i%41),
			Hostname: "example.com", Path: fmt.Sprint("/", i), Title: strings.Repeat("title ", i%9),
		})
	}
	return nil
}

// world is a server and what a user keeps of its migration.
type world struct {
	t      *testing.T
	server *sandbox.Server
	http   *httptest.Server
	state  string
	events int
	opt    Options
	calls  int64
}

func newWorld(t *testing.T, events int, opt sandbox.Options) *world {
	w := &world{t: t, events: events, state: t.TempDir(), opt: Options{
		MaxBatchBytes: 8 << 10,
		RetryFor:      3 * time.Second,
		SettleAfter:   20 * time.Millisecond,
		Backoff:       time.Millisecond,
	}}
	if opt.Path == "" {
		opt.Path = filepath.Join(w.state, "sandbox.db")
	}
	w.start(opt)
	t.Cleanup(w.stop)
	return w
}

func (w *world) start(opt sandbox.Options) {
	var err error
	if w.server, err = sandbox.Open(context.Background(), opt); err != nil {
		w.t.Fatal(err)
	}
	w.http = httptest.NewServer(w.server)
}

func (w *world) stop() {
	w.http.CloseClientConnections()
	w.http.Close()
	if err := w.server.Close(); err != nil {
		w.t.Error(err)
	}
}

// run is one run of a migration, from its ledger on.
func (w *world) run(ctx context.Context) (Summary, error) {
	w.t.Helper()
	client, err := NewClient(w.http.URL, "1", "sandbox", ClientOptions{Stall: 2 * time.Second})
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { w.calls = client.Calls(); client.Close() }()
	ledger, err := OpenLedger(Migration{Server: "sandbox", Site: "1", Source: "numbers", Inputs: []InputID{{"numbers", int64(w.events), fmt.Sprint(w.events)}}},
		LedgerOptions{Dir: w.state, Version: "test", Now: time.Now()})
	if err != nil {
		return Summary{}, err
	}
	defer ledger.Close()
	if s, done := ledger.Complete(); done {
		return s, nil
	}
	memory, err := OpenMemory(w.state, w.http.URL, time.Now())
	if err != nil {
		w.t.Fatal(err)
	}
	opt := w.opt
	if testing.Verbose() {
		opt.Log = slog.New(slog.NewTextHandler(w.t.Output(), nil))
	}
	u := NewUpload(client, ledger, memory, opt)
	platform, err := u.Open(ctx, []string{"umami"})
	if err != nil {
		return Summary{}, err
	}
	wire, err := WireFor(platform)
	if err != nil {
		w.t.Fatal(err)
	}
	return u.Run(ctx, Run{
		Open: func(context.Context) (pipeline.Source, error) { return &numbers{count: w.events}, nil },
		Translation: &pipeline.Translation{
			Normalizer: pipeline.Normalizer{Limits: wire.Limits()}, Encoder: wire, Jobs: 2,
		},
	})
}

// complete runs until the migration is complete, as a user or a scheduler would.
func (w *world) complete() Summary {
	w.t.Helper()
	for range 50 {
		s, err := w.run(context.Background())
		if err == nil {
			return s
		}
		var away *AwayError
		if !errors.As(err, &away) {
			w.t.Fatalf("not resumable: %v", err)
		}
	}
	w.t.Fatal("still not complete after 50 runs")
	panic("unreachable")
}

// exactlyOnce checks that the server holds each event once.
func (w *world) exactlyOnce(s Summary) {
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
}

// TestFaults lets one thing go wrong at a time.
func TestFaults(t *testing.T) {
	for _, fault := range []string{
		"",
		"create@1=lost",
		"create@1=429",
		"create@1=500", "create@1=500,after",
		"create@1=cut",
		"list@1=500", "list@2=502,html",
		"events@2=lost",
		"events@2=lost,for=50ms",
		"events@2-4=lost",
		"events@1=cut", "events@2=cut", "events@2=cut,at=50%",
		"events@2=429", "events@2=429,retry=1s", "events@3=429,retry-date=1s",
		"events@2=403",
		"events@2=408", "events@2=500", "events@2=502", "events@2=503", "events@2=504",
		"events@2=500,after", "events@2=502,after,html", "events@2=504,after",
		"events@2=200,html", "events@2=200,html,after",
		"events@2=late,for=3s",
		"events@1-2=413,above=4KB",
		"events=413,above=3KB", "events=413,html,above=3KB",
		"events@3=complete", "events@3=complete,after", "events@1=complete",
		"events@3=expire", "events@3=expire,after",
		"events@3=abort", "events@1=abort", "events@3=delete", "events@3=delete,after", "events@1=delete",
		"events@/3=lost", "events@/3=500",
	} {
		t.Run(strings.ReplaceAll(fault, "/", "every "), func(t *testing.T) {
			t.Parallel()
			faults, err := sandbox.ParseFaults(fault)
			if err != nil {
				t.Fatal(err)
			}
			w := newWorld(t, 200, sandbox.Options{Faults: faults})
			w.exactlyOnce(w.complete())
		})
	}
}

// TestBodyCutForItsSize has a server that cuts the connection instead of
// answering 413, as 2.7.0 does.
func TestBodyCutForItsSize(t *testing.T) {
	for _, fault := range []string{"events=cut,above=700KB", "events=cut,at=90%,above=700KB", "events=413,above=1MB,html"} {
		faults, err := sandbox.ParseFaults(fault)
		if err != nil {
			t.Fatal(err)
		}
		w := newWorld(t, 6000, sandbox.Options{Faults: faults})
		w.opt.MaxBatchBytes = 2 << 20
		w.exactlyOnce(w.complete())
	}
}
