//go:build !unix

package input

import (
	"io/fs"
	"path/filepath"
)

// fileID returns the file's path without links.
func fileID(path string, _ fs.FileInfo) string {
	if full, err := filepath.Abs(path); err == nil {
		path = full
	}
	if plain, err := filepath.EvalSymlinks(path); err == nil {
		path = plain
	}
	return path
}
