package record

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strconv"
	"sync"
	"unicode/utf8"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"
)

// A leaf is a column of values.
type leaf struct {
	index int // among the file's columns
	typ   parquet.Type
	rep   bool
	def   uint8 // the level at which there is a value
	pages parquet.Pages

	open   []*part // pages whose cells are not all part of a chunk
	failed error   // why there are no more pages
	begun  bool    // a row of the row group has been looked at

	dictionary *dictionary
	numbers    []byte // space to write numbers in
	invalid    bool   // some text that was read is no valid UTF-8
}

// A dictionary is what a row group's codes of a leaf stand for.
type dictionary struct {
	of    parquet.Dictionary
	words []Word

	once    sync.Once
	derived []Word
}

// derive returns what the words' texts become, which is worked out once. Words
// without text have no kind there.
func (d *dictionary) derive(of func(string) string) []Word {
	d.once.Do(func() {
		d.derived = make([]Word, len(d.words))
		for i := range d.words {
			if w := &d.words[i]; w.Text != "" {
				d.derived[i] = Word{of(w.Text), w.Kind, w.Time}
			}
		}
	})
	return d.derived
}

// A Word is a value.
type Word struct {
	Text string
	Kind Kind
	Time Time
}

// A part is a page of a leaf. Its cells are looked at in order, and then cut off
// in order.
type part struct {
	page  parquet.Page // nil where its values have been copied
	count int
	def   uint8

	defs, reps []byte // empty where all cells are values, or begin rows
	codes      []int32
	words      []Word // a dictionary's where there are codes, else the next values
	dictionary *dictionary

	data    []byte   // texts that are no words yet
	offsets []uint32 // in data
	ints    []int64  // numbers that are no words yet

	looked, seen int // cells and values that have been looked at
	cut, gone    int // cells and values that have been cut off
	begun        int // rows that begin in what has been looked at and not cut off
}

func (l *leaf) close() {
	for _, p := range l.open {
		p.release()
	}
	if l.pages != nil {
		l.pages.Close()
	}
	l.pages, l.open, l.failed, l.begun, l.dictionary = nil, l.open[:0], nil, false, nil
}

func (p *part) release() {
	if p.page != nil {
		parquet.Release(p.page)
		p.page = nil
	}
}

var errShortColumn = errors.New("a column is shorter than the others")

// look adds to sizes about how many bytes the next rows hold. With an error it
// returns how many rows it is good for.
func (l *leaf) look(sizes []int) (rows int, err error) {
	row, size := -1, 0
	for {
		p, err := l.next()
		if errors.Is(err, io.EOF) {
			if row+1 == len(sizes) {
				return len(sizes), nil
			}
			return row + 1, errShortColumn
		}
		if err != nil {
			return max(row, 0), err
		}
		if row, size, err = l.lookInto(p, sizes, row, size); err != nil {
			return row, err
		}
		if p.looked < p.count || !l.rep && row+1 == len(sizes) {
			return len(sizes), nil
		}
	}
}

// gap is about how many bytes a cell takes beside its text.
const gap = 8

// lookInto looks at the cells of a page up to the row that begins behind sizes.
// It goes on from a row and its size, and returns those that it ends with. It is
// one loop over local variables because it is run for every cell.
func (l *leaf) lookInto(p *part, sizes []int, row, size int) (int, int, error) {
	defs, reps, codes, words := p.defs, p.reps, p.codes, p.words
	at, seen, begun := p.looked, p.seen, p.begun
	var err error
	for ; at < p.count; at++ {
		if len(reps) == 0 || reps[at] == 0 || !l.begun {
			if row+1 == len(sizes) {
				break
			}
			row++
			size, l.begun = 0, true
			begun++
		}
		n := gap
		switch {
		case len(defs) > 0 && defs[at] != l.def:
		case codes != nil:
			if seen >= len(codes) || uint32(codes[seen]) >= uint32(len(words)) {
				err = errContradiction
				break
			}
			n += len(words[codes[seen]].Text)
			seen++
		default:
			if seen-p.gone >= len(words) {
				if err = l.convert(p, seen); err != nil {
					break
				}
				words = p.words
			}
			n += len(words[seen-p.gone].Text)
			seen++
		}
		if size += n; err == nil && size > MaxRecord {
			err = errTooLong
		}
		if err != nil {
			break
		}
		sizes[row] += n
	}
	p.looked, p.seen, p.begun = at, seen, begun
	return row, size, err
}

// next returns the page that is to be looked at.
func (l *leaf) next() (*part, error) {
	if l.isLookedThrough() {
		l.loadNext()
	}
	if l.failed != nil {
		return nil, l.failed
	}
	return l.open[len(l.open)-1], nil
}

// isLookedThrough reports whether another page must be loaded to look further.
func (l *leaf) isLookedThrough() bool {
	n := len(l.open)
	return l.failed == nil && (n == 0 || l.open[n-1].looked == l.open[n-1].count)
}

// loadNext loads the next page, or sets l.failed, to io.EOF behind the last.
func (l *leaf) loadNext() {
	// A damaged file makes the library panic in places.
	defer func() {
		if recover() != nil {
			l.failed = errContradiction
		}
	}()
	page, err := l.pages.ReadPage()
	if err != nil {
		l.failed = err
		return
	}
	p := &part{page: page, count: int(page.NumValues()), def: l.def}
	l.open = append(l.open, p)
	l.failed = l.begin(p)
}

// maxDictionary is how many words of a dictionary are kept as text. A longer one
// does not repeat itself enough.
const maxDictionary = 1 << 16

// begin finds out how the values of a page are read: by their codes, some texts or
// numbers at a time, or one by one.
func (l *leaf) begin(p *part) error {
	p.defs, p.reps = p.page.DefinitionLevels(), p.page.RepetitionLevels()
	if !l.rep {
		p.reps = nil
	}
	dictionary := p.page.Dictionary()
	kind, logical := l.typ.Kind(), l.typ.LogicalType()
	fits := (len(p.defs) == p.count || len(p.defs) == 0 && l.def == 0) && (len(p.reps) == p.count || len(p.reps) == 0)
	switch {
	case fits && len(p.defs) > 0 && bytes.IndexByte(p.defs, l.def) < 0: // nothing but gaps
	case !fits, dictionary != nil && dictionary.Len() > maxDictionary:
		return l.readValues(p)
	case dictionary != nil:
		l.useDictionary(dictionary)
		data := p.page.Data()
		p.dictionary, p.words, p.codes = l.dictionary, l.dictionary.words, data.Int32()
		if p.codes == nil {
			p.codes = []int32{}
		}
	case kind == parquet.ByteArray && decimalOf(logical) == nil:
		data := p.page.Data()
		p.data, p.offsets = data.ByteArray()
	case kind == parquet.Int64 && isPlain(logical):
		data := p.page.Data()
		p.ints = data.Int64()
	default:
		return l.readValues(p)
	}
	return nil
}

func (l *leaf) useDictionary(of parquet.Dictionary) {
	if l.dictionary != nil && l.dictionary.of == of {
		return
	}
	l.dictionary = &dictionary{of: of, words: make([]Word, of.Len())}
	for i := range l.dictionary.words {
		v := of.Index(int32(i))
		l.dictionary.words[i] = l.word(&v)
	}
}

// word returns v as it is read.
func (l *leaf) word(v *parquet.Value) Word {
	w := l.scalar(v).word()
	l.invalid = l.invalid || !utf8.ValidString(w.Text)
	return w
}

func (v Value) word() Word { return Word{v.Text, v.Kind, v.Time} }

// isPlain reports whether an integer is written as it is.
func isPlain(logical *format.LogicalType) bool {
	if logical == nil {
		return true
	}
	t, is := logical.Value.(*format.IntType)
	return is && t.IsSigned
}

// readValues copies a page value by value.
func (l *leaf) readValues(p *part) error {
	p.defs, p.reps = make([]byte, 0, p.count), nil
	values, ahead := p.page.Values(), make([]parquet.Value, 256)
	for {
		n, err := values.ReadValues(ahead)
		for i := range n {
			v := &ahead[i]
			def := uint8(v.DefinitionLevel())
			if v.IsNull() == (def == l.def) {
				return errContradiction
			}
			if p.defs = append(p.defs, def); l.rep {
				p.reps = append(p.reps, uint8(v.RepetitionLevel()))
			}
			if def == l.def {
				p.words = append(p.words, l.word(v))
			}
		}
		if errors.Is(err, io.EOF) {
			p.count = len(p.defs)
			p.release()
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// atOnce is how many values become words at once.
const atOnce = 512

// convert makes words of the values from at on.
func (l *leaf) convert(p *part, at int) error {
	switch {
	case at+1 < len(p.offsets):
		n := min(atOnce, len(p.offsets)-1-at)
		start := p.offsets[at]
		texts := string(p.data[start:p.offsets[at+n]])
		p.words = slices.Grow(p.words, n)
		l.invalid = l.invalid || !utf8.ValidString(texts)
		for i := range n {
			text := texts[p.offsets[at+i]-start : p.offsets[at+i+1]-start]
			l.invalid = l.invalid || text != "" && !utf8.RuneStart(text[0]) // one that texts share
			p.words = append(p.words, Word{Kind: Text, Text: text})
		}
	case at < len(p.ints):
		n := min(atOnce, len(p.ints)-at)
		var ends [atOnce]int
		l.numbers = l.numbers[:0]
		for i, number := range p.ints[at : at+n] {
			l.numbers = strconv.AppendInt(l.numbers, number, 10)
			ends[i] = len(l.numbers)
		}
		texts, start := string(l.numbers), 0
		p.words = slices.Grow(p.words, n)
		for i := range n {
			p.words = append(p.words, Word{Kind: Number, Text: texts[start:ends[i]]})
			start = ends[i]
		}
	default:
		return errContradiction
	}
	return nil
}

// cells are values and gaps of a leaf, in order.
type cells struct {
	count      int
	values     int // cells that are no gaps
	def        uint8
	defs, reps []byte  // empty where all cells are values, or begin rows
	codes      []int32 // nil where words are the values, in order
	words      []Word
	dictionary *dictionary // of the codes
}

// cut returns the cells of the next rows, which have been looked at.
func (l *leaf) cut(rows int) cells {
	c := cells{def: l.def}
	for len(l.open) > 0 {
		p := l.open[0]
		n := 0
		if n, rows = p.rows(rows, c.count > 0); n > 0 {
			c.add(p, n)
		}
		if p.cut < p.count {
			break
		}
		p.release()
		l.open = append(l.open[:0], l.open[1:]...)
	}
	return c
}

// rows returns how many of a part's next cells belong to so many rows, and how
// many rows then still begin behind the part. In its beginning goes on the row
// before, where there is one.
func (p *part) rows(rows int, before bool) (n, rest int) {
	if len(p.reps) == 0 {
		n = min(rows, p.looked-p.cut)
		p.begun -= n
		return n, rows - n
	}
	if p.begun <= rows { // as mostly
		rows -= p.begun
		p.begun = 0
		return p.looked - p.cut, rows
	}
	p.begun -= rows
	for at, rep := range p.reps[p.cut:p.looked] {
		if rep == 0 || at == 0 && !before {
			if rows == 0 {
				return at, 0
			}
			rows--
		}
	}
	return p.looked - p.cut, rows
}

// add cuts n cells off a part.
func (c *cells) add(p *part, n int) {
	from, to := p.cut, p.cut+n
	values := n
	if len(p.defs) > 0 {
		values = bytes.Count(p.defs[from:to], []byte{p.def})
	}
	c.levels(&c.defs, p.defs, from, to, p.def)
	c.levels(&c.reps, p.reps, from, to, 0)
	switch {
	case values == 0:
	case p.codes == nil:
		c.asWords()
		if c.words == nil {
			c.words = p.words[:values:values] // which the part does not write to any more
		} else {
			c.words = append(c.words, p.words[:values]...)
		}
		p.words = p.words[values:]
	case c.values == 0 || c.codes != nil && c.dictionary == p.dictionary:
		c.dictionary, c.words = p.dictionary, p.words
		c.codes = append(c.codes, p.codes[p.gone:p.gone+values]...)
	default:
		c.asWords()
		for _, code := range p.codes[p.gone : p.gone+values] {
			c.words = append(c.words, p.words[code])
		}
	}
	p.cut, p.gone = to, p.gone+values
	c.count += n
	c.values += values
}

// asWords replaces codes by what they stand for.
func (c *cells) asWords() {
	if c.codes == nil {
		return
	}
	words := make([]Word, len(c.codes))
	for i, code := range c.codes {
		words[i] = c.words[code]
	}
	c.codes, c.words = nil, words
}

// levels appends the levels of some cells, which are all the same where the page
// has none.
func (c *cells) levels(to *[]byte, from []byte, start, end int, same uint8) {
	if len(from) > 0 {
		if len(*to) == 0 && c.count > 0 {
			*to = bytes.Repeat([]byte{same}, c.count)
		}
		*to = append(*to, from[start:end]...)
	} else if len(*to) > 0 {
		*to = append(*to, bytes.Repeat([]byte{same}, end-start)...)
	}
}
