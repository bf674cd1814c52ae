package wire

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

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

// jsonTexts draws texts that are JSON, or nearly so.
func jsonTexts() *rapid.Generator[string] {
	pieces := []string{
		"{", "}", "[", "]", ",", ":", `"`, `"a"`, `"a":1`, `"\"\u00e9\n"`, `\`, `\u12`, "0", "1", "01", "-", "1.5", ".", "e", "E+3", "1e400", "1.", "12345678901234567",
		"true", "null", "fals", " ", "\n", "\x00", "\x7f", "é", "\xff",
	}
	var value *rapid.Generator[string]
	value = rapid.Custom(func(t *rapid.T) string {
		switch rapid.IntRange(0, 5).Draw(t, "kind") {
		case 0:
			return "[" + strings.Join(rapid.SliceOfN(value, 0, 3).Draw(t, "list"), " ,") + "]"
		case 1:
			members := rapid.SliceOfN(value, 0, 3).Draw(t, "object")
			for i := range members {
				members[i] = ` "a\/\u00Af" :` + members[i]
			}
			return "{" + strings.Join(members, ",") + "}"
		}
		return rapid.SampledFrom([]string{`"text"`, "-0.5e-7", "12", "true", "false", " null ", "{}", "[ ]", `""`, "9", "-"}).Draw(t, "value")
	})
	return rapid.Custom(func(t *rapid.T) string {
		if rapid.Bool().Draw(t, "value") {
			text := value.Draw(t, "text")
			at := rapid.IntRange(0, len(text)).Draw(t, "at")
			return text[:at] + rapid.SampledFrom(append(pieces, "", "", "", "")).Draw(t, "more") + text[at:]
		}
		return strings.Join(rapid.SliceOfN(rapid.SampledFrom(pieces), 0, 6).Draw(t, "pieces"), "")
	})
}

// What is a literal is what is one by the standard library, in all that it reads.
func TestLiteralsAreJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := jsonTexts().Draw(t, "text")
		valid := json.Valid([]byte(s))
		if got := isJSON(s); got != valid {
			t.Fatalf("isJSON(%q) = %t", s, got)
		}
		if valid = valid && utf8.ValidString(s); valid && (s[0] == '-' || isDigit(s[0])) {
			_, err := strconv.ParseFloat(s, 64)
			valid = err == nil && (len(s) <= 15 || strings.ContainsAny(s, ".eE"))
		}
		if got := isLiteral(s); got != valid {
			t.Fatalf("isLiteral(%q) = %t", s, got)
		}
	})
}

func FuzzIsJSON(f *testing.F) {
	for _, s := range []string{``, `{"a":[1,-2.5e+3,"\u00e9"],"b":null}`, `[`, `{"a"}`, `"\x"`, "\"\x1f\"", `-`, `01`, ` 1 `, `1 2`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if got, want := isJSON(s), json.Valid([]byte(s)); got != want {
			t.Errorf("isJSON(%q) = %t", s, got)
		}
	})
}

func TestDeepJSON(t *testing.T) {
	for _, depth := range []int{maxDepth, maxDepth + 1} {
		s := strings.Repeat("[", depth) + strings.Repeat("]", depth)
		if got, want := isJSON(s), json.Valid([]byte(s)); got != want {
			t.Errorf("%d levels: %t", depth, got)
		}
	}
}
