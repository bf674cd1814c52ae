package matomo

import (
	"context"
	"html"
	"strings"

	"hopper/adapters"
	"hopper/adapters/input/rows"
	"hopper/pipeline"
)

// Conversions is the option that sends goals and orders.
var Conversions = adapters.Option{Name: "conversions", Help: "Matomo: send goals and orders as events of their own, too, beside the actions that triggered them"}

// Why a conversion is no event.
const (
	OmitCart             = "a cart that was left"
	OmitRepeatConversion = "a repeat of a conversion"
)

// conversionColumns are those of log_conversion that are read.
var conversionColumns = []string{"idvisit", "idsite", "server_time", "idgoal", "buster", "idorder", "revenue", "url"}

// conversions is a table of conversions with its columns' positions; -1 is absent.
type conversions struct {
	*rows.Table
	visit, site, time, goal, buster, order, revenue, url int
}

func newConversions(t *rows.Table) *conversions {
	at := t.Column
	return &conversions{
		Table: t, visit: at("idvisit"), site: at("idsite"), time: at("server_time"), goal: at("idgoal"), buster: at("buster"), order: at("idorder"),
		revenue: at("revenue"), url: at("url"),
	}
}

// identity is what is the same for the same conversion alone: a visit can reach a
// goal again, which has another buster.
func (t *conversions) identity(row *rows.Row) string {
	return strings.Join([]string{row.Cells[t.visit], row.Cells[t.goal], row.Cell(t.buster), row.Cell(t.order)}, " ")
}

// origin names the table for messages, and apart from the others of its dump, whose
// rows have the same numbers.
func origin(t *rows.Table) string {
	if rows.IsSQL(t.Input) {
		return t.Input.Name + " " + t.Name
	}
	return t.Input.Name
}

// goalOf finds a goal's name; goals are numbered within a site.
type goalOf struct{ site, goal string }

// readGoals returns the names of the table goal.
func readGoals(ctx context.Context, tables []*rows.Table) (map[goalOf]string, error) {
	return readNames(ctx, tables, func(cell func(column string) string) goalOf { return goalOf{cell("idsite"), cell("idgoal")} })
}

// conversionChunk is a chunk of conversions.
type conversionChunk struct {
	chunk
	table *conversions
}

// Decode makes an event of each row, see [pipeline.Chunk].
func (c *conversionChunk) Decode(out *pipeline.Emitter) error {
	return c.each(out, origin(c.table.Table), OmitRepeatConversion, c.decode)
}

func (c *conversionChunk) decode(out *pipeline.Emitter, at pipeline.Origin, row *rows.Row) error {
	t := c.table
	if err := c.findVisit(row.Cells[t.visit]); err != nil {
		return err
	}
	if site := row.Cell(t.site); site != "" && site != c.source.site {
		out.Omit(at, OmitWebsite)
		return nil
	}
	goal := row.Cells[t.goal]
	if goal == "-1" {
		out.Omit(at, OmitCart)
		return nil
	}
	ev := c.begin(out, at, row, t.visit, t.time, -1)
	if ev == nil {
		return nil
	}
	convert(ev, goal, c.source.goals[goalOf{c.source.site, goal}], row.Cell(t.order), row.Cell(t.revenue))
	describe(ev, c.visit.attributes, "visit")
	if address := html.UnescapeString(row.Cell(t.url)); address != "" {
		setAddress(ev, address)
	} else {
		c.page(ev, named{}, named{})
	}
	out.Event(ev)
	return nil
}

// convert names an event by its goal, or as an order.
func convert(ev *pipeline.Event, goal, name, order, revenue string) {
	switch ev.Kind = pipeline.Custom; {
	case goal == "0":
		ev.Name = "Order"
		addProperty(ev, "order", order)
	case name != "":
		ev.Name = name
	default:
		ev.Name = "Goal " + goal
	}
	addNumber(ev, "revenue", revenue)
}
