package ga

import (
	"net/url"
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
	rest, full := u, false
	if i := strings.Index(u, "://"); i > 0 && !strings.ContainsAny(u[:i], "/.") {
		rest, full = u[i+3:], true
	} else if strings.HasPrefix(u, "//") {
		rest, full = u[2:], true
	} else if i := strings.IndexByte(u+"/", '/'); i > 0 && strings.Contains(u[:i], ".") {
		full = true
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

// withQuery adds key=value to a query that lacks the key.
func withQuery(query, key, value string) string {
	if value == "" {
		return query
	}
	for rest := query; rest != ""; {
		var pair string
		pair, rest, _ = strings.Cut(rest, "&")
		if len(pair) >= len(key) && strings.EqualFold(pair[:len(key)], key) && (len(pair) == len(key) || pair[len(key)] == '=') {
			return query
		}
	}
	if query != "" {
		query += "&"
	}
	return query + key + "=" + url.QueryEscape(value)
}

func trimWWW(host string) string { return strings.TrimPrefix(strings.ToLower(host), "www.") }

// isHost tells a referring site's name from "google" and free text.
func isHost(s string) bool {
	return strings.Contains(s, ".") && !strings.ContainsAny(s, " /?#@") && !strings.HasPrefix(s, ".") && !strings.HasSuffix(s, ".")
}

// cleanReferrer takes off the bare "?" that Google's obfuscation leaves.
func cleanReferrer(s string) string { return strings.TrimSuffix(clean(s), "?") }
