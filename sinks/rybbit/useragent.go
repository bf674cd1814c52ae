package rybbit

import (
	"hopper/pipeline"
	"hopper/pipeline/vocabulary"
)

// A product is how a browser calls itself in a user agent: what stands before
// and after its version. It begins inside the comment that holds the system.
type product struct {
	before, after string
	// numbered products are not recognized without a version.
	numbered bool
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
	"360":                  {webKit + "Chrome/", " Safari/537.36 QIHU 360SE", false},
	"AVG Secure Browser":   {onChrome + "AVG/", "", false},
	"Alipay":               {webKit + "AlipayClient/", "", false},
	"Android Browser":      {") AppleWebKit/534.30 (KHTML, like Gecko) Version/", " Mobile Safari/534.30", false},
	"Avast Secure Browser": {onChrome + "Avast/", "", false},
	"Baidu":                {webKit + "baidubrowser/", " Safari/537.36", false},
	"Basilisk":             {gecko + "Basilisk/", "", false},
	"Brave":                {onChrome + "Brave/", "", false},
	"Chrome":               {webKit + "Chrome/", " Safari/537.36", false},
	"Chrome Headless":      {webKit + "HeadlessChrome/", " Safari/537.36", false},
	"Chrome WebView":       {"; wv" + webKit + "Version/4.0 Chrome/", " Mobile Safari/537.36", false},
	"Chromium":             {webKit + "Chromium/", " Safari/537.36", false},
	"Coc Coc":              {webKit + "coc_coc_browser/", " Chrome/120.0.0.0 Safari/537.36", false},
	"DuckDuckGo":           {appleWebKit + "DuckDuckGo/", " Safari/605.1.15", false},
	"Edge":                 {onChrome + "Edg/", "", false},
	"Epiphany":             {appleWebKit + "Epiphany/", " Safari/605.1.15", false},
	"Facebook":             {webKit + "[FBAN/FB4A;FBAV/", ";]", false},
	"Falkon":               {webKit + "Falkon/", " Chrome/120.0.0.0 Safari/537.36", false},
	"Fennec":               {gecko + "Fennec/", "", false},
	"Firefox":              {gecko + "Firefox/", "", false},
	"Firefox Focus":        {appleWebKit + "Focus/", " Safari/605.1.15", false},
	"GSA":                  {appleWebKit + "GSA/", " Mobile/15E148 Safari/604.1", false},
	"HeyTap":               {webKit + "HeyTapBrowser/", " Chrome/120.0.0.0 Safari/537.36", true},
	"Huawei Browser":       {webKit + "HuaweiBrowser/", " Chrome/120.0.0.0 Safari/537.36", false},
	"IE":                   {"; Trident/7.0; rv:", ") like Gecko", false},
	"IEMobile":             {webKit + "IEMobile/", "", false},
	"IceWeasel":            {gecko + "IceWeasel/", "", false},
	"Instagram":            {webKit + "Instagram ", "", false},
	"Iridium":              {webKit + "Iridium/", " Safari/537.36", false},
	"Iron":                 {webKit + "Iron/", " Safari/537.36", false},
	"K-Meleon":             {gecko + "K-Meleon/", "", false},
	"KAKAOTALK":            {webKit + "KAKAOTALK ", "", false},
	"Kindle":               {webKit + "Kindle/", "", false},
	"Klar":                 {appleWebKit + "Klar/", " Safari/605.1.15", false},
	"Konqueror":            {webKit + "Konqueror/", "", false},
	"LG Browser":           {webKit + "LG Browser/", "", false},
	"LibreWolf":            {gecko + "LibreWolf/", "", false},
	"Line":                 {webKit + "Line/", "/IAB", false},
	"Lynx":                 {") Lynx/", "", false},
	"MIUI Browser":         {onChrome + "XiaoMi/MiuiBrowser/", "", false},
	"Maxthon":              {webKit + "Maxthon/", " Chrome/120.0.0.0 Safari/537.36", false},
	"Midori":               {webKit + "Midori/", "", false},
	"Mobile Chrome":        {webKit + "Chrome/", " Mobile Safari/537.36", false},
	"Mobile Firefox":       {appleWebKit + "FxiOS/", " Mobile/15E148 Safari/605.1.15", false},
	"Mobile Safari":        {appleWebKit + "Version/", " Mobile/15E148 Safari/604.1", false},
	"NAVER":                {webKit + "NAVER(inapp; search; 1; ", ")", true},
	"NetFront":             {") NetFront/", "", false},
	"Netscape":             {") Netscape/", "", false},
	"NokiaBrowser":         {webKit + "NokiaBrowser/", "", false},
	"Obigo":                {") Obigo/", "", false},
	"Oculus Browser":       {webKit + "OculusBrowser/", " Chrome/120.0.0.0 Safari/537.36", false},
	"OmniWeb":              {appleWebKit + "OmniWeb/", "", false},
	"Opera":                {onChrome + "OPR/", "", false},
	"Opera GX":             {onChrome + "OPX/", "", false},
	"Opera Mini":           {") Opera Mini/", "", false},
	"Opera Mobi":           {"; Opera Mobi) Presto/2.11 Version/", "", false},
	"Opera Touch":          {webKit + "OPT/", "", false},
	"Otter":                {webKit + "Otter/", "", false},
	"PaleMoon":             {gecko + "PaleMoon/", "", false},
	"PhantomJS":            {webKit + "PhantomJS/", " Safari/537.36", false},
	"Pico Browser":         {webKit + "PicoBrowser/", " Chrome/120.0.0.0 Safari/537.36", false},
	"Polaris":              {") Polaris/", "", false},
	"Puffin":               {webKit + "Puffin/", "", false},
	"QQBrowser":            {webKit + "QQBrowser/", " Chrome/120.0.0.0 Safari/537.36", false},
	"QQBrowserLite":        {webKit + "QQBrowserLite/", " Chrome/120.0.0.0 Safari/537.36", false},
	"Quark":                {webKit + "Quark/", " Mobile Safari/537.36", false},
	"QupZilla":             {webKit + "QupZilla/", " Safari/537.36", false},
	"Safari":               {appleWebKit + "Version/", " Safari/605.1.15", false},
	"Samsung Internet":     {webKit + "SamsungBrowser/", " Chrome/120.0.0.0 Safari/537.36", false},
	"SeaMonkey":            {gecko + "SeaMonkey/", "", false},
	"Silk":                 {webKit + "Silk/", " like Chrome/120.0.0.0 Safari/537.36", false},
	"Sleipnir":             {webKit + "Sleipnir/", "", false},
	"Slimjet":              {onChrome + "Slimjet/", "", false},
	"Smart Lenovo Browser": {onChrome + "SLBrowser/", "", false},
	"Snapchat":             {webKit + "Snapchat/", "", false},
	"Sogou Explorer":       {webKit + "MetaSr ", "", true},
	"TikTok":               {webKit + "musical_ly_", "", false},
	"Twitter":              {appleWebKit + "Twitter for iPhone/", "", false},
	"UCBrowser":            {webKit + "UCBrowser/", " Mobile Safari/537.36", false},
	"Vivaldi":              {onChrome + "Vivaldi/", "", false},
	"Vivo Browser":         {webKit + "VivoBrowser/", " Chrome/120.0.0.0 Mobile Safari/537.36", false},
	"Waterfox":             {gecko + "Waterfox/", "", false},
	"WeChat":               {webKit + "MicroMessenger/", "", false},
	"Weibo":                {webKit + "Weibo__", "", true},
	"Whale":                {webKit + "Whale/", " Chrome/120.0.0.0 Safari/537.36", false},
	"Yandex":               {webKit + "YaBrowser/", " Chrome/120.0.0.0 Safari/537.36", false},
}

// A platform is how a system calls itself in a user agent, without a version
// and around one. An empty before has no form with a version.
type platform struct {
	bare, before, after string
	device              string // the device that Rybbit derives from the system
}

// platforms are the systems whose name the parser gives back. Rybbit derives
// the device from the system alone.
var platforms = map[string]platform{
	// The parser recognizes no Windows without a version; it takes the "NT"
	// of this one for it.
	"Windows":       {"Windows NT", "Windows ", "", vocabulary.Desktop},
	"macOS":         {"Macintosh; Intel Mac OS X", "Macintosh; Intel Mac OS X ", "", vocabulary.Desktop},
	"Linux":         {"X11; Linux x86_64", "X11; Linux ", "", vocabulary.Desktop},
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

// windowsVersions are the versions that a user agent tells by another number.
var windowsVersions = map[string]string{
	"10": "NT 10.0; Win64; x64", "8.1": "NT 6.3", "8": "NT 6.2", "7": "NT 6.1", "Vista": "NT 6.0", "XP": "NT 5.1", "2000": "NT 5.0",
}

// appendUserAgent appends a user agent from which Rybbit's parser reads ev's
// browser and system. What no user agent can tell is left out, so that nothing
// else is read in its place.
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
		dst = append(append(dst, system.before...), windows...)
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
		dst = append(dst, 'x') // a version that is no number is read as unknown
	}
	return append(dst, p.after...)
}

// productOf returns how ev's browser calls itself on ev's system.
func productOf(ev *pipeline.Event) (p product, known bool) {
	switch ev.Browser {
	case "Android Browser":
		known = ev.OS == "Android"
	case "Safari", "Mobile Safari":
		known = ev.OS != "Android" // where the parser takes them for the Android Browser
	default:
		known = true
	}
	if known {
		p, known = products[ev.Browser]
	}
	if known && ev.OS == "Chrome OS" && p.before[0] == ';' { // after which the parser does not see this system
		return p, false
	}
	return p, known && (!p.numbered || isNumber(ev.BrowserVersion))
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

// userAgentCarries says what becomes of a field that the server reads from the user agent.
func userAgentCarries(f pipeline.Field, ev *pipeline.Event) Fidelity {
	system, known := platforms[ev.OS]
	switch f {
	case pipeline.FieldOS:
		return keptIf(known && (system.bare != "" || tellsOSVersion(ev, system)), Lost)
	case pipeline.FieldOSVersion:
		return keptIf(known && tellsOSVersion(ev, system), Lost)
	case pipeline.FieldDevice:
		return keptIf(known && ev.Device == system.device, Lost)
	case pipeline.FieldBrowser:
		_, known := productOf(ev)
		return keptIf(known, Lost)
	default:
		_, known := productOf(ev)
		return keptIf(known && isNumber(ev.BrowserVersion), Lost)
	}
}
