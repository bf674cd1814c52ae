package pipeline

import (
	"testing"

	"pgregory.net/rapid"
)

// TestColumnsCarryEvents writes any event as a row and reads it back: all but
// time and objects, which a container carries.
func TestColumnsCarryEvents(t *testing.T) {
	columns := Columns()
	seen := map[string]bool{}
	for _, c := range columns {
		if seen[c.Name] {
			t.Errorf("two columns are called %s", c.Name)
		}
		seen[c.Name] = true
	}
	rapid.Check(t, func(t *rapid.T) {
		ev := anyEvent(t)
		if new(Normalizer).normalize(&ev, new(Limits), new(Tally), new(known)) != (outcome{}) {
			return
		}
		for _, m := range []*Measure{&ev.Latitude, &ev.Longitude, &ev.Vitals.LCP, &ev.Vitals.INP, &ev.Vitals.FCP, &ev.Vitals.TTFB, &ev.Vitals.CLS} {
			if !m.Known {
				*m = Measure{} // whatever stands in an unknown one
			}
		}
		back := Event{ValidIDs: true}
		for _, c := range columns {
			if text := c.Append(nil, &ev); c.Set != nil && len(text) > 0 {
				if err := c.Set(&back, string(text)); err != nil {
					t.Fatalf("%s: %v", c.Name, err)
				}
			}
		}
		back.Time, back.Properties, back.UserProperties, back.Origin, back.Raw = ev.Time, ev.Properties, ev.UserProperties, ev.Origin, ev.Raw
		if !same(back, ev) {
			t.Fatalf("got\n%+v\nof\n%+v", back, ev)
		}
	})
}
