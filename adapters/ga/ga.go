// Package ga reads exports of Google Analytics: events of GA4 and hits of
// Universal Analytics as BigQuery exports them, tables that a query flattened
// them to, and reports.
//
// # Events of GA4
//
// The best source is GA4's BigQuery export, the tables events_YYYYMMDD, as
// newline-delimited JSON, JSON arrays, Parquet or Avro, in any number of
// shards. Package [hopper/adapters/ga/record] makes the same tree of a row
// whatever its container, so that the translation exists once and all forms
// give the same events. Tables that a query flattened are read by their
// columns' names: one row an event, or one row a parameter, whose rows of one
// event must stand together. Provisional tables (intraday, fresh) are left out
// where the day's final one is an input too.
//
// A page_view (in apps a screen_view) becomes a pageview, a click with
// outbound an outbound click, exception and app_exception an error, and
// anything else a custom event of that name with its parameters and items as
// properties. Parameters that have a field of their own in [pipeline.Event] are
// not repeated, nor is GA4's bookkeeping (ga_session_number, entrances,
// debug_mode and the like).
//
// GA4's automatic events that record no user's action (session_start,
// first_visit, first_open, user_engagement, scroll, and some of apps) are
// omitted and counted by name unless the option [GAEvents] keeps them.
// Sessions that held nothing else are counted, not invented. Downloads,
// searches, videos and forms are users' actions and stay.
//
// # Visitors and sessions
//
// A visitor is a user_pseudo_id, a session that and ga_session_id together,
// since the latter repeats over visitors. Where consent mode withholds them,
// there are stand-ins, counted, and the same in every run: the user_id, or else
// all events of a day from the same stream, kind of device, browser, language
// and city are one visitor; the events of one hour of a visitor are one
// session.
//
// A campaign that the event carries (collected_traffic_source or its
// parameters) goes into the query as UTM parameters and click ids where the
// page's address lacks them, and a referral's source becomes the referrer where
// there is none. The visitor's first touch (traffic_source) and the session's
// last click (session_traffic_source_last_click) do not, as they can be from
// another visit.
//
// Events that GA4 delivered twice (equal in visitor, time, name, batch ids,
// page and parameters) are counted, and dropped but for the first with
// the option [Dedupe], which reads the inputs twice. Both are exact over
// all inputs, in bounded memory.
//
// # Universal Analytics
//
// A row of ga_sessions_YYYYMMDD is a session with its hits. PAGE hits become
// pageviews, EVENT hits custom events named by their action with category,
// label and value as properties, EXCEPTION hits errors, other types custom
// events of their name. Custom dimensions and metrics become properties by
// their index. Products and promotions that were clicked, looked at, added or
// bought become properties; those that were only shown are counted.
//
// # Reports
//
// Reports of both hold sums: CSV from the interfaces in any of thirteen
// languages, answers of the Data API and of Universal Analytics' Reporting APIs,
// rows of connectors. REPORTS.md says which to export. A column is a field; rows
// over a dimension that is not known are never added up. Package reconstruct
// makes visits that add up to each day. Tables of a whole period are spread over
// days that other tables tell of; users imply visits, and rows that a visit can
// be in several of bound them; what remains implausible is a Reading's Doubt.
// Days share visitors where a period's users are told. An engaged session of GA4
// is no bounce. Reports end on the day before the first event.
package ga

import (
	"context"
	"fmt"

	"hopper/adapters"
	"hopper/adapters/input"
)

// Adapter reads exports of Google Analytics. Its zero value is ready.
type Adapter struct{}

var _ adapters.Adapter = Adapter{}

// The options of Google Analytics' events.
var (
	GAEvents = adapters.Option{Name: "ga-events", Placeholder: "WHICH", Values: []string{"default", "all"}, Help: "keep the automatic events of GA4 that record no user's action (all), or leave them out"}
	Dedupe   = adapters.Option{Name: "dedupe", Help: "drop the events that Google Analytics holds twice"}
)

// Name returns "ga".
func (Adapter) Name() string { return "ga" }

// contents are what inputs hold, and what is to be said of those that hold
// nothing to import.
type contents struct {
	events  []recognized
	reports []*input.Input
	notes   []string
}

// contentsOf recognizes inputs.
func contentsOf(ctx context.Context, inputs []*input.Input) (*contents, error) {
	c := new(contents)
	for _, in := range inputs {
		r, err := recognize(ctx, in)
		if err != nil {
			return nil, err
		}
		switch r.shape {
		case unknown:
			return nil, input.Errorf(in.Name, "is not recognized as an export of Google Analytics; expected GA4's BigQuery export (JSON, Parquet or Avro with event_name and event_params), a table with event_name and event_timestamp, ga_sessions of Universal Analytics, or a report with dates%s", found(r.fields))
		case sessionsAlone:
			return nil, input.Errorf(in.Name, "holds sessions of Universal Analytics without their hits, so that it has neither pages nor times; export the column hits too, or the whole tables ga_sessions_YYYYMMDD")
		case empty:
			c.notes = append(c.notes, in.Name+" is empty.")
		case usersTable:
			c.notes = append(c.notes, in.Name+" is a table of users, which holds no events; it is not read.")
		case report:
			c.reports = append(c.reports, in)
		default:
			c.events = append(c.events, r)
		}
	}
	var superseded []string
	c.events, superseded = withoutSuperseded(c.events)
	for _, name := range superseded {
		c.notes = append(c.notes, name+" holds the events of a day whose final table is an input too; it is not read.")
	}
	if len(c.events) == 0 && len(c.reports) == 0 {
		return nil, fmt.Errorf("no input holds events; export the tables events_YYYYMMDD (GA4) or ga_sessions_YYYYMMDD (Universal Analytics)")
	}
	return c, nil
}

// open prepares to read inputs of any mixture of shapes.
func open(ctx context.Context, inputs []*input.Input, opt adapters.Options) (*adapters.Reading, error) {
	c, err := contentsOf(ctx, inputs)
	if err != nil {
		return nil, err
	}
	var reading *adapters.Reading
	switch {
	case len(c.reports) == 0:
		reading, err = openEvents(ctx, c.events, opt)
	case len(c.events) == 0:
		reading, err = openReports(ctx, c.reports, opt)
	default:
		reading, err = openBoth(ctx, c, opt)
	}
	if err != nil {
		return nil, err
	}
	reading.Notes = append(c.notes, reading.Notes...)
	return reading, nil
}
