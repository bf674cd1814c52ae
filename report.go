package hopper

import (
	"context"
	"fmt"
	"io"
	"time"

	"hopper/pipeline"
	"hopper/pipeline/recount/report"
)

// Report writes one HTML page about a migration, to hand on: what was moved, how
// it compares day by day and table by table, and which guarantees hold. Shown may
// be nil. The export is read once more, for what its wire format cannot carry.
func (e *Export) Report(ctx context.Context, w io.Writer, sent *Verification, shown *ShownVerification) error {
	inspection, err := e.Inspect(ctx)
	if err != nil {
		return err
	}
	page := pageOf(inspection, sent)
	if shown != nil {
		page.Server, page.Site, page.Zone, page.Imports = shown.Server, shown.Site, shown.Zone, shown.Imports
		page.Shown = shown.Comparison
	}
	return report.Write(w, page)
}

// InspectReport is [Export.Inspect], and writes what it finds as one HTML page:
// what the export holds, per day too, what each wire format makes of it, and what
// would be left out. The export is read twice more.
func (e *Export) InspectReport(ctx context.Context, w io.Writer) (*Inspection, error) {
	if err := e.inputs.Spool(ctx); err != nil { // they are read several times
		return nil, err
	}
	inspection, err := e.Inspect(ctx)
	if err != nil {
		return nil, err
	}
	sent, err := e.Verify(ctx, inspection.Wires[0].Wire)
	if err != nil {
		return nil, err
	}
	page := pageOf(inspection, sent)
	page.Before = true
	return inspection, report.Write(w, page)
}

// pageOf returns what a page says of an export and of what is sent of it.
func pageOf(i *Inspection, sent *Verification) *report.Page {
	page := &report.Page{
		Source: sent.Source, Shape: sent.Shape, Schema: sent.Schema, Inputs: sent.Inputs, Wire: sent.Wire, Made: time.Now(),
		Rows: sent.Rows, Events: sent.Events, Earliest: i.Earliest, Latest: i.Latest, Notes: i.Notes, Sent: sent.Comparison,
		Rejected: countsOf(sent.Stats.Rejected), Omitted: countsOf(sent.Stats.Omitted), Repaired: countsOf(sent.Stats.Repaired),
		Losses: lossesOf(i, sent.Wire),
	}
	for _, w := range i.Wires {
		page.Wires = append(page.Wires, report.Wire{
			Name: w.Wire, Refused: w.Refused, Needs: time.Duration(max(w.Seconds, 1) * float64(time.Second)).Round(time.Second).String(),
		})
	}
	for _, f := range i.Fields {
		field := report.Field{Name: f.Field, Events: f.Events, Share: f.Share}
		for _, w := range i.Wires {
			v := f.Wires[w.Wire]
			field.Verdicts = append(field.Verdicts, report.Verdict{Worst: v.Verdict, Kept: float64(v.Kept+v.Derived) / float64(max(f.Events, 1))})
		}
		page.Fields = append(page.Fields, field)
	}
	return page
}

// countsOf lists what was counted, the most frequent first, each with where it was
// first seen.
func countsOf(tally pipeline.Tally) []report.Count {
	var counts []report.Count
	for _, kind := range tally.Kinds() {
		seen := tally[kind]
		counts = append(counts, report.Count{What: kind, N: seen.Count, Example: "first " + seen.First().String()})
	}
	return counts
}

// lossesOf says which fields a wire format loses or changes, and of how many events.
func lossesOf(i *Inspection, platform string) []string {
	var losses []string
	for _, f := range i.Fields {
		v := f.Wires[platform]
		for _, loss := range []struct {
			n    int64
			what string
		}{{v.Lost, "lost"}, {v.Shortened, "shortened"}, {v.Refused, "refused with its event"}, {v.Derived, "brought in another form"}} {
			if loss.n > 0 {
				losses = append(losses, fmt.Sprintf("%s: %s in %d of %d events", f.Field, loss.what, loss.n, f.Events))
			}
		}
	}
	return losses
}
