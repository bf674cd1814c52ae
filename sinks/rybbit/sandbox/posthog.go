package sandbox

import (
	"database/sql"
	"encoding/json"
	"math"
	"strings"
)

var posthog = format{
	names: []string{"event", "timestamp", "distinct_id", "$session_id", "properties"},
	row:   posthogRow,
}

const maxDistinctID = 255

// posthogRead are PostHog's own properties that become fields. A custom event does
// not keep them as properties. It keeps "title", which is also read as the page's
// title, because a name without "$" may be the site's own.
var posthogRead = map[string]bool{
	"$session_id": true, "$device_id": true, "$is_identified": true, "$current_url": true, "$referrer": true,
	"$raw_user_agent": true, "$browser": true, "$browser_version": true, "$os": true, "$os_version": true, "$device_type": true,
	"$screen_width": true, "$screen_height": true, "$browser_language": true, "$geoip_country_code": true,
	"$geoip_subdivision_1_code": true, "$geoip_city_name": true, "$geoip_latitude": true, "$geoip_longitude": true,
	"$geoip_time_zone": true, "$external_click_url": true, "$el_text": true, "$web_vitals_LCP_value": true,
	"$web_vitals_CLS_value": true, "$web_vitals_INP_value": true, "$web_vitals_FCP_value": true,
	"$exception_list": true, "$exception_type": true, "$exception_message": true,
}

func posthogRow(f fields, e *event) bool {
	name, distinct := f.get("event"), f.get("distinct_id")
	if !e.isoTime(f.get("timestamp"), true) || name == "" || distinct == "" || !fits(distinct, maxDistinctID) ||
		!fits(f.get("$session_id"), maxDistinctID) || !isObject(f.get("properties")) {
		return false
	}
	raw := make(map[string]json.RawMessage)
	if json.Unmarshal([]byte(f.get("properties")), &raw) != nil {
		return false
	}
	p := properties(raw)
	e.session = firstOf(f.get("$session_id"), p.text("$session_id"))
	address := p.text("$current_url")
	page, hasPage := parseURL(address)
	if e.session == "" || !fits(e.session, maxDistinctID) || address != "" && !hasPage {
		return false
	}
	if name == "$pageview" && address == "" || !e.posthogKind(name, p) {
		return false
	}
	e.user = firstOf(p.text("$device_id"), distinct)
	if p.text("$is_identified") == "true" {
		e.identified = distinct
	}
	e.hostname, e.pathname, e.querystring = page.hostname, page.pathname, page.search
	e.title = p.text("title")
	if e.referrer = p.text("$referrer"); e.referrer == "$direct" {
		e.referrer = ""
	}
	e.referrer = foreign(e.referrer, e.hostname)
	e.posthogClient(p)
	e.width, e.height = p.pixels("$screen_width"), p.pixels("$screen_height")
	e.language = p.text("$browser_language")
	e.city, e.timezone = p.text("$geoip_city_name"), p.text("$geoip_time_zone")
	e.place(p.text("$geoip_country_code"), p.text("$geoip_subdivision_1_code"), p.number("$geoip_latitude"), p.number("$geoip_longitude"))
	return true
}

// posthogKind reads the kind that the event's name stands for. It reports false for
// an event that is not imported.
func (e *event) posthogKind(name string, p properties) bool {
	switch {
	case name == "$pageview":
		e.kind = pageview
	case name == "$autocapture" && p.text("$external_click_url") != "":
		e.kind, e.outboundURL, e.outboundText = outbound, p.text("$external_click_url"), p.text("$el_text")
	case name == "$web_vitals":
		e.kind = performance
		e.lcp, e.cls = p.number("$web_vitals_LCP_value"), p.number("$web_vitals_CLS_value")
		e.inp, e.firstPaint = p.number("$web_vitals_INP_value"), p.number("$web_vitals_FCP_value")
	case name == "$exception":
		e.kind = errorEvent
		e.name, e.props = p.exception()
	case name[0] == '$':
		return false
	default:
		e.kind, e.name = customEvent, name
		kept := make(map[string]json.RawMessage)
		for name, value := range p {
			if !posthogRead[name] {
				kept[name] = value
			}
		}
		e.props = jsonText(kept)
	}
	return true
}

// posthogClient reads browser, system and device: from the user agent, and where
// PostHog names them itself, from there.
func (e *event) posthogClient(p properties) {
	e.readAgent(p.text("$raw_user_agent"))
	if v := p.text("$browser"); v != "" {
		e.browser, e.browserVersion = rename(posthogBrowsers, v), ""
	}
	if v := p.text("$browser_version"); v != "" {
		e.browserVersion = major(v)
	}
	if v := p.text("$os"); v != "" {
		e.os, e.osVersion = rename(posthogSystems, v), ""
	}
	if v := p.text("$os_version"); v != "" {
		e.osVersion = v
	}
	if v := p.text("$device_type"); v != "" {
		e.device = rename(posthogDevices, v)
	}
}

func firstOf(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// properties are PostHog's, of any JSON type.
type properties map[string]json.RawMessage

// text returns a string, or the text of a number or boolean; anything else is
// empty.
func (p properties) text(name string) string {
	value := strings.TrimSpace(string(p[name]))
	var s string
	switch {
	case json.Unmarshal([]byte(value), &s) == nil:
		return s // null too, which is empty
	case value == "" || value[0] == '{' || value[0] == '[':
		return ""
	}
	return value
}

func (p properties) number(name string) sql.NullFloat64 { return number(p.text(name)) }

func (p properties) pixels(name string) sql.NullInt64 {
	n := p.number(name)
	whole := n.Float64 == math.Trunc(n.Float64) && n.Float64 >= 0 && n.Float64 <= 65535
	return sql.NullInt64{Int64: int64(n.Float64), Valid: n.Valid && whole}
}

// exception returns an error's name and, as properties, its message and the rest
// of the first entry of $exception_list.
func (p properties) exception() (name, props string) {
	name = p.text("$exception_type")
	kept := map[string]any{}
	if message := p.text("$exception_message"); message != "" {
		kept["message"] = message
	}
	var list []map[string]any
	if source := p["$exception_list"]; source != nil && json.Unmarshal(source, &list) == nil && len(list) > 0 {
		for key, value := range list[0] {
			switch text, _ := value.(string); key {
			case "type":
				name = firstOf(text, name)
			case "value":
				if text != "" {
					kept["message"] = text
				}
			default:
				kept[key] = value
			}
		}
	}
	return name, jsonText(kept)
}

// place reads country, region and coordinates. It leaves out a value that has not
// the right form, and puts the country before a region that lacks it.
func (e *event) place(country, region string, lat, lon sql.NullFloat64) {
	if countryPattern.MatchString(country) {
		e.country = country
		if !strings.Contains(region, "-") {
			region = country + "-" + region
		}
	}
	if regionPattern.MatchString(region) {
		e.region = region
	}
	if lat.Valid && lon.Valid && math.Abs(lat.Float64) <= 90 && math.Abs(lon.Float64) <= 180 {
		e.lat, e.lon = lat, lon
	}
}

// The words that PostHog writes, with Rybbit's for them.
var (
	posthogBrowsers = map[string]string{
		"Android Mobile": "Android Browser", "Chrome iOS": "Mobile Chrome", "Facebook Mobile": "Facebook",
		"Firefox iOS": "Mobile Firefox", "Internet Explorer": "IE", "Internet Explorer Mobile": "IEMobile",
		"Microsoft Edge": "Edge", "UC Browser": "UCBrowser",
	}
	posthogSystems = map[string]string{"Mac OS X": "macOS", "Mac OS": "macOS"}
	posthogDevices = map[string]string{"Tablet": "Mobile"}
)
