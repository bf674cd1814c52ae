package ga

import (
	"math"
	"strconv"
	"strings"
	"time"

	"hopper/adapters/input/rows/record"
	"hopper/pipeline"
)

// parseTime reads a point in time: a count since 1970 in seconds, milli- or
// microseconds, as its size tells, or a date and time as BigQuery prints them.
// Times without a zone are in loc.
func parseTime(s string, loc *time.Location) (pipeline.Micros, bool) {
	s = strings.TrimSpace(s)
	if n, ok := parseInt(s); ok {
		switch {
		case n <= 0:
		case n < 1e11:
			return pipeline.Micros(n * 1e6), true
		case n < 1e14:
			return pipeline.Micros(n * 1e3), true
		case n < 1e17:
			return pipeline.Micros(n), true
		}
		return 0, false
	}
	if strings.ContainsAny(s, "eE.") && !strings.ContainsAny(s, ":T") { // a spreadsheet's 1.60419E+15
		return 0, false
	}
	if utc, found := strings.CutSuffix(s, " UTC"); found { // as BigQuery prints a TIMESTAMP
		s, loc = utc, time.UTC
	}
	for _, layout := range [...]string{
		"2006-01-02 15:04:05.999999999", time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999Z07:00", "2006-01-02 15:04:05.999999999-07",
	} {
		if t, err := time.ParseInLocation(layout, s, loc); err == nil {
			return pipeline.MicrosOf(t), true
		}
	}
	return 0, false
}

// parseInt reads a decimal integer, also as 17.0, which spreadsheets and data
// frames make of 17.
func parseInt(s string) (int64, bool) {
	s = strings.TrimSuffix(s, ".0")
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil
}

// property returns a property of a value whose type the source tells.
func property(key, text string, isNumber bool) pipeline.Property {
	if isNumber {
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			return pipeline.Property{Key: key, Value: strconv.FormatInt(n, 10), Literal: true}
		}
		if f, err := strconv.ParseFloat(text, 64); err == nil && !math.IsInf(f, 0) && !math.IsNaN(f) {
			return pipeline.Property{Key: key, Value: record.FormatFloat(f), Literal: true}
		}
	}
	return pipeline.Property{Key: key, Value: text}
}
