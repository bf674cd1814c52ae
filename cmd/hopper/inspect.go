package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"hopper"
	"hopper/pipeline"
	"hopper/sinks/file"
	"hopper/sinks/rybbit/wire"
)

// inspectFlags are the flags of inspect.
type inspectFlags struct {
	*global
	readFlags
	report string
	json   bool
}

func newInspect(g *global) *cobra.Command {
	f := &inspectFlags{global: g}
	cmd := &cobra.Command{
		Use:   "inspect INPUT...",
		Short: "Say what is in an export and what would be lost; upload nothing",
		Long: `Say what an export is and what it holds: rows, events, dates, how many events
fill each field, what each wire format makes of the field, and what is
repaired, left out or rejected, each with the first row of its kind.

In the table, a field is kept, derived (it arrives in another form that says
the same), shortened, or lost; refused are events that a format cannot carry
at all, such as web vitals in most.

--report writes all of it as one page, with what each day holds.`,
		Example: "  hopper inspect export.zip",
		Args:    inputs(),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			screen, log, err := f.console(cmd)
			if err != nil {
				return err
			}
			if err := f.check(f.global, cmd.InOrStdin(), log); err != nil {
				return err
			}
			export, err := hopper.Open(cmd.Context(), args, f.options)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, export.Close()) }()
			stop := (&progress{screen: screen, log: log, verb: "read", now: f.now.Load}).start()
			result, err := f.inspect(cmd.Context(), export)
			stop()
			if err != nil {
				return err
			}
			if f.json {
				return printJSON(cmd.OutOrStdout(), result)
			}
			return (*inspection)(result).print(cmd.OutOrStdout())
		},
	}
	f.register(cmd)
	cmd.Flags().StringVar(&f.report, "report", "", "write what was found as a page into `FILE`.html")
	cmd.Flags().BoolVar(&f.json, "json", false, "print JSON")
	group(cmd.Flags(), outputFlags, "report", "json")
	return cmd
}

// inspect inspects the export and writes a page into a file, if any.
func (f *inspectFlags) inspect(ctx context.Context, export *hopper.Export) (result *hopper.Inspection, err error) {
	if f.report == "" {
		return export.Inspect(ctx)
	}
	err = file.Replace(f.report, func(w io.Writer) error {
		result, err = export.InspectReport(ctx, w)
		return err
	})
	if err != nil {
		err = fmt.Errorf("--report: %w", err)
	}
	return result, err
}

// inspection is an inspection that can be printed.
type inspection hopper.Inspection

func (r *inspection) print(out io.Writer) error {
	var b strings.Builder
	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "source\t%s\nshape\t%s\nschema\t%s\n", r.Source, printable(r.Shape), printable(r.Schema))
	for i, name := range r.Inputs {
		label := "inputs"
		if i > 0 {
			label = ""
		}
		fmt.Fprintf(table, "%s\t%s\n", label, printable(name))
	}
	fmt.Fprintf(table, "rows\t%s\nevents\t%s\n", humanize.Comma(r.Rows), humanize.Comma(r.Events))
	if r.Events > 0 {
		fmt.Fprintf(table, "from\t%s\nto\t%s\n", r.Earliest, r.Latest)
	}
	table.Flush()
	for _, note := range r.Notes {
		fmt.Fprintf(&b, "\nnote: %s\n", printable(note))
	}
	for _, part := range []struct {
		title string
		tally pipeline.Tally
	}{
		{"Rejected", r.Rejected}, {"Left out", r.Omitted}, {"Repaired", r.Repaired},
	} {
		if len(part.tally) == 0 {
			continue
		}
		fmt.Fprintf(&b, "\n%s:\n", part.title)
		table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
		for _, kind := range part.tally.Kinds() {
			o := part.tally[kind]
			fmt.Fprintf(table, "  %s\t%s\tfirst: %s\n", humanize.Comma(o.Count), printable(kind), printable(fmt.Sprint(o.First())))
		}
		table.Flush()
	}
	if len(r.Fields) > 0 {
		r.printFidelity(&b)
	}
	_, err := io.WriteString(out, b.String())
	return err
}

func (r *inspection) printFidelity(b *strings.Builder) {
	b.WriteString("\nWhat each wire format makes of each field, the one that loses least first:\n")
	table := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	fmt.Fprint(table, "  field\tevents")
	for _, w := range r.Wires {
		fmt.Fprintf(table, "\t%s", w.Wire)
	}
	fmt.Fprintln(table)
	for _, f := range r.Fields {
		fmt.Fprintf(table, "  %s\t%s", f.Field, percent(f.Events, r.Events))
		for _, w := range r.Wires {
			fmt.Fprintf(table, "\t%s", verdict(f.Wires[w.Wire]))
		}
		fmt.Fprintln(table)
	}
	fmt.Fprint(table, "  events refused\t")
	for _, w := range r.Wires {
		fmt.Fprintf(table, "\t%s", humanize.Comma(w.Refused))
	}
	fmt.Fprintln(table)
	fmt.Fprint(table, "  a server needs some\t")
	for _, w := range r.Wires {
		fmt.Fprintf(table, "\t%s", time.Duration(max(w.Seconds, 1)*float64(time.Second)))
	}
	fmt.Fprintln(table)
	table.Flush()
}

// verdict spells the worst that occurs, and its share where the others fare better.
func verdict(v hopper.FieldVerdict) string {
	share := map[string]int64{
		wire.Kept.String(): v.Kept, wire.Derived.String(): v.Derived,
		wire.Shortened.String(): v.Shortened, wire.Lost.String(): v.Lost,
	}
	all := v.Kept + v.Derived + v.Shortened + v.Lost
	if n := share[v.Verdict]; n < all {
		return fmt.Sprintf("%s %s", v.Verdict, percent(n, all))
	}
	return v.Verdict
}

// percent never rounds some to none, or nearly all to all.
func percent(part, whole int64) string {
	switch share := float64(part) * 100 / float64(max(whole, 1)); {
	case part == whole:
		return "100%"
	case share < 0.1:
		return "<0.1%"
	case share > 99.9:
		return ">99.9%"
	default:
		return fmt.Sprintf("%.1f%%", share)
	}
}
