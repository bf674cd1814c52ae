package wire

import "hopper/pipeline"

// These are the names of the custom events that stand for clicks and errors in a
// format without such kinds. The event still counts, and its target or message
// becomes a property where the format has properties. The name of the clicks is
// the one that Plausible uses.
const (
	outboundEvent = "Outbound Link: Click"
	errorEvent    = "Error"
)

// eventName returns the name of ev, or of the custom event that stands for it, in two parts.
func eventName(ev *pipeline.Event, limit int) (begins, name string) {
	switch ev.Kind {
	case pipeline.Outbound:
		return outboundEvent, ""
	case pipeline.Error:
		if ev.Name == "" {
			return errorEvent, ""
		}
		begins = errorEvent + ": "
	case pipeline.Custom:
		if ev.Name == "" {
			return "(unnamed)", ""
		}
	}
	return begins, pipeline.Cut(ev.Name, limit-len(begins))
}

// appendEventName appends what eventName returns.
func appendEventName(dst []byte, ev *pipeline.Event, limit int) []byte {
	begins, name := eventName(ev, limit)
	return appendText(append(dst, begins...), name)
}

// customName returns what becomes of the name that eventName returns.
func customName(ev *pipeline.Event) Fidelity {
	if ev.Kind == pipeline.Error {
		return max(Derived, fits(ev.Name, maxUnitsName-len(errorEvent)-len(": ")))
	}
	return fits(ev.Name, maxUnitsName)
}

// kindProperties returns the target and text of an outbound click, or the message
// of an error, as properties of the custom event that stands for it. Plausible,
// too, calls a click's target "url".
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

// kindPrefix returns what to write before the name of a property that would
// otherwise collide with one of kindProperties.
func kindPrefix(ev *pipeline.Event, key string) string {
	if ev.Kind == pipeline.Outbound && (key == "url" || key == "text") || ev.Kind == pipeline.Error && key == "message" {
		return renamed
	}
	return ""
}

// renamed is the prefix of a name that the server would otherwise drop or take for
// another.
const renamed = "_"

const (
	repairReservedName     = "event name that the wire format reserves written with _"
	repairReservedProperty = "property name that the wire format reserves written with _"
)

// appendProperties appends all properties of an event as one JSON text.
func appendProperties(dst []byte, ev *pipeline.Event) []byte {
	facts, n := kindProperties(ev)
	if n+len(ev.Properties) == 0 {
		return dst
	}
	o := newNestedObject(dst)
	for i := range facts[:n] {
		o.property("", &facts[i])
	}
	for i := range ev.Properties {
		p := &ev.Properties[i]
		o.property(kindPrefix(ev, p.Key), p)
	}
	return o.end()
}

// propertiesCarried returns what became of ev's properties when only the first
// written ones fit. The prefix that prefixOf returns stands before each key.
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
