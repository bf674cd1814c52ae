// Package store has what the stores of remote inputs share: retries, reads
// that resume where they broke off, and the search in buckets; and the store
// of web servers, [Web]. The clouds' stores are in packages beneath it.
//
// README.md beside it says how to add one.
package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"time"

	"hopper/adapters/input"
)

// Retry says how often something is tried that fails for a moment only. The
// zero value makes six tries within some 15 seconds.
type Retry struct {
	Tries int           // 0 is 6
	Pause time.Duration // before the second try, doubled before each further one; 0 is half a second
	Stall time.Duration // without a byte after which a read is broken off and resumed; 0 is a minute
}

func (r Retry) tries() int {
	if r.Tries == 0 {
		return 6
	}
	return r.Tries
}

func (r Retry) stall() time.Duration {
	if r.Stall == 0 {
		return time.Minute
	}
	return r.Stall
}

// wait pauses after the failed try of that number, from 1.
func (r Retry) wait(ctx context.Context, try int) error {
	pause := r.Pause
	if pause == 0 {
		pause = time.Second / 2
	}
	pause <<= try - 1
	timer := time.NewTimer(pause/2 + rand.N(pause))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Do calls do until it succeeds, fails for good, or was tried often enough.
// For good is an [input.Error], and the end of ctx.
func (r Retry) Do(ctx context.Context, name string, do func() error) error {
	for try := 1; ; try++ {
		err := do()
		switch {
		case err == nil || permanent(err):
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		}
		if try >= r.tries() {
			return away(name, try, err)
		}
		if err := r.wait(ctx, try); err != nil {
			return err
		}
	}
}

func permanent(err error) bool {
	var positioned *input.Error
	return errors.As(err, &positioned)
}

func away(name string, tries int, err error) error {
	return input.Errorf(name, "does not answer after %d tries: %w", tries, &input.AwayError{Err: err}).Advise("run again when the store answers")
}

// Changed returns the error for an object that is no longer what it was.
func Changed(name string) *input.Error {
	return input.Errorf(name, "changed while it was read").Advise("run again once nobody writes to it, or give a copy of it")
}

// Resume returns a reader of an object's bytes from offset up to end (exclusive;
// -1 is not known). Where reading breaks off or stalls, it opens the rest.
func (r Retry) Resume(ctx context.Context, name string, offset, end int64, open func(ctx context.Context, offset int64) (io.ReadCloser, error)) (io.ReadCloser, error) {
	s := &resuming{retry: r, ctx: ctx, name: name, offset: offset, end: end, open: open}
	err := r.Do(ctx, name, s.reopen)
	if err != nil {
		return nil, err
	}
	return s, nil
}

type resuming struct {
	retry       Retry
	ctx         context.Context
	name        string
	offset, end int64
	open        func(context.Context, int64) (io.ReadCloser, error)

	body   io.ReadCloser   // nil after a fault
	opened context.Context // that body was opened under
	cancel context.CancelFunc
	failed int // tries since the last byte
}

func (s *resuming) reopen() error {
	ctx, cancel := context.WithCancel(s.ctx)
	timer := time.AfterFunc(s.retry.stall(), cancel)
	defer timer.Stop()
	body, err := s.open(ctx, s.offset)
	if err != nil {
		err = s.stalled(ctx, err)
		cancel()
		return err
	}
	s.opened = ctx
	s.body, s.cancel = body, cancel
	return nil
}

func (s *resuming) Read(p []byte) (int, error) {
	for {
		n, err := s.read(p)
		s.offset += int64(n)
		switch {
		case n > 0:
			s.failed = 0
		case err == nil && len(p) == 0:
			return 0, nil
		}
		if err == io.EOF && s.end >= 0 && s.offset < s.end {
			err = io.ErrUnexpectedEOF
		}
		if err == nil || err == io.EOF || s.ctx.Err() != nil || permanent(err) {
			if s.ctx.Err() != nil {
				err = s.ctx.Err()
			}
			return n, err
		}
		s.Close()
		if n > 0 {
			return n, nil
		}
		if s.failed++; s.failed >= s.retry.tries() {
			return 0, away(s.name, s.failed, err)
		}
		if err := s.retry.wait(s.ctx, s.failed); err != nil {
			return 0, err
		}
	}
}

// read reads from the body, which it opens again after a fault.
func (s *resuming) read(p []byte) (int, error) {
	if s.end >= 0 && s.offset >= s.end {
		return 0, io.EOF
	}
	if s.end >= 0 {
		p = p[:min(int64(len(p)), s.end-s.offset)]
	}
	if s.body == nil {
		if err := s.reopen(); err != nil {
			return 0, err
		}
	}
	timer := time.AfterFunc(s.retry.stall(), s.cancel)
	defer timer.Stop()
	n, err := s.body.Read(p)
	return n, s.stalled(s.opened, err)
}

// stalled says of an error under ctx that it comes from a timer, where it does.
func (s *resuming) stalled(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil && s.ctx.Err() == nil {
		return fmt.Errorf("no byte came for %s", s.retry.stall())
	}
	return err
}

func (s *resuming) Close() error {
	if s.body == nil {
		return nil
	}
	err := s.body.Close()
	s.cancel()
	s.body = nil
	return err
}

// ReaderAt returns r with reads that fail for a moment tried again.
func (r Retry) ReaderAt(ctx context.Context, name string, at input.ReaderAtCloser) input.ReaderAtCloser {
	return &retryingAt{r, ctx, name, at}
}

type retryingAt struct {
	retry Retry
	ctx   context.Context
	name  string
	input.ReaderAtCloser
}

func (r *retryingAt) ReadAt(p []byte, offset int64) (n int, err error) {
	var end error
	err = r.retry.Do(r.ctx, r.name, func() error {
		n, end = r.ReaderAtCloser.ReadAt(p, offset)
		if end == io.EOF {
			return nil
		}
		return end
	})
	if err == nil {
		err = end
	}
	return n, err
}
