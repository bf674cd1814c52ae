package sandbox

import (
	"regexp"
	"strings"
	"sync"
)

// readAgent derives browser, system and device from a user agent, with the names
// that ua-parser-js gives them.
func (e *event) readAgent(agent string) {
	if agent == "" {
		return
	}
	e.browser, e.browserVersion = agentBrowser(agent)
	e.os, e.osVersion = agentSystem(agent)
	e.device = agentDevice(agent, e.os)
}

// agentRule names what an agent is that matches; the pattern's first group, if
// any, is the version. The first rule that matches decides, so that the browsers
// that claim to be another come before it.
type agentRule struct {
	pattern *regexp.Regexp
	name    string
}

func rule(name, pattern string) agentRule {
	return agentRule{regexp.MustCompile(`(?i)` + pattern), name}
}

// The rules are compiled when the first agent is read: whoever imports into a real server
// does not wait for them.
var browserRules = sync.OnceValue(func() []agentRule {
	return []agentRule{
		rule("Mobile Chrome", `\bcrios/([\d.]+)`),
		rule("Edge", `\b(?:edge|edg|edga|edgios)/([\d.]+)`),
		rule("Opera Mini", `\bopera mini/(?:[^ ;)]*?)([\d.]+)`),
		rule("Opera Mini", `\bopios[/ ]+([\d.]+)`),
		rule("Opera Touch", `\bopt/([\d.]+)`),
		rule("Opera Mobi", `\bopera mobi.*version/([\d.]+)`),
		rule("Opera GX", `\bopr/.*\bopx/([\d.]+)|\bopgx/([\d.]+)`),
		rule("Opera", `\bopr/([\d.]+)`),
		rule("Opera", `^opera/.*version/([\d.]+)|\bopera[/ ]([\d.]+)`),
		rule("QQBrowser", `\bm?qqbrowser/([\d.]+)`),
		rule("UCBrowser", `\bu(?:c|cweb)?browser/([\d.]+)|\bucweb/?([\d.]+)`),
		rule("WeChat", `\bmicromessenger/([\d.]+)`),
		rule("Yandex", `\byabrowser/([\d.]+)`),
		rule("IEMobile", `\biemobile[/ ]([\d.]+)`),
		rule("IE", `\btrident/.*rv:([\d.]+)|\bmsie ([\d.]+)`),
		rule("Samsung Internet", `\bsamsungbrowser/([\d.]+)`),
		rule("MIUI Browser", `\bmiuibrowser/([\d.]+)`),
		rule("Huawei Browser", `\bhuaweibrowser/([\d.]+)`),
		rule("Vivo Browser", `\bvivobrowser/([\d.]+)`),
		rule("HeyTap", `\bheytapbrowser/([\d.]+)`),
		rule("Silk", `\bsilk/([\d.]+)`),
		rule("Vivaldi", `\bvivaldi/([\d.]+)`),
		rule("Whale", `\bwhale/([\d.]+)`),
		rule("Brave", `\bbrave(?: chrome)?/([\d.]+)`),
		rule("DuckDuckGo", `\b(?:duckduckgo|ddg)/([\d.]+)`),
		rule("Coc Coc", `\bcoc_coc_browser/([\d.]+)`),
		rule("Sogou Explorer", `\bmetasr[/ ]?([\d.]+)`),
		rule("Iron", `\biron/([\d.]+)`),
		rule("Maxthon", `\bmaxthon[/ ]([\d.]+)`),
		rule("Avast Secure Browser", `\bavast/([\d.]+)`),
		rule("AVG Secure Browser", `\bavg/([\d.]+)`),
		rule("PhantomJS", `\bphantomjs/([\d.]+)`),
		rule("Puffin", `\bpuffin/([\d.]+)`),
		rule("Facebook", `\bfb(?:av|sv)/([\d.]+)`),
		rule("Facebook", `\bfban/|\bfb_iab/`),
		rule("Instagram", `\binstagram[/ ]([\d.]+)`),
		rule("TikTok", `\b(?:tiktok|musical_ly|bytedancewebview|bytelocale)(?:.*app_version/([\d.]+))?`),
		rule("Snapchat", `\bsnapchat/([\d.]+)`),
		rule("Pinterest", `\bpinterest(?: for \w+)?/([\d.]+)`),
		rule("LinkedIn", `\blinkedinapp/?([\d.]+)?`),
		rule("Line", `\bline/([\d.]+)`),
		rule("KAKAOTALK", `\bkakaotalk[/ ]([\d.]+)`),
		rule("NAVER", `\bnaver\(.*?([\d.]+)`),
		rule("GSA", `\bgsa/([\d.]+)`),
		rule("Electron", `\belectron/([\d.]+)`),
		rule("Chrome Headless", `\bheadlesschrome(?:/([\d.]+)| )`),
		rule("Chrome WebView", `\bwv\).*\bchrome/([\d.]+)`),
		rule("Chrome WebView", `\bversion/[\d.]+ chrome/([\d.]+)`),
		rule("Chromium", `\bchromium/([\d.]+)`),
		rule("Mobile Firefox", `\bfxios/([\d.]+)`),
		rule("Mobile Firefox", `\bandroid\b.*\bfirefox/([\d.]+)|\b(?:mobile|tablet);.*\bfirefox/([\d.]+)`),
		rule("SeaMonkey", `\bseamonkey/([\d.]+)`),
		rule("Firefox", `\bfirefox/([\d.]+)`),
		rule("Mobile Chrome", `\bchrome/([\d.]+).*\bmobile safari/`),
		rule("Chrome", `\bchrome/([\d.]+)`),
		rule("Android Browser", `\bandroid\b.*\bversion/([\d.]+).*\bsafari/`),
		rule("Mobile Safari", `\bversion/([\d.]+).*\bmobile/\w+.*\bsafari/`),
		rule("Mobile Safari", `\b(?:iphone|ipad|ipod)\b.*\bversion/([\d.]+).*\bsafari/`),
		rule("Safari", `\bversion/([\d.]+).*\bsafari/`),
		rule("WebKit", `\b(?:iphone|ipad|ipod)\b.*\bapplewebkit/([\d.]+)`),
		rule("NetFront", `\bnetfront/([\d.]+)`),
		rule("BlackBerry", `\bblackberry.*?/([\d.]+)`),
	}
})

var systemRules = sync.OnceValue(func() []agentRule {
	return []agentRule{
		rule("Windows Phone", `\bwindows phone(?: os)?[/ ]([\d.]+)`),
		rule("Windows Mobile", `\bwindows mobile`),
		rule("Xbox", `\bxbox\b`),
		rule("Windows", `\bwindows nt ([\d.]+)`),
		rule("Windows", `\bwindows (95|98|me|2000|xp|vista|7|8\.1|8|10|11)\b`),
		rule("Windows", `\bwin(?:dows|32|64)\b`),
		rule("iOS", `\b(?:iphone|ipad|ipod).*?\bos ([\d_.]+)`),
		rule("iOS", `\b(?:iphone|ipad|ipod|cfnetwork/.*darwin)\b`),
		rule("macOS", `\bmac os x ?([\d_.]+)?`),
		rule("macOS", `\bmacintosh\b`),
		rule("HarmonyOS", `\b(?:open)?harmony(?:os)?[/ ]?([\d.]+)?`),
		rule("Tizen", `\btizen[/ ]?([\d.]+)?`),
		rule("webOS", `\bweb0s\b|\bwebos[/ ]?([\d.]+)?`),
		rule("KAIOS", `\bkaios/([\d.]+)`),
		rule("Android", `\bandroid[ /-]?([\d.]+)?`),
		rule("BlackBerry", `\b(?:blackberry|bb10)\b(?:.*version/([\d.]+))?`),
		rule("PlayStation", `\bplaystation (\w+)`),
		rule("PlayStation", `\bplaystation\b`),
		rule("Nintendo", `\bnintendo (\w+)`),
		rule("Chrome OS", `\bcros \w+ ([\d.]+)`),
		rule("Chromecast", `\bcrkey/([\d.]+)`),
		rule("Ubuntu", `\bubuntu(?:[/ ]([\d.]+))?`),
		rule("Fedora", `\bfedora(?:[/ ]([\d.]+))?`),
		rule("Debian", `\bdebian(?:[/ ]([\d.]+))?`),
		rule("FreeBSD", `\bfreebsd(?: ([\d.]+))?`),
		rule("OpenBSD", `\bopenbsd(?: ([\d.]+))?`),
		rule("NetBSD", `\bnetbsd(?: ([\d.]+))?`),
		rule("Solaris", `\bsunos(?: ([\d.]+))?`),
		rule("Linux", `\blinux\b`),
	}
})

// windowsVersions are the names behind Windows' inner versions.
var windowsVersions = map[string]string{
	"4.90": "ME", "5.0": "2000", "5.1": "XP", "5.2": "XP", "6.0": "Vista", "6.1": "7", "6.2": "8", "6.3": "8.1",
	"6.4": "10", "10.0": "10",
}

func match(rules []agentRule, agent string) (name, version string) {
	for _, r := range rules {
		groups := r.pattern.FindStringSubmatch(agent)
		if groups == nil {
			continue
		}
		for _, g := range groups[1:] {
			if g != "" {
				version = g
				break
			}
		}
		return r.name, version
	}
	return "", ""
}

func agentBrowser(agent string) (name, version string) {
	name, version = match(browserRules(), agent)
	return name, major(version)
}

func agentSystem(agent string) (name, version string) {
	name, version = match(systemRules(), agent)
	version = strings.ReplaceAll(version, "_", ".")
	if name == "Windows" {
		if known, ok := windowsVersions[version]; ok {
			version = known
		}
	}
	return name, version
}

var deviceRules = sync.OnceValue(func() []agentRule {
	return []agentRule{
		rule("TV", `\b(?:smart-?tv|apple ?tv|google ?tv|android tv|hbbtv|bravia|web0s|netcast|crkey|roku|aft[a-z]{1,2}\b|viera|dtv)|tizen.*\btv\b|\btv safari`),
		rule("Console", `\b(?:playstation|xbox|nintendo|ouya)\b`),
		rule("Embedded", `\bwindows ce\b|\btesla/|\bqtcarbrowser\b`),
		rule("Mobile", `\b(?:mobile|mobi|iphone|ipod|ipad|android|tablet|windows phone|iemobile|kindle|silk|opera mini|opera mobi|blackberry|bb10|kaios|phone)\b`),
	}
})

// agentDevice returns the device. Tablets count as mobile, and an agent that names
// no device is a desktop.
func agentDevice(agent, system string) string {
	if name, _ := match(deviceRules(), agent); name != "" {
		return name
	}
	if system == "iOS" || system == "Android" {
		return "Mobile"
	}
	return "Desktop"
}
