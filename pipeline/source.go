package pipeline

import "context"

// A Source yields the events of one migration, in an order that depends on
// the inputs and options alone: resuming counts on it.
type Source interface {
	// Next returns the next chunk, and io.EOF after the last. It is called by
	// one goroutine at a time and does the sequential part of reading only:
	// cutting the input at record boundaries. It returns early with ctx's
	// error when ctx ends. Any other error ends the run; it names the input,
	// the row and what to do.
	Next(ctx context.Context) (Chunk, error)
	// Close releases files and temporary space. It is called once, after the
	// last chunk has been decoded.
	Close() error
}

// A Chunk is some hundred kilobytes of input, cut at a record boundary. It is
// the unit that travels to a worker.
type Chunk interface {
	// Decode parses the chunk and hands everything it holds to out, in input
	// order. It is called once, by any goroutine, while other chunks are
	// decoded by others; what it shares with them must be read-only. Its error
	// ends the run: a record that cannot be read is a reject and no error.
	Decode(out *Emitter) error
}

// Repeatable is a [Chunk] that can say that Decode may be called again, once the
// last call has returned, and does the same then.
type Repeatable interface {
	Chunk
	Repeatable() bool
}

// Releasable is a [Chunk] with memory to give back. [Translate] calls Release when it
// has decoded the chunk and will not do so again; nothing that Decode handed out is
// kept by then, see [Emitter.Event].
type Releasable interface {
	Chunk
	Release()
}

// unreleased is a chunk that will be decoded again.
type unreleased struct{ Chunk }

// An Emitter takes what a chunk holds. Every input row must end in at least
// one call of Event, Reject or Omit, so that nothing is dropped silently.
type Emitter struct {
	stats   *Stats
	rejects *[]Reject
	event   func(*Event)
	known   *known // nil remembers nothing
}

// Rows counts n more records read from the input, header rows apart.
func (e *Emitter) Rows(n int) { e.stats.Rows += int64(n) }

// Event takes one event. It copies what it keeps: ev and all that it refers
// to may be reused after the call, and may have been changed by it.
func (e *Emitter) Event(ev *Event) { e.event(ev) }

// Recall sets the facts of a client, and those of a place, to what normalization made of
// those of an earlier event that were read from the same passage, [Event.ClientFrom] or
// [Event.PlaceFrom], and reports whether it remembers one. The adapter sets the others.
func (e *Emitter) Recall(ev *Event) (client, place bool) {
	if e.known == nil {
		return false, false
	}
	return e.known.recall(ev)
}

// Reject counts a record that cannot become an event, for a reason that a
// user can act on. Raw is the record as read; it is copied, and cut when it
// is very long. Where facts are left behind it is not kept, see [Privacy].
func (e *Emitter) Reject(at Origin, reason, raw string) {
	e.stats.reject(at, reason)
	*e.rejects = append(*e.rejects, newReject(at, reason, raw))
}

// Omit counts a record that is well formed and not wanted in Rybbit, such as
// a tracker's internal heartbeat, under a constant reason.
func (e *Emitter) Omit(at Origin, reason string) { e.stats.Omitted.add(reason, at) }

// Repair counts a change that the adapter made to a record to keep it, under
// a constant kind. Normalization counts its own.
func (e *Emitter) Repair(at Origin, kind string) { e.stats.Repaired.add(kind, at) }
