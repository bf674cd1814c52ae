//go:build unix

package input

import (
	"encoding/binary"
	"io/fs"
	"syscall"
)

// fileID returns the file's device and number, which all its names share.
func fileID(path string, info fs.FileInfo) string {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return path
	}
	id := binary.BigEndian.AppendUint64(nil, uint64(stat.Dev))
	return string(binary.BigEndian.AppendUint64(id, uint64(stat.Ino)))
}
