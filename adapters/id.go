package adapters

import (
	"crypto/sha256"
	"strings"
)

// ID stands for an identifier in a join or a search for repeats: a UUID's own
// bytes, in whatever case it is written, or a digest of any other text.
type ID [16]byte

// IDOf returns the ID of an identifier.
func IDOf(s string) ID {
	if u, ok := UUID(s); ok {
		return u
	}
	sum := sha256.Sum256([]byte(s))
	return ID(sum[:16])
}

// UUID returns the ID of a UUID, and reports whether s is one.
func UUID(s string) (u ID, ok bool) {
	if len(s) != 36 {
		return u, false
	}
	n := 0
	for i := 0; i < len(s); {
		if i == 8 || i == 13 || i == 18 || i == 23 {
			if s[i] != '-' {
				return u, false
			}
			i++
			continue
		}
		high, low := hexDigits[s[i]], hexDigits[s[i+1]]
		if high == 0 || low == 0 {
			return u, false
		}
		u[n] = (high-1)<<4 | (low - 1)
		n++
		i += 2
	}
	return u, true
}

// hexDigits holds each digit's value and one more, so that 0 is no digit.
var hexDigits = func() (t [256]byte) {
	for i := range byte(10) {
		t['0'+i] = i + 1
	}
	for i := range byte(6) {
		t['a'+i], t['A'+i] = i+11, i+11
	}
	return t
}()

// IsRounded reports whether an identifier is a number that a spreadsheet has
// rounded, such as 1.23457E+18: many identifiers have become the same then.
func IsRounded(id string) bool {
	if len(id) > len("1.23457890123456E+999") { // most are, and no number
		return false
	}
	digits, power, found := strings.Cut(id, "E+")
	if !found {
		digits, power, found = strings.Cut(id, "e+")
	}
	return found && digits != "" && len(digits) < 17 && strings.Trim(digits, "0123456789.,") == "" &&
		power != "" && len(power) <= 3 && strings.Trim(power, "0123456789") == ""
}
