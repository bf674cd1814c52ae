package adapters

import (
	"math"
	"strconv"
	"strings"
)

// Integer returns how an integer is written that a data frame or a spreadsheet
// has made a decimal number: "17" for "17.0" and "17.". Other text stays as it is.
func Integer(s string) string {
	whole, zeros, found := strings.Cut(s, ".")
	if !found || strings.Trim(zeros, "0") != "" {
		return s
	}
	digits := strings.TrimPrefix(whole, "-")
	if digits == "" || strings.Trim(digits, "0123456789") != "" {
		return s
	}
	return whole
}

// Numbers reads the numbers of a column, which one tool wrote in one form: 1234,
// 1234.5, 1,234.5, 1.234,5, 1 234,5 or 1'234. What a separator means that three
// digits follow, as in 1.234, is decided by the column as a whole. The zero
// Numbers is ready for use; once all numbers are added, any number of goroutines
// may Parse.
type Numbers struct {
	// Others, if set, are the numbers of all columns, which decide where this one
	// does not.
	Others *Numbers
	// Of says what the numbers are, where that is known.
	Of Amounts

	seps  [2]separator // dot and comma
	short bool         // a number from 1 to 999 without a separator
	long  bool         // one of 1000 and more
}

// Amounts say what a column's numbers are.
type Amounts uint8

const (
	AnyAmounts Amounts = iota
	// Counts are whole numbers: a separator that three digits follow parts
	// thousands.
	Counts
	// Means have fractions of any length, and short ones beside them.
	Means
)

// separator is how a dot or a comma has been seen.
type separator struct {
	fraction bool // it stands before a fraction: 0.5, 12.25
	groups   bool // it parts thousands: 1.234.567, 1.234,5
	open     bool // it may be either: 1.234
}

// Add takes a number of the column. What is none is ignored.
func (n *Numbers) Add(s string) {
	if IsDigits(s) {
		n.short = n.short || len(s) < 4 && s != "0"
		n.long = n.long || len(s) > 3
	} else {
		n.addWritten(plainNumber(s))
	}
	if n.Others != nil {
		n.Others.Add(s)
	}
}

func (n *Numbers) addWritten(s string) {
	if strings.Trim(s, "0123456789.,") != "" {
		return
	}
	dot, comma := strings.LastIndexByte(s, '.'), strings.LastIndexByte(s, ',')
	last, other := &n.seps[0], &n.seps[1]
	if comma > dot {
		last, other = other, last
	}
	at := max(dot, comma)
	switch {
	case at < 0:
	case min(dot, comma) >= 0:
		last.fraction, other.groups = true, true
	case strings.Count(s, s[at:at+1]) > 1:
		last.groups = true
	case len(s)-at-1 != 3 || at > 3 || at == 0 || s[0] == '0':
		last.fraction = true
	default:
		last.open = true
	}
}

// meaning is what a separator is for.
type meaning uint8

const (
	unclear meaning = iota
	beforeFraction
	partsThousands
)

func (n *Numbers) meaning(i int) meaning {
	own, other := n.seps[i], n.seps[1-i]
	switch {
	case own.fraction && (own.groups || own.open && n.Of == Counts):
		return unclear
	case own.fraction:
		return beforeFraction
	case own.groups, other.fraction, n.Of == Counts && own.open, n.Of == AnyAmounts && n.short && !n.long:
		return partsThousands
	case n.Others != nil:
		return n.Others.meaning(i)
	case n.Of == AnyAmounts && n.long && own.open:
		return unclear
	}
	return beforeFraction // all numbers have three digits behind it
}

// Parse reads a number, and reports whether it is one.
func (n *Numbers) Parse(s string) (float64, bool) {
	if IsDigits(s) && len(s) < 16 {
		whole, _ := strconv.ParseInt(s, 10, 64)
		return float64(whole), true
	}
	s = plainNumber(s)
	var groups, point string
	for i, sep := range [...]string{".", ","} {
		if !strings.Contains(s, sep) {
			continue
		}
		switch n.meaning(i) {
		case partsThousands:
			groups = sep
		case beforeFraction:
			point = sep
		default:
			return 0, false
		}
	}
	whole, fraction, cut := s, "", false
	if point != "" {
		whole, fraction, cut = strings.Cut(s, point)
	}
	if groups != "" {
		if !inThousands(whole, groups) {
			return 0, false
		}
		whole = strings.ReplaceAll(whole, groups, "")
	}
	if cut {
		whole += "." + fraction
	}
	if strings.Trim(whole, "+-.eE0123456789") != "" {
		return 0, false
	}
	f, err := strconv.ParseFloat(whole, 64)
	return f, err == nil && !math.IsInf(f, 0)
}

// inThousands recognizes 1.234.567, with sep as the dot.
func inThousands(s, sep string) bool {
	first, rest, more := strings.Cut(strings.TrimPrefix(s, "-"), sep)
	if len(first) < 1 || len(first) > 3 || !IsDigits(first) {
		return false
	}
	for more {
		var group string
		if group, rest, more = strings.Cut(rest, sep); len(group) != 3 || !IsDigits(group) {
			return false
		}
	}
	return true
}

// plainNumber takes spaces and apostrophes off a number, which part thousands,
// and makes the minus sign a hyphen.
func plainNumber(s string) string {
	return strings.Map(func(r rune) rune {
		switch r {
		case ' ', '\u00a0', '\u202f', '\u2009', '\'', '’':
			return -1
		case '−':
			return '-'
		}
		return r
	}, s)
}

// IsDigits reports whether s is ASCII digits, one at least.
func IsDigits(s string) bool {
	for i := range len(s) {
		if !isDigit(s[i]) {
			return false
		}
	}
	return s != ""
}
