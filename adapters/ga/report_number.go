package ga

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// wholeNumber reads a count, with the thousands separators of any language.
func wholeNumber(s string) (int, bool) {
	s = strings.TrimSpace(s)
	if s == "" || s == "-" {
		return 0, true
	}
	f, ok := decimalNumber(s)
	if grouped(s) { // in a count, separators between groups of three part thousands
		f, ok = decimalNumber(strings.Map(func(r rune) rune {
			if r >= '0' && r <= '9' || r == '-' {
				return r
			}
			return -1
		}, s))
	}
	if !ok || f < 0 || f > math.MaxInt32 {
		return 0, false
	}
	return int(math.Round(f)), true
}

// grouped tells 1,234 and 1.234.567 from 1234 and 0.25.
func grouped(s string) bool {
	digits, groups := 0, 0
	for _, r := range s {
		switch {
		case r >= '0' && r <= '9':
			digits++
		case groups == 0 && (digits == 0 || digits > 3), groups > 0 && digits != 3:
			return false
		default:
			digits = 0
			groups++
		}
	}
	return groups > 0 && digits == 3 && s[0] != '0'
}

// decimalNumber reads a number with separators; the last one, where it is not
// repeated, is the decimal point.
func decimalNumber(s string) (float64, bool) {
	s = strings.Map(func(r rune) rune {
		switch r {
		case ' ', '\u00a0', '\u202f', '\'', '’':
			return -1
		}
		return r
	}, strings.TrimSpace(s))
	comma, dot := strings.LastIndexByte(s, ','), strings.LastIndexByte(s, '.')
	switch {
	case comma > dot && strings.Count(s, ",") == 1:
		s = strings.ReplaceAll(s, ".", "")
		s = strings.Replace(s, ",", ".", 1)
	case dot >= 0 && strings.Count(s, ".") > 1:
		s = strings.ReplaceAll(s, ".", "")
	default:
		s = strings.ReplaceAll(s, ",", "")
	}
	f, err := strconv.ParseFloat(s, 64)
	return f, err == nil && !math.IsNaN(f) && !math.IsInf(f, 0)
}

// rate reads a share: 0.45 as the API writes it, 45 % as the interfaces do.
func rate(s string) (float64, bool) {
	number, percent := strings.CutSuffix(strings.TrimSpace(s), "%")
	f, ok := decimalNumber(number)
	if percent {
		f /= 100
	}
	return f, ok && f >= 0 && f <= 1
}

// seconds reads a length of time: 83.5, 00:01:23, or 1m 23s.
func seconds(s string) (float64, bool) {
	s = strings.TrimPrefix(strings.TrimSpace(s), "<")
	if s == "" || s == "-" {
		return 0, true
	}
	if parts := strings.Split(s, ":"); len(parts) > 1 {
		sum := 0.0
		for _, part := range parts {
			f, err := strconv.ParseFloat(part, 64)
			if err != nil {
				return 0, false
			}
			sum = sum*60 + f
		}
		return sum, sum >= 0 && sum < 1e9
	}
	if f, ok := decimalNumber(s); ok {
		return f, f >= 0
	}
	d, err := time.ParseDuration(strings.ReplaceAll(s, " ", ""))
	return d.Seconds(), err == nil && d >= 0
}

// dateForms finds the one form that fits all dates of a column. It is
// ambiguous where day and month could change places.
func dateForms(texts []string) (parse func(string) (time.Time, bool), ambiguous bool, err error) {
	fitting := slices.DeleteFunc([]string{
		"20060102", "2006-01-02", "2006/01/02", "1/2/06", "1/2/2006", "2/1/06", "2/1/2006", "2.1.2006", "2.1.06", "2-1-2006",
		"Jan 2, 2006", "2 Jan 2006", "January 2, 2006", "2 January 2006", "Monday, January 2, 2006", "2006. 1. 2.", "2006010215", "200601021504",
	}, func(form string) bool {
		return slices.ContainsFunc(texts, func(s string) bool {
			_, err := time.Parse(form, s)
			return err != nil
		})
	})
	if len(fitting) == 0 {
		return nil, false, fmt.Errorf("dates such as %q are in no form that is known; expected 20240131 or 2024-01-31", texts[0])
	}
	return func(s string) (time.Time, bool) {
		t, err := time.Parse(fitting[0], s)
		return t.Truncate(24 * time.Hour), err == nil
	}, len(fitting) > 1, nil
}
