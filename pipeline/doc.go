// Package pipeline holds the common event model and what turns an adapter's
// events into a sink's bytes: normalization, the ordered concurrent stage,
// batching, rejects and statistics. It knows no source and no wire format.
//
// # The way of an event
//
// An adapter is a [Source]. It cuts its inputs, in order, into [Chunk]s of some
// hundred kilobytes, which is all that happens one after the other. A worker
// takes a chunk and does the rest in one go: it decodes it into [Event]s,
// brings each into the forms that Rybbit takes ([Normalizer]) and appends it, in
// a sink's wire format ([Encoder]), to one buffer. [Ordered] puts the results
// back into the order of the chunks; a [Queue] cuts them into batches by their
// encoded size. [Translation.Run] is all of that.
//
// Nothing here holds more than a few chunks and one batch, whatever the
// input's size.
//
// # Determinism
//
// The same inputs and options give the same events in the same order and the
// same bytes, however many workers there are. Resuming an upload counts on it: an
// event is identified by its index in that order, and a [Mark] between two chunks
// is a place to go on from.
//
// # Nothing is dropped silently
//
// Each record that an input holds becomes events, or is counted in [Stats]: as
// rejected, with its reason and the record itself ([Reject]), when it cannot be
// kept; as omitted when it is no part of what was asked for. What was changed to
// be kept is counted as repaired, by what was wrong with it. A [Tally] also
// remembers where the first of each kind stood.
package pipeline
