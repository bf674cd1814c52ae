package byteset

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

var sets = []*Set{
	Of(func(c byte) bool { return c < ' ' || c >= 0x80 || c == '"' || c == '\\' }),
	Of(func(c byte) bool { return c <= ' ' || c >= 0x7F || strings.IndexByte("\"#<>?\\^`{}.%", c) >= 0 }),
	Of(func(c byte) bool { return (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '.' }),
	Of(func(c byte) bool { return c == 0 }),
	Of(func(c byte) bool { return c>>4 == c&15 }), // too much for two tables
	Of(func(byte) bool { return false }),
	Of(func(byte) bool { return true }),
}

func TestDivided(t *testing.T) {
	for i, s := range sets {
		if want := i != 4; s.divided != want {
			t.Errorf("set %d divided: %v", i, s.divided)
		}
		for c := range s.has {
			if in := s.low[c&15]&s.high[c>>4] != 0; s.divided && in != s.has[c] || s.Has(byte(c)) != s.has[c] {
				t.Errorf("set %d, byte %#x: %v", i, c, in)
			}
		}
	}
}

// texts draws texts of which most have no byte of most sets.
func texts() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		text := []byte(rapid.StringMatching(`[a-z-]{0,80}`).Draw(t, "text"))
		for range rapid.SampledFrom([]int{0, 0, 0, 1, 2}).Draw(t, "others") {
			if len(text) > 0 {
				text[rapid.IntRange(0, len(text)-1).Draw(t, "at")] = rapid.Byte().Draw(t, "other")
			}
		}
		return string(text)
	})
}

func TestHasAny(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, text := rapid.SampledFrom(sets).Draw(t, "set"), texts().Draw(t, "text")
		if got, want := s.HasAny(text), s.hasAnyPortable(text); got != want {
			t.Fatalf("%q: %v", text, got)
		}
	})
}

func TestSetsHaveAny(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		own := rapid.SliceOfN(rapid.SampledFrom(sets), 1, 5).Draw(t, "sets")
		all := rapid.SliceOfN(texts(), len(own), len(own)).Draw(t, "texts")
		want := false
		for i, s := range own {
			want = want || s.hasAnyPortable(all[i])
		}
		if got := Together(own...).HasAny(all); got != want {
			t.Fatalf("%q: %v", all, got)
		}
	})
}

func TestJoin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.SampledFrom(sets).Draw(t, "set")
		literals := rapid.SliceOfN(rapid.StringN(0, 40, -1), 0, 6).Draw(t, "literals")
		all := rapid.SliceOfN(texts(), len(literals), len(literals)).Draw(t, "texts")
		dst := append(make([]byte, 0, rapid.IntRange(3, 300).Draw(t, "capacity")), "dst"...)
		want, wanted := "dst", 0
		for i, text := range all {
			want += literals[i]
			if s.hasAnyPortable(text) {
				break
			}
			want += text
			wanted++
		}
		if got, done := s.Join(dst, literals, all); string(got) != want || done != wanted {
			t.Fatalf("%q and %d, want %q and %d", got, done, want, wanted)
		}
	})
}
