package umami

import (
	"context"
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"

	"hopper/adapters"
	"hopper/adapters/input"
	"hopper/adapters/input/rows"
	"hopper/adapters/input/spill"
	"hopper/pipeline"
)

// Why events are omitted and rejected, and what is repaired, beyond what
// normalization does.
const (
	OmitLink    = "a hit on one of Umami's short links, which is no page of the site"
	OmitPixel   = "a hit on one of Umami's pixels, which is no page of the site"
	OmitWebsite = "an event of another website; --website chooses"
	OmitRepeat  = "a repeat of an event with the same event_id"

	RejectTime = "created_at is no time"
	RejectKind = "an event of a type that is not known and has no name"

	RepairData    = "event_data is neither a JSON object nor a list of rows with data_key: properties left out"
	RepairSession = "no row in session: browser, system, device and country unknown"
)

// eventTable is a table of events.
type eventTable struct {
	*rows.Table
	*positions
	derive bool   // visits are to be found
	dated  bool   // day and month could change places in created_at
	hosted string // the survey looks for the websites of this host; empty is none
	times  adapters.Times

	reading pipeline.Reading
}

// positions are those of the columns of tables of events; -1 is absent. Tables with the
// same columns share them: there can be a hundred thousand.
type positions struct {
	kind  eventsKind
	scope string // of event ids, which are unique within a table only in version 1

	websiteID, eventID, sessionID, visitID, createdAt int
	hostname, path, query, title                      int
	referrer, referrerDomain, referrerPath, refQuery  int
	kindColumn, name, value, tag, distinctID          int
	browser, os, device, screen, language             int
	country, region, city                             int
	lcp, inp, cls, fcp, ttfb                          int
	data                                              int // properties, as an object or a list of rows
	campaign                                          []campaignColumn

	client, place columns // of which the facts of memos are read
}

// columns are the first and last of some that stand side by side.
type columns struct{ first, last int }

// sideBySide returns those of the columns that a table has, if they stand side by side
// without another between them, and else columns of which nothing is known.
func sideBySide(all ...int) columns {
	all = slices.DeleteFunc(all, func(column int) bool { return column < 0 })
	if len(all) == 0 || slices.Max(all)-slices.Min(all)+1 != len(all) {
		return columns{0, math.MaxInt}
	}
	return columns{slices.Min(all), slices.Max(all)}
}

// eventsKind is how a table's rows are to be understood.
type eventsKind uint8

const (
	noEvents    eventsKind = iota
	modern                 // website_event, since version 2
	v1Pageviews            // pageview of version 1
	v1Events               // event of version 1
)

func kindOf(r role) eventsKind {
	switch r {
	case eventsRole:
		return modern
	case v1PageviewsRole:
		return v1Pageviews
	case v1EventsRole:
		return v1Events
	}
	return noEvents
}

// campaignColumn is a column that holds a parameter of the query.
type campaignColumn struct {
	parameter string
	column    int
}

// campaignParameters stand in columns of their own, and no longer in the query
// in some exports. They go back in this order.
var campaignParameters = []string{
	"utm_source", "utm_medium", "utm_campaign", "utm_content", "utm_term",
	"gclid", "fbclid", "msclkid", "ttclid", "li_fat_id", "twclid",
}

// columnsRead are the columns of which a table must have one at most.
var columnsRead = append([]string{
	"website_id", "event_id", "session_id", "visit_id", "created_at", "hostname", "url_path", "url", "url_query", "page_title",
	"referrer_domain", "referrer_path", "referrer_query", "event_type", "event_name", "event_value", "tag", "distinct_id",
	"browser", "os", "device", "screen", "language", "country", "region", "city",
}, campaignParameters...)

func positionsOf(t *rows.Table, kind eventsKind) *positions {
	at := t.Column
	p := &positions{
		kind:      kind,
		websiteID: at("website_id"), eventID: at("event_id"), sessionID: at("session_id"), visitID: at("visit_id"), createdAt: at("created_at"),
		hostname: at("hostname"), path: at("url_path", "url"), query: at("url_query"), title: at("page_title"),
		referrer: at("referrer"), referrerDomain: at("referrer_domain"), referrerPath: at("referrer_path"), refQuery: at("referrer_query"),
		kindColumn: at("event_type"), name: at("event_name"), value: at("event_value"), tag: at("tag"), distinctID: at("distinct_id"),
		browser: at("browser"), os: at("os"), device: at("device"), screen: at("screen"), language: at("language"),
		country: at("country"), region: at("region", "subdivision1"), city: at("city"),
		lcp: at("lcp"), inp: at("inp"), cls: at("cls"), fcp: at("fcp"), ttfb: at("ttfb"), data: at("event_data"),
	}
	p.client, p.place = sideBySide(p.browser, p.os, p.device, p.screen), sideBySide(p.language, p.country, p.region, p.city)
	switch kind {
	case v1Pageviews:
		p.scope, p.eventID = "pageview ", at("view_id")
	case v1Events:
		p.scope = "event "
	}
	if kind == modern && p.eventID < 0 {
		p.eventID = at("id") // as Umami's API and its own code call it
	}
	for _, parameter := range campaignParameters {
		if i := at(parameter); i >= 0 {
			p.campaign = append(p.campaign, campaignColumn{parameter, i})
		}
	}
	return p
}

// wide reports whether the events hold what else the session table holds.
func (p *positions) wide() bool { return p.browser >= 0 || p.os >= 0 || p.country >= 0 }

// visit returns a row's visit, empty where it has none. Umami makes a visit's
// identifier of more than the visitor's, so that the same for both is none.
func (e *eventTable) visit(get cells) string {
	if id := get.at(e.visitID); !noID(id) && id != get.at(e.sessionID) {
		return id
	}
	return ""
}

// source yields the events of all tables.
type source struct {
	opt      adapters.Options
	times    adapters.Times
	website  string // only events of this one; empty for all
	tables   []*eventTable
	sessions *sessions        // nil without such a table
	data     *spill.Index     // properties of events, one row each
	objects  *spill.Index     // properties of version 1's events, one object each
	userData *spill.Index     // properties of sessions' users
	visits   *adapters.Visits // nil where all tables have them
	repeats  *adapters.Repeats
	mixed    bool // there are events of version 1 and of later ones
	rejects  *rejects

	opened bool // the rejects were handed over
	loop   adapters.Tables
}

// Next returns the next chunk, see [pipeline.Source].
func (s *source) Next(ctx context.Context) (pipeline.Chunk, error) {
	if !s.opened {
		s.opened = true
		if len(s.rejects.list) > 0 {
			return s.rejects, nil
		}
	}
	at, rows, err := s.loop.Next(ctx)
	if err != nil {
		return nil, err
	}
	t := s.tables[at]
	c := &chunk{source: s, table: t, rows: rows}
	if t.derive {
		if c.visits, err = s.visits.Take(ctx, at, rows.EndRow); err != nil {
			return nil, input.Errorf(t.Input.Name, "reading what was sorted on disk: %w", err)
		}
	}
	if c.repeats, err = s.repeats.Take(ctx, at, rows.EndRow); err != nil {
		return nil, input.Errorf(t.Input.Name, "reading what was sorted on disk: %w", err)
	}
	return c, nil
}

// Close releases temporary files.
func (s *source) Close() error {
	errs := []error{s.loop.Close()}
	indexes := []*spill.Index{s.data, s.objects, s.userData}
	if s.sessions != nil {
		indexes = append(indexes, s.sessions.index)
	}
	for _, ix := range indexes {
		if ix != nil {
			errs = append(errs, ix.Close())
		}
	}
	if s.visits != nil {
		errs = append(errs, s.visits.Close())
	}
	if s.repeats != nil {
		errs = append(errs, s.repeats.Close())
	}
	return errors.Join(errs...)
}

type chunk struct {
	source *source
	table  *eventTable
	rows   *rows.Chunk
	visits []adapters.Visit // of the rows, in order
	// repeats are the rows that repeat an earlier one, in order.
	repeats []int64
}

// Repeatable is true of rows of text, see [pipeline.Repeatable].
func (c *chunk) Repeatable() bool { return c.rows.Repeatable() }

// Release gives back the rows' memory, see [pipeline.Releasable].
func (c *chunk) Release() { c.rows.Release() }

// Decode makes an event of each row, see [pipeline.Chunk].
func (c *chunk) Decode(out *pipeline.Emitter) error {
	d := decoder{chunk: c, out: out, times: c.table.times.InOrder(), visits: c.visits, repeats: c.repeats}
	if c.source.sessions != nil {
		d.recent = new(recent)
	}
	for row := range c.rows.Rows() {
		out.Rows(1)
		d.at = pipeline.Origin{Input: c.table.Input.Name, Row: row.Number}
		if row.Replaced {
			out.Repair(d.at, pipeline.RepairUTF8)
		}
		if row.Err != nil {
			out.Reject(d.at, row.Err.Error(), row.Text())
			continue
		}
		if err := d.decode(row); err != nil {
			return &input.Error{Input: d.at.Input, Row: d.at.Row, Err: err}
		}
	}
	return c.rows.Err()
}

// decoder turns the rows of one chunk into events.
type decoder struct {
	*chunk
	out *pipeline.Emitter
	at  pipeline.Origin
	// times and referrers know those of the rows before.
	times     adapters.TimesInOrder
	referrers adapters.Referrers
	// What is left of the chunk's.
	visits  []adapters.Visit
	repeats []int64
	// Reused from row to row.
	ev                         pipeline.Event
	properties, userProperties []pipeline.Property
	recent                     *recent // nil where there is no session table
}

func (d *decoder) decode(row *rows.Row) error {
	t, get := d.table, cells(row.Cells)
	// visits has a row's entry where the row has a time and a visitor.
	var began *adapters.Visit
	if len(d.visits) > 0 && d.visits[0].Row == row.Number {
		began = &d.visits[0]
		d.visits = d.visits[1:]
	}
	if len(d.repeats) > 0 && d.repeats[0] == row.Number {
		d.repeats = d.repeats[1:]
		d.out.Omit(d.at, OmitRepeat)
		return nil
	}
	created, ok := d.times.Parse(get.at(t.createdAt))
	if !ok {
		d.out.Reject(d.at, RejectTime, row.Text())
		return nil
	}
	visitor := get.at(t.sessionID)
	kind, omit, known := t.eventKind(get)
	if omit != "" {
		d.out.Omit(d.at, omit)
		return nil
	}
	if id := get.at(t.websiteID); d.source.website != "" && id != d.source.website && id != "" && !strings.EqualFold(id, d.source.website) {
		d.out.Omit(d.at, OmitWebsite)
		return nil
	}
	if !known {
		d.out.Reject(d.at, RejectKind, row.Text())
		return nil
	}
	ev := &d.ev
	// A literal would be made elsewhere and copied, which takes longer than the rest.
	*ev = pipeline.Event{}
	ev.Time, ev.Kind = created, kind
	ev.Visitor, ev.Session, ev.Identified = visitor, t.visit(get), get.at(t.distinctID)
	ev.Hostname, ev.Path, ev.Query, ev.Title = get.at(t.hostname), get.at(t.path), get.at(t.query), get.at(t.title)
	ev.ValidUTF8, ev.Origin, ev.Raw = true, d.at, row.Raw
	d.properties, d.userProperties = d.properties[:0], d.userProperties[:0]
	if ev.Session == "" && began != nil {
		ev.Session = began.Name(visitor)
	}
	d.name(ev, get)
	d.page(ev, get)
	if err := d.facts(ev, row); err != nil {
		return err
	}
	d.vitals(&ev.Vitals, get)
	if t.data >= 0 && t.kind == modern {
		d.nested(row)
	}
	if err := d.attach(ev, get); err != nil {
		return err
	}
	d.out.Event(ev)
	return nil
}

// eventKind returns a row's kind, or why the row is omitted, and whether its type
// is known.
//
// A hit on a short link or a pixel (version 3) belongs to a "website" of its
// own, and holds neither a page nor where the link leads. Only one with a
// name can be shown, as a custom event.
func (t *eventTable) eventKind(get cells) (kind pipeline.Kind, omit string, known bool) {
	if t.kind != modern {
		if t.kind == v1Events {
			return pipeline.Custom, "", true
		}
		return pipeline.Pageview, "", true
	}
	named := get.at(t.name) != ""
	switch kindNumber(get.at(t.kindColumn)) {
	case "1":
		return pipeline.Pageview, "", true
	case "2":
		return pipeline.Custom, "", true
	case "5":
		return pipeline.Vitals, "", true
	case "3":
		omit = OmitLink
	case "4":
		omit = OmitPixel
	case "":
		if !named {
			return pipeline.Pageview, "", true
		}
	default:
		return pipeline.Custom, "", named
	}
	if named {
		return pipeline.Custom, "", true
	}
	return 0, omit, true
}

// kindNumber returns the number of an event_type, which some tools write in
// quotes, as 1.0, or by the names that Umami's own code and reports use.
func kindNumber(kind string) string {
	if kind == "1" || kind == "2" {
		return kind
	}
	switch kind = strings.Trim(kind, `'"`); strings.ToLower(strings.NewReplacer("_", "", "-", "", " ", "").Replace(kind)) {
	case "pageview":
		return "1"
	case "customevent", "event":
		return "2"
	case "linkevent":
		return "3"
	case "pixelevent":
		return "4"
	case "performance":
		return "5"
	}
	return adapters.Integer(kind)
}

// name sets a custom event's name. Version 1 first had a type ("click") and
// a value (the name given to it), then a name alone.
func (d *decoder) name(ev *pipeline.Event, get cells) {
	if ev.Kind != pipeline.Custom {
		return
	}
	ev.Name = get.at(d.table.name)
	if d.table.kind != v1Events || ev.Name != "" {
		return
	}
	kind := get.at(d.table.kindColumn)
	if ev.Name = get.at(d.table.value); ev.Name == "" {
		ev.Name = kind
	} else if kind != "" {
		d.properties = append(d.properties, pipeline.Property{Key: "event_type", Value: kind})
	}
}

// page sets the page and the referrer.
func (d *decoder) page(ev *pipeline.Event, get cells) {
	t := d.table
	if host, rest, ok := cutURL(ev.Path); ok {
		if ev.Path = rest; ev.Hostname == "" {
			ev.Hostname = host
		}
	}
	if t.query < 0 { // version 1 has one column for both
		ev.Path, ev.Query, _ = strings.Cut(ev.Path, "?")
	}
	for _, c := range t.campaign {
		if value := get[c.column]; value != "" {
			ev.Query = adapters.AddParameter(ev.Query, c.parameter, value)
		}
	}
	if t.referrer >= 0 {
		if ref := get[t.referrer]; !strings.HasPrefix(ref, "/") { // else it is a page of the site
			ev.Referrer = ref
		}
		return
	}
	ev.Referrer = d.referrers.Of(get.at(t.referrerDomain), get.at(t.referrerPath), get.at(t.refQuery))
}

// cutURL divides a page's address, which tools put together of its columns, into
// host and path with query. Umami's own paths begin with a slash.
func cutURL(s string) (host, path string, ok bool) {
	if s == "" || s[0] == '/' {
		return "", "", false
	}
	scheme, rest, found := strings.Cut(s, "://")
	if !found || !strings.EqualFold(scheme, "https") && !strings.EqualFold(scheme, "http") {
		return "", "", false
	}
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		host, path = rest[:i], rest[i:]
	} else {
		host = rest
	}
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	return host, path, true
}

// facts sets what clients and places have in common, with what the session table holds.
func (d *decoder) facts(ev *pipeline.Event, row *rows.Row) error {
	t, get := d.table, cells(row.Cells)
	joins := d.recent != nil && ev.Visitor != ""
	var client, place bool
	if !joins {
		ev.ClientFrom = pipeline.Passage{Text: row.Between(t.client.first, t.client.last), By: &t.reading}
		ev.PlaceFrom = pipeline.Passage{Text: row.Between(t.place.first, t.place.last), By: &t.reading}
		client, place = d.out.Recall(ev)
	}
	if !place {
		ev.Language, ev.Country, ev.Region, ev.City = get.at(t.language), get.at(t.country), get.at(t.region), get.at(t.city)
	}
	if client {
		return nil
	}
	ev.Browser, ev.OS, ev.Device = get.at(t.browser), get.at(t.os), get.at(t.device)
	screen := get.at(t.screen)
	if joins {
		if err := d.join(ev, &screen); err != nil {
			return err
		}
	}
	if screen != "" && !d.screen(ev, screen) {
		ev.ClientFrom = pipeline.Passage{} // others with this text have it to be counted, too
	}
	return nil
}

// join fills in from the session table what the event does not tell.
func (d *decoder) join(ev *pipeline.Event, screen *string) error {
	s, err := d.source.sessions.recall(d.recent, adapters.IDOf(ev.Visitor))
	if s == nil {
		if err == nil && !d.table.wide() {
			d.out.Repair(d.at, RepairSession)
		}
		return err
	}
	fill := func(field *string, value string) {
		if *field == "" {
			*field = value
		}
	}
	fill(&ev.Browser, s.browser)
	fill(&ev.OS, s.os)
	fill(&ev.Device, s.device)
	fill(screen, s.screen)
	fill(&ev.Language, s.language)
	fill(&ev.Hostname, s.hostname)
	if ev.Country == "" && ev.Region == "" && ev.City == "" {
		ev.Country, ev.Region, ev.City = s.country, s.region, s.city
	}
	fill(&ev.Identified, s.user)
	return nil
}

// screen reads "1920x1080", and reports whether it is that.
func (d *decoder) screen(ev *pipeline.Event, screen string) bool {
	width, h, ok1 := pixels(screen)
	height, rest, ok2 := pixels(strings.TrimPrefix(h, "x"))
	if !ok1 || !ok2 || h == "" || h[0] != 'x' || rest != "" {
		d.out.Repair(d.at, pipeline.RepairScreen)
		return false
	}
	ev.ScreenWidth, ev.ScreenHeight = width, height
	return true
}

// pixels reads the digits that s begins with, and returns what follows.
func pixels(s string) (n int, rest string, ok bool) {
	i := 0
	for ; i < len(s) && s[i]-'0' <= 9; i++ {
		if n = n*10 + int(s[i]-'0'); n > math.MaxInt32 {
			return 0, "", false
		}
	}
	return n, s[i:], i > 0
}

func (d *decoder) vitals(v *pipeline.WebVitals, get cells) {
	t := d.table
	if t.lcp < 0 && t.cls < 0 && t.inp < 0 && t.fcp < 0 && t.ttfb < 0 {
		return
	}
	measure := func(column int) pipeline.Measure {
		text := get.at(column)
		if text == "" {
			return pipeline.Measure{}
		}
		value, err := strconv.ParseFloat(text, 64)
		if err != nil {
			d.out.Repair(d.at, pipeline.RepairVitals)
			return pipeline.Measure{}
		}
		return pipeline.Known(value)
	}
	*v = pipeline.WebVitals{LCP: measure(t.lcp), INP: measure(t.inp), CLS: measure(t.cls), FCP: measure(t.fcp), TTFB: measure(t.ttfb)}
}

// dataOf returns the properties of a table's events. Ids are unique within
// their own kind of event only: version 1 counts each from 1.
func (s *source) dataOf(t *eventTable) *spill.Index {
	switch {
	case t.kind == v1Pageviews:
		return nil
	case t.kind == v1Events && s.objects != nil, s.data == nil && !s.mixed:
		return s.objects
	case t.kind == v1Events && s.mixed:
		return nil
	}
	return s.data
}

// nested takes the properties that stand in the event's own row.
func (d *decoder) nested(row *rows.Row) {
	if get := cells(row.Cells); get.at(d.table.data) == "" {
		return
	}
	properties, ok := nestedProperties(row.Value(d.table.data), &d.table.times)
	if !ok {
		d.out.Repair(d.at, RepairData)
	}
	d.properties = append(d.properties, properties...)
}

// attach sets the properties that other tables hold, and the tag.
func (d *decoder) attach(ev *pipeline.Event, get cells) (err error) {
	if data := d.source.dataOf(d.table); data != nil {
		if key := get.at(d.table.eventID); key != "" {
			if d.properties, err = lookup(data, adapters.IDOf(key), d.properties); err != nil {
				return err
			}
		}
	}
	if tag := get.at(d.table.tag); tag != "" {
		d.properties = append(d.properties, pipeline.Property{Key: "tag", Value: tag})
	}
	if d.source.userData != nil && ev.Visitor != "" {
		if d.userProperties, err = lookup(d.source.userData, adapters.IDOf(ev.Visitor), d.userProperties); err != nil {
			return err
		}
	}
	ev.Properties, ev.UserProperties = d.properties, d.userProperties
	return nil
}
