package record

import (
	"errors"

	"github.com/parquet-go/parquet-go"
)

type parquetChunk struct {
	Part                  // all of it
	reader *parquetReader // read-only: tree and pools
	pages  []parquet.Page // whose memory cells share
}

// newChunk returns a chunk that begins with the next row and has no rows yet.
func (r *parquetReader) newChunk() *parquetChunk {
	c, ok := r.spare.Get().(*parquetChunk)
	if !ok {
		c = &parquetChunk{Part: Part{of: &r.columned, leaves: make([]cells, len(r.leaves))}, reader: r}
	}
	c.row, c.count = r.row, 0
	return c
}

// hold keeps a page from being overwritten until the chunk is released, or for good.
func (c *parquetChunk) hold(page parquet.Page) {
	if page != nil {
		parquet.Retain(page)
		c.pages = append(c.pages, page)
	}
}

// Release gives the memory of pages, and of the chunk, back.
func (c *parquetChunk) Release() {
	for _, page := range c.pages {
		parquet.Release(page)
	}
	clear(c.pages)
	clear(c.leaves)
	c.pages = c.pages[:0]
	c.reader.spare.Put(c)
}

var errTorn = errors.New("its columns do not fit together")

// Read puts the records together, see [Chunk].
func (p *Part) Read(yield func(*Record)) error {
	a := newAssembler(p.leaves)
	rec := Record{Row: p.row}
	for range p.count {
		rec.Row++
		a.reset()
		root := Value{Kind: Object, Kids: a.take(len(p.of.root.Kids))}
		for i, kid := range p.of.root.Kids {
			a.value(kid, &root.Kids[i])
		}
		if a.torn {
			return damaged(p.of.in, p.of.format, rec.Row, errTorn)
		}
		rec.Root = &root
		yield(&rec)
	}
	return nil
}

// assembler puts the columns' cells together again, as Google's Dremel paper
// describes: definition levels say how much of a path is there, repetition
// levels where a list goes on.
type assembler struct {
	leaves []reading
	torn   bool // the columns disagree
	slab
}

// reading is where a leaf's cells have been read to.
type reading struct {
	*cells
	at, value int
}

func newAssembler(leaves []cells) *assembler {
	a := &assembler{leaves: make([]reading, len(leaves))}
	for i := range leaves {
		a.leaves[i] = newReading(&leaves[i])
	}
	return a
}

func newReading(c *cells) reading {
	if c.ints != nil {
		copied := *c
		copied.asWords()
		c = &copied
	}
	return reading{cells: c}
}

// level returns the definition level of the next cell.
func (r *reading) level() int {
	if len(r.defs) == 0 {
		return int(r.def)
	}
	return int(r.defs[r.at])
}

// word returns a value.
func (c *cells) word(value int) *Word {
	if c.codes != nil {
		return &c.dictionary.words[c.codes[value]]
	}
	return &c.words[value]
}

// peek returns the level of the next cell of the column's first leaf.
func (a *assembler) peek(c *Column) int {
	if first := &a.leaves[c.first]; first.at < first.count {
		return first.level()
	}
	a.torn = true
	return -1
}

// value puts the next value of c into v.
func (a *assembler) value(c *Column, v *Value) {
	*v = Value{Key: c.Name}
	level := a.peek(c)
	there := level >= c.def
	switch {
	case c.Element != nil:
		if v.Kind = List; there {
			a.elements(c, v)
		} else {
			a.skip(c)
		}
		if c.IsMap && level < c.def-1 { // not even an empty one
			v.Kind = Null
			return
		}
		c.mapped(v)
	case !there:
		a.skip(c)
	case c.Kids == nil:
		if leaf := &a.leaves[c.first]; level == int(leaf.def) {
			word := leaf.word(leaf.value)
			v.Kind, v.Time, v.Text = word.Kind, word.Time, word.Text
		}
		a.skip(c)
	default:
		v.Kind, v.Kids = Object, a.take(len(c.Kids))
		for i, kid := range c.Kids {
			a.value(kid, &v.Kids[i])
		}
	}
}

// elements puts the elements of the list c, which has some, into v.
func (a *assembler) elements(c *Column, v *Value) {
	n := 1
	if first := &a.leaves[c.first]; len(first.reps) > 0 {
		for _, rep := range first.reps[first.at+1:] {
			if int(rep) < c.rep {
				break
			}
			if int(rep) == c.rep {
				n++
			}
		}
	}
	v.Kids = a.take(n)
	for i := range v.Kids {
		a.value(c.Element, &v.Kids[i])
		v.Kids[i].Key = ""
	}
}

// mapped makes an object of a list of keys and values, where c is a map.
func (c *Column) mapped(v *Value) {
	if !c.IsMap {
		return
	}
	v.Kind = Object
	for i, pair := range v.Kids {
		if len(pair.Kids) == 2 {
			v.Kids[i] = pair.Kids[1]
			v.Kids[i].Key = pair.Kids[0].Text
		}
	}
}

// skip goes past one cell of each leaf beneath c.
func (a *assembler) skip(c *Column) {
	for i := c.first; i <= c.last; i++ {
		leaf := &a.leaves[i]
		if leaf.at < leaf.count && leaf.level() == int(leaf.def) {
			leaf.value++
		}
		leaf.at++
	}
}
