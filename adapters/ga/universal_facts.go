package ga

import (
	"strconv"
	"strings"

	"hopper/adapters/input/rows/record"
	"hopper/pipeline"
	"hopper/pipeline/recount"
)

// tellSession tells the hits of a session of Universal Analytics. Where the
// session came from is told where its first hit has a referrer: else the
// traffic source may have it.
func tellSession(f *recount.Fact, root *record.Value, yield func(*recount.Fact)) {
	unfold(root)
	at := func(v *record.Value, path ...string) string {
		for _, key := range path {
			v = v.Get(key)
		}
		return toldText(v.String())
	}
	or := func(texts ...string) string {
		for _, s := range texts {
			if s != "" {
				return s
			}
		}
		return ""
	}
	start, _ := strconv.ParseInt(or(at(root, "visitStartTime"), at(root, "visitId")), 10, 64)
	f.Visitor = or(at(root, "fullVisitorId"), at(root, "clientId"), at(root, "visitorId"))
	if f.Visitor != "" {
		f.Session = f.Visitor + " " + or(at(root, "visitId"), at(root, "visitStartTime"))
	}
	f.Device, f.Browser, f.OS = at(root, "device", "deviceCategory"), at(root, "device", "browser"), at(root, "device", "operatingSystem")
	f.Country = at(root, "geoNetwork", "country")
	hits := root.Get("hits").Elements()
	if len(hits) == 0 {
		yield(f)
		return
	}
	referred := at(&hits[0], "referer") != ""
	for i := range hits {
		h, hit := &hits[i], *f
		ms, err := strconv.ParseInt(or(at(h, "time"), "0"), 10, 64)
		if err == nil && start > 0 && ms >= 0 && ms <= maxHit {
			hit.At = pipeline.Micros(start*1e6 + ms*1e3)
		}
		hit.Host = at(h, "page", "hostname")
		_, hit.Page = addressOf(at(h, "page", "pagePath"))
		if screen := at(h, "appInfo", "screenName"); hit.Page == "" && screen != "" {
			hit.Page = "/" + strings.TrimPrefix(screen, "/")
		}
		if referred {
			hit.Referrer = or(at(h, "referer"), recount.None)
		}
		hit.Kind = pipeline.Custom
		switch kind := h.Get("type").String(); kind {
		case "PAGE", "APPVIEW", "SCREENVIEW":
			hit.Kind = pipeline.Pageview
		case "EXCEPTION":
			hit.Kind = pipeline.Error
		case "EVENT":
			hit.Name = or(strings.TrimSpace(h.Get("eventInfo").Get("eventAction").String()), "(not set)")
		case "SOCIAL":
			hit.Name = or(at(h, "social", "socialInteractionAction"), "social")
		default:
			hit.Name = or(strings.ToLower(kind), "(not set)")
		}
		yield(&hit)
	}
}
