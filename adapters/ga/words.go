package ga

import (
	"strings"
	"unicode/utf8"
)

// clean returns s without surrounding space, and "" for the words that Google
// Analytics writes where it knows or tells nothing.
func clean(s string) string {
	if s == "" {
		return ""
	}
	if first, last := s[0], s[len(s)-1]; first <= ' ' || first >= utf8.RuneSelf || last <= ' ' || last >= utf8.RuneSelf {
		s = strings.TrimSpace(s)
	}
	if s == "" || s[0] != '(' && s[0] != '<' && s[0] != 'n' {
		return s
	}
	switch s {
	case "(not set)", "(not provided)", "(none)", "(other)", "(data deleted)", "(unset)", "(unknown)",
		"<Other>", "<obfuscated>", "<obfuscated value>", "not available in demo dataset", "null", "not set":
		return ""
	}
	return s
}
