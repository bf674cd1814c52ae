package wire

import "hopper/pipeline"

// plausibleWire carries properties on pageviews too and every version, but no
// title, language or screen.
type plausibleWire struct{}

func (plausibleWire) Platform() string { return "plausible" }

func (plausibleWire) EventsPerSecond() int { return 6_000 }

var plausibleLimits = sharedLimits(pipeline.Limits{
	Path:       maxUnitsURL,
	Query:      maxUnitsURL - len("?"),
	Referrer:   maxUnitsURL,
	Properties: plausibleProps,
})

// plausibleProps is the limit of all properties as one JSON text.
const plausibleProps = 4096

func (plausibleWire) Limits() pipeline.Limits { return plausibleLimits }

func (plausibleWire) Refuses(ev *pipeline.Event) string {
	if ev.Kind == pipeline.Vitals {
		return noVitals
	}
	return ""
}

func (plausibleWire) Adapts(*pipeline.Event) string { return "" }

func (plausibleWire) Append(dst []byte, ev *pipeline.Event) []byte {
	dst = append(dst, `{"timestamp":"`...)
	dst = appendTime(dst, ev.Time, ' ')
	dst = append(dst, `","session_id":"`...)
	dst = append(dst, sessionID(ev)...)
	dst = append(dst, `","user_id":"`...)
	dst = append(dst, visitorID(ev)...)
	dst = append(dst, `","hostname":"`...)
	dst = appendCut(dst, ev.Hostname, maxUnitsHostname)
	dst = append(dst, `","pathname":"`...)
	dst = appendCut(dst, ev.Path, maxUnitsURL)
	dst = append(dst, `","querystring":"`...)
	if ev.Query != "" {
		dst = append(dst, '?')
		dst = appendCut(dst, ev.Query, plausibleLimits.Query)
	}
	dst = append(dst, `","referrer":"`...)
	if isAddress(ev.Referrer) {
		dst = appendCut(dst, ev.Referrer, maxUnitsURL)
	}
	dst = ev.ClientMemo.Append(dst, &plausibleClient, ev)
	dst = ev.PlaceMemo.Append(dst, &plausiblePlace, ev)
	if ev.Kind == pipeline.Pageview {
		dst = append(dst, `","type":"pageview","event_name":"`...)
	} else {
		dst = append(dst, `","type":"custom_event","event_name":"`...)
		dst = appendEventName(dst, ev, maxUnitsName)
	}
	dst = append(dst, `","props":"`...)
	props := newNestedObject(dst).within(plausibleProps)
	plausibleProperties(&props, ev)
	return append(props.end(), `"}`...)
}

var plausibleClient = pipeline.Part{Write: func(dst []byte, ev *pipeline.Event) []byte {
	dst = append(dst, `","browser":"`...)
	dst = appendCut(dst, ev.Browser, maxUnitsBrowser)
	dst = append(dst, `","browser_version":"`...)
	dst = append(dst, browserVersion(ev)...)
	dst = append(dst, `","operating_system":"`...)
	dst = appendCut(dst, ev.OS, maxUnitsOS)
	dst = append(dst, `","operating_system_version":"`...)
	dst = appendCut(dst, ev.OSVersion, maxUnitsOSVersion)
	dst = append(dst, `","device_type":"`...)
	return appendCut(dst, ev.Device, maxUnitsDevice)
}}

var plausiblePlace = pipeline.Part{Write: func(dst []byte, ev *pipeline.Event) []byte {
	dst = append(dst, `","country":"`...)
	dst = appendCountry(dst, ev.Country)
	dst = append(dst, `","region":"`...)
	dst = appendRegion(dst, ev.Region)
	dst = append(dst, `","city":"`...)
	return appendCut(dst, ev.City, maxUnitsCity)
}}

// plausibleProperties writes ev's properties as far as the limit allows: first
// what its kind has to say, then its own. It returns how many of each it wrote.
func plausibleProperties(o *nestedObject, ev *pipeline.Event) (ofKind, own int) {
	facts, n := kindProperties(ev)
	for i := range facts[:n] {
		if o.property("", &facts[i]) {
			ofKind++
		}
	}
	for i := range ev.Properties {
		p := &ev.Properties[i]
		if o.property(kindPrefix(ev, p.Key), p) {
			own++
		}
	}
	return ofKind, own
}

func (plausibleWire) Carries(f pipeline.Field, ev *pipeline.Event) Fidelity {
	switch f {
	case pipeline.FieldKind:
		return Derived
	case pipeline.FieldName:
		return customName(ev)
	case pipeline.FieldReferrer:
		if !isAddress(ev.Referrer) {
			return Lost
		}
	case pipeline.FieldTarget, pipeline.FieldTargetText, pipeline.FieldMessage, pipeline.FieldProperties:
		return plausiblePropsCarries(f, ev)
	case pipeline.FieldPrecision, pipeline.FieldIdentified, pipeline.FieldTitle, pipeline.FieldScreen, pipeline.FieldLanguage,
		pipeline.FieldCoordinates, pipeline.FieldTimeZone, pipeline.FieldUserProperties, pipeline.FieldVitals, pipeline.FieldTTFB:
		return Lost
	}
	return withinLimits(f, ev, &plausibleLimits)
}

// plausiblePropsCarries says what becomes of a field that is written among the properties.
func plausiblePropsCarries(f pipeline.Field, ev *pipeline.Event) Fidelity {
	o := measuredObject(plausibleProps)
	ofKind, own := plausibleProperties(&o, ev)
	switch {
	case f == pipeline.FieldProperties:
		return propertiesCarried(own, ev, kindPrefix)
	case f == pipeline.FieldTarget && ofKind > 0:
		return max(Derived, fits(ev.Target, maxUnitsURL))
	case f == pipeline.FieldTargetText && ofKind == 2:
		return max(Derived, fits(ev.TargetText, maxUnitsTitle))
	case f == pipeline.FieldMessage && ofKind > 0:
		return max(Derived, fits(ev.Message, maxUnitsTitle))
	}
	return Lost
}
