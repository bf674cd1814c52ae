package ga

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"testing"
	"time"

	"hopper/adapters"
	"hopper/adapters/input"
	"hopper/pipeline"
)

// readHolding reads reports of which about limit bytes are held in memory; 0 is the
// usual.
func readHolding(t *testing.T, limit int, paths ...string) *reports {
	t.Helper()
	inputs, err := input.Open(t.Context(), paths, nil, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer inputs.Close()
	r := newReports(adapters.Options{TempDir: t.TempDir()})
	if limit > 0 {
		r.rows.Limit, r.records.Limit = limit, limit
	}
	if err := r.read(t.Context(), inputs.Files); err != nil {
		t.Fatalf("%v: %v", paths, err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// eventsOf returns what is made of reports.
func eventsOf(t *testing.T, r *reports) ([]pipeline.Event, pipeline.Stats) {
	t.Helper()
	events, stats, _, err := pipeline.Collect(t.Context(), &reportSource{reports: r, days: r.sorted(), first: true})
	if err != nil {
		t.Fatal(err)
	}
	return events, stats
}

// Where reports are on disk, they say the same as in memory.
func TestReportsOnDisk(t *testing.T) {
	paths, err := filepath.Glob(fixture("report-*"))
	if err != nil || len(paths) < 9 {
		t.Fatal(err, paths)
	}
	sets := [][]string{{fixture("report-undated.csv"), fixture("report-overview.csv")}}
	for _, path := range paths {
		if path != fixture("report-undated.csv") {
			sets = append(sets, []string{path})
		}
	}
	for _, set := range sets {
		want, wanted := eventsOf(t, readHolding(t, 0, set...))
		got, stats := eventsOf(t, readHolding(t, 1, set...))
		if !reflect.DeepEqual(got, want) || !reflect.DeepEqual(stats, wanted) || len(want) == 0 {
			t.Errorf("%v: %d events of disk, %d of memory, or others", set, len(got), len(want))
		}
	}
}

// The rows of reports are not held in memory.
func TestMemoryOfReports(t *testing.T) {
	const days, pages = 20, 3000
	path := filepath.Join(t.TempDir(), "pages.csv")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w := bufio.NewWriter(f)
	fmt.Fprintln(w, "Date,Page path and screen class,Views,Total users,Sessions")
	for day := range days {
		date := time.Date(2024, 1, 1+day, 0, 0, 0, 0, time.UTC).Format("20060102")
		for page := range pages {
			fmt.Fprintf(w, "%s,/blog/what-happened-%d,%d,1,1\n", date, page, 1+page%7)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	held := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := held()
	r := readHolding(t, 1<<20, path)
	if more := int64(held()) - int64(before); more > 5<<20 {
		t.Errorf("%d days of %d pages take %d bytes of memory", days, pages, more)
	}
	for _, day := range r.days {
		if want := pages; day.rows != want {
			t.Fatalf("a day has %d rows, want %d", day.rows, want)
		}
	}
	if len(r.days) != days {
		t.Errorf("%d days, want %d", len(r.days), days)
	}
}

// What is said of pages first is found in memory and on disk.
func TestTextsOfPages(t *testing.T) {
	p := newPageTexts(t.TempDir())
	defer p.close()
	p.limit, p.later.Limit = 1000, 1000
	const pages = 500
	for round := range 3 {
		for i := range pages {
			text := fmt.Sprint("Title ", i, " of round ", round)
			if i%3 == round {
				text = ""
			}
			if err := p.add(fmt.Sprint("/page/", i), text); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := p.sort(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(p.held) > pages/10 {
		t.Errorf("%d titles are held", len(p.held))
	}
	for i := range pages {
		want := fmt.Sprint("Title ", i, " of round 0")
		if i%3 == 0 {
			want = fmt.Sprint("Title ", i, " of round 1")
		}
		if got, err := p.of(fmt.Sprint("/page/", i)); got != want || err != nil {
			t.Fatalf("got %q, want %q (%v)", got, want, err)
		}
	}
	if got, err := p.of("/elsewhere"); got != "" || err != nil {
		t.Errorf("got %q (%v)", got, err)
	}
}
