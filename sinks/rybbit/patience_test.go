package rybbit

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

func patient(working func() bool) patience {
	return patience{
		limit: DefaultRetryFor, base: time.Second, most: time.Minute,
		log: slog.New(slog.DiscardHandler), working: working,
	}
}

func TestPassing(t *testing.T) {
	dial := func(err error) error {
		return &LostError{Call: "list imports", Unsent: true, Err: &net.OpError{Op: "dial", Err: err}}
	}
	forbidden := func(message string) *StatusError { return &StatusError{Status: 403, Message: message, RetryAfter: -1} }
	for _, tt := range []struct {
		name            string
		err             error
		working, before bool // what passes after the key has worked, and before
	}{
		{"reset", &LostError{Err: syscall.ECONNRESET}, true, true},
		{"refused connection", dial(syscall.ECONNREFUSED), true, true},
		{"unknown name", dial(&net.DNSError{IsNotFound: true}), true, false},
		{"name server away", dial(&net.DNSError{IsTemporary: true}), true, true},
		{"429", &StatusError{Status: 429, RetryAfter: -1}, true, true},
		{"408", &StatusError{Status: 408, RetryAfter: -1}, true, true},
		{"500", &StatusError{Status: 500, RetryAfter: -1}, true, true},
		{"503", &StatusError{Status: 503, RetryAfter: 5}, true, true},
		{"400", &StatusError{Status: 400, RetryAfter: -1}, false, false},
		{"401", &StatusError{Status: 401, RetryAfter: -1}, false, false},
		{"404", &StatusError{Status: 404, RetryAfter: -1}, false, false},
		{"404 of a proxy", &StatusError{Status: 404, Foreign: true, RetryAfter: -1}, true, false},
		{"302", &StatusError{Status: 302, RetryAfter: -1}, false, false},
		{"bare 403", forbidden("Forbidden"), true, false},
		{"403 without a word", forbidden(""), true, false},
		{"403 with reason", forbidden("Insufficient scope (required: sites:write)"), false, false},
		{"403 with Retry-After", &StatusError{Status: 403, Message: "Forbidden", RetryAfter: time.Minute}, true, true},
		{"another error", errors.New("disk on fire"), false, false},
	} {
		working, before := patient(yes), patient(no)
		if working.passing(tt.err) != tt.working || before.passing(tt.err) != tt.before {
			t.Errorf("%s: wrong patience", tt.name)
		}
	}
}

func TestBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := patient(no)
		var waits []time.Duration
		began := time.Now()
		trouble := &StatusError{Call: "send a batch", Status: 503, RetryAfter: -1}
		var err error
		for {
			at := time.Now()
			if err = p.wait(t.Context(), trouble); err != nil {
				break
			}
			waits = append(waits, time.Since(at))
		}
		var away *AwayError
		if !errors.As(err, &away) || !errors.Is(err, trouble) || !strings.Contains(err.Error(), "gave up after 1") {
			t.Errorf("error %v", err)
		}
		// The last try comes when patience ends, however long the wait would be.
		if spent := time.Since(began); spent != p.limit {
			t.Errorf("gave up after %s, not after %s", spent, p.limit)
		}
		for i, wait := range waits[:len(waits)-1] {
			most := min(time.Second<<min(i, 20), p.most)
			if wait < most/2 || wait > most {
				t.Errorf("wait %d is %s, want %s to %s", i, wait, most/2, most)
			}
		}
	})
}

func TestWaitAsAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := patient(no)
		at := time.Now()
		if err := p.wait(t.Context(), &StatusError{Status: 429, RetryAfter: 10 * time.Minute}); err != nil || time.Since(at) != 10*time.Minute {
			t.Errorf("waited %s, %v", time.Since(at), err)
		}
		// What is left of the patience is less than what the server asks for.
		at = time.Now()
		err := p.wait(t.Context(), &StatusError{Call: "send a batch", Status: 429, RetryAfter: 6 * time.Minute})
		if want := at.Add(6 * time.Minute).Format(time.RFC3339); err == nil || !strings.Contains(err.Error(), want) || time.Since(at) != 0 {
			t.Errorf("error %v after %s, want one at once that tells %s", err, time.Since(at), want)
		}
		// After progress it is new trouble.
		p.success()
		if err := p.wait(t.Context(), &StatusError{Status: 429, RetryAfter: 6 * time.Minute}); err != nil {
			t.Error(err)
		}
	})
}

// TestLimitWithoutTime asks ever more rarely where requests are used up and the
// server does not say until when.
func TestLimitWithoutTime(t *testing.T) {
	for _, trouble := range []*StatusError{
		{Call: "send a batch", Status: 429, Message: "Rate limit exceeded", RetryAfter: -1},
		{Call: "send a batch", Status: 403, Message: "Forbidden", RetryAfter: -1},
	} {
		synctest.Test(t, func(t *testing.T) {
			p := patient(yes)
			began := time.Now()
			tries, err := 0, error(nil)
			for err = p.wait(t.Context(), trouble); err == nil; err = p.wait(t.Context(), trouble) {
				tries++
			}
			var away *AwayError
			if !errors.As(err, &away) || !away.Latest || away.Next != began.Add(24*time.Hour) || !strings.Contains(err.Error(), "gave up after 11m0s") {
				t.Errorf("%d: error %v", trouble.Status, err)
			}
			if waited := time.Since(began); tries != 4 || waited != 11*time.Minute {
				t.Errorf("%d: %d tries in %s", trouble.Status, tries, waited)
			}
		})
	}
}

// TestScarce lets batches grow after each of the answers that say that requests
// are used up, and after no other.
func TestScarce(t *testing.T) {
	for spec, scarce := range map[string]bool{
		"events@2=429": true, "events@2=429,retry=1s": true, "events@2=403": true, "events@2=403,retry=1s": true,
		"events@2=503": false, "create@1=429": true, "events@2=403,html": false,
	} {
		t.Run(spec, func(t *testing.T) {
			t.Parallel()
			w := faulty(t, 40, spec)
			w.opt.MaxBatchBytes = 4 << 10
			w.exactlyOnce(w.complete())
			memory, err := OpenMemory(w.state, w.address, time.Now())
			if err != nil || memory.Scarce.IsZero() == scarce {
				t.Errorf("scarce since %s, %v", memory.Scarce, err)
			}
		})
	}
}

func TestWaitEndsWithContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		stopped := errors.New("stopped")
		time.AfterFunc(time.Minute, func() { cancel(stopped) })
		p := patient(no)
		at := time.Now()
		err := p.wait(ctx, &StatusError{Status: 429, RetryAfter: 10 * time.Minute})
		if !errors.Is(err, stopped) || time.Since(at) != time.Minute {
			t.Errorf("error %v after %s", err, time.Since(at))
		}
	})
}

// TestPace checks that a small batch's way there and back does not foretell
// hours for a large one.
func TestPace(t *testing.T) {
	var p pace
	if got := p.expect(45e6); got != 7*time.Second {
		t.Errorf("unseen: %s", got)
	}
	p.saw(1000, time.Second)
	if got := p.expect(45e6); got != 7*time.Second {
		t.Errorf("after a small batch: %s", got)
	}
	p.saw(10e6, 20*time.Second)
	if got := p.expect(45e6).Round(time.Second); got != 90*time.Second {
		t.Errorf("after a slow one: %s", got)
	}
	if got := p.expect(1000); got != 20*time.Second {
		t.Errorf("a small one after a slow one: %s", got)
	}
}

func TestMemory(t *testing.T) {
	dir := t.TempDir()
	now := time.Now()
	open := func(server string, now time.Time) *Memory {
		t.Helper()
		m, err := OpenMemory(dir, server, now)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	m := open("a", now)
	m.MaxBatchBytes, m.Learned, m.Unknown["posthog"] = 1<<20, now, now
	if !m.works("key") || m.works("key") || !m.works("other key") {
		t.Error("what is news?")
	}
	if err := m.Save(); err != nil {
		t.Fatal(err)
	}
	if m := open("a", now); m.MaxBatchBytes != 1<<20 || len(m.Unknown) != 1 || !m.worked("other key") || m.worked("key") {
		t.Errorf("remembered: %+v", m)
	}
	if m := open("b", now); m.MaxBatchBytes != 0 || len(m.Unknown) != 0 || m.worked("other key") {
		t.Errorf("of another server: %+v", m)
	}
	if m := open("a", now.Add(8*24*time.Hour)); m.MaxBatchBytes != 0 || len(m.Unknown) != 0 {
		t.Errorf("after a week: %+v", m)
	}
}
