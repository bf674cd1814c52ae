//go:build !amd64 || purego

package text

// scan fills dst with what is found in as many blocks of text.
func scan(dst []block, text *byte, delimiter byte, s *scanned) { scanPortable(dst, text, delimiter, s) }

// mark fills dst with what there is in as many blocks of text, see markPortable.
func mark(dst []block, text *byte, delimiter byte) { markPortable(dst, text, delimiter) }

// place fills dst with the ends of blocks, the first of which has that number. There is
// room for spareEnds more.
func place(dst []uint32, blocks []block, first int) { placePortable(dst, blocks, first) }
