package plausible

import (
	"errors"
	"time"

	"hopper/adapters"
	"hopper/adapters/input"
	"hopper/pipeline"
)

// dates reads the days of a table, in the form of the export or in one that a
// spreadsheet made of it.
type dates struct {
	times  adapters.Times
	finder adapters.OrderFinder
	free   bool // some need an order
}

// newDates knows which days a file's name says it has.
func newDates(base string) *dates {
	d := &dates{times: adapters.Times{Serials: true}}
	if days := namedDays.FindStringSubmatch(base); days != nil {
		from, err := time.Parse("20060102", days[1])
		to, err2 := time.Parse("20060102", days[2])
		if err == nil && err2 == nil {
			d.finder.From, d.finder.To = pipeline.MicrosOf(from), pipeline.MicrosOf(to)
		}
	}
	return d
}

// isDate reports whether a cell is a day in the export's own form.
func isDate(cell string) bool {
	if len(cell) != len(time.DateOnly) {
		return false
	}
	_, err := time.Parse(time.DateOnly, cell)
	return err == nil
}

// day returns the day that a cell names, as 2024-01-31.
func (d *dates) day(cell string) (string, bool) {
	if len(cell) > 10 && cell[4] == '-' && (cell[10] == ' ' || cell[10] == 'T') {
		cell = cell[:10] // whatever zone stands behind, this is the day
	}
	if len(cell) == 10 && cell[4] == '-' {
		return cell, isDate(cell)
	}
	at, ok := d.times.Parse(cell)
	if !ok {
		return "", false
	}
	return at.Time().UTC().Format(time.DateOnly), true
}

// note looks whether a cell needs an order of day and month, and what it says
// of it.
func (d *dates) note(cell string) {
	if len(cell) == 10 && cell[4] == '-' {
		return
	}
	if adapters.NeedsOrder(cell) {
		d.free = true
		d.finder.Add(cell)
	}
}

// orderDates finds the order of day and month in tables whose dates need one:
// a table that decides it decides it for all, unless an order is chosen.
func orderDates(tables []*sumsTable, order adapters.DateOrder) error {
	chosen := order != adapters.AnyOrder
	var by, open *sumsTable
	for _, s := range tables {
		if !s.dates.free || chosen {
			continue
		}
		found, err := s.dates.finder.Order()
		switch {
		case errors.Is(err, adapters.ErrAnyOrder):
			open = s
		case err != nil:
			return &input.Error{Input: s.Input.Name, Field: "date", Err: err}
		case found == adapters.AnyOrder:
		case order == adapters.AnyOrder:
			order, by = found, s
		case order != found:
			return &input.Error{Input: s.Input.Name, Field: "date", Err: errors.New("has dates with the day and the month the other way round than " + by.Input.Name),
				Hint: "export the data again and give it as it is"}
		}
	}
	if open != nil && order == adapters.AnyOrder {
		return &input.Error{Input: open.Input.Name, Field: "date", Err: adapters.ErrAnyOrder}
	}
	for _, s := range tables {
		s.dates.times.Order = order
	}
	return nil
}
