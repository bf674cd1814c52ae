package vocabulary

import (
	"strings"
	"testing"
)

func TestBrowser(t *testing.T) {
	for _, tt := range []struct {
		word, want string
		known      bool
	}{
		{"chrome", "Chrome", true},
		{"CrIOS", "Mobile Chrome", true},
		{"edge-chromium", "Edge", true},
		{"ios", "Mobile Safari", true},
		{"ios-webview", "Mobile Safari", true},
		{"chromium-webview", "Chrome WebView", true},
		{"android", "Android Browser", true},
		{"yandexbrowser", "Yandex", true},
		{"instagram", "Instagram", true},
		{"Microsoft Edge", "Edge", true},
		{"Samsung Browser", "Samsung Internet", true},
		{"Mobile App", "Mobile App", true},
		{"Safari (in-app)", "Mobile Safari", true},
		{"Android Webview", "Chrome WebView", true},
		{"Internet Explorer", "IE", true},
		{"YaBrowser", "Yandex", true},
		{"Amazon Silk", "Silk", true},
		{" Opera ", "Opera", true},
		{"", "", true},
		{"(not set)", "", true},
		{"<Other>", "", true},
		{" Ladybird ", "Ladybird", false},
		{"Навигатор", "Навигатор", false},
		{strings.Repeat("x", 1000), strings.Repeat("x", 1000), false},
	} {
		if got, known := Browser(tt.word); got != tt.want || known != tt.known {
			t.Errorf("Browser(%.50q) = %.50q, %t; want %.50q, %t", tt.word, got, known, tt.want, tt.known)
		}
	}
}

func TestOS(t *testing.T) {
	for _, tt := range []struct {
		word, name, version string
		known               bool
	}{
		{"Windows", "Windows", "", true},
		{"Windows 10", "Windows", "10", true},
		{"windows 8.1", "Windows", "8.1", true},
		{"Windows XP", "Windows", "XP", true},
		{"Windows Server 2003", "Windows", "Server 2003", true},
		{"Windows NT 6.1", "Windows", "7", true},
		{"Windows Phone 8.1", "Windows Phone", "8.1", true},
		{"Mac OS", "macOS", "", true},
		{"Mac OS X 10_15_7", "macOS", "10_15_7", true},
		{"Macintosh Intel 10.15", "macOS", "10.15", true},
		{"Macintosh", "macOS", "", true},
		{"Android OS", "Android", "", true},
		{"Android 11", "Android", "11", true},
		{"iOS 14.3", "iOS", "14.3", true},
		{"GNU/Linux", "Linux", "", true},
		{"Ubuntu", "Ubuntu", "", true},
		{"ubuntu 22.04", "Ubuntu", "22.04", true},
		{"Chromium OS", "Chrome OS", "", true},
		{"PlayStation 4", "PlayStation", "4", true},
		{"Web", "", "", true},
		{"(not set)", "", "", true},
		{"Web 3", "Web 3", "", false},
		{"TempleOS 5.03", "TempleOS 5.03", "", false},
	} {
		name, version, known := OS(tt.word)
		if name != tt.name || version != tt.version || known != tt.known {
			t.Errorf("OS(%q) = %q, %q, %t; want %q, %q, %t", tt.word, name, version, known, tt.name, tt.version, tt.known)
		}
	}
}

func TestOSVersion(t *testing.T) {
	for _, tt := range []struct{ word, os, version string }{
		{"10.15.7", "", "10.15.7"},
		{"10_15_7", "", "10.15.7"},
		{"Macintosh Intel 10.15", "macOS", "10.15"},
		{"Intel 10.15", "macOS", "10.15"},
		{"Windows 7", "Windows", "7"},
		{"Android 10", "Android", "10"},
		{"XP", "", "XP"},
		{"<Other>", "", ""},
		{"(not set)", "", ""},
		{"", "", ""},
	} {
		if os, version := OSVersion(tt.word); os != tt.os || version != tt.version {
			t.Errorf("OSVersion(%q) = %q, %q; want %q, %q", tt.word, os, version, tt.os, tt.version)
		}
	}
}

func TestDevice(t *testing.T) {
	for _, tt := range []struct {
		word, want string
		known      bool
	}{
		{"laptop", Desktop, true},
		{"Desktop", Desktop, true},
		{"tablet", Mobile, true},
		{"smart tv", TV, true},
		{"Smartphone", Mobile, true},
		{"car browser", Embedded, true},
		{"console", Console, true},
		{"(not set)", "", true},
		{"toaster", "toaster", false},
	} {
		if got, known := Device(tt.word); got != tt.want || known != tt.known {
			t.Errorf("Device(%q) = %q, %t; want %q, %t", tt.word, got, known, tt.want, tt.known)
		}
	}
}

func TestMajor(t *testing.T) {
	for version, want := range map[string]string{
		"126.0.6478.61": "126", "87.0": "87", " 14 ": "14", "604": "604", "": "", "<Other>": "", "(not set)": "", "v9": "",
	} {
		if got := Major(version); got != want {
			t.Errorf("Major(%q) = %q, want %q", version, got, want)
		}
	}
}

type client struct{ browser, browserVersion, os, osVersion, device string }

func (c client) normalize() client {
	Normalize(&c.browser, &c.browserVersion, &c.os, &c.osVersion, &c.device)
	return c
}

func TestNormalize(t *testing.T) {
	for _, tt := range []struct{ in, want client }{
		{client{"chrome", "", "Android OS", "", "mobile"}, client{"Mobile Chrome", "", "Android", "", "Mobile"}},
		{client{"chrome", "", "Windows 10", "", "laptop"}, client{"Chrome", "", "Windows", "10", "Desktop"}},
		{client{"chrome", "", "Android OS", "", "smart tv"}, client{"Chrome", "", "Android", "", "TV"}},
		{client{"crios", "", "iOS", "", "mobile"}, client{"Mobile Chrome", "", "iOS", "", "Mobile"}},
		{client{"Safari", "17.5", "iOS", "17.5", "Mobile"}, client{"Mobile Safari", "17", "iOS", "17.5", "Mobile"}},
		{client{"Safari", "17.5", "Mac", "10.15.7", "Laptop"}, client{"Safari", "17", "macOS", "10.15.7", "Desktop"}},
		{client{"Firefox", "115.0", "Android", "9", ""}, client{"Mobile Firefox", "115", "Android", "9", ""}},
		{client{"Chrome", "87.0", "Web", "Macintosh Intel 10.15", "desktop"}, client{"Chrome", "87", "macOS", "10.15", "Desktop"}},
		{client{"Chrome", "87.0", "Windows", "Windows 10", "desktop"}, client{"Chrome", "87", "Windows", "10", "Desktop"}},
		{client{"Chrome", "<Other>", "<Other>", "<Other>", "mobile"}, client{"Chrome", "", "", "", "Mobile"}},
		{client{}, client{}},
	} {
		got := tt.in.normalize()
		if got != tt.want {
			t.Errorf("Normalize(%q) = %q, want %q", tt.in, got, tt.want)
		}
		if again := got.normalize(); again != got {
			t.Errorf("Normalize(%q) = %q, want it unchanged", got, again)
		}
	}
}

// TestTables checks what lookups rely on.
func TestTables(t *testing.T) {
	check := func(word string) {
		if word != strings.ToLower(word) || word != strings.TrimSpace(word) || len(word) > longestWord {
			t.Errorf("table word %q can never be found", word)
		}
	}
	for _, table := range []names{browsers, devices} {
		for word, name := range table.table {
			check(word)
			if again, known := table.name(name); again != name || !known {
				t.Errorf("%q means %q, which means %q (known %t)", word, name, again, known)
			}
		}
	}
	for word, s := range systems {
		check(word)
		if name, version, known := OS(s.name); name != s.name || version != "" || !known {
			t.Errorf("%q means %q, which means %q %q (known %t)", word, s.name, name, version, known)
		}
	}
}

func TestLookupsDoNotAllocate(t *testing.T) {
	allocs := testing.AllocsPerRun(100, func() {
		client{"Edge-Chromium", "126.0.1", "Windows 10", "", "laptop"}.normalize()
		client{"Never Heard Of", "126.0.1", "Nor This 10", "", "neither"}.normalize()
	})
	if allocs != 0 {
		t.Errorf("%v allocations, want none", allocs)
	}
}

func FuzzNormalize(f *testing.F) {
	f.Add("chrome", "126.0", "Mac OS X 10_15_7", "", "laptop")
	f.Add("Safari (in-app)", "604", "Web", "Intel 10.15", "tablet")
	f.Fuzz(func(t *testing.T, browser, browserVersion, os, osVersion, device string) {
		once := client{browser, browserVersion, os, osVersion, device}.normalize()
		if twice := once.normalize(); twice != once {
			t.Errorf("normalized twice %q, once %q", twice, once)
		}
	})
}
