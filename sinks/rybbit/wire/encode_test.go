package wire

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"hopper/pipeline"
)

// FuzzText checks both escapers against encoding/json.
func FuzzText(f *testing.F) {
	for _, s := range []string{"", "plain", "\"quoted\" \\ back", "tab\tline\nreturn\r", "\x00\x1f\x7f", "é😀\u2028", "\xff\xc3", "<&>"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var want strings.Builder // one replacement character for each invalid byte
		for i := 0; i < len(s); {
			r, size := utf8.DecodeRuneInString(s[i:])
			want.WriteRune(r)
			i += size
		}
		var once, twice, nested string
		if err := json.Unmarshal([]byte(`"`+string(appendText(nil, s))+`"`), &once); err != nil || once != want.String() {
			t.Fatalf("%q is written %q, which reads %q, %v", s, appendText(nil, s), once, err)
		}
		if err := json.Unmarshal([]byte(`"\"`+string(appendNested(nil, s))+`\""`), &nested); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal([]byte(nested), &twice); err != nil || twice != want.String() {
			t.Fatalf("%q is nested as %q, which reads %q, %v", s, nested, twice, err)
		}
		if got, want := escapedUnits(s), pipeline.Units(nested)-len(`""`); got != want {
			t.Errorf("%q counts %d units, %d inside JSON", s, got, want)
		}
	})
}

func TestIsLiteral(t *testing.T) {
	for s, want := range map[string]bool{
		"0": true, "42": true, "-1.5": true, "1e3": true, "true": true, "null": true, `{"a":[1]}`: true, ` [] `: true,
		"123456789012345": true, "1234567890123456": false, "-1234567890123456": false, "1234567890.1234567": true,
		"": false, "007": false, "+1": false, "1e400": false, "NaN": false, "{": false, "yes": false, "\"\xff\"": false, "1 ": false, " 1": true, `"text"`: true,
	} {
		if got := isLiteral(s); got != want {
			t.Errorf("isLiteral(%q) = %t", s, got)
		}
	}
}

func TestAppendTime(t *testing.T) {
	for _, tt := range []struct {
		at   pipeline.Micros
		want string
	}{
		{0, "1970-01-01 00:00:00"},
		{-1, "1970-01-01 00:00:00"},
		{1709210096_999999, "2024-02-29 12:34:56"},
		{math.MaxInt64, "9999-12-31 23:59:59"},
	} {
		if got := string(appendTime(nil, tt.at, ' ')); got != tt.want {
			t.Errorf("%d is written %s, want %s", tt.at, got, tt.want)
		}
	}
}

// Whatever is written eight bytes at once is what byte by byte is written.
func TestTextsAreWrittenAlikeAtOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := []byte(strings.Repeat("plain", 20))[:rapid.IntRange(0, 40).Draw(t, "length")]
		for range rapid.IntRange(0, min(2, len(s))).Draw(t, "changes") {
			s[rapid.IntRange(0, len(s)-1).Draw(t, "at")] = rapid.Byte().Draw(t, "to")
		}
		for _, table := range []*[utf8.RuneSelf]string{&escapes, &nestedEscapes} {
			got, want := appendEscaped([]byte("before"), string(s), table), appendSlowly([]byte("before"), string(s), table)
			if string(got) != string(want) {
				t.Fatalf("%q is written %q, want %q", s, got, want)
			}
		}
	})
}

func TestAppendTimeOfEachDay(t *testing.T) {
	for at := firstTime; at <= lastTime; at += 86_399_000001 { // each day, at one second or another
		if got, want := string(appendTime(nil, at, 'T')), at.Time().Format("2006-01-02T15:04:05"); got != want {
			t.Fatalf("%d is written %s, want %s", at, got, want)
		}
	}
}

func TestAppendVisitorHash(t *testing.T) {
	seen := make(map[string]bool)
	for _, visitor := range []string{"", "2f0f3c5a-51f8-4c6e-9d8e-0d3f6b1a7c11", "2f0f3c5a-51f8-4c6e-9d8e-0d3f6b1a7c12"} {
		h := string(appendVisitorHash(nil, visitor))
		if len(h) != 16 || strings.Trim(h, "0123456789abcdef") != "" || seen[h] {
			t.Errorf("%q becomes %q", visitor, h)
		}
		seen[h] = true
	}
	// The same in every version, or a resumed migration would split its users.
	if got := string(appendVisitorHash(nil, "2f0f3c5a-51f8-4c6e-9d8e-0d3f6b1a7c11")); got != "b014973f97a58903" {
		t.Errorf("the hash has changed to %s", got)
	}
}

func TestMatomoLanguage(t *testing.T) {
	for tag, want := range map[string]string{
		"en": "en", "en-US": "en-US", "es-419": "es-419", "zh-Hant-TW": "zh-TW", "zh-Hant": "zh", "haw": "haw", "de-AT-1996": "de-AT",
		"": "", "x": "", "xx": "", "english": "", "12": "", "en-": "en", "e\"n": "",
	} {
		if got := string(appendMatomoLanguage(nil, tag)); got != want {
			t.Errorf("%q is written %q, want %q", tag, got, want)
		}
	}
}
