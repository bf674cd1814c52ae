package sandbox

import (
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"html/template"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
)

//go:embed dashboard.html
var dashboardHTML string

var dashboardPage = sync.OnceValue(func() *template.Template {
	return template.Must(template.New("dashboard").Parse(dashboardHTML))
})

// dashboardData is what the page shows. All numbers come from the statistics that
// the API answers.
type dashboardData struct {
	Site        string
	From, To    string // days, empty for all time
	First, Last string // days that the site has events on
	Error       string
	Tiles       []tile
	Chart       chart
	Lists       []list
	Imports     []importLine
}

type tile struct{ Name, Value string }

type list struct {
	Title, Unit string
	Rows        []listRow
	More        int // rows beyond those shown
}

type listRow struct {
	Name, Value string
	Share       float64 // of the longest bar, in percent
}

type importLine struct{ ID, Platform, Imported, Skipped, Invalid, State string }

// dashboard shows what the site holds, so that somebody who has just imported
// something sees it.
func (s *Server) dashboard(w http.ResponseWriter, r *http.Request) {
	data, err := s.dashboardData(r.Context(), r.URL.Query())
	if err != nil {
		data.Error = err.Error()
	}
	var page bytes.Buffer
	if err := dashboardPage().Execute(&page, data); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'")
	w.Header().Set("Cache-Control", "no-store")
	w.Write(page.Bytes())
}

// dashboardLists are the tables of the page, by the parameter of metric.
var dashboardLists = []struct{ title, parameter string }{
	{"Pages", "pathname"}, {"Referrers", "referrer"}, {"Channels", "channel"}, {"Countries", "country"},
	{"Browsers", "browser"}, {"Systems", "operating_system"}, {"Devices", "device_type"}, {"Events", "event_name"},
	{"Entry pages", "entry_page"}, {"Exit pages", "exit_page"},
}

func (s *Server) dashboardData(ctx context.Context, asked url.Values) (dashboardData, error) {
	d := dashboardData{Site: s.opts.Site, From: asked.Get("start_date"), To: asked.Get("end_date")}
	params := url.Values{}
	if d.From != "" || d.To != "" {
		params.Set("start_date", d.From)
		params.Set("end_date", d.To)
	}
	if err := s.listImports(ctx, &d); err != nil {
		return d, err
	}
	q := &query{ctx: ctx, db: s.db, site: s.opts.Site, params: params, now: s.opts.Now()}
	var err error
	if q.selection, err = newSelection(s.opts.Site, nil, q.now); err != nil {
		return d, err
	}
	span, err := q.one(`SELECT coalesce(substr(min(second), 1, 10), '') AS first, coalesce(substr(max(second), 1, 10), '') AS last FROM chosen`)
	if err != nil {
		return d, err
	}
	d.First, d.Last = fmt.Sprint(span["first"]), fmt.Sprint(span["last"])
	if d.First == "" {
		return d, nil
	}
	if q.selection, err = newSelection(s.opts.Site, params, q.now); err != nil {
		return d, err
	}
	if err := d.overview(q); err != nil {
		return d, err
	}
	for _, l := range dashboardLists {
		if err := d.list(q, l.title, l.parameter); err != nil {
			return d, err
		}
	}
	return d, nil
}

func (s *Server) listImports(ctx context.Context, d *dashboardData) error {
	rows, err := allImports(ctx, s.db, s.opts.Site)
	for _, row := range rows[:min(len(rows), listLength)] {
		state := "open"
		if row.completed.Valid {
			state = "complete"
		}
		d.Imports = append(d.Imports, importLine{row.id, row.platform, grouped(row.imported), grouped(row.skipped), grouped(row.invalid), state})
	}
	return err
}

func (d *dashboardData) overview(q *query) error {
	answer, err := q.overview()
	if err != nil {
		return err
	}
	o := answer.(row)
	d.Tiles = []tile{
		{"Users", grouped(o["users"])}, {"Sessions", grouped(o["sessions"])}, {"Pageviews", grouped(o["pageviews"])},
		{"Pages per session", fixed(o["pages_per_session"], 2, "")}, {"Bounce rate", fixed(o["bounce_rate"], 1, "%")},
		{"Session duration", clockTime(o["session_duration"])},
	}
	bucket := "day"
	first, last := d.First, d.Last
	if d.From != "" {
		first, last = d.From, d.To
	}
	if days(first, last) > 400 {
		bucket = "month"
	}
	q.params.Set("bucket", bucket)
	series, err := q.timeSeries()
	if err != nil {
		return err
	}
	d.Chart = newChart(bucket, series.([]row))
	return nil
}

func days(first, last string) float64 {
	a, _ := time.Parse(time.DateOnly, first) // both come from the database or have been read before
	b, _ := time.Parse(time.DateOnly, last)
	return b.Sub(a).Hours() / 24
}

// listRows is how many rows a table of the page shows.
const listRows = 8

func (d *dashboardData) list(q *query, title, parameter string) error {
	q.params.Set("parameter", parameter)
	q.params.Set("limit", strconv.Itoa(listRows))
	answer, err := q.metric()
	if err != nil {
		return err
	}
	l := list{Title: title, Unit: "sessions"}
	if parameter == "event_name" {
		l.Unit = "events"
	}
	rows := answer.(row)["data"].([]row)
	for _, r := range rows {
		n, most := toFloat(r["count"]), toFloat(rows[0]["count"])
		name := fmt.Sprint(r["value"])
		l.Rows = append(l.Rows, listRow{name, grouped(r["count"]), math.Round(1000*n/most) / 10})
	}
	l.More = int(answer.(row)["totalCount"].(int64)) - len(rows)
	if len(rows) > 0 {
		d.Lists = append(d.Lists, l)
	}
	return nil
}

// chart is the curve of pageviews and sessions, in a field of chartWidth by chartHeight.
type chart struct {
	Bucket              string
	Pageviews, Sessions string // points of a line
	Area                string // below the pageviews
	Columns             []column
	Ticks               []tick
	Labels              []tick
}

// column is a bucket's part of the chart, with the text that a pointer shows.
type column struct {
	X, Width float64
	Text     string
}

// tick is a label on an axis.
type tick struct {
	At   float64
	Text string
}

const (
	chartWidth  = 1000.0
	chartHeight = 240.0
)

func newChart(bucket string, series []row) chart {
	c := chart{Bucket: bucket}
	most := 1.0
	for _, r := range series {
		most = max(most, toFloat(r["pageviews"]), toFloat(r["sessions"]))
	}
	top := niceCeil(most)
	width := chartWidth / float64(len(series))
	var views, sessions strings.Builder
	for i, r := range series {
		x := (float64(i) + .5) * width
		fmt.Fprintf(&views, "%.1f,%.1f ", x, chartHeight*(1-toFloat(r["pageviews"])/top))
		fmt.Fprintf(&sessions, "%.1f,%.1f ", x, chartHeight*(1-toFloat(r["sessions"])/top))
		name := fmt.Sprint(r["time"])[:len(time.DateOnly)]
		if bucket == "month" {
			name = name[:len("2006-01")]
		}
		c.Columns = append(c.Columns, column{float64(i) * width, width,
			fmt.Sprintf("%s: %s pageviews, %s sessions, %s users", name, grouped(r["pageviews"]), grouped(r["sessions"]), grouped(r["users"]))})
		if every := (len(series) + 5) / 6; i%every == every/2 {
			c.Labels = append(c.Labels, tick{x / chartWidth * 100, name})
		}
	}
	c.Pageviews, c.Sessions = views.String(), sessions.String()
	c.Area = fmt.Sprintf("%.1f,%.0f %s%.1f,%.0f", width/2, chartHeight, c.Pageviews, chartWidth-width/2, chartHeight)
	for i := range 5 {
		share := float64(i) / 4
		c.Ticks = append(c.Ticks, tick{chartHeight * (1 - share), strconv.FormatFloat(top*share, 'f', -1, 64)})
	}
	return c
}

// niceCeil returns the next of 4, 8, 20, 40, 80, 200… that is not less.
func niceCeil(n float64) float64 {
	for unit := 4.0; ; unit *= 10 {
		for _, factor := range []float64{1, 2, 5} {
			if unit*factor >= n {
				return unit * factor
			}
		}
	}
}

func toFloat(v any) float64 {
	switch n := v.(type) {
	case int64:
		return float64(n)
	case float64:
		return n
	}
	return 0
}

// grouped writes a count with its thousands apart.
func grouped(v any) string {
	digits := strconv.FormatInt(int64(toFloat(v)), 10)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

func fixed(v any, digits int, unit string) string {
	if v == nil {
		return "–"
	}
	return strconv.FormatFloat(toFloat(v), 'f', digits, 64) + unit
}

func clockTime(v any) string {
	if v == nil {
		return "–"
	}
	return (time.Duration(math.Round(toFloat(v))) * time.Second).String()
}
