package matomo

import (
	"context"
	"errors"
	"html"
	"strconv"
	"strings"

	"hopper/adapters"
	"hopper/adapters/input"
	"hopper/adapters/input/rows"
	"hopper/adapters/input/spill"
	"hopper/adapters/matomo/codes"
	"hopper/pipeline"
)

// Why a row is no event, or not as it was.
const (
	RejectTime    = "server_time is no time"
	RejectKind    = "an action of a type that is not known"
	OmitContent   = "a view of content or a click on it"
	OmitRepeat    = "a repeat of an action with the same idlink_va"
	OmitWebsite   = "an action of another website; --website chooses"
	RepairVisit   = "no row in log_visit: browser, system, device, country and referrer unknown"
	RepairName    = "no row in log_action for what an action points to"
	RepairAddress = "a page without an address shown as /(not set)"
)

// actionColumns are those of log_link_visit_action that are read.
var actionColumns = []string{
	"idlink_va", "idsite", "idvisitor", "idvisit", "server_time", "idaction_url", "idaction_name", "idaction_url_ref", "idaction_name_ref",
	"custom_float", "search_cat", "search_count", "idaction_event_category", "idaction_event_action", "idaction_content_name", "idaction_content_piece",
	"idaction_content_interaction",
}

// actions is a table of actions with its columns' positions; -1 is absent.
type actions struct {
	*rows.Table
	site, visitor, visit, time, url, name, urlRef, nameRef int
	value, searchCategory, searchCount, category, action   int
	content                                                []int
	attributes                                             []attribute
}

func newActions(t *rows.Table) *actions {
	at := t.Column
	a := &actions{
		Table: t, site: at("idsite"), visitor: at("idvisitor"), visit: at("idvisit"), time: at("server_time"), url: at("idaction_url"), name: at("idaction_name"),
		urlRef: at("idaction_url_ref"), nameRef: at("idaction_name_ref"), value: at("custom_float"), searchCategory: at("search_cat"), searchCount: at("search_count"),
		category: at("idaction_event_category"), action: at("idaction_event_action"),
	}
	for _, name := range []string{"idaction_content_name", "idaction_content_piece", "idaction_content_interaction"} {
		a.content = append(a.content, at(name))
	}
	return a
}

// source yields the actions of all tables.
type source struct {
	site   string
	sites  *sites
	tables []*actions
	more   []*conversions // behind the actions
	goals  map[goalOf]string
	visits *spill.Index
	// attributes are those of a visit, among the cells of more columns of log_visit.
	attributes  []attribute
	moreColumns []string
	names       *spill.Index
	repeats     *adapters.Repeats
	loop        adapters.Tables
}

// Next returns the next chunk, see [pipeline.Source].
func (s *source) Next(ctx context.Context) (pipeline.Chunk, error) {
	at, taken, err := s.loop.Next(ctx)
	if err != nil {
		return nil, err
	}
	c := chunk{source: s, rows: taken, named: map[string]named{}}
	if c.repeats, err = s.repeats.Take(ctx, at, taken.EndRow); err != nil {
		return nil, input.Errorf(s.loop.List[at].Input.Name, "reading what was sorted on disk: %w", err)
	}
	if at >= len(s.tables) {
		return &conversionChunk{chunk: c, table: s.more[at-len(s.tables)]}, nil
	}
	c.table = s.tables[at]
	return &c, nil
}

// Close releases temporary files.
func (s *source) Close() error {
	errs := []error{s.loop.Close()}
	for _, ix := range []*spill.Index{s.visits, s.names} {
		if ix != nil {
			errs = append(errs, ix.Close())
		}
	}
	if s.repeats != nil {
		errs = append(errs, s.repeats.Close())
	}
	return errors.Join(errs...)
}

// named is a row of log_action.
type named struct {
	name, kind, prefix string
	missing            bool
}

// prefixes are what url_prefix stands for, by its number.
var prefixes = map[string]string{"0": "http://", "1": "http://www.", "2": "https://", "3": "https://www."}

func (n *named) address() string { return prefixes[n.prefix] + html.UnescapeString(n.name) }

type chunk struct {
	source  *source
	table   *actions
	rows    *rows.Chunk
	repeats []int64

	// What was looked up last.
	id    string
	visit visit
	found bool
	named map[string]named
}

// Decode makes an event of each row, see [pipeline.Chunk].
func (c *chunk) Decode(out *pipeline.Emitter) error {
	return c.each(out, c.table.Input.Name, OmitRepeat, c.decode)
}

// each calls decode with the rows that can be read and are no repeats.
func (c *chunk) each(out *pipeline.Emitter, in, repeat string, decode func(*pipeline.Emitter, pipeline.Origin, *rows.Row) error) error {
	for row := range c.rows.Rows() {
		out.Rows(1)
		at := pipeline.Origin{Input: in, Row: row.Number}
		if row.Err != nil {
			out.Reject(at, row.Err.Error(), row.Text())
			continue
		}
		if len(c.repeats) > 0 && c.repeats[0] == row.Number {
			c.repeats = c.repeats[1:]
			out.Omit(at, repeat)
			continue
		}
		if err := decode(out, at, row); err != nil {
			return &input.Error{Input: at.Input, Row: at.Row, Err: err}
		}
	}
	return c.rows.Err()
}

// lookup returns what log_action says of an id; 0 is none.
func (c *chunk) lookup(out *pipeline.Emitter, at pipeline.Origin, id string) (n named, err error) {
	if id == "" || id == "0" {
		return n, nil
	}
	n, known := c.named[id]
	if !known {
		n.missing = true
		if k, ok := key(id); ok {
			err = c.source.names.Lookup(k, func(value []byte) {
				unpack(value, []*string{&n.name, &n.kind, &n.prefix})
				n.missing = false
			})
		}
		c.named[strings.Clone(id)] = n
	}
	if err == nil && n.missing {
		out.Repair(at, RepairName)
	}
	return n, err
}

// findVisit looks a visit up, unless it was the one before.
func (c *chunk) findVisit(id string) error {
	if id == c.id {
		return nil
	}
	c.id, c.visit, c.found = strings.Clone(id), visit{}, false
	k, ok := key(id)
	if !ok {
		return nil
	}
	return c.source.visits.Lookup(k, func(value []byte) { // of a visit in two dumps, the last is the newer
		rest := unpack(value, c.visit.fields())
		c.visit.attributes = c.source.attributesIn(rest)
		c.found = true
	})
}

func (c *chunk) decode(out *pipeline.Emitter, at pipeline.Origin, row *rows.Row) error {
	t := c.table
	if err := c.findVisit(row.Cells[t.visit]); err != nil {
		return err
	}
	site := row.Cell(t.site)
	if site == "" {
		site = c.visit.site
	}
	if site != "" && site != c.source.site {
		out.Omit(at, OmitWebsite)
		return nil
	}
	ev := c.begin(out, at, row, t.visit, t.time, t.visitor)
	if ev == nil {
		return nil
	}
	omit, reject, err := c.act(out, ev, row)
	switch {
	case err != nil:
		return err
	case omit != "":
		out.Omit(at, omit)
		return nil
	case reject != "":
		out.Reject(at, reject, row.Text())
		return nil
	}
	describe(ev, propertiesOf(t.attributes, func(column int) string { return html.UnescapeString(row.Cell(column)) }), "action")
	describe(ev, c.visit.attributes, "visit")
	var times adapters.Times
	if first, known := times.Parse(c.visit.first); known && first == ev.Time {
		c.visit.arrive(ev)
	}
	out.Event(ev)
	return nil
}

// begin returns an event of the visit that was looked up, with its time and what the
// visit says, or nil where the time cannot be read, which it rejects. Columns are -1
// where they are absent.
func (c *chunk) begin(out *pipeline.Emitter, at pipeline.Origin, row *rows.Row, visit, time, visitor int) *pipeline.Event {
	var times adapters.Times
	ev := &pipeline.Event{Origin: at, Raw: row.Raw, Session: "visit " + row.Cells[visit]}
	var ok bool
	if ev.Time, ok = times.Parse(row.Cells[time]); !ok {
		out.Reject(at, RejectTime, row.Text())
		return nil
	}
	if c.found {
		c.visit.fill(ev)
	} else {
		out.Repair(at, RepairVisit)
		ev.Visitor, _ = visitorOf(row.Cell(visitor), row.Raw, visitor)
	}
	if ev.Visitor == "" {
		ev.Visitor = ev.Session
	}
	return ev
}

// attributesIn returns a visit's attributes, of the cells that its index has behind
// its fields.
func (s *source) attributesIn(b []byte) []pipeline.Property {
	if len(s.attributes) == 0 {
		return nil
	}
	cells := make([]string, len(s.moreColumns))
	fields := make([]*string, len(cells))
	for i := range cells {
		fields[i] = &cells[i]
	}
	unpack(b, fields)
	return propertiesOf(s.attributes, func(column int) string { return html.UnescapeString(cells[column]) })
}

// act sets what happened and where.
func (c *chunk) act(out *pipeline.Emitter, ev *pipeline.Event, row *rows.Row) (omit, reject string, err error) {
	t := c.table
	for _, column := range t.content {
		if id := row.Cell(column); id != "" && id != "0" {
			return OmitContent, "", nil
		}
	}
	look := func(column int) (n named) {
		if err == nil {
			n, err = c.lookup(out, ev.Origin, row.Cell(column))
		}
		return n
	}
	address, name := look(t.url), look(t.name)
	if category := look(t.category); category.name != "" {
		ev.Kind, ev.Name = pipeline.Custom, html.UnescapeString(category.name)
		addProperty(ev, "action", html.UnescapeString(look(t.action).name))
		addProperty(ev, "name", html.UnescapeString(name.name))
		addNumber(ev, "value", row.Cell(t.value))
		if ev.Path == "" {
			c.page(ev, address, named{})
		}
		return "", "", err
	}
	kind := address.kind
	if kind == "" {
		kind = name.kind
	}
	switch kind {
	case "1", "4", "":
		c.page(ev, address, name)
		if address.name == "" {
			out.Repair(ev.Origin, RepairAddress)
		}
		return "", "", err
	case "2", "3":
		ev.Kind, ev.Target = pipeline.Outbound, address.address()
	case "8":
		ev.Kind, ev.Name = pipeline.Custom, "Site Search"
		addProperty(ev, "keyword", html.UnescapeString(name.name))
		addProperty(ev, "category", html.UnescapeString(row.Cell(t.searchCategory)))
		addNumber(ev, "count", row.Cell(t.searchCount))
	case "13", "14", "15", "16":
		return OmitContent, "", err
	default:
		return "", RejectKind, err
	}
	before, title := look(t.urlRef), look(t.nameRef)
	if before.name == "" && err == nil {
		if before, err = c.lookup(out, ev.Origin, c.visit.entryURL); err == nil {
			title, err = c.lookup(out, ev.Origin, c.visit.entryName)
		}
	}
	c.page(ev, before, title)
	return "", "", err
}

// page sets the page that an event is on.
func (c *chunk) page(ev *pipeline.Event, address, title named) {
	if title.kind == "4" {
		ev.Title = html.UnescapeString(title.name)
	}
	if address.name == "" {
		ev.Hostname, ev.Path = c.source.sites.host(c.source.site), "/(not set)"
		return
	}
	setAddress(ev, address.address())
}

// setAddress sets the page that an event is on, by its whole address.
func setAddress(ev *pipeline.Event, whole string) {
	_, rest, found := strings.Cut(whole, "://")
	if !found {
		rest = whole
	}
	rest, _, _ = strings.Cut(rest, "#")
	rest, ev.Query, _ = strings.Cut(rest, "?")
	ev.Hostname, ev.Path, _ = strings.Cut(rest, "/")
	ev.Path = "/" + ev.Path
}

func addProperty(ev *pipeline.Event, key, value string) {
	if value != "" {
		ev.Properties = append(ev.Properties, pipeline.Property{Key: key, Value: value})
	}
}

func addNumber(ev *pipeline.Event, key, value string) {
	if n, err := strconv.ParseFloat(value, 64); err == nil {
		ev.Properties = append(ev.Properties, pipeline.Property{Key: key, Value: strconv.FormatFloat(n, 'f', -1, 64), Literal: true})
	}
}

// devices are what config_device_type stands for, by its number.
var devices = []string{
	"Desktop", "Smartphone", "Tablet", "Feature phone", "Console", "TV", "Car browser", "Smart display", "Camera", "Portable media player", "Phablet", "Smart speaker", "Wearable", "Peripheral",
}

// fill sets what a visit says of all its actions.
func (v *visit) fill(ev *pipeline.Event) {
	ev.Visitor, ev.Identified = v.visitor, v.user
	ev.Browser, ev.BrowserVersion, ev.OS, ev.OSVersion = codes.Browser(v.browser), v.browserVersion, codes.OS(v.os), v.osVersion
	if n, err := strconv.Atoi(v.device); err == nil && n >= 0 && n < len(devices) {
		ev.Device = devices[n]
	}
	if w, h, found := strings.Cut(v.screen, "x"); found {
		ev.ScreenWidth, _ = strconv.Atoi(w)
		ev.ScreenHeight, _ = strconv.Atoi(h)
	}
	if v.language != "xx" {
		ev.Language = v.language
	}
	if ev.Country = countryOf(v.country); ev.Country != "" {
		ev.Region, ev.City = v.region, v.city
	}
}

// countryOf returns a code of a country; Matomo has some that are of none.
func countryOf(code string) string {
	switch code = strings.ToLower(code); code {
	case "xx", "a1", "a2", "eu", "ap", "ti":
		return ""
	}
	return code
}

// arrive sets how a visit was come to.
func (v *visit) arrive(ev *pipeline.Event) {
	if v.refType != "1" {
		ev.Referrer = v.refURL
	}
	if ev.Kind != pipeline.Pageview {
		return
	}
	name, term := v.campaignName, v.keyword
	if v.refType == "6" {
		if name == "" && v.campaignSource == "" && v.campaignMedium == "" {
			name = v.refName
		}
		if term == "" {
			term = v.refKeyword
		}
	}
	for i, value := range []string{v.campaignSource, v.campaignMedium, name, v.content, term} {
		ev.Query = adapters.AddParameter(ev.Query, adapters.UTMNames[i], value)
	}
}
