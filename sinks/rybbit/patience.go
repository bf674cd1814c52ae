package rybbit

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"time"
)

// patience decides whether and when a failed call is made again.
type patience struct {
	// limit is how long trouble may last before the run gives up. It counts from
	// the first failure since the last progress; answers that are no progress,
	// such as a list of imports, do not end the trouble.
	limit time.Duration
	// base and most bound the waits between tries, when the server names none.
	base, most time.Duration
	log        *slog.Logger
	// working reports whether the key has been accepted lately: then a 403 is
	// a rate limit, as some releases say it, and no refusal.
	working func() bool

	since   time.Time // of the first failure
	tries   int
	refused int // of these for want of requests, without a time to come back
}

func (p *patience) success() { p.since, p.tries = time.Time{}, 0 }

// wait returns nil when the time has come to try again after err, and an error
// when err is final, when patience has run out, or when ctx has ended.
func (p *patience) wait(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if unknownName(err) && !p.working() {
		return p.await(ctx, err)
	}
	if !p.passing(err) && !(isForbidden(err) && p.tries < forbiddenTries) {
		return err
	}
	return p.pause(ctx, err)
}

// nameWait is how long a name that nobody knows is asked for again, since names are
// often unknown for some seconds in a pod that has just started.
const nameWait = 30 * time.Second

func unknownName(err error) bool {
	var name *net.DNSError
	return lost(err) != nil && errors.As(err, &name) && name.IsNotFound
}

// await is pause for a server whose name is not known (yet).
func (p *patience) await(ctx context.Context, err error) error {
	limited := *p
	limited.limit = min(p.limit, nameWait)
	waited := limited.pause(ctx, err)
	p.since, p.tries = limited.since, limited.tries
	var away *AwayError
	if errors.As(waited, &away) {
		return fmt.Errorf("%w; check --url", err)
	}
	return waited
}

// forbiddenTries is how often a bare 403 is tried again at first contact: some
// releases say so of a rate limit and of a wrong key alike.
const forbiddenTries = 2

// isForbidden reports whether err is a 403 that gives no reason.
func isForbidden(err error) bool {
	s := refusal(err)
	return s != nil && s.Status == http.StatusForbidden && (s.Foreign || s.Message == "" || s.Message == http.StatusText(s.Status))
}

// A server that refuses a request as one too many and does not say when the next
// is free is asked again after a minute and ever more rarely, since refused
// requests may count, until the longest window that is worth waiting for is over:
// budgets are counted over a minute, ten minutes or a day. In units of the base.
const (
	rateWait   = 60
	rateMost   = 4 * rateWait
	rateWindow = 11 * rateWait
	longWindow = 24 * time.Hour
)

// pause is wait for an error that calls for another try, whatever it is.
func (p *patience) pause(ctx context.Context, err error) error {
	now := time.Now()
	if p.tries == 0 {
		p.since, p.refused = now, 0
	}
	limit := p.limit
	pause := min(p.base<<min(p.tries, 20), p.most)
	pause = pause/2 + rand.N(pause/2+1) // so that several clients do not come back together
	p.tries++
	away := &AwayError{Waited: now.Sub(p.since), Err: err}
	s := refusal(err)
	asked := s != nil && s.RetryAfter > 0
	switch {
	case asked:
		pause = max(pause, s.RetryAfter)
		away.Next = now.Add(pause)
	case s != nil && s.RetryAfter < 0 && isLimit(s, p.working):
		pause = max(pause, min(rateWait*p.base<<min(p.refused, 20), rateMost*p.base))
		limit = min(limit, rateWindow*p.base)
		away.Next, away.Latest = p.since.Add(longWindow), true
		p.refused++
	}
	left := limit - away.Waited
	if !asked {
		pause = min(pause, left) // the last try comes when patience ends
	}
	if left <= 0 || pause > left {
		return away
	}
	p.log.Warn("trying again", "event", "retry", slog.Group("", "seconds", pause.Seconds()), "in", pause.Round(time.Millisecond).String(), "because", err.Error())
	return sleep(ctx, pause)
}

// isLimit reports whether an answer says that requests are used up. Some releases
// say so by a bare 403, to a key that works otherwise.
func isLimit(s *StatusError, working func() bool) bool {
	switch s.Status {
	case http.StatusTooManyRequests:
		return !isBusy(s)
	case http.StatusForbidden:
		return s.RetryAfter > 0 || working() && isForbidden(s) && !s.Foreign
	}
	return false
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// passing reports whether the trouble that err reports may pass by itself.
func (p *patience) passing(err error) bool { return passing(err, p.working) }

// Temporary reports whether the trouble with a server that err reports may
// pass by itself, so that the same call may go well later.
func Temporary(err error) bool { return passing(err, func() bool { return false }) }

func passing(err error, working func() bool) bool {
	if lost(err) != nil {
		// A wrong address will not be right in a minute either.
		var certificate *tls.CertificateVerificationError
		var name *net.DNSError
		return !errors.As(err, &certificate) && !errors.Is(err, http.ErrSchemeMismatch) &&
			!(errors.As(err, &name) && name.IsNotFound && !working())
	}
	s := refusal(err)
	if s == nil {
		return false
	}
	switch s.Status {
	case http.StatusTooManyRequests, http.StatusRequestTimeout, http.StatusTooEarly:
		return true
	case http.StatusForbidden:
		// A refusal for good says why, as "Insufficient scope".
		return s.RetryAfter > 0 || working() && isForbidden(err)
	case http.StatusNotFound:
		// What a proxy says while it knows of no server behind it.
		return working() && s.Foreign
	default:
		return s.Status >= 500
	}
}
