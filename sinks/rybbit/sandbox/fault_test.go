package sandbox

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestParseFaults(t *testing.T) {
	for _, tt := range []struct {
		spec string
		want []Fault
	}{
		{"", nil},
		{"any=500", []Fault{{Effect: Status, Code: 500}}},
		{"events@2=lost", []Fault{{Call: Events, First: 2, Last: 2, Effect: Lost}}},
		{"events@2-4=lost,for=5s", []Fault{{Call: Events, First: 2, Last: 4, Effect: Lost, For: 5 * time.Second}}},
		{"list@2-=slow,for=1m", []Fault{{Call: List, First: 2, Effect: Slow, For: time.Minute}}},
		{"delete@/3=late,for=0s", []Fault{{Call: Delete, Every: 3, Effect: Late}}},
		{"create@10%=429,retry=30s", []Fault{{Call: Create, Percent: 10, Effect: Status, Code: 429, Retry: 30 * time.Second}}},
		{"create@0.5%#42=429,retry-date=0s", []Fault{{Call: Create, Percent: 0.5, Seed: 42, Effect: Status, Code: 429, Retry: -1, RetryAsDate: true}}},
		{"events=413,above=1MB,html", []Fault{{Call: Events, Effect: Status, Code: 413, Above: 1e6, HTML: true}}},
		{"events=504,after,for=5s", []Fault{{Call: Events, Effect: Status, Code: 504, After: true, For: 5 * time.Second}}},
		{"events=503,after", []Fault{{Call: Events, Effect: Status, Code: 503, After: true}}},
		{"any=200,html", []Fault{{Effect: Status, Code: 200, HTML: true}}},
		{"events=cut; events=cut,at=64KB;events=cut,at=50% ;events=cut,above=1MiB,at=7", []Fault{{Call: Events, Effect: Cut},
			{Call: Events, Effect: Cut, At: 64e3}, {Call: Events, Effect: Cut, AtPercent: 50}, {Call: Events, Effect: Cut, Above: 1 << 20, At: 7}}},
		{"events@1=complete;events@1=expire,after;events@1=delete,after;events@1=abort", []Fault{{Call: Events, First: 1, Last: 1, Effect: Complete},
			{Call: Events, First: 1, Last: 1, Effect: Expire, After: true}, {Call: Events, First: 1, Last: 1, Effect: Gone, After: true}, {Call: Events, First: 1, Last: 1, Effect: Abort}}},
		{"list=lag,for=8s,counters;list@2=empty,for=5s", []Fault{{Call: List, Effect: Lag, For: 8 * time.Second, Counters: true},
			{Call: List, First: 2, Last: 2, Effect: Empty, For: 5 * time.Second}}},
		{"events@3=restart,for=5s;events=restart,above=10MB,for=2s;any=restart,after;events=uncounted", []Fault{{Call: Events, First: 3, Last: 3, Effect: Restart, For: 5 * time.Second},
			{Call: Events, Effect: Restart, Above: 10e6, For: 2 * time.Second}, {Effect: Restart, After: true}, {Call: Events, Effect: Uncounted}}},
	} {
		if got, err := ParseFaults(tt.spec); err != nil || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: got %+v, %v", tt.spec, got, err)
		}
	}
	for _, spec := range []string{"events", "=500", "event=500", "events=301", "events=600", "events=explode", "events=status", "events=", "events@=500", "events@0=500",
		"events@3-2=500", "events@x=500", "events@/0=500", "events@0%=500", "events@101%=500", "events@5%42=500", "events@5%#x=500", "events=500,after=1", "events=500,retry", "events=500,for=5s",
		"events=500,retry=30", "events=cut,after", "events=lost,at=5", "events=cut,at=x%", "events=cut,at=-5", "events=cut,above=5GB", "events=abort,after", "events=500,", "list=empty,counters", "list=lag,after", "events=uncounted,after"} {
		if got, err := ParseFaults(spec); err == nil || !strings.Contains(err.Error(), "expected CALL[@WHEN]=EFFECT") {
			t.Errorf("%s: got %+v, %v", spec, got, err)
		}
	}
}

func FuzzParseFaults(f *testing.F) {
	f.Add("events@2-4=lost,for=5s;any@10%#3=429,retry=30s")
	f.Fuzz(func(t *testing.T, spec string) {
		faults, err := ParseFaults(spec)
		for _, f := range faults {
			if err != nil || f.Effect == "" || f.First < 0 || f.Last < 0 || f.At < 0 || f.Above < 0 {
				t.Fatalf("%+v, %v", f, err)
			}
		}
	})
}

func TestWhichRequestsAreHit(t *testing.T) {
	for when, want := range map[string][]int{
		"@2": {2}, "@2-3": {2, 3}, "@7-": {7, 8, 9}, "@/4": {4, 8}, "": {1, 2, 3, 4, 5, 6, 7, 8, 9}, "@100%": {1, 2, 3, 4, 5, 6, 7, 8, 9},
	} {
		if got := hits(t, when, 9); !slices.Equal(got, want) {
			t.Errorf("%q hits %v, want %v", when, got, want)
		}
	}
	some := hits(t, "@20%#1", 1000)
	if n := len(some); n < 150 || n > 250 {
		t.Errorf("20%% hit %d of 1000", n)
	}
	if !slices.Equal(some, hits(t, "@20%#1", 1000)) || slices.Equal(some, hits(t, "@20%#2", 1000)) {
		t.Error("what is hit does not depend on the seed alone")
	}
}

// hits returns which of n requests a fault hits, while others come in between.
func hits(t *testing.T, when string, n int) (hit []int) {
	t.Helper()
	faults, err := ParseFaults("events" + when + "=500")
	if err != nil {
		t.Fatal(err)
	}
	var set faultSet
	set.set(faults)
	for i := range n {
		if set.pick(List) != nil {
			t.Error("hit another call")
		}
		if set.pick(Events) != nil {
			hit = append(hit, i+1)
		}
	}
	return hit
}

func TestFaultsOfABatch(t *testing.T) {
	done := make(chan Exchange, 1)
	b := newBox(t, Options{Observe: func(x Exchange) {
		if x.Call == Events {
			done <- x
		}
	}})
	for _, tt := range []struct {
		fault  string
		status int    // 0: no answer
		answer string // part of it
		stored bool
		after  string // the import's state afterwards: open, complete, lost, gone
	}{
		{"lost", 0, "", true, "open"},
		{"cut", 0, "", false, "open"},
		{"cut,at=100", 0, "", false, "open"},
		{"cut,at=50%", 0, "", false, "open"},
		{"cut,at=100%", 0, "", false, "open"},
		{"cut,at=1000MB", 0, "", false, "open"},
		{"cut,above=100KB", 0, "", false, "open"},
		{"cut,above=100KB,at=10KB", 0, "", false, "open"},
		{"cut,above=100MB", 200, "", true, "open"},
		{"413,above=100KB", 413, "FST_ERR_CTP_BODY_TOO_LARGE", false, "open"},
		{"413,above=100KB,html", 413, "<html>", false, "open"},
		{"413,above=100MB,html", 200, "", true, "open"},
		{"403", 403, `{"error":"Forbidden"}`, false, "open"},
		{"408", 408, "error", false, "open"},
		{"429", 429, "error", false, "open"},
		{"500", 500, "error", false, "open"},
		{"503", 503, "error", false, "open"},
		{"502,html", 502, "<html>", false, "open"},
		{"200", 200, "", false, "open"},
		{"200,html", 200, "<html>", false, "open"},
		{"408,after", 408, "error", true, "open"},
		{"500,after", 500, "error", true, "open"},
		{"502,after,html", 502, "<html>", true, "open"},
		{"504,after", 504, "error", true, "open"},
		{"504,after,for=1ms", 504, "error", true, "open"},
		{"503,after,above=100KB", 503, "error", true, "open"},
		{"503,after,above=100MB", 200, "", true, "open"},
		{"503,after,above=200462B", 503, "error", true, "open"}, // the body's size is one more
		{"503,after,above=200463B", 200, "", true, "open"},
		{"413,above=200462B", 413, "error", false, "open"},
		{"413,above=200463B", 200, "", true, "open"},
		{"slow,for=1ms", 200, "", true, "open"},
		{"late,for=1ms", 200, "", true, "open"},
		{"lost,for=1ms", 0, "", true, "open"},
		{"complete", 400, "Import is already complete", false, "complete"},
		{"complete,after", 200, "", true, "complete"},
		{"expire", 409, "Import lease expired", false, "lost"},
		{"expire,after", 200, "", true, "lost"},
		{"delete", 404, "Import not found", false, "gone"},
		{"delete,after", 200, "", true, "gone"},
		{"abort", 500, "Import was aborted", false, "gone"},
		{"restart", 0, "", false, "open"},
		{"restart,above=100KB", 0, "", false, "open"},
		{"restart,above=100MB", 200, "", true, "open"},
		{"restart,after", 0, "", true, "open"},
		{"restart,after,above=100MB", 200, "", true, "open"},
		{"abort;events=lost", 0, "", false, "gone"},
		{"expire,after;events=503,after", 503, "error", true, "lost"},
		{"503;events=500", 503, "error", false, "open"},
		{"503;events=complete", 503, "error", false, "complete"},
		{"slow,for=1ms;events=lost", 0, "", true, "open"},
	} {
		t.Run(tt.fault, func(t *testing.T) {
			faults, err := ParseFaults("events=" + tt.fault)
			if err != nil {
				t.Fatal(err)
			}
			id := b.create("umami")
			b.mustPost(id, false, umamiEvent)
			<-done
			b.server.SetFaults(faults...)
			body := `{"events":[` + jsonText(umamiEvent) + `],"isLastBatch":false}` + strings.Repeat(" ", 200_000)
			a := b.do("POST", "/"+id+"/events", body)
			if a.status != tt.status || !strings.Contains(a.body, tt.answer) || (a.err != nil) != (tt.status == 0) {
				t.Errorf("got %+v, want %d %s", a, tt.status, tt.answer)
			}
			if x := <-done; x.Status != tt.status || x.Import != id || len(x.Faults) != len(faults) || tt.stored != (x.Stored == 1) {
				t.Errorf("observed %+v", x)
			}
			b.server.SetFaults()
			want, next := "1 0 0", map[string]int{"open": 200, "complete": 400, "lost": 409, "gone": 404}[tt.after]
			if tt.stored {
				want = "2 0 0"
			}
			if tt.after == "gone" {
				want = ""
			}
			b.wantCounters(id, want)
			if a := b.post(id, false); a.status != next {
				t.Errorf("the next batch: got %+v, want %d", a, next)
			}
			<-done
			b.post(id, true) // the next case's import needs the place
			<-done
		})
	}
}

func TestResetOverTLS(t *testing.T) {
	b := newBox(t, Options{})
	id := b.create("umami")
	b.server.SetFaults(Fault{Call: Events, Effect: Lost})
	for _, http2 := range []bool{false, true} {
		h := httptest.NewUnstartedServer(b.server)
		h.Config.ErrorLog = log.New(io.Discard, "", 0)
		h.EnableHTTP2 = http2
		h.StartTLS()
		req, err := http.NewRequest("POST", h.URL+"/api/sites/1/imports/"+id+"/events", strings.NewReader(`{"events":[`+jsonText(umamiEvent)+`],"isLastBatch":false}`))
		if err != nil {
			t.Fatal(err)
		}
		req.Header = http.Header{"Authorization": {"Bearer sandbox"}, "Content-Type": {"application/json"}}
		if resp, err := h.Client().Do(req); err == nil {
			resp.Body.Close()
			t.Errorf("answered %s", resp.Status)
		}
		h.Close()
	}
	b.wantCounters(id, "2 0 0")
}

func TestRetryAfter(t *testing.T) {
	for spec, want := range map[string]string{
		"429": "", "429,retry=90s": "90", "429,retry=1500ms": "2", "403,retry=0s": "0", "503,retry-date=90s": "Thu, 15 Jan 2026 12:01:30 GMT",
	} {
		faults, err := ParseFaults("create=" + spec)
		if err != nil {
			t.Fatal(err)
		}
		b := newBox(t, Options{Faults: faults})
		if a := b.do("POST", "", `{"platform":"umami"}`); a.header.Get("Retry-After") != want {
			t.Errorf("%s: %+v", spec, a)
		}
	}
}

func TestFaultsOfOtherCalls(t *testing.T) {
	b := newBox(t, Options{})
	b.server.SetFaults(Fault{Call: Create, Effect: Lost}, Fault{Call: List, First: 2, Last: 2, Effect: Cut}, Fault{Call: Delete, Effect: Status, Code: 502, After: true, HTML: true})
	if a := b.do("POST", "", `{"platform":"umami"}`); a.err == nil {
		t.Errorf("create was answered: %+v", a)
	}
	l := b.list()
	if len(l) != 1 {
		t.Fatalf("what was lost was not created: %+v", l)
	}
	if a := b.do("GET", "", ""); a.err == nil {
		t.Errorf("list was answered: %+v", a)
	}
	b.mustPost(l[0].ImportID, true, umamiEvent)
	if a := b.do("DELETE", "/"+l[0].ImportID, ""); a.status != 502 || !strings.Contains(a.body, "<html>") {
		t.Errorf("delete: %+v", a)
	}
	if l := b.list(); len(l) != 0 {
		t.Errorf("not deleted: %+v", l)
	}
}

func TestHook(t *testing.T) {
	var mu sync.Mutex
	var seen []Request
	b := newBox(t, Options{Hook: func(r Request) []Fault {
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, r)
		if r.Call == Events && r.N == 2 {
			return []Fault{{Call: List, First: 99, Effect: Status, Code: 504}}
		}
		return nil
	}})
	id := b.create("umami")
	b.mustPost(id, false)
	if a := b.post(id, false, umamiEvent); a.status != 504 {
		t.Errorf("the hook's fault did not happen: %+v", a)
	}
	b.wantCounters(id, "0 0 0")
	want := []Request{{Create, 1, "", 20}, {Events, 1, id, 33}, {Events, 2, id, 524}, {List, 1, "", 0}}
	want[2].Length = seen[2].Length
	if !slices.Equal(seen, want) {
		t.Errorf("seen %+v, want %+v", seen, want)
	}
}

// TestStoredWhenTheClientHasGone plays what was seen on a real server: the
// counters are old right after the connection has broken, and rise later.
func TestStoredWhenTheClientHasGone(t *testing.T) {
	for _, effect := range []Effect{Slow, Lost, Status} {
		release, done, arrived := make(chan struct{}), make(chan Exchange, 1), make(chan struct{}, 1)
		b := newBox(t, Options{
			Hook: func(r Request) []Fault {
				if r.Call != Events {
					return nil
				}
				arrived <- struct{}{}
				return []Fault{{Effect: effect, Code: 504, After: true, Until: release}}
			},
			Observe: func(x Exchange) {
				if x.Call == Events {
					done <- x
				}
			},
		})
		id := b.create("umami")
		ctx, giveUp := context.WithCancel(t.Context())
		sent := make(chan struct{})
		ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteRequest: func(httptrace.WroteRequestInfo) { close(sent) }})
		req, err := http.NewRequestWithContext(ctx, "POST", b.http.URL+"/api/sites/1/imports/"+id+"/events",
			strings.NewReader(`{"events":[`+jsonText(umamiEvent)+`],"isLastBatch":false}`))
		if err != nil {
			t.Fatal(err)
		}
		req.Header = http.Header{"Authorization": {"Bearer sandbox"}, "Content-Type": {"application/json"}}
		if effect == Slow {
			go func() {
				<-arrived
				<-sent
				giveUp()
			}()
		}
		if resp, err := http.DefaultClient.Do(req); err == nil {
			resp.Body.Close()
			if effect != Status || resp.StatusCode != 504 {
				t.Fatalf("%s: answered %s", effect, resp.Status)
			}
		} else if effect == Status {
			t.Fatal(err)
		}
		b.wantCounters(id, "0 0 0")
		close(release)
		if x := <-done; x.Stored != 1 || effect == Lost && x.Status != 0 || effect == Status && x.Status != 504 {
			t.Errorf("observed %+v", x)
		}
		giveUp()
		b.wantCounters(id, "1 0 0")
	}
}

func TestCloseEndsWaits(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sandbox.db")
	arrived := make(chan struct{}, 1)
	b := newBox(t, Options{Path: path, Hook: func(r Request) []Fault {
		if r.Call != Events {
			return nil
		}
		arrived <- struct{}{}
		return []Fault{{Effect: Slow, For: time.Hour}}
	}})
	id := b.create("umami")
	answered := make(chan answer)
	go func() { answered <- b.post(id, false, umamiEvent) }()
	<-arrived
	if err := b.server.Close(); err != nil {
		t.Fatal(err)
	}
	if a := <-answered; a.err == nil {
		t.Errorf("answered %+v", a)
	}
	b = newBox(t, Options{Path: path})
	b.wantCounters(id, "0 0 0")
}

func TestCloseEndsAStalledBody(t *testing.T) {
	arrived := make(chan struct{}, 1)
	b := newBox(t, Options{Hook: func(r Request) []Fault {
		if r.Call == Events {
			arrived <- struct{}{}
		}
		return nil
	}})
	id := b.create("umami")
	answered := make(chan answer)
	stalled := make(chan struct{})
	go func() {
		answered <- b.send("POST", "/"+id+"/events", readerFunc(func([]byte) (int, error) { <-stalled; return 0, context.Canceled }), nil)
	}()
	<-arrived
	if err := b.server.Close(); err != nil {
		t.Fatal(err)
	}
	close(stalled)
	if a := <-answered; a.err == nil {
		t.Errorf("answered %+v", a)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestABrokenBodyStoresNothing(t *testing.T) {
	done := make(chan Exchange, 2)
	b := newBox(t, Options{Observe: func(x Exchange) {
		if x.Call == Events {
			done <- x
		}
	}})
	id := b.create("umami")
	body := `{"events":[` + jsonText(umamiEvent) + `],"isLastBatch":false}`
	conn, err := net.Dial("tcp", b.http.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "POST /api/sites/1/imports/%s/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer sandbox\r\n"+
		"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", id, len(body)+1, body)
	conn.(*net.TCPConn).CloseWrite()
	if x := <-done; x.Status != 0 || x.Stored != 0 {
		t.Errorf("observed %+v", x)
	}
	b.wantCounters(id, "0 0 0")
}
