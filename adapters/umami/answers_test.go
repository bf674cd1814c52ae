package umami_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"hopper/adapters"
	"hopper/adapters/input"
	"hopper/adapters/umami"
	"hopper/pipeline"
)

const answerRow = `{"id":"%s","sessionId":"s","visitId":"v","createdAt":"2024-05-01T10:00:00Z","urlPath":"/","urlQuery":"","pageTitle":"","eventType":1}`

// A page of an answer of the API is refused where the others are missing, with
// how many events there are.
func TestPagesOfAnswers(t *testing.T) {
	row := func(id string) string { return fmt.Sprintf(answerRow, id) }
	for text, want := range map[string]string{
		`{"data":[` + row("a") + `],"count":2,"page":1,"pageSize":1}`:                  "2 events, of which 1",
		`{"count":"2","page":1,"pageSize":1,"data":[` + row("a") + `]}`:                "2 events, of which 1",
		`{"data":[` + row("a") + `,` + row("b") + `],"count":2,"page":1,"pageSize":9}`: "",
		`{"data":[` + row("a") + `],"count":2}`:                                        "", // of what else
	} {
		r, err := translate(t, strings.NewReader(text), adapters.Options{}, "-")
		if want == "" && (err != nil || len(r.events) == 0) || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: got %d events, %v; want %q", text, len(r.events), err, want)
		}
	}
}

// JSON of Umami's that holds no rows is refused with what to do.
func TestAnswersWithoutRows(t *testing.T) {
	for text, want := range map[string]string{
		`{"pageviews":[{"x":"2024-05-13","y":9}],"sessions":[{"x":"2024-05-13","y":4}]}`:                       "answer of Umami's API with sums",
		`{"pageviews":3,"visitors":2,"visits":2,"bounces":1,"totaltime":90}`:                                   "answer of Umami's API with sums",
		`{"website_event":[` + fmt.Sprintf(answerRow, "a") + `],"session":[{"session_id":"s","browser":"x"}]}`: "jq .website_event",
	} {
		ins, err := input.Open(t.Context(), []string{"-"}, strings.NewReader(text), t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		m := umami.Adapter{}.Match(t.Context(), ins.Files)
		if m.Fit != adapters.Near || m.Err == nil || !strings.Contains(m.Err.Error()+hintOf(m.Err), want) {
			t.Errorf("%s: got %+v", text, m)
		}
		ins.Close()
	}
}

func hintOf(err error) string {
	var positioned *input.Error
	if errors.As(err, &positioned) {
		return positioned.Hint
	}
	return ""
}

// Properties can stand in their event's row, as an object or as the rows that ORMs
// nest there.
func TestPropertiesInTheRow(t *testing.T) {
	const row = `{"eventId":"e","sessionId":"s","visitId":"v","createdAt":"2024-05-01T10:00:00Z","urlPath":"/","urlQuery":"","eventType":2,"eventName":"order","eventData":%s}`
	want := []pipeline.Property{{Key: "browser", Value: "any"}, {Key: "price", Value: "4.5", Literal: true}, {Key: "tag", Value: "new"}}
	for data, repairs := range map[string]int64{
		`{"browser":"any","price":4.5,"tag":"new"}`:             0,
		`"{\"browser\":\"any\",\"price\":4.5,\"tag\":\"new\"}"`: 0,
		`[{"dataKey":"browser","stringValue":"any"},{"dataKey":"price","numberValue":"4.5000","dataType":2},{"data_key":"tag","string_value":"new","data_type":1}]`: 0,
		`"lost"`: 1,
		`[1]`:    1,
	} {
		r, err := translate(t, strings.NewReader(fmt.Sprintf(row, data)), adapters.Options{}, "-")
		if err != nil || len(r.events) != 1 || r.stats.Repaired[umami.RepairData].Count != repairs || repairs == 0 && !slices.Equal(r.events[0].Properties, want) {
			t.Errorf("%s: got %+v, repaired %v, %v", data, r.events, r.stats.Repaired.Counts(), err)
		}
	}
}

// Without a table of names, --website takes the host of the pages.
func TestWebsitesByHost(t *testing.T) {
	const events = "website_id,event_id,session_id,visit_id,created_at,url_path,url_query,page_title,event_type,hostname\n" +
		"w1,1,s,v,2024-05-01 10:00:00,/,,,1,www.garden.example\nW1,2,s,v,2024-05-01 10:00:01,/,,,1,localhost\nw2,3,s,v,2024-05-01 10:00:00,/,,,1,bakery.example\nw3,4,s,v,2024-05-01 10:00:00,/,,,1,localhost\n"
	for website, want := range map[string]int{"garden.example": 2, "bakery.example": 1} {
		r, err := translate(t, strings.NewReader(events), adapters.Options{Chosen: map[string]string{"website": website}}, "-")
		if err != nil || len(r.events) != want {
			t.Errorf("%s: got %d events, %v", website, len(r.events), err)
		}
	}
	for website, want := range map[string]string{"localhost": "several websites that are called", "shop.example": "no events of a website"} {
		_, err := translate(t, strings.NewReader(events), adapters.Options{Chosen: map[string]string{"website": website}}, "-")
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", website, err)
		}
	}
}

// A visit with the visitor's id is none: visits follow from pauses.
func TestVisitsThatAreVisitors(t *testing.T) {
	const text = "session_id,visit_id,created_at,url_path,url_query,page_title,event_type\ns,s,2024-05-01 10:00:00,/,,,1\ns,s,2024-05-01 10:01:00,/,,,1\ns,s,2024-05-01 11:00:00,/,,,1\n"
	r, err := translate(t, strings.NewReader(text), adapters.Options{}, "-")
	if err != nil || len(r.events) != 3 || r.events[0].Session != r.events[1].Session || r.events[1].Session == r.events[2].Session {
		t.Errorf("got %+v, %v", r.events, err)
	}
}

// A line of totals is no other website.
func TestLineOfTotals(t *testing.T) {
	const text = "website_id,session_id,visit_id,created_at,url_path,url_query,event_type\nw,s,v,2024-05-01 10:00:00,/,,1\nw,s,v,2024-05-01 10:01:00,/,,1\nTotal,,,,,,\n"
	if r, err := translate(t, strings.NewReader(text), adapters.Options{}, "-"); err != nil || len(r.events) != 2 {
		t.Errorf("got %d events, %v", len(r.events), err)
	}
}

// The API calls an event's identifier id, so that pages of its answers that overlap
// hold repeats. A visitor's identifier of that name is no event's.
func TestRepeatsInAnswers(t *testing.T) {
	const a, b = "a3590978-46c6-5e59-996d-000000000001", "a3590978-46c6-5e59-996d-000000000002"
	row := func(id string) string { return fmt.Sprintf(answerRow, id) }
	r, err := translate(t, zipped(t, "1.json", "["+row(a)+","+row(b)+"]", "2.json", "["+row(b)+"]"), adapters.Options{}, "-")
	if err != nil || len(r.events) != 2 {
		t.Errorf("got %d events, %v", len(r.events), err)
	}
	visitors := strings.ReplaceAll("["+row(a)+","+row(a)+"]", `"sessionId":"s"`, `"sessionId":"`+a+`"`)
	if r, err = translate(t, strings.NewReader(visitors), adapters.Options{}, "-"); err != nil || len(r.events) != 2 {
		t.Errorf("got %d events, %v", len(r.events), err)
	}
}
