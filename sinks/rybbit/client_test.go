package rybbit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

const secret = Key("rb_0123456789abcdef0123456789abcdef")

func testClient(t *testing.T, address string) *Client {
	t.Helper()
	c, err := NewClient(address, "1", secret, ClientOptions{Stall: 5 * time.Second, Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// answering is a server that answers everything in one way.
func answering(t *testing.T, answer http.HandlerFunc) *Client {
	t.Helper()
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	return testClient(t, server.URL)
}

func TestAddress(t *testing.T) {
	for address, want := range map[string]string{
		"https://rybbit.example.com":           "https://rybbit.example.com",
		" https://rybbit.example.com/ ":        "https://rybbit.example.com",
		"https://rybbit.example.com/api/":      "https://rybbit.example.com",
		"HTTPS://Rybbit.Example.COM:443":       "https://rybbit.example.com",
		"http://rybbit:80/stats":               "http://rybbit/stats",
		"http://127.0.0.1:8787":                "http://127.0.0.1:8787",
		"https://[::1]:443":                    "https://[::1]",
		"http://rybbit:443":                    "http://rybbit:443",
		"":                                     "",
		"rybbit.example.com":                   "",
		"ftp://rybbit.example.com":             "",
		"https://:443":                         "",
		"https://user:hunter2@rybbit":          "",
		"https://rybbit/?token=hunter2":        "",
		"https://rybbit/#hunter2":              "",
		"https://rybbit:port?password=hunter2": "",
	} {
		c, err := NewClient(address, "1", secret, ClientOptions{})
		switch {
		case want == "" && (err == nil || strings.Contains(err.Error(), "hunter2")):
			t.Errorf("%q: error %v", address, err)
		case want != "" && (err != nil || c.Server() != want):
			t.Errorf("%q: %v, want %q", address, err, want)
		}
	}
	for _, site := range []string{"", "1/../2", "a b", "1?x", "ü", "..", "%2e"} {
		if _, err := NewClient("https://rybbit", site, secret, ClientOptions{}); err == nil {
			t.Errorf("site %q is taken", site)
		}
	}
	for _, key := range []Key{"", "two words", "line\n", "clé", "\x00"} {
		if _, err := NewClient("https://rybbit", "1", key, ClientOptions{}); err == nil || key != "" && strings.Contains(err.Error(), string(key)) {
			t.Errorf("key %q: error %v", string(key), err)
		}
	}
}

func TestKeyIsNotShown(t *testing.T) {
	text, err := json.Marshal(map[string]any{"key": secret, "in": struct{ K Key }{secret}})
	if err != nil {
		t.Fatal(err)
	}
	shown := string(text)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		shown += fmt.Sprintf(verb+verb, secret, struct{ K Key }{secret})
	}
	// A server that quotes the request, at a place where the text is cut.
	for _, before := range []int{0, 280, 299} {
		c := answering(t, func(out http.ResponseWriter, r *http.Request) {
			out.WriteHeader(http.StatusBadRequest)
			json.NewEncoder(out).Encode(map[string]string{"error": strings.Repeat("x", before) + r.Header.Get("Authorization")})
		})
		_, err := c.Imports(t.Context())
		shown += err.Error()
	}
	for n := range len(secret) - 8 {
		if part := string(secret[n : n+8]); strings.Contains(shown, part) {
			t.Fatalf("%q of the key is shown in %s", part, shown)
		}
	}
}

func TestRedirectIsNotFollowed(t *testing.T) {
	var followed atomic.Bool
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { followed.Store(true) }))
	defer other.Close()
	for _, code := range []int{301, 302, 303, 307, 308} {
		c := answering(t, func(out http.ResponseWriter, r *http.Request) {
			http.Redirect(out, r, other.URL+"/login?next=secret", code)
		})
		err := c.Send(t.Context(), "a", []byte("{}"))
		if status(err) != code || !strings.Contains(err.Error(), other.URL+"/login") || strings.Contains(err.Error(), "secret") ||
			!strings.Contains(err.Error(), "--url") || (&patience{working: yes}).passing(err) {
			t.Errorf("%d: error %v", code, err)
		}
	}
	if followed.Load() {
		t.Error("the key was sent to another server")
	}
}

func yes() bool { return true }
func no() bool  { return false }

func TestCertificateIsVerified(t *testing.T) {
	var reached atomic.Bool
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Store(true) }))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	for address, says := range map[string]string{
		server.URL: "certificate",
		strings.Replace(server.URL, "https", "http", 1): "400",
	} {
		_, err := testClient(t, address).Imports(t.Context())
		if err == nil || !strings.Contains(err.Error(), says) || (&patience{working: yes}).passing(err) {
			t.Errorf("%s: error %v", address, err)
		}
	}
	if reached.Load() {
		t.Error("a server with a false certificate was talked to")
	}
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	_, err := testClient(t, strings.Replace(plain.URL, "http", "https", 1)).Imports(t.Context())
	if err == nil || (&patience{working: yes}).passing(err) {
		t.Errorf("https to a server without: error %v", err)
	}
}

func TestAnswers(t *testing.T) {
	for name, tt := range map[string]struct {
		status      int
		body, media string
		says        string
		lost        bool
	}{
		"a list of nothing":  {200, `{"data":[]}`, "application/json", "", false},
		"a page":             {200, "<!doctype html><title>Log in</title>", "text/html; charset=utf-8", "web page", true},
		"a page by its look": {200, "  <html>", "", "web page", true},
		"no list":            {200, `{"data":null}`, "application/json", "no list", true},
		"another list":       {200, `{"data":{}}`, "application/json", "no JSON that Rybbit gives", true},
		"half a list":        {200, `{"data":[`, "application/json", "no JSON", true},
		"nothing":            {200, "", "", "no JSON", true},
		"an error":           {400, `{"error":"Validation error"}`, "application/json", "(Validation error)", false},
		"a scope":            {403, `{"error":"Insufficient scope","required":"sites:write"}`, "application/json", "(Insufficient scope (required: sites:write))", false},
		"Fastify's":          {400, `{"error":"Bad Request","message":"Body is not valid","code":"X"}`, "application/json", "(Bad Request: Body is not valid)", false},
		"a proxy's page":     {502, "<html>502", "text/html", "proxy", false},
		"a proxy's word":     {404, "404 page not found", "text/plain", "proxy", false},
		"escapes":            {400, `{"error":"a\u001b[31m\nb"}`, "application/json", "(a [31m b)", false},
		"a long story":       {400, `{"error":"` + strings.Repeat("é", 5000) + `"}`, "application/json", strings.Repeat("é", 300) + ")", false},
	} {
		t.Run(name, func(t *testing.T) {
			c := answering(t, func(out http.ResponseWriter, _ *http.Request) {
				out.Header().Set("Content-Type", tt.media)
				out.WriteHeader(tt.status)
				io.WriteString(out, tt.body)
			})
			_, err := c.Imports(t.Context())
			if tt.says == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.says) || (lost(err) != nil) != tt.lost {
				t.Errorf("error %q, want %q in it", err, tt.says)
			}
		})
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		value, date string
		want        time.Duration
	}{
		{"", "", -1},
		{"30", "", 30 * time.Second},
		{" 0 ", "", 0},
		{"0.5", "", time.Second / 2},
		{"86400", "", 24 * time.Hour},
		{"-5", "", -1},
		{"NaN", "", -1},
		{"1e300", "", -1},
		{"soon", "", -1},
		{"Sun, 01 Mar 2026 12:00:30 GMT", "", 30 * time.Second},
		{"Sun, 01 Mar 2026 11:00:00 GMT", "", 0},
		// The server's clock is an hour ahead.
		{"Sun, 01 Mar 2026 13:00:30 GMT", "Sun, 01 Mar 2026 13:00:00 GMT", 30 * time.Second},
	} {
		h := http.Header{"Retry-After": {tt.value}, "Date": {tt.date}}
		if got := retryAfter(h, now); got != tt.want {
			t.Errorf("Retry-After %q, Date %q: %s, want %s", tt.value, tt.date, got, tt.want)
		}
	}
}

// TestCut tells requests that cannot have been carried out from those that can.
func TestCut(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var reads atomic.Int64 // bytes to read before the connection ends
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			io.CopyN(io.Discard, conn, reads.Load())
			conn.(*net.TCPConn).SetLinger(0)
			conn.Close()
		}
	}()
	c := testClient(t, "http://"+listener.Addr().String())
	large := make([]byte, 32<<20) // more than a system buffers

	reads.Store(1 << 20)
	cut := lost(c.Send(t.Context(), "a", large))
	if cut == nil || !cut.Unsent || !cut.Broken || cut.CutAt == 0 || cut.CutAt >= len(large) {
		t.Errorf("in the middle of the body: %+v", cut)
	}
	reads.Store(int64(1000))
	cut = lost(c.Send(t.Context(), "a", large[:900]))
	if cut == nil || cut.Unsent {
		t.Errorf("after the body: %+v", cut)
	}
	listener.Close()
	cut = lost(c.Send(t.Context(), "a", large))
	if cut == nil || !cut.Unsent || cut.CutAt != 0 {
		t.Errorf("no server: %+v", cut)
	}
}

func TestStall(t *testing.T) {
	until := make(chan struct{})
	c := answering(t, func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		<-until
	})
	defer close(until)
	c.stall = 50 * time.Millisecond
	err := c.Send(t.Context(), "a", []byte("{}"))
	if cut := lost(err); cut == nil || !cut.Stalled || cut.Broken || cut.Unsent || !strings.Contains(err.Error(), "no answer within 50ms") {
		t.Errorf("error %v", err)
	}
	if !(&patience{working: yes}).passing(err) {
		t.Error("a stalled request is not tried again")
	}
	if waited := time.Duration(c.waited.Load()); waited < c.stall {
		t.Errorf("waited %s, and gave up after %s", waited, c.stall)
	}
}

func TestTurn(t *testing.T) {
	c, err := NewClient("https://rybbit", "1", secret, ClientOptions{PerMinute: 1})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Turn(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !c.pace.Allow() {
		t.Fatal("waiting for the turn takes it")
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	stopped := errors.New("stopped")
	cancel(stopped)
	if err := c.Turn(ctx); !errors.Is(err, stopped) {
		t.Errorf("error %v", err)
	}
}
