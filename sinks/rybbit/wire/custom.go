package wire

import "hopper/pipeline"

// What a format has no kind for travels as a custom event, so that it is still
// counted, with what it tells as properties where the format has any. The first
// of these names is Plausible's, which people know from there.
const (
	outboundEvent = "Outbound Link: Click"
	errorEvent    = "Error"
)

// appendEventName appends the name that ev has as a custom event.
func appendEventName(dst []byte, ev *pipeline.Event, limit int) []byte {
	switch ev.Kind {
	case pipeline.Outbound:
		return append(dst, outboundEvent...)
	case pipeline.Error:
		dst = append(dst, errorEvent...)
		if ev.Name == "" {
			return dst
		}
		dst = append(dst, ": "...)
		limit -= len(errorEvent) + len(": ")
	case pipeline.Custom:
		if ev.Name == "" {
			return append(dst, "(unnamed)"...)
		}
	}
	return appendCut(dst, ev.Name, limit)
}

// customName says what becomes of the name of an event that appendEventName names.
func customName(ev *pipeline.Event) Fidelity {
	if ev.Kind == pipeline.Error {
		return max(Derived, fits(ev.Name, maxUnitsName-len(errorEvent)-len(": ")))
	}
	return fits(ev.Name, maxUnitsName)
}

// kindProperties returns what an outbound click or an error has to say, as
// properties of the custom event that stands for it. "url" is Plausible's own
// name for a click's target.
func kindProperties(ev *pipeline.Event) (facts [2]pipeline.Property, n int) {
	add := func(key, value string, limit int) {
		if value != "" {
			facts[n] = pipeline.Property{Key: key, Value: pipeline.Cut(value, limit)}
			n++
		}
	}
	switch ev.Kind {
	case pipeline.Outbound:
		add("url", ev.Target, maxUnitsURL)
		add("text", ev.TargetText, maxUnitsTitle)
	case pipeline.Error:
		add("message", ev.Message, maxUnitsTitle)
	}
	return facts, n
}

// kindPrefix keeps a property apart from one of kindProperties.
func kindPrefix(ev *pipeline.Event, key string) string {
	if ev.Kind == pipeline.Outbound && (key == "url" || key == "text") || ev.Kind == pipeline.Error && key == "message" {
		return renamed
	}
	return ""
}

// renamed is put before a name that would otherwise be taken for another or dropped.
const renamed = "_"

const (
	repairReservedName     = "event name that the wire format reserves written with _"
	repairReservedProperty = "property name that the wire format reserves written with _"
)

// appendProperties appends what an event has to say beside its name as one
// JSON text.
func appendProperties(dst []byte, ev *pipeline.Event) []byte {
	facts, n := kindProperties(ev)
	if n+len(ev.Properties) == 0 {
		return dst
	}
	o := newNestedObject(dst, unlimited)
	for i := range facts[:n] {
		o.property("", &facts[i])
	}
	for i := range ev.Properties {
		p := &ev.Properties[i]
		o.property(kindPrefix(ev, p.Key), p)
	}
	return o.end()
}

// propertiesCarried says what became of ev's properties when the first written
// of them were, each with the prefix that prefixOf gives its key.
func propertiesCarried(written int, ev *pipeline.Event, prefixOf func(*pipeline.Event, string) string) Fidelity {
	if written < len(ev.Properties) {
		if written == 0 {
			return Lost
		}
		return Shortened
	}
	for i := range ev.Properties {
		p := &ev.Properties[i]
		if prefixOf(ev, p.Key) != "" || p.Literal && !isLiteral(p.Value) {
			return Derived
		}
	}
	return Kept
}
