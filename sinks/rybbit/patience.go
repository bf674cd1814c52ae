package rybbit

import (
	"context"
	"crypto/x509"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"time"
)

// patience decides whether and when a failed call is made again.
type patience struct {
	// limit is how long trouble may last, from the first failure after a
	// success, before the run gives up.
	limit time.Duration
	// base and most bound the waits between tries, when the server names none.
	base, most time.Duration
	log        *slog.Logger
	// working reports whether the key has been accepted lately: then a 403 is
	// a rate limit, as some releases say it, and no refusal.
	working func() bool

	since time.Time // of the first failure
	tries int
}

func (p *patience) success() { p.since, p.tries = time.Time{}, 0 }

// wait returns nil when the time has come to try again after err, and an error
// when err is final, when patience has run out, or when ctx has ended.
func (p *patience) wait(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if !p.passing(err) {
		return err
	}
	now := time.Now()
	if p.tries == 0 {
		p.since = now
	}
	pause := min(p.base<<min(p.tries, 20), p.most)
	pause = pause/2 + rand.N(pause/2+1) // so that several clients do not come back together
	p.tries++
	var next time.Time
	var s *StatusError
	if errors.As(err, &s) && s.RetryAfter >= 0 {
		pause = max(pause, s.RetryAfter)
		next = now.Add(pause)
	}
	if now.Sub(p.since)+pause > p.limit {
		return &AwayError{Waited: now.Sub(p.since), Next: next, Err: err}
	}
	p.log.Warn("trying again", "in", pause.Round(time.Millisecond).String(), "because", err.Error())
	return sleep(ctx, pause)
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

// passing reports whether the trouble that err tells of may pass by itself.
func (p *patience) passing(err error) bool {
	if lost(err) != nil {
		// A certificate that does not fit will not fit in a minute either.
		var authority x509.UnknownAuthorityError
		var host x509.HostnameError
		var invalid x509.CertificateInvalidError
		return !errors.As(err, &authority) && !errors.As(err, &host) && !errors.As(err, &invalid)
	}
	var s *StatusError
	if !errors.As(err, &s) {
		return false
	}
	switch s.Status {
	case http.StatusTooManyRequests, http.StatusRequestTimeout, http.StatusTooEarly:
		return true
	case http.StatusForbidden:
		// A refusal for good says why, as "Insufficient scope".
		return p.working() && (s.HTML || s.Message == "" || s.Message == http.StatusText(s.Status))
	default:
		return s.Status >= 500
	}
}
