package text

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"unsafe"

	"hopper/adapters/input"
)

const (
	// chunkSize is how much text a chunk holds: enough to make the cost of
	// handing it to a worker vanish, little enough for many to be held.
	chunkSize = 512 << 10
	// maxRecord is the longest record that is read.
	maxRecord = 16 << 20
)

// memory is where a chunk's text is read to, and its layout. It belongs to the chunk
// then and is not written to before that is released.
type memory struct {
	room   []byte
	text   []byte // in room, or elsewhere where a record is long
	layout layout
}

var memories = sync.Pool{New: func() any { return &memory{room: room(margin + chunkSize)} }}

// free gives the memory back.
func (m *memory) free() {
	m.text = nil
	memories.Put(m)
}

// room returns an empty slice of that capacity, whose memory holds anything: a
// strings.Builder's is not cleared.
func room(size int) []byte {
	var b strings.Builder
	b.Grow(size)
	b.WriteByte(0)
	return unsafe.Slice(unsafe.StringData(b.String()), b.Cap())[:0]
}

// A Reader cuts a table into chunks. It is for one goroutine.
type Reader struct {
	table *Table
	text  io.ReadCloser
	body  aheadReader
	rest  []byte // was read and belongs to the next chunk
	row   int64  // number of the next record
	done  bool   // the text is at its end

	encoding encoding

	lexer sqlLexer // of a dump
	ours  bool     // it is in an INSERT of the table
}

// Open begins to read the records.
func (t *Table) Open(ctx context.Context) (*Reader, error) {
	ctx, cancel := context.WithCancel(ctx)
	text, err := t.Input.Text(ctx)
	if err != nil {
		cancel()
		return nil, err
	}
	if _, err := io.CopyN(io.Discard, text, t.start); err != nil && err != io.EOF {
		text.Close()
		cancel()
		return nil, err
	}
	r := &Reader{table: t, text: text, body: aheadReader{body: text, cancel: cancel}, row: t.firstRow, encoding: t.encoding}
	if t.inserts != nil {
		r.lexer.escapes = t.inserts.escapes
		r.rest = make([]byte, 0, chunkSize)
	}
	if t.end >= 0 {
		r.body.body = io.LimitReader(text, t.end-t.start)
	}
	return r, nil
}

// Close ends reading. Chunks stay valid.
func (r *Reader) Close() error {
	r.body.stop()
	return r.text.Close()
}

// Next returns the next records, at least one, and io.EOF after the last. The
// same text is always cut in the same places. It fails with an [input.Error] where a record exceeds 16 MiB.
func (r *Reader) Next(ctx context.Context) (*Chunk, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if r.table.inserts != nil {
		return r.nextInserts(ctx)
	}
	m := r.body.begin(r.rest)
	r.rest = r.rest[:0]
	for {
		var err error
		if m.text, err = r.fill(m.text); err != nil {
			return nil, err
		}
		if !r.done {
			r.body.next()
		}
		text := unsafe.String(unsafe.SliceData(m.text), len(m.text))
		layout, end, records := r.table.Dialect.lay(text, r.done, &m.layout)
		if layout == nil {
			end, records = r.table.Dialect.cut(text, r.done)
		}
		if end > 0 {
			if r.encoding == unsure && (layout == nil || !layout.ascii) {
				r.encoding = encodingOf(text[:end])
			}
			r.rest = append(r.rest, text[end:]...)
			c := &Chunk{Table: r.table, FirstRow: r.row, EndRow: r.row + records, text: text[:end], layout: layout, encoding: r.encoding, memory: m}
			r.row += records
			if len(text) < chunkSize/2 { // not to hold a lot for little
				c.text, c.layout, c.memory = strings.Clone(c.text), layout.clone(), nil
				m.free()
			}
			return c, nil
		}
		if r.done { // nothing is left, since at the end all is cut off
			m.free()
			return nil, io.EOF
		}
		if len(m.text) >= maxRecord {
			return nil, &input.Error{Input: r.table.Input.Name, Row: r.row,
				Err: fmt.Errorf("the record that begins here is longer than %d MiB: is a quoted field never closed? Correct or remove it", maxRecord>>20)}
		}
		m.text = append(room(2*cap(m.text)), m.text...)
	}
}

// fill reads until text is at its capacity, or has the last byte.
func (r *Reader) fill(text []byte) (_ []byte, err error) {
	if r.done {
		return text, nil
	}
	text, err = fill(text, &r.body)
	if err == io.EOF {
		r.done, err = true, nil
	}
	return text, err
}

// cut returns where the last whole record of text ends, and how many end
// before. At the end of the text an unfinished record counts as whole.
func (d Dialect) cut(text string, atEnd bool) (end int, records int64) {
	switch {
	case d.Quoted:
		end, records = d.cutQuoted(text)
	case d.Escaped && strings.Contains(text, "\\\n"):
		end, records = cutEscaped(text)
	default:
		end = strings.LastIndexByte(text, '\n') + 1
		records = int64(strings.Count(text[:end], "\n"))
	}
	if atEnd && end < len(text) {
		return len(text), records + 1
	}
	return end, records
}

// cutEscaped passes over line ends that a backslash makes part of a cell, as MySQL
// writes them.
func cutEscaped(text string) (end int, records int64) {
	for at := 0; ; {
		n := strings.IndexByte(text[at:], '\n')
		if n < 0 {
			return end, records
		}
		if at += n + 1; !escapedAt(text[end : at-1]) {
			end = at
			records++
		}
	}
}

// cutQuoted goes from quoted cell to quoted cell, and counts lines between.
func (d Dialect) cutQuoted(text string) (end int, records int64) {
	for at := 0; at < len(text); {
		if text[at] == '"' && (at == 0 || text[at-1] == d.Delimiter || text[at-1] == '\n') {
			closing, _ := d.closing(text, at+1)
			if closing < 0 || closing+1 == len(text) {
				return end, records // it may go on in what was not read yet
			}
			at = closing + 2
			if text[closing+1] == '\n' {
				end = at
				records++
			} else if text[closing+1] == '\r' {
				at = closing + 1
			}
			continue
		}
		// Up to the next quote, except for one amid a cell, which is a character.
		plain := text[at:]
		if next := strings.IndexByte(plain[1:], '"'); next >= 0 {
			plain = plain[:1+next]
		}
		if last := strings.LastIndexByte(plain, '\n'); last >= 0 {
			end = at + last + 1
			records += int64(strings.Count(plain, "\n"))
		}
		at += len(plain)
	}
	return end, records
}

// closing returns where the quoted cell whose content begins at begin has its
// closing quote, or -1: the first that is neither doubled nor escaped and
// stands before a delimiter, a line's end or the end of the text. It also
// tells whether there are quotes in the content.
func (d Dialect) closing(text string, begin int) (at int, quotes bool) {
	for at = begin; ; quotes = true {
		n := strings.IndexByte(text[at:], '"')
		if n < 0 {
			return -1, quotes
		}
		at += n
		switch next := at + 1; {
		case d.Escaped && escapedAt(text[begin:at]):
		case next == len(text) || text[next] == d.Delimiter || text[next] == '\n':
			return at, quotes
		case text[next] == '\r' && (next+1 == len(text) || text[next+1] == '\n'):
			return at, quotes
		case text[next] == '"':
			at++
		}
		at++
	}
}

// escapedAt reports whether what follows before is escaped by a backslash.
func escapedAt(before string) bool {
	n := len(before) - len(strings.TrimRight(before, `\`))
	return n%2 == 1
}

// Sample returns the table's first records, for a look at what they hold. It
// needs no more than the input's head, or for a COPY block one chunk of it.
func (t *Table) Sample(ctx context.Context) (*Chunk, error) {
	if t.block {
		r, err := t.Open(ctx)
		if err != nil {
			return nil, err
		}
		defer r.Close()
		c, err := r.Next(ctx)
		if err == io.EOF {
			return &Chunk{Table: t, FirstRow: t.firstRow, EndRow: t.firstRow}, nil
		}
		return c, err
	}
	text := string(t.Input.TextHead())
	text = text[min(int(t.start), len(text)):]
	end, records := t.Dialect.cut(text, false)
	if end == 0 { // a single record, perhaps without a line's end
		end, records = t.Dialect.cut(text, true)
	}
	return &Chunk{Table: t, FirstRow: t.firstRow, EndRow: t.firstRow + records, text: text[:end], encoding: t.encoding}, nil
}
