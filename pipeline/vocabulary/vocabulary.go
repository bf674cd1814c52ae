// Package vocabulary turns the words that analytics tools use for browsers,
// operating systems and devices into the names that Rybbit shows.
//
// Rybbit's names are those of the user agent parser ua-parser-js 2 for
// browsers and systems, and five of its own for devices. The tables hold the
// words of Umami (the library detect-browser), Plausible and Matomo (the
// library device-detector), Google Analytics and PostHog. They are one
// dictionary, not one for each source: where two tools use the same word they
// mean the same thing.
//
// A word that no table holds is kept as it is, since a name that Rybbit has
// never met is still better than none. The tools' marks for an unknown value,
// such as "(not set)", become empty.
//
// # What a word alone does not tell
//
// ua-parser-js calls Chrome on a phone "Mobile Chrome", Firefox "Mobile
// Firefox" and Safari "Mobile Safari", while most tools write the same word
// for phones and desktops. [Normalize] therefore looks at the system too:
// on Android and iOS these three become their mobile names, unless the device
// is known to be something else than a phone or tablet. A word that is mobile
// by itself, as detect-browser's "crios", stays mobile on any system.
//
// All functions ignore the case of ASCII letters and surrounding space, look
// up in constant time and allocate nothing, [OSVersion] with underscores apart.
package vocabulary

import "strings"

// Devices that Rybbit tells apart. Tablets and watches count as [Mobile].
const (
	Desktop  = "Desktop"
	Mobile   = "Mobile"
	Console  = "Console"
	TV       = "TV"
	Embedded = "Embedded"
)

// Normalize brings what a source says of a visitor's browser, system and
// device into Rybbit's names, each in place, using what one tells of another:
//
//   - a version that is part of the system's word ("Windows 10") fills an
//     empty osVersion, and a system that stands in the version alone, as
//     Google Analytics writes it ("Web" with "Macintosh Intel 10.15"), the
//     empty os;
//   - browsers get their mobile names, see the package comment;
//   - browserVersion is cut to the major version.
//
// It leaves an empty device empty.
func Normalize(browser, browserVersion, os, osVersion, device *string) {
	*browser, _ = Browser(*browser)
	*browserVersion = Major(*browserVersion)
	*device, _ = Device(*device)

	name, inName, _ := OS(*os)
	fromVersion, version := OSVersion(*osVersion)
	if name == "" {
		name = fromVersion
	}
	if version == "" {
		version = dotted(inName)
	}
	*os, *osVersion = name, version
	*browser = onSystem(*browser, name, *device)
}

// Browser returns Rybbit's name for the browser that a source calls word, and
// whether any table knows it; if not, name is word without surrounding space.
func Browser(word string) (name string, known bool) { return browsers.name(word) }

// Device returns Rybbit's name for the kind of device that a source calls
// word, and whether it is known; if not, name is word without surrounding space.
func Device(word string) (name string, known bool) { return devices.name(word) }

// OS returns Rybbit's name for the operating system that a source calls word
// and the version that the word holds ("Windows 8.1": "Windows" and "8.1"),
// and whether the system is known; if not, name is word without surrounding
// space and version is empty. The version is spelled as in word; [OSVersion] brings it into one form.
func OS(word string) (name, version string, known bool) {
	word = strings.TrimSpace(word)
	if s, found := systems.find(word); found {
		return s.name, s.version, true
	}
	if i := strings.LastIndexByte(word, ' '); i > 0 && isVersion(word[i+1:]) {
		if s, found := systems.find(strings.TrimSpace(word[:i])); found && s.name != "" {
			return s.name, word[i+1:], true
		}
	}
	return word, "", false
}

// OSVersion returns a system's version with dots only ("10_15_7": "10.15.7").
// Where word names its system ("Macintosh Intel 10.15"), os is Rybbit's name
// for that. A word that is a mark for unknown has version "".
func OSVersion(word string) (os, version string) {
	word = strings.TrimSpace(word)
	if word == "" || isVersion(word) {
		return "", dotted(word)
	}
	if name, version, known := OS(word); known {
		return name, dotted(version)
	}
	return "", word
}

// Major returns the major version that version begins with ("126.0.6478":
// "126"), which is all that Rybbit keeps of a browser's version. It is empty
// when version does not begin with a number.
func Major(version string) string {
	version = strings.TrimSpace(version)
	n := 0
	for n < len(version) && isDigit(version[n]) {
		n++
	}
	return version[:n]
}

// onSystem returns the name that browser has on os and device.
func onSystem(browser, os, device string) string {
	if os != "Android" && os != "iOS" || device != Mobile && device != "" {
		return browser
	}
	switch browser {
	case "Chrome":
		return "Mobile Chrome"
	case "Firefox":
		return "Mobile Firefox"
	case "Safari":
		if os == "iOS" {
			return "Mobile Safari"
		}
	}
	return browser
}

// table finds entries by the words that stand for them, in lower case.
type table[T any] map[string]T

// longestWord bounds the words in the tables; longer ones are unknown.
const longestWord = 40

func (t table[T]) find(word string) (entry T, found bool) {
	if len(word) > longestWord {
		return entry, false
	}
	var lower [longestWord]byte
	for i := range len(word) {
		c := word[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		lower[i] = c
	}
	entry, found = t[string(lower[:len(word)])] // the compiler makes no copy for a lookup
	return entry, found
}

// names is a table of plain names.
type names struct{ table[string] }

func (n names) name(word string) (name string, known bool) {
	word = strings.TrimSpace(word)
	if name, known = n.find(word); known {
		return name, true
	}
	return word, false
}

// isVersion reports whether s looks like "10", "10.15", "10_15_7" or "4.x".
func isVersion(s string) bool {
	if s == "" || !isDigit(s[0]) {
		return false
	}
	for i := range len(s) {
		if c := s[i]; !isDigit(c) && c != '.' && c != '_' && c != 'x' {
			return false
		}
	}
	return true
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func dotted(version string) string {
	if strings.IndexByte(version, '_') < 0 {
		return version
	}
	return strings.ReplaceAll(version, "_", ".")
}
