package vocabulary

import (
	"maps"
	"strings"
)

// unknown are the words by which the tools say that they do not know.
var unknown = []string{
	"", "-", "(not set)", "not set", "(other)", "<other>", "other", "(none)", "unknown", "(unknown)", "undefined", "null",
}

// browsers: the names of ua-parser-js stand for themselves; the others' words
// follow by the tool that uses them.
var browsers = newNames(
	[]string{
		"360", "AOL", "AVG Secure Browser", "Alipay", "Aloha", "Android Browser", "Avast Secure Browser", "Baidu",
		"Basilisk", "Beaker", "BlackBerry", "Brave", "Camino", "Chrome", "Chrome Headless", "Chrome WebView", "Chromium", "Cobalt",
		"Coc Coc", "Dolphin", "Dragon", "DuckDuckGo", "Ecosia", "Edge", "Epiphany", "Facebook", "Falkon", "Fennec", "Firefox",
		"Firefox Focus", "Firefox Reality", "GSA", "HeyTap", "Honor", "Huawei Browser", "IE", "IEMobile", "IceCat",
		"IceWeasel", "Instagram", "Iridium", "Iron", "K-Meleon", "KAKAOTALK", "Kindle", "Klar", "Konqueror", "LG Browser",
		"LibreWolf", "Line", "LinkedIn", "Lunascape", "Lynx", "MIUI Browser", "Maxthon", "Midori", "Mobile Chrome", "Mobile Firefox",
		"Mobile Safari", "Mozilla", "NAVER", "NetFront", "Netscape", "NokiaBrowser", "Obigo", "Oculus Browser", "OmniWeb",
		"Opera", "Opera Coast", "Opera GX", "Opera Mini", "Opera Mobi", "Opera Tablet", "Opera Touch", "Otter", "PaleMoon",
		"PhantomJS", "Pico Browser", "Polaris", "Puffin", "QQBrowser", "QQBrowserLite", "Quark", "QupZilla", "Qwant", "Safari",
		"Sailfish Browser", "Samsung Internet", "SeaMonkey", "Silk", "Sleipnir", "Slimjet", "Smart Lenovo Browser", "Snapchat",
		"Sogou Explorer", "Sogou Mobile", "Tesla", "TikTok", "TizenBrowser", "Twitter", "UCBrowser", "Vivaldi", "Vivo Browser",
		"Waterfox", "WeChat", "WebKit", "Weibo", "Whale", "Wolvic", "Yandex",
		// Not browsers, or not told which: the words are all there is.
		"curl", "searchbot", "Mobile App",
	},
	map[string]string{
		// Umami (detect-browser). "ios-webview" as Rybbit's own importer has it.
		"android":          "Android Browser",
		"bb10":             "BlackBerry",
		"chromium-webview": "Chrome WebView",
		"crios":            "Mobile Chrome",
		"edge-chromium":    "Edge",
		"edge-ios":         "Edge",
		"fxios":            "Mobile Firefox",
		"ios":              "Mobile Safari",
		"ios-webview":      "Mobile Safari",
		"miui":             "MIUI Browser",
		"opera-mini":       "Opera Mini",
		"pie":              "IEMobile",
		"samsung":          "Samsung Internet",
		"yandexbrowser":    "Yandex",

		// Plausible and Matomo (device-detector).
		"360 browser":                "360",
		"360 secure browser":         "360",
		"360 phone browser":          "360",
		"aloha browser":              "Aloha",
		"baidu browser":              "Baidu",
		"blackberry browser":         "BlackBerry",
		"chrome mobile":              "Mobile Chrome",
		"chrome mobile ios":          "Mobile Chrome",
		"duckduckgo privacy browser": "DuckDuckGo",
		"ecosia browser":             "Ecosia",
		"firefox mobile":             "Mobile Firefox",
		"firefox mobile ios":         "Mobile Firefox",
		"google search app":          "GSA",
		"headless chrome":            "Chrome Headless",
		"heytapbrowser":              "HeyTap",
		"heytap browser":             "HeyTap",
		"huawei browser mobile":      "Huawei Browser",
		"ie mobile":                  "IEMobile",
		"mi browser":                 "MIUI Browser",
		"microsoft edge":             "Edge",
		"mobile silk":                "Silk",
		"naver whale":                "Whale",
		"nokia browser":              "NokiaBrowser",
		"opera mini ios":             "Opera Mini",
		"opera mobile":               "Opera",
		"pale moon":                  "PaleMoon",
		"qq browser":                 "QQBrowser",
		"qq browser lite":            "QQBrowserLite",
		"qq browser mini":            "QQBrowserLite",
		"samsung browser":            "Samsung Internet",
		"tizen browser":              "TizenBrowser",
		"samsung browser lite":       "Samsung Internet",
		"uc browser":                 "UCBrowser",
		"uc browser hd":              "UCBrowser",
		"uc browser mini":            "UCBrowser",
		"whale browser":              "Whale",
		"wechat browser":             "WeChat",
		"yandex browser":             "Yandex",
		"yandex browser lite":        "Yandex",

		// Google Analytics.
		"amazon silk":              "Silk",
		"android runtime":          "Android Browser",
		"android webview":          "Chrome WebView",
		"internet explorer":        "IE",
		"mozilla compatible agent": "Mozilla",
		"safari (in-app)":          "Mobile Safari",
		"yabrowser":                "Yandex",

		// PostHog.
		"android mobile":           "Android Browser",
		"chrome ios":               "Mobile Chrome",
		"facebook mobile":          "Facebook",
		"firefox ios":              "Mobile Firefox",
		"internet explorer mobile": "IEMobile",
	},
)

var devices = newNames(
	[]string{Desktop, Mobile, Console, TV, Embedded},
	map[string]string{
		"laptop":     Desktop,
		"ultra-wide": Desktop,

		"tablet":                Mobile,
		"phone":                 Mobile,
		"smartphone":            Mobile,
		"phablet":               Mobile,
		"feature phone":         Mobile,
		"portable media player": Mobile,
		"wearable":              Mobile,
		"watch":                 Mobile,

		"gaming console": Console,
		"game console":   Console,

		"smart tv":   TV,
		"smarttv":    TV,
		"television": TV,

		"car browser":   Embedded,
		"camera":        Embedded,
		"peripheral":    Embedded,
		"smart display": Embedded,
		"smart speaker": Embedded,
	},
)

// A system is Rybbit's name and the version that a word implies.
type system struct{ name, version string }

// systems holds words without their versions; [OS] splits those off.
var systems = newSystems(
	[]string{
		"AIX", "Android", "Arch", "Bada", "BeOS", "BlackBerry", "CentOS", "Chrome OS", "Chromecast", "Debian", "Deepin",
		"DragonFly", "Fedora", "Firefox OS", "FreeBSD", "Fuchsia", "Gentoo", "Haiku", "HarmonyOS", "iOS", "KAIOS", "Kubuntu",
		"Linux", "macOS", "Maemo", "Mageia", "Mandriva", "Manjaro", "MeeGo", "Mint", "NetBSD", "Nintendo", "OpenBSD",
		"OpenHarmony", "OS/2", "Palm", "PlayStation", "QNX", "Raspbian", "Red Hat", "RIM Tablet OS", "Roku", "Sailfish",
		"Series40", "Slackware", "Solaris", "SUSE", "Symbian", "Tizen", "tvOS", "Ubuntu", "Ubuntu Touch", "Unix", "watchOS",
		"webOS", "Windows", "Windows IoT", "Windows Mobile", "Windows Phone", "Xbox", "Xubuntu",
	},
	map[string]system{
		"amazon os":       {"Android", ""},
		"android os":      {"Android", ""},
		"android tv":      {"Android", ""},
		"fire os":         {"Android", ""},
		"fireos":          {"Android", ""},
		"blackberry os":   {"BlackBerry", ""},
		"blackberry 10":   {"BlackBerry", "10"},
		"chromeos":        {"Chrome OS", ""},
		"chromium os":     {"Chrome OS", ""},
		"cros":            {"Chrome OS", ""},
		"gnu/linux":       {"Linux", ""},
		"linux mint":      {"Mint", ""},
		"arch linux":      {"Arch", ""},
		"redhat":          {"Red Hat", ""},
		"opensuse":        {"SUSE", ""},
		"harmony os":      {"HarmonyOS", ""},
		"intel":           {"macOS", ""}, // Google Analytics: "Web" with "Intel 10.15"
		"intel mac os x":  {"macOS", ""},
		"mac":             {"macOS", ""},
		"mac os":          {"macOS", ""},
		"mac os x":        {"macOS", ""},
		"macintosh":       {"macOS", ""},
		"macintosh intel": {"macOS", ""},
		"os x":            {"macOS", ""},
		"ipad":            {"iOS", ""},
		"ipados":          {"iOS", ""},
		"iphone":          {"iOS", ""},
		"iphone os":       {"iOS", ""},
		"ipod":            {"iOS", ""},
		"kai os":          {"KAIOS", ""},
		"nintendo 3ds":    {"Nintendo", "3DS"},
		"nintendo ds":     {"Nintendo", "DS"},
		"nintendo switch": {"Nintendo", "Switch"},
		"nintendo wii":    {"Nintendo", "Wii"},
		"nintendo wiiu":   {"Nintendo", "WiiU"},
		"open bsd":        {"OpenBSD", ""},
		"palm os":         {"Palm", ""},
		"roku os":         {"Roku", ""},
		"sailfish os":     {"Sailfish", ""},
		"series 40":       {"Series40", ""},
		"sun os":          {"Solaris", ""},
		"sunos":           {"Solaris", ""},
		"symbian os":      {"Symbian", ""},
		"symbianos":       {"Symbian", ""},
		"web os":          {"webOS", ""},
		"xbox one":        {"Xbox", "One"},
		"xbox 360":        {"Xbox", "360"},

		"windows ce":          {"Windows", "CE"},
		"windows me":          {"Windows", "ME"},
		"windows rt":          {"Windows", "RT"},
		"windows server 2003": {"Windows", "Server 2003"},
		"windows vista":       {"Windows", "Vista"},
		"windows xp":          {"Windows", "XP"},
		"windows nt 5.1":      {"Windows", "XP"},
		"windows nt 6.0":      {"Windows", "Vista"},
		"windows nt 6.1":      {"Windows", "7"},
		"windows nt 6.2":      {"Windows", "8"},
		"windows nt 6.3":      {"Windows", "8.1"},
		"windows nt 10.0":     {"Windows", "10"},

		"web": {}, // Google Analytics' platform in place of a system
	},
)

func newNames(own []string, words map[string]string) names {
	t := maps.Clone(words)
	for _, name := range own {
		t[strings.ToLower(name)] = name
	}
	for _, word := range unknown {
		t[word] = ""
	}
	return names{t}
}

func newSystems(own []string, words map[string]system) table[system] {
	t := table[system](maps.Clone(words))
	for _, name := range own {
		t[strings.ToLower(name)] = system{name: name}
	}
	for _, word := range unknown {
		t[word] = system{}
	}
	return t
}
