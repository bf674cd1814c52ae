package record

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"unsafe"

	"hopper/adapters/input"
)

// A layout is how a JSON text holds its rows.
type layout struct {
	lines  bool   // one row a line
	lists  bool   // a row is a list of cells, else an object
	member string // rows stand in the list that is this member of an object
	// names are the cells' names where rows are lists, from the text's meta or
	// its first row.
	names []string
	// header is how many rows at the beginning hold names.
	header int64
}

// base is how deep the brackets are in which rows stand. A list of objects
// counts as none, so that objects one after the other are read alike.
func (l *layout) base() int {
	switch {
	case l.member != "":
		return 2
	case l.lists && !l.lines:
		return 1
	}
	return 0
}

// layoutOf tells from the beginning of a text how it holds its rows:
//
//	{"a":1}                              objects, one a line or over lines
//	[{"a":1},{"a":2}]                    a list of objects
//	{"meta":[…],"data":[{"a":1}]}        ClickHouse's JSON, an API's answer
//	{"table":[{"a":1}]}                  DBeaver's
//	{"meta":[{"name":"a"}],"data":[[1]]} ClickHouse's JSONCompact
//	["a"]                                JSONCompactEachRow, a list a line
//	[["a"],[1]]                          a list of lists
func layoutOf(head []byte) layout {
	text := bytes.TrimLeft(head, " \t\r\n")
	if len(text) == 0 {
		return layout{lines: true}
	}
	if text[0] == '[' {
		return layoutOfList(text)
	}
	if l, ok := wrapperOf(text); ok {
		return l
	}
	return layout{lines: lineDelimited(text)}
}

// maxBeginning is how much of JSON is looked at for the end of its first record.
const maxBeginning = 4 << 20

// beginning returns JSON text from its beginning to behind the first record, and
// whether that is within reach: the input's head, unless the record is longer.
func beginning(ctx context.Context, in *input.Input) (text []byte, whole bool, err error) {
	head := in.TextHead()
	if endsRecord(head) {
		return head, true, nil
	}
	r, err := in.Text(ctx)
	if err != nil {
		return nil, false, err
	}
	defer r.Close()
	for size := 4 * len(head); ; size *= 4 {
		size = min(size, maxBeginning)
		more, err := io.ReadAll(io.LimitReader(r, int64(size-len(text))))
		if err != nil {
			return nil, false, err
		}
		text = append(text, more...)
		switch {
		case len(text) < size || endsRecord(text):
			return text, true, nil
		case size == maxBeginning:
			return head, false, nil
		}
	}
}

// endsRecord reports whether a record ends in text.
func endsRecord(text []byte) bool {
	var s scanner
	l := layoutOf(text)
	_, found := s.next(text, &l)
	return found
}

func layoutOfList(text []byte) layout {
	inner := bytes.TrimLeft(text[1:], " \t\r\n")
	if len(inner) == 0 || inner[0] == '{' || inner[0] == ']' {
		return layout{}
	}
	l := layout{lists: true, lines: inner[0] != '['}
	line, rest, _ := bytes.Cut(text, []byte("\n"))
	first, err := Parse(string(line))
	switch rest = bytes.TrimLeft(rest, " \t\r\n"); {
	case err == nil && len(rest) > 0 && rest[0] == '[':
		l.lines = true // whose first cell is a list
	case !l.lines:
		var s scanner
		at, found := s.next(text, &l)
		if !found {
			return l
		}
		first, err = Parse(string(text[at.start:at.end]))
	}
	if err == nil && first.Kind == List {
		l.header = 1
		for i := range first.Kids {
			l.names = append(l.names, first.Kids[i].Text)
		}
	}
	return l
}

// wrappers are the members in whose list rows stand.
var wrappers = []string{"data", "rows", "records", "results", "result", "datapoints"}

// maxWrapped is how many members an object has at most that wraps rows. An
// object with more is a row that holds a list of its own.
const maxWrapped = 10

// wrapperOf recognizes an object that holds rows in one of its members.
func wrapperOf(text []byte) (l layout, ok bool) {
	p := parser{s: string(text), i: 1}
	members, found := 0, false
	for ; members <= maxWrapped; members++ {
		p.space()
		if p.i < len(p.s) && p.s[p.i] == ',' {
			p.i++
			p.space()
		}
		if p.i == len(p.s) || p.s[p.i] != '"' {
			break
		}
		key, err := p.text()
		if err != nil {
			break
		}
		if p.space(); p.i == len(p.s) || p.s[p.i] != ':' {
			break
		}
		p.i++
		p.space()
		if !found && p.i < len(p.s) && p.s[p.i] == '[' && (slices.Contains(wrappers, strings.ToLower(key)) || members == 0 && isOnly(p.s, p.i)) {
			switch next := strings.TrimLeft(p.s[p.i+1:], " \t\r\n"); {
			case strings.HasPrefix(next, "{"), strings.HasPrefix(next, "]"):
				l.member, found = key, true
			case strings.HasPrefix(next, "["):
				l.member, l.lists, found = key, true, true
			}
		}
		v, err := p.value(1, nil, false)
		if err != nil {
			break
		}
		if v.Kind == List && (key == "meta" || key == "columns") {
			l.names = namesIn(&v)
		}
	}
	if !found || members > maxWrapped {
		return layout{}, false
	}
	if !l.lists {
		l.names = nil
	}
	return l, true
}

// isOnly reports whether the list that begins at i is the only member of its
// object, as DBeaver writes a table under its name, as far as the text goes.
func isOnly(text string, i int) bool {
	p := parser{s: text, i: i}
	if _, err := p.value(1, nil, false); err != nil {
		return true // it goes on behind the text
	}
	rest := strings.TrimSpace(p.s[p.i:])
	return rest == "}" || rest == ""
}

// namesIn returns the columns' names beside lists: texts, or objects with a name.
func namesIn(list *Value) []string {
	names := make([]string, 0, len(list.Kids))
	for i := range list.Kids {
		kid := &list.Kids[i]
		if kid.Kind == Object {
			kid = kid.Get("name")
		}
		names = append(names, kid.String())
	}
	return names
}

// lineDelimited tells a record a line from records that span lines: in the
// former the first line holds all of the first record. A first line that is
// longer than the head is a record too.
func lineDelimited(text []byte) bool {
	line, _, more := bytes.Cut(text, []byte("\n"))
	if len(line) == 0 || line[0] != '{' {
		return false
	}
	var s scanner
	_, found := s.next(line, &layout{})
	return !more || found
}

// A span is where a row stands in a text.
type span struct{ start, end int }

// scanner finds rows that do not stand one a line. It looks at brackets and
// quotes alone, so that it finds a way past records that are not valid.
type scanner struct {
	at              int // where to go on
	from            int // where the row, or what precedes it, begins
	depth           int
	open            int // brackets around rows, where they do not count as depth
	quoted, escaped bool
	row             bool // inside a row
	key             int  // where a name begins, at depth 1
	named           bool // the name before is the wrapping member's
	inside          bool // in that member's list
	torn            bool // something stands outside of all brackets
}

// next returns where the next row of b stands. Without one, it goes on where
// it stopped when it is called with more text.
func (s *scanner) next(b []byte, l *layout) (at span, found bool) {
	base := l.base()
	for s.at < len(b) {
		c := b[s.at]
		s.at++
		if s.quoted {
			switch {
			case s.escaped:
				s.escaped = false
			case c == '\\':
				s.escaped = true
			case c == '"':
				s.quoted = false
				if base == 2 && s.depth == 1 {
					s.named = string(b[s.key:s.at-1]) == l.member
				}
			}
			continue
		}
		switch c {
		case '"':
			s.quoted, s.key = true, s.at
		case '{', '[':
			s.opened(c, base)
		case '}', ']':
			if s.closed(base) {
				at = span{s.from, s.at}
				s.from, s.row = s.at, false
				return at, true
			}
		case ' ', '\t', '\r', '\n', ',', ':':
		default:
			s.torn = s.torn || s.depth == 0 && base > 0
		}
	}
	return span{}, false
}

// opened counts a bracket. Where rows stand in no brackets, what precedes one
// belongs to it: it is not valid then.
func (s *scanner) opened(c byte, base int) {
	if base == 0 && s.depth == 0 && c == '[' {
		s.open++
		return
	}
	s.depth++
	switch {
	case base == 2 && s.depth == 2:
		s.inside = c == '[' && s.named
	case s.depth == base+1 && (base < 2 || s.inside):
		s.row = true
		if base > 0 {
			s.from = s.at - 1
		}
	}
}

// closed counts a bracket, and reports whether it ends a row.
func (s *scanner) closed(base int) bool {
	if s.depth == 0 {
		s.open--
		s.torn = s.torn || base > 0
		return false
	}
	s.depth--
	if base == 2 && s.depth == 1 {
		s.inside, s.named = false, false
	}
	return s.row && s.depth == base
}

// jsonReader cuts text at the newlines between records or, where records
// span lines or stand in a list, at their ends.
type jsonReader struct {
	in   string
	r    io.ReadCloser
	eof  bool
	rest []byte // read and not yet part of a chunk
	row  int64  // records (or lines) before rest

	layout layout
	scan   scanner

	chunk, limit int // chunkSize and MaxRecord

	wanted  func(path string) bool // nil is all
	parsers sync.Pool              // of chunks that have been read, *jsonRecords
	texts   sync.Pool              // of chunks that have been released, *[]byte
}

// records returns what parses a chunk, which gives it back.
func (j *jsonReader) records() *jsonRecords {
	if r, ok := j.parsers.Get().(*jsonRecords); ok {
		return r
	}
	wanted := j.wanted
	if wanted == nil {
		wanted = func(string) bool { return true }
	}
	return &jsonRecords{parser: parser{root: newMembers(wanted)}, scanner: Scanner{parser: parser{fleeting: true}}}
}

func openJSON(ctx context.Context, in *input.Input, l layout, wanted func(path string) bool) (Reader, error) {
	r, err := in.Text(ctx)
	if err != nil {
		return nil, err
	}
	return &jsonReader{in: in.Name, r: r, layout: l, chunk: chunkSize, limit: MaxRecord, wanted: wanted}, nil
}

func (j *jsonReader) Close() error { return j.r.Close() }

func (j *jsonReader) Next(ctx context.Context) (Chunk, error) {
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := j.fill(); err != nil {
			return nil, err
		}
		c := &jsonChunk{reader: j, row: j.row, layout: &j.layout}
		end := j.cut(c)
		if c.records == 0 && !j.eof {
			if len(j.rest)-end > j.limit {
				return nil, &input.Error{Input: j.in, Row: j.row + 1, Err: fmt.Errorf("%w: a bracket or quote that is never closed?", errTooLong)}
			}
			j.rest = append(j.rest[:0], j.rest[end:]...)
			continue
		}
		if c.records == 0 {
			if end = len(j.rest); !j.last(c) {
				return nil, io.EOF
			}
		}
		j.give(c, end)
		j.row += c.records
		return c, nil
	}
}

// give hands the text before end to c, which may use it until it is released, and
// copies what follows to where the next chunk's will be.
func (j *jsonReader) give(c *jsonChunk, end int) {
	c.held = j.rest
	c.text = unsafe.String(unsafe.SliceData(c.held), end)
	next, ok := j.texts.Get().(*[]byte)
	if !ok {
		next = new(make([]byte, 0, j.chunk+j.chunk/4))
	}
	j.rest = append((*next)[:0], c.held[end:]...)
}

// Release gives the chunk's text back to the reader.
func (c *jsonChunk) Release() {
	held := c.held
	if c.held, c.text = nil, ""; cap(held) > 0 && cap(held) <= 4*c.reader.chunk {
		c.reader.texts.Put(&held)
	}
}

// fill reads on until there is one more chunk's worth of text.
func (j *jsonReader) fill() error {
	for want := len(j.rest) + j.chunk; !j.eof && len(j.rest) < want; {
		if cap(j.rest) == len(j.rest) {
			j.rest = append(make([]byte, 0, 2*cap(j.rest)+2*j.chunk), j.rest...)
		}
		n, err := j.r.Read(j.rest[len(j.rest):min(cap(j.rest), want)])
		j.rest = j.rest[:len(j.rest)+n]
		if errors.Is(err, io.EOF) {
			j.eof = true
		} else if err != nil {
			return err
		}
	}
	return nil
}

// cut gives c the whole records of the rest, and returns where they end.
func (j *jsonReader) cut(c *jsonChunk) (end int) {
	if j.layout.lines {
		// What was searched in vain is not searched again.
		end = bytes.LastIndexByte(j.rest[j.scan.at:], '\n') + 1
		if end == 0 {
			j.scan.at = len(j.rest)
			return 0
		}
		end += j.scan.at
		j.scan.at = 0
		c.records = int64(bytes.Count(j.rest[:end], []byte("\n")))
		return end
	}
	// The scanner goes on where it stopped when the last cut found no end.
	for {
		at, found := j.scan.next(j.rest, &j.layout)
		if !found {
			break
		}
		c.spans = append(c.spans, at)
		end = at.end
	}
	c.records = int64(len(c.spans))
	if j.layout.base() > 0 && !j.scan.row && !j.scan.quoted {
		end = j.scan.at // what stands around the rows is not kept
	}
	j.scan.at -= end
	j.scan.from -= end
	j.scan.key -= end
	return end
}

var errCutOff = errors.New("the text ends before its brackets are closed; the file may be cut off")

// last gives c what is left at the end of the input, and reports whether that
// is a record.
func (j *jsonReader) last(c *jsonChunk) bool {
	s := j.scan
	j.scan = scanner{}
	c.records = 1
	switch {
	case j.layout.lines:
		return len(j.rest) > 0
	case s.row || s.quoted, j.layout.base() == 0 && len(bytes.Trim(j.rest, " \t\r\n,[]")) > 0:
		c.spans = []span{{max(s.from, 0), len(j.rest)}}
		return true
	case s.depth > 0 || s.open > 0 || s.torn:
		c.torn = errCutOff
		return true
	}
	return false
}

type jsonChunk struct {
	reader  *jsonReader // of which parsers and texts alone are used
	text    string      // in held
	held    []byte
	row     int64
	records int64 // or lines
	layout  *layout
	spans   []span // of the records, where they are not lines
	torn    error  // stands for the last record
}

// Span returns the records' numbers, see [Chunk].
func (c *jsonChunk) Span() (first, end int64) { return c.row + 1, c.row + 1 + c.records }

func (c *jsonChunk) Read(yield func(*Record)) error { return c.read(nil, yield) }

// read hands records to scan, where it is not nil, or to yield.
func (c *jsonChunk) read(scan func(*Record, *Scanner) bool, yield func(*Record)) error {
	r := c.reader.records()
	r.chunk, r.scan, r.yield, r.rec = c, scan, yield, Record{Row: c.row}
	defer func() {
		r.chunk, r.scan, r.yield, r.rec = nil, nil, nil, Record{}
		c.reader.parsers.Put(r)
	}()
	if !c.layout.lines {
		for _, at := range c.spans {
			one := c.text[at.start:at.end]
			if c.layout.base() == 0 {
				one = strings.TrimLeft(one, " \t\r\n,[]")
			}
			r.read(one)
		}
		if c.torn != nil {
			r.rec.Row++
			r.rec.text, r.rec.Root, r.rec.Err = "", nil, c.torn
			yield(&r.rec)
		}
		return nil
	}
	for line := range strings.Lines(c.text) {
		r.read(line)
	}
	return nil
}

// jsonRecords parses a chunk's records.
type jsonRecords struct {
	parser
	chunk   *jsonChunk
	scan    func(*Record, *Scanner) bool // may be nil
	scanner Scanner
	yield   func(*Record)
	rec     Record
}

func (r *jsonRecords) read(text string) {
	r.rec.Row++
	l := r.chunk.layout
	text = strings.TrimSpace(text)
	if text == "" || r.rec.Row <= l.header {
		return
	}
	r.rec.text, r.rec.Root, r.rec.Err = text, nil, nil
	if r.scan != nil && !l.lists {
		if r.scanner.begin(text); r.scan(&r.rec, &r.scanner) {
			return
		}
	}
	r.rec.Root, r.rec.Err = r.parse(text)
	switch {
	case r.rec.Err != nil:
	case l.lists && r.rec.Root.Kind != List:
		r.rec.Root, r.rec.Err = nil, errors.New("a JSON value that is no list, as the rows before are")
	case !l.lists && r.rec.Root.Kind != Object:
		r.rec.Root, r.rec.Err = nil, errors.New("a JSON value that is no object")
	}
	r.yield(&r.rec)
}

// jsonFields names the members of the first record in head, which may be cut off.
func jsonFields(head []byte) []string {
	l := layoutOf(head)
	if l.lists {
		return l.names
	}
	var s scanner
	if at, found := s.next(head, &l); found {
		root, err := Parse(strings.TrimLeft(string(head[at.start:at.end]), " \t\r\n,["))
		if err != nil {
			return nil
		}
		return appendFields(nil, "", root)
	}
	// Cut off: the names at depth 1 are found by the brackets.
	var (
		names []string
		depth int
		p     = parser{s: strings.TrimLeft(string(head[max(s.from, 0):]), " \t\r\n[")}
	)
	for p.i < len(p.s) {
		switch p.s[p.i] {
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		case '"':
			name, err := p.text()
			if err != nil {
				return names
			}
			if p.space(); depth == 1 && p.i < len(p.s) && p.s[p.i] == ':' {
				names = append(names, name)
			}
			continue
		}
		p.i++
	}
	return names
}

func appendFields(names []string, path string, v *Value) []string {
	for i := range v.Kids {
		kid := &v.Kids[i]
		at := join(path, kid.Key)
		names = append(names, at)
		if kid.Kind == Object {
			names = appendFields(names, at, kid)
		}
	}
	return names
}
