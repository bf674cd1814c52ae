package sandbox

import (
	"encoding/json"
	"strings"
)

var plausible = format{
	names: []string{"timestamp", "session_id", "user_id", "hostname", "pathname", "querystring", "referrer",
		"browser", "browser_version", "operating_system", "operating_system_version", "device_type",
		"country", "region", "city", "type", "event_name", "props"},
	row: plausibleRow,
}

func plausibleRow(f fields, e *event) bool {
	e.session, e.user = f.get("session_id"), f.get("user_id")
	e.hostname, e.pathname, e.querystring, e.referrer = f.get("hostname"), f.get("pathname"), f.get("querystring"), f.get("referrer")
	e.country, e.region, e.city = f.get("country"), f.get("region"), f.get("city")
	e.name, e.props = f.get("event_name"), f.get("props")
	browser, browserVersion := f.get("browser"), f.get("browser_version")
	system, systemVersion, device := f.get("operating_system"), f.get("operating_system_version"), f.get("device_type")
	if !e.dateTime(f.get("timestamp")) || !isUUID(e.session) || !isUUID(e.user) || !fits(e.hostname, maxHostname) ||
		!fits(e.pathname, maxPath) || !fits(e.querystring, maxQuery) || e.querystring != "" && e.querystring[0] != '?' ||
		!fits(e.referrer, maxURL) || !fits(browser, maxBrowser) || !fits(browserVersion, maxBrowserVersion) ||
		!fits(system, maxSystem) || !fits(systemVersion, maxSystemVersion) || !fits(device, maxDevice) ||
		!isCountry(e.country) || !isRegion(e.region) || !fits(e.city, maxCity) || !fits(e.name, maxEventName) ||
		!fits(e.props, maxProps) || !isObject(e.props) {
		return false
	}
	if _, ok := parseURL(e.referrer); !ok && e.referrer != "" {
		return false
	}
	switch f.get("type") {
	case "pageview":
		e.kind, e.name = pageview, ""
	case "custom_event":
		e.kind = customEvent
	default:
		return false
	}
	e.referrer = foreign(e.referrer, e.hostname)
	e.browser, e.browserVersion = rename(plausibleBrowsers, browser), major(browserVersion)
	e.os, e.osVersion = rename(plausibleSystems, system), systemVersion
	e.device = rename(plausibleDevices, device)
	return true
}

// isObject reports whether s is a JSON object.
func isObject(s string) bool {
	return strings.HasPrefix(strings.TrimLeft(s, " \t\r\n"), "{") && json.Valid([]byte(s))
}

// The words that Plausible writes, with Rybbit's for them.
var (
	plausibleBrowsers = map[string]string{
		"Internet Explorer": "IE", "Microsoft Edge": "Edge", "Samsung Browser": "Samsung Internet", "Yandex Browser": "Yandex",
	}
	plausibleSystems = map[string]string{"GNU/Linux": "Linux", "Mac": "macOS"}
	plausibleDevices = map[string]string{"Laptop": "Desktop", "Tablet": "Mobile"}
)
