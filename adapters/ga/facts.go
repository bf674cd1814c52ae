package ga

import (
	"context"
	"errors"
	"io"
	"regexp"
	"strconv"
	"strings"
	"time"

	"hopper/adapters"
	"hopper/adapters/input"
	"hopper/adapters/input/rows"
	"hopper/adapters/input/rows/record"
	"hopper/pipeline"
	"hopper/pipeline/recount"
)

// tell yields what the rows of event-level exports say, for
// [recount.Compare]. It shares with the translation what the inputs are and
// how containers are read; the rest it looks up by name. Reports have no rows
// of events.
func tell(ctx context.Context, inputs []*input.Input, opt adapters.Options, yield func(*recount.Fact) error) error {
	var all []recognized
	for _, in := range inputs {
		r, err := recognize(ctx, in)
		if err != nil {
			return err
		}
		switch r.shape {
		case bigQuery, flattened, universal:
			all = append(all, r)
		}
	}
	all, _ = withoutSuperseded(all)
	for _, r := range all {
		if err := tellInput(ctx, r, opt.Location(), yield); err != nil {
			return err
		}
	}
	return nil
}

func tellInput(ctx context.Context, r recognized, loc *time.Location, yield func(*recount.Fact) error) error {
	if r.tables != nil {
		for _, t := range r.tables {
			if err := tellTable(ctx, t, loc, yield); err != nil {
				return err
			}
		}
		return nil
	}
	wanted := func(path string) bool {
		top, _, _ := strings.Cut(path, ".")
		switch top {
		case "event_name", "event_timestamp", "user_pseudo_id", "device", "geo", "app_info", "event_params", "event_dimensions":
			return true
		}
		return r.shape != bigQuery
	}
	records, err := record.Open(ctx, r.in, wanted)
	if err != nil {
		return err
	}
	defer records.Close()
	for {
		chunk, err := records.Next(ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		var stopped error
		err = chunk.Read(func(rec *record.Record) {
			if stopped != nil {
				return
			}
			f := &recount.Fact{Origin: pipeline.Origin{Input: r.in.Name, Row: rec.Row}}
			switch {
			case rec.Err != nil:
				stopped = yield(f)
			case r.shape == universal:
				stopped = tellSession(f, rec.Root, yield)
			default:
				named := facts{}
				named.record("", rec.Root)
				named.tell(f, loc)
				stopped = yield(f)
			}
		})
		if err = errors.Join(err, stopped); err != nil {
			return err
		}
	}
}

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
			if name == "event_params" {
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
		if parsed, err := record.Parse(text); err == nil {
			m.params(parsed)
		}
		return
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
		key, value := e.Get("key").String(), e.Get("value")
		switch {
		case key == "":
			key, value = e.Key, e
		case value == nil:
			value = e
		}
		text := value.String()
		if value != nil && value.Kind == record.Object {
			for _, kid := range value.Kids {
				if text == "" && strings.HasSuffix(kid.Key, "_value") {
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

func toldText(s string) string {
	s = strings.TrimSpace(s)
	switch {
	case s == "", s == "null", s == "not set", s == "not available in demo dataset",
		s[0] == '(' && s[len(s)-1] == ')', s[0] == '<' && s[len(s)-1] == '>':
		return ""
	}
	return s
}

// tell fills in a fact from the values of a GA4 event. Queries that flatten
// the export give its fields all kinds of names.
func (m facts) tell(f *recount.Fact, loc *time.Location) {
	f.At = momentOf(m.get("event_timestamp", "event_timestamp_micros", "event_timestamp_utc", "event_datetime", "event_time", "timestamp", "time", "ts"), loc)
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
	for _, name := range []string{"event_name", "event", "eventname"} {
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

// address matches what a link can lead to.
var address = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*://[^/ \t\r\n][^ \t\r\n]*$`)

// momentOf reads a count of seconds, milli- or microseconds, or a date and
// time; 0 is none.
func momentOf(s string, loc *time.Location) pipeline.Micros {
	if n, err := strconv.ParseInt(strings.TrimSuffix(s, ".0"), 10, 64); err == nil {
		switch digits := len(strconv.FormatInt(n, 10)); {
		case n <= 0 || digits > 17:
			return 0
		case digits > 14:
			return pipeline.Micros(n)
		case digits > 11:
			return pipeline.Micros(n * 1e3)
		default:
			return pipeline.Micros(n * 1e6)
		}
	}
	if utc, found := strings.CutSuffix(s, " UTC"); found {
		s, loc = utc, time.UTC
	}
	s = strings.Replace(s, "T", " ", 1)
	for _, layout := range []string{time.DateTime, time.DateTime + "Z07:00", time.DateTime + "Z07"} {
		if t, err := time.ParseInLocation(layout, s, loc); err == nil {
			return pipeline.MicrosOf(t)
		}
	}
	return 0
}

// addressOf returns the host and the path of a page's address.
func addressOf(u string) (host, path string) {
	if i := strings.IndexAny(u, "?#"); i >= 0 {
		u = u[:i]
	}
	rest, found := strings.CutPrefix(u, "//")
	if !found {
		_, rest, found = strings.Cut(u, "://")
	}
	if first, _, _ := strings.Cut(u, "/"); !found && strings.Contains(first, ".") {
		rest, found = u, true // an address without its scheme
	}
	if !found {
		return "", u
	}
	host, path, _ = strings.Cut(rest, "/")
	return host, "/" + path
}

// tellTable tells the rows of a table, and where rows are parameters, the
// events that rows of the same event make.
func tellTable(ctx context.Context, flat *flatTable, loc *time.Location, yield func(*recount.Fact) error) error {
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
		if open != nil && of == id && !keys[key] {
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

// tellSession tells the hits of a session of Universal Analytics. Where the
// session came from is told where its first hit has a referrer: else the
// traffic source may have it.
func tellSession(f *recount.Fact, root *record.Value, yield func(*recount.Fact) error) error {
	at := func(v *record.Value, path ...string) string {
		for _, key := range path {
			v = v.Get(key)
		}
		return toldText(v.String())
	}
	or := func(texts ...string) string {
		for _, s := range texts {
			if s != "" {
				return s
			}
		}
		return ""
	}
	start, _ := strconv.ParseInt(or(at(root, "visitStartTime"), at(root, "visitId")), 10, 64)
	f.Visitor = or(at(root, "fullVisitorId"), at(root, "clientId"), at(root, "visitorId"))
	if f.Visitor != "" {
		f.Session = f.Visitor + " " + or(at(root, "visitId"), at(root, "visitStartTime"))
	}
	f.Device, f.Browser, f.OS = at(root, "device", "deviceCategory"), at(root, "device", "browser"), at(root, "device", "operatingSystem")
	f.Country = at(root, "geoNetwork", "country")
	hits := root.Get("hits").Elements()
	if len(hits) == 0 {
		return yield(f)
	}
	referred := at(&hits[0], "referer") != ""
	for i := range hits {
		h, hit := &hits[i], *f
		ms, err := strconv.ParseInt(or(at(h, "time"), "0"), 10, 64)
		if err == nil && start > 0 && ms >= 0 && ms <= maxHit {
			hit.At = pipeline.Micros(start*1e6 + ms*1e3)
		}
		hit.Host = at(h, "page", "hostname")
		_, hit.Page = addressOf(at(h, "page", "pagePath"))
		if screen := at(h, "appInfo", "screenName"); hit.Page == "" && screen != "" {
			hit.Page = "/" + strings.TrimPrefix(screen, "/")
		}
		if referred {
			hit.Referrer = or(at(h, "referer"), recount.None)
		}
		hit.Kind = pipeline.Custom
		switch kind := h.Get("type").String(); kind {
		case "PAGE", "APPVIEW", "SCREENVIEW":
			hit.Kind = pipeline.Pageview
		case "EXCEPTION":
			hit.Kind = pipeline.Error
		case "EVENT":
			hit.Name = or(strings.TrimSpace(h.Get("eventInfo").Get("eventAction").String()), "(not set)")
		case "SOCIAL":
			hit.Name = or(at(h, "social", "socialInteractionAction"), "social")
		default:
			hit.Name = or(strings.ToLower(kind), "(not set)")
		}
		if err := yield(&hit); err != nil {
			return err
		}
	}
	return nil
}
