package ga

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"testing"

	"hopper/adapters"
	"hopper/adapters/input"
	"hopper/pipeline"
)

// BenchmarkRead reads the fixture's day many times over, on one processor.
func BenchmarkRead(b *testing.B) {
	for _, name := range []string{"events_20240305.ndjson", "ga_sessions_20190412.ndjson", "flat.csv"} {
		b.Run(name, func(b *testing.B) {
			content, err := os.ReadFile(fixture(name))
			if err != nil {
				b.Fatal(err)
			}
			header, rows := []byte(nil), content
			if name == "flat.csv" {
				i := bytes.IndexByte(content, '\n') + 1
				header, rows = content[:i], content[i:]
			}
			path := write(b, name, string(header)+string(bytes.Repeat(rows, 2000)))
			size := int64(len(rows) * 2000)
			b.SetBytes(size)
			b.ReportAllocs()
			var stats pipeline.Stats
			for b.Loop() {
				inputs, err := input.Open(context.Background(), []string{path}, nil, "")
				if err != nil {
					b.Fatal(err)
				}
				reading, err := Adapter{}.Match(context.Background(), inputs.Files).Open(context.Background(), adapters.Options{})
				if err != nil {
					b.Fatal(err)
				}
				src := reading.Source.(*source)
				for {
					d, err := src.chunk(context.Background())
					if errors.Is(err, io.EOF) {
						break
					}
					if err != nil {
						b.Fatal(err)
					}
					if err := src.seen.run(d, counter{nobody{}, &stats}, true); err != nil {
						b.Fatal(err)
					}
				}
				reading.Source.Close()
				inputs.Close()
			}
			b.ReportMetric(float64(stats.Rows)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}

// counter counts rows and forgets events.
type counter struct {
	nobody
	stats *pipeline.Stats
}

func (c counter) Rows(n int) { c.stats.Rows += int64(n) }
