package main

import (
	"archive/zip"
	"database/sql"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestOldLedgersResume goes on with migrations that an earlier build began:
// testdata/journals holds its state directories, as it left them when it was
// killed between two batches (running), amid one (doubt), and when it was done.
func TestOldLedgersResume(t *testing.T) {
	cloud := []string{"--max-batch-bytes", "4KiB", "../../fixtures/umami/cloud-2026.zip"}
	for _, c := range []struct {
		state  string
		status string
		events int
		args   []string
	}{
		{"running", "resumed", 175, cloud},
		{"doubt", "resumed", 175, cloud},
		{"complete", "already-complete", 175, cloud},
		{"options", "already-complete", 246, []string{"--timezone", "Europe/Berlin", "--since", "2024-01-30", "../../fixtures/plausible/old"}},
		{"running", "resumed", 175, append([]string{"--new"}, cloud...)},
		{"doubt", "resumed", 175, append([]string{"--new"}, cloud...)},
		{"complete", "nothing-new", 175, append([]string{"--new"}, cloud...)},
		{"options", "nothing-new", 246, []string{"--new", "--timezone", "Europe/Berlin", "--since", "2024-01-30", "../../fixtures/plausible/old"}},
	} {
		t.Run(c.state+" "+c.status, func(t *testing.T) {
			state := t.TempDir()
			unzip(t, "testdata/journals/"+c.state+".zip", state)
			var stdout, stderr strings.Builder
			args := append([]string{"import", "--sandbox", "--json", "--settle-after", "10ms", "--state", state}, c.args...)
			if code := run(args, nil, &stdout, &stderr); code != exitDone {
				t.Fatalf("exit code %d: %s", code, &stderr)
			}
			if !strings.Contains(stdout.String(), `"status": "`+c.status+`"`) {
				t.Errorf("not %s: %s", c.status, &stdout)
			}
			if events := countEvents(t, state); events != c.events {
				t.Errorf("%d events arrived instead of %d", events, c.events)
			}
		})
	}
}

// TestOldVisitsAreRefused goes on with a migration of daily sums that was killed in
// the midst by an earlier build, which made other visits of them: none of the new
// ones must come to those that are there.
func TestOldVisitsAreRefused(t *testing.T) {
	state := t.TempDir()
	unzip(t, "testdata/journals/visits.zip", state)
	var stdout, stderr strings.Builder
	args := []string{"import", "--sandbox", "--json", "--settle-after", "10ms", "--state", state, "--max-batch-bytes", "4KiB", "../../fixtures/plausible/export.zip"}
	if code := run(args, nil, &stdout, &stderr); code != exitFailed {
		t.Fatalf("exit code %d: %s", code, &stderr)
	}
	for _, part := range []string{"the inputs no longer give the events that were sent", "hopper imports delete"} {
		if !strings.Contains(stderr.String(), part) {
			t.Errorf("%q is not said: %s", part, &stderr)
		}
	}
	if n := countEvents(t, state); n != 65 {
		t.Errorf("%d events are there instead of the 65 that were", n)
	}
}

func countEvents(t *testing.T, state string) (events int) {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(state, "sandbox.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.QueryRow("SELECT count(*) FROM events").Scan(&events); err != nil {
		t.Fatal(err)
	}
	return events
}

func unzip(t *testing.T, archive, dir string) {
	t.Helper()
	z, err := zip.OpenReader(archive)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	for _, member := range z.File {
		r, err := member.Open()
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, filepath.FromSlash(member.Name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
