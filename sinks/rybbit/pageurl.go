package rybbit

import (
	"net/netip"
	"strconv"
	"strings"
	"unicode/utf8"

	"hopper/pipeline"
)

// Two formats carry a page as one URL, which the server takes apart with the
// WHATWG URL parser (https://url.spec.whatwg.org). What comes out is what went
// in when the host is one that the parser takes as it is, and path and query
// hold only characters that it leaves alone. A browser's own location is such
// a URL, so a tracker's data mostly are; the rest is percent-encoded here, as
// the parser would, and arrives in that spelling.
//
// A page without a host, or with one that no URL can have, gets a URL of a
// scheme of its own, whose host may be empty: the parser hands back path and
// query all the same, where a URL that it refuses would cost the event.
const hostlessURL = "page://"

// escapedInPath and escapedInQuery are the characters that are percent-encoded,
// after the specification's percent-encode sets for paths and special queries;
// the backslash, which the parser takes for a slash, and in paths "?" and "#".
// The percent sign stays: what is escaped already must not be escaped again.
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

// appendPageURL appends the URL of ev's page, in at most limit bytes of ASCII
// that need no JSON escape. The query gives way before the path. An event
// that tells no path gets "/", since no URL is without.
func appendPageURL(dst []byte, ev *pipeline.Event, limit int) []byte {
	end := len(dst) + limit
	if isURLHost(ev.Hostname) {
		dst = append(dst, "https://"...)
		dst = append(dst, ev.Hostname...)
	} else {
		dst = append(dst, hostlessURL...)
	}
	if !strings.HasPrefix(ev.Path, "/") {
		dst = append(dst, '/')
	}
	dst, whole := appendPercent(dst, ev.Path, &escapedInPath, end-len(dst))
	if whole && ev.Query != "" && len(dst) < end-1 {
		dst = append(dst, '?')
		dst, _ = appendPercent(dst, ev.Query, &escapedInQuery, end-len(dst))
	}
	return dst
}

// appendPercent appends s with the characters of set percent-encoded, as much
// as fits limit without splitting a character or an escape, and reports
// whether that was all.
func appendPercent(dst []byte, s string, set *[256]bool, limit int) (_ []byte, all bool) {
	const hex = "0123456789ABCDEF"
	for i := 0; i < len(s); {
		size, need := percentStep(s[i:], set)
		if limit -= need; limit < 0 {
			return dst, false
		}
		switch {
		case need == size:
			dst = append(dst, s[i:i+size]...)
		case size == 1 && s[i] >= utf8.RuneSelf:
			dst = append(dst, "%EF%BF%BD"...) // invalid UTF-8
		default:
			for _, c := range []byte(s[i : i+size]) {
				dst = append(dst, '%', hex[c>>4], hex[c&15])
			}
		}
		i += size
	}
	return dst, true
}

// percentStep returns the length of the character or escape at the start of s
// and of what is written for it.
func percentStep(s string, set *[256]bool) (size, need int) {
	c := s[0]
	switch {
	case c == '%' && len(s) >= 3 && isHex(s[1]) && isHex(s[2]):
		return 3, 3
	case !set[c]:
		return 1, 1
	case c < utf8.RuneSelf:
		return 1, 3
	}
	r, size := utf8.DecodeRuneInString(s)
	if r == utf8.RuneError && size == 1 {
		return 1, len("%EF%BF%BD")
	}
	return size, 3 * size
}

func isHex(c byte) bool { return isDigit(c) || 'a' <= c|0x20 && c|0x20 <= 'f' }

// pageURLCarries says what becomes of f, one of hostname, path and query, on
// its way through a page URL of at most limit bytes.
func pageURLCarries(f pipeline.Field, ev *pipeline.Event, limit int) Fidelity {
	host := isURLHost(ev.Hostname)
	if f == pipeline.FieldHostname {
		return keptIf(host, Lost)
	}
	limit -= len(hostlessURL)
	if host {
		limit = limit + len(hostlessURL) - len("https://") - len(ev.Hostname)
	}
	if !strings.HasPrefix(ev.Path, "/") {
		limit -= len("/")
	}
	path, rest := percentCarries(ev.Path, &escapedInPath, limit)
	if f == pipeline.FieldPath {
		if path == Kept && (hasDotSegment(ev.Path) || !strings.HasPrefix(ev.Path, "/")) {
			return Derived
		}
		return path
	}
	if rest < len("?")+1 {
		return Lost
	}
	query, _ := percentCarries(ev.Query, &escapedInQuery, rest-len("?"))
	return query
}

// percentCarries says what appendPercent does to s, and how much of limit it leaves.
func percentCarries(s string, set *[256]bool, limit int) (_ Fidelity, rest int) {
	carried := Kept
	for i := 0; i < len(s); {
		size, need := percentStep(s[i:], set)
		if limit -= need; limit < 0 {
			return Shortened, 0
		}
		if need != size {
			carried = Derived
		}
		i += size
	}
	return carried, limit
}

// hasDotSegment reports whether a path has a segment that a URL parser
// removes: ".", "..", or either with dots written as "%2e".
func hasDotSegment(path string) bool {
	for segment := range strings.SplitSeq(path, "/") {
		if segment == "" || segment[0] != '.' && segment[0] != '%' {
			continue
		}
		dots := 0
		for segment != "" && dots < 3 {
			switch {
			case segment[0] == '.':
				segment = segment[1:]
			case len(segment) >= 3 && segment[0] == '%' && segment[1] == '2' && segment[2]|0x20 == 'e':
				segment = segment[3:]
			default:
				dots = 3
				continue
			}
			dots++
		}
		if dots < 3 {
			return true
		}
	}
	return false
}

// isURLHost reports whether a URL parser takes host and hands it back
// unchanged: lower-case ASCII names and canonical IP addresses. A host in
// Unicode would come back in punycode, and one that ends in a number but is no
// IPv4 address would spoil the URL; so would a malformed "xn--" label, but no
// browser can have visited that.
func isURLHost(host string) bool {
	if host == "" || len(host) > maxUnitsHostname {
		return false
	}
	if host[0] == '[' {
		addr, err := netip.ParseAddr(strings.Trim(host, "[]"))
		return err == nil && addr.Is6() && !addr.Is4In6() && addr.Zone() == "" && host == "["+addr.String()+"]"
	}
	for i := range len(host) {
		if c := host[i]; !isDigit(c) && (c < 'a' || c > 'z') && c != '.' && c != '-' && c != '_' {
			return false
		}
	}
	last := strings.TrimSuffix(host, ".")
	last = last[strings.LastIndexByte(last, '.')+1:]
	if last == "" || !isDigit(last[0]) {
		return last != ""
	}
	for i := range len(last) {
		if !isHex(last[i]) && last[i] != 'x' {
			return true // an ordinary label such as "3com"
		}
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Is4()
}

// isAddress reports whether s surely is an absolute URL to a URL parser.
func isAddress(s string) bool {
	scheme, rest, found := strings.Cut(s, "://")
	if !found || scheme == "" || strings.Contains(s, `\`) { // which ends a host in some schemes only
		return false
	}
	for i := range len(scheme) {
		c := scheme[i]
		if (c|0x20 < 'a' || c|0x20 > 'z') && (i == 0 || !isDigit(c) && c != '+' && c != '-' && c != '.') {
			return false
		}
	}
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		rest = rest[:i]
	}
	rest = rest[strings.LastIndexByte(rest, '@')+1:]
	if i := strings.LastIndexByte(rest, ':'); i >= 0 && !strings.HasSuffix(rest, "]") {
		port := rest[i+1:]
		rest = rest[:i]
		if _, err := strconv.ParseUint(port, 10, 16); err != nil && port != "" {
			return false
		}
	}
	return isURLHost(strings.ToLower(rest))
}
