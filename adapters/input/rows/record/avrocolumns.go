package record

import (
	"hopper/adapters/input"
)

// avroColumns is a chunk whose records are decoded to columns, some at a time.
type avroColumns struct{ *avroChunk }

// An avroPlan is how records are decoded to columns.
type avroPlan struct {
	columned
	root   avroField
	leaves []avroLeaf
}

// An avroField is a node of a schema whose values have a column.
type avroField struct {
	of     *avroType // a value that is not null
	null   int       // where null stands in the union that it is of, or -1
	column *Column   // nil where it is passed over
	def    uint8     // the definition level of a value, one more than of null
	depth  int       // of a value
	// What is known of leaves: that they keep repetition levels, and hold text or
	// integers as these stand.
	keepsLists, isText, isInteger bool
	fields                        []avroField // of a record; of an array, the element alone
}

// An avroLeaf is what is known of a leaf's cells.
type avroLeaf struct {
	def uint8
	// lists is the first leaf with the same lists, whose repetition levels are those of
	// all; -1 where it stands in none.
	lists int
}

const (
	// maxAvroLeaves is how many leaves records have at most that are decoded to columns: a
	// schema can use a type again and again, and each leaf has a cell for a null above it.
	maxAvroLeaves = 1000
	// maxAvroPart is how many bytes of a block are decoded at a time at most, but for the
	// last record: cells take many times as much.
	maxAvroPart = 512 << 10
)

// newAvroPlan returns nil where a schema has what columns cannot say: unions of several
// types, maps, records of nothing, and types that contain themselves.
func newAvroPlan(in string, schema *avroType) *avroPlan {
	p := &avroPlan{columned: columned{in: in, format: input.Avro}}
	root, ok := p.field(schema, "", 0, 0, nil, 0)
	if !ok {
		return nil
	}
	p.root, p.columned.root = root, root.column
	return p
}

// field returns the field of a type that stands at a depth, within lists and what can be
// null up to these levels. Lists is the first leaf of the innermost list, less than
// 0 until it is known, and nil in none.
func (p *avroPlan) field(t *avroType, name string, def, rep int, lists *int, depth int) (f avroField, ok bool) {
	f.null = -1
	if t.kind == avroUnion {
		if len(t.of) != 2 || (t.of[0].kind == avroNull) == (t.of[1].kind == avroNull) {
			return f, false
		}
		if t.of[0].kind != avroNull {
			f.null = 1
			t = t.of[0]
		} else {
			f.null = 0
			t = t.of[1]
		}
		def, depth = def+1, depth+1
	}
	if depth > maxDepth {
		return f, false
	}
	c := &Column{Name: name, def: def, first: len(p.leaves)}
	f.of, f.column, f.def, f.depth = t, c, uint8(def), depth
	switch t.kind {
	case avroNull, avroUnion, avroMap:
		return f, false
	case avroRecord:
		for i, of := range t.of {
			if !t.wanted[i] {
				f.fields = append(f.fields, avroField{of: of})
				continue
			}
			kid, ok := p.field(of, t.names[i], def, rep, lists, depth+1)
			if !ok {
				return f, false
			}
			f.fields, c.Kids = append(f.fields, kid), append(c.Kids, kid.column)
		}
		if c.Kids == nil {
			return f, false
		}
	case avroArray:
		c.def, c.rep = def+1, rep+1
		element, ok := p.field(t.of[0], "", c.def, c.rep, new(-1), depth+1)
		if !ok {
			return f, false
		}
		f.fields, c.Element = []avroField{element}, element.column
	default:
		if len(p.leaves) == maxAvroLeaves {
			return f, false
		}
		leaf := avroLeaf{uint8(def), -1}
		if lists != nil {
			if *lists < 0 {
				*lists, f.keepsLists = c.first, true
			}
			leaf.lists = *lists
		}
		p.leaves = append(p.leaves, leaf)
		f.isText, f.isInteger = t.kind == avroText && t.logical == "", t.kind == avroInt && t.logical == ""
	}
	c.last = len(p.leaves) - 1
	return f, true
}

func (c *avroColumns) Schema() []*Column { return c.reader.plan.columned.root.Kids }

// ValidUTF8 reports nothing: texts are not looked at before it is known which are used.
func (c *avroColumns) ValidUTF8() bool { return false }

func (c *avroColumns) Parts(most int, do func(part *Part) error) error {
	block, err := c.text()
	if err != nil {
		return err
	}
	plan := c.reader.plan
	space := plan.newPart(len(plan.leaves))
	defer plan.parts.Put(space)
	part := &space.part
	d := &avroCells{avroDecoder{s: block}, plan, part.leaves}
	for done := 0; done < int(c.count); {
		begin := d.at
		whole, failed := d.decode(min(most, int(c.count)-done))
		if failed != nil { // those before are decoded anew, without what there was of the one
			d.at = begin
			d.decode(whole)
		}
		part.row, part.count = c.row+int64(done), whole
		plan.count(part)
		space.numbers.reset()
		if whole > 0 {
			if err := do(part); err != nil {
				return err
			}
		}
		if done += whole; failed != nil {
			return damaged(c.reader.in, input.Avro, c.row+int64(done)+1, failed)
		}
	}
	return c.ended(&d.avroDecoder)
}

// An avroCells decodes records to the cells of leaves.
type avroCells struct {
	avroDecoder
	plan   *avroPlan
	leaves []cells
}

// decode decodes at most n records to cells, which it begins anew, and returns how many
// it could decode.
func (d *avroCells) decode(n int) (whole int, err error) {
	for i := range d.leaves {
		l := &d.leaves[i]
		*l = cells{def: d.plan.leaves[i].def, defs: l.defs[:0], reps: l.reps[:0], ints: l.ints[:0], words: l.words[:0]}
	}
	for begin := d.at; whole < n && d.at-begin < maxAvroPart; whole++ {
		d.nodes = 0
		err := d.value(&d.plan.root, 0)
		if err == nil && d.nodes > maxAvroNodes {
			err = errTooLong
		}
		if err != nil {
			return whole, err
		}
	}
	return whole, nil
}

// count sets how many cells and values of each leaf there are.
func (p *avroPlan) count(part *Part) {
	for i := range part.leaves {
		l := &part.leaves[i]
		l.values = len(l.ints) + len(l.words)
		l.count = part.count
		if lists := p.leaves[i].lists; lists >= 0 {
			l.reps = part.leaves[lists].reps
			l.count = len(l.reps)
		}
	}
}

// record decodes the fields of a record to the cells of their leaves: rep is the level at
// which it goes on with a list.
func (d *avroCells) record(f *avroField, rep uint8) error {
	for i := range f.fields {
		var err error
		if k := &f.fields[i]; k.column == nil {
			err = d.skip(k.of, f.depth+1)
		} else {
			err = d.value(k, rep)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// value decodes a value to the cells of its leaves.
func (d *avroCells) value(f *avroField, rep uint8) error {
	if d.nodes++; f.null >= 0 {
		i, err := 0, error(nil)
		if d.at < len(d.s) && d.s[d.at]&^2 == 0 { // the first or the second of the union
			i = int(d.s[d.at] >> 1)
			d.at++
		} else if i, err = d.choice(2, "union"); err != nil {
			return err
		}
		d.nodes++
		if i == f.null {
			d.gap(f, rep, f.def-1)
			return nil
		}
	}
	switch f.of.kind {
	case avroRecord:
		return d.record(f, rep)
	case avroArray:
		return d.elements(f, rep)
	}
	l := &d.leaves[f.column.first]
	if f.def > 0 {
		l.defs = append(l.defs, f.def)
	}
	if f.keepsLists {
		l.reps = append(l.reps, rep)
	}
	switch {
	case f.isText:
		s, err := d.sized()
		l.words = append(l.words, Word{Kind: Text, Text: s})
		return err
	case f.isInteger:
		n, err := d.long()
		l.ints = append(l.ints, n)
		return err
	}
	var v Value
	d.nodes-- // which is counted twice else
	err := d.avroDecoder.value(f.of, &v, f.depth)
	l.words = append(l.words, v.word())
	return err
}

// elements decodes a list.
func (d *avroCells) elements(f *avroField, rep uint8) error {
	for isEmpty := true; ; isEmpty = false {
		n, err := d.block()
		if err != nil {
			return err
		}
		if n == 0 {
			if isEmpty {
				d.gap(f, rep, f.def)
			}
			return nil
		}
		for ; n != 0; n-- {
			if d.nodes > maxAvroNodes {
				return errTooLong
			}
			if err := d.value(&f.fields[0], rep); err != nil {
				return err
			}
			rep = uint8(f.column.rep)
		}
	}
}

// gap gives each leaf of a field a cell without a value, of which there is as much as
// the level def says.
func (d *avroCells) gap(f *avroField, rep, def uint8) {
	c := f.column
	if c.first == c.last && f.fields == nil { // as mostly
		l := &d.leaves[c.first]
		if l.defs = append(l.defs, def); f.keepsLists {
			l.reps = append(l.reps, rep)
		}
		return
	}
	d.nodes += c.last - c.first // so that what a few bytes stand for is bounded
	for i := c.first; i <= c.last; i++ {
		l := &d.leaves[i]
		if l.defs = append(l.defs, def); d.plan.leaves[i].lists == i {
			l.reps = append(l.reps, rep)
		}
	}
}
