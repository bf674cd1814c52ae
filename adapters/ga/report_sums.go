package ga

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"net/url"
	"slices"
	"strings"
	"time"

	"hopper/adapters"
	"hopper/adapters/input"
	"hopper/adapters/input/spill"
	"hopper/pipeline"
	"hopper/pipeline/places"
	"hopper/pipeline/recount"
	"hopper/pipeline/vocabulary"
)

// Reports are verified by their own sums. What is here reads them for that and
// shares with the translation how headers, dates and numbers are spelled; which
// row a number belongs to it finds out by itself.

// verifyReports returns a [adapters.Reading]'s Verify for reports, whose days
// are those of a zone.
func verifyReports(src pipeline.Source, inputs []*input.Input, zone *time.Location, opt adapters.Options) func(
	context.Context, pipeline.Translation, func(int64)) (*recount.Comparison, error) {
	return func(ctx context.Context, t pipeline.Translation, progress func(int64)) (_ *recount.Comparison, err error) {
		told := &toldReports{
			zone: zone, opt: opt, rules: &t.Normalizer, byName: map[string]int{}, days: map[recount.Day]bool{},
			numbers: spill.Bins{Dir: opt.TempDir, Limit: maxTold}, bins: map[recount.Day]int{},
		}
		defer func() { err = errors.Join(err, told.numbers.Close()) }()
		told.table(recount.ByDay, nil) // is the first, whether there is one or not
		rows := newRowStore(opt.TempDir)
		defer func() { err = errors.Join(err, rows.Close()) }()
		tables, err := readReportsOf(ctx, rows, inputs, opt)
		if err != nil {
			return nil, err
		}
		for _, whole := range []bool{true, false} { // tables of days alone come first: they tell most
			for _, table := range tables {
				if whole == (len(table.dimensions()) == 0) {
					if err := told.add(table); err != nil {
						return nil, err
					}
				}
			}
		}
		if len(told.bins) == 0 {
			return nil, input.Errorf(inputs[0].Name, "tells no numbers of single days, so that nothing can be compared; add a report by Date").Advise("%s", strings.Join(told.notes, " "))
		}
		count := recount.NewCount(told.layout(), opt.Scratch())
		defer func() { err = errors.Join(err, count.Close()) }()
		stats, err := pipeline.Translate(ctx, &t, src, pipeline.Mark{}, count.Hits, func(_ context.Context, chunk *pipeline.Collected[*recount.Hits]) error {
			if progress != nil {
				progress(chunk.Before.Stats.Events + chunk.Stats.Events)
			}
			return count.Sent(chunk.Value)
		})
		if err != nil {
			return nil, err
		}
		if err := errors.Join(told.into(count.Sums), count.Finish(ctx, t.Jobs)); err != nil {
			return nil, err
		}
		c, err := count.Sums.Compare(ctx, recount.Kept, recount.Sent)
		if err != nil {
			return nil, err
		}
		c.Stats, c.Notes = stats, append(c.Notes, told.notes...)
		return c, nil
	}
}

// toldTable is what is compared of the tables with the same dimensions.
type toldTable struct {
	recount.Table
	dimensions []field
}

// toldCell is where a number of a day stands.
type toldCell struct {
	table, column int
	row           string
}

// toldTotals are what rows add up to, by column.
type toldTotals [len(toldColumns)]int64

// toldNumber is an amount; left out are events that are no custom events.
type toldNumber struct {
	toldCell
	read    int // the number of the report's table that tells it
	amount  int64
	leftOut bool
}

// toldDay is what is told of a day.
type toldDay struct {
	*toldReports
	day    recount.Day
	from   map[toldCell]int               // the number of the report's table that told it first
	totals map[int]*toldTotals            // by table
	pages  map[int]map[string]*toldTotals // of tables by pages
}

// toldReports are the sums of all reports.
type toldReports struct {
	zone   *time.Location
	opt    adapters.Options
	rules  *pipeline.Normalizer
	tables []*toldTable
	byName map[string]int
	read   int                  // tables so far
	days   map[recount.Day]bool // and whether they are asked for
	notes  []string

	// numbers are written down by day, since they may be more than fits into memory.
	numbers spill.Bins
	bins    map[recount.Day]int
	record  []byte
}

// toldColumns are the columns of each table, by their places.
var toldColumns = [...]struct {
	name    string
	measure recount.Measure
}{
	{"sessions", recount.Sessions}, {"users", recount.Users}, {"bounces", recount.Bounces}, {"views", recount.Pageviews}, {"seconds", recount.Seconds},
	{"events", recount.Events}, {"entrances", recount.Entries}, {"exits", recount.Exits},
}

const (
	toldSessions = iota
	toldUsers
	toldBounces
	toldViews
	toldSeconds
	toldEvents
	toldEntrances
	toldExits
)

// limitOf is the share of a measure that may stand in wrong rows.
func limitOf(by recount.Subject, column int) float64 {
	switch by {
	case recount.ByDay:
		return 0
	case recount.ByName:
		if column == toldEvents {
			return 0
		}
		return recount.NoPromise
	case recount.ByPage:
		if column == toldSessions || column == toldUsers {
			return 0.03
		}
		return 0
	}
	return [len(toldColumns)]float64{0, 0.03, 0, 0.05, 0.15}[column]
}

// add takes a table of a report.
func (r *toldReports) add(t *reportTable) error {
	if t.unread != "" || t.undated || t.overlapping {
		return nil // the translation says so, or bounds what cannot be compared
	}
	by, dims := recount.ByDay, []field(nil)
	for i, f := range t.fields {
		switch {
		case f == "":
			r.notes = append(r.notes, fmt.Sprintf("%s: the column %q is not compared.", t.in.Name, t.titles[i]))
		case f.isMetric() || f.ofTime() || slices.Contains(dims, f):
		case f == byEvent:
			by = recount.ByName
		case f == byPage || f == byLocation:
			by = recount.ByPage
		case f == byLanding && by != recount.ByPage:
			by = recount.ByEntry
		case f == byExit && by != recount.ByPage:
			by = recount.ByExit
		case compared[f]:
			dims = append(dims, f)
		case f == byTitle || f == byLanguageName || f == byChannel:
			r.notes = append(r.notes, fmt.Sprintf("%s: the rows of %q are not compared one by one.", t.in.Name, t.titles[i]))
		}
	}
	if by == recount.ByDay && len(dims) > 0 {
		by = recount.ByDimension
	}
	if t.parted && by != recount.ByDay {
		return nil // visitors, and visits to pages, are in several rows
	}
	// What rows part that are not compared one by one adds up to the day.
	summed := by == recount.ByDay && slices.ContainsFunc(t.fields, func(f field) bool {
		return f == byTitle || f == byLanguageName || f == byLanguage || f == byChannel || f == byPart
	})
	table := r.table(by, dims)
	r.read++
	long := 0
	for _, row := range t.all() {
		if !row.stays() {
			continue
		}
		if !row.span.isOneDay() {
			long++
			r.spread(row.span)
			continue
		}
		if err := r.addRow(t, row.cells, table, row.span.from, summed); err != nil {
			return err
		}
	}
	if long > 0 {
		r.notes = append(r.notes, fmt.Sprintf("%s: %d rows are of more than a day, whose numbers are spread over the days; they are not compared.", t.in.Name, long))
	}
	return t.broken
}

// spread notes the days of a longer span, of which a row tells no number.
func (r *toldReports) spread(s span) {
	for at := s.from; !s.isZero() && s.includes(at); at = at.AddDate(0, 0, 1) {
		if day := recount.DayOf(at.Date()); !r.days[day] {
			r.days[day] = r.asked(at)
		}
	}
}

// table returns the index of the table by what its rows are.
func (r *toldReports) table(by recount.Subject, dims []field) int {
	name := [...]string{recount.ByDay: "days", recount.ByPage: "pages", recount.ByEntry: "landing pages", recount.ByExit: "exit pages", recount.ByName: "events",
		recount.ByDimension: joinFields(dims, " + ")}[by]
	if i, known := r.byName[name]; known {
		return i
	}
	t := &toldTable{Table: recount.Table{Name: name, By: by, Partial: true}}
	if by == recount.ByDimension {
		t.dimensions = dims
	}
	for i, column := range toldColumns {
		t.Columns = append(t.Columns, recount.Column{Measure: column.measure, Name: column.name, Limit: limitOf(by, i)})
	}
	r.byName[name] = len(r.tables)
	r.tables = append(r.tables, t)
	return len(r.tables) - 1
}

func (r *toldReports) addRow(t *reportTable, cells []string, table int, at time.Time, summed bool) error {
	day := recount.DayOf(at.Date())
	r.days[day] = r.asked(at)
	value := func(column field) string { return cell(cells, t.column(column)) }
	row, leftOut := "", false
	switch r.tables[table].By {
	case recount.ByPage:
		if row = pageRow(value("location"), value("page")); row == "" {
			row = recount.NoValue
		}
	case recount.ByEntry:
		row = pageRow("", value("landing"))
	case recount.ByExit:
		row = pageRow("", value("exit"))
	case recount.ByName:
		name := value("event")
		row, leftOut = recount.Clip(toldText(name)), automatic[name] != "" || name == "page_view" || name == "screen_view"
	case recount.ByDimension:
		row = toldRow(r.tables[table].dimensions, value)
	}
	if row == "" && r.tables[table].By != recount.ByDay {
		return nil // of no page or name
	}
	for column, n := range measuresOf(t, cells, r.tables[table].By) {
		if summed && (column == toldUsers || column == toldSessions && t.has(byTitle)) {
			continue // are in several rows
		}
		if n >= 0 {
			if err := r.number(day, &toldNumber{toldCell{table, column, row}, r.read, n, leftOut}); err != nil {
				return err
			}
		}
	}
	return nil
}

// asked reports whether a day is asked for as a whole.
func (r *toldReports) asked(at time.Time) bool {
	y, m, d := at.Date()
	start := time.Date(y, m, d, 0, 0, 0, 0, r.zone)
	end := r.opt.End(start, time.Date(y, m, d+1, 0, 0, 0, 0, r.zone))
	return pipeline.MicrosOf(start) >= r.rules.Since && (r.rules.Until == 0 || pipeline.MicrosOf(end) <= r.rules.Until)
}

// number writes a number of a day down.
func (r *toldReports) number(day recount.Day, n *toldNumber) error {
	bin, known := r.bins[day]
	if !known {
		bin = r.numbers.New()
		r.bins[day] = bin
	}
	leftOut := uint64(0)
	if n.leftOut {
		leftOut = 1
	}
	b := r.record[:0]
	for _, v := range [...]uint64{uint64(n.table), uint64(n.column), uint64(n.read), uint64(n.amount), leftOut} {
		b = binary.AppendUvarint(b, v)
	}
	r.record = append(b, n.row...)
	return r.numbers.Add(bin, r.record)
}

// numbersOf calls yield with each of a day's numbers in order.
func (r *toldReports) numbersOf(day recount.Day, yield func(n *toldNumber) error) error {
	return r.numbers.Each(r.bins[day], func(record []byte) error {
		var v [5]uint64
		for i := range v {
			v[i], record = cutNumber(record)
		}
		return yield(&toldNumber{toldCell{int(v[0]), int(v[1]), string(record)}, int(v[2]), int64(v[3]), v[4] != 0})
	})
}

// takes takes a number, unless an earlier table has told it.
func (d *toldDay) takes(n *toldNumber) bool {
	if first, known := d.from[n.toldCell]; known && first != n.read {
		return false
	}
	d.from[n.toldCell] = n.read
	if n.leftOut {
		return true
	}
	if d.totals[n.table] == nil {
		d.totals[n.table], d.pages[n.table] = new(toldTotals), map[string]*toldTotals{}
	}
	d.totals[n.table][n.column] += n.amount
	switch d.tables[n.table].By {
	case recount.ByPage, recount.ByEntry, recount.ByExit:
		page := d.pages[n.table][n.row]
		if page == nil {
			page = new(toldTotals)
			d.pages[n.table][n.row] = page
		}
		page[n.column] += n.amount
	}
	return true
}

// measuresOf reads a row's numbers; below 0 is what it does not tell.
func measuresOf(t *reportTable, cells []string, by recount.Subject) (n toldTotals) {
	for i := range n {
		n[i] = -1
	}
	number := func(to int, columns ...field) {
		for _, column := range columns {
			if i := t.column(column); i >= 0 {
				if s := cell(cells, i); !isNothing(s) && n[to] < 0 {
					if count, ok := t.numbers.whole(s); ok {
						n[to] = int64(count)
					}
				}
			}
		}
	}
	switch by {
	case recount.ByName:
		number(toldEvents, "events")
		number(toldUsers, "users", "active")
		return n
	case recount.ByPage:
		number(toldSessions, "unique", "sessions")
		number(toldUsers, "users", "active")
		number(toldViews, "views")
		number(toldEntrances, "entrances")
		number(toldExits, "exits")
		return n
	}
	number(toldSessions, "sessions")
	number(toldUsers, "users", "active")
	number(toldViews, "views")
	number(toldBounces, "bounces")
	sessions := n[toldSessions]
	if i := t.column("bouncerate"); i >= 0 && n[toldBounces] < 0 && sessions >= 0 {
		if share, ok := t.numbers.share(cell(cells, i), i); ok {
			n[toldBounces] = int64(math.Round(share * float64(sessions)))
		}
	}
	if i := t.column("engaged"); i >= 0 && n[toldBounces] < 0 && sessions >= 0 {
		if engaged, ok := t.numbers.whole(cell(cells, i)); ok {
			n[toldBounces] = max(0, sessions-int64(engaged))
		}
	}
	if i := t.column("average"); i >= 0 && sessions >= 0 {
		if s, ok := t.numbers.length(cell(cells, i), i); ok {
			n[toldSeconds] = int64(math.Round(s * float64(sessions)))
		}
	} else if i := t.column("seconds"); i >= 0 {
		if s, ok := t.numbers.length(cell(cells, i), i); ok {
			n[toldSeconds] = int64(math.Round(s))
		}
	}
	return n
}

// layout lays the tables out as events are counted.
func (r *toldReports) layout() *recount.Layout {
	l := &recount.Layout{Zone: r.zone}
	var byDimension []*toldTable
	for _, t := range r.tables {
		if t.By == recount.ByDimension {
			t.Dimension = len(byDimension)
			byDimension = append(byDimension, t)
		}
		l.Tables = append(l.Tables, t.Table)
	}
	l.Dimensions = len(byDimension)
	l.Hit = func(ev *pipeline.Event, h *recount.Hit) {
		switch ev.Kind {
		case pipeline.Pageview:
			if h.Page = recount.Clip(ev.Path); h.Page == otherPage {
				h.Page = recount.NoValue
			}
		case pipeline.Custom:
			h.Name = recount.Clip(ev.Name)
		}
		utm, _ := url.ParseQuery(ev.Query)
		for i, t := range byDimension {
			values := make([]string, len(t.dimensions))
			for j, name := range t.dimensions {
				values[j] = eventValue(ev, name, utm)
			}
			h.Rows[i] = rowOfValues(values)
		}
	}
	return l
}

// compared are the dimensions of visits that are compared.
var compared = map[field]bool{
	"host": true, "country": true, "region": true, "city": true, "device": true, "browser": true, "browserversion": true, "os": true, "osversion": true,
	"osfull": true, "resolution": true, "source": true, "medium": true, "sourcemedium": true, "campaign": true, "term": true, "content": true,
}

// toldRow returns the row of a report's row by dimensions, in the words that
// Rybbit shows.
func toldRow(dims []field, value func(column field) string) string {
	told := func(column field) string { return toldText(value(column)) }
	browser, version, os, osVersion, device := told("browser"), told("browserversion"), told("os"), told("osversion"), told("device")
	if full := told("osfull"); full != "" && os == "" {
		os = full
		if i := strings.LastIndexByte(full, ' '); i > 0 {
			os, osVersion = full[:i], full[i+1:]
		}
	}
	vocabulary.Normalize(&browser, &version, &os, &osVersion, &device)
	country, _ := places.Country(told("country"))
	source, medium := told("source"), told("medium")
	if both := value("sourcemedium"); both != "" {
		from, how, _ := strings.Cut(both, " / ")
		source, medium = toldText(from), toldText(how)
	}
	values := make([]string, len(dims))
	for i, name := range dims {
		switch name {
		case "country":
			values[i] = country
		case "region":
			values[i] = told("region")
			if code, ok := places.Region(country, values[i]); ok {
				values[i] = code
			}
		case "device":
			values[i] = device
		case "browser":
			values[i] = strings.TrimPrefix(browser, "Mobile ")
		case "browserversion":
			values[i] = version
		case "os":
			values[i] = os
		case "osversion":
			values[i] = osVersion
		case "osfull":
			values[i] = strings.TrimSpace(os + " " + osVersion)
		case "source":
			values[i] = source
		case "medium":
			values[i] = medium
		case "sourcemedium":
			values[i] = source + " / " + medium
		case "host":
			values[i] = strings.ToLower(told("host"))
		default:
			values[i] = told(name)
		}
	}
	return rowOfValues(values)
}

// eventValue returns what an event says of a dimension.
func eventValue(ev *pipeline.Event, dimension field, utm url.Values) string {
	switch dimension {
	case "host":
		return ev.Hostname
	case "country":
		return ev.Country
	case "region":
		return ev.Region
	case "city":
		return ev.City
	case "device":
		return ev.Device
	case "browser":
		return strings.TrimPrefix(ev.Browser, "Mobile ")
	case "browserversion":
		return ev.BrowserVersion
	case "os":
		return ev.OS
	case "osversion":
		return ev.OSVersion
	case "osfull":
		return strings.TrimSpace(ev.OS + " " + ev.OSVersion)
	case "resolution":
		if ev.ScreenWidth == 0 {
			return ""
		}
		return fmt.Sprintf("%dx%d", ev.ScreenWidth, ev.ScreenHeight)
	case "sourcemedium":
		return utm.Get("utm_source") + " / " + utm.Get("utm_medium")
	}
	return utm.Get("utm_" + string(dimension))
}

func rowOfValues(values []string) string {
	for i := range values {
		values[i] = recount.Clip(values[i])
		if values[i] == " / " {
			values[i] = ""
		}
	}
	if row := strings.Join(values, "\x00"); row != "" {
		return row
	}
	return recount.NoValue
}

// pageRow returns the path of a page, as Rybbit shows it; empty is none.
func pageRow(location, page string) string {
	if page = toldText(page); location != "" {
		page = toldText(location)
	}
	if page == "" {
		return ""
	}
	_, path := addressOf(page)
	if path == "" || path[0] != '/' {
		path = "/" + path
	}
	return recount.Clip(pipeline.EscapePath(path))
}

// into adds the numbers to sums, and says what is told and promised.
func (r *toldReports) into(sums *recount.Sums) error {
	for day := range r.days {
		sums.Know(day)
	}
	for day := range r.bins {
		if r.days[day] {
			d := &toldDay{r, day, map[toldCell]int{}, map[int]*toldTotals{}, map[int]map[string]*toldTotals{}}
			if err := d.into(sums); err != nil {
				return err
			}
		}
	}
	return nil
}

func (d *toldDay) into(sums *recount.Sums) error {
	err := d.numbersOf(d.day, func(n *toldNumber) error {
		if !d.takes(n) {
			return nil
		}
		sums.Tell(d.day, n.table, n.column)
		if n.leftOut {
			return sums.AddLeftOut(d.day, n.table, n.column, n.row, n.amount)
		}
		return sums.Add(recount.Source, d.day, n.table, n.column, n.row, n.amount)
	})
	for table := range d.totals {
		if d.agrees(table) {
			sums.Promise(d.day, table, d.promised(table)...)
		}
	}
	return err
}

// promised returns of which columns something is promised, none being all: how
// often a visit sees a page again follows from the day's visits and users alone.
// What is searched for comes near on days of many visits alone.
func (d *toldDay) promised(table int) []int {
	// On days of few visits a row more or less is a large share.
	const many = 200
	day := d.totals[0]
	enough := day != nil && day[toldSessions] >= many
	switch by := d.tables[table].By; {
	case by == recount.ByPage && !(enough && day[toldUsers] > 0):
		return []int{toldViews, toldEntrances, toldExits}
	case by == recount.ByDimension && !enough:
		return []int{toldSessions, toldBounces}
	case (by == recount.ByEntry || by == recount.ByExit) && !enough:
		return []int{toldSessions, toldEntrances, toldExits}
	}
	return nil
}

// agrees reports whether a table of a day can be met together with the day's
// other tables.
func (d *toldDay) agrees(table int) bool {
	own, day := d.totals[table], d.all()
	none := day[toldSessions] - day[toldBounces] // sessions with several views, or with none
	if day[toldBounces] > day[toldSessions] || day[toldUsers] > day[toldSessions] ||
		day[toldViews] > 0 && day[toldViews]-day[toldBounces] < 2*none {
		return false
	}
	switch d.tables[table].By {
	case recount.ByPage:
		return own[toldViews] == day[toldViews]
	case recount.ByEntry, recount.ByExit:
		return own[toldSessions] <= day[toldSessions] && d.viewsFor(table)
	case recount.ByDimension:
		return own[toldSessions] <= day[toldSessions] && own[toldBounces] <= day[toldBounces] && own[toldViews] <= day[toldViews]
	}
	return true
}

// all returns what the day's own table tells, and else the most that a table of
// visits adds up to.
func (d *toldDay) all() (totals toldTotals) {
	own := d.totals[0]
	for i, t := range d.tables {
		other := d.totals[i]
		if other == nil || t.By == recount.ByName {
			continue
		}
		for column := range totals {
			// Visits to a page are no visits of the day: they overlap. Nor do users add up.
			if column != toldUsers && (t.By != recount.ByPage || column == toldViews) {
				totals[column] = max(totals[column], other[column])
			}
		}
	}
	if own != nil {
		for column, n := range own {
			if n > 0 {
				totals[column] = n
			}
		}
	}
	return totals
}

// viewsFor reports whether each page has a view for each visit that begins or
// ends on it, where views of pages are told.
func (d *toldDay) viewsFor(table int) bool {
	views, told := d.byName["pages"]
	if !told || d.pages[views] == nil {
		return true
	}
	for page, totals := range d.pages[table] {
		if of := d.pages[views][page]; of == nil || of[toldViews] < totals[toldSessions] {
			return false
		}
	}
	return true
}
