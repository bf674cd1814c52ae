package hopper

import (
	"cmp"
	"context"
	"errors"
	"time"

	"hopper/sinks/rybbit/ledger"
)

// Result is what an import, or a dry run of one, came to. Counts are those of
// the whole migration, over all its runs.
type Result struct {
	ImportIDs []string `json:"importIds"`
	Source    string   `json:"source"`
	Wire      string   `json:"wire"`
	Inputs    []string `json:"inputs"`
	// PassedOver is how many inputs, found in directories or archives, are not read.
	PassedOver int              `json:"passedOver"`
	Rows       int64            `json:"rows"`
	Events     int64            `json:"events"`
	Rejected   int64            `json:"rejected"`
	Rejects    map[string]int64 `json:"rejects"`
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
	// Newer is the --since that brings what a database was given after an import
	// that is complete.
	Newer    string  `json:"newer,omitempty"`
	Requests int64   `json:"requests"`
	Seconds  float64 `json:"seconds"`
	// Live is the time from which the site's own tracker has recorded events, where
	// that bounds the import.
	Live string `json:"live,omitempty"`
	// Units say what became of the parts of the export, where only what is new was
	// asked for.
	Units  *UnitCounts `json:"units,omitempty"`
	Status Status      `json:"status"`
	Error  string      `json:"error,omitempty"`
}

// Status is how a run ended.
type Status string

// How a run ends.
const (
	Complete        Status = "complete"
	Resumed         Status = "resumed" // complete, after an earlier run had begun it
	AlreadyComplete Status = "already-complete"
	NothingNew      Status = "nothing-new"
	Partial         Status = "partial" // run again to go on
	Failed          Status = "failed"
	DryRun          Status = "dry-run"
)

func (e *Export) newResult() *Result {
	return &Result{
		Source: e.Source(), Inputs: e.Inputs(), PassedOver: len(e.PassedOver()), ImportIDs: []string{},
		Rejects: map[string]int64{}, Omitted: map[string]int64{}, Repaired: map[string]int64{},
	}
}

// finish completes the result of a run that began at a time and ended in err.
func (r *Result) finish(began time.Time, err error) (*Result, error) {
	r.Seconds = time.Since(began).Seconds()
	if err != nil {
		r.Error, r.Status = err.Error(), Failed
		if Again(err) || errors.Is(err, context.Canceled) {
			r.Status = Partial
		}
	}
	return r, err
}

// add takes what a part of a run came to into the result of the whole.
func (r *Result) add(part *Result) {
	r.ImportIDs, r.Inputs = append(r.ImportIDs, part.ImportIDs...), append(r.Inputs, part.Inputs...)
	r.Wire, r.Live = cmp.Or(part.Wire, r.Wire), cmp.Or(part.Live, r.Live)
	r.RejectsFile = cmp.Or(part.RejectsFile, r.RejectsFile)
	for to, n := range map[*int64]int64{
		&r.Rows: part.Rows, &r.Events: part.Events, &r.Rejected: part.Rejected, &r.Sent: part.Sent,
		&r.Imported: part.Imported, &r.Skipped: part.Skipped, &r.Invalid: part.Invalid, &r.Bytes: part.Bytes,
	} {
		*to += n
	}
	r.Batches += part.Batches
	for _, counts := range []struct{ to, from map[string]int64 }{{r.Rejects, part.Rejects}, {r.Omitted, part.Omitted}, {r.Repaired, part.Repaired}} {
		for kind, n := range counts.from {
			counts.to[kind] += n
		}
	}
	if r.Earliest == "" || part.Earliest != "" && part.Earliest < r.Earliest {
		r.Earliest = part.Earliest
	}
	r.Latest = max(r.Latest, part.Latest)
	if r.Status == NothingNew || part.Status == Partial {
		r.Status = part.Status
	}
}

func (r *Result) summarize(s ledger.Summary, status Status) {
	r.ImportIDs, r.Wire, r.Status = append([]string{}, s.Imports...), s.Platform, status
	r.Rows, r.Events = s.Stats.Rows, s.Stats.Events
	r.Rejected, r.Rejects = s.Stats.Rejected.Total(), s.Stats.Rejected.Counts()
	r.Omitted, r.Repaired = s.Stats.Omitted.Counts(), s.Stats.Repaired.Counts()
	r.Imported, r.Skipped, r.Invalid, r.Sent = s.Counts.Imported, s.Counts.Skipped, s.Counts.Invalid, s.Counts.Total()
	r.Batches, r.Bytes = s.Batches, s.Bytes
	r.Earliest, r.Latest = span(&s.Stats)
}
