package sandbox

import (
	"database/sql"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Limits in UTF-16 code units.
const (
	maxHostname       = 253
	maxPath           = 2048
	maxQuery          = 2048
	maxURL            = 2048
	maxTitle          = 512
	maxBrowser        = 30
	maxBrowserVersion = 20
	maxSystem         = 25
	maxSystemVersion  = 20
	maxDevice         = 20
	maxLanguage       = 35
	maxCity           = 60
	maxEventName      = 256
	maxUser           = 64
	maxProps          = 4096
)

var (
	countryPattern  = regexp.MustCompile(`^[A-Z]{2}$`)
	regionPattern   = regexp.MustCompile(`^[A-Z]{2}-[A-Z0-9]{1,3}$`)
	screenPattern   = regexp.MustCompile(`^([0-9]{1,5})x([0-9]{1,5})$`)
	isoPattern      = regexp.MustCompile(`^(\d{4}-\d{2}-\d{2})([T ])(\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?)(Z|[+-]\d{2}:\d{2})$`)
	dateTimePattern = regexp.MustCompile(`^\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}$`)
)

// isUUID takes any text of UUID shape, the nil UUID and upper case too.
func isUUID(s string) bool { return len(s) == 36 && uuid.Validate(s) == nil }

func isCountry(s string) bool { return s == "" || countryPattern.MatchString(s) }
func isRegion(s string) bool  { return s == "" || regionPattern.MatchString(s) }

// dateTime reads "YYYY-MM-DD HH:MM:SS" into e. A day that does not exist has the
// right form, so that the event is skipped and not invalid.
func (e *event) dateTime(s string) bool {
	if !dateTimePattern.MatchString(s) {
		return false
	}
	at, err := time.Parse(time.DateTime, s)
	e.at, e.noDate = at, err != nil
	return true
}

// isoTime reads ISO 8601 with seconds and "Z" into e; loosely, also with a space
// for the "T" and any offset from UTC. Days are as with dateTime, and what is
// finer than milliseconds is cut off.
func (e *event) isoTime(s string, loosely bool) bool {
	m := isoPattern.FindStringSubmatch(s)
	if m == nil || !loosely && (m[2] != "T" || m[4] != "Z") {
		return false
	}
	at, err := time.Parse(time.RFC3339Nano, m[1]+"T"+m[3]+m[4])
	e.at, e.noDate = at.UTC().Truncate(time.Millisecond), err != nil
	return true
}

// screen reads "WxH" into e; empty means unknown.
func (e *event) screen(s string) bool {
	if s == "" {
		return true
	}
	m := screenPattern.FindStringSubmatch(s)
	return m != nil && pixels(m[1], &e.width) && pixels(m[2], &e.height)
}

// pixels reads a screen's side of at most 65535; empty means unknown.
func pixels(s string, to *sql.NullInt64) bool {
	if s == "" {
		return true
	}
	n, err := strconv.ParseUint(s, 10, 16)
	*to = sql.NullInt64{Int64: int64(n), Valid: err == nil}
	return err == nil && s[0] != '+'
}

// number reads a finite number; anything else is unknown.
func number(s string) sql.NullFloat64 {
	n, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	return sql.NullFloat64{Float64: n, Valid: err == nil && !math.IsInf(n, 0) && !math.IsNaN(n)}
}

// withQuestionMark turns a query into the form that Rybbit keeps.
func withQuestionMark(query string) string {
	if query == "" {
		return ""
	}
	return "?" + query
}

// foreign returns the referrer unless it is a page of the site itself.
func foreign(referrer, hostname string) string {
	if hostname != "" {
		if u, ok := parseURL(referrer); ok && strings.EqualFold(u.hostname, hostname) {
			return ""
		}
	}
	return referrer
}

// major cuts a version to its first number.
func major(version string) string {
	first, _, _ := strings.Cut(version, ".")
	return first
}
