package sandbox

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

const nobody = "00000000-0000-0000-0000-000000000000"

func TestKeys(t *testing.T) {
	for _, tt := range []struct {
		release, header, site, method string
		status                        int
		body                          string
	}{
		{"", "", "1", "GET", 401, "Unauthorized"},
		{"", "Bearer wrong", "1", "GET", 401, "Unauthorized"},
		{"", "Bearer ", "1", "GET", 401, "Unauthorized"},
		{"", "Basic sandbox", "1", "GET", 401, "Unauthorized"},
		{"", "sandbox", "1", "GET", 401, "Unauthorized"},
		{"", "bearer sandbox", "1", "GET", 200, `{"data":[]}`},
		{"", "Bearer reader", "1", "GET", 200, `{"data":[]}`},
		{"", "Bearer reader", "1", "POST", 403, `{"error":"Insufficient scope","required":"sites:write"}`},
		{"", "Bearer sandbox", "2", "GET", 404, "Site not found"},
		{"2.7", "", "1", "GET", 403, `{"error":"Forbidden"}`},
		{"2.7.0", "Bearer wrong", "1", "GET", 403, `{"error":"Forbidden"}`},
		{"2.7", "Bearer sandbox", "2", "GET", 403, `{"error":"Forbidden"}`},
		{"2.7", "Bearer sandbox", "0123456789ab", "GET", 404, "Site not found"},
		{"2.7", "Bearer sandbox", "1", "GET", 200, `{"data":[]}`},
	} {
		t.Run(tt.release+tt.header+tt.site+tt.method, func(t *testing.T) {
			b := newBox(t, Options{Release: tt.release, ReadKey: "reader"})
			b.site = tt.site
			header := http.Header{"Authorization": {tt.header}}
			if a := b.send(tt.method, "", strings.NewReader(`{"platform":"umami"}`), header); a.status != tt.status || !strings.Contains(a.body, tt.body) {
				t.Errorf("got %d %s, want %d %s", a.status, a.body, tt.status, tt.body)
			}
		})
	}
}

func TestSiteIdentifier(t *testing.T) {
	b := newBox(t, Options{Site: "a1b2c3d4", Key: "k"})
	b.create("umami")
}

func TestOpenRefusesUnknownOptions(t *testing.T) {
	for _, opts := range []Options{{Release: "1.0"}, {Platforms: []string{"umami", "google"}}, {Path: t.TempDir()}} {
		if s, err := Open(t.Context(), opts); err == nil {
			s.Close()
			t.Errorf("Open(%+v) succeeded", opts)
		}
	}
}

func TestCreate(t *testing.T) {
	newest := []string{"umami", "simple_analytics", "plausible", "matomo", "posthog"}
	for _, tt := range []struct {
		opts  Options
		known []string
	}{
		{Options{}, newest},
		{Options{Release: "2.7"}, newest[:3]},
		{Options{Platforms: []string{"umami"}}, newest[:1]},
		{Options{Release: "2.7", Platforms: newest}, newest},
	} {
		b := newBox(t, tt.opts)
		for _, p := range append(newest, "google", "") {
			a := b.do("POST", "", `{"platform":"`+p+`"}`)
			switch known := slices.Contains(tt.known, p); {
			case known && a.status != 200:
				t.Errorf("%+v: %s: %+v", tt.opts, p, a)
			case !known && (a.status != 400 || !strings.Contains(a.body, `"error":"Validation error"`)):
				t.Errorf("%+v: %s: %+v", tt.opts, p, a)
			}
			for _, l := range b.list() {
				b.mustPost(l.ImportID, true)
			}
		}
	}
	b := newBox(t, Options{Earliest: noon.AddDate(-1, 0, 0)})
	a := b.do("POST", "", `{"platform":"umami","more":1}`)
	if want := `"allowedDateRange":{"earliestAllowedDate":"2025-01-15","latestAllowedDate":"2026-01-15"}`; !strings.Contains(a.body, want) {
		t.Errorf("got %s, want %s", a.body, want)
	}
}

func TestBadRequests(t *testing.T) {
	b := newBox(t, Options{})
	id := b.create("umami")
	for _, tt := range []struct {
		method, path, body string
		header             http.Header
		status             int
		answer             string
	}{
		{"POST", "", ``, nil, 400, "FST_ERR_CTP_EMPTY_JSON_BODY"},
		{"POST", "", `{"platform":`, nil, 400, "FST_ERR_CTP_INVALID_JSON_BODY"},
		{"POST", "", `{"platform":"umami"}}`, nil, 400, "FST_ERR_CTP_INVALID_JSON_BODY"},
		{"POST", "", `[]`, nil, 400, "Validation error"},
		{"POST", "", `{}`, nil, 400, "Validation error"},
		{"POST", "", `{"platform":7}`, nil, 400, "Validation error"},
		{"POST", "", `{"platform":"umami"}`, http.Header{"Content-Type": {"text/csv"}}, 415, "FST_ERR_CTP_INVALID_MEDIA_TYPE"},
		{"POST", "", `{"platform":"umami"}`, http.Header{"Content-Type": {""}}, 415, "FST_ERR_CTP_INVALID_MEDIA_TYPE"},
		{"POST", "/" + id + "/events", `{"events":[],"isLastBatch":false}`, http.Header{"Content-Encoding": {"gzip"}}, 400, "FST_ERR_CTP_INVALID_JSON_BODY"},
		{"POST", "/" + id + "/events", `{"events":[],"isLastBatch":false}`, http.Header{"Content-Encoding": {"identity"}}, 200, ""},
		{"POST", "/" + id + "/events", `{"events":[],"isLastBatch":false}`, http.Header{"Content-Type": {"application/json; charset=utf-8"}}, 200, ""},
		{"POST", "/" + nobody + "/events", `{"events":[],"isLastBatch":false}`, nil, 404, "Import not found"},
		{"POST", "/7/events", `{"events":[],"isLastBatch":false}`, nil, 400, "Validation error"},
		{"DELETE", "/" + nobody, "", nil, 404, "Import not found"},
		{"DELETE", "/" + id + "0", "", nil, 400, "Validation error"},
		{"DELETE", "/" + strings.ReplaceAll(id, "-", ""), "", nil, 400, "Validation error"},
		{"PUT", "", "", nil, 404, "Route PUT:"},
		{"GET", "/" + id, "", nil, 404, "Route GET:"},
		{"POST", "/" + id + "/event", "{}", nil, 404, `"statusCode":404`},
	} {
		if a := b.send(tt.method, tt.path, strings.NewReader(tt.body), tt.header); a.status != tt.status || !strings.Contains(a.body, tt.answer) {
			t.Errorf("%s %s %s %v: got %+v, want %d %s", tt.method, tt.path, tt.body, tt.header, a, tt.status, tt.answer)
		}
	}
	b.wantCounters(id, "0 0 0")
}

func TestBatchShapes(t *testing.T) {
	good := jsonText(umamiEvent)
	b := newBox(t, Options{})
	id := b.create("umami")
	const malformed, refused = "FST_ERR_CTP_INVALID_JSON_BODY", "Validation error"
	for _, tt := range []struct {
		body   string
		status int
		answer string
		total  int // imported so far
	}{
		{`{"events":[` + good + `],"isLastBatch":false}`, 200, "", 1},
		{`{"isLastBatch":false,"extra":{"a":[1]},"events":[` + good + `]}`, 200, "", 2},
		{` {"events":[],"isLastBatch":false} `, 200, "", 2},
		{``, 400, "FST_ERR_CTP_EMPTY_JSON_BODY", 2},
		{` `, 400, malformed, 2},
		{`x`, 400, malformed, 2},
		{`{"events":[` + good + `],"isLastBatch":false`, 400, malformed, 2},
		{`{"events":[` + good + `],"isLastBatch":false}{}`, 400, malformed, 2},
		{`{"events":[` + good + `,],"isLastBatch":false}`, 400, malformed, 2},
		{`{"events":[` + good + good + `],"isLastBatch":false}`, 400, malformed, 2},
		{`{"events":[` + good + `],"isLastBatch"}`, 400, malformed, 2},
		{`{"events"}`, 400, malformed, 2},
		{`{"events":[7,x],"isLastBatch":false}`, 400, malformed, 2}, // broken JSON outweighs a broken shape
		{`[]`, 400, refused, 2},
		{`[{"events":[]}]`, 400, refused, 2},
		{`"events"`, 400, refused, 2},
		{`null`, 400, refused, 2},
		{`{}`, 400, refused, 2},
		{`{"events":[` + good + `]}`, 400, refused, 2},
		{`{"events":[` + good + `],"isLastBatch":"false"}`, 400, refused, 2},
		{`{"events":[` + good + `],"isLastBatch":null}`, 400, refused, 2},
		{`{"isLastBatch":false}`, 400, refused, 2},
		{`{"events":null,"isLastBatch":false}`, 400, refused, 2},
		{`{"events":"","isLastBatch":false}`, 400, refused, 2},
		{`{"events":{"a":{}},"isLastBatch":false}`, 400, refused, 2},
		{`{"events":[` + good + `,null],"isLastBatch":false}`, 400, refused, 2},
		{`{"events":[7,` + good + `],"isLastBatch":false}`, 400, refused, 2},
		{`{"events":[[],` + good + `],"isLastBatch":false}`, 400, refused, 2},
		{`{"events":[` + good + `,{}],"isLastBatch":false}`, 400, refused, 2},
		{`{"Events":[],"isLastBatch":false}`, 400, refused, 2},
	} {
		a := b.do("POST", "/"+id+"/events", tt.body)
		if a.status != tt.status || !strings.Contains(a.body, tt.answer) {
			t.Errorf("%s: got %+v, want %d %s", tt.body, a, tt.status, tt.answer)
		}
		b.wantCounters(id, fmt.Sprint(tt.total, " 0 0"))
	}
	if l := b.list(); l[0].CompletedAt != nil {
		t.Error("a refused batch completed the import")
	}
}

func TestSkipped(t *testing.T) {
	b := newBox(t, Options{Earliest: time.Date(2020, 5, 1, 9, 0, 0, 0, time.UTC)})
	id := b.create("umami")
	for _, tt := range []struct{ at, counters string }{
		{"2026-01-15 12:00:00", "1 0 0"}, // now
		{"2026-01-15 12:00:01", "1 1 0"},
		{"2020-05-01 00:00:00", "2 1 0"}, // the first allowed day
		{"2020-04-30 23:59:59", "2 2 0"},
		{"2024-02-29 00:00:00", "3 2 0"},
		{"2024-02-31 00:00:00", "3 3 0"},
		{"2025-01-01 24:00:00", "3 4 0"},
		{"2025-01-01T00:00:00", "3 4 1"},
		{"2025-01-01", "3 4 2"},
		{"2025-01-01 00:00:00 ", "3 4 3"},
		{"2025-01-01 00:00:00\n", "3 4 4"},
		{"25-01-01 00:00:00", "3 4 5"},
		{"", "3 4 6"},
	} {
		b.mustPost(id, false, with(umamiEvent, "created_at", tt.at))
		b.wantCounters(id, tt.counters)
	}
}

func TestMonthlyQuota(t *testing.T) {
	b := newBox(t, Options{MonthlyQuota: 2})
	id := b.create("umami")
	b.mustPost(id, false, umamiEvent, umamiEvent, umamiEvent)
	b.mustPost(id, false, umamiEvent, with(umamiEvent, "created_at", "2025-04-01 00:00:00"))
	b.wantCounters(id, "3 2 0")
}

func TestCompletion(t *testing.T) {
	for _, tt := range []struct {
		release                       string
		lastAgain, lateStatus         int
		afterLast, afterAll, afterBad string
	}{
		{"", 200, 400, "2 0 0", "2 0 0", "Import is already complete"},
		{"2.7", 200, 200, "3 0 0", "4 0 0", ""},
	} {
		b := newBox(t, Options{Release: tt.release})
		id := b.create("umami")
		b.mustPost(id, false, umamiEvent)
		if b.list()[0].CompletedAt != nil {
			t.Error("complete too early")
		}
		b.mustPost(id, true, umamiEvent)
		l := b.list()[0]
		if l.CompletedAt == nil || !l.CompletedAt.Equal(noon) || !l.StartedAt.Equal(noon) || l.Platform != "umami" || l.ImportID != id {
			t.Errorf("listed as %+v", l)
		}
		b.mustPost(id, true) // an empty last batch may always be repeated
		b.mustPost(id, true, umamiEvent)
		b.wantCounters(id, tt.afterLast)
		if a := b.post(id, false, umamiEvent); a.status != tt.lateStatus || !strings.Contains(a.body, tt.afterBad) {
			t.Errorf("a batch after completion: %+v", a)
		}
		b.wantCounters(id, tt.afterAll)
	}
}

func TestRepeatedBatchIsStoredTwice(t *testing.T) {
	b := newBox(t, Options{})
	id := b.create("umami")
	b.mustPost(id, false, umamiEvent)
	b.mustPost(id, false, umamiEvent)
	b.wantCounters(id, "2 0 0")
}

func TestDelete(t *testing.T) {
	b := newBox(t, Options{Release: "2.7"})
	kept, id := b.create("umami"), b.create("umami")
	b.mustPost(kept, false, umamiEvent)
	b.mustPost(id, false, umamiEvent)
	if a := b.do("DELETE", "/"+id, ""); a.status != 400 {
		t.Errorf("deleted an open import: %+v", a)
	}
	b.wantCounters(id, "1 0 0")
	b.mustPost(id, true)
	if a := b.do("DELETE", "/"+id, ""); a.status != 200 {
		t.Errorf("delete: %+v", a)
	}
	var left int
	if err := b.server.DB().QueryRow(`SELECT count(*) FROM events`).Scan(&left); err != nil || left != 1 {
		t.Errorf("%d events left, %v", left, err)
	}
	for _, a := range []answer{b.do("DELETE", "/"+id, ""), b.post(id, false, umamiEvent)} {
		if a.status != 404 {
			t.Errorf("after deletion: %+v", a)
		}
	}
	b.wantCounters(kept, "1 0 0")
}

// clock is a time that tests move.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

func TestOneOpenImport(t *testing.T) {
	c := &clock{at: noon}
	b := newBox(t, Options{Now: c.now})
	first := b.create("umami")
	busy := func() {
		t.Helper()
		if a := b.do("POST", "", `{"platform":"umami"}`); a.status != 429 {
			t.Fatalf("a second open import: %+v", a)
		}
	}
	busy()
	c.add(10 * time.Minute)
	b.mustPost(first, false, umamiEvent) // renews the lease
	c.add(15*time.Minute - time.Millisecond)
	busy()
	c.add(time.Millisecond)
	b.mustPost(first, false, umamiEvent) // nobody has taken it
	c.add(15 * time.Minute)
	second := b.create("umami")
	for _, last := range []bool{false, true} {
		if a := b.post(first, last, umamiEvent); a.status != 409 || !strings.Contains(a.body, "Import lease expired. Start a new import to continue.") {
			t.Errorf("after the lease: %+v", a)
		}
	}
	if a := b.do("DELETE", "/"+first, ""); a.status != 400 {
		t.Errorf("deleted an import that is not complete: %+v", a)
	}
	b.wantCounters(first, "2 0 0")
	b.mustPost(second, true)
	b.create("umami")
	if l := b.list(); len(l) != 3 || l[1].ImportID != second || l[2].ImportID != first {
		t.Errorf("list is not newest first: %+v", l)
	}
}

func TestCloudCompletes(t *testing.T) {
	c := &clock{at: noon}
	b := newBox(t, Options{Now: c.now, Cloud: true})
	id := b.create("umami")
	c.add(2*time.Hour - time.Millisecond)
	b.mustPost(id, false, umamiEvent)
	c.add(time.Millisecond)
	if a := b.post(id, false, umamiEvent); a.status != 400 || !strings.Contains(a.body, "Import is already complete") {
		t.Errorf("after two hours: %+v", a)
	}
	b.wantCounters(id, "1 0 0")
	b.create("umami")
}

func TestBodyLimit(t *testing.T) {
	body := `{"events":[` + jsonText(umamiEvent) + `],"isLastBatch":false}`
	fill := func(size int) string { return body + strings.Repeat(" ", size-len(body)) }
	const limit = 300_000
	for _, tt := range []struct {
		name   string
		opts   Options
		header http.Header
		wide   bool // no Content-Length
		status int
		answer string
	}{
		{"newest", Options{}, nil, false, 413, `"statusCode":413`},
		{"newest, chunked", Options{}, nil, true, 413, "FST_ERR_CTP_BODY_TOO_LARGE"},
		{"newest, asked first", Options{}, http.Header{"Expect": {"100-continue"}}, false, 413, "FST_ERR_CTP_BODY_TOO_LARGE"},
		{"proxy", Options{ProxyHTML: true}, nil, false, 413, "<html>"},
		{"2.7", Options{Release: "2.7"}, nil, false, 0, ""},
		{"2.7, chunked", Options{Release: "2.7"}, nil, true, 0, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.opts.MaxBody = limit
			b := newBox(t, tt.opts)
			id := b.create("umami")
			send := func(size int) answer {
				var r io.Reader = strings.NewReader(fill(size))
				if tt.wide {
					r = io.MultiReader(r)
				}
				return b.send("POST", "/"+id+"/events", r, tt.header)
			}
			if a := send(limit); a.status != 200 {
				t.Fatalf("at the limit: %+v", a)
			}
			for _, size := range []int{limit + 1, 20 * limit} {
				a := send(size)
				if a.status != tt.status || !strings.Contains(a.body, tt.answer) || (a.err != nil) != (tt.status == 0) {
					t.Errorf("%d bytes: %+v", size, a)
				}
			}
			b.key = "wrong"
			if a := send(20 * limit); tt.wide && a.status != 401 && a.status != 403 {
				t.Errorf("a wrong key and a large body: %+v", a)
			}
			b.key = "sandbox"
			b.wantCounters(id, "1 0 0")
		})
	}
}

func TestBudget(t *testing.T) {
	for release, retry := range map[string]string{"": "420", "2.7": ""} {
		c := &clock{at: noon}
		b := newBox(t, Options{Release: release, Now: c.now, Budget: 3, Window: 10 * time.Minute})
		b.key = "wrong" // does not cost anything
		b.do("GET", "", "")
		b.key = "sandbox"
		for range 3 {
			b.list()
			c.add(time.Minute)
		}
		a := b.do("GET", "", "")
		if a.status != 429 || a.header.Get("Retry-After") != retry || a.body != `{"error":"Rate limit exceeded"}` {
			t.Errorf("%s: over the budget: %+v", release, a)
		}
		c.add(7 * time.Minute)
		b.list()
	}
}

func TestRestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a file?&%20#.db")
	b := newBox(t, Options{Path: path})
	id := b.create("umami")
	b.mustPost(id, false, umamiEvent)
	instance := b.server.Instance()
	if err := b.server.Close(); err != nil {
		t.Fatal(err)
	}
	if a := b.do("GET", "", ""); a.status != 503 {
		t.Errorf("a closed server answers %+v", a)
	}
	b = newBox(t, Options{Path: path})
	if b.server.Instance() != instance || !isUUID(instance) || b.server.Path() != path {
		t.Errorf("instance is %s, was %s", b.server.Instance(), instance)
	}
	b.mustPost(id, false, umamiEvent)
	b.mustPost(id, true)
	b.wantCounters(id, "2 0 0")
	if other := newBox(t, Options{}); other.server.Instance() == instance {
		t.Error("another database has the same instance")
	}
	if err := b.server.Close(); err != nil {
		t.Fatal(err)
	}

	b = newBox(t, Options{Path: path, Site: "2"})
	for _, a := range []answer{b.post(id, false, umamiEvent), b.do("DELETE", "/"+id, "")} {
		if a.status != 400 || !strings.Contains(a.body, "Validation error") {
			t.Errorf("an import of another site: %+v", a)
		}
	}
	if l := b.list(); len(l) != 0 {
		t.Errorf("the list shows another site's imports: %+v", l)
	}
}

func TestParallelBatches(t *testing.T) {
	b := newBox(t, Options{})
	id := b.create("umami")
	body := []byte(`{"events":[` + jsonText(umamiEvent) + `,` + jsonText(with(umamiEvent, "city", strings.Repeat("x", 61))) + `],"isLastBatch":false}`)
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for range 4 {
				if a := b.send("POST", "/"+id+"/events", bytes.NewReader(body), nil); a.status != 200 {
					t.Errorf("batch: %+v", a)
				}
				if l := b.list(); l[0].ImportedEvents != l[0].InvalidEvents {
					t.Errorf("counters did not rise together: %+v", l)
				}
			}
		})
	}
	wg.Wait()
	b.wantCounters(id, "64 0 64")
}

func TestViews(t *testing.T) {
	b := newBox(t, Options{})
	id := b.create("umami")
	const s1, s2, s3 = "10000000-0000-0000-0000-000000000000", "20000000-0000-0000-0000-000000000000", "30000000-0000-0000-0000-000000000000"
	at := func(session, user, kind, page, time string) map[string]any {
		return with(umamiEvent, "session_id", session, "distinct_id", user, "event_type", kind, "event_name", "e", "url_path", page, "created_at", time)
	}
	b.mustPost(id, false,
		at(s1, "a", "1", "/out", "2025-01-01 23:59:40"), // not in order of time
		at(s1, "a", "2", "/in", "2025-01-01 23:58:00"),
		at(s1, "a", "1", "/in", "2025-01-01 23:58:00"),
		at(s2, "b", "1", "/in", "2025-01-01 10:00:00"),
		at(s2, "b", "2", "/in", "2025-01-01 10:00:30"),
		at(s3, "b", "2", "/x", "2025-01-02 00:00:01"),
	)
	for _, tt := range []struct{ query, want string }{
		{`SELECT session_id, user_id, start, end, duration, events, pageviews, bounce, entry_page, exit_page, hostname, browser, referrer FROM sessions ORDER BY start`,
			s2 + "|b|2025-01-01 10:00:00.000|2025-01-01 10:00:30.000|30|2|1|1|/in|/in|shop.example|Chrome|https://news.example/search\n" +
				s1 + "|a|2025-01-01 23:58:00.000|2025-01-01 23:59:40.000|100|3|2|0|/in|/out|shop.example|Chrome|https://news.example/search\n" +
				s3 + "|b|2025-01-02 00:00:01.000|2025-01-02 00:00:01.000|0|1|0|0|/x|/x|shop.example|Chrome|https://news.example/search\n"},
		{`SELECT day, users, sessions, pageviews, events, bounces FROM daily ORDER BY day`, "2025-01-01|2|2|3|5|1\n2025-01-02|1|1|0|1|0\n"},
		{`SELECT hostname, pathname, pageviews, sessions, users FROM pages ORDER BY pathname`, "shop.example|/in|2|2|2\nshop.example|/out|1|1|1\n"},
	} {
		if got := b.query(tt.query); got != tt.want {
			t.Errorf("%s:\ngot\n%s\nwant\n%s", tt.query, got, tt.want)
		}
	}
}

// query returns rows as lines of cells.
func (b *box) query(query string, args ...any) string {
	b.Helper()
	rows, err := b.server.DB().Query(query, args...)
	if err != nil {
		b.Fatal(err)
	}
	defer rows.Close()
	names, _ := rows.Columns()
	cells, pointers := make([]any, len(names)), make([]any, len(names))
	for i := range cells {
		pointers[i] = &cells[i]
	}
	var out strings.Builder
	for rows.Next() {
		if err := rows.Scan(pointers...); err != nil {
			b.Fatal(err)
		}
		for i, c := range cells {
			if i > 0 {
				out.WriteByte('|')
			}
			fmt.Fprint(&out, c)
		}
		out.WriteByte('\n')
	}
	if err := rows.Err(); err != nil {
		b.Fatal(err)
	}
	return out.String()
}
