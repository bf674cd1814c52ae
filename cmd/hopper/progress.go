package main

import (
	"cmp"
	"fmt"
	"log/slog"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/dustin/go-humanize"

	"hopper"
)

// progress shows how far reading has come: in place on a terminal, as a line
// from time to time elsewhere.
type progress struct {
	screen *screen
	log    *slog.Logger
	verb   string
	// now returns how far reading has come; nil before anything was read.
	now func() *hopper.Progress

	began  time.Time
	recent []moment // of the last half minute, the oldest first
}

// moment is how far a run had come at a time.
type moment struct {
	at           time.Time
	read, events int64
}

// rateOver is what the rate is the mean of: a batch in flight is no standstill.
const rateOver = 30 * time.Second

// start shows progress until the function it returns is called.
func (p *progress) start() (stop func()) {
	every, show, clear := rateOver, func(now *hopper.Progress) { p.log.Info(p.line(now, 0), "event", "progress", p.numbers(now)) }, func() {}
	if p.screen.isTerminal() {
		every = 100 * time.Millisecond
		show = func(now *hopper.Progress) { p.screen.show(p.line(now, p.screen.width()-1)) }
		clear = func() { p.screen.show("") }
	}
	p.began = time.Now()
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case at := <-tick.C:
				if now := p.now(); now != nil {
					p.note(now, at)
					show(now)
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

// note remembers how far the run has come, and forgets what is long ago.
func (p *progress) note(now *hopper.Progress, at time.Time) {
	p.recent = append(p.recent, moment{at, now.Read, now.Events})
	for len(p.recent) > 2 && at.Sub(p.recent[1].at) >= rateOver {
		p.recent = p.recent[1:]
	}
}

// rates are events and bytes a second, lately.
func (p *progress) rates() (events, bytes float64) {
	first := moment{at: p.began}
	if len(p.recent) > 1 {
		first = p.recent[0]
	}
	last := p.recent[len(p.recent)-1]
	seconds := last.at.Sub(first.at).Seconds()
	if seconds < 1 {
		return 0, 0
	}
	return float64(last.events-first.events) / seconds, float64(last.read-first.read) / seconds
}

// numbers are what a line of progress says, for programs.
func (p *progress) numbers(now *hopper.Progress) slog.Attr {
	events, bytes := p.rates()
	numbers := []any{"stage", cmp.Or(now.Stage, p.verb), "read", now.Read, "size", now.Size, "events", now.Events,
		"eventsPerSecond", int64(events), "bytesPerSecond", int64(bytes)}
	if u := now.Upload; u != nil {
		numbers = append(numbers, "expected", now.Expected, "stored", u.Stored, "storedPerSecond", int64(u.PerSecond))
	}
	return slog.Group("", numbers...)
}

// line describes progress in at most width columns; 0 is no limit.
// What matters least goes first where there is no room.
func (p *progress) line(now *hopper.Progress, width int) string {
	if now.Upload != nil {
		return p.uploadLine(now, width)
	}
	events, bytes := p.rates()
	var share, left string
	if now.Size > 0 {
		share = fmt.Sprintf("%d%%", min(100, now.Read*100/now.Size))
		if bytes > 0 && now.Read < now.Size {
			left = time.Duration(float64(now.Size-now.Read)/bytes*float64(time.Second)).Round(time.Second).String() + " left"
		}
	}
	counted := ""
	if now.Stage == "" {
		counted = humanize.Comma(now.Events) + " events"
	}
	rate := ""
	if events > 0 {
		rate = humanize.Comma(int64(events)) + "/s"
	}
	read := cmp.Or(now.Stage, p.verb) + " " + humanize.Bytes(uint64(now.Read))
	if now.Size > 0 {
		read += " of " + humanize.Bytes(uint64(now.Size))
	}
	bar := ""
	if p.screen.isTerminal() && now.Size > 0 {
		bar = drawBar(now.Read, now.Size)
	}
	return fitting(width, [][]string{
		{bar, share, left, read, counted, rate}, {bar, share, left, counted, rate}, {bar, share, left, counted}, {share, left, counted}, {share, left}, {share},
	})
}

// uploadLine describes an upload: the server is what takes the time.
func (p *progress) uploadLine(now *hopper.Progress, width int) string {
	u := now.Upload
	var bar, share, left, rate, waiting string
	stored := humanize.Comma(u.Stored)
	if now.Expected > 0 {
		share = fmt.Sprintf("%d%%", min(100, u.Stored*100/now.Expected))
		stored += " of about " + humanize.Comma(now.Expected)
		if p.screen.isTerminal() {
			bar = drawBar(u.Stored, now.Expected)
		}
	}
	if u.PerSecond > 0 {
		rate = "the server stores " + humanize.Comma(int64(u.PerSecond)) + "/s"
		if now.Expected > u.Stored {
			left = time.Duration(float64(now.Expected-u.Stored)/u.PerSecond*float64(time.Second)).Round(time.Second).String() + " left"
		}
	}
	if waited := time.Since(u.Since); u.Bytes > 0 && waited >= time.Second {
		waiting = fmt.Sprintf("waiting for the server to store batch %d (%s, %s)", u.Batch, humanize.Bytes(uint64(u.Bytes)), waited.Truncate(time.Second))
	}
	stored += " events stored"
	return fitting(width, [][]string{
		{bar, share, left, stored, rate, waiting}, {bar, share, left, stored, waiting}, {share, left, stored, waiting}, {share, left, waiting},
		{bar, share, left, stored}, {share, left, stored}, {share, left}, {share},
	})
}

// fitting returns the first line that has room in width columns; 0 is no limit.
func fitting(width int, lines [][]string) string {
	for _, parts := range lines {
		line := joined(parts)
		if width <= 0 || utf8.RuneCountInString(line) <= width {
			return line
		}
	}
	return ""
}

func joined(parts []string) string {
	kept := parts[:0:0]
	for _, part := range parts {
		if part != "" {
			kept = append(kept, part)
		}
	}
	return strings.Join(kept, " · ")
}

// drawBar draws a share as "[====>     ]".
func drawBar(part, whole int64) string {
	const cells = 20
	full := int(min(cells, part*cells/max(whole, 1)))
	bar := strings.Repeat("=", full)
	if full < cells {
		bar += ">" + strings.Repeat(" ", cells-full-1)
	}
	return "[" + bar + "]"
}
