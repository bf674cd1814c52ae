package plausible_test

import (
	"path/filepath"
	"testing"

	"hopper/adapters"
	"hopper/adapters/input"
	"hopper/adapters/plausible"
	"hopper/pipeline"
)

// TestFactsAgree recounts event dumps: nothing that their rows tell is lost or
// changed on its way, and what is left out is counted.
func TestFactsAgree(t *testing.T) {
	for _, name := range []string{"events.csv", "events.tsv", "events-headless.csv"} {
		t.Run(name, func(t *testing.T) {
			ins, err := input.Open(t.Context(), []string{filepath.Join("..", "..", "fixtures", "plausible", name)}, nil, t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			defer ins.Close()
			reading, err := plausible.Adapter{}.Match(t.Context(), ins.Files).Open(t.Context(), adapters.Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer reading.Source.Close()
			c, err := reading.Verify(t.Context(), pipeline.Translation{}, nil)
			if err != nil {
				t.Fatal(err)
			}
			if !c.Holds() {
				t.Errorf("%+v", c.Guarantees)
			}
			for _, r := range c.Worst {
				t.Errorf("%+v", r)
			}
			for _, l := range c.Total {
				if l.Sent == 0 && l.Table != "rows" {
					t.Errorf("%s, %s: nothing was sent", l.Table, l.Measure)
				}
			}
			if c.Stats.Events == 0 || len(c.Total) < 20 {
				t.Errorf("got %+v", c.Total)
			}
		})
	}
}
