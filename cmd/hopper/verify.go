package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"text/tabwriter"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"hopper"
	"hopper/pipeline/recount"
)

// verifyFlags are the flags of verify.
type verifyFlags struct {
	*global
	readFlags
	connectionFlags
	wire    string
	imports []string
	report  string
	json    bool
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

With --url and --site the server is asked, too, what it shows of the export,
after an import of it: day by day, and by page, referrer, country and so on. In
SQL, where the server has it, the imports are counted apart from what the site's
own tracker recorded. The key needs the scopes analytics:read, events:read,
sites:read and, for SQL, sql:read.

Exit code 3: a guarantee does not hold.`,
		Example: `  hopper verify export.zip
  RYBBIT_API_KEY=… hopper verify --url https://rybbit.example.com --site 1 --report proof.html export.zip`,
		Args: inputs(),
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args) },
	}
	f.readFlags.register(cmd)
	f.connectionFlags.register(cmd)
	flags := cmd.Flags()
	flags.StringVar(&f.wire, "wire", "auto", "wire `FORMAT` of the import: auto (the one that it was made in, else the richest), "+platforms())
	flags.StringSliceVar(&f.imports, "import", nil, "compare what the server shows of the import `ID` (default: those that the ledgers know of the inputs, else all of the site)")
	flags.StringVar(&f.report, "report", "", "write what was found as a page into `FILE`.html")
	flags.BoolVar(&f.json, "json", false, "print JSON")
	group(flags, serverFlags, "import")
	group(flags, outputFlags, "report", "json")
	return cmd
}

func (f *verifyFlags) run(cmd *cobra.Command, args []string) (err error) {
	screen, log, err := f.console(cmd)
	if err != nil {
		return err
	}
	if err := f.check(f.global, cmd.InOrStdin(), log); err != nil {
		return err
	}
	where, err := f.where(log)
	if err != nil {
		return err
	}
	if where != nil {
		defer where.Client.Close()
	}
	export, err := hopper.Open(cmd.Context(), args, f.options)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, export.Close()) }()
	stop := (&progress{screen: screen, log: log, verb: "read", now: f.now.Load}).start()
	found, err := f.prove(cmd.Context(), export, where, log)
	stop()
	if err != nil {
		return err
	}
	if f.json {
		err = printJSON(cmd.OutOrStdout(), found)
	} else {
		err = found.print(cmd.OutOrStdout())
	}
	return errors.Join(err, found.difference())
}

// where returns the site to ask; nil where none is given.
func (f *verifyFlags) where(log *slog.Logger) (*hopper.Shown, error) {
	if f.url == "" && f.site == "" {
		if len(f.imports) > 0 {
			return nil, usagef("--import needs --url and --site")
		}
		return nil, nil
	}
	client, err := f.client(log)
	if err != nil {
		return nil, err
	}
	return &hopper.Shown{Client: client, Imports: f.imports}, nil
}

func (f *verifyFlags) prove(ctx context.Context, export *hopper.Export, where *hopper.Shown, log *slog.Logger) (*proof, error) {
	if err := f.recall(ctx, export, where, log); err != nil {
		return nil, err
	}
	return prove(ctx, export, where, f.wire, f.report)
}

// recall takes what is not given of the imports and their wire format from the
// ledgers.
func (f *verifyFlags) recall(ctx context.Context, export *hopper.Export, where *hopper.Shown, log *slog.Logger) error {
	state, err := f.stateDir()
	if err != nil {
		return err
	}
	var server, site string
	if where != nil {
		server, site = where.Client.Server(), where.Client.Site()
	}
	known, err := export.Imported(ctx, state, server, site)
	switch {
	case err != nil && where == nil && ctx.Err() == nil:
		log.Warn(fmt.Sprintf("the ledgers do not say in which wire format this was imported, if it was: %v", err), "event", "wire_unknown")
		return nil
	case err != nil:
		return err
	}
	if f.wire == "auto" && known.Wire != "" {
		f.wire = known.Wire
	}
	if where != nil {
		if where.Wire = f.wire; len(where.Imports) == 0 {
			where.Imports = known.Imports
		}
	}
	return nil
}

// verification is a verification that can be printed.
type verification hopper.Verification

func (v *verification) print(out io.Writer) error {
	var b strings.Builder
	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "source\t%s\nschema\t%s\n", printable(v.Shape), printable(v.Schema))
	fmt.Fprintf(table, "rows\t%s\nevents\t%s in the wire format %s\n", humanize.Comma(v.Rows), humanize.Comma(v.Events), v.Wire)
	if n := len(v.Days); n > 0 {
		fmt.Fprintf(table, "days\t%d, %s to %s\n", n, v.Days[0].Date, v.Days[n-1].Date)
	}
	table.Flush()
	b.WriteByte('\n')
	table = tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	label := labels(v.Total)
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
		fmt.Fprintf(&b, "\nnote: %s\n", printable(note))
	}
	if len(v.Rejected)+len(v.Omitted) > 0 {
		b.WriteByte('\n')
		printCounts(&b, "rejected", v.Rejected)
		printCounts(&b, "left out", v.Omitted)
	}
	printWorst(&b, v.Worst)
	b.WriteByte('\n')
	printGuarantees(&b, v.Guarantees)
	_, err := io.WriteString(out, b.String())
	return err
}

// labels returns how the names of tables and measures are aligned.
func labels(lines []recount.Line) func(table, measure string) string {
	widest := [2]int{len("table"), len("measure")}
	for i := range lines {
		widest = [2]int{max(widest[0], len(lines[i].Table)), max(widest[1], len(lines[i].Measure))}
	}
	return func(table, measure string) string {
		return fmt.Sprintf("%-*s  %-*s", widest[0], table, widest[1], measure)
	}
}

func printGuarantees(b *strings.Builder, guarantees []recount.Guarantee) {
	failed := 0
	for _, g := range guarantees {
		if !g.Holds {
			failed++
			fmt.Fprintf(b, "does not hold: %s, %s: %s off, %s allowed; %d of %d days differ\n",
				g.Table, g.Measure, shareOf(g.Share), shareOf(g.Limit), g.Failed, g.Days)
		}
	}
	if failed == 0 {
		fmt.Fprintf(b, "all %d guarantees hold\n", len(guarantees))
	} else {
		fmt.Fprintf(b, "%d of %d guarantees do not hold\n", failed, len(guarantees))
	}
}

func printWorst(b *strings.Builder, rows []recount.Row) {
	if len(rows) == 0 {
		return
	}
	b.WriteString("\nRows that differ most:\n")
	table := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	for _, r := range rows {
		fmt.Fprintf(table, "  %s\t%s\t%q\t%s\t%s in the source\t%s sent", r.Date, r.Table, r.Row, r.Measure, humanize.Comma(r.Source), humanize.Comma(r.Sent))
		if r.Shown != nil {
			fmt.Fprintf(table, "\t%s shown", humanize.Comma(*r.Shown))
		}
		fmt.Fprintln(table)
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
