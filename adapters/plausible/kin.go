package plausible

import (
	"strings"

	"hopper/pipeline/vocabulary"
)

// Kinds of machines, for [reconstruct.Row.Kin]: which browsers run on which
// systems and devices. What is not listed goes with all.
const (
	windows uint16 = 1 << iota
	mac
	linux
	chromeOS
	iPhone
	iPad
	androidPhone
	androidTablet
	unknown // a client that sends no name for either browser or system

	computers = windows | mac | linux | chromeOS
	phones    = iPhone | androidPhone
	tablets   = iPad | androidTablet
)

// kinOf returns the machines that a row of devices, browsers or systems can mean.
func kinOf(k kind, key string) uint16 {
	name, _, _ := strings.Cut(key, "\x00")
	switch k {
	case devicesTable:
		if strings.EqualFold(name, "tablet") {
			return tablets
		}
		switch name, _ := vocabulary.Device(name); name {
		case vocabulary.Desktop:
			return computers | unknown
		case vocabulary.Mobile:
			return phones
		}
	case browsersTable:
		name, _ = vocabulary.Browser(name)
		return browserKin[name]
	case systemsTable:
		name, _, _ = vocabulary.OS(name)
		return systemKin[name]
	}
	return 0
}

var browserKin = map[string]uint16{
	"":                 unknown,
	"Safari":           mac | iPhone | iPad,
	"Mobile Safari":    iPhone | iPad,
	"Mobile Chrome":    phones | tablets,
	"Mobile Firefox":   phones | tablets,
	"IE":               windows,
	"Samsung Internet": androidPhone | androidTablet,
	"Android Browser":  androidPhone | androidTablet,
	"UCBrowser":        androidPhone | androidTablet,
	"Chrome WebView":   androidPhone | androidTablet,
	"GSA":              phones | tablets,
	"Facebook":         phones | tablets,
	"Instagram":        phones | tablets,
}

var systemKin = map[string]uint16{
	"":          unknown,
	"Windows":   windows,
	"macOS":     mac,
	"Linux":     linux,
	"Ubuntu":    linux,
	"Fedora":    linux,
	"Chrome OS": chromeOS,
	"iOS":       iPhone | iPad,
	"Android":   androidPhone | androidTablet,
}
