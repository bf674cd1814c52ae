package wire

import (
	"net/netip"
	"strconv"
	"strings"

	"hopper/pipeline"
	"hopper/pipeline/byteset"
)

// Two formats carry a page as one URL, which the server parses by the WHATWG's
// standard (https://url.spec.whatwg.org). Host, path and query survive unchanged
// when the parser accepts the host as it is and path and query hold no character
// that it escapes. The address that a browser reports is such a URL. Any other
// page arrives in the spelling of [pipeline.EscapePath] and [pipeline.EscapeQuery].
//
// A page without a host, or with one that no URL can have, gets a URL with a
// scheme of its own, whose host may be empty. The parser returns its path and
// query, whereas a URL that it refuses would lose the event.
const hostlessURL = "page://"

// appendPageURL appends the URL of ev's page, in at most limit bytes of ASCII
// that need no JSON escape. The query is cut before the path is. An event
// without a path gets "/", because every URL has a path.
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

// pageURLCarries returns what becomes of the hostname, path or query in a page URL
// of at most limit bytes.
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

// isURLHost reports whether a URL parser accepts host and returns it unchanged:
// lower-case ASCII names and canonical IP addresses. It would return a Unicode
// host in punycode, and refuse one that ends in a number but is no IPv4 address.
// It would refuse a malformed "xn--" label too, but no browser can have visited
// such a host.
func isURLHost(host string) bool {
	if host == "" || len(host) > maxUnitsHostname {
		return false
	}
	if host[0] == '[' {
		addr, err := netip.ParseAddr(strings.Trim(host, "[]"))
		return err == nil && addr.Is6() && !addr.Is4In6() && addr.Zone() == "" && host == "["+addr.String()+"]"
	}
	if notOfHost.HasAny(host) {
		return false
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

// notOfHost are the bytes that no name of a host has.
var notOfHost = byteset.Of(func(c byte) bool { return !isDigit(c) && (c < 'a' || c > 'z') && c != '.' && c != '-' && c != '_' })

func isHex(c byte) bool { return isDigit(c) || 'a' <= c|0x20 && c|0x20 <= 'f' }

// isAddress reports whether every URL parser reads s as an absolute URL.
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
