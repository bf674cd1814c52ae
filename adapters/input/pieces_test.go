package input

import (
	"bytes"
	"io"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// noting notes what is read of it.
type noting struct {
	io.ReaderAt
	bytes int64
}

func (n *noting) ReadAt(p []byte, offset int64) (int, error) {
	n.bytes += int64(len(p))
	return n.ReaderAt.ReadAt(p, offset)
}

// Whatever is read in whatever order, it is what the contents hold, and what is
// expected is asked for once.
func TestPieces(t *testing.T) {
	content := make([]byte, 11<<20)
	random := rand.NewChaCha8([32]byte{})
	random.Read(content)
	size := int64(len(content))
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		offset := rapid.Int64Range(0, size)
		var ranges [][2]int64
		for range rapid.IntRange(1, 4).Draw(t, "ranges") {
			bounds := []int64{offset.Draw(t, "start"), offset.Draw(t, "end")}
			slices.Sort(bounds)
			ranges = append(ranges, [2]int64(bounds))
		}
		under := &noting{ReaderAt: bytes.NewReader(content)}
		f := &File{ReaderAt: under, size: size, close: func() error { return nil }, remote: true, tempDir: dir}
		f.Expect(ranges)
		for range 4 {
			at, n := offset.Draw(t, "at"), rapid.IntRange(1, 6<<20).Draw(t, "n")
			got := make([]byte, n)
			n, err := f.ReadAt(got, at)
			want := content[at:min(at+int64(len(got)), size)]
			if !bytes.Equal(got[:n], want) || (err == io.EOF) != (n < len(got)) || err != nil && err != io.EOF {
				t.Fatalf("%d bytes at %d: got %d of %d, %v", len(got), at, n, len(want), err)
			}
		}
		before := under.bytes
		for range 2 {
			for _, r := range ranges {
				if _, err := f.ReadAt(make([]byte, r[1]-r[0]), r[0]); err != nil && err != io.EOF {
					t.Fatal(err)
				}
			}
			if under.bytes-before > size {
				t.Fatalf("%d bytes were asked for of %d", under.bytes-before, size)
			}
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	})
}
