package plausible

import (
	"hopper/adapters"
	"slices"
	"testing"
	"time"
)

func TestSourcesBecomeReferrers(t *testing.T) {
	for _, c := range []struct {
		row       [7]string // source, referrer, UTM values
		ref, utms string
		lost      bool
	}{
		{row: [7]string{}},
		{row: [7]string{"Direct / None"}},
		{row: [7]string{"Google"}, ref: "https://google.com"},
		{row: [7]string{"Google", "google.com"}, ref: "https://google.com"},
		{row: [7]string{"GitHub", "github.com/owner/name"}, ref: "https://github.com/owner/name"},
		{row: [7]string{"npmjs.com"}, ref: "https://npmjs.com"},
		{row: [7]string{"Hacker News"}, ref: "https://news.ycombinator.com"},
		{row: [7]string{"support", "secure.helpscout.net", "support", "email"}, ref: "https://secure.helpscout.net", utms: "utm_source=support&utm_medium=email"},
		{row: [7]string{"newsletter", "", "newsletter"}, utms: "utm_source=newsletter"},
		{row: [7]string{"Our Friends"}, lost: true},
		{row: [7]string{"newsletter", "", "", "email"}, utms: "utm_medium=email", lost: true},
		{row: [7]string{"Google", "android-app://com.google.android.gm"}, ref: "android-app://com.google.android.gm"},
		{row: [7]string{"x", "", "x", "", "a & b", "50 %", "ä"}, utms: "utm_source=x&utm_campaign=a+%26+b&utm_content=50+%25&utm_term=%C3%A4"},
		{row: [7]string{"not a.host"}, lost: true},
		{row: [7]string{"ends."}, lost: true},
	} {
		key := ""
		for i, cell := range c.row {
			if i > 0 {
				key += "\x00"
			}
			key += cell
		}
		if o := originOf(key); o != (origin{c.ref, c.utms, c.lost}) {
			t.Errorf("%q: got %+v", c.row, o)
		}
	}
}

func TestArrays(t *testing.T) {
	for in, want := range map[string][]string{
		``:                    nil,
		`[]`:                  nil,
		`['a']`:               {"a"},
		`['a','b, c']`:        {"a", "b, c"},
		`['it\'s','\\','\n']`: {"it's", `\`, "\n"},
		`['it''s']`:           {"it's"},
		`["a", "say \"hi\""]`: {"a", `say "hi"`},
		`['']`:                {""},
		`[ 'a' , 'b' ]`:       {"a", "b"},
		`['[','],']`:          {"[", "],"},
	} {
		if got, ok := parseArray(in, nil); !ok || !slices.Equal(got, want) {
			t.Errorf("%s: got %q, %v", in, got, ok)
		}
	}
	for _, in := range []string{`a`, `[a]`, `['a]`, `['a' 'b']`, `['a',]`, `[`, `['a'`, `{'a'}`} {
		if got, ok := parseArray(in, nil); ok {
			t.Errorf("%s: got %q where it is no array", in, got)
		}
	}
}

func TestTimes(t *testing.T) {
	want := time.Date(2024, 1, 31, 12, 30, 5, 0, time.UTC).UnixMicro()
	for _, s := range []string{"2024-01-31 12:30:05", "2024-01-31T12:30:05Z", "2024-01-31t12:30:05z", "2024-01-31 12:30:05 UTC",
		"2024-01-31 12:30:05.000", "2024-01-31 14:30:05+02:00", "1706704205"} {
		if got, ok := new(adapters.Times).Parse(s); !ok || int64(got) != want {
			t.Errorf("%s: got %v, %v", s, got.Time(), ok)
		}
	}
	for _, s := range []string{"", "now", "12", "2024-13-31 12:30:05"} {
		if got, ok := new(adapters.Times).Parse(s); ok {
			t.Errorf("%s: got %v", s, got.Time())
		}
	}
}

func TestKin(t *testing.T) {
	safari, old, windows10, phone := kinOf(browsersTable, "Safari\x0017"), kinOf(browsersTable, "Internet Explorer\x0011"), kinOf(systemsTable, "Windows\x0010"), kinOf(devicesTable, "Mobile")
	if safari&windows10 != 0 || old&windows10 == 0 || phone&windows10 != 0 || kinOf(browsersTable, "Chrome\x00120") != 0 || kinOf(devicesTable, "Laptop")&windows10 == 0 {
		t.Error("browsers, systems and devices go together in other ways")
	}
}
