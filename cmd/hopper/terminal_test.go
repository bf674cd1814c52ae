package main

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

const hostile = "a\x1b]0;title\x07b\u009b31mc\u202ed\u2066e\u2028f\x7fg\xffh\r\nñ\t世"

func TestPrintable(t *testing.T) {
	want := `a\u001b]0;title\u0007b\u009b31mc\u202ed\u2066e\u2028f\u007fg` + "\ufffd" + `h\u000d\u000añ\u0009世`
	if got := printable(hostile); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestTerminalWriterKeepsLinesAndJSON(t *testing.T) {
	var b strings.Builder
	w := &terminalWriter{W: &b}
	value := map[string]string{"name": strings.ToValidUTF8(hostile, "")}
	if err := printJSON(w, value); err != nil {
		t.Fatal(err)
	}
	var got map[string]string
	if err := json.Unmarshal([]byte(b.String()), &got); err != nil || !reflect.DeepEqual(got, value) {
		t.Errorf("%v: %q became %q", err, value, got)
	}
	if strings.ContainsFunc(b.String(), obeyed) {
		t.Errorf("wrote %q", b.String())
	}
}

// No bytes, in whatever pieces, reach a terminal as a command, and plain text is not touched.
func FuzzTerminal(f *testing.F) {
	f.Add(hostile, 3)
	f.Add("plain\n", 1)
	f.Fuzz(func(t *testing.T, s string, piece int) {
		var b strings.Builder
		w := &terminalWriter{W: &b}
		size := 1 + max(piece, 0)%16
		for rest := s; len(rest) > 0; {
			n := min(size, len(rest))
			if _, err := w.Write([]byte(rest[:n])); err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
		w.Close()
		got := b.String()
		if !utf8.ValidString(got) || strings.ContainsFunc(got, obeyed) {
			t.Errorf("%q was written as %q", s, got)
		}
		if utf8.ValidString(s) && !strings.ContainsFunc(s, obeyed) && got != s {
			t.Errorf("%q became %q", s, got)
		}
		if line := printable(s); strings.ContainsAny(line, "\n\t") || strings.ContainsFunc(line, obeyed) {
			t.Errorf("%q is printed as %q", s, line)
		}
	})
}
