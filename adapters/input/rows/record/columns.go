package record

import (
	"bytes"
	"slices"
	"sync"

	"hopper/adapters/input"
)

// Columns is a [Chunk] whose values lie by column. Whoever knows what becomes of
// a column reads it without records being put together. Several goroutines can
// read a chunk.
type Columns interface {
	Chunk
	// Schema returns the columns of the records. It is the same for all chunks of
	// a [Reader].
	Schema() []*Column
	// Parts calls do with the chunk's records, at most so many at a time, in order. A
	// part is valid until do returns. Parts returns the first error of do. Where a
	// record cannot be decoded, it returns the error of [Chunk.Read] behind those before.
	Parts(most int, do func(part *Part) error) error
	// ValidUTF8 reports whether all texts are known to be valid UTF-8.
	ValidUTF8() bool
	// Release says that the chunk will not be read again, and that nothing of it
	// is kept: its memory may be used again. It need not be called.
	Release()
}

var (
	_ Columns = (*parquetChunk)(nil)
	_ Columns = (*avroColumns)(nil)
)

// A columned is what all chunks of a reader whose values lie by column have in common.
type columned struct {
	in     string
	format input.Format
	root   *Column
	parts  sync.Pool // of *partSpace
}

// A Part is some records of a [Columns], by column.
type Part struct {
	of     *columned
	row    int64
	count  int
	leaves []cells
	valid  bool       // all texts are valid UTF-8
	space  *partSpace // nil of a whole chunk
}

// A Cell is a record's text of a leaf.
type Cell struct {
	Record int
	Text   string
}

func (c *parquetChunk) Schema() []*Column { return c.reader.root.Kids }

// Span returns the records' numbers, see [Chunk].
func (p *Part) Span() (first, end int64) { return p.row + 1, p.row + 1 + int64(p.count) }

// ValidUTF8 reports whether all texts are known to be valid UTF-8.
func (p *Part) ValidUTF8() bool { return p.valid }

// partSpace is what a goroutine needs to take a chunk apart.
type partSpace struct {
	part    Part
	ends    [][]int
	values  []int
	cells   []Cell
	numbers numberTexts // of the part
}

// newPart returns space for a part of so many leaves, which whoever asked gives back
// to c.parts.
func (c *columned) newPart(leaves int) *partSpace {
	if space, ok := c.parts.Get().(*partSpace); ok {
		return space
	}
	space := &partSpace{part: Part{of: c, leaves: make([]cells, leaves)}, ends: make([][]int, leaves), values: make([]int, leaves)}
	space.part.space = space
	return space
}

func (c *parquetChunk) Parts(most int, do func(part *Part) error) error {
	space := c.reader.newPart(len(c.leaves))
	defer c.reader.parts.Put(space)
	part, ends, values := &space.part, space.ends, space.values
	part.valid = c.valid
	c.ends(most, ends)
	clear(values)
	for begin := 0; begin < c.count; begin += most {
		part.row, part.count = c.row+int64(begin), min(most, c.count-begin)
		for i := range c.leaves {
			from := 0
			if begin > 0 {
				from = ends[i][begin/most-1]
			}
			part.leaves[i] = c.leaves[i].slice(from, ends[i][begin/most], values[i])
			values[i] += part.leaves[i].values
		}
		space.numbers.reset()
		if err := do(part); err != nil {
			return err
		}
	}
	return nil
}

// ends sets all to the cells, of each leaf, behind which parts of so many records end.
func (c *parquetChunk) ends(most int, all [][]int) {
	for i := range c.leaves {
		l := &c.leaves[i]
		all[i] = all[i][:0]
		if i > 0 && l.fits(&c.leaves[i-1]) { // as in the same list
			all[i] = append(all[i], all[i-1]...)
			continue
		}
		for at := 0; len(all[i])*most < c.count; all[i] = append(all[i], at) {
			n := min(most, l.count-at)
			if len(l.reps) > 0 {
				n, _ = cellsOf(l.reps[at:], most, at == 0)
			}
			at += n
		}
	}
}

// slice returns some cells, before which so many values stand.
func (c *cells) slice(from, to, value int) cells {
	part := cells{count: to - from, values: to - from, def: c.def, dictionary: c.dictionary}
	if len(c.reps) > 0 {
		part.reps = c.reps[from:to]
	}
	if len(c.defs) > 0 {
		part.defs = c.defs[from:to]
		if part.values = 0; c.values > 0 {
			part.values = bytes.Count(part.defs, []byte{c.def})
		}
	}
	switch to := value + part.values; {
	case c.codes != nil:
		part.codes = c.codes[value:to]
	case c.ints != nil:
		part.ints = c.ints[value:to]
	default:
		part.words = c.words[value:to]
	}
	return part
}

// Texts returns what of, unless it is nil, makes of the texts of a leaf that stands
// in no list. Records are counted from 0; those without text are left out. A leaf's
// of must be the same in all chunks: it is asked once for a text that many records
// share. What is returned is valid until texts are asked for again.
func (p *Part) Texts(leaf *Column, of func(string) string) []Cell {
	l := &p.leaves[leaf.first]
	if l.values == 0 {
		return nil
	}
	var texts []Cell
	if p.space != nil {
		texts = p.space.cells
	}
	texts = slices.Grow(texts[:0], l.values)
	switch {
	case l.codes != nil:
		words := l.dictionary.derive(of)
		l.each(func(record, value int) {
			if w := &words[l.codes[value]]; w.Kind != Null {
				texts = append(texts, Cell{record, w.Text})
			}
		})
	case l.ints != nil:
		numbers := p.numbers()
		l.each(func(record, value int) {
			texts = append(texts, Cell{record, madeOf(numbers.text(l.ints[value]), of)})
		})
	default:
		l.each(func(record, value int) {
			if w := &l.words[value]; w.Text != "" && w.Kind != Null {
				texts = append(texts, Cell{record, madeOf(w.Text, of)})
			}
		})
	}
	if p.space != nil {
		p.space.cells = texts
	}
	return texts
}

// numbers returns what writes the chunk's numbers.
func (p *Part) numbers() *numberTexts {
	if p.space == nil {
		return new(numberTexts)
	}
	return &p.space.numbers
}

// each calls do with the cells that are values, and which of the values they are.
func (c *cells) each(do func(cell, value int)) {
	if c.values == c.count {
		for i := range c.count {
			do(i, i)
		}
		return
	}
	value := 0
	for i, def := range c.defs {
		if def == c.def {
			do(i, value)
			value++
		}
	}
}

func madeOf(text string, of func(string) string) string {
	if of == nil {
		return text
	}
	return of(text)
}

// IsEmpty reports whether no leaf of a column has a value.
func (p *Part) IsEmpty(column *Column) bool {
	return !slices.ContainsFunc(p.leaves[column.first:column.last+1], func(l cells) bool { return l.values > 0 })
}

// EachElement calls do with the elements of a list that stands in no other,
// and with what each has of the leaves of an element, nil where it has none.
func (p *Part) EachElement(list *Column, leaves []*Column, do func(record int, words []*Word)) error {
	all := make([]reading, len(leaves))
	for i, leaf := range leaves {
		all[i] = newReading(&p.leaves[leaf.first])
		if !all[i].fits(all[0].cells) {
			return damaged(p.of.in, p.of.format, p.row+1, errTorn)
		}
	}
	if all[0].count == 0 {
		return nil
	}
	words := make([]*Word, len(leaves))
	filled := make([]int, 0, len(leaves)) // leaves with values
	for i := range all {
		if all[i].values > 0 {
			filled = append(filled, i)
		}
	}
	record, first := -1, &all[0]
	for at := range first.count {
		if len(first.reps) == 0 || first.reps[at] == 0 || at == 0 {
			record++
		}
		if len(first.defs) > 0 && int(first.defs[at]) < list.def {
			continue // no leaf has a value there
		}
		for _, i := range filled {
			words[i] = all[i].take(at)
		}
		do(record, words)
	}
	for _, i := range filled {
		if all[i].value < all[i].values {
			return damaged(p.of.in, p.of.format, p.row+1, errTorn)
		}
	}
	return nil
}

// An Element is one of a list that has a name.
type Element struct {
	Record int
	Choice int // what is to be done with it
	Name   string

	at     int
	leaves []*reading // of its values; nil where the chunk has none
	number Word       // that was asked for last
	texts  *numberTexts
}

// Value returns what the element has in one of the leaves, or nil. It is valid until
// the next call.
func (e *Element) Value(leaf int) *Word {
	l := e.leaves[leaf]
	if l == nil || len(l.defs) > 0 && l.defs[e.at] != l.def {
		return nil
	}
	if l.ints == nil {
		return l.word(l.value)
	}
	e.number = Word{Kind: Number, Text: e.texts.text(l.ints[l.value])}
	return &e.number
}

// EachNamed calls do with the elements of a list that stands in no other by the
// name that each has: choose returns what is to be done with those of a name, and
// less than 0 where they are left out. A list's choose must be the same in all
// chunks: it is asked once for a name that many elements share.
func (p *Part) EachNamed(list, name *Column, values []*Column, choose func(name string) int, do func(e *Element)) error {
	names := newReading(&p.leaves[name.first])
	e := Element{Record: -1, leaves: make([]*reading, len(values)), texts: p.numbers()}
	filled := make([]reading, 0, len(values))
	for i, leaf := range values {
		l := &p.leaves[leaf.first]
		if !l.fits(names.cells) {
			return damaged(p.of.in, p.of.format, p.row+1, errTorn)
		}
		if l.values > 0 {
			filled = append(filled, reading{cells: l})
			e.leaves[i] = &filled[len(filled)-1]
		}
	}
	if names.values == 0 {
		return nil
	}
	var choices []int
	if names.codes != nil {
		choices = names.dictionary.choose(choose)
	}
	for at := range names.count {
		if len(names.reps) == 0 || names.reps[at] == 0 || at == 0 {
			e.Record++
		}
		if len(names.defs) == 0 || names.defs[at] == names.def {
			if choices != nil {
				e.Choice = choices[names.codes[names.value]]
			} else {
				e.Choice = choose(names.words[names.value].Text)
			}
			if e.Choice >= 0 {
				e.at, e.Name = at, names.word(names.value).Text
				do(&e)
			}
			names.value++
		}
		for i := range filled {
			l, is := &filled[i], 1 // a value; without a branch, which would often be guessed wrong
			if len(l.defs) > 0 && l.defs[at] != l.def {
				is = 0
			}
			l.value += is
		}
	}
	return nil
}

// fits reports whether lists begin and go on in two leaves alike.
func (c *cells) fits(other *cells) bool {
	if c.count != other.count {
		return false
	}
	if len(c.reps) == 0 || len(other.reps) == 0 {
		reps := append(c.reps[:len(c.reps):len(c.reps)], other.reps...)
		return len(bytes.Trim(reps, "\x00")) == 0
	}
	return bytes.Equal(c.reps, other.reps)
}

// take returns the value of a cell, or nil. Cells are asked for in order.
func (r *reading) take(at int) *Word {
	if len(r.defs) > 0 && r.defs[at] != r.def {
		return nil
	}
	r.value++
	return r.word(r.value - 1)
}

// Values calls do with each record's value of a column of the schema; empty
// lists are left out.
func (p *Part) Values(column *Column, do func(record int, v *Value)) error {
	a := newAssembler(p.leaves)
	for i := 0; i < p.count; i++ {
		if column.Element != nil {
			if i += a.skipEmpty(column); i == p.count {
				break
			}
		}
		var v Value
		a.value(column, &v)
		if a.torn {
			return damaged(p.of.in, p.of.format, p.row+int64(i)+1, errTorn)
		}
		do(i, &v)
	}
	return nil
}

// skipEmpty goes past cells that are empty lists, and returns how many.
func (a *assembler) skipEmpty(c *Column) int {
	first := &a.leaves[c.first]
	n := 0
	for first.at+n < len(first.defs) && int(first.defs[first.at+n]) < c.def {
		n++
	}
	for i := c.first; i <= c.last; i++ {
		leaf := &a.leaves[i]
		from, to := min(leaf.at, leaf.count), min(leaf.at+n, leaf.count)
		leaf.at += n
		if len(leaf.defs) == 0 {
			leaf.value += to - from
		} else {
			leaf.value += bytes.Count(leaf.defs[from:to], []byte{leaf.def})
		}
	}
	return n
}
