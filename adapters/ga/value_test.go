package ga

import (
	"strconv"
	"testing"

	"pgregory.net/rapid"

	"hopper/adapters/input/rows/record"
)

// A number that is taken as it is written is written as every number is.
func TestDecimal(t *testing.T) {
	for text, want := range map[string]bool{
		"1.5": true, "-17.25": true, "0.5": true, "999999999999.999": true,
		"": false, "-": false, ".": false, "1": false, "1.": false, ".5": false, "1.50": false, "01.5": false, "0.05": false, "-0.0": false,
		"1.5e3": false, "+1.5": false, "1.-5": false, "9999999999999.999": false,
	} {
		if got := isDecimal(text); got != want {
			t.Errorf("isDecimal(%q) = %t", text, got)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`-?[0-9]{1,14}\.[0-9]{1,14}`).Draw(t, "text")
		if f, err := strconv.ParseFloat(text, 64); isDecimal(text) && (err != nil || record.FormatFloat(f) != text) {
			t.Fatalf("%s is written %s (%v)", text, record.FormatFloat(f), err)
		}
	})
}
