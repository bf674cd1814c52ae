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
// another migration, so that they would stand in it twice.
type GivenError struct {
	Inputs []string
	// First and Last are the days that the site has been given already.
	First, Last string
	Other       ledger.Given
	// Until and Since are what the options of these names must be for the rest to
	// be imported: what comes before and what follows. Empty is nothing.
	Until, Since string
}

func (e *GivenError) Error() string {
	var names []string
	for _, in := range e.Other.Migration.Inputs {
		names = append(names, in.Name)
	}
	var ways []string
	if e.Until != "" {
		ways = append(ways, "--until "+e.Until+" imports what comes before")
	}
	if e.Since != "" {
		ways = append(ways, "--since "+e.Since+" imports what follows")
	}
	ways = append(ways, "--again imports all of it although events may then stand in Rybbit twice")
	return fmt.Sprintf("%s: the days %s to %s have been given to this site already, by the migration of %s (%s): %s",
		strings.Join(fewOf(e.Inputs), ", "), e.First, e.Last, e.Other.Begun.Format(time.DateOnly), strings.Join(fewOf(names), ", "), strings.Join(ways, "; "))
}

// period is a time that events were sent of: from the first to the last, or whole
// days where they were made of sums.
type period struct {
	from, to pipeline.Micros // both inclusive
	zone     *time.Location
	days     bool
}

func periodOf(earliest, latest pipeline.Micros, days bool, zone *time.Location) period {
	p := period{earliest, latest, zone, days}
	if days {
		p.from = pipeline.MicrosOf(p.midnight(earliest, 0))
		p.to = pipeline.MicrosOf(p.midnight(latest, 1)) - 1
	}
	return p
}

// midnight returns when the day of t begins, or one so many days later.
func (p *period) midnight(t pipeline.Micros, later int) time.Time {
	year, month, day := t.Time().In(p.zone).Date()
	return time.Date(year, month, day+later, 0, 0, 0, 0, p.zone)
}

func (p *period) day(t pipeline.Micros) string { return t.Time().In(p.zone).Format(time.DateOnly) }

// before returns the value of --until with which p ends before t, and after that
// of --since with which it begins after t.
func (p *period) before(t pipeline.Micros) string {
	switch {
	case p.from >= t:
		return ""
	case !p.days:
		return t.Time().Format(time.RFC3339Nano)
	case p.zone == time.UTC:
		return p.midnight(t, -1).Format(time.DateOnly) // the last day, inclusive
	}
	return p.midnight(t, 0).Format(time.RFC3339)
}

func (p *period) after(t pipeline.Micros) string {
	switch {
	case p.to <= t:
		return ""
	case !p.days:
		return (t + 1).Time().Format(time.RFC3339Nano) // an export can end amid a day
	case p.zone == time.UTC:
		return p.midnight(t, 1).Format(time.DateOnly)
	}
	return p.midnight(t, 1).Format(time.RFC3339)
}

// given returns the period of another migration.
func given(g ledger.Given) period {
	zone := time.UTC
	if own, err := time.LoadLocation(g.Migration.Options["timezone"]); err == nil {
		zone = own
	}
	return periodOf(g.Earliest, g.Latest, g.Migration.Sums, zone)
}

// checkGiven refuses events of a time that the site has been given. Only where
// there is another migration that could overlap are the inputs read once more.
func (r *importRun) checkGiven(ctx context.Context, in *reader, book *ledger.Ledger, rules pipeline.Normalizer) error {
	if r.Again || book.Resumed() && book.Missing() > 0 {
		return nil
	}
	others, err := book.Given(r.State)
	if err != nil || len(others) == 0 && !r.chosen {
		return err
	}
	stats, periods, err := r.count(ctx, in, rules)
	if err != nil || stats.Events == 0 {
		return err
	}
	whole := periodOf(stats.Earliest, stats.Latest, r.match.Sums, r.reading(book.Started()).Location())
	for _, g := range others {
		if book.Dated() && g.Migration.Dated() && g.Migration.Source == r.Source() {
			continue // their names tell their days apart
		}
		other := given(g)
		if first, last := overlap(whole, periods, other, g.Periods); first <= last {
			return &GivenError{Inputs: r.result.Inputs, Other: g, First: whole.day(first), Last: whole.day(last),
				Until: whole.before(other.from), Since: whole.after(other.to)}
		}
	}
	return r.takeNote(ctx, book, periods)
}

// overlap returns the first time that two migrations share and the last in the
// same stretch of events; the last is before the first where they share none.
func overlap(a period, as pipeline.Periods, b period, bs pipeline.Periods) (first, last pipeline.Micros) {
	for _, p := range as {
		for _, q := range bs {
			p, q := periodOf(p[0], p[1], a.days, a.zone), periodOf(q[0], q[1], b.days, b.zone)
			if first, last = max(p.from, q.from), min(p.to, q.to); first <= last {
				return first, last
			}
		}
	}
	return 1, 0
}

// count reads the export through once for what it holds.
func (r *importRun) count(ctx context.Context, in *reader, rules pipeline.Normalizer) (_ pipeline.Stats, _ pipeline.Periods, err error) {
	reading, err := in.take(ctx)
	if err != nil {
		return pipeline.Stats{}, nil, err
	}
	defer func() { err = errors.Join(err, reading.Source.Close()) }()
	return pipeline.Count(ctx, &pipeline.Translation{Normalizer: rules, Jobs: r.options.Jobs}, reading.Source)
}
