package hopper

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"
)

// TestMemoryOfManyFiles bounds what is kept of each of many small files, beside the
// beginning of some of them.
func TestMemoryOfManyFiles(t *testing.T) {
	const most = 600 // bytes a file
	few, many := 200, 1200
	of := func(files int) (held, heads int64) {
		dir := t.TempDir()
		for i := range files {
			text := "website_id,session_id,visit_id,event_id,hostname,browser,os,url_path,referrer_domain,page_title,event_type,created_at\n" +
				fmt.Sprintf("w,s%d,v%d,00000000-0000-4000-8000-%012d,a.example,chrome,Linux,/,,Home,1,2024-05-01 10:00:00\n", i, i, i)
			if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("website_event_%05d.csv", i)), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			heads += int64(len(text))
		}
		before := heapInUse()
		e, err := Open(t.Context(), []string{dir}, Options{})
		if err != nil {
			t.Fatal(err)
		}
		reading, err := e.open(t.Context(), e.reading(time.Now()))
		if err != nil {
			t.Fatal(err)
		}
		held = heapInUse() - before
		if err := reading.Source.Close(); err != nil {
			t.Fatal(err)
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		return held, heads
	}
	of(few) // whatever is made once
	held, heads := of(few)
	more, moreHeads := of(many)
	got := ((more - moreHeads) - (held - heads)) / int64(many-few)
	t.Logf("%d bytes a file", got)
	if got > most {
		t.Errorf("%d bytes are kept of a file, want at most %d", got, most)
	}
}

func heapInUse() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
