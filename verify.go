package hopper

import (
	"context"
	"errors"
	"fmt"
	"time"

	"hopper/adapters"
	"hopper/pipeline"
	"hopper/pipeline/recount"
	"hopper/sinks/rybbit"
	"hopper/sinks/rybbit/stats"
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
func (e *Export) Verify(ctx context.Context, platform string) (*Verification, error) {
	return e.verify(ctx, platform, func(ctx context.Context, reading *adapters.Reading, _ adapters.Options, t pipeline.Translation) (*recount.Comparison, error) {
		if reading.Verify == nil {
			return nil, fmt.Errorf("%s: holds sums and no events, so that there are no rows to compare what is sent with; hopper inspect tells what is made of it", e.inputs.Files[0].Name)
		}
		return reading.Verify(ctx, t, e.came)
	})
}

// A Shown is where to look what became of an export.
type Shown struct {
	// Client is the server's and the site's.
	Client *rybbit.Client
	// Imports are the imports that the export went into; none are all events of
	// the site on the export's days.
	Imports []string
	// Wire is the platform whose wire format was used; empty and "auto" are the richest.
	Wire string
}

// ShownVerification compares what is sent with what a server shows of it.
type ShownVerification struct {
	Verification
	Server  string   `json:"server"`
	Site    string   `json:"site"`
	Imports []string `json:"imports"`
	Zone    string   `json:"zone"`
	// BySQL says that the imports were counted apart from the site's other events.
	BySQL    bool `json:"bySQL"`
	Requests int  `json:"requests"`
}

// shownFor is how long a server may be away that is asked what it shows. Budgets of
// requests a minute are waited for, those of a day are not.
const shownFor = 2 * time.Minute

// VerifyShown asks the server what it shows of the export and compares that with
// what was sent. Where the export's own rows can be counted, they stand beside.
func (e *Export) VerifyShown(ctx context.Context, where Shown) (*ShownVerification, error) {
	zone := e.zone
	if zone == nil {
		zone = time.UTC
	}
	format, err := formatFor(where.Wire)
	if err != nil {
		return nil, err
	}
	changes := func(ev *pipeline.Event, f pipeline.Field) bool {
		switch fidelity := format.Carries(f, ev); f {
		case pipeline.FieldKind, pipeline.FieldName, pipeline.FieldProperties:
			return fidelity > wire.Kept
		default: // another form that says the same is shown as the same
			return fidelity > wire.Derived
		}
	}
	server := &stats.Server{
		Asker: where.Client, Zone: zone, Imports: where.Imports,
		Patience: rybbit.Options{RetryFor: shownFor, Log: e.options.Log},
	}
	v, err := e.verify(ctx, where.Wire, func(ctx context.Context, reading *adapters.Reading, opt adapters.Options, t pipeline.Translation) (*recount.Comparison, error) {
		export := recount.Export{Facts: reading.Facts, Source: reading.Source, Progress: e.came, Scratch: opt.Scratch()}
		return recount.CompareShown(ctx, export, t, recount.Server{Zone: zone, Show: server.Show, Changes: changes})
	})
	if err != nil {
		return nil, err
	}
	v.Notes = append(v.Notes, server.Notes...)
	stats.Explain(v.Comparison, zone.String())
	return &ShownVerification{
		Verification: *v, Server: where.Client.Server(), Site: where.Client.Site(), Imports: append([]string{}, where.Imports...), Zone: zone.String(),
		BySQL: server.BySQL, Requests: server.Requests,
	}, nil
}

// verify opens the export and has it compared.
func (e *Export) verify(
	ctx context.Context, platform string,
	compare func(context.Context, *adapters.Reading, adapters.Options, pipeline.Translation) (*recount.Comparison, error),
) (_ *Verification, err error) {
	format, err := formatFor(platform)
	if err != nil {
		return nil, err
	}
	if err := e.inputs.Spool(ctx); err != nil { // they are read twice
		return nil, err
	}
	now := time.Now()
	options := e.reading(now)
	reading, err := e.open(ctx, options)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, reading.Source.Close()) }()
	translation := pipeline.Translation{Normalizer: e.normalizer("", now), Target: wire.Target(format), Jobs: e.options.Jobs}
	comparison, err := compare(ctx, reading, options, translation)
	if err != nil {
		return nil, err
	}
	left, have, err := e.inputs.Selected(ctx)
	if err != nil {
		return nil, err
	}
	if left+have > 0 {
		// Both have counted what the database left of the rows.
		comparison.Exactly(recount.Line{Table: "rows", Measure: "of the website, as the database chose them", Source: have, Sent: left})
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
