package ga

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"hash/fnv"
	"io"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"hopper/adapters/input/spill"
	"hopper/pipeline"
)

// A tally finds what no single chunk can tell: events that GA4 sent twice, and
// sessions that hold automatic events alone. Both take a sort over the whole
// export, of some 30 bytes an event and less for sessions, which goes to
// temporary files beyond some megabytes. Chunks may be decoded in any order;
// what comes out depends on the inputs alone.
type tally struct {
	open    []*chunk       // handed out and not yet claimed, of the sequential stage alone
	pending sync.WaitGroup // handed out and not yet added

	mu       sync.Mutex
	events   spill.Sorter // by digest and position
	sessions spill.Sorter // by hash of the id; the value says whether an event of it is kept

	// duplicates are the positions of the events to drop, sorted, once known.
	// They take 8 bytes each.
	duplicates []uint64
	known      bool
}

func newTally(dir string) *tally {
	const limit = 16 << 20
	return &tally{events: spill.Sorter{Dir: dir, Limit: limit}, sessions: spill.Sorter{Dir: dir, Limit: limit}}
}

func (t *tally) close() error { return errors.Join(t.events.Close(), t.sessions.Close()) }

// seen is what one chunk adds to a tally.
type seen struct {
	tally    *tally
	events   []byte          // keys of events
	sessions map[uint64]bool // by hash, whether an event of it is kept
}

func newSeen(t *tally) *seen { return &seen{tally: t, sessions: make(map[uint64]bool)} }

const (
	digestSize   = 16
	eventKeySize = digestSize + 8
)

// position orders events over all inputs: 2^24 inputs of 2^40 rows.
func position(input int, row int64) uint64 { return uint64(input)<<40 | uint64(row)&(1<<40-1) }

// session notes that a row of a session was read, and whether it is kept.
func (s *seen) session(id string, kept bool) {
	hash := fnv.New64a()
	io.WriteString(hash, id)
	h := hash.Sum64()
	s.sessions[h] = s.sessions[h] || kept
}

// duplicate notes an event and reports whether it is known to repeat an
// earlier one.
func (s *seen) duplicate(r *row, visitor string) bool {
	at := position(r.input, r.at.Row)
	if s.tally.known {
		_, found := slices.BinarySearch(s.tally.duplicates, at)
		return found
	}
	digest := r.digest(visitor)
	s.events = binary.BigEndian.AppendUint64(append(s.events, digest[:]...), at)
	return false
}

// run decodes a chunk into out and adds what it has seen.
func (t *tally) run(d decode, out sink) error {
	s := newSeen(t)
	if err := d(out, s); err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for key := range slices.Chunk(s.events, eventKeySize) {
		if err := t.events.Add(key, nil); err != nil {
			return err
		}
	}
	var key [8]byte
	for hash, kept := range s.sessions {
		binary.BigEndian.PutUint64(key[:], hash)
		value := []byte{0}
		if kept {
			value[0] = 1
		}
		if err := t.sessions.Add(key[:], value); err != nil {
			return err
		}
	}
	return nil
}

// A chunk is a [pipeline.Chunk] that is added to a tally once, either while it
// is decoded or, where a resumed run skips it, by the tally itself.
type chunk struct {
	decode  decode
	tally   *tally
	claimed atomic.Bool // somebody adds it to the tally, or has
}

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
	return t.run(c.decode, nobody{})
}

func (c *chunk) Decode(out *pipeline.Emitter) error {
	if !c.claimed.CompareAndSwap(false, true) {
		return c.decode(out, newSeen(c.tally))
	}
	defer c.tally.pending.Done()
	return c.tally.run(c.decode, out)
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
	var kept []uint64 // duplicates; those that are known are dropped
	if !t.known {
		var err error
		if kept, err = t.findDuplicates(ctx); err != nil {
			return nil, err
		}
	}
	lone, err := t.countLone(ctx)
	if err != nil {
		return nil, err
	}
	return summary{inputs, kept, lone}, nil
}

// A summary is the last chunk.
type summary struct {
	inputs     []sourceInput
	duplicates []uint64 // positions
	lone       int      // sessions
}

func (s summary) Decode(out *pipeline.Emitter) error {
	for _, at := range s.duplicates {
		out.Repair(pipeline.Origin{Input: s.inputs[at>>40].name, Row: int64(at & (1<<40 - 1))}, repairDuplicate)
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
		func(d decode) (struct{}, error) { return struct{}{}, t.run(d, nobody{}) },
		func(context.Context, struct{}) error { return nil })
	if err == nil {
		t.duplicates, err = t.findDuplicates(ctx)
	}
	if err == nil {
		t.known = true
		// The next reading notes the sessions again.
		err = t.sessions.Close()
		t.sessions = spill.Sorter{Dir: t.sessions.Dir, Limit: t.sessions.Limit}
	}
	return err
}

// findDuplicates returns the positions of events that repeat one before them,
// in order.
func (t *tally) findDuplicates(ctx context.Context) ([]uint64, error) {
	sorted, err := t.events.Sort()
	if err != nil {
		return nil, err
	}
	var (
		found []uint64
		last  []byte
	)
	for {
		key, _, err := sorted.Next(ctx)
		if errors.Is(err, io.EOF) {
			slices.Sort(found)
			return found, nil
		}
		if err != nil {
			return nil, err
		}
		if bytes.Equal(key[:digestSize], last) {
			found = append(found, binary.BigEndian.Uint64(key[digestSize:]))
		}
		last = append(last[:0], key[:digestSize]...)
	}
}

// countLone returns how many sessions have no event that is kept.
func (t *tally) countLone(ctx context.Context) (lone int, err error) {
	sorted, err := t.sessions.Sort()
	if err != nil {
		return 0, err
	}
	var (
		last []byte
		kept = true // of the last session
	)
	for {
		key, value, err := sorted.Next(ctx)
		if err != nil && !errors.Is(err, io.EOF) {
			return 0, err
		}
		if err != nil || !bytes.Equal(key, last) {
			if !kept {
				lone++
			}
			if err != nil {
				return lone, nil
			}
			last = append(last[:0], key...)
			kept = false
		}
		kept = kept || value[0] == 1
	}
}
