package adapters

import (
	"errors"
	"fmt"
	"time"

	"hopper/pipeline"
)

// DateOrder says which of day and month stands first in a date such as
// 5/1/2024.
type DateOrder uint8

const (
	// AnyOrder is not known.
	AnyOrder DateOrder = iota
	// MonthFirst reads 5/1/2024 as the first of May.
	MonthFirst
	// DayFirst reads 5/1/2024 as the fifth of January.
	DayFirst
)

// OrderOf returns what --date-order says; auto is AnyOrder.
func OrderOf(opt Options) DateOrder {
	switch opt.Get(DateOrders) {
	case "mdy":
		return MonthFirst
	case "dmy":
		return DayFirst
	}
	return AnyOrder
}

// NeedsOrder reports whether s is a date in which day and month could change
// places by its form, whatever its numbers are.
func NeedsOrder(s string) bool {
	d, _, ok := cutDate(plainSpaces(s))
	return ok && d.order == AnyOrder
}

// OrderFinder finds the order of day and month in the dates of a column from
// all of its values: one that only fits one order decides. Where none does, the
// order is the one in which no date is out of bounds, in which rows stand in
// order of time, or in which dates follow each other within a month where they
// would else be the same day of several months.
//
// A column needs it only where [NeedsOrder] says so of a value. The zero
// OrderFinder is ready for use, by one goroutine.
type OrderFinder struct {
	// From and To bound the times that there can be, both inclusive; 0 is none.
	From, To pipeline.Micros

	dates    map[date]bool
	hours    bool       // not all are midnight
	readings [2]reading // by MonthFirst-1, DayFirst-1
}

// reading is how the values look in one order.
type reading struct {
	impossible      string // a value that is no date in it
	outside         string // a value that is out of bounds in it
	last            pipeline.Micros
	steps           int // changes of date
	rising, falling bool
}

// Add takes a value of the column. Others than dates that need an order are
// ignored.
func (f *OrderFinder) Add(s string) {
	if len(s) > maxTime {
		return
	}
	d, _, ok := cutDate(plainSpaces(s))
	if !ok || d.order != AnyOrder {
		return
	}
	if f.dates == nil {
		f.dates = map[date]bool{}
	}
	for i := range f.readings {
		at := f.readings[i].add(s, DateOrder(i+1), f.From, f.To)
		f.hours = f.hours || at%microsPerDay != 0
	}
	const many = 10_000 // dates; then all is said
	if len(f.dates) < many {
		f.dates[d] = true
	}
}

const microsPerDay = pipeline.Micros(24 * time.Hour / time.Microsecond)

func (r *reading) add(s string, order DateOrder, from, to pipeline.Micros) pipeline.Micros {
	at, ok := (&Times{Order: order}).parseFree(s)
	if !ok {
		if r.impossible == "" {
			r.impossible = s
		}
		return 0
	}
	// Bounds are days in some zone, so that a day more or less proves nothing.
	if r.outside == "" && (from != 0 && at < from-microsPerDay || to != 0 && at > to+microsPerDay) {
		r.outside = s
	}
	if r.last == 0 {
		r.rising, r.falling = true, true
	} else if at/microsPerDay != r.last/microsPerDay {
		r.steps++
		r.rising = r.rising && at > r.last
		r.falling = r.falling && at < r.last
	}
	r.last = at
	return at
}

// Order returns the column's order, and AnyOrder where no value needs one. An
// error says which values contradict each other, or that none decides.
func (f *OrderFinder) Order() (DateOrder, error) {
	if len(f.dates) == 0 {
		return AnyOrder, nil
	}
	month, day := &f.readings[0], &f.readings[1]
	if month.impossible != "" && day.impossible != "" {
		return AnyOrder, fmt.Errorf("has dates with the month first (%s) and with the day first (%s); a spreadsheet that knows another order may have changed some of them: "+
			"export the data again and give it as it is", day.impossible, month.impossible)
	}
	if order, ok := prefer(month.impossible == "", day.impossible == ""); ok {
		return order, nil
	}
	if order, ok := prefer(month.outside == "", day.outside == ""); ok {
		return order, nil
	}
	if order, ok := prefer(month.sorted(), day.sorted()); ok {
		return order, nil
	}
	if order, ok := f.withinMonth(); ok {
		return order, nil
	}
	for d := range f.dates {
		if d.first != d.second {
			return AnyOrder, ErrAnyOrder
		}
	}
	return AnyOrder, nil // all are the first of January, the second of February …
}

// ErrAnyOrder says that nothing in a column decides the order of its dates.
var ErrAnyOrder = errors.New("has dates such as 5/1/2024 in which day and month could change places, and none that decides; " +
	"say it with --date-order mdy (the month first) or --date-order dmy (the day first)")

func prefer(month, day bool) (DateOrder, bool) {
	switch {
	case month && !day:
		return MonthFirst, true
	case day && !month:
		return DayFirst, true
	}
	return AnyOrder, false
}

// sorted reports whether rows stand in order of time, and enough of them that
// this is no chance.
func (r *reading) sorted() bool {
	const enough = 6
	return r.steps >= enough && (r.rising || r.falling)
}

// withinMonth decides where one of the two numbers is always the same: three
// days of a month are more likely than the same day of three months. The first
// of a month is likely too where the dates have no hours.
func (f *OrderFinder) withinMonth() (DateOrder, bool) {
	firsts, seconds := map[[2]int]bool{}, map[[2]int]bool{}
	for d := range f.dates {
		firsts[[2]int{d.year, d.first}] = true
		seconds[[2]int{d.year, d.second}] = true
	}
	const enough = 3
	if len(f.dates) < enough || len(firsts) > 1 && len(seconds) > 1 {
		return AnyOrder, false
	}
	order, same := DayFirst, 0
	for d := range f.dates {
		if same = d.second; len(firsts) == 1 {
			order, same = MonthFirst, d.first
		}
		break
	}
	return order, same != 1 || f.hours
}

// DateOrders is the option of sources whose times people's tools may have
// rewritten.
var DateOrders = Option{Name: "date-order", Placeholder: "ORDER", Values: []string{"auto", "mdy", "dmy"},
	Help: "of dates such as 5/1/2024: what stands first, the month (mdy) or the day (dmy); auto decides by the column as a whole"}
