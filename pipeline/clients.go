package pipeline

import (
	"strings"

	"hopper/pipeline/vocabulary"
)

// clients remembers what browsers, systems and devices were normalized to, since
// few that differ stand in many events. It is for one worker; nil remembers nothing.
type clients map[client]client

type client struct {
	browser, browserVersion, os, osVersion, device string
	apart                                          bool
}

// maxClients bounds what is remembered.
const maxClients = 4096

// normalize brings ev's browser, system and device into Rybbit's names.
func (c clients) normalize(ev *Event) {
	words := client{ev.Browser, ev.BrowserVersion, ev.OS, ev.OSVersion, ev.Device, ev.ClientApart}
	names, found := c[words]
	if !found {
		names = words
		names.normalize()
		if c != nil {
			if len(c) == maxClients {
				clear(c)
			}
			c[words.clone()] = names.clone()
		}
	}
	ev.Browser, ev.BrowserVersion, ev.OS, ev.OSVersion, ev.Device = names.browser, names.browserVersion, names.os, names.osVersion, names.device
}

func (c *client) normalize() {
	if !c.apart {
		vocabulary.Normalize(&c.browser, &c.browserVersion, &c.os, &c.osVersion, &c.device)
		return
	}
	var none string
	vocabulary.Normalize(&c.browser, &c.browserVersion, &none, &none, &c.device)
	vocabulary.Normalize(&none, &none, &c.os, &c.osVersion, &none)
}

// clone returns c without the chunk that its texts point into.
func (c client) clone() client {
	for _, s := range []*string{&c.browser, &c.browserVersion, &c.os, &c.osVersion, &c.device} {
		*s = strings.Clone(*s)
	}
	return c
}
