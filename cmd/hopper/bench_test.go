package main

import (
	"bufio"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"hopper"
)

// BenchmarkAgainstScript measures what hopper does to an Umami Cloud export
// against what somebody would script instead: encoding/csv, a struct,
// encoding/json, batches by their number of rows. Both run in turn over the same
// file; "x-script" is the median of how many times faster hopper was. The
// script neither normalizes, nor keeps visits and visitors apart, nor knows
// other schemas.
func BenchmarkAgainstScript(b *testing.B) {
	path, rows := cloudExport(b, 200<<20)
	var ratios []float64
	var ours, theirs time.Duration
	for b.Loop() {
		began := time.Now()
		if n := translateExport(b, path); n != rows {
			b.Fatalf("hopper made %d events of %d rows", n, rows)
		}
		one := time.Since(began)
		began = time.Now()
		if n := scriptExport(b, path); n != rows {
			b.Fatalf("the script made %d events of %d rows", n, rows)
		}
		two := time.Since(began)
		ours, theirs = ours+one, theirs+two
		ratios = append(ratios, two.Seconds()/one.Seconds())
	}
	slices.Sort(ratios)
	total := float64(rows * b.N)
	b.ReportMetric(ratios[len(ratios)/2], "x-script")
	b.ReportMetric(total/ours.Seconds(), "rows/s")
	b.ReportMetric(total/theirs.Seconds(), "script-rows/s")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkMemory translates exports of different sizes; "peak-MB" is the most
// that was in use at any time, which must not follow the size.
func BenchmarkMemory(b *testing.B) {
	for _, size := range []int{10 << 20, 100 << 20, 400 << 20} {
		b.Run(fmt.Sprintf("%dMB", size>>20), func(b *testing.B) {
			path, _ := cloudExport(b, size)
			peak := uint64(0)
			done, sampled := make(chan struct{}), make(chan struct{})
			go func() {
				defer close(sampled)
				for {
					select {
					case <-done:
						return
					case <-time.After(2 * time.Millisecond):
						var m runtime.MemStats
						runtime.ReadMemStats(&m)
						peak = max(peak, m.HeapInuse+m.StackInuse)
					}
				}
			}()
			for b.Loop() {
				translateExport(b, path)
			}
			close(done)
			<-sampled
			b.ReportMetric(float64(peak)/1e6, "peak-MB")
		})
	}
}

// translateExport is all that import does but sending.
func translateExport(b *testing.B, path string) (events int) {
	ctx := context.Background()
	export, err := hopper.Open(ctx, []string{path}, hopper.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer export.Close()
	result, err := export.DryRun(ctx, "1", hopper.Import{Wire: "umami"})
	if err != nil {
		b.Fatal(err)
	}
	return int(result.Events)
}

// scriptExport is the rival.
func scriptExport(b *testing.B, path string) (events int) {
	type event struct {
		SessionID      string `json:"session_id"`
		Hostname       string `json:"hostname"`
		Browser        string `json:"browser"`
		OS             string `json:"os"`
		Device         string `json:"device"`
		Screen         string `json:"screen"`
		Language       string `json:"language"`
		Country        string `json:"country"`
		Region         string `json:"region"`
		City           string `json:"city"`
		URLPath        string `json:"url_path"`
		URLQuery       string `json:"url_query"`
		ReferrerPath   string `json:"referrer_path"`
		ReferrerDomain string `json:"referrer_domain"`
		PageTitle      string `json:"page_title"`
		EventType      string `json:"event_type"`
		EventName      string `json:"event_name"`
		DistinctID     string `json:"distinct_id"`
		CreatedAt      string `json:"created_at"`
	}
	f, err := os.Open(path)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	r := csv.NewReader(bufio.NewReaderSize(f, 1<<20))
	r.ReuseRecord = true
	header, err := r.Read()
	if err != nil {
		b.Fatal(err)
	}
	column := make(map[string]int)
	for i, name := range header {
		column[name] = i
	}
	var batch []event
	flush := func() {
		body, err := json.Marshal(map[string]any{"events": batch, "isLastBatch": false})
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.Discard.Write(body); err != nil {
			b.Fatal(err)
		}
		events += len(batch)
		batch = batch[:0]
	}
	for {
		cells, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			b.Fatal(err)
		}
		at := func(name string) string { return cells[column[name]] }
		batch = append(batch, event{
			at("visit_id"), at("hostname"), at("browser"), at("os"), at("device"), at("screen"), at("language"), at("country"),
			at("region"), at("city"), at("url_path"), at("url_query"), at("referrer_path"), at("referrer_domain"), at("page_title"),
			at("event_type"), at("event_name"), at("session_id"), at("created_at"),
		})
		if len(batch) == 10_000 {
			flush()
		}
	}
	flush()
	return events
}

// cloudExport writes an export of about size bytes.
func cloudExport(b *testing.B, size int) (path string, rows int) {
	path = filepath.Join(b.TempDir(), "website_event.csv")
	f, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	w := bufio.NewWriter(f)
	fmt.Fprintln(w, `"website_id","session_id","visit_id","event_id","hostname","browser","os","device","screen","language","country","region","city",`+
		`"url_path","url_query","referrer_path","referrer_query","referrer_domain","page_title","event_type","event_name","tag","distinct_id","created_at","job_id"`)
	random := rand.New(rand.NewPCG(1, 2))
	id := func(of int) string { return fmt.Sprintf("%08x-0000-4000-8000-%012x", of*7919, of) }
	at := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	for written := 0; written < size; rows++ {
		at = at.Add(time.Duration(random.IntN(2000)) * time.Millisecond)
		visitor := random.IntN(1 + rows/10)
		n, err := fmt.Fprintf(w, `"%s","%s","%s","%s","garden.example","%s","%s","laptop","1920x1080","en-GB","GB","GB-LND","London",`+
			`"/posts/%d","","/search","q=%d","google.com","Post number %d",1,"","","","%s","%s"`+"\n",
			id(1), id(visitor), id(visitor*3+random.IntN(3)), id(rows), []string{"chrome", "firefox", "crios"}[random.IntN(3)],
			[]string{"Windows 10", "Mac OS", "iOS"}[random.IntN(3)], random.IntN(5000), random.IntN(100), random.IntN(5000),
			at.Format(time.DateTime), id(0))
		if err != nil {
			b.Fatal(err)
		}
		written += n
	}
	if err := w.Flush(); err != nil {
		b.Fatal(err)
	}
	return path, rows
}
