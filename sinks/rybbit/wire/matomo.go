package wire

import (
	"strconv"
	"strings"

	"hopper/pipeline"
)

// matomoWire writes one object for each action of a visit.
//
// Matomo's visitor ids are 64 bits, so the visitor's UUID is hashed: as many
// users as before, under other ids. An event is named by its category, and has
// an action, a name and a value that become properties: its own properties
// arrive as one JSON text, the name.
type matomoWire struct{}

func (matomoWire) Platform() string { return "matomo" }

// EventsPerSecond is a guess: no server that was measured knew the format, and the
// slowest format that was measured is the safe one to compare with.
func (matomoWire) EventsPerSecond() int { return 1_600 }

var matomoLimits = sharedLimits(pipeline.Limits{
	URL:        maxUnitsURL,
	Title:      maxUnitsTitle,
	Referrer:   maxUnitsURL,
	Identified: maxUnitsUser,
	Target:     maxUnitsURL,
})

func (matomoWire) Limits() pipeline.Limits { return matomoLimits }

func (matomoWire) Refuses(ev *pipeline.Event) string {
	if ev.Kind == pipeline.Vitals {
		return noVitals
	}
	return ""
}

func (matomoWire) Adapts(*pipeline.Event) string { return "" }

func (matomoWire) Append(dst []byte, ev *pipeline.Event) []byte {
	dst = append(dst, `{"idVisit":"`...)
	dst = append(dst, sessionID(ev)...)
	dst = append(dst, `","visitorId":"`...)
	dst = appendVisitorHash(dst, visitorOf(ev))
	dst = append(dst, `","userId":"`...)
	dst = appendCut(dst, ev.Identified, maxUnitsUser)

	outlink := isOutlink(ev)
	switch {
	case outlink:
		dst = append(dst, `","type":"outlink`...)
	case ev.Kind == pipeline.Pageview:
		dst = append(dst, `","type":"action`...)
	default:
		dst = append(dst, `","type":"event`...)
	}
	dst = append(dst, `","url":"`...)
	dst = appendPageURL(dst, ev, maxUnitsURL)
	dst = append(dst, `","pageTitle":"`...)
	dst = appendCut(dst, ev.Title, maxUnitsTitle)
	dst = append(dst, `","linkUrl":"`...)
	if outlink {
		dst = appendCut(dst, ev.Target, maxUnitsURL)
	}
	dst = append(dst, `","eventCategory":"`...)
	if ev.Kind != pipeline.Pageview && !outlink {
		dst = appendEventName(dst, ev, maxUnitsName)
	}
	dst = append(dst, `","eventAction":"","eventName":"`...)
	if ev.Kind != pipeline.Pageview && !outlink {
		dst = appendProperties(dst, ev)
	}
	dst = append(dst, `","eventValue":"","timestamp":"`...)
	dst = strconv.AppendInt(dst, int64(min(max(ev.Time, firstTime), lastTime)/1e6), 10)
	dst = append(dst, `","referrerUrl":"`...)
	dst = appendCut(dst, ev.Referrer, maxUnitsURL)
	dst = ev.ClientMemo.Append(dst, &matomoClient, ev)
	dst = ev.PlaceMemo.Append(dst, &matomoPlace, ev)
	dst = append(dst, `","latitude":"`...)
	if hasCoordinates(ev) {
		dst = appendNumber(dst, ev.Latitude.Value)
		dst = append(dst, `","longitude":"`...)
		dst = appendNumber(dst, ev.Longitude.Value)
	} else {
		dst = append(dst, `","longitude":"`...)
	}
	return append(ev.ClientMemo.Append(dst, &matomoScreen, ev), `"}`...)
}

// matomoClient writes the visitor's browser, system and device.
var matomoClient = pipeline.Part{Write: func(dst []byte, ev *pipeline.Event) []byte {
	dst = append(dst, `","browserName":"`...)
	dst = appendCut(dst, ev.Browser, maxUnitsBrowser)
	dst = append(dst, `","browserVersion":"`...)
	dst = append(dst, browserVersion(ev)...)
	dst = append(dst, `","operatingSystemName":"`...)
	dst = appendCut(dst, ev.OS, maxUnitsOS)
	dst = append(dst, `","operatingSystemVersion":"`...)
	dst = appendCut(dst, ev.OSVersion, maxUnitsOSVersion)
	dst = append(dst, `","deviceType":"`...)
	return appendCut(dst, ev.Device, maxUnitsDevice)
}}

// matomoPlace writes the visitor's language and place.
var matomoPlace = pipeline.Part{Write: func(dst []byte, ev *pipeline.Event) []byte {
	dst = append(dst, `","languageCode":"`...)
	dst = appendMatomoLanguage(dst, ev.Language)
	dst = append(dst, `","countryCode":"`...)
	dst = appendCountry(dst, ev.Country)
	dst = append(dst, `","regionCode":"`...)
	dst = append(dst, regionCode(ev)...)
	dst = append(dst, `","city":"`...)
	return appendCut(dst, ev.City, maxUnitsCity)
}}

// matomoScreen writes the visitor's screen.
var matomoScreen = pipeline.Part{Write: func(dst []byte, ev *pipeline.Event) []byte {
	return appendScreen(append(dst, `","resolution":"`...), ev)
}}

// isOutlink reports whether ev is a click whose target the importer surely takes.
func isOutlink(ev *pipeline.Event) bool { return ev.Kind == pipeline.Outbound && isAddress(ev.Target) }

// appendVisitorHash appends 16 hex digits that are the same for the same
// visitor in every run: 64-bit FNV-1a with MurmurHash3's finalizer, which
// spreads the last characters over all digits.
func appendVisitorHash(dst []byte, visitor string) []byte {
	h := uint64(0xcbf29ce484222325)
	for i := range len(visitor) {
		h = (h ^ uint64(visitor[i])) * 0x100000001b3
	}
	h = (h ^ h>>33) * 0xff51afd7ed558ccd
	h = (h ^ h>>33) * 0xc4ceb9fe1a85ec53
	h ^= h >> 33
	const hex = "0123456789abcdef"
	for shift := 60; shift >= 0; shift -= 4 {
		dst = append(dst, hex[h>>shift&15])
	}
	return dst
}

// appendMatomoLanguage appends what of a language tag the importer takes: a
// language and a region, without a script between.
func appendMatomoLanguage(dst []byte, tag string) []byte {
	language, region := matomoLanguage(tag)
	dst = append(dst, language...)
	if region != "" {
		dst = append(dst, '-')
		dst = append(dst, region...)
	}
	return dst
}

func matomoLanguage(tag string) (language, region string) {
	for i := 0; i <= len(tag); {
		end := i
		for end < len(tag) && tag[end] != '-' {
			if !isDigit(tag[end]) && (tag[end]|0x20 < 'a' || tag[end]|0x20 > 'z') {
				return language, region
			}
			end++
		}
		part := tag[i:end]
		switch {
		case i == 0 && (len(part) < 2 || len(part) > 3 || isDigit(part[0]) || part == "xx"):
			return "", ""
		case i == 0:
			language = part
		case len(part) == 2 && !isDigit(part[0]) || len(part) == 3 && isDigit(part[0]):
			return language, part
		}
		i = end + 1
	}
	return language, ""
}

func (matomoWire) Carries(f pipeline.Field, ev *pipeline.Event) Fidelity {
	outlink := isOutlink(ev)
	switch f {
	case pipeline.FieldKind:
		return keptIf(outlink, Derived)
	case pipeline.FieldVisitor:
		return Derived
	case pipeline.FieldName:
		return customName(ev)
	case pipeline.FieldIdentified:
		if trimmed := strings.TrimSpace(ev.Identified); trimmed != ev.Identified { // the importer trims it
			return Derived
		}
	case pipeline.FieldHostname, pipeline.FieldPath, pipeline.FieldQuery:
		return pageURLCarries(f, ev, maxUnitsURL)
	case pipeline.FieldTarget:
		switch {
		case ev.Kind != pipeline.Outbound:
			return Lost
		case !outlink:
			return Shortened // within the text of the event's name
		}
	case pipeline.FieldMessage:
		if ev.Kind != pipeline.Error {
			return Lost
		}
		return Shortened
	case pipeline.FieldProperties:
		if ev.Kind == pipeline.Pageview || outlink {
			return Lost
		}
		return Shortened
	case pipeline.FieldOS:
		if ev.OS == "Windows Mobile" { // which the importer calls Windows Phone
			return Derived
		}
	case pipeline.FieldLanguage:
		language, region := matomoLanguage(ev.Language)
		whole := len(language)
		if region != "" {
			whole += len("-") + len(region)
		}
		if language == "" {
			return Lost
		}
		return keptIf(whole == len(ev.Language), Derived)
	case pipeline.FieldRegion:
		return keptIf(regionCode(ev) != "", Lost)
	case pipeline.FieldCoordinates:
		return keptIf(hasCoordinates(ev), Lost)
	case pipeline.FieldPrecision, pipeline.FieldTimeZone, pipeline.FieldUserProperties, pipeline.FieldTargetText,
		pipeline.FieldVitals, pipeline.FieldTTFB:
		return Lost
	}
	return withinLimits(f, ev, &matomoLimits)
}
