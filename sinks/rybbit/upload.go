package rybbit

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/zeebo/xxh3"

	"hopper/pipeline"
	"hopper/sinks/rybbit/ledger"
)

// Options are the choices of an [Upload]. Zero values are defaults.
type Options struct {
	// MaxBatchBytes is the largest request body; 0 is [DefaultBatchBytes], and
	// [ScarceBatchBytes] where requests are scarce.
	MaxBatchBytes int
	// RetryFor is how long the server may be of no use before the run gives
	// up; 0 is [DefaultRetryFor].
	RetryFor time.Duration
	// SettleAfter is how long to wait at least before looking whether a batch
	// whose answer was lost has been stored; 0 is [DefaultSettleAfter].
	SettleAfter time.Duration
	// Grace is how long a request in flight may go on after the context has
	// ended; 0 is [DefaultGrace].
	Grace time.Duration
	// Backoff is the first wait between two tries; 0 is a second.
	Backoff time.Duration
	// Log takes what a user should know while it happens; nil discards it.
	Log *slog.Logger
	// Watch, if set, is called when a batch is about to be sent and when it is
	// stored, by one goroutine at a time, while others may translate.
	Watch func(Status)
}

// filled returns o with defaults for what is not set.
func (o Options) filled() Options {
	o.RetryFor = cmp.Or(o.RetryFor, DefaultRetryFor)
	o.SettleAfter = cmp.Or(o.SettleAfter, DefaultSettleAfter)
	o.Grace = cmp.Or(o.Grace, DefaultGrace)
	o.Backoff = cmp.Or(o.Backoff, time.Second)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

func (o Options) patience(working func() bool) patience {
	return patience{limit: o.RetryFor, base: o.Backoff, most: time.Minute, log: o.Log, working: working}
}

const (
	// DefaultBatchBytes is what every server was seen to take without harm.
	DefaultBatchBytes = 10 << 20
	// ScarceBatchBytes stays below the 50 MB that servers document.
	ScarceBatchBytes = 45 << 20
	// MaxBatchBytes is what servers document at most.
	MaxBatchBytes = 50_000_000
	// MinBatchBytes leaves room for an ordinary event. One that does not fit
	// ends the run with an error that says so.
	MinBatchBytes = 1 << 10
	// DefaultRetryFor covers the restart of a server.
	DefaultRetryFor = 15 * time.Minute
	// DefaultSettleAfter is a little less than what a real server was seen to
	// need after its first, outdated answer.
	DefaultSettleAfter = 2 * time.Second
	// DefaultGrace ends well before the 30 seconds that Kubernetes gives.
	DefaultGrace = 20 * time.Second
)

// An Upload brings the events of one migration into Rybbit, each exactly
// once: [NewUpload], then [Upload.Open] to learn the wire format, then
// [Upload.Run] with the translation into it.
//
// The context given to these methods ends the run softly: a request in flight
// may end, for a time, and what became of it is recorded. Whatever the
// error, and also when the process is killed, another Upload with the same
// ledger goes on where this one stopped.
type Upload struct {
	client *Client
	ledger *ledger.Ledger
	memory *Memory
	opt    Options
	log    *slog.Logger
	retry  patience // with batches

	queue  pipeline.Queue
	flight *flight // nil when no batch is on its way
	// sum is of the batch to come, and lacks about unsummed bytes of what has come of it.
	sum      sum
	unsummed int

	size  sizer
	began time.Time
	// before are the site's imports before this migration opened its first.
	before []Import
	listed []Import      // by the latest list
	stored []ledger.Span // what is in Rybbit when the translation began
	check  *checker
	pace   pace
	served throughput
	// platform is the wire format of this run.
	platform string
}

// NewUpload returns an upload of what the ledger says is not yet in Rybbit.
// The ledger and memory stay the caller's.
func NewUpload(client *Client, l *ledger.Ledger, memory *Memory, opt Options) *Upload {
	opt = opt.filled()
	u := &Upload{client: client, ledger: l, memory: memory, opt: opt, log: opt.Log, began: time.Now(), pace: memory.pace()}
	most := opt.MaxBatchBytes
	if most == 0 {
		most = DefaultBatchBytes
	}
	u.size = newSizer(most, memory.MaxBatchBytes)
	if time.Since(memory.Scarce) < memoryLasts {
		u.scarce()
	}
	if slowest := l.Slowest(); slowest.Took > 0 {
		u.pace.saw(slowest.Bytes, slowest.Took)
	}
	u.retry = u.patience()
	return u
}

// scarce lets batches grow as far as the server takes them, unless the user has
// said how large they may be.
func (u *Upload) scarce() {
	if u.opt.MaxBatchBytes == 0 {
		u.size.scarcity(ScarceBatchBytes)
	}
}

func (u *Upload) patience() patience { return u.opt.patience(u.works) }

// works reports whether the server has accepted the key lately.
func (u *Upload) works() bool { return u.client.working.Load() || u.memory.worked(u.client.identity()) }

// RewindError says that events which were stored are gone from Rybbit, so
// that the inputs must be read again.
type RewindError struct {
	Import string
	Reason string
}

func (e *RewindError) Error() string {
	return fmt.Sprintf("import %s and its events are gone (%s): they must be sent again", e.Import, e.Reason)
}

// Open brings the ledger and the server into agreement and returns the
// platform, and so the wire format, of the migration. When it has no import
// yet, one is opened: platforms are tried in the order given until the server
// knows one.
func (u *Upload) Open(ctx context.Context, platforms []string) (string, error) {
	// What it was bound to may turn out to be gone.
	bound := u.ledger.Platform()
	if err := u.reconcile(ctx); err != nil {
		return "", err
	}
	if u.platform = u.ledger.Platform(); u.platform == "" {
		if len(platforms) == 0 && bound != "" {
			platforms = []string{bound}
		}
		if err := u.create(ctx, platforms); err != nil {
			return "", err
		}
		u.platform = u.ledger.Platform()
	}
	return u.platform, nil
}

// A Run is what [Upload.Run] works on.
type Run struct {
	// Open opens the source, from its beginning. It is called again when
	// stored events are lost and must be read anew.
	Open func(context.Context) (pipeline.Source, error)
	// Translation makes events of it for the wire format that [Upload.Open] chose.
	Translation *pipeline.Translation
	// Encode makes collectors that write events in that format.
	Encode func() pipeline.Collector[*pipeline.Records]
	// EventsPerSecond is how many events of the format servers store in a second, by
	// experience; 0 is unknown. It decides how large the first batch is.
	EventsPerSecond int
	// Each, if set, sees each chunk before its events are sent.
	Each func(chunk *pipeline.Collected[*pipeline.Records]) error
}

// Run sends what is not yet stored, ends the import and compares the server's
// counts with the ledger.
func (u *Upload) Run(ctx context.Context, run Run) (ledger.Summary, error) {
	if err := u.strangers(ctx, run); err != nil {
		return ledger.Summary{}, err
	}
	for rewinds := 1; ; rewinds++ {
		summary, err := u.pass(ctx, run)
		if !isRewind(err) || rewinds > maxRewinds {
			return summary, err
		}
		if err := u.retry.pause(ctx, err); err != nil {
			return ledger.Summary{}, err
		}
		if err := u.reconcile(ctx); err != nil {
			return ledger.Summary{}, err
		}
	}
}

// maxRewinds is how many imports with events in them may be lost in one run
// before it is plain that the server loses each.
const maxRewinds = 5

// pass reads the inputs once. It ends early in a [RewindError] when events that
// it does not come by any more are gone.
func (u *Upload) pass(ctx context.Context, run Run) (_ ledger.Summary, err error) {
	u.queue, u.sum = pipeline.Queue{}, sum{}
	u.stored = u.ledger.Stored()
	u.check = nil
	from, batch := u.ledger.Resume()
	if batch != nil {
		u.check = newChecker(*batch)
	}
	src, err := run.Open(ctx)
	if err != nil {
		return ledger.Summary{}, err
	}
	defer func() { err = errors.Join(err, src.Close()) }()
	stats, err := pipeline.Translate(ctx, run.Translation, src, from, run.Encode, func(_ context.Context, chunk *pipeline.Collected[*pipeline.Records]) error {
		if run.Each != nil {
			if err := run.Each(chunk); err != nil {
				return err
			}
		}
		if records := chunk.Value; records.Len() > 0 && u.flight == nil {
			u.size.guess(float64(run.EventsPerSecond) * float64(records.Size()) / float64(records.Len()))
		}
		return u.chunk(ctx, chunk)
	})
	if landed := u.land(); landed != nil {
		err = landed // what ended the translation came later in the inputs
	}
	if errors.Is(err, pipeline.ErrShort) {
		return ledger.Summary{}, u.changed(err)
	}
	if err != nil {
		return ledger.Summary{}, err
	}
	return u.finish(ctx, stats)
}

// chunk takes the next chunk of the translation and sends what batches it fills.
func (u *Upload) chunk(ctx context.Context, chunk *pipeline.Collected[*pipeline.Records]) error {
	if u.flight.ended() {
		if err := u.land(); err != nil {
			return err
		}
	}
	defer u.queue.Keep() // or what another chunk writes would be sent
	u.queue.Mark(chunk.Before)
	first, records := chunk.Before.Stats.Events, chunk.Value
	for i := 0; i < records.Len(); {
		to, stored := u.stretch(first, i, records.Len())
		if err := u.compareRecords(first, records, i, to); err != nil {
			return err
		}
		if stored {
			// What precedes a stored event cannot be in one batch with what follows it.
			if err := u.flush(ctx); err != nil {
				return err
			}
			i = to
			continue
		}
		u.queue.Add(first+int64(i), records, i, to)
		if err := u.sendFull(ctx); err != nil {
			return err
		}
		i = to
	}
	u.sumAhead(records.Size())
	return nil
}

// sumAhead adds what has come of the batch that is sent next to its sum, size bytes of it
// by a chunk: that is in the processor's cache now, and a batch that is full need not
// wait for its sum.
func (u *Upload) sumAhead(size int) {
	if u.unsummed += size; u.unsummed < summedAtOnce {
		return
	}
	u.unsummed = 0
	var next pipeline.Batch
	if f := u.flight; f != nil {
		next, _ = u.queue.BatchFrom(f.batch.Next(), f.limit-batchFrame)
	} else {
		next, _ = u.queue.Batch(u.size.limit - batchFrame)
	}
	u.sum.add(next)
}

// stretch returns where the stretch of a chunk's records from one on ends that are
// all stored, or all not. First is the number of the chunk's first.
func (u *Upload) stretch(first int64, from, to int) (end int, stored bool) {
	for len(u.stored) > 0 && u.stored[0].Next <= first+int64(from) {
		u.stored = u.stored[1:]
	}
	if len(u.stored) == 0 {
		return to, false
	}
	span := u.stored[0]
	if stored = span.First <= first+int64(from); stored {
		return int(min(int64(to), span.Next-first)), true
	}
	return int(min(int64(to), span.First-first)), false
}

// compareRecords holds records to the stored batch that lies where a run goes on.
func (u *Upload) compareRecords(first int64, records *pipeline.Records, from, to int) error {
	if u.check == nil || u.check.done() {
		return nil
	}
	for i := from; i < to; i++ {
		if differs := u.check.add(first+int64(i), records.Record(i)); differs != nil {
			if err := u.land(); err != nil {
				return err
			}
			return u.changed(differs)
		}
	}
	return nil
}

// A flight is a batch on its way to the server, which a goroutine of its own sees
// through to what becomes of it, while the queue takes what follows the batch. There
// is one at a time: until it has landed, nothing else looks at the ledger, the client
// or what is known of the server.
type flight struct {
	batch  pipeline.Batch
	limit  int // how large batches were when it began
	done   chan struct{}
	stored bool
	err    error
}

// summedAtOnce keeps short chunks, as of many small files, from being looked up one by one.
const summedAtOnce = 64 << 10

// maxAhead bounds what is gathered while a batch is on its way.
const maxAhead = DefaultBatchBytes

// room is how large the queue may get before a batch is full, or has to land.
func (u *Upload) room() int {
	if f := u.flight; f != nil {
		return f.batch.Size + min(f.limit, maxAhead)
	}
	return u.size.limit - batchFrame
}

// sendFull sends the batches that are full, and returns while the last is on its way.
func (u *Upload) sendFull(ctx context.Context) (err error) {
	for err == nil && u.queue.Size() > u.room() {
		if u.flight != nil {
			err = u.land()
		} else {
			err = u.start(ctx)
		}
	}
	return err
}

// flush sends all that waits, and returns when it is stored.
func (u *Upload) flush(ctx context.Context) error {
	for {
		if err := u.land(); err != nil || u.queue.Len() == 0 {
			return err
		}
		if err := u.start(ctx); err != nil {
			return err
		}
	}
}

// start sends a batch from the front of the queue on its way.
func (u *Upload) start(ctx context.Context) error {
	batch, _ := u.queue.Batch(u.size.limit - batchFrame)
	if batch.Events == 0 {
		u.forget()
		return fmt.Errorf("a batch may have at most %d bytes, too few for event %d; raise --max-batch-bytes, or the limit of the server or of the proxy in front of it",
			u.size.limit, batch.First+1)
	}
	f := &flight{batch: batch, limit: u.size.limit, done: make(chan struct{})}
	u.flight = f
	digest := u.sum.of(batch)
	go func() {
		defer close(f.done)
		f.stored, f.err = u.send(ctx, batch, digest)
	}()
	return nil
}

// land waits for the batch that is on its way, if there is one. It leaves the queue
// if it is stored, and else is at its front for another try.
func (u *Upload) land() error {
	f := u.flight
	if f == nil {
		return nil
	}
	<-f.done
	u.flight = nil
	if f.stored {
		u.queue.Drop(f.batch.Events)
	}
	return f.err
}

// ended reports whether landing does not wait.
func (f *flight) ended() bool {
	if f == nil {
		return false
	}
	select {
	case <-f.done:
		return true
	default:
		return false
	}
}

// finish sends what is left, ends the import and compares the server's counts
// with the ledger. The stats are those of the whole migration.
func (u *Upload) finish(ctx context.Context, stats pipeline.Stats) (ledger.Summary, error) {
	if err := u.flush(ctx); err != nil {
		return ledger.Summary{}, err
	}
	if u.check != nil && !u.check.done() {
		return ledger.Summary{}, u.changed(pipeline.ErrShort)
	}
	if have := u.ledger.Missing(); have != stats.Events {
		return ledger.Summary{}, u.changed(fmt.Errorf("they give %d events now and gave at least %d before", stats.Events, have))
	}
	if doubted := u.ledger.Doubted(); !doubted.IsZero() {
		// What was taken for not stored, and sent again, must not come after the end.
		window := u.window(0, 0)
		if err := sleep(ctx, min(window, time.Until(doubted.Add(window)))); err != nil {
			return ledger.Summary{}, err
		}
	}
	for imp, open := u.ledger.Current(); open; imp, open = u.ledger.Current() {
		if err := u.complete(ctx, imp); err != nil {
			return ledger.Summary{}, err
		}
	}
	counts, err := u.compare(ctx)
	if err == nil {
		err = u.meanwhile(u.listed, stats.Events)
	}
	if err != nil {
		return ledger.Summary{}, err
	}
	if err := u.ledger.Add(ledger.End{Stats: stats, Counts: counts}); err != nil {
		return ledger.Summary{}, err
	}
	summary, _ := u.ledger.Complete()
	return summary, nil
}

// changed explains why a resumed migration does not fit its ledger.
func (u *Upload) changed(err error) error {
	return fmt.Errorf("the inputs no longer give the events that were sent from them (%w): "+
		"an input has been changed, or hopper has (%s began this migration). "+
		"Finish it with the same inputs and the same hopper, or delete its imports (%s) with `hopper imports delete` and run again",
		err, u.ledger.Version(), strings.Join(u.ledger.Summary().Imports, ", "))
}

// send delivers a batch of that digest. It returns false without an error when the batch is not
// stored and can be tried again.
func (u *Upload) send(ctx context.Context, batch pipeline.Batch, digest string) (stored bool, err error) {
	imp, open := u.ledger.Current()
	if !open {
		if err := u.create(ctx, []string{u.platform}); err != nil {
			return false, err
		}
		imp, _ = u.ledger.Current()
	}
	if err := u.ready(ctx); err != nil {
		return false, err
	}
	sent := ledger.Batch{
		First: batch.First, Events: batch.Events, Bytes: batch.Size + batchFrame,
		XXH3: digest, Mark: batch.Mark,
	}
	if err := u.ledger.Add(ledger.Sending{Import: imp.ID, Batch: sent}); err != nil {
		return false, err
	}
	u.watch(sent.Bytes)
	began := time.Now()
	err = u.inFlight(ctx, func(ctx context.Context) error { return u.client.Send(ctx, imp.ID, batch.Body...) })
	took := time.Duration(u.client.waited.Load())
	if err == nil {
		if err := u.ledger.Add(ledger.Stored{Took: took}); err != nil {
			return false, err
		}
		u.served.saw(batch.Events, time.Since(began))
		u.learn(sent.Bytes, took)
		u.landed()
		return true, nil
	}
	u.watch(0)
	u.log.Debug("a batch met trouble", "first", batch.First+1, "events", batch.Events, "error", err)
	return u.failed(ctx, imp, batch, sent.Bytes, took, err)
}

// learn notes how the server took a batch.
func (u *Upload) learn(size int, took time.Duration) {
	u.pace.saw(size, took)
	u.size.stored(size, took)
	news := u.memory.paced(u.pace)
	if known := u.memory.MaxBatchBytes; known > 0 && size > known {
		u.memory.MaxBatchBytes, u.memory.Learned = size, time.Now().UTC()
		news = true
	}
	if news {
		u.remember()
	}
}

// landed notes that a batch is stored.
func (u *Upload) landed() {
	u.retry.success()
	u.watch(0)
	if u.memory.works(u.client.identity()) {
		u.remember()
	}
}

// fate is what an answer says about a batch, and what is to be done.
type fate uint8

const (
	unknown  fate = iota // it may be stored: look
	tooLarge             // it is not stored; its size may be why
	ended                // it is not stored, since the import takes no more
	vanished             // it is not stored, since the import is not there
	refused              // it is not stored, and would not be
	later                // it is not stored, and may be later
)

// fateOf reads what became of a batch from the error that its sending ended in.
// Interrupted says that the user ended it.
func fateOf(err error, interrupted bool) fate {
	cut, code := lost(err), status(err)
	switch {
	case code == http.StatusRequestEntityTooLarge:
		return tooLarge
	case cut != nil && cut.Unsent:
		// Real servers cut a body that is too large instead of answering 413.
		if cut.CutAt > 0 && !cut.Stalled && !interrupted {
			return tooLarge
		}
		return later
	case code == http.StatusConflict, code == http.StatusBadRequest && isComplete(err):
		return ended
	case code == http.StatusNotFound && !refusal(err).Foreign:
		return vanished
	case code == http.StatusBadRequest:
		return refused
	case code/100 == 4 && code != http.StatusRequestTimeout, code/100 == 3:
		return later
	}
	return unknown
}

// failed does what the fate of a batch whose sending ended in err asks for: it
// records what is known and makes ready for the next try, or finds that the batch is stored.
func (u *Upload) failed(ctx context.Context, imp ledger.Import, batch pipeline.Batch, size int, took time.Duration, err error) (stored bool, _ error) {
	fate := fateOf(err, ctx.Err() != nil)
	if fate == unknown {
		return u.settle(ctx, imp, batch, size, took, err)
	}
	if err := u.ledger.Add(ledger.Unsent{Reason: err.Error()}); err != nil {
		return false, err
	}
	switch fate {
	case tooLarge:
		return false, u.tooLarge(ctx, size, err)
	case ended:
		u.log.Warn("the server has ended the import; going on in a new one", "event", "import_ended", "import", imp.ID, "because", err.Error())
		if err := u.ledger.Add(ledger.Closed{Import: imp.ID, Reason: err.Error()}); err != nil {
			return false, err
		}
		return false, u.retry.pause(ctx, err)
	case vanished:
		found, lookErr := u.look(ctx, imp, nil)
		if lookErr != nil || found != nil {
			return false, errors.Join(lookErr, err)
		}
		return false, u.retry.pause(ctx, err)
	case refused:
		err = fmt.Errorf("events %d to %d were refused as a whole, so this server's rules differ from those that hopper knows; "+
			"nothing of them is stored: %w", batch.First+1, batch.Next(), err)
		return false, errors.Join(err, u.abandon(ctx, imp))
	}
	return false, u.wait(ctx, &u.retry, err)
}

// wait waits for another try, and remembers a server whose requests are scarce.
func (u *Upload) wait(ctx context.Context, retry *patience, err error) error {
	if s := refusal(err); s != nil && isLimit(s, u.works) {
		u.scarce()
		if time.Since(u.memory.Scarce) > time.Hour {
			u.memory.Scarce = time.Now().UTC()
			u.remember()
		}
	}
	return retry.wait(ctx, err)
}

// isBusy reports whether a server refuses an import because of another one.
func isBusy(s *StatusError) bool {
	return s.Status == http.StatusTooManyRequests && strings.Contains(strings.ToLower(s.Message), "import")
}

// tooLarge goes on after a body that was refused or cut off: with smaller ones
// when its size is to blame, else later with the same.
func (u *Upload) tooLarge(ctx context.Context, size int, err error) error {
	cut := lost(err)
	if cut != nil && size <= suspectBytes {
		return u.retry.wait(ctx, err)
	}
	if err := u.suspect(size, err); err != nil {
		return err
	}
	if cut == nil && size > u.size.limit {
		return nil // a refusal in words needs no pause
	}
	return u.retry.pause(ctx, err)
}

// suspectBytes is the size from which a body that was cut off is suspected to
// be too large rather than unlucky.
const suspectBytes = 512 << 10

func isComplete(err error) bool {
	s := refusal(err)
	return s != nil && strings.Contains(strings.ToLower(s.Message), "already complete")
}

// suspect makes batches smaller after one of size bytes was refused or met its
// end, when its size is to blame, and remembers that.
func (u *Upload) suspect(size int, err error) error {
	if lost(err) != nil && size <= suspectBytes || !u.size.blames(size) {
		return nil
	}
	if u.size.limit >= size && u.size.taken == 0 {
		u.forget()
		return fmt.Errorf("a body of %d bytes is still too large for the server: %w", size, err)
	}
	u.log.Warn("the server does not take a batch this large; sending smaller ones", "event", "batch_too_large", "bytes", size, "because", err.Error())
	u.memory.MaxBatchBytes, u.memory.Learned = u.size.limit, time.Now().UTC()
	u.remember()
	return nil
}

// forget drops a limit that nothing can be sent below, so that the next run
// tries anew: it may have been raised.
func (u *Upload) forget() {
	u.memory.MaxBatchBytes = 0
	u.remember()
}

// remember keeps what was learned. Without it the next run learns it again.
func (u *Upload) remember() {
	if err := u.memory.Save(); err != nil {
		u.log.Warn("what was learned of the server cannot be kept", "event", "memory_not_kept", "because", err.Error())
	}
}

// abandon ends an import that nothing was stored in, so that it keeps no other
// one out, and the migration can take another wire format.
func (u *Upload) abandon(ctx context.Context, imp ledger.Import) error {
	if imp.Events > 0 {
		return nil
	}
	u.log.Warn("closing the import, which holds nothing; another --wire may pass", "event", "import_closed", "import", imp.ID)
	return u.complete(ctx, imp)
}

// gone records that an import and its events are no longer there.
func (u *Upload) gone(imp ledger.Import, reason string) error {
	if err := u.ledger.Add(ledger.Gone{Import: imp.ID, Reason: reason}); err != nil {
		return err
	}
	if imp.Events == 0 {
		u.log.Warn("the import is gone; going on in a new one", "event", "import_gone", "import", imp.ID, "because", reason)
		return nil
	}
	u.log.Warn("the import is gone; its events are sent again", "event", "import_gone", "import", imp.ID, "events", imp.Events, "because", reason)
	return &RewindError{Import: imp.ID, Reason: reason}
}

// create opens an import on the first platform that the server knows.
//
// When the answer to a try is lost, the import may have been made all the
// same, at once or later, and then keeps the next one out for hours on some
// servers: it is taken over as soon as it shows.
func (u *Upload) create(ctx context.Context, platforms []string) error {
	unsure := u.ledger.Creating() != nil
	var known []string
	if unsure {
		known = u.ledger.Creating().Known
	} else {
		before, err := u.list(ctx)
		if err != nil {
			return err
		}
		u.before = before
		for _, imp := range before {
			known = append(known, imp.ID)
		}
	}
	if len(platforms) > 1 {
		// Never all of them: a server that has forgotten its platforms must say so itself.
		if left := slices.DeleteFunc(slices.Clone(platforms), u.unknown); len(left) > 0 {
			platforms = left
		}
	}
	retry, told := u.patience(), false
	for i := 0; i < len(platforms); {
		platform := platforms[i]
		if err := u.ready(ctx); err != nil {
			return err
		}
		if err := u.ledger.Add(ledger.Creating{Platform: platform, Known: known}); err != nil {
			return err
		}
		var made Created
		err := u.inFlight(ctx, func(ctx context.Context) (err error) {
			made, err = u.client.Create(ctx, platform)
			return err
		})
		if err == nil {
			if unsure {
				u.log.Warn("a lost answer may have left an empty import open; `hopper imports list` shows it, `hopper imports close` closes it", "event", "empty_import_left")
			}
			return u.opened(made, platform)
		}
		switch cut := lost(err); {
		case cut != nil && !cut.Unsent, status(err) >= 500, status(err) == http.StatusRequestTimeout:
			unsure = true
		case !unsure:
			if err := u.ledger.Add(ledger.Refused{Reason: err.Error()}); err != nil {
				return err
			}
		}
		if r := refusal(err); r != nil && r.Status == http.StatusBadRequest && !r.Foreign {
			u.log.Debug("the server does not know the platform", "platform", platform)
			u.memory.Unknown[platform] = time.Now().UTC()
			u.remember()
			i++
			continue
		}
		if r := refusal(err); r != nil && isBusy(r) {
			if err := u.busy(ctx, told); err != nil {
				return err
			}
			told = true
		}
		if err := u.wait(ctx, &retry, err); err != nil {
			return err
		}
		if unsure {
			if adopted, err := u.adopt(ctx); adopted || err != nil {
				return err
			}
		}
	}
	return fmt.Errorf("the server knows none of the wire formats asked for (%s); an older server needs --wire umami, or --wire auto",
		strings.Join(platforms, ", "))
}

func (u *Upload) unknown(platform string) bool { _, ok := u.memory.Unknown[platform]; return ok }

func (u *Upload) opened(made Created, platform string) error {
	delete(u.memory.Unknown, platform)
	u.memory.works(u.client.identity())
	u.remember()
	u.log.Info("import opened", "event", "import_opened", "import", made.ID, "wire", platform, slog.Group("", "earliest", made.Allowed.Earliest, "latest", made.Allowed.Latest))
	return u.ledger.Add(ledger.Created{Import: made.ID, Platform: platform})
}

// adopt takes over the import that a lost answer told of: the only one that
// was not there before, is empty, open and of the same platform.
func (u *Upload) adopt(ctx context.Context) (bool, error) {
	imports, err := u.list(ctx)
	if err != nil {
		return false, err
	}
	var fresh []Import
	for _, imp := range imports {
		if imp.Platform == u.ledger.Creating().Platform && imp.Completed == nil && imp.Total() == 0 &&
			!slices.Contains(u.ledger.Creating().Known, imp.ID) {
			fresh = append(fresh, imp)
		}
	}
	if len(fresh) != 1 {
		return false, nil
	}
	return true, u.opened(Created{ID: fresh[0].ID}, fresh[0].Platform)
}

// complete ends an import. It may be repeated.
func (u *Upload) complete(ctx context.Context, imp ledger.Import) error {
	retry := u.patience()
	for {
		if err := u.ready(ctx); err != nil {
			return err
		}
		err := u.inFlight(ctx, func(ctx context.Context) error { return u.client.Complete(ctx, imp.ID) })
		switch code := status(err); {
		case err == nil:
			return u.ledger.Add(ledger.Closed{Import: imp.ID, Reason: "complete"})
		case code == http.StatusConflict, code == http.StatusBadRequest && isComplete(err),
			code == http.StatusNotFound && !refusal(err).Foreign:
			// What became of it, comparing tells.
			return u.ledger.Add(ledger.Closed{Import: imp.ID, Reason: err.Error()})
		case code == http.StatusRequestEntityTooLarge: // a proxy's whim: no event is in the request
			err = retry.pause(ctx, err)
		default:
			err = retry.wait(ctx, err)
		}
		if err != nil {
			return err
		}
	}
}

// list asks for the site's imports until it gets them.
func (u *Upload) list(ctx context.Context) (imports []Import, err error) {
	err = u.ask(ctx, func(ctx context.Context) (err error) {
		imports, err = u.client.Imports(ctx)
		return err
	})
	u.listed = imports
	return imports, err
}

func lookup(imports []Import, id string) *Import {
	for i := range imports {
		if imports[i].ID == id {
			return &imports[i]
		}
	}
	return nil
}

// ready waits until a request may be made. Nothing that is recorded as being
// sent is given up for ctx after this.
func (u *Upload) ready(ctx context.Context) error {
	if err := u.client.Turn(ctx); err != nil {
		return err
	}
	return context.Cause(ctx)
}

// inFlight runs a request that outlives ctx by the grace period, so that an
// interrupted run still learns what became of it.
func (u *Upload) inFlight(ctx context.Context, request func(context.Context) error) error {
	hard, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(u.opt.Grace, cancel) })
	defer stop()
	return request(hard)
}

// checker compares a stored batch with what the input gives now.
type checker struct {
	want   ledger.Batch
	digest string // of want
	sum    hash.Hash
	next   int64
}

func newChecker(want ledger.Batch) *checker {
	if want.XXH3 == "" { // an older build sent it
		return &checker{want: want, digest: want.SHA256, sum: sha256.New()}
	}
	return &checker{want: want, digest: want.XXH3, sum: xxh3.New128()}
}

func (c *checker) add(index int64, record []byte) error {
	if index < c.want.First || c.done() {
		return nil
	}
	if index > c.want.First {
		c.sum.Write([]byte{','})
	}
	c.sum.Write(record)
	c.next = index + 1
	if c.done() && hex.EncodeToString(c.sum.Sum(nil)) != c.digest {
		return fmt.Errorf("events %d to %d differ", c.want.First+1, c.want.Next())
	}
	return nil
}

func (c *checker) done() bool { return c.next >= c.want.Next() }

// probe asks the server for an import until it answers.
func (u *Upload) probe(ctx context.Context, id string) (presence Presence, err error) {
	err = u.ask(ctx, func(ctx context.Context) (err error) {
		presence, err = u.client.Probe(ctx, id)
		return err
	})
	return presence, err
}

// queryTries is how often SQL is tried that the server itself fails at, over half
// a minute: an import can do without. A server that is away is waited for.
const queryTries = 6

// query asks the server for an answer to SQL. It returns [ErrNoSQL] when there is none.
func (u *Upload) query(ctx context.Context, sql string, rows any) error {
	retry, tries := u.patience(), 0
	for {
		if err := u.ready(ctx); err != nil {
			return err
		}
		err := u.inFlight(ctx, func(ctx context.Context) error { return u.client.Query(ctx, sql, rows) })
		if err == nil || errors.Is(err, ErrNoSQL) {
			return err
		}
		if s := refusal(err); s != nil && !s.Foreign && !isLimit(s, u.works) {
			if tries++; tries >= queryTries {
				return fmt.Errorf("%w: %w", ErrNoSQL, err)
			}
		}
		if err := u.wait(ctx, &retry, err); err != nil {
			return err
		}
	}
}

// ask makes a request that changes nothing until it is answered.
func (u *Upload) ask(ctx context.Context, request func(context.Context) error) error {
	retry := u.patience()
	for {
		if err := u.ready(ctx); err != nil {
			return err
		}
		err := u.inFlight(ctx, request)
		if err == nil {
			return nil
		}
		if err := u.wait(ctx, &retry, err); err != nil {
			return err
		}
	}
}
