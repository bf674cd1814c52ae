package ga

import (
	"math"
	"net/url"
	"strconv"
	"strings"
	"time"

	"hopper/adapters/input/rows/record"
	"hopper/pipeline"
)

// clean returns s without surrounding space, and "" for the words that Google
// Analytics writes where it knows or tells nothing.
func clean(s string) string {
	s = strings.TrimSpace(s)
	if s == "" || s[0] != '(' && s[0] != '<' && s[0] != 'n' {
		return s
	}
	switch s {
	case "(not set)", "(not provided)", "(none)", "(other)", "(data deleted)", "(unset)", "(unknown)",
		"<Other>", "<obfuscated>", "<obfuscated value>", "not available in demo dataset", "null", "not set":
		return ""
	}
	return s
}

// tagged is clean for what goes into UTM parameters, where Google's words for
// traffic without a campaign say nothing that a visitor's link could have said.
func tagged(s string) string {
	switch s = clean(s); s {
	case "(direct)", "(organic)", "(referral)":
		return ""
	}
	return s
}

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

// traffic is where a session came from.
type traffic struct {
	source, medium, campaign, term, content string
	campaignID                              string
	gclid, dclid, srsltid                   string
}

// into keeps what ev's own address and referrer lack of t. Host is the site's.
func (t *traffic) into(ev *pipeline.Event, host string) {
	source, medium := tagged(t.source), tagged(t.medium)
	self := source != "" && trimWWW(source) == trimWWW(host)
	if !self {
		ev.Query = withQuery(ev.Query, "utm_source", source)
		ev.Query = withQuery(ev.Query, "utm_medium", medium)
	}
	ev.Query = withQuery(ev.Query, "utm_campaign", tagged(t.campaign))
	ev.Query = withQuery(ev.Query, "utm_id", tagged(t.campaignID))
	ev.Query = withQuery(ev.Query, "utm_term", tagged(t.term))
	ev.Query = withQuery(ev.Query, "utm_content", tagged(t.content))
	ev.Query = withQuery(ev.Query, "gclid", clean(t.gclid))
	ev.Query = withQuery(ev.Query, "dclid", clean(t.dclid))
	ev.Query = withQuery(ev.Query, "srsltid", clean(t.srsltid))
	if ev.Referrer == "" && medium == "referral" && !self && isHost(source) {
		ev.Referrer = "https://" + source
	}
}

func trimWWW(host string) string { return strings.TrimPrefix(strings.ToLower(host), "www.") }

// isHost tells a referring site's name from "google" and free text.
func isHost(s string) bool {
	return strings.Contains(s, ".") && !strings.ContainsAny(s, " /?#@") && !strings.HasPrefix(s, ".") && !strings.HasSuffix(s, ".")
}

// cleanReferrer takes off the bare "?" that Google's obfuscation leaves.
func cleanReferrer(s string) string { return strings.TrimSuffix(clean(s), "?") }

// device is what Google Analytics says of a visitor's device.
type device struct {
	category, brand, model string
	os, osVersion          string
	browser                string
}

// system returns the operating system and its version. Google writes the word
// Web for the system of many web visitors, and the real one into the version
// ("Intel 10.15", "10"); and it repeats the system in the version ("Windows 7",
// "Macintosh Intel 10.15", "iOS 14.3").
func (d *device) system() (name, version string) {
	name, version = clean(d.os), clean(d.osVersion)
	if strings.EqualFold(name, "web") {
		name = ""
	}
	if rest, found := strings.CutPrefix(version, name); found && name != "" {
		version = strings.TrimSpace(rest)
	}
	for _, p := range [...]struct{ prefix, system string }{
		{"Macintosh Intel", "Macintosh"}, {"Macintosh", "Macintosh"}, {"Mac OS X", "Macintosh"}, {"macOS", "Macintosh"},
		{"Intel Mac OS X", "Macintosh"}, {"Intel", "Macintosh"}, {"Windows Phone", "Windows Phone"}, {"Windows", "Windows"},
		{"Android", "Android"}, {"iPhone OS", "iOS"}, {"iOS", "iOS"}, {"iPadOS", "iOS"},
		{"Chrome OS", "Chrome OS"}, {"CrOS", "Chrome OS"}, {"Linux", "Linux"},
	} {
		rest, found := strings.CutPrefix(version, p.prefix)
		if !found || rest != "" && rest[0] != ' ' || name != "" && p.system != name && p.prefix != "Intel" {
			continue
		}
		version = strings.TrimSpace(rest)
		if name == "" {
			name = p.system
		}
		break
	}
	if name == "" {
		name = d.guess(version)
	}
	if name == "" {
		return "", ""
	}
	return name, version
}

// guess says which system the other facts leave as the only one.
func (d *device) guess(version string) string {
	brand, browser := clean(d.brand), clean(d.browser)
	apple := brand == "Apple" || strings.HasPrefix(d.model, "iPhone") || strings.HasPrefix(d.model, "iPad")
	switch browser {
	case "Android Webview", "Android Browser", "Samsung Internet":
		return "Android"
	}
	switch strings.ToLower(d.category) {
	case "mobile", "tablet":
		switch {
		case apple:
			return "iOS"
		case browser == "Safari", browser == "Safari (in-app)":
			return "iOS"
		case brand == "Microsoft", brand == "Nokia", brand == "" && version == "":
			return ""
		}
		return "Android"
	case "desktop":
		switch {
		case apple, browser == "Safari":
			return "Macintosh"
		case browser == "Internet Explorer":
			return "Windows"
		}
		switch version {
		case "XP", "Vista", "7", "8", "8.1", "10", "11":
			return "Windows"
		}
	}
	return ""
}

// parseTime reads a point in time: a count since 1970 in seconds, milli- or
// microseconds, as its size tells, or a date and time as BigQuery prints them.
// Times without a zone are in loc.
func parseTime(s string, loc *time.Location) (pipeline.Micros, bool) {
	s = strings.TrimSpace(s)
	if n, ok := parseInt(s); ok {
		switch {
		case n <= 0:
		case n < 1e11:
			return pipeline.Micros(n * 1e6), true
		case n < 1e14:
			return pipeline.Micros(n * 1e3), true
		case n < 1e17:
			return pipeline.Micros(n), true
		}
		return 0, false
	}
	if strings.ContainsAny(s, "eE.") && !strings.ContainsAny(s, ":T") { // a spreadsheet's 1.60419E+15
		return 0, false
	}
	if utc, found := strings.CutSuffix(s, " UTC"); found { // as BigQuery prints a TIMESTAMP
		s, loc = utc, time.UTC
	}
	for _, layout := range [...]string{
		"2006-01-02 15:04:05.999999999", time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999Z07:00", "2006-01-02 15:04:05.999999999-07",
	} {
		if t, err := time.ParseInLocation(layout, s, loc); err == nil {
			return pipeline.MicrosOf(t), true
		}
	}
	return 0, false
}

// parseInt reads a decimal integer, also as 17.0, which spreadsheets and data
// frames make of 17.
func parseInt(s string) (int64, bool) {
	s = strings.TrimSuffix(s, ".0")
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil
}

// property returns a property of a value whose type the source tells.
func property(key, text string, isNumber bool) pipeline.Property {
	if isNumber {
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			return pipeline.Property{Key: key, Value: strconv.FormatInt(n, 10), Literal: true}
		}
		if f, err := strconv.ParseFloat(text, 64); err == nil && !math.IsInf(f, 0) && !math.IsNaN(f) {
			return pipeline.Property{Key: key, Value: record.FormatFloat(f), Literal: true}
		}
	}
	return pipeline.Property{Key: key, Value: text}
}
