package record

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/format"

	"hopper/adapters/input"
)

// A column is a node of the file's schema, without what is not wanted and
// without the groups that only encode lists. It is a list, a group or a leaf.
type column struct {
	name string
	// def is the definition level from which on the value is there: below it,
	// a list is empty and anything else is null.
	def     int
	rep     int       // a list's repetition level, at which it goes on
	element *column   // of a list
	isMap   bool      // the list's elements are keys with values
	kids    []*column // of a group
	// first and last are the leaves beneath, as indexes into parquetReader.leaves.
	first, last int
}

// parquetReader reads the wanted columns of one row group after the other,
// page by page, and cuts them into chunks of whole rows.
type parquetReader struct {
	in     string
	file   *input.File
	groups []parquet.RowGroup
	meta   *format.FileMetaData
	root   *column
	leaves []leaf
	row    int64
	left   int64 // rows of the current row group that are still to be read
}

// A leaf is a column of values.
type leaf struct {
	index int // among the file's columns
	typ   parquet.Type
	rep   bool
	def   uint8 // the level at which there is a value
	pages parquet.Pages
	page  parquet.Page
	read  parquet.ValueReader // of a page whose values are not read by code
	coded coded
	buf   []cell // read ahead of the current row
	at    int
	words map[string]string // short texts seen, as they repeat
	cells []cell            // of the current chunk
	ahead []parquet.Value
}

// A cell is a value or a gap with its levels.
type cell struct {
	rep, def uint8
	kind     Kind
	time     Time
	text     string
}

// errContradiction stands for what the library says when it panics, which is
// about its own code.
var errContradiction = errors.New("what it holds contradicts itself")

func openParquetFile(ctx context.Context, in *input.Input) (f *input.File, p *parquet.File, err error) {
	file, err := in.File(ctx)
	if err != nil {
		return nil, nil, err
	}
	// A damaged file makes the library panic in places.
	defer func() {
		if r := recover(); r != nil {
			err = errContradiction
		}
		if err != nil {
			file.Close()
			f, p, err = nil, nil, damaged(in.Name, input.Parquet, 0, err)
		}
	}()
	// The footer's length is checked here, as it is reserved before it is read.
	var tail [8]byte
	if _, err := file.ReadAt(tail[:], max(0, file.Size()-8)); file.Size() < 12 || err != nil && !errors.Is(err, io.EOF) {
		return nil, nil, errors.New("it is cut off")
	}
	if string(tail[4:]) != "PAR1" || int64(binary.LittleEndian.Uint32(tail[:])) > file.Size()-12 {
		return nil, nil, errors.New("it is cut off: the end of a Parquet file is missing")
	}
	if err := checkFooter(file, file.Size(), int64(binary.LittleEndian.Uint32(tail[:]))); err != nil {
		return nil, nil, err
	}
	p, err = parquet.OpenFile(file, file.Size(), parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true), parquet.ReadBufferSize(64<<10))
	return file, p, err
}

func openParquet(ctx context.Context, in *input.Input, wanted func(string) bool) (Reader, error) {
	f, p, err := openParquetFile(ctx, in)
	if err != nil {
		return nil, err
	}
	r := &parquetReader{in: in.Name, file: f, groups: p.RowGroups(), meta: p.Metadata()}
	r.root = r.tree(p.Root(), "", wanted, 0)
	if r.root == nil || r.root.kids == nil {
		f.Close()
		return nil, input.Errorf(in.Name, "has none of the columns that are looked for")
	}
	f.Expect(r.spans())
	return r, nil
}

// spans returns where the wanted columns lie in the file, by offset and end.
func (r *parquetReader) spans() [][2]int64 {
	var all [][2]int64
	for i := range r.meta.RowGroups {
		for _, l := range r.leaves {
			m := &r.meta.RowGroups[i].Columns[l.index].MetaData
			start := m.DataPageOffset
			if m.DictionaryPageOffset > 0 {
				start = min(start, m.DictionaryPageOffset)
			}
			if end := start + m.TotalCompressedSize; start >= 0 && start < end && end <= r.file.Size() {
				all = append(all, [2]int64{start, end})
			}
		}
	}
	return all
}

// tree returns what of c is wanted, or nil.
func (r *parquetReader) tree(c *parquet.Column, path string, wanted func(string) bool, depth int) *column {
	if c.Repeated() { // a list without a group around it
		return r.list(c.Name(), c, c, path, wanted, depth)
	}
	if repeated, element := listElement(c); repeated != nil {
		// The group that carries the list may be null, which is an empty list too.
		return r.list(c.Name(), repeated, element, path, wanted, depth)
	}
	if entries := mapEntries(c); entries != nil {
		t := r.list(c.Name(), entries, entries, path, func(string) bool { return true }, depth)
		t.isMap = true
		return t
	}
	return r.value(c, path, wanted, depth)
}

// list returns the list that repeated holds; its element is repeated itself or
// a column beneath it.
func (r *parquetReader) list(name string, repeated, element *parquet.Column, path string, wanted func(string) bool, depth int) *column {
	t := &column{name: name, def: repeated.MaxDefinitionLevel(), rep: repeated.MaxRepetitionLevel(), first: len(r.leaves)}
	if element == repeated {
		t.element = r.value(element, path, wanted, depth+1)
	} else {
		t.element = r.tree(element, path, wanted, depth+1)
	}
	if t.element == nil {
		return nil
	}
	t.last = len(r.leaves) - 1
	return t
}

// value returns a group or a leaf.
func (r *parquetReader) value(c *parquet.Column, path string, wanted func(string) bool, depth int) *column {
	if depth > maxDepth {
		return nil
	}
	t := &column{name: c.Name(), def: c.MaxDefinitionLevel(), first: len(r.leaves)}
	if c.Leaf() {
		r.leaves = append(r.leaves, leaf{index: c.Index(), typ: c.Type(), rep: c.MaxRepetitionLevel() > 0, def: uint8(c.MaxDefinitionLevel()), words: make(map[string]string)})
	}
	for _, kid := range c.Columns() {
		if at := join(path, kid.Name()); wanted(at) {
			if k := r.tree(kid, at, wanted, depth+1); k != nil {
				t.kids = append(t.kids, k)
			}
		}
	}
	if len(r.leaves) == t.first {
		return nil
	}
	t.last = len(r.leaves) - 1
	return t
}

// listElement returns the repeated column and the element of a group that only
// encodes a list: the standard's three levels, with or without the annotation,
// which BigQuery leaves out, or the two levels of older writers, where the
// repeated column is the element.
func listElement(c *parquet.Column) (repeated, element *parquet.Column) {
	kids := c.Columns()
	if len(kids) != 1 || !kids[0].Repeated() {
		return nil, nil
	}
	repeated = kids[0]
	switch name := repeated.Name(); {
	case name == "array", name == c.Name()+"_tuple":
		return repeated, repeated
	case name != "list" && name != "bag":
		return nil, nil
	case len(repeated.Columns()) == 1:
		return repeated, repeated.Columns()[0]
	}
	return repeated, repeated
}

// mapEntries returns the repeated column of keys and values of a group that
// only encodes a map.
func mapEntries(c *parquet.Column) *parquet.Column {
	kids := c.Columns()
	if len(kids) != 1 || !kids[0].Repeated() || kids[0].Name() != "key_value" && kids[0].Name() != "map" {
		return nil
	}
	if pair := kids[0].Columns(); len(pair) != 2 || pair[0].Name() != "key" || pair[1].Name() != "value" || !pair[0].Leaf() {
		return nil
	}
	return kids[0]
}

func (r *parquetReader) Close() error {
	r.closePages()
	return r.file.Close()
}

func (r *parquetReader) closePages() {
	for i := range r.leaves {
		l := &r.leaves[i]
		l.release()
		if l.pages != nil {
			l.pages.Close()
			l.pages = nil
		}
		l.buf, l.at = l.buf[:0], 0
	}
}

func (r *parquetReader) Next(ctx context.Context) (chunk Chunk, err error) {
	// A damaged file makes the library panic in places.
	defer func() {
		if p := recover(); p != nil {
			err = errContradiction
		}
		if err != nil && !errors.Is(err, io.EOF) && ctx.Err() == nil {
			chunk, err = nil, damaged(r.in, input.Parquet, r.row+1, err)
		}
	}()
	for r.left == 0 {
		if len(r.groups) == 0 {
			return nil, io.EOF
		}
		r.closePages()
		if err := r.check(); err != nil {
			return nil, err
		}
		chunks := r.groups[0].ColumnChunks()
		for i := range r.leaves {
			r.leaves[i].pages = chunks[r.leaves[i].index].Pages()
		}
		r.left = r.groups[0].NumRows()
		r.groups = r.groups[1:]
	}
	c := &parquetChunk{reader: r, row: r.row, columns: make([][]cell, len(r.leaves))}
	for size := 0; r.left > 0 && c.count < chunkRecords && size < chunkSize; c.count++ {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		for i := range r.leaves {
			n, err := r.leaves[i].nextRow()
			if err != nil {
				return nil, err
			}
			size += n
		}
		r.left--
		r.row++
	}
	for i := range r.leaves {
		l := &r.leaves[i]
		c.columns[i], l.cells = l.cells, make([]cell, 0, len(l.cells)+16)
	}
	return c, nil
}

// check looks at what the columns of the next row group claim.
func (r *parquetReader) check() error {
	groups := r.meta.RowGroups
	group := &groups[len(groups)-len(r.groups)]
	for i := range r.leaves {
		l := &r.leaves[i]
		if l.index >= len(group.Columns) {
			return errParquetFooter
		}
		if err := checkPages(r.file, r.file.Size(), &group.Columns[l.index].MetaData, group.NumRows, l.rep); err != nil {
			return fmt.Errorf("column %s: %w", strings.Join(group.Columns[l.index].MetaData.PathInSchema, "."), err)
		}
	}
	return nil
}

// nextRow appends the values of one row to the cells and returns about how
// many bytes they hold.
func (l *leaf) nextRow() (size int, err error) {
	for n := 0; ; n++ {
		if l.at == len(l.buf) {
			if err := l.fill(); errors.Is(err, io.EOF) && n > 0 {
				return size, nil
			} else if err != nil {
				if errors.Is(err, io.EOF) {
					err = errors.New("a column is shorter than the others")
				}
				return size, err
			}
		}
		c := &l.buf[l.at]
		if n > 0 && c.rep == 0 {
			return size, nil
		}
		l.at++
		l.cells = append(l.cells, *c)
		if size += 8 + len(c.text); size > MaxRecord {
			return size, errTooLong
		}
		if !l.rep {
			return size, nil
		}
	}
}

// readAhead is how many values of a column are read at once.
const readAhead = 256

// fill reads the next values, from the next page where there are none left.
func (l *leaf) fill() error {
	if l.buf == nil {
		l.buf, l.ahead = make([]cell, 0, readAhead), make([]parquet.Value, readAhead)
	}
	for l.buf, l.at = l.buf[:0], 0; ; {
		var err error
		switch {
		case l.read != nil:
			err = l.readValues()
		case l.page != nil:
			err = l.readCodes()
		}
		if err != nil || len(l.buf) > 0 {
			return err
		}
		l.release()
		if l.page, err = l.pages.ReadPage(); err != nil {
			return err
		}
		if !l.coded.open(l.page, l.def) {
			l.read = l.page.Values()
		}
	}
}

// readValues reads on in a page of values.
func (l *leaf) readValues() error {
	n, err := l.read.ReadValues(l.ahead)
	for i := range n {
		v := &l.ahead[i]
		c := cell{rep: uint8(v.RepetitionLevel()), def: uint8(v.DefinitionLevel())}
		if !v.IsNull() {
			s := l.scalar(v)
			c.kind, c.time, c.text = s.Kind, s.Time, s.Text
		}
		l.buf = append(l.buf, c)
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// readCodes reads on in a page of codes of a dictionary.
func (l *leaf) readCodes() error {
	d := &l.coded
	for ; d.at < d.count && len(l.buf) < cap(l.buf); d.at++ {
		c := cell{def: l.def}
		if d.defs != nil {
			c.def = d.defs[d.at]
		}
		if d.reps != nil {
			c.rep = d.reps[d.at]
		}
		if c.def == l.def {
			if len(d.codes) == 0 || uint32(d.codes[0]) >= uint32(len(d.words)) {
				return errContradiction
			}
			word := &d.words[d.codes[0]]
			if word.kind == Null {
				v := d.dictionary.Index(d.codes[0])
				s := l.scalar(&v)
				word.kind, word.time, word.text = s.Kind, s.Time, s.Text
			}
			c.kind, c.time, c.text = word.kind, word.time, word.text
			d.codes = d.codes[1:]
		}
		l.buf = append(l.buf, c)
	}
	return nil
}

func (l *leaf) release() {
	if l.page != nil {
		parquet.Release(l.page)
	}
	l.page, l.read = nil, nil
}

// coded is a page whose values are codes of its dictionary's words, each of
// which becomes text once.
type coded struct {
	dictionary parquet.Dictionary
	words      []cell // of a dictionary, which is Null where it has not come up
	defs, reps []byte
	codes      []int32 // of the values that are still to be read
	at, count  int
}

// maxDictionary is how many words of a dictionary are kept as text. A longer one
// does not repeat itself enough.
const maxDictionary = 1 << 16

// open begins a page, and reports whether it is one of codes. A value is there at
// the level def.
func (d *coded) open(page parquet.Page, def uint8) bool {
	dictionary := page.Dictionary()
	if dictionary == nil || dictionary.Len() > maxDictionary {
		return false
	}
	if dictionary != d.dictionary {
		d.dictionary, d.words = dictionary, make([]cell, dictionary.Len())
	}
	data := page.Data()
	d.defs, d.reps, d.codes, d.at, d.count = page.DefinitionLevels(), page.RepetitionLevels(), data.Int32(), 0, int(page.NumValues())
	return (len(d.defs) == d.count || len(d.defs) == 0 && def == 0) && (len(d.reps) == d.count || len(d.reps) == 0)
}

// maxWords bounds how many texts a leaf remembers.
const maxWords = 4096

// copied returns b as a string, sharing memory with the same text before.
func (l *leaf) copied(b []byte) string {
	if len(b) > 64 {
		return string(b)
	}
	if s, ok := l.words[string(b)]; ok {
		return s
	}
	if len(l.words) == maxWords {
		clear(l.words)
	}
	s := string(b)
	l.words[s] = s
	return s
}

func (l *leaf) scalar(v *parquet.Value) Value {
	logical := l.typ.LogicalType()
	switch v.Kind() {
	case parquet.Boolean:
		return Value{Kind: Bool, Text: strconv.FormatBool(v.Boolean())}
	case parquet.Int32:
		if isUnsigned(logical) {
			return Value{Kind: Number, Text: strconv.FormatUint(uint64(uint32(v.Int32())), 10)}
		}
		return integer(logical, int64(v.Int32()))
	case parquet.Int64:
		if isUnsigned(logical) {
			return Value{Kind: Number, Text: strconv.FormatUint(uint64(v.Int64()), 10)}
		}
		return integer(logical, v.Int64())
	case parquet.Int96:
		return Value{Kind: Number, Time: Instant, Text: strconv.FormatInt(int96Micros(v.Int96()), 10)}
	case parquet.Float:
		// A float32 is written as short as it can be, not as the float64 next to it.
		f, _ := strconv.ParseFloat(strconv.FormatFloat(float64(v.Float()), 'g', -1, 32), 64)
		return number(f)
	case parquet.Double:
		return number(v.Double())
	}
	b := v.ByteArray()
	if d := decimalOf(logical); d != nil && len(b) <= 64 {
		return Value{Kind: Number, Text: decimal(b, int(d.Scale))}
	}
	if v.Kind() == parquet.FixedLenByteArray && len(b) == 16 && (isUUID(logical) || !printable(b)) {
		return Value{Kind: Text, Text: uuid.UUID(b).String()}
	}
	return Value{Kind: Text, Text: l.copied(b)}
}

// printable reports whether b is text. ClickHouse writes a UUID as sixteen
// bytes without saying so, and a FixedString(16) alike.
func printable(b []byte) bool {
	return utf8.Valid(b) && !bytes.ContainsFunc(bytes.TrimRight(b, "\x00"), unicode.IsControl)
}

func isUUID(logical *format.LogicalType) bool {
	if logical == nil {
		return false
	}
	_, is := logical.Value.(*format.UUIDType)
	return is
}

func isUnsigned(logical *format.LogicalType) bool {
	if logical == nil {
		return false
	}
	t, is := logical.Value.(*format.IntType)
	return is && !t.IsSigned
}

func decimalOf(logical *format.LogicalType) *format.DecimalType {
	if logical == nil {
		return nil
	}
	d, _ := logical.Value.(*format.DecimalType)
	return d
}

func integer(logical *format.LogicalType, n int64) Value {
	v := Value{Kind: Number}
	if logical != nil {
		switch t := logical.Value.(type) {
		case *format.DateType:
			return Value{Kind: Text, Text: dateText(n)}
		case *format.TimestampType:
			switch t.Unit.Value.(type) {
			case *format.MilliSeconds:
				n *= 1000
			case *format.NanoSeconds:
				n = floorDiv(n, 1000)
			}
			v.Time = Local
			if t.IsAdjustedToUTC {
				v.Time = Instant
			}
		case *format.DecimalType:
			v.Text = decimal(binary.BigEndian.AppendUint64(nil, uint64(n)), int(t.Scale))
			return v
		}
	}
	v.Text = strconv.FormatInt(n, 10)
	return v
}

// floorDiv rounds down, also before 1970.
func floorDiv(n, by int64) int64 {
	q := n / by
	if n%by < 0 {
		q--
	}
	return q
}

// int96Micros converts the old form of a timestamp: nanoseconds of the day,
// then the Julian day.
func int96Micros(v deprecated.Int96) int64 {
	const julian1970 = 2440588
	nanos := int64(v[1])<<32 | int64(v[0])
	return (int64(v[2])-julian1970)*86_400_000_000 + nanos/1000
}

// Span returns the records' numbers, see [Chunk].
func (c *parquetChunk) Span() (first, end int64) { return c.row + 1, c.row + 1 + int64(c.count) }

type parquetChunk struct {
	reader  *parquetReader // read-only: name and tree
	row     int64
	count   int
	columns [][]cell
}

func (c *parquetChunk) Read(yield func(*Record)) error {
	a := assembler{columns: c.columns, at: make([]int, len(c.columns))}
	rec := Record{Row: c.row}
	for range c.count {
		rec.Row++
		a.reset()
		root := Value{Kind: Object, Kids: a.take(len(c.reader.root.kids))}
		for i, kid := range c.reader.root.kids {
			a.value(kid, &root.Kids[i])
		}
		if a.torn {
			return damaged(c.reader.in, input.Parquet, rec.Row, errors.New("its columns do not fit together"))
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
	columns [][]cell
	at      []int
	torn    bool // the columns disagree
	slab
}

// peek returns the next cell of the column's first leaf.
func (a *assembler) peek(c *column) *cell {
	cells := a.columns[c.first]
	if at := a.at[c.first]; at < len(cells) {
		return &cells[at]
	}
	a.torn = true
	return new(cell)
}

// value puts the next value of c into v.
func (a *assembler) value(c *column, v *Value) {
	*v = Value{Key: c.name}
	next := a.peek(c)
	there := int(next.def) >= c.def
	switch {
	case c.element != nil:
		if v.Kind = List; there {
			a.elements(c, v)
		} else {
			a.skip(c)
		}
		if c.isMap && int(next.def) < c.def-1 { // not even an empty one
			v.Kind = Null
			return
		}
		c.mapped(v)
	case !there:
		a.skip(c)
	case c.kids == nil:
		v.Kind, v.Time, v.Text = next.kind, next.time, next.text
		a.skip(c)
	default:
		v.Kind, v.Kids = Object, a.take(len(c.kids))
		for i, kid := range c.kids {
			a.value(kid, &v.Kids[i])
		}
	}
}

// elements puts the elements of the list c, which has some, into v.
func (a *assembler) elements(c *column, v *Value) {
	n := 1
	cells := a.columns[c.first]
	for at := a.at[c.first] + 1; at < len(cells) && int(cells[at].rep) >= c.rep; at++ {
		if int(cells[at].rep) == c.rep {
			n++
		}
	}
	v.Kids = a.take(n)
	for i := range v.Kids {
		a.value(c.element, &v.Kids[i])
		v.Kids[i].Key = ""
	}
}

// mapped makes an object of a list of keys and values, where c is a map.
func (c *column) mapped(v *Value) {
	if !c.isMap {
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
func (a *assembler) skip(c *column) {
	for i := c.first; i <= c.last; i++ {
		a.at[i]++
	}
}

func parquetFields(ctx context.Context, in *input.Input) ([]string, error) {
	f, p, err := openParquetFile(ctx, in)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return parquetNames(nil, "", p.Root(), 0), nil
}

func parquetNames(names []string, path string, c *parquet.Column, depth int) []string {
	if depth > maxDepth {
		return names
	}
	for _, kid := range c.Columns() {
		at := join(path, kid.Name())
		names = append(names, at)
		if list, _ := listElement(kid); list == nil && mapEntries(kid) == nil && !kid.Repeated() {
			names = parquetNames(names, at, kid, depth+1)
		}
	}
	return names
}
