package ga

import (
	"context"
	"errors"
	"io"
	"strings"

	"hopper/adapters/input/rows"
	"hopper/adapters/input/rows/record"
	"hopper/pipeline"
	"hopper/pipeline/recount"
)

// facts are an event's values, by the path or the parameter's name, with
// underscores between.
type facts map[string]string

// record adds the scalars of a record, and the parameters.
func (m facts) record(path string, v *record.Value) {
	for i := range v.Kids {
		kid := &v.Kids[i]
		name := columnOf(path + kid.Key)
		switch kid.Kind {
		case record.Object, record.List:
			if name == "event_params" || name == "params" || name == "parameters" || name == "event_parameters" {
				m.params(kid)
			} else if kid.Kind == record.Object {
				m.record(name+"_", kid)
			}
		default:
			m.set(name, kid.Text)
		}
	}
}

// set adds a value of a column; parameters can stand in one as JSON.
func (m facts) set(name, text string) {
	switch name {
	case "event_params", "params", "parameters":
		if parsed, ok := parseNested(text); ok {
			m.params(parsed)
		}
		return
	}
	switch name {
	case "device", "geo", "app_info", "event_dimensions": // the whole group, as text
		if parsed, ok := parseNested(text); ok {
			m.record(name+"_", parsed)
			return
		}
	}
	for _, prefix := range []string{"event_params_", "event_param_", "params_", "param_", "ep_"} {
		name = strings.TrimPrefix(name, prefix)
	}
	if m[name] == "" {
		m[name] = text
	}
}

// params adds a list of keys and values, or an object of them.
func (m facts) params(list *record.Value) {
	elements := list.Elements()
	if elements == nil && list.Kind == record.Object {
		elements = list.Kids
	}
	for i := range elements {
		e := &elements[i]
		var key string
		var value *record.Value
		for k := range e.Kids {
			switch kid := &e.Kids[k]; strings.ToLower(kid.Key) {
			case "key", "name":
				key = kid.Text
			case "value":
				value = kid
			}
		}
		switch {
		case key == "":
			key, value = e.Key, e
		case value == nil:
			value = e
		}
		text := value.String()
		if value != nil && value.Kind == record.Object {
			for _, kid := range value.Kids {
				if text == "" && strings.HasSuffix(strings.ToLower(kid.Key), "value") {
					text = kid.Text
				}
			}
		}
		if text != "" {
			m[key] = text
		}
	}
}

// get returns the first of the names that tells something. Google writes
// (not set), <Other> and the like where it tells nothing.
func (m facts) get(names ...string) string {
	for _, name := range names {
		if text := toldText(m[name]); text != "" {
			return text
		}
	}
	return ""
}

// tell fills in a fact from the values of a GA4 event. Queries that flatten
// the export give its fields all kinds of names.
func (m facts) tell(f *recount.Fact, at clock) {
	f.At = momentOf(m.get("event_timestamp", "event_timestamp_micros", "event_timestamp_utc", "event_datetime", "event_time", "timestamp", "time", "ts"), m.get("event_date", "date"), at)
	f.Visitor = m.get("user_pseudo_id", "client_id", "pseudo_id", "pseudo_user_id")
	if session := strings.TrimSuffix(m.get("ga_session_id", "session_id", "sessionid"), ".0"); f.Visitor != "" && session != "" {
		f.Session = f.Visitor + " " + session
	}
	f.Host, f.Page = addressOf(m.get("page_location", "page_url", "url", "location"))
	if f.Page == "" {
		_, f.Page = addressOf(m.get("page_path", "pagepath"))
	}
	if f.Host == "" {
		f.Host = m.get("device_web_info_hostname", "event_dimensions_hostname", "web_info_hostname", "hostname", "page_hostname", "host_name", "host")
	}
	if screen := m.get("firebase_screen", "firebase_screen_class"); f.Page == "" && screen != "" {
		f.Page = "/" + strings.TrimPrefix(screen, "/")
	}
	f.Referrer = m.get("page_referrer", "referrer", "referer")
	f.Device = m.get("device_category", "category", "device_type", "device")
	f.Browser = m.get("device_web_info_browser", "web_info_browser", "device_browser", "browser")
	if f.OS = m.get("device_operating_system", "operating_system", "device_os", "os"); strings.EqualFold(f.OS, "web") {
		f.OS = "" // the version and the device tell more or less
	}
	f.Country = m.get("geo_country", "country")

	f.Kind, f.Name = pipeline.Custom, ""
	for _, name := range []string{"event_name", "event", "eventname", "name"} {
		if f.Name == "" {
			f.Name = m[name]
		}
	}
	switch f.Name {
	case "page_view", "screen_view":
		f.Kind = pipeline.Pageview
	case "exception", "app_exception":
		f.Kind = pipeline.Error
	case "click":
		link := m["link_url"]
		if link == "" && m["link_domain"] != "" {
			link = "https://" + m["link_domain"]
		}
		if outbound := m["outbound"]; link != "" && (outbound == "true" || outbound == "1") {
			if f.Kind = pipeline.Outbound; !address.MatchString(link) {
				f.Kind, f.Name = pipeline.Custom, "outbound" // mailto: and the like
			}
		}
	}
}

// tellTable tells the rows of a table, and where rows are parameters, the
// events that rows of the same event make.
func tellTable(ctx context.Context, flat *flatTable, loc clock, yield func(*recount.Fact) error) error {
	t := flat.table
	r, err := t.Open(ctx)
	if err != nil {
		return err
	}
	defer r.Close()
	names := make([]string, len(t.Header))
	for i, column := range t.Header {
		names[i] = columnOf(column)
	}
	var (
		open *recount.Fact // whose rows may not have ended
		vals facts
		id   string
		keys map[string]bool
	)
	end := func() error {
		if open == nil {
			return nil
		}
		f := open
		open = nil
		vals.tell(f, loc)
		return yield(f)
	}
	row := func(rec *rows.Row) error {
		f := &recount.Fact{Origin: pipeline.Origin{Input: t.Input.Name, Row: rec.Number}}
		if rec.Err != nil {
			return errors.Join(end(), yield(f))
		}
		own := facts{}
		if flat.params == nil {
			for i, cell := range rec.Cells {
				own.set(names[i], cell)
			}
			own.tell(f, loc)
			return yield(f)
		}
		var key, value string
		for i, cell := range rec.Cells {
			switch name := names[i]; {
			case i == flat.params.key:
				key = cell
			case strings.HasSuffix(name, "_value") || strings.HasSuffix(name, "_value_string_value"):
				if value == "" {
					value = cell
				}
			default:
				own.set(name, cell)
			}
		}
		of := strings.Join([]string{own["user_pseudo_id"], own["user_id"], own["event_timestamp"], own["event_name"], own["event_bundle_sequence_id"]}, "\x00")
		blank := own["event_timestamp"] == "" && own["event_name"] == "" && own["event_date"] == ""
		if open != nil && (of == id && !keys[key] || blank) {
			open.Joined++
		} else {
			if err := end(); err != nil {
				return err
			}
			open, vals, id, keys = f, own, of, map[string]bool{}
		}
		keys[key] = true
		if value != "" {
			vals[key] = value
		}
		return nil
	}
	for {
		chunk, err := r.Next(ctx)
		if errors.Is(err, io.EOF) {
			return end()
		}
		if err != nil {
			return err
		}
		for rec := range chunk.Rows() {
			if err := row(rec); err != nil {
				return err
			}
		}
		if err := chunk.Err(); err != nil {
			return err
		}
	}
}
