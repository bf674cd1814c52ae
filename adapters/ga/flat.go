package ga

import (
	"context"
	"errors"
	"io"
	"strconv"
	"strings"

	"hopper/adapters/ga/record"
	"hopper/adapters/table"
	"hopper/pipeline"
)

// aliases are the names that queries which flatten the BigQuery schema give
// its fields and parameters, beside the path's last part ("country") and the
// whole path with underscores ("geo_country").
var aliases = map[string]string{
	"event": "event_name", "eventname": "event_name",
	"date": "event_date", "timestamp": "event_timestamp", "event_time": "event_timestamp", "event_datetime": "event_timestamp",
	"event_timestamp_utc": "event_timestamp", "event_timestamp_micros": "event_timestamp", "time": "event_timestamp", "ts": "event_timestamp",
	"client_id": "user_pseudo_id", "pseudo_id": "user_pseudo_id", "pseudo_user_id": "user_pseudo_id",
	"device": "device.category", "device_type": "device.category", "device_os": "device.operating_system", "os": "device.operating_system",
	"device_os_version": "device.operating_system_version", "os_version": "device.operating_system_version",
	"web_info_browser": "device.web_info.browser", "web_info_browser_version": "device.web_info.browser_version",
	"hostname": "device.web_info.hostname", "host": "device.web_info.hostname", "page_hostname": "device.web_info.hostname",
	"host_name": "device.web_info.hostname",
	"app_id":    "app_info.id",

	"session_id": "ga_session_id", "sessionid": "ga_session_id",
	"page_url": "page_location", "url": "page_location", "location": "page_location", "pagepath": "page_path",
	"title": "page_title", "referrer": "page_referrer", "referer": "page_referrer",
	"utm_source": "source", "utm_medium": "medium", "utm_campaign": "campaign", "campaign_name": "campaign",
	"utm_term": "term", "utm_content": "content", "utm_id": "campaign_id",
}

// flatColumns are the schema's fields by the names that flat columns have
// without an alias.
var flatColumns = func() map[string]setter {
	flat := make(map[string]setter)
	for path, set := range columns {
		flat[columnOf(path)] = set
		// A click id of its own column is what the parameter of that name says,
		// and an id by itself anything.
		switch last := path[strings.LastIndexByte(path, '.')+1:]; last {
		case "id", "gclid", "dclid", "srsltid":
		default:
			flat[last] = set
		}
	}
	for path := range needless {
		flat[columnOf(path)] = ignore
	}
	for _, name := range []string{
		"continent", "sub_continent", "metro", "mobile_marketing_name", "vendor_id", "advertising_id", "is_limited_ad_tracking",
		"time_zone_offset_seconds", "first_touch_timestamp", "install_source", "install_store", "firebase_app_id",
	} {
		flat[name] = ignore
	}
	return flat
}()

func ignore(*row, string) {}

// needlessPrefixes begin flat columns made of the schema's needless groups.
var needlessPrefixes = []string{"traffic_source_", "session_traffic_source_", "user_ltv_", "privacy_info_", "publisher_", "first_user_"}

// columnOf is how a flat column is looked up: "geo.country" and "Geo Country"
// are "geo_country".
func columnOf(name string) string {
	return strings.NewReplacer(".", "_", " ", "_", "-", "_").Replace(strings.ToLower(strings.TrimSpace(name)))
}

// bind returns what each of a table's columns sets. An alias stands for its
// field only where no column has the field's own name and no earlier one is an
// alias of it: beside event_timestamp, timestamp is a parameter.
func bind(names []string) []setter {
	has := make(map[string]bool, len(names))
	for _, name := range names {
		has[columnOf(name)] = true
	}
	setters := make([]setter, len(names))
	for i, name := range names {
		column := columnOf(name)
		to, isAlias := aliases[column]
		if isAlias && flatColumns[column] == nil {
			if own := columnOf(to); !has[own] && !has[to[strings.LastIndexByte(to, '.')+1:]] {
				has[own] = true
				column = own
			}
		}
		setters[i] = setterOf(column)
	}
	return setters
}

// setterOf returns what a flat column of that name sets. A name that is no
// field of the schema is a parameter's.
func setterOf(column string) setter {
	if set := flatColumns[column]; set != nil {
		return set
	}
	for _, prefix := range needlessPrefixes {
		if strings.HasPrefix(column, prefix) {
			return ignore
		}
	}
	switch column {
	case "event_params", "params", "parameters":
		return func(r *row, s string) { r.eachParam(&record.Value{Kind: record.Text, Text: s}, (*row).param) }
	case "user_properties":
		return func(r *row, s string) { r.eachParam(&record.Value{Kind: record.Text, Text: s}, (*row).userProperty) }
	case "items":
		return func(r *row, s string) { r.setItems(&record.Value{Kind: record.Text, Text: s}) }
	}
	if key, found := strings.CutPrefix(column, "user_properties_"); found {
		return func(r *row, s string) { r.userProperty(key, s, looksNumber(key, s)) }
	}
	key := column
	for _, prefix := range []string{"event_params_", "event_param_", "params_", "param_", "ep_"} {
		key = strings.TrimPrefix(key, prefix)
	}
	return func(r *row, s string) { r.param(key, s, looksNumber(key, s)) }
}

// looksNumber guesses the type that a parameter had before it was flattened:
// text that a number's own spelling is, unless its name says that it is one.
func looksNumber(key, s string) bool {
	if key == "search_term" {
		return false
	}
	for _, suffix := range []string{"_id", "_name", "_text", "_title", "_url", "_code"} {
		if strings.HasSuffix(key, suffix) {
			return false
		}
	}
	if s == "" || len(s) > 17 || s[0] > '9' {
		return false
	}
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return strconv.FormatInt(n, 10) == s
	}
	f, err := strconv.ParseFloat(s, 64)
	return err == nil && record.FormatFloat(f) == strings.TrimSuffix(s, ".0")
}

// flatTable is a table of events, and what its columns set.
type flatTable struct {
	table   *table.Table
	setters []setter
	// params is set where rows are parameters.
	params *paramColumns
}

// paramColumns are the columns of a table with one row a parameter, by index
// or -1.
type paramColumns struct{ key, text, integer, float, double, value int }

// newFlatTable binds t's columns, and returns nil where they are no events'.
func newFlatTable(t *table.Table) *flatTable {
	f := &flatTable{table: t, setters: bind(t.Columns)}
	index := make(map[string]int, len(t.Columns))
	for i, name := range t.Columns {
		name = columnOf(name)
		if _, seen := index[name]; !seen {
			index[name] = i
		}
	}
	if !eventColumns(func(name string) bool { _, ok := index[name]; return ok }) {
		return nil
	}
	find := func(names ...string) int {
		for _, name := range names {
			if i, ok := index[name]; ok {
				return i
			}
		}
		return -1
	}
	p := paramColumns{
		key:     find("event_params_key", "event_param_key", "params_key", "param_key", "key"),
		text:    find("event_params_value_string_value", "value_string_value", "string_value", "param_string_value"),
		integer: find("event_params_value_int_value", "value_int_value", "int_value", "param_int_value"),
		float:   find("event_params_value_float_value", "value_float_value", "float_value", "param_float_value"),
		double:  find("event_params_value_double_value", "value_double_value", "double_value", "param_double_value"),
		value:   find("event_params_value", "params_value", "param_value"),
	}
	if p.key >= 0 && (p.text >= 0 || p.integer >= 0 || p.value >= 0) {
		f.params = &p
	}
	if f.params != nil {
		for _, i := range []int{p.key, p.text, p.integer, p.float, p.double, p.value} {
			if i >= 0 {
				f.setters[i] = ignore
			}
		}
	}
	return f
}

// eventColumns reports whether columns (as columnOf writes them) are those of
// events: each must have a name and a time.
func eventColumns(has func(string) bool) bool {
	any := func(path string) bool {
		if has(path) {
			return true
		}
		for alias, to := range aliases {
			if to == path && has(alias) {
				return true
			}
		}
		return false
	}
	return any("event_name") && any("event_timestamp") &&
		(any("user_pseudo_id") || any("user_id") || any("ga_session_id") || any("page_location") || has("event_params") || has("event_params_key"))
}

// fill sets r from a record's cells.
func (f *flatTable) fill(r *row, cells []string) {
	for i, text := range cells {
		if text != "" {
			f.setters[i](r, text)
		}
	}
}

// fillParam sets what a parameter's row adds to its event, and returns the key.
func (f *flatTable) fillParam(r *row, cells []string) {
	cell := func(i int) string {
		if i < 0 {
			return ""
		}
		return cells[i]
	}
	key := cell(f.params.key)
	if key == "" {
		return
	}
	if text := cell(f.params.text); text != "" {
		r.param(key, text, false)
	} else if text := cell(f.params.value); text != "" {
		r.param(key, text, looksNumber(key, text))
	} else {
		for _, i := range [...]int{f.params.integer, f.params.float, f.params.double} {
			if text := cell(i); text != "" {
				r.param(key, text, true)
				return
			}
		}
	}
}

// flatReader reads a table with one row an event.
type flatReader struct {
	*table.Reader
	flat  *flatTable
	ga4   *ga4
	index int // of the input
}

func openFlat(ctx context.Context, f *flatTable, g *ga4, index int) (reader, error) {
	r, err := f.table.Open(ctx)
	if err != nil {
		return nil, err
	}
	if f.params != nil {
		return &paramReader{rows: r, flat: f, ga4: g, index: index}, nil
	}
	return &flatReader{r, f, g, index}, nil
}

func (f *flatReader) Next(ctx context.Context) (decode, error) {
	c, err := f.Reader.Next(ctx)
	if err != nil {
		return nil, err
	}
	return func(out sink, seen *seen) error {
		var (
			r  row
			ev pipeline.Event
		)
		for rec := range c.Rows() {
			out.Rows(1)
			at := pipeline.Origin{Input: f.flat.table.Input.Name, Row: rec.Number}
			if rec.Err != nil {
				out.Reject(at, rec.Err.Error(), rec.Raw)
				continue
			}
			if rec.Replaced {
				out.Repair(at, pipeline.RepairUTF8)
			}
			r.reset()
			r.at, r.input, r.raw = at, f.index, rec.Raw
			f.flat.fill(&r, rec.Cells)
			f.ga4.emit(&r, &ev, out, seen)
		}
		return nil
	}, nil
}

// paramReader reads a table with one row a parameter. The rows of an event
// stand together, as UNNEST writes them; a key that comes again begins the
// next event. Finding where events end is sequential.
type paramReader struct {
	rows  *table.Reader
	flat  *flatTable
	ga4   *ga4
	index int // of the input

	next *joined // the event that the last row belongs to
	eof  bool
}

// joined is an event made of rows.
type joined struct {
	row    row
	id     [5]string
	keys   map[string]bool
	others []pipeline.Origin // of the rows after the first
	bad    string            // why the row cannot be read
	fixed  bool              // it held bytes that are no UTF-8
}

func (p *paramReader) Close() error { return p.rows.Close() }

func (p *paramReader) Next(ctx context.Context) (decode, error) {
	var events []*joined
	for !p.eof && len(events) == 0 {
		c, err := p.rows.Next(ctx)
		if errors.Is(err, io.EOF) {
			p.eof = true
			break
		}
		if err != nil {
			return nil, err
		}
		for rec := range c.Rows() {
			if done := p.take(rec); done != nil {
				events = append(events, done)
			}
		}
	}
	if p.eof && p.next != nil {
		events = append(events, p.next)
		p.next = nil
	}
	if len(events) == 0 {
		return nil, io.EOF
	}
	return func(out sink, seen *seen) error {
		var ev pipeline.Event
		for _, e := range events {
			out.Rows(1 + len(e.others))
			if e.bad != "" {
				out.Reject(e.row.at, e.bad, e.row.raw)
				continue
			}
			if e.fixed {
				out.Repair(e.row.at, pipeline.RepairUTF8)
			}
			p.ga4.emit(&e.row, &ev, out, seen)
			for _, at := range e.others {
				out.Omit(at, "further parameter of an event, joined with its first row")
			}
		}
		return nil
	}, nil
}

// take adds a row to the current event, or begins the next one and returns
// the one before.
func (p *paramReader) take(rec *table.Row) (done *joined) {
	at := pipeline.Origin{Input: p.flat.table.Input.Name, Row: rec.Number}
	if rec.Err != nil {
		done, p.next = p.next, &joined{row: row{at: at, input: p.index, raw: rec.Raw}, bad: rec.Err.Error()}
		return done
	}
	e := &joined{row: row{at: at, input: p.index, raw: rec.Raw}, keys: make(map[string]bool), fixed: rec.Replaced}
	p.flat.fill(&e.row, rec.Cells)
	e.id = [...]string{e.row.pseudo, e.row.user, e.row.time, e.row.name, e.row.bundle}
	key := rec.Cells[p.flat.params.key]
	if p.next != nil && p.next.bad == "" && p.next.id == e.id && !p.next.keys[key] {
		e = p.next
		e.others = append(e.others, at)
		e.fixed = e.fixed || rec.Replaced
	} else {
		done, p.next = p.next, e
	}
	e.keys[key] = true
	p.flat.fillParam(&e.row, rec.Cells)
	return done
}
