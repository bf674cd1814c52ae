package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/dustin/go-humanize"

	"hopper"
	"hopper/sinks/file"
)

// proof is what verify, and import --verify, found out.
type proof struct {
	*hopper.Verification
	Server *hopper.ShownVerification `json:"server,omitempty"`
}

// prove compares the export with what is sent in a wire format and, where a site
// is given, that with what the server shows. It writes a page into a file, if any.
func prove(ctx context.Context, export *hopper.Export, where *hopper.Shown, platform, page string) (found *proof, err error) {
	found = new(proof)
	if found.Verification, err = export.Verify(ctx, platform); err != nil {
		return nil, err
	}
	if where != nil {
		if found.Server, err = export.VerifyShown(ctx, *where); err != nil {
			return nil, err
		}
	}
	if page != "" {
		err = found.report(ctx, export, page)
	}
	return found, err
}

// difference returns an error for guarantees that do not hold.
func (p *proof) difference() error {
	switch {
	case !p.Holds:
		return &exitError{exitRejects, errors.New("what is sent differs from the export")}
	case p.Server != nil && !p.Server.Holds:
		return &exitError{exitRejects, errors.New("what the server shows differs from what was sent")}
	}
	return nil
}

// print prints both comparisons.
func (p *proof) print(out io.Writer) error {
	err := (*verification)(p.Verification).print(out)
	if err == nil && p.Server != nil {
		err = printShown(out, p.Server)
	}
	return err
}

// report writes the page about a migration into a file.
func (p *proof) report(ctx context.Context, export *hopper.Export, path string) error {
	err := file.Replace(path, func(w io.Writer) error { return export.Report(ctx, w, p.Verification, p.Server) })
	if err != nil {
		return fmt.Errorf("--report: %w", err)
	}
	return nil
}

// printShown prints what the server shows beside what was sent.
func printShown(out io.Writer, v *hopper.ShownVerification) error {
	var b strings.Builder
	how := "by its statistics"
	if v.BySQL {
		how = "in SQL"
	}
	fmt.Fprintf(&b, "\nSite %s of %s shows, asked %s with %d requests:\n\n", v.Site, v.Server, how, v.Requests)
	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	label := labels(v.Total)
	fmt.Fprintf(table, "%s\tsource\tsent\tserver\tdifference\toff\tshare\t\n", label("table", "measure"))
	last := ""
	for i := range v.Total {
		l := &v.Total[i]
		name, source := l.Table, humanize.Comma(l.Source-l.LeftOut)
		if name == last {
			name = ""
		}
		last = l.Table
		if l.Source == 0 && l.Sent > 0 {
			source = "-"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t\n", label(name, l.Measure), source, humanize.Comma(l.Sent), humanize.Comma(*l.Shown),
			signed(l.Difference()), humanize.Comma(l.Off), shareOf(l.Share))
	}
	table.Flush()
	for _, note := range v.Notes {
		fmt.Fprintf(&b, "\nnote: %s\n", printable(note))
	}
	printWorst(&b, v.Worst)
	b.WriteByte('\n')
	printGuarantees(&b, v.Guarantees)
	_, err := io.WriteString(out, b.String())
	return err
}
