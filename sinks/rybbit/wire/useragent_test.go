package wire

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"hopper/pipeline"
)

// userAgents returns the clients of the golden file: each browser on a desktop
// and on a phone, with a version and without, and each system and Windows
// version with one browser.
func userAgents() []pipeline.Event {
	var events []pipeline.Event
	for _, browser := range slices.Sorted(maps.Keys(products)) {
		events = append(events,
			pipeline.Event{Browser: browser, BrowserVersion: "126", OS: "Windows", OSVersion: "10"},
			pipeline.Event{Browser: browser, OS: "Android", OSVersion: "14"},
			pipeline.Event{Browser: browser, BrowserVersion: "17", OS: "iOS"},
		)
	}
	for _, os := range slices.Sorted(maps.Keys(platforms)) {
		events = append(events,
			pipeline.Event{Browser: "Chrome", BrowserVersion: "126", OS: os},
			pipeline.Event{Browser: "Chrome", BrowserVersion: "126", OS: os, OSVersion: "4.2"},
		)
	}
	for _, version := range slices.Sorted(maps.Keys(windowsVersions)) {
		events = append(events, pipeline.Event{Browser: "Firefox", BrowserVersion: "115", OS: "Windows", OSVersion: version})
	}
	return append(events,
		pipeline.Event{Browser: "Edge", BrowserVersion: "126", OS: "Windows", OSVersion: "11"},
		pipeline.Event{Browser: "Chrome", BrowserVersion: "126.0", OS: "macOS", OSVersion: "10_15"},
		pipeline.Event{Browser: "Ladybird", BrowserVersion: "1", OS: "TempleOS", OSVersion: "5"},
		pipeline.Event{},
	)
}

// TestUserAgents compares with a golden file of which testdata/useragent.mjs
// has checked that Rybbit's parser reads from each user agent what the line says.
func TestUserAgents(t *testing.T) {
	var got strings.Builder
	for _, ev := range userAgents() {
		kept := func(f pipeline.Field, value string) string {
			if value == "" || userAgentCarries(f, &ev) != Kept {
				return ""
			}
			return value
		}
		fmt.Fprintf(&got, "%s\t%s\t%s\t%s\t%s\n", kept(pipeline.FieldBrowser, ev.Browser),
			kept(pipeline.FieldBrowserVersion, ev.BrowserVersion), kept(pipeline.FieldOS, ev.OS),
			kept(pipeline.FieldOSVersion, ev.OSVersion), appendUserAgent(nil, &ev))
	}
	Golden(t, "useragents.tsv", []byte(got.String()))
}
