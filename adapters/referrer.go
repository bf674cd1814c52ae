package adapters

import "strings"

// Referrer returns the address of a referrer that a source keeps in parts. A
// path without a domain is a page of the site itself, which is no referrer, or
// where it begins with no slash all of an app's address.
func Referrer(domain, path, query string) string {
	domain = strings.TrimSpace(domain)
	if domain == "" && (path == "" || path[0] == '/') {
		return ""
	}
	if domain != "" {
		if path != "" && path[0] != '/' {
			path = "/" + path
		}
		if !strings.Contains(domain, "://") {
			domain = "https://" + domain
		}
	}
	if query == "" {
		return domain + path
	}
	return domain + path + "?" + strings.TrimPrefix(query, "?")
}

// IsHost tells a host's name, perhaps with a port, from "google" and free text.
func IsHost(s string) bool {
	s, _, _ = strings.Cut(s, ":")
	dot := strings.LastIndexByte(s, '.')
	if dot <= 0 || dot == len(s)-1 || s[0] == '.' {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case isLetter(c), isDigit(c), c == '.', c == '-', c == '_', c >= 0x80:
		default:
			return false
		}
	}
	return true
}

// SameHost reports whether two hosts are the same site's, which "www." in front
// of one of them does not change.
func SameHost(a, b string) bool { return strings.EqualFold(trimWWW(a), trimWWW(b)) }

func trimWWW(host string) string {
	if len(host) > 4 && strings.EqualFold(host[:4], "www.") {
		return host[4:]
	}
	return host
}
