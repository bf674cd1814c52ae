package hopper

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"

	"hopper/pipeline"
	"hopper/sinks/rybbit"
	"hopper/sinks/rybbit/ledger"
)

// Live is the value of [Options.Until] that stands for the first day on which the
// site's own tracker recorded events. That day and later ones are left out, so that
// no day on which two trackers ran side by side is counted twice.
const Live = "live"

// untilLive finds out where an import ends that was asked for until the site's own
// tracker begins. A migration that is resumed keeps its end.
func (r *importRun) untilLive(ctx context.Context, m *ledger.Migration, opt ledger.Options) error {
	if r.options.Until != Live {
		return nil
	}
	known, begun, err := ledger.Begun(*m, opt)
	switch {
	case err != nil:
		return err
	case begun:
		r.live = known.Live
	case r.live == "":
		if r.live, err = r.askLive(ctx); err != nil {
			return err
		}
	}
	m.Live = r.live
	return r.bound()
}

// neverLive stands for the day of a tracker that has recorded nothing.
const neverLive = "never"

// bound leaves out what lies from the day on that live is.
func (r *importRun) bound() error {
	r.result.Live = r.live
	if r.live == neverLive {
		r.days.until = 0
		r.log.Warn("--until live: the site's own tracker has recorded nothing so far, so that nothing is left out", "event", "until_live")
		return nil
	}
	day, err := time.Parse(time.DateOnly, r.live)
	if err != nil {
		return fmt.Errorf("the ledger says that the site's own tracker began on %q, which is no day: %w", r.live, err)
	}
	r.days.until = pipeline.MicrosOf(day)
	r.log.Warn(fmt.Sprintf("--until live: the site's own tracker has recorded events since %s (UTC); events of that day and later ones are left out", r.live),
		"event", "until_live", "day", r.live)
	if r.days.since >= r.days.until {
		return optionErrorf("since", "%s is not before %s, when the site's own tracker began", r.options.Since, r.live)
	}
	return nil
}

// askLive asks the server: in SQL, which tells imports apart, else for the first
// day with events that no import of the ledgers here covers.
func (r *importRun) askLive(ctx context.Context) (day string, err error) {
	if r.Client == nil {
		return "", optionErrorf("until", "live needs a server to ask: --url, --site and a key")
	}
	all, err := r.holdings(ctx)
	if errors.Is(err, rybbit.ErrNoSQL) {
		return r.askDays(ctx)
	}
	if err != nil {
		return "", err
	}
	for _, h := range all {
		if day := h.first.Time().Format(time.DateOnly); !rybbit.IsImportID(h.ID) {
			return day, nil
		}
	}
	return neverLive, nil
}

// holding is what the site holds of an import; its ID is empty for what the site's
// own tracker recorded.
type holding struct {
	ID          string
	first, last pipeline.Micros
}

// holdings asks in SQL what the site holds. The tracker's events come first.
func (r *importRun) holdings(ctx context.Context) ([]holding, error) {
	var rows []struct {
		Import      string `json:"import_id"`
		First, Last string
	}
	const query = "select import_id, min(timestamp) as first, max(timestamp) as last from scoped_events group by import_id order by import_id limit 1000"
	err := r.patiently(ctx, func(ctx context.Context) error { return r.Client.Query(ctx, query, &rows) })
	if err != nil {
		return nil, err
	}
	all := make([]holding, len(rows))
	for i, row := range rows {
		first, err := secondOf(row.First)
		last, err2 := secondOf(row.Last)
		if err := errors.Join(err, err2); err != nil {
			return nil, fmt.Errorf("ask the server which times its imports hold: %w", err)
		}
		all[i] = holding{row.Import, first, last}
	}
	return all, nil
}

// secondOf reads a time as the server writes it.
func secondOf(text string) (pipeline.Micros, error) {
	t, err := time.Parse(time.DateTime, text) // a fraction may follow
	return pipeline.MicrosOf(t), err
}

// firstDay is when the oldest web analytics began.
const firstDay = "2005-01-01"

// askDays asks for the days that have sessions, and returns the first that no
// import covers.
func (r *importRun) askDays(ctx context.Context) (string, error) {
	held, err := ledger.HeldBy(r.State, r.server(), r.Client.Site())
	if err != nil {
		return "", err
	}
	if err := r.allKnown(ctx, held); err != nil {
		return "", err
	}
	var answer struct {
		Data []struct {
			Time     string
			Sessions float64
		}
	}
	query := url.Values{"start_date": {firstDay}, "end_date": {r.began.UTC().Format(time.DateOnly)}, "time_zone": {"UTC"}, "bucket": {"day"}}
	path := []string{"sites", r.Client.Site(), "overview", "time-series"}
	if err := r.patiently(ctx, func(ctx context.Context) error { return r.Client.Get(ctx, "ask for the days", path, query, &answer) }); err != nil {
		return "", err
	}
	covered := make(map[string]bool)
	for _, h := range held {
		for _, p := range h.Periods {
			for day := p[0].Time().Truncate(24 * time.Hour); !day.After(p[1].Time()); day = day.AddDate(0, 0, 1) {
				covered[day.Format(time.DateOnly)] = true
			}
		}
	}
	r.log.Warn("--until live: the server answers no SQL, so its statistics say when the site's own tracker began: the first day with sessions that no import covers",
		"event", "until_live_by_statistics")
	for _, d := range answer.Data {
		if day := d.Time[:min(len(d.Time), len(firstDay))]; d.Sessions > 0 && !covered[day] {
			return day, nil
		}
	}
	return neverLive, nil
}

// allKnown refuses to guess where an import is none of the ledgers'.
func (r *importRun) allKnown(ctx context.Context, held []ledger.Held) error {
	var imports []rybbit.Import
	err := r.patiently(ctx, func(ctx context.Context) (err error) {
		imports, err = r.Client.Imports(ctx)
		return err
	})
	for _, imp := range imports {
		known := imp.Total() == 0 || slices.ContainsFunc(held, func(h ledger.Held) bool {
			return slices.ContainsFunc(h.Imports, func(own ledger.Import) bool { return own.ID == imp.ID })
		})
		if !known {
			return optionErrorf("until", "the server answers no SQL, and import %s is in no ledger of this state directory, so that nothing tells its events "+
				"from those of the site's own tracker: give the first day of the tracker yourself, as --until 2024-05-31 for one that began on June 1", imp.ID)
		}
	}
	return err
}

// patiently asks a server again that is away for a moment.
func (r *importRun) patiently(ctx context.Context, ask func(context.Context) error) error {
	options := r.Upload
	options.Log = r.log
	return r.Client.Patiently(ctx, options, ask)
}
