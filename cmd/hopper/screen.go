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

	"golang.org/x/term"
)

// A screen is stderr: lines scroll, and on a terminal a line of progress stays
// at the bottom. It may be used by several goroutines.
type screen struct {
	mu     sync.Mutex
	out    io.Writer
	file   *os.File // nil where out is no terminal
	status string
}

func newScreen(out io.Writer) *screen {
	s := &screen{out: out}
	if f, ok := out.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		s.file = f
	}
	return s
}

func (s *screen) isTerminal() bool { return s.file != nil }

// width is that of the terminal as it is now; people resize windows.
func (s *screen) width() int {
	if s.file == nil {
		return 0
	}
	width, _, err := term.GetSize(int(s.file.Fd()))
	if err != nil || width < 1 {
		return 80
	}
	return width
}

const eraseLine = "\r\x1b[K"

// Write prints whole lines above the line of progress.
func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var line strings.Builder
	safe := terminalWriter{W: &line}
	if _, err := safe.Write(p); err != nil {
		return 0, err
	}
	if err := safe.Close(); err != nil {
		return 0, err
	}
	text := line.String()
	if s.status != "" {
		text = eraseLine + text + s.status
	}
	_, err := io.WriteString(s.out, text)
	return len(p), err
}

// show replaces the line of progress.
func (s *screen) show(status string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status = status
	io.WriteString(s.out, eraseLine+status)
}

// textHandler writes log records as lines for people: the message, then what
// belongs to it. The name of the event, and what stands in a group without a
// name, are for programs: the message says them.
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
	line.WriteString(printable(r.Message))
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "" || a.Key == "event" {
			return true
		}
		if v := printable(a.Value.String()); v != "" {
			fmt.Fprintf(&line, " · %s %s", a.Key, v)
		}
		return true
	})
	line.WriteByte('\n')
	_, err := h.out.Write(line.Bytes())
	return err
}
