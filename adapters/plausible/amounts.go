package plausible

import (
	"math"
	"strconv"
	"strings"

	"hopper/adapters"
	"hopper/adapters/input/rows"
)

// amounts reads the cells of a table's sums, in the order of reconstruct.Sums.
type amounts struct {
	columns [5]int // -1 where absent
	numbers [5]adapters.Numbers
}

// durationAmount is the sum that may be written as a length of time.
const durationAmount = 4

// note looks at a row's sums for the form of their numbers.
func (a *amounts) note(row *rows.Row) {
	for m, column := range a.columns {
		if column >= 0 {
			a.numbers[m].Add(row.Cells[column])
		}
	}
}

// read returns a row's sums, and reports whether all are amounts. A cell that
// is empty is none; one below zero, which counts nothing, is none too.
func (a *amounts) read(cells []string) (n [5]int, negative, ok bool) {
	for m, column := range a.columns {
		if column < 0 {
			continue
		}
		f, ok := a.amount(m, cells[column])
		if !ok {
			return n, false, false
		}
		negative = negative || f < 0
		n[m] = int(max(math.Round(f), 0)) // sampled sites can have fractions
	}
	return n, negative, true
}

func (a *amounts) amount(m int, cell string) (float64, bool) {
	if cell == "" || isNull(cell) {
		return 0, true
	}
	f, ok := a.numbers[m].Parse(cell)
	if !ok && m == durationAmount {
		f, ok = duration(cell)
	}
	return f, ok && f < math.MaxInt64/2
}

// duration reads 1:02:03 and 2m 30s.
func duration(s string) (seconds float64, ok bool) {
	s = strings.TrimSpace(s)
	if parts := strings.Split(s, ":"); len(parts) == 2 || len(parts) == 3 {
		for _, part := range parts {
			n, err := strconv.ParseUint(part, 10, 32)
			if err != nil {
				return 0, false
			}
			seconds = seconds*60 + float64(n)
		}
		return seconds, true
	}
	for s != "" {
		digits := len(s) - len(strings.TrimLeft(s, "0123456789"))
		n, err := strconv.ParseUint(s[:digits], 10, 32)
		if err != nil {
			return 0, false
		}
		unit := strings.TrimLeft(s[digits:], " ")
		rest := strings.TrimLeft(unit, "abcdefghijklmnopqrstuvwxyz")
		size := map[string]float64{"d": 86400, "h": 3600, "m": 60, "min": 60, "s": 1, "sec": 1}[unit[:len(unit)-len(rest)]]
		if size == 0 {
			return 0, false
		}
		seconds, s = seconds+float64(n)*size, strings.TrimLeft(rest, " ")
	}
	return seconds, true
}

// isNull recognizes what tools write for a value that is not there. Python's None is
// not told, since a property can have that value.
func isNull(cell string) bool {
	return cell == "NULL" || cell == `\N` || cell != "None" && rows.IsNullWord(cell)
}
