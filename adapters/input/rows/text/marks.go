package text

import (
	"encoding/binary"
	"math"
	"math/bits"
	"slices"
	"unicode/utf8"
	"unsafe"
)

// block is what is found in 64 bytes of text: a bit for each byte.
type block struct {
	ends    uint64 // delimiters and line ends outside of quotes
	lines   uint64 // line ends among them
	escapes uint64 // second ones of two quotes that stand for one in a quoted cell, or backslashes
	high    uint64 // is not 0 where some byte is beyond ASCII
}

// scanned is what a block must know of those before it, and what was found in all.
type scanned struct {
	inside  uint64 // all ones behind an opening quote, else 0
	before  uint64 // 1 where the last byte was a cell's end or a closing quote
	closing uint64 // 1 where the last byte was a closing quote
	cr      uint64 // 1 where it was a CR behind one
	// wrong has bits where text is not well-formed, see lay; backslash and anyCR are not 0
	// where there was one.
	wrong, backslash, anyCR uint64
	// escaped is 1 where the last byte was a backslash that changes the next one's
	// meaning, in text without quotes.
	escaped uint64
}

const (
	blockSize = 64
	// scannedAtOnce is how many blocks are looked at once they were scanned, while
	// both they and their text are in a processor's first cache.
	scannedAtOnce = 64
)

// scanPortable is what scan does on any processor: it looks at eight bytes at once.
//
// A quote opens or closes by its number being odd or even, which a few operations
// find for 64 bytes. That is what split does by looking for the closing quote if,
// and only if, each opening one follows a cell's end or a closing one, which it
// then is doubled with, and each closing one stands before a cell's end or an
// opening one.
func scanPortable(dst []block, text *byte, delimiter byte, s *scanned) {
	const highs = 0x8080808080808080
	bytes := unsafe.Slice(text, len(dst)*blockSize)
	for b := range dst {
		var quote, delimiters, newline, cr, all uint64
		for i := 0; i < blockSize; i += 8 {
			w := binary.LittleEndian.Uint64(bytes[b*blockSize+i:])
			all |= w
			s.backslash |= equal(w, '\\')
			quote |= gather(equal(w, '"')) << i
			delimiters |= gather(equal(w, delimiter)) << i
			newline |= gather(equal(w, '\n')) << i
			cr |= gather(equal(w, '\r')) << i
		}
		s.anyCR |= cr
		inside := parity(quote) ^ s.inside // with the opening quote, without the closing one
		opening, closing := quote&inside, quote&^inside
		lines := newline &^ inside
		ends := delimiters&^inside | lines
		behind := closing<<1 | s.closing
		crs := behind & cr
		s.wrong |= opening&^((ends|closing)<<1|s.before) | behind&^(ends|opening|crs) | (crs<<1|s.cr)&^lines
		dst[b] = block{ends, lines, behind & opening, all & highs}
		s.inside = -(inside >> 63)
		s.before = (ends | closing) >> 63
		s.closing, s.cr = closing>>63, crs>>63
	}
}

// markPortable fills dst with what there is in as many blocks of text: delimiters in ends,
// line ends in lines and backslashes in escapes.
func markPortable(dst []block, text *byte, delimiter byte) {
	const highs = 0x8080808080808080
	bytes := unsafe.Slice(text, len(dst)*blockSize)
	for b := range dst {
		m := block{}
		for i := 0; i < blockSize; i += 8 {
			w := binary.LittleEndian.Uint64(bytes[b*blockSize+i:])
			m.ends |= gather(equal(w, delimiter)) << i
			m.lines |= gather(equal(w, '\n')) << i
			m.escapes |= gather(equal(w, '\\')) << i
			m.high |= w & highs
		}
		dst[b] = m
	}
}

// unescape adds the line ends of blocks that were marked to their ends, and takes away
// those that a backslash makes part of a cell, if it does.
func (s *scanned) unescape(blocks []block, escapes bool) {
	for i := range blocks {
		b := &blocks[i]
		b.ends |= b.lines
		if !escapes {
			b.escapes = 0
		}
		if b.escapes|s.escaped == 0 {
			continue
		}
		// A one that is added where a run of backslashes begins is carried to behind its end. That
		// is done for runs that begin at an odd place: behind these, what stands at an even place
		// is behind an odd number of them, and behind others what stands at an odd place.
		const even = 0x5555555555555555
		backslashes := b.escapes &^ s.escaped
		behind := backslashes<<1 | s.escaped
		var sum uint64
		sum, s.escaped = bits.Add64(backslashes&^even&^behind, backslashes, 0)
		taken := (even ^ sum<<1) & behind
		b.ends, b.lines = b.ends&^taken, b.lines&^taken
	}
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

// A layout says where the records and cells of well-formed text end.
type layout struct {
	// ends are the delimiters and line ends that stand in no quotes, and the text's end
	// where the last record has none. Before them stands one that the text begins behind.
	ends []uint32
	// records has of each record how many of ends there are up to its own.
	records []uint32
	// escapes are where pairs of quotes stand in a quoted cell for one, in order, or where
	// backslashes stand in text without quotes.
	escapes []uint32
	// high has a bit for each 64 bytes with some beyond ASCII.
	high  []uint64
	ascii bool // there are none
	crs   bool // there may be a CR before a line's end
}

// clone returns a copy, of nil nil.
func (l *layout) clone() *layout {
	if l == nil {
		return nil
	}
	c := *l
	c.ends, c.records, c.escapes, c.high = slices.Clone(l.ends), slices.Clone(l.records), slices.Clone(l.escapes), slices.Clone(l.high)
	return &c
}

// lay fills l with the layout of the whole records of text, and returns it, where the
// last one ends and how many there are, as cut does. It returns nil where text is not well-formed:
// where a quote stands amid a cell or is followed by more than the cell's end, or
// where backslashes may escape. Then it is for cut and split to say what is meant.
func (d Dialect) lay(text string, atEnd bool, l *layout) (_ *layout, end int, records int64) {
	if text == "" || len(text) > math.MaxUint32-blockSize {
		return nil, 0, 0
	}
	l.clear(len(text))
	s := scanned{before: 1} // the text begins as though behind a line's end
	var buffer [scannedAtOnce]block
	whole := len(text) / blockSize
	for at := 0; at < whole; at += scannedAtOnce {
		some := buffer[:min(whole-at, scannedAtOnce)]
		d.scan(some, unsafe.StringData(text[at*blockSize:]), &s)
		if s.wrong != 0 {
			return nil, 0, 0
		}
		l.take(some, at)
	}
	if rest := text[whole*blockSize:]; rest != "" {
		var last [blockSize]byte
		for i := copy(last[:], rest); i < blockSize; i++ {
			last[i] = ' '
		}
		d.scan(buffer[:1], &last[0], &s)
		if s.wrong&(1<<len(rest)-1) != 0 { // what is not there yet is not wrong
			return nil, 0, 0
		}
		l.take(buffer[:1], whole)
	}
	if d.Quoted && d.Escaped && s.backslash != 0 {
		return nil, 0, 0
	}
	l.crs = s.anyCR != 0 || !d.Quoted
	if n := len(l.records); n > 0 {
		end = int(l.ends[l.records[n-1]-1]) + 1
	}
	if atEnd && end < len(text) {
		if s.inside != 0 || text[len(text)-1] == '\n' {
			return nil, 0, 0
		}
		end = len(text)
		l.ends = append(l.ends, uint32(end))
		l.records = append(l.records, uint32(len(l.ends)))
	}
	return l, end, int64(len(l.records))
}

// scan fills dst with what is found in as many blocks of text.
func (d Dialect) scan(dst []block, text *byte, s *scanned) {
	if d.Quoted {
		scan(dst, text, d.Delimiter, s)
		return
	}
	mark(dst, text, d.Delimiter)
	s.unescape(dst, d.Escaped)
}

// clear makes room for the layout of as much text, with cells of some length.
func (l *layout) clear(size int) {
	highs := size/blockSize/64 + 1
	if cap(l.ends) == 0 {
		l.ends = make([]uint32, 0, size/12+spareEnds)
	}
	l.ends, l.records, l.escapes, l.high = append(l.ends[:0], math.MaxUint32), l.records[:0], l.escapes[:0], slices.Grow(l.high[:0], highs)[:highs]
	clear(l.high)
	l.ascii = true
}

// take adds blocks, the first of which has that number.
func (l *layout) take(blocks []block, first int) {
	most := len(blocks) * blockSize
	l.ends, l.records = slices.Grow(l.ends, most+spareEnds), slices.Grow(l.records, most)
	ends, lines := len(l.ends), len(l.records)
	placed, begun := place(l.ends[ends:ends+most+spareEnds], l.records[lines:lines+most], blocks, first, ends)
	l.ends, l.records = l.ends[:ends+placed], l.records[:lines+begun]
	for i := range blocks {
		b, at := &blocks[i], first+i
		if b.escapes|b.high == 0 {
			continue
		}
		for w := b.escapes; w != 0; w &= w - 1 {
			l.escapes = append(l.escapes, uint32(at*blockSize+bits.TrailingZeros64(w)))
		}
		if b.high != 0 {
			l.high[at/64] |= 1 << (at % 64)
			l.ascii = false
		}
	}
}

// spareEnds is how many more ends place may write than there are.
const spareEnds = 4

// placePortable fills ends and records with what a layout has of them for blocks, the
// first of which has that number and as many ends before it. It returns how many these
// are. It does on any processor what place does, for which there is room for spareEnds more.
func placePortable(ends, records []uint32, blocks []block, first, before int) (placed, lines int) {
	for i := range blocks {
		b, at := &blocks[i], (first+i)*blockSize
		for w := b.lines; w != 0; w &= w - 1 {
			upTo := w ^ (w - 1)
			records[lines] = uint32(before + placed + bits.OnesCount64(b.ends&upTo))
			lines++
		}
		for w := b.ends; w != 0; w &= w - 1 {
			ends[placed] = uint32(at + bits.TrailingZeros64(w))
			placed++
		}
	}
	return placed, lines
}

// valid reports whether text, which this is the layout of, is UTF-8. Of blocks in a row
// that are not ASCII alone, no character reaches beyond.
func (l *layout) valid(text string) bool {
	for b := 0; b*blockSize < len(text) && !l.ascii; {
		w := l.high[b/64] >> (b % 64)
		if w == 0 {
			b = (b/64 + 1) * 64
			continue
		}
		b += bits.TrailingZeros64(w)
		from := b
		for b < 64*len(l.high) && l.high[b/64]>>(b%64)&1 != 0 {
			b++
		}
		if begin, end := min(from*blockSize, len(text)), min(b*blockSize, len(text)); !utf8.ValidString(text[begin:end]) {
			return false
		}
	}
	return true
}
