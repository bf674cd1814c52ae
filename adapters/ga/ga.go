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
// Reports of both, as CSV from the interfaces or as JSON from the Data API,
// hold sums. Where they tell the date, package reconstruct makes visits that
// add up to each day; where they do not, Open says what to add. An engaged
// session of GA4 is no bounce.
package ga

import (
	"bytes"
	"context"
	"fmt"
	"hopper/pipeline/recount"
	"regexp"
	"slices"
	"strings"

	"hopper/adapters"
	"hopper/adapters/input"
	"hopper/adapters/input/rows"
	"hopper/adapters/input/rows/record"
	"hopper/pipeline"
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

// shape is what an input is.
type shape int

const (
	unknown    shape = iota
	empty            // nothing at all
	bigQuery         // GA4's schema, nested
	flattened        // one row an event, or a parameter
	universal        // ga_sessions
	usersTable       // GA4's tables of users, without events
	report           // aggregates
)

var shapeNames = map[shape]string{
	bigQuery:  "GA4 BigQuery export",
	flattened: "GA4 events flattened by a query",
	universal: "Universal Analytics BigQuery export",
	report:    "Google Analytics report",
}

// recognized is an input and what it is.
type recognized struct {
	in     *input.Input
	shape  shape
	fields []string
	tables []*flatTable
}

// detect reports whether any input is Google Analytics' in one of the shapes
// that Open reads or explains.
func detect(ctx context.Context, inputs []*input.Input) bool {
	return slices.ContainsFunc(inputs, func(in *input.Input) bool {
		r, err := recognize(ctx, in)
		if err != nil { // of a container that nobody else reads, so that Open can say what is wrong
			return in.Format() == input.Parquet || in.Format() == input.Avro
		}
		return r.shape != unknown && r.shape != empty && (r.shape != flattened || unmistakable(r.fields))
	})
}

// unmistakable reports whether a table's columns are not only an event's, which
// other products have too, but named as Google names them.
func unmistakable(fields []string) bool {
	return slices.ContainsFunc(fields, func(name string) bool {
		switch name = columnOf(name); name {
		case "event_timestamp", "user_pseudo_id", "ga_session_id", "page_location", "event_bundle_sequence_id":
			return true
		}
		return strings.HasPrefix(name, "event_params") || strings.HasPrefix(name, "device_web_info")
	})
}

// recognize finds out what an input is.
func recognize(ctx context.Context, in *input.Input) (recognized, error) {
	r := recognized{in: in}
	switch in.Format() {
	case input.Empty:
		r.shape = empty
		return r, nil
	case input.JSON, input.Avro, input.Parquet:
		if in.Format() == input.JSON && bytes.Contains(in.TextHead(), []byte(`"dimensionHeaders"`)) {
			r.shape = report // one answer of the Data API, or several in a list or a batch
			return r, nil
		}
		var err error
		if r.fields, err = record.Fields(ctx, in); err != nil {
			return r, err
		}
		r.shape = shapeOfFields(r.fields)
		return r, nil
	case input.Text:
		if isReport(in.TextHead()) {
			r.shape = report
			return r, nil
		}
		tables, err := rows.Find(ctx, in)
		if err != nil {
			return r, err
		}
		for _, t := range tables {
			if f := newFlatTable(t); f != nil {
				r.shape = flattened
				r.tables = append(r.tables, f)
				r.fields = append(r.fields, t.Header...)
			}
		}
	}
	return r, nil
}

func shapeOfFields(fields []string) shape {
	has := func(name string) bool { return slices.Contains(fields, name) }
	switch {
	case has("event_name") && has("event_params"), has("event_name") && has("event_timestamp") && has("device"):
		return bigQuery
	case has("hits") && (has("fullVisitorId") || has("visitId") || has("visitStartTime")):
		return universal
	case has("pseudo_user_id") && has("user_info"), has("user_id") && has("user_info") && has("audiences"):
		return usersTable
	}
	columns := make(map[string]bool, len(fields))
	for _, name := range fields {
		columns[columnOf(name)] = true
	}
	if eventColumns(func(name string) bool { return columns[name] }) {
		return flattened
	}
	return unknown
}

// open prepares to read inputs of any mixture of shapes but reports.
func open(ctx context.Context, inputs []*input.Input, opt adapters.Options) (*adapters.Reading, error) {
	var (
		reading = new(adapters.Reading)
		kept    []recognized
	)
	for _, in := range inputs {
		r, err := recognize(ctx, in)
		if err != nil {
			return nil, err
		}
		switch r.shape {
		case unknown:
			return nil, input.Errorf(in.Name, "is not recognized as an export of Google Analytics; expected GA4's BigQuery export (JSON, Parquet or Avro with event_name and event_params), a table with event_name and event_timestamp, ga_sessions of Universal Analytics, or a report with dates%s", found(r.fields))
		case empty:
			reading.Notes = append(reading.Notes, in.Name+" is empty.")
		case usersTable:
			reading.Notes = append(reading.Notes, in.Name+" is a table of users, which holds no events; it is not read.")
		default:
			kept = append(kept, r)
		}
	}
	kept, superseded := withoutSuperseded(kept)
	for _, name := range superseded {
		reading.Notes = append(reading.Notes, name+" holds the events of a day whose final table is an input too; it is not read.")
	}
	if len(kept) == 0 {
		return nil, fmt.Errorf("no input holds events; export the tables events_YYYYMMDD (GA4) or ga_sessions_YYYYMMDD (Universal Analytics)")
	}
	reading.Shape, reading.Schema = describe(kept)
	reading.Notes = append(reading.Notes, notes(kept)...)

	g := &ga4{zone: opt.Location(), allEvents: opt.Get(GAEvents) == "all"}
	src := &source{seen: newTally(opt.TempDir)}
	// Universal Analytics counted a hit once.
	dedupe := opt.Is(Dedupe) && slices.ContainsFunc(kept, func(r recognized) bool { return r.shape != universal })
	for _, r := range kept {
		if dedupe {
			if err := r.in.Spool(ctx); err != nil {
				return nil, err
			}
		}
		src.inputs = append(src.inputs, g.inputs(r)...)
	}
	if slices.ContainsFunc(kept, func(r recognized) bool { return r.shape == report }) {
		return openReports(ctx, reading, kept, opt)
	}
	if dedupe {
		first := &source{inputs: src.inputs, seen: src.seen}
		if err := src.seen.learn(ctx, first); err != nil {
			first.close()
			src.Close()
			return nil, err
		}
	}
	reading.Source = src
	reading.Verify = adapters.VerifyRows(src, opt, func(ctx context.Context, yield func(*recount.Fact) error) error {
		return tell(ctx, inputs, opt, yield)
	})
	return reading, nil
}

// found lists the fields that were found instead.
func found(fields []string) string {
	if len(fields) == 0 {
		return ""
	}
	if len(fields) > 12 {
		fields = append(slices.Clone(fields[:12]), "…")
	}
	return "; found " + strings.Join(fields, ", ")
}

// inputs returns how the tables of an input are read.
func (g *ga4) inputs(r recognized) []sourceInput {
	switch {
	case r.shape == universal:
		return []sourceInput{{r.in.Name, func(ctx context.Context, _ int) (reader, error) {
			return openRecords(ctx, r.in, wantedOfUA, func() translate { return uaSession })
		}}}
	case r.tables == nil && findParamColumns(r.fields) != nil:
		return []sourceInput{{r.in.Name, func(ctx context.Context, index int) (reader, error) {
			records, err := record.Open(ctx, r.in, wantedOfGA4)
			if err != nil {
				return nil, err
			}
			return &paramReader{rows: &recordParams{records, r.in, settersByName(r.fields)}, ga4: g, index: index}, nil
		}}}
	case r.tables == nil:
		return []sourceInput{{r.in.Name, func(ctx context.Context, index int) (reader, error) {
			return openRecords(ctx, r.in, wantedOfGA4, g.record(index, r.fields))
		}}}
	}
	var all []sourceInput
	for _, t := range r.tables {
		all = append(all, sourceInput{r.in.Name, func(ctx context.Context, index int) (reader, error) { return openFlat(ctx, t, g, index) }})
	}
	return all
}

func openRecords(ctx context.Context, in *input.Input, wanted func(string) bool, each func() translate) (reader, error) {
	records, err := record.Open(ctx, in, wanted)
	if err != nil {
		return nil, err
	}
	return &recordReader{Reader: records, each: each, in: in}, nil
}

// record translates the records of an input, nested or flat, whose first has
// these fields.
func (g *ga4) record(index int, fields []string) func() translate {
	flat := settersByName(fields)
	return func() translate {
		var (
			r  row
			ev pipeline.Event
		)
		return func(rec *record.Record, at pipeline.Origin, out sink, seen *seen) {
			r.reset()
			r.at, r.input, r.raw = at, index, rec.Text()
			r.record(rec.Root, flat)
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

// dayTable matches the names of GA4's tables, in files' names too; the last
// one in a path counts.
var dayTable = regexp.MustCompile(`.*events_(intraday_|fresh_)?(\d{8})`)

// withoutSuperseded leaves out tables that GA4 keeps of a day (intraday, fresh)
// until the day's own, final one is there, where that is an input too: they
// hold the same events.
func withoutSuperseded(all []recognized) (kept []recognized, superseded []string) {
	final := make(map[string]bool)
	for _, r := range all {
		if m := dayTable.FindStringSubmatch(r.in.Name); m != nil && m[1] == "" {
			final[m[2]] = true
		}
	}
	for _, r := range all {
		if m := dayTable.FindStringSubmatch(r.in.Name); m != nil && m[1] != "" && final[m[2]] {
			superseded = append(superseded, r.in.Name)
			continue
		}
		kept = append(kept, r)
	}
	return kept, superseded
}

// describe says what the inputs are, for people.
func describe(all []recognized) (name, schema string) {
	var names, schemas []string
	for _, r := range all {
		n := shapeNames[r.shape]
		s := fmt.Sprintf("%s, %d fields", r.in.Format(), len(r.fields))
		switch r.shape {
		case bigQuery:
			s += ", " + ageOf(r.fields)
		case flattened:
			s = fmt.Sprintf("%d columns", len(r.fields))
			for _, t := range r.tables {
				if t.params != nil {
					s += ", one row a parameter"
				}
			}
		}
		if !slices.Contains(names, n) {
			names = append(names, n)
		}
		if !slices.Contains(schemas, s) {
			schemas = append(schemas, s)
		}
	}
	return strings.Join(names, " and "), strings.Join(schemas, "; ")
}

// ageOf tells a schema's age by the fields that were added over the years.
func ageOf(fields []string) string {
	for _, f := range [...]struct{ field, age string }{
		{"session_traffic_source_last_click", "2024 or newer"},
		{"batch_event_index", "2024 or newer"},
		{"is_active_user", "2023 or newer"},
		{"collected_traffic_source", "2023 or newer"},
	} {
		if slices.Contains(fields, f.field) {
			return "schema of " + f.age
		}
	}
	return "schema of before 2023, or empty fields left out"
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
