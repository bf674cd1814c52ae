package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"hopper/adapters"
	"hopper/pipeline"
	"hopper/sinks/rybbit"
)

// importing are the flags of import.
type importing struct {
	*global
	reading
	connection
	wire       string
	maxBatch   size
	retryFor   time.Duration
	settle     time.Duration
	rejects    string
	dryRun     bool
	sandbox    bool
	again      bool
	maxRejects tolerance
	json       bool
}

func newImport(g *global) *cobra.Command {
	f := &importing{global: g, maxBatch: rybbit.DefaultBatchBytes}
	cmd := &cobra.Command{
		Use:   "import INPUT...",
		Short: "Translate exports and upload them; run again to resume",
		Long: `Translate exports and upload them to a site, each event exactly once.

An INPUT is a file, a directory, a glob, or - for standard input, compressed
or not. Several are one migration. When a run is interrupted, or the server is
away, the same command goes on where it stopped; when everything is there,
it does nothing and says so.

Exit codes: 0 done, 1 failed, 2 usage, 3 done with more rejects than
--max-rejects allows, 4 the server is away (run again to go on), 130
interrupted (run again to go on).`,
		Example: `  hopper import --sandbox website_event.csv
  RYBBIT_API_KEY=… hopper import --url https://rybbit.example.com --site 1 export.zip`,
		Args: args(1, -1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := f.check(); err != nil {
				return err
			}
			screen := newScreen(cmd.ErrOrStderr())
			log, err := f.logger(screen)
			if err != nil {
				return err
			}
			r := &importRun{importing: f, log: log, screen: screen, began: time.Now()}
			runErr := interrupted(cmd.Context(), r.run(cmd.Context(), args, cmd.InOrStdin()))
			return r.finish(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr(), runErr)
		},
	}
	f.reading.flags(cmd)
	f.connection.flags(cmd)
	flags := cmd.Flags()
	flags.StringVar(&f.wire, "wire", "auto", "wire `FORMAT`: auto (loses least), "+strings.Join(platforms(rybbit.Wires()), ", "))
	flags.Var(&f.maxBatch, "max-batch-bytes", "largest request body, at most 50MB")
	flags.DurationVar(&f.retryFor, "retry-for", rybbit.DefaultRetryFor, "how long the server may be away before giving up")
	flags.DurationVar(&f.settle, "settle-after", rybbit.DefaultSettleAfter,
		"least wait before looking whether a batch whose answer was lost is stored")
	flags.StringVar(&f.rejects, "rejects", "", "`FILE` for records that cannot be imported (default: beside the ledger)")
	flags.BoolVar(&f.dryRun, "dry-run", false, "translate and count, upload nothing")
	flags.BoolVar(&f.sandbox, "sandbox", false, "import into an embedded sandbox and show what arrived")
	flags.BoolVar(&f.again, "again", false, "import once more what was imported already")
	flags.Var(&f.maxRejects, "max-rejects", "how many rows, or what share of them, may be rejected (default no limit)")
	flags.BoolVar(&f.json, "json", false, "print the result as JSON")
	return cmd
}

func (f *importing) check() error {
	if err := f.reading.check(); err != nil {
		return err
	}
	if f.maxBatch < rybbit.MinBatchBytes || f.maxBatch > rybbit.MaxBatchBytes {
		return usagef("--max-batch-bytes must be between 1KiB and 50MB")
	}
	if _, err := rybbit.WireFor(f.wire); f.wire != "auto" && err != nil {
		return usagef("--wire: %w", err)
	}
	if f.retryFor <= 0 || f.settle <= 0 {
		return usagef("--retry-for and --settle-after must be longer than 0")
	}
	if f.dryRun && f.sandbox {
		return usagef("--dry-run and --sandbox exclude each other")
	}
	return nil
}

func platforms(wires []rybbit.Wire) []string {
	names := make([]string, len(wires))
	for i, w := range wires {
		names[i] = w.Platform()
	}
	return names
}

// importRun is one run of import.
type importRun struct {
	*importing
	log    *slog.Logger
	screen *screen
	began  time.Time

	sandboxed *embedded
	survey    *rybbit.Survey // of the input's beginning; nil when a run is resumed
	result    importResult
	events    atomic.Int64 // translated so far
}

// importResult is what import --json prints.
type importResult struct {
	ImportIDs []string         `json:"importIds"`
	Source    string           `json:"source"`
	Wire      string           `json:"wire"`
	Inputs    []string         `json:"inputs"`
	Rows      int64            `json:"rows"`
	Events    int64            `json:"events"`
	Rejected  int64            `json:"rejected"`
	Rejects   map[string]int64 `json:"rejects"`
	// RejectsFile is where each rejected record stands; empty when there is none.
	RejectsFile string           `json:"rejectsFile,omitempty"`
	Omitted     map[string]int64 `json:"omitted"`
	Repaired    map[string]int64 `json:"repaired"`
	Sent        int64            `json:"sent"`
	Imported    int64            `json:"imported"`
	Skipped     int64            `json:"skipped"`
	Invalid     int64            `json:"invalid"`
	Batches     int              `json:"batches"`
	Bytes       int64            `json:"bytes"`
	Earliest    string           `json:"earliest,omitempty"`
	Latest      string           `json:"latest,omitempty"`
	Requests    int64            `json:"requests"`
	Seconds     float64          `json:"seconds"`
	Status      string           `json:"status"`
	Error       string           `json:"error,omitempty"`
}

// What a run came to.
const (
	statusComplete        = "complete"
	statusResumed         = "resumed"
	statusAlreadyComplete = "already-complete"
	statusPartial         = "partial"
	statusFailed          = "failed"
	statusDryRun          = "dry-run"
)

func (r *importRun) run(ctx context.Context, args []string, stdin io.Reader) (err error) {
	state, err := r.stateDir()
	if err != nil {
		return err
	}
	var client *rybbit.Client
	switch {
	case r.sandbox:
		if r.sandboxed, err = embed(ctx, state); err != nil {
			return err
		}
		client = r.sandboxed.client
	case !r.dryRun:
		if client, err = r.client(); err != nil {
			return err
		}
	}
	export, err := r.open(ctx, args, stdin)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, export.inputs.Close()) }()
	r.result.Source = export.adapter.Name()
	for _, in := range export.inputs.Files {
		r.result.Inputs = append(r.result.Inputs, in.Name)
	}
	if r.dryRun {
		return r.translateOnly(ctx, export)
	}
	defer func() { r.result.Requests = client.Calls(); client.Close() }()
	return r.upload(ctx, state, export, client)
}

// reader opens the sources of a run. The first is opened early, to choose the
// wire format by its beginning.
type reader struct {
	export *export
	log    *slog.Logger
	opened pipeline.Source
	told   bool
	// remarks are those of the source opened last.
	remarks func() []string
}

func (r *reader) open(ctx context.Context) (pipeline.Source, error) {
	if src := r.opened; src != nil {
		r.opened = nil
		return src, nil
	}
	reading, err := r.export.adapter.Open(ctx, r.export.inputs.Files, r.export.options)
	if err != nil {
		return nil, err
	}
	r.remarks = reading.Remarks
	if !r.told {
		r.told = true
		r.log.Info(reading.Shape, "schema", reading.Schema)
		for _, note := range reading.Notes {
			r.log.Warn(note)
		}
	}
	return reading.Source, nil
}

// remark tells what is known once the source has been read.
func (r *reader) remark() {
	if r.remarks == nil {
		return
	}
	for _, remark := range r.remarks() {
		r.log.Warn(remark)
	}
}

// close closes a source that was opened early and never used.
func (r *reader) close() error {
	if r.opened == nil {
		return nil
	}
	return r.opened.Close()
}

// surveyEvents is how many events, from the input's beginning, decide which
// wire format loses least.
const surveyEvents = 10_000

// choose ranks the wire formats by what they lose of the input's beginning.
// It returns none when the input has no events at all: nothing will be sent then.
func (r *importRun) choose(ctx context.Context, in *reader, rules pipeline.Normalizer) ([]rybbit.Wire, error) {
	src, err := in.open(ctx)
	if err != nil {
		return nil, err
	}
	sample, surveyed, err := pipeline.Survey(ctx, src, surveyEvents)
	if err != nil {
		return nil, errors.Join(err, src.Close())
	}
	in.opened = surveyed
	if len(sample) == 0 {
		return nil, nil
	}
	survey := new(surveyor)
	counting := pipeline.Translation{Normalizer: rules, Encoder: pipeline.Nowhere{}, Observe: survey.observe}
	if _, err := counting.Run(ctx, pipeline.Replay(sample), pipeline.Mark{}, nothing); err != nil {
		return nil, err
	}
	r.survey = &survey.all
	if wire, err := rybbit.WireFor(r.wire); err == nil {
		return []rybbit.Wire{wire}, nil
	}
	return r.survey.Rank(), nil
}

func (r *importRun) upload(ctx context.Context, state string, e *export, client *rybbit.Client) (err error) {
	migration, err := r.migration(ctx, e)
	if err != nil {
		return err
	}
	migration.Server, migration.Site = client.Server(), client.Site()
	if r.sandboxed != nil {
		migration.Server = "sandbox:" + r.sandboxed.server.Instance()
	}
	ledger, err := rybbit.OpenLedger(migration, rybbit.LedgerOptions{Dir: state, Version: version, Again: r.again, Now: r.began})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, ledger.Close()) }()
	if summary, done := ledger.Complete(); done {
		r.summarize(summary, statusAlreadyComplete)
		return nil
	}
	memory, err := rybbit.OpenMemory(state, migration.Server, r.began)
	if err != nil {
		return err
	}
	rules := r.normalizer(e, migration.Site, ledger.Started())
	in := &reader{export: e, log: r.log}
	defer func() { err = errors.Join(err, in.close()) }()
	var candidates []rybbit.Wire
	if ledger.Platform() == "" {
		if candidates, err = r.choose(ctx, in, rules); err != nil {
			return err
		}
	}
	up := rybbit.NewUpload(client, ledger, memory, rybbit.Options{
		MaxBatchBytes: int(r.maxBatch), RetryFor: r.retryFor, SettleAfter: r.settle, Log: r.log,
	})
	defer func() {
		if err != nil {
			// The server's counts are read at the end; until then the ledger tells.
			r.summarize(ledger.Summary(), "")
			r.result.Events, r.result.Sent = r.events.Load(), ledger.Summary().Stored
		}
	}()
	wire := rybbit.Wires()[0]
	if len(candidates) > 0 || ledger.Platform() != "" {
		platform, err := up.Open(ctx, platforms(candidates))
		if err != nil {
			return err
		}
		if wire, err = rybbit.WireFor(platform); err != nil {
			return fmt.Errorf("ledger %s: %w", ledger.Path(), err)
		}
		if r.wire != "auto" && r.wire != platform {
			return usagef("this migration was begun in the wire format %s: go on without --wire, or delete its imports to begin anew", platform)
		}
	}
	rules.Limits = wire.Limits()
	rejected := &rejects{path: r.rejects}
	if rejected.path == "" {
		rejected.path = ledger.Rejects()
	}
	defer func() { err = errors.Join(err, rejected.close()) }()
	r.warnOfLosses(wire)
	stop := r.progress(e.inputs, "sent").start()
	summary, err := up.Run(ctx, rybbit.Run{
		Open:        in.open,
		Translation: &pipeline.Translation{Normalizer: rules, Encoder: wire, Jobs: r.jobs},
		Each: func(before pipeline.Mark, chunk *pipeline.Encoded) error {
			r.events.Store(before.Stats.Events + chunk.Stats.Events)
			return rejected.add(before.Stats.Rejected.Total(), chunk.Rejects)
		},
	})
	stop()
	if err != nil {
		return err
	}
	status := statusComplete
	if ledger.Resumed() {
		status = statusResumed
	}
	if summary.Stats.Rejected.Total() > 0 {
		r.result.RejectsFile = rejected.path
	}
	r.summarize(summary, status)
	in.remark()
	return nil
}

// translateOnly is a dry run.
func (r *importRun) translateOnly(ctx context.Context, e *export) (err error) {
	rules := r.normalizer(e, r.site, r.began)
	in := &reader{export: e, log: r.log}
	defer func() { err = errors.Join(err, in.close()) }()
	candidates, err := r.choose(ctx, in, rules)
	if err != nil {
		return err
	}
	wire := rybbit.Wires()[0]
	if len(candidates) > 0 {
		wire = candidates[0]
	}
	rules.Limits = wire.Limits()
	src, err := in.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, src.Close()) }()
	rejected := &rejects{path: r.rejects}
	defer func() { err = errors.Join(err, rejected.close()) }()
	r.warnOfLosses(wire)
	translation := pipeline.Translation{Normalizer: rules, Encoder: wire, Jobs: r.jobs}
	stop := r.progress(e.inputs, "translated").start()
	var bytes int64
	stats, err := translation.Run(ctx, src, pipeline.Mark{}, func(_ context.Context, before pipeline.Mark, chunk *pipeline.Encoded) error {
		r.events.Store(before.Stats.Events + chunk.Stats.Events)
		bytes += int64(len(chunk.Body))
		if r.rejects == "" {
			return nil
		}
		return rejected.add(before.Stats.Rejected.Total(), chunk.Rejects)
	})
	stop()
	if err != nil {
		return err
	}
	r.summarize(rybbit.Summary{Platform: wire.Platform(), Stats: stats, Bytes: bytes}, statusDryRun)
	in.remark()
	return nil
}

func (r *importRun) progress(inputs *adapters.Inputs, verb string) *progress {
	return &progress{screen: r.screen, log: r.log, verb: verb, bytes: inputs.BytesRead, size: inputs.Size(), events: r.events.Load}
}

func (r *importRun) summarize(s rybbit.Summary, status string) {
	res := &r.result
	res.ImportIDs, res.Wire, res.Status = s.Imports, s.Platform, status
	res.Rows, res.Events = s.Stats.Rows, s.Stats.Events
	res.Rejected, res.Rejects = s.Stats.Rejected.Total(), s.Stats.Rejected.Counts()
	res.Omitted, res.Repaired = s.Stats.Omitted.Counts(), s.Stats.Repaired.Counts()
	res.Imported, res.Skipped, res.Invalid, res.Sent = s.Counts.Imported, s.Counts.Skipped, s.Counts.Invalid, s.Counts.Total()
	res.Batches, res.Bytes = s.Batches, s.Bytes
	if s.Stats.Events > 0 {
		res.Earliest = s.Stats.Earliest.Time().Format(time.RFC3339Nano)
		res.Latest = s.Stats.Latest.Time().Format(time.RFC3339Nano)
	}
}

// finish tells what the run came to, whether it ended well or not.
func (r *importRun) finish(ctx context.Context, stdout, stderr io.Writer, err error) error {
	res := &r.result
	res.Seconds = time.Since(r.began).Seconds()
	switch code := exitCode(err); {
	case err == nil:
	case code == exitUsage:
		return errors.Join(err, r.closeSandbox())
	case code == exitAway || code == exitInterrupted:
		res.Status, res.Error = statusPartial, err.Error()
	default:
		res.Status, res.Error = statusFailed, err.Error()
	}
	if err == nil && r.maxRejects.exceeded(res.Rejected, res.Rows) {
		err = &exitError{exitRejects, fmt.Errorf("%d of %d rows were rejected, more than --max-rejects %s allows; they are in %s",
			res.Rejected, res.Rows, &r.maxRejects, res.RejectsFile)}
	}
	if !r.quiet && res.Error == "" {
		r.tell(stderr)
		if r.sandboxed != nil {
			// An interrupt while this is printed must not spoil it.
			err = errors.Join(err, r.sandboxed.report(context.WithoutCancel(ctx), stderr, res.ImportIDs))
		}
	}
	if r.json {
		r.result.fillEmpty()
		err = errors.Join(err, printJSON(stdout, res))
	}
	return errors.Join(err, r.closeSandbox())
}

func (r *importRun) closeSandbox() error {
	if r.sandboxed == nil {
		return nil
	}
	return r.sandboxed.close()
}

// fillEmpty makes absent lists and maps empty ones, so that programs need not
// tell them apart.
func (res *importResult) fillEmpty() {
	for _, list := range []*[]string{&res.ImportIDs, &res.Inputs} {
		if *list == nil {
			*list = []string{}
		}
	}
	for _, counts := range []*map[string]int64{&res.Rejects, &res.Omitted, &res.Repaired} {
		if *counts == nil {
			*counts = map[string]int64{}
		}
	}
}

func (r *importRun) tell(out io.Writer) {
	res := &r.result
	switch res.Status {
	case statusAlreadyComplete:
		fmt.Fprintf(out, "already complete: %s events are in import %s; --again imports them once more\n",
			humanize.Comma(res.Imported), strings.Join(res.ImportIDs, ", "))
		return
	case statusDryRun:
		fmt.Fprintf(out, "dry run: %s rows give %s events, %s in the wire format %s; nothing was uploaded\n",
			humanize.Comma(res.Rows), humanize.Comma(res.Events), humanize.Bytes(uint64(res.Bytes)), res.Wire)
	default:
		fmt.Fprintf(out, "done: %s rows, %s events, %s imported (%s batches, %s, %d requests, %s)\n",
			humanize.Comma(res.Rows), humanize.Comma(res.Events), humanize.Comma(res.Imported),
			humanize.Comma(int64(res.Batches)), humanize.Bytes(uint64(res.Bytes)), res.Requests,
			time.Since(r.began).Round(10*time.Millisecond))
		if len(res.ImportIDs) > 0 {
			fmt.Fprintf(out, "  import    %s\n", strings.Join(res.ImportIDs, ", "))
		}
	}
	tellCounts(out, "rejected", res.Rejects)
	if res.RejectsFile != "" {
		fmt.Fprintf(out, "            all in %s\n", res.RejectsFile)
	}
	tellCounts(out, "left out", res.Omitted)
	tellCounts(out, "repaired", res.Repaired)
	if res.Skipped > 0 {
		fmt.Fprintf(out, "  skipped   %s by the server: outside its range of dates, or over the monthly quota\n", humanize.Comma(res.Skipped))
	}
	if res.Invalid > 0 {
		fmt.Fprintf(out, "  invalid   %s by the server: its rules are stricter than hopper knows; please report this\n", humanize.Comma(res.Invalid))
	}
}

func tellCounts(out io.Writer, what string, counts map[string]int64) {
	kinds := make([]string, 0, len(counts))
	for kind := range counts {
		kinds = append(kinds, kind)
	}
	slices.SortFunc(kinds, func(a, b string) int {
		if d := counts[b] - counts[a]; d != 0 {
			return int(max(-1, min(1, d)))
		}
		return strings.Compare(a, b)
	})
	for _, kind := range kinds {
		fmt.Fprintf(out, "  %-9s %s × %s\n", what, humanize.Comma(counts[kind]), kind)
	}
}
