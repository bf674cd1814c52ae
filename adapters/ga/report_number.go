package ga

import (
	"math"
	"strconv"
	"strings"
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

// rate reads a share: 0.45 as the API writes it, 45 %, 45,0 % or %45 as the
// interfaces do.
func rate(s string) (float64, bool) {
	number := strings.Trim(strings.TrimSpace(s), "%％ \u00a0\u202f")
	f, ok := decimalNumber(number)
	if strings.ContainsAny(s, "%％") {
		f /= 100
	}
	return f, ok && f >= 0 && f <= 1
}

// seconds reads a length of time: 83.5, 00:01:23, or 1m 23s in any language.
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
	return worded(s)
}

// worded reads numbers with units: "1 Std. 2 Min. 3 Sek.", "1분 23초".
func worded(s string) (sum float64, ok bool) {
	rest := spelling(strings.NewReplacer(",", "", ".", "").Replace(s))
	if fraction := strings.ContainsAny(s, ".,") && len(s) < 8; fraction { // 45.5s
		number := strings.TrimRightFunc(s, func(r rune) bool { return r < '0' || r > '9' })
		if f, isNumber := decimalNumber(number); isNumber && secondsOf(spelling(s[len(number):])) == 1 {
			return f, f >= 0
		}
	}
	for rest != "" {
		digits := len(rest) - len(strings.TrimLeft(rest, "0123456789"))
		if digits == 0 || digits > 9 {
			return 0, false
		}
		n, _ := strconv.Atoi(rest[:digits])
		rest = rest[digits:]
		unit := rest[:len(rest)-len(strings.TrimLeftFunc(rest, func(r rune) bool { return r < '0' || r > '9' }))]
		rest = rest[len(unit):]
		size := secondsOf(unit)
		if size == 0 {
			return 0, false
		}
		sum += float64(n) * size
	}
	return sum, true
}

// unitNames are the beginnings of the units' names, and how many seconds they
// are. The longest that fits counts: Turkish has sa for an hour, sn for a second.
var unitNames = map[string]float64{
	"ms": 0.001, "d": 86400, "tag": 86400, "дн": 86400, "天": 86400, "日": 86400,
	"h": 3600, "std": 3600, "stund": 3600, "u": 3600, "ore": 3600, "godz": 3600, "g": 3600, "sa": 3600, "ч": 3600, "час": 3600, "時間": 3600, "小时": 3600, "小時": 3600, "时": 3600, "시간": 3600,
	"m": 60, "min": 60, "dk": 60, "мин": 60, "м": 60, "分": 60, "分钟": 60, "分鐘": 60, "분": 60,
	"s": 1, "sec": 1, "sek": 1, "seg": 1, "sn": 1, "с": 1, "сек": 1, "秒": 1, "초": 1,
}

// secondsOf returns how long a unit is, 0 where it is none.
func secondsOf(unit string) float64 {
	best, size := 0, 0.0
	for name, seconds := range unitNames {
		if name = spelling(name); strings.HasPrefix(unit, name) && len(name) > best {
			best, size = len(name), seconds
		}
	}
	return size
}
