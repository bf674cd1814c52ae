package ledger

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"hopper/pipeline"
)

// State is what the steps so far add up to. Its methods only read; what they
// return stays valid when further steps are added, and does not follow them.
type State struct {
	migration Migration
	version   string
	started   time.Time
	again     bool
	imports   []*account
	creating  *Creating
	pending   *Sending
	end       *End
	slowest   Timing
	doubted   time.Time
	gone      []string
	periods   pipeline.Periods
}

// An account is what is known of one import.
type account struct {
	Import
	spans []Span
}

// Import is what a ledger has settled of one import.
type Import struct {
	ID, Platform string
	// Open says that it takes the next batch.
	Open bool
	// Events is how many events are stored in it, which the server's counters
	// must add up to.
	Events int64
	// Uncounted is how many of them those counters do not have.
	Uncounted int64
	Batches   int
	Bytes     int64
}

// Span is a run of events that are stored in one import.
type Span struct {
	// First is the index of the first event, Next that of the one after the last.
	First, Next int64
	// The batches at its ends have marks from which reading can go on. Those
	// between are not kept, so that a ledger of many small batches takes little
	// memory.
	head, tail Batch
}

// Timing is how long a server worked on a batch of some size.
type Timing struct {
	Bytes int
	Took  time.Duration
}

// Version returns the version of hopper that began the migration.
func (s *State) Version() string { return s.version }

// Started is when the migration began. It stays the same when it is resumed.
func (s *State) Started() time.Time { return s.started }

// Creating returns the import that was about to be created when no outcome
// followed, or nil.
func (s *State) Creating() *Creating { return clone(s.creating) }

// Pending returns the batch that was about to be sent when no outcome
// followed, or nil.
func (s *State) Pending() *Sending { return clone(s.pending) }

// Slowest returns how long the slowest stored batch took.
func (s *State) Slowest() Timing { return s.slowest }

// Doubted is when a batch was last taken for not stored because nothing was seen
// of it for long enough.
func (s *State) Doubted() time.Time { return s.doubted }

// Periods returns the times that the migration's events lie in; none where they
// were not counted beforehand.
func (s *State) Periods() pipeline.Periods { return slices.Clone(s.periods) }

// Gone returns the imports that had events, or a batch in doubt, when they were
// found gone.
func (s *State) Gone() []string { return slices.Clone(s.gone) }

func clone[T any](p *T) *T {
	if p == nil {
		return nil
	}
	c := *p
	return &c
}

// Imports returns what is settled of each import that is not gone, in the order
// in which they were created.
func (s *State) Imports() []Import {
	all := make([]Import, len(s.imports))
	for i, a := range s.imports {
		all[i] = a.Import
	}
	return all
}

// Import returns the import of that id, if the ledger has it.
func (s *State) Import(id string) (Import, bool) {
	if a := s.find(id); a != nil {
		return a.Import, true
	}
	return Import{}, false
}

// Current returns the import that takes the next batch, if there is one.
func (s *State) Current() (Import, bool) {
	for _, a := range s.imports {
		if a.Open {
			return a.Import, true
		}
	}
	return Import{}, false
}

// Platform is the wire format that the migration is bound to: that of an
// import which is open or holds events. It is empty when there is none.
func (s *State) Platform() string {
	for _, a := range s.imports {
		if a.Open || a.Events > 0 || s.pending != nil && s.pending.Import == a.ID {
			return a.Platform
		}
	}
	return ""
}

// Stored returns what is in Rybbit, in the order of the events.
func (s *State) Stored() []Span {
	var all []Span
	for _, a := range s.imports {
		all = append(all, a.spans...)
	}
	slices.SortFunc(all, func(a, b Span) int { return int(max(-1, min(1, a.First-b.First))) })
	return all
}

// Missing returns the index of the first event that is not stored.
func (s *State) Missing() int64 { return missing(s.Stored()) }

func missing(stored []Span) int64 {
	var next int64
	for _, span := range stored {
		if span.First > next {
			break
		}
		next = span.Next
	}
	return next
}

// Resume returns where reading must begin so that everything that is missing is
// read again, and the stored batch that lies there, if one does, to check that
// the same input still gives the same bytes.
func (s *State) Resume() (from pipeline.Mark, check *Batch) {
	stored := s.Stored()
	first := missing(stored)
	for _, span := range stored {
		for _, b := range []Batch{span.head, span.tail} {
			if b.First < first && b.Mark.Chunk >= from.Chunk {
				from, check = b.Mark, &b
			}
		}
	}
	return from, check
}

// Summary is what a migration came to.
type Summary struct {
	Imports  []string
	Platform string
	// Stored is how many events the ledger has settled as stored.
	Stored  int64
	Stats   pipeline.Stats
	Counts  Counts
	Batches int
	Bytes   int64
}

// Summary returns what is settled so far. Its stats are empty until the
// migration is complete.
func (s *State) Summary() Summary {
	var sum Summary
	for _, a := range s.imports {
		sum.Platform = a.Platform
		sum.Imports = append(sum.Imports, a.ID)
		sum.Stored += a.Events
		sum.Batches += a.Batches
		sum.Bytes += a.Bytes
	}
	return sum
}

// Complete returns what a complete migration came to.
func (s *State) Complete() (Summary, bool) {
	if s.end == nil {
		return Summary{}, false
	}
	sum := s.Summary()
	sum.Stats, sum.Counts = s.end.Stats, s.end.Counts
	return sum, true
}

// holds reports whether events of the migration's inputs may be in Rybbit.
func (s *State) holds() bool {
	return s.pending != nil || slices.ContainsFunc(s.imports, func(a *account) bool { return a.Events > 0 })
}

func (s *State) find(id string) *account {
	for _, a := range s.imports {
		if a.ID == id {
			return a
		}
	}
	return nil
}

// apply adds a step that was taken at a time.
func (s *State) apply(step Step, at time.Time) error {
	if _, begins := step.(Begin); s.started.IsZero() != begins {
		return fmt.Errorf("unexpected %T", step)
	}
	switch step := step.(type) {
	case Begin:
		s.migration, s.started, s.version, s.again = step.Migration, at, step.Version, step.Again
	case Counted:
		s.periods = step.Periods
	case Creating:
		s.creating = &step
	case Refused:
		s.creating = nil
	case Created:
		s.creating = nil
		s.imports = append(s.imports, &account{Import: Import{ID: step.Import, Platform: step.Platform, Open: true}})
	case Sending:
		if s.find(step.Import) == nil {
			return errors.New("a batch without its import")
		}
		// Events are sent in their order. Lines that are lost, or stand in each other's
		// place, would have others taken for stored.
		if missing := s.Missing(); step.Batch.First != missing {
			return fmt.Errorf("a batch that begins with event %d where event %d is the first that is missing", step.Batch.First+1, missing+1)
		}
		step.At = at
		s.pending = &step
	case Failed:
		if s.pending == nil {
			return errors.New("a failure without its batch")
		}
		s.pending.Failed = true
	case Stored:
		if s.pending == nil {
			return errors.New("an outcome without its batch")
		}
		a := s.find(s.pending.Import)
		a.store(s.pending.Batch)
		if step.Uncounted {
			a.Uncounted += int64(s.pending.Batch.Events)
		}
		if step.Took > s.slowest.Took {
			s.slowest = Timing{s.pending.Batch.Bytes, step.Took}
		}
		s.pending = nil
	case Unsent:
		s.pending = nil
		if step.Waited {
			s.doubted = at
		}
	case Closed:
		if a := s.find(step.Import); a != nil {
			a.Open = false
		}
	case Gone:
		if a := s.find(step.Import); a != nil && (a.Events > 0 || s.pending != nil && s.pending.Import == step.Import) {
			s.gone = append(s.gone, step.Import)
		}
		s.imports = slices.DeleteFunc(s.imports, func(a *account) bool { return a.ID == step.Import })
		if s.pending != nil && s.pending.Import == step.Import {
			s.pending = nil
		}
		s.end = nil
	case End:
		step.At = at
		s.end = &step
	}
	return nil
}

func (a *account) store(b Batch) {
	a.Events += int64(b.Events)
	a.Batches++
	a.Bytes += int64(b.Bytes)
	if n := len(a.spans); n > 0 && a.spans[n-1].Next == b.First {
		a.spans[n-1].Next, a.spans[n-1].tail = b.Next(), b
		return
	}
	a.spans = append(a.spans, Span{First: b.First, Next: b.Next(), head: b, tail: b})
}
