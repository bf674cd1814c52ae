package plausible

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"hopper/adapters"
	"hopper/adapters/input"
	"hopper/adapters/input/rows"
	"hopper/adapters/input/rows/record"
	"hopper/pipeline"
)

// Why rows of an event dump are rejected and omitted, and what is repaired.
const (
	RejectTime    = "timestamp is no time"
	RejectVisitor = "neither user_id nor session_id"

	OmitHeartbeat = "an engagement event, which is Plausible's own heartbeat"
	OmitRepeat    = "an event that the inputs have already"

	RepairUTF8  = "invalid UTF-8 replaced"
	RepairMeta  = "meta.key and meta.value of different lengths: the common part kept"
	RepairArray = "meta that is no array left out"
)

// eventTable is a table of events with its columns' positions; -1 is absent.
type eventTable struct {
	*rows.Table
	headless bool

	timestamp, name, userID, sessionID             int
	hostname, pathname, referrer, source           int
	country, subdivision, subdivision2, city       int
	device, os, osVersion, browser, browserVersion int
	metaKey, metaValue, amount, currency, site     int
	meta                                           int // properties in one column

	times *adapters.Times
	only  string // the site whose events are read; empty is all
	nulls bool   // a word such as NULL stands for what is empty
	none  bool   // and that is Python's None, which may be a value elsewhere
	utm   [len(adapters.UTMNames)]int
}

// The columns of events_v2 as ClickHouse writes them without a header: up to
// utm_campaign they have always been these, then where the arrays stand tells
// which of two orders it is.
var (
	headColumns  = []string{"timestamp", "name", "site_id", "user_id", "session_id", "hostname", "pathname", "referrer", "referrer_source", "country_code", "screen_size", "operating_system", "browser", "utm_medium", "utm_source", "utm_campaign"}
	arraysFirst  = []string{"meta.key", "meta.value", "browser_version", "operating_system_version", "subdivision1_code", "subdivision2_code", "city_geoname_id", "utm_content", "utm_term"}
	arraysLast   = []string{"utm_content", "utm_term", "browser_version", "operating_system_version", "subdivision1_code", "subdivision2_code", "city_geoname_id", "meta.key", "meta.value"}
	laterColumns = []string{"revenue_reporting_amount", "revenue_reporting_currency", "revenue_source_amount", "revenue_source_currency"}
)

// eventColumns are those of events_v2, of version 1 and of raw exports, with those
// that say nothing that Rybbit could show.
var eventColumns = slices.Concat(headColumns, arraysFirst, laterColumns, strings.Fields("domain time event_timestamp event_name page source country region city device os "+
	"os_version meta props properties custom_props custom_properties scroll_depth engagement_time interactive? acquisition_channel click_id_param recovery_id"))

// isEvents reports whether a table is events_v2 or a raw export of it.
func isEvents(t *rows.Table) bool { return newEventTable(t) != nil }

// newEventTable returns nil where a table holds no events of Plausible's.
func newEventTable(t *rows.Table) *eventTable {
	e := &eventTable{Table: t}
	if columns := withoutHeader(t); columns != nil {
		e.Table, e.headless = t.Headless(columns), true
	}
	at := e.Column
	e.timestamp, e.name, e.userID, e.sessionID = at("timestamp", "time", "event_timestamp"), at("name", "event_name"), at("user_id"), at("session_id")
	e.hostname, e.pathname, e.referrer, e.source = at("hostname"), at("pathname", "page"), at("referrer"), at("referrer_source", "source")
	e.country, e.subdivision, e.subdivision2, e.city = at("country_code", "country"), at("subdivision1_code", "region"), at("subdivision2_code"), at("city_geoname_id", "city")
	e.device, e.os, e.osVersion = at("screen_size", "device"), at("operating_system", "os"), at("operating_system_version", "os_version")
	e.browser, e.browserVersion = at("browser"), at("browser_version")
	e.metaKey, e.metaValue = at("meta.key"), at("meta.value")
	e.meta = at("meta", "props", "properties", "custom_props", "custom_properties")
	e.site, e.times = siteColumn(e.Table), &adapters.Times{Serials: true}
	e.amount, e.currency = at("revenue_source_amount", "revenue_reporting_amount"), at("revenue_source_currency", "revenue_reporting_currency")
	for i, n := range adapters.UTMNames {
		e.utm[i] = at(n)
	}
	// sessions_v2 has columns of these names too, but no event's name, and GA4's
	// events that a query flattened have some of them beside their own.
	if e.timestamp < 0 || e.name < 0 || e.pathname < 0 && e.hostname < 0 || e.userID < 0 && e.sessionID < 0 || at("sign") >= 0 ||
		at("user_pseudo_id", "ga_session_id", "page_location", "event_params", "event_params.key") >= 0 {
		return nil
	}
	return e
}

// withoutHeader returns the columns of events_v2 where a table's header is a
// row of it.
func withoutHeader(t *rows.Table) []string {
	if len(t.Header) <= len(headColumns) {
		return nil
	}
	if _, ok := new(adapters.Times).Parse(t.Header[0]); !ok {
		return nil
	}
	columns := append([]string(nil), headColumns...)
	if strings.HasPrefix(t.Header[len(headColumns)], "[") {
		columns = append(columns, arraysFirst...)
	} else {
		columns = append(columns, arraysLast...)
	}
	columns = append(columns, laterColumns...)
	for len(columns) < len(t.Columns) {
		columns = append(columns, "") // newer ones, none of which is needed
	}
	return columns[:len(t.Columns)]
}

// openEvents prepares to read the events.
func (f *tables) openEvents(ctx context.Context, opt adapters.Options) (*adapters.Reading, error) {
	repeats, err := f.surveyEvents(ctx, opt)
	if err != nil {
		return nil, err
	}
	r := &adapters.Reading{Source: newEvents(f.events, repeats), Shape: "Plausible events (events_v2)"}
	e := f.events[0]
	r.Schema = strconv.Itoa(len(e.Columns)) + " columns"
	if e.headless {
		r.Schema += ", without a header"
	}
	var notes []string
	for _, c := range []struct {
		column int
		what   string
	}{
		{e.metaKey, "custom properties (meta.key, meta.value)"}, {e.browserVersion, "browser versions"}, {e.city, "cities"},
		{e.country, "countries"}, {e.hostname, "hostnames, give one with --hostname"}, {e.sessionID, "visits (session_id): one visit a visitor and day is made"},
	} {
		if c.column < 0 && (c.column != e.metaKey || e.meta < 0) {
			notes = append(notes, "The export lacks "+c.what+".")
		}
	}
	if opt.Get(adapters.PeriodUsers) != "" {
		notes = append(notes, "--"+adapters.PeriodUsers.Name+" has no effect on events, which say whose they are.")
	}
	for _, e := range f.events {
		notes = append(append(notes, e.Table.Notes()...), unread(e.Table, eventColumns)...)
	}
	r.Notes = f.passed(notes)
	r.Remarks = func() (remarks []string) {
		for _, e := range f.events {
			remarks = append(remarks, e.Table.Remarks()...)
		}
		return remarks
	}
	return r, nil
}

// surveyEvents reads the tables through for what must be known of all rows:
// whose sites they are, the order of day and month, and which events a row
// has that an earlier one has too.
func (f *tables) surveyEvents(ctx context.Context, opt adapters.Options) (*adapters.Repeats, error) {
	s := &survey{sites: sites{what: "events"}, repeats: adapters.RepeatFinder{Dir: opt.TempDir}}
	defer s.repeats.Close()
	var err error
	if s.sites.domains, err = readSites(ctx, f.sites); err != nil {
		return nil, err
	}
	f.selectSite(&s.sites, opt.Get(adapters.Website))
	for i, e := range f.events {
		if err := e.Input.Spool(ctx); err != nil {
			return nil, err
		}
		if err := s.read(ctx, i, e, opt); err != nil {
			return nil, err
		}
	}
	only, err := s.sites.choose(opt.Get(adapters.Website), f.events[0].Input.Name)
	if err != nil {
		return nil, err
	}
	for _, e := range f.events {
		e.only = only
	}
	return s.repeats.Find(ctx)
}

// survey is what is found in the first reading of tables of events.
type survey struct {
	sites   sites
	repeats adapters.RepeatFinder

	// Events have no identifiers: those that stand together are several, as many
	// as the place has that has most.
	second string         // of the events before
	equal  map[string]int // events of this second so far
}

func (s *survey) read(ctx context.Context, table int, e *eventTable, opt adapters.Options) error {
	var finder adapters.OrderFinder
	hours := adapters.HourFinder{Times: e.times}
	var empty, null, none bool
	if err := e.findOrder(ctx, opt); err != nil {
		return err
	}
	s.second, s.equal = "", map[string]int{}
	texts := append([]int{e.referrer, e.source, e.device, e.os, e.osVersion, e.browser, e.browserVersion}, e.utm[:]...)
	err := e.Each(ctx, func(row *rows.Row) error {
		if row.Err != nil {
			return nil
		}
		finder.Add(row.Cells[e.timestamp])
		hours.Add(row.Cells[e.timestamp])
		for _, column := range texts {
			if column >= 0 {
				empty = empty || row.Cells[column] == ""
				null = null || isNull(row.Cells[column])
				none = none || row.Cells[column] == "None"
			}
		}
		if row.Cells[e.name] == "engagement" {
			return nil
		}
		if e.site >= 0 {
			s.sites.add(adapters.Integer(row.Cells[e.site]), row.Cell(e.hostname))
		}
		if err := e.rounded(row); err != nil {
			return err
		}
		return s.addRepeat(table, e, row)
	})
	if err != nil {
		return err
	}
	if err := hours.Missing(); err != nil {
		return (&input.Error{Input: e.Input.Name, Field: "timestamp", Err: err}).Advise("export the column as the database has it")
	}
	e.none = none && !null && !empty
	e.nulls = null && !empty || e.none // else it is a value of that name
	if e.times.Order != adapters.AnyOrder {
		return nil
	}
	if e.times.Order, err = finder.Order(); err != nil {
		return &input.Error{Input: e.Input.Name, Field: "timestamp", Err: err}
	}
	return nil
}

// findOrder finds the order of day and month of a table that a spreadsheet saved,
// before its events are compared with those of others.
func (e *eventTable) findOrder(ctx context.Context, opt adapters.Options) error {
	sample, err := e.Sample(ctx)
	if err != nil {
		return err
	}
	dated := false
	for row := range sample.Rows() {
		dated = dated || row.Err == nil && adapters.NeedsOrder(row.Cells[e.timestamp])
	}
	if e.times.Order = adapters.OrderOf(opt); !dated || e.times.Order != adapters.AnyOrder {
		return nil
	}
	var finder adapters.OrderFinder
	err = e.Each(ctx, func(row *rows.Row) error {
		if row.Err == nil {
			finder.Add(row.Cells[e.timestamp])
		}
		return nil
	})
	if err != nil {
		return err
	}
	if e.times.Order, err = finder.Order(); err != nil {
		return &input.Error{Input: e.Input.Name, Field: "timestamp", Err: err}
	}
	return nil
}

func (s *survey) addRepeat(table int, e *eventTable, row *rows.Row) error {
	second := row.Cells[e.timestamp]
	if second != s.second {
		s.second = strings.Clone(second)
		clear(s.equal)
	}
	if at, ok := e.times.Parse(second); ok { // the same event in another form of time
		second = strconv.FormatInt(int64(at), 10)
	}
	key := second
	key += "\x00" + identity(row.Cell(e.userID)) + "\x00" + identity(row.Cell(e.sessionID))
	for _, column := range []int{e.name, e.site, e.hostname, e.pathname, e.meta} {
		key += "\x00" + row.Cell(column)
	}
	if e.metaValue >= 0 { // dialects quote them differently
		text := row.Literal(e.metaValue)
		if values, ok := parseArray(text, nil); ok {
			text = strings.Join(values, "\x00")
		}
		key += "\x00" + text
	}
	s.equal[key]++
	return s.repeats.Add(table, adapters.Identified{ID: adapters.IDOf(key + "\x00" + strconv.Itoa(s.equal[key])), Row: row.Number})
}

// rounded refuses ids that a spreadsheet has made numbers of, such as
// 1.23457E+18: many visitors have the same then.
func (e *eventTable) rounded(row *rows.Row) error {
	for _, column := range []int{e.userID, e.sessionID} {
		if adapters.IsRounded(row.Cell(column)) {
			return (&input.Error{Input: e.Input.Name, Row: row.Number, Field: e.Columns[column],
				Err: fmt.Errorf("is %s, an id that a spreadsheet has rounded, so that visitors cannot be told apart", row.Cells[column])}).
				Advise("give the dump as it was exported, not saved by a spreadsheet")
		}
	}
	return nil
}

// identity returns an id as ClickHouse has it, empty where it is nobody's: what
// anonymizes a dump writes 0. Avro has no unsigned integers, so that an id from 2^63 on
// is written as a negative number there.
func identity(id string) string {
	switch {
	case id == "0", id == "0.0":
		return ""
	case !strings.HasPrefix(id, "-"):
		return id
	}
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil {
		return id
	}
	return strconv.FormatUint(uint64(n), 10)
}

// events yields the tables of events, in order.
type events struct {
	tables  []*eventTable
	loop    adapters.Tables // over the same
	repeats *adapters.Repeats
}

func newEvents(tables []*eventTable, repeats *adapters.Repeats) *events {
	s := &events{tables: tables, repeats: repeats}
	for _, t := range tables {
		s.loop.List = append(s.loop.List, t.Table)
	}
	return s
}

// Next returns the next chunk, see [pipeline.Source].
func (s *events) Next(ctx context.Context) (pipeline.Chunk, error) {
	at, rows, err := s.loop.Next(ctx)
	if err != nil {
		return nil, err
	}
	repeats, err := s.repeats.Take(ctx, at, rows.EndRow)
	return &eventChunk{s.tables[at], rows, repeats}, err
}

// Close ends reading.
func (s *events) Close() error {
	errs := []error{s.loop.Close()}
	if s.repeats != nil {
		errs = append(errs, s.repeats.Close())
	}
	return errors.Join(errs...)
}

type eventChunk struct {
	*eventTable
	rows    *rows.Chunk
	repeats []int64 // rows
}

// Decode makes an event of each row, see [pipeline.Chunk].
func (c *eventChunk) Decode(out *pipeline.Emitter) error {
	d := eventDecoder{eventTable: c.eventTable, out: out}
	repeats := c.repeats // a chunk can be decoded again
	for row := range c.rows.Rows() {
		out.Rows(1)
		d.at = pipeline.Origin{Input: c.Input.Name, Row: row.Number}
		if row.Replaced {
			out.Repair(d.at, RepairUTF8)
		}
		if row.Err != nil {
			out.Reject(d.at, row.Err.Error(), row.Text())
			continue
		}
		if len(repeats) > 0 && repeats[0] == row.Number {
			repeats = repeats[1:]
			out.Omit(d.at, OmitRepeat)
			continue
		}
		d.decode(row)
	}
	return c.rows.Err()
}

// isNull reports whether a cell is what the table has for a value that is not there.
func (e *eventTable) isNull(cell string) bool {
	return e.nulls && (isNull(cell) || e.none && cell == "None")
}

// eventDecoder turns rows into events.
type eventDecoder struct {
	*eventTable
	out          *pipeline.Emitter
	at           pipeline.Origin
	props        []pipeline.Property // reused from row to row
	keys, values []string
}

func (d *eventDecoder) decode(row *rows.Row) {
	get := func(column int) string {
		if cell := row.Cell(column); !d.isNull(cell) {
			return cell
		}
		return ""
	}
	if get(d.name) == "engagement" {
		d.out.Omit(d.at, OmitHeartbeat)
		return
	}
	if d.only != "" && d.site >= 0 && adapters.Integer(get(d.site)) != d.only {
		d.out.Omit(d.at, OmitSite)
		return
	}
	when, ok := d.times.Parse(get(d.timestamp))
	if !ok {
		d.out.Reject(d.at, RejectTime, row.Text())
		return
	}
	ev := pipeline.Event{
		Time: when, Visitor: identity(get(d.userID)), Session: identity(get(d.sessionID)),
		Hostname: get(d.hostname),
		Browser:  get(d.browser), BrowserVersion: get(d.browserVersion),
		OS: get(d.os), OSVersion: get(d.osVersion), Device: get(d.device),
		Country: unpadded(get(d.country)), Region: get(d.subdivision),
		Origin: d.at, Raw: row.Raw,
	}
	ev.Path, ev.Hostname = pageOf(get(d.pathname), ev.Hostname)
	if ev.Visitor == "" && ev.Session == "" {
		d.out.Reject(d.at, RejectVisitor, row.Text())
		return
	}
	if ev.Region == "" {
		ev.Region = get(d.subdivision2)
	}
	var lost bool
	if ev.City, lost = cityName(get(d.city)); lost {
		d.out.Repair(d.at, RepairCity)
	}
	var utm [len(adapters.UTMNames)]string
	for i, column := range d.utm {
		utm[i] = get(column)
	}
	ev.Query = adapters.UTMQuery(utm[:])
	if ev.Referrer, lost = referrerOf(get(d.source), get(d.referrer), utm[0]); lost {
		d.out.Repair(d.at, RepairSource)
	}
	d.props = d.props[:0]
	d.arrays(row)
	d.members(row)
	d.revenue(get(d.amount), get(d.currency))
	if name := get(d.name); name != "pageview" {
		ev.Kind, ev.Name = pipeline.Custom, name
		if name == outbound {
			d.outbound(&ev)
		}
	}
	ev.Properties = d.props
	d.out.Event(&ev)
}

// outbound makes an outbound click of an event with a url to click on.
func (d *eventDecoder) outbound(ev *pipeline.Event) {
	for i, p := range d.props {
		if p.Key == "url" && strings.Contains(p.Value, "://") {
			ev.Kind, ev.Target = pipeline.Outbound, p.Value
			d.props = append(d.props[:i], d.props[i+1:]...)
			return
		}
	}
}

// members adds the custom properties that stand in one column, as an object or
// as a list of pairs.
func (d *eventDecoder) members(row *rows.Row) {
	if d.meta < 0 {
		return
	}
	v := row.Value(d.meta)
	switch {
	case v == nil || v.Kind == record.Text && d.isNull(v.Text):
	case v.Kind == record.Object:
		for i := range v.Kids {
			d.member(v.Kids[i].Key, &v.Kids[i])
		}
	case v.Kind == record.List:
		for i := range v.Kids {
			pair := v.Kids[i].Kids
			switch {
			case len(pair) == 0:
			case len(pair) != 2:
				d.out.Repair(d.at, RepairArray)
			default: // ["name","value"] or {"key":"name","value":"value"}
				d.member(pair[0].Text, &pair[1])
			}
		}
	default:
		d.mapped(v.Text)
	}
}

func (d *eventDecoder) member(key string, v *record.Value) {
	text := v.Text
	switch v.Kind {
	case record.Null:
		return
	case record.Object, record.List:
		text = string(v.AppendJSON(nil))
	}
	d.props = append(d.props, pipeline.Property{Key: strings.Clone(key), Value: strings.Clone(text)})
}

// mapped reads ClickHouse's map: {'name':'value'}.
func (d *eventDecoder) mapped(s string) {
	inner, opened := strings.CutPrefix(strings.TrimSpace(s), "{")
	inner, closed := strings.CutSuffix(inner, "}")
	items, ok := parseArray("["+strings.ReplaceAll(inner, "':'", "','")+"]", nil)
	if !opened || !closed || !ok || len(items)%2 != 0 {
		d.out.Repair(d.at, RepairArray)
		return
	}
	for i := 0; i < len(items); i += 2 {
		d.props = append(d.props, pipeline.Property{Key: items[i], Value: items[i+1]})
	}
}

// arrays adds the custom properties that stand in two arrays.
func (d *eventDecoder) arrays(row *rows.Row) {
	if d.metaKey < 0 || d.metaValue < 0 {
		return
	}
	var ok, fine bool
	if d.keys, ok = d.array(row, d.metaKey, d.keys[:0]); ok {
		d.values, fine = d.array(row, d.metaValue, d.values[:0])
	}
	if !ok || !fine {
		d.out.Repair(d.at, RepairArray)
		return
	}
	if len(d.keys) != len(d.values) {
		d.out.Repair(d.at, RepairMeta)
	}
	for i := range min(len(d.keys), len(d.values)) {
		d.props = append(d.props, pipeline.Property{Key: d.keys[i], Value: d.values[i]})
	}
}

// array reads an array's cell.
func (d *eventDecoder) array(row *rows.Row, column int, into []string) ([]string, bool) {
	return parseArray(row.Literal(column), into)
}

// revenue adds what an event earned.
func (d *eventDecoder) revenue(amount, currency string) {
	if amount == "" {
		return
	}
	f, err := strconv.ParseFloat(amount, 64)
	number := err == nil && !math.IsNaN(f) && !math.IsInf(f, 0)
	if currency = unpadded(currency); number && f == 0 && currency == "" {
		return
	}
	if number {
		amount = strconv.FormatFloat(f, 'f', -1, 64)
	}
	d.props = append(d.props, pipeline.Property{Key: "revenue", Value: amount, Literal: number})
	if currency != "" {
		d.props = append(d.props, pipeline.Property{Key: "currency", Value: currency})
	}
}

// unpadded takes off the zeros that fill a FixedString, which TSV escapes.
func unpadded(s string) string {
	return strings.TrimRight(strings.ReplaceAll(s, `\0`, ""), "\x00")
}

// parseArray appends the strings of ClickHouse's ['a','b'] to into, or of
// JSON's ["a","b"]. An empty cell is an empty array.
func parseArray(s string, into []string) ([]string, bool) {
	s = strings.TrimSpace(s)
	if s == "" {
		return into, true
	}
	if len(s) < 2 || s[0] != '[' || s[len(s)-1] != ']' {
		return into, false
	}
	s = s[1 : len(s)-1]
	for at := 0; ; at++ {
		for at < len(s) && s[at] == ' ' {
			at++
		}
		if at == len(s) {
			return into, at == 0 || strings.TrimSpace(s) == ""
		}
		quote := s[at]
		if quote != '\'' && quote != '"' {
			return into, false
		}
		item, n, ok := unquote(s[at+1:], quote)
		if !ok {
			return into, false
		}
		into = append(into, item)
		at += 1 + n
		for at < len(s) && s[at] == ' ' {
			at++
		}
		if at == len(s) {
			return into, true
		}
		if s[at] != ',' {
			return into, false
		}
	}
}

// unquote reads a string up to its closing quote, which may be doubled or
// escaped to be meant, and returns how long it is with that.
func unquote(s string, quote byte) (item string, size int, ok bool) {
	var b []byte // nil while nothing was escaped
	from := 0
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && i+1 < len(s):
			b = append(b, s[from:i]...)
			i++
			if e := escapes[s[i]]; e != 0 {
				b = append(b, e)
			} else {
				b = append(b, s[i])
			}
			from = i + 1
		case c == quote && i+1 < len(s) && s[i+1] == quote:
			b = append(b, s[from:i+1]...)
			i++
			from = i + 1
		case c == quote:
			if b == nil {
				return s[:i], i + 1, true
			}
			return string(append(b, s[from:i]...)), i + 1, true
		}
	}
	return "", 0, false
}

// escapes are what ClickHouse writes for control characters.
var escapes = [256]byte{'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t', 'v': '\v', 'a': '\a'}
