package hopper

import (
	"context"
	"crypto/sha256"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"hopper/adapters/adaptertest"
	"hopper/pipeline"
	"hopper/sinks/rybbit/wire"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestBytesOfFixtures holds what each fixture gives in each wire format to
// what earlier builds gave: a migration that one of them began must go on.
func TestBytesOfFixtures(t *testing.T) {
	const golden = "testdata/digests.golden"
	var got strings.Builder
	for _, source := range SourceNames() {
		for _, path := range adaptertest.Exports(t, "fixtures/"+source) {
			for _, format := range wire.Formats() {
				fmt.Fprintf(&got, "%s %s %s\n", strings.TrimPrefix(path, "fixtures/"), format.Platform(), digest(t, path, format))
			}
		}
	}
	if *update {
		if err := os.WriteFile(golden, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	wants, gots := strings.Split(string(want), "\n"), strings.Split(got.String(), "\n")
	for i := range max(len(wants), len(gots)) {
		var w, g string
		if i < len(wants) {
			w = wants[i]
		}
		if i < len(gots) {
			g = gots[i]
		}
		if w != g {
			t.Errorf("got  %s\nwant %s", g, w)
		}
	}
}

// digest returns how many rows and events path holds, and the digest of what
// they are in a wire format.
func digest(t *testing.T, path string, format wire.Format) string {
	e, err := Open(t.Context(), []string{path}, Options{Jobs: 2})
	if err != nil {
		return "unusable"
	}
	defer e.Close()
	now := time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC)
	opened, err := e.match.Open(t.Context(), e.reading(now))
	if err != nil {
		return "unusable"
	}
	defer opened.Source.Close()
	translation := pipeline.Translation{Normalizer: e.normalizer("1", now), Target: wire.Target(format), Jobs: 2}
	sum := sha256.New()
	stats, err := pipeline.Translate(t.Context(), &translation, opened.Source, pipeline.Mark{}, wire.Encode(format), func(_ context.Context, chunk *pipeline.Collected[*pipeline.Records]) error {
		for i := range chunk.Value.Len() {
			sum.Write(chunk.Value.Record(i))
			sum.Write([]byte{'\n'})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%d rows, %d events, %x", stats.Rows, stats.Events, sum.Sum(nil)[:8])
}
