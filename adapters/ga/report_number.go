package ga

import (
	"math"
	"strconv"
	"strings"

	"hopper/adapters"
)

// numbers reads the numbers of a table, which one tool wrote in one form.
type numbers struct {
	counts adapters.Numbers   // of all columns of counts
	means  []adapters.Numbers // by column
	// percents are the columns of shares that are written as 45.5 for 45.5 %.
	percents []bool
}

// learn looks at all numbers of a table. Means are read as the counts beside
// them are, where nothing else says.
func (t *reportTable) learn() {
	n := &t.numbers
	n.counts.Of = adapters.Counts
	n.means, n.percents = make([]adapters.Numbers, len(t.fields)), make([]bool, len(t.fields))
	for i := range t.fields {
		n.means[i].Of = adapters.Means
	}
	for _, row := range t.all() {
		for i, f := range t.fields {
			switch {
			case !f.isMetric():
			case f.isMean():
				n.means[i].Add(bareNumber(cell(row.cells, i)))
			default:
				n.counts.Add(bareNumber(cell(row.cells, i)))
			}
		}
	}
	for i, f := range t.fields {
		n.means[i].Others = &n.counts
		if f == bounceRate || f == engagementRate {
			n.percents[i] = t.inPercent(i)
		}
	}
}

// inPercent reports whether a column's shares have no sign of percent and are of
// 100, as the APIs of Universal Analytics write them.
func (t *reportTable) inPercent(column int) bool {
	if title := strings.ToLower(t.titles[column]); strings.HasPrefix(title, "ga:") || strings.HasPrefix(title, "ga_") {
		return true
	}
	for _, row := range t.all() {
		s := cell(row.cells, column)
		if f, ok := t.numbers.means[column].Parse(s); ok && f > 1 && f <= 100 {
			return true
		}
	}
	return false
}

// bareNumber takes the sign of percent off a number.
func bareNumber(s string) string { return strings.Trim(strings.TrimSpace(s), "%％ \u00a0\u202f") }

// isNothing reports whether a cell says that there is no number.
func isNothing(s string) bool {
	switch strings.ToLower(s) {
	case "", "-", "–", "—", "--", "null", "none", "nan", "<na>", "n/a", `\n`:
		return true
	}
	return false
}

// whole reads a count.
func (n *numbers) whole(s string) (int, bool) {
	s = strings.TrimSpace(s)
	if isNothing(s) {
		return 0, true
	}
	f, ok := n.counts.Parse(s)
	if !ok || f < 0 || f > math.MaxInt32 {
		return 0, false
	}
	return int(math.Round(f)), true
}

// mean reads a number of a column that may have a fraction.
func (n *numbers) mean(s string, column int) (float64, bool) {
	return n.means[column].Parse(s)
}

// share reads a share: 0.45 as the APIs write it, 45 %, 45,0 % or %45 as the
// interfaces do.
func (n *numbers) share(s string, column int) (float64, bool) {
	f, ok := n.means[column].Parse(bareNumber(s))
	if strings.ContainsAny(s, "%％") || n.percents[column] {
		f /= 100
	}
	return f, ok && f >= 0 && f <= 1
}

// length reads a length of time in seconds.
func (n *numbers) length(s string, column int) (float64, bool) {
	return seconds(s, &n.means[column])
}

// wholeNumber reads a count that stands alone.
func wholeNumber(s string) (int, bool) {
	n := numbers{counts: adapters.Numbers{Of: adapters.Counts}}
	n.counts.Add(strings.TrimSpace(s))
	return n.whole(s)
}

// seconds reads a length of time: 83.5, 00:01:23, or 1m 23s in any language.
func seconds(s string, numbers *adapters.Numbers) (float64, bool) {
	s = strings.TrimPrefix(strings.TrimSpace(s), "<")
	if isNothing(s) {
		return 0, true
	}
	if parts := strings.Split(s, ":"); len(parts) > 1 {
		sum := 0.0
		for _, part := range parts {
			f, err := strconv.ParseFloat(strings.Replace(part, ",", ".", 1), 64)
			if err != nil {
				return 0, false
			}
			sum = sum*60 + f
		}
		return sum, sum >= 0 && sum < 1e9
	}
	if f, ok := numbers.Parse(s); ok {
		return f, f >= 0
	}
	return worded(s)
}

// worded reads numbers with units: "1 Std. 2 Min. 3,5 Sek.", "1분 23초".
func worded(s string) (sum float64, ok bool) {
	isDigit := func(r rune) bool { return r >= '0' && r <= '9' }
	for rest := strings.TrimSpace(s); rest != ""; {
		number := rest[:len(rest)-len(strings.TrimLeft(rest, "0123456789.,"))]
		rest = rest[len(number):]
		n, err := strconv.ParseFloat(strings.Replace(number, ",", ".", 1), 64)
		unit := rest[:len(rest)-len(strings.TrimLeftFunc(rest, func(r rune) bool { return !isDigit(r) }))]
		rest = rest[len(unit):]
		size := secondsOf(spelling(unit))
		if err != nil || size == 0 {
			return 0, false
		}
		sum, ok = sum+n*size, true
	}
	return sum, ok && sum < 1e9
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
