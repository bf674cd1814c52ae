package sandbox

import whatwg "github.com/nlnwa/whatwg-url/url"

// webURL is what Rybbit reads from an address, as a browser's URL class does
// (https://url.spec.whatwg.org): the host without its port and in ASCII, the path
// without dot segments and percent-encoded, the query with its "?".
type webURL struct{ hostname, pathname, search string }

// parseURL reads an absolute address. One without a hierarchy (mailto:, about:) has
// no page in it, and no parts here.
func parseURL(s string) (webURL, bool) {
	u, err := whatwg.Parse(s)
	if err != nil {
		return webURL{}, false
	}
	if u.OpaquePath() {
		return webURL{}, true
	}
	return webURL{u.Hostname(), u.Pathname(), u.Search()}, true
}
