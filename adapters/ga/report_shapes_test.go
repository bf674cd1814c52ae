package ga

import (
	"strings"
	"testing"

	"hopper/adapters"
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
