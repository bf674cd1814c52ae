package text

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestEncodingBehindASCII holds that what stands before the first character beyond ASCII,
// however long, changes nothing of what the text is.
func TestEncodingBehindASCII(t *testing.T) {
	for text, want := range map[string]encoding{
		"":                 unsure,
		"a":                unsure,
		"é":                isUTF8,
		"\xe9 and":         isUTF8, // damage
		"\xe9\n\xe9 and":   windows1252,
		"\xe9\n\xe9 and é": isUTF8,
		"caf\xe9s":         windows1252,
		"\xe9\na\n\xe9 \n": windows1252,
		"\xc3":             unsure, // cut amid a character
	} {
		rapid.Check(t, func(t *rapid.T) {
			before := strings.Repeat("x", rapid.IntRange(0, 40).Draw(t, "letters")) + "\n"
			if got := encodingOf(before + text); got != want || encodingOf(text) != want {
				t.Fatalf("%q: %d, and %d behind %d letters, want %d", text, encodingOf(text), got, len(before)-1, want)
			}
			if ascii(before+text) != (want == unsure && text != "\xc3") {
				t.Fatalf("%q behind %d letters is taken for ASCII, or is and is not", text, len(before)-1)
			}
		})
	}
}
