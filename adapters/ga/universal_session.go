package ga

import (
	"math"
	"strconv"
	"strings"

	"hopper/adapters/input/rows/record"
	"hopper/pipeline"
)

// Kinds of repairs and reasons that are Universal Analytics' own.
const (
	repairImpression = "product that was only shown, left out"
	repairPromotion  = "promotion that was only shown, left out"

	omitNoHits = "session without hits"

	rejectNoVisitStart = "neither visitStartTime nor visitId is a time"
	rejectHitTime      = "a hit's time is no milliseconds since its session's start"
)

// needlessOfUA are fields of a ga_sessions table that say nothing that an
// event could hold, or that repeat what others say.
var needlessOfUA = map[string]bool{
	"totals": true, "visitNumber": true, "date": true, "channelGrouping": true, "socialEngagementType": true, "privacyInfo": true,
	"hits.publisher": true, "hits.publisher_infos": true, "hits.latencyTracking": true, "hits.contentInfo": true, "hits.sourcePropertyInfo": true,
	"hits.dataSource": true, "hits.page.pagePathLevel1": true, "hits.page.pagePathLevel2": true, "hits.page.pagePathLevel3": true,
	"hits.page.pagePathLevel4": true, "hits.appInfo.landingScreenName": true, "hits.appInfo.exitScreenName": true,
}

// maxSeconds and maxHit bound times, so that damaged ones do not overflow: a
// year of five digits, and the hours that a session can last.
const (
	maxSeconds = 1e11
	maxHit     = 7 * 24 * 60 * 60 * 1000
)

func wantedOfUA(path string) bool { return !needlessOfUA[path] }

// A session translates a row of ga_sessions into the events of its hits.
type session struct {
	root  *record.Value
	start int64 // Unix seconds
	base  pipeline.Event
	from  traffic
	path  string // of the referring page
	out   sink
	ga4   *ga4

	properties []pipeline.Property // of every hit: the session's and the user's custom dimensions
}

// uaSession translates a record. The sum of its hits is the sum of its events.
func (g *ga4) uaSession(rec *record.Record, at pipeline.Origin, out sink, _ *seen) {
	g.uaHits(rec, at, out, true)
}

// uaHits translates the hits of a record, of which the first is the session's
// first where entry says so.
func (g *ga4) uaHits(rec *record.Record, at pipeline.Origin, out sink, entry bool) {
	unfold(rec.Root)
	s := session{root: rec.Root, out: out, ga4: g}
	visitor := first(s.text("fullVisitorId"), s.text("clientId"), s.text("visitorId"))
	visit := s.text("visitId")
	start := first(s.text("visitStartTime"), visit)
	seconds, ok := parseInt(start)
	if !ok || seconds <= 0 || seconds > maxSeconds {
		out.Reject(at, rejectNoVisitStart, rec.Raw())
		return
	}
	s.start = seconds
	if visitor == "" {
		out.Reject(at, pipeline.RejectNoVisitor, rec.Raw())
		return
	}
	hits := rec.Root.Get("hits").Elements()
	if len(hits) == 0 {
		out.Omit(at, omitNoHits)
		return
	}
	s.base = pipeline.Event{
		Visitor: visitor, Session: visitor + "." + first(visit, start), Identified: s.text("userId"), Origin: at,
	}
	s.client()
	s.origin()
	s.properties = customProperties(nil, rec.Root.Get("customDimensions"), "dimension", false)
	for i := range hits {
		s.hit(&hits[i], entry && i == 0)
	}
}

func first(texts ...string) string {
	for _, s := range texts {
		if s != "" {
			return s
		}
	}
	return ""
}

// text returns a field of the session.
func (s *session) text(path ...string) string { return textAt(s.root, path...) }

func textAt(v *record.Value, path ...string) string {
	for _, key := range path {
		v = v.Get(key)
	}
	return clean(v.String())
}

func (s *session) client() {
	d := device{
		category: s.text("device", "deviceCategory"), brand: s.text("device", "mobileDeviceBranding"), model: s.text("device", "mobileDeviceModel"),
		os: s.text("device", "operatingSystem"), osVersion: s.text("device", "operatingSystemVersion"), browser: s.text("device", "browser"),
	}
	if d.category == "" && s.text("device", "isMobile") == "true" {
		d.category = "mobile"
	}
	s.base.Device, s.base.Browser, s.base.BrowserVersion = d.category, d.browser, s.text("device", "browserVersion")
	if d.os != "" {
		s.base.OS, s.base.OSVersion = d.system()
	}
	s.base.Language = s.text("device", "language")
	if w, h, found := strings.Cut(s.text("device", "screenResolution"), "x"); found {
		s.base.ScreenWidth, s.base.ScreenHeight = pixels(w), pixels(h)
		if s.base.ScreenWidth == 0 || s.base.ScreenHeight == 0 {
			s.base.ScreenWidth, s.base.ScreenHeight = 0, 0
		}
	}
	s.base.Country, s.base.Region, s.base.City = s.text("geoNetwork", "country"), s.text("geoNetwork", "region"), s.text("geoNetwork", "city")
	latitude, err1 := strconv.ParseFloat(s.text("geoNetwork", "latitude"), 64)
	longitude, err2 := strconv.ParseFloat(s.text("geoNetwork", "longitude"), 64)
	if err1 == nil && err2 == nil && (latitude != 0 || longitude != 0) { // 0, 0 is how an unknown place is written
		s.base.Latitude, s.base.Longitude = pipeline.Known(latitude), pipeline.Known(longitude)
	}
}

func pixels(s string) int {
	n, err := strconv.Atoi(strings.TrimSpace(s))
	if err != nil || n < 1 || n > math.MaxUint16 {
		return 0
	}
	return n
}

func (s *session) origin() {
	at := func(key string) string { return s.text("trafficSource", key) }
	s.from = traffic{
		source: at("source"), medium: at("medium"), campaign: at("campaign"), term: at("keyword"), content: at("adContent"), campaignID: at("campaignCode"),
		gclid: s.text("trafficSource", "adwordsClickInfo", "gclId"),
	}
	s.path = at("referralPath")
}

// hit translates one hit; the session's first carries where it came from.
func (s *session) hit(h *record.Value, entry bool) {
	ev := s.base
	ms, ok := parseInt(first(h.Get("time").String(), "0"))
	if !ok || ms < 0 || ms > maxHit {
		s.out.Reject(ev.Origin, rejectHitTime, string(h.AppendJSON(nil)))
		return
	}
	ev.Time = pipeline.Micros(s.start*1e6 + ms*1e3)
	_, ev.Path, ev.Query = splitPath(textAt(h, "page", "pagePath"))
	ev.Hostname = textAt(h, "page", "hostname")
	ev.Title = textAt(h, "page", "pageTitle")
	own := site{host: ev.Hostname}
	if s.ga4.sites != nil {
		s.ga4.sites.add(own)
	}
	if s.ga4.website != "" && !own.is(s.ga4.website) {
		s.out.Omit(ev.Origin, omitSite)
		return
	}
	ev.Referrer = textAt(h, "referer")
	if entry {
		referred := ev.Referrer != ""
		if s.from.into(&ev, ev.Hostname); !referred && ev.Referrer != "" {
			ev.Referrer += s.path
		}
	}
	if screen := textAt(h, "appInfo", "screenName"); ev.Path == "" && screen != "" {
		ev.Path = "/" + strings.TrimPrefix(screen, "/")
		ev.Title = first(ev.Title, screen)
		ev.Hostname = first(ev.Hostname, textAt(h, "appInfo", "appId"), textAt(h, "appInfo", "appName"))
	}
	if s.kind(h, &ev); ev.Kind == pipeline.Pageview && ev.Path == "" {
		s.out.Reject(ev.Origin, rejectNoPage, string(h.AppendJSON(nil)))
		return
	}
	ev.Properties = append(ev.Properties, s.properties...)
	ev.Properties = customProperties(ev.Properties, h.Get("customDimensions"), "dimension", false)
	ev.Properties = customProperties(ev.Properties, h.Get("customMetrics"), "metric", true)
	for _, v := range h.Get("customVariables").Elements() {
		ev.Properties = textProperty(ev.Properties, textAt(&v, "customVarName"), textAt(&v, "customVarValue"))
	}
	s.commerce(h, &ev)
	s.out.Event(&ev)
}

// kind decides what a hit becomes. An event of Universal Analytics has no name
// but three words; its action is the name that Google's guide to GA4 makes of
// it. The exceptionInfo of other hits than exceptions says nothing.
func (s *session) kind(h *record.Value, ev *pipeline.Event) {
	ev.Kind = pipeline.Custom
	add := func(key string, path ...string) {
		ev.Properties = textProperty(ev.Properties, key, textAt(h, path...))
	}
	switch kind := h.Get("type").String(); kind {
	case "PAGE", "APPVIEW", "SCREENVIEW":
		ev.Kind = pipeline.Pageview
		add("search_term", "page", "searchKeyword")
		add("search_category", "page", "searchCategory")
		for n := '1'; n <= '5'; n++ {
			add("content_group"+string(n), "contentGroup", "contentGroup"+string(n))
		}
	case "EVENT":
		ev.Name = first(strings.TrimSpace(h.Get("eventInfo").Get("eventAction").String()), "(not set)")
		add("category", "eventInfo", "eventCategory")
		add("label", "eventInfo", "eventLabel")
		if value := textAt(h, "eventInfo", "eventValue"); value != "" {
			ev.Properties = append(ev.Properties, property("value", value, true))
		}
	case "EXCEPTION":
		ev.Kind, ev.Name = pipeline.Error, "exception"
		ev.Message = textAt(h, "exceptionInfo", "description")
		if fatal := textAt(h, "exceptionInfo", "isFatal"); fatal == "true" || fatal == "false" {
			ev.Properties = append(ev.Properties, pipeline.Property{Key: "fatal", Value: fatal, Literal: true})
		}
	case "SOCIAL":
		ev.Name = first(textAt(h, "social", "socialInteractionAction"), "social")
		add("network", "social", "socialInteractionNetwork")
		add("target", "social", "socialInteractionTarget")
	case "":
		ev.Name = "(not set)"
	default: // TRANSACTION and ITEM, whose facts commerce adds
		ev.Name = strings.ToLower(kind)
	}
}

func textProperty(ps []pipeline.Property, key, value string) []pipeline.Property {
	if key == "" || value == "" {
		return ps
	}
	return append(ps, pipeline.Property{Key: key, Value: value})
}

// customProperties adds custom dimensions or metrics, named by their index.
func customProperties(ps []pipeline.Property, list *record.Value, name string, isNumber bool) []pipeline.Property {
	for _, d := range list.Elements() {
		index, value := textAt(&d, "index"), textAt(&d, "value")
		if index != "" && value != "" {
			ps = append(ps, property(name+index, value, isNumber))
		}
	}
	return ps
}
