package ga

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/transform"

	"hopper/adapters"
	"hopper/adapters/input"
	"hopper/pipeline"
)

// maxPrinted is the longest answer of an API that is read as programs print it, in
// bytes: it is held in memory.
const maxPrinted = 64 << 20

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
	rows   reportRows
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

	// What is done to rows when they are looked at, see completed.
	padded    bool  // short rows get blank cells
	continued []int // columns whose blank cells stand for the value above
	keyed     []int // columns of dimensions, where there are continued ones
	find      func(*reportRow) (span, bool)
	// broken is why rows could not be read again.
	broken error
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

func readReportTables(ctx context.Context, store *rowStore, in *input.Input) ([]*reportTable, error) {
	head := in.TextHead()
	isAPI := in.Format() == input.JSON && isAPI(head)
	isText := in.Format() == input.Text && isReport(head) || isPythonAnswer(string(head))
	if !isAPI && !isText {
		return readRecords(ctx, store, in)
	}
	r, err := openUTF8(ctx, in)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	begin := string(head[:min(len(head), 4096)])
	switch {
	case isAPI:
		return readAPI(store, in, r)
	case !isPythonAnswer(begin) && !isProtoText(begin):
		return readTables(store, in, r)
	}
	text, err := io.ReadAll(io.LimitReader(r, maxPrinted+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxPrinted {
		return nil, input.Errorf(in.Name, "is a printed answer of more than %d MiB; save it as JSON, or fetch it in parts", maxPrinted>>20)
	}
	if isPythonAnswer(begin) {
		return readAPI(store, in, strings.NewReader(fromPython(string(text))))
	}
	return readProtoText(store, in, string(text))
}

// openUTF8 opens a report, which is in UTF-8, or as spreadsheets in western Europe
// save it where that cannot be. All of it tells which, so that it is read twice.
func openUTF8(ctx context.Context, in *input.Input) (io.ReadCloser, error) {
	if err := in.Spool(ctx); err != nil {
		return nil, err
	}
	r, err := in.Text(ctx)
	if err != nil {
		return nil, err
	}
	_, invalid := io.Copy(io.Discard, transform.NewReader(r, encoding.UTF8Validator))
	if err := r.Close(); err != nil {
		return nil, err
	}
	if invalid != nil && !errors.Is(invalid, encoding.ErrInvalidUTF8) {
		return nil, invalid
	}
	if r, err = in.Text(ctx); err != nil || invalid == nil {
		return r, err
	}
	return struct {
		io.Reader
		io.Closer
	}{charmap.Windows1252.NewDecoder().Reader(r), r}, nil
}

// prepare finds out what the table's columns and rows are.
func (t *reportTable) prepare(ctx context.Context) error {
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
	if err := errors.Join(t.broken, t.findSpans()); err != nil {
		return err
	}
	return errors.Join(t.keepRange(ctx), t.leaveRepeats(ctx), t.checkKeys(ctx), t.broken)
}

// daysOfMonth tells the day of a month, beside columns of months, from a date.
func (t *reportTable) daysOfMonth() {
	i := t.column(byDate)
	if i < 0 || !t.has(byMonth) && !t.has(byYearMonth) {
		return
	}
	for _, row := range t.all() {
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
	for _, row := range t.all() {
		if !isNothing(cell(row.cells, column)) {
			return false
		}
	}
	return t.rows.n > 0
}

func (t *reportTable) isConstant(column int) bool {
	first := ""
	for i, row := range t.all() {
		if i == 0 {
			first = cell(row.cells, column)
		}
		if cell(row.cells, column) != first {
			return false
		}
	}
	return true
}

// isNumeric reports whether a column's cells are numbers, shares, amounts of
// money or lengths of time.
func (t *reportTable) isNumeric(column int) bool {
	for _, row := range t.all() {
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
	for _, row := range t.all() {
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
	last, blanks, repeats := make([]string, len(dims)), make([]bool, len(dims)), make([]bool, len(dims))
	for _, row := range t.all() {
		for k, i := range dims {
			switch s := cell(row.cells, i); s {
			case "":
				blanks[k] = blanks[k] || last[k] != "" && !t.isBlank(row, dims)
			case last[k]:
				repeats[k] = true
			default:
				last[k] = s
			}
		}
	}
	t.keyed = dims
	for k, i := range dims {
		if blanks[k] && !repeats[k] && (t.fields[i].ofTime() || k == 0) {
			t.continued = append(t.continued, i)
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
	for _, row := range t.all() {
		if row.reject != "" || len(all) == 0 {
			continue
		}
		if t.isBlank(row, all) || len(dates) > 0 && t.isBlank(row, dates) {
			row.omit = omitTotal
			if t.isBlank(row, all) && t.totals == nil {
				t.totals = slices.Clone(row.cells)
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
	isCalled := func(row *reportRow) bool {
		return slices.ContainsFunc(others, func(i int) bool {
			return (len(others) == 1 || t.fields[i].perVisitor()) && isTotal(cell(row.cells, i))
		})
	}
	sums, rest := make(map[string]int), make(map[string]int) // without the blank rows
	called, blank := false, false
	var key []byte
	for _, row := range t.all() {
		switch {
		case !row.stays():
		case isCalled(row):
			called = true
		case at >= 0 && t.isBlank(row, others):
			blank = true
		case at >= 0:
			n, _ := t.numbers.whole(cell(row.cells, at))
			key = appendKey(key[:0], row, dates)
			sums[string(key)] += n
			rest[string(key)]++
		default:
			rest[""]++
		}
	}
	called = called && len(rest) > 0
	blank = blank && t.addUp(at, dates, others, isCalled, sums, rest)
	if !called && !blank {
		return
	}
	for _, row := range t.all() {
		if row.stays() && (isCalled(row) && called || !isCalled(row) && blank && at >= 0 && t.isBlank(row, others)) {
			row.omit = omitTotal
		}
	}
}

// addUp reports whether each row without a value is what its day's others add up
// to, and one of them adds up several.
func (t *reportTable) addUp(at int, dates, others []int, isCalled func(*reportRow) bool, sums, rest map[string]int) bool {
	var key []byte
	proof := 0 // days of which the blank row adds up several others
	for _, row := range t.all() {
		if !row.stays() || isCalled(row) || !t.isBlank(row, others) {
			continue
		}
		key = appendKey(key[:0], row, dates)
		if n, ok := t.numbers.whole(cell(row.cells, at)); !ok || n != sums[string(key)] {
			return false
		}
		proof += rest[string(key)] - 1
	}
	return proof > 0
}

// isTotal recognizes what interfaces and APIs write in place of a dimension's
// value in a totals row.
func isTotal(s string) bool {
	var letters [64]byte
	if ascii, ok := asciiSpelling(letters[:0], s); ok { // as for nearly all, without memory
		return totalWords()[string(ascii)]
	}
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
	for _, row := range t.all() {
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
	for _, row := range t.all() {
		if row.stays() && cell(row.cells, i) != kept {
			row.omit = omitComparison
		}
	}
	t.warnings = append(t.warnings, fmt.Sprintf("%s: compares parts of the users with each other; only the rows of %q are read.", t.in.Name, kept))
}

// keepRange leaves out what a second range of dates of an answer repeats.
func (t *reportTable) keepRange(ctx context.Context) error {
	i := t.column(byRange)
	if i < 0 {
		return nil
	}
	same := t.same()
	defer same.close()
	dims, key := t.dimensions(), []byte(nil)
	for k, row := range t.all() {
		if row.stays() {
			key = appendKey(key[:0], row, dims)
			if err := same.add(key, k, cell(row.cells, i)); err != nil {
				return err
			}
		}
	}
	return same.each(ctx, func(first, row *sameRow) {
		if first.about[0] != row.about[0] {
			t.rows.leave(row.i, fate{omit: omitTwice})
		}
	})
}

// isLoadTime reports whether a connector keeps in a column when it loaded a row.
func isLoadTime(title string) bool {
	switch strings.ToLower(title) {
	case "_airbyte_extracted_at", "_airbyte_emitted_at", "emitted_at", "_sdc_batched_at", "_sdc_extracted_at", "_sdc_received_at", "_fivetran_synced", "_dlt_load_id", "_loaded_at", "loaded_at", "extracted_at", "synced_at", "inserted_at":
		return true
	}
	return false
}

// leaveRepeats leaves out rows that are there twice, as connectors that fetch days
// again and files that were put together have them. Of rows with other numbers
// the one that was loaded last is read; where nothing says which that is, none.
// Rows of a day that stand together are parts of what somebody has grouped.
func (t *reportTable) leaveRepeats(ctx context.Context) error {
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
	if !t.mayRepeat(func(b []byte, row *reportRow) []byte { return appendCells(b, row, dims) }) {
		return nil
	}
	same := t.same()
	defer same.close()
	if loaded >= 0 {
		return t.keepLatest(ctx, same, dims, loaded)
	}
	rows, err := t.addRepeats(same, dims, counts)
	if err != nil {
		return err
	}
	repeats, unclear, apart := 0, 0, false
	var numbers [2]string      // of the first rows that are unclear
	at := -1                   // where they are
	twice := newBits(t.rows.n) // rows that repeat all of an earlier one
	err = same.each(ctx, func(first, row *sameRow) {
		repeats++
		apart = apart || onlyTime || first.about[1] != row.about[1]
		if first.about[2] == row.about[2] {
			twice.set(row.i)
			return
		}
		unclear++
		if at < 0 || row.i < at {
			at, numbers = row.i, [2]string{first.about[0], row.about[0]}
		}
	})
	switch {
	case err != nil:
		return err
	case unclear > 0 && !apart:
		t.warn("has %d rows with the days and values of another one; they are added up", repeats)
	case unclear*100 > rows: // fewer can be two names that a spreadsheet made one
		t.unread = fmt.Sprintf("rows %s and %s are of the same days and values and have different numbers, and nothing says which are right: leave one of them out, or export the report again", numbers[0], numbers[1])
	default:
		for i := range twice.all() {
			t.rows.leave(i, fate{omit: omitRepeat})
		}
	}
	return nil
}

// addRepeats adds the rows by the columns of their dimensions, and says of each its
// number, which run of rows of the same days it is in, and its counts. It returns how
// many rows there are.
func (t *reportTable) addRepeats(same *sameRows, dims, counts []int) (rows int, err error) {
	run, last := 0, span{}
	var key, count []byte
	for i, row := range t.all() {
		if !row.stays() {
			continue
		}
		if rows++; row.span != last {
			run, last = run+1, row.span
		}
		key, count = appendCells(key[:0], row, dims), appendCells(count[:0], row, counts)
		if err := same.add(key, i, strconv.FormatInt(row.number, 10), strconv.Itoa(run), string(count)); err != nil {
			return 0, err
		}
	}
	return rows, nil
}

// keepLatest leaves out all but the row that was loaded last of those that are
// of the same.
func (t *reportTable) keepLatest(ctx context.Context, same *sameRows, dims []int, loaded int) error {
	var key []byte
	for i, row := range t.all() {
		if row.stays() {
			key = appendCells(key[:0], row, dims)
			if err := same.add(key, i, cell(row.cells, loaded)); err != nil {
				return err
			}
		}
	}
	var times adapters.Times
	after := func(x, y string) bool {
		p, ok1 := times.Parse(x)
		q, ok2 := times.Parse(y)
		if ok1 && ok2 {
			return p > q
		}
		return x > y
	}
	return same.each(ctx, func(latest, row *sameRow) {
		older := row.i
		if after(row.about[0], latest.about[0]) {
			older = latest.i
			latest.i, latest.about[0] = row.i, row.about[0]
		}
		t.rows.leave(older, fate{omit: omitOlder})
	})
}

// appendCells appends a row's values of some columns, as they stand there.
func appendCells(b []byte, row *reportRow, columns []int) []byte {
	for _, i := range columns {
		b = append(b, separator...)
		if i < len(row.cells) {
			b = append(b, row.cells[i]...)
		}
	}
	return b
}

// appendKey appends a row's days and its values of some columns.
func appendKey(b []byte, row *reportRow, columns []int) []byte {
	b = binary.AppendVarint(binary.AppendVarint(b, row.span.from.Unix()), row.span.to.Unix())
	for _, i := range columns {
		b = append(b, separator...)
		b = append(b, cell(row.cells, i)...)
	}
	return b
}

// checkKeys finds out whether rows differ in nothing but in columns that are
// not understood, or in such that part visits.
func (t *reportTable) checkKeys(ctx context.Context) error {
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
	same := make(map[string]bool) // whether rows repeat these columns
	repeats := func(columns []int) bool {
		key := fmt.Sprint(columns)
		if _, known := same[key]; !known {
			var err error
			if same[key], err = t.repeats(ctx, columns); err != nil {
				t.broken = errors.Join(t.broken, err)
			}
		}
		return same[key]
	}
	if t.unread == "" && unknown != nil && repeats(known) {
		t.unread = fmt.Sprintf("its rows are also by %s, which hopper does not know: adding them up could count a visit more than once; leave that dimension out of the report", strings.Join(unknown, " and "))
	}
	t.overlapping = t.has(byDateHour) || repeats(plain) && !repeats(known) || len(plain) < len(known) && repeats(plain)
	t.hourly = t.overlapping && (t.has(byDateHour) || t.has(byHour)) && !slices.ContainsFunc(t.fields, func(f field) bool {
		return f == unknownDimension || f.overlaps() && f != byDateHour && f != byHour
	})
	if t.hourly && t.has(sessions) {
		t.warn("has sessions by hour, which are added up where no other report tells them: one that goes on into the next hour is in both")
	}
	t.parted = t.overlapping || len(shown) < len(plain) && repeats(shown)
	return t.broken
}

// repeats reports whether two rows of the same days have the same values of
// the columns.
func (t *reportTable) repeats(ctx context.Context, columns []int) (bool, error) {
	if !t.mayRepeat(func(b []byte, row *reportRow) []byte { return appendKey(b, row, columns) }) {
		return false, nil
	}
	same := t.same()
	defer same.close()
	var key []byte
	for i, row := range t.all() {
		if row.stays() {
			key = appendKey(key[:0], row, columns)
			if err := same.add(key, i); err != nil {
				return false, err
			}
		}
	}
	return same.any(ctx)
}
