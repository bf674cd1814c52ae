package record

import (
	"bytes"
	"errors"
	"io"
	"slices"
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
	left  int64 // values of the row group, gaps among them, that are in no page so far

	open    []*part   // pages whose cells are not all part of a chunk
	pieces  []piece   // of the page that was read last, which come next
	spilled *pageFile // holds them

	failed error // why there are no more pages
	begun  bool  // a row of the row group has been looked at

	skimmed skimmed

	size int     // of what has been looked at of the row at hand
	lens []int32 // space to measure texts in

	dictionary *dictionary
	invalid    bool // some text that was read is no valid UTF-8
}

// skimmed is what the rows hold that were skimmed last.
type skimmed struct {
	cells, values int
	lists         []byte // repetition levels, with the next row's first
}

// A dictionary is what a row group's codes of a leaf stand for.
type dictionary struct {
	of    parquet.Dictionary
	words []Word
	lens  []int32 // of the words' texts

	once    sync.Once
	derived []Word

	chosen  sync.Once
	choices []int
}

// choose returns what choose says of the words' texts, which it is asked once.
func (d *dictionary) choose(choose func(string) int) []int {
	d.chosen.Do(func() {
		d.choices = make([]int, len(d.words))
		for i := range d.words {
			d.choices[i] = choose(d.words[i].Text)
		}
	})
	return d.choices
}

// derive returns what the words' texts become with of, which is worked out once, or
// are where it is nil. Words without text have no kind there.
func (d *dictionary) derive(of func(string) string) []Word {
	d.once.Do(func() {
		if of == nil && !slices.Contains(d.lens, 0) {
			d.derived = d.words
			return
		}
		d.derived = make([]Word, len(d.words))
		for i := range d.words {
			if w := &d.words[i]; w.Text != "" {
				d.derived[i] = Word{madeOf(w.Text, of), w.Kind, w.Time}
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
	isEmpty    bool   // no cell is a value
	// The values, in one of these forms.
	codes      []int32
	dictionary *dictionary // of codes
	ints       []int64
	data       []byte   // texts
	offsets    []uint32 // in data
	words      []Word

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
	l.pages, l.open, l.failed, l.begun, l.dictionary, l.skimmed, l.pieces = nil, l.open[:0], nil, false, nil, skimmed{}, nil
}

func (p *part) release() {
	if p.page != nil {
		parquet.Release(p.page)
		p.page = nil
	}
}

var errShortColumn = errors.New("a column is shorter than the others")

// look adds to sizes about how many bytes the next rows hold, beside a gap for the
// first cell of each. With an error it returns how many rows it is good for.
func (l *leaf) look(sizes []int) (rows int, err error) {
	row := -1
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
		if row, err = l.lookInto(p, sizes, row); err != nil {
			return row, err
		}
		if p.looked < p.count || !l.rep && row+1 == len(sizes) {
			return len(sizes), nil
		}
	}
}

// skim returns about how many bytes the next rows hold, as look would say of all of
// them together, where they end within the page at hand and all is well with it. Lists
// are repetition levels as they may be again.
func (l *leaf) skim(rows int, lists []byte) (size int, ok bool) {
	if l.failed != nil || !l.begun || l.isLookedThrough() {
		return 0, false
	}
	p := l.open[len(l.open)-1]
	l.skimmed = skimmed{cells: rows}
	if len(p.reps) > 0 {
		reps := p.reps[p.looked:]
		if len(lists) == 0 || !bytes.HasPrefix(reps, lists) {
			n, _ := cellsOf(reps, rows, false)
			if n == len(reps) || reps[0] != 0 {
				return 0, false
			}
			lists = reps[:n+1]
		}
		l.skimmed.lists, l.skimmed.cells = lists, len(lists)-1
	}
	rest := p.count - p.looked
	if l.rep {
		rest-- // the next row must begin there, too
	}
	if l.skimmed.cells > rest {
		return 0, false
	}
	l.skimmed.values = p.valuesIn(p.looked, p.looked+l.skimmed.cells)
	texts, ok := p.length(p.seen, p.seen+l.skimmed.values)
	return gap*(l.skimmed.cells-rows) + texts, ok
}

// length returns how long the texts of some values are together, and false where not
// all of them are there.
func (p *part) length(from, to int) (sum int, ok bool) {
	switch {
	case from == to:
	case to <= len(p.codes):
		lens := p.dictionary.lens
		for _, code := range p.codes[from:to] {
			if uint32(code) >= uint32(len(lens)) {
				return 0, false
			}
			sum += int(lens[code])
		}
	case to <= len(p.ints):
		for _, n := range p.ints[from:to] {
			sum += int(digits(n))
		}
	case to < len(p.offsets):
		sum = int(p.offsets[to] - p.offsets[from])
	case to <= len(p.words):
		for i := range p.words[from:to] {
			sum += len(p.words[from+i].Text)
		}
	default:
		return 0, false
	}
	return sum, true
}

// gap is about how many bytes a cell takes beside its text.
const gap = 8

// lookInto looks at the cells of a page up to the row that begins behind sizes.
// It goes on from a row, and returns the one that it ends with.
func (l *leaf) lookInto(p *part, sizes []int, row int) (int, error) {
	n, rows := p.upTo(len(sizes)-1-row, !l.begun)
	from := p.looked
	values := p.valuesIn(from, from+n)
	failed := l.measure(p, values)
	p.looked, p.seen, p.begun = from+n, p.seen+values, p.begun+rows
	if rows < n || failed != nil {
		return l.lookAround(p, from, sizes, row, failed)
	}
	l.begun, l.size = l.begun || n > 0, gap
	if values == 0 {
		return row + n, nil
	}
	at := 0
	for i := range n { // each a row, as in most columns
		size := 0
		if values == n || p.defs[from+i] == l.def {
			size = int(l.lens[at])
			at++
		}
		if l.size = gap + size; l.size > MaxRecord {
			return row + 1 + i, errTooLong
		}
		sizes[row+1+i] += size
	}
	return row + n, nil
}

// lookAround is for cells of lists, and for those of which not all lengths are known.
func (l *leaf) lookAround(p *part, from int, sizes []int, row int, failed error) (int, error) {
	value, known := 0, len(l.lens)
	l.lens = append(l.lens, 0) // so that a gap behind the last value has one to leave out
	size := 0                  // of the row as far as it lies in the page
	for at := from; at < p.looked; at++ {
		if len(p.reps) == 0 || p.reps[at] == 0 || !l.begun {
			if row >= 0 && !l.counts(size, &sizes[row]) {
				return row, errTooLong
			}
			row++
			l.begun, l.size, size = true, gap, -gap
		}
		is := 1 // a value; set without a branch, which would often be guessed wrong
		if len(p.defs) > 0 && p.defs[at] != l.def {
			is = 0
		}
		if failed != nil && value+is > known {
			return row, failed
		}
		size += gap + int(l.lens[value])&-is
		value += is
	}
	if row >= 0 && !l.counts(size, &sizes[row]) {
		return row, errTooLong
	}
	return row, nil
}

// counts adds what a row has in a page to its size, and reports whether it may be so long.
func (l *leaf) counts(size int, to *int) bool {
	l.size += size
	*to += size
	return l.size <= MaxRecord
}

// measure sets l.lens to how long the texts of the next values are, as far as there
// are any.
func (l *leaf) measure(p *part, values int) error {
	l.lens = slices.Grow(l.lens[:0], values)
	switch from, to := p.seen, p.seen+values; {
	case values == 0:
	case to <= len(p.codes):
		lens := p.dictionary.lens
		for _, code := range p.codes[from:to] {
			if uint32(code) >= uint32(len(lens)) {
				return errContradiction
			}
			l.lens = append(l.lens, lens[code])
		}
	case to <= len(p.ints):
		for _, n := range p.ints[from:to] {
			l.lens = append(l.lens, digits(n))
		}
	case to < len(p.offsets):
		for i, offset := range p.offsets[from:to] {
			l.lens = append(l.lens, int32(p.offsets[from+i+1]-offset))
		}
	case to <= len(p.words):
		for i := range p.words[from:to] {
			l.lens = append(l.lens, int32(len(p.words[from+i].Text)))
		}
	default:
		return errContradiction
	}
	return nil
}

// upTo returns how many of the next cells, at most, belong to so many rows more, and
// how many rows begin there. With isFirst the first cell begins one, whatever it says.
func (p *part) upTo(rows int, isFirst bool) (n, begun int) {
	rest := p.reps
	if len(rest) == 0 {
		n = min(rows, p.count-p.looked)
		return n, n
	}
	return cellsOf(rest[p.looked:], rows, isFirst)
}

// cellsOf returns how many cells belong to so many rows more, and how many rows
// begin there.
func cellsOf(reps []byte, rows int, isFirst bool) (n, begun int) {
	if isFirst && rows > 0 && len(reps) > 0 && reps[0] != 0 {
		n, begun = 1, 1
	}
	for _, block := range [...]int{256, 32} {
		for len(reps)-n >= block {
			more := bytes.Count(reps[n:n+block], []byte{0})
			if begun+more > rows {
				break
			}
			n, begun = n+block, begun+more
		}
	}
	for ; n < len(reps); n++ {
		if reps[n] == 0 {
			if begun == rows {
				break
			}
			begun++
		}
	}
	return n, begun
}

// valuesIn returns how many of some cells are values.
func (p *part) valuesIn(from, to int) int {
	if p.isEmpty {
		return 0
	}
	if len(p.defs) == 0 {
		return to - from
	}
	return bytes.Count(p.defs[from:to], []byte{p.def})
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
	if len(l.pieces) == 0 {
		if l.pages == nil {
			l.failed = io.EOF
			return
		}
		page, err := l.pages.ReadPage()
		if err != nil {
			l.failed = err
			return
		}
		p := &part{page: page, count: int(page.NumValues()), def: l.def}
		l.left -= int64(p.count)
		const cell = 6 // levels and a code
		size := cell*p.count + int(page.Size())
		l.failed = l.begin(p)
		isSmall := p.bytes() < l.spilled.alone
		if l.spilled.large {
			isSmall = p.bytes() < l.spilled.page && p.count < l.spilled.cells
		}
		if l.failed != nil || len(l.pieces) == 0 && isSmall {
			l.open = append(l.open, p)
			return
		}
		l.failed = l.spill(p)
		l.spilled.free(p, size)
		if l.failed != nil {
			return
		}
		if l.left == 0 { // the library would hold the last page
			l.pages.Close()
			l.pages = nil
		}
	}
	p, err := l.spilled.part(&l.pieces[0])
	if l.failed = err; err == nil {
		l.open, l.pieces = append(l.open, p), l.pieces[1:]
	}
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
	case fits && p.simplify():
	case !fits, dictionary != nil && dictionary.Len() > maxDictionary:
		return l.readValues(p)
	case dictionary != nil:
		l.useDictionary(dictionary)
		data := p.page.Data()
		p.dictionary, p.codes = l.dictionary, data.Int32()
	case l.isText():
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

// simplify forgets levels that are all the same, and reports whether no cell is a
// value, so that nobody counts them again.
func (p *part) simplify() (isEmpty bool) {
	if bytes.Count(p.reps, []byte{0}) == len(p.reps) {
		p.reps = nil
	}
	switch values := p.valuesIn(0, p.count); values {
	case 0:
		p.isEmpty = true
	case p.count:
		p.defs = nil
	}
	return p.isEmpty
}

func (l *leaf) useDictionary(of parquet.Dictionary) {
	if l.dictionary != nil && l.dictionary.of == of {
		return
	}
	d := &dictionary{of: of, lens: make([]int32, of.Len())}
	if l.isText() {
		data := of.Page().Data()
		bytes, offsets := data.ByteArray()
		d.words = l.texts(nil, bytes, offsets)
	}
	for i := len(d.words); i < len(d.lens); i++ {
		v := of.Index(int32(i))
		d.words = append(d.words, l.word(&v))
	}
	for i := range d.lens {
		d.lens[i] = int32(len(d.words[i].Text))
	}
	l.dictionary = d
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
		if (l.spilled.large || p.count > l.spilled.words) && len(p.defs) >= l.spilled.cells {
			if err := l.spillCells(p, len(p.defs), len(p.words)); err != nil {
				return err
			}
			clear(p.words)
			p.defs, p.reps, p.words = p.defs[:0], p.reps[:0], p.words[:0]
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

// isText reports whether byte arrays are texts as they stand.
func (l *leaf) isText() bool {
	return l.typ.Kind() == parquet.ByteArray && decimalOf(l.typ.LogicalType()) == nil
}

// texts appends the texts that lie in data from one offset to the next.
func (l *leaf) texts(words []Word, data []byte, offsets []uint32) []Word {
	if len(offsets) < 2 {
		return words
	}
	start := offsets[0]
	all := string(data[start:offsets[len(offsets)-1]])
	l.invalid = l.invalid || !utf8.ValidString(all)
	words = slices.Grow(words, len(offsets)-1)
	for i, offset := range offsets[1:] {
		text := all[offsets[i]-start : offset-start]
		l.invalid = l.invalid || text != "" && !utf8.RuneStart(text[0]) // one that texts share
		words = append(words, Word{Kind: Text, Text: text})
	}
	return words
}

// numbers appends numbers as they are written.
func numbers(words []Word, of []int64) []Word {
	var texts numberTexts
	words = slices.Grow(words, len(of))
	for _, n := range of {
		words = append(words, Word{Kind: Number, Text: texts.text(n)})
	}
	return words
}

// cells are values and gaps of a leaf, in order.
type cells struct {
	count      int
	values     int // cells that are no gaps
	def        uint8
	defs, reps []byte // empty where all cells are values, or begin rows

	// The values, in one of these forms.
	codes      []int32
	dictionary *dictionary // of codes
	ints       []int64
	words      []Word
}

// cut returns the cells of the next rows, which have been looked at. They share the
// memory of pages that are held for c.
func (l *leaf) cut(rows int, c *parquetChunk) cells {
	of := cells{def: l.def}
	for len(l.open) > 0 {
		p := l.open[0]
		n := 0
		if n, rows = p.rows(rows, of.count > 0); n > 0 {
			l.add(&of, p, n)
			c.hold(p.page)
		}
		if p.cut < p.count {
			break
		}
		p.release()
		l.open = append(l.open[:0], l.open[1:]...)
	}
	return of
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
	n, begun := cellsOf(p.reps[p.cut:p.looked], rows, !before)
	p.begun -= begun
	return n, rows - begun
}

// add cuts n cells off a part. What it appends to is copied before.
func (l *leaf) add(c *cells, p *part, n int) {
	from, to := p.cut, p.cut+n
	values := p.valuesIn(from, to)
	c.levels(&c.defs, p.defs, from, to, p.def)
	c.levels(&c.reps, p.reps, from, to, 0)
	first, last := p.gone, p.gone+values
	switch {
	case values == 0:
	case p.codes != nil && (c.values == 0 || c.codes != nil && c.dictionary == p.dictionary):
		c.dictionary, c.codes = p.dictionary, joined(c.codes, p.codes[first:last])
	case p.ints != nil && (c.values == 0 || c.ints != nil):
		c.ints = joined(c.ints, p.ints[first:last])
	default:
		c.asWords()
		switch {
		case p.codes != nil:
			c.words = appendCoded(c.words, p.dictionary.words, p.codes[first:last])
		case p.ints != nil:
			c.words = numbers(c.words, p.ints[first:last])
		case p.offsets != nil:
			c.words = l.texts(c.words, p.data, p.offsets[first:last+1])
		default:
			c.words = joined(c.words, p.words[first:last])
		}
	}
	p.cut, p.gone = to, last
	c.count += n
	c.values += values
}

// joined appends to what is not changed, and shares memory where it can.
func joined[T any](to, more []T) []T {
	if len(to) == 0 {
		return more[:len(more):len(more)]
	}
	return append(to[:len(to):len(to)], more...)
}

func appendCoded(words, dictionary []Word, codes []int32) []Word {
	words = slices.Grow(words, len(codes))
	for _, code := range codes {
		words = append(words, dictionary[code])
	}
	return words
}

// asWords replaces codes and integers by what they stand for.
func (c *cells) asWords() {
	switch {
	case c.codes != nil:
		c.words = appendCoded(nil, c.dictionary.words, c.codes)
	case c.ints != nil:
		c.words = numbers(nil, c.ints)
	}
	c.codes, c.dictionary, c.ints = nil, nil, nil
}

// levels appends the levels of some cells, which are all the same where the page
// has none.
func (c *cells) levels(to *[]byte, from []byte, start, end int, same uint8) {
	if len(from) > 0 {
		if len(*to) == 0 && c.count > 0 {
			*to = bytes.Repeat([]byte{same}, c.count)
		}
		*to = joined(*to, from[start:end])
	} else if len(*to) > 0 {
		*to = append(*to, bytes.Repeat([]byte{same}, end-start)...)
	}
}
