package input_test

import (
	"path/filepath"
	"testing"

	"hopper/adapters/input/store/storetest"
)

func TestFiles(t *testing.T) {
	dir := t.TempDir()
	storetest.Run(t, storetest.Server{
		Put:     func(t *testing.T, key string, content []byte) { write(t, dir, key, content) },
		Address: func(key string) string { return dir + string(filepath.Separator) + filepath.FromSlash(key) },
	})
}
