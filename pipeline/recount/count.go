package recount

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"hopper/pipeline"
)

// memory is what each of the places takes where a count puts records aside, and each
// goroutine's sums.
const memory = 16 << 20

// numBins is how many parts sessions and users are divided into, which are counted by
// themselves.
const numBins = 128

// Count counts hits as Rybbit's dashboard does: it puts them aside, divided by
// session, and adds up what each session comes to.
type Count struct {
	Sums    *Sums
	layout  *Layout
	zone    *time.Location
	scratch Scratch
	memory  int

	inputs map[string]uint32
	ids    ids

	hits   bins // by session
	record []byte

	// untoldBy, if set, returns what a row of the inputs does not tell. It is called by
	// several goroutines.
	untoldBy func(input uint32, row int64) untoldSet

	usersMutex sync.Mutex
	users      bins // by visitor
	ties       ties
}

// ties are how many sessions each side has, and of them those whose first or last page
// shares its time with another.
type ties struct{ sessions, entries, exits [numSides]int64 }

func (t *ties) add(o *ties) {
	for side := range numSides {
		t.sessions[side] += o.sessions[side]
		t.entries[side] += o.entries[side]
		t.exits[side] += o.exits[side]
	}
}

// untoldSet are bits for what a row does not tell, one for each dimension above.
type untoldSet uint32

const (
	noSession untoldSet = 1 << iota
	noVisitor
	noDimension
)

// NewCount returns a count by a layout.
func NewCount(layout *Layout, scratch Scratch) *Count { return newCount(layout, scratch, memory) }

func newCount(layout *Layout, scratch Scratch, memory int) *Count {
	c := &Count{
		Sums: newSums(layout, scratch.Sorter(memory), memory), layout: layout, zone: layout.Zone, scratch: scratch, memory: memory,
		inputs: map[string]uint32{}, ids: newIDs(), hits: newBins(scratch.Bins(memory)), users: newBins(scratch.Bins(memory)),
	}
	if c.zone == nil {
		c.zone = time.UTC
	}
	return c
}

// Close releases temporary files.
func (c *Count) Close() error {
	return errors.Join(c.Sums.close(), c.hits.Close(), c.users.Close())
}

// bins are numBins bins by the first byte of their records.
type bins struct {
	Bins
	sizes [numBins]int // of the records
}

func newBins(b Bins) bins {
	for range numBins {
		b.New()
	}
	return bins{Bins: b}
}

func (b *bins) add(record []byte) error {
	bin := record[0] % numBins
	b.sizes[bin] += len(record)
	return b.Add(int(bin), record)
}

// Hits makes collectors of what is counted of events.
func (c *Count) Hits() pipeline.Collector[*Hits] {
	return &collector{layout: c.layout, hits: newHits(c.ids)}
}

// Sent adds the hits of events that are sent. They must be of a chunk that was not
// added before.
func (c *Count) Sent(hits *Hits) error {
	c.number(hits)
	for i := range hits.list {
		if err := c.add(only(Sent), &hits.list[i]); err != nil {
			return err
		}
	}
	return nil
}

// input returns the number of an input.
func (c *Count) input(name string) uint32 {
	n, known := c.inputs[name]
	if !known {
		n = uint32(len(c.inputs))
		c.inputs[strings.Clone(name)] = n
	}
	return n
}

// number makes the words and inputs of a chunk's hits those of the count, and returns
// the chunk's inputs.
func (c *Count) number(hits *Hits) []uint32 {
	words := make([]word, len(hits.texts))
	for i, text := range hits.texts {
		words[i] = c.Sums.word(text)
	}
	inputs := make([]uint32, len(hits.inputs))
	for i, name := range hits.inputs {
		inputs[i] = c.input(name)
	}
	set := func(w *word) {
		if *w != untold {
			*w = words[*w]
		}
	}
	for i := range hits.list {
		r := &hits.list[i]
		r.input = inputs[r.input]
		for _, w := range [...]*word{&r.page, &r.name, &r.link, &r.title} {
			set(w)
		}
		for i := range r.rows {
			set(&r.rows[i])
		}
		for i := range r.properties {
			set(&r.properties[i])
		}
	}
	return inputs
}

// add puts a hit aside until all are known.
func (c *Count) add(on sides, r *record) error {
	r.sides = on
	r.session[idSize-1] &^= 1
	if on.has(Sent) {
		r.session[idSize-1] |= 1
	}
	c.record = r.append(c.record[:0])
	return c.hits.add(c.record)
}

// Finish adds up what was put aside, on several goroutines.
func (c *Count) Finish(ctx context.Context, jobs int) error {
	if err := c.finish(ctx, jobs, (*tally).countHits); err != nil {
		return err
	}
	if err := c.hits.Close(); err != nil {
		return err
	}
	return c.finish(ctx, jobs, (*tally).countUsers)
}

// finish counts a part of each bin.
func (c *Count) finish(ctx context.Context, jobs int, part func(*tally, context.Context, int) error) error {
	var next atomic.Int64
	var done sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	for range max(jobs, 1) {
		group.Go(func() error {
			t := newTally(c)
			for {
				bin := int(next.Add(1)) - 1
				if bin >= numBins {
					break
				}
				if err := errors.Join(ctx.Err(), part(t, ctx, bin)); err != nil {
					return err
				}
			}
			done.Lock()
			c.ties.add(&t.ties)
			done.Unlock()
			return errors.Join(t.putUsers(), c.Sums.take(&t.grid))
		})
	}
	return group.Wait()
}

// dayOf returns the day of a time in the layout's zone.
func (c *Count) dayOf(at pipeline.Micros) Day {
	if c.zone == time.UTC {
		const micros = 24 * 60 * 60 * 1e6
		day := at / micros
		if at%micros < 0 {
			day--
		}
		return Day(day)
	}
	return DayOf(at.Time().In(c.zone).Date())
}
