package ga

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"hopper/adapters"
	"hopper/pipeline"
)

// shapeCounts are what is counted of a report's events.
type shapeCounts struct{ Sessions, Users, Views, Bounces, Seconds int }

func countShape(t *testing.T, name, content string) shapeCounts {
	t.Helper()
	events, _, _ := read(t, adapters.Options{}, write(t, name, content))
	var n shapeCounts
	seconds := 0.0
	for _, d := range recountDays(events) {
		n.Sessions, n.Views, n.Bounces = n.Sessions+d.Sessions, n.Views+d.Views, n.Bounces+d.Bounces
		seconds += d.Seconds
	}
	visitors := make(map[string]bool)
	for _, ev := range events {
		visitors[ev.Visitor] = true
	}
	n.Users = len(visitors)
	n.Seconds = int(seconds + 0.5)
	return n
}

// TestReportsAsToolsWriteThem reads the same numbers as many tools write them.
func TestReportsAsToolsWriteThem(t *testing.T) {
	for _, c := range []struct {
		name, content string
		want          shapeCounts
	}{
		{"rates of 100 by UA's API", `{"reports":[{"columnHeader":{"dimensions":["ga:date"],"metricHeader":{"metricHeaderEntries":[{"name":"ga:sessions"},{"name":"ga:users"},{"name":"ga:pageviews"},{"name":"ga:bounceRate"}]}},"data":{"rows":[{"dimensions":["20240101"],"metrics":[{"values":["200","150","500","0.5"]}]},{"dimensions":["20240102"],"metrics":[{"values":["100","80","200","45.0"]}]}]}}]}`,
			shapeCounts{300, 230, 700, 46, 0}},
		{"rates of 100 without a sign", "Date,Sessions,Total users,Views,Bounce rate\n20240101,200,150,500,0.5\n20240102,100,80,200,45\n", shapeCounts{300, 230, 700, 46, 0}},
		{"rates of 1", "Date,Sessions,Total users,Views,Bounce rate\n20240101,200,150,500,0.5\n20240102,100,80,200,0.4\n", shapeCounts{300, 230, 700, 140, 0}},
		{"visits of before 2014", "# ----------\n# 20240101-20240102\n# ----------\n\nDay,Visits,Unique Visitors,Pageviews,Avg. Visit Duration,Bounce Rate\n1/1/24,200,150,500,00:01:00,50.00%\n1/2/24,100,80,200,00:00:30,40.00%\n", shapeCounts{300, 230, 700, 140, 15000}},
		{"a separator of thousands in means", "Date,Sessions,Total users,Views,Average session duration\n20240101,\"1,200\",\"1,000\",\"3,600\",\"1,000\"\n", shapeCounts{1200, 1000, 3600, 0, 1200000}},
		{"three digits in means", "Date,Sessions,Total users,Views,Average session duration\n20240101,8,8,30,83.125\n20240102,8,8,30,84\n", shapeCounts{16, 16, 60, 0, 665 + 672}},
		{"fractions of seconds", "Date,Sessions,Total users,Views,Average session duration\n20240101,10,10,30,1m 23.4s\n", shapeCounts{10, 10, 30, 0, 834}},
		{"cells without a number", "Date,Sessions,Total users,Views\n20240101,10,8,20\n20240102,NULL,NULL,NULL\n20240103,5,,9\n", shapeCounts{15, 13, 29, 5, 0}},
		{"files put together", "Date,Sessions,Total users,Views\n20240101,10,8,20\nDate,Sessions,Total users,Views\n20240101,10,8,20\n20240102,5,5,9\n", shapeCounts{15, 13, 29, 5, 0}},
		{"days loaded again", `[{"date":"20240101","sessions":3,"totalUsers":3,"screenPageViews":9,"_airbyte_extracted_at":"2024-01-01T10:00:00Z"},{"date":"20240101","sessions":10,"totalUsers":8,"screenPageViews":20,"_airbyte_extracted_at":"2024-01-03T00:00:00Z"},{"date":"20240101","sessions":4,"totalUsers":3,"screenPageViews":10,"_airbyte_extracted_at":"2024-01-02T00:00:00Z"}]`,
			shapeCounts{10, 8, 20, 0, 0}},
		{"totals of days, called so", "Date,Country,Sessions,Views\n20240101,France,6,12\n20240101,Spain,4,8\n20240101,Total,10,20\n20240102,Spain,5,9\n20240102,Total,5,9\n", shapeCounts{15, 15, 29, 1, 0}},
		{"totals of days, blank", "Date,Country,Sessions,Views\n20240101,,10,20\n20240101,France,6,12\n20240101,Spain,4,8\n20240102,,5,9\n20240102,Spain,5,9\n", shapeCounts{15, 15, 29, 1, 0}},
		{"blank values that are no totals", "Date,Country,Sessions,Views\n20240101,,3,6\n20240101,France,6,12\n20240101,Spain,4,8\n", shapeCounts{13, 13, 26, 0, 0}},
		{"lines above the header", "Traffic of the bakery\nMade on 2024-01-05\n\nDate;Sessions;Total users;Views\n20240101;10;8;20\n", shapeCounts{10, 8, 20, 0, 0}},
		{"pages of an answer with parts of visits", `{"dimensionHeaders":[{"name":"date"},{"name":"platform"}],"metricHeaders":[{"name":"sessions"},{"name":"screenPageViews"}],"rowCount":2,"rows":[{"dimensionValues":[{"value":"20240101"},{"value":"web"}],"metricValues":[{"value":"10"},{"value":"20"}]}]}
{"dimensionHeaders":[{"name":"date"},{"name":"platform"}],"metricHeaders":[{"name":"sessions"},{"name":"screenPageViews"}],"rowCount":2,"rows":[{"dimensionValues":[{"value":"20240101"},{"value":"iOS"}],"metricValues":[{"value":"5"},{"value":"9"}]}]}`,
			shapeCounts{15, 15, 29, 1, 0}},
	} {
		t.Run(c.name, func(t *testing.T) {
			name := "r.csv"
			if strings.ContainsAny(c.content[:1], "[{") {
				name = "r.json"
			}
			got := countShape(t, name, c.content)
			if c.want.Bounces == 0 || !strings.Contains(strings.ToLower(c.content), "bounce") {
				got.Bounces = c.want.Bounces // nothing tells them
			}
			if c.want.Seconds == 0 {
				got.Seconds = 0
			}
			expect(t, "counts", got, c.want)
		})
	}
}

// TestRowsThatContradict holds that of two rows of the same neither is read,
// where nothing says which is right.
func TestRowsThatContradict(t *testing.T) {
	err := openError(t, "Date,Sessions,Total users\n20240101,10,8\n20240102,5,5\n20240101,12,9\n")
	if err == nil || !strings.Contains(err.Error(), "rows 2 and 4") {
		t.Error(err)
	}
}

// TestDatesAsToolsWriteThem reads days, and months of a day each, in the forms
// that have no zone, no day or no year of their own.
func TestDatesAsToolsWriteThem(t *testing.T) {
	for content, want := range map[string]string{
		"date,sessions,totalUsers\n2024-03-10T23:00:00.000Z,10,8\n2024-03-31T22:00:00.000Z,5,5\n": "2024-03-11 2024-04-01", // midnights in Berlin
		"date,sessions,totalUsers\n2024-03-11T05:00:00.000Z,10,8\n2024-03-12T04:00:00.000Z,5,5\n": "2024-03-11 2024-03-12", // in New York
		"date,sessions,totalUsers\n2024-03-11T00:00:00+01:00,10,8\n":                              "2024-03-11",
		"start_date,end_date,sessions,totalUsers\n2024-03-11,2024-03-11,10,8\n":                   "2024-03-11",
		"Year & week (ISO),Sessions,Users\n2024|11,7,7\n":                                         "2024-03-11 2024-03-17",
		"month,sessions,totalUsers\n2024-02,29,29\n":                                              "2024-02-01 2024-02-29",
		"month,sessions,totalUsers\n2024-02-01,29,29\n":                                           "2024-02-01 2024-02-29",
		"Month,Sessions,Total users\nFeb 2024,29,29\n":                                            "2024-02-01 2024-02-29",
		"Year & month,Sessions,Users\n2024|02,29,29\n":                                            "2024-02-01 2024-02-29",
		"Monat;Sitzungen;Nutzer insgesamt\n02/2024;29;29\n":                                       "2024-02-01 2024-02-29",
		"月,セッション,総ユーザー数\n2024年2月,29,29\n":                                                         "2024-02-01 2024-02-29",
		"Year,Month,Sessions,Total users\n2024,February,29,29\n":                                  "2024-02-01 2024-02-29",
		`[{"json":{"date":"20240311","sessions":"10","totalUsers":"8"},"pairedItem":0}]`:          "2024-03-11",
		`{"request":{"dateRanges":[{"startDate":"2024-03-11","endDate":"2024-03-20"}]},"response":{"dimensionHeaders":[{"name":"nthDay"}],"metricHeaders":[{"name":"sessions"}],"rows":[{"dimensionValues":[{"value":"0001"}],"metricValues":[{"value":"10"}]}]}}`: "2024-03-12",
	} {
		name := "r.csv"
		if strings.ContainsAny(content[:1], "[{") {
			name = "r.json"
		}
		events, _, _ := read(t, adapters.Options{}, write(t, name, content))
		days := slices.Sorted(maps.Keys(recountDays(events)))
		got := strings.Join(slices.Compact([]string{days[0], days[len(days)-1]}), " ")
		expect(t, content, got, want)
	}
}

// TestRecordsAsWarehousesWriteThem opens lists in the notations that are no JSON.
func TestRecordsAsWarehousesWriteThem(t *testing.T) {
	for name, content := range map[string]string{
		"DuckDB":    `event_timestamp,event_name,user_pseudo_id,event_params` + "\n" + `1710318000000000,page_view,7,"[{'key': page_location, 'value': {'string_value': https://bakery.example/a, 'int_value': NULL}}, {'key': page_title, 'value': {'string_value': 'Bread, fresh', 'int_value': NULL}}]"` + "\n",
		"Snowflake": "EVENT_TIMESTAMP,EVENT_NAME,USER_PSEUDO_ID,KEY,VALUE\n" + `1710318000000000,page_view,7,page_location,"{""string_value"":""https://bakery.example/a""}"` + "\n" + `1710318000000000,page_view,7,page_title,"{""string_value"":""Bread, fresh""}"` + "\n",
		"variants":  "EVENT_TIMESTAMP,EVENT_NAME,USER_PSEUDO_ID,PAGE_LOCATION,PAGE_TITLE\n" + `1710318000000000,"""page_view""",7,"""https://bakery.example/a""","""Bread, fresh"""` + "\n",
	} {
		events, _, _ := read(t, adapters.Options{}, write(t, "events.csv", content))
		if len(events) != 1 || events[0].Path != "/a" || events[0].Title != "Bread, fresh" || events[0].Kind != pipeline.Pageview {
			t.Errorf("%s: %+v", name, events)
		}
	}
}
