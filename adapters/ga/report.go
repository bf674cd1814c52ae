package ga

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"hopper/adapters"
	"hopper/adapters/input"
	"hopper/adapters/input/spill"
	"hopper/adapters/reconstruct"
)

// Reports hold sums, not events. Package reconstruct makes visits of a day's
// sums; here, tables become days.

const (
	omitTotal      = "totals row of a report"
	omitTwice      = "row of a report that an earlier table tells too"
	omitNothing    = "row of a report without a number"
	omitNoName     = "row of a report without an event's name"
	omitComparison = "row of a report that compares a part of the users"
	omitUnread     = "row of a report by a dimension that is not known"
	omitRepeat     = "row of a report that stands there twice"
	omitOlder      = "row of a report that was loaded again later"
	omitDeleted    = "row of a report that the connector deleted"
	omitUndated    = "row of a report without dates"

	rejectDate   = "date cannot be read"
	rejectNumber = "number cannot be read"
	rejectCells  = "row has not as many cells as the header"
)

// otherPage is the path of views of pages that no table names, after Google's
// word for rows that it does not tell.
const otherPage = "/(other)"

// separator parts the values of a key.
const separator = "\x1f"

// reports is what all inputs tell, by day.
type reports struct {
	days    map[time.Time]*knownDay
	periods map[span]*period
	people  people
	titles  *pageTexts
	hosts   *pageTexts
	loose   looseRows // rows that belong to no day
	inputs  []string

	rows    *rowStore  // until all are read
	records spill.Bins // of days and periods
	names   names      // in records
	fields  []fieldList
	record  []byte
	broken  error // why records could not be written or read

	opt     adapters.Options
	zone    *time.Location
	notes   []string
	tables  int
	undated error // of the first table without dates
	// universal says that the reports are of Universal Analytics.
	universal bool
}

func newReports(opt adapters.Options) *reports {
	r := &reports{
		days: make(map[time.Time]*knownDay), periods: make(map[span]*period), titles: newPageTexts(opt.TempDir), hosts: newPageTexts(opt.TempDir),
		opt: opt, zone: opt.Location(), rows: newRowStore(opt.TempDir), records: spill.Bins{Dir: opt.TempDir, Limit: maxTold}, names: newNames(),
	}
	r.loose = r.newLoose()
	return r
}

// readReports reads all that reports tell. The caller closes them.
func readReports(ctx context.Context, inputs []*input.Input, opt adapters.Options) (*reports, error) {
	r := newReports(opt)
	if err := r.read(ctx, inputs); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

// Close gives up all memory and disk space.
func (r *reports) Close() error {
	return errors.Join(r.records.Close(), r.titles.close(), r.hosts.close())
}

func (r *reports) read(ctx context.Context, inputs []*input.Input) error {
	if err := r.people.givenUsers(r.opt); err != nil {
		return err
	}
	defer r.rows.Close()
	tables, err := readReportsOf(ctx, r.rows, inputs, r.opt)
	if err != nil {
		return err
	}
	for _, in := range inputs {
		r.inputs = append(r.inputs, in.Name)
	}
	for _, t := range tables {
		if zone, err := time.LoadLocation(t.zone); t.zone != "" && err == nil && r.opt.Timezone == nil {
			r.zone = zone // the property's, as the Data API says
		}
	}
	for _, t := range tables {
		r.add(t)
	}
	r.spread()
	if err := errors.Join(r.broken, r.titles.sort(ctx), r.hosts.sort(ctx)); err != nil {
		return err
	}
	if len(r.days) == 0 {
		if r.undated != nil {
			return r.undated
		}
		return input.Errorf(r.inputs[0], "holds no rows that can be read; export a report with the dimension Date and the metrics Sessions, Views and Total users%s", r.because())
	}
	return errors.Join(r.share(), r.broken)
}

// because gives the first reason that a table, or a row, is not read.
func (r *reports) because() string {
	for _, note := range r.notes {
		if strings.Contains(note, " is not read: ") {
			return " (" + strings.TrimSuffix(note, ".") + ")"
		}
	}
	if one := r.loose.first; one != nil {
		return fmt.Sprintf(" (row %d: %s: %q)", one.at.Row, one.reason, one.raw)
	}
	return ""
}

// reading describes the reports for a user.
func (r *reports) reading(reading *adapters.Reading) {
	r.note("These are reports: visits are reconstructed from each day's sums and add up to them, but which visit had which browser, country and page together is chance. The BigQuery export keeps what happened.")
	reading.Schema = fmt.Sprintf("%d tables, %d days, by %s", r.tables, len(r.days), strings.Join(r.dimensions(), "; "))
	reading.Doubt = r.doubt()
	reading.Notes = append(reading.Notes, r.notes...)
	reading.Notes = append(reading.Notes, r.guesses()...)
	reading.Notes = append(reading.Notes, r.peopleNote()...)
	missing, advice := r.missing()
	reading.Notes, reading.Advice = append(reading.Notes, missing...), advice
}

// sorted returns the days in order.
func (r *reports) sorted() []time.Time {
	return slices.SortedFunc(maps.Keys(r.days), time.Time.Compare)
}

func (r *reports) note(n string) {
	if !slices.Contains(r.notes, n) {
		r.notes = append(r.notes, n)
	}
}

// dimensions lists what the tables are by.
func (r *reports) dimensions() []string {
	set := make(map[string]bool)
	for _, d := range r.days {
		for _, t := range d.tables {
			set[t.String()] = true
		}
	}
	return slices.Sorted(maps.Keys(set))
}

// add takes a table's rows.
func (r *reports) add(t *reportTable) {
	for _, warning := range t.warnings {
		r.note(warning)
	}
	r.universal = r.universal || slices.ContainsFunc(t.titles, isUniversalTitle)
	if t.dateNote != "" {
		r.note(t.dateNote)
	}
	if len(t.ignored) > 0 && t.rows.n > 0 {
		r.note(fmt.Sprintf("%s: columns that are not read: %s.", t.in.Name, strings.Join(t.ignored, ", ")))
	}
	skip := ""
	switch {
	case t.unread != "":
		r.note(fmt.Sprintf("%s is not read: %s.", t.name(), t.unread))
		skip = omitUnread
	case t.undated:
		r.addUndated(t)
		skip = omitUndated
	default:
		r.tables++
		r.people.take(t)
	}
	for _, row := range t.all() {
		switch {
		case row.reject != "":
			r.loose.reject(t.origin(row), row.reject, strings.Join(row.cells, ","))
		case row.omit != "":
			r.loose.omit(t.origin(row), row.omit)
		case skip != "":
			r.loose.omit(t.origin(row), skip)
		default:
			r.addRow(t, row)
		}
	}
	r.broken = errors.Join(r.broken, t.broken)
}

func (r *reports) addUndated(t *reportTable) {
	r.note(fmt.Sprintf("%s has a table without dates, which is not read.", t.in.Name))
	if r.undated == nil {
		r.undated = input.Errorf(t.in.Name, "is a report without dates (its columns are %s), so that nobody can tell when its numbers happened; add the dimension Date (date in the Data API) to the report, or export it a day at a time, or export GA4's tables from BigQuery", strings.Join(t.titles, ", "))
	}
}

// day returns the days that a row is of: a day, or a period that is spread over its
// days later.
func (r *reports) day(t *reportTable, row *reportRow) *knownDay {
	if !row.span.isOneDay() {
		return r.period(t, row.span)
	}
	day := r.days[row.span.from]
	if day == nil {
		begun := r.newDay(t.in.Name)
		day = &begun
		r.days[row.span.from] = day
	}
	return day
}

func (r *reports) addRow(t *reportTable, row *reportRow) {
	at := t.origin(row)
	m, ok := t.measure(row.cells)
	switch {
	case !ok:
		r.loose.reject(at, rejectNumber, strings.Join(row.cells, ","))
		return
	case m.none(): // nor is its day one that something is known of
		r.loose.omit(at, omitNothing)
		return
	}
	day := r.day(t, row)
	r.people.tell(row.span, &m)
	record := rowRecord{table: r.tables, at: at, traits: r.overlaps(t, row, &m), of: m, overlapping: t.overlapping, hourly: t.hourly}
	record.parts, record.omit = r.parts(t, row, &m)
	r.write(day.bin, &record)
}

// rowValues are a row's values of dimensions.
type rowValues map[field]string

func (v rowValues) has(f field) bool { _, ok := v[f]; return ok }

func (v rowValues) key(fields []field) string {
	values := make([]string, len(fields))
	for i, f := range fields {
		values[i] = strings.ReplaceAll(v[f], separator, "")
	}
	return strings.Join(values, separator)
}

// values returns a row's values, and which of its dimensions are a visit's.
func (t *reportTable) values(row *reportRow) (values rowValues, ofVisit []field) {
	values = make(rowValues)
	for _, i := range t.dimensions() {
		f := t.fields[i]
		values[f] = clean(cell(row.cells, i))
		if (f == bySource || f == byMedium || f == bySourceMedium) && isNoSource(values[f]) {
			values[f] = "" // as Rybbit shows visits from nowhere, and from nobody knows where
		}
		if f.ofVisit() {
			ofVisit = append(ofVisit, f)
		}
	}
	return values, ofVisit
}

// isNoSource reports whether a source, a medium or both name nothing.
func isNoSource(s string) bool {
	switch strings.ReplaceAll(s, " ", "") {
	case "(direct)", "(none)", "(direct)/(none)", "(notset)", "(notset)/(notset)", "(direct)/(notset)", "(notset)/(none)":
		return true
	}
	return false
}

// overlaps returns the traits of the visits of a row where its table has visits
// in several rows, so that their number is only bounded; else nil.
func (r *reports) overlaps(t *reportTable, row *reportRow, m *measured) *string {
	overlapping := t.overlapping || t.parted && m.has&reconstruct.Visits == 0
	for _, f := range t.fields {
		overlapping = overlapping || f.overlaps() && f != byHour && f != byMoment && f != byDateHour
	}
	if !overlapping || m.has&(reconstruct.Visits|reconstruct.Visitors) == 0 {
		return nil
	}
	values, ofVisit := t.values(row)
	traits := values.key(ofVisit)
	return &traits
}

// parts returns what a row says of which of its day's tables, and why it says
// nothing where that is so.
func (r *reports) parts(t *reportTable, row *reportRow, m *measured) (parts []part, omit string) {
	values, ofVisit := t.values(row)
	own := *m
	if t.overlapping {
		own.has &= reconstruct.Pageviews
		own.averages = noAverages
	} else if t.parted {
		own.has &^= reconstruct.Visitors
	}
	switch {
	case values.has(byEvent):
		return eventParts(t, values, own)
	case values.has(byPage), values.has(byLocation):
		return r.pageParts(t, row, values, ofVisit, own), ""
	case values.has(byTitle):
		r.note(fmt.Sprintf("%s is by page titles, which tell no addresses: only its sums are used. Add the dimension Page path and screen class.", t.in.Name))
		return []part{part{kind: ofTotals, measured: own}.only(reconstruct.Pageviews)}, ""
	case values.has(byLanding), values.has(byExit):
		for _, end := range [...]struct {
			f    field
			kind tableKind
		}{{byLanding, ofLandings}, {byExit, ofExits}} {
			if values.has(end.f) {
				_, path, query := splitPath(values[end.f])
				parts = append(parts, part{end.kind, []field{end.f}, withQuestion(path, query), own})
			}
		}
		if len(ofVisit) > 0 {
			parts = append(parts, part{ofVisits, ofVisit, values.key(ofVisit), own})
		}
		return parts, ""
	case len(ofVisit) == 0:
		return []part{{kind: ofTotals, measured: own}}, ""
	}
	return []part{{ofVisits, ofVisit, values.key(ofVisit), own}}, ""
}

// eventParts returns the part of a row by kinds of events, with the parameters
// and the page that it tells of them.
func eventParts(t *reportTable, values rowValues, own measured) ([]part, string) {
	if values[byEvent] == "" {
		return nil, omitNoName
	}
	fields := []field{byEvent}
	for _, i := range t.dimensions() {
		_, isParameter := t.fields[i].parameter()
		if f := t.fields[i]; isParameter || f == byPage || f == byLocation {
			fields = append(fields, f)
		}
	}
	if len(fields) > 1 || len(t.dimensions()) > 1 {
		own.has = 0 // users are in several rows
	}
	return []part{part{ofEvents, fields, values.key(fields), own}.only(reconstruct.Visitors)}, ""
}

// pageParts returns the parts of a row by pages.
func (r *reports) pageParts(t *reportTable, row *reportRow, values rowValues, ofVisit []field, own measured) []part {
	page := r.page(values)
	p := part{ofPages, []field{byPage}, page, own}.only(reconstruct.Pageviews | reconstruct.Visitors | reconstruct.Visits)
	if i := t.column(uniqueViews); i >= 0 {
		p.Visits, _ = t.numbers.whole(cell(row.cells, i))
		p.has |= reconstruct.Visits
	}
	if len(ofVisit) > 0 { // who came from two places saw the page once
		p.has &^= reconstruct.Visitors
	}
	parts := []part{p}
	if page != "" && own.entrances > 0 {
		entry := part{kind: ofLandings, fields: []field{byLanding}, key: page, measured: measured{averages: noAverages}}
		entry.Visits, entry.has = own.entrances, reconstruct.Visits
		if own.entranceBounces >= 0 && len(ofVisit) == 0 {
			entry.Bounces, entry.has = own.entranceBounces, entry.has|reconstruct.Bounces
		}
		parts = append(parts, entry)
	}
	if page != "" && own.exits > 0 {
		exit := part{kind: ofExits, fields: []field{byExit}, key: page, measured: measured{averages: noAverages}}
		exit.Visits, exit.has = own.exits, reconstruct.Visits
		parts = append(parts, exit)
	}
	if len(ofVisit) > 0 {
		parts = append(parts, part{ofVisits, ofVisit, values.key(ofVisit), own}.only(reconstruct.Pageviews))
	}
	return parts
}

func withQuestion(path, query string) string {
	if query != "" {
		return path + "?" + query
	}
	return path
}

// page returns the path with query of a row that is by page, "" where it is
// unknown, and remembers the page's title and host.
func (r *reports) page(values rowValues) string {
	host, path, query := splitPath(values[byPage])
	if values[byLocation] != "" {
		host, path, query = splitURL(values[byLocation])
	}
	page := withQuestion(path, query)
	if page == "" {
		return ""
	}
	if host == "" {
		host = values[byHost]
	}
	if err := errors.Join(r.titles.add(page, values[byTitle]), r.hosts.add(page, host)); err != nil {
		r.broken = errors.Join(r.broken, err)
	}
	return page
}
