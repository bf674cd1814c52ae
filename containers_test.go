package hopper_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"hopper"
)

// TestLateMembers leaves members of JSON records out until far behind the beginning
// of a file, as tools do that write no nulls, and expects what records with all of
// their members give.
func TestLateMembers(t *testing.T) {
	const visitor = "11111111-0000-4000-8000-000000000001"
	for source, row := range map[string]func(i int) map[string]any{
		"umami": func(i int) map[string]any {
			row := map[string]any{
				"event_id": fmt.Sprintf("22222222-0000-4000-8000-%012d", i), "session_id": visitor, "visit_id": visitor,
				"created_at": "2024-05-01 08:20:00", "url_path": fmt.Sprintf("/p/%d", i), "event_type": 1, "page_title": strings.Repeat("x", 200),
			}
			if i > 1500 {
				row["event_type"], row["event_name"], row["utm_source"], row["browser"] = 2, "buy", "news", "firefox"
			}
			return row
		},
		"plausible": func(i int) map[string]any {
			row := map[string]any{
				"timestamp": fmt.Sprintf("2024-05-01 08:%02d:%02d", i/60, i%60), "name": "pageview", "user_id": "7", "session_id": "9", "hostname": "a.example", "pathname": "/" + strings.Repeat("x", 100),
			}
			if i > 1500 {
				row["referrer_source"], row["browser"], row["country_code"] = "Google", "Firefox", "DE"
			}
			return row
		},
		"events": func(i int) map[string]any {
			row := map[string]any{"time": "2024-05-01T08:20:00Z", "visitor": visitor, "path": fmt.Sprintf("/p/%d", i), "title": strings.Repeat("x", 200)}
			if i > 1500 {
				row["name"], row["browser"], row["properties"] = "buy", "Firefox", map[string]any{"price": 12.5}
			}
			return row
		},
	} {
		t.Run(source, func(t *testing.T) {
			late, early := filepath.Join(t.TempDir(), "website_event.json"), filepath.Join(t.TempDir(), "website_event.json")
			rows := make([]map[string]any, 1600)
			for i := range rows {
				rows[i] = row(i)
			}
			lines(t, late, rows)
			for name := range rows[len(rows)-1] {
				if _, known := rows[0][name]; !known {
					rows[0][name] = nil
				}
			}
			lines(t, early, rows)
			options := hopper.Options{From: source}
			got, want := translated(t, options, late), translated(t, options, early)
			if got != want || !strings.Contains(got, "Firefox") {
				t.Errorf("got %.600s … %.600s", got, slices.Collect(strings.Lines(got))[1550])
			}
			verified(t, options, late)
		})
	}
}

func lines(t *testing.T, path string, rows []map[string]any) {
	t.Helper()
	var text []byte
	for _, row := range rows {
		line, err := json.Marshal(row)
		if err != nil {
			t.Fatal(err)
		}
		text = append(append(text, line...), '\n')
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// verified expects that what is sent is what the inputs hold.
func verified(t *testing.T, options hopper.Options, inputs ...string) {
	t.Helper()
	export, err := hopper.Open(t.Context(), inputs, options)
	if err != nil {
		t.Fatal(err)
	}
	defer export.Close()
	if v, err := export.Verify(t.Context(), ""); err != nil || !v.Holds {
		t.Errorf("verify: %+v, %v", v, err)
	}
}

// Containers without unsigned integers, as Avro, hold ids from 2^63 on as negative ones.
func TestSignedIDs(t *testing.T) {
	const header = "timestamp,name,site_id,user_id,session_id,hostname,pathname\n"
	dir := t.TempDir()
	for name, row := range map[string]string{
		"unsigned": "2024-05-01 08:20:00,pageview,1,15038701604373062379,18446744073709551615,a.example,/\n",
		"signed":   "2024-05-01 08:20:00,pageview,1,-3408042469336489237,-1,a.example,/\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name+".csv"), []byte(header+row), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, want := translated(t, hopper.Options{}, filepath.Join(dir, "signed.csv")), translated(t, hopper.Options{}, filepath.Join(dir, "unsigned.csv"))
	if got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// Umami's table of revenue says nothing that event_data does not say.
func TestRevenue(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("fixtures/umami/postgres")); err != nil {
		t.Fatal(err)
	}
	want := translated(t, hopper.Options{}, dir)
	rows := "revenue_id,website_id,session_id,event_id,event_name,currency,revenue,created_at\n" +
		"aaaaaaaa-0000-4000-8000-000000000001,e2dbf597-9d3a-562b-88f1-5ef3d2e4df79,11111111-0000-4000-8000-000000000001,22222222-0000-4000-8000-000000000001,buy,EUR,12.5000,2025-03-25 03:11:44\n"
	if err := os.WriteFile(filepath.Join(dir, "revenue.csv"), []byte(rows), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := translated(t, hopper.Options{}, dir); got != want {
		t.Errorf("got other events with the table revenue")
	}
	export, err := hopper.Open(t.Context(), []string{dir}, hopper.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer export.Close()
	inspection, err := export.Inspect(t.Context())
	if err != nil || !slices.Contains(inspection.Notes, "The table revenue repeats the properties revenue and currency of events, and is not read.") {
		t.Errorf("%v: notes %q", err, inspection.Notes)
	}
}
