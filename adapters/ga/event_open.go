package ga

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"hopper/adapters"
	"hopper/pipeline/recount"

	"hopper/adapters/input"
	"hopper/adapters/input/rows"
	"hopper/adapters/input/rows/record"
	"hopper/pipeline"
)

// openEvents prepares to read events, of GA4 and of Universal Analytics.
func openEvents(ctx context.Context, all []recognized, opt adapters.Options) (*adapters.Reading, error) {
	reading := &adapters.Reading{Notes: notes(all)}
	reading.Shape, reading.Schema = describe(all)
	if err := chooseSite(ctx, all, opt); err != nil {
		return nil, err
	}
	src, err := eventSource(ctx, all, opt, nil)
	if err != nil {
		return nil, err
	}
	if err := probe(ctx, src, opt, reading); err != nil {
		return nil, errors.Join(err, src.Close())
	}
	inputs := make([]*input.Input, len(all))
	for i, r := range all {
		inputs[i] = r.in
	}
	reading.Source = src
	reading.Facts = func(ctx context.Context, tell func(recount.Pieces) error) error {
		return tell(func(piece func(recount.Piece) error) error { return tellInputs(ctx, inputs, opt, piece) })
	}
	reading.Verify = adapters.VerifyRows(src, opt, reading.Facts)
	return reading, nil
}

// eventSource returns the events of inputs, and counts their sites where counts is
// not nil.
func eventSource(ctx context.Context, all []recognized, opt adapters.Options, counts siteCount) (*source, error) {
	g := &ga4{zone: opt.Location(), allEvents: opt.Get(GAEvents) == "all", website: opt.Get(adapters.Website), sites: counts}
	var err error
	if g.order, err = dateOrder(ctx, all, opt); err != nil {
		return nil, err
	}
	src := &source{seen: newTally(opt.TempDir), ga4: g}
	// Universal Analytics counted a hit once.
	dedupe := opt.Is(Dedupe) && slices.ContainsFunc(all, func(r recognized) bool { return r.shape != universal })
	for _, r := range all {
		if dedupe {
			if err := r.in.Spool(ctx); err != nil {
				return nil, err
			}
		}
		src.inputs = append(src.inputs, g.inputs(r)...)
	}
	if dedupe {
		first := &source{inputs: src.inputs, seen: src.seen}
		if err := src.seen.learn(ctx, first); err != nil {
			return nil, errors.Join(err, first.close(), src.Close())
		}
	}
	return src, nil
}

// dateOrder returns which of day and month stands first in the times of tables
// that a spreadsheet saved, if any.
func dateOrder(ctx context.Context, all []recognized, opt adapters.Options) (adapters.DateOrder, error) {
	if order := adapters.OrderOf(opt); order != adapters.AnyOrder {
		return order, nil
	}
	for _, r := range all {
		for _, t := range r.tables {
			order, err := orderOf(ctx, t.table)
			if err != nil || order != adapters.AnyOrder {
				return order, err
			}
		}
	}
	return adapters.AnyOrder, nil
}

// orderOf returns the order of day and month in a table's times, AnyOrder where
// they need none or each row's date decides.
func orderOf(ctx context.Context, t *rows.Table) (adapters.DateOrder, error) {
	at, dates := -1, false
	for i, name := range t.Header {
		column := columnOf(name)
		if column == "event_timestamp" || at < 0 && aliases[column] == "event_timestamp" {
			at = i
		}
		dates = dates || column == "event_date"
	}
	if at < 0 {
		return adapters.AnyOrder, nil
	}
	sample, err := t.Sample(ctx)
	if err != nil {
		return adapters.AnyOrder, err
	}
	needed := false
	for row := range sample.Rows() {
		needed = needed || row.Err == nil && adapters.NeedsOrder(row.Cells[at])
	}
	if !needed {
		return adapters.AnyOrder, nil
	}
	if err := t.Input.Spool(ctx); err != nil {
		return adapters.AnyOrder, err
	}
	var finder adapters.OrderFinder
	err = t.Each(ctx, func(row *rows.Row) error {
		if row.Err == nil {
			finder.Add(strings.Clone(row.Cells[at]))
		}
		return nil
	})
	if err != nil {
		return adapters.AnyOrder, err
	}
	order, err := finder.Order()
	if err != nil && dates {
		return adapters.AnyOrder, nil // each event's date decides
	}
	if err != nil {
		return order, &input.Error{Input: t.Input.Name, Field: t.Header[at], Err: err}
	}
	return order, nil
}

// inputs returns how the tables of an input are read.
func (g *ga4) inputs(r recognized) []sourceInput {
	property := propertyOf(r.in)
	switch {
	case r.rooted != nil:
		return []sourceInput{{r.in.Name, func(ctx context.Context, index int) (reader, error) {
			if r.shape != universal {
				return openRooted(ctx, r.rooted, g.record(index, property, r.fields))
			}
			return openRooted(ctx, r.rooted, func() translate { return g.universalRow() })
		}}}
	case r.shape == universal:
		return []sourceInput{{r.in.Name, func(ctx context.Context, _ int) (reader, error) {
			return openRecords(ctx, r.in, wantedOfUA, func() translate { return g.uaSession }, nil)
		}}}
	case r.tables == nil && findParamColumns(r.fields) != nil:
		return []sourceInput{{r.in.Name, func(ctx context.Context, index int) (reader, error) {
			records, err := record.Open(ctx, r.in, wantedOfGA4)
			if err != nil {
				return nil, err
			}
			return &paramReader{rows: &recordParams{records, r.in, layout{flat: settersByName(r.fields)}}, ga4: g, index: index, property: property}, nil
		}}}
	case r.tables == nil:
		return []sourceInput{{r.in.Name, func(ctx context.Context, index int) (reader, error) {
			return openRecords(ctx, r.in, wantedOfGA4, g.record(index, property, r.fields), &fast{newColumnar(g, index, property, r.fields), newScanned(g, index, property, r.fields)})
		}}}
	}
	var all []sourceInput
	for _, t := range r.tables {
		all = append(all, sourceInput{r.in.Name, func(ctx context.Context, index int) (reader, error) { return openFlat(ctx, t, g, index, property) }})
	}
	return all
}

func openRecords(ctx context.Context, in *input.Input, wanted func(string) bool, each func() translate, fast *fast) (reader, error) {
	records, err := record.Open(ctx, in, wanted)
	if err != nil {
		return nil, err
	}
	return &recordReader{Reader: records, each: each, fast: fast, in: in}, nil
}

// record translates the records of an input, nested or flat, whose first has
// these fields.
func (g *ga4) record(index int, property string, fields []string) func() translate {
	flat := settersByName(fields)
	return func() translate {
		var (
			r  row
			ev pipeline.Event
			l  = layout{flat: flat}
		)
		return func(rec *record.Record, at pipeline.Origin, out sink, seen *seen) {
			r.reset()
			r.at, r.input, r.raw, r.property = at, index, rec.Text(), property
			r.record(rec.Root, &l)
			g.emit(&r, &ev, out, seen)
		}
	}
}

func settersByName(fields []string) map[string]setter {
	setters := make(map[string]setter)
	for i, set := range bind(fields) {
		setters[fields[i]] = set
	}
	return setters
}

// notes says what the inputs lack that a user could have exported.
func notes(all []recognized) []string {
	var notes []string
	add := func(n string) {
		if !slices.Contains(notes, n) {
			notes = append(notes, n)
		}
	}
	for _, r := range all {
		for _, t := range r.tables {
			set := make(map[string]bool)
			for _, name := range t.table.Header {
				name = columnOf(name)
				if to := aliases[name]; to != "" {
					name = columnOf(to)
				}
				set[name[strings.LastIndexByte(name, '.')+1:]] = true
			}
			var missing []string
			for _, need := range [...]string{"user_pseudo_id", "ga_session_id", "page_location"} {
				if !set[need] && !set["event_params_"+need] && !set["event_params"] && t.params == nil {
					missing = append(missing, need)
				}
			}
			if missing != nil {
				add(fmt.Sprintf("%s lacks %s: visitors, sessions or pages are made up from what it has. Add the columns to the query, or export the tables themselves.", r.in.Name, strings.Join(missing, ", ")))
			}
			if t.params != nil {
				add(r.in.Name + " has one row a parameter: the rows of an event must stand together, as UNNEST writes them without ORDER BY.")
			}
		}
	}
	return notes
}
