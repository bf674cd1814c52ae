package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"hopper"
	"hopper/adapters/input"
	"hopper/sinks/rybbit"
	"hopper/sinks/rybbit/wire"
)

// importFlags are the flags of import.
type importFlags struct {
	*global
	readFlags
	connectionFlags
	name       string // of the site, among several
	wire       string
	maxBatch   size
	batchGiven bool // maxBatch is
	retryFor   time.Duration
	settle     time.Duration
	rejects    string
	dryRun     bool
	sandbox    bool
	again      bool
	onlyNew    bool
	replace    bool
	force      bool
	maxRejects tolerance
	verify     bool
	report     string
	metrics    string
	json       bool

	found *proof // of --verify
}

func newImport(g *global) *cobra.Command {
	cmd, _ := importCommand(g)
	return cmd
}

// importCommand returns import with its flags, which run sets by a file.
func importCommand(g *global) (*cobra.Command, *importFlags) {
	f := &importFlags{global: g, maxBatch: rybbit.DefaultBatchBytes}
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
		Args: inputs(),
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args) },
	}
	f.readFlags.register(cmd)
	f.readFlags.server = true
	cmd.Flags().Lookup("until").Usage = "leave out events after this `DAY` (UTC, inclusive), from this time on, or from the day on which the site's own tracker began (live)"
	f.connectionFlags.register(cmd)
	flags := cmd.Flags()
	flags.StringVar(&f.wire, "wire", "auto", "wire `FORMAT`: auto (loses least), "+platforms())
	flags.Var(&f.maxBatch, "max-batch-bytes", "largest request body, at most 50MB")
	flags.DurationVar(&f.retryFor, "retry-for", rybbit.DefaultRetryFor, "`DURATION` that the server may be away before giving up")
	flags.DurationVar(&f.settle, "settle-after", rybbit.DefaultSettleAfter,
		"least `DURATION` to wait before looking whether a batch whose answer was lost is stored")
	flags.StringVar(&f.rejects, "rejects", "", "`FILE` for records that cannot be imported (default: beside the ledger)")
	flags.BoolVar(&f.dryRun, "dry-run", false, "translate and count, upload nothing")
	flags.BoolVar(&f.sandbox, "sandbox", false, "import into an embedded sandbox and show what arrived")
	flags.BoolVar(&f.again, "again", false, "import once more what was imported already")
	flags.BoolVar(&f.onlyNew, "new", false, "import only what no earlier migration of the site imported: new tables, files and archives")
	flags.BoolVar(&f.replace, "replace", false, "as --new, and delete the imports that hold what has changed since, to import all that they held anew")
	flags.BoolVar(&f.force, "force", false, "import although more than a tenth of the rows is rejected")
	flags.Var(&f.maxRejects, "max-rejects", "how many rows, or what share of them, may be rejected (default no limit)")
	flags.BoolVar(&f.verify, "verify", false, "afterwards compare what the server shows with what was sent, and with the export")
	flags.StringVar(&f.report, "report", "", "write what --verify finds as a page into `FILE`.html")
	flags.StringVar(&f.metrics, "metrics-file", "", "write what the run came to into `FILE`.prom, for Prometheus")
	flags.BoolVar(&f.json, "json", false, "print the result as JSON")
	group(flags, serverFlags, "wire", "max-batch-bytes", "sandbox")
	group(flags, safetyFlags, "retry-for", "settle-after", "rejects", "dry-run", "new", "replace", "again", "force", "max-rejects")
	group(flags, outputFlags, "verify", "report", "metrics-file", "json")
	return cmd, f
}

func (f *importFlags) check() error {
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
	f.verify = f.verify || f.report != ""
	f.onlyNew = f.onlyNew || f.replace
	if f.onlyNew && f.again {
		return usagef("--again imports all once more, --new and --replace only what is new: give one of them")
	}
	if f.onlyNew && f.verify {
		return usagef("--verify compares one export with one migration, and --new adds to several; use hopper verify")
	}
	if f.dryRun && f.verify {
		return usagef("--dry-run imports nothing that --verify could look at; use hopper verify")
	}
	return nil
}

func (f *importFlags) run(cmd *cobra.Command, args []string) (err error) {
	result, sandboxed, err := f.perform(cmd, args)
	if sandboxed != nil {
		defer func() { err = errors.Join(err, sandboxed.close()) }()
	}
	if result == nil {
		return err
	}
	return f.tell(cmd, result, sandboxed, err)
}

// perform imports args. The result is nil where the command line is wrong, the
// sandbox where there is none.
func (f *importFlags) perform(cmd *cobra.Command, args []string) (_ *hopper.Result, sandboxed *embedded, err error) {
	ctx := cmd.Context()
	screen, log, err := f.ready(cmd)
	if err != nil {
		return nil, nil, err
	}
	// What the inputs are costs nothing to find out, so it comes first.
	export, openErr := hopper.Open(ctx, args, f.options)
	if export != nil {
		defer func() { err = errors.Join(err, export.Close()) }()
	}
	to, sandboxed, err := f.target(ctx)
	err = errors.Join(openErr, err)
	if exitCode(err) == exitUsage || export != nil && err != nil {
		return nil, sandboxed, err
	}
	if export == nil {
		err = interrupted(ctx, err)
		return failedEarly(args, err), nil, err
	}
	result, err := f.transfer(ctx, export, to, &progress{screen: screen, log: log, verb: "sent", now: f.now.Load})
	return result, sandboxed, interrupted(ctx, err)
}

// ready checks the flags without a look at any input.
func (f *importFlags) ready(cmd *cobra.Command) (*screen, *slog.Logger, error) {
	f.batchGiven = cmd.Flags().Changed("max-batch-bytes")
	screen, log, err := f.console(cmd)
	if err != nil {
		return nil, nil, err
	}
	if f.name != "" {
		log = log.With("site", f.name)
	}
	return screen, log, errors.Join(f.readFlags.check(f.global, cmd.InOrStdin(), log), f.check())
}

// failedEarly is the result of a run that ended before it knew its inputs.
func failedEarly(args []string, err error) *hopper.Result {
	status := hopper.Failed
	if code := exitCode(err); code == exitAway || code == exitInterrupted {
		status = hopper.Partial
	}
	names := make([]string, len(args))
	for i, arg := range args {
		names[i] = input.Printable(arg)
	}
	return &hopper.Result{
		Inputs: names, ImportIDs: []string{}, Rejects: map[string]int64{}, Omitted: map[string]int64{}, Repaired: map[string]int64{},
		Status: status, Error: err.Error(),
	}
}

// target is where the events go: a server, the embedded sandbox, or nowhere.
func (f *importFlags) target(ctx context.Context) (to hopper.Import, sandboxed *embedded, err error) {
	to = hopper.Import{
		Wire: f.wire, Rejects: f.rejects, Again: f.again, New: f.onlyNew, Replace: f.replace, Force: f.force || f.maxRejects.set, Version: version,
		Upload: rybbit.Options{RetryFor: f.retryFor, SettleAfter: f.settle},
	}
	if to.State, err = f.stateDir(); err != nil {
		return to, nil, err
	}
	if f.batchGiven {
		to.Upload.MaxBatchBytes = int(f.maxBatch)
	}
	switch {
	case f.sandbox:
		if sandboxed, err = embed(ctx, to.State); err != nil {
			return to, nil, err
		}
		to.Client, to.Server = sandboxed.client, "sandbox:"+sandboxed.server.Instance()
	case f.dryRun && f.url != "" && !f.onlyNew && f.options.Until != hopper.Live:
		err = checkAddress(f.url)
	case !f.dryRun, f.onlyNew, f.options.Until == hopper.Live:
		to.Client, err = f.client(f.options.Log)
	}
	return to, sandboxed, err
}

// transfer imports an export, or only translates it.
func (f *importFlags) transfer(ctx context.Context, export *hopper.Export, to hopper.Import, bar *progress) (*hopper.Result, error) {
	if to.Client != nil {
		defer to.Client.Close()
	}
	f.uploads = !f.dryRun
	stop := bar.start()
	defer stop()
	if f.dryRun {
		bar.verb = "translated"
		return export.DryRun(ctx, f.siteGiven(), to)
	}
	result, err := export.Import(ctx, to)
	if err == nil && f.verify {
		bar.verb = "read"
		where := &hopper.Shown{Client: to.Client, Imports: result.ImportIDs, Wire: result.Wire}
		f.found, err = prove(ctx, export, where, result.Wire, f.report)
	}
	return result, err
}

// tell prints what the run came to, whether it ended well or not.
func (f *importFlags) tell(cmd *cobra.Command, res *hopper.Result, sandboxed *embedded, err error) error {
	if exitCode(err) == exitUsage {
		return err
	}
	if err == nil && f.maxRejects.exceeded(res.Rejected, res.Rows) {
		err = &exitError{exitRejects, fmt.Errorf("%d of %d rows were rejected, more than --max-rejects %s allows; they are in %s",
			res.Rejected, res.Rows, &f.maxRejects, res.RejectsFile)}
	}
	stderr := f.screen
	switch {
	case f.quiet || res.Error != "":
	case f.logFormat == "json":
		f.options.Log.Info("done", "event", "done", "result", res)
	default:
		printResult(stderr, res)
		if sandboxed != nil {
			// An interrupt while this is printed must not spoil it.
			out := cmd.OutOrStdout()
			if f.json {
				out = stderr
			}
			err = errors.Join(err, sandboxed.report(context.WithoutCancel(cmd.Context()), out, res.ImportIDs))
		}
	}
	switch {
	case f.json:
		err = errors.Join(err, printJSON(cmd.OutOrStdout(), struct {
			*hopper.Result
			Verification *proof `json:"verification,omitempty"`
		}{res, f.found}))
	case f.found != nil && !f.quiet:
		err = errors.Join(err, f.found.print(cmd.OutOrStdout()))
	}
	if err == nil && f.found != nil {
		err = f.found.difference()
	}
	if f.metrics != "" {
		err = errors.Join(err, writeMetrics(f.metrics, f.siteGiven(), res, exitCode(err), time.Now()))
	}
	return err
}

func printResult(out io.Writer, res *hopper.Result) {
	if u := res.Units; u != nil {
		fmt.Fprintf(out, "parts: %d new, %d finished, %d imported before, %d replaced\n", u.New, u.Finished, u.Done, u.Replaced)
		if u.After > 0 {
			fmt.Fprintf(out, "       %d after the site's own tracker began\n", u.After)
		}
	}
	switch res.Status {
	case hopper.NothingNew:
		fmt.Fprintln(out, "nothing new: everything that is asked for has been imported before")
		return
	case hopper.AlreadyComplete:
		fmt.Fprintf(out, "already complete: %s events are in import %s; --again imports them once more\n",
			humanize.Comma(res.Imported), strings.Join(res.ImportIDs, ", "))
		if res.Newer != "" {
			fmt.Fprintf(out, "  --since %s imports what the database was given since\n", res.Newer)
		}
		return
	case hopper.DryRun:
		fmt.Fprintf(out, "dry run: %s rows give %s events, %s in the wire format %s; nothing was uploaded\n",
			humanize.Comma(res.Rows), humanize.Comma(res.Events), humanize.Bytes(uint64(res.Bytes)), res.Wire)
	default:
		fmt.Fprintf(out, "done: %s rows, %s events, %s imported (%s, %s, %d requests, %s)\n",
			humanize.Comma(res.Rows), humanize.Comma(res.Events), humanize.Comma(res.Imported),
			plural(int64(res.Batches), "batch", "batches"), humanize.Bytes(uint64(res.Bytes)), res.Requests,
			time.Duration(res.Seconds*float64(time.Second)).Round(10*time.Millisecond))
		if len(res.ImportIDs) > 0 {
			fmt.Fprintf(out, "  import    %s\n", strings.Join(res.ImportIDs, ", "))
		}
	}
	if res.PassedOver > 0 {
		fmt.Fprintf(out, "  passed over  %s that the source does not read\n", plural(int64(res.PassedOver), "file", "files"))
	}
	printCounts(out, "rejected", res.Rejects)
	if res.RejectsFile != "" {
		fmt.Fprintf(out, "            all in %s\n", res.RejectsFile)
	}
	printCounts(out, "left out", res.Omitted)
	printCounts(out, "repaired", res.Repaired)
	if res.Skipped > 0 {
		fmt.Fprintf(out, "  skipped   %s by the server: outside its range of dates, or over the monthly quota\n", humanize.Comma(res.Skipped))
	}
	if res.Invalid > 0 {
		fmt.Fprintf(out, "  invalid   %s by the server: its rules are stricter than hopper knows; please report this\n", humanize.Comma(res.Invalid))
	}
}

func plural(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return humanize.Comma(n) + " " + many
}

func printCounts(out io.Writer, what string, counts map[string]int64) {
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
		fmt.Fprintf(out, "  %-9s %s × %s\n", what, humanize.Comma(counts[kind]), printable(kind))
	}
}
