package pipeline

import (
	"strings"
	"unicode/utf8"

	"hopper/pipeline/byteset"
)

// Some sources store pages as browsers send them, percent-encoded, and others
// decoded; some wire formats carry a page's parts and others a URL, which
// Rybbit takes apart with a URL parser. For one page to be one page in all of
// them, paths and queries are brought into the form in which a browser shows
// its location, which is also how Rybbit's own tracker stores them: that of the
// WHATWG URL parser (https://url.spec.whatwg.org).

// escapedInPath and escapedInQuery are the bytes that are percent-encoded:
// the specification's percent-encode sets for paths and special queries, and
// the backslash, which the parser takes for a slash, and in paths "?" and "#".
// The percent sign stays: what is escaped must not be escaped again.
var (
	escapedInPath  = escapeSet("\"#<>?\\^`{}")
	escapedInQuery = escapeSet("\"#'<>\\")
)

func escapeSet(chars string) (set [256]bool) {
	for c := range set {
		set[c] = c <= ' ' || c >= 0x7F || strings.IndexByte(chars, byte(c)) >= 0
	}
	return set
}

// These are looked for in every event.
var (
	// unlikePath are the bytes for which EscapePath may change a path, among them those
	// of segments of dots, which may be escaped, and "?".
	unlikePath = byteset.Of(func(c byte) bool { return escapedInPath[c] || c == '.' || c == '%' })
	// unlikeQuery are the bytes for which EscapeQuery changes a query.
	unlikeQuery = byteset.Of(func(c byte) bool { return escapedInQuery[c] })
	// unlikeHost are the bytes that hosts in lower case do not have.
	unlikeHost = byteset.Of(func(c byte) bool { return (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '.' })
	// unlikeAddress are spaces, controls and all that is not ASCII.
	unlikeAddress = byteset.Of(func(c byte) bool { return c <= ' ' || c >= 0x7F })

	// unlikePage are those of host, path, query and referrer.
	unlikePage = byteset.Together(unlikeHost, unlikePath, unlikeQuery, unlikeAddress)
)

// EscapePath returns path, which begins with "/", as a browser shows it:
// percent-encoded and without segments "." and "..".
func EscapePath(path string) string {
	if !unlikePath.HasAny(path) {
		return path
	}
	return escape(removeDots(path), &escapedInPath)
}

// EscapeQuery returns a query, without its "?", as a browser shows it.
func EscapeQuery(query string) string {
	if !unlikeQuery.HasAny(query) {
		return query
	}
	return escape(query, &escapedInQuery)
}

func escape(s string, set *[256]bool) string {
	clean := 0
	for clean < len(s) && !set[s[clean]] {
		clean++
	}
	if clean == len(s) {
		return s
	}
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	b.Grow(len(s) + 16)
	b.WriteString(s[:clean])
	for i := clean; i < len(s); i++ {
		c := s[i]
		if !set[c] {
			b.WriteByte(c)
			continue
		}
		b.WriteByte('%')
		b.WriteByte(hex[c>>4])
		b.WriteByte(hex[c&15])
	}
	return b.String()
}

// removeDots removes the segments that a URL parser removes: ".", "..", and
// either with dots written as "%2e".
func removeDots(path string) string {
	if !strings.Contains(path, "/.") && !strings.Contains(path, "/%2") {
		return path
	}
	var kept []string
	segments := strings.Split(strings.TrimPrefix(path, "/"), "/")
	for i, segment := range segments {
		last := i == len(segments)-1
		switch dots(segment) {
		case 1:
			if last {
				kept = append(kept, "")
			}
		case 2:
			kept = kept[:max(0, len(kept)-1)]
			if last {
				kept = append(kept, "")
			}
		default:
			kept = append(kept, segment)
		}
	}
	return "/" + strings.Join(kept, "/")
}

// dots returns 1 for a segment ".", 2 for "..", and 0 for any other.
func dots(segment string) int {
	if len(segment) > len("%2e%2e") {
		return 0
	}
	switch strings.ReplaceAll(strings.ToLower(segment), "%2e", ".") {
	case ".":
		return 1
	case "..":
		return 2
	}
	return 0
}

// CutEscaped is [Cut] for escaped text: it splits no escape, and no character
// that is written as several.
func CutEscaped(s string, limit int) string {
	short := Cut(s, limit)
	if len(short) == len(s) {
		return s
	}
	if i := strings.LastIndexByte(short, '%'); i >= 0 && len(short)-i < len("%00") {
		short = short[:i]
	}
	// Go back over the continuation bytes of a character that is not whole.
	for end := len(short); ; end -= len("%00") {
		c, ok := lastEscape(short[:end])
		if !ok || c < utf8.RuneSelf {
			return short
		}
		if !utf8.RuneStart(c) {
			continue
		}
		if written := len(short[end-len("%00"):]) / len("%00"); written < encodedLen(c) {
			return short[:end-len("%00")]
		}
		return short
	}
}

// lastEscape returns the byte that the escape at the end of s stands for.
func lastEscape(s string) (c byte, ok bool) {
	if len(s) < len("%00") || s[len(s)-3] != '%' {
		return 0, false
	}
	hi, lo := unhex(s[len(s)-2]), unhex(s[len(s)-1])
	return hi<<4 | lo&15, hi < 16 && lo < 16
}

func unhex(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10
	}
	return 16
}

// encodedLen returns how many bytes a character takes that begins with c.
func encodedLen(c byte) int {
	switch {
	case c >= 0xF0:
		return 4
	case c >= 0xE0:
		return 3
	case c >= 0xC0:
		return 2
	}
	return 1
}
