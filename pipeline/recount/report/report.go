// Package report writes what became of a migration as one HTML page, to hand to
// whoever asked for it: what was moved, how the source, what was sent and what
// the server shows compare, day by day and table by table, what was left out and
// why, and which guarantees hold. The page needs no script and nothing beside
// itself; it prints, and follows the reader's choice of light or dark.
package report

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"

	"hopper/pipeline/recount"
)

// A Page is what a report says.
type Page struct {
	// Source, Shape and Schema say what was read, Inputs from which files.
	Source, Shape, Schema string
	Inputs                []string
	// Wire is the wire format.
	Wire string
	// Before says that nothing was moved yet.
	Before bool
	// Earliest and Latest are the first and the last time of an event.
	Earliest, Latest string
	// Notes say what is to be known of the export.
	Notes []string
	// Wires are the wire formats, and Fields what each makes of a field.
	Wires  []Wire
	Fields []Field
	// Server, Site, Zone and Imports say where it went; empty where no server was asked.
	Server, Site, Zone string
	Imports            []string
	// Made is when the report was.
	Made         time.Time
	Rows, Events int64
	// Rejected, Omitted and Repaired say what became of rows that are not sent as
	// they were.
	Rejected, Omitted, Repaired []Count
	// Losses say what the wire format could not carry.
	Losses []string
	// Sent compares the source with what is sent, Shown what is sent with what the
	// server shows. Either may be nil.
	Sent, Shown *recount.Comparison
}

// Wire is what a wire format does to an export as a whole.
type Wire struct {
	Name string
	// Refused is how many events it cannot carry.
	Refused int64
	// Needs is about how long a server takes.
	Needs string
}

// Field is how many events fill a field, and what each of the page's wire formats
// makes of them.
type Field struct {
	Name     string
	Events   int64
	Share    float64 // of all events
	Verdicts []Verdict
}

// Verdict is what a wire format makes of a field: the worst that occurs, and the
// share of the field's events in which it arrives as it is or says the same.
type Verdict struct {
	Worst string
	Kept  float64
}

// Text says how much of the field arrives.
func (v Verdict) Text() string {
	if v.Kept > 0 && v.Kept < 1 {
		return v.Worst + " in " + percent(1-v.Kept)
	}
	return v.Worst
}

// Class is how the verdict looks.
func (v Verdict) Class() string {
	switch {
	case v.Kept == 1:
		return "good"
	case v.Kept == 0:
		return "bad"
	}
	return "some"
}

// Count is how often something happened.
type Count struct {
	What string
	N    int64
	// Example is one of the rows, or where it is.
	Example string
}

//go:embed report.html
var source string

var page = sync.OnceValue(func() *template.Template {
	return template.Must(template.New("report").Funcs(template.FuncMap{
		"count": count, "percent": percent, "signed": signed, "guarantees": guarantees, "holds": holds, "charts": charts, "lines": lines, "day": day, "limit": limit, "names": names, "compared": compared, "width": func(share float64) string { return fmt.Sprintf("%.2f", 100*share) },
		"made": func(t time.Time) string { return t.UTC().Format("2 January 2006, 15:04 MST") },
	}).Parse(source))
})

// Write writes the page.
func Write(w io.Writer, p *Page) error {
	var b bytes.Buffer
	if err := page().Execute(&b, p); err != nil {
		return err
	}
	_, err := io.WriteString(w, visible(b.String()))
	return err
}

// visible returns a text with what controls the reading of the rest shown as
// \u202e: values of an export can hold terminals' escapes and marks that turn the
// order of letters.
func visible(text string) string {
	if !strings.ContainsFunc(text, controls) {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		if controls(r) {
			fmt.Fprintf(&b, `\u%04x`, r)
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

func controls(r rune) bool {
	switch r {
	case '\n', '\t':
		return false
	case 0x200e, 0x200f, 0x061c, 0x2028, 0x2029:
		return true
	}
	return unicode.IsControl(r) || 0x202a <= r && r <= 0x202e || 0x2066 <= r && r <= 0x2069
}

// names returns inputs without the folders that all of them are in, which are of
// no interest to whoever the page is handed to.
func names(inputs []string) []string {
	if len(inputs) == 0 {
		return nil
	}
	common := inputs[0][:strings.LastIndexAny(inputs[0], `/\`)+1]
	short := make([]string, len(inputs))
	for i, in := range inputs {
		for !strings.HasPrefix(in, common) {
			common = common[:strings.LastIndexAny(common[:len(common)-1], `/\`)+1]
		}
		short[i] = in
	}
	// A member of an archive keeps the archive's name.
	if strings.HasSuffix(common, "/") && strings.Contains(path.Base(common), ".") {
		common = common[:strings.LastIndexAny(common[:len(common)-1], `/\`)+1]
	}
	for i := range short {
		short[i] = short[i][len(common):]
	}
	return short
}

// count writes a number with separators.
func count(n int64) string {
	digits := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, digits = "−", digits[1:]
	}
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "\u202f" + digits[i:] // a thin space, in any language
	}
	return sign + digits
}

func signed(n int64) string {
	if n > 0 {
		return "+" + count(n)
	}
	return count(n)
}

// percent never rounds some to none.
func percent(share float64) string {
	switch {
	case share == 0:
		return "0 %"
	case share < 0.0001:
		return "< 0.01 %"
	}
	return fmt.Sprintf("%.2f %%", 100*share)
}

func limit(share float64) string {
	if share == 0 {
		return "exact"
	}
	return "up to " + percent(share)
}

// A judged is a comparison's guarantee, and of what.
type judged struct {
	Of string
	recount.Guarantee
}

// DaysOf is the number of days on which it is to hold.
func (g judged) DaysOf() int64 { return int64(g.Days) }

// aComparison is a comparison and whether a server was asked.
type aComparison struct {
	Comparison *recount.Comparison
	Server     bool
}

func compared(c *recount.Comparison, server bool) aComparison { return aComparison{c, server} }

func guarantees(p *Page) (all []judged) {
	for _, c := range []struct {
		of string
		*recount.Comparison
	}{{"source and sent", p.Sent}, {"sent and server", p.Shown}} {
		if c.Comparison == nil {
			continue
		}
		for _, g := range c.Guarantees {
			all = append(all, judged{c.of, g})
		}
	}
	return all
}

// holds counts the guarantees that do not hold.
func holds(p *Page) (failed int) {
	for _, g := range guarantees(p) {
		if !g.Holds {
			failed++
		}
	}
	return failed
}

// A row is a line of a table of measures.
type row struct {
	recount.Line
	// First says that it begins a table.
	First bool
	// Width is the share of the measure that is in its place, in percent.
	Width float64
}

// Kept is what is left of the source.
func (r *row) Kept() int64 { return r.Source - r.LeftOut }

func lines(c *recount.Comparison) (rows []*row) {
	last := ""
	for i := range c.Total {
		l := c.Total[i]
		rows = append(rows, &row{l, l.Table != last, 100 * (1 - l.Share)})
		last = l.Table
	}
	return rows
}

// A chart compares one measure day by day.
type chart struct {
	Measure     string
	First, Last string
	Most        int64
	Series      []series
	// Bars are the differences: those of the last two series.
	Bars        []bar
	MostOff     int64
	Differs     string // between what
	Description string
}

type series struct {
	Name, Class, Points string
	Total               int64
}

// bar is a difference in the chart's coordinates.
type bar struct{ X, Y, Width, Height float64 }

// The size of a chart's drawing.
const (
	chartWidth  = 720.0
	chartHeight = 160.0
	barsHeight  = 36.0
)

// shownMeasures are those that get a chart, by all their names.
var shownMeasures = [][]string{{"sessions", "visits"}, {"pageviews", "views"}, {"users per day", "visitors", "users"}}

// charts draws the measures of days.
func charts(p *Page) (all []chart) {
	for _, names := range shownMeasures {
		days := map[string]*[3]int64{}
		var told [3]bool
		add := func(c *recount.Comparison, of func(l *recount.Line) [3]int64, which ...int) {
			if c == nil {
				return
			}
			for _, d := range c.Days {
				for i := range d.Lines {
					l := &d.Lines[i]
					if l.Table != "days" && l.Table != "visitors" || !slices.Contains(names, l.Measure) {
						continue
					}
					if days[d.Date] == nil {
						days[d.Date] = new([3]int64)
					}
					for n, values := 0, of(l); n < len(which); n++ {
						days[d.Date][which[n]], told[which[n]] = values[which[n]], true
					}
				}
			}
		}
		add(p.Shown, func(l *recount.Line) [3]int64 { return [3]int64{l.Source, l.Sent, *l.Shown} }, 1, 2)
		add(p.Sent, func(l *recount.Line) [3]int64 { return [3]int64{l.Source - l.LeftOut, l.Sent} }, 0, 1)
		if len(days) > 0 {
			all = append(all, draw(names[0], days, told))
		}
	}
	return all
}

var sides = [3]struct{ name, class string }{{"source", "source"}, {"sent", "sent"}, {"server", "shown"}}

// draw brings the days of a measure into the coordinates of its chart.
func draw(measure string, days map[string]*[3]int64, told [3]bool) chart {
	dates := allDates(days)
	c := chart{Measure: measure, First: dates[0], Last: dates[len(dates)-1], Most: 1}
	from, to := firstTold(told)
	var off []int64
	for _, date := range dates {
		values := days[date]
		if values == nil {
			values = new([3]int64) // a day without events
			days[date] = values
		}
		for side, is := range told {
			if is {
				c.Most = max(c.Most, values[side])
			}
		}
		off = append(off, values[to]-values[from])
		c.MostOff = max(c.MostOff, off[len(off)-1], -off[len(off)-1])
	}
	step := chartWidth / float64(max(len(dates)-1, 1))
	for side, is := range told {
		if !is {
			continue
		}
		s := series{Name: sides[side].name, Class: sides[side].class}
		var points []string
		for i, date := range dates {
			n := days[date][side]
			s.Total += n
			points = append(points, fmt.Sprintf("%.1f,%.1f", float64(i)*step, chartHeight-chartHeight*float64(n)/float64(c.Most)))
		}
		if len(points) == 1 { // a day alone is a line
			points = append(points, strings.Replace(points[0], "0.0,", fmt.Sprintf("%.1f,", chartWidth), 1))
		}
		s.Points = strings.Join(points, " ")
		c.Series = append(c.Series, s)
	}
	c.bars(off)
	c.Differs = sides[from].name + " to " + sides[to].name
	c.Description = fmt.Sprintf("%s a day from %s to %s, at most %d; the largest difference on a day, %s, is %d", measure, c.First, c.Last, c.Most, c.Differs, c.MostOff)
	return c
}

// allDates returns the dates from the first to the last, with those between.
func allDates(days map[string]*[3]int64) []string {
	dates := slices.Sorted(maps.Keys(days))
	first, err1 := time.Parse(time.DateOnly, dates[0])
	last, err2 := time.Parse(time.DateOnly, dates[len(dates)-1])
	if err1 != nil || err2 != nil {
		return dates
	}
	all := dates[:0:0]
	for ; !first.After(last); first = first.AddDate(0, 0, 1) {
		all = append(all, first.Format(time.DateOnly))
	}
	return all
}

func (c *chart) bars(off []int64) {
	width := chartWidth / float64(len(off))
	for i, n := range off {
		if n == 0 {
			continue
		}
		height := barsHeight / 2 * float64(max(n, -n)) / float64(c.MostOff)
		b := bar{X: float64(i) * width, Y: barsHeight/2 - height, Width: max(width*0.8, 1), Height: height}
		if n < 0 {
			b.Y = barsHeight / 2
		}
		c.Bars = append(c.Bars, b)
	}
}

// firstTold returns the first and the last side that is told.
func firstTold(told [3]bool) (from, to int) {
	from = slices.Index(told[:], true)
	for side, is := range told {
		if is {
			to = side
		}
	}
	return from, to
}

// day is a row's date, or what stands for all days.
func day(date string) string {
	if date == "" {
		return "all days"
	}
	return date
}
