package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/testing/passert"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/testing/ptest"

	"hopper"
	"hopper/sinks/file"
)

func TestMain(m *testing.M) { ptest.MainWithDefault(m, "prism") }

// generate writes daily tables of Google Analytics and returns their folder.
func generate(t *testing.T, days int) string {
	t.Helper()
	dir := t.TempDir()
	for day := range days {
		var b bytes.Buffer
		for i := range 50 + day {
			at := 1_709_596_800_000_000 + int64(day)*86_400_000_000 + int64(i)*1_000_000_000
			fmt.Fprintf(&b, `{"event_date":"202403%02d","event_timestamp":"%d","event_name":"page_view","event_params":[{"key":"page_location","value":{"string_value":"https://shop.example.com/p/%d"}},{"key":"ga_session_id","value":{"int_value":"%d"}}],"user_pseudo_id":"u%d"}`+"\n",
				day+5, at, i%7, 1_709_600_000+i/3, i/5)
		}
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("events_202403%02d.ndjson", day+5)), b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestAsShards runs the pipeline in this process and compares its files, byte for
// byte, with what translating share by share writes, and its counts with those of
// the export as a whole.
func TestAsShards(t *testing.T) {
	fixtures, err := filepath.Abs("../../fixtures")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		input, format string
		shards        int
	}{
		"generated": {generate(t, 9), "ndjson", 4},
		"parquet":   {generate(t, 3), "parquet", 5},
		"fixture":   {filepath.Join(fixtures, "ga", "events_20240305.avro"), "ndjson", 2},
		"zip":       {filepath.Join(fixtures, "plausible", "export.zip"), "ndjson", 1},
	} {
		t.Run(name, func(t *testing.T) {
			want, whole := shardByShard(t, c.input, c.format, c.shards)
			got := t.TempDir()
			p, s := beam.NewPipelineWithRoot()
			counts := Pipeline(s, &Translate{Inputs: []string{c.input}, Output: got, Shards: c.shards, To: "events", Format: c.format, From: "auto"})
			passert.Equals(s, counts, whole)
			ptest.RunAndValidate(t, p)
			sameFiles(t, want, got)
		})
	}
}

func shardByShard(t *testing.T, input, format string, shards int) (dir string, whole Counts) {
	t.Helper()
	dir = t.TempDir()
	export, err := hopper.Open(t.Context(), []string{input}, hopper.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer export.Close()
	inspection, err := export.Inspect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i := range shards {
		export, err := hopper.Open(t.Context(), []string{input}, hopper.Options{})
		if err != nil {
			t.Fatal(err)
		}
		result, err := export.Translate(t.Context(), hopper.Translation{Format: file.Format(format), Out: dir, Shard: i, Shards: shards})
		if err != nil {
			t.Fatal(err)
		}
		whole.Parts, whole.Bytes = whole.Parts+int64(result.Batches), whole.Bytes+result.Bytes
		if err := export.Close(); err != nil {
			t.Fatal(err)
		}
	}
	whole.Rows, whole.Events, whole.Rejected = inspection.Rows, inspection.Events, inspection.Rejected.Total()
	return dir, whole
}

func sameFiles(t *testing.T, want, got string) {
	t.Helper()
	entries, err := os.ReadDir(want)
	if err != nil || len(entries) == 0 {
		t.Fatal(err, "nothing to compare with")
	}
	have, err := os.ReadDir(got)
	if err != nil || len(have) != len(entries) {
		t.Fatalf("%d files, want %d, %v", len(have), len(entries), err)
	}
	for _, entry := range entries {
		a, err1 := os.ReadFile(filepath.Join(want, entry.Name()))
		b, err2 := os.ReadFile(filepath.Join(got, entry.Name()))
		if err1 != nil || err2 != nil || !bytes.Equal(a, b) {
			t.Errorf("%s differs: %v, %v", entry.Name(), err1, err2)
		}
	}
}
