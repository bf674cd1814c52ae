package ga

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"golang.org/x/text/language/display"

	"hopper/adapters/input"
	"hopper/adapters/reconstruct"
	"hopper/pipeline"
)

// reportSource yields a chunk a day, after one with what belongs to no day.
type reportSource struct {
	reports *reports
	days    []time.Time
	first   bool
	roster  *reconstruct.Roster // of the days from due on, once any is read
	due     time.Time
}

func (s *reportSource) Next(ctx context.Context) (pipeline.Chunk, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if s.first {
		s.first = false
		return &s.reports.loose, nil
	}
	if len(s.days) == 0 {
		return nil, io.EOF
	}
	day := s.days[0]
	s.days = s.days[1:]
	return &dayChunk{reports: s.reports, date: day, share: s.share(day)}, nil
}

// share returns which users a day's visitors are, nil where nothing tells. Days
// are asked for in order.
func (s *reportSource) share(day time.Time) *share {
	of := s.reports.people.roster
	if of == nil {
		return s.reports.people.shares[day]
	}
	if s.roster == nil {
		s.roster, s.due = reconstruct.NewRoster(of.window, of.total, of.days), of.span.from
	}
	var next reconstruct.Share
	for ; !s.due.After(day); s.due = s.due.AddDate(0, 0, 1) {
		next = s.roster.Next()
	}
	return &share{next, of.span}
}

func (s *reportSource) Close() error { return s.reports.Close() }

// filled returns a day as package reconstruct takes it, and the dimensions of its
// tables.
func (r *reports) filled(date time.Time, told *reportDay) (*reconstruct.Day, [][]field) {
	y, m, d := date.Date()
	day := &reconstruct.Day{Start: time.Date(y, m, d, 0, 0, 0, 0, r.zone), SettleRepeats: true}
	day.End = r.opt.End(day.Start, time.Date(y, m, d+1, 0, 0, 0, 0, r.zone))
	tables := told.fill(day)
	day.Events, _ = told.events(func(string) {})
	return day, tables
}

type dayChunk struct {
	reports *reports
	date    time.Time
	share   *share   // of a period's users, nil where the day has none
	made    *dayMade // by the first Decode
}

var _ pipeline.Releasable = (*dayChunk)(nil)

// Repeatable says that Decode may be called again, see [pipeline.Repeatable]: visits
// take much less memory than their events, and are made once.
func (c *dayChunk) Repeatable() bool { return true }

// Release forgets the visits, see [pipeline.Releasable].
func (c *dayChunk) Release() { c.made = nil }

func (c *dayChunk) Decode(out *pipeline.Emitter) error {
	if c.made == nil {
		var err error
		if c.made, err = c.prepare(); err != nil {
			c.made = nil
			return err
		}
	}
	w := &dayWriter{dayChunk: c, dayMade: c.made, out: out}
	w.told.to(out)
	at := pipeline.Origin{Input: w.told.input}
	for _, reason := range w.omitted {
		out.Omit(at, reason)
	}
	for i := range w.plan.Parts() {
		w.emit(w.part(i))
	}
	report, _ := w.plan.Report()
	for _, line := range report.Lines {
		if line.Off > 0 {
			out.Repair(at, fmt.Sprintf("day whose %s by %s could not be met exactly", line.Measure, line.Table))
		}
	}
	return nil
}

// prepare plans the day's visits.
func (c *dayChunk) prepare() (*dayMade, error) {
	r := c.reports
	told, err := r.assemble(r.days[c.date])
	if err != nil {
		return nil, err
	}
	d := &dayMade{told: told}
	d.day, d.tables = r.filled(c.date, told)
	d.day.Events, d.events = told.events(func(reason string) { d.omitted = append(d.omitted, reason) })
	if d.plan, err = reconstruct.NewPlan(d.day); err != nil {
		return nil, input.Errorf(told.input, "%s: %w", c.date.Format(time.DateOnly), err)
	}
	return d, d.describe(r, d.plan.Pages())
}

// dayMade is what a day's visits are made of, and the visits.
type dayMade struct {
	told    *reportDay
	day     *reconstruct.Day
	tables  [][]field // of day.Tables
	events  [][]field // of day.Events
	omitted []string  // why events are left out
	plan    *reconstruct.Plan

	results []*reconstruct.Result // of the first parts
	hits    int                   // of these

	// What the day's keys say, taken apart once.
	values [][][]string // of the rows of day.Tables
	counts [][]string   // of day.Events
	pages  []viewed     // of the plan
	valid  bool         // all of it is UTF-8
}

// part returns the visits of a part of the day, and keeps those of the first parts.
func (d *dayMade) part(i int) *reconstruct.Result {
	if i < len(d.results) {
		return d.results[i]
	}
	result := d.plan.Part(i)
	const most = 500_000 // hits, which take 20 MB
	if i == len(d.results) && d.hits < most {
		d.results = append(d.results, result)
		for v := range result.Visits {
			d.hits += len(result.Visits[v].Hits)
		}
	}
	return result
}

// dayWriter makes events of a day's visits.
type dayWriter struct {
	*dayChunk
	*dayMade
	out   *pipeline.Emitter
	event pipeline.Event
}

// viewed is what a page says of its views.
type viewed struct{ host, path, query, title string }

// describe takes the day's keys apart.
func (d *dayMade) describe(r *reports, pages []string) error {
	d.valid = true
	take := func(key string) []string {
		d.valid = d.valid && utf8.ValidString(key)
		return strings.Split(key, separator)
	}
	for _, t := range d.day.Tables {
		rows := make([][]string, len(t.Rows))
		for i := range t.Rows {
			rows[i] = take(t.Rows[i].Key)
		}
		d.values = append(d.values, rows)
	}
	for _, e := range d.day.Events {
		d.counts = append(d.counts, take(e.Key))
	}
	for _, key := range pages {
		host, err := r.hosts.of(key)
		if err != nil {
			return err
		}
		title, err := r.titles.of(key)
		if err != nil {
			return err
		}
		page := viewed{host: host, title: title}
		_, page.path, page.query = splitPath(key)
		d.valid = d.valid && utf8.ValidString(key) && utf8.ValidString(page.host) && utf8.ValidString(page.title)
		d.pages = append(d.pages, page)
	}
	return nil
}

func (w *dayWriter) emit(result *reconstruct.Result) {
	date := w.date.Format(time.DateOnly)
	client := 0 // tables that tell of browser, system or device
	for _, fields := range w.tables {
		if slices.ContainsFunc(fields, func(f field) bool {
			return f == byBrowser || f == byOS || f == byOSAndVersion || f == byDevice
		}) {
			client++
		}
	}
	var who []int // users of the period
	person := ""
	if w.share != nil {
		who, person = result.Users(w.day, &w.share.Share), w.share.span.String()+" person "
	}
	for v := range result.Visits {
		visit := &result.Visits[v]
		base := pipeline.Event{
			Visitor: date + " visitor " + strconv.Itoa(visit.Visitor), Session: date + " visit " + strconv.Itoa(result.FirstVisit+v),
			ClientApart: client > 1,
			ValidUTF8:   w.valid,
			Origin:      pipeline.Origin{Input: w.told.input},
		}
		if who != nil {
			if user := who[visit.Visitor-result.FirstVisitor]; user >= 0 {
				base.Visitor = person + strconv.Itoa(user)
			}
		}
		w.visit(&base, visit)
	}
}

// visit emits a visit's hits.
func (w *dayWriter) visit(base *pipeline.Event, visit *reconstruct.Visit) {
	var from traffic
	channel := ""
	for t, row := range visit.Rows {
		if row < 0 {
			continue
		}
		for i, value := range w.values[t][row] {
			if w.tables[t][i] == byChannel {
				channel = value
			} else {
				describeVisit(base, &from, w.tables[t][i], value)
			}
		}
	}
	if from.source == "" && from.medium == "" {
		from.medium = mediumOf(channel)
	}
	ev := &w.event
	for i, hit := range visit.Hits {
		if i > 0 {
			base.Follow(ev)
		}
		*ev = *base
		ev.Time = pipeline.MicrosOf(w.day.Start.Add(hit.At))
		if hit.Page >= 0 {
			page := &w.pages[hit.Page]
			ev.Path, ev.Query, ev.Title = page.path, page.query, page.title
			ev.Hostname = cmp.Or(page.host, ev.Hostname)
		} else if hit.Event < 0 {
			ev.Path = otherPage
		}
		if hit.Event >= 0 {
			describeEvent(ev, w.events[hit.Event], w.counts[hit.Event])
		}
		if i == 0 {
			from.into(ev, ev.Hostname)
		}
		w.out.Event(ev)
	}
}

// describeEvent sets what a table of events tells of one.
func describeEvent(ev *pipeline.Event, fields []field, values []string) {
	ev.Kind = pipeline.Custom
	for i, f := range fields {
		value := values[i]
		parameter, isParameter := f.parameter()
		switch {
		case value == "":
		case f == byEvent:
			ev.Name = value
		case f == byPage:
			_, ev.Path, ev.Query = splitPath(value)
		case f == byLocation:
			ev.Hostname, ev.Path, ev.Query = splitURL(value)
		case parameter == "link_url" && ev.Name == "click" && strings.Contains(value, "://"):
			ev.Kind, ev.Name, ev.Target = pipeline.Outbound, "", value
		case isParameter:
			ev.Properties = append(ev.Properties, property(parameter, value, looksNumber(parameter, value)))
		}
	}
}

// mediumOf returns the medium that stands for a channel of Google's, where
// nothing else tells where visits came from; empty where it says nothing.
func mediumOf(channel string) string {
	switch spelling(channel) {
	case "organicsearch", "organicshopping":
		return "organic"
	case "paidsearch", "paidshopping", "paidother":
		return "cpc"
	case "organicsocial", "social":
		return "social"
	case "paidsocial":
		return "paid_social"
	case "organicvideo", "video":
		return "video"
	case "paidvideo":
		return "paid_video"
	case "email", "referral", "affiliates", "display", "audio", "sms":
		return spelling(channel)
	case "mobilepushnotifications":
		return "push"
	case "crossnetwork":
		return "cross-network"
	}
	return ""
}

// describeVisit sets what a dimension's value says of a visit.
func describeVisit(ev *pipeline.Event, from *traffic, f field, value string) {
	if value == "" {
		return
	}
	switch f {
	case byHost:
		ev.Hostname = value
	case byCountry:
		ev.Country = value
	case byRegion:
		ev.Region = value
	case byCity:
		ev.City = value
	case byDevice:
		ev.Device = value
	case byBrowser:
		ev.Browser = value
	case byBrowserVersion:
		ev.BrowserVersion = value
	case byOS:
		ev.OS = value
	case byOSVersion:
		ev.OSVersion = value
	case byOSAndVersion:
		if name, version, found := cutLast(value); found {
			ev.OS, ev.OSVersion = name, version
		} else {
			ev.OS = value
		}
	case byLanguage:
		ev.Language = value
	case byLanguageName: // Universal Analytics' codes, or GA4's English names
		ev.Language = value
		if code := languageCodes()[strings.ToLower(value)]; code != "" {
			ev.Language = code
		}
	case byResolution:
		if w, h, found := strings.Cut(value, "x"); found && pixels(w) > 0 && pixels(h) > 0 {
			ev.ScreenWidth, ev.ScreenHeight = pixels(w), pixels(h)
		}
	case bySource:
		from.source = value
	case byMedium:
		from.medium = value
	case bySourceMedium:
		from.source, from.medium, _ = strings.Cut(value, " / ")
	case byCampaign:
		from.campaign = value
	case byTerm:
		from.term = value
	case byContent:
		from.content = value
	}
}

// languageCodes are the codes of languages by their English names in lower
// case, of the Unicode CLDR.
var languageCodes = sync.OnceValue(func() map[string]string {
	codes := make(map[string]string)
	english := display.English.Tags()
	for _, tag := range display.Supported.Tags() {
		if name := strings.ToLower(english.Name(tag)); name != "" && codes[name] == "" {
			codes[name] = tag.String()
		}
	}
	return codes
})

func cutLast(s string) (before, after string, found bool) {
	i := strings.LastIndexByte(s, ' ')
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+1:], true
}
