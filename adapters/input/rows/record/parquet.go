package record

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/format"
	"golang.org/x/sync/errgroup"

	"hopper/adapters/input"
)

// A Column is a node of a schema, without what is not wanted and without the
// groups that only encode lists. It is a list, a group or a leaf.
type Column struct {
	Name    string
	Element *Column   // of a list
	IsMap   bool      // the list's elements are keys with values
	Kids    []*Column // of a group
	// def is the definition level from which on the value is there: below it,
	// a list is empty and anything else is null.
	def int
	rep int // a list's repetition level, at which it goes on
	// first and last are the leaves beneath, as indexes into parquetReader.leaves.
	first, last int
}

// parquetReader reads the wanted columns of one row group after the other,
// page by page, and cuts them into chunks of whole rows.
type parquetReader struct {
	columned
	file   *input.File
	groups []parquet.RowGroup
	meta   *format.FileMetaData
	leaves []leaf
	row    int64
	left   int64 // rows of the current row group that are still to be read
	// sizes are about how many bytes the next rows hold, as far as all leaves have
	// been looked through, which failed then where err is set.
	sizes []int
	err   error

	spilled pageFile  // what large pages hold
	spare   sync.Pool // of *parquetChunk
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
	r := &parquetReader{columned: columned{in: in.Name, format: input.Parquet}, file: f, groups: p.RowGroups(), meta: p.Metadata(), spilled: pageFile{pageLimits: usualPages, in: f}}
	r.root = r.tree(p.Root(), "", wanted, 0)
	for i := range r.leaves {
		r.leaves[i].spilled = &r.spilled
	}
	if r.root == nil || r.root.Kids == nil {
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
func (r *parquetReader) tree(c *parquet.Column, path string, wanted func(string) bool, depth int) *Column {
	if c.Repeated() { // a list without a group around it
		return r.list(c.Name(), c, c, path, wanted, depth)
	}
	if repeated, element := listElement(c); repeated != nil {
		// The group that carries the list may be null, which is an empty list too.
		return r.list(c.Name(), repeated, element, path, wanted, depth)
	}
	if entries := mapEntries(c); entries != nil {
		t := r.list(c.Name(), entries, entries, path, func(string) bool { return true }, depth)
		t.IsMap = true
		return t
	}
	return r.value(c, path, wanted, depth)
}

// list returns the list that repeated holds; its element is repeated itself or
// a column beneath it.
func (r *parquetReader) list(name string, repeated, element *parquet.Column, path string, wanted func(string) bool, depth int) *Column {
	t := &Column{Name: name, def: repeated.MaxDefinitionLevel(), rep: repeated.MaxRepetitionLevel(), first: len(r.leaves)}
	if element == repeated {
		t.Element = r.value(element, path, wanted, depth+1)
	} else {
		t.Element = r.tree(element, path, wanted, depth+1)
	}
	if t.Element == nil {
		return nil
	}
	t.last = len(r.leaves) - 1
	return t
}

// value returns a group or a leaf.
func (r *parquetReader) value(c *parquet.Column, path string, wanted func(string) bool, depth int) *Column {
	if depth > maxDepth {
		return nil
	}
	t := &Column{Name: c.Name(), def: c.MaxDefinitionLevel(), first: len(r.leaves)}
	if c.Leaf() {
		r.leaves = append(r.leaves, leaf{index: c.Index(), typ: c.Type(), rep: c.MaxRepetitionLevel() > 0, def: uint8(c.MaxDefinitionLevel())})
	}
	for _, kid := range c.Columns() {
		if at := join(path, kid.Name()); wanted(at) {
			if k := r.tree(kid, at, wanted, depth+1); k != nil {
				t.Kids = append(t.Kids, k)
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

// isPlainColumn reports whether a column holds neither objects nor text.
func isPlainColumn(c *parquet.Column) (is bool) {
	// A damaged schema makes the library panic in places.
	defer func() {
		if recover() != nil {
			is = false
		}
	}()
	if list, _ := listElement(c); c.Repeated() || list != nil {
		return true
	}
	return c.Leaf() && c.Type().Kind() != parquet.ByteArray && c.Type().Kind() != parquet.FixedLenByteArray
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
	return errors.Join(r.spilled.close(), r.file.Close())
}

func (r *parquetReader) closePages() {
	for i := range r.leaves {
		r.leaves[i].close()
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
		if err := r.nextGroup(); err != nil {
			return nil, err
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	c := r.newChunk()
	size := 0
	take := func(rows, bytes int) {
		c.count += rows
		size += bytes
		r.left -= int64(rows)
		r.row += int64(rows)
	}
	known := 0 // rows that r.sizes has and that are in the chunk
	for r.left > 0 && c.count < chunkRecords && size < chunkSize {
		if known == len(r.sizes) && r.err == nil {
			if rows, bytes := r.skim(chunkRecords - c.count); rows > 0 && size+bytes < chunkSize {
				r.pass(rows)
				take(rows, bytes)
				continue
			}
			r.look()
		}
		if known == len(r.sizes) {
			return nil, r.err
		}
		take(1, r.sizes[known])
		known++
	}
	r.sizes = append(r.sizes[:0], r.sizes[known:]...)
	c.valid = true
	for i := range r.leaves {
		c.leaves[i] = r.leaves[i].cut(c.count, c)
		c.valid = c.valid && !r.leaves[i].invalid
	}
	return c, nil
}

// nextGroup begins the next row group.
func (r *parquetReader) nextGroup() error {
	r.closePages()
	r.sizes, r.err = r.sizes[:0], nil
	bytes, err := r.check()
	if err != nil {
		return err
	}
	r.spilled.begin(bytes)
	chunks := r.groups[0].ColumnChunks()
	for i := range r.leaves {
		l := &r.leaves[i]
		l.pages, l.left = chunks[l.index].Pages(), chunks[l.index].NumValues()
	}
	r.left = r.groups[0].NumRows()
	r.groups = r.groups[1:]
	return nil
}

// rowsAhead is how many rows are looked through at a time.
const rowsAhead = 64

// skim returns about how many bytes so many of the next rows hold together, at most
// [rowsAhead], or no rows where that cannot be told without looking at each.
func (r *parquetReader) skim(most int) (rows, bytes int) {
	rows = int(min(int64(min(most, rowsAhead)), r.left))
	bytes = rows * gap * len(r.leaves)
	var lists []byte // repetition levels of the leaf before
	for i := range r.leaves {
		l := &r.leaves[i]
		n, ok := l.skim(rows, lists)
		if !ok {
			return 0, 0
		}
		bytes, lists = bytes+n, l.skimmed.lists
	}
	return rows, bytes
}

// pass goes past the rows that were skimmed last.
func (r *parquetReader) pass(rows int) {
	for i := range r.leaves {
		l := &r.leaves[i]
		p := l.open[len(l.open)-1]
		p.looked, p.seen, p.begun = p.looked+l.skimmed.cells, p.seen+l.skimmed.values, p.begun+rows
	}
}

// look looks through the next rows, column by column, and sets r.err where that
// fails. It is called with rows left.
func (r *parquetReader) look() {
	base := len(r.sizes)
	n := int(min(rowsAhead, r.left))
	for range n {
		r.sizes = append(r.sizes, gap*len(r.leaves))
	}
	defer func() {
		if p := recover(); p != nil {
			n, r.err = 0, errContradiction
		}
		r.sizes = r.sizes[:base+n]
	}()
	r.loadPages()
	for i := range r.leaves {
		if rows, err := r.leaves[i].look(r.sizes[base : base+n]); err != nil {
			n, r.err = rows, err
		}
	}
}

// loadPages loads the next pages of the leaves that have none left, on all
// processors: a row group begins with one of each, and writers like DuckDB have no
// others.
func (r *parquetReader) loadPages() {
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	if r.spilled.large {
		group.SetLimit(1)
	}
	for i := range r.leaves {
		if l := &r.leaves[i]; l.isLookedThrough() {
			group.Go(func() error {
				l.loadNext()
				return nil
			})
		}
	}
	group.Wait()
}

// check looks at what the columns of the next row group claim, and returns about how
// many bytes their pages take in memory.
func (r *parquetReader) check() (bytes int64, err error) {
	groups := r.meta.RowGroups
	group := &groups[len(groups)-len(r.groups)]
	for i := range r.leaves {
		l := &r.leaves[i]
		if l.index >= len(group.Columns) {
			return 0, errParquetFooter
		}
		column := &group.Columns[l.index].MetaData
		if err := checkPages(r.file, r.file.Size(), column, group.NumRows, l.rep); err != nil {
			return 0, fmt.Errorf("column %s: %w", strings.Join(column.PathInSchema, "."), err)
		}
		const cell = 6 // levels and a code
		bytes += cell*column.NumValues + column.TotalUncompressedSize
	}
	return bytes, nil
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
	return Value{Kind: Text, Text: string(b)}
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
