package hopper

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"
)

// importsOfModule returns, for each package of the module, those that it imports.
// All begin with "hopper", whatever path the module was given.
func importsOfModule(t *testing.T) map[string][]string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports,Module", "./...")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	found := map[string][]string{}
	for decoder := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p struct {
			ImportPath string
			Imports    []string
			Module     struct{ Path string }
		}
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			return found
		} else if err != nil {
			t.Fatal(err)
		}
		for _, imported := range p.Imports {
			if under, ok := strings.CutPrefix(imported+"/", p.Module.Path+"/"); ok {
				importer := "hopper" + strings.TrimPrefix(p.ImportPath, p.Module.Path)
				found[importer] = append(found[importer], strings.TrimSuffix("hopper/"+under, "/"))
			}
		}
	}
}
