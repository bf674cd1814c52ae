package pipeline

import "fmt"

// A Field is one fact of an [Event], or a few that only make sense together,
// for saying what a wire format does with it.
type Field uint8

// The fields, in the order in which people want to read them.
const (
	// FieldTime is the time to the second, FieldPrecision what is finer.
	FieldTime Field = iota
	FieldPrecision
	// FieldKind is that the event is more than a pageview or a custom event.
	FieldKind
	FieldName
	FieldVisitor
	FieldSession
	FieldIdentified
	FieldHostname
	FieldPath
	FieldQuery
	FieldTitle
	FieldReferrer
	FieldBrowser
	FieldBrowserVersion
	FieldOS
	FieldOSVersion
	FieldDevice
	FieldScreen
	FieldLanguage
	FieldCountry
	FieldRegion
	FieldCity
	FieldCoordinates
	FieldTimeZone
	FieldProperties
	FieldUserProperties
	FieldTarget
	FieldTargetText
	FieldMessage
	// FieldVitals are LCP, INP, FCP and CLS.
	FieldVitals
	FieldTTFB

	// Fields is the number of fields.
	Fields = iota
)

var fieldNames = [Fields]string{
	"time", "time below a second", "kind", "name", "visitor", "session", "identified user", "hostname", "path", "query", "title",
	"referrer", "browser", "browser version", "system", "system version", "device", "screen", "language", "country", "region",
	"city", "coordinates", "time zone", "properties", "user properties", "target", "target text", "message", "web vitals", "TTFB",
}

// String returns the field's name as people read it.
func (f Field) String() string {
	if int(f) < len(fieldNames) {
		return fieldNames[f]
	}
	return fmt.Sprintf("field(%d)", uint8(f))
}

// MarshalText writes the field's name.
func (f Field) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// Has reports whether ev fills f.
func (ev *Event) Has(f Field) bool {
	switch f {
	case FieldTime:
		return ev.Time != 0
	case FieldPrecision:
		return ev.Time%1e6 != 0
	case FieldKind:
		return ev.Kind != Pageview && ev.Kind != Custom
	case FieldName:
		return ev.Name != "" && (ev.Kind == Custom || ev.Kind == Error)
	case FieldVisitor:
		return ev.Visitor != ""
	case FieldSession:
		return ev.Session != ""
	case FieldIdentified:
		return ev.Identified != ""
	case FieldHostname:
		return ev.Hostname != ""
	case FieldPath:
		return ev.Path != ""
	case FieldQuery:
		return ev.Query != ""
	case FieldTitle:
		return ev.Title != ""
	case FieldReferrer:
		return ev.Referrer != ""
	case FieldBrowser:
		return ev.Browser != ""
	case FieldBrowserVersion:
		return ev.BrowserVersion != ""
	case FieldOS:
		return ev.OS != ""
	case FieldOSVersion:
		return ev.OSVersion != ""
	case FieldDevice:
		return ev.Device != ""
	case FieldScreen:
		return ev.ScreenWidth != 0 && ev.ScreenHeight != 0
	case FieldLanguage:
		return ev.Language != ""
	case FieldCountry:
		return ev.Country != ""
	case FieldRegion:
		return ev.Region != ""
	case FieldCity:
		return ev.City != ""
	case FieldCoordinates:
		return ev.Latitude.Known && ev.Longitude.Known
	case FieldTimeZone:
		return ev.TimeZone != ""
	case FieldProperties:
		return len(ev.Properties) != 0
	case FieldUserProperties:
		return len(ev.UserProperties) != 0
	case FieldTarget:
		return ev.Target != ""
	case FieldTargetText:
		return ev.TargetText != ""
	case FieldMessage:
		return ev.Message != ""
	case FieldVitals:
		v := &ev.Vitals
		return v.LCP.Known || v.INP.Known || v.FCP.Known || v.CLS.Known
	case FieldTTFB:
		return ev.Vitals.TTFB.Known
	}
	return false
}
