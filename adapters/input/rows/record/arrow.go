package record

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/ipc"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/google/uuid"

	"hopper/adapters/input"
)

// Arrow's messages are read here and not by the library, which reserves a
// message's length before it is there. A file holds a stream between its magic
// number and its footer, so both are read alike, once, from the beginning.

const (
	arrowMagic = "ARROW1\x00\x00"
	// maxArrowMeta is how long a message's description may be.
	maxArrowMeta = 64 << 20
	// maxArrowBody is how long a batch may be. It is all in memory at once.
	maxArrowBody = 1 << 30
)

// arrowMessages reads messages, see [ipc.MessageReader].
type arrowMessages struct {
	r     *bufio.Reader
	limit *arrowLimit
	last  *ipc.Message
}

func (m *arrowMessages) Retain()  {}
func (m *arrowMessages) Release() {}

// Message returns the next message, and io.EOF at the end.
func (m *arrowMessages) Message() (*ipc.Message, error) {
	n, err := m.length()
	if err != nil {
		return nil, err
	}
	if n == 0 {
		return nil, io.EOF
	}
	if n > maxArrowMeta {
		return nil, fmt.Errorf("a message claims a description of %d bytes", n)
	}
	meta, err := m.read(int64(n))
	if err != nil {
		return nil, err
	}
	if !soundArrow(meta) {
		return nil, errContradiction
	}
	head := ipc.NewMessage(memory.NewBufferBytes(meta), memory.NewBufferBytes(nil))
	size := head.BodyLen()
	if size < 0 || size > maxArrowBody {
		return nil, fmt.Errorf("a batch claims to be %d bytes long; at most %d are read: write it in smaller batches", size, maxArrowBody)
	}
	body, err := m.read(size)
	if err != nil {
		return nil, err
	}
	m.limit.body = size
	if m.last != nil {
		m.last.Release()
	}
	m.last = ipc.NewMessage(memory.NewBufferBytes(meta), memory.NewBufferBytes(body))
	return m.last, nil
}

// length reads how long the next message's description is. Before version 0.15
// no mark stood in front of it.
func (m *arrowMessages) length() (uint32, error) {
	const mark = 0xffffffff
	for range 2 {
		var b [4]byte
		if _, err := io.ReadFull(m.r, b[:]); err != nil {
			return 0, err
		}
		if n := binary.LittleEndian.Uint32(b[:]); n != mark {
			return n, nil
		}
	}
	return 0, errors.New("a message has no length")
}

// read reads n bytes, and reserves memory as they come.
func (m *arrowMessages) read(n int64) ([]byte, error) {
	var b bytes.Buffer
	b.Grow(int(min(n, chunkSize)))
	if _, err := io.CopyN(&b, m.r, n); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	return b.Bytes(), nil
}

// arrowLimit is the allocator of what batches unpack to.
type arrowLimit struct {
	memory.GoAllocator
	body    int64 // length of the message that is read
	refused bool
}

var errArrowLimit = errors.New("a batch claims to unpack to more than it can")

func (l *arrowLimit) check(size int) {
	if size < 0 || size > maxPage && int64(size)/maxPageRatio > l.body {
		l.refused = true
		panic(errArrowLimit)
	}
}

func (l *arrowLimit) Allocate(size int) []byte {
	l.check(size)
	return l.GoAllocator.Allocate(size)
}

func (l *arrowLimit) Reallocate(size int, b []byte) []byte {
	l.check(size)
	return l.GoAllocator.Reallocate(size, b)
}

// arrowReader cuts a stream's batches into chunks.
type arrowReader struct {
	in       string
	r        io.ReadCloser
	messages *arrowMessages
	batches  *ipc.Reader
	wanted   []bool
	batch    arrow.Record // that is handed on
	at       int64        // rows of it that were
	row      int64
}

func openArrow(ctx context.Context, in *input.Input, wanted func(string) bool) (*arrowReader, error) {
	r, err := arrowStream(ctx, in)
	if err != nil {
		return nil, err
	}
	a, err := newArrowReader(in.Name, r)
	if err != nil {
		r.Close()
		return nil, err
	}
	for _, f := range a.batches.Schema().Fields() {
		a.wanted = append(a.wanted, wanted(f.Name))
	}
	return a, nil
}

// arrowStream opens the messages of an input. What is a file has a footer
// behind them, by which it is seen to be whole.
func arrowStream(ctx context.Context, in *input.Input) (io.ReadCloser, error) {
	if !bytes.HasPrefix(in.Head(), []byte(arrowMagic)) {
		return in.Open(ctx)
	}
	f, err := in.File(ctx)
	if err != nil {
		return nil, err
	}
	var tail [10]byte
	if _, err := f.ReadAt(tail[:], max(0, f.Size()-int64(len(tail)))); err != nil && !errors.Is(err, io.EOF) {
		f.Close()
		return nil, &input.Error{Input: in.Name, Err: err}
	}
	footer := int64(int32(binary.LittleEndian.Uint32(tail[:])))
	end := f.Size() - int64(len(tail)) - footer
	if string(tail[4:]) != arrowMagic[:6] || footer < 0 || end < int64(len(arrowMagic)) {
		f.Close()
		return nil, damaged(in.Name, input.Arrow, 0, errors.New("it is cut off: the end of an Arrow file is missing"))
	}
	return struct {
		io.Reader
		io.Closer
	}{io.NewSectionReader(f, 0, end), f}, nil
}

func newArrowReader(name string, r io.ReadCloser) (a *arrowReader, err error) {
	limit := new(arrowLimit)
	a = &arrowReader{in: name, r: r, messages: &arrowMessages{r: bufio.NewReaderSize(r, 64<<10), limit: limit}}
	defer a.recovered(&err)
	if magic, _ := a.messages.r.Peek(len(arrowMagic)); string(magic) == arrowMagic {
		a.messages.r.Discard(len(arrowMagic))
	}
	a.batches, err = ipc.NewReaderFromMessageReader(a.messages, ipc.WithAllocator(limit), ipc.WithDelayReadSchema(false))
	return a, err
}

// recovered makes an error of a panic, with which the library answers some
// damage, and says of every error where it is.
func (a *arrowReader) recovered(err *error) {
	if p := recover(); p != nil {
		*err = errContradiction
	}
	if *err != nil && strings.Contains((*err).Error(), "unknown error") { // a panic that the library caught
		if *err = errContradiction; a.messages.limit.refused {
			*err = errArrowLimit
		}
	}
	var positioned *input.Error
	switch {
	case *err == nil, errors.Is(*err, io.EOF) && !errors.Is(*err, io.ErrUnexpectedEOF) && a.row > 0, errors.As(*err, &positioned),
		errors.Is(*err, context.Canceled), errors.Is(*err, context.DeadlineExceeded):
		return
	case errors.Is(*err, io.ErrUnexpectedEOF), errors.Is(*err, io.EOF):
		*err = errors.New("it is cut off")
	}
	*err = damaged(a.in, input.Arrow, a.row+1, *err)
}

func (a *arrowReader) Close() error { return a.r.Close() }

// Next returns the next rows of a batch, from the next batch where there are
// none left.
func (a *arrowReader) Next(ctx context.Context) (Chunk, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	for a.batch == nil || a.at == a.batch.NumRows() {
		done, err := a.nextBatch()
		if err != nil {
			return nil, err
		}
		if done {
			return nil, io.EOF
		}
	}
	return a.slice()
}

// slice hands on some rows of the batch.
func (a *arrowReader) slice() (c *arrowChunk, err error) {
	defer a.recovered(&err)
	end := min(a.at+chunkRecords, a.batch.NumRows())
	c = &arrowChunk{reader: a, row: a.row, rows: a.batch.NewSlice(a.at, end)}
	a.row += end - a.at
	a.at = end
	return c, nil
}

func (a *arrowReader) nextBatch() (done bool, err error) {
	defer a.recovered(&err)
	a.batch, a.at = nil, 0
	if !a.batches.Next() {
		if err := a.batches.Err(); err != nil && !errors.Is(err, io.EOF) {
			return false, err
		}
		return true, nil
	}
	a.batch = a.batches.Record()
	return false, nil
}

type arrowChunk struct {
	reader *arrowReader // read-only: name and wanted
	row    int64
	rows   arrow.Record
}

// Span returns the records' numbers, see [Chunk].
func (c *arrowChunk) Span() (first, end int64) { return c.row + 1, c.row + 1 + c.rows.NumRows() }

func (c *arrowChunk) Read(yield func(*Record)) (err error) {
	rec := Record{Row: c.row}
	root := Value{Kind: Object}
	calling := false
	defer func() {
		if calling { // a panic of the caller's
			return
		}
		if p := recover(); p != nil {
			err = damaged(c.reader.in, input.Arrow, rec.Row, errContradiction)
		}
	}()
	for i := range int(c.rows.NumRows()) {
		rec.Row++
		root.Kids = make([]Value, 0, c.rows.NumCols())
		for j, column := range c.rows.Columns() {
			if !c.reader.wanted[j] {
				continue
			}
			v := Value{Key: c.rows.ColumnName(j)}
			arrowValue(column, i, &v, 0)
			root.Kids = append(root.Kids, v)
		}
		rec.Root = &root
		calling = true
		yield(&rec)
		calling = false
	}
	return nil
}

// arrowValue sets v to an array's element, and keeps its key.
func arrowValue(a arrow.Array, i int, v *Value, depth int) {
	if depth > maxDepth || a.IsNull(i) {
		return
	}
	switch a := a.(type) {
	case *array.Boolean:
		v.Kind, v.Text = Bool, strconv.FormatBool(a.Value(i))
	case *array.Dictionary:
		arrowValue(a.Dictionary(), a.GetValueIndex(i), v, depth+1)
	case *array.RunEndEncoded:
		arrowValue(a.Values(), a.GetPhysicalIndex(i), v, depth+1)
	case array.ExtensionArray:
		arrowExtension(a, i, v, depth)
	case *array.Struct:
		v.Kind = Object
		for k, f := range a.DataType().(*arrow.StructType).Fields() {
			kid := Value{Key: f.Name}
			arrowValue(a.Field(k), i, &kid, depth+1)
			v.Kids = append(v.Kids, kid)
		}
	case *array.Map:
		v.Kind = Object
		from, to := a.ValueOffsets(i)
		for k := int(from); k < int(to); k++ {
			var key, kid Value
			arrowValue(a.Keys(), k, &key, depth+1)
			kid.Key = key.Text
			arrowValue(a.Items(), k, &kid, depth+1)
			v.Kids = append(v.Kids, kid)
		}
	case array.ListLike:
		v.Kind = List
		from, to := a.ValueOffsets(i)
		for k := int(from); k < int(to); k++ {
			var kid Value
			arrowValue(a.ListValues(), k, &kid, depth+1)
			v.Kids = append(v.Kids, kid)
		}
	default:
		if !arrowText(a, i, v) && !arrowNumber(a, i, v) {
			v.Kind, v.Text = Text, a.ValueStr(i)
		}
	}
}

// arrowExtension sets v to the value that an extension of Arrow's types wraps.
func arrowExtension(a array.ExtensionArray, i int, v *Value, depth int) {
	arrowValue(a.Storage(), i, v, depth+1)
	if b, is := a.Storage().(*array.FixedSizeBinary); is && len(b.Value(i)) == 16 {
		v.Kind, v.Text = Text, uuid.UUID(b.Value(i)).String()
	}
}

func arrowText(a arrow.Array, i int, v *Value) bool {
	switch a := a.(type) {
	case *array.String:
		v.Text = a.Value(i)
	case *array.LargeString:
		v.Text = a.Value(i)
	case *array.StringView:
		v.Text = a.Value(i)
	case *array.Binary:
		v.Text = a.ValueString(i)
	case *array.LargeBinary:
		v.Text = a.ValueString(i)
	case *array.BinaryView:
		v.Text = a.ValueString(i)
	case *array.FixedSizeBinary:
		b := a.Value(i)
		v.Text = string(b)
		if len(b) == 16 && !(utf8.Valid(b) && printable(b)) {
			v.Text = uuid.UUID(b).String()
		}
	case *array.Date32:
		v.Text = dateText(int64(a.Value(i)))
	case *array.Date64:
		v.Text = dateText(floorDiv(int64(a.Value(i)), 86_400_000))
	default:
		return false
	}
	v.Kind = Text
	return true
}

func arrowNumber(a arrow.Array, i int, v *Value) bool {
	v.Kind = Number
	switch a := a.(type) {
	case *array.Int8:
		v.Text = strconv.FormatInt(int64(a.Value(i)), 10)
	case *array.Int16:
		v.Text = strconv.FormatInt(int64(a.Value(i)), 10)
	case *array.Int32:
		v.Text = strconv.FormatInt(int64(a.Value(i)), 10)
	case *array.Int64:
		v.Text = strconv.FormatInt(a.Value(i), 10)
	case *array.Uint8:
		v.Text = strconv.FormatUint(uint64(a.Value(i)), 10)
	case *array.Uint16:
		v.Text = strconv.FormatUint(uint64(a.Value(i)), 10)
	case *array.Uint32:
		v.Text = strconv.FormatUint(uint64(a.Value(i)), 10)
	case *array.Uint64:
		v.Text = strconv.FormatUint(a.Value(i), 10)
	case *array.Float16:
		arrowFloat(float64(a.Value(i).Float32()), v)
	case *array.Float32:
		f, _ := strconv.ParseFloat(strconv.FormatFloat(float64(a.Value(i)), 'g', -1, 32), 64)
		arrowFloat(f, v)
	case *array.Float64:
		arrowFloat(a.Value(i), v)
	case *array.Decimal128:
		n := a.Value(i)
		v.Text = decimalOfInt(n.BigInt(), int(a.DataType().(arrow.DecimalType).GetScale()))
	case *array.Decimal256:
		n := a.Value(i)
		v.Text = decimalOfInt(n.BigInt(), int(a.DataType().(arrow.DecimalType).GetScale()))
	case *array.Timestamp:
		arrowTime(a.DataType().(*arrow.TimestampType), int64(a.Value(i)), v)
	default:
		return false
	}
	return true
}

func arrowFloat(f float64, v *Value) {
	n := number(f)
	v.Kind, v.Text = n.Kind, n.Text
}

func arrowTime(t *arrow.TimestampType, n int64, v *Value) {
	switch t.Unit {
	case arrow.Second:
		n *= 1_000_000
	case arrow.Millisecond:
		n *= 1000
	case arrow.Nanosecond:
		n = floorDiv(n, 1000)
	}
	v.Text, v.Time = strconv.FormatInt(n, 10), Local
	if t.TimeZone != "" {
		v.Time = Instant
	}
}

// arrowSchema returns a stream's fields, from the beginning of the input
// where that is enough.
func arrowSchema(ctx context.Context, in *input.Input) (*arrow.Schema, error) {
	a, err := newArrowReader(in.Name, io.NopCloser(bytes.NewReader(in.Head())))
	if err == nil {
		return a.batches.Schema(), nil
	}
	if err := in.Spool(ctx); err != nil {
		return nil, err
	}
	if a, err = openArrow(ctx, in, func(string) bool { return true }); err != nil {
		return nil, err
	}
	defer a.Close()
	return a.batches.Schema(), nil
}

func arrowNames(names []string, path string, fields []arrow.Field, depth int) []string {
	if depth > maxDepth {
		return names
	}
	for _, f := range fields {
		at := join(path, f.Name)
		names = append(names, at)
		if s, is := f.Type.(*arrow.StructType); is {
			names = arrowNames(names, at, s.Fields(), depth+1)
		}
	}
	return names
}
