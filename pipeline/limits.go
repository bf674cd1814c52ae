package pipeline

import (
	"strings"
	"unicode/utf8"
)

// Limits are the greatest lengths of an event's fields that a wire format
// takes, in UTF-16 code units, which is what Rybbit's JavaScript counts. 0 is
// no limit.
type Limits struct {
	Name, Identified, Hostname, Path, Query, Title, Referrer int
	Browser, BrowserVersion, OS, OSVersion, Device           int
	Language, City, Target, TargetText, Message              int
	// URL is the longest page URL: scheme, hostname, path and query together.
	URL int
	// Properties is the greatest length of all properties written as one JSON object.
	Properties int
}

// Units returns the length of s in UTF-16 code units. s must be valid UTF-8.
func Units(s string) int {
	n := 0
	for i := 0; i < len(s); i++ {
		switch b := s[i]; {
		case b < utf8.RuneSelf || b >= 0xC0 && b < 0xF0:
			n++
		case b >= 0xF0: // beyond the basic plane: a surrogate pair
			n += 2
		}
	}
	return n
}

// Cut returns the longest beginning of s that has at most limit UTF-16 code
// units and does not split a character. A limit of 0 cuts nothing.
func Cut(s string, limit int) string {
	// A character never has more units than bytes.
	if limit == 0 || len(s) <= limit {
		return s
	}
	n := 0
	for i, r := range s {
		n++
		if r > 0xFFFF {
			n++
		}
		if n > limit {
			return s[:i]
		}
	}
	return s
}

// cutQuery shortens a query to whole parameters where it can, so that no
// value is left half.
func cutQuery(query string, limit int) string {
	short := CutEscaped(query, limit)
	if len(short) == len(query) || query[len(short)] == '&' {
		return short
	}
	if i := strings.LastIndexByte(short, '&'); i > 0 {
		return short[:i]
	}
	return short
}
