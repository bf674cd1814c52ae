package hopper

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hopper/adapters/input"
	"hopper/sinks/rybbit"
	"hopper/sinks/rybbit/sandbox"
)

// TestPaceIsTold imports what a server needs long for, stops, and goes on: the log
// says beforehand how long it takes, by experience and then by the server's own
// pace, and what is there already.
func TestPaceIsTold(t *testing.T) {
	const visit = "6c1c77a2-c723-50b2-9268-0868c3c6305d"
	var rows strings.Builder
	rows.WriteString("website_id,session_id,visit_id,event_id,hostname,url_path,page_title,event_type,created_at\n")
	for i := range 40_000 {
		fmt.Fprintf(&rows, "1fd7751f-80f6-5a85-bca9-26f540482e23,%s,%s,00000000-0000-4000-8000-%012d,a.example,/%d,Title,1,2024-03-20 %02d:%02d:%02d\n",
			visit, visit, i, i%90, i/3600%24, i/60%60, i%60)
	}
	dir := t.TempDir()
	input := filepath.Join(dir, "website_event.csv")
	if err := os.WriteFile(input, []byte(rows.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	server, err := sandbox.Open(t.Context(), sandbox.Options{Path: filepath.Join(dir, "sandbox.db"), Pace: 0.2, Faults: []sandbox.Fault{
		{Call: sandbox.Events, First: 3, Last: 3, Effect: sandbox.Status, Code: 401},
	}})
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(server)
	defer func() {
		web.Close()
		server.Close()
	}()
	var said bytes.Buffer
	var seen []Progress
	run := func() error {
		said.Reset()
		client, err := rybbit.NewClient(web.URL, "1", "sandbox", rybbit.ClientOptions{})
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		export, err := Open(t.Context(), []string{input}, Options{
			Log: slog.New(slog.NewTextHandler(&said, nil)), Progress: func(p Progress) { seen = append(seen, p) },
		})
		if err != nil {
			t.Fatal(err)
		}
		defer export.Close()
		_, err = export.Import(t.Context(), Import{Client: client, State: dir, Wire: "posthog"})
		return err
	}
	if err := run(); err == nil {
		t.Fatal("no error")
	}
	if !strings.Contains(said.String(), "event=time_foretold") || strings.Contains(said.String(), "event=resumed") {
		t.Errorf("the first run says %s", &said)
	}
	uploads := 0
	for _, p := range seen {
		if p.Upload == nil {
			continue
		}
		uploads++
		if p.Expected < 35_000 || p.Expected > 45_000 {
			t.Errorf("%d events expected of 40,000, after %d bytes of %d", p.Expected, p.Read, p.Size)
		}
	}
	if uploads == 0 {
		t.Error("no progress of the upload")
	}
	if err := run(); err != nil || !strings.Contains(said.String(), "event=resumed") {
		t.Errorf("the second run: %v, says %s", err, &said)
	}
}

// TestPaceIsMeasured says once what the server's own pace makes of the rest.
func TestPaceIsMeasured(t *testing.T) {
	var said bytes.Buffer
	r := &importRun{Export: &Export{inputs: new(input.Inputs)}, log: slog.New(slog.NewTextHandler(&said, nil))}
	r.expected.Store(100_000)
	for _, s := range []rybbit.Status{{Bytes: 1}, {Stored: 4000, PerSecond: 1600}, {Stored: 4000, PerSecond: 1600, Bytes: 1}, {Stored: 8000, PerSecond: 1600}} {
		r.watched(s)
	}
	if got := said.String(); strings.Count(got, "event=time_measured") != 1 || !strings.Contains(got, "this server stores 1,600 events a second: some 1m0s to go") {
		t.Errorf("said %s", got)
	}
}

func TestTimeNeeded(t *testing.T) {
	for _, tt := range []struct {
		events    int64
		perSecond float64
		want      string
	}{{0, 100, "0s"}, {-5, 100, "0s"}, {100, 0, "0s"}, {16_000, 1600, "10s"}, {256_000, 1600, "2m40s"}} {
		if got := needed(tt.events, tt.perSecond).String(); got != tt.want {
			t.Errorf("%d events at %v a second: %s, want %s", tt.events, tt.perSecond, got, tt.want)
		}
	}
}
