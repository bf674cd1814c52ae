package sandbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

var plausibleEvent = map[string]any{
	"timestamp": "2025-03-04 05:06:07", "session_id": aSession, "user_id": aUser, "hostname": "shop.example", "pathname": "/teas",
	"querystring": "?sort=price", "referrer": "https://news.example/search?q=tea", "browser": "Chrome", "browser_version": "120",
	"operating_system": "macOS", "operating_system_version": "14.2", "device_type": "Desktop", "country": "AT", "region": "AT-9",
	"city": "Wien", "type": "pageview", "event_name": "", "props": "{}",
}

var simpleAnalyticsEvent = map[string]any{
	"added_iso": "2025-03-04T05:06:07.089Z", "country_code": "AT", "datapoint": "pageview", "document_referrer": "https://news.example/search",
	"hostname": "shop.example", "lang_language": "de", "lang_region": "AT", "path": "/teas", "query": "sort=price",
	"screen_height": "1080", "screen_width": "1920", "session_id": aSession, "uuid": aUser,
	"user_agent": "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36",
}

var matomoEvent = map[string]any{
	"idVisit": "42", "visitorId": "0123456789abcdef", "userId": "ada", "type": "action", "url": "https://shop.example/teas?sort=price#top",
	"pageTitle": "Teas", "linkUrl": "", "eventCategory": "", "eventAction": "", "eventName": "", "eventValue": "",
	"timestamp": "1741064767", "referrerUrl": "https://news.example/search", "browserName": "Chrome", "browserVersion": "120.0",
	"operatingSystemName": "Mac", "operatingSystemVersion": "14.2", "deviceType": "smartphone", "languageCode": "de-at",
	"countryCode": "AT", "regionCode": "9", "city": "Wien", "latitude": "48.2", "longitude": "16.37", "resolution": "1920x1080",
}

var posthogProperties = map[string]any{
	"$device_id": aUser, "$is_identified": true, "$current_url": "https://shop.example/teas?sort=price", "title": "Teas",
	"$referrer": "https://news.example/search", "$browser": "Microsoft Edge", "$browser_version": 120, "$os": "Mac OS X", "$os_version": "14.2",
	"$device_type": "Tablet", "$screen_width": 1920, "$screen_height": "1080", "$browser_language": "de-AT", "$geoip_country_code": "AT",
	"$geoip_subdivision_1_code": "9", "$geoip_city_name": "Wien", "$geoip_latitude": 48.2, "$geoip_longitude": "16.37",
	"$geoip_time_zone": "Europe/Vienna",
}

func posthogEvent(event string, changes ...any) map[string]any {
	return map[string]any{"event": event, "timestamp": "2025-03-04 05:06:07.089456+00:00", "distinct_id": "ada",
		"$session_id": "s-42", "properties": jsonText(with(posthogProperties, changes...))}
}

var examples = map[string]map[string]any{
	"umami": umamiEvent, "plausible": plausibleEvent, "simple_analytics": simpleAnalyticsEvent, "matomo": matomoEvent,
	"posthog": posthogEvent("$pageview"),
}

func TestEveryFieldMustBeAString(t *testing.T) {
	for platform, wire := range wireFormats {
		t.Run(platform, func(t *testing.T) {
			example := examples[platform]
			if got := slices.Sorted(maps.Keys(example)); !slices.Equal(got, slices.Sorted(slices.Values(wire.names))) {
				t.Fatalf("the example has the fields %v", got)
			}
			b := newBox(t, Options{})
			id := b.create(platform)
			for _, name := range wire.names {
				bad := []map[string]any{with(example, name, nil)}
				for _, raw := range []string{"null", "7", "true", "{}", "[]"} {
					bad = append(bad, with(example, name, json.RawMessage(raw)))
				}
				bad = append(bad, with(example, name, nil, strings.ToUpper(name), "x"))
				for _, e := range bad {
					if a := b.post(id, false, example, e); a.status != 400 || !strings.Contains(a.body, "Validation error") {
						t.Errorf("%s is %v: %+v", name, e[name], a)
					}
				}
			}
			b.wantCounters(id, "0 0 0")
			b.mustPost(id, false, with(example, "no_such_field", 7))
			b.wantCounters(id, "1 0 0")
		})
	}
}

// x is a text of n UTF-16 code units, made of one unit each.
func x(n int) string { return strings.Repeat("ü", n) }

// emoji is a text of n code units, made of two each.
func emoji(n int) string { return strings.Repeat("🍵", n/2) }

// upTo is what a text field of at most limit code units takes.
func upTo(limit int) fieldRule {
	return fieldRule{good: []string{"", x(limit), emoji(limit)}, bad: []string{x(limit + 1), emoji(limit + 2)}}
}

type fieldRule struct{ good, bad []string }

var (
	uuids     = fieldRule{[]string{nobody, strings.ToUpper(aSession)}, []string{"", "7", aSession + "0", "{" + aSession[:34] + "}", strings.ReplaceAll(aSession, "-", ""), "g" + aSession[1:]}}
	countries = fieldRule{[]string{"", "US", "ZZ"}, []string{"us", "USA", "U", "U1", "US "}}
	regions   = fieldRule{[]string{"", "US-CA", "AT-9", "GB-ENG"}, []string{"CA", "US-", "US-ABCD", "us-CA", "US-ca", "US_CA"}}
	dateTimes = fieldRule{[]string{"2025-01-01 00:00:00"}, []string{"", "2025-01-01", "2025-01-01T00:00:00Z", "2025-01-01 00:00:00.000", "1735689600"}}
	screens   = fieldRule{[]string{"", "0x0", "65535x65535", "1x00001"}, []string{"x", "65536x1", "1x65536", "000001x1", "1920", "1920×1080", "-1x1", "1920X1080"}}
	sides     = fieldRule{[]string{"", "0", "65535"}, []string{"65536", "-1", "+1", "1.5", "x", " 1"}}
	objects   = fieldRule{[]string{"{}", `{"a":{"b":[1]}}`, ` {"a":1}`, `{"a":"` + x(4096-8) + `"}`}, []string{"", "[]", "null", `"{}"`, "{", `{"a":1}}`, "{a:1}", `{"a":"` + x(4096-7) + `"}`}}
	isoTimes  = fieldRule{[]string{"2025-01-01T00:00:00Z", "2025-01-01T00:00:00.123456Z"}, []string{"", "2025-01-01", "2025-01-01 00:00:00Z", "2025-01-01T00:00:00", "2025-01-01T00:00:00+00:00", "2025-01-01T00:00Z", "2025-01-01T00:00:00,1Z"}}
)

// rules are the limits of every field, tried at their edges.
var rules = map[string]map[string]fieldRule{
	"umami": {
		"session_id": uuids, "hostname": upTo(253), "browser": upTo(30), "os": upTo(25), "device": upTo(20), "screen": screens,
		"language": upTo(35), "country": countries, "region": regions, "city": upTo(60), "url_path": upTo(2048), "url_query": upTo(2048),
		"referrer_path": upTo(2048), "referrer_domain": upTo(253), "page_title": upTo(512),
		"event_type": {[]string{"1", "2"}, []string{"", "0", "3", "01", "pageview"}}, "event_name": upTo(256), "distinct_id": upTo(64), "created_at": dateTimes,
	},
	"plausible": {
		"timestamp": dateTimes, "session_id": uuids, "user_id": uuids, "hostname": upTo(253), "pathname": upTo(2048),
		"querystring": {[]string{"", "?", "?" + x(2047)}, []string{"a=b", "?" + x(2048)}},
		"referrer": {[]string{"", "https://" + "a.example/" + strings.Repeat("p", 2048-18), "android-app://com.example/"},
			[]string{"news.example", "/search", "https://", "https://a.example/" + strings.Repeat("p", 2048-17)}},
		"browser": upTo(30), "browser_version": upTo(20), "operating_system": upTo(25), "operating_system_version": upTo(20),
		"device_type": upTo(20), "country": countries, "region": regions, "city": upTo(60),
		"type": {[]string{"pageview", "custom_event"}, []string{"", "1", "event", "Pageview"}}, "event_name": upTo(256), "props": objects,
	},
	"simple_analytics": {
		"added_iso": isoTimes, "country_code": countries, "datapoint": upTo(256), "document_referrer": upTo(2301), "hostname": upTo(253),
		"lang_language": upTo(35), "lang_region": upTo(35), "path": upTo(2048), "query": upTo(2048), "screen_height": sides, "screen_width": sides,
		"session_id": uuids, "user_agent": upTo(1024), "uuid": uuids,
	},
	"matomo": {
		"idVisit": {[]string{"1", x(64)}, []string{"", x(65)}}, "visitorId": {[]string{"0123456789ABCDEF"}, []string{"", "0123456789abcde", "0123456789abcdef0", "0123456789abcdeg"}},
		"userId": upTo(255), "type": {[]string{"action", "search", "event"}, []string{"", "pageview", "Action", "outlink", "download"}}, // these need a link
		"url":     {[]string{"http://a.example", "page:///teas?sort=price", "https://a.example/" + strings.Repeat("p", 2048-18)}, []string{"", "/teas", "shop.example/teas", "https:///", "https://a b/", "mailto:a@b", "https://a.example/" + strings.Repeat("p", 2048-17)}},
		"linkUrl": upTo(2048), "eventCategory": upTo(256), "timestamp": {[]string{"0", "1735689600"}, []string{"", "-1", "1.5", "2025-01-01 00:00:00", "+1", " 1"}},
		// What describes blanks out instead.
		"pageTitle": {good: []string{"", x(9999)}}, "eventAction": {good: []string{"", x(9999)}}, "eventName": {good: []string{"", x(9999)}},
		"eventValue": {good: []string{"", "x"}}, "referrerUrl": {good: []string{"", "/x", x(9999)}}, "browserName": {good: []string{"", x(31)}},
		"browserVersion": {good: []string{"", x(21)}}, "operatingSystemName": {good: []string{"", x(26)}}, "operatingSystemVersion": {good: []string{"", x(21)}},
		"deviceType": {good: []string{"", x(21)}}, "languageCode": {good: []string{"", x(36)}}, "countryCode": {good: []string{"", "austria"}},
		"regionCode": {good: []string{"", "austria"}}, "city": {good: []string{"", x(61)}}, "latitude": {good: []string{"", "x", "91"}},
		"longitude": {good: []string{"", "x", "181"}}, "resolution": {good: []string{"", "x", "99999x99999"}},
	},
	"posthog": {
		"event": {[]string{"$pageview", "$web_vitals", "$exception", "signup"}, []string{"", "$pageleave", "$autocapture", "$identify"}},
		"timestamp": {append([]string{"2025-01-01 00:00:00.123456+00:00", "2025-01-01T00:00:00+02:00"}, isoTimes.good...),
			[]string{"", "2025-01-01", "2025-01-01 00:00:00", "2025-01-01T00:00:00", "1735689600"}},
		"distinct_id": {[]string{"a", x(255)}, []string{"", x(256)}}, "$session_id": {[]string{"a", x(255)}, []string{"", x(256)}},
		"properties": {[]string{posthogEvent("")["properties"].(string)}, []string{"", "{}", "[]", "null", "7", `{"$current_url":""}`, `{"$current_url":"/teas"}`, `{"$current_url":7}`}},
	},
}

func TestLimits(t *testing.T) {
	for platform, wire := range wireFormats {
		t.Run(platform, func(t *testing.T) {
			b := newBox(t, Options{})
			id := b.create(platform)
			good, bad := 0, 0
			for _, name := range wire.names {
				rule, ok := rules[platform][name]
				if !ok {
					t.Errorf("%s has no rule here", name)
				}
				for _, value := range rule.good {
					good++
					b.mustPost(id, false, with(examples[platform], name, value))
					if got, want := b.counters(id), fmt.Sprint(good, 0, bad); got != want {
						t.Fatalf("%s %.100q: counters are %s, want %s", name, value, got, want)
					}
				}
				for _, value := range rule.bad {
					bad++
					b.mustPost(id, false, with(examples[platform], name, value))
					if got, want := b.counters(id), fmt.Sprint(good, 0, bad); got != want {
						t.Fatalf("%s %.100q: counters are %s, want %s", name, value, got, want)
					}
				}
			}
			b.wantCounters(id, fmt.Sprint(good, 0, bad))
		})
	}
}

// pageColumns are what the examples of all formats fill.
const pageColumns = `timestamp, kind, session_id, user_id, identified_user_id, hostname, pathname, querystring, page_title, referrer,
	browser, browser_version, operating_system, operating_system_version, device_type, screen_width, screen_height,
	language, country, region, city, lat, lon, timezone, event_name, props`

func TestWhatIsStored(t *testing.T) {
	for platform, want := range map[string]string{
		"umami": "2025-03-04 05:06:07.000|pageview|" + aSession + "|u-7||shop.example|/teas|?sort=price|Teas|https://news.example/search|" +
			"Chrome||Windows|10|Desktop|1920|1080|de-AT|AT|AT-9|Wien|<nil>|<nil>|||{}\n",
		"plausible": "2025-03-04 05:06:07.000|pageview|" + aSession + "|" + aUser + "||shop.example|/teas|?sort=price||https://news.example/search?q=tea|" +
			"Chrome|120|macOS|14.2|Desktop|<nil>|<nil>||AT|AT-9|Wien|<nil>|<nil>|||{}\n",
		"simple_analytics": "2025-03-04 05:06:07.089|pageview|" + aSession + "|" + aUser + "||shop.example|/teas|?sort=price||https://news.example/search|" +
			"Chrome|120|Windows|10|Desktop|1920|1080|de-AT|AT|||<nil>|<nil>|||{}\n",
		"matomo": "2025-03-04 05:06:07.000|pageview|42|0123456789abcdef|ada|shop.example|/teas|?sort=price|Teas|https://news.example/search|" +
			"Chrome|120|macOS|14.2|Mobile|1920|1080|de-at|AT|AT-9|Wien|48.2|16.37|||{}\n",
		"posthog": "2025-03-04 05:06:07.089|pageview|s-42|" + aUser + "|ada|shop.example|/teas|?sort=price|Teas|https://news.example/search|" +
			"Edge|120|macOS|14.2|Mobile|1920|1080|de-AT|AT|AT-9|Wien|48.2|16.37|Europe/Vienna||{}\n",
	} {
		b := newBox(t, Options{})
		b.mustPost(b.create(platform), false, examples[platform])
		if got := b.query(`SELECT ` + pageColumns + ` FROM events`); got != want {
			t.Errorf("%s:\ngot  %swant %s", platform, got, want)
		}
	}
}

func TestFieldsAsStored(t *testing.T) {
	type row struct {
		platform string
		event    map[string]any
		columns  string
		want     string
	}
	umami := func(columns, want string, changes ...any) row {
		return row{"umami", with(umamiEvent, changes...), columns, want}
	}
	plausible := func(columns, want string, changes ...any) row {
		return row{"plausible", with(plausibleEvent, changes...), columns, want}
	}
	simple := func(columns, want string, changes ...any) row {
		return row{"simple_analytics", with(simpleAnalyticsEvent, changes...), columns, want}
	}
	matomo := func(columns, want string, changes ...any) row {
		return row{"matomo", with(matomoEvent, changes...), columns, want}
	}
	posthog := func(columns, want, event string, changes ...any) row {
		return row{"posthog", posthogEvent(event, changes...), columns, want}
	}
	b := newBox(t, Options{Release: "2.7", Platforms: platformOrder}) // which lets an import of each format be open
	ids := make(map[string]string)
	for i, tt := range []row{
		umami("kind, event_name", "pageview|", "event_name", "ignored"),
		umami("kind, event_name, props", "custom_event|buy|{}", "event_type", "2", "event_name", "buy"),
		umami("kind, event_name", "custom_event|", "event_type", "2"),
		umami("user_id", "", "distinct_id", ""),
		umami("querystring", "", "url_query", ""),
		umami("querystring", "??a", "url_query", "?a"),
		umami("referrer", "/popular", "referrer_domain", "", "referrer_path", "/popular"),
		umami("referrer", "android-app://com.example.app/", "referrer_domain", "", "referrer_path", "android-app://com.example.app/"),
		umami("referrer", "https://news.example", "referrer_path", ""),
		umami("referrer", "", "referrer_domain", "", "referrer_path", ""),
		umami("referrer", "", "referrer_domain", "shop.example"),
		umami("referrer", "", "referrer_domain", "Shop.Example"),
		umami("referrer", "https://www.shop.example/search", "referrer_domain", "www.shop.example"),
		umami("screen_width, screen_height", "<nil>|<nil>", "screen", ""),
		umami("browser", "Mobile Chrome", "browser", "crios"),
		umami("browser", "Mobile Safari", "browser", "ios"),
		umami("browser", "Edge", "browser", "edge-chromium"),
		umami("browser", "Samsung Internet", "browser", "samsung"),
		umami("browser", "netscape", "browser", "netscape"),
		umami("browser", "Mobile Firefox", "browser", "Mobile Firefox"),
		umami("operating_system, operating_system_version", "macOS|", "os", "Mac OS"),
		umami("operating_system, operating_system_version", "Android|", "os", "Android OS"),
		umami("operating_system, operating_system_version", "Windows|8.1", "os", "Windows 8.1"),
		umami("operating_system, operating_system_version", "Windows|", "os", "Windows"),
		umami("operating_system, operating_system_version", "Windows Mobile|", "os", "Windows Mobile"),
		umami("operating_system, operating_system_version", "TempleOS|", "os", "TempleOS"),
		umami("device_type", "Mobile", "device", "tablet"),
		umami("device_type", "Desktop", "device", "desktop"),
		umami("device_type", "Console", "device", "Console"),

		plausible("kind, event_name, props", `custom_event|buy|{"tea": "green"}`, "type", "custom_event", "event_name", "buy", "props", `{"tea": "green"}`),
		plausible("kind, event_name, props", `pageview||{"tea":1}`, "event_name", "ignored", "props", `{"tea":1}`),
		plausible("referrer", "", "referrer", "http://shop.example:8080/x"),
		plausible("browser, browser_version", "Edge|17", "browser", "Microsoft Edge", "browser_version", "17.4.1"),
		plausible("operating_system, device_type", "Linux|Mobile", "operating_system", "GNU/Linux", "device_type", "Tablet"),

		simple("kind, event_name", "custom_event|buy", "datapoint", "buy"),
		simple("language", "de", "lang_region", ""),
		simple("language", "", "lang_language", ""),
		simple("screen_width, screen_height", "<nil>|5", "screen_width", "", "screen_height", "5"),
		simple("browser, browser_version, operating_system, operating_system_version, device_type", "||||", "user_agent", ""),
		simple("timestamp", "2025-01-01 00:00:00.000", "added_iso", "2025-01-01T00:00:00Z"),
		simple("timestamp", "2025-01-01 00:00:00.999", "added_iso", "2025-01-01T00:00:00.999999Z"),
		simple("referrer", "", "document_referrer", "https://shop.example/"),

		matomo("kind, pathname", "pageview|/teas", "type", "search"),
		matomo("kind, outbound_url, pathname", "outbound|https://other.example/|/teas", "type", "outlink", "linkUrl", "https://other.example/"),
		matomo("kind, outbound_url", "outbound|https://shop.example/a.pdf", "type", "download", "linkUrl", "https://shop.example/a.pdf"),
		matomo("kind, event_name, props", `custom_event|buy|{"eventAction":"tea","eventValue":"7"}`, "type", "event", "eventCategory", "buy", "eventAction", "tea", "eventValue", "7"),
		matomo("hostname, pathname, querystring", "shop.example|/|", "url", "HTTPS://Shop.Example:8443"),
		matomo("hostname, pathname, querystring", "shop.example|/a%20b/%C3%BC|?q=%C3%BC%27", "url", "https://shop.example/a b/ü?q=ü'#x?y"),
		matomo("page_title", "", "pageTitle", x(513)),
		matomo("page_title", x(512), "pageTitle", x(512)),
		matomo("referrer", "", "referrerUrl", "https://shop.example/"),
		matomo("region, country", "US-CA|AT", "regionCode", "US-CA"),
		matomo("region, country", "|", "countryCode", "at"),
		matomo("lat, lon", "<nil>|<nil>", "latitude", "91"),
		matomo("lat, lon", "-90|180", "latitude", "-90", "longitude", "180"),
		matomo("lat, lon", "<nil>|<nil>", "longitude", "NaN"),
		matomo("screen_width, screen_height", "<nil>|<nil>", "resolution", "1920x99999"),
		matomo("browser, operating_system, device_type", "Mobile Chrome|Linux|Mobile", "browserName", "Chrome Mobile", "operatingSystemName", "GNU/Linux", "deviceType", "tablet"),
		matomo("browser, language, city", "||", "browserName", x(31), "languageCode", x(36), "city", x(61)),

		posthog("kind, event_name, props", `custom_event|buy|{"$own":[2],"tea":{"green":1.50},"title":"Teas"}`, "buy", "tea", json.RawMessage(`{"green":1.50}`), "$own", []int{2}),
		posthog("props", "{}", "buy", "title", nil),
		posthog("kind, hostname, page_title", "custom_event||Teas", "buy", "$current_url", nil),
		posthog("kind, props", "pageview|{}", "$pageview", "tea", 1),
		posthog("kind, outbound_url, outbound_text, pathname", "outbound|https://other.example/|More|/teas", "$autocapture", "$external_click_url", "https://other.example/", "$el_text", "More"),
		posthog("kind, lcp, cls, inp, fcp, ttfb", "performance|1234.5|0.01|<nil>|800|<nil>", "$web_vitals",
			"$web_vitals_LCP_value", 1234.5, "$web_vitals_CLS_value", "0.01", "$web_vitals_INP_value", "x", "$web_vitals_FCP_value", 800),
		posthog("kind, event_name, props", `error|TypeError|{"message":"no tea"}`, "$exception", "$exception_type", "TypeError", "$exception_message", "no tea"),
		posthog("kind, event_name, props", `error|RangeError|{"mechanism":{"handled":false},"message":"no tea"}`, "$exception",
			"$exception_list", []any{map[string]any{"type": "RangeError", "value": "no tea", "mechanism": map[string]any{"handled": false}}, 7}[:1]),
		posthog("user_id, identified_user_id", "ada|", "buy", "$device_id", nil, "$is_identified", false),
		posthog("identified_user_id", "", "buy", "$is_identified", nil),
		posthog("timestamp", "2025-03-03 23:00:00.500", "buy", "title", "t"), // overwritten below
		posthog("session_id", "from-properties", "buy", "$session_id", "from-properties"),
		posthog("referrer", "", "buy", "$referrer", "$direct"),
		posthog("referrer", "", "buy", "$referrer", "https://shop.example/x"),
		posthog("browser, browser_version, operating_system, operating_system_version, device_type", "Firefox|121|Linux||Desktop", "buy", "$browser", nil, "$browser_version", nil,
			"$os", nil, "$os_version", nil, "$device_type", nil, "$raw_user_agent", "Mozilla/5.0 (X11; Linux x86_64; rv:121.0) Gecko/20100101 Firefox/121.0"),
		posthog("screen_width, screen_height", "<nil>|<nil>", "buy", "$screen_width", 65536, "$screen_height", 1.5),
		posthog("region", "US-NY", "buy", "$geoip_country_code", "US", "$geoip_subdivision_1_code", "NY"),
	} {
		switch tt.want {
		case "from-properties":
			tt.event["$session_id"] = ""
		case "2025-03-03 23:00:00.500":
			tt.event["timestamp"] = "2025-03-04T01:00:00.5+02:00"
		}
		id, ok := ids[tt.platform]
		if !ok {
			id = b.create(tt.platform)
			ids[tt.platform] = id
		}
		b.mustPost(id, false, tt.event)
		if got := strings.TrimSuffix(b.query(`SELECT `+tt.columns+` FROM events ORDER BY id DESC LIMIT 1`), "\n"); got != tt.want {
			t.Errorf("%s %v: %s is %s, want %s", tt.platform, tt.event, tt.columns, got, tt.want)
		}
		if got := b.query(`SELECT count(*) FROM events`); got != fmt.Sprintln(i+1) {
			t.Errorf("%s %v: %s events are stored, want %d", tt.platform, tt.event, got, i+1)
		}
	}
}

func TestDropped(t *testing.T) {
	b := newBox(t, Options{})
	for _, tt := range []struct {
		why, platform string
		event         map[string]any
	}{
		{"a pageview without its page", "posthog", posthogEvent("$pageview", "$current_url", nil)},
		{"a click that leads nowhere else", "posthog", posthogEvent("$autocapture")},
		{"an event of PostHog's own", "posthog", posthogEvent("$feature_flag_called")},
		{"no session", "posthog", with(posthogEvent("buy"), "$session_id", "")},
		{"a session too long", "posthog", with(posthogEvent("buy", "$session_id", x(256)), "$session_id", "")},
		{"an outlink without its link", "matomo", with(matomoEvent, "type", "outlink")},
		{"an outlink to nowhere", "matomo", with(matomoEvent, "type", "outlink", "linkUrl", "/x")},
	} {
		id := b.create(tt.platform)
		b.mustPost(id, true, tt.event)
		if got := b.counters(id); got != "0 0 1" {
			t.Errorf("%s: counters are %s", tt.why, got)
		}
	}
}

func TestFits(t *testing.T) {
	for _, tt := range []struct {
		s     string
		limit int
		want  bool
	}{
		{"", 0, true}, {"a", 0, false}, {"ü", 1, true}, {"🍵", 1, false}, {"🍵", 2, true}, {"a🍵", 2, false}, {"\xff\xff", 2, true}, {"\xff\xff", 1, false},
		{"e\u0301", 2, true}, {"e\u0301", 1, false},
	} {
		if got := fits(tt.s, tt.limit); got != tt.want {
			t.Errorf("fits(%q, %d) = %v", tt.s, tt.limit, got)
		}
	}
}

func FuzzDecodeBatch(f *testing.F) {
	for platform, example := range examples {
		f.Add(platform, []byte(`{"events":[`+jsonText(example)+`],"isLastBatch":true}`))
	}
	for _, s := range []string{``, `[]`, `{"events":[{}],"isLastBatch":false}`, `{"events":[1,],"isLastBatch":0}`, `{"events":{},"events":[]}`, `{"isLastBatch":false,"events":[null]}`} {
		f.Add("umami", []byte(s))
	}
	f.Fuzz(func(t *testing.T, platform string, body []byte) {
		wire, ok := wireFormats[platform]
		if !ok {
			wire = umami
		}
		b, err := decodeBatch(bytes.NewReader(body), wire, true)
		if refused := errors.Is(err, errShape); json.Valid(body) != (err == nil || refused) {
			t.Fatalf("valid JSON is %v, but decoding gives %v", json.Valid(body), err)
		}
		if err != nil {
			return
		}
		var sent struct{ Events []map[string]any }
		if err := json.Unmarshal(body, &sent); err != nil || b.size() > 0 && len(sent.Events) == 0 {
			t.Fatalf("%d events of a body that reads as %v, %v", b.size(), sent, err)
		}
		for _, e := range b.events {
			if e.kind == "" || e.session == "" || !json.Valid([]byte(e.props)) {
				t.Fatalf("stored %+v", e)
			}
		}
	})
}
