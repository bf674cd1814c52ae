package sandbox

import (
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// webURL is what Rybbit reads from an address, the way a browser's URL class
// would (https://url.spec.whatwg.org): the host without its port and in ASCII,
// the path without dot segments and percent-encoded, the query with its "?".
type webURL struct{ hostname, pathname, search string }

// parseURL reads an absolute address. Of a scheme that browsers do not treat
// specially (android-app:, page:) the host may be empty and stays as written, and
// without "//" (mailto:) there are no parts to read at all.
func parseURL(s string) (webURL, bool) {
	s = strings.TrimFunc(s, func(r rune) bool { return r <= ' ' })
	if strings.ContainsAny(s, "\t\n\r") {
		s = strings.NewReplacer("\t", "", "\n", "", "\r", "").Replace(s)
	}
	scheme, rest, ok := strings.Cut(s, ":")
	if !ok || !isScheme(scheme) {
		return webURL{}, false
	}
	rest, _, _ = strings.Cut(rest, "#")
	rest, query, _ := strings.Cut(rest, "?")
	special := isSpecial(scheme)
	querySet := `"#<>`
	if special {
		rest = strings.TrimLeft(strings.ReplaceAll(rest, `\`, "/"), "/")
		querySet += "'"
	} else if rest, ok = strings.CutPrefix(rest, "//"); !ok {
		return webURL{}, true
	}
	authority, path, hasPath := strings.Cut(rest, "/")
	var u webURL
	if u.hostname, ok = parseHost(authority, special); !ok {
		return webURL{}, false
	}
	if hasPath || special {
		u.pathname = cleanPath(path)
	}
	if query != "" {
		u.search = "?" + percentEncode(query, querySet)
	}
	return u, true
}

func isSpecial(scheme string) bool {
	switch strings.ToLower(scheme) {
	case "http", "https", "ws", "wss", "ftp":
		return true
	}
	return false
}

func isScheme(s string) bool {
	for i, r := range s {
		letter := 'a' <= r|0x20 && r|0x20 <= 'z'
		if !letter && (i == 0 || !strings.ContainsRune("0123456789+-.", r)) {
			return false
		}
	}
	return s != ""
}

// parseHost reads [user@]host[:port].
func parseHost(authority string, special bool) (string, bool) {
	if authority == "" {
		return "", !special
	}
	if at := strings.LastIndexByte(authority, '@'); at >= 0 {
		authority = authority[at+1:]
	}
	host, port := authority, ""
	if strings.HasPrefix(authority, "[") {
		end := strings.IndexByte(authority, ']')
		if end < 0 {
			return "", false
		}
		addr, err := netip.ParseAddr(authority[1:end])
		if err != nil || !addr.Is6() || addr.Zone() != "" {
			return "", false
		}
		host, port = "["+addr.String()+"]", authority[end+1:]
		if port != "" && port[0] != ':' {
			return "", false
		}
		port = strings.TrimPrefix(port, ":")
	} else {
		host, port, _ = strings.Cut(authority, ":")
		if !special {
			if host == "" || strings.ContainsFunc(host, isForbiddenInHost) {
				return "", false
			}
			return percentEncode(host, ""), isPort(port)
		}
		decoded, err := url.PathUnescape(host)
		if err != nil || !utf8.ValidString(decoded) {
			return "", false
		}
		var ok bool
		if host, ok = asciiHost(strings.ToLower(decoded)); !ok {
			return "", false
		}
	}
	return host, isPort(port)
}

func isPort(s string) bool {
	_, err := strconv.ParseUint(s, 10, 16)
	return s == "" || err == nil
}

func isForbiddenInHost(r rune) bool { return r <= ' ' || strings.ContainsRune(`#/:<>?@[\]^|`, r) }

// asciiHost turns international labels into their "xn--" form and checks what a
// host may hold. A host that ends in a number must be an IPv4 address.
func asciiHost(host string) (string, bool) {
	labels := strings.Split(host, ".")
	for i, label := range labels {
		if strings.ContainsFunc(label, isForbiddenInHost) || strings.ContainsAny(label, "%\x7F") {
			return "", false
		}
		if strings.ContainsFunc(label, func(r rune) bool { return r > unicode.MaxASCII }) {
			labels[i] = "xn--" + punycode(label)
		}
	}
	last := labels[len(labels)-1]
	if last == "" && len(labels) > 1 {
		last = labels[len(labels)-2]
	}
	host = strings.Join(labels, ".")
	if last != "" && strings.Trim(last, "0123456789") == "" {
		addr, err := netip.ParseAddr(strings.TrimSuffix(host, "."))
		return addr.String(), err == nil
	}
	return host, host != ""
}

// punycode encodes a label as RFC 3492 says.
func punycode(label string) string {
	const base, tMin, tMax, skew, damp = 36, 1, 26, 38, 700
	runes := []rune(label)
	var out []byte
	for _, r := range runes {
		if r <= unicode.MaxASCII {
			out = append(out, byte(r))
		}
	}
	basic := len(out)
	if basic > 0 {
		out = append(out, '-')
	}
	n, delta, bias := rune(128), 0, 72
	for done := basic; done < len(runes); {
		next := rune(unicode.MaxRune)
		for _, r := range runes {
			if r >= n {
				next = min(next, r)
			}
		}
		delta += int(next-n) * (done + 1)
		n = next
		for _, r := range runes {
			if r < n {
				delta++
			}
			if r != n {
				continue
			}
			q := delta
			for k := base; ; k += base {
				t := min(max(k-bias, tMin), tMax)
				if q < t {
					break
				}
				out = append(out, punycodeDigit(t+(q-t)%(base-t)))
				q = (q - t) / (base - t)
			}
			out = append(out, punycodeDigit(q))
			if done == basic {
				delta /= damp
			} else {
				delta /= 2
			}
			done++
			delta += delta / done
			k := 0
			for ; delta > (base-tMin)*tMax/2; k += base {
				delta /= base - tMin
			}
			bias = k + (base-tMin+1)*delta/(delta+skew)
			delta = 0
		}
		delta++
		n++
	}
	return string(out)
}

func punycodeDigit(n int) byte {
	if n < 26 {
		return byte('a' + n)
	}
	return byte('0' + n - 26)
}

// cleanPath resolves dot segments and percent-encodes a path given without its
// first slash.
func cleanPath(path string) string {
	var kept []string
	segments := strings.Split(path, "/")
	for i, segment := range segments {
		last := i == len(segments)-1
		switch strings.ReplaceAll(strings.ToLower(segment), "%2e", ".") {
		case "..":
			if len(kept) > 0 {
				kept = kept[:len(kept)-1]
			}
			if last {
				kept = append(kept, "")
			}
		case ".":
			if last {
				kept = append(kept, "")
			}
		default:
			kept = append(kept, percentEncode(segment, "\"#<>?`{}^"))
		}
	}
	return "/" + strings.Join(kept, "/")
}

// percentEncode encodes controls, spaces, everything beyond ASCII and the set.
// A percent sign stays, encoded already or not.
func percentEncode(s, set string) string {
	const hex = "0123456789ABCDEF"
	s = strings.ToValidUTF8(s, "\uFFFD")
	var out strings.Builder
	for i := range len(s) {
		c := s[i]
		if c > ' ' && c < 0x7F && strings.IndexByte(set, c) < 0 {
			out.WriteByte(c)
		} else {
			out.Write([]byte{'%', hex[c>>4], hex[c&15]})
		}
	}
	return out.String()
}
