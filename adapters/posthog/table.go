package posthog

import (
	"strings"

	"hopper/adapters"
	"hopper/adapters/input/rows"
	"hopper/adapters/input/rows/record"
	"hopper/pipeline"
)

// cookieless stands for whoever has not consented.
const cookieless = "$posthog_cookieless"

// noPerson is what ClickHouse has for none.
const noPerson = "00000000-0000-0000-0000-000000000000"

// table is a table of events with its columns' positions; -1 is absent.
type table struct {
	*rows.Table
	times adapters.Times

	uuid, event, time, distinct, person, team int
	properties, chain, elements, personObject int
	// flat are properties that have a column of their own, by name; own are their
	// names in the order of columns.
	flat map[string]int
	own  []string
}

func newTable(t *rows.Table, opt adapters.Options) *table {
	at := t.Column
	d := &table{
		Table: t, times: adapters.Times{Zone: opt.Location()},
		uuid: at("uuid", "id"), event: at("event"), time: at("timestamp"), distinct: at("distinct_id", "person.distinct_id"), person: at("person_id", "person.id"), team: at("team_id"),
		properties: at("properties"), chain: at("elements_chain"), elements: at("elements"), personObject: at("person"), flat: map[string]int{},
	}
	for i, name := range t.Header {
		name = strings.TrimSpace(name)
		key, found := strings.CutPrefix(name, "properties.")
		if _, twice := d.flat[key]; (found || strings.HasPrefix(key, "$")) && !twice {
			d.flat[key] = i
			d.own = append(d.own, key)
		}
	}
	return d
}

// entry is what a row says.
type entry struct {
	table *table
	row   *rows.Row
	props *record.Value

	at                         pipeline.Micros
	uuid, event, distinct      string
	person, session, device    string
	team, host, path, query    string
	identified, unsaid, server bool // unsaid is identified where the event does not say
	kind                       pipeline.Kind
	omit                       string // why the event becomes none
	target                     string
}

// Why a row is no event.
const (
	RejectTime       = "timestamp is no time"
	RejectEvent      = "no name of an event"
	RejectProperties = "properties are no JSON object"
	RejectPerson     = "neither a distinct_id nor a person_id"
)

// read takes a row apart; reject says why it cannot be.
func (t *table) read(row *rows.Row) (e entry, reject string) {
	e = entry{table: t, row: row, event: row.Cell(t.event), distinct: row.Cell(t.distinct), person: row.Cell(t.person), team: row.Cell(t.team), uuid: row.Cell(t.uuid)}
	var ok bool
	switch e.at, ok = t.times.Parse(row.Cell(t.time)); {
	case !ok:
		return e, RejectTime
	case e.event == "":
		return e, RejectEvent
	}
	if t.properties >= 0 && row.Cell(t.properties) != "" {
		if e.props = row.Value(t.properties); e.props != nil && e.props.Kind != record.Object {
			return e, RejectProperties
		}
	}
	if e.person == noPerson {
		e.person = ""
	}
	if e.distinct == "" {
		e.distinct = e.get("distinct_id")
	}
	if ids := e.knownAs(); e.distinct == "" && e.person == "" && len(ids) > 0 {
		e.distinct = ids[0].String()
	}
	if e.distinct == "" && e.person == "" {
		return e, RejectPerson
	}
	e.session, e.device = e.get("$session_id"), e.get("$device_id")
	switch e.get("$is_identified") {
	case "true":
		e.identified = true
	case "":
		e.unsaid = e.device != "" && e.device != e.distinct
	}
	e.page()
	e.server = e.host == "" && e.get("$lib") != "web" && e.device == ""
	e.classify()
	return e, ""
}

// knownAs are the distinct ids of the person that stands in an answer of the API.
func (e *entry) knownAs() []record.Value {
	if e.table.personObject < 0 {
		return nil
	}
	return e.row.Value(e.table.personObject).Get("distinct_ids").Elements()
}

// find returns a property, or nil.
func (e *entry) find(name string) *record.Value {
	if v := e.props.Get(name); v != nil && v.Kind != record.Null {
		return v
	}
	if i, there := e.table.flat[name]; there && e.row.Cells[i] != "" {
		return e.row.Value(i)
	}
	return nil
}

// get returns a property's text.
func (e *entry) get(name string) string {
	s := e.find(name).String()
	if s == "<masked>" || s == "null" {
		return ""
	}
	return s
}

// page finds the address that an event is on.
func (e *entry) page() {
	rest := e.get("$current_url")
	if _, after, found := strings.Cut(rest, "://"); found {
		rest, _, _ = strings.Cut(after, "#")
		rest, e.query, _ = strings.Cut(rest, "?")
		e.host, e.path, _ = strings.Cut(rest, "/")
		e.path = "/" + e.path
		return
	}
	if e.host = e.get("$host"); e.host != "" {
		e.path = "/" + strings.TrimPrefix(e.get("$pathname"), "/")
	}
}

// Why an event of PostHog's own becomes none.
const (
	OmitClick   = "an autocaptured event that is no click on a link to another site"
	OmitAddress = "a page view without $current_url or $host"
	omitOther   = "an event of PostHog's own"
)

// bookkeeping are PostHog's own events that are counted each by itself.
var bookkeeping = func() map[string]string {
	m := map[string]string{}
	for _, name := range []string{
		"$pageleave", "$screen", "$identify", "$set", "$create_alias", "$merge_dangerously", "$groupidentify", "$feature_flag_called", "$feature_enrollment_update",
		"$experiment_started", "$rageclick", "$dead_click", "$copy_autocapture", "$opt_in", "$snapshot", "$heatmap", "$$heatmap",
	} {
		m[name] = omitOther + ": " + name
	}
	return m
}()

// classify says what a row becomes.
func (e *entry) classify() {
	switch e.event {
	case "$pageview":
		if e.host == "" {
			e.omit = OmitAddress
		}
	case "$autocapture":
		if e.kind, e.target = pipeline.Outbound, e.link(); e.target == "" {
			e.omit = OmitClick
		}
	case "$web_vitals":
		e.kind = pipeline.Vitals
	case "$exception":
		e.kind = pipeline.Error
	default:
		if e.kind = pipeline.Custom; e.event[0] != '$' {
			return
		}
		if e.omit = bookkeeping[e.event]; e.omit == "" {
			e.omit = omitOther
		}
	}
}

// link returns where a click leads, if that is another site.
func (e *entry) link() string {
	if target := e.get("$external_click_url"); target != "" {
		return target
	}
	if e.get("$event_type") != "click" {
		return ""
	}
	target := ""
	for element := range strings.SplitSeq(e.row.Cell(e.table.chain), ";") {
		if tag, rest, _ := strings.Cut(element, ":"); tag == "a" || strings.HasPrefix(tag, "a.") {
			if _, after, found := strings.Cut(rest, `href="`); found {
				target, _, _ = strings.Cut(after, `"`)
				break
			}
		}
	}
	if e.table.elements >= 0 && target == "" {
		for _, element := range e.row.Value(e.table.elements).Elements() {
			if element.Get("tag_name").String() == "a" {
				if target = element.Get("href").String(); target == "" {
					target = element.Get("attr__href").String()
				}
				break
			}
		}
	}
	scheme, rest, found := strings.Cut(target, "://")
	end := strings.IndexAny(rest+"/", "/?#")
	if !found || !strings.HasPrefix(scheme, "http") || adapters.SameHost(rest[:end], e.host) {
		return ""
	}
	return target
}

// identity is what is the same for the same event alone.
func (e *entry) identity() string {
	parts := []string{e.uuid, e.event, e.distinct, e.at.Time().String()}
	if e.uuid == "" {
		parts = append(parts, e.person, e.session, e.get("$current_url"))
	}
	return strings.Join(parts, "\x00")
}
