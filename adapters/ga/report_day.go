package ga

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/text/language/display"

	"hopper/adapters"
	"hopper/adapters/input"
	"hopper/adapters/reconstruct"
	"hopper/pipeline"
)

// Reports hold sums, not events. Package reconstruct makes visits of a day's
// sums; here, tables become days.

const (
	omitTotal   = "totals row of a report"
	omitTwice   = "row of a report that an earlier table tells too"
	omitNothing = "row of a report without a number"
	omitNoName  = "row of a report without an event's name"

	rejectDate   = "date cannot be read"
	rejectNumber = "number cannot be read"
	rejectCells  = "row has not as many cells as the header"
)

// otherPage is the path of views of pages that no table names, after Google's
// word for rows that it does not tell.
const otherPage = "/(other)"

// perVisitor are the dimensions that all visits of a visitor share.
var perVisitor = map[string]bool{
	"country": true, "region": true, "city": true, "device": true, "browser": true, "browserversion": true, "os": true,
	"osversion": true, "osfull": true, "language": true, "languagename": true, "resolution": true,
}

// reports is what all inputs tell, by day.
type reports struct {
	days    map[time.Time]*reportDay
	titles  map[string]string // of pages
	hosts   map[string]string // of pages
	loose   outcomes          // of rows that belong to no day
	inputs  []string
	opt     adapters.Options
	zone    *time.Location
	notes   []string
	tables  int
	exactly map[string]bool // notes that were made
}

// outcomes are what became of rows that are not part of the sums.
type outcomes struct {
	rows     int
	omitted  []outcome
	rejected []outcome
}

type outcome struct {
	at          pipeline.Origin
	reason, raw string
}

// reportDay is what the tables tell of one day.
type reportDay struct {
	outcomes
	input  string // that tells of it first
	tables map[string]*daySums
	order  []string // of tables
}

// daySums are a day's rows of tables with the same dimensions.
type daySums struct {
	dimensions []string
	has        reconstruct.Measure
	rows       map[string]*sums
	order      []string // of rows
}

type sums struct {
	reconstruct.Sums
	events int
	has    reconstruct.Measure // which of Sums are told
	table  int                 // that told of it first
}

func openReports(ctx context.Context, reading *adapters.Reading, all []recognized, opt adapters.Options) (*adapters.Reading, error) {
	r := &reports{
		days: make(map[time.Time]*reportDay), titles: make(map[string]string), hosts: make(map[string]string),
		opt: opt, zone: opt.Location(), exactly: make(map[string]bool),
	}
	for _, one := range all {
		if one.shape != report {
			return nil, input.Errorf(one.in.Name, "is a %s, and others of the inputs are reports, which hold sums of the same events; import one or the other", shapeNames[one.shape])
		}
		tables, err := readReport(ctx, one.in)
		if err != nil {
			return nil, err
		}
		r.inputs = append(r.inputs, one.in.Name)
		for _, t := range tables {
			if zone, err := time.LoadLocation(t.zone); t.zone != "" && err == nil && opt.Timezone == nil {
				r.zone = zone // the property's, as the Data API says
			}
		}
		var undated error
		dated := 0
		for _, t := range tables {
			err := r.add(t)
			if err == nil {
				dated++
			} else if undated == nil {
				undated = err
			}
		}
		// A table without dates beside one with dates says nothing more.
		if dated == 0 && undated != nil {
			return nil, undated
		}
		if undated != nil {
			r.note(fmt.Sprintf("%s has a table without dates, which is not read.", one.in.Name))
		}
	}
	if len(r.days) == 0 {
		return nil, input.Errorf(r.inputs[0], "holds no rows; export a report with the dimension Date and the metrics Sessions, Views and Total users")
	}
	r.note("These are reports: visits are reconstructed from each day's sums and add up to them, but which visit had which browser, country and page together is chance. The BigQuery export keeps what happened.")
	reading.Schema = fmt.Sprintf("%d tables, %d days, by %s", r.tables, len(r.days), strings.Join(r.dimensions(), "; "))
	reading.Notes = append(reading.Notes, r.notes...)
	reading.Source = &reportSource{reports: r, days: slices.SortedFunc(maps.Keys(r.days), time.Time.Compare), first: true}
	inputs := make([]*input.Input, len(all))
	for i, one := range all {
		inputs[i] = one.in
	}
	reading.Verify = verifyReports(reading.Source, inputs, r.zone, opt)
	return reading, nil
}

func (r *reports) note(n string) {
	if !r.exactly[n] {
		r.exactly[n] = true
		r.notes = append(r.notes, n)
	}
}

// dimensions lists what the tables are by.
func (r *reports) dimensions() []string {
	set := make(map[string]bool)
	for _, d := range r.days {
		for name := range d.tables {
			set[cmp.Or(name, "date alone")] = true
		}
	}
	return slices.Sorted(maps.Keys(set))
}

// dates returns how the day of a row is found.
func (t *reportTable) dates() (column int, parse func(string) (time.Time, bool), note string, err error) {
	if column = t.column("date"); column < 0 {
		column = t.column("index")
	}
	if column >= 0 {
		var texts []string
		for _, row := range t.rows {
			if s := cell(row.cells, column); s != "" && !isTotal(s) {
				texts = append(texts, s)
			}
		}
		if texts == nil {
			return column, compactDate, "", nil
		}
		parse, ambiguous, err := dateForms(texts)
		if err != nil {
			return 0, nil, "", &input.Error{Input: t.in.Name, Row: t.rows[0].number, Field: t.titles[column], Err: err}
		}
		if ambiguous {
			note = fmt.Sprintf("%s: dates such as %s are read as month/day/year.", t.in.Name, texts[0])
		}
		return column, parse, note, nil
	}
	if n := t.column("nthday"); n >= 0 && !t.start.IsZero() {
		return n, func(s string) (time.Time, bool) {
			days, ok := wholeNumber(s)
			return t.start.AddDate(0, 0, days), ok && days < 100_000
		}, "", nil
	}
	if !t.start.IsZero() && t.start.Equal(t.end) { // one day's report
		return -1, func(string) (time.Time, bool) { return t.start, true }, "", nil
	}
	return 0, nil, "", input.Errorf(t.in.Name, "is a report without dates (its columns are %s), so that nobody can tell when its numbers happened; add the dimension Date (date in the Data API) to the report, or export it a day at a time, or export GA4's tables from BigQuery", strings.Join(t.titles, ", "))
}

func cell(cells []string, i int) string {
	if i < 0 || i >= len(cells) {
		return ""
	}
	return strings.TrimSpace(cells[i])
}

func isTotal(s string) bool {
	switch strings.ToLower(s) {
	case "total", "totals", "grand total", "gesamt", "summe", "(all)":
		return true
	}
	return false
}

// add takes a table's rows.
func (r *reports) add(t *reportTable) error {
	date, parse, note, err := t.dates()
	if err != nil {
		return err
	}
	if note != "" {
		r.note(note)
	}
	r.tables++
	var dims []int
	seen := make(map[string]bool)
	for i, name := range t.columns {
		if _, isMetric := canonical(t.titles[i]); name == "" || isMetric || i == date || seen[name] || name == "nthday" || name == "index" || name == "date" {
			continue
		}
		seen[name] = true
		dims = append(dims, i)
	}
	for _, row := range t.rows {
		r.addRow(t, row, date, parse, dims)
	}
	return nil
}

func (r *reports) addRow(t *reportTable, row reportRow, date int, parse func(string) (time.Time, bool), dims []int) {
	at := pipeline.Origin{Input: t.in.Name, Row: row.number}
	raw := strings.Join(row.cells, ",")
	if len(row.cells) < len(t.columns) && len(row.cells) > 1 || len(row.cells) > len(t.columns)+1 {
		r.loose.reject(at, rejectCells, raw)
		return
	}
	text := cell(row.cells, date)
	blank := true // no dimension has a value
	for _, i := range dims {
		if s := cell(row.cells, i); s != "" && !isTotal(s) {
			blank = false
		}
	}
	if date >= 0 && (text == "" || isTotal(text)) || date < 0 && len(dims) > 0 && blank {
		r.loose.omit(at, omitTotal)
		return
	}
	start, ok := parse(text)
	if !ok {
		r.loose.reject(at, rejectDate, raw)
		return
	}
	day := r.days[start]
	if day == nil {
		day = &reportDay{input: t.in.Name, tables: make(map[string]*daySums)}
		r.days[start] = day
	}
	measured, has, ok := t.measure(row.cells)
	switch {
	case !ok:
		day.reject(at, rejectNumber, raw)
		return
	case has == 0 && measured.events == 0:
		day.omit(at, omitNothing)
		return
	}
	day.rows++
	values := make(map[string]string, len(dims))
	var visit []string // dimensions of visits
	for _, i := range dims {
		name := t.columns[i]
		values[name] = clean(cell(row.cells, i))
		switch name {
		case "page", "location", "title", "landing", "exit", "event":
		default:
			visit = append(visit, name)
		}
	}
	reason := r.place(t, row, values, visit, measured, has, func(names []string, key string, s sums, has reconstruct.Measure) bool {
		return day.add(names, key, s, has, r.tables)
	})
	if reason != "" {
		day.rows--
		day.omit(at, reason)
	}
}

// place adds a row's sums to the tables that they belong to, and says why they
// belong to none.
func (r *reports) place(
	t *reportTable, row reportRow, values map[string]string, visit []string, s sums, has reconstruct.Measure,
	put func(names []string, key string, s sums, has reconstruct.Measure) bool,
) (reason string) {
	kept := false
	switch {
	case known(values, "event"):
		if values["event"] == "" {
			return omitNoName
		}
		kept = put([]string{"event"}, values["event"], s, has&reconstruct.Visitors)
	case known(values, "page"), known(values, "location"):
		page := r.page(values)
		own, measures := s, has&(reconstruct.Pageviews|reconstruct.Visitors)
		if i := t.column("unique"); i >= 0 {
			own.Visits, _ = wholeNumber(cell(row.cells, i))
			measures |= reconstruct.Visits
		}
		if len(visit) > 0 { // who came from two places saw the page once
			measures &^= reconstruct.Visitors
		}
		kept = put([]string{"page"}, page, own, measures)
		if page != "" {
			for _, end := range [...]struct{ column, table string }{{"entrances", "landing"}, {"exits", "exit"}} {
				if n, ok := wholeNumber(cell(row.cells, t.column(end.column))); ok && n > 0 {
					put([]string{end.table}, page, sums{Sums: reconstruct.Sums{Visits: n}}, reconstruct.Visits)
				}
			}
		}
		if len(visit) > 0 {
			kept = put(visit, keyOf(visit, values), s, has&reconstruct.Pageviews) || kept
		}
	case known(values, "title"):
		r.note(fmt.Sprintf("%s is by page titles, which tell no addresses: only its sums are used. Add the dimension Page path and screen class.", t.in.Name))
		kept = put(nil, "", s, has&reconstruct.Pageviews)
	case known(values, "landing"), known(values, "exit"):
		for _, end := range [...]string{"landing", "exit"} {
			if known(values, end) {
				_, path, query := splitPath(values[end])
				kept = put([]string{end}, withQuestion(path, query), s, has) || kept
			}
		}
		if len(visit) > 0 {
			kept = put(visit, keyOf(visit, values), s, has) || kept
		}
	default:
		kept = put(visit, keyOf(visit, values), s, has)
	}
	if !kept {
		return omitTwice
	}
	return ""
}

// known reports whether a row is by a dimension.
func known(values map[string]string, dimension string) bool { _, ok := values[dimension]; return ok }

func withQuestion(path, query string) string {
	if query != "" {
		return path + "?" + query
	}
	return path
}

// page returns the path with query of a row that is by page, "" where it is
// unknown, and remembers the page's title and host.
func (r *reports) page(values map[string]string) string {
	host, path, query := splitPath(values["page"])
	if values["location"] != "" {
		host, path, query = splitURL(values["location"])
	}
	page := withQuestion(path, query)
	if page == "" {
		return ""
	}
	if title := values["title"]; title != "" && r.titles[page] == "" {
		r.titles[page] = title
	}
	if host = cmp.Or(host, values["host"]); host != "" && r.hosts[page] == "" {
		r.hosts[page] = host
	}
	return page
}

// separator parts the values of a key.
const separator = "\x1f"

func keyOf(names []string, values map[string]string) string {
	var b strings.Builder
	for i, name := range names {
		if i > 0 {
			b.WriteString(separator)
		}
		b.WriteString(values[name])
	}
	return b.String()
}

// measure reads a row's metrics.
func (t *reportTable) measure(cells []string) (s sums, has reconstruct.Measure, ok bool) {
	ok = true
	count := func(names ...string) (int, bool) {
		for _, name := range names {
			if i := t.column(name); i >= 0 {
				n, valid := wholeNumber(cell(cells, i))
				ok = ok && valid
				return n, true
			}
		}
		return 0, false
	}
	set := func(measure reconstruct.Measure, to *int, n int, told bool) {
		if told {
			*to = n
			has |= measure
		}
	}
	visits, told := count("sessions")
	set(reconstruct.Visits, &s.Visits, visits, told)
	users, told := count("users", "active")
	set(reconstruct.Visitors, &s.Visitors, users, told)
	views, told := count("views")
	set(reconstruct.Pageviews, &s.Pageviews, views, told)
	s.events, _ = count("events")

	if n, told := count("bounces"); told {
		set(reconstruct.Bounces, &s.Bounces, n, true)
	} else if i := t.column("bouncerate"); i >= 0 && has&reconstruct.Visits != 0 {
		f, valid := rate(cell(cells, i))
		ok = ok && (valid || visits == 0)
		set(reconstruct.Bounces, &s.Bounces, int(math.Round(f*float64(visits))), true)
	} else if engaged, told := count("engaged"); told && has&reconstruct.Visits != 0 {
		set(reconstruct.Bounces, &s.Bounces, max(0, visits-engaged), true)
	}
	if i := t.column("average"); i >= 0 && has&reconstruct.Visits != 0 {
		f, valid := seconds(cell(cells, i))
		ok = ok && valid && f < 1e6
		set(reconstruct.Duration, &s.Duration, int(math.Round(f*float64(visits))), true)
	} else if i := t.column("seconds"); i >= 0 {
		f, valid := seconds(cell(cells, i))
		ok = ok && valid && f < math.MaxInt32
		set(reconstruct.Duration, &s.Duration, int(math.Round(f)), true)
	}
	return s, has, ok
}

// add adds a row's measures to the day's table by names, but for those that
// another table of the inputs has told of the same key. It reports whether it
// added any.
func (d *reportDay) add(names []string, key string, s sums, has reconstruct.Measure, table int) bool {
	name := strings.Join(names, "+")
	t := d.tables[name]
	if t == nil {
		t = &daySums{dimensions: names, rows: make(map[string]*sums)}
		d.tables[name] = t
		d.order = append(d.order, name)
	}
	row := t.rows[key]
	if row == nil {
		row = &sums{table: table}
		t.rows[key] = row
		t.order = append(t.order, key)
	}
	if row.table != table {
		has &^= row.has
		if row.events > 0 {
			s.events = 0
		}
		if has == 0 && s.events == 0 {
			return false
		}
	}
	for _, m := range [...]struct {
		measure reconstruct.Measure
		to      *int
		n       int
	}{
		{reconstruct.Visits, &row.Visits, s.Visits}, {reconstruct.Bounces, &row.Bounces, s.Bounces}, {reconstruct.Visitors, &row.Visitors, s.Visitors},
		{reconstruct.Pageviews, &row.Pageviews, s.Pageviews}, {reconstruct.Duration, &row.Duration, s.Duration},
	} {
		if has&m.measure != 0 {
			*m.to += m.n
		}
	}
	row.events += s.events
	row.has |= has
	t.has |= has
	return true
}

func (o *outcomes) omit(at pipeline.Origin, reason string) {
	o.rows++
	o.omitted = append(o.omitted, outcome{at: at, reason: reason})
}

func (o *outcomes) reject(at pipeline.Origin, reason, raw string) {
	o.rows++
	o.rejected = append(o.rejected, outcome{at, reason, raw})
}

func (o *outcomes) to(out *pipeline.Emitter) {
	out.Rows(o.rows)
	for _, x := range o.omitted {
		out.Omit(x.at, x.reason)
	}
	for _, x := range o.rejected {
		out.Reject(x.at, x.reason, x.raw)
	}
}

// reportSource yields a chunk a day, after one with what belongs to no day.
type reportSource struct {
	reports *reports
	days    []time.Time
	first   bool
}

func (s *reportSource) Next(ctx context.Context) (pipeline.Chunk, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if s.first {
		s.first = false
		return looseRows{&s.reports.loose}, nil
	}
	if len(s.days) == 0 {
		return nil, io.EOF
	}
	day := s.days[0]
	s.days = s.days[1:]
	return dayChunk{s.reports, day}, nil
}

func (s *reportSource) Close() error { return nil }

type looseRows struct{ *outcomes }

func (l looseRows) Decode(out *pipeline.Emitter) error {
	l.to(out)
	return nil
}

type dayChunk struct {
	reports *reports
	date    time.Time
}

func (c dayChunk) Decode(out *pipeline.Emitter) error {
	told := c.reports.days[c.date]
	told.to(out)
	at := pipeline.Origin{Input: told.input}
	y, m, d := c.date.Date()
	day := &reconstruct.Day{Start: time.Date(y, m, d, 0, 0, 0, 0, c.reports.zone)}
	day.End = c.reports.opt.End(day.Start, time.Date(y, m, d+1, 0, 0, 0, 0, c.reports.zone))
	tables := told.fill(day, out)
	plan, err := reconstruct.NewPlan(day)
	if err != nil {
		return input.Errorf(told.input, "%s: %w", c.date.Format(time.DateOnly), err)
	}
	for i := range plan.Parts() {
		c.emit(day, tables, plan.Part(i), out)
	}
	report, _ := plan.Report()
	for _, line := range report.Lines {
		if line.Off > 0 {
			out.Repair(at, fmt.Sprintf("day whose %s by %s could not be met exactly", line.Measure, line.Table))
		}
	}
	return nil
}

// fill puts what a day's tables tell into the form that package reconstruct
// takes, and returns the dimensions of day.Tables.
func (d *reportDay) fill(day *reconstruct.Day, out *pipeline.Emitter) (tables [][]string) {
	for _, name := range d.order {
		t := d.tables[name]
		table := reconstruct.Table{Name: name, Has: t.has, PerVisitor: true}
		for _, dimension := range t.dimensions {
			table.PerVisitor = table.PerVisitor && perVisitor[dimension]
		}
		for _, key := range t.order {
			// An unknown page is none; a visit of unknown browser is still a visit.
			if key != "" || !ofPages[name] {
				table.Rows = append(table.Rows, reconstruct.Row{Key: key, Sums: t.rows[key].Sums})
			}
		}
		switch name {
		case "":
			day.Has |= t.has
			day.Totals = t.rows[""].Sums
		case "page":
			if other := t.rows[""]; other != nil {
				table.Rows = append(table.Rows, reconstruct.Row{Key: otherPage, Sums: other.Sums})
			}
			for _, row := range table.Rows {
				day.Pages = append(day.Pages, reconstruct.Page{Key: row.Key, Pageviews: row.Pageviews, Visits: row.Visits, Visitors: row.Visitors})
			}
		case "landing":
			day.Entries = table
		case "exit":
			day.Exits = table
		case "event":
			for _, key := range t.order {
				reason := automatic[key]
				if key == "page_view" || key == "screen_view" {
					reason = "event of a report that its views count too: " + key
				}
				if reason != "" || t.rows[key].events == 0 {
					out.Omit(pipeline.Origin{Input: d.input}, cmp.Or(reason, omitNothing))
					continue
				}
				day.Events = append(day.Events, reconstruct.Event{Key: key, Events: t.rows[key].events, Visitors: t.rows[key].Visitors})
			}
		default:
			day.Tables = append(day.Tables, table)
			tables = append(tables, t.dimensions)
		}
	}
	d.total(day)
	return tables
}

// ofPages are the tables whose keys are pages, or events.
var ofPages = map[string]bool{"page": true, "landing": true, "exit": true, "event": true}

// total sets the day's totals that no table tells by itself to the most that a
// table adds up to, its rows of unknown pages among them. Visitors do not add
// up; package reconstruct finds those.
func (d *reportDay) total(day *reconstruct.Day) {
	told := day.Has
	for name, t := range d.tables {
		if name == "event" {
			continue
		}
		var all reconstruct.Sums
		for _, row := range t.rows {
			all.Visits += row.Visits
			all.Bounces += row.Bounces
			all.Pageviews += row.Pageviews
			all.Duration += row.Duration
		}
		for _, m := range [...]struct {
			measure reconstruct.Measure
			to      *int
			n       int
		}{
			{reconstruct.Visits, &day.Totals.Visits, all.Visits}, {reconstruct.Bounces, &day.Totals.Bounces, all.Bounces},
			{reconstruct.Pageviews, &day.Totals.Pageviews, all.Pageviews}, {reconstruct.Duration, &day.Totals.Duration, all.Duration},
		} {
			// Visits to a page are no visits of the day: they overlap.
			if told&m.measure == 0 && t.has&m.measure != 0 && (name != "page" || m.measure == reconstruct.Pageviews) {
				*m.to = max(*m.to, m.n)
				day.Has |= m.measure
			}
		}
	}
}

func (c dayChunk) emit(day *reconstruct.Day, tables [][]string, result *reconstruct.Result, out *pipeline.Emitter) {
	date := c.date.Format(time.DateOnly)
	client := 0 // tables that tell of browser, system or device
	for _, dimensions := range tables {
		if slices.ContainsFunc(dimensions, func(d string) bool { return d == "browser" || d == "os" || d == "osfull" || d == "device" }) {
			client++
		}
	}
	for v, visit := range result.Visits {
		base := pipeline.Event{
			Visitor: fmt.Sprintf("%s visitor %d", date, visit.Visitor), Session: fmt.Sprintf("%s visit %d", date, result.FirstVisit+v),
			ClientApart: client > 1,
			Origin:      pipeline.Origin{Input: c.reports.days[c.date].input},
		}
		var from traffic
		for t, row := range visit.Rows {
			if row < 0 {
				continue
			}
			for i, value := range strings.Split(day.Tables[t].Rows[row].Key, separator) {
				describeVisit(&base, &from, tables[t][i], value)
			}
		}
		for i, hit := range visit.Hits {
			ev := base
			ev.Time = pipeline.MicrosOf(day.Start.Add(hit.At))
			if hit.Page >= 0 {
				page := result.Pages[hit.Page]
				_, ev.Path, ev.Query = splitPath(page)
				ev.Title = c.reports.titles[page]
				ev.Hostname = cmp.Or(c.reports.hosts[page], ev.Hostname)
			} else if hit.Event < 0 {
				ev.Path = otherPage
			}
			if hit.Event >= 0 {
				ev.Kind, ev.Name = pipeline.Custom, day.Events[hit.Event].Key
			}
			if i == 0 {
				from.into(&ev, ev.Hostname)
			}
			out.Event(&ev)
		}
	}
}

// describeVisit sets what a dimension's value says of a visit.
func describeVisit(ev *pipeline.Event, from *traffic, dimension, value string) {
	if value == "" {
		return
	}
	switch dimension {
	case "host":
		ev.Hostname = value
	case "country":
		ev.Country = value
	case "region":
		ev.Region = value
	case "city":
		ev.City = value
	case "device":
		ev.Device = value
	case "browser":
		ev.Browser = value
	case "browserversion":
		ev.BrowserVersion = value
	case "os":
		ev.OS = value
	case "osversion":
		ev.OSVersion = value
	case "osfull":
		if name, version, found := cutLast(value); found {
			ev.OS, ev.OSVersion = name, version
		} else {
			ev.OS = value
		}
	case "language":
		ev.Language = value
	case "languagename": // Universal Analytics' codes, or GA4's English names
		ev.Language = value
		if code := languageCodes()[strings.ToLower(value)]; code != "" {
			ev.Language = code
		}
	case "resolution":
		if w, h, found := strings.Cut(value, "x"); found && pixels(w) > 0 && pixels(h) > 0 {
			ev.ScreenWidth, ev.ScreenHeight = pixels(w), pixels(h)
		}
	case "source":
		from.source = value
	case "medium":
		from.medium = value
	case "sourcemedium":
		from.source, from.medium, _ = strings.Cut(value, " / ")
	case "campaign":
		from.campaign = value
	case "term":
		from.term = value
	case "content":
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
