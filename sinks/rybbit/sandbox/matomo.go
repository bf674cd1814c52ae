package sandbox

import (
	"encoding/json"
	"regexp"
	"strconv"
	"time"
)

var matomo = format{
	names: []string{"idVisit", "visitorId", "userId", "type", "url", "pageTitle", "linkUrl", "eventCategory", "eventAction",
		"eventName", "eventValue", "timestamp", "referrerUrl", "browserName", "browserVersion", "operatingSystemName",
		"operatingSystemVersion", "deviceType", "languageCode", "countryCode", "regionCode", "city", "latitude", "longitude", "resolution"},
	row: matomoRow,
}

const maxIdentified = 255

var visitorPattern = regexp.MustCompile(`^[0-9a-fA-F]{16}$`)

func matomoRow(f fields, e *event) bool {
	e.session, e.user, e.identified = f.get("idVisit"), f.get("visitorId"), f.get("userId")
	e.outboundURL, e.name = f.get("linkUrl"), f.get("eventCategory")
	seconds, err := strconv.ParseUint(f.get("timestamp"), 10, 63)
	address := f.get("url")
	page, ok := parseURL(address)
	if !ok || page.pathname == "" || !fits(address, maxURL) || e.session == "" || !fits(e.session, maxUser) ||
		!visitorPattern.MatchString(e.user) || !fits(e.identified, maxIdentified) || !fits(e.outboundURL, maxURL) ||
		!fits(e.name, maxEventName) || err != nil || f.get("timestamp")[0] == '+' {
		return false
	}
	// The latest time is in 9999; a later one would be in the future as well.
	e.at = time.Unix(int64(min(seconds, 253402300799)), 0).UTC()
	switch f.get("type") {
	case "action", "search":
		e.kind, e.name, e.outboundURL = pageview, "", ""
	case "outlink", "download":
		if _, ok := parseURL(e.outboundURL); !ok {
			return false
		}
		e.kind, e.name = outbound, ""
	case "event":
		e.kind, e.outboundURL = customEvent, ""
		e.props = matomoProps(f)
	default:
		return false
	}
	e.hostname, e.pathname, e.querystring = page.hostname, page.pathname, page.search
	e.title = fitOrBlank(f.get("pageTitle"), maxTitle)
	e.referrer = foreign(fitOrBlank(f.get("referrerUrl"), maxURL), e.hostname)
	e.browser = rename(matomoBrowsers, fitOrBlank(f.get("browserName"), maxBrowser))
	e.browserVersion = major(fitOrBlank(f.get("browserVersion"), maxBrowserVersion))
	e.os = rename(matomoSystems, fitOrBlank(f.get("operatingSystemName"), maxSystem))
	e.osVersion = fitOrBlank(f.get("operatingSystemVersion"), maxSystemVersion)
	e.device = rename(matomoDevices, fitOrBlank(f.get("deviceType"), maxDevice))
	e.language = fitOrBlank(f.get("languageCode"), maxLanguage)
	e.city = fitOrBlank(f.get("city"), maxCity)
	e.place(f.get("countryCode"), f.get("regionCode"), number(f.get("latitude")), number(f.get("longitude")))
	if m := screenPattern.FindStringSubmatch(f.get("resolution")); m != nil && (!pixels(m[1], &e.width) || !pixels(m[2], &e.height)) {
		e.width.Valid, e.height.Valid = false, false
	}
	return true
}

// matomoProps keeps what an event has besides its category.
func matomoProps(f fields) string {
	props := make(map[string]string)
	for _, name := range []string{"eventAction", "eventName", "eventValue"} {
		if v := f.get(name); v != "" {
			props[name] = v
		}
	}
	return jsonText(props)
}

// jsonText encodes what cannot fail to be JSON.
func jsonText(v any) string {
	text, _ := json.Marshal(v)
	return string(text)
}

func fitOrBlank(s string, limit int) string {
	if !fits(s, limit) {
		return ""
	}
	return s
}

// The words that Matomo writes, with Rybbit's for them.
var (
	matomoBrowsers = map[string]string{
		"Chrome Mobile": "Mobile Chrome", "Chrome Mobile iOS": "Mobile Chrome", "Chrome Webview": "Chrome WebView",
		"Firefox Mobile": "Mobile Firefox", "Firefox Mobile iOS": "Mobile Firefox", "Headless Chrome": "Chrome Headless",
		"IE Mobile": "IEMobile", "Internet Explorer": "IE", "Microsoft Edge": "Edge", "Opera Mobile": "Opera",
		"Samsung Browser": "Samsung Internet", "Yandex Browser": "Yandex", "UC Browser": "UCBrowser",
	}
	matomoSystems = map[string]string{"GNU/Linux": "Linux", "Mac": "macOS"}
	matomoDevices = map[string]string{
		"desktop": "Desktop", "smartphone": "Mobile", "Smartphone": "Mobile", "tablet": "Mobile", "Tablet": "Mobile",
		"phablet": "Mobile", "Phablet": "Mobile", "feature phone": "Mobile", "Feature phone": "Mobile",
		"console": "Console", "tv": "TV",
	}
)
