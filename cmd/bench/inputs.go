package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// makeInputs writes the inputs, or takes those that an earlier run wrote.
func makeInputs(ctx context.Context, s *setting, size sizes, only string) ([]*bench, error) {
	wanted := func(name string) bool { return only == "" || only == name }
	var all []*bench
	if wanted("umami") {
		path, err := s.file(ctx, fmt.Sprintf("umami-%d.csv", size.umami), func(w io.Writer) error { return writeUmami(w, size.umami) })
		if err != nil {
			return nil, err
		}
		all = append(all, &bench{title: "Umami, CSV", rows: int64(size.umami), unit: "rows", bytes: sizeOf(path), programs: append(s.ours(path), s.umamiRivals(path)...)})
	}
	if wanted("ndjson") || wanted("parquet") {
		more, err := s.gaInputs(ctx, size.ga, wanted)
		if err != nil {
			return nil, err
		}
		all = append(all, more...)
	}
	if wanted("plausible") {
		var events int64
		site := size.plausible
		path, err := s.file(ctx, fmt.Sprintf("plausible-%d-%d.zip", site.days, site.visits), func(w io.Writer) error { return writePlausible(w, site) })
		if err != nil {
			return nil, err
		}
		for day := range site.days {
			for _, v := range site.visitsOf(day) {
				events += int64(len(v.pages))
			}
		}
		title := fmt.Sprintf("Plausible, ZIP of daily sums, %d days of about %d visits", site.days, site.visits)
		all = append(all, &bench{title: title, rows: events, unit: "pageviews", bytes: sizeOf(path), programs: s.ours(path)})
	}
	return all, nil
}

// gaInputs are the same events as NDJSON and as Parquet, which DuckDB writes.
func (s *setting) gaInputs(ctx context.Context, events int, wanted func(string) bool) (all []*bench, err error) {
	lines, err := s.file(ctx, fmt.Sprintf("events-%d.ndjson", events), func(w io.Writer) error { return writeGA(w, events) })
	if err != nil {
		return nil, err
	}
	if wanted("ndjson") {
		all = append(all, &bench{title: "Google Analytics 4, NDJSON", rows: int64(events), mostly: true, unit: "events", bytes: sizeOf(lines),
			programs: append(s.ours(lines), s.duckdb("DuckDB, projecting to JSON", gaQuery(gaJSON(lines)))...)})
	}
	if !wanted("parquet") {
		return all, nil
	}
	if !hasDuckDB {
		s.missing = append(s.missing, "the Parquet input, which DuckDB writes")
		return all, nil
	}
	path := filepath.Join(s.dir, fmt.Sprintf("events-%d.parquet", events))
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		if err := s.writeParquet(ctx, lines, path); err != nil {
			return nil, err
		}
	}
	return append(all, &bench{title: "Google Analytics 4, Parquet", rows: int64(events), mostly: true, unit: "events", bytes: sizeOf(path),
		programs: append(s.ours(path), s.duckdb("DuckDB, projecting to JSON", gaQuery(fmt.Sprintf("read_parquet('%s')", path)))...)}), nil
}

// writeParquet has DuckDB write the events of NDJSON as Parquet.
func (s *setting) writeParquet(ctx context.Context, lines, path string) error {
	script := fmt.Sprintf("COPY (SELECT * FROM %s) TO '%s' (FORMAT parquet, COMPRESSION snappy)", gaJSON(lines), path)
	if out, err := exec.CommandContext(ctx, s.self, "duckdb", script).CombinedOutput(); err != nil {
		return fmt.Errorf("write Parquet: %w\n%s", err, out)
	}
	return nil
}

// file writes an input, unless it is there already.
func (s *setting) file(ctx context.Context, name string, write func(io.Writer) error) (path string, err error) {
	path = filepath.Join(s.dir, name)
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	f, err := os.Create(path + ".part")
	if err != nil {
		return "", err
	}
	w := bufio.NewWriterSize(&interruptible{ctx, f}, 1<<20)
	if err = write(w); err == nil {
		err = w.Flush()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return "", errors.Join(err, os.Remove(f.Name()))
	}
	return path, os.Rename(path+".part", path)
}

// interruptible fails when ctx has ended, so that a long input can be given up.
type interruptible struct {
	ctx context.Context
	w   io.Writer
}

func (i *interruptible) Write(b []byte) (int, error) {
	if err := context.Cause(i.ctx); err != nil {
		return 0, err
	}
	return i.w.Write(b)
}

func sizeOf(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}

// A crowd is a seeded source of skewed choices.
type crowd struct {
	*rand.Rand
	pages *rand.Zipf
}

func newCrowd(seed uint64) *crowd {
	r := rand.New(rand.NewPCG(seed, 17))
	return &crowd{r, rand.NewZipf(r, 1.3, 4, 4999)}
}

// of chooses among values of which each is about half as frequent as the one before.
func (c *crowd) of(values ...string) string {
	for _, v := range values[:len(values)-1] {
		if c.IntN(2) == 0 {
			return v
		}
	}
	return values[len(values)-1]
}

// page returns an address and its title, which may hold what CSV has to quote.
func page(n uint64) (path, title string) {
	switch {
	case n == 0:
		return "/", "Garden & Co. | Home"
	case n%11 == 0:
		return fmt.Sprintf("/notes/%d", n), fmt.Sprintf("Notes, part %d: \"how we grow\"", n)
	case n%97 == 0:
		return fmt.Sprintf("/poems/%d/", n), fmt.Sprintf("A poem\nof %d lines, Müller's", n)
	}
	return fmt.Sprintf("/shop/%s/item-%d", []string{"tools", "seeds", "pots", "books"}[n%4], n), fmt.Sprintf("Item number %d | Garden & Co.", n)
}

// A place is a country, one of its regions and a city, in all three vocabularies.
type place struct{ code, region, city, geoname, name, regionName string }

var placesOf = []place{
	{"GB", "GB-LND", "London", "2643743", "United Kingdom", "England"},
	{"DE", "DE-BE", "Berlin", "2950159", "Germany", "Berlin"},
	{"US", "US-CA", "San Francisco", "5391959", "United States", "California"},
	{"FR", "FR-IDF", "Paris", "2988507", "France", "Ile-de-France"},
	{"US", "US-NY", "New York", "5128581", "United States", "New York"},
}

func (c *crowd) place() place { return placesOf[min(c.IntN(8)*c.IntN(8)/8, len(placesOf)-1)] }

func id(kind, n int) string {
	mixed := uint64(n+1) * 0x9e3779b97f4a7c15
	return fmt.Sprintf("%08x-%04x-4%03x-8%03x-%012x", uint32(mixed>>32), kind, mixed&0xfff, mixed>>12&0xfff, n)
}

// writeUmami writes an export of Umami Cloud. Its visits overlap, as they do.
func writeUmami(w io.Writer, rows int) error {
	if _, err := io.WriteString(w, `"website_id","session_id","visit_id","event_id","hostname","browser","os","device","screen","language","country","region","city",`+
		`"url_path","url_query","referrer_path","referrer_query","referrer_domain","page_title","event_type","event_name","tag","distinct_id","created_at","job_id"`+"\n"); err != nil {
		return err
	}
	c := newCrowd(1)
	type visitor struct {
		session, browser, os, device, screen, language string
		place                                          place
		visit                                          int
	}
	open := make([]visitor, 300)
	at := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	for row := range rows {
		at = at.Add(time.Duration(c.IntN(2000)) * time.Millisecond)
		v := &open[c.IntN(len(open))]
		if v.session == "" || c.IntN(4) == 0 {
			*v = visitor{id(2, c.IntN(1+row/3)), c.of("chrome", "ios", "safari", "firefox", "edge-chromium", "crios"), c.of("Windows 10", "iOS", "Mac OS", "Android OS", "Linux"),
				c.of("desktop", "mobile", "laptop", "tablet"), c.of("1920x1080", "390x844", "1440x900", "412x915", "1366x768"), c.of("en-US", "de-DE", "en-GB", "fr"), c.place(), row}
		}
		path, title := page(c.pages.Uint64())
		query, event, kind := c.of("", "", "", "utm_source=newsletter&utm_medium=email&utm_campaign=spring", "q=red%20pots"), "", 1
		if c.IntN(20) == 0 {
			event, kind = c.of("signup", "add to cart", "download"), 2
		}
		if _, err := fmt.Fprintf(w, `"%s","%s","%s","%s","%s","%s","%s","%s","%s","%s","%s","%s","%s","%s","%s","%s","","%s","%s",%d,"%s","","","%s","%s"`+"\n",
			id(1, 0), v.session, id(3, v.visit), id(4, row), c.of("garden.example", "www.garden.example", "shop.garden.example"), v.browser, v.os, v.device, v.screen, v.language,
			v.place.code, v.place.region, v.place.city, path, query, c.of("", "/search", "/r/gardening"), c.of("", "google.com", "reddit.com"), strings.ReplaceAll(title, `"`, `""`),
			kind, event, at.Format(time.DateTime), id(5, 0)); err != nil {
			return err
		}
	}
	return nil
}
