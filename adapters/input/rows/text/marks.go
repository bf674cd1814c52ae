package text

import (
	"encoding/binary"
	"math/bits"
	"slices"
	"sync"
	"unsafe"
)

// marks has, for 64 bytes of text, a bit for each byte that is one of the
// characters that take delimited text apart.
type marks struct{ quote, delimiter, newline, cr uint64 }

// seen are bytes that a text has somewhere.
type seen struct{ beyondASCII, backslash bool }

const blockSize = 64

var markBuffers = sync.Pool{New: func() any { return new([]marks) }}

// mark fills one of dst for each 64 bytes of text, the rest of the last as
// though they were spaces.
func mark(dst []marks, text string, delimiter byte) seen {
	whole := len(text) / blockSize
	var s seen
	if whole > 0 {
		s = markBlocks(dst[:whole], unsafe.StringData(text), delimiter)
	}
	if rest := text[whole*blockSize:]; rest != "" {
		var last [blockSize]byte
		for i := copy(last[:], rest); i < blockSize; i++ {
			last[i] = ' '
		}
		end := markBlocks(dst[whole:whole+1], &last[0], delimiter)
		s.beyondASCII, s.backslash = s.beyondASCII || end.beyondASCII, s.backslash || end.backslash
	}
	return s
}

// markPortable is what markBlocks does on any processor: it looks at eight bytes at once.
func markPortable(dst []marks, text *byte, delimiter byte) seen {
	const highs = 0x8080808080808080
	bytes := unsafe.Slice(text, len(dst)*blockSize)
	var all, backslashes uint64
	for b := range dst {
		m := &dst[b]
		*m = marks{}
		for i := 0; i < blockSize; i += 8 {
			w := binary.LittleEndian.Uint64(bytes[b*blockSize+i:])
			all |= w
			backslashes |= equal(w, '\\')
			m.quote |= gather(equal(w, '"')) << i
			m.delimiter |= gather(equal(w, delimiter)) << i
			m.newline |= gather(equal(w, '\n')) << i
			m.cr |= gather(equal(w, '\r')) << i
		}
	}
	return seen{all&highs != 0, backslashes != 0}
}

// equal returns a word with the highest bit set of each byte of w that is c. The
// addition carries into that bit for all but zero, and never beyond.
func equal(w uint64, c byte) uint64 {
	const ones, lows = 0x0101010101010101, 0x7F7F7F7F7F7F7F7F
	differ := w ^ ones*uint64(c)
	return ^((differ&lows + lows) | differ | lows)
}

// gather moves the highest bits of eight bytes together, that of the first byte lowest.
func gather(highest uint64) uint64 { return highest >> 7 * 0x0102040810204080 >> 56 }

// parity returns in each bit whether that and the bits below it hold an odd number of ones.
func parity(w uint64) uint64 {
	w ^= w << 1
	w ^= w << 2
	w ^= w << 4
	w ^= w << 8
	w ^= w << 16
	return w ^ w<<32
}

// A layout says where the cells of well-formed text end.
type layout struct {
	// ends has a bit for each delimiter and line's end that stands in no quotes.
	ends []uint64
	// doubled are where pairs of quotes stand in a quoted cell for one, in order.
	doubled []int
	ascii   bool
}

// clone returns a copy, of nil nil.
func (l *layout) clone() *layout {
	if l == nil {
		return nil
	}
	return &layout{slices.Clone(l.ends), slices.Clone(l.doubled), l.ascii}
}

// lay fills l with the layout of the whole records of text, and returns it, where the
// last one ends and how many there are, as cut does. It returns nil where text is not well-formed:
// where a quote stands amid a cell or is followed by more than the cell's end, or
// where backslashes may escape. Then it is for cut and split to say what is meant.
//
// A quote opens or closes by its number being odd or even, which a few operations
// find for 64 bytes. That is what split does by looking for the closing quote if,
// and only if, each opening one follows a cell's end or a closing one, which it
// then is doubled with, and each closing one stands before a cell's end or an
// opening one.
func (d Dialect) lay(text string, atEnd bool, l *layout) (_ *layout, end int, records int64) {
	if !d.Quoted || text == "" {
		return nil, 0, 0
	}
	blocks := (len(text) + blockSize - 1) / blockSize
	held := markBuffers.Get().(*[]marks)
	defer markBuffers.Put(held)
	if cap(*held) < blocks {
		*held = make([]marks, blocks)
	}
	marked := (*held)[:blocks]
	found := mark(marked, text, d.Delimiter)
	if d.Escaped && found.backslash {
		return nil, 0, 0
	}
	l.ends, l.doubled, l.ascii = slices.Grow(l.ends[:0], blocks)[:blocks], l.doubled[:0], !found.beyondASCII
	s := layState{before: 1} // the text begins as though behind a line's end
	for i := range marked {
		if !s.next(&marked[i], l, i, len(text)) {
			return nil, 0, 0
		}
	}
	end, records = s.end, s.records
	if atEnd && end < len(text) {
		if s.inside != 0 {
			return nil, 0, 0
		}
		end, records = len(text), records+1
	}
	return l, end, records
}

// layState is what a block of 64 bytes must know of those before it.
type layState struct {
	inside  uint64 // all ones behind an opening quote, else 0
	before  uint64 // 1 where the last byte was a cell's end or a closing quote
	closing uint64 // 1 where the last byte was a closing quote
	cr      uint64 // 1 where it was a CR behind one

	end     int
	records int64
}

// next takes block i of a text of that length, and reports whether it is well-formed.
func (s *layState) next(m *marks, l *layout, i, length int) bool {
	inside := parity(m.quote) ^ s.inside // with the opening quote, without the closing one
	opening, closing := m.quote&inside, m.quote&^inside
	ends := (m.delimiter | m.newline) &^ inside
	behind := closing<<1 | s.closing
	crs := behind & m.cr
	wrong := opening&^((ends|closing)<<1|s.before) | behind&^(ends|opening|crs) | (crs<<1|s.cr)&^m.newline
	if rest := length - i*blockSize; rest < blockSize {
		wrong &= 1<<rest - 1 // what is not there yet is not wrong
	}
	if wrong != 0 {
		return false
	}
	l.ends[i] = ends
	for doubled := behind & opening; doubled != 0; doubled &= doubled - 1 {
		l.doubled = append(l.doubled, i*blockSize+bits.TrailingZeros64(doubled))
	}
	if newlines := m.newline &^ inside; newlines != 0 {
		s.end = i*blockSize + bits.Len64(newlines)
		s.records += int64(bits.OnesCount64(newlines))
	}
	s.inside = -(inside >> 63)
	s.before = (ends | closing) >> 63
	s.closing, s.cr = closing>>63, crs>>63
	return true
}
