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

// Referrers puts the addresses of a chunk's referrers together as [Referrer] does,
// without memory for each. The zero Referrers works. It is for one goroutine.
type Referrers struct {
	built  strings.Builder // holds addresses, one behind the other
	origin [16]struct{ domain, origin string }
}

// builtReferrers is how much a builder of [Referrers] holds.
const builtReferrers = 8 << 10

// Of returns what [Referrer] returns.
func (r *Referrers) Of(domain, path, query string) string {
	if domain == "" {
		if path == "" || path[0] == '/' { // most have none
			return ""
		}
		return Referrer(domain, path, query)
	}
	origin := r.originOf(domain)
	switch {
	case origin == "": // spaces
		return Referrer("", path, query)
	case path == "" && query == "":
		return origin
	}
	// To begin another builder leaves what the one before holds as it is.
	if room := len(origin) + len(path) + len(query) + len("/?"); r.built.Cap()-r.built.Len() < room {
		r.built = strings.Builder{}
		r.built.Grow(max(room, builtReferrers))
	}
	from := r.built.Len()
	r.built.WriteString(origin)
	if path != "" && path[0] != '/' {
		r.built.WriteByte('/')
	}
	r.built.WriteString(path)
	if query != "" {
		r.built.WriteByte('?')
		r.built.WriteString(strings.TrimPrefix(query, "?"))
	}
	return r.built.String()[from:]
}

// originOf returns domain with its scheme, which it finds once for those that repeat.
func (r *Referrers) originOf(domain string) string {
	n := len(domain)
	known := &r.origin[(n+int(domain[n/2])+int(domain[n-1]))%len(r.origin)]
	if known.domain != domain {
		known.domain, known.origin = domain, Referrer(domain, "", "")
	}
	return known.origin
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
