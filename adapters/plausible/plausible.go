// Package plausible reads what Plausible exports: the site export, a ZIP of
// daily sums, and event level dumps of the ClickHouse table events_v2.
//
// # Site export
//
// Tables are recognized by their columns, whatever the files are called; columns are
// found by name, and any that is not needed may be absent, as may tables. The
// sums of each day are turned into visits by package reconstruct, which says
// what of them is kept exactly and what nearly. A day's tables are read
// together, so that memory is bounded by the largest day; a table that is not
// sorted by date is sorted on disk first. Each table is read twice: once to
// see its dates, once for its rows.
//
// Days are in any form that people's tools make of them. Tables of several
// sites, as ClickHouse holds them, are read for one site.
//
// A visit's source becomes a referrer from which Rybbit derives the source,
// and its UTM values the query, on all of the visit's events, for all of them
// came from there. A page view whose page no table has gets the path
// "/(not set)". Cities are named by their GeoNames ids. A visitor is of one day,
// unless [adapters.PeriodUsers] says how many users a period has.
//
// Rows of the custom event "engagement" are omitted: it is Plausible's own
// heartbeat. Outbound link clicks become outbound events.
//
// # Event dumps
//
// Plausible's scheduled raw exports, and events_v2 in any container that package
// rows reads, text with a header or in the column order of the table. These are
// the events themselves and are read one by one, in a stream, decoded in
// parallel. A table with a site_id or domain is read through before, for its
// sites. The table sessions_v2 is not needed beside it; the table sites of
// Plausible's own database gives sites their domains.
package plausible

import (
	"context"

	"hopper/adapters"
	"hopper/adapters/input"
	"hopper/pipeline"
	"hopper/pipeline/recount"
)

// Adapter is the [adapters.Adapter] for Plausible.
type Adapter struct{}

// Name is "plausible".
func (Adapter) Name() string { return "plausible" }

// open finds the tables and looks at their dates.
func open(ctx context.Context, inputs []*input.Input, opt adapters.Options) (*adapters.Reading, error) {
	found, err := find(ctx, inputs)
	if err != nil {
		return nil, err
	}
	if len(found.events) > 0 {
		reading, err := found.openEvents(ctx, opt)
		if err != nil {
			return nil, err
		}
		reading.Facts = recount.InPieces(func(ctx context.Context, yield func(*recount.Fact) error) error {
			return tell(ctx, found, opt.TempDir, yield)
		})
		reading.Verify = adapters.VerifyRows(reading.Source, opt, reading.Facts)
		return reading, nil
	}
	src, err := openDays(ctx, found, opt)
	if err != nil {
		return nil, err
	}
	return &adapters.Reading{
		Source: src, Shape: "Plausible site export", Schema: found.schema(),
		Notes: append(found.notes(), src.notes()...), Remarks: src.remarks, Doubt: src.doubt(),
		Verify: func(ctx context.Context, t pipeline.Translation, progress func(int64)) (*recount.Comparison, error) {
			return verify(ctx, src, t, progress)
		},
	}, nil
}
