//go:build !amd64 || purego

package text

// scan fills dst with what is found in as many blocks of text.
func scan(dst []block, text *byte, delimiter byte, s *scanned) { scanPortable(dst, text, delimiter, s) }

// mark fills dst with what there is in as many blocks of text, see markPortable.
func mark(dst []block, text *byte, delimiter byte) { markPortable(dst, text, delimiter) }

// place does what placePortable does.
func place(ends, records []uint32, blocks []block, first, before int) (placed, lines int) {
	return placePortable(ends, records, blocks, first, before)
}
