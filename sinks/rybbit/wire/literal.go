package wire

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// isLiteral reports whether s is a JSON value that JavaScript reads as it
// stands. What claims to be one and is not would spoil the event that it belongs
// to, and a number beyond a double's range or an integer beyond its precision
// would change: these are written as text.
func isLiteral(s string) bool {
	switch s {
	case "true", "false", "null":
		return true
	}
	const exact = 15 // decimal digits that a double always holds
	digits := digitsEnd(s, 0)
	if digits == len(s) && 0 < digits && digits <= exact && (s[0] != '0' || digits == 1) {
		return true
	}
	if !utf8.ValidString(s) || !isJSON(s) {
		return false
	}
	if s[0] != '-' && !isDigit(s[0]) {
		return true
	}
	if len(s) <= exact && !strings.ContainsAny(s, "eE \t\r\n") {
		return true
	}
	_, err := strconv.ParseFloat(s, 64)
	return err == nil && (len(s) <= exact || strings.ContainsAny(s, ".eE"))
}

// isJSON is [json.Valid], which takes each byte through a function of its own.
func isJSON(s string) bool {
	end := valueEnd(s, 0, 0)
	return end >= 0 && spaceEnd(s, end) == len(s)
}

// maxDepth is how deep values can be nested for [json.Valid].
const maxDepth = 10_000

// valueEnd returns where the value ends that begins at i or behind spaces there, and -1
// where none does.
func valueEnd(s string, i, depth int) int {
	if i = spaceEnd(s, i); i == len(s) {
		return -1
	}
	switch c := s[i]; {
	case c == '"':
		return stringEnd(s, i+1)
	case c == '{' || c == '[':
		if depth == maxDepth {
			return -1
		}
		return membersEnd(s, i+1, depth+1, c == '{')
	case c == '-' || isDigit(c):
		return numberEnd(s, i)
	}
	for _, word := range [...]string{"true", "false", "null"} {
		if strings.HasPrefix(s[i:], word) {
			return i + len(word)
		}
	}
	return -1
}

// membersEnd returns where an object, or else a list, ends whose members begin at i.
func membersEnd(s string, i, depth int, object bool) int {
	closing := byte(']')
	if object {
		closing = '}'
	}
	if i = spaceEnd(s, i); i < len(s) && s[i] == closing {
		return i + 1
	}
	for {
		if object {
			if i = spaceEnd(s, i); i == len(s) || s[i] != '"' {
				return -1
			}
			if i = stringEnd(s, i+1); i < 0 {
				return -1
			}
			if i = spaceEnd(s, i); i == len(s) || s[i] != ':' {
				return -1
			}
			i++
		}
		if i = valueEnd(s, i, depth); i < 0 {
			return -1
		}
		if i = spaceEnd(s, i); i == len(s) || s[i] != ',' && s[i] != closing {
			return -1
		}
		i++
		if s[i-1] == closing {
			return i
		}
	}
}

// stringEnd returns where the string ends whose text begins at i.
func stringEnd(s string, i int) int {
	for {
		for i < len(s) && !escaped.Has(s[i]) {
			i++
		}
		if i == len(s) || s[i] < ' ' {
			return -1
		}
		if s[i] == '"' {
			return i + 1
		}
		if i++; i == len(s) { // behind a backslash
			return -1
		}
		switch s[i] {
		case 'b', 'f', 'n', 'r', 't', '\\', '/', '"':
		case 'u':
			for range 4 {
				if i++; i == len(s) || !isHex(s[i]) {
					return -1
				}
			}
		default:
			return -1
		}
		i++
	}
}

// numberEnd returns where the number ends that begins at i.
func numberEnd(s string, i int) int {
	if s[i] == '-' {
		i++
	}
	end := digitsEnd(s, i)
	if end == i || s[i] == '0' && end > i+1 {
		return -1
	}
	if i = end; i < len(s) && s[i] == '.' {
		if end = digitsEnd(s, i+1); end == i+1 {
			return -1
		}
		i = end
	}
	if i < len(s) && s[i]|0x20 == 'e' {
		i++
		if i < len(s) && (s[i] == '+' || s[i] == '-') {
			i++
		}
		if end = digitsEnd(s, i); end == i {
			return -1
		}
		i = end
	}
	return i
}

// digitsEnd returns where the digits end that begin at i.
func digitsEnd(s string, i int) int {
	for i < len(s) && isDigit(s[i]) {
		i++
	}
	return i
}

// spaceEnd returns where the spaces end that begin at i.
func spaceEnd(s string, i int) int {
	for i < len(s) && (s[i] == ' ' || s[i] == '\n' || s[i] == '\t' || s[i] == '\r') {
		i++
	}
	return i
}
