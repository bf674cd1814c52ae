package pipeline

import (
	"fmt"
	"testing"
)

// skewed are events as an export repeats them: few clients and places, some hundred
// pages with their titles, of which the first are seen most.
func skewed(n int) []Event {
	events := make([]Event, n)
	seed := uint32(1)
	random := func(below int) int { // the smaller the likelier
		seed = seed*1664525 + 1013904223
		x := float64(seed>>8) / (1 << 24)
		return int(x * x * x * float64(below))
	}
	for i := range events {
		page := random(500)
		events[i] = Event{
			Time: Micros(1719828000_000000 + int64(i)*1e6), ValidUTF8: true,
			Visitor:  fmt.Sprintf("2f0f3c5a-51f8-4c6e-9d8e-%012x", random(n)),
			Session:  fmt.Sprintf("9b2d7e40-0c1f-5a3b-8e6d-%012x", random(n)),
			Hostname: []string{"garden.example", "www.garden.example", "shop.garden.example"}[random(3)],
			Path:     fmt.Sprintf("/shop/seeds/item-%d", page), Query: []string{"", "utm_source=newsletter&utm_medium=email", "q=red%20pots"}[random(3)],
			Title:    fmt.Sprintf("Item number %d | Garden & Co.", page),
			Referrer: []string{"", "https://www.google.com/", "https://reddit.com/r/gardening"}[random(3)],
			Browser:  []string{"chrome", "ios", "safari", "firefox"}[random(4)], OS: []string{"Windows 10", "iOS", "Mac OS", "Linux"}[random(4)],
			Device: []string{"desktop", "mobile", "laptop"}[random(3)], ScreenWidth: 1920 - 100*random(4), ScreenHeight: 1080,
			Language: []string{"en-US", "de-DE", "fr"}[random(3)], Country: []string{"GB", "DE", "US"}[random(3)],
			City: []string{"London", "Berlin", "San Francisco"}[random(3)],
		}
		if page%7 == 0 {
			events[i].Title = fmt.Sprintf("Notes, part %d: \"how we grow\", für alle", page)
		}
	}
	return events
}

func BenchmarkNormalize(b *testing.B) {
	events := skewed(4096)
	var n Normalizer
	var l Limits
	var repaired Tally
	remembered := newKnown()
	var ev Event
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		ev = events[i%len(events)]
		if n.normalize(&ev, &l, &repaired, remembered) != (outcome{}) {
			b.Fatal("not kept")
		}
	}
}
