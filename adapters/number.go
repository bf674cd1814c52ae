package adapters

import "strings"

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
