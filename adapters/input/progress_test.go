package input

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestProgress counts what is read and hashed of some inputs and of all, however they are
// read: again, in part, for their heads.
func TestProgress(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a.csv", "b.csv", "c.csv"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(strings.Repeat("a,b\nx,y\n", 1000)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	rapid.Check(t, func(rt *rapid.T) {
		all, err := Open(t.Context(), []string{dir}, nil, "")
		if err != nil {
			rt.Fatal(err)
		}
		defer all.Close()
		of := []*Inputs{all}
		rt.Repeat(map[string]func(*rapid.T){
			"": func(rt *rapid.T) {
				for _, ins := range of {
					var read, hashed, size int64
					for _, in := range ins.Files {
						read, hashed, size = read+in.read.Load(), hashed+in.hashed.Load(), size+in.size
					}
					if ins.BytesRead() != read || ins.BytesIdentified() != hashed || ins.Size() != size {
						rt.Fatalf("of %d files %d bytes are read and %d hashed of %d, want %d, %d, %d",
							len(ins.Files), ins.BytesRead(), ins.BytesIdentified(), ins.Size(), read, hashed, size)
					}
				}
			},
			"read": func(rt *rapid.T) {
				in := rapid.SampledFrom(of[len(of)-1].Files).Draw(rt, "input")
				r, err := in.Open(t.Context())
				if err != nil {
					rt.Fatal(err)
				}
				defer r.Close()
				if _, err := io.CopyN(io.Discard, r, rapid.Int64Range(0, in.size).Draw(rt, "bytes")); err != nil {
					rt.Fatal(err)
				}
			},
			"head": func(rt *rapid.T) {
				in := rapid.SampledFrom(of[len(of)-1].Files).Draw(rt, "input")
				in.head = nil
				in.shared.latest.Store(nil)
				in.Head()
			},
			"identify": func(rt *rapid.T) {
				if _, err := of[len(of)-1].Identify(t.Context(), rapid.Bool().Draw(rt, "sha")); err != nil {
					rt.Fatal(err)
				}
			},
			"part": func(rt *rapid.T) {
				whole := of[len(of)-1].Files
				first := rapid.IntRange(0, len(whole)-1).Draw(rt, "first")
				of = []*Inputs{all.Only(whole[first:])}
			},
		})
	})
}
