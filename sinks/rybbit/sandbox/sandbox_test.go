package sandbox

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// box is a sandbox behind a real socket, with a client that is as plain as can be.
type box struct {
	*testing.T
	server *Server
	http   *httptest.Server
	key    string
	site   string
}

// noon is the time of day in tests.
var noon = time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC)

func newBox(t *testing.T, opts Options) *box {
	t.Helper()
	if opts.Now == nil {
		opts.Now = func() time.Time { return noon }
	}
	server, err := Open(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	b := &box{T: t, server: server, http: httptest.NewServer(server), key: server.opts.Key, site: server.opts.Site}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
		b.http.Close()
	})
	return b
}

// answer is what came back; err means that nothing did.
type answer struct {
	status int
	body   string
	header http.Header
	err    error
}

func (b *box) do(method, path, body string) answer {
	return b.send(method, path, strings.NewReader(body), nil)
}

func (b *box) send(method, path string, body io.Reader, header http.Header) answer {
	req, err := http.NewRequestWithContext(b.Context(), method, b.http.URL+"/api/sites/"+b.site+"/imports"+path, body)
	if err != nil {
		b.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+b.key)
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/json")
	}
	maps.Copy(req.Header, header)
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true, ExpectContinueTimeout: time.Minute}}
	resp, err := client.Do(req)
	if err != nil {
		return answer{err: err}
	}
	defer resp.Body.Close()
	content, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, string(content), resp.Header, err}
}

func (b *box) create(platform string) string {
	b.Helper()
	a := b.do("POST", "", `{"platform":"`+platform+`"}`)
	var created struct {
		Data struct {
			ImportID         string
			AllowedDateRange struct{ EarliestAllowedDate, LatestAllowedDate string }
		}
	}
	if err := json.Unmarshal([]byte(a.body), &created); err != nil || a.status != 200 || !isUUID(created.Data.ImportID) {
		b.Fatalf("create %s: %+v", platform, a)
	}
	return created.Data.ImportID
}

// post sends a batch.
func (b *box) post(id string, last bool, events ...map[string]any) answer {
	b.Helper()
	if events == nil {
		events = []map[string]any{}
	}
	content, err := json.Marshal(map[string]any{"events": events, "isLastBatch": last})
	if err != nil {
		b.Fatal(err)
	}
	return b.send("POST", "/"+id+"/events", bytes.NewReader(content), nil)
}

// mustPost sends a batch that must be accepted.
func (b *box) mustPost(id string, last bool, events ...map[string]any) {
	b.Helper()
	if a := b.post(id, last, events...); a.status != 200 || a.body != "" {
		b.Fatalf("batch: %+v", a)
	}
}

type listed struct {
	ImportID, Platform                           string
	ImportedEvents, SkippedEvents, InvalidEvents int
	StartedAt                                    utc
	CompletedAt                                  *utc
}

// utc is a time as the list shows it: UTC without a zone.
type utc struct{ time.Time }

func (u *utc) UnmarshalJSON(text []byte) (err error) {
	u.Time, err = time.Parse(`"2006-01-02 15:04:05.000"`, string(text))
	return err
}

func (b *box) list() []listed {
	b.Helper()
	a := b.do("GET", "", "")
	var l struct{ Data []listed }
	if err := json.Unmarshal([]byte(a.body), &l); err != nil || a.status != 200 {
		b.Fatalf("list: %v %+v", err, a)
	}
	return l.Data
}

// counters returns imported, skipped and invalid of an import, or "" if it is gone.
func (b *box) counters(id string) string {
	b.Helper()
	for _, l := range b.list() {
		if l.ImportID == id {
			return fmt.Sprint(l.ImportedEvents, l.SkippedEvents, l.InvalidEvents)
		}
	}
	return ""
}

func (b *box) wantCounters(id, want string) {
	b.Helper()
	if got := b.counters(id); got != want {
		b.Errorf("counters are %q, want %q", got, want)
	}
	var stored int
	if err := b.server.DB().QueryRow(`SELECT count(*) FROM events WHERE import_id = ?`, id).Scan(&stored); err != nil {
		b.Fatal(err)
	}
	var imported int
	fmt.Sscan(want, &imported)
	if stored != imported {
		b.Errorf("%d events are stored, want %d", stored, imported)
	}
}

// with returns a copy of an event with some fields replaced; nil removes one.
func with(event map[string]any, changes ...any) map[string]any {
	e := maps.Clone(event)
	for i := 0; i < len(changes); i += 2 {
		if changes[i+1] == nil {
			delete(e, changes[i].(string))
		} else {
			e[changes[i].(string)] = changes[i+1]
		}
	}
	return e
}

const (
	aSession = "0f1e2d3c-4b5a-4968-8776-655443322110"
	aUser    = "11111111-2222-4333-8444-555555555555"
)

var umamiEvent = map[string]any{
	"session_id": aSession, "hostname": "shop.example", "browser": "chrome", "os": "Windows 10", "device": "laptop",
	"screen": "1920x1080", "language": "de-AT", "country": "AT", "region": "AT-9", "city": "Wien",
	"url_path": "/teas", "url_query": "sort=price", "referrer_path": "/search", "referrer_domain": "news.example",
	"page_title": "Teas", "event_type": "1", "event_name": "", "distinct_id": "u-7", "created_at": "2025-03-04 05:06:07",
}

func BenchmarkBatch(b *testing.B) {
	content, err := json.Marshal(umamiEvent)
	if err != nil {
		b.Fatal(err)
	}
	body := `{"events":[` + strings.Repeat(string(content)+",", 99_999) + string(content) + `],"isLastBatch":false}`
	server, err := Open(b.Context(), Options{Release: "2.7"})
	if err != nil {
		b.Fatal(err)
	}
	defer server.Close()
	h := httptest.NewServer(server)
	defer h.Close()
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		var id string
		for _, step := range []struct{ path, body string }{{"", `{"platform":"umami"}`}, {"/%s/events", body}} {
			path := step.path
			if path != "" {
				path = fmt.Sprintf(path, id)
			}
			req, _ := http.NewRequest("POST", h.URL+"/api/sites/1/imports"+path, strings.NewReader(step.body))
			req.Header = http.Header{"Authorization": {"Bearer sandbox"}, "Content-Type": {"application/json"}}
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				b.Fatal(err)
			}
			text, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			if resp.StatusCode != 200 {
				b.Fatal(resp.Status, string(text))
			}
			if id == "" {
				var created struct{ Data struct{ ImportID string } }
				json.Unmarshal(text, &created)
				id = created.Data.ImportID
			}
		}
	}
}
