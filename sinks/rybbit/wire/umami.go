package wire

import (
	"strings"

	"hopper/pipeline"
)

// umamiWire is the format that every server with an import knows.
//
// Rybbit reads the session from session_id and the user from distinct_id: so
// a visit goes into the one and the visitor into the other, and there is no
// room for an identified user. It renames Umami's own words for browsers and
// systems and keeps every other word, so Rybbit's names come through as they
// are; "Windows 10" and "Windows 7" are the only words from which it reads a version.
type umamiWire struct{}

func (umamiWire) Platform() string { return "umami" }

func (umamiWire) EventsPerSecond() int { return 15_000 }

var umamiLimits = sharedLimits(pipeline.Limits{
	Path:     maxUnitsURL,
	Query:    maxUnitsURL,
	Title:    maxUnitsTitle,
	Referrer: maxUnitsURL, // a path may have as many beside its domain, which few referrers need
})

func (umamiWire) Limits() pipeline.Limits { return umamiLimits }

func (umamiWire) Refuses(ev *pipeline.Event) string {
	if ev.Kind == pipeline.Vitals {
		return noVitals
	}
	return ""
}

func (umamiWire) Adapts(*pipeline.Event) string { return "" }

func (umamiWire) Append(dst []byte, ev *pipeline.Event) []byte {
	// An array's literal would be made elsewhere and copied.
	var texts [len(umamiLiterals)]string
	texts[0], texts[1] = sessionID(ev), pipeline.Cut(ev.Hostname, maxUnitsHostname)
	texts[4], texts[5] = pipeline.Cut(ev.Path, maxUnitsURL), pipeline.Cut(ev.Query, maxUnitsURL)
	domain, path := umamiReferrer(ev.Referrer)
	texts[6], texts[7] = pipeline.Cut(path, maxUnitsURL), domain
	texts[8] = pipeline.Cut(ev.Title, maxUnitsTitle)
	if texts[9] = "1"; ev.Kind != pipeline.Pageview {
		texts[9] = "2"
		texts[10], texts[11] = eventName(ev, maxUnitsName)
	}
	texts[12] = visitorID(ev)

	literals, rest := umamiLiterals, 0
	literals[2], literals[3] = ev.ClientMemo.Written(&umamiClient), ev.PlaceMemo.Written(&umamiPlace)
	if literals[2] == "" || literals[3] == "" {
		dst = appendJoined(dst, ev, literals[:2], texts[:2])
		dst = ev.ClientMemo.Append(dst, &umamiClient, ev)
		dst = ev.PlaceMemo.Append(dst, &umamiPlace, ev)
		rest = 4
	}
	dst = appendJoined(dst, ev, literals[rest:], texts[rest:])
	dst = appendTime(dst, ev.Time, ' ')
	return append(dst, `"}`...)
}

// umamiLiterals stand before the texts of an event. Two are what is written of client and
// place, behind which there are no texts. The first servers demand a referrer_query, later
// ones ignore it; both take the query as part of the path.
var umamiLiterals = [...]string{
	`{"session_id":"`, `","hostname":"`, "", "",
	`","url_path":"`, `","url_query":"`, `","referrer_path":"`, `","referrer_query":"","referrer_domain":"`,
	`","page_title":"`, `","event_type":"`, `","event_name":"`, "", `","distinct_id":"`, `","created_at":"`,
}

var umamiClient = pipeline.Part{Write: func(dst []byte, ev *pipeline.Event) []byte {
	dst = append(dst, `","browser":"`...)
	dst = appendCut(dst, ev.Browser, maxUnitsBrowser)
	dst = append(dst, `","os":"`...)
	dst = appendCut(dst, ev.OS, maxUnitsOS)
	if umamiTellsVersion(ev) {
		dst = append(dst, ' ')
		dst = append(dst, ev.OSVersion...)
	}
	dst = append(dst, `","device":"`...)
	dst = appendCut(dst, ev.Device, maxUnitsDevice)
	dst = append(dst, `","screen":"`...)
	return appendScreen(dst, ev)
}}

var umamiPlace = pipeline.Part{Write: func(dst []byte, ev *pipeline.Event) []byte {
	dst = append(dst, `","language":"`...)
	dst = appendCut(dst, ev.Language, maxUnitsLanguage)
	dst = append(dst, `","country":"`...)
	dst = appendCountry(dst, ev.Country)
	dst = append(dst, `","region":"`...)
	dst = appendRegion(dst, ev.Region)
	dst = append(dst, `","city":"`...)
	return appendCut(dst, ev.City, maxUnitsCity)
}}

// umamiReferrer splits a referrer as Rybbit joins it: "https://", domain and
// path. Where the domain is empty the path is the whole referrer, which keeps
// other schemes.
func umamiReferrer(referrer string) (domain, path string) {
	rest, https := strings.CutPrefix(referrer, "https://")
	if !https {
		return "", referrer
	}
	end := 0
	for end < len(rest) && rest[end] != '/' && rest[end] != '?' && rest[end] != '#' {
		end++
	}
	if end == 0 || end > maxUnitsHostname {
		return "", referrer
	}
	return rest[:end], rest[end:]
}

func umamiTellsVersion(ev *pipeline.Event) bool {
	return ev.OS == "Windows" && (ev.OSVersion == "10" || ev.OSVersion == "7")
}

func (umamiWire) Carries(f pipeline.Field, ev *pipeline.Event) Fidelity {
	switch f {
	case pipeline.FieldKind:
		return Derived
	case pipeline.FieldName:
		return customName(ev)
	case pipeline.FieldReferrer:
		_, path := umamiReferrer(ev.Referrer)
		return fits(path, maxUnitsURL)
	case pipeline.FieldOSVersion:
		return keptIf(umamiTellsVersion(ev), Lost)
	case pipeline.FieldPrecision, pipeline.FieldIdentified, pipeline.FieldBrowserVersion, pipeline.FieldCoordinates,
		pipeline.FieldTimeZone, pipeline.FieldProperties, pipeline.FieldUserProperties, pipeline.FieldTarget,
		pipeline.FieldTargetText, pipeline.FieldMessage, pipeline.FieldVitals, pipeline.FieldTTFB:
		return Lost
	}
	return withinLimits(f, ev, &umamiLimits)
}
