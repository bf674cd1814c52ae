package main

import (
	"database/sql"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestRecount has a script that shares nothing with hopper count exports day by day,
// and compare that with what the sandbox holds of them.
func TestRecount(t *testing.T) {
	if err := exec.Command("python3", "-c", "import sys; sys.exit(sys.version_info < (3, 11))").Run(); err != nil {
		t.Skipf("there is no python3 of 3.11 or later: %v", err)
	}
	for export, source := range map[string]string{
		"posthog/batch": "posthog", "posthog/sql-editor.csv": "posthog",
		"simpleanalytics/datapoints.csv": "simpleanalytics", "simpleanalytics/overlap": "simpleanalytics",
		"matomo/tables": "matomo", "matomo/visits-log.json": "matomo",
	} {
		t.Run(export, func(t *testing.T) {
			path, state := filepath.Join("../../fixtures", export), t.TempDir()
			output(t, exitDone, "import", "--sandbox", "--state", state, path)
			kept := filepath.Join(state, "sandbox.db")
			args := []string{"testdata/recount.py", source, kept, path}
			if out, err := exec.Command("python3", args...).CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
			db, err := sql.Open("sqlite", kept)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			if _, err := db.Exec("DELETE FROM events WHERE id = (SELECT max(id) FROM events)"); err != nil {
				t.Fatal(err)
			}
			if out, err := exec.Command("python3", args...).CombinedOutput(); err == nil {
				t.Errorf("an event that is missing is not noticed\n%s", out)
			}
		})
	}
}
