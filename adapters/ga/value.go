package ga

import (
	"math"
	"strconv"
	"strings"

	"hopper/adapters"
	"hopper/adapters/input/rows/record"
	"hopper/pipeline"
)

// exactMicros reads a time as BigQuery writes it, which can be no other: the
// microseconds since 1970 of a time between 2001 and 2096.
func exactMicros(s string) (at pipeline.Micros, ok bool) {
	if len(s) != 16 || s[0] < '1' || s[0] > '3' || !adapters.IsDigits(s) {
		return 0, false
	}
	for i := range len(s) {
		at = at*10 + pipeline.Micros(s[i]-'0')
	}
	return at, true
}

const (
	rejectTime    = "event_timestamp is no time"
	rejectRounded = "event_timestamp was rounded by a spreadsheet (1.71E+15); export it again and do not save it with one"
)

// momentIn reads a point in time, also as spreadsheets and data frames write
// numbers, and says why it is none.
func momentIn(s string, times *adapters.Times) (_ pipeline.Micros, reject string) {
	s = strings.TrimSpace(s)
	if len(s) == 8 || len(s) <= 10 && strings.ContainsAny(s, "-/") {
		return 0, rejectTime // a date is not when something happened
	}
	if mantissa, _, found := strings.Cut(strings.ToLower(s), "e"); found && strings.Trim(mantissa, "0123456789.") == "" {
		f, err := strconv.ParseFloat(s, 64)
		const precise = 11 // digits: seconds of now have 10
		if err != nil || f < 1e8 || f > 1e19 {
			return 0, rejectTime
		}
		if len(strings.ReplaceAll(mantissa, ".", "")) < precise {
			return 0, rejectRounded
		}
		s = strconv.FormatFloat(f, 'f', 0, 64)
	}
	switch commas := strings.Count(s, ","); {
	case strings.Trim(s, "0123456789,") != "":
	case commas == 1: // the serial number of a date
		s = strings.Replace(s, ",", ".", 1)
	case commas > 1: // 1,710,318,000,125,000
		s = strings.ReplaceAll(s, ",", "")
	}
	at, ok := times.Parse(s)
	if !ok {
		return 0, rejectTime
	}
	return at, ""
}

// parseInt reads a decimal integer, also as 17.0, which spreadsheets and data
// frames make of 17.
func parseInt(s string) (int64, bool) {
	s = strings.TrimSuffix(s, ".0")
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil
}

// isInteger reports whether text is an integer as it is written, of no more digits
// than 64 bits hold.
func isInteger(text string) bool {
	digits := strings.TrimPrefix(text, "-")
	return adapters.IsDigits(digits) && len(digits) <= 18 && (digits[0] != '0' || text == "0")
}

// isDecimal reports whether text is a fraction as [record.FormatFloat] writes it:
// of no more digits than every float64 keeps, and no needless zeros.
func isDecimal(text string) bool {
	whole, fraction, found := strings.Cut(strings.TrimPrefix(text, "-"), ".")
	if !found || whole == "" || fraction == "" || len(whole)+len(fraction) > 15 || fraction[len(fraction)-1] == '0' {
		return false
	}
	if whole[0] == '0' && (len(whole) > 1 || fraction[0] == '0') {
		return false
	}
	return adapters.IsDigits(whole) && adapters.IsDigits(fraction)
}

// property returns a property of a value whose type the source tells.
func property(key, text string, isNumber bool) pipeline.Property {
	if isNumber {
		if isInteger(text) || isDecimal(text) {
			return pipeline.Property{Key: key, Value: text, Literal: true}
		}
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			return pipeline.Property{Key: key, Value: strconv.FormatInt(n, 10), Literal: true}
		}
		if f, err := strconv.ParseFloat(text, 64); err == nil && !math.IsInf(f, 0) && !math.IsNaN(f) {
			return pipeline.Property{Key: key, Value: record.FormatFloat(f), Literal: true}
		}
	}
	return pipeline.Property{Key: key, Value: text}
}
