package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"hopper/sinks/rybbit"
)

// importResult is what import --json prints.
type importResult struct {
	ImportIDs []string         `json:"importIds"`
	Source    string           `json:"source"`
	Wire      string           `json:"wire"`
	Inputs    []string         `json:"inputs"`
	Rows      int64            `json:"rows"`
	Events    int64            `json:"events"`
	Rejected  int64            `json:"rejected"`
	Rejects   map[string]int64 `json:"rejects"`
	// RejectsFile is where each rejected record stands; empty when there is none.
	RejectsFile string           `json:"rejectsFile,omitempty"`
	Omitted     map[string]int64 `json:"omitted"`
	Repaired    map[string]int64 `json:"repaired"`
	Sent        int64            `json:"sent"`
	Imported    int64            `json:"imported"`
	Skipped     int64            `json:"skipped"`
	Invalid     int64            `json:"invalid"`
	Batches     int              `json:"batches"`
	Bytes       int64            `json:"bytes"`
	Earliest    string           `json:"earliest,omitempty"`
	Latest      string           `json:"latest,omitempty"`
	Requests    int64            `json:"requests"`
	Seconds     float64          `json:"seconds"`
	Status      string           `json:"status"`
	Error       string           `json:"error,omitempty"`
}

// What a run came to.
const (
	statusComplete        = "complete"
	statusResumed         = "resumed"
	statusAlreadyComplete = "already-complete"
	statusPartial         = "partial"
	statusFailed          = "failed"
	statusDryRun          = "dry-run"
)

func (r *importRun) summarize(s rybbit.Summary, status string) {
	res := &r.result
	res.ImportIDs, res.Wire, res.Status = s.Imports, s.Platform, status
	res.Rows, res.Events = s.Stats.Rows, s.Stats.Events
	res.Rejected, res.Rejects = s.Stats.Rejected.Total(), s.Stats.Rejected.Counts()
	res.Omitted, res.Repaired = s.Stats.Omitted.Counts(), s.Stats.Repaired.Counts()
	res.Imported, res.Skipped, res.Invalid, res.Sent = s.Counts.Imported, s.Counts.Skipped, s.Counts.Invalid, s.Counts.Total()
	res.Batches, res.Bytes = s.Batches, s.Bytes
	if s.Stats.Events > 0 {
		res.Earliest = s.Stats.Earliest.Time().Format(time.RFC3339Nano)
		res.Latest = s.Stats.Latest.Time().Format(time.RFC3339Nano)
	}
}

// finish tells what the run came to, whether it ended well or not.
func (r *importRun) finish(ctx context.Context, stdout, stderr io.Writer, err error) error {
	res := &r.result
	res.Seconds = time.Since(r.began).Seconds()
	switch code := exitCode(err); {
	case err == nil:
	case code == exitUsage:
		return errors.Join(err, r.closeSandbox())
	case code == exitAway || code == exitInterrupted:
		res.Status, res.Error = statusPartial, err.Error()
	default:
		res.Status, res.Error = statusFailed, err.Error()
	}
	if err == nil && r.maxRejects.exceeded(res.Rejected, res.Rows) {
		err = &exitError{exitRejects, fmt.Errorf("%d of %d rows were rejected, more than --max-rejects %s allows; they are in %s",
			res.Rejected, res.Rows, &r.maxRejects, res.RejectsFile)}
	}
	res.fillEmpty()
	switch {
	case r.quiet || res.Error != "":
	case r.logFormat == "json":
		r.log.Info("done", "result", res)
	default:
		r.tell(stderr)
		if r.sandboxed != nil {
			// An interrupt while this is printed must not spoil it.
			err = errors.Join(err, r.sandboxed.report(context.WithoutCancel(ctx), stderr, res.ImportIDs))
		}
	}
	if r.json {
		err = errors.Join(err, printJSON(stdout, res))
	}
	return errors.Join(err, r.closeSandbox())
}

func (r *importRun) closeSandbox() error {
	if r.sandboxed == nil {
		return nil
	}
	return r.sandboxed.close()
}

// fillEmpty makes absent lists and maps empty ones, so that programs need not
// tell them apart.
func (res *importResult) fillEmpty() {
	for _, list := range []*[]string{&res.ImportIDs, &res.Inputs} {
		if *list == nil {
			*list = []string{}
		}
	}
	for _, counts := range []*map[string]int64{&res.Rejects, &res.Omitted, &res.Repaired} {
		if *counts == nil {
			*counts = map[string]int64{}
		}
	}
}

func (r *importRun) tell(out io.Writer) {
	res := &r.result
	switch res.Status {
	case statusAlreadyComplete:
		fmt.Fprintf(out, "already complete: %s events are in import %s; --again imports them once more\n",
			humanize.Comma(res.Imported), strings.Join(res.ImportIDs, ", "))
		return
	case statusDryRun:
		fmt.Fprintf(out, "dry run: %s rows give %s events, %s in the wire format %s; nothing was uploaded\n",
			humanize.Comma(res.Rows), humanize.Comma(res.Events), humanize.Bytes(uint64(res.Bytes)), res.Wire)
	default:
		fmt.Fprintf(out, "done: %s rows, %s events, %s imported (%s batches, %s, %d requests, %s)\n",
			humanize.Comma(res.Rows), humanize.Comma(res.Events), humanize.Comma(res.Imported),
			humanize.Comma(int64(res.Batches)), humanize.Bytes(uint64(res.Bytes)), res.Requests,
			time.Since(r.began).Round(10*time.Millisecond))
		if len(res.ImportIDs) > 0 {
			fmt.Fprintf(out, "  import    %s\n", strings.Join(res.ImportIDs, ", "))
		}
	}
	tellCounts(out, "rejected", res.Rejects)
	if res.RejectsFile != "" {
		fmt.Fprintf(out, "            all in %s\n", res.RejectsFile)
	}
	tellCounts(out, "left out", res.Omitted)
	tellCounts(out, "repaired", res.Repaired)
	if res.Skipped > 0 {
		fmt.Fprintf(out, "  skipped   %s by the server: outside its range of dates, or over the monthly quota\n", humanize.Comma(res.Skipped))
	}
	if res.Invalid > 0 {
		fmt.Fprintf(out, "  invalid   %s by the server: its rules are stricter than hopper knows; please report this\n", humanize.Comma(res.Invalid))
	}
}

func tellCounts(out io.Writer, what string, counts map[string]int64) {
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
		fmt.Fprintf(out, "  %-9s %s × %s\n", what, humanize.Comma(counts[kind]), kind)
	}
}
