package ga

import (
	"strings"
)

// splitURL takes a page's address apart as Google Analytics writes it: with a
// scheme, without, or a path alone. Port and fragment are dropped.
func splitURL(u string) (host, path, query string) {
	u = strings.TrimSpace(u)
	if i := strings.IndexByte(u, '#'); i >= 0 {
		u = u[:i]
	}
	u, query, _ = strings.Cut(u, "?")
	rest, full := strings.CutPrefix(u, "https://") // as most begin
	if !full {
		rest, full = cutScheme(u)
	}
	if !full {
		return "", rest, query
	}
	host, path = rest, ""
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		host, path = rest[:i], rest[i:]
	}
	if i := strings.LastIndexByte(host, '@'); i >= 0 {
		host = host[i+1:]
	}
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		host = host[:i]
	}
	if path == "" && host != "" {
		path = "/"
	}
	return host, path, query
}

// cutScheme returns what follows an address's scheme, or the address where a host
// begins it, and whether it has a host.
func cutScheme(u string) (rest string, full bool) {
	if i := strings.Index(u, "://"); i > 0 && !strings.ContainsAny(u[:i], "/.") {
		return u[i+3:], true
	}
	if strings.HasPrefix(u, "//") {
		return u[2:], true
	}
	i := strings.IndexByte(u+"/", '/')
	return u, i > 0 && strings.Contains(u[:i], ".")
}

// splitPath is splitURL for what is a path: two slashes begin no host there.
func splitPath(p string) (host, path, query string) {
	p = strings.TrimSpace(p)
	if !strings.HasPrefix(p, "//") {
		return splitURL(p)
	}
	p, _, _ = strings.Cut(p, "#")
	path, query, _ = strings.Cut(p, "?")
	return "", path, query
}

// cleanReferrer takes off the bare "?" that Google's obfuscation leaves.
func cleanReferrer(s string) string { return strings.TrimSuffix(clean(s), "?") }
