//go:build !purego

package text

import "golang.org/x/sys/cpu"

// hasAll reports whether the processor has what the functions here need.
var hasAll = cpu.X86.HasAVX2 && cpu.X86.HasPCLMULQDQ && cpu.X86.HasBMI1 && cpu.X86.HasPOPCNT

// scan fills dst with what is found in as many blocks of text.
func scan(dst []block, text *byte, delimiter byte, s *scanned) {
	if hasAll && len(dst) > 0 {
		scanAVX2(&dst[0], text, len(dst), delimiter, s)
		return
	}
	scanPortable(dst, text, delimiter, s)
}

// mark fills dst with what there is in as many blocks of text, see markPortable.
func mark(dst []block, text *byte, delimiter byte) {
	if hasAll && len(dst) > 0 {
		markAVX2(&dst[0], text, len(dst), delimiter)
		return
	}
	markPortable(dst, text, delimiter)
}

// place does what placePortable does.
func place(ends, records []uint32, blocks []block, first, before int) (placed, lines int) {
	if hasAll && len(blocks) > 0 {
		return placeBMI(&ends[0], &records[0], &blocks[0], len(blocks), first*blockSize, before)
	}
	return placePortable(ends, records, blocks, first, before)
}

// scanAVX2 is scanPortable in the processor's own words, for at least one block.
//
//go:noescape
func scanAVX2(dst *block, text *byte, blocks int, delimiter byte, s *scanned)

// markAVX2 is markPortable in the processor's own words, for at least one block.
//
//go:noescape
func markAVX2(dst *block, text *byte, blocks int, delimiter byte)

// placeBMI is placePortable in the processor's own words, for at least one block that
// begins at that byte.
//
//go:noescape
func placeBMI(ends, records *uint32, blocks *block, n, at, before int) (placed, lines int)
