package matomo

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"hopper/adapters"
	"hopper/adapters/input"
	"hopper/adapters/input/rows"
	"hopper/pipeline"
)

// Why a visit or an action of the log is no event.
const (
	RejectTimestamp  = "an action whose timestamp is no time"
	OmitGoal         = "a goal or an order, whose action is there; --conversions sends it"
	OmitOtherAction  = "an action of a type that is not known"
	OmitVisit        = "a visit without actions"
	OmitOtherWebsite = "a visit of another website; --website chooses"
	OmitVisitRepeat  = "a visit of which another row has as many actions or more"
)

// logSource yields the actions of the visits log.
type logSource struct {
	*logSurvey
	site   string
	tables []*logTable
	loop   adapters.Tables
	// conversions says that goals and orders are events, too.
	conversions bool
}

// Next returns the next chunk, see [pipeline.Source].
func (s *logSource) Next(ctx context.Context) (pipeline.Chunk, error) {
	at, taken, err := s.loop.Next(ctx)
	if err != nil {
		return nil, err
	}
	c := &logChunk{logSource: s, table: s.tables[at], rows: taken}
	if err := s.repeats.Take(ctx, at, taken.EndRow, func(row int64, _ []byte) { c.left = append(c.left, row) }); err != nil {
		return nil, input.Errorf(c.table.Input.Name, "reading what was sorted on disk: %w", err)
	}
	return c, nil
}

// Close releases temporary files.
func (s *logSource) Close() error { return errors.Join(s.loop.Close(), s.repeats.Close()) }

type logChunk struct {
	*logSource
	table *logTable
	rows  *rows.Chunk
	left  []int64 // rows that are left out
}

// Decode makes the events of each row, see [pipeline.Chunk].
func (c *logChunk) Decode(out *pipeline.Emitter) error {
	for row := range c.rows.Rows() {
		out.Rows(1)
		at := pipeline.Origin{Input: c.table.Input.Name, Row: row.Number}
		switch {
		case row.Err != nil:
			out.Reject(at, row.Err.Error(), row.Text())
		case len(c.left) > 0 && c.left[0] == row.Number:
			c.left = c.left[1:]
			out.Omit(at, OmitVisitRepeat)
		case row.Cell(c.table.site) != c.site:
			out.Omit(at, OmitOtherWebsite)
		default:
			c.decode(out, at, row)
		}
	}
	return c.rows.Err()
}

// decode makes events of a visit's actions.
func (c *logChunk) decode(out *pipeline.Emitter, at pipeline.Origin, row *rows.Row) {
	list := c.table.list(row)
	if len(list) == 0 {
		out.Omit(at, OmitVisit)
		return
	}
	v := c.table.visit(row)
	if v.first == "" {
		v.first = list[0].time
	}
	base := pipeline.Event{Origin: at, Raw: row.Raw, Session: c.table.identity(row, list)}
	v.fill(&base)
	if base.Visitor == "" {
		base.Visitor = base.Session
	}
	var times adapters.Times
	first, _ := times.Parse(v.first)
	page := firstPage(list)
	for i := range list {
		a := &list[i]
		if a.kind == "action" && a.url != "" {
			page = a
		}
		ev := base
		if reason := c.act(out, &ev, a, page); reason != "" {
			out.Omit(at, reason)
			continue
		}
		var ok bool
		if ev.Time, ok = times.Parse(a.time); !ok {
			out.Reject(at, RejectTimestamp, row.Text())
			continue
		}
		if ev.Time == first {
			v.arrive(&ev)
		}
		describe(&ev, a.attributes, "action")
		describe(&ev, v.attributes, "visit")
		out.Event(&ev)
	}
}

// firstPage returns the first page of a visit that has an address, or nil.
func firstPage(list []action) *action {
	for i := range list {
		if list[i].kind == "action" && list[i].url != "" {
			return &list[i]
		}
	}
	return nil
}

// act sets what happened and where, or returns why it is no event. Page is the
// page that was viewed last, or else the visit's first.
func (c *logChunk) act(out *pipeline.Emitter, ev *pipeline.Event, a, page *action) (omit string) {
	switch a.kind {
	case "action":
		c.page(ev, a)
		if a.url == "" {
			out.Repair(ev.Origin, RepairAddress)
		}
		return ""
	case "event":
		ev.Kind, ev.Name = pipeline.Custom, a.category
		addProperty(ev, "action", a.action)
		addProperty(ev, "name", a.name)
		addNumber(ev, "value", a.value)
		if a.url != "" {
			setAddress(ev, a.url)
			return ""
		}
	case "search":
		ev.Kind, ev.Name = pipeline.Custom, "Site Search"
		addProperty(ev, "keyword", a.keyword)
		addProperty(ev, "category", a.searchCategory)
		addNumber(ev, "count", a.searchCount)
	case "outlink", "download":
		ev.Kind, ev.Target = pipeline.Outbound, a.url
	case "goal", "ecommerceOrder":
		if !c.conversions {
			return OmitGoal
		}
		if a.kind == "ecommerceOrder" {
			a.goal = "0"
		}
		convert(ev, a.goal, a.goalName, a.order, a.revenue)
		if a.url != "" {
			setAddress(ev, a.url)
			return ""
		}
	case "ecommerceAbandonedCart":
		return OmitCart
	case "13", "content":
		return OmitContent
	default:
		return OmitOtherAction
	}
	if page == nil {
		page = &action{}
	}
	c.page(ev, page)
	return ""
}

// page sets the page that an event is on.
func (c *logChunk) page(ev *pipeline.Event, a *action) {
	ev.Title = a.title
	if a.url == "" {
		ev.Hostname, ev.Path = c.sites.host(c.site), "/(not set)"
		return
	}
	setAddress(ev, a.url)
}

// referrerTypes are the numbers that the database has for the log's words.
var referrerTypes = map[string]string{"direct": "1", "search": "2", "website": "3", "campaign": "6", "social": "7"}

// visit returns what a row says of the visit, in the database's words.
func (t *logTable) visit(row *rows.Row) (v visit) {
	for i, field := range v.fields() {
		*field = t.cell(row, t.fields[i])
	}
	v.refType = referrerTypes[v.refType]
	if v.browser == "" {
		v.browser = t.cell(row, t.Column("browser_name"))
	}
	if v.os == "" {
		v.os = t.cell(row, t.Column("operating_system_name"))
	}
	for i, name := range devices {
		if strings.EqualFold(name, v.device) {
			v.device = strconv.Itoa(i)
		}
	}
	if v.city == "Unknown" {
		v.city = ""
	}
	v.attributes = propertiesOf(t.attributes, func(column int) string { return t.cell(row, column) })
	if list := row.Value(t.Column("custom_variables")); list != nil {
		v.attributes = append(v.attributes, variables(list)...)
	}
	return v
}
