package ga

import (
	"context"
	"errors"
	"strings"

	"hopper/adapters/input/rows"
	"hopper/adapters/input/rows/record"
	"hopper/pipeline"
	"hopper/pipeline/recount"
)

// facts are an event's values, by the path or the parameter's name, with
// underscores between.
type facts map[string]string

// namedFacts makes facts of records, one after the other. It remembers what their
// members are called, which are mostly the same.
type namedFacts struct {
	facts facts
	names map[string]factName // by the path and the key
	path  []byte
}

// factName is what a member is called as a column, and as a parameter in a column of
// its own.
type factName struct{ column, own string }

func factNameOf(name string) factName {
	n := factName{column: columnOf(name)}
	n.own = n.column
	for _, prefix := range []string{"event_params_", "event_param_", "params_", "param_", "ep_"} {
		n.own = strings.TrimPrefix(n.own, prefix)
	}
	return n
}

// of returns the facts of a record, until the next call.
func (n *namedFacts) of(root *record.Value) facts {
	if n.facts == nil {
		n.facts, n.names = facts{}, map[string]factName{}
	}
	clear(n.facts)
	n.record("", root)
	return n.facts
}

// record adds the scalars of a record, and the parameters.
func (n *namedFacts) record(path string, v *record.Value) {
	for i := range v.Kids {
		kid := &v.Kids[i]
		n.path = append(append(n.path[:0], path...), kid.Key...)
		name, known := n.names[string(n.path)]
		if !known {
			name = factNameOf(string(n.path))
			n.names[string(n.path)] = name
		}
		switch kid.Kind {
		case record.Object, record.List:
			switch {
			case name.column == "event_params" || name.column == "params" || name.column == "parameters" || name.column == "event_parameters":
				n.facts.params(kid)
			case kid.Kind == record.Object:
				n.record(name.column+"_", kid)
			}
		default:
			n.facts.set(name, kid.Text)
		}
	}
}

// set adds a value of a column; parameters can stand in one as JSON.
func (m facts) set(name factName, text string) {
	switch name.column {
	case "event_params", "params", "parameters":
		if parsed, ok := parseNested(text); ok {
			m.params(parsed)
		}
		return
	}
	switch name.column {
	case "device", "geo", "app_info", "event_dimensions": // the whole group, as text
		if parsed, ok := parseNested(text); ok {
			n := namedFacts{facts: m, names: map[string]factName{}}
			n.record(name.column+"_", parsed)
			return
		}
	}
	if m[name.own] == "" {
		m[name.own] = text
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
func tellTable(ctx context.Context, flat *flatTable, loc clock, piece func(recount.Piece) error) error {
	names := make([]factName, len(flat.table.Header))
	for i, column := range flat.table.Header {
		names[i] = factNameOf(column)
	}
	if flat.params != nil {
		g := recount.Gatherer{Piece: piece}
		if err := tellParams(ctx, flat, names, loc, g.Add); err != nil {
			return err
		}
		return g.End()
	}
	return flat.table.EachChunk(ctx, func(chunk *rows.Chunk) error {
		return piece(func(yield func(*recount.Fact)) error {
			own := facts{}
			for row := range chunk.Rows() {
				f := recount.Fact{Origin: pipeline.Origin{Input: flat.table.Input.Name, Row: row.Number}}
				if row.Err == nil {
					clear(own)
					for i, cell := range row.Cells {
						own.set(names[i], cell)
					}
					own.tell(&f, loc)
				}
				yield(&f)
			}
			chunk.Release()
			return chunk.Err()
		})
	})
}

// tellParams tells the events whose parameters have a row each.
func tellParams(ctx context.Context, flat *flatTable, names []factName, loc clock, yield func(*recount.Fact) error) error {
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
	err := flat.table.Each(ctx, func(row *rows.Row) error {
		f := &recount.Fact{Origin: pipeline.Origin{Input: flat.table.Input.Name, Row: row.Number}}
		if row.Err != nil {
			return errors.Join(end(), yield(f))
		}
		own := facts{}
		var key, value string
		for i, cell := range row.Cells {
			switch name := names[i].column; {
			case i == flat.params.key:
				key = cell
			case strings.HasSuffix(name, "_value") || strings.HasSuffix(name, "_value_string_value"):
				if value == "" {
					value = cell
				}
			default:
				own.set(names[i], cell)
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
	})
	if err != nil {
		return err
	}
	return end()
}
