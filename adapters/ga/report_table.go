package ga

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"

	"hopper/adapters"
	"hopper/adapters/input"
	"hopper/pipeline"
)

// maxReport is the longest report that is read, in bytes. Reports are held in
// memory: Google cuts them off at some 100,000 rows.
const maxReport = 256 << 20

// A span is the days that a row's numbers are of, the first and the last, at
// midnight UTC. The zero span is not known.
type span struct{ from, to time.Time }

func oneDay(day time.Time) span { return span{day, day} }

func (s span) isZero() bool   { return s.from.IsZero() }
func (s span) isOneDay() bool { return s.from.Equal(s.to) && !s.isZero() }
func (s span) days() int      { return int(s.to.Sub(s.from)/(24*time.Hour)) + 1 }
func (s span) includes(day time.Time) bool {
	return !day.Before(s.from) && !day.After(s.to)
}

func (s span) String() string {
	if s.isOneDay() {
		return s.from.Format(time.DateOnly)
	}
	return s.from.Format(time.DateOnly) + " to " + s.to.Format(time.DateOnly)
}

// A reportTable is one table of a report.
type reportTable struct {
	in     *input.Input
	titles []string // as the report calls its columns
	fields []field  // what the columns hold
	rows   []reportRow
	within span   // the report's range, where it says
	zone   string // the property's IANA time zone, where it says
	// property is whose numbers these are, where the report's head says.
	property string
	// metrics says which columns count, where the container tells; else nil.
	metrics []bool
	// warnings are what the answer says of itself: that it is partial.
	warnings []string
	// answered is how many rows the answer has, where it says.
	answered int64
	// totals are the cells of a totals row, if there is one.
	totals []string
	// numbers reads those of the rows.
	numbers numbers

	// unread says why the table is not read; empty where it is.
	unread string
	// ignored are the titles of columns that are not read.
	ignored []string
	// undated says that neither a column nor the range says when.
	undated bool
	// dateOrder is what the user says of dates such as 5/1/2024.
	dateOrder adapters.DateOrder
	// dateNote says how ambiguous dates are read.
	dateNote string
	// overlapping says that visits are in several of its rows, beyond pages
	// and events; parted that visitors are.
	overlapping, parted bool
	// hourly says that visits are in several rows only where they go on into
	// another hour.
	hourly bool
}

// A reportRow is a row with its number in the input.
type reportRow struct {
	number int64
	cells  []string
	span   span
	// omit and reject are why the row is left out, if it is.
	omit, reject string
}

// column returns the index of the column that holds a field, or -1.
func (t *reportTable) column(f field) int { return slices.Index(t.fields, f) }

func (t *reportTable) has(f field) bool { return t.column(f) >= 0 }

// text returns a row's cell, without space around.
func (t *reportTable) text(row *reportRow, f field) string { return cell(row.cells, t.column(f)) }

func cell(cells []string, i int) string {
	if i < 0 || i >= len(cells) {
		return ""
	}
	return strings.TrimSpace(cells[i])
}

// dimensions are the columns that the rows are by, beside when: the known ones.
func (t *reportTable) dimensions() []int {
	var dims []int
	for i, f := range t.fields {
		if f != "" && f != unknownDimension && !f.isMetric() && !f.ofTime() && f != byRange && f != byComparison && f != byProperty && t.column(f) == i {
			dims = append(dims, i)
		}
	}
	return dims
}

// origin returns where a row stands.
func (t *reportTable) origin(row *reportRow) pipeline.Origin {
	return pipeline.Origin{Input: t.in.Name, Row: row.number}
}

// name is what messages call the table.
func (t *reportTable) name() string {
	return fmt.Sprintf("%s (table %s)", t.in.Name, strings.Join(t.titles[:min(len(t.titles), 4)], ", "))
}

// readReport returns the tables of a report, ready to be read row by row.
func readReport(ctx context.Context, in *input.Input, order adapters.DateOrder) ([]*reportTable, error) {
	tables, err := readReportTables(ctx, in)
	if err != nil {
		return nil, err
	}
	for _, t := range tables {
		t.dateOrder = order
		if err := t.prepare(); err != nil {
			return nil, err
		}
	}
	return tables, nil
}

func readReportTables(ctx context.Context, in *input.Input) ([]*reportTable, error) {
	head := in.TextHead()
	isAPI := in.Format() == input.JSON && isAPI(head)
	isText := in.Format() == input.Text && isReport(head) || isPythonAnswer(string(head))
	if !isAPI && !isText {
		return readRecords(ctx, in)
	}
	r, err := in.Text(ctx)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	text, err := io.ReadAll(io.LimitReader(r, maxReport+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxReport {
		return nil, input.Errorf(in.Name, "is a report of more than %d MiB; export it in parts, a month or a year each", maxReport>>20)
	}
	if !utf8.Valid(text) { // as spreadsheets in western Europe save it
		if text, err = charmap.Windows1252.NewDecoder().Bytes(text); err != nil {
			return nil, err
		}
	}
	switch head := string(text[:min(len(text), 4096)]); {
	case isAPI:
		return readAPI(in, string(text))
	case isPythonAnswer(head):
		return readAPI(in, fromPython(string(text)))
	case isProtoText(head):
		return readProtoText(in, string(text))
	}
	return readTables(in, text)
}

// prepare finds out what the table's columns and rows are.
func (t *reportTable) prepare() error {
	if t.fields == nil {
		for _, title := range t.titles {
			t.fields = append(t.fields, fieldOf(title))
		}
	}
	t.daysOfMonth()
	t.findStartAndEnd()
	t.guessFields()
	t.learn()
	t.checkCells()
	t.continueCells()
	t.findTotals()
	t.keepComparison()
	if err := t.findSpans(); err != nil {
		return err
	}
	t.keepRange()
	t.leaveRepeats()
	t.checkKeys()
	return nil
}

// daysOfMonth tells the day of a month, beside columns of months, from a date.
func (t *reportTable) daysOfMonth() {
	i := t.column(byDate)
	if i < 0 || !t.has(byMonth) && !t.has(byYearMonth) {
		return
	}
	for _, row := range t.rows {
		if s := cell(row.cells, i); s != "" && !isTotal(s) && (len(s) > 2 || strings.Trim(s, "0123456789") != "") {
			return
		}
	}
	t.fields[i] = byDay
}

// guessFields decides of columns with unknown names whether they are dimensions:
// rows over those must not be added up. Columns that are the same in all rows,
// and the bookkeeping of connectors, part nothing.
func (t *reportTable) guessFields() {
	measured := false
	for i, f := range t.fields {
		if f.isMetric() && t.isEmpty(i) { // it says nothing, not zero
			f, t.fields[i] = unknownMetric, unknownMetric
		}
		if f != "" {
			measured = measured || f.isMetric()
			if f == unknownMetric || f == byMoment || f == byPart {
				t.ignored = append(t.ignored, t.titles[i])
			}
			continue
		}
		t.ignored = append(t.ignored, t.titles[i])
		switch {
		case t.metrics != nil && t.metrics[i]:
			t.fields[i] = unknownMetric
		case strings.HasPrefix(t.titles[i], "_"), t.isConstant(i):
		case t.metrics == nil && measured && t.isNumeric(i):
			t.fields[i] = unknownMetric
		default:
			t.fields[i] = unknownDimension
		}
	}
}

// isEmpty reports whether there are rows and none has anything in the column.
func (t *reportTable) isEmpty(column int) bool {
	for _, row := range t.rows {
		if !isNothing(cell(row.cells, column)) {
			return false
		}
	}
	return len(t.rows) > 0
}

func (t *reportTable) isConstant(column int) bool {
	for _, row := range t.rows {
		if cell(row.cells, column) != cell(t.rows[0].cells, column) {
			return false
		}
	}
	return true
}

// isNumeric reports whether a column's cells are numbers, shares, amounts of
// money or lengths of time.
func (t *reportTable) isNumeric(column int) bool {
	for _, row := range t.rows {
		s := strings.Trim(cell(row.cells, column), "$€£¥₩₽% \u00a0")
		var alone adapters.Numbers
		if alone.Add(s); s == "" {
			continue
		}
		if _, isLength := seconds(s, &alone); !isLength {
			return false
		}
	}
	return true
}

// checkCells rejects rows that have not as many cells as the header, and leaves
// out those that a connector says are gone.
func (t *reportTable) checkCells() {
	deleted := slices.Index(t.titles, "_fivetran_deleted")
	for i := range t.rows {
		row := &t.rows[i]
		if strings.EqualFold(cell(row.cells, deleted), "true") {
			row.omit = omitDeleted
		}
		if n := len(row.cells); n < len(t.titles) && n > 1 || n > len(t.titles)+1 {
			row.reject = rejectCells
		}
	}
}

// continueCells fills blank cells that stand for the value above, as pivot
// tables and merged cells have it: those of a dimension that, where it has a
// value, has another one than before.
func (t *reportTable) continueCells() {
	var dims []int
	for i, f := range t.fields {
		if f != "" && !f.isMetric() {
			dims = append(dims, i)
		}
	}
	if len(dims) < 2 {
		return
	}
	for _, i := range dims {
		last, blanks, repeats := "", 0, false
		for k := range t.rows {
			switch s := cell(t.rows[k].cells, i); {
			case s == "":
				if last != "" && !t.isBlank(&t.rows[k], dims) {
					blanks++
				}
			case s == last:
				repeats = true
			default:
				last = s
			}
		}
		if blanks == 0 || repeats || !t.fields[i].ofTime() && i != dims[0] {
			continue
		}
		last = ""
		for k := range t.rows {
			row := &t.rows[k]
			if s := cell(row.cells, i); s != "" {
				last = s
			} else if last != "" && row.reject == "" && !t.isBlank(row, dims) {
				row.cells = slices.Clone(row.cells)
				row.cells[i] = last
			}
		}
	}
}

// isBlank reports whether a row has no value in any of the columns, or that of
// a totals row.
func (t *reportTable) isBlank(row *reportRow, columns []int) bool {
	return !slices.ContainsFunc(columns, func(i int) bool {
		s := cell(row.cells, i)
		return s != "" && !isTotal(s)
	})
}

// findTotals leaves totals rows out, and keeps one's cells: users of a whole
// period are in no other row.
func (t *reportTable) findTotals() {
	var all, dates []int
	for i, f := range t.fields {
		if f.ofTime() {
			dates = append(dates, i)
		}
		if f != "" && !f.isMetric() {
			all = append(all, i)
		}
	}
	for i := range t.rows {
		row := &t.rows[i]
		if row.reject != "" || len(all) == 0 {
			continue
		}
		if t.isBlank(row, all) || len(dates) > 0 && t.isBlank(row, dates) {
			row.omit = omitTotal
			if t.isBlank(row, all) && t.totals == nil {
				t.totals = row.cells
			}
		}
	}
	if len(dates) > 0 && len(dates) < len(all) {
		t.findSubtotals(dates, slices.DeleteFunc(all, func(i int) bool { return slices.Contains(dates, i) }))
	}
}

// findSubtotals leaves out the rows that add up a day's others: called a total,
// or without a value and of what the others add up to.
func (t *reportTable) findSubtotals(dates, others []int) {
	at := slices.IndexFunc(t.fields, func(f field) bool { return f == sessions || f == views || f == eventCount })
	sums, rest := make(map[string]int), make(map[string]int) // without the blank rows
	var called, blank []*reportRow
	for i := range t.rows {
		row := &t.rows[i]
		switch {
		case row.reject != "" || row.omit != "":
		case slices.ContainsFunc(others, func(i int) bool { return isTotal(cell(row.cells, i)) && (len(others) == 1 || t.fields[i].perVisitor()) }):
			called = append(called, row)
		case at >= 0 && t.isBlank(row, others):
			blank = append(blank, row)
		case at >= 0:
			n, _ := t.numbers.whole(cell(row.cells, at))
			day := t.rowKey(row, dates)
			sums[day] += n
			rest[day]++
		default:
			rest[""]++
		}
	}
	if len(rest) > 0 {
		for _, row := range called {
			row.omit = omitTotal
		}
	}
	proof := 0 // days of which the blank row adds up several others
	for _, row := range blank {
		day := t.rowKey(row, dates)
		if n, ok := t.numbers.whole(cell(row.cells, at)); !ok || n != sums[day] {
			return
		}
		proof += rest[day] - 1
	}
	if proof > 0 {
		for _, row := range blank {
			row.omit = omitTotal
		}
	}
}

// isTotal recognizes what interfaces and APIs write in place of a dimension's
// value in a totals row.
func isTotal(s string) bool {
	return totalWords()[spelling(s)]
}

var totalWords = sync.OnceValue(func() map[string]bool {
	return spellings("Total|Totals|Grand total|Gesamt|Gesamtsumme|Summe|Insgesamt|(all)|Totaux|Total general|Totales|Totale|Totali|Totaal|Totalen|Razem|Suma|Toplam|Genel toplam|Итого|Всего|" +
		"合計|总计|合计|總計|합계|RESERVED_TOTAL|RESERVED_MAX|RESERVED_MIN")
})

// allWords are how interfaces call the comparison with everybody in it.
var allWords = sync.OnceValue(func() map[string]bool {
	return spellings("All Users|All Sessions|Alle Nutzer|Alle Sitzungen|Tous les utilisateurs|Todos los usuarios|Todos os usuários|Tutti gli utenti|Alle gebruikers|Wszyscy użytkownicy|Tüm kullanıcılar|Все пользователи|すべてのユーザー|所有用户|所有使用者|모든 사용자")
})

func spellings(titles string) map[string]bool {
	set := make(map[string]bool)
	for title := range strings.SplitSeq(titles, "|") {
		set[spelling(title)] = true
	}
	return set
}

// keepComparison leaves out all but one of the parts of the visits that a
// report compares with each other: they overlap.
func (t *reportTable) keepComparison() {
	i := t.column(byComparison)
	if i < 0 {
		return
	}
	kept, parts := "", make(map[string]bool)
	for _, row := range t.rows {
		s := cell(row.cells, i)
		if allWords()[spelling(s)] {
			kept = s
			break
		}
		if row.omit == "" && row.reject == "" {
			parts[s] = true
		}
	}
	if kept == "" {
		if len(parts) > 1 {
			t.unread = fmt.Sprintf("it compares parts of the users (%s), and none of them is all users: a part is not the site; take the comparison or the segments out of the report, or add All Users to them",
				strings.Join(slices.Sorted(maps.Keys(parts)), ", "))
			return
		}
		for s := range parts {
			kept = s
		}
		if kept != "" {
			t.warnings = append(t.warnings, fmt.Sprintf("%s: is of %q alone, a part of the users; what it tells is read as if it were the site.", t.in.Name, kept))
		}
		return
	}
	for k := range t.rows {
		if row := &t.rows[k]; row.omit == "" && row.reject == "" && cell(row.cells, i) != kept {
			row.omit = omitComparison
		}
	}
	t.warnings = append(t.warnings, fmt.Sprintf("%s: compares parts of the users with each other; only the rows of %q are read.", t.in.Name, kept))
}

// keepRange leaves out what a second range of dates of an answer repeats.
func (t *reportTable) keepRange() {
	i := t.column(byRange)
	if i < 0 {
		return
	}
	first := make(map[string]string)
	dims := t.dimensions()
	for k := range t.rows {
		row := &t.rows[k]
		if row.omit != "" || row.reject != "" {
			continue
		}
		key, of := t.rowKey(row, dims), cell(row.cells, i)
		if earlier, known := first[key]; known && earlier != of {
			row.omit = omitTwice
		} else {
			first[key] = of
		}
	}
}

// isLoadTime reports whether a connector keeps in a column when it loaded a row.
func isLoadTime(title string) bool {
	switch strings.ToLower(title) {
	case "_airbyte_extracted_at", "_airbyte_emitted_at", "emitted_at", "_sdc_batched_at", "_sdc_extracted_at", "_sdc_received_at", "_fivetran_synced", "_dlt_load_id", "_loaded_at", "loaded_at", "extracted_at", "synced_at", "inserted_at":
		return true
	}
	return false
}

// A repeat is a row that has the days and values of an earlier one.
type repeat struct {
	earlier, row *reportRow
	same         bool // all numbers are
	apart        bool // rows of other days stand between them
}

// repeatsOf returns a table's repeats, by the columns of its dimensions, and
// how many rows were looked at.
func (t *reportTable) repeatsOf(dims, counts []int) (list []repeat, rows int) {
	type place struct {
		row *reportRow
		run int // of rows of the same days
	}
	seen := make(map[string]place, len(t.rows))
	run, last := 0, span{}
	for i := range t.rows {
		row := &t.rows[i]
		if row.omit != "" || row.reject != "" {
			continue
		}
		if rows++; row.span != last {
			run, last = run+1, row.span
		}
		key := rawKey(row, dims)
		if p, known := seen[key]; known {
			list = append(list, repeat{p.row, row, rawKey(p.row, counts) == rawKey(row, counts), p.run != run})
			continue
		}
		seen[key] = place{row, run}
	}
	return list, rows
}

// leaveRepeats leaves out rows that are there twice, as connectors that fetch days
// again and files that were put together have them. Of rows with other numbers
// the one that was loaded last is read; where nothing says which that is, none.
// Rows of a day that stand together are parts of what somebody has grouped.
func (t *reportTable) leaveRepeats() {
	var dims, counts []int
	loaded, onlyTime := -1, true
	for i, f := range t.fields {
		switch {
		case isLoadTime(t.titles[i]):
			loaded = i
		case f.isMetric() && f != unknownMetric:
			counts = append(counts, i)
		case !f.isMetric() && !strings.HasPrefix(t.titles[i], "_"):
			dims, onlyTime = append(dims, i), onlyTime && (f == "" || f.ofTime())
		}
	}
	list, rows := t.repeatsOf(dims, counts)
	if loaded >= 0 {
		t.keepLatest(list, dims, loaded)
		return
	}
	apart := func(r repeat) bool { return r.apart || onlyTime }
	unclear := slices.DeleteFunc(slices.Clone(list), func(r repeat) bool { return r.same })
	switch {
	case len(unclear) > 0 && !slices.ContainsFunc(list, apart):
		t.warn("has %d rows with the days and values of another one; they are added up", len(list))
	case len(unclear)*100 > rows: // fewer can be two names that a spreadsheet made one
		t.unread = fmt.Sprintf("rows %d and %d are of the same days and values and have different numbers, and nothing says which are right: leave one of them out, or export the report again", unclear[0].earlier.number, unclear[0].row.number)
	default:
		for _, r := range list {
			if r.same {
				r.row.omit = omitRepeat
			}
		}
	}
}

// keepLatest leaves out all but the row that was loaded last of those that are
// of the same.
func (t *reportTable) keepLatest(list []repeat, dims []int, loaded int) {
	var times adapters.Times
	after := func(a, b *reportRow) bool {
		x, y := cell(a.cells, loaded), cell(b.cells, loaded)
		p, ok1 := times.Parse(x)
		q, ok2 := times.Parse(y)
		if ok1 && ok2 {
			return p > q
		}
		return x > y
	}
	kept := make(map[string]*reportRow, len(list))
	for _, r := range list {
		key := rawKey(r.row, dims)
		earlier := kept[key]
		if earlier == nil {
			earlier = r.earlier
		}
		if kept[key] = earlier; after(r.row, earlier) {
			earlier.omit, kept[key] = omitOlder, r.row
		} else {
			r.row.omit = omitOlder
		}
	}
}

// rawKey returns a row's values of some columns, as they stand there.
func rawKey(row *reportRow, columns []int) string {
	var b strings.Builder
	for _, i := range columns {
		b.WriteString(separator)
		if i < len(row.cells) {
			b.WriteString(row.cells[i])
		}
	}
	return b.String()
}

// rowKey returns a row's days and its values of some columns.
func (t *reportTable) rowKey(row *reportRow, columns []int) string {
	var b strings.Builder
	b.WriteString(row.span.String())
	for _, i := range columns {
		b.WriteString(separator)
		b.WriteString(cell(row.cells, i))
	}
	return b.String()
}

// checkKeys finds out whether rows differ in nothing but in columns that are
// not understood, or in such that part visits.
func (t *reportTable) checkKeys() {
	var unknown []string
	var known, plain, shown []int // dimensions: known; that part visits; that have a place in Rybbit
	for _, i := range t.dimensions() {
		f := t.fields[i]
		known = append(known, i)
		if f != byMoment && f != byHour {
			plain = append(plain, i)
		}
		if f != byMoment && f != byHour && f != byPart {
			shown = append(shown, i)
		}
	}
	for i, f := range t.fields {
		if f == unknownDimension {
			unknown = append(unknown, fmt.Sprintf("%q", t.titles[i]))
		}
	}
	if t.unread == "" && unknown != nil && t.repeats(known) {
		t.unread = fmt.Sprintf("its rows are also by %s, which hopper does not know: adding them up could count a visit more than once; leave that dimension out of the report", strings.Join(unknown, " and "))
	}
	t.overlapping = t.has(byDateHour) || t.repeats(plain) && !t.repeats(known) || len(plain) < len(known) && t.repeats(plain)
	t.hourly = t.overlapping && (t.has(byDateHour) || t.has(byHour)) && !slices.ContainsFunc(t.fields, func(f field) bool {
		return f == unknownDimension || f.overlaps() && f != byDateHour && f != byHour
	})
	if t.hourly && t.has(sessions) {
		t.warn("has sessions by hour, which are added up where no other report tells them: one that goes on into the next hour is in both")
	}
	t.parted = t.overlapping || len(shown) < len(plain) && t.repeats(shown)
}

// repeats reports whether two rows of the same days have the same values of
// the columns.
func (t *reportTable) repeats(columns []int) bool {
	seen := make(map[string]bool, len(t.rows))
	for i := range t.rows {
		row := &t.rows[i]
		if row.omit != "" || row.reject != "" {
			continue
		}
		key := t.rowKey(row, columns)
		if seen[key] {
			return true
		}
		seen[key] = true
	}
	return false
}
