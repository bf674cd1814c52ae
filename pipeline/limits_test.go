package pipeline

import (
	"strings"
	"testing"
	"unicode/utf16"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// awkward draws text of what goes wrong in fields: separators, escapes, characters
// of each length in UTF-8 and UTF-16, sometimes long, sometimes no UTF-8.
func awkward(max int) *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		piece := rapid.OneOf(
			rapid.SampledFrom([]string{
				"/", "?", "&", "=", "#", "%", "%2", "%20", ":", "://", ".", "..", "@", "[", "]", " ", "\t", "\n", "\x00", `"`, `\`, ",",
				"a", "Z", "é", "İ", "ß", "€", "😀", "👩‍👩‍👧", "\u2028", "\uFFFD", "\xff", "\xed\xa0\x80", "https://", "www.example.com", "localhost:8080",
			}),
			rapid.StringN(0, 6, -1),
		)
		text := strings.Join(rapid.SliceOfN(piece, 0, 8).Draw(t, "pieces"), "")
		if rapid.IntRange(0, 9).Draw(t, "long") == 0 {
			text = strings.Repeat(text+"x", max/(len(text)+1)+1)
		}
		return text
	})
}

func TestUnitsAndCut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := strings.ToValidUTF8(awkward(100).Draw(t, "text"), "\uFFFD")
		if got, want := Units(s), len(utf16.Encode([]rune(s))); got != want {
			t.Fatalf("%q has %d units, not %d", s, want, got)
		}
		limit := rapid.IntRange(0, 120).Draw(t, "limit")
		short := Cut(s, limit)
		if limit == 0 {
			if short != s {
				t.Fatalf("no limit cuts %q to %q", s, short)
			}
			return
		}
		if !strings.HasPrefix(s, short) || !utf8.ValidString(short) || Units(short) > limit {
			t.Fatalf("%q cut to %d units is %q", s, limit, short)
		}
		if next, size := utf8.DecodeRuneInString(s[len(short):]); size > 0 && Units(short+string(next)) <= limit {
			t.Fatalf("%q cut to %d units is %q, and %q would still fit", s, limit, short, next)
		}
		for name, cut := range map[string]func(string, int) string{"query": cutQuery, "path": CutEscaped, "URL": cutURL} {
			short := cut(s, limit)
			if Units(short) > limit || !utf8.ValidString(short) || len(short) > len(s) || Units(s) <= limit && short != s {
				t.Fatalf("%s %q cut to %d units is %q", name, s, limit, short)
			}
		}
	})
}

func TestCutQuery(t *testing.T) {
	for _, tt := range []struct {
		query string
		limit int
		want  string
	}{
		{"a=1&b=2", 7, "a=1&b=2"},
		{"a=1&b=2", 6, "a=1"},
		{"a=1&b=2", 4, "a=1"},
		{"a=1&b=2", 3, "a=1"},
		{"a=1&b=2", 2, "a="},
		{"long=%C3%A9", 9, "long="},
		{"long=%C3%A9", 10, "long="},
		{"long=%C3%A9", 7, "long="},
		{"&a=1", 3, "&a="},
		{"utm_source=x&utm_term=😀😀", 25, "utm_source=x"},
	} {
		if got := cutQuery(tt.query, tt.limit); got != tt.want {
			t.Errorf("%q cut to %d is %q, want %q", tt.query, tt.limit, got, tt.want)
		}
	}
}

func TestCutURL(t *testing.T) {
	for _, tt := range []struct {
		url   string
		limit int
		want  string
	}{
		{"https://a.example/b?c=1&d=2#e", 29, "https://a.example/b?c=1&d=2#e"},
		{"https://a.example/b?c=1&d=2#e", 28, "https://a.example/b?c=1&d=2"},
		{"https://a.example/b?c=1&d=2#e", 26, "https://a.example/b?c=1"},
		{"https://a.example/b?c=1&d=2#e", 20, "https://a.example/b"},
		{"https://a.example/%C3%A9", 20, "https://a.example/"},
		{"https://a.example/b#%C3%A9", 20, "https://a.example/b"},
		{"https://a.example/b?", 20, "https://a.example/b?"},
	} {
		if got := cutURL(tt.url, tt.limit); got != tt.want {
			t.Errorf("%q cut to %d is %q, want %q", tt.url, tt.limit, got, tt.want)
		}
	}
}
