package main

import (
	"path/filepath"
	"strings"
	"testing"

	"hopper/adapters/input"
)

// TestDetectsEachSource has each fixture recognized by its own adapter alone,
// in whatever order the adapters are asked.
func TestDetectsEachSource(t *testing.T) {
	for _, source := range []string{"umami", "plausible", "ga"} {
		paths, err := filepath.Glob("../../fixtures/" + source + "/*")
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			switch base := filepath.Base(path); {
			case base == "broken" || base == "gen", strings.HasSuffix(base, ".go"), strings.HasSuffix(base, ".md"):
				continue
			}
			inputs, err := input.Open(t.Context(), []string{path}, nil, t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			for _, a := range sources() {
				if got := a.Detect(inputs.Files); got != (a.Name() == source) {
					t.Errorf("%s: %s detects it: %v", path, a.Name(), got)
				}
			}
			if err := inputs.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}
