package sandbox

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// serve starts a sandbox that listens by itself and returns its address.
func serve(t *testing.T, server *Server, address string) string {
	t.Helper()
	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- server.Serve(ctx, listener) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return listener.Addr().String()
}

// TestRestartRefusesConnections has a batch on its way when the server dies.
func TestRestartRefusesConnections(t *testing.T) {
	arrived := make(chan struct{}, 9)
	b := newBox(t, Options{Hook: func(r Request) []Fault {
		switch {
		case r.Call == Events && r.Length > 200:
			arrived <- struct{}{}
			return []Fault{{Effect: Slow, For: time.Hour}}
		case r.Call == List && r.N == 1:
			return []Fault{{Effect: Restart, For: 400 * time.Millisecond}}
		}
		return nil
	}})
	b.http.URL = "http://" + serve(t, b.server, "127.0.0.1:0")
	id := b.create("umami")
	batch := make(chan answer)
	go func() { batch <- b.post(id, false, umamiEvent) }()
	<-arrived
	if a := b.do("GET", "", ""); !errors.Is(a.err, syscall.ECONNRESET) && !errors.Is(a.err, io.EOF) {
		t.Errorf("the request that killed the server: %+v", a)
	}
	if a := <-batch; a.err == nil {
		t.Errorf("the batch under way was answered: %+v", a)
	}
	refused := false
	for began := time.Now(); time.Since(began) < 300*time.Millisecond; time.Sleep(10 * time.Millisecond) {
		refused = refused || errors.Is(b.do("GET", "", "").err, syscall.ECONNREFUSED)
	}
	if !refused {
		t.Error("no connection was refused")
	}
	for deadline := time.Now().Add(10 * time.Second); b.do("GET", "", "").err != nil; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the server did not come back")
		}
	}
	b.wantCounters(id, "0 0 0")
}

// TestHostNames keeps a page that a browser has loaded from elsewhere out.
func TestHostNames(t *testing.T) {
	b := newBox(t, Options{})
	local, public := serve(t, b.server, "127.0.0.1:0"), serve(t, b.server, "0.0.0.0:0")
	_, port, err := net.SplitHostPort(public)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		address, host string
		status        int
	}{
		{local, local, 200}, {local, "localhost", 200}, {local, "LOCALHOST:80", 200}, {local, "rybbit.localhost", 200}, {local, "[::1]:80", 200},
		{local, "evil.example", 421}, {local, "127.0.0.1.evil.example", 421}, {local, "localhost.evil.example:80", 421}, {local, "192.0.2.1", 421},
		{"127.0.0.1:" + port, "rybbit.example", 200},
		{b.http.Listener.Addr().String(), "evil.example", 421},
	} {
		req, err := http.NewRequest("GET", "http://"+tt.address+"/api/sites/1/imports", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = tt.host
		req.Header.Set("Authorization", "Bearer sandbox")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != tt.status {
			t.Errorf("%s as %s: %s, want %d", tt.address, tt.host, resp.Status, tt.status)
		}
	}
}

func TestListShowsTheTenNewest(t *testing.T) {
	b := newBox(t, Options{})
	var ids []string
	for range 12 {
		ids = append(ids, b.create("umami"))
		b.mustPost(ids[len(ids)-1], true)
	}
	l := b.list()
	if len(l) != 10 || l[0].ImportID != ids[11] || l[9].ImportID != ids[2] {
		t.Errorf("%d imports are listed, from %s to %s", len(l), l[0].ImportID, l[len(l)-1].ImportID)
	}
}

// TestProbe asks by an empty batch whether an import that the list does not show
// is there.
func TestProbe(t *testing.T) {
	for _, release := range []string{"", "2.7"} {
		b := newBox(t, Options{Release: release})
		id := b.create("umami")
		for _, tt := range []struct {
			id     string
			status int
			answer string
		}{{id, 200, ""}, {id, 400, "Import is already complete"}, {id, 404, "Import not found"}} {
			if a := b.post(tt.id, false); a.status != tt.status || !strings.Contains(a.body, tt.answer) {
				t.Errorf("%s: got %+v, want %d %s", release, a, tt.status, tt.answer)
			}
			if tt.status == 200 {
				b.mustPost(id, true)
			} else {
				b.do("DELETE", "/"+id, "")
			}
		}
	}
}

func TestListLags(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sandbox.db")
	c := &clock{at: noon}
	b := newBox(t, Options{Path: path, Now: c.now, Release: "2.7"})
	old := b.create("umami")
	b.mustPost(old, false, umamiEvent)
	b.server.Close()

	b = newBox(t, Options{Path: path, Now: c.now, Release: "2.7"})
	c.add(10 * time.Second)
	id := b.create("umami")
	b.mustPost(id, false, umamiEvent)
	c.add(5 * time.Second)
	b.mustPost(id, false, umamiEvent, umamiEvent)
	b.mustPost(old, true, umamiEvent)
	b.do("DELETE", "/"+old, "")
	for _, tt := range []struct {
		fault    string
		id, old  string
		imported int
	}{
		{"lag,for=0s", "3 0 0", "", 1}, {"lag,for=3s", "1 0 0", "1 0 0", 2}, {"lag,for=8s", "", "1 0 0", 1},
		{"lag,for=3s,counters", "1 0 0", "", 1}, {"lag,for=8s,counters", "0 0 0", "", 1}, {"empty", "", "", 0},
	} {
		faults, err := ParseFaults("list=" + tt.fault)
		if err != nil {
			t.Fatal(err)
		}
		b.server.SetFaults(faults...)
		if got, was, n := b.counters(id), b.counters(old), len(b.list()); got != tt.id || was != tt.old || n != tt.imported {
			t.Errorf("%s: the import has %q, the old one %q, %d are listed; want %q, %q, %d", tt.fault, got, was, n, tt.id, tt.old, tt.imported)
		}
	}
}

func TestListIsEmptyForATime(t *testing.T) {
	b := newBox(t, Options{})
	b.create("umami")
	faults, err := ParseFaults("list@2=empty,for=150ms")
	if err != nil {
		t.Fatal(err)
	}
	b.server.SetFaults(faults...)
	if first, second, third := len(b.list()), len(b.list()), len(b.list()); first != 1 || second != 0 || third != 0 {
		t.Errorf("%d, %d and %d imports are listed", first, second, third)
	}
	time.Sleep(200 * time.Millisecond)
	for range 3 {
		if len(b.list()) != 1 {
			t.Error("the list stays empty")
		}
	}
}

func TestUncounted(t *testing.T) {
	b := newBox(t, Options{Faults: []Fault{{Call: Events, First: 2, Last: 2, Effect: Uncounted}}})
	id := b.create("umami")
	b.mustPost(id, false, umamiEvent)
	if a := b.post(id, false, umamiEvent); a.status != 500 {
		t.Errorf("answered %+v", a)
	}
	if got, stored := b.counters(id), b.query(`SELECT count(*) FROM events`); got != "1 0 0" || stored != "2\n" {
		t.Errorf("counters are %s, %s events are stored", got, stored)
	}
}

// TestPace sends 30 events of a format that takes 1,600 a second.
func TestPace(t *testing.T) {
	b := newBox(t, Options{Pace: 10, Release: "2.7", Platforms: platformOrder})
	id := b.create("posthog")
	events := make([]map[string]any, 30)
	for i := range events {
		events[i] = posthogEvent("$pageview")
	}
	began := time.Now()
	sent := make(chan time.Duration)
	go func() {
		b.mustPost(id, false, events...)
		sent <- time.Since(began)
	}()
	time.Sleep(60 * time.Millisecond)
	b.wantCounters(id, "30 0 0") // the one thread answers when the batch is over
	if listed, batch := time.Since(began), <-sent; batch < 180*time.Millisecond || listed < 180*time.Millisecond {
		t.Errorf("a batch was answered after %v, a list after %v", batch, listed)
	}
}

func TestShapeOfAnotherFormat(t *testing.T) {
	plausible, posthog := examples["plausible"], posthogEvent("$pageview")
	for _, tt := range []struct {
		release  string
		events   []map[string]any
		status   int
		counters string
	}{
		{"", []map[string]any{plausible, plausible}, 200, "0 0 2"},
		{"", []map[string]any{plausible, posthog}, 400, "0 0 0"},
		{"", []map[string]any{plausible, umamiEvent}, 400, "0 0 0"},
		{"", []map[string]any{umamiEvent, plausible}, 400, "0 0 0"},
		{"2.7", []map[string]any{plausible}, 400, "0 0 0"},
	} {
		b := newBox(t, Options{Release: tt.release})
		id := b.create("umami")
		if a := b.post(id, false, tt.events...); a.status != tt.status {
			t.Errorf("got %+v, want %d", a, tt.status)
		}
		b.wantCounters(id, tt.counters)
	}
}

// TestOldDatabase opens what earlier builds have left in state directories.
func TestOldDatabase(t *testing.T) {
	for _, name := range []string{"running", "complete"} {
		path := filepath.Join(t.TempDir(), "sandbox.db")
		z, err := zip.OpenReader("../../../cmd/hopper/testdata/journals/" + name + ".zip")
		if err != nil {
			t.Fatal(err)
		}
		defer z.Close()
		for _, member := range z.File {
			base := filepath.Base(member.Name)
			if !strings.HasPrefix(base, "sandbox.db") {
				continue
			}
			r, err := member.Open()
			if err != nil {
				t.Fatal(err)
			}
			content, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(filepath.Dir(path), base), content, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		for range 2 { // the second time there is nothing to migrate
			b := newBox(t, Options{Path: path, Now: time.Now})
			l := b.list()
			if len(l) == 0 {
				t.Fatalf("%s: no import is left", name)
			}
			b.wantCounters(l[0].ImportID, fmt.Sprint(l[0].ImportedEvents, " 0 0"))
			if got := b.query(`SELECT count(*) FROM events WHERE site <> '1'`); got != "0\n" {
				t.Errorf("%s: %s events belong to no site", name, got)
			}
			if err := b.server.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestLaterDatabaseIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sandbox.db")
	b := newBox(t, Options{Path: path})
	if _, err := b.server.DB().Exec(`PRAGMA user_version = 99`); err != nil {
		t.Fatal(err)
	}
	b.server.Close()
	if _, err := Open(t.Context(), Options{Path: path}); err == nil || !strings.Contains(err.Error(), "later version") {
		t.Errorf("opened: %v", err)
	}
}
