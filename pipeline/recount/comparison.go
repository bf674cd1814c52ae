package recount

import (
	"cmp"
	"fmt"
	"slices"

	"hopper/pipeline"
)

// A Comparison tells how events that are sent differ from an export.
type Comparison struct {
	Days []DayLines `json:"days"`
	// Total adds up the days.
	Total []Line `json:"total"`
	// Worst are the rows that differ most, at most [MaxWorst].
	Worst []Row `json:"worst"`
	// Guarantees are what must hold.
	Guarantees []Guarantee `json:"guarantees"`
	// Notes say what could not be compared.
	Notes []string `json:"notes"`
	// Stats are the translation's own counts.
	Stats pipeline.Stats `json:"-"`
}

func newComparison() *Comparison {
	return &Comparison{Days: []DayLines{}, Total: []Line{}, Worst: []Row{}, Guarantees: []Guarantee{}, Notes: []string{}}
}

// MaxWorst is how many rows that differ a [Comparison] names.
const MaxWorst = 20

// DayLines is one day's comparison.
type DayLines struct {
	Date  string `json:"date"`
	Lines []Line `json:"lines"`
}

// Line compares one measure of one table.
type Line struct {
	Table   string `json:"table"`
	Measure string `json:"measure"`
	// Source is what the export's rows come to, and LeftOut how much of it
	// is gone without the rows that were rejected or omitted. LeftOut can be
	// negative: a session that lost one of two pageviews is a bounce.
	Source  int64 `json:"source"`
	LeftOut int64 `json:"leftOut"`
	// Sent is what the events come to; it should be Source - LeftOut.
	Sent int64 `json:"sent"`
	// Shown is what a server shows, where one was asked; it should be Sent.
	Shown *int64 `json:"shown,omitempty"`
	// Off is how much stands in wrong rows: what rows have too much or what
	// they lack, whichever is more on a day, so that a visit in the wrong row
	// counts once (total variation).
	Off int64 `json:"off"`
	// Rows is how many rows, over all days, differ.
	Rows int64 `json:"rows"`
	// Share is Off as a share of the whole.
	Share float64 `json:"share"`
}

// Difference is how much more there is than there should be: shown than sent
// where a server was asked, and else sent than is left of the source.
func (l *Line) Difference() int64 {
	if l.Shown != nil {
		return *l.Shown - l.Sent
	}
	return l.Sent - l.Source + l.LeftOut
}

func (l *Line) share() {
	l.Share = 0
	if l.Off == 0 {
		return
	}
	whole := max(l.Source-l.LeftOut, l.Sent, 1)
	if l.Shown != nil {
		whole = max(l.Sent, *l.Shown, 1)
	}
	l.Share = float64(l.Off) / float64(whole)
}

// add adds another day's line.
func (l *Line) add(o *Line) {
	l.Source += o.Source
	l.LeftOut += o.LeftOut
	l.Sent += o.Sent
	l.Off += o.Off
	l.Rows += o.Rows
	if o.Shown != nil {
		shown := *o.Shown
		if l.Shown != nil {
			shown += *l.Shown
		}
		l.Shown = &shown
	}
}

// of returns what a side comes to.
func (l *Line) of(side Side) int64 {
	switch {
	case side == Source:
		return l.Source
	case side == Kept:
		return l.Source - l.LeftOut
	case side == Shown && l.Shown != nil:
		return *l.Shown
	}
	return l.Sent
}

// Row is a row of a table, on a day or over all days, that differs.
type Row struct {
	Table   string `json:"table"`
	Measure string `json:"measure"`
	Row     string `json:"row"`
	Date    string `json:"date,omitempty"`
	Source  int64  `json:"source"` // without what was left out
	Sent    int64  `json:"sent"`
	Shown   *int64 `json:"shown,omitempty"`
}

func (r *Row) off() int64 {
	if r.Shown != nil {
		return max(r.Sent-*r.Shown, *r.Shown-r.Sent)
	}
	return max(r.Source-r.Sent, r.Sent-r.Source)
}

// Guarantee is a promise and whether it was kept.
type Guarantee struct {
	Table   string  `json:"table"`
	Measure string  `json:"measure"`
	Limit   float64 `json:"limit"`  // share of the mass that may be in wrong rows; 0 is exact
	Share   float64 `json:"share"`  // share that is
	Days    int     `json:"days"`   // days on which it is to hold
	Failed  int     `json:"failed"` // days on which more is
	Holds   bool    `json:"holds"`

	want, got, off int64 // on those days
}

// decide says whether the promise was kept.
func (g *Guarantee) decide() {
	if g.off > 0 {
		g.Share = float64(g.off) / float64(max(g.want, g.got, 1))
	}
	g.Holds = g.Share <= g.Limit && (g.Limit > 0 || g.Failed == 0)
}

// Holds reports whether all guarantees do.
func (c *Comparison) Holds() bool { return Hold(c.Guarantees) }

// Hold reports whether all of them hold.
func Hold(guarantees []Guarantee) bool {
	return !slices.ContainsFunc(guarantees, func(g Guarantee) bool { return !g.Holds })
}

// worse returns the worst rows with r, if it is among them.
func worse(worst []Row, r Row) []Row {
	at, _ := slices.BinarySearchFunc(worst, r, func(a, b Row) int { return cmp.Compare(b.off(), a.off()) })
	for at < len(worst) && worst[at].off() == r.off() {
		at++ // the first found stays first
	}
	if at == MaxWorst {
		return worst
	}
	worst = slices.Insert(worst, at, r)
	return worst[:min(len(worst), MaxWorst)]
}

// addDay adds a line to a day; days come in order.
func (c *Comparison) addDay(date string, l Line) {
	if len(c.Days) == 0 || c.Days[len(c.Days)-1].Date != date {
		c.Days = append(c.Days, DayLines{Date: date})
	}
	d := &c.Days[len(c.Days)-1]
	d.Lines = append(d.Lines, l)
}

// Exactly adds a line of all days that is to have no difference.
func (c *Comparison) Exactly(l Line) {
	l.Off = max(l.Difference(), -l.Difference(), l.Off)
	l.Rows = min(l.Off, 1)
	l.share()
	c.Total = append(c.Total, l)
	c.Guarantees = append(c.Guarantees, Guarantee{
		Table: l.Table, Measure: l.Measure, Share: l.Share, Days: len(c.Days), Failed: int(l.Rows), Holds: l.Off == 0,
	})
}

// account checks that every row became an event or was counted.
func (c *Comparison) account(counted *rows, stats *pipeline.Stats) {
	c.Stats = *stats
	lines := []Line{
		{Table: "rows", Measure: "became events", Source: counted.facts, LeftOut: counted.rejected + counted.omitted, Sent: stats.Events},
		{Table: "rows", Measure: "left out with a reason", Source: counted.omitted + counted.joined, Sent: stats.Omitted.Total()},
	}
	if left := counted.left; left.said > 0 {
		lines = append(lines, Line{Table: "rows", Measure: "left out by the export's rules", Source: left.own, Sent: left.sent, Off: left.wrong})
	}
	if n := counted.kept; n > 0 && n == stats.Events {
		lines = append(lines, Line{Table: "rows", Measure: "mean time, in Unix seconds", Source: counted.times[0]/n + 1.5e9, Sent: counted.times[1]/n + 1.5e9})
	}
	for _, l := range lines {
		c.Exactly(l)
	}
	for _, n := range []struct {
		rows int64
		what string
	}{
		{counted.untold[0], "have no session: not compared where sessions are counted"},
		{counted.untold[1], "have no visitor: not compared where users are counted"},
	} {
		if n.rows > 0 {
			c.Notes = append(c.Notes, fmt.Sprintf("%d of %d events %s.", n.rows, stats.Events, n.what))
		}
	}
}
