package record

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

// jsonText draws a value as JSON, with members of few names, so that they
// repeat.
func jsonText(t *rapid.T, depth int) string {
	kinds := 5
	if depth > 3 {
		kinds = 3
	}
	space := rapid.SampledFrom([]string{"", "", " ", "\t"}).Draw(t, "space")
	switch rapid.IntRange(0, kinds).Draw(t, "kind") {
	case 0:
		return space + rapid.SampledFrom([]string{"1", "-2.5e3", "01", "1.", "true", "null", "nul"}).Draw(t, "scalar")
	case 1, 2, 3:
		return space + quoted(t)
	case 4:
		list := make([]string, rapid.IntRange(0, 3).Draw(t, "length"))
		for i := range list {
			list[i] = jsonText(t, depth+1)
		}
		return space + "[" + strings.Join(list, ","+space) + "]"
	}
	list := make([]string, rapid.IntRange(0, 5).Draw(t, "length"))
	for i := range list {
		name := rapid.SampledFrom([]string{`"a"`, `"b"`, `"skipped"`, `"an\u0061 \"name\""`, `"ana \"`, `"é"`, `""`}).Draw(t, "name")
		list[i] = name + space + ":" + jsonText(t, depth+1)
	}
	return space + "{" + strings.Join(list, ","+space) + space + "}"
}

func quoted(t *rapid.T) string {
	parts := rapid.SliceOfN(rapid.SampledFrom([]string{"x", "a longer part", "é", "\xff", `\n`, `\"`, `\u00e9`, `\ud83d\ude00`, `\q`, "\x01", " ", "!", "#", "[", "\x7f", "\x80"}), 0, 6).Draw(t, "parts")
	return `"` + strings.Join(parts, "") + `"`
}

// without leaves out members that are not wanted.
func without(v Value, path string, wanted func(string) bool) Value {
	kids := v.Kids
	v.Kids = nil
	for _, kid := range kids {
		at := path
		if v.Kind == Object {
			if at = join(path, kid.Key); !wanted(at) {
				continue
			}
		}
		v.Kids = append(v.Kids, without(kid, at, wanted))
	}
	return v
}

// A parser that leaves members out, and remembers those of records before,
// finds what plain reading finds, and the same faults.
func TestSkippingMembers(t *testing.T) {
	wanted := func(path string) bool { return !slices.Contains(strings.Split(path, "."), "skipped") && path != "a.b" }
	rapid.Check(t, func(t *rapid.T) {
		fast := &parser{root: newMembers(wanted)}
		for range 4 {
			text := jsonText(t, 0)
			if rapid.IntRange(0, 5).Draw(t, "damaged") == 0 {
				text = text[:rapid.IntRange(0, len(text)).Draw(t, "length")]
			}
			want, wantErr := Parse(text)
			got, err := fast.parse(text)
			if (err == nil) != (wantErr == nil) || err != nil && err.Error() != wantErr.Error() {
				t.Fatalf("%s\ngives %v, and plainly read %v", text, err, wantErr)
			}
			if err != nil {
				continue
			}
			if diff := cmp.Diff(without(*want, "", wanted), *got, cmpopts.EquateEmpty()); diff != "" {
				t.Fatalf("%s\n(-plain +skipping)\n%s", text, diff)
			}
		}
	})
}

// What is remembered of names is bounded.
func TestManyMembers(t *testing.T) {
	p := &parser{root: newMembers(func(string) bool { return true })}
	var b strings.Builder
	for i := range maxMembers + 10 {
		b.Reset()
		b.WriteString(`{"n`)
		b.WriteString(strings.Repeat("x", i%50))
		b.WriteString(string(rune('a'+i/50%26)) + string(rune('a'+i/1300)))
		b.WriteString(`":1}`)
		if _, err := p.parse(b.String()); err != nil {
			t.Fatal(err)
		}
	}
	if n := p.root.all.count; n > maxMembers {
		t.Fatalf("%d names are remembered, more than %d", n, maxMembers)
	}
}

// Strings with escapes that a scanner reads are valid until the next record, and
// what plain reading finds.
func TestScannedTexts(t *testing.T) {
	s := &Scanner{parser: parser{fleeting: true}}
	rapid.Check(t, func(t *rapid.T) {
		for range 3 {
			texts := rapid.SliceOf(rapid.Custom(quoted)).Draw(t, "texts")
			list := "[" + strings.Join(texts, ",") + "]"
			want, err := Parse(list)
			if err != nil {
				continue
			}
			s.begin(list)
			s.Open('[')
			var got []string
			for first := true; ; first = false {
				if more, ok := s.Next(']', first); !ok || !more {
					break
				}
				w, ok := s.Scalar()
				if !ok {
					t.Fatalf("%s: stops behind %q", list, got)
				}
				got = append(got, w.Text)
			}
			if !s.Done() || len(got) != len(want.Kids) {
				t.Fatalf("%s: %q", list, got)
			}
			for i := range got {
				if got[i] != want.Kids[i].Text {
					t.Fatalf("%s: %q is not %q", list, got[i], want.Kids[i].Text)
				}
			}
		}
	})
}

func TestValidUTF8(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		parts := rapid.SliceOf(rapid.SampledFrom([]string{"x", strings.Repeat("a longer part", 4), "é", "日本", "\U0001F600", "\uFFFD", "\xff", "\xc3", "\xed\xa0\x80"})).Draw(t, "parts")
		if s := strings.Join(parts, ""); ValidUTF8(s) != utf8.ValidString(s) {
			t.Fatalf("%q: valid is %v", s, utf8.ValidString(s))
		}
	})
}
