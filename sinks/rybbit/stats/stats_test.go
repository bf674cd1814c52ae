package stats

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"

	"hopper/adapters/input/spill"
	"hopper/pipeline/recount"
	"hopper/sinks/rybbit"
)

// fake answers every question with the same, after some refusals.
type fake struct {
	refusals []*rybbit.StatusError // to be made first
	noSQL    *rybbit.StatusError
	asked    []string
}

func (f *fake) Site() string { return "7" }

func (f *fake) Get(_ context.Context, _ string, path []string, query url.Values, answer any) error {
	f.asked = append(f.asked, strings.Join(path, "/")+"?"+query.Encode())
	if len(f.refusals) > 0 {
		err := f.refusals[0]
		f.refusals = f.refusals[1:]
		return err
	}
	content := `{"data":[]}`
	switch path[len(path)-1] {
	case "7":
		content = `{"siteId":7,"organizationId":"org"}`
	case "imports":
		content = `{"data":[{"importId":"one","skippedEvents":12,"invalidEvents":"1"},{"importId":"other","skippedEvents":99}]}`
	case "metric", "page-titles":
		content = `{"data":{"data":[{"value":5,"count":"3","pageviews":4},{"value":"-","count":1}],"totalCount":2}}`
	case "time-series":
		content = `{"data":[{"time":"2024-05-01 00:00:00","sessions":4,"users":3,"pageviews":9,"bounce_rate":25,"session_duration":10.5},{"time":"2024-05-02 00:00:00","bounce_rate":null}]}`
	}
	return json.Unmarshal([]byte(content), answer)
}

func (f *fake) Post(_ context.Context, _ string, path []string, question, answer any) error {
	f.asked = append(f.asked, question.(map[string]any)["query"].(string))
	if f.noSQL != nil {
		return f.noSQL
	}
	return json.Unmarshal([]byte(`{"data":[]}`), answer)
}

// scratch is on disk beyond some memory.
type scratch struct{}

func (scratch) Sorter(memory int) recount.Sorter { return &spill.Sorter{Limit: memory} }
func (scratch) Bins(memory int) recount.Bins     { return &spill.Bins{Limit: memory} }

// ask shows what f answers.
func ask(t *testing.T, s *Server) error {
	t.Helper()
	c := recount.NewCount(recount.Dashboard(nil), scratch{})
	defer c.Close()
	first, err := recount.ParseDay("2024-05-01")
	if err != nil {
		t.Fatal(err)
	}
	return s.Show(t.Context(), c.Sums, first, first+1)
}

func TestImportsAreNamedInSQL(t *testing.T) {
	f := new(fake)
	s := &Server{Asker: f, Imports: []string{"a'b", "c"}}
	if err := ask(t, s); err != nil || !s.BySQL {
		t.Fatal(err)
	}
	for _, q := range f.asked {
		if strings.Contains(q, "scoped_events") && !strings.Contains(q, `import_id in ('a\'b', 'c')`) && !strings.Contains(q, `import_id not in ('a\'b', 'c')`) {
			t.Errorf("asked for more than the imports: %s", q)
		}
	}
	if s.Requests != len(f.asked) || s.Requests > 30 {
		t.Errorf("made %d requests: %q", s.Requests, f.asked)
	}
}

func TestWithoutSQL(t *testing.T) {
	for _, refusal := range []*rybbit.StatusError{
		{Status: http.StatusNotFound, RetryAfter: -1}, {Status: http.StatusForbidden, Message: "Insufficient scope (required: sql:read)"},
	} {
		f := &fake{noSQL: refusal}
		s := &Server{Asker: f}
		if err := ask(t, s); err != nil || s.BySQL || len(s.Notes) == 0 || !strings.Contains(s.Notes[0], "tracker") {
			t.Errorf("got %v, %q", err, s.Notes)
		}
	}
}

func TestScopesInPlainWords(t *testing.T) {
	s := &Server{Asker: &scopeless{&fake{noSQL: &rybbit.StatusError{Status: http.StatusNotFound}}}}
	err := ask(t, s)
	if err == nil || !strings.Contains(err.Error(), "give the API key the scope analytics:read") {
		t.Errorf("got %v", err)
	}
}

// scopeless may not see statistics.
type scopeless struct{ *fake }

func (s *scopeless) Get(ctx context.Context, call string, path []string, query url.Values, answer any) error {
	if path[len(path)-1] == "time-series" {
		return &rybbit.StatusError{Status: http.StatusForbidden, Message: "Insufficient scope (required: analytics:read)"}
	}
	return s.fake.Get(ctx, call, path, query, answer)
}

// TestPatience waits for a server that has had too many requests.
func TestPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		busy := &rybbit.StatusError{Status: http.StatusTooManyRequests, RetryAfter: -1}
		f := &fake{refusals: []*rybbit.StatusError{busy, busy, busy}}
		s := &Server{Asker: f}
		if err := ask(t, s); err != nil || s.Requests < 4 {
			t.Errorf("got %v after %d requests", err, s.Requests)
		}
	})
}

func TestValues(t *testing.T) {
	var got struct {
		A, B text
		C, D number
	}
	if err := json.Unmarshal([]byte(`{"A":1e5,"B":"x","C":"12","D":null}`), &got); err != nil || got.A != "1e5" || got.B != "x" || got.C != 12 || got.D != 0 {
		t.Errorf("got %+v, %v", got, err)
	}
	for in, want := range map[string]string{"US-CA-San Francisco": "San Francisco", "-": "", "-Berlin": "Berlin", "DE-BE-": "", "Stratford-upon-Avon": "Stratford-upon-Avon"} {
		if got := placed.ReplaceAllString(in, ""); got != want {
			t.Errorf("%q: got %q", in, got)
		}
	}
}

// TestExplain says what the pattern of the days' differences looks like.
func TestExplain(t *testing.T) {
	for name, c := range map[string]struct {
		sent, shown []int64
		want        string
	}{
		"equal":   {[]int64{3, 4}, []int64{3, 4}, ""},
		"shifted": {[]int64{3, 4}, []int64{2, 5}, "those of Europe/Vienna"},
		"twice":   {[]int64{3, 4}, []int64{6, 8}, "twice what was sent on each of 2 days"},
		"window":  {[]int64{3, 4, 5}, []int64{0, 0, 5}, "nothing on 2 of 3 days, 2024-05-01 to 2024-05-02"},
		"beside":  {[]int64{3, 4, 5}, []int64{3, 5, 9}, "more than was sent on 2 of 3 days, 2024-05-02 to 2024-05-03"},
		"mixed":   {[]int64{3, 4, 5}, []int64{2, 4, 9}, ""},
	} {
		out := new(recount.Comparison)
		for i := range c.sent {
			out.Days = append(out.Days, recount.DayLines{Date: fmt.Sprintf("2024-05-%02d", i+1), Lines: []recount.Line{
				{Table: "days", Measure: "pageviews", Sent: c.sent[i], Shown: &c.shown[i]},
			}})
		}
		Explain(out, "Europe/Vienna")
		got := strings.Join(out.Notes, " ")
		if !strings.Contains(got, c.want) || c.want == "" && got != "" {
			t.Errorf("%s: got %q", name, got)
		}
	}
}

// TestSkippedEventsAreTold reads the counters of the imports.
func TestSkippedEventsAreTold(t *testing.T) {
	f := new(fake)
	s := &Server{Asker: f, Imports: []string{"one"}}
	if err := ask(t, s); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(s.Notes, " "); !strings.Contains(got, "skipped 12 events") || !strings.Contains(got, "found 1 event ") {
		t.Errorf("got %q", got)
	}
}
