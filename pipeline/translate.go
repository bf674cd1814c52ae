package pipeline

import (
	"context"
	"errors"
	"io"
	"sync"
)

// An Encoder writes events in one wire format.
type Encoder interface {
	// Append appends ev, which is normalized to Limits, as one record
	// without a separator. It must not keep ev, and must append the same bytes for
	// the same event in every run. It is called by several goroutines.
	Append(dst []byte, ev *Event) []byte
	// Limits are the lengths that normalization must cut to.
	Limits() Limits
	// Refuses returns why the format cannot express ev at all, and "" where
	// it can. A refused event is counted as omitted under that reason.
	Refuses(ev *Event) string
	// Adapts returns what Append changes in ev beyond cutting it to the
	// limits, to be counted as a repair of that kind, and "" for nothing.
	Adapts(ev *Event) string
}

// Nowhere is an encoder that takes every event and writes nothing, for runs
// that only count.
type Nowhere struct{}

// Append returns dst.
func (Nowhere) Append(dst []byte, _ *Event) []byte { return dst }

// Limits returns none.
func (Nowhere) Limits() Limits { return Limits{} }

// Refuses refuses nothing.
func (Nowhere) Refuses(*Event) string { return "" }

// Adapts changes nothing.
func (Nowhere) Adapts(*Event) string { return "" }

// Encoded is a chunk's events in a wire format.
type Encoded struct {
	// Body holds the records back to back; record i ends before Ends[i].
	Body []byte
	Ends []int
	// Stats counts this chunk alone.
	Stats   Stats
	Rejects []Reject
}

// Record returns the bytes of record i.
func (e *Encoded) Record(i int) []byte {
	start := 0
	if i > 0 {
		start = e.Ends[i-1]
	}
	return e.Body[start:e.Ends[i]]
}

// A Mark is a place between two chunks of a source and all that was counted
// before it: enough to go on from there without decoding what precedes it.
type Mark struct {
	// Chunk is the index of the chunk that follows.
	Chunk int64 `json:"chunk"`
	// Stats counts everything before it; Stats.Events is the index of its first event.
	Stats Stats `json:"stats"`
}

// ErrShort is returned when a source ends before the mark to go on from.
var ErrShort = errors.New("the input ends before the place where its migration stopped; it has been changed")

// A Translation turns a source into encoded chunks.
type Translation struct {
	Normalizer Normalizer
	Encoder    Encoder
	// Jobs is the number of workers; 0 is one.
	Jobs int
	// Observe, when set, sees each normalized event before it is encoded. It
	// is called by several goroutines, each with the chunk's own observer.
	Observe func() Observer
}

// An Observer looks at the normalized events of one chunk.
type Observer interface {
	// Event must not change or keep ev.
	Event(ev *Event)
	// Done is called after the last event of the chunk; calls for several
	// chunks do not overlap, and come in the order of the chunks.
	Done()
}

// Run translates src to its end, calls emit with each chunk in order, and
// returns what was counted in all. The chunks before from are cut from the input
// and neither decoded nor emitted; emit gets the mark that stands before each
// chunk, and may use the memory of both until it returns.
func (t *Translation) Run(
	ctx context.Context, src Source, from Mark,
	emit func(ctx context.Context, before Mark, chunk *Encoded) error,
) (Stats, error) {
	pool := sync.Pool{New: func() any { return new(Encoded) }}
	type output struct {
		encoded  *Encoded
		observer Observer
	}
	next := func(ctx context.Context) (Chunk, error) { return src.Next(ctx) }
	for range from.Chunk {
		_, err := next(ctx)
		if errors.Is(err, io.EOF) {
			return Stats{}, ErrShort
		}
		if err != nil {
			return Stats{}, err
		}
	}
	mark := Mark{Chunk: from.Chunk, Stats: from.Stats.Clone()}
	err := Ordered(ctx, t.Jobs, next,
		func(chunk Chunk) (output, error) {
			out := output{encoded: pool.Get().(*Encoded)}
			if t.Observe != nil {
				out.observer = t.Observe()
			}
			return out, t.translate(chunk, out.encoded, out.observer)
		},
		func(ctx context.Context, out output) error {
			if out.observer != nil {
				out.observer.Done()
			}
			err := emit(ctx, mark, out.encoded)
			mark.Chunk++
			mark.Stats.Merge(&out.encoded.Stats)
			pool.Put(out.encoded)
			return err
		})
	return mark.Stats, err
}

func (t *Translation) translate(chunk Chunk, out *Encoded, observer Observer) error {
	*out = Encoded{Body: out.Body[:0], Ends: out.Ends[:0]}
	emitter := Emitter{stats: &out.Stats, rejects: &out.Rejects}
	emitter.event = func(ev *Event) {
		decided := t.Normalizer.normalize(ev, &out.Stats.Repaired)
		if decided == (outcome{}) {
			decided.omit = t.Encoder.Refuses(ev)
		}
		switch {
		case decided.reject != "":
			emitter.Reject(ev.Origin, decided.reject, ev.Raw)
		case decided.omit != "":
			emitter.Omit(ev.Origin, decided.omit)
		default:
			if kind := t.Encoder.Adapts(ev); kind != "" {
				emitter.Repair(ev.Origin, kind)
			}
			out.Body = t.Encoder.Append(out.Body, ev)
			out.Ends = append(out.Ends, len(out.Body))
			out.Stats.Events++
			out.Stats.span(ev.Time)
			if observer != nil {
				observer.Event(ev)
			}
		}
	}
	return chunk.Decode(&emitter)
}
