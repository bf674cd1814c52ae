package plausible_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"hopper/adapters"
	"hopper/adapters/input"
	"hopper/adapters/plausible"
	"hopper/pipeline"
	"hopper/pipeline/recount"
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
			reading, err := plausible.Adapter{}.Open(t.Context(), ins.Files, adapters.Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer reading.Source.Close()
			c, err := recount.Compare(t.Context(), recount.Export{Facts: func(ctx context.Context, yield func(*recount.Fact) error) error {
				return plausible.Adapter{}.Facts(ctx, ins.Files, adapters.Options{}, yield)
			}, Source: reading.Source},
				pipeline.Translation{})
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

// TestFactsOfSums says that sums are no rows.
func TestFactsOfSums(t *testing.T) {
	ins, err := input.Open(t.Context(), []string{filepath.Join("..", "..", "fixtures", "plausible", "export.zip")}, nil, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer ins.Close()
	err = plausible.Adapter{}.Facts(t.Context(), ins.Files, adapters.Options{}, func(*recount.Fact) error { return nil })
	if !errors.Is(err, recount.ErrNoFacts) {
		t.Errorf("got %v", err)
	}
}
