package ga

import (
	"bytes"
	"context"
	"errors"
	"fmt"
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
			benchmark(b, path, int64(len(rows)*2000))
		})
	}
}

// BenchmarkColumns reads events by column, on one processor but for what a Parquet
// file is decoded on.
func BenchmarkColumns(b *testing.B) {
	word := func(s string) *string { return &s }
	number := func(n int64) *int64 { return &n }
	events := make([]knownEvent, 20000)
	for i := range events {
		n := int64(i)
		text := func(key, value string) drawnParam { return drawnParam{word(key), &drawnValue{Text: &value}} }
		whole := func(key string, value int64) drawnParam { return drawnParam{word(key), &drawnValue{Int: &value}} }
		events[i] = knownEvent{
			Timestamp: number(1709596800137385 + n*1e6), Name: word([]string{"page_view", "scroll", "select_item"}[i%3]), User: word(fmt.Sprintf("%d.1709596800", n/7)),
			Device: &drawnDevice{Category: word("desktop"), Web: &drawnWeb{Browser: word([]string{"Chrome", "Safari"}[i/7%2])}},
			Params: []drawnParam{
				whole("ga_session_id", 1709596800+n/7), text("page_location", fmt.Sprintf("https://shop.example/p/%d?a=b", n*n%997)), text("page_title", fmt.Sprint("Product ", n*n%997)),
				whole("engagement_time_msec", n%5000), text("color", "green"), whole("ga_session_number", n%9), text("page_referrer", "https://www.google.com/"),
			},
		}
	}
	path := write(b, "events.parquet", string(parquetOf(b, events, 1<<20)))
	info, err := os.Stat(path)
	if err != nil {
		b.Fatal(err)
	}
	benchmark(b, path, info.Size())
}

func benchmark(b *testing.B, path string, size int64) {
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
			release, err := src.seen.run(d, counter{nobody{}, &stats})
			if err != nil {
				b.Fatal(err)
			}
			if release != nil {
				release()
			}
		}
		reading.Source.Close()
		inputs.Close()
	}
	b.ReportMetric(float64(stats.Rows)/b.Elapsed().Seconds(), "rows/s")
}

// counter counts rows and forgets events.
type counter struct {
	nobody
	stats *pipeline.Stats
}

func (c counter) Rows(n int) { c.stats.Rows += int64(n) }
