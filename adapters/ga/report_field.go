package ga

import (
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// A field is what a column of a report holds: a dimension, which the rows are
// by, or a metric. The empty field is a column that nothing is known of.
type field string

const (
	unknownDimension field = "unknown dimension"
	unknownMetric    field = "unknown metric"

	// When.
	byDate      field = "date"
	byDateHour  field = "datehour" // and with minutes
	byDayIndex  field = "index"    // of Universal Analytics: a date, or a number of hours, weeks or months
	byNthDay    field = "nthday"
	byNthWeek   field = "nthweek"
	byNthMonth  field = "nthmonth"
	byNthYear   field = "nthyear"
	byYear      field = "year"
	byMonth     field = "month"
	byDay       field = "day of the month"
	byYearMonth field = "yearmonth"
	byYearWeek  field = "yearweek"
	byHour      field = "hour"
	byStart     field = "start"
	byEnd       field = "end"
	// Where on the site.
	byPage     field = "page"
	byLocation field = "location"
	byTitle    field = "title"
	byLanding  field = "landing"
	byExit     field = "exit"
	byHost     field = "host"
	// Who.
	byCountry        field = "country"
	byRegion         field = "region"
	byCity           field = "city"
	byDevice         field = "device"
	byBrowser        field = "browser"
	byBrowserVersion field = "browserversion"
	byOS             field = "os"
	byOSVersion      field = "osversion"
	byOSAndVersion   field = "osfull"
	byLanguage       field = "language"
	byLanguageName   field = "languagename"
	byResolution     field = "resolution"
	// From where.
	bySource       field = "source"
	byMedium       field = "medium"
	bySourceMedium field = "sourcemedium"
	byCampaign     field = "campaign"
	byTerm         field = "term"
	byContent      field = "content"
	byChannel      field = "channel"
	// What.
	byEvent field = "event"
	// Which part of an answer a row belongs to.
	byRange      field = "date range"
	byComparison field = "comparison"
	byProperty   field = "property"
	// What parts visits and Rybbit has no field for: a visit is in one row.
	byPart field = "part"
	// What changes within a visit: a visit can be in several rows.
	byMoment field = "moment"

	views                field = "views"
	sessions             field = "sessions"
	users                field = "users"
	activeUsers          field = "active"
	bounces              field = "bounces"
	bounceRate           field = "bouncerate"
	engagedSessions      field = "engaged"
	engagementRate       field = "engagementrate"
	averageSession       field = "average" // seconds a session
	totalSeconds         field = "seconds"
	engagementPerUser    field = "engagement per user"
	engagementPerSession field = "engagement per session"
	sessionsPerUser      field = "sessions per user"
	viewsPerSession      field = "views per session"
	viewsPerUser         field = "views per user"
	entrances            field = "entrances"
	exits                field = "exits"
	uniqueViews          field = "unique"
	eventCount           field = "events"
	usersOf28Days        field = "users of 28 days"
	usersOf30Days        field = "users of 30 days"
)

// parameterOf begins the fields of events' parameters.
const parameterOf = "parameter "

// parameter returns the name of the event's parameter that the field is.
func (f field) parameter() (name string, is bool) {
	return strings.CutPrefix(string(f), parameterOf)
}

// perVisitor reports whether all visits of a visitor have the same value.
func (f field) perVisitor() bool {
	switch f {
	case byCountry, byRegion, byCity, byDevice, byBrowser, byBrowserVersion, byOS, byOSVersion, byOSAndVersion, byLanguage, byLanguageName, byResolution:
		return true
	}
	return false
}

// ofVisit reports whether the field says something of a visit that Rybbit shows.
func (f field) ofVisit() bool {
	switch f {
	case byHost, bySource, byMedium, bySourceMedium, byCampaign, byTerm, byContent, byChannel:
		return true
	}
	return f.perVisitor()
}

// ofTime reports whether the field says when a row's numbers happened.
func (f field) ofTime() bool {
	switch f {
	case byDate, byDateHour, byDayIndex, byNthDay, byNthWeek, byNthMonth, byNthYear, byYear, byMonth, byDay, byYearMonth, byYearWeek, byStart, byEnd:
		return true
	}
	return false
}

// overlaps reports whether a visit can be in several rows that differ in the
// field alone, so that visits and visitors do not add up.
func (f field) overlaps() bool {
	if _, is := f.parameter(); is {
		return true
	}
	switch f {
	case byPage, byLocation, byTitle, byMoment, byHour, byDateHour, byEvent:
		return true
	}
	return false
}

// isMetric reports whether the field counts something.
func (f field) isMetric() bool {
	if f == unknownMetric {
		return true
	}
	_, is := metricTitles[f]
	return is
}

// isMean reports whether the field's numbers have fractions: shares, means and
// lengths of time.
func (f field) isMean() bool {
	switch f {
	case bounceRate, engagementRate, averageSession, totalSeconds, engagementPerUser, engagementPerSession, sessionsPerUser, viewsPerSession, viewsPerUser, unknownMetric:
		return true
	}
	return false
}

// fieldOf returns what a column of that name holds, the empty field where
// nothing is known of it. The name is that of the Data API, of the Reporting API
// of Universal Analytics, or what one of the interfaces writes in its language.
func fieldOf(title string) field {
	if scope, parameter, found := strings.Cut(title, ":"); found && parameter != "" {
		switch scope {
		case "customEvent", "custom_event":
			return field(parameterOf + parameter)
		case "customUser", "customItem", "custom_user", "custom_item":
			return unknownDimension
		}
	}
	for _, suffix := range [...]string{" - Google Analytics 4", " - Google Analytics", " (GA4)"} { // of tools that join sources
		title = strings.TrimSuffix(title, suffix)
	}
	name := spelling(title)
	for _, prefix := range [...]string{"", "ga"} { // ga:sessions, and ga_sessions of some connectors
		short, found := strings.CutPrefix(name, prefix)
		if f, known := fieldNames()[short]; known && found {
			return f
		}
	}
	for _, suffix := range [...]string{"integer", "float", "seconds", "milliseconds", "currency"} { // of dlt: sessions_INTEGER
		if short, found := strings.CutSuffix(name, suffix); found && fieldNames()[short].isMetric() {
			return fieldNames()[short]
		}
	}
	if outer, inner, found := strings.Cut(strings.ReplaceAll(title, "（", "("), "("); found { // the standard report's name of the dimension, and its own
		if f := fieldNames()[spelling(outer)]; f != "" && f == fieldNames()[spelling(inner)] {
			return f
		}
	}
	return movingUsers(name)
}

// movingUsers returns what a title holds that tells active users of so many days
// in any language: "Aktive Nutzer (28 Tage)", "Utilisateurs actifs sur 28 jours".
func movingUsers(name string) field {
	days := strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, name)
	of := map[string]field{"28": usersOf28Days, "30": usersOf30Days, "7": unknownMetric}[days]
	if of == "" {
		return ""
	}
	for title := range strings.SplitSeq(metricTitles[activeUsers], "|") {
		if s := spelling(title); s != "" && strings.Contains(name, s) {
			return of
		}
	}
	return ""
}

// spelling brings a title to the form in which titles are compared: letters,
// digits and percent signs, without case, marks and width.
func spelling(title string) string {
	var letters [64]byte
	if ascii, ok := asciiSpelling(letters[:0], title); ok {
		return string(ascii)
	}
	var b strings.Builder
	for _, r := range norm.NFKD.String(strings.ToLower(title)) {
		switch {
		case r == 'ı':
			b.WriteRune('i')
		case r == 'ł':
			b.WriteRune('l')
		case r == 'ß':
			b.WriteString("ss")
		case unicode.IsLetter(r), unicode.IsDigit(r), r == '%':
			b.WriteRune(r)
		}
	}
	return b.String()
}

// asciiSpelling appends the spelling of a text in ASCII to dst, and reports whether it
// is in ASCII and fits.
func asciiSpelling(dst []byte, s string) ([]byte, bool) {
	if len(s) > cap(dst) {
		return dst, false
	}
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return dst, false
		}
		dst = appendASCII(dst, s[i])
	}
	return dst, true
}

// appendASCII appends the spelling of a letter of ASCII.
func appendASCII(dst []byte, c byte) []byte {
	switch {
	case 'A' <= c && c <= 'Z':
		return append(dst, c|0x20)
	case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '%':
		return append(dst, c)
	}
	return dst
}

// A speller spells many titles, letter by letter: that of a title is made of those of its
// letters. The zero speller is ready.
type speller struct {
	spelled []byte
	letters map[rune]string // spellings of those beyond ASCII
}

// spelling returns what [spelling] does, until it is called again.
func (s *speller) spelling(title string) []byte {
	s.spelled = s.spelled[:0]
	for at, r := range title {
		if r < utf8.RuneSelf {
			s.spelled = appendASCII(s.spelled, title[at])
			continue
		}
		letter, known := s.letters[r]
		if !known {
			if s.letters == nil {
				s.letters = make(map[rune]string)
			}
			letter = spelling(string(r))
			s.letters[r] = letter
		}
		s.spelled = append(s.spelled, letter...)
	}
	return s.spelled
}

// fieldNames are the fields by the spelling of their names. Any table of text makes them,
// since it may be a report.
var fieldNames = sync.OnceValue(func() map[string]field {
	names := make(map[string]field, 2048)
	var spell speller
	add := func(titles string, f field) {
		for title := range strings.SplitSeq(titles, "|") {
			if s := spell.spelling(title); len(s) > 0 {
				names[string(s)] = f
			}
		}
	}
	for f, titles := range dimensionTitles {
		add(titles, f)
	}
	for f, titles := range metricTitles {
		add(titles, f)
	}
	add(unusedMetrics, unknownMetric)
	for parameter, titles := range parameterTitles {
		add(titles, field(parameterOf+parameter))
	}
	return names
})
