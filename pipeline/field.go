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

// A description is all that is to be known of a field: whoever goes over an
// event's fields goes over this table.
type description struct {
	name string
	// weight says how much the field matters for one event, against the others.
	// Eight is what Rybbit's numbers are made of: who came, in which visits, to
	// which pages, from where. Four are what its lists break those down by, two
	// what they show less often, one the details.
	weight int64
	has    func(*Event) bool
	// text is where a field that is one text stands; nil for any other.
	text func(*Event) *string
	// limit is how long a text may be, in UTF-16 code units, where a wire format
	// can bound it, and cut how it is shortened; nil is [Cut].
	limit func(*Limits) int
	cut   func(s string, limit int) string
}

var descriptions = [Fields]description{
	FieldTime:           {name: "time", weight: 8, has: func(ev *Event) bool { return ev.Time != 0 }},
	FieldPrecision:      {name: "time below a second", weight: 1, has: func(ev *Event) bool { return ev.Time%1e6 != 0 }},
	FieldKind:           {name: "kind", weight: 8, has: func(ev *Event) bool { return ev.Kind != Pageview && ev.Kind != Custom }},
	FieldName:           {name: "name", weight: 8, has: hasName, text: func(ev *Event) *string { return &ev.Name }, limit: func(l *Limits) int { return l.Name }},
	FieldVisitor:        {name: "visitor", weight: 8, text: func(ev *Event) *string { return &ev.Visitor }},
	FieldSession:        {name: "session", weight: 8, text: func(ev *Event) *string { return &ev.Session }},
	FieldIdentified:     {name: "identified user", weight: 4, text: func(ev *Event) *string { return &ev.Identified }, limit: func(l *Limits) int { return l.Identified }},
	FieldHostname:       {name: "hostname", weight: 8, text: func(ev *Event) *string { return &ev.Hostname }, limit: func(l *Limits) int { return l.Hostname }},
	FieldPath:           {name: "path", weight: 8, text: func(ev *Event) *string { return &ev.Path }, limit: func(l *Limits) int { return l.Path }, cut: CutEscaped},
	FieldQuery:          {name: "query", weight: 8, text: func(ev *Event) *string { return &ev.Query }, limit: func(l *Limits) int { return l.Query }, cut: cutQuery},
	FieldTitle:          {name: "title", weight: 4, text: func(ev *Event) *string { return &ev.Title }, limit: func(l *Limits) int { return l.Title }},
	FieldReferrer:       {name: "referrer", weight: 8, text: func(ev *Event) *string { return &ev.Referrer }, limit: func(l *Limits) int { return l.Referrer }, cut: cutURL},
	FieldBrowser:        {name: "browser", weight: 4, text: func(ev *Event) *string { return &ev.Browser }, limit: func(l *Limits) int { return l.Browser }},
	FieldBrowserVersion: {name: "browser version", weight: 1, text: func(ev *Event) *string { return &ev.BrowserVersion }, limit: func(l *Limits) int { return l.BrowserVersion }},
	FieldOS:             {name: "system", weight: 4, text: func(ev *Event) *string { return &ev.OS }, limit: func(l *Limits) int { return l.OS }},
	FieldOSVersion:      {name: "system version", weight: 1, text: func(ev *Event) *string { return &ev.OSVersion }, limit: func(l *Limits) int { return l.OSVersion }},
	FieldDevice:         {name: "device", weight: 4, text: func(ev *Event) *string { return &ev.Device }, limit: func(l *Limits) int { return l.Device }},
	FieldScreen:         {name: "screen", weight: 2, has: func(ev *Event) bool { return ev.ScreenWidth != 0 && ev.ScreenHeight != 0 }},
	FieldLanguage:       {name: "language", weight: 2, text: func(ev *Event) *string { return &ev.Language }, limit: func(l *Limits) int { return l.Language }},
	FieldCountry:        {name: "country", weight: 4, text: func(ev *Event) *string { return &ev.Country }},
	FieldRegion:         {name: "region", weight: 2, text: func(ev *Event) *string { return &ev.Region }},
	FieldCity:           {name: "city", weight: 2, text: func(ev *Event) *string { return &ev.City }, limit: func(l *Limits) int { return l.City }},
	FieldCoordinates:    {name: "coordinates", weight: 1, has: func(ev *Event) bool { return ev.Latitude.Known && ev.Longitude.Known }},
	FieldTimeZone:       {name: "time zone", weight: 1, text: func(ev *Event) *string { return &ev.TimeZone }},
	FieldProperties:     {name: "properties", weight: 4, has: func(ev *Event) bool { return len(ev.Properties) != 0 }},
	FieldUserProperties: {name: "user properties", weight: 2, has: func(ev *Event) bool { return len(ev.UserProperties) != 0 }},
	FieldTarget:         {name: "target", weight: 4, text: func(ev *Event) *string { return &ev.Target }, limit: func(l *Limits) int { return l.Target }, cut: cutURL},
	FieldTargetText:     {name: "target text", weight: 1, text: func(ev *Event) *string { return &ev.TargetText }, limit: func(l *Limits) int { return l.TargetText }},
	FieldMessage:        {name: "message", weight: 4, text: func(ev *Event) *string { return &ev.Message }, limit: func(l *Limits) int { return l.Message }},
	FieldVitals:         {name: "web vitals", weight: 4, has: hasVitals},
	FieldTTFB:           {name: "TTFB", weight: 1, has: func(ev *Event) bool { return ev.Vitals.TTFB.Known }},
}

func hasName(ev *Event) bool { return ev.Name != "" && (ev.Kind == Custom || ev.Kind == Error) }

func hasVitals(ev *Event) bool {
	v := &ev.Vitals
	return v.LCP.Known || v.INP.Known || v.FCP.Known || v.CLS.Known
}

// String returns the field's name as people read it.
func (f Field) String() string {
	if int(f) < len(descriptions) {
		return descriptions[f].name
	}
	return fmt.Sprintf("field(%d)", uint8(f))
}

// MarshalText writes the field's name.
func (f Field) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// Weight says how much the field matters for one event, against the others: 8,
// 4, 2 or 1.
func (f Field) Weight() int64 { return descriptions[f].weight }

// Text returns where ev keeps a field that is one text, and nil for any other field.
func (f Field) Text(ev *Event) *string {
	if at := descriptions[f].text; at != nil {
		return at(ev)
	}
	return nil
}

// Limit returns how long the field may be in a wire format with the limits l,
// in UTF-16 code units; 0 is no limit.
func (f Field) Limit(l *Limits) int {
	if limit := descriptions[f].limit; limit != nil {
		return limit(l)
	}
	return 0
}

// Has reports whether ev fills f.
func (ev *Event) Has(f Field) bool {
	if int(f) >= len(descriptions) {
		return false
	}
	if has := descriptions[f].has; has != nil {
		return has(ev)
	}
	return *descriptions[f].text(ev) != ""
}

// texts yields the event's texts, but for properties and where it stood.
func (ev *Event) texts(yield func(*string) bool) {
	for f := range Field(Fields) {
		if s := f.Text(ev); s != nil && !yield(s) {
			return
		}
	}
}
