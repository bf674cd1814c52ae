package recount

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"hopper/pipeline"
	"hopper/pipeline/vocabulary"
)

// The tables of a dashboard, as [Dashboard] has them. The first has a row a day,
// the others a row over all days.
const (
	DashboardDays = iota
	DashboardPages
	DashboardEntries
	DashboardExits
	DashboardNames
	DashboardProperties
	DashboardLinks
	DashboardTitles
	// DashboardDimensions is the first of the tables by [DashboardFields].
	DashboardDimensions
)

// The columns of the dashboard's tables.
const (
	DaySessions = iota
	DayUsers
	DayPageviews
	DayBounces
	DaySeconds

	PageSessions = 0
	PageEvents   = 1
)

// DashboardFields are what the dashboard shows sessions by, in the words of
// Rybbit's events.
var DashboardFields = [...]string{
	"referrer", "hostname", "country", "region", "city", "browser", "operating_system", "device_type", "language",
	"utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content", "browser_version", "operating_system_version",
}

// dashboardTitles are what people call them.
var dashboardTitles = [len(DashboardFields)]string{
	"referrers", "hosts", "countries", "regions", "cities", "browsers", "systems", "devices", "languages",
	"UTM sources", "UTM media", "UTM campaigns", "UTM terms", "UTM contents", "browser versions", "system versions",
}

// Dashboard is the layout of what Rybbit shows of events: times in whole seconds,
// pages of events of every kind, sessions by the first value that they have, and
// of two events in one second the one stored first as first and last.
func Dashboard(zone *time.Location) *Layout {
	sessions := []Column{{Sessions, "sessions", 0}}
	l := &Layout{
		Zone: zone, Dimensions: len(DashboardFields), FirstOfTies: true, Hit: shown,
		Tables: []Table{
			{Name: "days", By: ByDay, Columns: []Column{
				{Sessions, "sessions", 0}, {Users, "users per day", 0}, {Pageviews, "pageviews", 0}, {Bounces, "bounces", 0}, {Seconds, "seconds", 0},
			}},
			{Name: "pages", By: ByPage, Whole: true, Columns: []Column{{Sessions, "sessions", 0}, {Events, "events", 0}}},
			{Name: "entry pages", By: ByEntry, Whole: true, Columns: sessions},
			{Name: "exit pages", By: ByExit, Whole: true, Columns: sessions},
			{Name: "custom events", By: ByName, Whole: true, Columns: []Column{{Events, "events", 0}}},
			{Name: "properties", By: ByProperty, Whole: true, Columns: []Column{{Events, "events", 0}}},
			{Name: "outbound links", By: ByLink, Whole: true, Columns: []Column{{Events, "events", 0}}},
			{Name: "titles", By: ByTitle, Whole: true, Columns: []Column{{Pageviews, "pageviews", 0}}},
		},
	}
	for i, title := range dashboardTitles {
		l.Tables = append(l.Tables, Table{Name: title, By: ByDimension, Dimension: i, Whole: true, Columns: sessions})
	}
	return l
}

// shown is what an event counts as on a dashboard.
func shown(ev *pipeline.Event, h *Hit) {
	h.At = wholeSeconds(h.At)
	h.Page = DashboardRow(ev.Path)
	switch ev.Kind {
	case pipeline.Pageview:
		h.Title = DashboardRow(ev.Title)
	case pipeline.Custom:
		h.Name = DashboardRow(ev.Name)
		for _, p := range ev.Properties {
			h.Properties = append(h.Properties, DashboardRow(ev.Name, p.Key, p.Value))
		}
	case pipeline.Outbound:
		h.Link = DashboardRow(ev.Target)
	}
	utm, err := url.ParseQuery(ev.Query)
	if err != nil {
		utm = url.Values{}
	}
	for i, value := range [len(DashboardFields)]string{
		strings.TrimPrefix(hostOf(ev.Referrer), "www."), ev.Hostname, ev.Country, ev.Region, ev.City, ev.Browser, ev.OS, ev.Device, ev.Language,
		utm.Get("utm_source"), utm.Get("utm_medium"), utm.Get("utm_campaign"), utm.Get("utm_term"), utm.Get("utm_content"),
		VersionOf(ev.Browser, vocabulary.Major(ev.BrowserVersion)), VersionOf(ev.OS, ev.OSVersion),
	} {
		h.Rows[i] = DashboardRow(value)
	}
}

func wholeSeconds(t pipeline.Micros) pipeline.Micros {
	seconds := t / 1e6
	if t%1e6 < 0 {
		seconds--
	}
	return seconds * 1e6
}

// DashboardRow is the row of one value or several. Rybbit shows what JavaScript
// reads as a number as that number; so does this, for both sides.
func DashboardRow(values ...string) string {
	row := make([]string, len(values))
	for i, value := range values {
		row[i] = Clip(value)
		if n, ok := asNumber(value); ok {
			row[i] = n
		}
	}
	return strings.Join(row, NoValue)
}

// VersionOf is the value of a browser or system and its version, if it has one.
// Rybbit shows Windows 10 and 11 as one.
func VersionOf(name, version string) string {
	if name == "" {
		return ""
	}
	if name == "Windows" && (version == "10" || version == "11") {
		version = "10/11"
	}
	return strings.TrimSpace(name + " " + version)
}

// asNumber returns how JavaScript writes a text that it reads as a number.
func asNumber(text string) (string, bool) {
	trimmed := strings.TrimSpace(text)
	if trimmed == "" || strings.ContainsAny(trimmed, "_pP") || trimmed[0] != '-' && trimmed[0] != '+' && trimmed[0] != '.' && (trimmed[0] < '0' || trimmed[0] > '9') {
		return "", false
	}
	if n, err := strconv.ParseUint(trimmed, 0, 53); err == nil && len(trimmed) > 1 && trimmed[0] == '0' && (trimmed[1] < '0' || trimmed[1] > '9') {
		return strconv.FormatUint(n, 10), true
	}
	f, err := strconv.ParseFloat(trimmed, 64)
	if err != nil {
		return "", false
	}
	return strconv.FormatFloat(f, 'g', -1, 64), true
}

// shownFact is what a fact counts as on a dashboard, as far as it says.
func shownFact(f *Fact) *Hit {
	h := f.hit()
	h.At = wholeSeconds(h.At)
	own := h.Rows
	h.Rows = make([]string, len(DashboardFields))
	for i, from := range map[int]int{0: referrers, 1: hosts, 2: countries, 3: regions, 4: cities, 6: systems, 7: devices, 8: languages, 9: utmSources} {
		if value := own[from]; value != None {
			h.Rows[i] = DashboardRow(strings.TrimPrefix(value, "www."))
		}
	}
	h.Name = DashboardRow(h.Name)
	if f.Kind == pipeline.Pageview && own[titles] != None {
		h.Title = DashboardRow(own[titles])
	}
	if h.Page == "" && f.Page != "" {
		h.Page = Clip(pageOf(f.Page))
	}
	h.Page = DashboardRow(h.Page)
	return h
}

// A Server is what events are compared with that were sent to it.
type Server struct {
	// Zone is where its days begin; nil is UTC.
	Zone *time.Location
	// Show adds what it shows of the days from first to last to the side [Shown] of
	// sums that are laid out as a [Dashboard], and says with [Sums.Tell] what
	// that is.
	Show func(ctx context.Context, sums *Sums, first, last Day) error
	// Changes, if set, reports that a field does not arrive as it is: nothing is
	// promised of the tables that show it. It is called by several goroutines.
	Changes func(ev *pipeline.Event, f pipeline.Field) bool
}

// CompareShown compares what t sends of an export with what a server shows of
// it. The export's own counts are given beside, where it has Facts.
func CompareShown(ctx context.Context, e Export, t pipeline.Translation, server Server) (_ *Comparison, err error) {
	layout := Dashboard(server.Zone)
	changed := newChanges(layout, server.Changes)
	r := &rows{Count: NewCount(layout, e.Scratch), rules: &t.Normalizer, hitOf: shownFact}
	defer func() { err = errors.Join(err, r.Close()) }()
	stats, err := translate(ctx, t, e.Source, r.Hits, e.Progress, r.sent)
	if err != nil {
		return nil, err
	}
	if e.Facts != nil {
		if err := e.Facts(ctx, func(pieces Pieces) error { return r.tell(ctx, pieces, t.Jobs) }); err != nil {
			return nil, err
		}
	}
	if err := r.Finish(ctx, t.Jobs); err != nil {
		return nil, err
	}
	if stats.Events > 0 {
		if err := server.Show(ctx, r.Sums, r.dayOf(stats.Earliest), r.dayOf(stats.Latest)); err != nil {
			return nil, err
		}
	}
	notes := changed.unpromise(layout)
	if n := max(r.ties.entries[Sent], r.ties.exits[Sent]); n > 0 {
		notes = append(notes, fmt.Sprintf("%d of %d sessions have two pages in their first or last second; which of them Rybbit shows as entry or exit page depends on how it stored them.", n, r.ties.sessions[Sent]))
	}
	allow(&layout.Tables[DashboardEntries], r.ties.entries[Sent], r.ties.sessions[Sent])
	allow(&layout.Tables[DashboardExits], r.ties.exits[Sent], r.ties.sessions[Sent])
	out, err := r.Sums.Compare(ctx, Sent, Shown)
	if err != nil {
		return nil, err
	}
	out.Stats, out.Notes = stats, append(out.Notes, notes...)
	return out, nil
}

// allow lets some of all sessions stand in another row of a table.
func allow(t *Table, some, all int64) {
	if some > 0 && t.Columns[0].Limit == 0 {
		t.Columns = slices.Clone(t.Columns)
		t.Columns[0].Limit = float64(some) / float64(all)
	}
}

// changes counts, by table, the events with a field that does not arrive as it is.
type changes []atomic.Int64

func newChanges(layout *Layout, changed func(*pipeline.Event, pipeline.Field) bool) changes {
	c := make(changes, len(layout.Tables))
	if changed == nil {
		return c
	}
	count := layout.Hit
	layout.Hit = func(ev *pipeline.Event, h *Hit) {
		count(ev, h)
		if ev.Kind == pipeline.Pageview && ev.Title != "" && changed(ev, pipeline.FieldTitle) {
			c[DashboardTitles].Add(1)
		}
		for _, f := range dashboardFields {
			if ev.Has(f.field) && changed(ev, f.field) {
				for _, table := range f.tables {
					c[table].Add(1)
				}
			}
		}
	}
	return c
}

// unpromise takes back what is promised of tables with such events, and says so.
func (c changes) unpromise(layout *Layout) (notes []string) {
	for i := range c {
		n := c[i].Load()
		if n == 0 {
			continue
		}
		t := &layout.Tables[i]
		t.Columns = slices.Clone(t.Columns)
		for column := range t.Columns {
			t.Columns[column].Limit = NoPromise
		}
		notes = append(notes, fmt.Sprintf("Nothing is promised of %s: of %d events the wire format brings it in another form, or not at all.", t.Name, n))
	}
	return notes
}

// dashboardFields are the tables that show a field.
var dashboardFields = []struct {
	field  pipeline.Field
	tables []int
}{
	{pipeline.FieldPath, []int{DashboardPages, DashboardEntries, DashboardExits}},
	{pipeline.FieldKind, []int{DashboardNames, DashboardProperties, DashboardLinks}},
	{pipeline.FieldName, []int{DashboardNames, DashboardProperties}},
	{pipeline.FieldProperties, []int{DashboardProperties}},
	{pipeline.FieldTarget, []int{DashboardLinks}},
	{pipeline.FieldReferrer, []int{DashboardDimensions}},
	{pipeline.FieldHostname, []int{DashboardDimensions + 1}},
	{pipeline.FieldCountry, []int{DashboardDimensions + 2}},
	{pipeline.FieldRegion, []int{DashboardDimensions + 3}},
	{pipeline.FieldCity, []int{DashboardDimensions + 4}},
	{pipeline.FieldBrowser, []int{DashboardDimensions + 5, DashboardDimensions + 14}},
	{pipeline.FieldBrowserVersion, []int{DashboardDimensions + 14}},
	{pipeline.FieldOS, []int{DashboardDimensions + 6, DashboardDimensions + 15}},
	{pipeline.FieldOSVersion, []int{DashboardDimensions + 15}},
	{pipeline.FieldDevice, []int{DashboardDimensions + 7}},
	{pipeline.FieldLanguage, []int{DashboardDimensions + 8}},
	{pipeline.FieldQuery, []int{DashboardDimensions + 9, DashboardDimensions + 10, DashboardDimensions + 11, DashboardDimensions + 12, DashboardDimensions + 13}},
}
