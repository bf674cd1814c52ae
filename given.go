package hopper

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"hopper/pipeline"
	"hopper/sinks/rybbit/ledger"
)

// A GivenError says that the site has been given events of the same time by
// another migration of the same source, so that they would stand in it twice.
type GivenError struct {
	Inputs []string
	// Earliest and Latest are the times of the first and the last event of the
	// inputs.
	Earliest, Latest pipeline.Micros
	Other            ledger.Given
	// Sums says that the inputs hold sums of whole days.
	Sums bool
}

func (e *GivenError) Error() string {
	var names []string
	for _, in := range e.Other.Migration.Inputs {
		names = append(names, in.Name)
	}
	day := func(t pipeline.Micros) string { return t.Time().Format(time.DateOnly) }
	var ways []string
	if e.Earliest < e.Other.Earliest {
		until := e.Other.Earliest.Time().Format(time.RFC3339Nano)
		if e.Sums {
			until = e.Other.Earliest.Time().AddDate(0, 0, -1).Format(time.DateOnly)
		}
		ways = append(ways, "--until "+until+" imports what comes before")
	}
	if e.Latest > e.Other.Latest {
		since := (e.Other.Latest + 1).Time().Format(time.RFC3339Nano) // an export can end amid a day
		if e.Sums {
			since = e.Other.Latest.Time().AddDate(0, 0, 1).Format(time.DateOnly)
		}
		ways = append(ways, "--since "+since+" imports what follows")
	}
	ways = append(ways, "--again imports all of it although events may then stand in Rybbit twice")
	return fmt.Sprintf("%s: the days %s to %s have been given to this site already, by the migration of %s (%s): %s",
		strings.Join(fewOf(e.Inputs), ", "), day(max(e.Earliest, e.Other.Earliest)), day(min(e.Latest, e.Other.Latest)),
		e.Other.Begun.Format(time.DateOnly), strings.Join(fewOf(names), ", "), strings.Join(ways, "; "))
}

// checkGiven refuses events of a time that the site has been given. Only where
// there is another migration that could overlap are the inputs read once more.
func (r *importRun) checkGiven(ctx context.Context, book *ledger.Ledger, rules pipeline.Normalizer) error {
	if r.Again || book.Resumed() && book.Missing() > 0 {
		return nil
	}
	given, err := book.Given(r.State)
	if err != nil || len(given) == 0 {
		return err
	}
	stats, sums, err := r.count(ctx, rules, book.Started())
	if err != nil || stats.Events == 0 {
		return err
	}
	for _, g := range given {
		if stats.Earliest < g.Latest && g.Earliest < stats.Latest {
			return &GivenError{Inputs: r.result.Inputs, Earliest: stats.Earliest, Latest: stats.Latest, Other: g, Sums: sums}
		}
	}
	return nil
}

// count reads the export through once for what it holds, and reports whether it
// holds sums.
func (r *importRun) count(ctx context.Context, rules pipeline.Normalizer, began time.Time) (_ pipeline.Stats, sums bool, err error) {
	reading, err := r.match.Open(ctx, r.reading(began))
	if err != nil {
		return pipeline.Stats{}, false, err
	}
	defer func() { err = errors.Join(err, reading.Source.Close()) }()
	stats, err := pipeline.Count(ctx, &pipeline.Translation{Normalizer: rules, Jobs: r.options.Jobs}, reading.Source)
	return stats, reading.Facts == nil, err
}
