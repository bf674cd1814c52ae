package hopper

import (
	"context"
	"errors"
	"fmt"
	"time"

	"hopper/pipeline"
	"hopper/pipeline/recount"
	"hopper/sinks/rybbit/wire"
)

// Verification compares what is sent with what the export itself says.
type Verification struct {
	Source   string           `json:"source"`
	Shape    string           `json:"shape"`
	Schema   string           `json:"schema"`
	Wire     string           `json:"wire"`
	Inputs   []string         `json:"inputs"`
	Rows     int64            `json:"rows"`
	Events   int64            `json:"events"`
	Rejected map[string]int64 `json:"rejected"`
	Omitted  map[string]int64 `json:"omitted"`
	Repaired map[string]int64 `json:"repaired"`
	// Holds says that all guarantees hold.
	Holds bool `json:"holds"`
	*recount.Comparison
}

// Verify counts the export by itself and what is sent of it in a wire format
// ("auto" or empty is the richest) as Rybbit's dashboard counts, and compares
// the two. It uploads nothing.
func (e *Export) Verify(ctx context.Context, platform string) (_ *Verification, err error) {
	format, err := formatFor(platform)
	if err != nil {
		return nil, err
	}
	for _, in := range e.inputs.Files {
		if err := in.Spool(ctx); err != nil { // it is read twice
			return nil, err
		}
	}
	now := time.Now()
	reading, err := e.match.Open(ctx, e.reading(now))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, reading.Source.Close()) }()
	if reading.Verify == nil {
		return nil, fmt.Errorf("%s: holds sums and no events, so that there are no rows to compare what is sent with; hopper inspect tells what is made of it", e.inputs.Files[0].Name)
	}
	translation := pipeline.Translation{Normalizer: e.normalizer("", now), Target: wire.Target(format), Jobs: e.options.Jobs}
	comparison, err := reading.Verify(ctx, translation, e.came)
	if err != nil {
		return nil, err
	}
	stats := &comparison.Stats
	return &Verification{
		Source: e.Source(), Shape: reading.Shape, Schema: reading.Schema, Wire: format.Platform(), Inputs: e.Inputs(),
		Rows: stats.Rows, Events: stats.Events,
		Rejected: stats.Rejected.Counts(), Omitted: stats.Omitted.Counts(), Repaired: stats.Repaired.Counts(),
		Holds: comparison.Holds(), Comparison: comparison,
	}, nil
}

// formatFor returns a wire format by its platform's name; empty and "auto" are the richest.
func formatFor(platform string) (wire.Format, error) {
	if platform == "" || platform == "auto" {
		return wire.Formats()[0], nil
	}
	format, err := wire.For(platform)
	if err != nil {
		return nil, &OptionError{"wire", err}
	}
	return format, nil
}
