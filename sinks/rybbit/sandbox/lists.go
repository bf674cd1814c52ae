package sandbox

import (
	"strconv"
	"strings"
)

func (q *query) errorNames() (any, error) {
	limit, err := q.limit("limit", 10)
	if err != nil {
		return nil, err
	}
	return q.rows(`SELECT coalesce(json_extract(props, '$.message'), '') AS value, event_name AS errorName, count(*) AS count,
		count(DISTINCT session_id) AS sessionCount, round(100.0 * count(*) / sum(count(*)) OVER (), 2) AS percentage
		FROM chosen WHERE kind = 'error' GROUP BY 1, 2 ORDER BY count DESC, 1` + limit)
}

func (q *query) eventNames() (any, error) {
	return q.rows(`SELECT event_name AS eventName, count(*) AS count FROM chosen WHERE kind = 'custom_event'
		GROUP BY 1 ORDER BY count DESC, 1 LIMIT 1000`)
}

func (q *query) eventProperties() (any, error) {
	name := q.params.Get("event_name")
	if name == "" {
		return nil, badf("Missing event_name")
	}
	return q.rows(`SELECT p.key AS propertyKey, CAST(CASE p.type WHEN 'true' THEN 'true' WHEN 'false' THEN 'false' ELSE coalesce(p.value, '') END AS TEXT) AS propertyValue,
		count(*) AS count FROM chosen c, json_each(c.props) p WHERE c.kind = 'custom_event' AND c.event_name = ?
		GROUP BY 1, 2 ORDER BY count DESC, 1, 2`, name)
}

func (q *query) eventCount() (any, error) {
	bucket, err := q.bucket()
	if err != nil {
		return nil, err
	}
	rows, err := q.rows(`SELECT rybbit_bucket(second, ?, ?) AS time, sum(kind = 'pageview') AS pageview_count,
		sum(kind = 'custom_event') AS custom_event_count, sum(kind = 'performance') AS performance_count,
		sum(kind = 'outbound') AS outbound_count, sum(kind = 'error') AS error_count, count(*) AS event_count
		FROM chosen GROUP BY 1`, q.selection.zone, bucket)
	if err != nil {
		return nil, err
	}
	empty := row{}
	for _, name := range strings.Fields("pageview_count custom_event_count performance_count outbound_count error_count event_count") {
		empty[name] = int64(0)
	}
	return q.fill(bucket, empty, rows), nil
}

func (q *query) outboundLinks() (any, error) {
	return q.rows(`SELECT outbound_url AS url, count(*) AS count, max(second) AS lastClicked FROM chosen WHERE kind = 'outbound'
		GROUP BY 1 ORDER BY count DESC, 1`)
}

// rawEvents are the newest events. The cursor is strictly before a second, so that
// events of that second may be missed.
func (q *query) rawEvents() (any, error) {
	size, err := q.number("page_size", 50)
	if err != nil {
		return nil, err
	}
	before, values := "", []any{}
	if text := q.params.Get("before_timestamp"); text != "" {
		t, err := parseDateTime(text)
		if err != nil {
			return nil, badf("Invalid before_timestamp: %s", text)
		}
		before, values = " AND timestamp < ?", append(values, t.Format(timeLayout))
	}
	data, err := q.rows(`SELECT second AS timestamp, kind AS type, event_name, props AS properties, session_id, user_id, identified_user_id,
		hostname, pathname, querystring, page_title, referrer, browser, browser_version, operating_system, operating_system_version,
		language, country, region, city, device_type, outbound_url, outbound_text
		FROM chosen WHERE kind NOT IN ('performance', 'error')`+before+` ORDER BY place DESC LIMIT `+strconv.Itoa(size+1), values...)
	if err != nil {
		return nil, err
	}
	more := len(data) > size
	data = data[:min(len(data), size)]
	var oldest any
	if len(data) > 0 {
		oldest = data[len(data)-1]["timestamp"]
	}
	return answered{"data": data, "cursor": row{"hasMore": more, "oldestTimestamp": oldest}}, nil
}

// unknownCountry is how ClickHouse pads a country that is empty.
const unknownCountry = "CASE WHEN country = '' THEN char(0, 0) ELSE country END AS country"

func (q *query) sessionList() (any, error) {
	limit, err := q.limit("limit", 100)
	if err != nil {
		return nil, err
	}
	where, values := " WHERE 1", []any{}
	for _, name := range []string{"session_id", "user_id"} {
		if v := q.params.Get(name); v != "" {
			where, values = where+" AND "+name+" = ?", append(values, v)
		}
	}
	if q.params.Get("identified_only") == "true" {
		where += " AND identified_user_id <> ''"
	}
	for name, column := range map[string]string{"min_pageviews": "pageviews", "min_events": "events", "min_duration": "session_duration"} {
		least, err := q.number(name, 0)
		if err != nil {
			return nil, err
		}
		if least > 0 {
			where += " AND " + column + " >= " + strconv.Itoa(least)
		}
	}
	columns := ""
	for _, name := range strings.Fields(`user_id identified_user_id country region city language device_type browser browser_version
		operating_system operating_system_version referrer hostname utm_source utm_medium utm_campaign utm_term utm_content`) {
		expr := name
		if strings.HasPrefix(name, "utm_") {
			expr, _ = eventValue(name)
		}
		columns += ", " + firstWith(expr) + " AS " + name
	}
	columns += ", " + sessionChannel() + " AS channel"
	return q.rows(`, listed AS (SELECT session_id`+columns+`, min(second) AS session_start, max(second) AS session_end,
		strftime('%s', max(second)) - strftime('%s', min(second)) AS session_duration,
		`+entryPage+` AS entry_page, `+exitPage+` AS exit_page,
		sum(kind = 'pageview') AS pageviews, sum(kind = 'custom_event') AS events, sum(kind = 'error') AS errors,
		sum(kind = 'outbound') AS outbound FROM chosen GROUP BY session_id)
		SELECT *, `+unknownCountry+` FROM listed`+where+` ORDER BY session_end DESC, session_id`+limit, values...)
}

func (q *query) userList() (any, error) {
	limit, err := q.limit("page_size", 20)
	if err != nil {
		return nil, err
	}
	by, order := q.params.Get("sort_by"), strings.ToUpper(q.params.Get("sort_order"))
	switch by {
	case "":
		by = "last_seen"
	case "first_seen", "last_seen", "pageviews", "sessions", "events":
	default:
		return nil, badf("Invalid sort_by: %s", by)
	}
	if order != "ASC" {
		order = "DESC"
	}
	where, values := " WHERE 1", []any{}
	if q.params.Get("identified_only") == "true" {
		where += " AND identified_user_id <> ''"
	}
	if search := q.params.Get("search"); search != "" {
		where += " AND (instr(lower(identified_user_id), lower(?)) > 0 OR instr(lower(user_id), lower(?)) > 0)"
		values = append(values, search, search)
	}
	data, err := q.rows(`, named AS (SELECT *, CASE WHEN identified_user_id <> '' THEN identified_user_id ELSE user_id END AS effective FROM chosen),
		listed AS (SELECT effective AS effective_user_id, max(user_id) AS user_id, max(identified_user_id) AS identified_user_id,
		sum(kind = 'pageview') AS pageviews, sum(kind = 'custom_event') AS events, count(DISTINCT session_id) AS sessions,
		min(second) AS first_seen, max(second) AS last_seen, max(country) AS country FROM named GROUP BY effective)
		SELECT *, `+unknownCountry+`, count(*) OVER () AS total FROM listed`+where+` ORDER BY `+by+` `+order+`, effective_user_id`+limit, values...)
	if err != nil {
		return nil, err
	}
	total := int64(0)
	for _, r := range data {
		total = r["total"].(int64)
		delete(r, "total")
	}
	return answered{"data": data, "totalCount": total}, nil
}
