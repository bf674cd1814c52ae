// Package recount checks a translation from outside: it counts the rows of an
// export the way Rybbit's dashboard counts, counts the events that the
// translation sends likewise, and compares the two, table by table and day by
// day.
//
// The rows are told by [Facts], which each adapter has beside its
// translation and which shares nothing with that but the reading of files: it
// looks cells up by name and understands as little as it can. So an error of
// the translation shows as a difference. Only words are brought into one form
// for both sides (packages vocabulary and places, and [pipeline.EscapePath]):
// that Windows 10 is Windows is no difference. Mobile Chrome counts as Chrome
// here, as what tells them apart is the system.
//
// # How the dashboard counts
//
// A user is a distinct visitor id and a session a distinct session id. A bounce
// is a session with one pageview. A session lasts from its first to its last
// event. Its entry and exit page are its first and last pageview. Here a
// session belongs to the day, in UTC, on which it begins, and has the referrer,
// browser, system, device and country of its first event that tells one.
//
// # What is compared
//
// Rows that the translation rejects or omits are no difference as long as it
// counts them: the rows that became no event must be as many as it says. What
// remains must be sent, measure by measure. What a row does not tell is not
// compared, where the translation may derive it, as the system of a GA4 visitor
// whose system is given as "Web".
//
// # Memory
//
// Sessions, users and sums are sorted on disk beyond some megabytes, of about
// 90 bytes an event and side. In memory are two bytes for each row, and each
// distinct page, referrer, word and event name once (some 100 bytes beside its
// text, of which the first [keyUnits] count), and some 100 bytes a measure and
// day.
package recount

import (
	"context"
	"errors"
	"time"

	"hopper/pipeline"
)

// A Fact is what one row of an export, or one hit in it, says of an event.
type Fact struct {
	// Origin is the row from which the translation makes the event.
	Origin pipeline.Origin
	// Joined is how many further rows the event takes.
	Joined int64
	// At is when it happened; 0 is a row that tells no time, or no row at all.
	At   pipeline.Micros
	Kind pipeline.Kind
	// Name is a custom event's.
	Name string
	// Visitor and Session are empty where the row does not tell them. Any text
	// that is different for different ones will do.
	Visitor, Session string
	// Paused says of an event without a Session that its visit is not told but
	// follows from when the visitor paused: for [Pause] or longer.
	Paused bool
	// Host is the site's, and Page the path.
	Host, Page string
	// Referrer is an address, a host, or [None]. It and what follows are empty
	// where the row does not tell them.
	Referrer                     string
	Browser, OS, Device, Country string
}

// Pause is how long a visitor must do nothing for a new visit to begin.
const Pause = 30 * time.Minute

// None is a Fact's referrer where the row says that there is none.
const None = "(none)"

// Facts streams the facts of all rows that a translation of the same inputs
// and options reads, in the same order, and returns the first error of yield.
type Facts func(ctx context.Context, yield func(*Fact) error) error

// ErrNoFacts is returned by [Facts] for an export that holds sums, of which
// no row is an event.
var ErrNoFacts = errors.New("holds sums and no events, so that there are no rows to compare what is sent with; hopper inspect tells what is made of it")

// An Export is what is to be verified.
type Export struct {
	Facts Facts
	// Source is the inputs' source. It is read to its end and not closed.
	Source pipeline.Source
	// Progress, if set, is told how many events have come through, chunk by chunk.
	Progress func(events int64)
	// TempDir is where sorting spills; empty is the system's.
	TempDir string
}

// Compare runs t over the export, recounts its rows, and compares.
func Compare(ctx context.Context, e Export, t pipeline.Translation) (*Comparison, error) {
	return compareWithin(ctx, e, t, 16<<20)
}

// compareWithin is Compare with sorts that take this much memory before they
// spill; up to three go on at once.
func compareWithin(ctx context.Context, e Export, t pipeline.Translation, memory int) (_ *Comparison, err error) {
	c := newCounter(&t.Normalizer, e.TempDir, memory)
	defer func() { err = errors.Join(err, c.close()) }()
	collect := func() pipeline.Collector[[]hit] { return new(hits) }
	stats, err := pipeline.Translate(ctx, &t, e.Source, pipeline.Mark{}, collect, func(_ context.Context, chunk *pipeline.Collected[[]hit]) error {
		if e.Progress != nil {
			e.Progress(chunk.Before.Stats.Events + chunk.Stats.Events)
		}
		if err := c.sent(chunk.Value); err != nil {
			return err
		}
		for _, r := range chunk.Rejects {
			*c.row(pipeline.Origin{Input: r.Input, Row: r.Row}) |= rowRejected
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if err := e.Facts(ctx, c.source); err != nil {
		return nil, err
	}
	out, err := c.compare(ctx)
	if err != nil {
		return nil, err
	}
	out.account(c, &stats)
	return out, nil
}
