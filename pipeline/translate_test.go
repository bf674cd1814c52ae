package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// scripted is a source of rows whose letter says what becomes of them.
type scripted struct {
	chunks []string
	next   int
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

func (c scriptedChunk) Decode(out *Emitter) error {
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

// pathWire writes an event's path.
type pathWire struct{}

func (pathWire) Append(dst []byte, ev *Event) []byte { return append(dst, ev.Path...) }
func (pathWire) Limits() Limits                      { return Limits{} }
func (pathWire) Adapts(*Event) string                { return "" }
func (pathWire) Refuses(ev *Event) string {
	if ev.Name == "x" {
		return "not in this format"
	}
	return ""
}

type emitted struct {
	mark    Mark
	records []string
	rejects []Reject
}

func translateAll(t *rapid.T, chunks []string, from Mark, jobs int) ([]emitted, Stats) {
	var all []emitted
	tr := Translation{Encoder: pathWire{}, Jobs: jobs}
	stats, err := tr.Run(context.Background(), &scripted{chunks: chunks}, from,
		func(_ context.Context, before Mark, c *Encoded) error {
			e := emitted{mark: Mark{before.Chunk, before.Stats.Clone()}, rejects: slices.Clone(c.Rejects)}
			for i := range c.Ends {
				e.records = append(e.records, string(c.Record(i)))
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
	tr := Translation{Encoder: pathWire{}}
	never := func(context.Context, Mark, *Encoded) error { t.Error("emitted"); return nil }
	if _, err := tr.Run(t.Context(), &scripted{chunks: []string{"e", "e"}}, Mark{Chunk: 3}, never); !errors.Is(err, ErrShort) {
		t.Errorf("error %v", err)
	}
}

// TestTranslationBreaks decodes a broken chunk: all before it has come out.
func TestTranslationBreaks(t *testing.T) {
	for range 20 {
		tr := Translation{Encoder: pathWire{}, Jobs: 4}
		var out int
		_, err := tr.Run(t.Context(), &scripted{chunks: []string{"ee", "ee", "e!", "ee"}}, Mark{},
			func(_ context.Context, _ Mark, c *Encoded) error { out += len(c.Ends); return nil })
		if err == nil || err.Error() != "chunk is broken" || out != 4 {
			t.Fatalf("error %v after %d events", err, out)
		}
	}
}

// watcher checks what the documentation promises to observers.
type watcher struct {
	paths []string
	all   *[]string
}

func (w *watcher) Event(ev *Event) { w.paths = append(w.paths, ev.Path) }
func (w *watcher) Done()           { *w.all = append(*w.all, w.paths...) }

func TestObserve(t *testing.T) {
	var all []string
	tr := Translation{Encoder: pathWire{}, Jobs: 4, Observe: func() Observer { return &watcher{all: &all} }}
	stats, err := tr.Run(t.Context(), &scripted{chunks: []string{"eoe", "rt", "", "xe2"}}, Mark{},
		func(context.Context, Mark, *Encoded) error { return nil })
	want := []string{"/0/0", "/0/2", "/3/1", "/3/2", "/3/2"}
	if err != nil || stats.Events != 5 || !slices.Equal(all, want) {
		t.Errorf("observed %v, %v; want %v", all, err, want)
	}
}
