package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/klauspost/compress/gzip"
)

// What a row of the inputs takes on disk, in bytes.
const (
	umamiRow   = 410
	gaRow      = 1250 // as JSON and as Parquet
	compressed = 0.25 // of an input that is compressed, at most
)

// fit reports whether the inputs have room in dir. Those whose memory is measured
// are there one at a time.
func (s sizes) fit(dir string) error {
	need := float64(s.umami*umamiRow + s.ga*gaRow)
	for _, size := range s.memory {
		need = max(need, float64(s.umami*umamiRow+s.ga*gaRow)+compressed*float64(size))
	}
	var disk syscall.Statfs_t
	if err := syscall.Statfs(dir, &disk); err != nil {
		return fmt.Errorf("how much room %s has: %w", dir, err)
	}
	if room := float64(disk.Bavail) * float64(disk.Bsize); room < need*1.1 {
		return fmt.Errorf("the inputs take %.1f GB, and %s has room for %.1f: name another folder with -dir", need/1e9, dir, room/1e9)
	}
	return nil
}

// A peak is how much memory hopper took for an input.
type peak struct {
	title string
	size  int64 // of the input, unpacked
	used  usage
}

// measureMemory runs hopper once on inputs of each size. Those that are not packed
// already are compressed, so that they have room on most disks, and all are removed
// when they are measured.
func (s *setting) measureMemory(ctx context.Context, all []int64) (peaks []peak, err error) {
	for _, size := range all {
		var made string // the input before
		for _, in := range []struct {
			title, name string
			write       func(io.Writer) error // or made of the input before, if nil
		}{
			{"Umami, CSV", "memory.csv.gz", func(w io.Writer) error {
				return writeCompressed(w, size, func(w io.Writer) error { return writeUmami(w, math.MaxInt32) })
			}},
			{"Plausible, ZIP, of as many pageviews", "memory.zip", func(w io.Writer) error { return writePlausible(w, siteOf(size)) }},
			{"Google Analytics 4, NDJSON", "memory.ndjson.gz", func(w io.Writer) error {
				return writeCompressed(w, size, func(w io.Writer) error { return writeGA(w, math.MaxInt32) })
			}},
			{"Google Analytics 4, Parquet, of these events", "memory.parquet", nil},
		} {
			if in.write == nil && !hasDuckDB {
				continue
			}
			fmt.Fprintf(os.Stderr, "measuring the memory for %s of %.2f GB\n", in.title, float64(size)/1e9)
			before := made
			if made, err = s.memoryInput(ctx, in.name, in.write, before); err != nil {
				return nil, err
			}
			if before != "" {
				if err := os.Remove(before); err != nil {
					return nil, err
				}
			}
			used, err := s.time(ctx, s.dryRun(made))
			if err != nil {
				return nil, errors.Join(err, os.Remove(made))
			}
			fmt.Fprintf(os.Stderr, "%.0f MB at most, in %.0f s\n", used.peakMB, used.wall)
			peaks = append(peaks, peak{in.title, size, used})
		}
		if err := os.Remove(made); err != nil {
			return nil, err
		}
	}
	return peaks, nil
}

// memoryInput writes an input, or has DuckDB make Parquet of the one before.
func (s *setting) memoryInput(ctx context.Context, name string, write func(io.Writer) error, before string) (string, error) {
	if write != nil {
		return s.file(ctx, name, write)
	}
	path := filepath.Join(s.dir, name)
	return path, s.writeParquet(ctx, before, path)
}

// siteOf returns a site with about as many pageviews as an export of Umami's has of
// that size.
func siteOf(size int64) siteSize {
	const visits, pages, views = 6000, 300, 3 // a day; of a visit
	return siteSize{max(1, int(size/(umamiRow*visits*views))), visits, pages}
}

// errEnough ends an input that has its size.
var errEnough = errors.New("enough is written")

// enough passes whole lines on until there are as many bytes.
type enough struct {
	w    io.Writer
	left int64
}

func (e *enough) Write(b []byte) (int, error) {
	if e.left <= 0 {
		return 0, errEnough
	}
	e.left -= int64(len(b))
	return e.w.Write(b)
}

// writeCompressed compresses about as many bytes of what write writes, in lines.
func writeCompressed(w io.Writer, size int64, write func(io.Writer) error) error {
	packed, err := gzip.NewWriterLevel(w, gzip.BestSpeed)
	if err != nil {
		return err
	}
	buffer := bufio.NewWriterSize(packed, 1<<20)
	if err := write(&enough{buffer, size}); err != nil && !errors.Is(err, errEnough) {
		return err
	}
	return errors.Join(buffer.Flush(), packed.Close())
}

// addMemory adds the table of peaks.
func (r *report) addMemory(peaks []peak) {
	var b strings.Builder
	b.WriteString("\n## Memory\n\nOf a dry run, once, on inputs that are compressed. Sizes are those of CSV and NDJSON.\n\n| | size, GB | peak MB | seconds | CPU seconds |\n| --- | --- | --- | --- | --- |\n")
	for _, p := range peaks {
		fmt.Fprintf(&b, "| %s | %.2f | %.0f | %.1f | %.1f |\n", p.title, float64(p.size)/1e9, p.used.peakMB, p.used.wall, p.used.cpu)
	}
	r.tables = append(r.tables, b.String())
}
