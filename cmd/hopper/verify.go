package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"hopper"
)

// verifyFlags are the flags of verify.
type verifyFlags struct {
	*global
	readFlags
	wire string
	json bool
}

func newVerify(g *global) *cobra.Command {
	f := &verifyFlags{global: g}
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
is what hopper inspect shows.

Exit code 3: a guarantee does not hold.`,
		Example: "  hopper verify export.zip",
		Args:    inputs(),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			screen, log, err := f.console(cmd)
			if err != nil {
				return err
			}
			if err := f.check(cmd.InOrStdin(), log); err != nil {
				return err
			}
			export, err := hopper.Open(cmd.Context(), args, f.options)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, export.Close()) }()
			stop := (&progress{screen: screen, log: log, verb: "read", now: f.now.Load}).start()
			result, err := export.Verify(cmd.Context(), f.wire)
			stop()
			if err != nil {
				return err
			}
			if f.json {
				err = printJSON(cmd.OutOrStdout(), result)
			} else {
				err = (*verification)(result).print(cmd.OutOrStdout())
			}
			if err == nil && !result.Holds {
				err = &exitError{exitRejects, errors.New("what is sent differs from the export")}
			}
			return err
		},
	}
	f.register(cmd)
	cmd.Flags().StringVar(&f.wire, "wire", "auto", "wire `FORMAT` of the import: auto (the richest), "+platforms())
	cmd.Flags().BoolVar(&f.json, "json", false, "print JSON")
	group(cmd.Flags(), outputFlags, "json")
	return cmd
}

// verification is a verification that can be printed.
type verification hopper.Verification

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
		printCounts(&b, "rejected", v.Rejected)
		printCounts(&b, "left out", v.Omitted)
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
