package rybbit

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
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
// and says nothing about a large one.
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
// batch half a second later (seen on 2.7.0). So the counters must stand still,
// over looks whose distance grows, until the server cannot be at work on the
// batch any more: for a multiple of the longest that any batch has taken, of the
// time that the request itself was waited for, and of [Options.SettleAfter]. The
// ledger has when the batch was sent and how long earlier ones took, so that a
// run which was killed counts as well.
//
// Before the import ends, its counters are compared once more, as long after
// such a conclusion as it took to come to it.
//
// Fewer events than are settled are no second writer, but counters that are
// behind: they are waited for. Any other number ends in an [UnsettledError].
//
// A server that stores a batch and fails to count it answers 500. SQL finds such a
// batch. Without SQL the counters prove nothing after a 500: the import is deleted
// and its events are sent anew in another one, or, where these are many, the run
// ends in an [UncountedError].

const (
	// looks is how many times in a row the counters must be as before.
	looks = 2
	// settleLooks makes the shortest wait 15 times SettleAfter, with looks after 1,
	// 3, 7 and 15 times.
	settleLooks = 4
	// longestDoubt bounds the wait.
	longestDoubt = 15 * time.Minute
	// slowLink is the slowest connection, in bytes a second, over which a request
	// of a run that was killed is believed to have ended some time after it began.
	slowLink = 125_000
	// cheapBytes is how much is sent anew, without asking, to be rid of an import
	// whose content nothing tells.
	cheapBytes = 100 << 20
)

// doubt is a batch whose outcome is unknown.
type doubt struct {
	batch  ledger.Batch
	from   time.Time     // the request was whole on the server by then, or never
	waited time.Duration // how long its answer was waited for
	failed bool          // the server may have it without counting it
}

// window is how long after a request the server may still be at work on it.
func (u *Upload) window(size int, waited time.Duration) time.Duration {
	return min(max(u.opt.SettleAfter*(1<<settleLooks-1), 6*u.pace.expect(size), waited*3/2), longestDoubt)
}

// verdict is what counters say about a batch in doubt.
type verdict uint8

const (
	nothingYet verdict = iota // they are as before the batch
	allOfIt                   // they have it
	behind                    // they have not even what is settled
	somethingElse
)

// judge compares what an import counts with what is settled in it and with
// the events of a batch in doubt.
func judge(counted, settled, batch int64) verdict {
	switch {
	case counted == settled:
		return nothingYet
	case batch > 0 && counted == settled+batch:
		return allOfIt
	case counted < settled:
		return behind
	}
	return somethingElse
}

// settle finds out whether a batch was stored whose sending ended in trouble.
func (u *Upload) settle(ctx context.Context, imp ledger.Import, batch pipeline.Batch, size int, took time.Duration, trouble error) (stored bool, _ error) {
	u.log.Warn("the answer to a batch is lost; looking whether it was stored",
		"event", "batch_in_doubt", "first", batch.First+1, "events", batch.Events, "because", trouble.Error())
	refused := refusal(trouble)
	asked := refused != nil && refused.RetryAfter > 0
	if asked { // not to be asked anything before
		if err := u.retry.pause(ctx, trouble); err != nil {
			return false, err
		}
	}
	if refused != nil && refused.Status == http.StatusInternalServerError {
		if err := u.ledger.Add(ledger.Failed{Reason: trouble.Error()}); err != nil {
			return false, err
		}
	}
	pending := u.ledger.Pending()
	d := doubt{batch: pending.Batch, from: time.Now(), waited: took, failed: pending.Failed}
	stored, err := u.conclude(ctx, imp, d, trouble.Error())
	if err != nil {
		return false, err
	}
	if stored {
		u.landed()
		return true, nil
	}
	if cut := lost(trouble); cut != nil && cut.Broken && ctx.Err() == nil {
		// A body that is cut off for its size can seem sent, since the system takes
		// some megabytes of it before the server has seen them. A server that died
		// under a batch dies under the next one, too.
		if err := u.suspect(size, trouble); err != nil {
			return false, err
		}
	}
	if asked {
		return false, nil
	}
	return false, u.retry.pause(ctx, trouble)
}

// conclude looks at the counters of imp until it is certain whether the batch
// in doubt is stored, and records that. It returns a [RewindError] when the
// import is gone with events in it.
func (u *Upload) conclude(ctx context.Context, imp ledger.Import, d doubt, reason string) (stored bool, err error) {
	over := d.from.Add(u.window(d.batch.Bytes, d.waited))
	pause := max(u.opt.SettleAfter, u.pace.expect(d.batch.Bytes)/2, d.waited/10)
	for still := 0; ; {
		if err := sleep(ctx, pause); err != nil {
			return false, err
		}
		pause *= 2
		if left := time.Until(over); left > 0 {
			pause = max(min(pause, left), u.opt.SettleAfter)
		}
		found, err := u.look(ctx, imp, nil)
		if err != nil {
			return false, err
		}
		if found == nil {
			return false, nil // gone, and with it the batch
		}
		if found.unlisted {
			return false, u.unlisted(imp, d)
		}
		settled := imp.Events - imp.Uncounted
		switch judge(found.Total(), settled, int64(d.batch.Events)) {
		case allOfIt:
			return true, u.ledger.Add(ledger.Stored{})
		case nothingYet:
			if still++; still >= looks && !time.Now().Before(over) {
				return u.notCounted(ctx, imp, d, reason)
			}
		case behind:
			if time.Since(over) > u.window(d.batch.Bytes, d.waited) {
				return false, u.lagging(imp.ID, found.Total(), settled)
			}
		default:
			return false, &UnsettledError{
				Import: imp.ID, Counted: found.Total(), Expected: settled,
				Batch: int64(d.batch.Events), First: d.batch.First, FirstNext: d.batch.Next(),
			}
		}
	}
}

// notCounted records what became of a batch that the counters do not have: it is
// not stored, unless the server holds more of the import's events than it counts.
func (u *Upload) notCounted(ctx context.Context, imp ledger.Import, d doubt, reason string) (stored bool, err error) {
	rows, err := u.rows(ctx, imp.ID)
	switch {
	case errors.Is(err, ErrNoSQL) && d.failed:
		return false, u.replace(ctx, imp, d, err)
	case errors.Is(err, ErrNoSQL):
		return false, u.ledger.Add(ledger.Unsent{Reason: reason, Waited: true})
	case err != nil:
		return false, err
	}
	// The counters may have come meanwhile, or be of before what is settled.
	found, err := u.steady(ctx, imp)
	if err != nil || found == nil {
		return false, err
	}
	settled := imp.Events - imp.Uncounted
	if judge(found.Total(), settled, int64(d.batch.Events)) == allOfIt {
		return true, u.ledger.Add(ledger.Stored{})
	}
	extra := rows - found.Imported - imp.Uncounted
	if found.Total() != settled || extra > int64(d.batch.Events) {
		return false, &UnsettledError{
			Import: imp.ID, Counted: max(rows, found.Total()), Expected: settled,
			Batch: int64(d.batch.Events), First: d.batch.First, FirstNext: d.batch.Next(),
		}
	}
	if extra <= 0 {
		return false, u.ledger.Add(ledger.Unsent{Reason: reason, Waited: true})
	}
	u.log.Warn("the server stored a batch and did not count it", "event", "batch_uncounted", "import", imp.ID, "events", extra)
	return true, u.ledger.Add(ledger.Stored{Uncounted: true})
}

// replace deletes an import of which nothing tells whether it has the batch in
// doubt, so that all of its events are sent anew. It returns what [Upload.gone]
// does. NoSQL is why SQL does not tell.
func (u *Upload) replace(ctx context.Context, imp ledger.Import, d doubt, noSQL error) error {
	if imp.Bytes > cheapBytes || status(noSQL) >= 500 { // in SQL that works again, it can be counted
		return &UncountedError{Import: imp.ID, Events: imp.Events, First: d.batch.First, FirstNext: d.batch.Next(), Err: noSQL}
	}
	u.log.Warn("the server failed at a batch and may have stored it, which it has no SQL to tell; deleting the import, to send its events in a new one",
		"event", "import_replaced", "import", imp.ID, "events", imp.Events)
	if err := u.remove(ctx, imp); err != nil {
		return err
	}
	return u.gone(imp, "deleted, since nothing told whether a batch was in it")
}

// steady returns what the server holds of an import once its counters have at
// least what is settled.
func (u *Upload) steady(ctx context.Context, imp ledger.Import) (*holding, error) {
	settled := imp.Events - imp.Uncounted
	pause := u.opt.SettleAfter
	for try := 0; ; try++ {
		found, err := u.look(ctx, imp, nil)
		if err != nil || found == nil || found.unlisted || found.Total() >= settled {
			return found, err
		}
		if try >= settleLooks {
			return nil, u.lagging(imp.ID, found.Total(), settled)
		}
		if err := sleep(ctx, pause); err != nil {
			return nil, err
		}
		pause *= 2
	}
}

// unlisted settles a batch of an import that the list has no more room for: by
// SQL alone, since nothing else shows its counters.
func (u *Upload) unlisted(imp ledger.Import, d doubt) error {
	return fmt.Errorf("%w; import %s is not among the %d that the server lists, so nothing tells whether events %d to %d are in it. "+
		"To have every event once, run `hopper imports delete %s` and then the same command again: it sends that import's events anew",
		ErrNoSQL, imp.ID, ListedImports, d.batch.First+1, d.batch.Next(), imp.ID)
}

func (u *Upload) lagging(id string, counted, settled int64) error {
	return &AwayError{Waited: u.window(0, 0), Err: fmt.Errorf(
		"the server lists %d events in import %s, fewer than the %d that it has acknowledged: its counters are behind, as after a restart. "+
			"If they stay so, events were lost there: `hopper imports delete %s` and the same command send that import's events anew",
		counted, id, settled, id)}
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

// settlePending settles the batch that was in flight when a run was killed. Its
// request had ended when this run got hold of the ledger, and before that when a
// slow connection would have taken it.
func (u *Upload) settlePending(ctx context.Context, p *ledger.Sending) error {
	imp, _ := u.ledger.Import(p.Import)
	u.log.Warn("the last run stopped while a batch was on its way; looking whether it was stored",
		"event", "batch_in_doubt", "first", p.Batch.First+1, "events", p.Batch.Events)
	from := p.At.Add(time.Duration(float64(p.Batch.Bytes) / slowLink * float64(time.Second)))
	if from.After(u.began) || from.Before(p.At) {
		from = u.began
	}
	_, err := u.conclude(ctx, imp, doubt{batch: p.Batch, from: from, failed: p.Failed}, "interrupted")
	return err
}

// holding is what the server holds of an import.
type holding struct {
	Import
	// unlisted says that the import is there and its counters are not known.
	unlisted bool
}

// look finds out what the server holds of an import. An import that is not
// listed is asked for, again and again, before it is called gone: its events
// would be sent again. It returns nil, once that is recorded, for one that is
// gone with nothing in it, and a [RewindError] for one with events. Imports is
// the list if it has just been asked for, else nil.
func (u *Upload) look(ctx context.Context, imp ledger.Import, imports []Import) (_ *holding, err error) {
	pause, absent := u.opt.SettleAfter, 0
	for try := 0; ; try++ {
		if imports == nil || try > 0 {
			if imports, err = u.list(ctx); err != nil {
				return nil, err
			}
		}
		if found := lookup(imports, imp.ID); found != nil {
			return &holding{Import: *found}, nil
		}
		presence, err := u.probe(ctx, imp.ID)
		if err != nil {
			return nil, err
		}
		if presence == Absent {
			absent++
		}
		switch {
		case presence == Absent && absent >= settleLooks-1:
			return nil, u.gone(imp, "the server no longer knows it")
		case presence != Absent && (len(imports) >= ListedImports || try >= settleLooks):
			return u.counted(ctx, imp, presence)
		}
		if err := sleep(ctx, pause); err != nil { // a list that is behind, or a server half started
			return nil, err
		}
		pause *= 2
	}
}

// counted counts by SQL what an import holds that is there and not listed.
func (u *Upload) counted(ctx context.Context, imp ledger.Import, presence Presence) (*holding, error) {
	h := &holding{Import: Import{ID: imp.ID, Platform: imp.Platform}}
	if presence == Ended {
		ended := "an unknown time"
		h.Completed = &ended
	}
	rows, err := u.rows(ctx, imp.ID)
	if errors.Is(err, ErrNoSQL) {
		h.unlisted = true
		return h, nil
	}
	h.Imported = rows - imp.Uncounted
	return h, err
}

// rows counts the events of an import that the server stores.
func (u *Upload) rows(ctx context.Context, id string) (int64, error) {
	var rows []struct {
		C jsonInt `json:"c"`
	}
	err := u.query(ctx, fmt.Sprintf("SELECT count() AS c FROM scoped_events WHERE import_id = '%s'", id), &rows)
	if err == nil && len(rows) != 1 {
		err = fmt.Errorf("%w: a count of one number has %d rows", ErrNoSQL, len(rows))
	}
	if err != nil {
		return 0, err
	}
	return int64(rows[0].C), nil
}

// compare checks every import of the ledger against the server and returns what
// the server counts. All that are gone are recorded before it returns a
// [RewindError] for one of them.
func (u *Upload) compare(ctx context.Context) (ledger.Counts, error) {
	var counts ledger.Counts
	if len(u.ledger.Imports()) == 0 {
		return counts, u.notBack(ctx)
	}
	imports, err := u.list(ctx)
	if err != nil {
		return counts, err
	}
	var rewind error
	for _, imp := range u.ledger.Imports() {
		found, err := u.agreed(ctx, imp, imports)
		if isRewind(err) {
			rewind = err
			continue
		}
		if err != nil {
			return ledger.Counts{}, err
		}
		if found == nil {
			continue
		}
		if found.Completed != nil && imp.Open {
			reason := "completed by the server at " + *found.Completed
			if err := u.ledger.Add(ledger.Closed{Import: imp.ID, Reason: reason}); err != nil {
				return ledger.Counts{}, err
			}
		}
		counts.Imported += found.Imported + imp.Uncounted
		counts.Skipped += found.Skipped
		counts.Invalid += found.Invalid
	}
	if rewind != nil {
		return counts, rewind
	}
	return counts, u.notBack(ctx)
}

// agreed returns what the server holds of an import once that is what the ledger
// has settled. Counters that are behind are waited for. Imports is the latest list.
func (u *Upload) agreed(ctx context.Context, imp ledger.Import, imports []Import) (*holding, error) {
	settled := imp.Events - imp.Uncounted
	found, err := u.look(ctx, imp, imports)
	if err == nil && found != nil && !found.unlisted && found.Total() < settled {
		found, err = u.steady(ctx, imp)
	}
	if err != nil || found == nil {
		return nil, err
	}
	if found.unlisted {
		u.log.Warn("the import is not among those that the server lists; what it holds is not compared", "event", "import_not_listed", "import", imp.ID)
		found.Imported = settled
		return found, nil
	}
	if v := judge(found.Total(), settled, imp.Uncounted); v != nothingYet && v != allOfIt {
		return nil, &UnsettledError{Import: imp.ID, Counted: found.Total(), Expected: settled}
	}
	found.Imported -= found.Total() - settled // what was not counted at first
	return found, u.confirm(ctx, imp, found)
}

// confirm counts once more what the server stored and did not count.
func (u *Upload) confirm(ctx context.Context, imp ledger.Import, found *holding) error {
	if imp.Uncounted == 0 {
		return nil
	}
	rows, err := u.rows(ctx, imp.ID)
	if err == nil && (rows <= found.Imported || rows > found.Imported+imp.Uncounted) {
		return &UnsettledError{Import: imp.ID, Counted: rows, Expected: imp.Events}
	}
	return err
}

// notBack looks for imports that were gone, whose events were sent again.
func (u *Upload) notBack(ctx context.Context) error {
	for _, id := range u.ledger.Gone() {
		presence, err := u.probe(ctx, id)
		if err != nil {
			return err
		}
		if presence != Absent {
			return fmt.Errorf("import %s, which the server had called gone, is back, and its events were sent again meanwhile. "+
				"To have every event once, run `hopper imports delete %s` and then the same command again", id, id)
		}
	}
	return nil
}

// jsonInt is a number that a server writes as one or as text.
type jsonInt int64

// UnmarshalJSON implements [json.Unmarshaler].
func (n *jsonInt) UnmarshalJSON(text []byte) error {
	v, err := strconv.ParseInt(strings.Trim(string(text), `"`), 10, 64)
	*n = jsonInt(v)
	return err
}
