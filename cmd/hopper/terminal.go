package main

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// What comes from an input or a server can hold what a terminal obeys: escape
// sequences, which retitle a window or type commands, and characters that turn
// the order of the others. Two places take care of it: printable for a value
// within a line, and terminalWriter, which all output for people and all JSON
// goes through.
//
// Both write such a character as \u001b, which within JSON means the same.

// printable returns s as one line without characters that a terminal obeys.
func printable(s string) string {
	var b strings.Builder
	for rest := s; len(rest) > 0; {
		r, size := utf8.DecodeRuneInString(rest)
		appendPrintable(&b, r, r == '\n' || r == '\t' || obeyed(r))
		rest = rest[size:]
	}
	return b.String()
}

func appendPrintable(b *strings.Builder, r rune, escape bool) {
	if escape {
		fmt.Fprintf(b, `\u%04x`, r)
		return
	}
	b.WriteRune(r) // what is no UTF-8 becomes U+FFFD
}

// obeyed reports whether a terminal does something else than show r: C0 except
// newline and tab, DEL, C1, and what separates lines or turns directions.
func obeyed(r rune) bool {
	switch {
	case r == '\n' || r == '\t':
		return false
	case r < ' ', 0x7f <= r && r <= 0x9f:
		return true
	case 0x200e <= r && r <= 0x200f, 0x2028 <= r && r <= 0x202e, 0x2066 <= r && r <= 0x2069, r == 0x061c:
		return true
	}
	return false
}

// terminalWriter passes text on without characters that a terminal obeys,
// except newlines and tabs. The zero value with W set is ready for use, by one
// goroutine at a time.
type terminalWriter struct {
	W io.Writer

	cut []byte // a character's bytes at the end of the last Write
}

func (t *terminalWriter) Write(p []byte) (int, error) {
	text := append(t.cut, p...)
	var b strings.Builder
	for len(text) > 0 && utf8.FullRune(text) {
		r, size := utf8.DecodeRune(text)
		appendPrintable(&b, r, obeyed(r))
		text = text[size:]
	}
	t.cut = append([]byte(nil), text...)
	if _, err := io.WriteString(t.W, b.String()); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Close writes what is left of a character that was cut off.
func (t *terminalWriter) Close() error {
	if len(t.cut) == 0 {
		return nil
	}
	t.cut = nil
	_, err := io.WriteString(t.W, "\ufffd")
	return err
}
