package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"hopper/adapters/input"
	"hopper/pipeline"
	"hopper/sinks/rybbit"
	"hopper/sinks/rybbit/wire"
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
			screen, log, err := f.console(cmd)
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
	flags.StringVar(&f.wire, "wire", "auto", "wire `FORMAT`: auto (loses least), "+strings.Join(platforms(wire.Formats()), ", "))
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
	if _, err := wire.For(f.wire); f.wire != "auto" && err != nil {
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

func platforms(formats []wire.Format) []string {
	names := make([]string, len(formats))
	for i, w := range formats {
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
	survey    *wire.Survey // of the input's beginning; nil when a run is resumed
	result    importResult
	events    atomic.Int64 // translated so far
}

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
// wire format loses least, and surveyBytes how much memory they may take.
const (
	surveyEvents = 10_000
	surveyBytes  = 32 << 20
)

// choose ranks the wire formats by what they lose of the input's beginning.
// It returns none when the input has no events at all: nothing will be sent then.
func (r *importRun) choose(ctx context.Context, in *reader, rules pipeline.Normalizer) ([]wire.Format, error) {
	src, err := in.open(ctx)
	if err != nil {
		return nil, err
	}
	sample, surveyed, err := pipeline.Peek(ctx, src, pipeline.Sample{Events: surveyEvents, Bytes: surveyBytes})
	if err != nil {
		return nil, errors.Join(err, src.Close())
	}
	in.opened = surveyed
	if len(sample) == 0 {
		return nil, nil
	}
	if r.survey, _, err = survey(ctx, &pipeline.Translation{Normalizer: rules}, pipeline.Replay(sample), new(atomic.Int64)); err != nil {
		return nil, err
	}
	if format, err := wire.For(r.wire); err == nil {
		return []wire.Format{format}, nil
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
	e.options.Now = ledger.Started()
	memory, err := rybbit.OpenMemory(state, migration.Server, r.began)
	if err != nil {
		return err
	}
	up := rybbit.NewUpload(client, ledger, memory, rybbit.Options{
		MaxBatchBytes: int(r.maxBatch), RetryFor: r.retryFor, SettleAfter: r.settle, Log: r.log,
	})
	summary, err := r.send(ctx, e, r.normalizer(e, migration.Site, ledger.Started()), ledger, up)
	if err != nil {
		// The server's counts are read at the end; until then the ledger tells.
		summary = ledger.Summary()
		r.summarize(summary, "")
		r.result.Events, r.result.Sent = r.events.Load(), summary.Stored
		return err
	}
	status := statusComplete
	if ledger.Resumed() {
		status = statusResumed
	}
	r.summarize(summary, status)
	return nil
}

// send translates what is not yet in Rybbit and uploads it.
func (r *importRun) send(
	ctx context.Context, e *export, rules pipeline.Normalizer, ledger *rybbit.Ledger, up *rybbit.Upload,
) (_ rybbit.Summary, err error) {
	in := &reader{export: e, log: r.log}
	defer func() { err = errors.Join(err, in.close()) }()
	format, err := r.agree(ctx, in, rules, ledger, up)
	if err != nil {
		return rybbit.Summary{}, err
	}
	r.warnOfLosses(format)
	rejected := &rejects{path: r.rejects}
	if rejected.path == "" {
		rejected.path = ledger.Rejects()
	}
	defer func() { err = errors.Join(err, rejected.close()) }()
	stop := r.progress(e.inputs, "sent").start()
	summary, err := up.Run(ctx, rybbit.Run{
		Open:        in.open,
		Translation: &pipeline.Translation{Normalizer: rules, Target: wire.Target(format), Jobs: r.jobs},
		Encode:      wire.Encode(format),
		Each: func(chunk *pipeline.Collected[*pipeline.Records]) error {
			r.events.Store(chunk.Before.Stats.Events + chunk.Stats.Events)
			return rejected.add(chunk.Before.Stats.Rejected.Total(), chunk.Rejects)
		},
	})
	stop()
	if err != nil {
		return rybbit.Summary{}, err
	}
	if summary.Stats.Rejected.Total() > 0 {
		r.result.RejectsFile = rejected.path
	}
	in.remark()
	return summary, nil
}

// agree settles with the server on the wire format: the one that the migration
// was begun in, else the best that the server knows. Without events there is
// nothing to agree on, and any will do.
func (r *importRun) agree(
	ctx context.Context, in *reader, rules pipeline.Normalizer, ledger *rybbit.Ledger, up *rybbit.Upload,
) (wire.Format, error) {
	var candidates []wire.Format
	if ledger.Platform() == "" {
		var err error
		if candidates, err = r.choose(ctx, in, rules); err != nil {
			return nil, err
		}
		if len(candidates) == 0 {
			return wire.Formats()[0], nil
		}
	}
	platform, err := up.Open(ctx, platforms(candidates))
	if err != nil {
		return nil, err
	}
	if r.wire != "auto" && r.wire != platform {
		return nil, usagef("this migration was begun in the wire format %s: go on without --wire, or delete its imports to begin anew", platform)
	}
	format, err := wire.For(platform)
	if err != nil {
		return nil, fmt.Errorf("ledger %s: %w", ledger.Path(), err)
	}
	return format, nil
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
	format := wire.Formats()[0]
	if len(candidates) > 0 {
		format = candidates[0]
	}
	src, err := in.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, src.Close()) }()
	rejected := &rejects{path: r.rejects}
	defer func() { err = errors.Join(err, rejected.close()) }()
	r.warnOfLosses(format)
	translation := pipeline.Translation{Normalizer: rules, Target: wire.Target(format), Jobs: r.jobs}
	stop := r.progress(e.inputs, "translated").start()
	var bytes int64
	stats, err := pipeline.Translate(ctx, &translation, src, pipeline.Mark{}, wire.Encode(format), func(_ context.Context, chunk *pipeline.Collected[*pipeline.Records]) error {
		r.events.Store(chunk.Before.Stats.Events + chunk.Stats.Events)
		bytes += int64(len(chunk.Value.Body))
		if r.rejects == "" {
			return nil
		}
		return rejected.add(chunk.Before.Stats.Rejected.Total(), chunk.Rejects)
	})
	stop()
	if err != nil {
		return err
	}
	r.summarize(rybbit.Summary{Platform: format.Platform(), Stats: stats, Bytes: bytes}, statusDryRun)
	in.remark()
	return nil
}

func (r *importRun) progress(inputs *input.Inputs, verb string) *progress {
	return &progress{screen: r.screen, log: r.log, verb: verb, bytes: inputs.BytesRead, size: inputs.Size(), events: r.events.Load}
}
