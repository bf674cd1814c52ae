package adapters

import (
	"fmt"
	"strings"
)

// HourFinder looks whether the times of a column have a time of day. The rows of one
// that has are told by the first.
type HourFinder struct {
	// Times reads the column.
	Times *Times

	found bool   // a time of day
	day   string // the first without
}

// Add takes a value of the column.
func (h *HourFinder) Add(s string) {
	if h.found || s == "" {
		return
	}
	if _, ok := h.Times.Parse(s); !ok {
		return
	}
	if h.found = !IsDay(s); !h.found && h.day == "" {
		h.day = strings.Clone(s)
	}
}

// Merge adds what another found in later rows.
func (h *HourFinder) Merge(later *HourFinder) {
	if h.day == "" {
		h.day = later.day
	}
	h.found = h.found || later.found
}

// Missing returns an error where all times are days.
func (h *HourFinder) Missing() error {
	if h.found || h.day == "" {
		return nil
	}
	return fmt.Errorf("holds days without the time of day, such as %q, so that visits cannot be told", h.day)
}
