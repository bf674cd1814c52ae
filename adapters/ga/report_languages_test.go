package ga

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/text/language/display"
)

// TestLanguageNames holds the table of languages to the one that it is made of.
func TestLanguageNames(t *testing.T) {
	want := make(map[string]string)
	english := display.English.Tags()
	for _, tag := range display.Supported.Tags() {
		if name := strings.ToLower(english.Name(tag)); name != "" && want[name] == "" {
			want[name] = tag.String()
		}
	}
	if *update {
		var text strings.Builder
		for _, name := range slices.Sorted(maps.Keys(want)) {
			text.WriteString(name + "\t" + want[name] + "\n")
		}
		if err := os.WriteFile("languages.txt", []byte(text.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if got := languageCodes(); !maps.Equal(got, want) {
		t.Errorf("languages.txt has %d names, want %d; go test . -run %s -update writes it anew", len(got), len(want), t.Name())
	}
}
