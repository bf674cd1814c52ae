package rybbit

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hopper/sinks/rybbit/ledger"
	"hopper/sinks/rybbit/sandbox"
)

// storm decides, from a seed, what happens to each request of a world: faults
// of all kinds, restarts of the server and interrupts of the client.
//
// Time plays no part in it. A batch that is stored late is stored when the
// first list after it has been asked for, and before the second is answered:
// what the client may count on is that a request ends within the growing
// wait, and what it may not is that one look tells the truth.
type storm struct {
	mu        sync.Mutex
	over      *sync.Cond // when a request has ended
	rng       *rand.Rand
	left      int // faults to come
	interrupt context.CancelFunc
	restart   chan struct{}
	shrinks   bool // whether the server has ever refused a size
	running   int  // batches being worked on
	looks     int  // lists since the last batch
	late      chan struct{}
	ends      int // interrupts of the client, and restarts of the server
}

// tally adds up storms, apart by whether the server answers SQL.
type tally struct{ storms, runs, faults, ends [2]atomic.Int64 }

func (s *tally) add(noSQL bool, runs int, of *storm) {
	of.mu.Lock()
	defer of.mu.Unlock()
	i := 0
	if noSQL {
		i = 1
	}
	s.storms[i].Add(1)
	s.runs[i].Add(int64(runs))
	s.faults[i].Add(int64(allFaults - of.left))
	s.ends[i].Add(int64(of.ends))
}

// allFaults is how many faults a storm has at most.
const allFaults = 20

func newStorm(seed uint64) *storm {
	s := &storm{rng: rand.New(rand.NewPCG(seed, 5)), left: allFaults, restart: make(chan struct{}, 1)}
	s.over = sync.NewCond(&s.mu)
	return s
}

func (s *storm) hook(r sandbox.Request) []sandbox.Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch r.Call {
	case sandbox.Events:
		s.running++
		s.looks = 0
	case sandbox.List:
		s.looks++
		s.release()
		for s.looks > 1 && s.running > 0 {
			s.over.Wait()
		}
	}
	if s.left == 0 || s.rng.IntN(100) >= 30 {
		return nil
	}
	s.left--
	return s.faults(r)
}

// release lets a late batch be stored.
func (s *storm) release() {
	if s.late != nil {
		close(s.late)
		s.late = nil
	}
}

func (s *storm) observe(x sandbox.Exchange) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if x.Call == sandbox.Events {
		s.running--
		s.over.Broadcast()
	}
}

func (s *storm) faults(r sandbox.Request) []sandbox.Fault {
	coin := func() bool { return s.rng.IntN(2) == 0 }
	one := func(f sandbox.Fault) []sandbox.Fault { return []sandbox.Fault{f} }
	kinds := 9
	switch r.Call {
	case sandbox.Events:
		kinds = 18
	case sandbox.List:
		kinds = 11
	}
	kind := s.rng.IntN(kinds)
	if r.Call == sandbox.List && kind > 8 {
		return one(s.falseList(kind == 9))
	}
	switch kind {
	case 0:
		codes := []int{408, 429, 500, 502, 503, 504}
		f := sandbox.Fault{Effect: sandbox.Status, Code: codes[s.rng.IntN(len(codes))], HTML: coin()}
		f.After = f.Code != 429 && coin()
		return one(f)
	case 1:
		return one(sandbox.Fault{Effect: sandbox.Lost})
	case 2:
		return one(sandbox.Fault{Effect: sandbox.Cut, AtPercent: s.rng.IntN(101)})
	case 3:
		if r.Call == sandbox.List {
			return nil // on the first contact it is a refusal
		}
		return one(sandbox.Fault{Effect: sandbox.Status, Code: 403 + s.rng.IntN(2), HTML: true})
	case 4:
		return one(sandbox.Fault{Effect: sandbox.Status, Code: 200, HTML: true, After: coin()})
	case 5, 6:
		s.ends++
		s.interrupt()
		if coin() {
			return one(sandbox.Fault{Effect: sandbox.Lost})
		}
		return nil
	case 7:
		s.ends++
		select {
		case s.restart <- struct{}{}:
		default:
		}
		if coin() {
			return one(sandbox.Fault{Effect: sandbox.Lost})
		}
		return nil
	case 8:
		return one(sandbox.Fault{Effect: sandbox.Status, Code: 429, Retry: -1, RetryAsDate: coin()})
	case 9:
		s.shrinks = true
		return one(sandbox.Fault{Effect: sandbox.Status, Code: 413, Above: max(2000, r.Length/2), HTML: coin()})
	case 10:
		return one(sandbox.Fault{Effect: sandbox.Complete, After: coin()})
	case 11:
		return one(sandbox.Fault{Effect: sandbox.Gone, After: coin()})
	case 12:
		return one(sandbox.Fault{Effect: sandbox.Abort})
	case 13:
		return one(sandbox.Fault{Effect: sandbox.Uncounted})
	case 14:
		s.ends++
		return one(sandbox.Fault{Effect: sandbox.Restart, For: 5 * time.Millisecond, After: coin()})
	default:
		if s.late != nil {
			return nil
		}
		s.late = make(chan struct{})
		effect := sandbox.Lost
		if coin() {
			effect = sandbox.Slow
			s.interrupt() // else the client would wait for its answer
		}
		return one(sandbox.Fault{Effect: effect, Until: s.late})
	}
}

// falseList lacks every import, or has counters from before the server was opened.
func (s *storm) falseList(empty bool) sandbox.Fault {
	if empty {
		return sandbox.Fault{Effect: sandbox.Empty}
	}
	return sandbox.Fault{Effect: sandbox.Lag, For: time.Second, Counters: true}
}

// weather runs a migration through a storm until it is complete.
func weather(t *testing.T, seed uint64, sum *tally) {
	s := newStorm(seed)
	opt := sandbox.Options{Hook: s.hook, Observe: s.observe}
	if s.rng.IntN(3) == 0 {
		opt.Release = "2.7"
	}
	opt.Cloud = s.rng.IntN(4) == 0
	opt.NoSQL = s.rng.IntN(2) == 0
	now := time.Now()
	var clock sync.Mutex
	// An hour passes now and then: leases end, and so do imports on Cloud.
	opt.Now = func() time.Time { clock.Lock(); defer clock.Unlock(); return now }
	w := newWorld(t, 1+s.rng.IntN(120), opt)
	w.opt.MaxBatchBytes = 2500 + s.rng.IntN(9000)
	w.opt.Grace = time.Duration(1 + s.rng.IntN(20)*s.rng.IntN(20))
	w.opt.Grace *= time.Millisecond
	w.opt.RetryFor = 500 * time.Millisecond

	var summary ledger.Summary
	runs := 1
	for ; ; runs++ {
		if runs > 100 {
			t.Fatal("no end after 100 runs")
		}
		ctx, cancel := context.WithCancel(context.Background())
		s.mu.Lock()
		s.interrupt = cancel
		s.mu.Unlock()
		done := make(chan struct{})
		var err error
		go func() {
			defer close(done)
			summary, err = w.run(ctx)
		}()
		for running := true; running; {
			select {
			case <-s.restart:
				w.stop()
				w.start()
			case <-done:
				running = false
			}
		}
		cancel()
		if err == nil {
			break
		}
		if !resumable(err) {
			t.Fatalf("run %d: %v", runs, err)
		}
		var away *AwayError
		if errors.As(err, &away) {
			clock.Lock()
			now = now.Add(time.Hour)
			clock.Unlock()
		}
	}
	w.exactlyOnce(summary)
	sum.add(opt.NoSQL, runs, s)
	if s.shrinks {
		return // its batches are other ones
	}
	calm := newWorld(t, w.events, sandbox.Options{})
	calm.opt.MaxBatchBytes = w.opt.MaxBatchBytes
	calm.complete()
	want := calm.batches()
	for _, batch := range w.batches() {
		if !slices.Contains(want, batch) {
			t.Fatalf("a batch of %d bytes is none of those of a calm run:\n%.300s", len(batch), batch)
		}
	}
}

// TestStorms mixes all faults at random. HOPPER_SEEDS is how many storms there
// are, HOPPER_SEED the first one's seed.
func TestStorms(t *testing.T) {
	count, first := number(t, "HOPPER_SEEDS", 16), number(t, "HOPPER_SEED", 1)
	var sum tally
	t.Cleanup(func() {
		for i, how := range []string{"with SQL", "without SQL"} {
			t.Logf("%s: %d storms in %d runs, with %d faults, %d interrupts and restarts", how,
				sum.storms[i].Load(), sum.runs[i].Load(), sum.faults[i].Load(), sum.ends[i].Load())
		}
	})
	for seed := first; seed < first+count; seed++ {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			weather(t, uint64(seed), &sum)
		})
	}
}

func number(t *testing.T, env string, fallback int) int {
	text := os.Getenv(env)
	if text == "" {
		return fallback
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("%s: %v", env, err)
	}
	return n
}
