package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// smallFixtures are the files among the fixtures that are quickly read.
func smallFixtures(t testing.TB) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir("../../fixtures", func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || slices.Contains([]string{".go", ".md"}, filepath.Ext(path)) {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Size() > 0 && info.Size() < 100<<10 {
			found = append(found, path)
		}
		return err
	})
	if err != nil || len(found) < 50 {
		t.Fatalf("found %d fixtures, %v", len(found), err)
	}
	return found
}

// mutations are what happens to a file on its way.
var mutations = map[string]func(rt *rapid.T, b []byte) []byte{
	"none": func(_ *rapid.T, b []byte) []byte { return b },
	"cut off": func(rt *rapid.T, b []byte) []byte {
		return b[:rapid.IntRange(0, len(b)).Draw(rt, "length")]
	},
	"begins amid": func(rt *rapid.T, b []byte) []byte {
		return b[rapid.IntRange(0, len(b)).Draw(rt, "from"):]
	},
	"other bytes": func(rt *rapid.T, b []byte) []byte {
		for range rapid.IntRange(1, 20).Draw(rt, "bytes") {
			b[rapid.IntRange(0, len(b)-1).Draw(rt, "at")] = rapid.Byte().Draw(rt, "byte")
		}
		return b
	},
	"a word replaced": func(rt *rapid.T, b []byte) []byte {
		words := bytes.FieldsFunc(b[:min(len(b), 2000)], func(r rune) bool { return r < '0' })
		if len(words) == 0 {
			return b
		}
		with := rapid.SampledFrom([]string{"", "x", "0", "NULL", `"`, "1970-01-01", "9999-12-31 00:00:00", "-1"}).Draw(rt, "with")
		return bytes.ReplaceAll(b, rapid.SampledFrom(words).Draw(rt, "word"), []byte(with))
	},
	"digits replaced": func(rt *rapid.T, b []byte) []byte {
		with := rapid.SampledFrom([]byte("09x ")).Draw(rt, "with")
		return bytes.Map(func(r rune) rune {
			if '0' <= r && r <= '9' {
				return rune(with)
			}
			return r
		}, b)
	},
	"a line alone": func(rt *rapid.T, b []byte) []byte {
		return rapid.SampledFrom(bytes.SplitAfter(b, []byte("\n"))).Draw(rt, "line")
	},
	"delimiters replaced": func(rt *rapid.T, b []byte) []byte {
		return bytes.ReplaceAll(b, []byte(","), []byte(rapid.SampledFrom([]string{";", "\t", "", ",,"}).Draw(rt, "with")))
	},
}

// An import that brings nothing fails, whatever it was given.
func TestNothingIsFailure(t *testing.T) {
	files := smallFixtures(t)
	names := make([]string, 0, len(mutations))
	for name := range mutations {
		names = append(names, name)
	}
	slices.Sort(names)
	dir := t.TempDir()
	rapid.Check(t, func(rt *rapid.T) {
		path := rapid.SampledFrom(files).Draw(rt, "fixture")
		content, err := os.ReadFile(path)
		if err != nil {
			rt.Fatal(err)
		}
		name := rapid.SampledFrom(names).Draw(rt, "mutation")
		given := filepath.Join(dir, filepath.Base(path))
		if err := os.WriteFile(given, mutations[name](rt, content), 0o600); err != nil {
			rt.Fatal(err)
		}
		defer os.Remove(given)
		fails(rt, given)
	})
}

// fails imports a file and reports where that is done with nothing, or crashes.
func fails(t rapid.TB, path string) {
	var stdout, stderr strings.Builder
	code := run([]string{"import", "--dry-run", "--json", "--hostname", "example.com", path}, strings.NewReader(""), &stdout, &stderr)
	if code != exitDone {
		if stderr.Len() == 0 {
			t.Fatalf("exit code %d without a word", code)
		}
		return
	}
	var result struct{ Events int64 }
	if err := json.Unmarshal([]byte(stdout.String()), &result); err != nil || result.Events == 0 {
		t.Fatalf("exit code 0 with %d events, %v\n%s\n%s", result.Events, err, &stdout, &stderr)
	}
}

// FuzzNothing looks for such a file among all.
func FuzzNothing(f *testing.F) {
	for _, path := range smallFixtures(f) {
		content, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		if len(content) < 8<<10 {
			f.Add(filepath.Base(path), content)
		}
	}
	f.Fuzz(func(t *testing.T, name string, content []byte) {
		if name = filepath.Base(name); len(name) > 100 || strings.ContainsAny(name, "\x00*?[\\") || strings.HasPrefix(name, ".") || name == "/" {
			return
		}
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Skip(err)
		}
		fails(t, path)
	})
}
