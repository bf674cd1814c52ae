package record

import (
	"encoding/binary"
	"io"
	"runtime"
	"sync"

	"hopper/adapters/input"
	"hopper/adapters/input/spill"
)

// Some writers put all that a row group has of a column into one page, and a million
// rows and more into a row group. The library decodes a page as a whole. The pages of
// such a row group are decoded one after the other and cut into pieces on disk, of which
// one of each column is in memory.

// pageLimits are how large pages may be.
type pageLimits struct {
	group int64 // how many bytes those of a row group may take in memory
	page  int   // how many one of a larger row group may
	alone int   // how many one of any row group may
	// A piece has at most so many cells, and texts of so many bytes where it has
	// several cells.
	cells, texts int
	// words is how many cells a page may have that is read value by value, in any row
	// group: these take ten times the memory of others.
	words int
}

var usualPages = pageLimits{group: 128 << 20, page: 1 << 20, alone: 16 << 20, cells: 1 << 16, texts: 1 << 20, words: 1 << 18}

// pageFile holds the pieces of a row group.
type pageFile struct {
	pageLimits
	in    *input.File
	large bool // the row group is

	mu    sync.Mutex
	file  *spill.File
	size  int64
	piece []byte
	freed int // bytes of pages that were given back and not collected
}

// maxFreed is how much memory of pages the library may keep, in bytes.
const maxFreed = 32 << 20

// free gives a page back. The library keeps its memory for the next page until the
// garbage is collected twice, and pages differ in what they need.
func (f *pageFile) free(p *part, size int) {
	p.release()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.freed += size; f.freed > maxFreed {
		f.freed = 0
		runtime.GC()
		runtime.GC()
	}
}

// A piece is a stretch of a page's cells that is on disk.
type piece struct {
	part             // without what is on disk
	at, size   int64 // in the file
	defs, reps int   // bytes of them
	values     int
	form       pieceForm
}

type pieceForm uint8

const (
	noValues pieceForm = iota
	codeValues
	intValues
	textValues
	wordValues
)

// begin begins a row group whose pages take about so many bytes.
func (f *pageFile) begin(bytes int64) {
	f.size, f.large = 0, bytes > f.group
}

func (f *pageFile) close() error {
	if f.file == nil {
		return nil
	}
	return f.file.Close()
}

// bytes is about how much memory a part takes.
func (p *part) bytes() int {
	const word = 64 // with its text
	return len(p.defs) + len(p.reps) + 4*len(p.codes) + 8*len(p.ints) + len(p.data) + 4*len(p.offsets) + word*len(p.words)
}

// spill writes what is left of the page that was loaded last in pieces.
func (l *leaf) spill(p *part) error {
	for p.cut < p.count {
		n := min(l.spilled.cells, p.count-p.cut)
		for n > 1 && len(p.offsets) > p.gone+p.valuesIn(p.cut, p.cut+n) && int(p.offsets[p.gone+p.valuesIn(p.cut, p.cut+n)]-p.offsets[p.gone]) > l.spilled.texts {
			n /= 2
		}
		values := p.valuesIn(p.cut, p.cut+n)
		if err := l.spillCells(p, n, values); err != nil {
			return err
		}
		p.cut, p.gone = p.cut+n, p.gone+values
	}
	return nil
}

// spillCells writes the next cells of a page.
func (l *leaf) spillCells(p *part, n, values int) (err error) {
	f := l.spilled
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.file == nil {
		if f.file, err = f.in.Temp(); err != nil {
			return err
		}
	}
	from, to, first, last := p.cut, p.cut+n, p.gone, p.gone+values
	one := piece{part: part{count: n, def: p.def, isEmpty: p.isEmpty}, at: f.size, values: values}
	b := f.piece[:0]
	if len(p.defs) > 0 {
		b, one.defs = append(b, p.defs[from:to]...), n
	}
	if len(p.reps) > 0 {
		b, one.reps = append(b, p.reps[from:to]...), n
	}
	switch {
	case values == 0:
	case last <= len(p.codes):
		one.form, one.dictionary = codeValues, p.dictionary
		for _, code := range p.codes[first:last] {
			b = binary.LittleEndian.AppendUint32(b, uint32(code))
		}
	case last <= len(p.ints):
		one.form = intValues
		for _, n := range p.ints[first:last] {
			b = binary.LittleEndian.AppendUint64(b, uint64(n))
		}
	case last < len(p.offsets):
		one.form = textValues
		start := p.offsets[first]
		for _, offset := range p.offsets[first : last+1] {
			b = binary.LittleEndian.AppendUint32(b, offset-start)
		}
		b = append(b, p.data[start:p.offsets[last]]...)
	case last <= len(p.words):
		one.form = wordValues
		for _, w := range p.words[first:last] {
			b = binary.AppendUvarint(append(b, byte(w.Kind), byte(w.Time)), uint64(len(w.Text)))
			b = append(b, w.Text...)
		}
	default:
		return errContradiction
	}
	f.piece = b
	if _, err := f.file.WriteAt(b, f.size); err != nil {
		return err
	}
	one.size = int64(len(b))
	f.size += one.size
	l.pieces = append(l.pieces, one)
	return nil
}

// part reads a piece.
func (f *pageFile) part(of *piece) (*part, error) {
	b := make([]byte, of.size)
	if _, err := io.ReadFull(io.NewSectionReader(f.file, of.at, of.size), b); err != nil {
		return nil, err
	}
	p := of.part
	p.defs, b = b[:of.defs:of.defs], b[of.defs:]
	p.reps, b = b[:of.reps:of.reps], b[of.reps:]
	switch of.form {
	case codeValues:
		p.codes = make([]int32, of.values)
		for i := range p.codes {
			p.codes[i] = int32(binary.LittleEndian.Uint32(b[4*i:]))
		}
	case intValues:
		p.ints = make([]int64, of.values)
		for i := range p.ints {
			p.ints[i] = int64(binary.LittleEndian.Uint64(b[8*i:]))
		}
	case textValues:
		p.offsets = make([]uint32, of.values+1)
		for i := range p.offsets {
			p.offsets[i] = binary.LittleEndian.Uint32(b[4*i:])
		}
		p.data = b[4*len(p.offsets):]
	case wordValues:
		p.words = make([]Word, of.values)
		for i := range p.words {
			n, size := binary.Uvarint(b[2:])
			text := b[2+size:]
			p.words[i] = Word{Text: string(text[:n]), Kind: Kind(b[0]), Time: Time(b[1])}
			b = text[n:]
		}
	}
	return &p, nil
}
