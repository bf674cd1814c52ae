package main

import (
	"io"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"hopper"
	"hopper/sinks/rybbit"
)

// TestUploadLine shows what the server has and needs, and leaves out what matters
// least where there is no room.
func TestUploadLine(t *testing.T) {
	p := &progress{screen: newScreen(io.Discard), verb: "sent"}
	now := &hopper.Progress{Events: 20_000, Expected: 100_000, Upload: &rybbit.Status{
		Stored: 16_000, PerSecond: 1600, Batch: 3, Bytes: 8_000_000, Since: time.Now().Add(-4300 * time.Millisecond),
	}}
	whole := "16% · 53s left · 16,000 of about 100,000 events stored · the server stores 1,600/s · waiting for the server to store batch 3 (8.0 MB, 4s)"
	if got := p.line(now, 0); got != whole {
		t.Errorf("got %q, want %q", got, whole)
	}
	for width := 10; width < 150; width++ {
		line := p.line(now, width)
		if utf8.RuneCountInString(line) > width || !strings.HasPrefix(line, "16%") {
			t.Errorf("in %d columns: %q", width, line)
		}
	}
	now.Upload = &rybbit.Status{}
	now.Expected = 0
	if got, want := p.line(now, 0), "0 events stored"; got != want {
		t.Errorf("at the beginning: %q, want %q", got, want)
	}
	now.Upload = nil
	p.note(now, time.Now())
	if got, want := p.line(now, 0), "sent 0 B · 20,000 events"; !strings.HasPrefix(got, want) {
		t.Errorf("without an upload: %q, want %q", got, want)
	}
}
