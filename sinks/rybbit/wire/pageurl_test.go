package wire

import (
	"net/url"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"hopper/pipeline"
)

// TestPageURL holds addresses and what the WHATWG URL parser of Node 20 reads
// from them: the verdicts say whether that is what the event held.
func TestPageURL(t *testing.T) {
	for _, tt := range []struct {
		host, path, query string
		want              string
		hostOK            Fidelity
		pathOK, queryOK   Fidelity
	}{
		{"shop.example", "/teas", "a=1&b=2", "https://shop.example/teas?a=1&b=2", Kept, Kept, Kept},
		{"shop.example", "/t%C3%A9%zz%", "q=%20", "https://shop.example/t%C3%A9%zz%?q=%20", Kept, Kept, Kept},
		{"shop.example", "/té 😀", "q='é", "https://shop.example/t%C3%A9%20%F0%9F%98%80?q=%27%C3%A9", Kept, Derived, Derived},
		{"shop.example", "/a#b?c\\d", "a#b?c/d", "https://shop.example/a%23b%3Fc%5Cd?a%23b?c/d", Kept, Derived, Derived},
		{"shop.example", "/a\tb\xff", "a\nb", "https://shop.example/a%09b%FF?a%0Ab", Kept, Derived, Derived},
		{"shop.example", "/a/../b", "", "https://shop.example/b", Kept, Derived, Kept},
		{"shop.example", "/%2E./b", "", "https://shop.example/b", Kept, Derived, Kept},
		{"shop.example", "/...//.a", "", "https://shop.example/...//.a", Kept, Kept, Kept},
		{"shop.example", "teas", "", "https://shop.example/teas", Kept, Derived, Kept},
		{"shop.example", "", "", "https://shop.example/", Kept, Kept, Kept},
		{"", "/teas", "q=1", "page:///teas?q=1", Lost, Kept, Kept},
		{"a b", "/", "", "page:///", Lost, Kept, Kept},
		{"münchen.de", "/", "", "page:///", Lost, Kept, Kept},
		{"SHOP.example", "/", "", "page:///", Lost, Kept, Kept},
		{"shop.example:8080", "/", "", "page:///", Lost, Kept, Kept},
		{"xn--mnchen-3ya.de", "/", "", "https://xn--mnchen-3ya.de/", Kept, Kept, Kept},
		{"127.0.0.1", "/", "", "https://127.0.0.1/", Kept, Kept, Kept},
		{"1.2.3", "/", "", "page:///", Lost, Kept, Kept},
		{"shop.123", "/", "", "page:///", Lost, Kept, Kept},
		{"0xdead", "/", "", "page:///", Lost, Kept, Kept},
		{"3com", "/", "", "https://3com/", Kept, Kept, Kept},
		{"[::1]", "/", "", "https://[::1]/", Kept, Kept, Kept},
		{"[::0:1]", "/", "", "page:///", Lost, Kept, Kept},
		{"a_b.example", "/", "", "https://a_b.example/", Kept, Kept, Kept},
	} {
		ev := pipeline.Event{Hostname: tt.host, Path: tt.path, Query: tt.query}
		if got := string(appendPageURL(nil, &ev, maxUnitsURL)); got != tt.want {
			t.Errorf("%q %q %q becomes %s, want %s", tt.host, tt.path, tt.query, got, tt.want)
		}
		for f, want := range map[pipeline.Field]Fidelity{
			pipeline.FieldHostname: tt.hostOK, pipeline.FieldPath: tt.pathOK, pipeline.FieldQuery: tt.queryOK,
		} {
			if got := pageURLCarries(f, &ev, maxUnitsURL); ev.Has(f) && got != want {
				t.Errorf("%s: %v is said to be %v, want %v", tt.want, f, got, want)
			}
		}
	}
}

// TestPageURLLimit checks that a URL is cut between characters, the query first.
func TestPageURLLimit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ev := pipeline.Event{
			Hostname: rapid.SampledFrom([]string{"shop.example", ""}).Draw(t, "host"),
			Path:     "/" + rapid.StringMatching(`[a%é😀/]{0,20}`).Draw(t, "path"),
			Query:    rapid.StringMatching(`[a%é&=]{0,20}`).Draw(t, "query"),
		}
		whole := string(appendPageURL(nil, &ev, 1000))
		limit := rapid.IntRange(30, 120).Draw(t, "limit")
		short := string(appendPageURL(nil, &ev, limit))
		if len(short) > limit || !strings.HasPrefix(whole, short) {
			t.Fatalf("%s cut to %d is %s", whole, limit, short)
		}
		cut := pageURLCarries(pipeline.FieldPath, &ev, limit) >= Shortened ||
			ev.Query != "" && pageURLCarries(pipeline.FieldQuery, &ev, limit) >= Shortened
		if cut != (short != whole) {
			t.Fatalf("%s cut to %s, which is not what is told", whole, short)
		}
		if strings.Contains(ev.Path+ev.Query, "%") {
			return // a bare percent sign may stand where it is cut
		}
		if _, err := url.ParseRequestURI(short); err != nil {
			t.Fatal(err)
		}
		if u, _ := url.Parse(short); !strings.HasPrefix(ev.Path, u.Path) {
			t.Fatalf("%s holds the path %q, which does not begin %q", short, u.Path, ev.Path)
		}
	})
}

func TestIsAddress(t *testing.T) {
	for s, want := range map[string]bool{
		"https://other.example": true, "https://OTHER.example:8080/x?y": true, "http://user:pass@other.example/": true,
		"android-app://com.example/": true, "https://[::1]:80/": true, "https://other.example:65535": true, "https://other.example:": true,
		"": false, "other.example": false, "mailto:a@b.example": false, "https://": false, "https:///x": false, "https://a b/": false,
		"https://other.example:65536/": false, "https://other.example:x/": false, "https://1.2.3/": false, "1http://a/": false,
		"ht tp://a/": false, `a+b://other.example\x`: false, "https://münchen.de/": false,
	} {
		if got := isAddress(s); got != want {
			t.Errorf("isAddress(%q) = %t", s, got)
		}
	}
}
