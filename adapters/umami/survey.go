package umami

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"hopper/adapters"
	"hopper/adapters/input"
	"hopper/adapters/input/rows"
	"hopper/pipeline"
)

// survey reads the events through before they are translated: of which
// websites they are, which are repeats, and in what order the dates of a
// spreadsheet hold day and month.
func (f *tables) survey(ctx context.Context, opt adapters.Options) (*adapters.Repeats, error) {
	finder := adapters.RepeatFinder{Dir: opt.TempDir}
	defer finder.Close()
	orders := make([]adapters.OrderFinder, len(f.events))
	rowsRead := map[*input.Input]int64{}
	for ordinal, e := range f.events {
		if err := e.Input.Spool(ctx); err != nil {
			return nil, err
		}
		e.times = adapters.Times{Zone: opt.Location(), Serials: true, Order: adapters.OrderOf(opt)}
		find := e.dated && e.times.Order == adapters.AnyOrder
		if opt.Now.Unix() > 0 {
			orders[ordinal].To = pipeline.MicrosOf(opt.Now)
		}
		look := *e.Table
		look.Only(e.websiteID, e.eventID, e.sessionID, e.visitID, e.createdAt, e.kindColumn, e.name)
		hours := hourFinder{times: &e.times}
		err := each(ctx, &look, nil, func(row *rows.Row) error {
			get := cells(row.Cells)
			if err := e.whole(row); err != nil {
				return err
			}
			hours.add(get.at(e.createdAt))
			if find {
				orders[ordinal].Add(get.at(e.createdAt))
			}
			rowsRead[e.Input]++
			if _, ok := e.times.Parse(get.at(e.createdAt)); !ok && !e.dated {
				return nil // a line of totals, or a row that will be rejected: no event that others could repeat
			}
			f.countSite(e, get)
			if id := e.identity(get); id != "" {
				return finder.Add(adapters.IDOf(id), ordinal, row.Number)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		if hours.missing() {
			return nil, (&input.Error{Input: e.Input.Name, Field: "created_at",
				Err: fmt.Errorf("holds days without the time of day, such as %q, so that visits cannot be told", hours.day)}).
				Advise("export the column as the database has it")
		}
	}
	if err := f.orderDates(orders); err != nil {
		return nil, err
	}
	if err := lacksPages(ctx, rowsRead); err != nil {
		return nil, err
	}
	return finder.Find(ctx)
}

// whole refuses a row whose visitor's or visit's id a spreadsheet has rounded.
func (e *eventTable) whole(row *rows.Row) error {
	for _, column := range []int{e.sessionID, e.visitID} {
		if id := cells(row.Cells).at(column); adapters.IsRounded(id) {
			return (&input.Error{Input: e.Input.Name, Row: row.Number, Field: e.Columns[column],
				Err: fmt.Errorf("is %s, an id that a spreadsheet has rounded, so that visitors cannot be told apart", id)}).
				Advise("give the table as it was exported, not saved by a spreadsheet")
		}
	}
	return nil
}

// hourFinder looks whether the times of a table have a time of day. The rows of
// one that has are told by the first.
type hourFinder struct {
	times *adapters.Times
	found bool   // a time of day
	day   string // the first without
}

func (h *hourFinder) add(s string) {
	if h.found || s == "" {
		return
	}
	if _, ok := h.times.Parse(s); !ok {
		return
	}
	if h.found = !adapters.IsDay(s); !h.found && h.day == "" {
		h.day = strings.Clone(s)
	}
}

func (h *hourFinder) missing() bool { return !h.found && h.day != "" }

// identity returns what is the same for the same event alone, empty where
// nothing is. An id that is no UUID, as in version 1, is no one's own: it needs
// the visitor and the time.
func (e *eventTable) identity(get cells) string {
	id := get.at(e.eventID)
	if noID(id) {
		return ""
	}
	if pipeline.IsUUID(id) {
		return id
	}
	return strings.Join([]string{e.scope, id, get.at(e.sessionID), get.at(e.createdAt)}, "\x00")
}

// orderDates decides the order of day and month in each table. One in which
// nothing decides has the order of the others.
func (f *tables) orderDates(orders []adapters.OrderFinder) error {
	known := map[adapters.DateOrder]bool{}
	undecided := map[*eventTable]error{}
	for i, e := range f.events {
		order, err := orders[i].Order()
		switch {
		case errors.Is(err, adapters.ErrAnyOrder):
			undecided[e] = err
		case err != nil:
			return &input.Error{Input: e.Input.Name, Field: "created_at", Err: err}
		case order != adapters.AnyOrder:
			e.times.Order = order
			known[order] = true
		}
	}
	for _, e := range f.events {
		err, open := undecided[e]
		if !open {
			continue
		}
		if len(known) != 1 {
			return &input.Error{Input: e.Input.Name, Field: "created_at", Err: err}
		}
		for order := range known {
			e.times.Order = order
		}
	}
	return nil
}

// countSite counts an event for its website. Umami gives each short link and pixel
// a website_id too.
func (f *tables) countSite(e *eventTable, get cells) {
	id := get.at(e.websiteID)
	if id == "" {
		return
	}
	if kind := adapters.Integer(get.at(e.kindColumn)); e.kind == modern && (kind == "3" || kind == "4") {
		return
	}
	if f.sites == nil {
		f.sites = map[string]int64{}
	}
	if _, known := f.sites[id]; !known {
		if len(f.sites) == maxSites {
			f.moreSites = true
			return
		}
		id = strings.ToLower(strings.Clone(id))
	}
	f.sites[id]++
}

// maxSites is of how many websites events are counted.
const maxSites = 10_000

// noID reports whether an identifier is none: ClickHouse fills a column that
// was added later with zeros.
func noID(id string) bool { return id == "" || id == "00000000-0000-0000-0000-000000000000" }
