package ga

import (
	"math"
	"strconv"
	"strings"
	"time"

	"hopper/adapters"
	"hopper/adapters/input/rows/record"
	"hopper/pipeline"
)

// parseTime reads a point in time. Times without a zone are in loc.
func parseTime(s string, loc *time.Location) (pipeline.Micros, bool) {
	s = strings.TrimSpace(s)
	if len(s) == 8 || len(s) <= 10 && strings.ContainsAny(s, "-/") {
		return 0, false // a date is not when something happened
	}
	times := adapters.Times{Zone: loc, Serials: true}
	return times.Parse(s)
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
