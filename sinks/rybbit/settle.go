package rybbit

import (
	"context"
	"errors"
	"fmt"
	"time"

	"hopper/pipeline"
	"hopper/sinks/rybbit/ledger"
)

// pace is how long batches have taken.
type pace struct {
	slowest time.Duration
	rate    float64 // greatest seconds per byte
}

// Measured on a real server: 45 MB in 7 seconds.
const usualRate = 7.0 / 45e6

// minRated is the size below which a batch's time is the way there and back
// and says nothing of what a large one takes.
const minRated = 1 << 20

func (p *pace) saw(size int, took time.Duration) {
	p.slowest = max(p.slowest, took)
	if size >= minRated {
		p.rate = max(p.rate, took.Seconds()/float64(size))
	}
}

// expect is how long a batch may take.
func (p *pace) expect(size int) time.Duration {
	return max(p.slowest, time.Duration(max(p.rate, usualRate)*float64(size)*float64(time.Second)))
}

// How an unknown outcome is settled.
//
// A server adds a batch's events to the import's counters when it stores them,
// and nothing when it does not, and there is only ever one batch in flight in
// an import. So the counters of an import are either what the ledger has
// settled in it, or that and the whole batch.
//
// The second is certain at once. The first is certain only when the request
// has ended on the server, which nobody sees: a list of imports was seen to
// give the old counters seconds after the connection had broken, and the whole
// batch half a second later (RYBBIT-API, seen on 2.7.0). So the counters
// must stand still, over looks whose distance grows, for longer than any batch
// of this size has taken, and for longer than the request itself had been
// waited for: from the last byte of its body, since the way there may be slow.
//
// Any other number, and an import that has been filled by somebody else, ends
// in an [UnsettledError].

// looks is how many times in a row the counters must be as before.
const looks = 2

// longestLook bounds the first wait, and so all of it to three times as much.
const longestLook = 5 * time.Minute

// settle finds out whether a batch was stored whose sending ended in trouble.
func (u *Upload) settle(ctx context.Context, imp ledger.Import, batch pipeline.Batch, size int, took time.Duration, trouble error) error {
	u.log.Warn("the answer to a batch is lost; looking whether it was stored",
		"first", batch.First+1, "events", batch.Events, "because", trouble.Error())
	refused := refusal(trouble)
	asked := refused != nil && refused.RetryAfter > 0
	if asked { // not to be asked anything before
		if err := u.retry.pause(ctx, trouble); err != nil {
			return err
		}
	}
	stored, err := u.outcome(ctx, imp, size, took)
	if err != nil {
		return err
	}
	if stored {
		return u.landed(batch)
	}
	if u.ledger.Pending() != nil { // else it is gone with its import
		if err := u.ledger.Add(ledger.Unsent{Reason: trouble.Error()}); err != nil {
			return err
		}
	}
	if cut := lost(trouble); cut != nil && cut.Broken && size > suspectBytes && ctx.Err() == nil {
		// The system takes some megabytes of a body before the server has seen
		// them, so that a body cut off for its size can seem sent.
		if err := u.shrink(size, trouble); err != nil {
			return err
		}
	}
	if asked {
		return nil
	}
	return u.retry.pause(ctx, trouble)
}

// outcome looks at the counters of imp until it is certain whether the
// ledger's pending batch is stored. It returns a [RewindError] when the import
// is gone.
func (u *Upload) outcome(ctx context.Context, imp ledger.Import, size int, waited time.Duration) (stored bool, err error) {
	pending := u.ledger.Pending().Batch
	pause := min(max(u.opt.SettleAfter, 2*u.pace.expect(size), waited/2), longestLook)
	for still := 0; still < looks; {
		if err := sleep(ctx, pause); err != nil {
			return false, err
		}
		pause *= 2
		found, err := u.lookFor(ctx, imp.ID)
		if err != nil {
			return false, err
		}
		if found == nil {
			if found, err = u.missed(ctx, imp); found == nil || err != nil {
				return false, err
			}
		}
		switch found.Total() - imp.Events {
		case 0:
			still++
		case int64(pending.Events):
			return true, nil
		default:
			return false, &UnsettledError{
				Import: imp.ID, Counted: found.Total(), Expected: imp.Events,
				Batch: int64(pending.Events), First: pending.First, FirstNext: pending.Next(),
			}
		}
	}
	return false, nil
}

// reconcile brings a ledger that an earlier run has left into agreement with
// the server: it settles the batch that was in flight, and learns which imports
// have ended or are gone.
func (u *Upload) reconcile(ctx context.Context) error {
	if u.ledger.Creating() != nil {
		if _, err := u.adopt(ctx); err != nil {
			return err
		}
	}
	if p := u.ledger.Pending(); p != nil {
		if err := u.settlePending(ctx, p); err != nil && !isRewind(err) {
			return err
		}
	}
	_, err := u.compare(ctx)
	if isRewind(err) {
		return nil // the next pass begins before what is gone
	}
	return err
}

func isRewind(err error) bool {
	var r *RewindError
	return errors.As(err, &r)
}

func (u *Upload) settlePending(ctx context.Context, p *ledger.Sending) error {
	imp, _ := u.ledger.Import(p.Import)
	u.log.Warn("the last run stopped while a batch was on its way; looking whether it was stored",
		"first", p.Batch.First+1, "events", p.Batch.Events)
	stored, err := u.outcome(ctx, imp, p.Batch.Bytes, 0)
	if err != nil {
		return err
	}
	switch {
	case stored:
		return u.ledger.Add(ledger.Stored{})
	case u.ledger.Pending() == nil: // gone with its import
		return nil
	}
	return u.ledger.Add(ledger.Unsent{Reason: "interrupted"})
}

// missed looks again for an import that a list did not hold, and records that
// it is gone when it is not found: to send all of its events again is too much
// to do on one answer's word.
func (u *Upload) missed(ctx context.Context, imp ledger.Import) (*Import, error) {
	if err := sleep(ctx, u.opt.SettleAfter); err != nil {
		return nil, err
	}
	found, err := u.lookFor(ctx, imp.ID)
	if found != nil || err != nil {
		return found, err
	}
	return nil, u.gone(imp, "the server no longer lists it")
}

// compare checks every import of the ledger against the server's list and
// returns what the server counts. All that are gone are recorded before it
// returns a [RewindError] for one of them.
func (u *Upload) compare(ctx context.Context) (ledger.Counts, error) {
	if len(u.ledger.Imports()) == 0 {
		return ledger.Counts{}, nil
	}
	imports, err := u.list(ctx)
	if err != nil {
		return ledger.Counts{}, err
	}
	var counts ledger.Counts
	var rewind error
	// gone removes from the ledger's list.
	for _, imp := range u.ledger.Imports() {
		found := lookup(imports, imp.ID)
		if found == nil {
			if found, err = u.missed(ctx, imp); isRewind(err) {
				rewind = err
			} else if err != nil {
				return ledger.Counts{}, err
			}
			if found == nil {
				continue
			}
		}
		if found.Total() != imp.Events {
			return ledger.Counts{}, &UnsettledError{Import: imp.ID, Counted: found.Total(), Expected: imp.Events}
		}
		if found.Completed != nil && imp.Open {
			reason := fmt.Sprintf("completed by the server at %s", *found.Completed)
			if err := u.ledger.Add(ledger.Closed{Import: imp.ID, Reason: reason}); err != nil {
				return ledger.Counts{}, err
			}
		}
		counts.Imported += found.Imported
		counts.Skipped += found.Skipped
		counts.Invalid += found.Invalid
	}
	return counts, rewind
}
