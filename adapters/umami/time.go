package umami

import (
	"strings"
	"time"

	"hopper/pipeline"
)

// parseTime reads a created_at in any of the forms that Umami's databases and
// their tools write:
//
//	2024-05-01 10:00:00   2024-05-01T10:00:00Z   2024-05-01 10:00:00.123456+00
//	2024-05-01 10:00:00 UTC   2024-05-01 12:00:00+02:00   2024-05-01 12:00:00.5+0200
//
// A time without a zone is in loc. Fractions below a microsecond are cut off.
func parseTime(s string, loc *time.Location) (t pipeline.Micros, ok bool) {
	if len(s) < 19 || s[4] != '-' || s[7] != '-' || s[10] != ' ' && s[10] != 'T' || s[13] != ':' || s[16] != ':' {
		return 0, false
	}
	bad := 0
	number := func(from, to int) int {
		n := 0
		for i := from; i < to; i++ {
			digit := int(s[i]) - '0'
			if digit < 0 || digit > 9 {
				bad++
			}
			n = n*10 + digit
		}
		return n
	}
	year, month, day := number(0, 4), number(5, 7), number(8, 10)
	hour, minute, second := number(11, 13), number(14, 16), number(17, 19)
	if bad > 0 || year < 1 || month < 1 || month > 12 || day < 1 || day > daysIn(year, month) || hour > 23 || minute > 59 || second > 59 {
		return 0, false
	}
	s = s[19:]
	micros := 0
	if s != "" && s[0] == '.' {
		s = s[1:]
		unit := 100_000
		for s != "" && '0' <= s[0] && s[0] <= '9' {
			micros += int(s[0]-'0') * unit
			unit /= 10
			s = s[1:]
		}
	}
	offset, ok := 0, true // seconds east of UTC
	switch s {
	case "":
		if loc != time.UTC && loc != nil {
			return pipeline.MicrosOf(time.Date(year, time.Month(month), day, hour, minute, second, micros*1000, loc)), true
		}
	case "Z", "+00", "+00:00", " UTC":
	default:
		if offset, ok = parseOffset(s); !ok {
			return 0, false
		}
	}
	seconds := int64(daysSinceEpoch(year, month, day))*86400 + int64(hour*3600+minute*60+second-offset)
	return pipeline.Micros(seconds*1_000_000 + int64(micros)), true
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
