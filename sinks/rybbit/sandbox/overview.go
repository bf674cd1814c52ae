package sandbox

import (
	"strconv"
	"time"
)

func (q *query) overview() (any, error) {
	counts, err := q.one(`SELECT count(DISTINCT user_id) AS users, coalesce(sum(kind = 'pageview'), 0) AS pageviews FROM chosen`)
	if err != nil {
		return nil, err
	}
	sessions, err := q.one(`SELECT count(*) AS sessions, avg(pageviews) AS pages_per_session,
		100.0 * sum(bounce) / count(*) AS bounce_rate, avg(duration) AS session_duration FROM session`)
	if err != nil {
		return nil, err
	}
	for name, v := range counts {
		sessions[name] = v
	}
	return sessions, nil
}

// timeSeries counts sessions in the bucket of their first event, and pageviews and
// users in the bucket of each event.
func (q *query) timeSeries() (any, error) {
	bucket, err := q.bucket()
	if err != nil {
		return nil, err
	}
	sessions, err := q.rows(`SELECT rybbit_bucket(first, ?, ?) AS time, count(*) AS sessions, avg(pageviews) AS pages_per_session,
		100.0 * sum(bounce) / count(*) AS bounce_rate, avg(duration) AS session_duration FROM session GROUP BY 1`, q.selection.zone, bucket)
	if err != nil {
		return nil, err
	}
	events, err := q.rows(`SELECT rybbit_bucket(second, ?, ?) AS time, count(DISTINCT user_id) AS users,
		sum(kind = 'pageview') AS pageviews FROM chosen GROUP BY 1`, q.selection.zone, bucket)
	if err != nil {
		return nil, err
	}
	empty := row{"sessions": int64(0), "pages_per_session": nil, "bounce_rate": nil, "session_duration": nil, "users": int64(0), "pageviews": int64(0)}
	return q.fill(bucket, empty, sessions, events), nil
}

// fill merges rows by their time and adds the empty buckets between them.
func (q *query) fill(bucket string, empty row, lists ...[]row) []row {
	byTime := make(map[string]row)
	first, last := "", ""
	for _, list := range lists {
		for _, r := range list {
			at := r["time"].(string)
			if first == "" || at < first {
				first = at
			}
			last = max(last, at)
			if byTime[at] == nil {
				byTime[at] = merged(empty, row{"time": at})
			}
			byTime[at] = merged(byTime[at], r)
		}
	}
	start, end := wallTime(first), wallTime(last)
	if !q.selection.from.IsZero() {
		start = startOfBucket(q.selection.from.In(q.selection.location), bucket)
		end = startOfBucket(q.selection.to.Add(-time.Second).In(q.selection.location), bucket)
	}
	filled := []row{}
	for at := start; !at.IsZero() && !at.After(end); at = nextBucket(at, bucket) {
		text := at.Format(time.DateTime)
		r := byTime[text]
		if r == nil {
			r = merged(empty, row{"time": text})
		}
		filled = append(filled, r)
	}
	return filled
}

func wallTime(s string) time.Time {
	t, _ := time.Parse(time.DateTime, s) // nothing stays zero
	return t
}

func merged(a, b row) row {
	m := make(row, len(a)+len(b))
	for name, v := range a {
		m[name] = v
	}
	for name, v := range b {
		m[name] = v
	}
	return m
}

// metric counts by one parameter.
func (q *query) metric() (any, error) {
	parameter := q.params.Get("parameter")
	if parameter == "" {
		return nil, badf("Missing parameter")
	}
	limit, err := q.limit("limit", 100)
	if err != nil {
		return nil, err
	}
	groups, err := metricGroups(parameter)
	if err != nil {
		return nil, err
	}
	data, err := q.rows(`, counted AS (` + groups + `) SELECT value, count, round(100.0 * count / sum(count) OVER (), 2) AS percentage, pageviews,
		round(100.0 * pageviews / nullif(sum(pageviews) OVER (), 0), 2) AS pageviews_percentage, round(bounce_rate, 2) AS bounce_rate,
		count(*) OVER () AS total FROM counted ORDER BY count DESC, value` + limit)
	if err != nil {
		return nil, err
	}
	total := int64(0)
	for _, r := range data {
		total = r["total"].(int64)
		delete(r, "total")
	}
	return row{"data": data, "totalCount": total}, nil
}

// metricGroups is the query that counts by a parameter: sessions as count, but for
// event names.
func metricGroups(parameter string) (string, error) {
	const bySession = `SELECT value, count(*) AS count, count(*) AS pageviews, 100.0 * sum(bounce) / count(*) AS bounce_rate
		FROM (SELECT s.bounce AS bounce, v.value AS value FROM session s JOIN (`
	const ofSession = `) v USING (session_id)) WHERE value <> '' GROUP BY value`
	switch parameter {
	case "pathname": // its pageviews are events of every type
		return `SELECT value, count(*) AS count, sum(n) AS pageviews, 100.0 * sum(bounce) / count(*) AS bounce_rate
			FROM (SELECT c.pathname AS value, count(*) AS n, s.bounce AS bounce FROM chosen c JOIN session s USING (session_id)
				WHERE c.pathname <> '' GROUP BY c.pathname, c.session_id) GROUP BY value`, nil
	case "entry_page":
		return bySession + `SELECT session_id, ` + entryPage + ` AS value FROM chosen GROUP BY 1` + ofSession, nil
	case "exit_page":
		return bySession + `SELECT session_id, ` + exitPage + ` AS value FROM chosen GROUP BY 1` + ofSession, nil
	case "event_name":
		return `SELECT event_name AS value, count(*) AS count, count(*) AS pageviews, NULL AS bounce_rate
			FROM chosen WHERE kind = 'custom_event' GROUP BY 1`, nil
	case "channel":
		return bySession + `SELECT session_id, ` + sessionChannel() + ` AS value FROM chosen GROUP BY 1` + ofSession, nil
	}
	value, ok := eventValue(parameter)
	if !ok {
		return "", errUnknownParameter
	}
	return bySession + `SELECT session_id, ` + firstWith(value) + ` AS value FROM chosen GROUP BY 1` + ofSession, nil
}

func (q *query) pageTitles() (any, error) {
	limit, err := q.limit("limit", 10)
	if err != nil {
		return nil, err
	}
	data, err := q.rows(`, next AS (SELECT *, lead(second) OVER (PARTITION BY session_id ORDER BY place) AS until FROM chosen),
		viewed AS (SELECT n.page_title AS value, n.session_id, min(n.pathname) AS pathname, count(*) AS views, s.bounce AS bounce,
			avg(strftime('%s', n.until) - strftime('%s', n.second)) AS stay
			FROM next n JOIN session s USING (session_id) WHERE n.kind = 'pageview' AND n.page_title <> '' GROUP BY 1, 2)
		SELECT value, min(pathname) AS pathname, count(*) AS count, round(100.0 * count(*) / sum(count(*)) OVER (), 2) AS percentage,
			sum(views) AS pageviews, round(100.0 * sum(bounce) / count(*), 2) AS bounce_rate, avg(stay) AS time_on_page_seconds,
			count(*) OVER () AS total
		FROM viewed GROUP BY value ORDER BY count DESC, value` + limit)
	if err != nil {
		return nil, err
	}
	total := int64(0)
	for _, r := range data {
		total = r["total"].(int64)
		delete(r, "total")
	}
	if q.params.Get("page") == "" {
		return data, nil
	}
	return row{"data": data, "totalCount": total}, nil
}

// performance gives percentiles of the web vitals, each the smallest value that is
// not exceeded by that share.
func (q *query) performance() (any, error) {
	answer, err := q.one(`SELECT count(*) AS total_performance_events FROM chosen WHERE kind = 'performance'`)
	if err != nil {
		return nil, err
	}
	for _, vital := range []string{"lcp", "cls", "inp", "fcp", "ttfb"} {
		values, err := q.rows(`SELECT ` + vital + ` AS v FROM chosen WHERE kind = 'performance' AND ` + vital + ` IS NOT NULL ORDER BY 1`)
		if err != nil {
			return nil, err
		}
		for _, percent := range []int{50, 75, 90, 99} {
			name := vital + "_p" + strconv.Itoa(percent)
			answer[name] = nil
			if len(values) > 0 {
				answer[name] = values[(len(values)*percent+99)/100-1]["v"]
			}
		}
	}
	return answer, nil
}
