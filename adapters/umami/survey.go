package umami

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"

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
	orders := make([]*adapters.OrderFinder, len(f.events)) // of tables with dates that need one
	rowsRead := make([]int64, len(f.events))
	var spare sync.Pool // glimpses that were taken, for the memory of their events
	for ordinal, e := range f.events {
		if err := e.Input.Spool(ctx); err != nil {
			return nil, err
		}
		e.times = adapters.Times{Zone: opt.Location(), Serials: true, Order: adapters.OrderOf(opt)}
		find := e.dated && e.times.Order == adapters.AnyOrder
		if find {
			orders[ordinal] = new(adapters.OrderFinder)
			if opt.Now.Unix() > 0 {
				orders[ordinal].To = pipeline.MicrosOf(opt.Now)
			}
		}
		e.hosted = opt.Get(adapters.Website)
		look := *e.Table
		look.Only(e.websiteID, e.eventID, e.sessionID, e.visitID, e.createdAt, e.kindColumn)
		if e.hosted != "" {
			look.Only(e.websiteID, e.eventID, e.sessionID, e.visitID, e.createdAt, e.kindColumn, e.hostname)
		}
		hours := adapters.HourFinder{Times: &e.times}
		err := rows.Look(ctx, &look, func(c *rows.Chunk) (*glimpse, error) { return e.glimpse(c, find, &spare) }, func(g *glimpse) error {
			hours.Merge(&g.hours)
			for _, date := range g.dates {
				orders[ordinal].Add(date)
			}
			rowsRead[ordinal] += g.rows
			for _, id := range g.siteOrder {
				f.countSite(id, *g.sites[id])
			}
			f.host(g.hosted)
			if err := finder.Add(ordinal, g.events...); err != nil {
				return err
			}
			spare.Put(g)
			return nil
		})
		if err != nil {
			return nil, err
		}
		if err := hours.Missing(); err != nil {
			return nil, (&input.Error{Input: e.Input.Name, Field: "created_at", Err: err}).Advise("export the column as the database has it")
		}
	}
	if err := f.orderDates(orders); err != nil {
		return nil, err
	}
	if err := lacksPages(ctx, f.events, rowsRead); err != nil {
		return nil, err
	}
	return finder.Find(ctx)
}

// glimpse is what the survey keeps of a chunk's rows.
type glimpse struct {
	rows      int64
	hours     adapters.HourFinder
	dates     []string // of spreadsheets whose days and months could change places
	events    []adapters.Identified
	sites     map[string]*int64
	siteOrder []string // as they come up
	hosted    map[string]bool
}

// visited is a website and the events of it that follow each other.
type visited struct {
	site   string
	events int64
}

func (v visited) count(g *glimpse) {
	if v.events == 0 {
		return
	}
	n := g.sites[v.site]
	if n == nil {
		n = new(int64)
		site := strings.Clone(v.site)
		g.sites[site], g.siteOrder = n, append(g.siteOrder, site)
	}
	*n += v.events
}

// glimpse looks at a chunk's rows; those that cannot be read are passed over. It
// keeps no text of the chunk, which it releases.
func (e *eventTable) glimpse(c *rows.Chunk, dates bool, spare *sync.Pool) (*glimpse, error) {
	g := &glimpse{hours: adapters.HourFinder{Times: &e.times}, sites: make(map[string]*int64)}
	if used, ok := spare.Get().(*glimpse); ok {
		g.events = used.events[:0]
	}
	defer c.Release()
	times := e.times.InOrder()
	var last visited
	for row := range c.Rows() {
		if row.Err != nil {
			continue
		}
		get := cells(row.Cells)
		if adapters.IsRounded(get.at(e.sessionID)) || adapters.IsRounded(get.at(e.visitID)) {
			return nil, e.rounded(row)
		}
		created := get.at(e.createdAt)
		g.hours.Add(created)
		if dates {
			g.dates = append(g.dates, strings.Clone(created))
		}
		g.rows++
		at, ok := times.Parse(created)
		if !ok && !e.dated {
			continue // a line of totals, or a row that will be rejected: no event that others could repeat
		}
		if site := e.site(get); site != "" {
			if site != last.site {
				last.count(g)
				last = visited{site: site}
			}
			last.events++
			if e.hosted != "" && adapters.SameHost(get.at(e.hostname), e.hosted) && !g.hosted[site] {
				if g.hosted == nil {
					g.hosted = map[string]bool{}
				}
				g.hosted[strings.Clone(site)] = true
			}
		}
		// It is filled where it stays: to copy what was written just before takes long.
		g.events = append(g.events, adapters.Identified{Row: row.Number})
		if n := len(g.events) - 1; !e.identify(&g.events[n].ID, get, at, ok) {
			g.events = g.events[:n]
		}
	}
	last.count(g)
	return g, nil
}

// rounded refuses a row whose visitor's or visit's id a spreadsheet has rounded.
func (e *eventTable) rounded(row *rows.Row) error {
	column := e.sessionID
	if !adapters.IsRounded(row.Cell(column)) {
		column = e.visitID
	}
	return (&input.Error{Input: e.Input.Name, Row: row.Number, Field: e.Columns[column],
		Err: fmt.Errorf("is %s, an id that a spreadsheet has rounded, so that visitors cannot be told apart", row.Cells[column])}).
		Advise("give the table as it was exported, not saved by a spreadsheet")
}

// identify sets id to what is the same for the same event alone, and reports whether
// there is such a thing. An id that is no UUID, as in version 1, is no one's own: it
// needs the visitor and the time, as it is written where it is none.
func (e *eventTable) identify(id *adapters.ID, get cells, at pipeline.Micros, isTime bool) bool {
	event := get.at(e.eventID)
	if event == "" || event == get.at(e.sessionID) {
		return false
	}
	if id.SetUUID(event) {
		return *id != adapters.ID{} // see noID
	}
	created := get.at(e.createdAt)
	if isTime {
		created = strconv.FormatInt(int64(at), 10) // the same in every form
	}
	*id = adapters.IDOf(strings.Join([]string{e.scope, event, get.at(e.sessionID), created}, "\x00"))
	return true
}

// orderDates decides the order of day and month in each table with dates that need one.
// One in which nothing decides has the order of the others.
func (f *tables) orderDates(orders []*adapters.OrderFinder) error {
	known := map[adapters.DateOrder]bool{}
	undecided := map[*eventTable]error{}
	for i, e := range f.events {
		if orders[i] == nil {
			continue
		}
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

// site returns the website that an event counts for, or "". Umami gives each
// short link and pixel a website_id too.
func (e *eventTable) site(get cells) string {
	if kind := get.at(e.kindColumn); kind != "1" && kind != "2" && e.kind == modern {
		if kind = adapters.Integer(kind); kind == "3" || kind == "4" {
			return ""
		}
	}
	return get.at(e.websiteID)
}

// countSite counts n events for a website.
func (f *tables) countSite(id string, n int64) {
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
	f.sites[id] += n
}

// host remembers websites that have events on the host that is asked for.
func (f *tables) host(sites map[string]bool) {
	for id := range sites {
		if f.hosted == nil {
			f.hosted = map[string]bool{}
		}
		if id = strings.ToLower(id); len(f.hosted) < maxSites {
			f.hosted[strings.Clone(id)] = true
		}
	}
}

// maxSites is of how many websites events are counted.
const maxSites = 10_000

// noID reports whether an identifier is none: ClickHouse fills a column that
// was added later with zeros.
func noID(id string) bool { return id == "" || id == "00000000-0000-0000-0000-000000000000" }
