package record

import (
	"fmt"
	"math/bits"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
	"unsafe"
)

// parser turns JSON text into a Value. Strings without escapes are substrings
// of the text; the nodes live in slabs that are reused for the next record.
// Members that are not wanted are checked alike, and leave nothing.
type parser struct {
	root  *members // of records; nil remembers nothing and wants all
	s     string
	i     int
	stack []Value // members of objects and lists that are still open
	slab          // where finished ones are moved

	// unescaped are strings that held escapes. They are reused for the next record
	// where fleeting is set, and copied else.
	unescaped []byte
	fleeting  bool

	marks   marks // of s, where marked is set
	marked  bool
	isASCII bool // s is known to be so
}

// What is kept for the next record of memory for strings with escapes and for marks.
const (
	maxUnescaped = 64 << 10
	maxMarks     = 64 << 10 / 8
)

// syntaxError says what is wrong with JSON and where, in bytes from 1.
type syntaxError struct {
	what string
	at   int
}

func (e *syntaxError) Error() string {
	return fmt.Sprintf("not valid JSON: %s at byte %d", e.what, e.at)
}

// parse returns the value that s is. It is valid until the next parse.
func (p *parser) parse(s string) (*Value, error) {
	p.begin(s)
	v, err := p.value(0, p.root, false)
	if err != nil {
		return nil, err
	}
	if p.space(); p.i < len(p.s) {
		return nil, p.fail("something follows the value")
	}
	return &v, nil
}

// begin makes the parser ready for a text.
func (p *parser) begin(s string) {
	p.s, p.i, p.stack, p.unescaped = s, 0, p.stack[:0], p.unescaped[:0]
	p.reset()
	if cap(p.unescaped) > maxUnescaped {
		p.unescaped = nil
	}
	if cap(p.marks) > maxMarks {
		p.marks = nil
	}
	p.marked, p.isASCII = false, false
	if len(s) >= minMarked && marksFast() {
		marks, beyondASCII := p.marks.mark(s)
		p.marks, p.marked, p.isASCII = marks, true, !beyondASCII
	}
}

// run returns where the first special character stands at i or behind it, or the end.
func (p *parser) run(i int) int {
	if p.marked {
		return p.marks.after(i, len(p.s))
	}
	return i + run(p.s[i:])
}

func (p *parser) fail(what string) error { return &syntaxError{what, p.i + 1} }

func (p *parser) space() {
	for p.i < len(p.s) {
		switch p.s[p.i] {
		case ' ', '\t', '\n', '\r':
			p.i++
		default:
			return
		}
	}
}

// value reads a value whose members m knows, or only goes past it.
func (p *parser) value(depth int, m *members, skip bool) (v Value, err error) {
	if depth > maxDepth {
		return v, p.fail("nested too deep")
	}
	p.space()
	if p.i == len(p.s) {
		return v, p.fail("the end")
	}
	switch c := p.s[p.i]; {
	case c == '"':
		v.Kind = Text
		v.Text, err = p.text()
		return v, err
	case c == '{':
		v.Kind = Object
		v.Kids, err = p.kids('}', depth, m, skip)
		return v, err
	case c == '[':
		v.Kind = List
		v.Kids, err = p.kids(']', depth, m, skip)
		return v, err
	case c == '-' || '0' <= c && c <= '9':
		v.Kind = Number
		v.Text, err = p.number()
		return v, err
	}
	for _, word := range [...]Value{{Kind: Null, Text: "null"}, {Kind: Bool, Text: "true"}, {Kind: Bool, Text: "false"}} {
		if strings.HasPrefix(p.s[p.i:], word.Text) {
			p.i += len(word.Text)
			if word.Kind == Null {
				word.Text = ""
			}
			return word, nil
		}
	}
	return v, p.fail("no value")
}

// kids reads the members or elements up to the closing bracket.
func (p *parser) kids(closing byte, depth int, m *members, skip bool) ([]Value, error) {
	p.i++
	base := len(p.stack)
	var before *member
	for first := true; ; first = false {
		p.space()
		if p.i < len(p.s) && p.s[p.i] == closing {
			p.i++
			break
		}
		if !first {
			if p.i == len(p.s) || p.s[p.i] != ',' {
				return nil, p.fail("no comma or end of the list")
			}
			p.i++
			p.space()
		}
		key, within, skipped := "", m, skip
		if closing == '}' {
			var err error
			if before, key, err = p.name(m, before); err != nil {
				return nil, err
			}
			if within = nil; before != nil {
				within, skipped = before.within, skip || before.skipped
			}
		}
		kid, err := p.value(depth+1, within, skipped)
		if err != nil {
			return nil, err
		}
		if !skipped {
			kid.Key = key
			p.stack = append(p.stack, kid)
		}
	}
	kids := p.keep(p.stack[base:])
	p.stack = p.stack[:base]
	return kids, nil
}

// name reads a member's name and the colon after it. Mostly it is the one that
// followed in the record before, which is not looked for then.
func (p *parser) name(m *members, before *member) (is *member, key string, err error) {
	if p.i == len(p.s) || p.s[p.i] != '"' {
		return nil, "", p.fail("no member's name")
	}
	if guess := m.after(before); guess != nil {
		if end := p.i + 1 + len(guess.name); end < len(p.s) && p.s[end] == '"' && p.s[p.i+1:end] == guess.name {
			is, key, p.i = guess, guess.name, end+1
		}
	}
	if is == nil {
		if key, err = p.text(); err != nil {
			return nil, "", err
		}
		if m != nil {
			is = m.find(before, key)
			key = is.name
		}
	}
	p.space()
	if p.i == len(p.s) || p.s[p.i] != ':' {
		return nil, "", p.fail("no colon after a member's name")
	}
	p.i++
	return is, key, nil
}

func (p *parser) number() (string, error) {
	start := p.i
	digits := func() bool {
		from := p.i
		for p.i < len(p.s) && '0' <= p.s[p.i] && p.s[p.i] <= '9' {
			p.i++
		}
		return p.i > from
	}
	if p.s[p.i] == '-' {
		p.i++
	}
	zero := p.i < len(p.s) && p.s[p.i] == '0'
	if from := p.i; !digits() || zero && p.i > from+1 {
		return "", p.fail("a number's digits")
	}
	if p.i < len(p.s) && p.s[p.i] == '.' {
		if p.i++; !digits() {
			return "", p.fail("a number's digits")
		}
	}
	if p.i < len(p.s) && p.s[p.i]|0x20 == 'e' {
		if p.i++; p.i < len(p.s) && (p.s[p.i] == '+' || p.s[p.i] == '-') {
			p.i++
		}
		if !digits() {
			return "", p.fail("a number's digits")
		}
	}
	return p.s[start:p.i], nil
}

// special are the bytes that end a run of characters inside a string.
var special = func() (t [256]bool) {
	for c := range ' ' {
		t[c] = true
	}
	t['"'], t['\\'] = true, true
	return t
}()

// text reads a string, whose opening quote is at p.i.
func (p *parser) text() (string, error) {
	start := p.i + 1
	p.i = p.run(start)
	if p.i == len(p.s) {
		return "", p.fail("a string that does not end")
	}
	switch p.s[p.i] {
	case '"':
		p.i++
		return p.s[start : p.i-1], nil
	case '\\':
		return p.escaped(start)
	}
	return "", p.fail("a control character in a string")
}

// run returns how many characters stand before the first special one. It looks
// at eight bytes at a time: with the high bits taken out, a byte minus n has its
// high bit set where it was less than n. A byte that is told wrongly, by a
// borrow, stands behind one that is told rightly.
func run(s string) int {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	i := 0
	for ; i+8 <= len(s); i += 8 {
		w := word(s[i:])
		quote, backslash := w^('"'*ones), w^('\\'*ones)
		if found := ((w-' '*ones)&^w | (quote-ones)&^quote | (backslash-ones)&^backslash) & highs; found != 0 {
			return i + bits.TrailingZeros64(found)/8
		}
	}
	for i < len(s) && !special[s[i]] {
		i++
	}
	return i
}

// ValidUTF8 is [utf8.ValidString] for long text with little in it that is not ASCII.
func ValidUTF8(s string) bool {
	for s != "" {
		if s[0] < utf8.RuneSelf {
			s = s[runASCII(s):]
			continue
		}
		r, n := utf8.DecodeRuneInString(s)
		if r == utf8.RuneError && n == 1 {
			return false
		}
		s = s[n:]
	}
	return true
}

// runASCII returns how many characters stand before the first that is not ASCII. It
// looks at 32 bytes at a time.
func runASCII(s string) int {
	const highs = 0x8080808080808080
	i := 0
	for ; i+32 <= len(s); i += 32 {
		if (word(s[i:])|word(s[i+8:])|word(s[i+16:])|word(s[i+24:]))&highs != 0 {
			break
		}
	}
	for i < len(s) && s[i] < utf8.RuneSelf {
		i++
	}
	return i
}

// word returns the first eight bytes of s, which has as many.
func word(s string) uint64 {
	b := s[:8]
	return uint64(b[0]) | uint64(b[1])<<8 | uint64(b[2])<<16 | uint64(b[3])<<24 |
		uint64(b[4])<<32 | uint64(b[5])<<40 | uint64(b[6])<<48 | uint64(b[7])<<56
}

// escaped reads on in a string that begins at start and holds a backslash at p.i.
func (p *parser) escaped(start int) (string, error) {
	if p.unescaped == nil {
		p.unescaped = make([]byte, 0, 2*(p.i-start)+32)
	}
	from := len(p.unescaped)
	b := append(p.unescaped, p.s[start:p.i]...)
	for p.i < len(p.s) {
		c := p.s[p.i]
		switch {
		case c == '"':
			p.i++
			return p.keepText(b, from), nil
		case c < ' ':
			return "", p.fail("a control character in a string")
		case c != '\\':
			end := p.run(p.i)
			b = append(b, p.s[p.i:end]...)
			p.i = end
			continue
		}
		if p.i++; p.i == len(p.s) {
			break
		}
		switch c := p.s[p.i]; c {
		case '"', '\\', '/':
			b = append(b, c)
		case 'b':
			b = append(b, '\b')
		case 'f':
			b = append(b, '\f')
		case 'n':
			b = append(b, '\n')
		case 'r':
			b = append(b, '\r')
		case 't':
			b = append(b, '\t')
		case 'u':
			r, ok := p.hex(p.i + 1)
			if !ok {
				return "", p.fail(`a \u without four hex digits`)
			}
			p.i += 4
			if utf16.IsSurrogate(r) {
				// A surrogate without its partner becomes U+FFFD, as in encoding/json.
				low := rune(utf8.RuneError)
				if strings.HasPrefix(p.s[p.i+1:], `\u`) {
					low, _ = p.hex(p.i + 3)
				}
				if r = utf16.DecodeRune(r, low); r != utf8.RuneError {
					p.i += 6
				}
			}
			b = utf8.AppendRune(b, r)
		default:
			return "", p.fail("an unknown escape")
		}
		p.i++
	}
	return "", p.fail("a string that does not end")
}

// keepText returns what p.unescaped has become from a place on.
func (p *parser) keepText(b []byte, from int) string {
	if p.fleeting {
		p.unescaped = b
		return unsafe.String(unsafe.SliceData(b[from:]), len(b)-from)
	}
	p.unescaped = b[:from]
	return string(b[from:])
}

// hex reads four hex digits at i.
func (p *parser) hex(i int) (r rune, ok bool) {
	if i+4 > len(p.s) {
		return 0, false
	}
	for _, c := range []byte(p.s[i : i+4]) {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

// AppendQuoted appends s to b as a JSON string.
func AppendQuoted(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	for {
		n := run(s)
		b = append(b, s[:n]...)
		if n == len(s) {
			return append(b, '"')
		}
		c := s[n]
		s = s[n+1:]
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, `\n`...)
		case '\r':
			b = append(b, `\r`...)
		case '\t':
			b = append(b, `\t`...)
		default:
			b = append(b, `\u00`...)
			b = append(b, hex[c>>4], hex[c&15])
		}
	}
}

// Parse returns the value that the JSON text s is.
func Parse(s string) (*Value, error) { return new(parser).parse(s) }
