package hopper

import (
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
	Requests    int64            `json:"requests"`
	Seconds     float64          `json:"seconds"`
	Status      Status           `json:"status"`
	Error       string           `json:"error,omitempty"`
}

// Status is how a run ended.
type Status string

// How a run ends.
const (
	Complete        Status = "complete"
	Resumed         Status = "resumed" // complete, after an earlier run had begun it
	AlreadyComplete Status = "already-complete"
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

func (r *Result) summarize(s ledger.Summary, status Status) {
	r.ImportIDs, r.Wire, r.Status = append([]string{}, s.Imports...), s.Platform, status
	r.Rows, r.Events = s.Stats.Rows, s.Stats.Events
	r.Rejected, r.Rejects = s.Stats.Rejected.Total(), s.Stats.Rejected.Counts()
	r.Omitted, r.Repaired = s.Stats.Omitted.Counts(), s.Stats.Repaired.Counts()
	r.Imported, r.Skipped, r.Invalid, r.Sent = s.Counts.Imported, s.Counts.Skipped, s.Counts.Invalid, s.Counts.Total()
	r.Batches, r.Bytes = s.Batches, s.Bytes
	r.Earliest, r.Latest = span(&s.Stats)
}
