package ga

import (
	"strings"
)

// device is what Google Analytics says of a visitor's device.
type device struct {
	category, brand, model string
	os, osVersion          string
	browser                string
}

// versioned are systems as their versions name them, longer names first.
var versioned = []struct{ prefix, system string }{
	{"Macintosh Intel", "Macintosh"}, {"Macintosh", "Macintosh"}, {"Mac OS X", "Macintosh"}, {"macOS", "Macintosh"},
	{"Intel Mac OS X", "Macintosh"}, {"Intel", "Macintosh"}, {"Windows Phone", "Windows Phone"}, {"Windows", "Windows"},
	{"Android", "Android"}, {"iPhone OS", "iOS"}, {"iOS", "iOS"}, {"iPadOS", "iOS"},
	{"Chrome OS", "Chrome OS"}, {"CrOS", "Chrome OS"}, {"Linux", "Linux"},
}

// system returns the operating system and its version. Google writes the word
// Web for the system of many web visitors, and the real one into the version
// ("Intel 10.15", "10"); and it repeats the system in the version ("Windows 7",
// "Macintosh Intel 10.15", "iOS 14.3").
func (d *device) system() (name, version string) {
	name, version = clean(d.os), clean(d.osVersion)
	if strings.EqualFold(name, "web") {
		name = ""
	}
	if rest, found := strings.CutPrefix(version, name); found && name != "" {
		version = strings.TrimSpace(rest)
	}
	for i := range versioned {
		p := &versioned[i]
		if version == "" || version[0] != p.prefix[0] {
			continue
		}
		rest, found := strings.CutPrefix(version, p.prefix)
		if !found || rest != "" && rest[0] != ' ' || name != "" && p.system != name && p.prefix != "Intel" {
			continue
		}
		version = strings.TrimSpace(rest)
		if name == "" {
			name = p.system
		}
		break
	}
	if name == "" {
		name = d.guess(version)
	}
	if name == "" {
		return "", ""
	}
	return name, version
}

// guess says which system the other facts leave as the only one.
func (d *device) guess(version string) string {
	brand, browser := clean(d.brand), clean(d.browser)
	apple := brand == "Apple" || strings.HasPrefix(d.model, "iPhone") || strings.HasPrefix(d.model, "iPad")
	switch browser {
	case "Android Webview", "Android Browser", "Samsung Internet":
		return "Android"
	}
	switch strings.ToLower(d.category) {
	case "mobile", "tablet":
		switch {
		case apple:
			return "iOS"
		case browser == "Safari", browser == "Safari (in-app)":
			return "iOS"
		case brand == "Microsoft", brand == "Nokia", brand == "" && version == "":
			return ""
		}
		return "Android"
	case "desktop":
		switch {
		case apple, browser == "Safari":
			return "Macintosh"
		case browser == "Internet Explorer":
			return "Windows"
		}
		switch version {
		case "XP", "Vista", "7", "8", "8.1", "10", "11":
			return "Windows"
		}
	}
	return ""
}
