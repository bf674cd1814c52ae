package rybbit

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// StatusError is an answer other than success.
type StatusError struct {
	Call    string // what was asked, "send a batch"
	Status  int
	Message string // the server's words
	Foreign bool   // a body that is no JSON, so a proxy's answer and not Rybbit's
	// RetryAfter is how long the server asks to wait, negative when it does not say.
	RetryAfter time.Duration
	// Location is where a redirect leads, without its query.
	Location string
}

func (e *StatusError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: the server answered %d %s", e.Call, e.Status, http.StatusText(e.Status))
	if e.Message != "" {
		fmt.Fprintf(&b, " (%s)", e.Message)
	}
	if e.Foreign {
		b.WriteString(", or rather a proxy in front of Rybbit did, for these are not Rybbit's words")
	}
	switch {
	case e.Location != "":
		fmt.Fprintf(&b, ", a redirect to %s: give the address it leads to as --url", e.Location)
	case e.Status == http.StatusUnauthorized:
		b.WriteString(": the key is wrong or the site unknown; check RYBBIT_API_KEY and --site")
	case e.Status == http.StatusForbidden:
		b.WriteString(": the key is not allowed to import into this site (it must be an admin's or owner's, on a plan with imports), " +
			"or the site is not the key's, or the key's requests are used up for now")
	case e.Status == http.StatusNotFound:
		b.WriteString(": the site or the import is unknown there; check --url and --site")
	}
	return b.String()
}

// LostError is a call without a usable answer.
type LostError struct {
	Call string
	Err  error
	// Unsent says that the server cannot have seen the whole request.
	Unsent bool
	// CutAt is how many bytes of the body were taken when an unsent request
	// broke off; 0 when the connection was never made.
	CutAt int
	// Stalled says that the client gave up waiting.
	Stalled bool
	// Broken says that the connection broke, as it does with servers that find
	// a body too large, and not that the client gave up.
	Broken bool
}

func (e *LostError) Error() string { return e.Call + ": " + e.Err.Error() }

func (e *LostError) Unwrap() error { return e.Err }

// AwayError says that the server could not be used for longer than the run
// was allowed to wait. Running the same command again goes on.
type AwayError struct {
	Waited time.Duration
	// Next is when the server may be asked again: when it said, or, with Latest, by
	// when its longest budget is counted anew. It is zero when nothing is known.
	Next   time.Time
	Latest bool
	Err    error
}

func (e *AwayError) Error() string {
	switch {
	case e.Latest:
		return fmt.Sprintf("%v; gave up after %s: the key's requests are used up, and the server does not say for how long; they are counted anew by %s at the latest",
			e.Err, e.Waited.Round(time.Second), e.Next.Format(time.RFC3339))
	case !e.Next.IsZero():
		return fmt.Sprintf("%v; it asks to wait until %s", e.Err, e.Next.Format(time.RFC3339))
	}
	return fmt.Sprintf("%v; gave up after %s of trying", e.Err, e.Waited.Round(time.Second))
}

func (e *AwayError) Unwrap() error { return e.Err }

// UnsettledError says that what the server counts fits neither outcome of a
// batch, so that sending it again or not would be a guess.
type UnsettledError struct {
	Import           string
	Counted          int64
	Expected, Batch  int64
	First, FirstNext int64
}

func (e *UnsettledError) Error() string {
	return fmt.Sprintf("import %s counts %d events, but hopper has settled %d in it%s: something else wrote to it, or a batch arrived twice. "+
		"To have every event once, run `hopper imports delete %s` and then the same command again: it sends that import's events anew",
		e.Import, e.Counted, e.Expected, e.batch(), e.Import)
}

func (e *UnsettledError) batch() string {
	if e.Batch == 0 {
		return ""
	}
	return fmt.Sprintf(" and sent %d more (events %d to %d)", e.Batch, e.First+1, e.FirstNext)
}

// UncountedError says that a server failed at a batch, which it may have stored
// without counting it, and that nothing but SQL, which it does not answer, tells.
type UncountedError struct {
	Import string
	// Events is how many events are settled in the import.
	Events           int64
	First, FirstNext int64
	Err              error
}

func (e *UncountedError) Error() string {
	doubt := fmt.Sprintf("the server failed at events %d to %d and may have stored them in import %s all the same, which only SQL could tell: %v",
		e.First+1, e.FirstNext, e.Import, e.Err)
	if e.Temporary() {
		return doubt + ". Run the same command again"
	}
	return fmt.Sprintf("%s. Sending them again could store them twice. To have every event once, run `hopper imports delete %s` and then the same command again: "+
		"it sends that import's %d events anew. Or use a key with the scope sql:read, where the server has SQL", doubt, e.Import, e.Events)
}

func (e *UncountedError) Unwrap() error { return e.Err }

// Temporary reports whether the same command may find out later.
func (e *UncountedError) Temporary() bool { return Temporary(e.Err) }

func status(err error) int {
	if e := refusal(err); e != nil {
		return e.Status
	}
	return 0
}

func refusal(err error) *StatusError {
	var e *StatusError
	if errors.As(err, &e) {
		return e
	}
	return nil
}

func lost(err error) *LostError {
	var e *LostError
	if errors.As(err, &e) {
		return e
	}
	return nil
}
