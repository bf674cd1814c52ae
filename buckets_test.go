package hopper_test

import (
	"io"
	"strings"
	"testing"

	"hopper"
	"hopper/sinks/file"
)

// Parts in a bucket are imported as what they were translated from.
func TestTranslateToBucket(t *testing.T) {
	backend := bucket(t)
	options := hopper.Options{Jobs: 1, Chosen: map[string]string{"website": "e2dbf597-9d3a-562b-88f1-5ef3d2e4df79"}}
	for shard := range 3 {
		export, err := hopper.Open(t.Context(), []string{"fixtures/umami/postgres"}, options)
		if err != nil {
			t.Fatal(err)
		}
		to := hopper.Translation{Site: "1", Format: file.Parquet, Out: "s3://exports/parts/", Shard: shard, Shards: 3}
		if _, err := export.Translate(t.Context(), to); err != nil {
			t.Error(err)
		}
		if err := export.Close(); err != nil {
			t.Error(err)
		}
	}
	parts, err := hopper.Open(t.Context(), []string{"s3://exports/parts/"}, hopper.Options{Jobs: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer parts.Close()
	direct, err := hopper.Open(t.Context(), []string{"fixtures/umami/postgres"}, options)
	if err != nil {
		t.Fatal(err)
	}
	defer direct.Close()
	got, err := parts.DryRun(t.Context(), "1", hopper.Import{Wire: "umami"})
	if err != nil {
		t.Fatal(err)
	}
	want, err := direct.DryRun(t.Context(), "1", hopper.Import{Wire: "umami"})
	if err != nil {
		t.Fatal(err)
	}
	if got.Events != want.Events || got.Bytes != want.Bytes || got.Source != "events" {
		t.Errorf("the parts, of %s, give %d events in %d bytes, the export %d in %d", got.Source, got.Events, got.Bytes, want.Events, want.Bytes)
	}

	one := hopper.Translation{Out: "s3://exports/one.ndjson"}
	if _, err := direct.Translate(t.Context(), one); err != nil {
		t.Fatal(err)
	}
	object, err := backend.GetObject("exports", "one.ndjson", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer object.Contents.Close()
	text, err := io.ReadAll(object.Contents)
	if lines := strings.Count(string(text), "\n"); err != nil || int64(lines) != want.Events {
		t.Errorf("the object has %d lines: %v", lines, err)
	}
	one.Out = "ftp://exports/one.ndjson"
	if _, err := direct.Translate(t.Context(), one); err == nil || !strings.Contains(err.Error(), "the addresses of s3, gs") {
		t.Errorf("got %v", err)
	}
}
