package wire

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"

	"hopper/pipeline"
	"hopper/pipeline/byteset"
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

// escaped are the bytes that do not stand for themselves in a JSON string, doubtful those
// of characters beyond ASCII, too, which may be no valid ones.
var (
	escaped  = byteset.Of(func(c byte) bool { return c < utf8.RuneSelf && escapes[c] != "" })
	doubtful = byteset.Of(func(c byte) bool { return !plain[c] })
)

// appendJoined appends literals and behind each of them a text of ev, as the inside of a
// JSON string.
func appendJoined(dst []byte, ev *pipeline.Event, literals, texts []string) []byte {
	unlike := doubtful
	if ev.ValidUTF8 {
		unlike = escaped
	}
	if !unlike.Fast() {
		for i, text := range texts {
			dst = appendText(append(dst, literals[i]...), text)
		}
		return dst
	}
	for {
		var done int
		if dst, done = unlike.Join(dst, literals, texts); done == len(texts) {
			return dst
		}
		dst = appendSlowly(dst, texts[done], &escapes)
		literals, texts = literals[done+1:], texts[done+1:]
	}
}

// appendText appends s to the inside of a JSON string.
func appendText(dst []byte, s string) []byte { return appendEscaped(dst, s, &escapes) }

// appendNested appends s to the inside of a JSON string that stands in a JSON
// text that is the inside of a JSON string.
func appendNested(dst []byte, s string) []byte { return appendEscaped(dst, s, &nestedEscapes) }

// appendEscaped looks at eight bytes at once while it copies them, at some of the
// last ones twice, up to a byte that needs an escape or is not ASCII.
func appendEscaped(dst []byte, s string, table *[utf8.RuneSelf]string) []byte {
	begin, n := len(dst), len(s)
	if cap(dst)-begin < n {
		dst = slices.Grow(dst, n)
	}
	to := dst[begin : begin+n]
	switch {
	case n >= 8:
		for i := 0; i < n-8; i += 8 {
			w := word(s[i:])
			if !isPlain(w) {
				return appendSlowly(dst[:begin+i], s[i:], table)
			}
			binary.LittleEndian.PutUint64(to[i:], w)
		}
		w := word(s[n-8:])
		if !isPlain(w) {
			i := (n - 1) &^ 7
			return appendSlowly(dst[:begin+i], s[i:], table)
		}
		binary.LittleEndian.PutUint64(to[n-8:], w)
	case n >= 4:
		first, last := half(s), half(s[n-4:])
		if !isPlain(uint64(first) | uint64(last)<<32) {
			return appendSlowly(dst, s, table)
		}
		binary.LittleEndian.PutUint32(to, first)
		binary.LittleEndian.PutUint32(to[n-4:], last)
	default:
		for i := range to {
			if to[i] = s[i]; !plain[s[i]] {
				return appendSlowly(dst, s, table)
			}
		}
	}
	return dst[:begin+n]
}

// appendSlowly is appendEscaped for any text.
func appendSlowly(dst []byte, s string, table *[utf8.RuneSelf]string) []byte {
	done := 0
	for i := 0; i < len(s); {
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

// isPlain reports whether the eight bytes of w are all plain, by the well known
// tricks for finding a byte that is zero or less than another in a word.
func isPlain(w uint64) bool {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	control := w - ones*' '
	quote := (w ^ ones*'"') - ones
	backslash := (w ^ ones*'\\') - ones
	return (w|control|quote|backslash)&highs == 0
}

// word returns the first eight bytes of s, the first lowest.
func word(s string) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

// half is word for four bytes.
func half(s string) uint32 {
	_ = s[3]
	return uint32(s[0]) | uint32(s[1])<<8 | uint32(s[2])<<16 | uint32(s[3])<<24
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
	if len(s) > limit {
		s = pipeline.Cut(s, limit)
	}
	return appendEscaped(dst, s, &escapes)
}

// firstAndLast are the times that all formats can write.
const (
	firstTime pipeline.Micros = 0
	lastTime  pipeline.Micros = 253402300799_999999 // 9999-12-31 23:59:59.999999
)

// appendTime appends t as "2024-05-01", sep and "10:00:00".
func appendTime(dst []byte, t pipeline.Micros, sep byte) []byte {
	const form = "0000-00-00 00:00:00"
	seconds := uint64(min(max(t, firstTime), lastTime)) / 1_000_000
	days := seconds / 86400
	ofDay := uint32(seconds - days*86400)
	year, month, day := civil(uint32(days))
	hour, minute := ofDay/3600, ofDay/60
	// The first of its characters is the lowest byte of a word.
	date := two[year/100] | two[year%100]<<16 | '-'<<32 | two[month]<<40 | '-'<<56
	middle := two[day] | uint64(sep)<<16 | two[hour]<<24 | ':'<<40 | two[minute-hour*60]<<48
	dst = slices.Grow(dst, len(form)) // in words: an append would call a function
	at := (*[len(form)]byte)(dst[len(dst) : len(dst)+len(form)])
	binary.LittleEndian.PutUint64(at[:], date)
	binary.LittleEndian.PutUint64(at[8:], middle)
	at[16] = ':'
	binary.LittleEndian.PutUint16(at[17:], uint16(two[ofDay-minute*60]))
	return dst[:len(dst)+len(form)]
}

// two has the two digits of a number, the first in the lowest byte.
var two = func() (digits [100]uint64) {
	for n := range digits {
		digits[n] = uint64('0'+n/10) | uint64('0'+n%10)<<8
	}
	return digits
}()

// civil returns the date that many days after 1970-01-01, up to the year 9999. It
// is an algorithm of C. Neri and L. Schneider, "Euclidean affine functions and
// their application to calendar algorithms": years begin in March there.
func civil(days uint32) (year, month, day uint32) {
	n := 4*(days+719468) + 3 // from 0000-03-01 on
	century := n / 146097
	n = n%146097 | 3
	p := 2939745 * uint64(n)
	ofCentury, ofYear := uint32(p>>32), uint32(p)/2939745/4
	n = 2141*ofYear + 197913
	year, month, day = 100*century+ofCentury, n>>16, n&0xFFFF/2141+1
	if ofYear >= 306 { // January and February
		return year + 1, month - 12, day
	}
	return year, month, day
}

func append2(dst []byte, n int) []byte {
	return append(dst, byte(two[n]), byte(two[n]>>8))
}

// uuidOf returns id, or where it is no UUID the one that always stands for it.
func uuidOf(id string) string {
	if !pipeline.IsUUID(id) {
		id = uuid.NewSHA1(uuid.NameSpaceURL, []byte(id)).String()
	}
	return id
}

// sessionID returns the id of ev's session.
func sessionID(ev *pipeline.Event) string {
	if ev.ValidIDs {
		return ev.Session
	}
	return uuidOf(ev.Session)
}

// visitorID returns the id of ev's visitor.
func visitorID(ev *pipeline.Event) string {
	if ev.ValidIDs {
		return ev.Visitor
	}
	return uuidOf(visitorOf(ev))
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
	// limited says that there is a limit, left how many UTF-16 code units are left of it,
	// and full that a property was longer.
	limited, full bool
	left          int
	// measured says that properties are taken, and nothing is written of them.
	measured bool
}

// newNestedObject begins an object at the end of dst.
func newNestedObject(dst []byte) nestedObject {
	dst = append(dst, '{')
	return nestedObject{dst: dst, start: len(dst)}
}

// within limits the properties of an object that has no members yet: it is at most limit
// UTF-16 code units long, before it is escaped.
func (o nestedObject) within(limit int) nestedObject {
	o.limited, o.left = true, limit-len("{}")
	return o
}

// furtherMembers goes on with an object that has members already and no limit.
func furtherMembers(dst []byte) nestedObject { return nestedObject{dst: dst, start: -1} }

// measuredObject tells what properties an object within a limit takes.
func measuredObject(limit int) nestedObject { return nestedObject{measured: true}.within(limit) }

// takes reports whether a member of so many units is within the limit, and counts it.
func (o *nestedObject) takes(units int) bool {
	if len(o.dst) > o.start {
		units += len(",")
	}
	if o.full = o.full || units > o.left; !o.full {
		o.left -= units
	}
	return !o.full
}

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
	if o.limited && !o.takes(propertyUnits(prefix, p, literal)) {
		return false
	}
	if o.measured {
		o.start = -1 // a comma comes before all others
		return true
	}
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
