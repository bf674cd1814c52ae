package sandbox

import (
	"database/sql/driver"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"time"

	"modernc.org/sqlite"
)

// registerFunctions adds the functions that the statistics need to the SQLite
// driver, which has one set of functions for the whole process.
var registerFunctions = sync.OnceValue(func() error {
	for name, f := range map[string]struct {
		args int32
		call func(args []string) string
	}{
		"rybbit_host":    {1, func(a []string) string { return referrerHost(a[0]) }},
		"rybbit_channel": {3, func(a []string) string { return channel(a[0], a[1], a[2]) }},
		"rybbit_param":   {2, func(a []string) string { return urlParam(a[0], a[1]) }},
		"rybbit_bucket":  {3, func(a []string) string { return bucketOf(a[0], a[1], a[2]) }},
	} {
		err := sqlite.RegisterDeterministicScalarFunction(name, f.args,
			func(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
				texts := make([]string, len(args))
				for i, a := range args {
					if a != nil {
						texts[i] = fmt.Sprint(a)
					}
				}
				return f.call(texts), nil
			})
		if err != nil {
			return fmt.Errorf("sandbox: %w", err)
		}
	}
	return nil
})

// referrerHost returns the host of a referrer without "www.", or the referrer
// itself when it is no address.
func referrerHost(referrer string) string {
	u, ok := parseURL(referrer)
	if !ok || u.hostname == "" {
		return referrer
	}
	return strings.TrimPrefix(u.hostname, "www.")
}

// urlParam returns a parameter of a query, whose name is looked for in small letters.
func urlParam(query, name string) string {
	for pair := range strings.SplitSeq(strings.TrimPrefix(query, "?"), "&") {
		key, value, _ := strings.Cut(pair, "=")
		if decoded, err := url.QueryUnescape(key); err != nil || !strings.EqualFold(decoded, name) {
			continue
		}
		if decoded, err := url.QueryUnescape(value); err == nil {
			return decoded
		}
		return value
	}
	return ""
}

// The hosts by which a channel is known: a name matches as a whole label, so that
// "google" is www.google.com and news.google.de alike.
var (
	searchHosts = strings.Fields("google bing yahoo duckduckgo yandex baidu ecosia startpage brave qwant naver seznam sogou ask aol")
	socialHosts = strings.Fields("facebook twitter x t instagram linkedin lnkd reddit pinterest tiktok youtube youtu mastodon bsky threads vk weibo whatsapp telegram snapchat quora")
	mailHosts   = strings.Fields("mail outlook gmail webmail")
)

// channel names where a visit came from.
func channel(referrer, query, hostname string) string {
	medium, source := strings.ToLower(urlParam(query, "utm_medium")), strings.ToLower(urlParam(query, "utm_source"))
	host := strings.ToLower(referrerHost(referrer))
	paid := urlParam(query, "gclid") != "" || urlParam(query, "msclkid") != "" ||
		medium == "cpc" || medium == "ppc" || strings.HasPrefix(medium, "paid")
	search := isOneOf(host, searchHosts) || isOneOf(source, searchHosts)
	social := isOneOf(host, socialHosts) || isOneOf(source, socialHosts) || medium == "social"
	switch {
	case host != "" && host == strings.TrimPrefix(strings.ToLower(hostname), "www."):
		return "Internal"
	case paid && social:
		return "Paid Social"
	case paid:
		return "Paid Search"
	case medium == "email" || source == "email" || source == "newsletter" || isOneOf(host, mailHosts):
		return "Email"
	case medium == "affiliate":
		return "Affiliate"
	case medium == "display" || medium == "banner":
		return "Display"
	case search || medium == "organic" || strings.HasPrefix(referrer, "android-app://"):
		return "Organic Search"
	case social:
		return "Organic Social"
	case host == "" && source == "" && medium == "":
		return "Direct"
	case host == "":
		return "Unknown"
	}
	return "Referral"
}

func isOneOf(host string, names []string) bool {
	for label := range strings.SplitSeq(host, ".") {
		for _, name := range names {
			if label == name {
				return true
			}
		}
	}
	return false
}

// zones holds the time zones that were asked for, because reading one is slow.
type zones struct {
	mu     sync.Mutex
	loaded map[string]*time.Location
}

func (z *zones) get(name string) (*time.Location, error) {
	z.mu.Lock()
	defer z.mu.Unlock()
	if loc, ok := z.loaded[name]; ok {
		return loc, nil
	}
	loc, err := time.LoadLocation(name)
	if err != nil {
		return nil, err
	}
	if z.loaded == nil {
		z.loaded = make(map[string]*time.Location)
	}
	z.loaded[name] = loc
	return loc, nil
}

var knownZones zones

// bucketOf returns the beginning of the bucket that a UTC time falls into, in the
// zone's local time.
func bucketOf(utc, zone, bucket string) string {
	loc, err := knownZones.get(zone)
	if err != nil || len(utc) < len(time.DateTime) {
		return ""
	}
	t, err := time.Parse(time.DateTime, utc[:len(time.DateTime)])
	if err != nil {
		return ""
	}
	return startOfBucket(t.In(loc), bucket).Format(time.DateTime)
}

// minutesOf are the buckets shorter than a day.
var minutesOf = map[string]int{"minute": 1, "five_minutes": 5, "ten_minutes": 10, "fifteen_minutes": 15, "hour": 60}

// startOfBucket cuts a local time down. It reckons with the clock on the wall, so
// that it gives UTC times that read like the local ones.
func startOfBucket(t time.Time, bucket string) time.Time {
	year, month, day := t.Date()
	date := func(y int, m time.Month, d int) time.Time { return time.Date(y, m, d, 0, 0, 0, 0, time.UTC) }
	switch bucket {
	case "day":
		return date(year, month, day)
	case "week":
		return date(year, month, day-int(t.Weekday()))
	case "month":
		return date(year, month, 1)
	case "year":
		return date(year, 1, 1)
	}
	minutes := t.Hour()*60 + t.Minute()
	return date(year, month, day).Add(time.Duration(minutes-minutes%minutesOf[bucket]) * time.Minute)
}

// nextBucket returns the bucket after the one that begins at start.
func nextBucket(start time.Time, bucket string) time.Time {
	switch bucket {
	case "day":
		return start.AddDate(0, 0, 1)
	case "week":
		return start.AddDate(0, 0, 7)
	case "month":
		return start.AddDate(0, 1, 0)
	case "year":
		return start.AddDate(1, 0, 0)
	}
	return start.Add(time.Duration(minutesOf[bucket]) * time.Minute)
}

func isBucket(s string) bool {
	return minutesOf[s] > 0 || s == "day" || s == "week" || s == "month" || s == "year"
}
