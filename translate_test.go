package hopper

import (
	"bytes"
	"os"
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

// TestPropertiesReadBack holds that what a property is, text or JSON, comes back from
// every container.
func TestPropertiesReadBack(t *testing.T) {
	dir := t.TempDir()
	given := filepath.Join(dir, "given.ndjson")
	row := `{"time":"2025-03-01T09:02:00.000000Z","kind":"custom_event","name":"a","visitor":"8e61b53c-0d6a-531b-b219-4781b9ca216e",` +
		`"session":"fb834348-f803-5cee-a3a1-321f959dfe87","hostname":"shop.example","path":"/tea",`
	rows := row + `"properties":{"text":"7","true":"true","quoted":"\"7\"","":"","number":12.50,"big":12345678901234567890123,"exponent":1e3,"null":"null",` +
		`"none":null,"flag":false,"list":[1,"2",{"a":"b"}],"object":"{\"a\":1}","key \"of\" é":"ü\u000a"},"user_properties":{"plan":"pro","seats":3}}` + "\n" +
		row + `"user_properties":{"seats":"3"}}` + "\n"
	if err := os.WriteFile(given, []byte(rows), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, container := range file.Formats() {
		out, back := filepath.Join(dir, "out."+string(container)), filepath.Join(dir, string(container)+".ndjson")
		for _, step := range []struct {
			in string
			to Translation
		}{{given, Translation{Format: container, Out: out}}, {out, Translation{Out: back}}} {
			e, err := Open(t.Context(), []string{step.in}, Options{})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := e.Translate(t.Context(), step.to); err != nil {
				t.Fatal(err)
			}
			if err := e.Close(); err != nil {
				t.Error(err)
			}
		}
		if got, err := os.ReadFile(back); err != nil || string(got) != rows {
			t.Errorf("%s gives back %v\n%s\nof\n%s", container, err, got, rows)
		}
	}
}

// TestTranslationsMove holds that a directory of parts says nothing of where it was
// made, and is read wherever it is moved to.
func TestTranslationsMove(t *testing.T) {
	given, err := filepath.Abs("fixtures/umami/postgres")
	if err != nil {
		t.Fatal(err)
	}
	e, err := Open(t.Context(), []string{given}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	made, moved := t.TempDir(), filepath.Join(t.TempDir(), "moved")
	if _, err := e.Translate(t.Context(), Translation{Format: file.Parquet, Site: "1", Out: made}); err != nil {
		t.Fatal(err)
	}
	manifest, err := os.ReadFile(filepath.Join(made, "manifest.json"))
	if err != nil || !bytes.Contains(manifest, []byte(`"postgres/website_event.csv"`)) || bytes.Contains(manifest, []byte(filepath.Dir(given))) || bytes.Contains(manifest, []byte(made)) {
		t.Errorf("%v: the manifest names places:\n%s", err, manifest)
	}
	if err := os.Rename(made, moved); err != nil {
		t.Fatal(err)
	}
	format := wire.Formats()[0]
	if got, want := digest(t, moved, format), digest(t, given, format); bytesOf(got) != bytesOf(want) {
		t.Errorf("what was moved gives %s, the export %s", got, want)
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
