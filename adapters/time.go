package adapters

import (
	"math"
	"strconv"
	"strings"
	"time"

	"hopper/pipeline"
)

// Times reads the times of a column in the forms that databases, languages and
// spreadsheets write:
//
//	2024-05-01 10:00:00   2024-05-01T10:00:00Z   2024-05-01 10:00:00.123456+00   2024-05-01 10:00:00 UTC
//	2024-05-01 08:20   2024-05-01   20240501   20240501082005   2024/5/1 8:20   2024-05-01 10:20 CEST
//	5/1/2024 8:20   5/1/24, 8:20:05 AM   01.05.2024 08:20   01-05-2024 08:20
//	May 1, 2024, 8:20 AM   1 May 2024 08:20   Wed, 01 May 2024 08:20:00 GMT
//	01-MAY-24 08.20.00.000000 AM   2024年5月1日 8:20
//	1714551600   1714551600.5   1714551600000   1714551600000000   1714551600000000000
//
// Quotes around a time, and the apostrophe with which spreadsheets keep a text, are
// no part of it.
//
// A number is a count of seconds, milliseconds, microseconds or nanoseconds
// since 1970, whichever makes it a time between 1990 and 2100. The zero Times
// works. Any number of goroutines may use it.
type Times struct {
	// Zone is where times without a zone are; nil is UTC.
	Zone *time.Location
	// Order is that of day and month where neither stands with a name, a dot
	// or behind the year. Without one such dates are no times; an
	// [OrderFinder] finds it.
	Order DateOrder
	// Serials says that a number of the size of 45413.35 is a spreadsheet's day.
	Serials bool
}

// Parse reads s, and reports whether it is a time. Fractions below a
// microsecond are cut off.
func (t *Times) Parse(s string) (pipeline.Micros, bool) {
	once := t.InOrder()
	return once.Parse(s)
}

// InOrder returns a reader of times of which most are on the day of the one before.
func (t *Times) InOrder() TimesInOrder { return TimesInOrder{times: t} }

// TimesInOrder reads times as its [Times] does, and a day once for those that share
// it. It is for one goroutine.
type TimesInOrder struct {
	times            *Times
	date             string // 2024-05-01, as it stands in the time before
	year, month, day int
	midnight         pipeline.Micros // of the day, in UTC
}

// Parse reads s as [Times.Parse] does. It may keep s until the next time.
func (o *TimesInOrder) Parse(s string) (pipeline.Micros, bool) {
	if at, ok := o.parseISO(s); ok {
		return at, true
	}
	return o.times.parseFree(s)
}

// IsDay reports whether a time that [Times.Parse] reads is a day alone: 2024-05-01,
// 01.05.2024, May 1, 2024, 20240501, or a spreadsheet's 45413.
func IsDay(s string) bool {
	digits, points := 0, 0
	for i, c := range []byte(s) {
		switch {
		case c == ':':
			return false
		case c == '.' || c == ',' && i == 5 && digits == 5: // a serial day's
			points++
		case isDigit(c):
			digits++
		}
	}
	return digits <= 8 && points != 1 // 45413.35 has a time of day
}

// parseISO reads the forms that databases write, which most times have.
func (o *TimesInOrder) parseISO(s string) (at pipeline.Micros, ok bool) {
	const date = len("2024-05-01")
	if len(s) < 19 || s[date] != ' ' && s[date] != 'T' || s[13] != ':' || s[16] != ':' || s[:date] != o.date && !o.setDate(s[:date]) {
		return 0, false
	}
	hour, minute, second := twoDigits(s[11:13]), twoDigits(s[14:16]), twoDigits(s[17:19])
	if hour > 23 || minute > 59 || second > 59 {
		return 0, false
	}
	s = s[19:]
	micros := 0
	if s != "" && s[0] == '.' {
		micros, s = fraction(s[1:])
	}
	offset := 0 // seconds east of UTC
	switch s {
	case "":
		if zone := o.times.Zone; zone != nil && zone != time.UTC {
			return pipeline.MicrosOf(time.Date(o.year, time.Month(o.month), o.day, int(hour), int(minute), int(second), micros*1000, zone)), true
		}
	case "Z", "+00", "+00:00", " UTC":
	default:
		if offset, ok = parseOffset(s); !ok {
			return 0, false
		}
	}
	return o.midnight + pipeline.Micros((int(hour)*3600+int(minute)*60+int(second)-offset)*1_000_000+micros), true
}

// setDate reads 2024-05-01.
func (o *TimesInOrder) setDate(s string) bool {
	century, ofCentury, month, day := twoDigits(s[:2]), twoDigits(s[2:4]), twoDigits(s[5:7]), twoDigits(s[8:10])
	if s[4] != '-' || s[7] != '-' || max(century, ofCentury, month, day) > 99 {
		return false
	}
	c := clock{year: int(century*100 + ofCentury), month: int(month), day: int(day)}
	if !c.valid() {
		return false
	}
	o.date, o.year, o.month, o.day, o.midnight = s, c.year, c.month, c.day, c.at(0)
	return true
}

// twoDigits returns the number that s is, which has two bytes, and one above 99 where
// they are no digits.
func twoDigits(s string) uint {
	tens, units := uint(s[0])-'0', uint(s[1])-'0'
	if tens > 9 || units > 9 {
		return math.MaxUint
	}
	return tens*10 + units
}

// microsAt returns the time that many seconds after a day's midnight in UTC.
func microsAt(year, month, day, seconds, micros int) pipeline.Micros {
	return pipeline.Micros((int64(daysSinceEpoch(year, month, day))*86400+int64(seconds))*1_000_000 + int64(micros))
}

// clock is a date and a time of day.
type clock struct{ year, month, day, hour, minute, second, micros int }

func (c *clock) valid() bool {
	return c.year >= 1 && c.month >= 1 && c.month <= 12 && c.day >= 1 && c.day <= daysIn(c.year, c.month) &&
		c.hour <= 23 && c.minute <= 59 && c.second <= 59
}

// in returns the time that c is in a zone.
func (c *clock) in(zone *time.Location) pipeline.Micros {
	if zone == nil || zone == time.UTC {
		return c.at(0)
	}
	return pipeline.MicrosOf(time.Date(c.year, time.Month(c.month), c.day, c.hour, c.minute, c.second, c.micros*1000, zone))
}

// at returns the time that c is that many seconds east of UTC.
func (c *clock) at(offset int) pipeline.Micros {
	return microsAt(c.year, c.month, c.day, c.hour*3600+c.minute*60+c.second-offset, c.micros)
}

// fraction reads the digits behind a second's point, and returns what follows.
func fraction(s string) (micros int, rest string) {
	unit := 100_000
	for s != "" && isDigit(s[0]) {
		micros += int(s[0]-'0') * unit
		unit /= 10
		s = s[1:]
	}
	return micros, s
}

// parseOffset reads +02, +0200, +02:00 or +02:00:00.
func parseOffset(s string) (seconds int, ok bool) {
	s = strings.TrimPrefix(s, " ")
	if s == "" || s[0] != '+' && s[0] != '-' {
		return 0, false
	}
	negative, unit := s[0] == '-', 3600
	for s = s[1:]; s != ""; unit /= 60 {
		if unit == 0 || len(s) < 2 || s[0] < '0' || s[0] > '5' || s[1] < '0' || s[1] > '9' {
			return 0, false
		}
		seconds += int((s[0]-'0')*10+s[1]-'0') * unit
		s = s[2:]
		if len(s) > 1 && s[0] == ':' {
			s = s[1:]
		}
	}
	if negative {
		seconds = -seconds
	}
	return seconds, unit < 3600 && -86400 < seconds && seconds < 86400
}

func daysIn(year, month int) int {
	switch month {
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	}
	return 31
}

// daysSinceEpoch counts days from 1970-01-01 in the Gregorian calendar. Years
// begin in March here, so that the leap day comes last.
func daysSinceEpoch(year, month, day int) int {
	if month <= 2 {
		year--
		month += 12
	}
	return 365*year + year/4 - year/100 + year/400 + (153*(month-3)+2)/5 + day - 1 - 719468
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

// maxTime is longer than any time that is written out.
const maxTime = 80

// parseFree reads all other forms.
func (t *Times) parseFree(s string) (pipeline.Micros, bool) {
	if len(s) > maxTime {
		return 0, false
	}
	s = plainSpaces(s)
	if s != "" && (s[0] == '\'' || s[0] == '"') {
		return t.Parse(strings.TrimSuffix(s[1:], s[:1]))
	}
	if at, isNumber := t.number(s); isNumber {
		return at, at != 0
	}
	d, rest, ok := cutDate(yearBeforeTime(s))
	if !ok {
		return 0, false
	}
	c, ok := d.clock(t.Order)
	if !ok {
		return 0, false
	}
	if rest, ok = c.cutTime(rest); !ok || !c.valid() {
		return 0, false
	}
	if rest == "" {
		return c.in(t.Zone), true
	}
	offset, ok := parseZone(rest)
	if !ok {
		return 0, false
	}
	return c.at(offset), true
}

// yearBeforeTime brings "Tue Mar 25 01:05:04 2025 CET", as PostgreSQL's old style
// and C write it, and "… CET 2025" of the command date into the order of others.
func yearBeforeTime(s string) string {
	if s == "" || !isLetter(s[0]) || !strings.Contains(s, ":") {
		return s
	}
	f := strings.Fields(s)
	if len(f) < 5 || len(f) > 6 || !isWeekday(f[0]) || monthOf(f[1]) == 0 || !strings.Contains(f[3], ":") {
		return s
	}
	year := 4
	if len(f) == 6 && isDigit(f[5][0]) {
		year = 5
	}
	if len(f[year]) != 4 || strings.Trim(f[year], "0123456789") != "" {
		return s
	}
	zone := f[9-year : min(10-year, len(f))] // what of the last two is not the year
	return strings.Join(append([]string{f[1], f[2], f[year], f[3]}, zone...), " ")
}

// plainSpaces replaces the spaces that languages' own formats have: JavaScript
// writes a narrow one before AM and PM. The characters that stand behind year,
// month and day in Chinese and Japanese become hyphens.
func plainSpaces(s string) string {
	for i := range len(s) {
		if s[i] >= 0x80 {
			s = strings.NewReplacer("\u00a0", " ", "\u202f", " ", "\u2009", " ", "\u200e", "", "年", "-", "月", "-", "日", " ").Replace(s)
			break
		}
	}
	return strings.TrimSpace(s)
}

// Counts since 1970 are taken for times between these.
var (
	earliest = time.Date(1990, 1, 1, 0, 0, 0, 0, time.UTC).Unix()
	latest   = time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC).Unix()
)

// number reads a count since 1970, a compact date or a serial day, and reports
// whether s is written as a number at all. A number that is no time is 0.
func (t *Times) number(s string) (at pipeline.Micros, isNumber bool) {
	whole, parts, _ := strings.Cut(s, ".")
	if t.Serials && len(s) > 6 && s[5] == ',' { // a spreadsheet's decimal comma
		whole, parts = s[:5], s[6:]
		s = whole + "." + parts
	}
	if whole == "" || strings.Trim(whole, "0123456789") != "" || strings.Trim(parts, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseInt(whole, 10, 64)
	if err != nil {
		return 0, true
	}
	if len(whole) == 8 && parts == "" {
		c := clock{year: int(n / 10000), month: int(n / 100 % 100), day: int(n % 100)}
		if c.year < 1970 || c.year > 2100 || !c.valid() {
			return 0, true
		}
		return c.in(t.Zone), true
	}
	if (len(whole) == 14 || len(whole) == 12 && n < 2101_0101_0000) && parts == "" {
		return t.compact(whole), true
	}
	if t.Serials && n >= firstSerial && n < lastSerial {
		return t.serial(s), true
	}
	micros, _ := fraction(parts)
	for unit := int64(1_000_000); unit > 0; unit /= 1000 {
		if perSecond := 1_000_000 / unit; n >= earliest*perSecond && n < latest*perSecond {
			return pipeline.Micros(n*unit + int64(micros)*unit/1_000_000), true
		}
	}
	if n >= earliest*1e9 && n/1e9 < latest {
		return pipeline.Micros(n / 1000), true
	}
	return 0, true
}

// compact reads 20240501082005 or 202405010820, and returns 0 for other numbers.
// No count since 1990 looks the same.
func (t *Times) compact(s string) pipeline.Micros {
	at, err := time.Parse("20060102150405"[:len(s)], s)
	if err != nil || at.Year() < 1970 || at.Year() > 2100 {
		return 0
	}
	c := clock{at.Year(), int(at.Month()), at.Day(), at.Hour(), at.Minute(), at.Second(), 0}
	return c.in(t.Zone)
}

// Serial days from 2000 to 2100, counted from 1899-12-30.
const (
	firstSerial = 36526
	lastSerial  = 73051
	serialEpoch = 25569 // 1970-01-01
)

// serial reads a spreadsheet's day with its fraction, which is exact to some
// milliseconds at best, and to a second in cells of the usual width.
func (t *Times) serial(s string) pipeline.Micros {
	days, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return 0
	}
	unit := 1000.0 // of a second
	if _, parts, _ := strings.Cut(s, "."); len(parts) < 8 {
		unit = 1
	}
	rounded := math.Round((days-serialEpoch)*86400*unit) / unit
	at := time.UnixMicro(int64(rounded * 1e6)).UTC()
	c := clock{at.Year(), int(at.Month()), at.Day(), at.Hour(), at.Minute(), at.Second(), at.Nanosecond() / 1000}
	return c.in(t.Zone)
}

// date is a date as written: a year, and two numbers of which one is the month.
type date struct {
	year, first, second int
	order               DateOrder // AnyOrder where the form does not say
}

// clock returns the date's midnight. Order decides where the form does not.
func (d *date) clock(order DateOrder) (clock, bool) {
	if d.order != AnyOrder {
		order = d.order
	}
	c := clock{year: d.year, month: d.first, day: d.second}
	switch {
	case order == DayFirst:
		c.month, c.day = c.day, c.month
	case order == AnyOrder && d.first != d.second:
		return c, false
	}
	return c, c.valid()
}

// cutDate reads the date that s begins with, and returns what follows.
func cutDate(s string) (d date, rest string, ok bool) {
	if s == "" {
		return date{}, "", false
	}
	if isLetter(s[0]) {
		return cutNamed(s)
	}
	first, digits, s := cutNumber(s)
	if digits == 8 { // 20240501T082000
		return date{first / 10000, first / 100 % 100, first % 100, MonthFirst}, s, true
	}
	if digits == 0 || digits > 4 || s == "" {
		return date{}, "", false
	}
	separator := s[0]
	if separator == ' ' || separator == '-' && len(s) > 1 && isLetter(s[1]) {
		return cutDayMonth(first, s[1:])
	}
	if separator != '/' && separator != '-' && separator != '.' {
		return date{}, "", false
	}
	second, secondDigits, s := cutNumber(strings.TrimLeft(s[1:], " "))
	if secondDigits == 0 || secondDigits > 2 || s == "" || s[0] != separator {
		return date{}, "", false
	}
	third, thirdDigits, s := cutNumber(strings.TrimLeft(s[1:], " "))
	if digits == 4 && (thirdDigits == 1 || thirdDigits == 2) {
		return date{first, second, third, MonthFirst}, strings.TrimPrefix(s, "."), true
	}
	year, ok := fullYear(third, thirdDigits)
	if !ok || digits > 2 {
		return date{}, "", false
	}
	d = date{year: year, first: first, second: second}
	if separator == '.' { // no language writes a month before a dot
		d.order = DayFirst
	}
	return d, s, true
}

// fullYear completes a year of two digits, which is of this century.
func fullYear(year, digits int) (int, bool) {
	switch {
	case digits == 4:
		return year, true
	case digits == 2 && year < 70:
		return 2000 + year, true
	}
	return 0, false
}

// cutNamed reads "May 1, 2024", "Wed, 1 May 2024" or "Wed May 01 2024".
func cutNamed(s string) (date, string, bool) {
	word, s := cutWord(s)
	month := monthOf(word)
	if month == 0 {
		if !isWeekday(word) {
			return date{}, "", false
		}
		s = strings.TrimLeft(s, ",. ")
		if s != "" && isDigit(s[0]) {
			day, digits, rest := cutNumber(s)
			if digits > 2 {
				return date{}, "", false
			}
			return cutDayMonth(day, strings.TrimLeft(rest, "-. "))
		}
		if word, s = cutWord(s); monthOf(word) == 0 {
			return date{}, "", false
		}
		month = monthOf(word)
	}
	day, dayDigits, s := cutNumber(strings.TrimLeft(s, ". "))
	year, yearDigits, s := cutNumber(strings.TrimLeft(s, ", "))
	return date{year, month, day, MonthFirst}, s, dayDigits >= 1 && dayDigits <= 2 && yearDigits == 4
}

// cutDayMonth reads "May 2024" or "May-24" behind a day.
func cutDayMonth(day int, s string) (date, string, bool) {
	word, s := cutWord(s)
	month := monthOf(word)
	year, digits, s := cutNumber(strings.TrimLeft(s, "-., "))
	year, ok := fullYear(year, digits)
	return date{year, month, day, MonthFirst}, s, ok && month > 0
}

func cutNumber(s string) (n, digits int, rest string) {
	for digits < len(s) && digits < 9 && isDigit(s[digits]) {
		n = n*10 + int(s[digits]-'0')
		digits++
	}
	return n, digits, s[digits:]
}

func cutWord(s string) (word, rest string) {
	n := 0
	for n < len(s) && isLetter(s[n]) {
		n++
	}
	return s[:n], s[n:]
}

// monthOf returns the month that an English word means, or 0.
func monthOf(word string) int {
	for month := time.January; month <= time.December && len(word) >= 3; month++ {
		if name := month.String(); len(word) <= len(name) && strings.EqualFold(word, name[:len(word)]) || month == time.September && strings.EqualFold(word, "sept") {
			return int(month)
		}
	}
	return 0
}

func isWeekday(word string) bool {
	for day := time.Sunday; day <= time.Saturday && len(word) >= 3; day++ {
		if name := day.String(); len(word) <= len(name) && strings.EqualFold(word, name[:len(word)]) {
			return true
		}
	}
	return false
}

// cutTime reads the time of day that s, which follows a date, begins with, and
// returns what follows. None is midnight.
func (c *clock) cutTime(s string) (rest string, ok bool) {
	s = strings.TrimLeft(s, ", ")
	if len(s) > 1 && (s[0] == 'T' || s[0] == 't') && isDigit(s[1]) {
		s = s[1:]
	}
	if s == "" || !isDigit(s[0]) {
		return s, s == "" // a zone without a time says nothing
	}
	hour, digits, s := cutNumber(s)
	if digits == 6 { // 082000
		c.hour, c.minute, c.second = hour/10000, hour/100%100, hour%100
		return s, true
	}
	if digits > 2 || s == "" || s[0] != ':' && s[0] != '.' { // Oracle and Finns write points
		return s, false
	}
	separator := s[0]
	minute, digits, s := cutNumber(s[1:])
	if digits != 2 {
		return s, false
	}
	c.hour, c.minute = hour, minute
	if s != "" && s[0] == separator {
		if c.second, digits, s = cutNumber(s[1:]); digits != 2 {
			return s, false
		}
		if s != "" && (s[0] == '.' || s[0] == ',') {
			c.micros, s = fraction(s[1:])
		}
	}
	return c.cutHalf(s)
}

// cutHalf reads AM or PM.
func (c *clock) cutHalf(s string) (rest string, ok bool) {
	trimmed := strings.TrimLeft(s, " ")
	word, rest := cutWord(trimmed)
	if len(word) == 1 && len(trimmed) >= 4 && trimmed[1] == '.' { // "a.m."
		word, rest = trimmed[:1]+trimmed[2:3], strings.TrimPrefix(trimmed[3:], ".")
	}
	afternoon := strings.EqualFold(word, "pm")
	if !afternoon && !strings.EqualFold(word, "am") {
		return s, true
	}
	if c.hour > 12 {
		return rest, false
	}
	if c.hour %= 12; afternoon {
		c.hour += 12
	}
	return rest, true
}

// namedZones are the zones whose short names mean one offset from UTC, in hours:
// those of Europe, and of North America as RFC 5322 has them.
var namedZones = map[string]int{
	"WET": 0, "WEST": 1, "CET": 1, "CEST": 2, "EET": 2, "EEST": 3, "MSK": 3,
	"EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7,
}

// parseZone reads what follows a time: Z, UTC, CEST, an offset, GMT+0200 (CEST).
func parseZone(s string) (offset int, ok bool) {
	s = strings.TrimSpace(s)
	word, rest := cutWord(s)
	switch strings.ToUpper(word) {
	case "":
	case "Z", "UTC", "GMT":
		if rest == "" {
			return 0, true
		}
		s = rest
	default:
		offset, ok := namedZones[strings.ToUpper(word)]
		return offset * 3600, ok && rest == ""
	}
	numeric, name, named := strings.Cut(strings.TrimSpace(s), " ")
	if named && !isZoneName(name) {
		return 0, false
	}
	return parseOffset(numeric)
}

// isZoneName recognizes what may stand behind an offset, which says it all:
// "UTC", "CEST", "(Central European Summer Time)".
func isZoneName(s string) bool {
	if strings.HasPrefix(s, "(") {
		return strings.HasSuffix(s, ")")
	}
	word, rest := cutWord(s)
	return word != "" && rest == ""
}
