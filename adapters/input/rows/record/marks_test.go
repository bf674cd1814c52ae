package record

import (
	"testing"

	"pgregory.net/rapid"
)

// A text's marks are where its special characters are, on any processor.
func TestMarks(t *testing.T) {
	var m marks
	rapid.Check(t, func(t *rapid.T) {
		character := rapid.OneOf(rapid.Byte(), rapid.SampledFrom([]byte("\"\\\x00\x1f\x20\x21#[]\x7f\x80\x9c\xa2\xdc\xff")), rapid.Just(byte('x')), rapid.Just(byte('x')))
		text := string(rapid.SliceOfN(character, blockSize, 6*blockSize).Draw(t, "text"))
		beyondASCII, isASCII := false, true
		if m, beyondASCII = m.mark(text); len(m) != len(text)/blockSize+1 {
			t.Fatalf("%d marks", len(m))
		}
		for i := range len(text) {
			isASCII = isASCII && text[i] < 0x80
			if got, want := m.after(i, len(text)), i+run(text[i:]); got != want {
				t.Fatalf("%q: behind %d the next is at %d, want %d", text, i, got, want)
			}
		}
		if m.after(len(text), len(text)) != len(text) || beyondASCII == isASCII {
			t.Fatalf("%q: ends at %d, beyond ASCII %v", text, m.after(len(text), len(text)), beyondASCII)
		}
		got, want := make(marks, len(text)/blockSize), make(marks, len(text)/blockSize)
		raw := []byte(text)
		if here, anywhere := markBlocks(got, &raw[0]), markPortable(want, &raw[0]); here != anywhere {
			t.Fatalf("%q: beyond ASCII %v, want %v", text, here, anywhere)
		}
		for k := range got {
			if got[k] != want[k] {
				t.Fatalf("%q: block %d is %b, want %b", text, k, got[k], want[k])
			}
		}
	})
}
