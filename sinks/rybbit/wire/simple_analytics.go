package wire

import (
	"strconv"
	"strings"

	"hopper/pipeline"
)

// simpleAnalyticsWire carries no browser, system or device but a user agent,
// from which Rybbit derives them: see appendUserAgent. It has no title, region
// or city, and no properties.
type simpleAnalyticsWire struct{}

func (simpleAnalyticsWire) Platform() string { return "simple_analytics" }

// EventsPerSecond is scaled from a measurement under load, where umami reached 9,200.
func (simpleAnalyticsWire) EventsPerSecond() int { return 3_500 }

var simpleAnalyticsLimits = sharedLimits(pipeline.Limits{
	Path:     maxUnitsURL,
	Query:    maxUnitsURL,
	Referrer: maxUnitsHostname + maxUnitsURL,
})

func (simpleAnalyticsWire) Limits() pipeline.Limits { return simpleAnalyticsLimits }

func (simpleAnalyticsWire) Refuses(ev *pipeline.Event) string {
	if ev.Kind == pipeline.Vitals {
		return noVitals
	}
	return ""
}

// pageviewDatapoint marks pageviews; a custom event of that name would become one.
const pageviewDatapoint = "pageview"

func (simpleAnalyticsWire) Adapts(ev *pipeline.Event) string {
	if ev.Kind == pipeline.Custom && ev.Name == pageviewDatapoint {
		return repairReservedName
	}
	return ""
}

func (simpleAnalyticsWire) Append(dst []byte, ev *pipeline.Event) []byte {
	dst = append(dst, `{"added_iso":"`...)
	dst = appendTime(dst, ev.Time, 'T')
	dst = append(dst, `Z","country_code":"`...)
	dst = appendCountry(dst, ev.Country)
	dst = append(dst, `","datapoint":"`...)
	if ev.Kind == pipeline.Pageview {
		dst = append(dst, pageviewDatapoint...)
	} else {
		if ev.Kind == pipeline.Custom && ev.Name == pageviewDatapoint {
			dst = append(dst, renamed...)
		}
		dst = appendEventName(dst, ev, maxUnitsName)
	}
	dst = append(dst, `","document_referrer":"`...)
	dst = appendCut(dst, ev.Referrer, simpleAnalyticsLimits.Referrer)
	dst = append(dst, `","hostname":"`...)
	dst = appendCut(dst, ev.Hostname, maxUnitsHostname)
	dst = ev.PlaceMemo.Append(dst, &simpleAnalyticsLanguage, ev)
	dst = append(dst, `","path":"`...)
	dst = appendCut(dst, ev.Path, maxUnitsURL)
	dst = append(dst, `","query":"`...)
	dst = appendCut(dst, ev.Query, maxUnitsURL)
	dst = ev.ClientMemo.Append(dst, &simpleAnalyticsScreen, ev)
	dst = append(dst, `","session_id":"`...)
	dst = append(dst, sessionID(ev)...)
	dst = ev.ClientMemo.Append(dst, &simpleAnalyticsAgent, ev)
	dst = append(dst, `","uuid":"`...)
	dst = append(dst, visitorID(ev)...)
	return append(dst, `"}`...)
}

var simpleAnalyticsLanguage = pipeline.Part{Write: func(dst []byte, ev *pipeline.Event) []byte {
	language, region := splitLanguage(ev.Language)
	dst = append(dst, `","lang_language":"`...)
	dst = appendCut(dst, language, maxUnitsLanguage)
	dst = append(dst, `","lang_region":"`...)
	return append(dst, region...)
}}

var simpleAnalyticsScreen = pipeline.Part{Write: func(dst []byte, ev *pipeline.Event) []byte {
	width, height := int64(0), int64(0) // 0 is unknown: the field must hold digits
	if hasScreen(ev) {
		width, height = int64(ev.ScreenWidth), int64(ev.ScreenHeight)
	}
	dst = append(dst, `","screen_height":"`...)
	dst = strconv.AppendInt(dst, height, 10)
	dst = append(dst, `","screen_width":"`...)
	return strconv.AppendInt(dst, width, 10)
}}

var simpleAnalyticsAgent = pipeline.Part{Write: func(dst []byte, ev *pipeline.Event) []byte {
	dst = append(dst, `","user_agent":"`...)
	return appendUserAgent(dst, ev)
}}

// splitLanguage cuts a tag before its region, which the importer joins again
// in upper case. A tag that ends in anything else stays whole.
func splitLanguage(tag string) (language, region string) {
	i := strings.LastIndexByte(tag, '-')
	if i <= 0 || !isCountry(tag[i+1:]) {
		return tag, ""
	}
	return tag[:i], tag[i+1:]
}

func (simpleAnalyticsWire) Carries(f pipeline.Field, ev *pipeline.Event) Fidelity {
	switch f {
	case pipeline.FieldKind:
		return Derived
	case pipeline.FieldName:
		if ev.Kind == pipeline.Custom && ev.Name == pageviewDatapoint {
			return Derived
		}
		return customName(ev)
	case pipeline.FieldBrowser, pipeline.FieldBrowserVersion, pipeline.FieldOS, pipeline.FieldOSVersion, pipeline.FieldDevice:
		return userAgentCarries(f, ev)
	case pipeline.FieldPrecision, pipeline.FieldIdentified, pipeline.FieldTitle, pipeline.FieldRegion, pipeline.FieldCity,
		pipeline.FieldCoordinates, pipeline.FieldTimeZone, pipeline.FieldProperties, pipeline.FieldUserProperties,
		pipeline.FieldTarget, pipeline.FieldTargetText, pipeline.FieldMessage, pipeline.FieldVitals, pipeline.FieldTTFB:
		return Lost
	}
	return withinLimits(f, ev, &simpleAnalyticsLimits)
}
