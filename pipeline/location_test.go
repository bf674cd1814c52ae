package pipeline

import (
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestEscapePath(t *testing.T) {
	for path, want := range map[string]string{
		"/":                  "/",
		"/a/b":               "/a/b",
		"/%C3%A9":            "/%C3%A9",
		"/é":                 "/%C3%A9",
		"/a b":               "/a%20b",
		`/a\b`:               "/a%5Cb",
		"/100%":              "/100%",
		"/a/../b/./c":        "/b/c",
		"/a/..":              "/",
		"/a/.":               "/a/",
		"/../..":             "/",
		"/a/%2e%2E/b":        "/b",
		"/.well-known/x":     "/.well-known/x",
		"/a?b#c":             "/a%3Fb%23c",
		"//double//slash":    "//double//slash",
		"/emoji/\U0001F600/": "/emoji/%F0%9F%98%80/",
	} {
		if got := EscapePath(path); got != want {
			t.Errorf("EscapePath(%q) = %q, want %q", path, got, want)
		}
	}
}

func TestCutEscaped(t *testing.T) {
	for _, c := range []struct {
		s     string
		limit int
		want  string
	}{
		{"/abc", 4, "/abc"},
		{"/abc", 3, "/ab"},
		{"/a%20b", 5, "/a%20"},
		{"/a%20b", 4, "/a"},
		{"/%C3%A9x", 7, "/%C3%A9"},
		{"/%C3%A9x", 6, "/"},
		{"/%C3%A9x", 4, "/"},
		{"/%F0%9F%98%80", 12, "/"},
		{"/%F0%9F%98%80!", 13, "/%F0%9F%98%80"},
		{"/%zz", 3, "/"},
	} {
		if got := CutEscaped(c.s, c.limit); got != c.want {
			t.Errorf("CutEscaped(%q, %d) = %q, want %q", c.s, c.limit, got, c.want)
		}
	}
}

// TestEscapeProperties checks that what is escaped stays as it is, means what
// it meant, and is cut at whole characters.
func TestEscapeProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		path := "/" + rapid.String().Draw(t, "path")
		escaped := EscapePath(path)
		if again := EscapePath(escaped); again != escaped {
			t.Fatalf("%q, escaped twice: %q", escaped, again)
		}
		if !strings.HasPrefix(escaped, "/") {
			t.Fatalf("%q is no path", escaped)
		}
		cut := CutEscaped(escaped, rapid.IntRange(1, 60).Draw(t, "limit"))
		if !strings.HasPrefix(escaped, cut) {
			t.Fatalf("%q does not begin %q", cut, escaped)
		}
		if strings.Contains(path, "%") || !utf8.ValidString(path) {
			return // what was no escape before may have become one
		}
		if decoded, err := url.PathUnescape(cut); err != nil || !utf8.ValidString(decoded) {
			t.Fatalf("cut %q: %q, %v", cut, decoded, err)
		}
		if query, err := url.QueryUnescape(strings.ReplaceAll(EscapeQuery(path), "+", "%2B")); err != nil || query != path {
			t.Fatalf("query %q: %q, %v", path, query, err)
		}
	})
}
