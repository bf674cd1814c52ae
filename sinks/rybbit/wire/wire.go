// Package wire encodes events in the wire formats of Rybbit's import API, a file
// for each format, and measures what a format loses of the events at hand.
//
// [Formats] lists them and [For] finds one by the API's name. A [Survey] counts what
// becomes of every field in every format; [Survey.Rank] orders the formats by what
// they lose. FORMATS.md, beside this file, says how to write a format.
package wire

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"hopper/pipeline"
	"hopper/pipeline/vocabulary"
)

// A Format encodes events for one of Rybbit's import platforms. The platform of
// an import fixes how the server reads each of its events, and no platform
// has a place for every field.
//
// Append writes a JSON object with a fixed order of fields. Rybbit finds it valid
// whatever the event holds: a value that is still too long is cut, and one that
// has no legal form is left empty. Carries returns what each field loses by that.
type Format interface {
	// Append appends ev, which is normalized to Limits, as one record without a
	// separator. It must not keep ev, and must append the same bytes for the same
	// event in every run. It is called by several goroutines.
	Append(dst []byte, ev *pipeline.Event) []byte
	// Limits are the lengths that normalization must cut to.
	Limits() pipeline.Limits
	// Refuses returns why the format cannot express ev at all, and "" where
	// it can.
	Refuses(ev *pipeline.Event) string
	// Adapts returns what Append changes in ev beyond cutting it to the
	// limits, as a kind of repair, and "" for nothing.
	Adapts(ev *pipeline.Event) string
	// Platform is the API's name for the format, such as "umami".
	Platform() string
	// EventsPerSecond returns how many events a server stores in a second, as
	// measured on a self-hosted one of release 2.7. Only comparing formats by
	// it makes sense before a server's own pace is known.
	EventsPerSecond() int
	// Carries returns what becomes of a field that ev fills. Refuses must not
	// refuse ev.
	Carries(f pipeline.Field, ev *pipeline.Event) Fidelity
}

var wires = [...]Format{posthogWire{}, matomoWire{}, umamiWire{}, plausibleWire{}, simpleAnalyticsWire{}}

// Formats returns all wire formats, the richest first.
func Formats() []Format { return slices.Clone(wires[:]) }

// For returns the wire format that the API calls platform.
func For(platform string) (Format, error) {
	names := make([]string, len(wires))
	for i, w := range wires {
		if names[i] = w.Platform(); names[i] == platform {
			return w, nil
		}
	}
	return nil, fmt.Errorf("no wire format is called %q; there are %s", platform, strings.Join(names, ", "))
}

// Target returns what a translation must know of a format.
func Target(f Format) pipeline.Target {
	return pipeline.Target{Limits: f.Limits(), Refuses: f.Refuses, Adapts: f.Adapts}
}

// Encode returns a maker of collectors that write events in a format.
func Encode(f Format) func() pipeline.Collector[*pipeline.Records] { return pipeline.Encode(f.Append) }

// noVitals is why a format refuses web vitals: as custom events without their
// numbers they would only be noise.
const noVitals = "web vitals, which this wire format cannot hold"

// Limits of Rybbit's importer that hold for several formats.
const (
	maxUnitsHostname       = 253
	maxUnitsURL            = 2048 // page URLs, referrers, paths, queries
	maxUnitsTitle          = 512
	maxUnitsName           = 256
	maxUnitsBrowser        = 30
	maxUnitsBrowserVersion = 20
	maxUnitsOS             = 25
	maxUnitsOSVersion      = 20
	maxUnitsDevice         = 20
	maxUnitsLanguage       = 35
	maxUnitsCity           = 60
	maxUnitsUser           = 255
)

// sharedLimits returns l with what the formats share filled in.
func sharedLimits(l pipeline.Limits) pipeline.Limits {
	l.Name = cmp.Or(l.Name, maxUnitsName)
	l.Hostname, l.City = maxUnitsHostname, maxUnitsCity
	l.Browser, l.BrowserVersion, l.Device = maxUnitsBrowser, maxUnitsBrowserVersion, maxUnitsDevice
	l.OS, l.OSVersion, l.Language = maxUnitsOS, maxUnitsOSVersion, maxUnitsLanguage
	return l
}

// withinLimits returns what becomes of a field that a format writes as it is.
func withinLimits(f pipeline.Field, ev *pipeline.Event, l *pipeline.Limits) Fidelity {
	switch f {
	case pipeline.FieldBrowserVersion:
		if browserVersion(ev) == "" {
			return Lost
		}
		return keptIf(browserVersion(ev) == ev.BrowserVersion, Derived)
	case pipeline.FieldVisitor:
		return keptIf(pipeline.IsUUID(ev.Visitor), Derived)
	case pipeline.FieldSession:
		return keptIf(pipeline.IsUUID(ev.Session), Derived)
	case pipeline.FieldScreen:
		return keptIf(hasScreen(ev), Lost)
	case pipeline.FieldCountry:
		return keptIf(isCountry(ev.Country), Lost)
	case pipeline.FieldRegion:
		return keptIf(isRegion(ev.Region), Lost)
	}
	if s := f.Text(ev); s != nil {
		return fits(*s, f.Limit(l))
	}
	return Kept
}

// browserVersion returns the major version, which is all that Rybbit keeps.
func browserVersion(ev *pipeline.Event) string {
	return pipeline.Cut(vocabulary.Major(ev.BrowserVersion), maxUnitsBrowserVersion)
}

func fits(s string, limit int) Fidelity {
	return keptIf(limit == 0 || len(s) <= limit || pipeline.Units(s) <= limit, Shortened)
}

func keptIf(kept bool, otherwise Fidelity) Fidelity {
	if kept {
		return Kept
	}
	return otherwise
}
