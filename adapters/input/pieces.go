package input

import (
	"io"
	"slices"
	"sync"

	"hopper/adapters/input/spill"
)

const (
	// pieceSize is how much is asked of a store at a time, and gapSize the gap
	// between two ranges that is not worth a request.
	pieceSize = 4 << 20
	gapSize   = 128 << 10
)

// Expect says which ranges, of offset and end, will be read, in any order and more
// than once. Where each read is a request to a store, they are fetched in large
// pieces, each once, which are kept in a temporary file until Close.
func (f *File) Expect(ranges [][2]int64) {
	if !f.remote || len(ranges) == 0 {
		return
	}
	ranges = slices.Clone(ranges)
	slices.SortFunc(ranges, func(a, b [2]int64) int { return int(min(max(a[0]-b[0], -1), 1)) })
	merged := ranges[:1]
	for _, r := range ranges[1:] {
		if last := &merged[len(merged)-1]; r[0] <= last[1]+gapSize {
			last[1] = max(last[1], r[1])
		} else {
			merged = append(merged, r)
		}
	}
	p := &pieces{ReaderAt: f.ReaderAt, dir: f.tempDir, ranges: merged, kept: make(map[int64]bool)}
	closeFile := f.close
	f.ReaderAt, f.close = p, func() error {
		err := closeFile()
		if p.file != nil {
			p.file.Close()
		}
		return err
	}
}

// pieces reads ranges piece by piece.
type pieces struct {
	io.ReaderAt
	dir    string
	ranges [][2]int64

	mu   sync.Mutex
	file *spill.File    // holds pieces where they lie in the contents
	kept map[int64]bool // by their offset
}

func (p *pieces) ReadAt(b []byte, offset int64) (int, error) {
	i, found := slices.BinarySearchFunc(p.ranges, offset, func(r [2]int64, at int64) int {
		switch {
		case r[1] <= at:
			return -1
		case r[0] > at:
			return 1
		}
		return 0
	})
	if !found {
		return p.ReaderAt.ReadAt(b, offset)
	}
	r := p.ranges[i]
	n := 0
	for n < len(b) && offset < r[1] {
		start := r[0] + (offset-r[0])/pieceSize*pieceSize
		end := min(start+pieceSize, r[1])
		if err := p.keep(start, end); err != nil {
			return n, err
		}
		m, err := p.file.ReadAt(b[n:n+int(min(int64(len(b)-n), end-offset))], offset)
		n, offset = n+m, offset+int64(m)
		if err != nil {
			return n, err
		}
	}
	if n == len(b) {
		return n, nil
	}
	m, err := p.ReadAt(b[n:], offset) // beyond the range
	return n + m, err
}

// keep makes sure that a piece is in the file.
func (p *pieces) keep(start, end int64) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.kept[start] {
		return nil
	}
	if p.file == nil {
		file, err := spill.Temp(p.dir)
		if err != nil {
			return err
		}
		p.file = file
	}
	piece := make([]byte, end-start)
	if n, err := p.ReaderAt.ReadAt(piece, start); err != nil && (err != io.EOF || n < len(piece)) {
		return err
	}
	if _, err := p.file.WriteAt(piece, start); err != nil {
		return err
	}
	p.kept[start] = true
	return nil
}
