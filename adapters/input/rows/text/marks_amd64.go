//go:build !purego

package text

import "golang.org/x/sys/cpu"

// markBlocks fills dst for as many blocks of text.
func markBlocks(dst []marks, text *byte, delimiter byte) seen {
	if !cpu.X86.HasAVX2 {
		return markPortable(dst, text, delimiter)
	}
	high, backslash := markAVX2(&dst[0], text, len(dst), delimiter)
	return seen{high != 0, backslash != 0}
}

// markAVX2 is markPortable in the processor's own words, for at least one block. It
// returns what is not 0 where a byte is beyond ASCII, or a backslash.
//
//go:noescape
func markAVX2(dst *marks, text *byte, blocks int, delimiter byte) (high, backslash uint32)
