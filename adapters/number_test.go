package adapters

import (
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestNumbers(t *testing.T) {
	for _, c := range []struct{ column, others, number, want string }{
		{"1|20|300", "", "4000", "4000"},
		{"1|20|300", "", "-5", "-5"},
		{"1|20|300", "", "−5", "-5"},
		{"1.0|20.0", "", "300.0", "300"},
		{"1.5|20", "", "1.250", "1.25"},
		{"1,5|20", "", "1.250,5", "1250.5"},
		{"660|1.200", "", "1.200", "1200"},
		{"660|1,200", "", "1,200", "1200"},
		{"660|1,200.5", "", "12,345,678.25", "12345678.25"},
		{"660|1.234.567", "", "1.200", "1200"},
		{"1.200|1.300", "", "1.200", "1.2"}, // all have three digits: a database's decimals
		{"1.200|1.300", "660", "1.200", "1200"},
		{"1.200|1500", "", "1.200", ""},
		{"1.200|0.5", "660", "1.200", "1.2"},
		{"660", "", "1\u202f200", "1200"},
		{"660", "", "1'200", "1200"},
		{"660", "", "1’200", "1200"},
		{"660|1,0", "", "1’200,0", "1200"},
		{"1.234.567|0.5", "", "1.200", ""},
		{"660|1.200", "", "1.20", ""},
		{"660|1.200", "", "1.2000", ""},
		{"1", "", "1.2e3", ""},
		{"0.5", "", "1.2e3", "1200"},
		{"1", "", "", ""}, {"1", "", "12%", ""}, {"1", "", "NaN", ""}, {"1", "", "Inf", ""}, {"1", "", "0x10", ""}, {"1", "", "1e999", ""}, {"1", "", "-", ""},
	} {
		others := new(Numbers)
		n := Numbers{Others: others}
		for text, of := range map[string]*Numbers{c.column: &n, c.others: others} {
			for _, s := range strings.Split(text, "|") {
				of.Add(s)
			}
		}
		f, ok := n.Parse(c.number)
		got := ""
		if ok {
			got = strconv.FormatFloat(f, 'f', -1, 64)
		}
		if got != c.want {
			t.Errorf("%q beside %q: %q is %q, want %q", c.column, c.others, c.number, got, c.want)
		}
	}
}

// TestNumbersOfKinds reads counts, and means beside them.
func TestNumbersOfKinds(t *testing.T) {
	for _, c := range []struct{ counts, means, count, mean string }{
		{"1.200|1.300", "83,456|83", "1200", "83.456"},
		{"1,200|7", "1,083|83.5", "1200", "1083"},
		{"1,200|7", "1,083|1,090", "1200", "1083"},
		{"7|8", "83.456|83|1083", "7", "83.456"},
		{"7.0|1200.0", "83.456|83", "7", "83.456"},
		{"1.200|7.5", "83.456", "", ""},
	} {
		counts, means := Numbers{Of: Counts}, Numbers{Of: Means}
		for s := range strings.SplitSeq(c.counts, "|") {
			counts.Add(s)
		}
		for s := range strings.SplitSeq(c.means, "|") {
			means.Add(s)
		}
		means.Others = &counts
		for column, of := range map[*Numbers][2]string{&counts: {c.counts, c.count}, &means: {c.means, c.mean}} {
			first, _, _ := strings.Cut(of[0], "|")
			got := ""
			if f, ok := column.Parse(first); ok {
				got = strconv.FormatFloat(f, 'f', -1, 64)
			}
			if got != of[1] {
				t.Errorf("%q beside %q: %q is %q, want %q", c.counts, c.means, first, got, of[1])
			}
		}
	}
}

// TestNumbersInAnyForm writes columns of counts in the forms of tools.
func TestNumbersInAnyForm(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		counts := append(rapid.SliceOf(rapid.IntRange(0, 5e6)).Draw(t, "counts"), 7)
		sep := rapid.SampledFrom([]string{"", ".", ",", " ", "\u202f", "'"}).Draw(t, "separator")
		point := rapid.SampledFrom([]string{"", ".0", ",0", ".00", ",00"}).Draw(t, "fraction")
		if point != "" && point[:1] == sep {
			point = ""
		}
		var n Numbers
		cells := make([]string, len(counts))
		for i, count := range counts {
			s := strconv.Itoa(count)
			for at := len(s) - 3; at > 0; at -= 3 {
				s = s[:at] + sep + s[at:]
			}
			cells[i] = s + point
			n.Add(cells[i])
		}
		for i, cell := range cells {
			if f, ok := n.Parse(cell); !ok || f != float64(counts[i]) {
				t.Fatalf("%q in %q is %v, %t", cell, cells, f, ok)
			}
		}
	})
}
