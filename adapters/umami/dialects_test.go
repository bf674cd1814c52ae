package umami_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hopper/pipeline"
)

// seconds are events without what some databases and spreadsheets leave out: the
// fractions of seconds.
func seconds(events []pipeline.Event, properties bool) []pipeline.Event {
	out := bare(events, properties)
	for i := range out {
		out[i].Time -= out[i].Time % 1e6
	}
	return out
}

// Each file in dialects holds the same events.
func TestDialectsAgree(t *testing.T) {
	files, err := os.ReadDir(filepath.Join(fixtures, "dialects"))
	if err != nil || len(files) < 10 {
		t.Fatalf("found %d files, %v", len(files), err)
	}
	want := seconds(fixture(t, "dialects/plain.csv").events, true)
	for _, file := range files {
		t.Run(file.Name(), func(t *testing.T) {
			got := seconds(fixture(t, "dialects/"+file.Name()).events, true)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
	// All together they are the same events, repeated.
	all := fixture(t, "dialects")
	if len(all.events) != len(want) {
		t.Errorf("all files: got %d events, want %d", len(all.events), len(want))
	}
}

// Tools that put records within records, or have delimiters of their own, hold the
// same events too.
func TestNestedAgree(t *testing.T) {
	want := seconds(fixture(t, "dialects/plain.csv").events, true)
	files, err := os.ReadDir(filepath.Join(fixtures, "nested"))
	if err != nil || len(files) < 5 {
		t.Fatalf("found %d files, %v", len(files), err)
	}
	for _, file := range files {
		if diff := cmp.Diff(want, seconds(fixture(t, "nested/"+file.Name()).events, true)); diff != "" {
			t.Errorf("%s: %s", file.Name(), diff)
		}
	}
}

// Rows without a header have the columns that the schema beside them declares.
func TestSchemasBeside(t *testing.T) {
	want := seconds(fixture(t, "postgres").events, true)
	got := seconds(fixture(t, "mysql-tab").events, true)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
