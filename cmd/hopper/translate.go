package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"hopper"
	"hopper/sinks/file"
	"hopper/sinks/rybbit/wire"
)

// translateFlags are the flags of translate.
type translateFlags struct {
	*global
	readFlags
	to, format, out, site, rejects string
	partSize                       size
	shard                          share
	json                           bool
}

func newTranslate(g *global) *cobra.Command {
	f := &translateFlags{global: g}
	cmd := &cobra.Command{
		Use:   "translate INPUT...",
		Short: "Translate exports to files or standard output; upload nothing",
		Long: `Translate exports to hopper's table of events, one row an event, or to the
records of a wire format. What is written is read back by every other command:

  hopper translate --site 1 export.zip | hopper import --site 1 -

gives the same batches as the import of the export itself. So whoever can write
that table can import anything; go doc hopper/adapters/events describes it.

A file gets its name when it is complete. A directory gets one part after the
other and a manifest.json that says what they are; import holds the parts to it.
Where an export is large, machines translate shares of it (--shard 0/24 and so
on) into one directory or prefix of a bucket, which is then imported as a whole.`,
		Example: `  hopper translate export.zip > events.ndjson
  hopper translate --format parquet -o events.parquet export.zip
  hopper translate --format parquet --part-size 64MiB -o parts/ exports/`,
		Args: inputs(),
		RunE: f.run,
	}
	f.register(cmd)
	flags := cmd.Flags()
	flags.StringVar(&f.to, "to", "events", "`WHAT` to write: events (the common model), or a wire format, "+platforms())
	flags.StringVar(&f.format, "format", "ndjson", "`FORMAT` of the file: ndjson, csv, parquet or arrow")
	flags.StringVarP(&f.out, "output", "o", "", "`FILE`, existing directory, or address (s3://bucket/prefix/) to write (default standard output)")
	flags.Var(&f.partSize, "part-size", "begin another part of a directory after `SIZE` bytes (default one part)")
	flags.Var(&f.shard, "shard", "translate share `I/N` of the export, counted from 0/N, into a directory that all shares write to")
	flags.StringVar(&f.site, "site", "", "`SITE` that the events are for, which enters identifiers that hopper makes (env RYBBIT_SITE)")
	flags.StringVar(&f.rejects, "rejects", "", "`FILE` for records that cannot be translated (default none)")
	flags.BoolVar(&f.json, "json", false, "print the result as JSON on stderr")
	group(flags, outputFlags, "to", "format", "output", "part-size", "shard", "site", "rejects", "json")
	return cmd
}

// share is one of several, as a flag: "0/24".
type share struct{ i, n int }

func (s *share) Type() string { return "I/N" }

func (s *share) String() string {
	if s.n == 0 {
		return ""
	}
	return fmt.Sprintf("%d/%d", s.i, s.n)
}

func (s *share) Set(text string) error {
	var one share
	if n, err := fmt.Sscanf(text, "%d/%d", &one.i, &one.n); err != nil || n != 2 || one.String() != text || one.i < 0 || one.i >= one.n || one.n > 99_999 {
		return fmt.Errorf("a share such as 0/24, and up to 23/24, is needed")
	}
	*s = one
	return nil
}

func (f *translateFlags) check() error {
	if !slices.Contains(file.Formats(), file.Format(f.format)) {
		return usagef("--format: %q is none of %v", f.format, file.Formats())
	}
	if f.to != "events" {
		if _, err := wire.For(f.to); err != nil {
			return usagef("--to: %w, beside events", err)
		}
	}
	isPrefix := strings.Contains(f.out, "://") && strings.HasSuffix(f.out, "/")
	if info, err := os.Stat(f.out); f.partSize > 0 && !isPrefix && (err != nil || !info.IsDir()) {
		return usagef("--part-size needs an existing directory as --output, or an address that ends in a slash")
	}
	return nil
}

func (f *translateFlags) run(cmd *cobra.Command, args []string) (err error) {
	screen, log, err := f.console(cmd)
	if err != nil {
		return err
	}
	if err := errors.Join(f.readFlags.check(f.global, cmd.InOrStdin(), log), f.check()); err != nil {
		return err
	}
	export, err := hopper.Open(cmd.Context(), args, f.options)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, export.Close()) }()
	stop := (&progress{screen: screen, log: log, verb: "translated", now: f.now.Load}).start()
	result, err := export.Translate(cmd.Context(), hopper.Translation{
		To: f.to, Format: file.Format(f.format), Out: f.out, Stdout: f.stdout, PartBytes: int64(f.partSize), Rejects: f.rejects,
		Shard: f.shard.i, Shards: f.shard.n,
		Site: siteOr(f.site), Version: version,
	})
	stop()
	switch {
	case f.json:
		err = errors.Join(err, printJSON(screen, result))
	case err == nil && !f.quiet:
		fmt.Fprintf(screen, "done: %s rows, %s events, %s in %s (%s)\n", humanize.Comma(result.Rows), humanize.Comma(result.Events),
			humanize.Bytes(uint64(result.Bytes)), plural(int64(result.Batches), "file", "files"),
			time.Duration(result.Seconds*float64(time.Second)).Round(10*time.Millisecond))
		printCounts(screen, "rejected", result.Rejects)
		printCounts(screen, "left out", result.Omitted)
		printCounts(screen, "repaired", result.Repaired)
	}
	return err
}
