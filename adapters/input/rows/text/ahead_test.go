package text

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"pgregory.net/rapid"

	"hopper/adapters/input"
)

// piece is what a chunk holds.
type piece struct {
	first, end int64
	size       int
}

// cutInOrder returns what chunks text is cut into where nothing is read ahead, up to the
// first that is not whole before failsAt, if that is not negative.
func cutInOrder(d Dialect, text string, failsAt int) (pieces []piece, failed bool) {
	row := int64(2)
	for begin, rest := 0, 0; ; {
		size := chunkSize
		if rest >= size {
			size = cap(room(2 * rest))
		}
		for {
			end := min(begin+size, len(text))
			if failsAt >= 0 && end > failsAt {
				return pieces, true
			}
			whole, records := d.cut(text[begin:end], begin+size > len(text))
			if whole > 0 {
				pieces = append(pieces, piece{row, row + records, whole})
				row += records
				begin, rest = begin+whole, end-begin-whole
				break
			}
			if begin+size > len(text) {
				return pieces, false
			}
			size = cap(room(2 * size))
		}
	}
}

var errBroken = errors.New("the cable is broken")

// Text is cut in the same places as though nothing was read ahead, however long records
// are and however few bytes come at once, and what cannot be read fails in the same chunk.
func TestReadAhead(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var b strings.Builder
		for b.Len() < 3*chunkSize {
			size := rapid.OneOf(rapid.IntRange(0, 2000), rapid.IntRange(0, 2000), rapid.IntRange(margin-3, margin+3),
				rapid.IntRange(chunkSize-2*margin, chunkSize+10), rapid.IntRange(chunkSize, 3*chunkSize)).Draw(rt, "size")
			for n := rapid.IntRange(1, 100).Draw(rt, "records"); n > 0 && b.Len() < 3*chunkSize; n-- {
				b.WriteString(`"` + strings.Repeat("x", size) + "\n\"\n")
			}
		}
		text, failsAt := b.String(), -1
		text = text[:len(text)-rapid.IntRange(0, 2).Draw(rt, "less")]
		var body io.Reader = strings.NewReader(text)
		if rapid.Bool().Draw(rt, "fails") {
			failsAt = rapid.IntRange(0, len(text)-1).Draw(rt, "at")
			body = io.MultiReader(strings.NewReader(text[:failsAt]), iotest.ErrReader(errBroken))
		}
		if rapid.Bool().Draw(rt, "in halves") {
			body = iotest.HalfReader(body)
		}
		want, failed := cutInOrder(dialects[0], text, failsAt)

		r := &Reader{
			table: &Table{Dialect: dialects[0], Columns: []string{"a"}, Input: new(input.Input)}, text: io.NopCloser(nil),
			body: aheadReader{body: body, cancel: func() {}}, row: 2,
		}
		defer r.Close()
		for begin := 0; ; {
			c, err := r.Next(context.Background())
			if len(want) == 0 {
				if !failed && err != io.EOF || failed && err != errBroken {
					rt.Fatalf("at the end: got %v", err)
				}
				return
			}
			if err != nil {
				rt.Fatalf("got %v, want %v", err, want[0])
			}
			if got := (piece{c.FirstRow, c.EndRow, len(c.text)}); got != want[0] || c.text != text[begin:begin+got.size] {
				rt.Fatalf("got %v, want %v", got, want[0])
			}
			begin, want = begin+want[0].size, want[1:]
			if rapid.Bool().Draw(rt, "release") {
				c.Release()
			}
		}
	})
}

// Whoever stops reading does not wait for a pipe.
func TestCloseWhileReadingAhead(t *testing.T) {
	pipe, w := io.Pipe()
	go w.Write([]byte("a,b\n" + strings.Repeat("x,y\n", chunkSize/4)))
	ins, err := input.Open(t.Context(), []string{"-"}, pipe, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer ins.Close()
	tables, err := Find(t.Context(), ins.Files[0])
	if err != nil {
		t.Fatal(err)
	}
	r, err := tables[0].Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Next(t.Context()); err != nil {
		t.Fatal(err)
	}
	closed := make(chan error)
	go func() { closed <- r.Close() }()
	select {
	case err := <-closed:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Error("waits for the pipe")
	}
	pipe.Close()
}
