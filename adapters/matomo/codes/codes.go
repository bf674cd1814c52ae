// Package codes names the browsers and systems that Matomo's database keeps as codes.
package codes

import (
	_ "embed"
	"strings"
	"sync"
)

//go:generate sh -c "go run ./gen node-device-detector-2.2.7.tgz >codes.txt"

//go:embed codes.txt
var text string

var tables = sync.OnceValue(func() map[string]string {
	names := map[string]string{}
	for line := range strings.Lines(text) {
		key, name := strings.TrimSuffix(line, "\n"), ""
		if end := strings.LastIndexByte(key, '\t'); end > 0 {
			key, name = key[:end], key[end+1:]
		}
		names[key] = name
	}
	return names
})

// Browser returns the name that a code of config_browser_name stands for. Case
// matters. What is no code is the name of an app, and stays.
func Browser(code string) string { return name("browser", code) }

// OS returns the name that a code of config_os stands for.
func OS(code string) string { return name("system", code) }

func name(of, code string) string {
	if code == "" || code == "UNK" {
		return ""
	}
	if name, known := tables()[of+"\t"+code]; known {
		return name
	}
	return code
}
