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

// TestSpeller holds what spells letter by letter to what spells all of a text.
func TestSpeller(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var spell speller
		texts := rapid.OneOf(rapid.String(), rapid.StringMatching(`[İıŁßÄé́ｶﾞがﬃ한각½Ⅳ％A%-9\x80-\xff]{0,20}`))
		for _, s := range rapid.SliceOfN(texts, 1, 4).Draw(t, "texts") {
			if got, want := string(spell.spelling(s)), spelling(s); got != want {
				t.Fatalf("%q: %q, want %q", s, got, want)
			}
		}
	})
}
