package ga

import (
	"context"
	"encoding/binary"
	"errors"
	"hash/maphash"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/zeebo/xxh3"

	"hopper/adapters/input/spill"
	"hopper/pipeline"
)

// A tally finds what no single chunk can tell: events that GA4 sent twice, and
// sessions that hold automatic events alone. Both take a look at the whole
// export, of 24 bytes an event and 8 a session, which goes to temporary files
// beyond some megabytes. Chunks may be decoded in any order;
// what comes out depends on the inputs alone.
type tally struct {
	open    []*chunk       // handed out and not yet claimed, of the sequential stage alone
	pending sync.WaitGroup // handed out and not yet added

	mu       sync.Mutex
	events   eventNotes
	sessions sessionNotes
	spare    sync.Pool // of *seen

	repeated spill.Sorter // positions of the events that repeat one before them
	known    *spill.Index // the same, of events to drop
}

func newTally(dir string) *tally {
	const limit = 8 << 20
	return &tally{
		events:   eventNotes{spilled: spill.Sorter{Dir: dir, Limit: limit}},
		sessions: sessionNotes{spilled: spill.Sorter{Dir: dir, Limit: limit}, seed: maphash.MakeSeed()},
		repeated: spill.Sorter{Dir: dir, Limit: limit},
	}
}

func (t *tally) close() error {
	err := errors.Join(t.events.spilled.Close(), t.sessions.spilled.Close(), t.repeated.Close())
	if t.known != nil {
		err = errors.Join(err, t.known.Close())
	}
	return err
}

// seen is what one chunk adds to a tally.
type seen struct {
	tally    *tally
	release  func() // gives the chunk's memory back; may be nil
	events   []eventNote
	sessions []sessionNote
	text     []byte // of the last event that is digested
	err      error  // of looking an event up
}

func newSeen(t *tally) *seen {
	if s, ok := t.spare.Get().(*seen); ok {
		s.events, s.sessions, s.err = s.events[:0], s.sessions[:0], nil
		return s
	}
	return &seen{tally: t}
}

// position orders events over all inputs: 2^24 inputs of 2^40 rows.
func position(input int, row int64) uint64 { return uint64(input)<<40 | uint64(row)&(1<<40-1) }

// positionKey returns the key of a position, by which positions are sorted.
func positionKey(at uint64) (key [8]byte) {
	binary.BigEndian.PutUint64(key[:], at)
	return key
}

// session notes that a row of a session was read, and whether it is kept.
func (s *seen) session(id string, kept bool) {
	s.sessions = append(s.sessions, s.tally.sessions.of(id, kept))
}

// duplicate notes an event and reports whether it is known to repeat an
// earlier one.
func (s *seen) duplicate(r *row, visitor string) bool {
	at := position(r.input, r.at.Row)
	if s.tally.known != nil {
		found := false
		key := positionKey(at)
		err := s.tally.known.Lookup(key[:], func([]byte) { found = true })
		s.err = errors.Join(s.err, err)
		return found
	}
	s.text = r.appendDigested(s.text[:0], visitor)
	s.events = append(s.events, eventNote{xxh3.Hash128(s.text).Bytes(), at})
	return false
}

// run decodes a chunk into out and adds what it has seen. It returns what gives the
// chunk's memory back, or nil.
func (t *tally) run(d decode, out sink) (release func(), err error) {
	s := newSeen(t)
	if err := errors.Join(d(out, s), s.err); err != nil {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range s.events {
		if err := t.events.add(&s.events[i]); err != nil {
			return nil, err
		}
	}
	for _, one := range s.sessions {
		if err := t.sessions.add(one); err != nil {
			return nil, err
		}
	}
	release, s.release = s.release, nil
	t.spare.Put(s)
	return release, nil
}

// A chunk is a [pipeline.Chunk] that is added to a tally once, either while it
// is decoded or, where a resumed run skips it, by the tally itself.
type chunk struct {
	decode  decode
	tally   *tally
	claimed atomic.Bool // somebody adds it to the tally, or has
	release func()      // set by Decode; may be nil
}

var (
	_ pipeline.Releasable = (*chunk)(nil)
	_ pipeline.Repeatable = (*chunk)(nil)
)

// maxOpen is how many chunks may wait for being decoded before the tally takes
// them for skipped: more than a pipeline with a worker for each processor
// holds. Taking one too early costs time and nothing else.
func maxOpen() int { return 16 + 4*runtime.GOMAXPROCS(0) }

// chunk hands out d.
func (t *tally) chunk(d decode) (pipeline.Chunk, error) {
	t.open = slices.DeleteFunc(t.open, func(c *chunk) bool { return c.claimed.Load() })
	for len(t.open) >= maxOpen() {
		if err := t.addSkipped(t.open[0]); err != nil {
			return nil, err
		}
		t.open = slices.Delete(t.open, 0, 1)
	}
	c := &chunk{decode: d, tally: t}
	t.open = append(t.open, c)
	t.pending.Add(1)
	return c, nil
}

func (t *tally) addSkipped(c *chunk) error {
	if !c.claimed.CompareAndSwap(false, true) {
		return nil
	}
	defer t.pending.Done()
	_, err := t.run(c.decode, nobody{}) // it may be decoded again
	return err
}

func (c *chunk) Decode(out *pipeline.Emitter) (err error) {
	if !c.claimed.CompareAndSwap(false, true) {
		s := newSeen(c.tally)
		return errors.Join(c.decode(out, s), s.err)
	}
	defer c.tally.pending.Done()
	c.release, err = c.tally.run(c.decode, out)
	return err
}

// Repeatable is true, see [pipeline.Repeatable]: what is decoded again is not noted again.
func (c *chunk) Repeatable() bool { return true }

// Release gives back the text of a chunk that was decoded, see [pipeline.Releasable].
func (c *chunk) Release() {
	if c.release != nil {
		c.release()
	}
}

// summarize adds what was skipped, waits for the chunks that are being decoded
// and returns one more that counts what all had in common. It holds no rows and
// no events.
func (t *tally) summarize(ctx context.Context, inputs []sourceInput) (pipeline.Chunk, error) {
	for _, c := range t.open {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := t.addSkipped(c); err != nil {
			return nil, err
		}
	}
	t.open = nil
	t.pending.Wait()
	if t.known == nil { // those that are known are dropped
		if err := t.events.found(ctx, &t.repeated); err != nil {
			return nil, err
		}
	}
	lone, err := t.sessions.lone(ctx)
	if err != nil {
		return nil, err
	}
	return summary{inputs, &t.repeated, lone}, nil
}

// A summary is the last chunk.
type summary struct {
	inputs     []sourceInput
	duplicates *spill.Sorter // by position
	lone       int           // sessions
}

func (s summary) Decode(out *pipeline.Emitter) error {
	err := s.duplicates.Each(context.Background(), func(key, _ []byte) error {
		at := binary.BigEndian.Uint64(key)
		out.Repair(pipeline.Origin{Input: s.inputs[at>>40].name, Row: int64(at & (1<<40 - 1))}, repairDuplicate)
		return nil
	})
	if err != nil {
		return err
	}
	for range s.lone {
		out.Repair(pipeline.Origin{Input: s.inputs[0].name}, repairLoneSession)
	}
	return nil
}

// learn reads src to its end to know its duplicates, so that the next reading
// can drop them.
func (t *tally) learn(ctx context.Context, src *source) error {
	err := pipeline.Ordered(ctx, runtime.GOMAXPROCS(0), src.chunk,
		func(d decode) (none struct{}, err error) {
			release, err := t.run(d, nobody{})
			if release != nil {
				release()
			}
			return none, err
		},
		func(context.Context, struct{}) error { return nil })
	if err == nil {
		err = t.events.found(ctx, &t.repeated)
	}
	if err == nil {
		t.known, err = spill.NewIndex(ctx, &t.repeated)
	}
	if err == nil {
		// The next reading notes the sessions again.
		err = t.sessions.reset()
	}
	return err
}
