package wire

import (
	"net/netip"
	"strconv"
	"strings"

	"hopper/pipeline"
)

// Two formats carry a page as one URL, which the server takes apart with the
// WHATWG URL parser (https://url.spec.whatwg.org). What comes out is what went
// in when the host is one that the parser takes as it is, and path and query
// hold only characters that it leaves alone. A browser's own location is such
// a URL, so a tracker's data mostly are; the rest arrives in
// the spelling that [pipeline.EscapePath] and [pipeline.EscapeQuery] give it.
//
// A page without a host, or with one that no URL can have, gets a URL of a
// scheme of its own, whose host may be empty: the parser hands back path and
// query all the same, where a URL that it refuses would cost the event.
const hostlessURL = "page://"

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
	path := pagePath(ev)
	short := pipeline.CutEscaped(path, end-len(dst))
	dst = append(dst, short...)
	if rest := end - len(dst) - len("?"); len(short) == len(path) && ev.Query != "" && rest > 0 {
		dst = append(dst, '?')
		dst = append(dst, pipeline.CutEscaped(pipeline.EscapeQuery(ev.Query), rest)...)
	}
	return dst
}

// pagePath is the path that the URL of ev's page has.
func pagePath(ev *pipeline.Event) string {
	if !strings.HasPrefix(ev.Path, "/") {
		return pipeline.EscapePath("/" + ev.Path)
	}
	return pipeline.EscapePath(ev.Path)
}

// pageURLCarries says what becomes of f, one of hostname, path and query, on
// its way through a page URL of at most limit bytes.
func pageURLCarries(f pipeline.Field, ev *pipeline.Event, limit int) Fidelity {
	host := isURLHost(ev.Hostname)
	if f == pipeline.FieldHostname {
		return keptIf(host, Lost)
	}
	scheme := hostlessURL
	if host {
		scheme = "https://"
		limit -= len(ev.Hostname)
	}
	limit -= len(scheme)
	path := pagePath(ev)
	if f == pipeline.FieldPath {
		return escapedCarries(ev.Path, path, limit)
	}
	limit -= len(path) + len("?")
	if limit <= 0 {
		return Lost
	}
	return escapedCarries(ev.Query, pipeline.EscapeQuery(ev.Query), limit)
}

func escapedCarries(s, escaped string, limit int) Fidelity {
	switch {
	case len(escaped) > limit:
		return Shortened
	case escaped != s:
		return Derived
	}
	return Kept
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

func isHex(c byte) bool { return isDigit(c) || 'a' <= c|0x20 && c|0x20 <= 'f' }

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
