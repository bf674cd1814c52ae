package recount

import (
	"strconv"
	"strings"
	"time"

	"hopper/pipeline"
)

// A Layout says which tables are counted, and what an event counts as in them.
type Layout struct {
	Tables []Table
	// Zone is where days begin; nil is UTC.
	Zone *time.Location
	// Dimensions is how many rows a hit has in tables by dimension.
	Dimensions int
	// Hit fills in h's Page, Name, Link, Title, Rows and Properties from an event. Rows has
	// Dimensions elements. It is called by several goroutines.
	Hit func(ev *pipeline.Event, h *Hit)
	// FirstOfTies says that of two events of the same time the one that was
	// given first is a session's last, too.
	FirstOfTies bool
}

// A Table is one of those that are counted: rows by what By says.
type Table struct {
	Name string
	By   Subject
	// Dimension is the index in [Hit].Rows of a table by dimension.
	Dimension int
	Columns   []Column
	// Partial says that the source may leave sessions out of the table. Where it
	// does, the row without a value is not compared.
	Partial bool
	// Whole says that the table is not counted day by day, but over all days.
	Whole bool
}

// Subject is what the rows of a table are.
type Subject uint8

const (
	// ByDay is a table of one row, a day's totals.
	ByDay Subject = iota
	// ByDimension is what a session has once, such as its country: the value of
	// its first event that has one.
	ByDimension
	// ByPage, ByEntry and ByExit are pages: of events, and of a session's first
	// and last event that has one.
	ByPage
	ByEntry
	ByExit
	// ByName are names of events, ByProperty values of properties, ByLink where
	// links lead, ByTitle titles of pages.
	ByName
	ByProperty
	ByLink
	ByTitle
)

// A Column is a measure of a table.
type Column struct {
	Measure
	Name string
	// Limit is the share of the measure that may stand in wrong rows; 0 is
	// exact, and below that nothing is promised.
	Limit float64
}

// Measure is what is counted.
type Measure uint8

const (
	// Sessions are distinct sessions; by name and property they are events.
	Sessions Measure = iota
	// Users are distinct visitors of a row and day, UsersOfAll of all days.
	Users
	UsersOfAll
	// Bounces are sessions with one pageview.
	Bounces
	// Seconds are those from a session's first to its last event.
	Seconds
	// Events are events of any kind; those below are those of a kind.
	Events
	Pageviews
	CustomEvents
	OutboundClicks
	WebVitals
	Errors
	// Entries and Exits count sessions in the row of their first and last page.
	Entries
	Exits

	numMeasures = iota
)

var kindMeasures = [...]Measure{
	pipeline.Pageview: Pageviews, pipeline.Custom: CustomEvents, pipeline.Outbound: OutboundClicks, pipeline.Vitals: WebVitals, pipeline.Error: Errors,
}

// NoPromise is the limit of a column of which nothing is promised.
const NoPromise = -1

// rowsOfEvents are the tables in which an export of events is counted, and
// eventDimensions their dimensions.
const (
	referrers = iota
	browsers
	systems
	devices
	countries
	regions
	cities
	utmSources
	hosts
	queries
	titles
	languages
	screens
	properties
	browserVersions
	osVersions
	values
	links
	eventDimensions
)

// events counts what the rows of an export of events say.
var events = Layout{
	Dimensions: eventDimensions,
	Tables: []Table{
		{Name: "days", By: ByDay, Columns: []Column{
			{Sessions, "sessions", 0}, {UsersOfAll, "users", 0}, {Users, "users per day", 0}, {Bounces, "bounces", 0}, {Seconds, "seconds", 0}, {Events, "events", 0},
			{Pageviews, "pageviews", 0}, {CustomEvents, "custom events", 0}, {OutboundClicks, "outbound clicks", 0}, {WebVitals, "web vitals", 0}, {Errors, "errors", 0},
		}},
		{Name: "pages", By: ByPage, Columns: []Column{{Pageviews, "pageviews", 0}, {Entries, "entries", 0}, {Exits, "exits", 0}}},
		dimensionOfEvents("referrers", referrers),
		dimensionOfEvents("browsers", browsers),
		dimensionOfEvents("systems", systems),
		dimensionOfEvents("devices", devices),
		dimensionOfEvents("countries", countries),
		dimensionOfEvents("regions", regions),
		dimensionOfEvents("cities", cities),
		dimensionOfEvents("UTM sources", utmSources),
		dimensionOfEvents("hosts", hosts),
		{Name: "query parameters", By: ByDimension, Dimension: queries, Columns: []Column{{Events, "events", 0}}},
		{Name: "titles", By: ByDimension, Dimension: titles, Columns: []Column{{Events, "events", 0}}},
		dimensionOfEvents("languages", languages),
		dimensionOfEvents("screens", screens),
		{Name: "properties", By: ByDimension, Dimension: properties, Columns: []Column{{Events, "events", 0}}},
		dimensionOfEvents("browser versions", browserVersions),
		dimensionOfEvents("system versions", osVersions),
		{Name: "property values", By: ByDimension, Dimension: values, Columns: []Column{{Events, "events", 0}}},
		{Name: "outbound links", By: ByDimension, Dimension: links, Columns: []Column{{Events, "events", 0}}},
		{Name: "custom events", By: ByName, Columns: []Column{{Events, "events", 0}}},
	},
	Hit: func(ev *pipeline.Event, h *Hit) {
		switch ev.Kind {
		case pipeline.Pageview:
			h.Page = Clip(ev.Path)
		case pipeline.Custom:
			h.Name = Clip(ev.Name)
		}
		for i, word := range [eventDimensions]string{
			hostOf(ev.Referrer), clientName(family(ev.Browser)), clientName(ev.OS), clientName(ev.Device), ev.Country, ev.Region, cityName(ev.City), sourceOf(ev.Query),
			Clip(ev.Hostname), queryRow(ev.Query), Clip(ev.Title), ev.Language, screenOf(ev), propertiesOf(ev),
			ev.BrowserVersion, ev.OSVersion, valuesRow(ev.Properties), hostOf(ev.Target),
		} {
			h.Rows[i] = orNone(word)
		}
	},
}

func screenOf(ev *pipeline.Event) string {
	if ev.ScreenWidth == 0 {
		return None
	}
	return strconv.Itoa(ev.ScreenWidth) + "x" + strconv.Itoa(ev.ScreenHeight)
}

// propertiesOf returns the names of an event's properties.
func propertiesOf(ev *pipeline.Event) string {
	var names []string
	for _, p := range ev.Properties {
		names = append(names, strings.Fields(p.Key)...)
	}
	return namesRow(names)
}

func dimensionOfEvents(name string, index int) Table {
	return Table{Name: name, By: ByDimension, Dimension: index, Columns: []Column{{Sessions, "sessions", 0}, {Events, "events", 0}}}
}
