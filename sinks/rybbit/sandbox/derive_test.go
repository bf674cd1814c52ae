package sandbox

import (
	"strings"
	"testing"
)

func TestParseURL(t *testing.T) {
	for _, tt := range []struct{ in, host, path, search string }{
		{"https://shop.example", "shop.example", "/", ""},
		{" https://shop.example/a\n", "shop.example", "/a", ""},
		{"http:\\\\shop.example\\a", "shop.example", "/a", ""},
		{"https://user:pw@shop.example:8443/", "shop.example", "/", ""},
		{"https://shop.example/?", "shop.example", "/", ""},
		{"https://shop.example?a=b", "shop.example", "/", "?a=b"},
		{"https://shop.example/a?b?c#d", "shop.example", "/a", "?b?c"},
		{"https://shop.example/a#b?c", "shop.example", "/a", ""},
		{"https://shop.example/a/./b/../c", "shop.example", "/a/c", ""},
		{"https://shop.example/a/%2E%2e/b/.", "shop.example", "/b/", ""},
		{"https://shop.example/../..", "shop.example", "/", ""},
		{"https://shop.example//a//b", "shop.example", "//a//b", ""},
		{"https://shop.example/%zz%20", "shop.example", "/%zz%20", ""},
		{"https://shop.example/\"<>`{}|'", "shop.example", "/%22%3C%3E%60%7B%7D|'", ""},
		{"https://shop.example/?\"<>`{}|'ü", "shop.example", "/", "?%22%3C%3E`{}|%27%C3%BC"},
		{"https://SHOP.Example./", "shop.example.", "/", ""},
		{"https://bücher.example/", "xn--bcher-kva.example", "/", ""},
		{"https://xn--bcher-kva.example/", "xn--bcher-kva.example", "/", ""},
		{"https://münchen.例え.example/", "xn--mnchen-3ya.xn--r8jz45g.example", "/", ""},
		{"https://shop%2Eexample/", "shop.example", "/", ""},
		{"http://localhost:3000/a", "localhost", "/a", ""},
		{"http://127.0.0.1/", "127.0.0.1", "/", ""},
		{"http://[::1]:80/", "[::1]", "/", ""},
		{"http://my_host/", "my_host", "/", ""},
		{"android-app://com.Example.app/x", "com.Example.app", "/x", ""},
		{"android-app://com.example.app", "com.example.app", "", ""},
		{"page:///a/../b?q='#x", "", "/b", "?q='"},
		{"page:///", "", "/", ""},
		{"page:/a", "", "/a", ""},
		{"about:blank", "", "", ""},
		{"mailto:a@example.org", "", "", ""},
	} {
		if got, ok := parseURL(tt.in); !ok || got != (webURL{tt.host, tt.path, tt.search}) {
			t.Errorf("%q: got %+v, %v", tt.in, got, ok)
		}
	}
	for _, in := range []string{"", "/a", "shop.example", "//shop.example", "https://", "https:///", "https://?a", "https://a b/", "https://a|b/", "https://a%zz/", "https://a%2fb/",
		"https://a:b/", "https://a:65536/", "https://[::1/", "https://[1.2.3.4]/", "https://1.2.3.256/", "https://shop.42/", "1http://a/", "page://a b/", "page://:80/", "page://a:x/", "http://a:+1/", "ht tp://a/"} {
		if got, ok := parseURL(in); ok {
			t.Errorf("%q: got %+v", in, got)
		}
	}
}

func FuzzParseURL(f *testing.F) {
	f.Add("https://user@bücher.example:80/a/../b?c=d#e")
	f.Fuzz(func(t *testing.T, s string) {
		u, ok := parseURL(s)
		if !ok || u.pathname == "" {
			return
		}
		again := "page://" + u.hostname + u.pathname + u.search
		if v, ok := parseURL(again); !ok || v != u {
			t.Fatalf("%q is read as %+v, and that as %+v", s, u, v)
		}
		scheme, _, _ := strings.Cut(strings.ToLower(strings.TrimSpace(s)), ":")
		if u.hostname == "" && (scheme == "http" || scheme == "https") {
			t.Fatalf("%q is read without a host", s)
		}
	})
}

func TestUserAgents(t *testing.T) {
	for _, tt := range []struct{ agent, browser, version, system, systemVersion, device string }{
		{"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.6099.130 Safari/537.36", "Chrome", "120", "Windows", "10", "Desktop"},
		{"Mozilla/5.0 (Windows NT 6.1; WOW64; Trident/7.0; rv:11.0) like Gecko", "IE", "11", "Windows", "7", "Desktop"},
		{"Mozilla/4.0 (compatible; MSIE 8.0; Windows NT 5.1; Trident/4.0)", "IE", "8", "Windows", "XP", "Desktop"},
		{"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36 Edg/120.0.2210.91", "Edge", "120", "Windows", "10", "Desktop"},
		{"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36 OPR/106.0.0.0", "Opera", "106", "Windows", "10", "Desktop"},
		{"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/118.0.0.0 YaBrowser/23.11.0 Yowser/2.5 Safari/537.36", "Yandex", "23", "Windows", "10", "Desktop"},
		{"Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:121.0) Gecko/20100101 Firefox/121.0", "Firefox", "121", "Windows", "10", "Desktop"},
		{"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.2 Safari/605.1.15", "Safari", "17", "macOS", "10.15.7", "Desktop"},
		{"Mozilla/5.0 (iPhone; CPU iPhone OS 17_2_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.2 Mobile/15E148 Safari/604.1", "Mobile Safari", "17", "iOS", "17.2.1", "Mobile"},
		{"Mozilla/5.0 (iPad; CPU OS 16_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/16.6 Mobile/15E148 Safari/604.1", "Mobile Safari", "16", "iOS", "16.6", "Mobile"},
		{"Mozilla/5.0 (iPhone; CPU iPhone OS 17_2 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/120.0.6099.119 Mobile/15E148 Safari/604.1", "Mobile Chrome", "120", "iOS", "17.2", "Mobile"},
		{"Mozilla/5.0 (iPhone; CPU iPhone OS 17_2 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) FxiOS/121.0 Mobile/15E148 Safari/605.1.15", "Mobile Firefox", "121", "iOS", "17.2", "Mobile"},
		{"Mozilla/5.0 (iPhone; CPU iPhone OS 17_2 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) GSA/297.0 Mobile/15E148 Safari/604.1", "GSA", "297", "iOS", "17.2", "Mobile"},
		{"Mozilla/5.0 (iPhone; CPU iPhone OS 17_2 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 Instagram 312.0.0.0", "Instagram", "312", "iOS", "17.2", "Mobile"},
		{"Mozilla/5.0 (iPhone; CPU iPhone OS 17_2 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 [FBAN/FBIOS;FBAV/443.0.0.0]", "Facebook", "443", "iOS", "17.2", "Mobile"},
		{"Mozilla/5.0 (Linux; Android 13; SM-S901B) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Mobile Safari/537.36", "Mobile Chrome", "120", "Android", "13", "Mobile"},
		{"Mozilla/5.0 (Linux; Android 13; SM-X700) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36", "Chrome", "120", "Android", "13", "Mobile"},
		{"Mozilla/5.0 (Linux; Android 13; Pixel 7; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/120.0.0.0 Mobile Safari/537.36", "Chrome WebView", "120", "Android", "13", "Mobile"},
		{"Mozilla/5.0 (Linux; Android 13; SM-S901B) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/23.0 Chrome/115.0.0.0 Mobile Safari/537.36", "Samsung Internet", "23", "Android", "13", "Mobile"},
		{"Mozilla/5.0 (Android 13; Mobile; rv:121.0) Gecko/121.0 Firefox/121.0", "Mobile Firefox", "121", "Android", "13", "Mobile"},
		{"Mozilla/5.0 (Linux; U; Android 4.4.2; en-us) AppleWebKit/534.30 (KHTML, like Gecko) Version/4.0 Mobile Safari/534.30", "Android Browser", "4", "Android", "4.4.2", "Mobile"},
		{"Mozilla/5.0 (Linux; U; Android 11; en-US) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/78.0 UCBrowser/13.4.0.1306 Mobile Safari/537.36", "UCBrowser", "13", "Android", "11", "Mobile"},
		{"Mozilla/5.0 (Linux; Android 13; Pixel 7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Mobile Safari/537.36 EdgA/120.0.2210.84", "Edge", "120", "Android", "13", "Mobile"},
		{"Opera/9.80 (Android; Opera Mini/36.2.2254/119.132; U; id) Presto/2.12.423 Version/12.16", "Opera Mini", "36", "Android", "", "Mobile"},
		{"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/120.0.0.0 Safari/537.36", "Chrome Headless", "120", "Linux", "", "Desktop"},
		{"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36", "Chrome", "120", "Chrome OS", "14541.0.0", "Desktop"},
		{"Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:121.0) Gecko/20100101 Firefox/121.0", "Firefox", "121", "Ubuntu", "", "Desktop"},
		{"Mozilla/5.0 (compatible; MSIE 10.0; Windows Phone 8.0; Trident/6.0; IEMobile/10.0; ARM; Touch; NOKIA; Lumia 920)", "IEMobile", "10", "Windows Phone", "8.0", "Mobile"},
		{"Mozilla/5.0 (Web0S; Linux/SmartTV) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/94.0.4606.128 Safari/537.36 WebAppManager", "Chrome", "94", "webOS", "", "TV"},
		{"Mozilla/5.0 (PlayStation; PlayStation 5/6.50) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/16.5 Safari/605.1.15", "Safari", "16", "PlayStation", "5", "Console"},
		{"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/79.0 Safari/537.36 Tesla/2021.4", "Chrome", "79", "Linux", "", "Embedded"},
		{"curl/8.4.0", "", "", "", "", "Desktop"},
		{"", "", "", "", "", ""},
	} {
		var e event
		e.readAgent(tt.agent)
		got := []string{e.browser, e.browserVersion, e.os, e.osVersion, e.device}
		if want := []string{tt.browser, tt.version, tt.system, tt.systemVersion, tt.device}; strings.Join(got, "|") != strings.Join(want, "|") {
			t.Errorf("%s:\ngot  %q\nwant %q", tt.agent, got, want)
		}
	}
}
