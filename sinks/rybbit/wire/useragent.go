package wire

import (
	"cmp"
	"strings"

	"hopper/pipeline"
	"hopper/pipeline/vocabulary"
)

// A product is a browser's name in a user agent: the text before and after its
// version. It begins inside the comment that holds the system.
type product struct {
	before, after string
	// unknown stands for a version that is not known; empty is ".".
	unknown string
}

const (
	webKit      = ") AppleWebKit/537.36 (KHTML, like Gecko) "
	appleWebKit = ") AppleWebKit/605.1.15 (KHTML, like Gecko) "
	gecko       = ") Gecko/20100101 "
	onChrome    = webKit + "Chrome/120.0.0.0 Safari/537.36 "
)

// products are the browsers for which Rybbit's user agent parser, ua-parser-js
// 2.0.3, gives back the name; testdata/useragent.mjs checks it against the parser.
var products = map[string]product{
	"360":                  {webKit + "Chrome/", " Safari/537.36 QIHU 360SE", ""},
	"AVG Secure Browser":   {onChrome + "AVG/", "", ""},
	"Alipay":               {webKit + "AlipayClient/", "", ""},
	"Android Browser":      {") AppleWebKit/534.30 (KHTML, like Gecko) Version/", " Mobile Safari/534.30", "x"},
	"Avast Secure Browser": {onChrome + "Avast/", "", ""},
	"Baidu":                {webKit + "baidubrowser/", " Safari/537.36", ""},
	"Basilisk":             {gecko + "Basilisk/", "", ""},
	"Brave":                {onChrome + "Brave/", "", ""},
	"Chrome":               {webKit + "Chrome/", " Safari/537.36", ""},
	"Chrome Headless":      {webKit + "HeadlessChrome/", " Safari/537.36", ""},
	"Chrome WebView":       {"; wv" + webKit + "Version/4.0 Chrome/", " Mobile Safari/537.36", ""},
	"Chromium":             {webKit + "Chromium/", " Safari/537.36", ""},
	"Coc Coc":              {webKit + "coc_coc_browser/", " Chrome/120.0.0.0 Safari/537.36", ""},
	"DuckDuckGo":           {appleWebKit + "DuckDuckGo/", " Safari/605.1.15", ""},
	"Edge":                 {onChrome + "Edg/", "", ""},
	"Epiphany":             {appleWebKit + "Epiphany/", " Safari/605.1.15", ""},
	"Facebook":             {webKit + "[FBAN/FB4A;FBAV/", ";]", ""},
	"Falkon":               {webKit + "Falkon/", " Chrome/120.0.0.0 Safari/537.36", ""},
	"Fennec":               {gecko + "Fennec/", "", ""},
	"Firefox":              {gecko + "Firefox/", "", ""},
	"Firefox Focus":        {appleWebKit + "Focus/", " Safari/605.1.15", ""},
	"GSA":                  {appleWebKit + "GSA/", " Mobile/15E148 Safari/604.1", ""},
	"HeyTap":               {webKit + "HeyTapBrowser/", " Chrome/120.0.0.0 Safari/537.36", ""},
	"Huawei Browser":       {webKit + "HuaweiBrowser/", " Chrome/120.0.0.0 Safari/537.36", ""},
	"IE":                   {"; MSIE ", "; Trident/7.0)", ""},
	"IEMobile":             {webKit + "IEMobile/", "", ""},
	"IceWeasel":            {gecko + "IceWeasel/", "", ""},
	"Instagram":            {webKit + "Instagram ", "", ""},
	"Iridium":              {webKit + "Iridium/", " Safari/537.36", ""},
	"Iron":                 {webKit + "Iron/", " Safari/537.36", ""},
	"K-Meleon":             {gecko + "K-Meleon/", "", ""},
	"KAKAOTALK":            {webKit + "KAKAOTALK ", "", ""},
	"Kindle":               {webKit + "Kindle/", "", ""},
	"Klar":                 {appleWebKit + "Klar/", " Safari/605.1.15", ""},
	"Konqueror":            {webKit + "Konqueror/", "", ""},
	"LG Browser":           {webKit + "LG Browser/", "", ""},
	"LibreWolf":            {gecko + "LibreWolf/", "", ""},
	"Line":                 {webKit + "Line/", "/IAB", ""},
	"Lynx":                 {") Lynx/", "", ""},
	"MIUI Browser":         {onChrome + "XiaoMi/MiuiBrowser/", "", ""},
	"Maxthon":              {webKit + "Maxthon/", " Chrome/120.0.0.0 Safari/537.36", ""},
	"Midori":               {webKit + "Midori/", "", ""},
	"Mobile Chrome":        {webKit + "Chrome/", " Mobile Safari/537.36", ""},
	"Mobile Firefox":       {appleWebKit + "FxiOS/", " Mobile/15E148 Safari/605.1.15", ""},
	"Mobile Safari":        {appleWebKit + "Version/", " Mobile/15E148 Safari/604.1", ""},
	"NetFront":             {") NetFront/", "", ""},
	"Netscape":             {") Netscape/", "", ""},
	"NokiaBrowser":         {webKit + "NokiaBrowser/", "", ""},
	"Obigo":                {") Obigo/", "", ""},
	"Oculus Browser":       {webKit + "OculusBrowser/", " Chrome/120.0.0.0 Safari/537.36", ""},
	"OmniWeb":              {appleWebKit + "OmniWeb/", "", ""},
	"Opera":                {onChrome + "OPR/", "", ""},
	"Opera GX":             {onChrome + "OPX/", "", ""},
	"Opera Mini":           {") Opera Mini/", "", ""},
	"Opera Mobi":           {"; Opera Mobi) Presto/2.11 Version/", "", ""},
	"Opera Touch":          {webKit + "OPT/", "", ""},
	"Otter":                {webKit + "Otter/", "", ""},
	"PaleMoon":             {gecko + "PaleMoon/", "", ""},
	"PhantomJS":            {webKit + "PhantomJS/", " Safari/537.36", ""},
	"Pico Browser":         {webKit + "PicoBrowser/", " Chrome/120.0.0.0 Safari/537.36", ""},
	"Polaris":              {") Polaris/", "", ""},
	"Puffin":               {webKit + "Puffin/", "", ""},
	"QQBrowser":            {webKit + "QQBrowser/", " Chrome/120.0.0.0 Safari/537.36", ""},
	"QQBrowserLite":        {webKit + "QQBrowserLite/", " Chrome/120.0.0.0 Safari/537.36", ""},
	"Quark":                {webKit + "Quark/", " Mobile Safari/537.36", ""},
	"QupZilla":             {webKit + "QupZilla/", " Safari/537.36", ""},
	"Safari":               {appleWebKit + "Version/", " Safari/605.1.15", ""},
	"Samsung Internet":     {webKit + "SamsungBrowser/", " Chrome/120.0.0.0 Safari/537.36", ""},
	"SeaMonkey":            {gecko + "SeaMonkey/", "", ""},
	"Silk":                 {webKit + "Silk/", " like Chrome/120.0.0.0 Safari/537.36", ""},
	"Sleipnir":             {webKit + "Sleipnir/", "", ""},
	"Slimjet":              {onChrome + "Slimjet/", "", ""},
	"Smart Lenovo Browser": {onChrome + "SLBrowser/", "", ""},
	"Snapchat":             {webKit + "Snapchat/", "", ""},
	"Sogou Explorer":       {webKit + "MetaSr ", "", ""},
	"TikTok":               {webKit + "musical_ly_", "", ""},
	"Twitter":              {appleWebKit + "Twitter for iPhone/", "", ""},
	"UCBrowser":            {webKit + "UCBrowser/", " Mobile Safari/537.36", ""},
	"Vivaldi":              {onChrome + "Vivaldi/", "", ""},
	"Vivo Browser":         {webKit + "VivoBrowser/", " Chrome/120.0.0.0 Mobile Safari/537.36", ""},
	"Waterfox":             {gecko + "Waterfox/", "", ""},
	"WeChat":               {webKit + "MicroMessenger/", "", ""},
	"Weibo":                {webKit + "Weibo__", "", ""},
	"Whale":                {webKit + "Whale/", " Chrome/120.0.0.0 Safari/537.36", ""},
	"Yandex":               {webKit + "YaBrowser/", " Chrome/120.0.0.0 Safari/537.36", ""},
}

// A platform is a system's name in a user agent, without a version and around one. An empty before has no form with a version.
type platform struct {
	bare, before, after string
	device              string // the device that Rybbit derives from the system
}

// platforms are the systems whose name the parser gives back. Rybbit derives
// the device from the system alone.
var platforms = map[string]platform{
	// The parser recognizes no Windows without a version; it takes the "NT"
	// of this one for it.
	"Windows":       {"Windows NT", "", "", vocabulary.Desktop},
	"macOS":         {"Macintosh; Intel Mac OS X", "Macintosh; Intel Mac OS X ", "", vocabulary.Desktop},
	"Linux":         {"X11; Linux x86_64", "", "", vocabulary.Desktop},
	"Chrome OS":     {"X11; CrOS x86_64", "X11; CrOS x86_64 ", "", vocabulary.Desktop},
	"Arch":          {"X11; Arch Linux", "", "", vocabulary.Desktop},
	"CentOS":        {"X11; CentOS", "X11; CentOS/", "", vocabulary.Desktop},
	"Debian":        {"X11; Debian", "X11; Debian/", "", vocabulary.Desktop},
	"Deepin":        {"X11; Deepin Linux", "", "", vocabulary.Desktop},
	"Fedora":        {"X11; Fedora", "X11; Fedora/", "", vocabulary.Desktop},
	"FreeBSD":       {"X11; FreeBSD", "X11; FreeBSD ", "", vocabulary.Desktop},
	"Gentoo":        {"X11; Gentoo", "", "", vocabulary.Desktop},
	"Kubuntu":       {"X11; Kubuntu", "X11; Kubuntu/", "", vocabulary.Desktop},
	"Mint":          {"X11; Linux; Mint", "", "", vocabulary.Desktop},
	"NetBSD":        {"X11; NetBSD", "X11; NetBSD ", "", vocabulary.Desktop},
	"OpenBSD":       {"X11; OpenBSD", "X11; OpenBSD ", "", vocabulary.Desktop},
	"SUSE":          {"X11; SUSE", "X11; SUSE/", "", vocabulary.Desktop},
	"Solaris":       {"X11; SunOS", "X11; SunOS ", "", vocabulary.Desktop},
	"Ubuntu":        {"X11; Ubuntu; Linux x86_64", "X11; Ubuntu/", "", vocabulary.Desktop},
	"Xubuntu":       {"X11; Xubuntu", "X11; Xubuntu/", "", vocabulary.Desktop},
	"Android":       {"Linux; Android; K", "Linux; Android ", "; K", vocabulary.Mobile},
	"iOS":           {"CFNetwork/1 Darwin/1", "iPhone; CPU iPhone OS ", " like Mac OS X", vocabulary.Mobile},
	"BlackBerry":    {"BlackBerry", "", "", vocabulary.Mobile},
	"Bada":          {"", "Bada/", "", vocabulary.Mobile},
	"MeeGo":         {"MeeGo", "", "", vocabulary.Mobile},
	"Sailfish":      {"Sailfish; Mobile", "", "", vocabulary.Mobile},
	"Symbian":       {"SymbianOS/x", "SymbianOS/", "", vocabulary.Mobile},
	"Tizen":         {"Linux; Tizen", "Linux; Tizen ", "", vocabulary.Mobile},
	"Windows Phone": {"Windows Phone", "Windows Phone ", "", vocabulary.Mobile},
	"KAIOS":         {"KAIOS", "KAIOS/", "", ""},
	"webOS":         {"webOS", "", "", ""},
	"PlayStation":   {"PlayStation x", "PlayStation ", "", vocabulary.Console},
	"Nintendo":      {"Nintendo x", "", "", vocabulary.Console},
	"Raspbian":      {"Raspbian", "", "", vocabulary.Embedded},
}

// windowsVersions are the names of Windows' versions in user agents. No browser
// writes 11, but the parser reads it.
var windowsVersions = map[string]string{
	"11": "11", "10": "NT 10.0; Win64; x64", "8.1": "NT 6.3", "8": "NT 6.2", "7": "NT 6.1", "Vista": "NT 6.0", "XP": "NT 5.1", "2000": "NT 5.0",
}

// appendUserAgent appends a user agent from which Rybbit's parser reads ev's
// browser and system. It leaves out a browser or system that no user agent can
// name, so that the parser does not read another in its place.
func appendUserAgent(dst []byte, ev *pipeline.Event) []byte {
	dst = append(dst, "Mozilla/5.0 ("...)
	system, known := platforms[ev.OS]
	windows := ""
	if ev.OS == "Windows" {
		windows = windowsVersions[ev.OSVersion]
	}
	switch {
	case !known:
		dst = append(dst, "X"...)
	case windows != "":
		dst = append(append(dst, "Windows "...), windows...)
	case tellsOSVersion(ev, system):
		dst = append(dst, system.before...)
		start := len(dst)
		dst = append(dst, ev.OSVersion...)
		if ev.OS == "iOS" || ev.OS == "macOS" { // which write 17_5
			for i := start; i < len(dst); i++ {
				if dst[i] == '.' {
					dst[i] = '_'
				}
			}
		}
		dst = append(dst, system.after...)
	default:
		dst = append(dst, system.bare...)
	}
	p, known := productOf(ev)
	if !known {
		return append(dst, ')')
	}
	dst = append(dst, p.before...)
	if isNumber(ev.BrowserVersion) {
		dst = append(append(dst, ev.BrowserVersion...), ".0.0.0"...)
	} else {
		dst = append(dst, cmp.Or(p.unknown, ".")...) // which the parser reads as no version
	}
	return append(dst, p.after...)
}

// productOf returns the product of ev's browser on ev's system.
func productOf(ev *pipeline.Event) (p product, known bool) {
	switch ev.Browser {
	case "Android Browser":
		known = ev.OS == "Android"
	case "Mobile Safari":
		known = ev.OS != "Android" // where the parser takes it for the Android Browser
	case "Safari":
		known = ev.OS != "Android" && ev.OS != "iOS" // where it would be the mobile one
	default:
		known = true
	}
	if known {
		p, known = products[ev.Browser]
	}
	if known && ev.OS == "Chrome OS" && p.before[0] == ';' { // after which the parser does not see this system
		return p, false
	}
	return p, known
}

func tellsOSVersion(ev *pipeline.Event, system platform) bool {
	if windowsVersions[ev.OSVersion] != "" && ev.OS == "Windows" {
		return true
	}
	if ev.OS == "PlayStation" && !isNumber(ev.OSVersion) { // of which the parser reads the first number alone
		return false
	}
	if system.before == "" || ev.OSVersion == "" || len(ev.OSVersion) > maxUnitsOSVersion {
		return false
	}
	for i := range len(ev.OSVersion) {
		if c := ev.OSVersion[i]; !isDigit(c) && (c != '.' || i == 0 || i == len(ev.OSVersion)-1) {
			return false
		}
	}
	return true
}

// isNumber reports whether s is a major version.
func isNumber(s string) bool {
	for i := range len(s) {
		if !isDigit(s[i]) {
			return false
		}
	}
	return s != "" && len(s) <= maxUnitsBrowserVersion
}

// userAgentCarries returns what becomes of a field that the server reads from the user agent.
func userAgentCarries(f pipeline.Field, ev *pipeline.Event) Fidelity {
	system, known := platforms[ev.OS]
	switch f {
	case pipeline.FieldOS:
		return keptIf(known && (system.bare != "" || tellsOSVersion(ev, system)), Lost)
	case pipeline.FieldOSVersion:
		return keptIf(known && tellsOSVersion(ev, system), Lost)
	case pipeline.FieldDevice:
		p, _ := productOf(ev)
		mobile := strings.Contains(p.after, " Mobile") // which contradicts any other device
		return keptIf(known && ev.Device == system.device && (!mobile || ev.Device == vocabulary.Mobile), Lost)
	case pipeline.FieldBrowser:
		_, known := productOf(ev)
		return keptIf(known, Lost)
	default:
		_, known := productOf(ev)
		return keptIf(known && isNumber(ev.BrowserVersion), Lost)
	}
}
