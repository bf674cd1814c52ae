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

	"hopper/pipeline"
	"hopper/sinks/rybbit/wire"
)

// inspecting are the flags of inspect.
type inspecting struct {
	*global
	reading
	json bool
}

func newInspect(g *global) *cobra.Command {
	f := &inspecting{global: g}
	cmd := &cobra.Command{
		Use:   "inspect INPUT...",
		Short: "Say what is in an export and what would be lost; upload nothing",
		Long: `Say what an export is and what it holds: rows, events, dates, how many events
fill each field, what each wire format makes of the field, and what is
repaired, left out or rejected, each with the first row of its kind.

In the table, a field is kept, derived (it arrives in another form that tells
the same), shortened, or lost; refused are events that a format cannot carry
at all, such as web vitals in most.`,
		Example: "  hopper inspect export.zip",
		Args:    args(1, -1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := f.check(); err != nil {
				return err
			}
			screen, log, err := f.console(cmd)
			if err != nil {
				return err
			}
			result, err := f.inspect(cmd.Context(), args, cmd.InOrStdin(), screen, log)
			if err != nil {
				return err
			}
			if f.json {
				return printJSON(cmd.OutOrStdout(), result)
			}
			return result.print(cmd.OutOrStdout())
		},
	}
	f.flags(cmd)
	cmd.Flags().BoolVar(&f.json, "json", false, "print JSON")
	return cmd
}

// inspection is what inspect --json prints.
type inspection struct {
	Source   string         `json:"source"`
	Shape    string         `json:"shape"`
	Schema   string         `json:"schema"`
	Notes    []string       `json:"notes"`
	Inputs   []string       `json:"inputs"`
	Rows     int64          `json:"rows"`
	Events   int64          `json:"events"`
	Earliest string         `json:"earliest,omitempty"`
	Latest   string         `json:"latest,omitempty"`
	Rejected pipeline.Tally `json:"rejected"`
	Omitted  pipeline.Tally `json:"omitted"`
	Repaired pipeline.Tally `json:"repaired"`
	// Wires are the wire formats, the one that loses least first.
	Wires  []wireVerdict `json:"wires"`
	Fields []fieldRow    `json:"fields"`
}

// wireVerdict is what a wire format does to the events as a whole.
type wireVerdict struct {
	Wire string `json:"wire"`
	// Refused is how many events it cannot carry at all.
	Refused int64 `json:"refused"`
	// Loses are the fields that it loses or shortens for some events.
	Loses []string `json:"loses"`
}

// fieldRow is a row of the fidelity table.
type fieldRow struct {
	Field  string                  `json:"field"`
	Events int64                   `json:"events"`
	Share  float64                 `json:"share"` // of all events
	Wires  map[string]fieldVerdict `json:"wires"`
}

type fieldVerdict struct {
	// Verdict is the worst that occurs, or "refused" when the format takes none
	// of the events that fill the field.
	Verdict   string `json:"verdict"`
	Kept      int64  `json:"kept"`
	Derived   int64  `json:"derived"`
	Shortened int64  `json:"shortened"`
	Lost      int64  `json:"lost"`
	Refused   int64  `json:"refused"`
}

func (f *inspecting) inspect(
	ctx context.Context, args []string, stdin io.Reader, screen *screen, log *slog.Logger,
) (_ *inspection, err error) {
	e, err := f.open(ctx, args, stdin)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, e.inputs.Close()) }()
	reading, err := e.adapter.Open(ctx, e.inputs.Files, e.options)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, reading.Source.Close()) }()
	var events atomic.Int64
	bar := progress{screen: screen, log: log, verb: "read", bytes: e.inputs.BytesRead, size: e.inputs.Size(), events: events.Load}
	stop := bar.start()
	translation := pipeline.Translation{Normalizer: f.normalizer(e, "", time.Now()), Jobs: f.jobs}
	surveyed, stats, err := survey(ctx, &translation, reading.Source, &events)
	stop()
	if err != nil {
		return nil, err
	}
	result := &inspection{
		Source: e.adapter.Name(), Shape: reading.Shape, Schema: reading.Schema, Notes: append([]string{}, reading.Notes...),
		Rows: stats.Rows, Events: stats.Events,
		Rejected: orEmpty(stats.Rejected), Omitted: orEmpty(stats.Omitted), Repaired: orEmpty(stats.Repaired),
	}
	for _, in := range e.inputs.Files {
		result.Inputs = append(result.Inputs, in.Name)
	}
	if stats.Events > 0 {
		result.Earliest = stats.Earliest.Time().Format(time.RFC3339Nano)
		result.Latest = stats.Latest.Time().Format(time.RFC3339Nano)
	}
	result.fidelity(surveyed)
	return result, nil
}

func orEmpty(t pipeline.Tally) pipeline.Tally {
	if t == nil {
		return pipeline.Tally{}
	}
	return t
}

func (r *inspection) fidelity(survey *wire.Survey) {
	for _, w := range survey.Rank() {
		v := wireVerdict{Wire: w.Platform(), Refused: survey.Refused(w), Loses: []string{}}
		for _, field := range survey.Loses(w) {
			v.Loses = append(v.Loses, field.String())
		}
		r.Wires = append(r.Wires, v)
	}
	r.Fields = []fieldRow{}
	for _, row := range survey.Rows() {
		f := fieldRow{
			Field: row.Field.String(), Events: row.Events,
			Share: float64(row.Events) / float64(survey.Events()), Wires: make(map[string]fieldVerdict),
		}
		for i, w := range wire.Formats() {
			v := row.Formats[i]
			verdict := fieldVerdict{
				v.Worst().String(), v[wire.Kept], v[wire.Derived], v[wire.Shortened], v[wire.Lost], row.Events - v.Total(),
			}
			if v.Total() == 0 {
				verdict.Verdict = "refused"
			}
			f.Wires[w.Platform()] = verdict
		}
		r.Fields = append(r.Fields, f)
	}
}

func (r *inspection) print(out io.Writer) error {
	var b strings.Builder
	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "source\t%s\nshape\t%s\nschema\t%s\n", r.Source, r.Shape, r.Schema)
	fmt.Fprintf(table, "inputs\t%s\n", strings.Join(r.Inputs, "\n\t"))
	fmt.Fprintf(table, "rows\t%s\nevents\t%s\n", humanize.Comma(r.Rows), humanize.Comma(r.Events))
	if r.Events > 0 {
		fmt.Fprintf(table, "from\t%s\nto\t%s\n", r.Earliest, r.Latest)
	}
	table.Flush()
	for _, note := range r.Notes {
		fmt.Fprintf(&b, "\nnote: %s\n", note)
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
			fmt.Fprintf(table, "  %s\t%s\tfirst: %s\n", humanize.Comma(o.Count), kind, o.First())
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
			fmt.Fprintf(table, "\t%s", f.Wires[w.Wire])
		}
		fmt.Fprintln(table)
	}
	fmt.Fprint(table, "  events refused\t")
	for _, w := range r.Wires {
		fmt.Fprintf(table, "\t%s", humanize.Comma(w.Refused))
	}
	fmt.Fprintln(table)
	table.Flush()
}

// String tells the worst verdict, and its share where the others fare better.
func (v fieldVerdict) String() string {
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
