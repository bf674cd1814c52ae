package adapters

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestParameters(t *testing.T) {
	for _, c := range []struct {
		query, name, value, want string
	}{
		{"", "gclid", "x", "gclid=x"},
		{"a=1", "gclid", "x y", "a=1&gclid=x+y"},
		{"a=1&gclid=z", "gclid", "x", "a=1&gclid=z"},
		{"GCLID=z", "gclid", "x", "GCLID=z"},
		{"?gclid", "gclid", "x", "?gclid"},
		{"xgclid=1&gclidx=2&a=gclid=3", "gclid", "x", "xgclid=1&gclidx=2&a=gclid=3&gclid=x"},
		{"a=1", "gclid", "", "a=1"},
	} {
		if got := AddParameter(c.query, c.name, c.value); got != c.want {
			t.Errorf("%q with %s=%s: got %q, want %q", c.query, c.name, c.value, got, c.want)
		}
	}
	if got := UTMQuery([]string{"letter", "", "spring & co", "", "ü"}); got != "utm_source=letter&utm_campaign=spring+%26+co&utm_term=%C3%BC" {
		t.Errorf("got %q", got)
	}
}

func FuzzParameters(f *testing.F) {
	f.Add("a=1&b", "b", "2")
	f.Add("?B=1", "b", "é&")
	f.Fuzz(func(t *testing.T, query, name, value string) {
		if name == "" || strings.ContainsAny(name, "&=?#%+;") {
			return
		}
		added := AddParameter(query, name, value)
		if AddParameter(added, name, value) != added {
			t.Errorf("%q with %q=%q: added twice", query, name, value)
		}
		if !strings.HasPrefix(added, query) {
			t.Errorf("%q with %q=%q: got %q", query, name, value, added)
		}
		if value == "" || HasParameter(query, name) {
			return
		}
		_, last, _ := strings.Cut(added[len(query):], "=")
		if got, err := url.QueryUnescape(last); err != nil || got != value {
			t.Errorf("%q with %q=%q: got %q", query, name, value, added)
		}
	})
}

// Referrers that repeat parts of those before are put together as each alone.
func TestReferrersInOrder(t *testing.T) {
	domains := rapid.SampledFrom([]string{"", " ", "google.com", " google.com ", "http://a.example", "b.example", "a.example", "é"})
	paths := rapid.SampledFrom([]string{"", "/", "/a", "a", "com.app", strings.Repeat("/long", 3000)})
	queries := rapid.SampledFrom([]string{"", "q=1", "?q=1", "?"})
	rapid.Check(t, func(t *rapid.T) {
		var r Referrers
		var got, want []string
		for range rapid.IntRange(1, 30).Draw(t, "n") {
			domain, path, query := domains.Draw(t, "domain"), paths.Draw(t, "path"), queries.Draw(t, "query")
			got, want = append(got, r.Of(domain, path, query)), append(want, Referrer(domain, path, query))
		}
		if !slices.Equal(got, want) {
			t.Fatalf("got %q, want %q", got, want)
		}
	})
}

func TestReferrer(t *testing.T) {
	for _, c := range []struct{ domain, path, query, want string }{
		{"", "", "", ""},
		{"", "/own", "a=1", ""},
		{"", "android-app://com.slack", "", "android-app://com.slack"},
		{"www.google.com", "/search", "q=x", "https://www.google.com/search?q=x"},
		{"www.google.com", "search", "?q=x", "https://www.google.com/search?q=x"},
		{" http://a.example ", "", "", "http://a.example"},
	} {
		if got := Referrer(c.domain, c.path, c.query); got != c.want {
			t.Errorf("%q %q %q: got %q, want %q", c.domain, c.path, c.query, got, c.want)
		}
	}
}

func TestHosts(t *testing.T) {
	for host, want := range map[string]bool{
		"google.com": true, "a.example:8080": true, "münchen.de": true, "com.google.android.gm": true,
		"google": false, "": false, ".com": false, "a.": false, "hacker news.": false, "a.b/c": false, "a@b.c": false,
	} {
		if IsHost(host) != want {
			t.Errorf("%q: got %t", host, !want)
		}
	}
	if !SameHost("www.A.example", "a.example") || SameHost("www.a.example", "b.example") || SameHost("www.", "") {
		t.Error("hosts are mistaken for each other")
	}
}

func TestInteger(t *testing.T) {
	for s, want := range map[string]string{
		"1": "1", "1.0": "1", "1.": "1", "-17.00": "-17", "1.5": "1.5", "": "", ".0": ".0", "-.0": "-.0", "v1.0": "v1.0", "1.0.0": "1.0.0", "1e3": "1e3",
	} {
		if got := Integer(s); got != want {
			t.Errorf("%q: got %q, want %q", s, got, want)
		}
	}
}

func TestIsRounded(t *testing.T) {
	for id, want := range map[string]bool{
		"": false, "1": false, "E+1": false, "1E+": false, "1E+3": true, "1.23457E+18": true, "1,23457e+18": true, "1E+100": true,
		"1E+1000": false, "1+E3": false, "a1E+18": false, "12345678901234567E+18": false, "1E+1x": false,
		"6c1c77a2-c723-50b2-9268-0868c3c6305d": false, "abc+12": false, "1E+18E+18": false,
	} {
		if got := IsRounded(id); got != want {
			t.Errorf("%q: %v", id, got)
		}
	}
}
