//go:build !purego

package record

import "golang.org/x/sys/cpu"

// marksFast reports whether markBlocks is faster than to look at text when it is read.
func marksFast() bool { return cpu.X86.HasAVX2 }

// markBlocks is markPortable in the processor's own words, for at least one block.
func markBlocks(dst []uint64, text *byte) (beyondASCII bool) {
	return markAVX2(&dst[0], text, len(dst)) != 0
}

//go:noescape
func markAVX2(dst *uint64, text *byte, blocks int) (high uint32)
