package pipeline

import (
	"context"
	"slices"
)

// A Collector makes a T of a chunk's events: bytes in a wire format, a count
// of fields, hits to sum up, a record batch.
//
// It serves one goroutine and one chunk at a time: Begin, Add for each event in
// order, Done. It is used for many chunks, one after the other, so the T may be
// part of its memory: nobody uses it after the next Begin.
type Collector[T any] interface {
	// Begin starts a chunk.
	Begin()
	// Add takes the next event, which is normalized. It must not change or keep ev.
	Add(ev *Event)
	// Done returns what came of the chunk.
	Done() T
}

// Both is what two collectors made of one chunk.
type Both[A, B any] struct {
	First  A
	Second B
}

// InOnePass returns a maker of collectors that hand each event to one of each
// kind, so that a source is translated once for both.
func InOnePass[A, B any](first func() Collector[A], second func() Collector[B]) func() Collector[Both[A, B]] {
	return func() Collector[Both[A, B]] { return &both[A, B]{first(), second()} }
}

type both[A, B any] struct {
	first  Collector[A]
	second Collector[B]
}

func (b *both[A, B]) Begin() {
	b.first.Begin()
	b.second.Begin()
}

func (b *both[A, B]) Add(ev *Event) {
	b.first.Add(ev)
	b.second.Add(ev)
}

func (b *both[A, B]) Done() Both[A, B] { return Both[A, B]{b.first.Done(), b.second.Done()} }

// Records are events as bytes, one record an event.
type Records struct {
	// Body holds the records, each with a comma behind it, so that any that follow each
	// other are joined already. Record i ends before Ends[i].
	Body []byte
	Ends []int
}

// Len returns the number of records.
func (r *Records) Len() int { return len(r.Ends) }

// Size returns how many bytes the records take, without the commas.
func (r *Records) Size() int { return len(r.Body) - len(r.Ends)*len(",") }

// Record returns the bytes of record i.
func (r *Records) Record(i int) []byte { return r.Body[r.begin(i):r.Ends[i]] }

// begin returns where record i begins.
func (r *Records) begin(i int) int {
	if i == 0 {
		return 0
	}
	return r.Ends[i-1] + len(",")
}

// Encode returns a maker of collectors that write each event with add, which
// appends one record without a separator. It must append the same bytes for
// the same event in every run, and is called by several goroutines.
func Encode(add func(dst []byte, ev *Event) []byte) func() Collector[*Records] {
	return func() Collector[*Records] { return &encoder{add: add} }
}

type encoder struct {
	add     func(dst []byte, ev *Event) []byte
	records Records
}

const (
	// roomToAdd is more than most events take.
	roomToAdd = 4 << 10
	// mostDoubled is about what chunks of text are encoded into. A [Queue] holds the
	// memory of whole chunks, so that of long ones, as of a day of many visits, little
	// may be empty.
	mostDoubled = 1 << 20
)

func (e *encoder) Begin() { e.records = Records{Body: e.records.Body[:0], Ends: e.records.Ends[:0]} }

func (e *encoder) Add(ev *Event) {
	if body := e.records.Body; cap(body)-len(body) < roomToAdd && cap(body) < mostDoubled {
		// By append it would grow by quarters, and copy five times as much as it holds.
		e.records.Body = slices.Grow(body, max(cap(body), roomToAdd))
	}
	e.records.Body = e.add(e.records.Body, ev)
	e.records.Ends = append(e.records.Ends, len(e.records.Body))
	e.records.Body = append(e.records.Body, ',')
}

func (e *encoder) Done() *Records { return &e.records }

// Count translates src to its end for nothing but what is counted on the way, and
// the times that its events lie in.
func Count(ctx context.Context, t *Translation, src Source) (Stats, Periods, error) {
	var all Periods
	collect := func() Collector[Periods] { return new(onlyCounted) }
	stats, err := Translate(ctx, t, src, Mark{}, collect, func(_ context.Context, chunk *Collected[Periods]) error {
		for _, p := range chunk.Value {
			all.Add(p[0], p[1])
		}
		return nil
	})
	return stats, all, err
}

type onlyCounted struct{ periods Periods }

func (c *onlyCounted) Begin()        { c.periods = nil }
func (c *onlyCounted) Add(ev *Event) { c.periods.Add(ev.Time, ev.Time) }
func (c *onlyCounted) Done() Periods { return c.periods }
