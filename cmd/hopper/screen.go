package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/dustin/go-humanize"
	"golang.org/x/term"

	"hopper"
)

// A screen is stderr: lines scroll, and on a terminal a line of progress stays
// at the bottom. It may be used by several goroutines.
type screen struct {
	mu       sync.Mutex
	out      io.Writer
	terminal bool
	width    int
	status   string
}

func newScreen(out io.Writer) *screen {
	s := &screen{out: out}
	if f, ok := out.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		s.terminal = true
		s.width, _, _ = term.GetSize(int(f.Fd()))
	}
	return s
}

const eraseLine = "\r\x1b[K"

// Write prints whole lines above the line of progress.
func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.status == "" {
		return s.out.Write(p)
	}
	_, err := io.WriteString(s.out, eraseLine+string(p)+s.status)
	return len(p), err
}

func (s *screen) show(status string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if runes := []rune(status); s.width > 0 && len(runes) >= s.width {
		status = string(runes[:s.width-1])
	}
	s.status = status
	io.WriteString(s.out, eraseLine+status)
}

// textHandler writes log records as lines for people: the message, then what
// belongs to it.
type textHandler struct {
	out   io.Writer
	level slog.Level
}

func (h *textHandler) Enabled(_ context.Context, l slog.Level) bool { return l >= h.level }
func (h *textHandler) WithAttrs([]slog.Attr) slog.Handler           { return h }
func (h *textHandler) WithGroup(string) slog.Handler                { return h }

func (h *textHandler) Handle(_ context.Context, r slog.Record) error {
	var line bytes.Buffer
	if r.Level >= slog.LevelWarn {
		fmt.Fprintf(&line, "%s: ", strings.ToLower(r.Level.String()))
	}
	line.WriteString(r.Message)
	r.Attrs(func(a slog.Attr) bool {
		if v := a.Value.String(); v != "" {
			fmt.Fprintf(&line, " · %s %s", a.Key, v)
		}
		return true
	})
	line.WriteByte('\n')
	_, err := h.out.Write(line.Bytes())
	return err
}

// progress shows how far reading has come: in place on a terminal, as a line
// from time to time elsewhere.
type progress struct {
	screen *screen
	log    *slog.Logger
	verb   string
	// now returns how far reading has come; nil before anything was read.
	now func() *hopper.Progress
}

// start shows progress until the function it returns is called.
func (p *progress) start() (stop func()) {
	every, show, clear := 30*time.Second, func(line string) { p.log.Info(line) }, func() {}
	if p.screen.terminal {
		every, show, clear = 200*time.Millisecond, p.screen.show, func() { p.screen.show("") }
	}
	began := time.Now()
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				if now := p.now(); now != nil {
					show(p.line(now, time.Since(began)))
				}
			case <-done:
				clear()
				return
			}
		}
	}()
	return func() {
		close(done)
		<-ended
	}
}

func (p *progress) line(now *hopper.Progress, took time.Duration) string {
	read, size, events := now.Read, now.Size, now.Events
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s", p.verb, humanize.Bytes(uint64(read)))
	if size > 0 {
		fmt.Fprintf(&b, " of %s (%d%%)", humanize.Bytes(uint64(size)), min(100, read*100/size))
	}
	fmt.Fprintf(&b, " · %s events", humanize.Comma(events))
	if seconds := took.Seconds(); seconds > 1 {
		fmt.Fprintf(&b, " · %s/s", humanize.Comma(int64(float64(events)/seconds)))
		if size > 0 && read > 0 && read < size {
			left := time.Duration(float64(took) * float64(size-read) / float64(read))
			fmt.Fprintf(&b, " · %s left", left.Round(time.Second))
		}
	}
	return b.String()
}
