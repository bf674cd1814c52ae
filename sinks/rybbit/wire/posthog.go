package wire

import (
	"math"
	"strings"

	"hopper/pipeline"
)

// posthogWire is the richest format: milliseconds, identified users,
// coordinates, time zones, outbound clicks, web vitals, errors and all
// properties of custom events. Pageviews have no properties in it, and only
// they have titles.
//
// Names that begin with "$" are PostHog's own, which the importer drops; so
// it does with the properties that PostHog's script adds. A site's events
// and properties of such names get an underscore before them.
type posthogWire struct{}

func (posthogWire) Platform() string { return "posthog" }

func (posthogWire) EventsPerSecond() int { return 1_600 }

// posthogMessage is what the importer keeps of an error's message.
const posthogMessage = 500

var posthogLimits = sharedLimits(pipeline.Limits{
	Name:       maxUnitsName - len(renamed),
	URL:        maxUnitsURL,
	Title:      maxUnitsTitle,
	Referrer:   maxUnitsURL,
	Identified: maxUnitsUser,
	Target:     maxUnitsURL,
	Message:    posthogMessage,
})

func (posthogWire) Limits() pipeline.Limits { return posthogLimits }

func (posthogWire) Refuses(ev *pipeline.Event) string {
	v := &ev.Vitals
	if ev.Kind == pipeline.Vitals && !isVital(v.LCP) && !isVital(v.CLS) && !isVital(v.INP) && !isVital(v.FCP) {
		return "web vitals with a time to first byte alone, which this wire format cannot hold"
	}
	return ""
}

func (posthogWire) Adapts(ev *pipeline.Event) string {
	if posthogKind(ev) != pipeline.Custom {
		return ""
	}
	if ev.Kind == pipeline.Custom && strings.HasPrefix(ev.Name, "$") {
		return repairReservedName
	}
	for i := range ev.Properties {
		if posthogPrefix(ev, ev.Properties[i].Key) != "" {
			return repairReservedProperty
		}
	}
	return ""
}

func (posthogWire) Append(dst []byte, ev *pipeline.Event) []byte {
	kind := posthogKind(ev)
	dst = append(dst, `{"event":"`...)
	dst = appendPosthogName(dst, ev, kind)
	dst = append(dst, `","timestamp":"`...)
	dst = appendTime(dst, ev.Time, 'T')
	dst = append(dst, '.')
	milli := int(min(max(ev.Time, firstTime), lastTime) / 1e3 % 1e3)
	dst = append(dst, byte('0'+milli/100))
	dst = append2(dst, milli%100)
	dst = append(dst, `Z","distinct_id":"`...)
	if ev.Identified != "" {
		dst = appendCut(dst, ev.Identified, maxUnitsUser)
	} else {
		dst = append(dst, visitorID(ev)...)
	}
	dst = append(dst, `","$session_id":"`...)
	dst = append(dst, sessionID(ev)...)
	dst = append(dst, `","properties":"`...)

	o := newNestedObject(dst)
	o.key("$device_id")
	o.dst = append(o.dst, `\"`...)
	o.dst = append(o.dst, visitorID(ev)...)
	o.dst = append(o.dst, `\"`...)
	if ev.Identified != "" {
		o.key("$is_identified")
		o.dst = append(o.dst, "true"...)
	}
	if ev.Hostname != "" || ev.Path != "" || ev.Query != "" || kind == pipeline.Pageview {
		o.key("$current_url")
		o.dst = append(o.dst, `\"`...)
		o.dst = appendPageURL(o.dst, ev, maxUnitsURL)
		o.dst = append(o.dst, `\"`...)
	}
	o.text("$referrer", pipeline.Cut(ev.Referrer, maxUnitsURL))
	o.dst = ev.ClientMemo.Append(o.dst, &posthogClient, ev)
	o.dst = ev.PlaceMemo.Append(o.dst, &posthogPlace, ev)
	if hasCoordinates(ev) {
		o.number("$geoip_latitude", ev.Latitude.Value)
		o.number("$geoip_longitude", ev.Longitude.Value)
	}
	if isZone(ev.TimeZone) {
		o.text("$geoip_time_zone", ev.TimeZone)
	}
	posthogFacts(&o, ev, kind)
	return append(o.end(), `"}`...)
}

// appendPosthogName appends the name by which PostHog knows an event.
func appendPosthogName(dst []byte, ev *pipeline.Event, kind pipeline.Kind) []byte {
	switch kind {
	case pipeline.Pageview:
		return append(dst, `$pageview`...)
	case pipeline.Outbound:
		return append(dst, `$autocapture`...)
	case pipeline.Vitals:
		return append(dst, `$web_vitals`...)
	case pipeline.Error:
		return append(dst, `$exception`...)
	}
	if kind == ev.Kind && strings.HasPrefix(ev.Name, "$") {
		dst = append(dst, renamed...)
	}
	return appendEventName(dst, ev, posthogLimits.Name)
}

// posthogClient writes the visitor's browser, system and device, behind others.
var posthogClient = pipeline.Part{Write: func(dst []byte, ev *pipeline.Event) []byte {
	o := furtherMembers(dst)
	o.text("$browser", pipeline.Cut(ev.Browser, maxUnitsBrowser))
	o.text("$browser_version", browserVersion(ev))
	o.text("$os", pipeline.Cut(ev.OS, maxUnitsOS))
	o.text("$os_version", pipeline.Cut(ev.OSVersion, maxUnitsOSVersion))
	o.text("$device_type", pipeline.Cut(ev.Device, maxUnitsDevice))
	if hasScreen(ev) {
		o.number("$screen_width", float64(ev.ScreenWidth))
		o.number("$screen_height", float64(ev.ScreenHeight))
	}
	return o.dst
}}

// posthogPlace writes the visitor's place, behind others.
var posthogPlace = pipeline.Part{Write: func(dst []byte, ev *pipeline.Event) []byte {
	o := furtherMembers(dst)
	o.text("$browser_language", pipeline.Cut(ev.Language, maxUnitsLanguage))
	if isCountry(ev.Country) {
		o.text("$geoip_country_code", ev.Country)
		o.text("$geoip_subdivision_1_code", regionCode(ev))
	}
	o.text("$geoip_city_name", pipeline.Cut(ev.City, maxUnitsCity))
	return o.dst
}}

// posthogFacts writes what belongs to the event's kind alone.
func posthogFacts(o *nestedObject, ev *pipeline.Event, kind pipeline.Kind) {
	switch kind {
	case pipeline.Pageview:
		o.text("title", pipeline.Cut(ev.Title, maxUnitsTitle))
	case pipeline.Outbound:
		o.text("$external_click_url", pipeline.Cut(ev.Target, maxUnitsURL))
		o.text("$el_text", ev.TargetText)
	case pipeline.Vitals:
		for _, m := range []struct {
			key string
			pipeline.Measure
		}{
			{"$web_vitals_LCP_value", ev.Vitals.LCP},
			{"$web_vitals_CLS_value", ev.Vitals.CLS},
			{"$web_vitals_INP_value", ev.Vitals.INP},
			{"$web_vitals_FCP_value", ev.Vitals.FCP},
		} {
			if isVital(m.Measure) {
				o.number(m.key, m.Value)
			}
		}
	case pipeline.Error:
		o.text("$exception_type", pipeline.Cut(ev.Name, posthogLimits.Name))
		o.text("$exception_message", pipeline.Cut(ev.Message, posthogMessage))
	default:
		facts, n := kindProperties(ev)
		for i := range facts[:n] {
			o.property("", &facts[i])
		}
		for i := range ev.Properties {
			p := &ev.Properties[i]
			o.property(posthogPrefix(ev, p.Key), p)
		}
	}
}

func isVital(m pipeline.Measure) bool { return m.Known && m.Value >= 0 && !math.IsInf(m.Value, 0) }

// isZone reports whether s has the form of a time zone's name that the importer takes.
func isZone(s string) bool {
	if len(s) > 64 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		letter := 'a' <= c|0x20 && c|0x20 <= 'z'
		inner := isDigit(c) || c == '_' || c == '+' || c == '-'
		if !letter && (i == 0 || !inner && (c != '/' || s[i-1] == '/' || i == len(s)-1)) {
			return false
		}
	}
	return s != ""
}

// posthogKind returns the kind that ev has in this format: an outbound click
// whose target is no URL for the importer is a custom event.
func posthogKind(ev *pipeline.Event) pipeline.Kind {
	if ev.Kind == pipeline.Outbound && !isOutlink(ev) {
		return pipeline.Custom
	}
	return ev.Kind
}

// posthogPrefix returns what goes before a property's name to keep it.
func posthogPrefix(ev *pipeline.Event, key string) string {
	if strings.HasPrefix(key, "$") || ev.Kind == pipeline.Outbound && kindPrefix(ev, key) != "" {
		return renamed
	}
	switch key {
	case "token", "distinct_id", "utm_source", "utm_medium", "utm_campaign", "utm_content", "utm_term", "gad_source",
		"mc_cid", "gclid", "gclsrc", "dclid", "gbraid", "wbraid", "fbclid", "msclkid", "twclid", "li_fat_id", "igshid",
		"ttclid", "rdt_cid", "epik", "qclid", "sccid", "oppref", "irclid", "_kx":
		return renamed // what PostHog's script adds to every event
	}
	return ""
}

func (posthogWire) Carries(f pipeline.Field, ev *pipeline.Event) Fidelity {
	kind := posthogKind(ev)
	switch f {
	case pipeline.FieldPrecision:
		return keptIf(ev.Time%1e3 == 0, Shortened)
	case pipeline.FieldKind:
		return keptIf(kind == ev.Kind, Derived)
	case pipeline.FieldName:
		if ev.Kind == pipeline.Custom && strings.HasPrefix(ev.Name, "$") {
			return max(Derived, fits(ev.Name, posthogLimits.Name))
		}
	case pipeline.FieldHostname, pipeline.FieldPath, pipeline.FieldQuery:
		return pageURLCarries(f, ev, maxUnitsURL)
	case pipeline.FieldTitle:
		if kind != pipeline.Pageview {
			return Lost
		}
	case pipeline.FieldRegion:
		return keptIf(regionCode(ev) != "", Lost)
	case pipeline.FieldCoordinates:
		return keptIf(hasCoordinates(ev), Lost)
	case pipeline.FieldTarget:
		switch {
		case ev.Kind != pipeline.Outbound:
			return Lost
		case kind != pipeline.Outbound:
			return max(Derived, fits(ev.Target, maxUnitsURL))
		}
	case pipeline.FieldTargetText:
		switch {
		case ev.Kind != pipeline.Outbound:
			return Lost
		case kind != pipeline.Outbound:
			return max(Derived, fits(ev.TargetText, maxUnitsTitle))
		}
	case pipeline.FieldMessage:
		if kind != pipeline.Error {
			return Lost
		}
	case pipeline.FieldProperties:
		if kind != pipeline.Custom {
			return Lost
		}
		return propertiesCarried(len(ev.Properties), ev, posthogPrefix)
	case pipeline.FieldTimeZone:
		return keptIf(isZone(ev.TimeZone), Lost)
	case pipeline.FieldVitals:
		return keptIf(kind == pipeline.Vitals, Lost)
	case pipeline.FieldUserProperties, pipeline.FieldTTFB:
		return Lost
	}
	return withinLimits(f, ev, &posthogLimits)
}
