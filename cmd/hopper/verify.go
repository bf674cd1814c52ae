package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync/atomic"
	"text/tabwriter"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"hopper/adapters"
	"hopper/adapters/input"
	"hopper/adapters/plausible"
	"hopper/adapters/reconstruct"
	"hopper/pipeline"
	"hopper/pipeline/recount"
	"hopper/sinks/rybbit/wire"
)

// verifying are the flags of verify.
type verifying struct {
	*global
	reading
	wire string
	json bool
}

func newVerify(g *global) *cobra.Command {
	f := &verifying{global: g}
	cmd := &cobra.Command{
		Use:   "verify INPUT...",
		Short: "Recount what is sent as Rybbit does, and compare it with the export",
		Long: `Count the events that an import sends the way Rybbit's dashboard counts, count
the export by itself, and compare the two: per day and in total, and per page,
referrer, browser and so on. Nothing is uploaded.

An export of events is counted row by row, by a reader that knows nothing of
the translation; rows that were rejected or left out with a reason are no
difference, and what the rows do not tell is not compared. An export of sums is
compared with its own sums.

In the table, "off" is how much stands in the wrong row or on the wrong day,
and "share" how much of the whole that is. What a wire format has no place for
is what hopper inspect tells.

Exit code 3: a guarantee does not hold.`,
		Example: "  hopper verify export.zip",
		Args:    args(1, -1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := f.check(); err != nil {
				return err
			}
			format := wire.Formats()[0]
			if f.wire != "auto" {
				var err error
				if format, err = wire.For(f.wire); err != nil {
					return usagef("--wire: %w", err)
				}
			}
			screen, log, err := f.console(cmd)
			if err != nil {
				return err
			}
			result, err := f.verify(cmd.Context(), args, cmd.InOrStdin(), format, screen, log)
			if err != nil {
				return err
			}
			if f.json {
				err = printJSON(cmd.OutOrStdout(), result)
			} else {
				err = result.print(cmd.OutOrStdout())
			}
			if err == nil && !result.Holds {
				err = &exitError{exitRejects, errors.New("what is sent differs from the export")}
			}
			return err
		},
	}
	f.flags(cmd)
	cmd.Flags().StringVar(&f.wire, "wire", "auto", "wire `FORMAT` of the import: auto (the richest), "+strings.Join(platforms(wire.Formats()), ", "))
	cmd.Flags().BoolVar(&f.json, "json", false, "print JSON")
	return cmd
}

// verification is what verify --json prints.
type verification struct {
	Source   string           `json:"source"`
	Shape    string           `json:"shape"`
	Schema   string           `json:"schema"`
	Wire     string           `json:"wire"`
	Inputs   []string         `json:"inputs"`
	Rows     int64            `json:"rows"`
	Events   int64            `json:"events"`
	Rejected map[string]int64 `json:"rejected"`
	Omitted  map[string]int64 `json:"omitted"`
	Repaired map[string]int64 `json:"repaired"`
	// Holds says that all guarantees hold.
	Holds bool `json:"holds"`
	*recount.Comparison
}

func (f *verifying) verify(
	ctx context.Context, args []string, stdin io.Reader, format wire.Format, screen *screen, log *slog.Logger,
) (_ *verification, err error) {
	e, err := f.open(ctx, args, stdin)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, e.inputs.Close()) }()
	result := &verification{Source: e.adapter.Name(), Wire: format.Platform()}
	for _, in := range e.inputs.Files {
		result.Inputs = append(result.Inputs, in.Name)
		if err := in.Spool(ctx); err != nil { // it is read twice
			return nil, err
		}
	}
	reading, err := e.adapter.Open(ctx, e.inputs.Files, e.options)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, reading.Source.Close()) }()
	result.Shape, result.Schema = reading.Shape, reading.Schema

	var events atomic.Int64
	bar := progress{screen: screen, log: log, verb: "read", bytes: e.inputs.BytesRead, size: e.inputs.Size(), events: events.Load}
	rules := f.normalizer(e, "", time.Now())
	stop := bar.start()
	result.Comparison, err = compare(ctx, e, reading, pipeline.Translation{Normalizer: rules, Target: wire.Target(format), Jobs: f.jobs}, events.Store)
	stop()
	if err != nil {
		return nil, err
	}
	stats := &result.Stats
	result.Rows, result.Events = stats.Rows, stats.Events
	result.Rejected, result.Omitted, result.Repaired = stats.Rejected.Counts(), stats.Omitted.Counts(), stats.Repaired.Counts()
	result.Holds = result.Comparison.Holds()
	return result, nil
}

// compare has an export of sums compared with its sums, and one of events row
// by row.
func compare(ctx context.Context, e *export, reading *adapters.Reading, t pipeline.Translation, progress func(int64)) (*recount.Comparison, error) {
	if _, ok := e.adapter.(plausible.Adapter); ok {
		v, err := plausible.Verify(ctx, reading, t)
		if err == nil {
			return ofSums(v), nil
		}
		if !errors.Is(err, plausible.ErrNoSums) {
			return nil, err
		}
	}
	teller, ok := e.adapter.(factual)
	if !ok {
		return nil, fmt.Errorf("%s: exports of %s cannot be verified in this form; hopper inspect tells what is in them", e.inputs.Files[0].Name, e.adapter.Name())
	}
	facts := func(ctx context.Context, yield func(*recount.Fact) error) error {
		return teller.Facts(ctx, e.inputs.Files, e.options, yield)
	}
	return recount.Compare(ctx, recount.Export{Facts: facts, Source: reading.Source, Progress: progress, TempDir: e.options.TempDir}, t)
}

// factual is an adapter that tells what the rows of its exports say.
type factual interface {
	Facts(ctx context.Context, inputs []*input.Input, opt adapters.Options, yield func(*recount.Fact) error) error
}

// ofSums brings the comparison of a site export into the common form.
func ofSums(v *plausible.Verification) *recount.Comparison {
	lines := func(report reconstruct.Report) []recount.Line {
		lines := make([]recount.Line, len(report.Lines))
		for i, l := range report.Lines {
			lines[i] = recount.Line{
				Table: l.Table, Measure: l.Measure, Source: int64(l.Want), Sent: int64(l.Got), Off: int64(l.Off), Rows: int64(l.Rows), Share: l.Share(),
			}
		}
		return lines
	}
	c := &recount.Comparison{
		Days: []recount.Day{}, Total: lines(v.Total), Worst: []recount.Row{}, Guarantees: append([]recount.Guarantee{}, v.Guarantees...), Notes: []string{}, Stats: v.Stats,
	}
	for _, d := range v.Days {
		c.Days = append(c.Days, recount.Day{Date: d.Date, Lines: lines(d.Report)})
	}
	return c
}

func (v *verification) print(out io.Writer) error {
	var b strings.Builder
	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "source\t%s\nschema\t%s\n", v.Shape, v.Schema)
	fmt.Fprintf(table, "rows\t%s\nevents\t%s in the wire format %s\n", humanize.Comma(v.Rows), humanize.Comma(v.Events), v.Wire)
	if n := len(v.Days); n > 0 {
		fmt.Fprintf(table, "days\t%d, %s to %s\n", n, v.Days[0].Date, v.Days[n-1].Date)
	}
	table.Flush()
	b.WriteByte('\n')
	table = tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	widest := [2]int{len("table"), len("measure")}
	for i := range v.Total {
		widest = [2]int{max(widest[0], len(v.Total[i].Table)), max(widest[1], len(v.Total[i].Measure))}
	}
	label := func(table, measure string) string {
		return fmt.Sprintf("%-*s  %-*s", widest[0], table, widest[1], measure)
	}
	fmt.Fprintf(table, "%s\tsource\tleft out\tsent\tdifference\toff\tshare\t\n", label("table", "measure"))
	last := ""
	for i := range v.Total {
		l := &v.Total[i]
		name := l.Table
		if name == last {
			name = ""
		}
		last = l.Table
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t\n", label(name, l.Measure), humanize.Comma(l.Source), humanize.Comma(l.LeftOut),
			humanize.Comma(l.Sent), signed(l.Difference()), humanize.Comma(l.Off), shareOf(l.Share))
	}
	table.Flush()
	for _, note := range v.Notes {
		fmt.Fprintf(&b, "\nnote: %s\n", note)
	}
	if len(v.Rejected)+len(v.Omitted) > 0 {
		b.WriteByte('\n')
		tellCounts(&b, "rejected", v.Rejected)
		tellCounts(&b, "left out", v.Omitted)
	}
	v.printWorst(&b)
	b.WriteByte('\n')
	failed := 0
	for _, g := range v.Guarantees {
		if !g.Holds {
			failed++
			fmt.Fprintf(&b, "does not hold: %s, %s: %s off, %s allowed; %d of %d days differ\n",
				g.Table, g.Measure, shareOf(g.Share), shareOf(g.Limit), g.Failed, g.Days)
		}
	}
	if failed == 0 {
		fmt.Fprintf(&b, "all %d guarantees hold\n", len(v.Guarantees))
	} else {
		fmt.Fprintf(&b, "%d of %d guarantees do not hold\n", failed, len(v.Guarantees))
	}
	_, err := io.WriteString(out, b.String())
	return err
}

func (v *verification) printWorst(b *strings.Builder) {
	if len(v.Worst) == 0 {
		return
	}
	b.WriteString("\nRows that differ most:\n")
	table := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	for _, r := range v.Worst {
		fmt.Fprintf(table, "  %s\t%s\t%q\t%s\t%s in the source\t%s sent\n", r.Date, r.Table, r.Row, r.Measure, humanize.Comma(r.Source), humanize.Comma(r.Sent))
	}
	table.Flush()
}

func signed(n int64) string {
	if n > 0 {
		return "+" + humanize.Comma(n)
	}
	return humanize.Comma(n)
}

// shareOf never rounds some to none.
func shareOf(share float64) string {
	switch {
	case share == 0:
		return "0%"
	case share < 0.0001:
		return "<0.01%"
	default:
		return fmt.Sprintf("%.2f%%", 100*share)
	}
}
