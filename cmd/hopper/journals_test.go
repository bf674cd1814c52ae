package main

import (
	"archive/zip"
	"database/sql"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
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

// TestOldAndNewLedgers imports beside a ledger that an older build left, which knows
// its inputs by SHA-256: new ones know theirs by XXH3, and whatever is imported again
// is found in the one or the other.
func TestOldAndNewLedgers(t *testing.T) {
	state, unpacked := t.TempDir(), t.TempDir()
	unzip(t, "testdata/journals/complete.zip", state)
	const old, other = "../../fixtures/umami/cloud-2026.zip", "../../fixtures/umami/cloud-2024.zip"
	unzip(t, other, unpacked)
	ledgers := func() map[string]string {
		all := make(map[string]string)
		paths, err := filepath.Glob(filepath.Join(state, "migrations", "*.journal"))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			begin, _, _ := strings.Cut(string(text), "\n")
			all[filepath.Base(path)] = begin
		}
		return all
	}
	before := ledgers()
	for i, step := range []struct {
		status  string
		events  int
		ledgers int
		args    []string
	}{
		{"complete", 175 + cloud2024, 2, []string{other}},
		{"already-complete", 175 + cloud2024, 2, []string{other}},
		{"already-complete", 175 + cloud2024, 2, []string{unpacked}},
		{"nothing-new", 175 + cloud2024, 2, []string{"--new", old}},
		{"nothing-new", 175 + cloud2024, 2, []string{"--new", other}},
		{"complete", 2*175 + cloud2024, 3, []string{"--again", old}},
		{"already-complete", 2*175 + cloud2024, 3, []string{old}},
		{"already-complete", 2*175 + cloud2024, 3, []string{unpacked}},
		{"nothing-new", 2*175 + cloud2024, 3, []string{"--new", old}},
	} {
		var stdout, stderr strings.Builder
		args := append([]string{"import", "--sandbox", "--json", "--settle-after", "10ms", "--state", state}, step.args...)
		if code := run(args, nil, &stdout, &stderr); code != exitDone {
			t.Fatalf("step %d: exit code %d: %s", i, code, &stderr)
		}
		if !strings.Contains(stdout.String(), `"status": "`+step.status+`"`) {
			t.Errorf("step %d: not %s: %s", i, step.status, &stdout)
		}
		if events := countEvents(t, state); events != step.events {
			t.Errorf("step %d: %d events are there instead of %d", i, events, step.events)
		}
		if n := len(ledgers()); n != step.ledgers {
			t.Errorf("step %d: %d ledgers are there instead of %d", i, n, step.ledgers)
		}
	}
	for name, begin := range ledgers() {
		isOld := slices.Contains(slices.Collect(maps.Values(before)), begin)
		if hasOld := strings.Contains(begin, `"sha256"`); hasOld != isOld || isOld == strings.Contains(begin, `"xxh3"`) {
			t.Errorf("%s begins with %s", name, begin)
		}
	}
}

// cloud2024 is how many events the export of that year holds.
const cloud2024 = 121

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
