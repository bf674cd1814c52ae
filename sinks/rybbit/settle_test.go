package rybbit

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"
	"testing"
	"time"
)

func TestJudge(t *testing.T) {
	for _, tt := range []struct {
		counted, settled, batch int64
		want                    verdict
	}{
		{0, 0, 10, nothingYet},
		{10, 0, 10, allOfIt},
		{100, 100, 10, nothingYet},
		{110, 100, 10, allOfIt},
		{105, 100, 10, somethingElse}, // a part of a batch is none
		{120, 100, 10, somethingElse}, // it came twice
		{111, 100, 10, somethingElse},
		{99, 100, 10, behind},
		{0, 100, 10, behind},
		{90, 100, 10, behind},
		{100, 100, 0, nothingYet}, // no batch is in doubt
		{101, 100, 0, somethingElse},
		{99, 100, 0, behind},
	} {
		if got := judge(tt.counted, tt.settled, tt.batch); got != tt.want {
			t.Errorf("%d counted, %d settled, %d in doubt: %d, want %d", tt.counted, tt.settled, tt.batch, got, tt.want)
		}
	}
}

// TestFate reads from each kind of answer what became of a batch.
func TestFate(t *testing.T) {
	answered := func(code int, message string) error {
		return &StatusError{Status: code, Message: message, RetryAfter: -1}
	}
	proxy := func(code int) error { return &StatusError{Status: code, Foreign: true, RetryAfter: -1} }
	reset := errors.New("connection reset")
	for _, tt := range []struct {
		name        string
		err         error
		interrupted bool
		want        fate
	}{
		{"too large", answered(413, "Request body is too large"), false, tooLarge},
		{"too large for a proxy", proxy(413), false, tooLarge},
		{"cut off within the body", &LostError{Err: reset, Unsent: true, CutAt: 1000, Broken: true}, false, tooLarge},
		{"cut off by the user", &LostError{Err: context.Canceled, Unsent: true, CutAt: 1000}, true, later},
		{"stalled within the body", &LostError{Err: reset, Unsent: true, CutAt: 1000, Stalled: true}, false, later},
		{"cut off before the body", &LostError{Err: reset, Unsent: true}, false, later},
		{"no connection", &LostError{Err: &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, Unsent: true}, false, later},
		{"the connection broke after the body", &LostError{Err: reset, Broken: true}, false, unknown},
		{"no answer", &LostError{Err: reset, Stalled: true}, false, unknown},
		{"the user ended the wait for an answer", &LostError{Err: context.Canceled}, true, unknown},
		{"a web page for an answer", &LostError{Err: errors.New("a web page came")}, false, unknown},
		{"complete", answered(400, "Import is already complete"), false, ended},
		{"the lease is lost", answered(409, "Import lease expired. Start a new import to continue."), false, ended},
		{"no such import", answered(404, "Import not found"), false, vanished},
		{"a proxy without a server", proxy(404), false, later},
		{"no shape", answered(400, "Validation error"), false, refused},
		{"a proxy's 400", proxy(400), false, refused},
		{"wrong key", answered(401, "Unauthorized"), false, later},
		{"forbidden", answered(403, "Forbidden"), false, later},
		{"used up", answered(429, "Rate limit exceeded"), false, later},
		{"moved", answered(301, ""), false, later},
		{"took too long", answered(408, ""), false, unknown},
		{"failed", answered(500, "Internal Server Error"), false, unknown},
		{"aborted", answered(500, "Import was aborted because its progress could not be recorded"), false, unknown},
		{"a bad gateway", proxy(502), false, unknown},
		{"away", answered(503, ""), false, unknown},
		{"a gateway's time is over", proxy(504), false, unknown},
		{"wrapped", fmt.Errorf("events 1 to 5: %w", answered(413, "")), false, tooLarge},
	} {
		if got := fateOf(tt.err, tt.interrupted); got != tt.want {
			t.Errorf("%s: fate %d, want %d", tt.name, got, tt.want)
		}
	}
}

func TestThroughput(t *testing.T) {
	var p throughput
	if got := p.perSecond(); got != 0 {
		t.Errorf("unseen: %v", got)
	}
	p.saw(1000, time.Second)
	if got := p.perSecond(); got != 1000 {
		t.Errorf("after one batch: %v", got)
	}
	for range 20 {
		p.saw(4000, 2*time.Second)
	}
	if got := p.perSecond(); got < 1990 || got > 2000 {
		t.Errorf("after many faster ones: %v", got)
	}
}

// TestWatch follows an upload.
func TestWatch(t *testing.T) {
	w := faulty(t, 60, "events@3=lost")
	w.opt.MaxBatchBytes = 5 << 10
	var seen []Status
	w.opt.Watch = func(s Status) { seen = append(seen, s) }
	s, err := w.run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w.exactlyOnce(s)
	waiting := 0
	for i, s := range seen {
		if s.Bytes > 0 {
			waiting++
			if s.Since.IsZero() || s.Bytes > w.opt.MaxBatchBytes || s.Batch < 1 {
				t.Errorf("waiting: %+v", s)
			}
		}
		if i > 0 && s.Stored < seen[i-1].Stored {
			t.Errorf("fewer events stored: %+v after %+v", s, seen[i-1])
		}
	}
	last := seen[len(seen)-1]
	if last.Stored != 60 || last.Bytes != 0 || last.PerSecond == 0 || waiting != s.Batches {
		t.Errorf("in the end %+v, after %d batches of %d", last, waiting, s.Batches)
	}
}
