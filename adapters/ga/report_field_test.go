package ga

import (
	"testing"

	"pgregory.net/rapid"
)

// Texts in ASCII are spelled as texts are that have a letter behind that is not.
func TestSpellingOfASCII(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.OneOf(rapid.StringMatching(`[ -~]{0,80}`), rapid.StringMatching(`[\x00-\x7f]{0,10}`)).Draw(t, "text")
		if got, want := spelling(s)+"e", spelling(s+"é"); got != want {
			t.Fatalf("%q: %q, want %q", s, got, want)
		}
	})
}
