package umami_test

import (
	"fmt"
	"strings"
	"testing"

	"hopper/adapters"
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
