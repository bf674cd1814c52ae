package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hopper/sinks/rybbit/sandbox"
)

// TestGuides runs the commands of the guides for migrations, in their order, on a
// fixture under the name that the guide gives to the export, against a server whose
// site has a tracker of its own. Commands that need another machine are only parsed.
func TestGuides(t *testing.T) {
	for source, export := range map[string][2]string{
		"umami":           {"umami/cloud-2026.zip", "export.zip"},
		"plausible":       {"plausible/export.zip", "export.zip"},
		"ga":              {"ga/events_20240305.json", "ga/events_20240305.json"},
		"posthog":         {"posthog/sql-editor.csv", "posthog.csv"},
		"matomo":          {"matomo/mysqldump.sql", "matomo.sql"},
		"simpleanalytics": {"simpleanalytics/datapoints.csv", "points.csv"},
	} {
		t.Run(source, func(t *testing.T) {
			text, err := os.ReadFile(filepath.Join("../../adapters", source, "MIGRATING.md"))
			if err != nil {
				t.Fatal(err)
			}
			data, err := os.ReadFile(filepath.Join("../../fixtures", export[0]))
			if err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			to := filepath.Join(dir, export[1])
			if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(to, data, 0o600); err != nil {
				t.Fatal(err)
			}
			rybbitWithTracker(t)
			t.Setenv("XDG_STATE_HOME", filepath.Join(dir, "state"))
			t.Chdir(dir)
			tried := 0
			for _, c := range commandsOf(string(text)) {
				if err := checkCall(c.args); err != nil {
					t.Errorf("hopper %s: %v", strings.Join(c.args, " "), err)
				}
				if c.local {
					output(t, exitDone, c.args...)
					tried++
				}
			}
			if tried < 7 {
				t.Errorf("only %d commands were tried", tried)
			}
			if page, err := os.ReadFile("migration.html"); err != nil || len(page) == 0 {
				t.Errorf("there is no report: %v", err)
			}
		})
	}
}

// rybbitWithTracker starts a server whose tracker has recorded a visit lately.
func rybbitWithTracker(t *testing.T) {
	server := rybbitServer(t)
	visit := "00000000-0000-4000-8000-000000000001"
	if err := server.Track(context.Background(), sandbox.Tracked{
		Time: time.Now().Add(-time.Hour), Type: "pageview", SessionID: visit, UserID: visit, Hostname: "example.com", Pathname: "/",
	}); err != nil {
		t.Fatal(err)
	}
}

// guideCommand is a call of hopper in a guide; local ones need nothing but the export.
type guideCommand struct {
	args  []string
	local bool
}

// commandsOf returns the calls of hopper in a guide: those in blocks of "sh" are local.
func commandsOf(guide string) (calls []guideCommand) {
	within, local := false, false
	for line := range strings.Lines(guide) {
		line = strings.TrimSpace(line)
		if kind, fence := strings.CutPrefix(line, "```"); fence {
			within, local = !within, kind == "sh"
			continue
		}
		if _, call, ok := strings.Cut(" "+line, " hopper "); ok && within {
			calls = append(calls, guideCommand{strings.Fields(strings.ReplaceAll(call, "'", "")), local})
		}
	}
	return calls
}
