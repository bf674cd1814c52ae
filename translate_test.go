package hopper

import (
	"path/filepath"
	"testing"

	"hopper/adapters/adaptertest"
	"hopper/sinks/file"
	"hopper/sinks/rybbit/wire"
)

// TestTranslationsReadBackTheSame translates every fixture to the table of
// events, in every container, and holds what the table gives to what the
// fixture gives, byte for byte.
func TestTranslationsReadBackTheSame(t *testing.T) {
	format := wire.Formats()[0]
	for _, source := range SourceNames() {
		for _, path := range adaptertest.Exports(t, "fixtures/"+source) {
			want := digest(t, path, format)
			if want == "unusable" {
				continue
			}
			for _, container := range file.Formats() {
				e, err := Open(t.Context(), []string{path}, Options{Jobs: 2})
				if err != nil {
					t.Fatal(err)
				}
				out := filepath.Join(t.TempDir(), "events."+string(container))
				if _, err := e.Translate(t.Context(), Translation{Format: container, Site: "1", Out: out}); err != nil {
					t.Errorf("%s as %s: %v", path, container, err)
				}
				if err := e.Close(); err != nil {
					t.Error(err)
				}
				if got := digest(t, out, format); bytesOf(got) != bytesOf(want) {
					t.Errorf("%s as %s gives %s, itself %s", path, container, got, want)
				}
			}
		}
	}
}

// bytesOf cuts the number of rows from a digest: an export's rows and its
// events are not the same number.
func bytesOf(digest string) string {
	for i := range digest {
		if digest[i] == ',' {
			return digest[i:]
		}
	}
	return digest
}
