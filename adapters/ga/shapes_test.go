package ga

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hopper/adapters"
	"hopper/adapters/input"
)

// choose returns options with a choice.
func choose(name, value string) adapters.Options {
	return adapters.Options{Chosen: map[string]string{name: value}}
}

// refusal returns why an input is not opened.
func refusal(t *testing.T, name, content string, opt adapters.Options) string {
	t.Helper()
	inputs, err := input.Open(t.Context(), []string{write(t, name, content)}, nil, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer inputs.Close()
	reading, err := Adapter{}.Match(t.Context(), inputs.Files).Open(t.Context(), opt)
	if err == nil {
		reading.Source.Close()
		return ""
	}
	return err.Error()
}

// TestRewrittenEvents reads an event in forms that connectors, warehouses and
// spreadsheets give it.
func TestRewrittenEvents(t *testing.T) {
	const (
		keys   = `{"key":"ga_session_id","value":{"int_value":7}},{"key":"page_location","value":{"string_value":"https://a.example/x"}},{"key":"product","value":{"string_value":"Baker's loaf, 1 kg"}},{"key":"engaged_session_event","value":{"int_value":1}}`
		nested = `{"event_timestamp":1709625600000000,"event_name":"page_view","user_pseudo_id":"u","event_params":[` + keys + `],"geo":{"country":"Germany"}}`
		flat   = ",page_view,u,7,https://a.example/x,\"Baker's loaf, 1 kg\",Germany\n"
	)
	text, _ := json.Marshal(nested)
	camel := strings.NewReplacer("event_timestamp", "eventTimestamp", "event_name", "eventName", "user_pseudo_id", "userPseudoId", "event_params", "eventParams", "int_value", "intValue", "string_value", "stringValue").Replace(nested)
	header := func(names string) string { return strings.ReplaceAll(names, "|", ",") + "\n" }
	ofTime := func(s string) string {
		return header("event_timestamp|event_name|user_pseudo_id|ga_session_id|page_location|product|geo_country") + s + flat
	}
	python := strings.NewReplacer(`"Baker's loaf, 1 kg"`, `"Baker's loaf, 1 kg"`, `"}},{"`, `"}}`+"\n "+`{"`, `7}},{`, `7}}`+"\n "+`{`).Replace(keys)
	for name, content := range map[string]string{
		"dunder.csv": header("event_timestamp|event_name|user_pseudo_id|event_params__ga_session_id|event_params__page_location|event_params__product|geo__country") + "1709625600000000" + flat,
		"dbt.csv": header("event_date_dt|event_key|session_key|is_page_view|event_source|event_timestamp|event_name|user_pseudo_id|session_id|page_location|product|geo_country") +
			"2024-03-05,k,s,1,," + "1709625600000000" + flat,
		"camel.json":       camel,
		"names.json":       strings.ReplaceAll(strings.ReplaceAll(nested, `"key"`, `"name"`), `"value"`, `"VALUE"`),
		"params.json":      `{"event_timestamp":1709625600000000,"event_name":"page_view","user_pseudo_id":"u","params":{"ga_session_id":7,"page_location":"https://a.example/x","product":"Baker's loaf, 1 kg"},"geo":{"country":"Germany"}}`,
		"variant.json":     `{"SRC":` + nested + `}`,
		"airbyte.json":     `{"_airbyte_raw_id":"1","_airbyte_data":` + nested + `,"_airbyte_meta":{}}`,
		"airbyte.csv":      "_airbyte_ab_id,_airbyte_data\n1,\"" + strings.ReplaceAll(nested, `"`, `""`) + "\"\n",
		"airbytetext.json": `{"_airbyte_ab_id":"1","_airbyte_data":` + string(text) + `}`,
		"protocol.json":    `{"type":"RECORD","record":{"stream":"events","data":` + nested + `,"emitted_at":1}}`,
		"singer.json":      `{"type":"RECORD","stream":"events","record":` + nested + `}`,
		"numpy.csv":        "event_timestamp,event_name,user_pseudo_id,event_params,geo\n1709625600000000,page_view,u,\"[" + strings.ReplaceAll(python, `"`, `""`) + "]\",{'country': 'Germany'}\n",
		"athena.csv": "event_timestamp,event_name,user_pseudo_id,event_params,geo\n1709625600000000,page_view,u,\"[{key=ga_session_id, value={string_value=null, int_value=7}}, " +
			"{key=page_location, value={string_value=https://a.example/x, int_value=null}}, {key=product, value={string_value=Baker's loaf, 1 kg, int_value=null}}]\",\"{continent=Europe, country=Germany}\"\n",
		"float.csv": ofTime("1.709625600000000e+15"), "thousands.csv": ofTime(`"1,709,625,600,000,000"`), "serial.csv": ofTime(`"45356,33333333"`),
		"nano.csv": ofTime("1709625600000000000"), "us.csv": ofTime("3/5/2024 8:00") + "3/13/2024 8:00,session_start,u,7,,,\n",
		"dmy.csv": ofTime("05/03/2024 08:00:00") + "13/03/2024 08:00:00,session_start,u,7,,,\n",
		"dated.csv": "event_date," + header("event_timestamp|event_name|user_pseudo_id|ga_session_id|page_location|product|geo_country") +
			"20240305,05/03/2024 08:00:00" + flat,
	} {
		events, _, _ := read(t, adapters.Options{}, write(t, name, content))
		if len(events) != 1 {
			t.Errorf("%s: %d events", name, len(events))
			continue
		}
		ev := events[0]
		got := []string{ev.Time.Time().Format(time.DateTime), ev.Session, ev.Hostname, ev.Path, ev.Country}
		for _, p := range ev.Properties {
			got = append(got, p.Key+"="+p.Value)
		}
		if diff := cmp.Diff([]string{"2024-03-05 08:00:00", "u.7", "a.example", "/x", "Germany", "product=Baker's loaf, 1 kg"}, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	if got := refusal(t, "any.csv", ofTime("05/03/2024 08:00:00"), adapters.Options{}); !strings.Contains(got, "--date-order") {
		t.Errorf("dates of no order: %q", got)
	}
	_, _, rejects, _ := readAll(t, adapters.Options{}, write(t, "rounded.csv", ofTime("1.70963E+15")))
	if len(rejects) != 1 || rejects[0].Reason != rejectRounded {
		t.Errorf("a rounded time: %v", rejects)
	}
	_, _, _, reading := readAll(t, adapters.Options{}, write(t, "spark.csv", "event_timestamp,event_name,user_pseudo_id,event_params\n1709625600000000,page_view,u,\"[{page_location, {https://a.example/, null}}]\"\n"))
	if reading.Doubt == nil || !strings.Contains(reading.Doubt.Error(), "to_json") {
		t.Errorf("page views without pages: %v", reading.Doubt)
	}
}

// TestUniversalForms reads two sessions of Universal Analytics in other forms
// than BigQuery's own.
func TestUniversalForms(t *testing.T) {
	const (
		head = "fullVisitorId,visitId,visitStartTime,trafficSource%[1]ssource,trafficSource%[1]smedium,geoNetwork%[1]scountry,hits%[1]shitNumber,hits%[1]stime,hits%[1]stype,hits%[1]spage%[1]spagePath,hits%[1]spage%[1]shostname,hits%[1]seventInfo%[1]seventAction,plan\n"
		rows = "10,5,1555056000,google,organic,Germany,1,0,PAGE,/,a.example,,gold\n10,5,1555056000,google,organic,Germany,2,1000,PAGE,/x,a.example,,gold\n" +
			"10,5,1555056000,google,organic,Germany,3,2000,EVENT,/x,a.example,play,gold\n11,6,1555056600,(direct),(none),France,1,0,PAGE,/,a.example,,free\n"
		nested = `{"fullVisitorId":"10","visitId":5,"visitStartTime":1555056000,"trafficSource":{"source":"google","medium":"organic"},"geoNetwork":{"country":"Germany"},"hits":[` +
			`{"hitNumber":1,"time":0,"type":"PAGE","page":{"pagePath":"/","hostname":"a.example"},"customVariables":[{"index":1,"customVarName":"plan","customVarValue":"gold"}]},` +
			`{"hitNumber":2,"time":1000,"type":"PAGE","page":{"pagePath":"/x","hostname":"a.example"},"customVariables":[{"index":1,"customVarName":"plan","customVarValue":"gold"}]},` +
			`{"hitNumber":3,"time":2000,"type":"EVENT","page":{"pagePath":"/x","hostname":"a.example"},"eventInfo":{"eventAction":"play"},"customVariables":[{"index":1,"customVarName":"plan","customVarValue":"gold"}]}]}` + "\n" +
			`{"fullVisitorId":"11","visitId":6,"visitStartTime":1555056600,"trafficSource":{"source":"(direct)","medium":"(none)"},"geoNetwork":{"country":"France"},"hits":[` +
			`{"hitNumber":1,"time":0,"type":"PAGE","page":{"pagePath":"/","hostname":"a.example"},"customVariables":[{"index":1,"customVarName":"plan","customVarValue":"free"}]}]}` + "\n"
	)
	forms := map[string]string{
		"underscores.csv": fmt.Sprintf(head, "_") + rows, "dots.csv": fmt.Sprintf(head, ".") + rows,
		"short.csv": "fullVisitorId,visitId,visitStartTime,source,medium,country,hitNumber,hit_time,type,pagePath,hostname,eventAction,plan\n" + rows,
		"upper.csv": strings.ReplaceAll(strings.ToUpper(fmt.Sprintf(head, "_")), "PLAN", "plan") + rows,
	}
	var cells strings.Builder
	cells.WriteString("fullVisitorId,visitId,visitStartTime,trafficSource,geoNetwork,hits\n")
	for line := range strings.Lines(nested) {
		var members map[string]json.RawMessage
		if err := json.Unmarshal([]byte(line), &members); err != nil {
			t.Fatal(err)
		}
		for i, name := range []string{"fullVisitorId", "visitId", "visitStartTime", "trafficSource", "geoNetwork", "hits"} {
			cells.WriteString([]string{"", ","}[min(i, 1)] + `"` + strings.ReplaceAll(strings.Trim(string(members[name]), `"`), `"`, `""`) + `"`)
		}
		cells.WriteString("\n")
	}
	forms["cells.csv"] = cells.String()
	want, _, _ := read(t, adapters.Options{}, write(t, "nested.json", nested))
	if len(want) != 4 {
		t.Fatalf("%d events of the nested form", len(want))
	}
	for _, name := range slices.Sorted(maps.Keys(forms)) {
		got, _, _ := read(t, adapters.Options{}, write(t, name, forms[name]))
		for i := range got {
			got[i].Origin, got[i].Raw = want[min(i, len(want)-1)].Origin, want[min(i, len(want)-1)].Raw
			got[i].ValidUTF8 = want[min(i, len(want)-1)].ValidUTF8
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-nested +got):\n%s", name, diff)
		}
	}
	if got := refusal(t, "alone.csv", "fullVisitorId,visitId,visitStartTime,totals\n10,5,1555056000,\"{\"\"hits\"\": 3}\"\n", adapters.Options{}); !strings.Contains(got, "without their hits") {
		t.Errorf("sessions alone: %q", got)
	}
	_, _, rejects, _ := readAll(t, adapters.Options{}, write(t, "nowhere.json", strings.ReplaceAll(nested, `"pagePath":"/x",`, "")))
	if len(rejects) != 1 || rejects[0].Reason != rejectNoPage {
		t.Errorf("a page view without a page: %v", rejects)
	}
}

// TestSites checks that events and reports of several properties are refused
// with a list, and that one is chosen.
func TestSites(t *testing.T) {
	const (
		events = `{"event_timestamp":1709625600000000,"event_name":"page_view","user_pseudo_id":"u","property_id":"111","stream_id":"1","event_params":[{"key":"page_location","value":{"string_value":"https://a.example/"}}]}` + "\n" +
			`{"event_timestamp":1709625600000000,"event_name":"page_view","user_pseudo_id":"v","property_id":"222","stream_id":"2","event_params":[{"key":"page_location","value":{"string_value":"https://b.example/"}}]}` + "\n"
		rows = `{"property_id":"properties/111","date":"20240305","sessions":5,"totalUsers":4}` + "\n" + `{"property_id":"properties/222","date":"20240305","sessions":7,"totalUsers":6}` + "\n"
	)
	for name, content := range map[string]string{"events.json": events, "rows.json": rows} {
		for asked, want := range map[string]string{"": "111", "333": "has nothing of --website 333"} {
			got := refusal(t, name, content, choose("website", asked))
			if !strings.Contains(got, want) || !strings.Contains(got, "222") {
				t.Errorf("%s with %q: %q", name, asked, got)
			}
		}
	}
	for asked, want := range map[string]string{"111": "a.example", "b.example": "b.example", "2": "b.example"} {
		got, stats, _ := read(t, choose("website", asked), write(t, "events.json", events))
		if len(got) != 1 || got[0].Hostname != want || stats.Omitted[omitSite].Count != 1 {
			t.Errorf("%s: %v", asked, got)
		}
	}
	got, _, _ := read(t, choose("website", "222"), write(t, "rows.json", rows))
	if n := recountDays(got)["2024-03-05"].Sessions; n != 7 {
		t.Errorf("%d sessions of property 222", n)
	}
}

// TestArrangements reads the same two days in arrangements of reports.
func TestArrangements(t *testing.T) {
	const comments = "# ----------------------------------------\n# Free form 1\n# Account: A\n# Property: P\n# ----------------------------------------\n#\n# All Users\n# Start date: 20240304\n# End date: 20240305\n"
	rows := `{"date":"20240304","sessions":5,"totalUsers":4,"screenPageViews":11}|{"date":"20240305","sessions":3,"totalUsers":3,"screenPageViews":6}`
	wrap := func(format string) (s string) {
		for row := range strings.SplitSeq(rows, "|") {
			s += fmt.Sprintf(format, row) + "\n"
		}
		return s
	}
	proto := "dimension_headers {\n  name: \"date\"\n}\n"
	for _, name := range []string{"sessions", "totalUsers", "screenPageViews"} {
		proto += "metric_headers {\n  name: \"" + name + "\"\n  type_: TYPE_INTEGER\n}\n"
	}
	for _, row := range [][]string{{"20240304", "5", "4", "11"}, {"20240305", "3", "3", "6"}} {
		proto += "rows {\n  dimension_values {\n    value: \"" + row[0] + "\"\n  }\n"
		for _, n := range row[1:] {
			proto += "  metric_values {\n    value: \"" + n + "\"\n  }\n"
		}
		proto += "}\n"
	}
	for name, content := range map[string]string{
		"pivot.csv":    comments + "Device category,desktop,desktop,desktop,mobile,mobile,mobile,Totals,Totals,Totals\nDate,Sessions,Total users,Views,Sessions,Total users,Views,Sessions,Total users,Views\n20240304,3,3,7,2,2,4,5,4,11\n20240305,3,3,6,,,,3,3,6\n",
		"dates.csv":    "Date,20240304,20240304,20240304,20240305,20240305,20240305\nCountry,Sessions,Total users,Views,Sessions,Total users,Views\nGermany,3,2,7,3,3,6\nFrance,2,2,4,,,\n",
		"yearless.csv": comments + "Day,Sessions,Total users,Views\nMar 4,5,4,11\nMar 5,3,3,6\n",
		"calendar.csv": "Year,Month,Day,Sessions,Total users,Views\n2024,03,04,5,4,11\n2024,03,05,3,3,6\n",
		"merged.csv":   "Device category,desktop,,,mobile,,\nDate,Sessions,Total users,Views,Sessions,Total users,Views\n20240304,3,2,7,2,2,4\n20240305,3,3,6,0,0,0\n",
		"sheet.csv":    "Report Name,Daily\nLast Run On,2024-03-06\nContains Sampled Data,No\n\nTotals For All Results\nga:sessions,ga:users,ga:pageviews\n8,5,17\n\nResults Breakdown\nga:date,ga:sessions,ga:users,ga:pageviews\n20240304,5,4,11\n20240305,3,3,6\n",
		"proto.txt":    proto,
		"printed.json": `{'dimension_headers': [{'name': 'date'}], 'metric_headers': [{'name': 'sessions'}, {'name': 'totalUsers'}, {'name': 'screenPageViews'}], 'rows': [` +
			`{'dimension_values': [{'value': '20240304'}], 'metric_values': [{'value': '5'}, {'value': '4'}, {'value': '11'}]}, {'dimension_values': [{'value': '20240305'}], 'metric_values': [{'value': '3'}, {'value': '3'}, {'value': '6'}]}], 'row_count': 2}`,
		"protocol.json": wrap(`{"type":"RECORD","record":{"stream":"daily","data":%s}}`),
		"singer.json":   `{"type":"SCHEMA","stream":"daily","schema":{}}` + "\n" + wrap(`{"type":"RECORD","stream":"daily","record":%s}`) + `{"type":"RECORD","stream":"countries","record":{"date":"20240304","country":"Germany","sessions":5}}` + "\n",
		"members.json":  `{"dimensions":{"date":"20240304"},"metrics":{"sessions":5,"totalUsers":4,"screenPageViews":11}}` + "\n" + `{"dimensions":{"date":"20240305"},"metrics":{"sessions":3,"totalUsers":3,"screenPageViews":6}}` + "\n",
		"table.json":    `{"query":{"start-date":"2024-03-04","end-date":"2024-03-05"},"dataTable":{"cols":[{"id":"ga:date"},{"id":"ga:sessions"},{"id":"ga:users"},{"id":"ga:pageviews"}],"rows":[{"c":[{"v":"20240304"},{"v":"5"},{"v":"4"},{"v":"11"}]},{"c":[{"v":"20240305"},{"v":"3"},{"v":"3"},{"v":"6"}]}]}}`,
		"dlt.json":      strings.NewReplacer(`"sessions"`, `"sessions_INTEGER"`, `"totalUsers"`, `"total_users_integer"`, `"screenPageViews"`, `"screen_page_views_integer"`).Replace(wrap("%s")),
		"means.csv":     "Date,Sessions,Total users,Views per session\n20240304,5,4,2.2\n20240305,3,3,2\n",
		"cp1252.csv":    "Datum;Sitzungen;Nutzer insgesamt;Aufrufe\n4. M\xe4rz 2024;5;4;11\n5. M\xe4rz 2024;3;3;6\n",
	} {
		events, _, _ := read(t, adapters.Options{}, write(t, name, content))
		got := map[string][]int{}
		for date, d := range recountDays(events) {
			got[date] = []int{d.Sessions, d.Views}
		}
		expect(t, name, got, map[string][]int{"2024-03-04": {5, 11}, "2024-03-05": {3, 6}})
	}
	for content, want := range map[string]string{
		"Segment,Mobile,Mobile,Tablet,Tablet\nDate,Sessions,Views,Sessions,Views\n20240304,3,7,2,4\n":                                                       "none of them is all users",
		comments + "Date,Sessions,Total users\n20240304,5,4\n\n" + strings.ReplaceAll(comments, ": P", ": Q") + "Date,Sessions,Total users\n20240304,9,8\n": "P (1 rows), Q (1 rows)",
		"Date,Sessions,Total users\n04/03/2024,100,80\n":                                                                                                    "--date-order",
	} {
		if got := refusal(t, "refused.csv", content, adapters.Options{}); !strings.Contains(got, want) {
			t.Errorf("%q: got %q; want %q", content, got, want)
		}
	}
	events, _, _ := read(t, choose("date-order", "dmy"), write(t, "dmy.csv", "Date,Sessions,Total users\n04/03/2024,100,80\n"))
	if recountDays(events)["2024-03-04"] == nil {
		t.Error("--date-order dmy is not followed")
	}
}

// TestAdvice checks that the bodies for the Data API keep its limits, ask for
// what is missing alone, and in words that are read.
func TestAdvice(t *testing.T) {
	_, _, reading := read(t, adapters.Options{}, write(t, "daily.csv", "Date,Sessions,Total users,Views,Engaged sessions,Average session duration\n20240304,5,4,11,3,20\n20240305,3,3,6,2,10\n"))
	if len(reading.Advice) != 3 {
		t.Fatalf("advice %q", reading.Advice)
	}
	asked := 0
	for _, text := range reading.Advice[1:] {
		var body struct {
			Requests []struct {
				DateRanges          []struct{ StartDate, EndDate string }
				Dimensions, Metrics []struct{ Name string }
			}
		}
		if err := json.Unmarshal([]byte(text), &body); err != nil || len(body.Requests) == 0 || len(body.Requests) > 5 {
			t.Fatalf("%v, %d requests: %s", err, len(body.Requests), text)
		}
		for _, r := range body.Requests {
			asked++
			if len(r.Dimensions) > 9 || len(r.Dimensions) < 2 || len(r.Metrics) > 10 || len(r.DateRanges) != 1 || r.DateRanges[0].StartDate != "2024-03-04" || r.DateRanges[0].EndDate != "2024-03-05" {
				t.Errorf("request %+v", r)
			}
			for _, name := range slices.Concat(r.Dimensions, r.Metrics) {
				if f := fieldOf(name.Name); f == "" || f == unknownDimension || f == unknownMetric {
					t.Errorf("%s is %q", name.Name, f)
				}
			}
		}
	}
	if asked != 6 {
		t.Errorf("%d reports are asked for; want all but the days'", asked)
	}
	_, _, reading = read(t, adapters.Options{}, write(t, "ua.csv", "ga:date,ga:sessions,ga:users\n20190304,5,4\n"))
	if reading.Advice != nil || !strings.Contains(strings.Join(reading.Notes, " "), "can no longer be asked") {
		t.Errorf("of Universal Analytics: %q, %q", reading.Notes, reading.Advice)
	}
}
