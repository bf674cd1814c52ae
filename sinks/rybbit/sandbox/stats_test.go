package sandbox

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// get asks for a path below /api with the box's key.
func (b *box) get(path string) answer {
	b.Helper()
	return b.call("GET", path, "")
}

func (b *box) call(method, path, body string) answer {
	b.Helper()
	req, err := http.NewRequestWithContext(b.Context(), method, b.http.URL+"/api"+path, strings.NewReader(body))
	if err != nil {
		b.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+b.key)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		b.Fatal(err)
	}
	return readAnswer(b, resp)
}

func readAnswer(b *box, resp *http.Response) answer {
	b.Helper()
	defer resp.Body.Close()
	content, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, string(content), resp.Header, err}
}

// site fills a box with three visits that hold the traps: a bounce with a custom
// event, first and last events within a second, and a visit across midnight.
func siteWithTraps(t *testing.T, opts Options) (*box, string) {
	opts.Release = "2.7"
	b := newBox(t, opts)
	id := b.create("plausible")
	at := func(session, user, kind, page, time string, more ...any) map[string]any {
		name := ""
		if kind != pageview {
			name = "123"
		}
		return with(plausibleEvent, append([]any{"session_id", session, "user_id", user, "type", kind, "event_name", name, "pathname", page, "timestamp", time,
			"props", `{"seats":30,"plan":"pro"}`, "querystring", "", "referrer", ""}, more...)...)
	}
	const s1, s2, s3 = "10000000-0000-0000-0000-000000000000", "20000000-0000-0000-0000-000000000000", "30000000-0000-0000-0000-000000000000"
	const ada, bob = "a0000000-0000-0000-0000-000000000000", "b0000000-0000-0000-0000-000000000000"
	b.mustPost(id, true,
		at(s1, ada, pageview, "/a", "2025-03-01 10:00:00", "referrer", "https://www.google.com/x", "querystring", "?utm_source=News&a=1"),
		at(s1, ada, customEvent, "/a", "2025-03-01 10:00:40"), // a bounce all the same
		at(s2, bob, pageview, "/a", "2025-03-01 11:00:00", "country", "", "region", "", "city", "", "browser_version", ""),
		at(s2, bob, pageview, "/b", "2025-03-01 11:00:00"), // a tie: entry and exit are /a
		at(s3, ada, pageview, "/b", "2025-03-01 23:30:00"),
		at(s3, ada, pageview, "/c", "2025-03-02 00:30:00"),
	)
	return b, id
}

func TestStatistics(t *testing.T) {
	b, _ := siteWithTraps(t, Options{})
	for _, tt := range []struct{ path, want string }{
		{"overview", `{"bounce_rate":33.333333333333336,"pages_per_session":1.6666666666666667,"pageviews":5,"session_duration":1213.3333333333333,"sessions":3,"users":2}`},
		{"overview?start_date=2025-03-02&end_date=2025-03-02", `{"bounce_rate":100,"pages_per_session":1,"pageviews":1,"session_duration":0,"sessions":1,"users":1}`},
		{"overview?start_date=2025-03-02&end_date=2025-03-02&time_zone=Europe/Berlin", `{"bounce_rate":0,"pages_per_session":2,"pageviews":2,"session_duration":3600,"sessions":1,"users":1}`},
		{"overview?start_datetime=2025-03-01 11:00:00&end_datetime=2025-03-01 12:30:00%2B01:00", `{"bounce_rate":0,"pages_per_session":2,"pageviews":2,"session_duration":0,"sessions":1,"users":1}`},
		{"overview?start_date=2024-01-01&end_date=2024-01-02", `{"bounce_rate":null,"pages_per_session":null,"pageviews":0,"session_duration":null,"sessions":0,"users":0}`},
		{`overview?filters=[{"parameter":"pathname","type":"equals","value":["/a"]}]`, `{"bounce_rate":50,"pages_per_session":1.5,"pageviews":2,"session_duration":20,"sessions":2,"users":2}`},
		{`overview?filters=[{"parameter":"entry_page","type":"equals","value":["/b"]}]`, `{"bounce_rate":0,"pages_per_session":2,"pageviews":2,"session_duration":3600,"sessions":1,"users":1}`},
		{`overview?filters=[{"parameter":"event_name","type":"equals","value":["123"]}]`, `{"bounce_rate":100,"pages_per_session":1,"pageviews":1,"session_duration":40,"sessions":1,"users":1}`},
		{`overview?filters=[{"parameter":"channel","type":"equals","value":["Organic Search"]}]`, `{"bounce_rate":100,"pages_per_session":1,"pageviews":1,"session_duration":40,"sessions":1,"users":1}`},
		{`overview?filters=[{"parameter":"utm_source","type":"equals","value":["News"]}]`, `{"bounce_rate":100,"pages_per_session":1,"pageviews":1,"session_duration":0,"sessions":1,"users":1}`},
		{"overview/time-series?bucket=day&start_date=2025-03-01&end_date=2025-03-03", `[` +
			`{"bounce_rate":33.333333333333336,"pages_per_session":1.6666666666666667,"pageviews":4,"session_duration":1213.3333333333333,"sessions":3,"time":"2025-03-01 00:00:00","users":2},` +
			`{"bounce_rate":null,"pages_per_session":null,"pageviews":1,"session_duration":null,"sessions":0,"time":"2025-03-02 00:00:00","users":1},` +
			`{"bounce_rate":null,"pages_per_session":null,"pageviews":0,"session_duration":null,"sessions":0,"time":"2025-03-03 00:00:00","users":0}]`},
		{"metric?parameter=pathname", `{"data":[` +
			`{"bounce_rate":50,"count":2,"pageviews":3,"pageviews_percentage":50,"percentage":40,"value":"/a"},` + // pageviews count the custom event
			`{"bounce_rate":0,"count":2,"pageviews":2,"pageviews_percentage":33.33,"percentage":40,"value":"/b"},` +
			`{"bounce_rate":0,"count":1,"pageviews":1,"pageviews_percentage":16.67,"percentage":20,"value":"/c"}],"totalCount":3}`},
		{"metric?parameter=pathname&limit=1&page=3", `{"data":[{"bounce_rate":0,"count":1,"pageviews":1,"pageviews_percentage":16.67,"percentage":20,"value":"/c"}],"totalCount":3}`},
		{"metric?parameter=exit_page", `{"data":[` +
			`{"bounce_rate":50,"count":2,"pageviews":2,"pageviews_percentage":66.67,"percentage":66.67,"value":"/a"},` +
			`{"bounce_rate":0,"count":1,"pageviews":1,"pageviews_percentage":33.33,"percentage":33.33,"value":"/c"}],"totalCount":2}`},
		{"metric?parameter=referrer", `{"data":[{"bounce_rate":100,"count":1,"pageviews":1,"pageviews_percentage":100,"percentage":100,"value":"google.com"}],"totalCount":1}`},
		{"metric?parameter=utm_source", `{"data":[{"bounce_rate":100,"count":1,"pageviews":1,"pageviews_percentage":100,"percentage":100,"value":"News"}],"totalCount":1}`},
		{"metric?parameter=url_param:a", `{"data":[{"bounce_rate":100,"count":1,"pageviews":1,"pageviews_percentage":100,"percentage":100,"value":1}],"totalCount":1}`},
		{"metric?parameter=event_name", `{"data":[{"bounce_rate":null,"count":1,"pageviews":1,"pageviews_percentage":100,"percentage":100,"value":123}],"totalCount":1}`},
		{"metric?parameter=dimensions", `{"data":[{"bounce_rate":33.33,"count":3,"pageviews":3,"pageviews_percentage":100,"percentage":100,"value":0}],"totalCount":1}`},
		{"metric?parameter=tag", `{"data":[],"totalCount":0}`},
		{"events/names", `[{"count":1,"eventName":123}]`},
		{"events/properties?event_name=123", `[{"count":1,"propertyKey":"plan","propertyValue":"pro"},{"count":1,"propertyKey":"seats","propertyValue":30}]`},
		{"events/count?bucket=month", `[{"custom_event_count":1,"error_count":0,"event_count":6,"outbound_count":0,"pageview_count":5,"performance_count":0,"time":"2025-03-01 00:00:00"}]`},
		{"events/outbound", `[]`},
		{"errors/names", `[]`},
		{"page-titles", `[]`},
		{"page-titles?page=1", `{"data":[],"totalCount":0}`},
	} {
		path, parameters, _ := strings.Cut(tt.path, "?")
		parameters = strings.NewReplacer(" ", "%20", `"`, "%22").Replace(parameters)
		a := b.get("/sites/1/" + path + "?" + parameters)
		if want := `{"data":` + tt.want + `}`; a.status != 200 || a.body != want {
			t.Errorf("%s:\ngot  %d %s\nwant %s", tt.path, a.status, a.body, want)
		}
	}
	for path, status := range map[string]int{
		"metric?parameter=lat": 500, "metric?parameter=nonsense": 500, "metric": 400, "overview?start_date=2025-03-01": 400, "overview?time_zone=Mars": 400,
		"overview/time-series?bucket=decade": 400, "overview?filters=x": 400, `overview?filters=[{"parameter":"country","type":"is_odd"}]`: 400,
		"overview-lite": 404, "metric?parameter=country&limit=0": 400, "events?before_timestamp=yesterday": 400, "users?sort_by=name": 400,
	} {
		path, parameters, _ := strings.Cut(path, "?")
		if a := b.get("/sites/1/" + path + "?" + strings.ReplaceAll(parameters, `"`, "%22")); a.status != status {
			t.Errorf("%s: got %d %s, want %d", path+"?"+parameters, a.status, a.body, status)
		}
	}
}

// TestMetricsOfTwoParts shows a visit without a place as "-", and a browser without
// a version with a blank behind it.
func TestMetricsOfTwoParts(t *testing.T) {
	b, _ := siteWithTraps(t, Options{})
	for parameter, want := range map[string]string{
		"city": `["AT-9-Wien" "-"]`, "browser_version": `["Chrome 120" "Chrome "]`, "operating_system_version": `["macOS 14.2"]`,
	} {
		var got struct {
			Data struct{ Data []struct{ Value any } }
		}
		if err := json.Unmarshal([]byte(b.get("/sites/1/metric?parameter="+parameter).body), &got); err != nil {
			t.Fatal(err)
		}
		values := make([]any, len(got.Data.Data))
		for i, r := range got.Data.Data {
			values[i] = r.Value
		}
		if fmt.Sprintf("%q", values) != want {
			t.Errorf("%s: got %q, want %s", parameter, values, want)
		}
	}
}

func TestStatisticsLists(t *testing.T) {
	b, _ := siteWithTraps(t, Options{})
	var events struct {
		Data   []struct{ Timestamp, Type, Pathname string }
		Cursor struct {
			HasMore         bool
			OldestTimestamp string
		}
	}
	if err := json.Unmarshal([]byte(b.get("/sites/1/events?page_size=4").body), &events); err != nil {
		t.Fatal(err)
	}
	if len(events.Data) != 4 || events.Data[0].Pathname != "/c" || events.Data[2].Pathname != "/b" || events.Cursor.OldestTimestamp != "2025-03-01 11:00:00" || !events.Cursor.HasMore {
		t.Errorf("events are %+v", events)
	}
	next := b.get("/sites/1/events?before_timestamp=" + url.QueryEscape(events.Cursor.OldestTimestamp))
	if err := json.Unmarshal([]byte(next.body), &events); err != nil || len(events.Data) != 2 || events.Cursor.HasMore {
		t.Errorf("the next page is %+v, %v", events, err)
	}
	var sessions struct {
		Data []struct {
			SessionDuration, Pageviews, Events int
			EntryPage                          string `json:"entry_page"`
			ExitPage                           string `json:"exit_page"`
			Duration                           int    `json:"session_duration"`
			Country, Channel                   string
			SessionStart                       string `json:"session_start"`
		}
	}
	if err := json.Unmarshal([]byte(b.get("/sites/1/sessions?min_pageviews=2").body), &sessions); err != nil {
		t.Fatal(err)
	}
	if s := sessions.Data; len(s) != 2 || s[0].EntryPage != "/b" || s[0].ExitPage != "/c" || s[0].Duration != 3600 || s[1].EntryPage != "/a" || s[1].ExitPage != "/a" {
		t.Errorf("sessions are %+v", s)
	}
	var users struct {
		Data       []struct{ Sessions, Pageviews, Events int }
		TotalCount int
	}
	if err := json.Unmarshal([]byte(b.get("/sites/1/users?sort_by=sessions&page_size=1").body), &users); err != nil {
		t.Fatal(err)
	}
	if len(users.Data) != 1 || users.TotalCount != 2 || users.Data[0].Sessions != 2 || users.Data[0].Events != 1 {
		t.Errorf("users are %+v", users)
	}
	if a := b.get("/sites/1/performance/overview"); a.status != 200 || !strings.Contains(a.body, `"ttfb_p99":null`) {
		t.Errorf("performance is %+v", a)
	}
}

func TestSiteAndVersion(t *testing.T) {
	b := newBox(t, Options{Site: "0123456789ab"})
	if a := b.get("/sites/0123456789ab"); a.status != 200 || !strings.Contains(a.body, `"organizationId":"`+organization+`","siteId":1`) {
		t.Errorf("the site is %+v", a)
	}
	b.key = ""
	if a := b.get("/version"); a.body != `{"version":"2.7.0"}` {
		t.Errorf("the version is %+v", a)
	}
	if a := b.get("/sites/0123456789ab/overview"); a.status != 401 {
		t.Errorf("without a key: %+v", a)
	}
}

// sql asks the SQL route.
func (b *box) sql(query string) answer {
	b.Helper()
	return b.call("POST", "/organizations/"+organization+"/analytics/query", jsonText(map[string]any{"query": query, "siteId": 1}))
}

func TestSQL(t *testing.T) {
	b, id := siteWithTraps(t, Options{})
	if err := b.server.Track(t.Context(), Tracked{Time: noon, Type: pageview, SessionID: "live", UserID: "eve", Hostname: "shop.example", Pathname: "/live"}); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ query, want string }{
		{`select import_id, type, count() c from scoped_events group by import_id, type order by import_id, c`,
			`[{"c":1,"import_id":"","type":"pageview"},{"c":1,"import_id":"` + id + `","type":"custom_event"},{"c":5,"import_id":"` + id + `","type":"pageview"}]`},
		{`select toDate(timestamp) d, countIf(type='pageview') pv, uniqExact(session_id) s, uniqExact(user_id) u from scoped_events where import_id = '` + id + `' group by d order by d`,
			`[{"d":"2025-03-01","pv":4,"s":3,"u":2},{"d":"2025-03-02","pv":1,"s":1,"u":1}]`},
		{`SELECT toDate(timestamp, 'Europe/Berlin') AS d, count() AS n FROM scoped_events WHERE toDate(timestamp) < '2025-12-01' GROUP BY d ORDER BY d`,
			`[{"d":"2025-03-01","n":4},{"d":"2025-03-02","n":2}]`},
		{`WITH s AS (SELECT session_id, countIf(type = 'pageview') AS pv, dateDiff('second', min(timestamp), max(timestamp)) AS d,
			argMin(pathname, timestamp) AS entry FROM scoped_events WHERE import_id = '` + id + `' GROUP BY session_id)
			SELECT count() AS n, countIf(pv = 1) AS bounces, sum(d) AS seconds, min(entry) AS first FROM s`, `[{"bounces":1,"first":"/a","n":3,"seconds":3640}]`},
		{`select min(timestamp) a, max(timestamp) b, count(distinct pathname) n from scoped_events where pathname in ('/a', '/b') and timestamp >= '2025-03-01 10:00:01'`,
			`[{"a":"2025-03-01 10:00:40","b":"2025-03-01 23:30:00","n":2}]`},
		{`select url_parameters['utm_source'] u, domainWithoutWWW(referrer) r, if(notEmpty(referrer), 1, 0) i from scoped_events where referrer ilike '%GOOGLE%'`, `[{"i":1,"r":"google.com","u":"News"}]`},
		{`select 'it''s' a, 'it\'s' b, concat('x', 'y') c from scoped_events limit 1`, `[{"a":"it's","b":"it's","c":"xy"}]`},
		{`select count() n from (select session_id from scoped_events group by session_id having count() > 1)`, `[{"n":3}]`},
		{`select argMin(pathname, timestamp) a, argMax(pathname, timestamp) z, argMin(url_parameters['a'], timestamp) u from scoped_events
			group by session_id order by min(timestamp) limit 2`, `[{"a":"/a","u":"1","z":"/a"},{"a":"/a","u":"","z":"/a"}]`}, // the second is a tie
		{`select v, count() as n from (select distinct pathname as v, session_id from scoped_events where import_id in ('` + id + `')) where v > '/a' group by v order by v limit 1000`,
			`[{"n":2,"v":"/b"},{"n":1,"v":"/c"}]`},
		{`select JSONExtractString(props, 'plan') p from scoped_events where type = 'custom_event'`, `[{"p":"pro"}]`},
	} {
		a := b.sql(tt.query)
		if a.status != 200 || !strings.HasPrefix(a.body, `{"data":`+tt.want+`,"meta":{"maxExecutionTimeSeconds":10,"maxRows":1000,"queryId":`) {
			t.Errorf("%s:\ngot  %d %s\nwant %s", tt.query, a.status, a.body, tt.want)
		}
	}
}

func TestSQLIsRefused(t *testing.T) {
	b, _ := siteWithTraps(t, Options{})
	for _, query := range []string{
		``, `delete from scoped_events`, `select 1; select 2`, `select "session_id" from scoped_events`, "select `session_id` from scoped_events",
		`select * from events`, `select * from scoped_events, imports`, `select * from scoped_events e join imports i on 1`, `select * from sqlite_master`,
		`select * from numbers(10)`, `select count() from scoped_events format JSON`, `select count() from scoped_events settings max_threads = 1`,
		`show tables`, `select 1 -- x`, `select /* x */ 1`, `select nonsense(1) from scoped_events`, `select countIf(1, 2) from scoped_events`, `select (1 from scoped_events`,
		`select nothing from scoped_events`, `select load_extension('x')`, `select ` + strings.Repeat("1,", 10_000) + `1`,
	} {
		if a := b.sql(query); a.status != 400 || !strings.HasPrefix(a.body, `{"error":"`) {
			t.Errorf("%.80s: %d %.200s", query, a.status, a.body)
		}
	}
}

func TestQuotedIntegers(t *testing.T) {
	b, _ := siteWithTraps(t, Options{QuotedIntegers: true})
	if a := b.sql(`select count() n, avg(1.5) x from scoped_events`); !strings.HasPrefix(a.body, `{"data":[{"n":"6","x":1.5}],`) {
		t.Errorf("got %s", a.body)
	}
}

func TestSQLCutsAtAThousandRows(t *testing.T) {
	b := newBox(t, Options{})
	tracked := make([]Tracked, 1200)
	for i := range tracked {
		tracked[i] = Tracked{Time: noon, Type: pageview, SessionID: "s", UserID: "u", Pathname: fmt.Sprint("/", i)}
	}
	if err := b.server.Track(t.Context(), tracked...); err != nil {
		t.Fatal(err)
	}
	if a := b.sql(`select pathname from scoped_events`); !strings.Contains(a.body, `"rowCount":1000`) {
		t.Errorf("got %.200s", a.body)
	}
	if a := b.call("POST", "/organizations/other/analytics/query", `{"query":"select 1","siteId":1}`); a.status != 404 {
		t.Errorf("another organization: %+v", a)
	}
}

func TestScopes(t *testing.T) {
	b := newBox(t, Options{Scopes: []string{"sites:read", "analytics:read"}, NoSQL: true})
	for path, want := range map[string]string{
		"/sites/1": "", "/sites/1/imports": "", "/sites/1/overview": "", "/sites/1/metric?parameter=country": "",
		"/sites/1/events": "events:read", "/sites/1/sessions": "sessions:read", "/sites/1/users": "users:read", "/sites/1/events/names": "events:read",
	} {
		a := b.get(path)
		if want == "" && a.status != 200 || want != "" && (a.status != 403 || a.body != `{"error":"Insufficient scope","required":"`+want+`"}`) {
			t.Errorf("%s: %+v", path, a)
		}
	}
	if a := b.do("POST", "", `{"platform":"umami"}`); a.status != 403 || !strings.Contains(a.body, "sites:write") {
		t.Errorf("create: %+v", a)
	}
	if a := b.sql(`select 1`); a.status != 404 {
		t.Errorf("an old server's SQL: %+v", a)
	}
	b = newBox(t, Options{Scopes: []string{"sites:read"}})
	if a := b.sql(`select 1`); a.status != 403 || !strings.Contains(a.body, "sql:read") {
		t.Errorf("SQL without its scope: %+v", a)
	}
}

func TestNumbersAsNumbers(t *testing.T) {
	for text, want := range map[string]any{
		"123": 123.0, "1e5": 1e5, "0x0": 0.0, "0x1F": 31.0, " 7 ": 7.0, "-.5": -.5, "1.": 1.0,
		"": "", " ": " ", "1e999": "1e999", "12a": "12a", "1920x1080": "1920x1080", "1 2": "1 2", "-": "-", "0x": "0x", "٣": "٣",
	} {
		if got := numberOrText(text); got != want {
			t.Errorf("%q is shown as %#v, want %#v", text, got, want)
		}
	}
}

func TestBuckets(t *testing.T) {
	for _, tt := range []struct{ utc, zone, bucket, want string }{
		{"2025-03-02 00:30:00", "America/New_York", "day", "2025-03-01 00:00:00"},
		{"2025-03-05 12:34:56", "UTC", "week", "2025-03-02 00:00:00"}, // from Sunday
		{"2025-03-30 01:30:00", "Europe/Berlin", "hour", "2025-03-30 03:00:00"},
		{"2025-03-05 12:34:56.789", "UTC", "fifteen_minutes", "2025-03-05 12:30:00"},
		{"2025-03-05 12:34:56", "UTC", "year", "2025-01-01 00:00:00"}, {"nonsense", "UTC", "day", ""},
	} {
		if got := bucketOf(tt.utc, tt.zone, tt.bucket); got != tt.want {
			t.Errorf("%v: got %s", tt, got)
		}
	}
	for _, bucket := range []string{"minute", "five_minutes", "ten_minutes", "hour", "day", "week", "month", "year"} {
		start := startOfBucket(time.Date(2024, 12, 30, 23, 59, 0, 0, time.UTC), bucket)
		if next := nextBucket(start, bucket); !next.After(start) || startOfBucket(next, bucket) != next {
			t.Errorf("%s: after %v comes %v", bucket, start, next)
		}
	}
}

func TestChannels(t *testing.T) {
	for _, tt := range []struct{ referrer, query, want string }{
		{"", "", "Direct"}, {"https://shop.example/x", "", "Internal"}, {"https://www.google.de/", "", "Organic Search"}, {"https://l.facebook.com/", "", "Organic Social"},
		{"https://news.example/", "", "Referral"}, {"https://www.google.de/", "?gclid=1", "Paid Search"}, {"https://t.co/", "?utm_medium=cpc", "Paid Social"},
		{"", "?utm_medium=email", "Email"}, {"android-app://com.example", "", "Organic Search"}, {"", "?utm_source=poster", "Unknown"},
	} {
		if got := channel(tt.referrer, tt.query, "www.shop.example"); got != tt.want {
			t.Errorf("%s %s: got %s, want %s", tt.referrer, tt.query, got, tt.want)
		}
	}
}

func FuzzTranslateSQL(f *testing.F) {
	f.Add(`select toDate(timestamp) d, countIf(type='pageview') from scoped_events group by d`)
	f.Add(`with x as (select 1) select url_parameters['a'] from x`)
	f.Fuzz(func(t *testing.T, query string) {
		text, err := translateSQL(query)
		if err == nil && !strings.HasPrefix(text, "WITH scoped_events AS") {
			t.Fatalf("%q becomes %q", query, text)
		}
	})
}
