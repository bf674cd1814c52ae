package hopper

import (
	"strings"
	"testing"

	"hopper/adapters"
	"hopper/adapters/adaptertest"
	"hopper/adapters/input"
)

// TestEachSourceMatchesItsOwn has each fixture recognized by its own adapter alone,
// in whatever order the adapters are asked.
func TestEachSourceMatchesItsOwn(t *testing.T) {
	for _, source := range SourceNames() {
		for _, path := range adaptertest.Exports(t, "fixtures/"+source) {
			inputs, err := input.Open(t.Context(), []string{path}, nil, t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			for _, a := range Sources() {
				if m := a.Match(t.Context(), inputs.Files); (m.Fit != adapters.NoFit) != (a.Name() == source) {
					t.Errorf("%s: it fits %s: %d", path, a.Title(), m.Fit)
				}
			}
			if err := inputs.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

// TestImportsPointOneWay holds the direction of imports: cmd, the root,
// adapters and sinks, what they are made of, pipeline.
func TestImportsPointOneWay(t *testing.T) {
	for path, imports := range importsOfModule(t) {
		for _, imported := range imports {
			if path == "hopper/pipeline/recount" && imported == "hopper/adapters/input/spill" {
				continue // until recount takes its sorter from its caller
			}
			if layer(path) < layer(imported) || layer(path) == layer(imported) && part(path) != part(imported) {
				t.Errorf("%s imports %s", path, imported)
			}
		}
	}
}

// layer is how far up a package stands.
func layer(path string) int {
	under := func(prefix string) bool { return path == prefix || strings.HasPrefix(path, prefix+"/") }
	switch {
	case under("hopper/cmd"):
		return 5
	case path == "hopper":
		return 4
	case under("hopper/pipeline/recount"):
		return 1
	case under("hopper/adapters/input"), under("hopper/adapters/reconstruct"):
		return 2
	case under("hopper/adapters"), under("hopper/sinks"):
		return 3
	}
	return 0 // pipeline and what it is made of
}

// part is what a package belongs to: those of one layer know only their own part.
func part(path string) string {
	elements := strings.SplitN(path, "/", 4)
	return strings.Join(elements[:min(len(elements), 2)], "/")
}
