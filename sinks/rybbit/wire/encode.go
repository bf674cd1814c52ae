package wire

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"

	"hopper/pipeline"
)

// The functions here append to a JSON text under construction and allocate
// nothing for normalized events. Each "text" is the inside of a JSON string:
// the quotes are part of the literals around it.

// escapes[c] is what c becomes inside a JSON string; empty is c itself.
var escapes = func() (table [utf8.RuneSelf]string) {
	const hex = "0123456789abcdef"
	for c := range byte(' ') {
		table[c] = `\u00` + string(hex[c>>4]) + string(hex[c&15])
	}
	table['\n'], table['\r'], table['\t'] = `\n`, `\r`, `\t`
	table['"'], table['\\'] = `\"`, `\\`
	return table
}()

// nestedEscapes is escapes for a JSON string within the text of a JSON string.
var nestedEscapes = func() (table [utf8.RuneSelf]string) {
	for c, once := range escapes {
		if once != "" {
			table[c] = string(appendEscaped(nil, once, &escapes))
		}
	}
	return table
}()

// appendText appends s to the inside of a JSON string.
func appendText(dst []byte, s string) []byte { return appendEscaped(dst, s, &escapes) }

// appendNested appends s to the inside of a JSON string that stands in a JSON
// text that is the inside of a JSON string.
func appendNested(dst []byte, s string) []byte { return appendEscaped(dst, s, &nestedEscapes) }

func appendEscaped(dst []byte, s string, table *[utf8.RuneSelf]string) []byte {
	if isPlain(s) {
		return append(dst, s...)
	}
	done := 0
	for i := plainPrefix(s); i < len(s); {
		c := s[i]
		if plain[c] {
			i++
			continue
		}
		if c < utf8.RuneSelf {
			dst = append(append(dst, s[done:i]...), table[c]...)
			i++
			done = i
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && size == 1 {
			dst = append(append(dst, s[done:i]...), "\uFFFD"...)
			done = i + 1
		}
		i += size
	}
	return append(dst, s[done:]...)
}

// plain are the bytes that stand for themselves in a JSON string.
var plain = func() (set [256]bool) {
	for c := range utf8.RuneSelf {
		set[c] = escapes[c] == ""
	}
	return set
}()

// plainPrefix returns a length of s from its start that holds nothing but
// ASCII that needs no escape: all of it but for up to seven characters. It
// looks at eight bytes at once, by the well known tricks for finding a byte
// that is zero or less than another in a word.
func plainPrefix(s string) int {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	i := 0
	for ; len(s)-i >= 8; i += 8 {
		w := uint64(s[i]) | uint64(s[i+1])<<8 | uint64(s[i+2])<<16 | uint64(s[i+3])<<24 |
			uint64(s[i+4])<<32 | uint64(s[i+5])<<40 | uint64(s[i+6])<<48 | uint64(s[i+7])<<56
		control := w - ones*' '
		quote := (w ^ ones*'"') - ones
		backslash := (w ^ ones*'\\') - ones
		if (w|control|quote|backslash)&highs != 0 {
			return i
		}
	}
	return i
}

// isPlain reports whether s holds nothing but ASCII that needs no escape.
func isPlain(s string) bool {
	if len(s) < 8 {
		for i := range len(s) {
			if !plain[s[i]] {
				return false
			}
		}
		return true
	}
	return plainPrefix(s) >= len(s)-7 && plainPrefix(s[len(s)-8:]) == 8
}

// escapedUnits returns the length of s inside a JSON string, in UTF-16 code units.
func escapedUnits(s string) int {
	n := 0
	for _, r := range s {
		switch {
		case r < utf8.RuneSelf:
			n += max(1, len(escapes[r]))
		case r > math.MaxUint16:
			n += 2
		default:
			n++
		}
	}
	return n
}

// appendCut is appendText for at most limit UTF-16 code units of s.
func appendCut(dst []byte, s string, limit int) []byte {
	return appendText(dst, pipeline.Cut(s, limit))
}

// firstAndLast are the times that all formats can write.
const (
	firstTime pipeline.Micros = 0
	lastTime  pipeline.Micros = 253402300799_999999 // 9999-12-31 23:59:59.999999
)

// appendTime appends t as "2024-05-01", sep and "10:00:00".
func appendTime(dst []byte, t pipeline.Micros, sep byte) []byte {
	at := min(max(t, firstTime), lastTime).Time()
	year, month, day := at.Date()
	hour, minute, second := at.Clock()
	dst = append2(append2(dst, year/100), year%100)
	dst = append2(append(dst, '-'), int(month))
	dst = append2(append(dst, '-'), day)
	dst = append2(append(dst, sep), hour)
	dst = append2(append(dst, ':'), minute)
	return append2(append(dst, ':'), second)
}

func append2(dst []byte, n int) []byte { return append(dst, byte('0'+n/10), byte('0'+n%10)) }

// appendUUID appends id, or where it is no UUID the one that always stands for it.
func appendUUID(dst []byte, id string) []byte {
	if !pipeline.IsUUID(id) {
		id = uuid.NewSHA1(uuid.NameSpaceURL, []byte(id)).String()
	}
	return append(dst, id...)
}

// appendSession appends the id of ev's session.
func appendSession(dst []byte, ev *pipeline.Event) []byte {
	if ev.ValidIDs {
		return append(dst, ev.Session...)
	}
	return appendUUID(dst, ev.Session)
}

// appendVisitor appends the id of ev's visitor.
func appendVisitor(dst []byte, ev *pipeline.Event) []byte {
	if ev.ValidIDs {
		return append(dst, ev.Visitor...)
	}
	return appendUUID(dst, visitorOf(ev))
}

// visitorOf returns the visitor's id: a session without one is its own visitor.
func visitorOf(ev *pipeline.Event) string {
	if ev.Visitor == "" {
		return ev.Session
	}
	return ev.Visitor
}

func appendScreen(dst []byte, ev *pipeline.Event) []byte {
	if !hasScreen(ev) {
		return dst
	}
	dst = strconv.AppendInt(dst, int64(ev.ScreenWidth), 10)
	dst = append(dst, 'x')
	return strconv.AppendInt(dst, int64(ev.ScreenHeight), 10)
}

func hasScreen(ev *pipeline.Event) bool { return isSide(ev.ScreenWidth) && isSide(ev.ScreenHeight) }

func isSide(pixels int) bool { return 1 <= pixels && pixels <= math.MaxUint16 }

func appendCountry(dst []byte, country string) []byte {
	if isCountry(country) {
		dst = append(dst, country...)
	}
	return dst
}

func appendRegion(dst []byte, region string) []byte {
	if isRegion(region) {
		dst = append(dst, region...)
	}
	return dst
}

func isCountry(s string) bool { return len(s) == 2 && isUpper(s[0]) && isUpper(s[1]) }

// isRegion reports whether s is a country's code, "-" and one to three letters or digits.
func isRegion(s string) bool {
	if len(s) < 4 || len(s) > 6 || !isCountry(s[:2]) || s[2] != '-' {
		return false
	}
	for i := 3; i < len(s); i++ {
		if !isUpper(s[i]) && !isDigit(s[i]) {
			return false
		}
	}
	return true
}

// regionCode returns the part of a region's code after its country, for the
// formats that write the two apart; it is empty where they contradict each other.
func regionCode(ev *pipeline.Event) string {
	if isRegion(ev.Region) && ev.Region[:2] == ev.Country {
		return ev.Region[3:]
	}
	return ""
}

func isUpper(c byte) bool { return 'A' <= c && c <= 'Z' }
func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// appendNumber appends v without an exponent.
func appendNumber(dst []byte, v float64) []byte { return strconv.AppendFloat(dst, v, 'f', -1, 64) }

func hasCoordinates(ev *pipeline.Event) bool {
	return ev.Latitude.Known && ev.Longitude.Known && math.Abs(ev.Latitude.Value) <= 90 && math.Abs(ev.Longitude.Value) <= 180
}

// A nestedObject writes a JSON object into the inside of a JSON string.
type nestedObject struct {
	dst   []byte
	start int
	left  int // UTF-16 code units left of the limit
	full  bool
}

// newNestedObject begins an object at the end of dst that is at most limit
// UTF-16 code units long, before it is escaped.
func newNestedObject(dst []byte, limit int) nestedObject {
	dst = append(dst, '{')
	return nestedObject{dst: dst, start: len(dst), left: limit - len("{}")}
}

// furtherMembers goes on with an object that has members already and no limit.
func furtherMembers(dst []byte) nestedObject { return nestedObject{dst: dst, start: -1} }

// key appends a key of plain ASCII, which needs no escape.
func (o *nestedObject) key(key string) {
	o.comma()
	o.dst = append(o.dst, `\"`...)
	o.dst = append(o.dst, key...)
	o.dst = append(o.dst, `\":`...)
}

func (o *nestedObject) comma() {
	if len(o.dst) > o.start {
		o.dst = append(o.dst, ',')
	}
}

// text appends a member unless the value is empty, without regard to the limit.
func (o *nestedObject) text(key, value string) {
	if value == "" {
		return
	}
	o.key(key)
	o.dst = append(o.dst, `\"`...)
	o.dst = appendNested(o.dst, value)
	o.dst = append(o.dst, `\"`...)
}

func (o *nestedObject) number(key string, value float64) {
	o.key(key)
	o.dst = appendNumber(o.dst, value)
}

// property appends p, with prefix before its key, and reports whether the
// limit allowed it; after the first that does not fit none is taken.
func (o *nestedObject) property(prefix string, p *pipeline.Property) bool {
	literal := p.Literal && isLiteral(p.Value)
	units := propertyUnits(prefix, p, literal)
	if len(o.dst) > o.start {
		units += len(",")
	}
	if o.full = o.full || units > o.left; o.full {
		return false
	}
	o.left -= units
	o.comma()
	o.dst = append(o.dst, `\"`...)
	o.dst = append(o.dst, prefix...)
	o.dst = appendNested(o.dst, p.Key)
	o.dst = append(o.dst, `\":`...)
	if literal {
		o.dst = appendText(o.dst, p.Value)
		return true
	}
	o.dst = append(o.dst, `\"`...)
	o.dst = appendNested(o.dst, p.Value)
	o.dst = append(o.dst, `\"`...)
	return true
}

func (o *nestedObject) end() []byte { return append(o.dst, '}') }

// propertyUnits returns the length of a member without its comma.
func propertyUnits(prefix string, p *pipeline.Property, literal bool) int {
	n := len(`"":`) + len(prefix) + escapedUnits(p.Key)
	if literal {
		return n + pipeline.Units(p.Value)
	}
	return n + len(`""`) + escapedUnits(p.Value)
}

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
	digits := 0
	for digits < len(s) && isDigit(s[digits]) {
		digits++
	}
	if digits == len(s) && 0 < digits && digits <= exact && (s[0] != '0' || digits == 1) {
		return true
	}
	if !utf8.ValidString(s) || !json.Valid([]byte(s)) {
		return false
	}
	if s[0] != '-' && !isDigit(s[0]) {
		return true
	}
	_, err := strconv.ParseFloat(s, 64)
	return err == nil && (len(s) <= exact || strings.ContainsAny(s, ".eE"))
}
