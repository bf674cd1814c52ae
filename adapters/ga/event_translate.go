package ga

import (
	"slices"
	"strings"
	"time"
	"unsafe"

	"hopper/adapters"
	"hopper/adapters/input/rows/record"
	"hopper/pipeline"
)

// automatic are the events that GA4 collects by itself and that record no
// user's action but the state of a session or of an app, each with the reason
// under which it is omitted. A scroll is among them because GA4 sends it once
// a page, at 90 % of its height.
var automatic = func() map[string]string {
	reasons := make(map[string]string)
	for _, name := range []string{
		"session_start", "first_visit", "first_open", "user_engagement", "scroll",
		"app_update", "os_update", "app_background", "app_clear_data", "firebase_campaign",
		"ad_query", "ad_exposure", "adunit_exposure", "ad_activeview", "notification_receive",
	} {
		reasons[name] = "automatic event: " + name
	}
	return reasons
}()

// Kinds of repairs, and reasons, that are Google Analytics' own.
const (
	repairUserVisitor = "visitor id missing (consent mode): stand-in from the user id"
	repairVisitor     = "visitor id missing (consent mode): stand-in from day, device and place"
	repairSession     = "session id missing (consent mode): stand-in from visitor and hour"
	repairDuplicate   = "duplicate kept (--dedupe drops it)"
	repairLoneSession = "session of automatic events alone, left out"

	omitDuplicate = "duplicate (--dedupe)"

	rejectNoName = "no event_name"
	rejectNoPage = "page view without a page"
)

// A ga4 translates rows into events. It is read-only in use.
type ga4 struct {
	zone      *time.Location
	allEvents bool
	order     adapters.DateOrder
	website   string    // the property, stream or host whose events are read; empty is all
	sites     siteCount // counts the events of sites, in a first reading; else nil
}

// moment returns when an event happened. Where nothing else decides which of day
// and month stands first, the event's date does.
func (g *ga4) moment(r *row) (at pipeline.Micros, reject string) {
	if at, ok := exactMicros(r.time); ok {
		return at, ""
	}
	times := adapters.Times{Zone: g.zone, Serials: true, Order: g.order}
	if date := strings.ReplaceAll(r.date, "-", ""); g.order == adapters.AnyOrder && adapters.NeedsOrder(r.time) {
		day, ok := compactDate(date)
		for _, order := range [...]adapters.DateOrder{adapters.MonthFirst, adapters.DayFirst} {
			times.Order = order
			at, reject := momentIn(r.time, &times)
			if away := at.Time().Sub(day).Abs(); ok && reject == "" && away < 48*time.Hour {
				return at, ""
			}
		}
		times.Order = adapters.AnyOrder
	}
	return momentIn(r.time, &times)
}

// visit is which visitor and session an event belongs to.
type visit struct {
	visitor, session   string
	noVisitor, noVisit string // kinds of the repairs where stand-ins were made
}

// visit finds who sent r and when it began, which is valid until r is used again.
// GA4's session ids repeat over users. Where consent mode withholds ids, stand-ins come from what there is:
// a day's events of the same device in the same place are one visitor, an
// hour's events of a visitor one session. They are the same in every run.
func (r *row) visit(at pipeline.Micros) visit {
	var v visit
	v.visitor = r.pseudo
	if v.visitor == "" {
		if r.user != "" {
			v.visitor, v.noVisitor = "user "+r.user, repairUserVisitor
		} else {
			day := r.date
			if day == "" {
				day = at.Time().Format("20060102")
			}
			v.visitor = strings.Join([]string{
				"anonymous", day, r.stream, r.platform, r.device.category, r.device.brand, r.device.model, r.device.os,
				r.device.osVersion, r.device.browser, r.browserVersion, r.language, r.country, r.region, r.city,
			}, "|")
			v.noVisitor = repairVisitor
		}
	}
	r.ids = append(r.ids[:0], v.visitor...)
	if r.session != "" {
		r.ids = append(append(r.ids, '.'), r.session...)
	} else {
		r.ids = at.Time().AppendFormat(append(r.ids, '@'), "2006010215")
		v.noVisit = repairSession
	}
	v.session = unsafe.String(unsafe.SliceData(r.ids), len(r.ids))
	return v
}

// appendDigested appends what tells an event of a visitor from all others but its
// own repetitions.
func (r *row) appendDigested(b []byte, visitor string) []byte {
	for _, s := range [...]string{
		visitor, r.user, r.time, r.name, r.bundle, r.page, r.order, r.index, r.session, r.location, r.path, r.title, r.referrer,
		r.linkURL, r.linkText, r.screen,
	} {
		b = appendText(b, s)
	}
	for _, properties := range [...][]pipeline.Property{r.properties, r.facts} {
		for i := range properties {
			p := &properties[i]
			b = appendText(appendText(b, p.Key), p.Value)
		}
	}
	return b
}

// emit hands r to out as what it becomes. Ev is space to work in.
func (g *ga4) emit(r *row, ev *pipeline.Event, out sink, seen *seen) {
	omit, reject, v := g.event(r, ev)
	if reject != "" {
		out.Reject(r.at, reject, r.raw)
		return
	}
	if omit == "" && seen.duplicate(r, v.visitor) {
		omit = omitDuplicate
	}
	// A dropped duplicate's session is kept by the first of its kind.
	seen.session(v.session, omit == "")
	if omit != "" {
		out.Omit(r.at, omit)
		return
	}
	for _, kind := range [...]string{v.noVisitor, v.noVisit} {
		if kind != "" {
			out.Repair(r.at, kind)
		}
	}
	out.Event(ev)
}

// event translates r into ev and says under which reason it is to be omitted
// or rejected instead, if any.
func (g *ga4) event(r *row, ev *pipeline.Event) (omit, reject string, v visit) {
	properties, userProperties := ev.Properties[:0], ev.UserProperties[:0]
	*ev = pipeline.Event{} // in place, where a literal with fields is copied
	ev.Properties, ev.UserProperties, ev.Origin, ev.Raw = properties, userProperties, r.at, r.raw
	if r.time == "" {
		return "", pipeline.RejectNoTime, v
	}
	if ev.Time, reject = g.moment(r); reject != "" {
		return "", reject, v
	}
	if g.sites != nil {
		g.sites.add(r.site())
	}
	if g.website != "" && !r.site().is(g.website) {
		return omitSite, "", v
	}
	v = r.visit(ev.Time)
	if r.name == "" {
		return "", rejectNoName, v
	}
	if r.automatic != "" && !g.allEvents {
		return r.automatic, "", v
	}
	ev.Name = r.name
	// All texts of a record that was scanned are parts of it.
	ev.ValidUTF8 = r.validUTF8 || r.scanned && record.ValidUTF8(r.raw)
	ev.Visitor, ev.Session, ev.Identified = v.visitor, v.session, r.user
	ev.Title, ev.Referrer = r.title, r.referrer
	r.pageOf(ev)
	ev.Device, ev.Browser, ev.BrowserVersion, ev.Language = r.device.category, r.device.browser, r.browserVersion, r.language
	ev.OS, ev.OSVersion = r.device.system()
	ev.Country, ev.Region, ev.City = r.country, r.region, r.city

	from := r.collected
	if from == (traffic{}) {
		from = r.params
	} else {
		// collected_traffic_source repeats the parameters, in newer exports.
		for _, f := range [...]struct{ to, or *string }{
			{&from.source, &r.params.source}, {&from.medium, &r.params.medium}, {&from.campaign, &r.params.campaign},
			{&from.term, &r.params.term}, {&from.content, &r.params.content}, {&from.campaignID, &r.params.campaignID},
			{&from.gclid, &r.params.gclid}, {&from.dclid, &r.params.dclid}, {&from.srsltid, &r.params.srsltid},
		} {
			if *f.to == "" {
				*f.to = *f.or
			}
		}
	}
	from.into(ev, ev.Hostname)

	ev.Properties = append(ev.Properties, r.properties...)
	for _, fact := range r.facts {
		if !slices.ContainsFunc(r.properties, func(p pipeline.Property) bool { return p.Key == fact.Key }) {
			ev.Properties = append(ev.Properties, fact)
		}
	}
	if r.itemsText == "" {
		r.writeItems()
	}
	if r.itemsText != "" {
		ev.Properties = append(ev.Properties, pipeline.Property{Key: "items", Value: r.itemsText, Literal: true})
	}
	ev.UserProperties = append(ev.UserProperties, r.userProperties...)
	if r.kindOf(ev); ev.Kind == pipeline.Pageview && ev.Path == "" {
		return "", rejectNoPage, v
	}
	return "", "", v
}

// pageOf sets where an event happened: a page's address, or an app's screen
// as a page of a site that is named as the app.
func (r *row) pageOf(ev *pipeline.Event) {
	ev.Hostname, ev.Path, ev.Query = splitURL(r.location)
	if ev.Path == "" && r.path != "" {
		_, ev.Path, ev.Query = splitPath(r.path)
	}
	if ev.Hostname == "" {
		ev.Hostname = r.hostname
	}
	if r.screen != "" && ev.Path == "" {
		ev.Path = "/" + strings.TrimPrefix(r.screen, "/")
		if ev.Hostname == "" {
			ev.Hostname = r.app
		}
		if ev.Title == "" {
			ev.Title = r.screen
		}
	}
}

// kindOf decides what kind of event r is. Names are those that GA4's tags and
// SDKs send by themselves or that Google's guide recommends.
func (r *row) kindOf(ev *pipeline.Event) {
	ev.Kind = pipeline.Custom
	link := true // the link is not told elsewhere
	switch r.name {
	case "page_view", "screen_view":
		ev.Kind, ev.Name = pipeline.Pageview, ""
	case "click":
		if r.outbound && (r.linkURL != "" || r.linkDomain != "") {
			ev.Kind, ev.Name = pipeline.Outbound, ""
			if ev.Target = r.linkURL; ev.Target == "" {
				ev.Target = "https://" + r.linkDomain
			}
			ev.TargetText = r.linkText
			link = false
		}
	case "exception", "app_exception":
		ev.Kind = pipeline.Error
		for i, p := range ev.Properties {
			if p.Key == "description" || p.Key == "message" {
				ev.Message = p.Value
				ev.Properties = append(ev.Properties[:i], ev.Properties[i+1:]...)
				break
			}
		}
	}
	if !link {
		return
	}
	for _, p := range [...]pipeline.Property{{Key: "link_url", Value: r.linkURL}, {Key: "link_domain", Value: r.linkDomain}, {Key: "link_text", Value: r.linkText}} {
		if p.Value != "" {
			ev.Properties = append(ev.Properties, p)
		}
	}
	if r.outbound {
		ev.Properties = append(ev.Properties, pipeline.Property{Key: "outbound", Value: "true", Literal: true})
	}
}
