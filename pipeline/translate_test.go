package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// scripted is a source of rows whose letter says what becomes of them.
type scripted struct {
	chunks []string
	next   int
	again  bool // its chunks can be decoded again

	mu       sync.Mutex
	released map[int]bool
}

func (s *scripted) Next(ctx context.Context) (Chunk, error) {
	if s.next == len(s.chunks) {
		return nil, io.EOF
	}
	s.next++
	return scriptedChunk{s, s.next - 1}, ctx.Err()
}

func (s *scripted) Close() error { return nil }

type scriptedChunk struct {
	*scripted
	index int
}

func (c scriptedChunk) Repeatable() bool { return c.again }

func (c scriptedChunk) Release() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.released == nil {
		c.released = map[int]bool{}
	}
	c.released[c.index] = true
}

func (c scriptedChunk) isReleased() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.released[c.index]
}

func (c scriptedChunk) Decode(out *Emitter) error {
	if c.isReleased() {
		return errors.New("decoded after it was released")
	}
	for i, what := range c.chunks[c.index] {
		at := Origin{Input: "script", Row: int64(c.index*100 + i + 1)}
		out.Rows(1)
		ev := Event{
			Time: MicrosOf(time.Date(2024, 1, 1, c.index, i, 0, 0, time.UTC)), Visitor: "v", Session: "s",
			Hostname: "example.com", Path: fmt.Sprintf("/%d/%d", c.index, i), Origin: at, Raw: "raw",
		}
		switch what {
		case 'r':
			out.Reject(at, "unreadable", "raw")
			continue
		case 'o':
			out.Omit(at, "heartbeat")
			continue
		case 't': // no time: the normalizer rejects it
			ev.Time = 0
		case 'f': // repaired
			ev.Path = ev.Path[1:]
			out.Repair(at, "fixed")
		case 'x': // the encoder refuses it
			ev.Name = "x"
		case '2':
			twice := ev
			out.Event(&twice)
		case '!':
			return errors.New("chunk is broken")
		}
		out.Event(&ev)
	}
	return nil
}

// paths collects the events' paths.
var paths = Encode(func(dst []byte, ev *Event) []byte { return append(dst, ev.Path...) })

// picky refuses the events that are named x.
var picky = Target{Refuses: func(ev *Event) string {
	if ev.Name == "x" {
		return "not in this format"
	}
	return ""
}}

type emitted struct {
	mark    Mark
	records []string
	rejects []Reject
}

func translateAll(t *rapid.T, chunks []string, from Mark, jobs int) ([]emitted, Stats) {
	var all []emitted
	tr := Translation{Target: picky, Jobs: jobs}
	stats, err := Translate(context.Background(), &tr, &scripted{chunks: chunks}, from, paths,
		func(_ context.Context, c *Collected[*Records]) error {
			e := emitted{mark: Mark{c.Before.Chunk, c.Before.Stats.Clone()}, rejects: slices.Clone(c.Rejects)}
			for i := range c.Value.Len() {
				e.records = append(e.records, string(c.Value.Record(i)))
			}
			all = append(all, e)
			return nil
		})
	if err != nil {
		t.Fatal(err)
	}
	return all, stats
}

func TestTranslation(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		chunks := rapid.SliceOfN(rapid.StringMatching(`[eerotfx2]{0,6}`), 0, 12).Draw(t, "chunks")
		whole, stats := translateAll(t, chunks, Mark{}, rapid.IntRange(0, 4).Draw(t, "jobs"))

		var rows, events, rejects, omitted int64
		for _, chunk := range chunks {
			for _, what := range chunk {
				rows++
				switch what {
				case 'r', 't':
					rejects++
				case 'o', 'x':
					omitted++
				case '2':
					events += 2
				default:
					events++
				}
			}
		}
		if stats.Rows != rows || stats.Events != events || stats.Rejected.Total() != rejects || stats.Omitted.Total() != omitted {
			t.Fatalf("counted %+v; want %d rows, %d events, %d rejects, %d omitted", stats, rows, events, rejects, omitted)
		}
		var seen int64
		for i, e := range whole {
			if e.mark.Chunk != int64(i) || e.mark.Stats.Events != seen {
				t.Fatalf("before chunk %d stands %+v, want %d events", i, e.mark, seen)
			}
			seen += int64(len(e.records))
		}
		// From any mark on, the rest comes out as it would have.
		if len(whole) == 0 {
			return
		}
		from := rapid.IntRange(0, len(whole)-1).Draw(t, "from")
		rest, again := translateAll(t, chunks, whole[from].mark, rapid.IntRange(0, 4).Draw(t, "jobs again"))
		if !reflect.DeepEqual(rest, whole[from:]) {
			t.Fatalf("from chunk %d on:\n%+v\nwant\n%+v", from, rest, whole[from:])
		}
		if !reflect.DeepEqual(again, stats) {
			t.Fatalf("resumed counts\n%+v\nwant\n%+v", again, stats)
		}
	})
}

func TestTranslationShort(t *testing.T) {
	never := func(context.Context, *Collected[*Records]) error { t.Error("emitted"); return nil }
	if _, err := Translate(t.Context(), new(Translation), &scripted{chunks: []string{"e", "e"}}, Mark{Chunk: 3}, paths, never); !errors.Is(err, ErrShort) {
		t.Errorf("error %v", err)
	}
}

// TestTranslationBreaks decodes a broken chunk: all before it has come out.
func TestTranslationBreaks(t *testing.T) {
	for range 20 {
		var out int
		_, err := Translate(t.Context(), &Translation{Jobs: 4}, &scripted{chunks: []string{"ee", "ee", "e!", "ee"}}, Mark{}, paths,
			func(_ context.Context, c *Collected[*Records]) error { out += c.Value.Len(); return nil })
		if err == nil || err.Error() != "chunk is broken" || out != 4 {
			t.Fatalf("error %v after %d events", err, out)
		}
	}
}

// counter counts a chunk's events.
type counter int

func (c *counter) Begin()     { *c = 0 }
func (c *counter) Add(*Event) { *c++ }
func (c *counter) Done() int  { return int(*c) }

// TestInOnePass hands each event to two collectors, chunk by chunk.
func TestInOnePass(t *testing.T) {
	var counts []int
	var all []string
	tr := Translation{Target: picky, Jobs: 4}
	collect := InOnePass(func() Collector[int] { return new(counter) }, paths)
	stats, err := Translate(t.Context(), &tr, &scripted{chunks: []string{"eoe", "rt", "", "xe2"}}, Mark{}, collect,
		func(_ context.Context, c *Collected[Both[int, *Records]]) error {
			counts = append(counts, c.Value.First)
			all = append(all, string(c.Value.Second.Body))
			return nil
		})
	if err != nil || stats.Events != 5 || !slices.Equal(counts, []int{2, 0, 0, 3}) || !slices.Equal(all, []string{"/0/0,/0/2,", "", "", "/3/1,/3/2,/3/2,"}) {
		t.Errorf("collected %v and %q, %v", counts, all, err)
	}
}
