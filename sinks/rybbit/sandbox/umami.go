package sandbox

import "strings"

var umami = format{
	names: []string{"session_id", "hostname", "browser", "os", "device", "screen", "language", "country", "region", "city",
		"url_path", "url_query", "referrer_path", "referrer_domain", "page_title", "event_type", "event_name", "distinct_id", "created_at"},
	row: umamiRow,
}

func umamiRow(f fields, e *event) bool {
	e.session, e.user = f.get("session_id"), f.get("distinct_id")
	e.hostname, e.pathname = f.get("hostname"), f.get("url_path")
	e.title, e.name, e.language = f.get("page_title"), f.get("event_name"), f.get("language")
	e.country, e.region, e.city = f.get("country"), f.get("region"), f.get("city")
	query, domain, path := f.get("url_query"), f.get("referrer_domain"), f.get("referrer_path")
	switch f.get("event_type") {
	case "1":
		e.kind, e.name = pageview, ""
	case "2":
		e.kind = customEvent
	default:
		return false
	}
	if !isUUID(e.session) || !fits(e.hostname, maxHostname) || !fits(e.pathname, maxPath) || !fits(query, maxQuery) ||
		!fits(f.get("browser"), maxBrowser) || !fits(f.get("os"), maxSystem) || !fits(f.get("device"), maxDevice) ||
		!e.screen(f.get("screen")) || !fits(e.language, maxLanguage) || !isCountry(e.country) || !isRegion(e.region) ||
		!fits(e.city, maxCity) || !fits(path, maxPath) || !fits(domain, maxHostname) || !fits(e.title, maxTitle) ||
		!fits(f.get("event_name"), maxEventName) || !fits(e.user, maxUser) || !e.dateTime(f.get("created_at")) {
		return false
	}
	e.querystring = withQuestionMark(query)
	e.referrer = path
	if domain != "" {
		e.referrer = "https://" + domain + path
	}
	e.referrer = foreign(e.referrer, e.hostname)
	e.browser = rename(umamiBrowsers, f.get("browser"))
	e.device = rename(umamiDevices, f.get("device"))
	e.os = rename(umamiSystems, f.get("os"))
	if version, ok := strings.CutPrefix(e.os, "Windows "); ok && version != "Mobile" && version != "Phone" {
		e.os, e.osVersion = "Windows", version
	}
	return true
}

// rename translates a source's word; a word that the table does not know is kept.
func rename(table map[string]string, word string) string {
	if known, ok := table[word]; ok {
		return known
	}
	return word
}

// The words that Umami writes, with Rybbit's for them.
var (
	umamiBrowsers = map[string]string{
		"android": "Android Browser", "aol": "AOL", "bb10": "BlackBerry", "beaker": "Beaker", "brave": "Brave",
		"chrome": "Chrome", "chromium": "Chromium", "chromium-webview": "Chrome WebView", "crios": "Mobile Chrome",
		"edge": "Edge", "edge-chromium": "Edge", "edge-ios": "Edge", "facebook": "Facebook", "firefox": "Firefox",
		"fxios": "Mobile Firefox", "ie": "IE", "instagram": "Instagram", "ios": "Mobile Safari", "ios-webview": "WebKit",
		"kakaotalk": "KAKAOTALK", "miui": "MIUI Browser", "netfront": "NetFront", "opera": "Opera", "opera-mini": "Opera Mini",
		"phantomjs": "PhantomJS", "pie": "IEMobile", "safari": "Safari", "samsung": "Samsung Internet", "silk": "Silk",
		"vivaldi": "Vivaldi", "yandexbrowser": "Yandex",
	}
	umamiSystems = map[string]string{
		"Android OS": "Android", "BlackBerry OS": "BlackBerry", "Mac OS": "macOS", "Open BSD": "OpenBSD", "Sun OS": "Solaris",
	}
	umamiDevices = map[string]string{
		"desktop": "Desktop", "laptop": "Desktop", "mobile": "Mobile", "tablet": "Mobile",
	}
)
