package ga

import (
	"context"
	"strconv"
	"strings"

	"hopper/adapters/input/rows"
	"hopper/adapters/input/rows/record"
	"hopper/pipeline"
)

// aliases are the names that queries which flatten the BigQuery schema give
// its fields and parameters, beside the path's last part ("country") and the
// whole path with underscores ("geo_country").
var aliases = map[string]string{
	"event": "event_name", "eventname": "event_name", "name": "event_name", "bundle_sequence_id": "event_bundle_sequence_id",
	"date": "event_date", "timestamp": "event_timestamp", "event_time": "event_timestamp", "event_datetime": "event_timestamp",
	"event_timestamp_utc": "event_timestamp", "event_timestamp_micros": "event_timestamp", "time": "event_timestamp", "ts": "event_timestamp",
	"client_id": "user_pseudo_id", "pseudo_id": "user_pseudo_id", "pseudo_user_id": "user_pseudo_id",
	"device": "device.category", "device_type": "device.category", "device_os": "device.operating_system", "os": "device.operating_system",
	"device_os_version": "device.operating_system_version", "os_version": "device.operating_system_version",
	"web_info_browser": "device.web_info.browser", "web_info_browser_version": "device.web_info.browser_version",
	"hostname": "device.web_info.hostname", "host": "device.web_info.hostname", "page_hostname": "device.web_info.hostname",
	"host_name": "device.web_info.hostname",
	"app_id":    "app_info.id",
	"property":  "property_id", "property_name": "property_id",

	"event_source": "source", "event_medium": "medium", "event_campaign": "campaign", "event_term": "term", "event_content": "content",

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

// bookkeeping are columns of connectors and of packages for dbt, which repeat
// what others say or number the rows.
var bookkeeping = func() map[string]bool {
	names := make(map[string]bool)
	for _, name := range []string{
		"is_intraday", "dataset_id", "table_suffix", "table_id", "stream_name",
		"event_date_dt", "event_dt", "client_key", "user_key", "event_key", "page_key", "session_key", "session_partition_key", "session_partition_date",
		"is_page_view", "is_purchase", "is_session_start", "is_first_visit", "session_number", "ga_session_key", "page_query_string", "original_page_location", "original_page_referrer",
		"page_hostname_key", "page_engagement_key", "loaded_at", "inserted_at", "synced_at", "ingestion_time",
	} {
		names[name] = true
	}
	return names
}()

// needlessPrefixes begin flat columns made of the schema's needless groups.
var needlessPrefixes = []string{"traffic_source_", "session_traffic_source_", "user_ltv_", "privacy_info_", "publisher_", "first_user_"}

// columnOf is how a flat column is looked up: "geo.country", "geo__country",
// "geoCountry" and "Geo Country" are "geo_country".
func columnOf(name string) string {
	name = strings.ReplaceAll(rows.Name(name), ".", "_")
	for strings.Contains(name, "__") {
		name = strings.ReplaceAll(name, "__", "_")
	}
	return strings.TrimPrefix(name, "variant_")
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
		if own := columnOf(name); isGroup(own) && own != "event_params" && own != "user_properties" && own != "items" {
			setters[i] = groupOr(own, setters[i])
		}
	}
	return setters
}

// setterOf returns what a flat column of that name sets. A name that is no
// field of the schema is a parameter's.
func setterOf(column string) setter {
	if set := flatColumns[column]; set != nil {
		return set
	}
	if strings.HasPrefix(column, "_") || bookkeeping[column] {
		return ignore
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
	return func(r *row, s string) {
		if list, ok := parseNested(s); ok && list.Kind == record.List && len(list.Kids) > 0 && list.Kids[0].Get("key") != nil && list.Kids[0].Get("value") != nil {
			r.eachParam(list, (*row).param) // parameters under a name of somebody's own
			return
		}
		r.param(key, s, looksNumber(key, s))
	}
}

// groupOr returns a setter that opens a cell that holds a whole group of the
// schema as text, and leaves any other to set.
func groupOr(column string, set setter) setter {
	return func(r *row, s string) {
		v, ok := parseNested(s)
		switch {
		case !ok:
			set(r, s)
		case v.Kind == record.Object && !needless[column]:
			r.group(&layout{group: column}, v)
		}
	}
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
	table   *rows.Table
	setters []setter
	// params is set where rows are parameters.
	params *paramColumns
}

// newFlatTable binds t's columns, and returns nil where they are no events'.
func newFlatTable(t *rows.Table) *flatTable {
	f := &flatTable{table: t, setters: bind(t.Header)}
	index := make(map[string]int, len(t.Header))
	for i, name := range t.Header {
		name = columnOf(name)
		if _, seen := index[name]; !seen {
			index[name] = i
		}
	}
	if !eventColumns(func(name string) bool { _, ok := index[name]; return ok }) {
		return nil
	}
	f.params = findParamColumns(t.Header)
	if f.params != nil {
		for _, i := range f.params.columns() {
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
			if text[0] == '"' {
				text = unquoted(text)
			}
			f.setters[i](r, text)
		}
	}
}

// unquoted returns text that a warehouse wrote as a string of JSON's.
func unquoted(text string) string {
	if v, err := record.Parse(text); err == nil && v.Kind == record.Text {
		return v.Text
	}
	return text
}

// flatReader reads a table with one row an event.
type flatReader struct {
	*rows.Reader
	flat  *flatTable
	ga4   *ga4
	index int // of the input
	// property is whose the events are, where the input's name says.
	property string
}

func openFlat(ctx context.Context, f *flatTable, g *ga4, index int, property string) (reader, error) {
	r, err := f.table.Open(ctx)
	if err != nil {
		return nil, err
	}
	if f.params != nil {
		return &paramReader{rows: &tableParams{r, f}, ga4: g, index: index, property: property}, nil
	}
	return &flatReader{r, f, g, index, property}, nil
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
				out.Reject(at, rec.Err.Error(), rec.Text())
				continue
			}
			if rec.Replaced {
				out.Repair(at, pipeline.RepairUTF8)
			}
			r.reset()
			r.at, r.input, r.raw, r.property = at, f.index, rec.Raw, f.property
			f.flat.fill(&r, rec.Cells)
			f.ga4.emit(&r, &ev, out, seen)
		}
		return c.Err()
	}, nil
}
