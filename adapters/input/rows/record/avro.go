package record

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unsafe"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"

	"hopper/adapters/input"
)

// Avro's object container files are decoded here and not by a library,
// because a block has to travel to a worker as it is, and because those at
// hand reserve memory by counts that a damaged file claims.

const avroMagic = "Obj\x01"

// An avroKind is what a schema calls a type.
type avroKind uint8

const (
	avroNull avroKind = iota
	avroBoolean
	avroInt // and "long", which is encoded alike
	avroFloat
	avroDouble
	avroText // "string" and "bytes"
	avroFixed
	avroEnum
	avroUnion
	avroRecord
	avroArray
	avroMap
)

// avroPrimitives are the types without parts.
var avroPrimitives = map[string]avroKind{
	"null": avroNull, "boolean": avroBoolean, "int": avroInt, "long": avroInt, "float": avroFloat, "double": avroDouble,
	"bytes": avroText, "string": avroText,
}

// An avroType is a schema's node, ready for decoding.
type avroType struct {
	kind    avroKind
	logical string
	scale   int         // of a decimal
	size    int         // of a fixed
	names   []string    // of a record's fields, of an enum's symbols
	of      []*avroType // a record's fields', a union's, an array's element's, a map's value's
	wanted  []bool      // of a record's fields
}

// avroSchema resolves names while a schema is read.
type avroSchema map[string]*avroType

func parseAvroSchema(text []byte, wanted func(string) bool) (*avroType, error) {
	var schema any
	if err := json.Unmarshal(text, &schema); err != nil {
		return nil, fmt.Errorf("its schema is %w", err)
	}
	t, err := avroSchema{}.node(schema, "", "", wanted, 0)
	if err == nil && t.kind != avroRecord {
		err = errors.New("its schema is no record")
	}
	return t, err
}

var errSchema = errors.New("its schema is incomplete")

// node reads the schema at path; space is the namespace it stands in.
func (s avroSchema) node(schema any, path, space string, wanted func(string) bool, depth int) (*avroType, error) {
	if depth > maxDepth {
		return nil, errors.New("its schema nests too deep")
	}
	switch schema := schema.(type) {
	case string:
		if kind, ok := avroPrimitives[schema]; ok {
			return &avroType{kind: kind}, nil
		}
		if t := s[fullName(schema, space)]; t != nil {
			return t, nil
		}
		return nil, fmt.Errorf("its schema uses the unknown type %q", schema)
	case []any:
		t := &avroType{kind: avroUnion}
		for _, member := range schema {
			m, err := s.node(member, path, space, wanted, depth+1)
			if err != nil {
				return nil, err
			}
			t.of = append(t.of, m)
		}
		return t, nil
	case map[string]any:
		return s.complex(schema, path, space, wanted, depth)
	}
	return nil, errSchema
}

func fullName(name, space string) string {
	if space == "" || strings.Contains(name, ".") {
		return name
	}
	return space + "." + name
}

// complex reads a schema that is an object.
func (s avroSchema) complex(schema map[string]any, path, space string, wanted func(string) bool, depth int) (*avroType, error) {
	kind, ok := schema["type"].(string)
	if !ok { // {"type": {"type": …}} and {"type": […]}
		return s.node(schema["type"], path, space, wanted, depth+1)
	}
	t := new(avroType)
	t.logical, _ = schema["logicalType"].(string)
	if scale, _ := schema["scale"].(float64); 0 <= scale && scale < 100 {
		t.scale = int(scale)
	}
	space = s.define(t, schema, space)
	element := func(key string) error {
		e, err := s.node(schema[key], path, space, wanted, depth+1)
		t.of = []*avroType{e}
		return err
	}
	switch kind {
	case "record", "error":
		t.kind = avroRecord
		return t, s.fields(t, schema, path, space, wanted, depth)
	case "enum":
		t.kind = avroEnum
		symbols, _ := schema["symbols"].([]any)
		for _, symbol := range symbols {
			name, _ := symbol.(string)
			t.names = append(t.names, name)
		}
		return t, nil
	case "fixed":
		t.kind = avroFixed
		size, _ := schema["size"].(float64)
		if size < 0 || size > MaxRecord {
			return nil, errSchema
		}
		t.size = int(size)
		return t, nil
	case "array":
		t.kind = avroArray
		return t, element("items")
	case "map":
		t.kind = avroMap
		return t, element("values")
	}
	// {"type": "long", "logicalType": …}, on a copy: others use the name without it.
	named, err := s.node(kind, path, space, wanted, depth+1)
	if err != nil {
		return nil, err
	}
	if named == t {
		return nil, fmt.Errorf("its schema defines the type %q by itself", kind)
	}
	logical, scale := t.logical, t.scale
	*t = *named
	t.logical, t.scale = logical, scale
	return t, nil
}

// define makes t known by the schema's name, if it has one, before what it
// consists of is read, which may refer to it. It returns the namespace in it.
func (s avroSchema) define(t *avroType, schema map[string]any, space string) string {
	if ns, ok := schema["namespace"].(string); ok {
		space = ns
	}
	name, ok := schema["name"].(string)
	if !ok {
		return space
	}
	name = fullName(name, space)
	s[name] = t
	if i := strings.LastIndexByte(name, '.'); i >= 0 {
		space = name[:i]
	}
	return space
}

// fields reads a record's fields into t.
func (s avroSchema) fields(t *avroType, schema map[string]any, path, space string, wanted func(string) bool, depth int) error {
	fields, _ := schema["fields"].([]any)
	for _, f := range fields {
		field, _ := f.(map[string]any)
		name, ok := field["name"].(string)
		if !ok {
			return errSchema
		}
		at := join(path, name)
		of, err := s.node(field["type"], at, space, wanted, depth+1)
		if err != nil {
			return err
		}
		t.names = append(t.names, name)
		t.of = append(t.of, of)
		t.wanted = append(t.wanted, wanted(at))
	}
	return nil
}

// avroReader cuts an object container file into its blocks.
type avroReader struct {
	in     string
	r      io.ReadCloser
	b      *bufio.Reader
	schema *avroType
	codec  string
	sync   [16]byte
	row    int64
	plan   *avroPlan // nil where records have no columns
	spare  sync.Pool // of blocks that have been released, *[]byte
}

func openAvro(ctx context.Context, in *input.Input, wanted func(string) bool) (Reader, error) {
	r, err := in.Open(ctx)
	if err != nil {
		return nil, err
	}
	a := &avroReader{in: in.Name, r: r, b: bufio.NewReaderSize(r, 64<<10)}
	if err := a.header(wanted); err != nil {
		r.Close()
		return nil, damagedAvro(in.Name, 0, err)
	}
	a.plan = newAvroPlan(in.Name, a.schema)
	return a, nil
}

// damagedAvro keeps the errors of the input itself, which say more.
func damagedAvro(in string, row int64, err error) error {
	var positioned *input.Error
	if errors.As(err, &positioned) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = errors.New("it is cut off")
	}
	return damaged(in, input.Avro, row, err)
}

func (a *avroReader) Close() error { return a.r.Close() }

// header reads the magic, the metadata and the marker that ends each block.
func (a *avroReader) header(wanted func(string) bool) error {
	magic := make([]byte, len(avroMagic))
	if _, err := io.ReadFull(a.b, magic); err != nil {
		return err
	}
	if string(magic) != avroMagic {
		return errors.New("it does not begin as Avro does")
	}
	for {
		n, err := binary.ReadVarint(a.b)
		if err != nil {
			return err
		}
		if n < 0 { // a count with the block's size after it
			n = -n
			if _, err := binary.ReadVarint(a.b); err != nil {
				return err
			}
		}
		if n == 0 {
			break
		}
		for ; n != 0; n-- {
			key, err := a.bytes(MaxRecord)
			if err != nil {
				return err
			}
			value, err := a.bytes(MaxRecord)
			if err != nil {
				return err
			}
			switch string(key) {
			case "avro.schema":
				if a.schema, err = parseAvroSchema(value, wanted); err != nil {
					return err
				}
			case "avro.codec":
				a.codec = string(value)
			}
		}
	}
	if a.schema == nil {
		return errors.New("it has no schema")
	}
	switch a.codec {
	case "", "null", "deflate", "snappy", "zstandard":
	default:
		return fmt.Errorf("its compression is %q; expected null, deflate, snappy or zstandard", a.codec)
	}
	_, err := io.ReadFull(a.b, a.sync[:])
	return err
}

// bytes reads a length and that many bytes, without trusting the length.
func (a *avroReader) bytes(limit int64) ([]byte, error) {
	n, err := binary.ReadVarint(a.b)
	if err != nil {
		return nil, err
	}
	if n < 0 || n > limit {
		return nil, fmt.Errorf("it claims a length of %d bytes", n)
	}
	var b bytes.Buffer
	if _, err := io.CopyN(&b, a.b, n); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// Next hands on a block as it is. A block is as long as its writer chose:
// 64 KiB to some MiB in practice.
func (a *avroReader) Next(ctx context.Context) (Chunk, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if _, err := a.b.Peek(1); errors.Is(err, io.EOF) {
		return nil, io.EOF
	}
	c := &avroChunk{reader: a, row: a.row}
	var err error
	if c.count, err = binary.ReadVarint(a.b); err != nil {
		return nil, damagedAvro(a.in, a.row+1, err)
	}
	if c.block, err = a.block(); err != nil {
		return nil, damagedAvro(a.in, a.row+1, err)
	}
	var marker [16]byte
	if _, err := io.ReadFull(a.b, marker[:]); err != nil {
		return nil, damagedAvro(a.in, a.row+1, err)
	}
	if c.count < 0 || marker != a.sync {
		return nil, damaged(a.in, input.Avro, a.row+1, errors.New("a block does not end where it should"))
	}
	a.row += c.count
	if a.plan != nil {
		return &avroColumns{c}, nil
	}
	return c, nil
}

// block reads a length and a block of that many bytes, without trusting the length.
func (a *avroReader) block() ([]byte, error) {
	n, err := binary.ReadVarint(a.b)
	if err != nil {
		return nil, err
	}
	if n < 0 || n > 4*MaxRecord {
		return nil, fmt.Errorf("it claims a length of %d bytes", n)
	}
	b := a.space()
	for len(b) < int(n) {
		const most = 1 << 20 // that is reserved beyond what has been read, or is there
		had := len(b)
		b = slices.Grow(b, min(int(n)-had, max(most, cap(b)-had)))
		b = b[:min(int(n), cap(b))]
		if _, err := io.ReadFull(a.b, b[had:]); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// space returns memory for a block, without bytes.
func (a *avroReader) space() []byte {
	if b, ok := a.spare.Get().(*[]byte); ok {
		return (*b)[:0]
	}
	return nil
}

// reuse takes a block back whose bytes nobody uses any more.
func (a *avroReader) reuse(b []byte) {
	const most = 4 << 20
	if cap(b) > 0 && cap(b) <= most {
		a.spare.Put(&b)
	}
}

// Span returns the records' numbers, see [Chunk].
func (c *avroChunk) Span() (first, end int64) { return c.row + 1, c.row + 1 + c.count }

type avroChunk struct {
	reader *avroReader // read-only: name, schema, codec and spare blocks
	row    int64
	count  int64
	block  []byte

	once     sync.Once
	unpacked []byte // block, or what it was packed from
	err      error  // why it cannot be unpacked
}

// text returns the records, of which there are c.count, as they are encoded.
func (c *avroChunk) text() (string, error) {
	c.once.Do(func() {
		c.unpacked, c.err = unpackAvro(c.reader.codec, c.block, c.reader.space)
		if c.err == nil && c.count > int64(len(c.unpacked)) {
			c.err = errors.New("a block claims more records than bytes")
		}
		if c.err != nil {
			c.err = damaged(c.reader.in, input.Avro, c.row+1, c.err)
		}
	})
	return unsafe.String(unsafe.SliceData(c.unpacked), len(c.unpacked)), c.err // which nobody writes to until it is released
}

func (c *avroChunk) Read(yield func(*Record)) error {
	block, err := c.text()
	if err != nil {
		return err
	}
	d, rec := avroDecoder{s: block}, Record{Row: c.row}
	for range c.count {
		rec.Row++
		var root Value
		d.nodes = 0
		d.slab.reset()
		if err := d.value(c.reader.schema, &root, 0); err != nil {
			return damaged(c.reader.in, input.Avro, rec.Row, err)
		}
		rec.Root = &root
		yield(&rec)
	}
	return c.ended(&d)
}

// ended returns an error where the records are not all that the block holds.
func (c *avroChunk) ended(d *avroDecoder) error {
	if d.at < len(d.s) {
		return damaged(c.reader.in, input.Avro, c.row+c.count, errors.New("a block holds more than its records"))
	}
	return nil
}

// Release gives the memory of the block back, see [Columns].
func (c *avroChunk) Release() {
	if unsafe.SliceData(c.unpacked) != unsafe.SliceData(c.block) {
		c.reader.reuse(c.unpacked)
	}
	c.reader.reuse(c.block)
	c.block, c.unpacked = nil, nil
}

// maxUnpacked bounds what a compressed block can become.
const maxUnpacked = 8 * MaxRecord

// unpackAvro returns what a block was packed from, in memory that space returns.
func unpackAvro(codec string, block []byte, space func() []byte) ([]byte, error) {
	switch codec {
	case "deflate":
		return readLimited(flate.NewReader(bytes.NewReader(block)), space())
	case "zstandard":
		z, err := zstd.NewReader(bytes.NewReader(block), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxUnpacked))
		if err != nil {
			return nil, err
		}
		defer z.Close()
		return readLimited(z, space())
	case "snappy":
		if len(block) < 4 {
			return nil, errors.New("a block lacks its checksum")
		}
		packed, sum := block[:len(block)-4], binary.BigEndian.Uint32(block[len(block)-4:])
		// Snappy makes at most 64 bytes of 3.
		n, err := snappy.DecodedLen(packed)
		if err != nil || n > 32*len(packed)+64 {
			return nil, errors.New("a block claims to be longer than it can be")
		}
		b := space()
		b, err = snappy.Decode(b[:cap(b)], packed)
		if err == nil && crc32.ChecksumIEEE(b) != sum {
			err = errors.New("a block's checksum is wrong")
		}
		return b, err
	}
	return block, nil
}

// readLimited reads all of r into the memory of b, or into more.
func readLimited(r io.Reader, b []byte) ([]byte, error) {
	to := bytes.NewBuffer(b)
	n, err := to.ReadFrom(io.LimitReader(r, maxUnpacked+1))
	if err == nil && n > maxUnpacked {
		err = errors.New("a block unpacks to more than 512 MiB")
	}
	return to.Bytes(), err
}

// avroDecoder reads values of s.
type avroDecoder struct {
	s     string
	at    int     // what has been read of s
	nodes int     // made for the current record
	stack []Value // elements of lists that are still open
	slab  slab
	// element is the one being decoded of the list at each depth, since what it
	// consists of may move the stack.
	element [maxDepth + 1]Value
}

var errShort = errors.New("a block ends amid a record")

func (d *avroDecoder) long() (int64, error) {
	if d.at < len(d.s) && d.s[d.at] < 0x80 { // as most are
		u := d.s[d.at]
		d.at++
		return int64(u>>1) ^ -int64(u&1), nil
	}
	return d.longer()
}

// longer is long of a number of several bytes.
func (d *avroDecoder) longer() (int64, error) {
	var u uint64
	rest := d.s[d.at:]
	for i := range min(len(rest), binary.MaxVarintLen64) {
		c := rest[i]
		if i == binary.MaxVarintLen64-1 && c > 1 {
			break
		}
		u |= uint64(c&0x7f) << (7 * i)
		if c < 0x80 {
			d.at += i + 1
			return int64(u>>1) ^ -int64(u&1), nil
		}
	}
	return 0, errors.New("a number is cut off or too long")
}

func (d *avroDecoder) take(n int64) (string, error) {
	if n < 0 || n > int64(len(d.s)-d.at) {
		return "", errShort
	}
	s := d.s[d.at : d.at+int(n)]
	d.at += int(n)
	return s, nil
}

func (d *avroDecoder) sized() (string, error) {
	n, err := d.long()
	if err != nil {
		return "", err
	}
	return d.take(n)
}

// maxAvroNodes is how many values a record has at most.
const maxAvroNodes = MaxRecord / 16

// node counts a value. Elements can take no bytes at all (null, empty records), so
// that the block's length alone bounds nothing.
func (d *avroDecoder) node(depth int) error {
	if d.nodes++; d.nodes > maxAvroNodes || depth > maxDepth {
		return errTooLong
	}
	return nil
}

// value decodes t into v.
func (d *avroDecoder) value(t *avroType, v *Value, depth int) error {
	if err := d.node(depth); err != nil {
		return err
	}
	switch t.kind {
	case avroNull:
		return nil
	case avroBoolean:
		s, err := d.take(1)
		if err != nil {
			return err
		}
		v.Kind, v.Text = Bool, strconv.FormatBool(s[0] != 0)
		return nil
	case avroInt:
		n, err := d.long()
		if err == nil {
			*v = avroNumber(t, n, v.Key)
		}
		return err
	case avroFloat, avroDouble:
		f, err := d.float(t.kind)
		if err == nil {
			key := v.Key
			*v = number(f)
			v.Key = key
		}
		return err
	case avroText:
		s, err := d.sized()
		if err == nil {
			setText(t, v, s)
		}
		return err
	case avroFixed:
		s, err := d.take(int64(t.size))
		if err == nil {
			setText(t, v, s)
		}
		return err
	case avroEnum:
		n, err := d.choice(len(t.names), "enumeration")
		if err != nil {
			return err
		}
		v.Kind, v.Text = Text, t.names[n]
		return nil
	case avroUnion:
		n, err := d.choice(len(t.of), "union")
		if err != nil {
			return err
		}
		return d.value(t.of[n], v, depth+1)
	case avroRecord:
		return d.record(t, v, depth)
	}
	return d.blocks(t, v, depth)
}

// skip passes over a value of t, and finds what value would find wrong with it.
func (d *avroDecoder) skip(t *avroType, depth int) error {
	err := d.node(depth)
	if err != nil {
		return err
	}
	switch t.kind {
	case avroNull:
	case avroBoolean:
		_, err = d.take(1)
	case avroInt:
		_, err = d.long()
	case avroFloat:
		_, err = d.take(4)
	case avroDouble:
		_, err = d.take(8)
	case avroText:
		_, err = d.sized()
	case avroFixed:
		_, err = d.take(int64(t.size))
	case avroEnum:
		_, err = d.choice(len(t.names), "enumeration")
	case avroUnion:
		var n int
		if n, err = d.choice(len(t.of), "union"); err == nil {
			err = d.skip(t.of[n], depth+1)
		}
	case avroRecord:
		for i := 0; i < len(t.of) && err == nil; i++ {
			err = d.skip(t.of[i], depth+1)
		}
	default:
		err = d.skipBlocks(t, depth)
	}
	return err
}

// float decodes a "float" or a "double".
func (d *avroDecoder) float(kind avroKind) (float64, error) {
	if kind == avroDouble {
		s, err := d.take(8)
		if err != nil {
			return 0, err
		}
		return math.Float64frombits(binary.LittleEndian.Uint64([]byte(s))), nil
	}
	s, err := d.take(4)
	if err != nil {
		return 0, err
	}
	// A float32 is written as short as it can be, not as the float64 next to it.
	f := math.Float32frombits(binary.LittleEndian.Uint32([]byte(s)))
	short, _ := strconv.ParseFloat(strconv.FormatFloat(float64(f), 'g', -1, 32), 64)
	return short, nil
}

// choice decodes the index of one of n symbols or types.
func (d *avroDecoder) choice(n int, of string) (int, error) {
	i, err := d.long()
	if err == nil && (i < 0 || i >= int64(n)) {
		err = fmt.Errorf("a value its %s lacks", of)
	}
	return int(i), err
}

// setText sets v to bytes of t, which is a decimal's number or a text.
func setText(t *avroType, v *Value, s string) {
	v.Kind, v.Text = Text, s
	if t.logical == "decimal" && len(s) <= 64 { // BigQuery's have at most 32
		v.Kind, v.Text = Number, decimal([]byte(s), t.scale)
	}
}

// record decodes the fields of a record that are wanted.
func (d *avroDecoder) record(t *avroType, v *Value, depth int) error {
	v.Kind = Object
	kids, n := d.slab.take(len(t.of)), 0
	for i, of := range t.of {
		var err error
		if t.wanted[i] {
			kids[n] = Value{Key: t.names[i]}
			err = d.value(of, &kids[n], depth+1)
			n++
		} else {
			err = d.skip(of, depth+1)
		}
		if err != nil {
			return err
		}
	}
	v.Kids = kids[:n:n]
	return nil
}

// blocks decodes the elements of an array or a map.
func (d *avroDecoder) blocks(t *avroType, v *Value, depth int) error {
	v.Kind = List
	if t.kind == avroMap {
		v.Kind = Object
	}
	base := len(d.stack)
	for {
		n, err := d.block()
		if err != nil {
			return err
		}
		if n == 0 {
			v.Kids = d.slab.keep(d.stack[base:])
			d.stack = d.stack[:base]
			return nil
		}
		for ; n != 0; n-- {
			kid := &d.element[depth]
			*kid = Value{}
			if t.kind == avroMap {
				if kid.Key, err = d.sized(); err != nil {
					return err
				}
			}
			if err := d.value(t.of[0], kid, depth+1); err != nil {
				return err
			}
			d.stack = append(d.stack, *kid)
		}
	}
}

// block decodes how many elements come next; 0 ends an array or a map.
func (d *avroDecoder) block() (int64, error) {
	n, err := d.long()
	if err == nil && n < 0 { // a count with the block's size after it
		n = -n
		_, err = d.long()
	}
	return n, err
}

// skipBlocks passes over the elements of an array or a map.
func (d *avroDecoder) skipBlocks(t *avroType, depth int) error {
	for {
		n, err := d.block()
		if err != nil || n == 0 {
			return err
		}
		for ; n != 0; n-- {
			if t.kind == avroMap {
				if _, err := d.sized(); err != nil {
					return err
				}
			}
			if err := d.skip(t.of[0], depth+1); err != nil {
				return err
			}
		}
	}
}

func avroNumber(t *avroType, n int64, key string) Value {
	v := Value{Key: key, Kind: Number}
	switch t.logical {
	case "date":
		v.Kind, v.Text = Text, dateText(n)
		return v
	case "timestamp-millis", "local-timestamp-millis":
		n *= 1000
	case "timestamp-nanos", "local-timestamp-nanos":
		n = floorDiv(n, 1000)
	case "timestamp-micros", "local-timestamp-micros":
	default:
		v.Text = strconv.FormatInt(n, 10)
		return v
	}
	v.Text, v.Time = strconv.FormatInt(n, 10), Instant
	if strings.HasPrefix(t.logical, "local-") {
		v.Time = Local
	}
	return v
}

// dateText writes a count of days since 1970 as a date.
func dateText(days int64) string {
	return time.Unix(0, 0).UTC().AddDate(0, 0, int(max(-1e6, min(days, 1e7)))).Format(time.DateOnly)
}

// maxScale is the largest scale of a decimal, above what any database has.
const maxScale = 100

// decimal writes a big-endian two's complement number with a scale.
func decimal(b []byte, scale int) string {
	n := new(big.Int).SetBytes(b)
	if len(b) > 0 && b[0] >= 0x80 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
	}
	return decimalOfInt(n, scale)
}

func decimalOfInt(n *big.Int, scale int) string {
	if scale < 0 || scale > maxScale {
		return n.String() // of a damaged schema
	}
	r := new(big.Rat).SetFrac(n, new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(scale)), nil))
	text := r.FloatString(scale)
	if strings.Contains(text, ".") {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	return text
}

func avroNames(names []string, path string, t *avroType, depth int) []string {
	if depth > maxDepth || len(names) > 10_000 { // a type that contains itself
		return names
	}
	switch t.kind {
	case avroRecord:
		for i, name := range t.names {
			at := join(path, name)
			names = append(names, at)
			names = avroNames(names, at, t.of[i], depth+1)
		}
	case avroUnion:
		for _, of := range t.of {
			names = avroNames(names, path, of, depth+1)
		}
	}
	return names
}
