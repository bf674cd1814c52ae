package hopper

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	_ "time/tzdata" // zones by name on machines without a zone database

	"hopper/adapters"
	"hopper/adapters/input"
	"hopper/pipeline"
	"hopper/sinks/rybbit"
	"hopper/sinks/rybbit/ledger"
)

// Options say how inputs are read. The zero value is what most callers want.
type Options struct {
	// From is the name of the inputs' source; empty and "auto" find it out.
	From string
	// Since and Until are the first and the last day to keep, in UTC, as
	// "2024-01-31"; empty is no bound. A time, as "2024-01-31T08:00:00Z", keeps
	// the events from it on, or before it. Until can be [Live], for an import.
	Since, Until string
	// Timezone is the zone of days and times without one, as "Europe/Berlin".
	// Empty is what the export says, else UTC.
	Timezone string
	// Hostname is for events without one.
	Hostname string
	// Chosen holds options that only some sources offer ([SourceOptions]), by
	// name, where they are set.
	Chosen map[string]string
	// Privacy says which facts are left behind.
	Privacy Privacy
	// Jobs is the number of workers that translate; 0 is one a processor.
	Jobs int
	// Stdin is what the input "-" reads.
	Stdin io.Reader
	// TempDir is where large joins and sorts go; empty is the system's.
	TempDir string
	// Log takes what a user should read; nil discards it.
	Log *slog.Logger
	// Progress, if set, is called from time to time while inputs are read, by
	// one goroutine at a time.
	Progress func(Progress)
}

// Progress is how far reading has come.
type Progress struct {
	// Stage is what is being done: "checking" while inputs are identified,
	// "surveying" while they are read for what to know before events, and else empty.
	Stage string
	// Read is how many bytes of the inputs, as stored, were read, and Size how
	// many there are; -1 is unknown.
	Read, Size int64
	// Events is how many events have come through.
	Events int64
	// Expected is about how many there are in all; 0 is unknown.
	Expected int64
	// Upload is how far an upload has come; nil where there is none.
	Upload *rybbit.Status
}

// An Export is inputs that are recognized as those of one source.
type Export struct {
	options Options
	args    []string
	days    days
	zone    *time.Location // nil is what the export says
	inputs  *input.Inputs
	adapter adapters.Adapter
	match   adapters.Match
	events  atomic.Int64
	told    time.Time  // when progress was told
	telling sync.Mutex // an upload tells it beside the translation
	// expected is about how many events there are, by the beginning of the inputs,
	// and uploaded how far an upload has come.
	expected atomic.Int64
	uploaded atomic.Pointer[rybbit.Status]
	// digests are those of inputs that manifests tell.
	digests map[string]string
	// identity is that of the inputs, once they have been read for it, with digests
	// of the kinds of sums.
	identity *input.Identity
	sums     ledger.Sums
	// live is where --until live stands, once that is known.
	live string
}

// days are the bounds of the events kept.
type days struct{ since, until pipeline.Micros }

// Open finds the inputs that args name (paths, globs, directories, archives,
// "-") and finds out what they are. It reads the beginning of each. An
// [OptionError] says which of the options cannot be.
func Open(ctx context.Context, args []string, options Options) (*Export, error) {
	e := &Export{options: options, args: args}
	if err := e.check(); err != nil {
		return nil, err
	}
	var err error
	if e.inputs, err = input.Open(ctx, args, options.Stdin, options.TempDir, stores(e.options.Log)...); err != nil {
		return nil, err
	}
	if err := e.recognize(ctx); err != nil {
		return nil, errors.Join(err, e.inputs.Close())
	}
	return e, nil
}

// Close removes temporary files.
func (e *Export) Close() error { return e.inputs.Close() }

// Source returns the name of the source.
func (e *Export) Source() string { return e.adapter.Name() }

// Inputs returns the inputs' names.
func (e *Export) Inputs() []string {
	names := make([]string, len(e.inputs.Files))
	for i, in := range e.inputs.Files {
		names[i] = in.Name
	}
	return names
}

// Check returns an [OptionError] for an option that cannot be, without a look
// at any input.
func (o Options) Check() error { return (&Export{options: o}).check() }

func (e *Export) check() (err error) {
	o := &e.options
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Jobs == 0 {
		o.Jobs = runtime.GOMAXPROCS(0)
	}
	if o.Jobs < 0 {
		return optionErrorf("jobs", "must be at least 1")
	}
	if o.From != "" && o.From != "auto" && !slices.Contains(SourceNames(), o.From) {
		return optionErrorf("from", "%q is none of auto, %s", o.From, strings.Join(SourceNames(), ", "))
	}
	if o.Timezone != "" {
		if e.zone, err = time.LoadLocation(o.Timezone); err != nil || o.Timezone == "Local" {
			return optionErrorf("timezone", "%q is no zone such as Europe/Berlin or UTC", o.Timezone)
		}
	}
	if e.days.since, err = dayOf("since", o.Since, 0); err != nil {
		return err
	}
	if o.Until != Live {
		if e.days.until, err = dayOf("until", o.Until, 1); err != nil {
			return err
		}
	}
	if e.days.until != 0 && e.days.since >= e.days.until {
		return optionErrorf("since", "%s is after --until %s", o.Since, o.Until)
	}
	if strings.Contains(o.Hostname, "://") {
		return optionErrorf("hostname", "%q has a scheme; a host such as www.example.com is needed", o.Hostname)
	}
	return e.checkChosen()
}

// checkChosen also forgets what is the same as not choosing, so that it is no
// part of a migration's identity.
func (e *Export) checkChosen() error {
	chosen := map[string]string{}
	for name, value := range e.options.Chosen {
		i := slices.IndexFunc(SourceOptions(), func(o adapters.Option) bool { return o.Name == name })
		if i < 0 {
			return optionErrorf(name, "no source has such an option")
		}
		option := SourceOptions()[i]
		if option.Values != nil && !slices.Contains(option.Values, value) {
			return optionErrorf(name, "%q is none of %s", value, strings.Join(option.Values, ", "))
		}
		if value != option.Default() {
			chosen[name] = value
		}
	}
	e.options.Chosen = chosen
	return nil
}

func dayOf(option, s string, plus int) (pipeline.Micros, error) {
	if s == "" {
		return 0, nil
	}
	if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
		return pipeline.MicrosOf(t), nil
	}
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return 0, optionErrorf(option, "%q is no day such as 2024-01-31, and no time such as 2024-01-31T08:00:00Z", s)
	}
	return pipeline.MicrosOf(t.AddDate(0, 0, plus)), nil
}

// fewOf returns the first three names, and how many more there are.
func fewOf(names []string) []string {
	const most = 3
	return adapters.Few(names, most)
}

// reading returns how the export is read by a migration that began at a time,
// and leaves out what databases have been given since.
func (e *Export) reading(now time.Time) adapters.Options {
	e.inputs.AsOf(now)
	return adapters.Options{Timezone: e.zone, Now: now, TempDir: e.options.TempDir, Chosen: e.options.Chosen}
}

// normalizer returns the rules for events that go to site.
func (e *Export) normalizer(site string, now time.Time) pipeline.Normalizer {
	return pipeline.Normalizer{
		Namespace: pipeline.SiteNamespace(e.adapter.Name(), site),
		Hostname:  e.options.Hostname,
		Since:     e.days.since, Until: e.days.until,
		Now:     pipeline.MicrosOf(now),
		Privacy: e.options.Privacy,
	}
}

// open opens what the inputs were recognized as, which may read all of them. Where
// JSON turns out to have members that none of the first records had, it is opened
// again with these.
func (e *Export) open(ctx context.Context, opt adapters.Options) (reading *adapters.Reading, err error) {
	err = e.during("surveying", e.inputs.BytesRead, func() (err error) {
		reading, err = e.openUnseen(ctx, opt)
		return err
	})
	return reading, err
}

// openUnseen is open without progress.
func (e *Export) openUnseen(ctx context.Context, opt adapters.Options) (*adapters.Reading, error) {
	known := e.inputs.Learned()
	reading, err := e.match.Open(ctx, opt)
	if err != nil || e.inputs.Learned() == known {
		return reading, err
	}
	if err := reading.Source.Close(); err != nil {
		return nil, err
	}
	return e.match.Open(ctx, opt)
}

// during reports at once, and from time to time, how many bytes are read while do
// does.
func (e *Export) during(stage string, read func() int64, do func() error) error {
	if e.options.Progress == nil {
		return do()
	}
	done := make(chan error, 1)
	go func() { done <- do() }()
	tick := time.NewTicker(progressEvery)
	defer tick.Stop()
	for {
		e.options.Progress(Progress{Stage: stage, Read: read(), Size: e.inputs.Size()})
		select {
		case err := <-done:
			return err
		case <-tick.C:
		}
	}
}

// progressEvery is how often progress is told: to sum up a million inputs takes
// milliseconds.
const progressEvery = 100 * time.Millisecond

// came reports how many events have come through. It is called by one goroutine
// at a time.
func (e *Export) came(events int64) {
	e.events.Store(events)
	if now := time.Now(); e.options.Progress != nil && now.Sub(e.told) >= progressEvery {
		e.told = now
		e.tell(e.progress())
	}
}

func (e *Export) tell(p Progress) {
	e.telling.Lock()
	defer e.telling.Unlock()
	e.options.Progress(p)
}

func (e *Export) progress() Progress {
	p := Progress{Read: e.inputs.BytesRead(), Size: e.inputs.Size(), Events: e.events.Load(), Upload: e.uploaded.Load()}
	if p.Expected = max(e.expected.Load(), proportion(p.Events, p.Read, p.Size)); p.Expected > 0 || p.Size >= 0 {
		p.Expected = max(p.Expected, p.Events)
	}
	return p
}

// proportion estimates how many events all bytes give when read bytes gave so many.
func proportion(events, read, size int64) int64 {
	if read <= 0 || read >= size {
		return 0
	}
	return int64(float64(events) * float64(size) / float64(read))
}
