package posthog

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"

	"hopper/adapters"
	"hopper/adapters/input"
	"hopper/adapters/input/rows"
	"hopper/adapters/input/rows/record"
	"hopper/pipeline"
)

// Why a row is no event, or not as it was.
const (
	OmitRepeat  = "a repeat of an event with the same uuid, name, distinct_id and time"
	OmitWebsite = "an event of another website; --website chooses"
	OmitServer  = "a server's event outside of any visit"
	RepairEmail = "an e-mail address left out as the name of a user"
)

// source yields the events of all tables.
type source struct {
	opt     adapters.Options
	site    site
	tables  []*table
	people  *people
	repeats *adapters.Repeats
	visits  *adapters.ByRow // of events without a session
	loop    adapters.Tables
}

// asked reports whether an event is of the chosen site.
func (s *source) asked(e *entry) bool {
	return (s.site.team == "" || e.team == "" || s.site.team == e.team) && (s.site.host == "" || e.host == "" || adapters.SameHost(s.site.host, e.host))
}

// Next returns the next chunk, see [pipeline.Source].
func (s *source) Next(ctx context.Context) (pipeline.Chunk, error) {
	at, taken, err := s.loop.Next(ctx)
	if err != nil {
		return nil, err
	}
	c := &chunk{source: s, table: s.tables[at], rows: taken, people: s.people.acquaint()}
	c.repeats, err = s.repeats.Take(ctx, at, taken.EndRow)
	err = errors.Join(err, s.visits.Take(ctx, at, taken.EndRow, func(row int64, value []byte) {
		c.visits = append(c.visits, assigned{row, visitOf(value)})
	}))
	if err != nil {
		return nil, input.Errorf(c.table.Input.Name, "reading what was sorted on disk: %w", err)
	}
	return c, nil
}

// Close releases temporary files.
func (s *source) Close() error {
	errs := []error{s.loop.Close(), s.visits.Close(), s.people.Close()}
	if s.repeats != nil {
		errs = append(errs, s.repeats.Close())
	}
	return errors.Join(errs...)
}

// visit is a session, empty for none, and the page that was seen last in it.
type visit struct{ session, host, path string }

func (v visit) text() []byte { return pack(v.session, v.host, v.path) }

func visitOf(text []byte) (v visit) {
	unpack(text, &v.session, &v.host, &v.path)
	return v
}

// pack puts texts that may hold anything one behind the other, each after its length.
func pack(texts ...string) (b []byte) {
	for _, text := range texts {
		b = append(binary.AppendUvarint(b, uint64(len(text))), text...)
	}
	return b
}

func unpack(b []byte, texts ...*string) {
	for _, text := range texts {
		n, width := binary.Uvarint(b)
		*text = string(b[width : width+int(n)])
		b = b[width+int(n):]
	}
}

// assigned is the visit of a row without a session.
type assigned struct {
	row int64
	visit
}

type chunk struct {
	source  *source
	table   *table
	rows    *rows.Chunk
	people  acquainted
	repeats []int64
	visits  []assigned
}

// Decode makes an event of each row, see [pipeline.Chunk].
func (c *chunk) Decode(out *pipeline.Emitter) error {
	for row := range c.rows.Rows() {
		out.Rows(1)
		at := pipeline.Origin{Input: c.table.Input.Name, Row: row.Number}
		if row.Replaced {
			out.Repair(at, pipeline.RepairUTF8)
		}
		if row.Err != nil {
			out.Reject(at, row.Err.Error(), row.Text())
			continue
		}
		repeated := len(c.repeats) > 0 && c.repeats[0] == row.Number
		if repeated {
			c.repeats = c.repeats[1:]
		}
		e, reject := c.table.read(row)
		if len(c.visits) > 0 && c.visits[0].row == row.Number {
			if e.session = c.visits[0].session; e.host == "" { // on the page that was open
				e.host, e.path = c.visits[0].host, c.visits[0].path
			}
			c.visits = c.visits[1:]
		}
		switch {
		case reject != "":
			out.Reject(at, reject, row.Text())
		case repeated:
			out.Omit(at, OmitRepeat)
		case !c.source.asked(&e):
			out.Omit(at, OmitWebsite)
		case e.omit != "":
			out.Omit(at, e.omit)
		case e.session == "":
			out.Omit(at, OmitServer)
		default:
			if err := c.emit(out, at, &e); err != nil {
				return &input.Error{Input: at.Input, Row: at.Row, Err: err}
			}
		}
	}
	return c.rows.Err()
}

func (c *chunk) emit(out *pipeline.Emitter, at pipeline.Origin, e *entry) error {
	visitor, err := c.people.visitor(e.person, e.distinct)
	if err != nil {
		return err
	}
	ev := &pipeline.Event{
		Origin: at, Raw: e.row.Raw, Time: e.at, Kind: e.kind, Session: e.session, Visitor: visitor,
		Hostname: e.host, Path: e.path, Query: e.query, Target: e.target,
		Browser: e.get("$browser"), BrowserVersion: e.get("$browser_version"), OS: e.get("$os"), OSVersion: e.get("$os_version"),
		Device: e.get("$device_type"), Language: e.get("$browser_language"), TimeZone: e.get("$timezone"),
	}
	identified := e.identified
	if e.unsaid {
		known, err := c.people.find(e.distinct)
		if err != nil {
			return err
		}
		identified = identified || known.user
	}
	if identified {
		if ev.Identified = e.distinct; strings.Contains(e.distinct, "@") {
			ev.Identified = ""
			out.Repair(at, RepairEmail)
		}
	}
	ev.ScreenWidth, ev.ScreenHeight = e.pixels("$screen_width"), e.pixels("$screen_height")
	if !e.server { // whose place is the server's
		ev.Country, ev.Region, ev.City = e.get("$geoip_country_code"), e.get("$geoip_subdivision_1_code"), e.get("$geoip_city_name")
		ev.Latitude, ev.Longitude = e.measure("$geoip_latitude"), e.measure("$geoip_longitude")
		if zone := e.get("$geoip_time_zone"); ev.TimeZone == "" {
			ev.TimeZone = zone
		}
	}
	ev.Referrer = e.referrer()
	switch e.kind {
	case pipeline.Pageview:
		ev.Title = e.get("title")
	case pipeline.Outbound:
		ev.TargetText = e.get("$el_text")
	case pipeline.Vitals:
		ev.Vitals = pipeline.WebVitals{
			LCP: e.measure("$web_vitals_LCP_value"), INP: e.measure("$web_vitals_INP_value"), FCP: e.measure("$web_vitals_FCP_value"), CLS: e.measure("$web_vitals_CLS_value"),
		}
	case pipeline.Error:
		ev.Name, ev.Message = e.exception()
	case pipeline.Custom:
		ev.Name, ev.Properties = e.event, e.properties()
	}
	out.Event(ev)
	return nil
}

func (e *entry) pixels(name string) int {
	n, err := strconv.ParseFloat(e.get(name), 64)
	if err != nil || n < 1 || n > 65535 {
		return 0
	}
	return int(n)
}

func (e *entry) measure(name string) pipeline.Measure {
	n, err := strconv.ParseFloat(e.get(name), 64)
	if err != nil {
		return pipeline.Measure{}
	}
	return pipeline.Known(n)
}

// referrer returns the address that a page was come from, unless it is the site's.
func (e *entry) referrer() string {
	referrer := e.get("$referrer")
	if strings.HasPrefix(referrer, "$") { // $direct
		return ""
	}
	if _, rest, found := strings.Cut(referrer, "://"); found {
		if end := strings.IndexAny(rest+"/", "/?#"); e.host != "" && adapters.SameHost(rest[:end], e.host) {
			return ""
		}
	}
	return referrer
}

func (e *entry) exception() (name, message string) {
	if list := e.find("$exception_list").Elements(); len(list) > 0 {
		name, message = list[0].Get("type").String(), list[0].Get("value").String()
	}
	if name == "" {
		name = e.get("$exception_type")
	}
	if message == "" {
		message = e.get("$exception_message")
	}
	return name, message
}

// notOwn are properties that PostHog's script adds and that begin with no $: its
// token, and what it reads of an address.
var notOwn = []string{
	"token", "distinct_id", "gclid", "gclsrc", "gad_source", "dclid", "gbraid", "wbraid", "fbclid", "msclkid", "twclid", "li_fat_id", "mc_cid", "igshid", "ttclid", "rdt_cid", "epik",
	"qclid", "sccid", "irclid", "_kx",
}

func isOwn(key string) bool {
	return key != "" && key[0] != '$' && !strings.HasPrefix(key, "utm_") && !slices.Contains(notOwn, key)
}

// properties returns what the site attached.
func (e *entry) properties() []pipeline.Property {
	var ps []pipeline.Property
	add := func(key string, v *record.Value) {
		if v == nil || v.Kind == record.Null || !isOwn(key) || v.Kind == record.Text && v.Text == "" {
			return
		}
		p := pipeline.Property{Key: key, Value: v.Text, Literal: v.Kind != record.Text}
		if p.Literal {
			if p.Value = string(v.AppendJSON(nil)); !json.Valid([]byte(p.Value)) {
				p.Literal = false
			}
		}
		ps = append(ps, p)
	}
	if e.props != nil {
		for i := range e.props.Kids {
			add(e.props.Kids[i].Key, &e.props.Kids[i])
		}
	}
	for _, key := range e.table.own {
		add(key, e.find(key))
	}
	return ps
}
