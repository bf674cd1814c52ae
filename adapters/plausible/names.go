package plausible

import (
	"cmp"
	"strings"

	"hopper/adapters"
)

// origin is where a row of sources says that visits came from.
type origin struct {
	referrer string // URL, empty for none
	query    string // UTM values
	lost     bool   // a source that neither of them tells
}

// originOf reads the key of a row of sources: source, referrer, UTM values.
func originOf(key string) origin {
	c := cells(key)
	o := origin{query: adapters.UTMQuery(c[2:])}
	o.referrer, o.lost = referrerOf(c[0], c[1], c[2])
	return o
}

// referrerOf returns the referrer from which Rybbit derives a source, and
// whether the source is lost: a display name that stands for no known host,
// beside neither a referrer nor a utm_source.
func referrerOf(source, referrer, utmSource string) (ref string, lost bool) {
	if referrer != "" {
		if strings.Contains(referrer, "://") {
			return referrer, false
		}
		if host, _, _ := strings.Cut(referrer, "/"); adapters.IsHost(host) {
			return "https://" + referrer, false
		}
	}
	if source == "" || strings.EqualFold(source, "Direct / None") || strings.EqualFold(source, "(direct)") {
		return "", false
	}
	if utmSource != "" {
		// The source is utm_source itself or another spelling of it.
		return "", false
	}
	if host, ok := hosts[strings.ToLower(source)]; ok {
		return "https://" + host, false
	}
	if host, _, _ := strings.Cut(source, "/"); adapters.IsHost(host) {
		return "https://" + source, false
	}
	return "", true
}

// hosts are those that Plausible shows under a name, which is how its list of
// referrers (Snowplow's referer parser) and its own additions spell them.
var hosts = map[string]string{
	"google":           "google.com",
	"google news":      "news.google.com",
	"google images":    "images.google.com",
	"google translate": "translate.google.com",
	"google drive":     "drive.google.com",
	"google ads":       "google.com",
	"gmail":            "mail.google.com",
	"bing":             "bing.com",
	"microsoft bing":   "bing.com",
	"yahoo!":           "yahoo.com",
	"yahoo! mail":      "mail.yahoo.com",
	"yahoo! japan":     "yahoo.co.jp",
	"duckduckgo":       "duckduckgo.com",
	"brave":            "search.brave.com",
	"ecosia":           "ecosia.org",
	"qwant":            "qwant.com",
	"startpage":        "startpage.com",
	"kagi":             "kagi.com",
	"yandex":           "yandex.ru",
	"baidu":            "baidu.com",
	"naver":            "naver.com",
	"seznam":           "seznam.cz",
	"sogou":            "sogou.com",
	"you.com":          "you.com",
	"perplexity":       "perplexity.ai",
	"chatgpt":          "chatgpt.com",
	"openai":           "openai.com",
	"claude":           "claude.ai",
	"gemini":           "gemini.google.com",
	"copilot":          "copilot.microsoft.com",
	"facebook":         "facebook.com",
	"facebook ads":     "facebook.com",
	"instagram":        "instagram.com",
	"threads":          "threads.net",
	"twitter":          "twitter.com",
	"x":                "x.com",
	"bluesky":          "bsky.app",
	"mastodon":         "mastodon.social",
	"linkedin":         "linkedin.com",
	"reddit":           "reddit.com",
	"pinterest":        "pinterest.com",
	"youtube":          "youtube.com",
	"tiktok":           "tiktok.com",
	"snapchat":         "snapchat.com",
	"vkontakte":        "vk.com",
	"quora":            "quora.com",
	"telegram":         "web.telegram.org",
	"whatsapp":         "web.whatsapp.com",
	"discord":          "discord.com",
	"slack":            "slack.com",
	"messenger":        "messenger.com",
	"hacker news":      "news.ycombinator.com",
	"lobsters":         "lobste.rs",
	"github":           "github.com",
	"gitlab":           "gitlab.com",
	"stack overflow":   "stackoverflow.com",
	"stackoverflow":    "stackoverflow.com",
	"stack exchange":   "stackexchange.com",
	"product hunt":     "producthunt.com",
	"indie hackers":    "indiehackers.com",
	"medium":           "medium.com",
	"wikipedia":        "wikipedia.org",
	"vimeo":            "vimeo.com",
	"twitch":           "twitch.tv",
	"substack":         "substack.com",
	"feedly":           "feedly.com",
	"flipboard":        "flipboard.com",
	"pocket":           "getpocket.com",
	"outlook.com":      "outlook.live.com",
	"microsoft teams":  "teams.microsoft.com",
	"g2":               "g2.com",
	"capterra":         "capterra.com",
	"trustpilot":       "trustpilot.com",
	"tripadvisor":      "tripadvisor.com",
	"livejournal":      "livejournal.com",
	"tumblr":           "tumblr.com",
	"flickr":           "flickr.com",
	"netvibes":         "netvibes.com",
	"aol":              "aol.com",
	"ask":              "ask.com",
	"dogpile":          "dogpile.com",
	"daum":             "daum.net",
	"swisscows":        "swisscows.com",
	"mojeek":           "mojeek.com",
	"presearch":        "presearch.com",
	"basecamp":         "basecamp.com",
	"notion":           "notion.so",
	"trello":           "trello.com",
	"asana":            "app.asana.com",
	"dev community":    "dev.to",
	"weibo":            "weibo.com",
	"wechat":           "weixin.qq.com",
	"line":             "line.me",
	"odnoklassniki":    "ok.ru",
	"xing":             "xing.com",
	"coc coc":          "coccoc.com",
	"start.me":         "start.me",
	"refind":           "refind.com",
	"designer news":    "designernews.co",
	"alternativeto":    "alternativeto.net",
	"google play":      "play.google.com",
}

// pageOf returns the path and the host of a page, which tools give with its
// host at times: https://shop.example/menu.
func pageOf(page, host string) (path, ofHost string) {
	for _, scheme := range [...]string{"https://", "http://"} {
		if address, found := strings.CutPrefix(page, scheme); found {
			own, path, _ := strings.Cut(address, "/")
			return "/" + path, cmp.Or(host, own)
		}
	}
	return page, host
}
