package ledger

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"hopper/pipeline"
)

// A Step is one thing that a run did, or is about to do. Its types are [Begin],
// [Counted], [Creating], [Created], [Refused], [Sending], [Failed], [Stored],
// [Unsent], [Closed], [Gone] and [End].
type Step interface {
	// record returns the step as a line of the journal has it.
	record() record
}

// Begin is the first step of every ledger.
type Begin struct {
	Migration Migration
	Version   string // hopper's
	// Again says that the user asked for events that may be in Rybbit already.
	Again bool
}

// Counted says which times the events of the inputs lie in, which were read once
// before anything was sent.
type Counted struct{ Periods pipeline.Periods }

// Creating says that an import is about to be created.
type Creating struct {
	Platform string
	// Known are the site's imports before it.
	Known []string
}

// Created says that an import was created, and takes batches.
type Created struct{ Import, Platform string }

// Refused says that an import was certainly not created.
type Refused struct{ Reason string }

// Sending says that a batch is about to be sent.
type Sending struct {
	Import string
	Batch  Batch
	// At is when that was, which the ledger fills in.
	At time.Time
	// Failed says that the server failed at it, which a [Failed] step adds.
	Failed bool
}

// Failed says that the server answered the batch with an error of its own. It may
// have stored the batch and failed to count it.
type Failed struct{ Reason string }

// Stored says that the batch is in Rybbit.
type Stored struct {
	// Took is how long the server worked on it; 0 is unknown.
	Took time.Duration
	// Uncounted says that the server's counters do not have it, though it holds the events.
	Uncounted bool
}

// Unsent says that the batch is not in Rybbit.
type Unsent struct {
	Reason string
	// Waited says that this was concluded from waiting, and not from an answer.
	Waited bool
}

// Closed says that an import takes no more batches.
type Closed struct{ Import, Reason string }

// Gone says that an import and all its events are no longer there.
type Gone struct{ Import, Reason string }

// End says that everything is in Rybbit.
type End struct {
	Stats  pipeline.Stats
	Counts Counts
	// At is when that was, which the ledger fills in.
	At time.Time
}

// A Batch is a run of events that is sent in one request.
type Batch struct {
	// First is the index of its first event among all of the migration.
	First  int64 `json:"first"`
	Events int   `json:"events"`
	// Bytes is the length of the request's body.
	Bytes int `json:"bytes"`
	// XXH3 is the digest of the records, joined by commas, in hexadecimal: XXH3 of
	// 128 bits, which tells a changed input from the same one as well as SHA-256 does
	// and takes a tenth of the time. SHA256 is in its place in older ledgers.
	XXH3   string `json:"xxh3,omitempty"`
	SHA256 string `json:"sha256,omitempty"`
	// Mark is a place at or before First from which the batch can be made again.
	Mark pipeline.Mark `json:"mark"`
}

// Next returns the index of the event that follows the batch.
func (b *Batch) Next() int64 { return b.First + int64(b.Events) }

// Counts are what a server has counted, added up over imports.
type Counts struct {
	Imported int64 `json:"imported"`
	Skipped  int64 `json:"skipped"`
	Invalid  int64 `json:"invalid"`
}

// Total is how many events have landed.
func (c Counts) Total() int64 { return c.Imported + c.Skipped + c.Invalid }

// record is a line of the journal. FORMAT.md describes it.
type record struct {
	Type      string           `json:"type"`
	At        time.Time        `json:"at"`
	Migration *Migration       `json:"migration,omitempty"`
	Version   string           `json:"version,omitempty"`
	Import    string           `json:"import,omitempty"`
	Platform  string           `json:"platform,omitempty"`
	Known     []string         `json:"known,omitempty"`
	Batch     *Batch           `json:"batch,omitempty"`
	Reason    string           `json:"reason,omitempty"`
	Stats     *pipeline.Stats  `json:"stats,omitempty"`
	Counts    *Counts          `json:"counts,omitempty"`
	Again     bool             `json:"again,omitempty"`
	TookMs    int64            `json:"tookMs,omitempty"`
	Uncounted bool             `json:"uncounted,omitempty"`
	Waited    bool             `json:"waited,omitempty"`
	Periods   pipeline.Periods `json:"periods,omitempty"`
}

func (s Begin) record() record {
	return record{Type: "begin", Migration: &s.Migration, Version: s.Version, Again: s.Again}
}

func (s Counted) record() record { return record{Type: "counted", Periods: s.Periods} }

func (s Creating) record() record {
	return record{Type: "creating", Platform: s.Platform, Known: s.Known}
}

func (s Created) record() record {
	return record{Type: "import", Import: s.Import, Platform: s.Platform}
}

func (s Refused) record() record { return record{Type: "refused", Reason: s.Reason} }

func (s Sending) record() record {
	return record{Type: "send", At: s.At, Import: s.Import, Batch: &s.Batch}
}

func (s Failed) record() record { return record{Type: "failed", Reason: s.Reason} }

func (s Stored) record() record {
	return record{Type: "stored", TookMs: s.Took.Milliseconds(), Uncounted: s.Uncounted}
}

func (s Unsent) record() record { return record{Type: "unsent", Reason: s.Reason, Waited: s.Waited} }

func (s Closed) record() record { return record{Type: "closed", Import: s.Import, Reason: s.Reason} }

func (s Gone) record() record { return record{Type: "gone", Import: s.Import, Reason: s.Reason} }

func (s End) record() record {
	return record{Type: "end", At: s.At, Stats: &s.Stats, Counts: &s.Counts}
}

// decode returns the step that a line of the journal holds, and its time.
func decode(line io.Reader) (Step, time.Time, error) {
	text, err := io.ReadAll(line)
	if err != nil {
		return nil, time.Time{}, err
	}
	var r record
	if err := json.Unmarshal(text, &r); err != nil {
		return nil, time.Time{}, err
	}
	step, err := r.step()
	return step, r.At, err
}

func (r *record) step() (Step, error) {
	switch r.Type {
	case "begin":
		if r.Migration == nil || r.At.IsZero() {
			return nil, errors.New("a beginning without its migration")
		}
		return Begin{Migration: *r.Migration, Version: r.Version, Again: r.Again}, nil
	case "counted":
		return Counted{Periods: r.Periods}, nil
	case "creating":
		return Creating{Platform: r.Platform, Known: r.Known}, nil
	case "import":
		return Created{Import: r.Import, Platform: r.Platform}, nil
	case "refused":
		return Refused{Reason: r.Reason}, nil
	case "send":
		if r.Batch == nil {
			return nil, errors.New("a sending without its batch")
		}
		return Sending{Import: r.Import, Batch: *r.Batch, At: r.At}, nil
	case "failed":
		return Failed{Reason: r.Reason}, nil
	case "stored":
		return Stored{Took: time.Duration(r.TookMs) * time.Millisecond, Uncounted: r.Uncounted}, nil
	case "unsent":
		return Unsent{Reason: r.Reason, Waited: r.Waited}, nil
	case "closed":
		return Closed{Import: r.Import, Reason: r.Reason}, nil
	case "gone":
		return Gone{Import: r.Import, Reason: r.Reason}, nil
	case "end":
		if r.Stats == nil || r.Counts == nil {
			return nil, errors.New("an end without its counts")
		}
		return End{Stats: *r.Stats, Counts: *r.Counts, At: r.At}, nil
	}
	return nil, fmt.Errorf("unknown step %q: a newer hopper wrote this; use that one", r.Type)
}
