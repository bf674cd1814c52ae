package ga

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"hopper/adapters"
	"hopper/adapters/input"
	"hopper/pipeline"
)

// findSpans finds the days of each row.
func (t *reportTable) findSpans() error {
	find, err := t.spanOf()
	if err != nil || find == nil {
		t.undated = find == nil
		return err
	}
	for _, row := range t.all() {
		if row.stays() {
			if _, ok := find(row); !ok {
				row.reject = rejectDate
			}
		}
	}
	t.find = find
	return nil
}

// spanOf returns how the days of a row are found, and nil where nothing says.
func (t *reportTable) spanOf() (func(*reportRow) (span, bool), error) {
	for _, f := range [...]field{byDate, byDateHour, byDayIndex} {
		if t.has(f) {
			if find, ok := t.nth(f); f == byDayIndex && ok {
				return find, nil
			}
			return t.dateColumn(f)
		}
	}
	if find := t.calendar(); find != nil {
		return find, nil
	}
	if t.has(byStart) && t.has(byEnd) {
		return t.fromStartToEnd, nil
	}
	for _, f := range [...]field{byNthDay, byNthWeek, byNthMonth, byNthYear} {
		if find, ok := t.nth(f); ok {
			return find, nil
		}
	}
	if t.within.isZero() {
		return nil, nil
	}
	return func(*reportRow) (span, bool) { return t.within, true }, nil
}

// fromStartToEnd reads columns of the first and the last day.
func (t *reportTable) fromStartToEnd(row *reportRow) (span, bool) {
	var times adapters.Times
	from, ok1 := dayOf(t.text(row, byStart), &times)
	to, ok2 := dayOf(t.text(row, byEnd), &times)
	return span{from, to}, ok1 && ok2 && !to.Before(from)
}

// findStartAndEnd takes the days of each row from columns of the first and the
// last, where no other column says them.
func (t *reportTable) findStartAndEnd() {
	if slices.ContainsFunc(t.fields, field.ofTime) {
		return
	}
	for i, title := range t.titles {
		switch spelling(title) {
		case "startdate", "reportstartdate":
			t.fields[i] = byStart
		case "enddate", "reportenddate":
			t.fields[i] = byEnd
		}
	}
}

// nth reads a column that numbers the days, weeks, months or years of the
// report's range.
func (t *reportTable) nth(f field) (func(*reportRow) (span, bool), bool) {
	column := t.column(f)
	if column < 0 || t.within.isZero() {
		return nil, false
	}
	if f == byDayIndex {
		for _, row := range t.all() {
			if n, ok := wholeNumber(cell(row.cells, column)); row.omit == "" && row.reject == "" && (!ok || n > 10_000) {
				return nil, false
			}
		}
		switch title := strings.ToLower(t.titles[column]); {
		case strings.Contains(title, "week"):
			f = byNthWeek
		case strings.Contains(title, "month"):
			f = byNthMonth
		case strings.Contains(title, "hour"):
			f = byHour
		}
	}
	const most = 100_000
	return func(row *reportRow) (span, bool) {
		n, ok := wholeNumber(cell(row.cells, column))
		if !ok || n > most {
			return span{}, false
		}
		return t.nthSpan(f, n), true
	}, true
}

// nthSpan returns the n-th day, week, month or year of the report's range, from
// 0. Weeks begin on Sunday, and none of them goes beyond the range.
func (t *reportTable) nthSpan(f field, n int) span {
	start := t.within.from
	var s span
	switch f {
	case byHour:
		return oneDay(start.AddDate(0, 0, n/24))
	case byNthWeek:
		sunday := start.AddDate(0, 0, 7*n-int(start.Weekday()))
		s = span{sunday, sunday.AddDate(0, 0, 6)}
	case byNthMonth:
		first := time.Date(start.Year(), start.Month()+time.Month(n), 1, 0, 0, 0, 0, time.UTC)
		s = span{first, first.AddDate(0, 1, -1)}
	case byNthYear:
		first := time.Date(start.Year()+n, 1, 1, 0, 0, 0, 0, time.UTC)
		s = span{first, first.AddDate(1, 0, -1)}
	default:
		return oneDay(start.AddDate(0, 0, n))
	}
	return t.clipped(s)
}

// clipped returns the part of s within the report's range.
func (t *reportTable) clipped(s span) span {
	if !t.within.isZero() && !s.from.After(t.within.to) && !s.to.Before(t.within.from) {
		if s.from.Before(t.within.from) {
			s.from = t.within.from
		}
		if s.to.After(t.within.to) {
			s.to = t.within.to
		}
	}
	return s
}

// calendar reads columns of years, months, weeks and days.
func (t *reportTable) calendar() func(*reportRow) (span, bool) {
	if !t.has(byYear) && !t.has(byYearMonth) && !t.has(byYearWeek) && !(t.has(byMonth) && t.monthsHaveYears()) {
		return nil
	}
	return func(row *reportRow) (span, bool) {
		digits := func(f field) string {
			return strings.Map(func(r rune) rune {
				if r < '0' || r > '9' {
					return -1
				}
				return r
			}, t.text(row, f))
		}
		year, day := digits(byYear), digits(byDay)
		week := digits(byYearWeek)
		if n, err := strconv.Atoi(week); err == nil && n <= 54 && len(year) == 4 {
			week = fmt.Sprintf("%s%02d", year, n)
		}
		if len(week) == 6 && !t.has(byMonth) {
			return t.weekSpan(week)
		}
		month := ""
		for _, f := range [...]field{byMonth, byYearMonth} {
			if y, m := monthOf(t.text(row, f)); m != "" {
				month = m
				if y != "" {
					year = y
				}
			}
		}
		return t.calendarSpan(year, month, day)
	}
}

func (t *reportTable) monthsHaveYears() bool {
	for _, row := range t.all() {
		if s := t.text(row, byMonth); s != "" && !isTotal(s) {
			year, _ := monthOf(s)
			return year != ""
		}
	}
	return false
}

// monthOf returns the numbers of the year and the month that text names: 202401,
// 2024-01, 2024|01, 01/2024, 2024-01-01, Jan 2024, 2024年1月, January. Empty is not
// told.
func monthOf(s string) (year, month string) {
	isDigit := func(r rune) bool { return r >= '0' && r <= '9' }
	var small []string
	for _, number := range strings.FieldsFunc(s, func(r rune) bool { return !isDigit(r) }) {
		switch len(number) {
		case 6, 8:
			return number[:4], number[4:6]
		case 4:
			if year == "" {
				year = number
			}
		case 1, 2:
			small = append(small, number)
		}
	}
	for _, word := range strings.FieldsFunc(s, func(r rune) bool { return !unicode.IsLetter(r) }) {
		if name := monthNamed(word); name != "" && !strings.ContainsAny(word, "年月년월") {
			if at, err := time.Parse("Jan", name); err == nil {
				return year, strconv.Itoa(int(at.Month()))
			}
		}
	}
	switch {
	case len(small) == 0:
		return year, ""
	case len(small) > 1 && strings.Trim(small[0], "0") == "1" && strings.HasSuffix(s, year): // 01/02/2024: a month's first day
		return year, small[1]
	}
	return year, small[0]
}

func (t *reportTable) calendarSpan(year, month, day string) (span, bool) {
	y, err := strconv.Atoi(year)
	if err != nil || y < 1990 || y > 2100 {
		return span{}, false
	}
	if month == "" {
		first := time.Date(y, 1, 1, 0, 0, 0, 0, time.UTC)
		return t.clipped(span{first, first.AddDate(1, 0, -1)}), true
	}
	m, err := strconv.Atoi(month)
	if err != nil || m < 1 || m > 12 {
		return span{}, false
	}
	first := time.Date(y, time.Month(m), 1, 0, 0, 0, 0, time.UTC)
	if day == "" {
		return t.clipped(span{first, first.AddDate(0, 1, -1)}), true
	}
	d, err := strconv.Atoi(day)
	at := first.AddDate(0, 0, d-1)
	return oneDay(at), err == nil && d >= 1 && at.Month() == first.Month()
}

// weekSpan returns a week such as 202405: one that begins on Monday where the
// column is of ISO weeks, else one that begins on Sunday, the year's first week
// with its first day.
func (t *reportTable) weekSpan(s string) (span, bool) {
	year, err1 := strconv.Atoi(s[:4])
	week, err2 := strconv.Atoi(s[4:])
	if err1 != nil || err2 != nil || week < 1 || week > 54 {
		return span{}, false
	}
	if strings.Contains(strings.ToLower(t.titles[t.column(byYearWeek)]), "iso") {
		fourth := time.Date(year, 1, 4, 0, 0, 0, 0, time.UTC) // is in the first week
		monday := fourth.AddDate(0, 0, -(int(fourth.Weekday())+6)%7+7*(week-1))
		return t.clipped(span{monday, monday.AddDate(0, 0, 6)}), true
	}
	first := time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC)
	sunday := first.AddDate(0, 0, -int(first.Weekday())+7*(week-1))
	s7 := span{sunday, sunday.AddDate(0, 0, 6)}
	if s7.from.Year() < year {
		s7.from = first
	}
	if last := first.AddDate(1, 0, -1); s7.to.After(last) {
		s7.to = last
	}
	return t.clipped(s7), !s7.from.After(s7.to)
}

// dateColumn reads a column of dates, in whatever language they are.
func (t *reportTable) dateColumn(f field) (func(*reportRow) (span, bool), error) {
	column := t.column(f)
	var order adapters.OrderFinder
	if !t.within.isZero() {
		order.From, order.To = pipeline.MicrosOf(t.within.from), pipeline.MicrosOf(t.within.to)
	}
	first, fitting := "", 0
	for _, row := range t.all() {
		if row.stays() {
			s := englishDate(cell(row.cells, column))
			if first == "" {
				first = cell(row.cells, column)
			}
			order.Add(s)
		}
	}
	times := adapters.Times{Serials: true, Order: t.dateOrder}
	if times.Order != adapters.AnyOrder {
		order = adapters.OrderFinder{}
	}
	if found, err := order.Order(); err == nil && found != adapters.AnyOrder {
		times.Order = found
	} else if err != nil {
		times.Order = adapters.DayFirst // no other language writes the month first
		if english := spelling(t.titles[column]); fieldOf(t.titles[column]) != byDate || english == "date" || english == "day" {
			return nil, &input.Error{Input: t.in.Name, Row: t.rows.first, Field: t.titles[column], Err: err}
		}
		t.dateNote = fmt.Sprintf("%s: dates such as %s are read as %s.", t.in.Name, first, map[adapters.DateOrder]string{
			adapters.MonthFirst: "month/day/year", adapters.DayFirst: "day/month/year"}[times.Order])
	}
	later := 0
	if f == byDate && t.isEvening(column, &times) {
		later = 1
	}
	read := func(cell string) (span, bool) {
		day, ok := dayOf(cell, &times)
		day = day.AddDate(0, 0, later)
		if !ok && !t.within.isZero() { // Mar 11, without its year
			for year := t.within.from.Year(); !ok && year <= t.within.to.Year(); year++ {
				day, ok = dayOf(fmt.Sprintf("%s, %d", cell, year), &times)
				ok = ok && t.within.includes(day)
			}
		}
		return oneDay(day), ok
	}
	var (
		latest string // most rows have the date of the one before
		day    span
		known  bool
	)
	find := func(row *reportRow) (span, bool) {
		if s := cell(row.cells, column); s != latest || latest == "" {
			latest = s
			day, known = read(s)
		}
		return day, known
	}
	for _, row := range t.all() {
		if row.stays() {
			if _, ok := find(row); ok {
				fitting++
				break
			}
		}
	}
	if fitting == 0 && first != "" {
		return nil, &input.Error{Input: t.in.Name, Row: t.rows.first, Field: t.titles[column],
			Err: fmt.Errorf("dates such as %q are in no form that is known; expected 20240131 or 2024-01-31", first)}
	}
	return find, nil
}

// isEvening reports whether a column's dates are hours of the evening in UTC: the
// midnights of a zone to the east, with one hour between summer and winter.
func (t *reportTable) isEvening(column int, times *adapters.Times) bool {
	first, last := 24*time.Hour, time.Duration(0)
	for _, row := range t.all() {
		s := cell(row.cells, column)
		if !row.stays() || s == "" {
			continue
		}
		at, ok := times.Parse(englishDate(s))
		if !ok {
			return false
		}
		of := at.Time().UTC().Sub(at.Time().UTC().Truncate(24 * time.Hour))
		if of < 12*time.Hour || of%(15*time.Minute) != 0 {
			return false
		}
		first, last = min(first, of), max(last, of)
	}
	return last > 0 && last-first <= time.Hour
}

// dayOf reads a date, with or without the time of day, which is in the
// property's zone as the date is.
func dayOf(s string, times *adapters.Times) (time.Time, bool) {
	if len(s) == 10 || len(s) == 12 { // an hour, or a minute: 2024013117
		if day, ok := compactDate(s[:8]); ok && strings.Trim(s, "0123456789") == "" {
			return day, true
		}
	}
	if day, ok := compactDate(strings.TrimSuffix(s, ".0")); ok {
		return day, true
	}
	// A time in UTC is the midnight of a date that lost its zone.
	at, ok := times.Parse(englishDate(s))
	return at.Time().UTC().Truncate(24 * time.Hour), ok
}

func compactDate(s string) (time.Time, bool) {
	if len(s) != 8 {
		return time.Time{}, false
	}
	t, err := time.Parse("20060102", s)
	return t, err == nil
}

// englishDate writes the names of months in English, and the parts of a date
// in Chinese, Japanese and Korean apart.
func englishDate(s string) string {
	ascii := true
	for _, r := range s {
		if r >= 0x80 || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' {
			ascii = false
		}
	}
	if ascii {
		return strings.TrimRight(strings.ReplaceAll(s, ". ", "."), ".")
	}
	if strings.ContainsAny(s, "年년") {
		numbers := strings.FieldsFunc(s, func(r rune) bool { return r < '0' || r > '9' })
		if len(numbers) >= 3 {
			return strings.Join(numbers[:3], "/")
		}
	}
	words := strings.FieldsFunc(s, func(r rune) bool { return r == ' ' || r == ',' || r == '.' || r == '\u00a0' || r == '-' || r == '/' })
	var day, month, year string
	for _, w := range words {
		switch {
		case strings.Trim(w, "0123456789") == "" && len(w) == 4:
			year = w
		case strings.Trim(w, "0123456789") == "":
			day = w
		default:
			if m := monthNamed(w); m != "" {
				month = m
			}
		}
	}
	if day == "" || month == "" || year == "" {
		return s
	}
	return day + " " + month + " " + year
}

// monthNames are the beginnings of the months' names, in the forms that dates
// have, in lower case without accents.
var monthNames = [...]string{
	"jan janv ene gen sty oca янв", "feb fevr fev lut sub фев", "mar marz mars maart maa mrt mart мар", "apr avr abr kwi nis апр", "may mai maj mei mag мая май", "jun juin giu cze haz июн",
	"jul juil lug lip tem июл", "aug aout ago sie agu авг", "sep sept set wrz eyl сен", "oct okt out ott paz eki окт", "nov lis kas ноя", "dec dez dic des gru ara дек",
}

// monthNamed returns the English abbreviation of a month's name in another
// language, the longest beginning of it that is known.
func monthNamed(word string) string {
	word = spelling(word)
	best, month := 0, ""
	for i, names := range monthNames {
		for name := range strings.FieldsSeq(names) {
			name = spelling(name)
			if strings.HasPrefix(word, name) && len(name) > best {
				best, month = len(name), time.Month(i + 1).String()[:3]
			}
		}
	}
	return month
}

// rangeOf reads the range of a report from a comment line: "# Start date:
// 20240101", "# 20240101-20240131" in Universal Analytics.
func (w *rangeReader) read(comment string) {
	last := comment[strings.LastIndexAny(comment, ": ：")+1:]
	last = strings.TrimFunc(last, func(r rune) bool { return r < '0' || r > '9' })
	from, to, isRange := strings.Cut(last, "-")
	a, ok := compactDate(from)
	if !ok {
		return
	}
	if isRange {
		if b, ok := compactDate(to); ok {
			w.span = span{a, b}
		}
		return
	}
	// The start stands before the end, whatever they are called.
	if w.span.from.IsZero() || !w.span.to.IsZero() {
		w.span = span{from: a}
	} else {
		w.span.to = a
	}
}

// A rangeReader finds the range that a report's comment lines tell.
type rangeReader struct{ span span }

// whole returns the range where both its ends are known.
func (w *rangeReader) whole() span {
	if w.span.to.IsZero() || w.span.to.Before(w.span.from) {
		return span{}
	}
	return w.span
}
