//go:build !amd64 || purego

package text

// markBlocks fills dst for as many blocks of text.
func markBlocks(dst []marks, text *byte, delimiter byte) seen {
	return markPortable(dst, text, delimiter)
}
