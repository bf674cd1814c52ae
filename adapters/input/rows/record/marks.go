package record

import (
	"math/bits"
	"slices"
	"unsafe"
)

// marks has a bit for each byte of a text at which [run] stops, by blocks of 64 bytes.
// They are made for a record at once where that is faster than to look for them one
// after the other.
type marks []uint64

const (
	blockSize = 64
	// minMarked is how long a text is for which marks are worth it.
	minMarked = 4 * blockSize
)

// mark fills m for text of at least one block, and reports whether some of it is not ASCII.
func (m marks) mark(text string) (_ marks, beyondASCII bool) {
	whole, rest := len(text)/blockSize, len(text)%blockSize
	m = slices.Grow(m[:0], whole+1)[:whole+1]
	beyondASCII = markBlocks(m[:whole], unsafe.StringData(text))
	m[whole] = 0
	if rest > 0 { // its last bytes are those of a block that overlaps the one before
		last := m[whole:]
		beyondASCII = markBlocks(last, unsafe.StringData(text[len(text)-blockSize:])) || beyondASCII
		last[0] >>= blockSize - rest
	}
	return m, beyondASCII
}

// after returns where the next mark stands at or behind i, or the length of the text, n.
func (m marks) after(i, n int) int {
	k := i / blockSize
	w := m[k] >> (i % blockSize)
	if w != 0 {
		return i + bits.TrailingZeros64(w)
	}
	return m.block(k+1, n)
}

func (m marks) block(k, n int) int {
	for ; k < len(m); k++ {
		if m[k] != 0 {
			return k*blockSize + bits.TrailingZeros64(m[k])
		}
	}
	return n
}

// markPortable is what markBlocks does on any processor.
func markPortable(dst []uint64, text *byte) (beyondASCII bool) {
	bytes := unsafe.Slice(text, len(dst)*blockSize)
	for k := range dst {
		dst[k] = 0
		for i, c := range bytes[k*blockSize:][:blockSize] {
			if special[c] {
				dst[k] |= 1 << i
			}
			beyondASCII = beyondASCII || c >= 0x80
		}
	}
	return beyondASCII
}
