package sandbox

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// selection is which events a statistic is about: a range of time and filters.
type selection struct {
	site     string
	zone     string
	location *time.Location
	from, to time.Time // to is exclusive; zero where there is no bound
	events   []condition
	sessions []condition
}

// condition is a part of an SQL condition, with its values.
type condition struct {
	text   string
	values []any
}

// badParameter is a parameter that cannot be understood.
type badParameter struct{ error }

func badf(format string, args ...any) error { return badParameter{fmt.Errorf(format, args...)} }

// newSelection reads the parameters that all statistics share.
func newSelection(site string, q url.Values, now time.Time) (selection, error) {
	s := selection{site: site, zone: q.Get("time_zone")}
	if s.zone == "" {
		s.zone = "UTC"
	}
	var err error
	if s.location, err = knownZones.get(s.zone); err != nil {
		return s, badf("Invalid time_zone: %s", s.zone)
	}
	if err := s.readRange(q, now.UTC()); err != nil {
		return s, err
	}
	return s, s.readFilters(q.Get("filters"))
}

func (s *selection) readRange(q url.Values, now time.Time) error {
	first, last := q.Get("start_date"), q.Get("end_date")
	from, to := q.Get("start_datetime"), q.Get("end_datetime")
	past, until := q.Get("past_minutes_start"), q.Get("past_minutes_end")
	var err error
	switch {
	case first != "" || last != "":
		return s.readDays(first, last, now)
	case from != "" || to != "":
		if s.from, err = parseDateTime(from); err != nil {
			return badf("Invalid start_datetime: %s", from)
		}
		if s.to, err = parseDateTime(to); err != nil {
			return badf("Invalid end_datetime: %s", to)
		}
	case past != "" || until != "":
		begin, err1 := strconv.Atoi(past)
		end, err2 := strconv.Atoi(until)
		if err1 != nil || err2 != nil || begin <= end {
			return badf("Invalid past_minutes_start or past_minutes_end")
		}
		s.from, s.to = now.Add(-time.Duration(begin)*time.Minute), now.Add(-time.Duration(end)*time.Minute)
	}
	return nil
}

// readDays reads a range of whole days; today ends now.
func (s *selection) readDays(first, last string, now time.Time) error {
	begin, err1 := time.ParseInLocation(time.DateOnly, first, s.location)
	end, err2 := time.ParseInLocation(time.DateOnly, last, s.location)
	if err1 != nil || err2 != nil {
		return badf("Invalid start_date or end_date")
	}
	s.from, s.to = begin.UTC(), end.AddDate(0, 0, 1).UTC()
	if now.In(s.location).Format(time.DateOnly) == last {
		s.to = now.Add(time.Second).Truncate(time.Second)
	}
	return nil
}

func parseDateTime(s string) (time.Time, error) {
	for _, layout := range []string{time.DateTime, "2006-01-02 15:04:05Z07:00"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, badf("no time: %s", s)
}

// sessionFilters are the parameters that a filter looks for in whole sessions.
var sessionFilters = []string{"channel", "event_name", "entry_page", "exit_page"}

func (s *selection) readFilters(text string) error {
	if text == "" {
		return nil
	}
	var filters []struct {
		Parameter, Type string
		Value           []any
	}
	if err := json.Unmarshal([]byte(text), &filters); err != nil {
		return badf("Invalid filters")
	}
	for _, f := range filters {
		bySession := slices.Contains(sessionFilters, f.Parameter)
		expr, ok := eventValue(f.Parameter)
		switch f.Parameter {
		case "entry_page", "exit_page":
			expr, ok = f.Parameter, true
		case "channel":
			expr = "channel"
		}
		if !ok {
			return badf("Invalid filters: unknown parameter %s", f.Parameter)
		}
		c, err := newCondition(expr, f.Type, f.Value)
		if err != nil {
			return err
		}
		switch {
		case f.Parameter == "event_name":
			c.text = "session_id IN (SELECT session_id FROM base WHERE kind = 'custom_event' AND " + c.text + ")"
			s.sessions = append(s.sessions, c)
		case bySession:
			s.sessions = append(s.sessions, c)
		default:
			s.events = append(s.events, c)
		}
	}
	return nil
}

func newCondition(expr, kind string, values []any) (condition, error) {
	var one, glue string
	pattern := "%s"
	switch kind {
	case "is_null":
		return condition{text: "(" + expr + " = '')"}, nil
	case "is_not_null":
		return condition{text: "(" + expr + " <> '')"}, nil
	case "equals":
		one, glue = expr+" = ?", " OR "
	case "not_equals":
		one, glue = expr+" <> ?", " AND "
	case "contains":
		one, glue, pattern = expr+` LIKE ? ESCAPE '\'`, " OR ", "%%%s%%"
	case "not_contains":
		one, glue, pattern = expr+` NOT LIKE ? ESCAPE '\'`, " AND ", "%%%s%%"
	default:
		return condition{}, badf("Invalid filters: unknown type %s", kind)
	}
	if len(values) == 0 {
		return condition{}, badf("Invalid filters: no value")
	}
	var c condition
	for _, v := range values {
		text := fmt.Sprint(v)
		if strings.Contains(pattern, "%%%") {
			text = strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(text)
		}
		c.values = append(c.values, fmt.Sprintf(pattern, text))
	}
	c.text = "(" + strings.Repeat(one+glue, len(values)-1) + one + ")"
	return c, nil
}

// eventValue returns the SQL expression for a parameter's value of an event.
func eventValue(parameter string) (expr string, ok bool) {
	switch parameter {
	case "pathname", "page_title", "country", "region", "browser", "operating_system", "device_type", "language",
		"hostname", "event_name", "querystring", "timezone", "user_id":
		return parameter, true
	case "tag":
		return "''", true
	case "referrer":
		return "rybbit_host(referrer)", true
	case "channel":
		return "coalesce(nullif(nullif(" + eventChannel + ", 'Direct'), 'Internal'), '')", true
	case "city":
		return "region || '-' || city", true
	case "browser_version":
		return "CASE WHEN browser <> '' THEN browser || ' ' || browser_version ELSE '' END", true
	case "operating_system_version":
		return `CASE WHEN operating_system = 'Windows' AND operating_system_version IN ('10', '11') THEN 'Windows 10/11'
			WHEN operating_system <> '' THEN operating_system || ' ' || operating_system_version ELSE '' END`, true
	case "dimensions":
		return "coalesce(screen_width, 0) || 'x' || coalesce(screen_height, 0)", true
	}
	if strings.HasPrefix(parameter, "utm_") && slices.Contains(utmNames, parameter[len("utm_"):]) {
		return "rybbit_param(querystring, '" + parameter + "')", true
	}
	if name, isParam := strings.CutPrefix(parameter, "url_param:"); isParam {
		return "rybbit_param(querystring, '" + strings.ReplaceAll(name, "'", "''") + "')", true
	}
	return "''", strings.HasPrefix(parameter, "feature_flag:")
}

var utmNames = []string{"source", "medium", "campaign", "term", "content"}

// The entry and exit page of a session: of its first and last event of any type.
const (
	entryPage = "substr(min(place || pathname), 36)"
	exitPage  = "substr(max(last_place || pathname), 36)"
)

// sessionChannel is the channel of a session's first event that came from anywhere.
func sessionChannel() string {
	value, _ := eventValue("channel")
	return "coalesce(nullif(" + firstWith(value) + ", ''), 'Direct')"
}

const eventChannel = "rybbit_channel(referrer, querystring, hostname)"

// firstWith is the aggregate of a session that gives the value of its first event
// that has one: by whole seconds, and of equals the one stored first.
func firstWith(expr string) string {
	return "coalesce(substr(min(CASE WHEN " + expr + " <> '' THEN place || " + expr + " END), 36), '')"
}

// with begins a query on the events selected. It defines base (the events of the
// range, with their second and their place in the order of seconds), whole (the
// sessions of base), chosen (the events that the filters leave), and session (the
// sessions as far as they were chosen).
func (s *selection) with() (string, []any) {
	var values []any
	where := "site = ?"
	values = append(values, s.site)
	if !s.from.IsZero() || !s.to.IsZero() {
		where += " AND timestamp >= ? AND timestamp < ?"
		values = append(values, s.from.Format(timeLayout), s.to.Format(timeLayout))
	}
	filters := ""
	for _, c := range s.events {
		filters += " AND " + c.text
		values = append(values, c.values...)
	}
	if len(s.sessions) > 0 {
		filters += " AND session_id IN (SELECT session_id FROM whole WHERE 1"
		for _, c := range s.sessions {
			filters += " AND " + c.text
			values = append(values, c.values...)
		}
		filters += ")"
	}
	return `WITH base AS NOT MATERIALIZED (SELECT *, substr(timestamp, 1, 19) AS second,
		substr(timestamp, 1, 19) || (1000000000000000 + id) AS place,
		substr(timestamp, 1, 19) || (1999999999999999 - id) AS last_place
		FROM events WHERE ` + where + `),
	` + s.whole() + `
	chosen AS NOT MATERIALIZED (SELECT * FROM base WHERE 1` + filters + `),
	` + s.chosenSessions() + ` `, values
}

// whole is the part of with that defines the sessions before filters, with no more
// than the filters ask for.
func (s *selection) whole() string {
	values := ""
	for _, c := range s.sessions {
		switch {
		case strings.Contains(c.text, "entry_page"):
			values += ", " + entryPage + " AS entry_page"
		case strings.Contains(c.text, "exit_page"):
			values += ", " + exitPage + " AS exit_page"
		case strings.Contains(c.text, "channel"):
			values += ", " + sessionChannel() + " AS channel"
		}
	}
	return "whole AS (SELECT session_id, sum(kind = 'pageview') AS pageviews" + values + " FROM base GROUP BY session_id),"
}

// chosenSessions is the part of with that defines session: pageviews and bounces
// are those of the whole session, times those of the events that are left.
func (s *selection) chosenSessions() string {
	const first = `session_id, min(second) AS first, strftime('%s', max(second)) - strftime('%s', min(second)) AS duration`
	if len(s.events)+len(s.sessions) == 0 {
		return "session AS (SELECT " + first + `, sum(kind = 'pageview') AS pageviews, sum(kind = 'pageview') = 1 AS bounce
			FROM chosen GROUP BY session_id)`
	}
	return "session AS (SELECT f.*, w.pageviews AS pageviews, w.pageviews = 1 AS bounce FROM (SELECT " + first + `
		FROM chosen GROUP BY session_id) AS f JOIN whole w USING (session_id))`
}
