//go:build !amd64 || purego

package record

// marksFast reports whether markBlocks is faster than to look at text when it is read.
func marksFast() bool { return false }

func markBlocks(dst []uint64, text *byte) (beyondASCII bool) { return markPortable(dst, text) }
