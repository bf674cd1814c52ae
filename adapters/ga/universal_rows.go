package ga

import (
	"slices"
	"strings"
	"sync"

	"hopper/adapters/input/rows/record"
	"hopper/pipeline"
)

const omitSameHit = "further row of a hit, joined with its first"

// universalPaths are the fields of ga_sessions that are read, as the schema
// spells them.
var universalPaths = []string{
	"visitorId", "visitNumber", "visitId", "visitStartTime", "date", "fullVisitorId", "userId", "clientId", "customDimensions",
	"totals", "trafficSource", "device", "geoNetwork", "hits",
	"trafficSource.referralPath", "trafficSource.campaign", "trafficSource.source", "trafficSource.medium", "trafficSource.keyword", "trafficSource.adContent",
	"trafficSource.campaignCode", "trafficSource.adwordsClickInfo", "trafficSource.adwordsClickInfo.gclId",
	"device.browser", "device.browserVersion", "device.operatingSystem", "device.operatingSystemVersion", "device.isMobile", "device.mobileDeviceBranding",
	"device.mobileDeviceModel", "device.language", "device.screenResolution", "device.deviceCategory",
	"geoNetwork.country", "geoNetwork.region", "geoNetwork.city", "geoNetwork.latitude", "geoNetwork.longitude",
	"hits.hitNumber", "hits.time", "hits.isEntrance", "hits.isExit", "hits.referer", "hits.type", "hits.customDimensions", "hits.customMetrics", "hits.customVariables",
	"hits.page", "hits.page.pagePath", "hits.page.hostname", "hits.page.pageTitle", "hits.page.searchKeyword", "hits.page.searchCategory",
	"hits.eventInfo", "hits.eventInfo.eventCategory", "hits.eventInfo.eventAction", "hits.eventInfo.eventLabel", "hits.eventInfo.eventValue",
	"hits.appInfo", "hits.appInfo.screenName", "hits.appInfo.appId", "hits.appInfo.appName", "hits.exceptionInfo", "hits.exceptionInfo.description", "hits.exceptionInfo.isFatal",
	"hits.social", "hits.social.socialInteractionAction", "hits.social.socialInteractionNetwork", "hits.social.socialInteractionTarget",
	"hits.transaction", "hits.transaction.transactionId", "hits.transaction.transactionRevenue", "hits.transaction.transactionTax", "hits.transaction.transactionShipping",
	"hits.transaction.affiliation", "hits.transaction.currencyCode", "hits.eCommerceAction", "hits.eCommerceAction.action_type", "hits.product", "hits.promotion", "hits.item", "hits.contentGroup",
}

// universalNames are the paths by the spelling of the names that flat columns
// have: the whole path, without the hits before it, or its last part alone.
var universalNames = sync.OnceValue(func() map[string]string {
	names := map[string]string{"hittime": "hits.time", "hittype": "hits.type", "hitreferer": "hits.referer", "referrer": "hits.referer"}
	for _, part := range []func(path string) string{
		func(path string) string { return path },
		func(path string) string { return strings.TrimPrefix(path, "hits.") },
		func(path string) string { return path[strings.LastIndexByte(path, '.')+1:] },
	} {
		for _, path := range universalPaths {
			if s := spelling(part(path)); names[s] == "" {
				names[s] = path
			}
		}
	}
	return names
})

// universalMembers are the names of members by their spelling.
var universalMembers = sync.OnceValue(func() map[string]string {
	members := make(map[string]string)
	for _, name := range []string{"index", "value", "customVarName", "customVarValue", "productSKU", "v2ProductName", "v2ProductCategory", "productBrand", "productVariant", "productPrice",
		"productQuantity", "productRevenue", "isImpression", "isClick", "promoId", "promoName", "promoCreative", "promoPosition", "promoIsView", "promoIsClick"} {
		members[spelling(name)] = name
	}
	for _, path := range universalPaths {
		for name := range strings.SplitSeq(path, ".") {
			members[spelling(name)] = name
		}
	}
	return members
})

// isUniversal reports whether members are those of sessions, or of hits with
// their session, of Universal Analytics, and whether the hits are there.
func isUniversal(fields []string) (is, hits bool) {
	has := make(map[string]bool)
	for _, name := range fields {
		path := universalNames()[spelling(name)]
		if has[path] = true; strings.HasPrefix(path, "hits") {
			hits = hits || path == "hits" || path == "hits.type" || path == "hits.page.pagePath"
		}
	}
	return has["fullVisitorId"] && (has["visitId"] || has["visitStartTime"]) || has["visitId"] && has["visitStartTime"], hits
}

// universalRecord returns a record with the names of BigQuery's schema, and flat
// columns of a hit as the only hit of its session. Whether that is what it is is
// the second result.
func universalRecord(root *record.Value) (*record.Value, bool) {
	out := &record.Value{Kind: record.Object}
	hit := &record.Value{Kind: record.Object}
	for i := range root.Kids {
		kid := &root.Kids[i]
		path := universalNames()[spelling(kid.Key)]
		kid = renamed(kid)
		switch inHit, found := strings.CutPrefix(path, "hits."); {
		case path == "" && kid.Kind != record.Object && kid.Kind != record.List && isOwnColumn(kid.Key):
			own := record.Value{Kind: record.Object, Kids: []record.Value{{Kind: record.Text, Key: "customVarName", Text: kid.Key}, {Kind: record.Text, Key: "customVarValue", Text: kid.Text}}}
			list := memberOf(hit, "customVariables")
			list.Kind, list.Kids = record.List, append(list.Kids, own)
		case path == "", isGroupOfUA(path) && kid.Kind != record.Object && kid.Kind != record.List:
		case found:
			setAt(hit, inHit, kid)
		default:
			setAt(out, path, kid)
		}
	}
	if out.Get("hits") != nil || len(hit.Kids) == 0 {
		return out, false
	}
	out.Kids = append(out.Kids, record.Value{Kind: record.List, Key: "hits", Kids: []record.Value{*hit}})
	return out, true
}

// isGroupOfUA reports whether a path is of a record or a list: the column hits of
// a query can be how many there were.
func isGroupOfUA(path string) bool {
	return path == "totals" || path == "hits.customDimensions" || path == "customDimensions" || slices.ContainsFunc(universalPaths, func(p string) bool { return strings.HasPrefix(p, path+".") })
}

// isOwnColumn reports whether a column is none of the schema's, nor a
// connector's bookkeeping: somebody's query made it, of a custom dimension say.
func isOwnColumn(name string) bool {
	column := columnOf(name)
	for _, prefix := range [...]string{"_", "totals", "traffic_source", "device", "geo_network", "hits", "hit_", "privacy_info", "page_", "social_engagement"} {
		if strings.HasPrefix(column, prefix) {
			return false
		}
	}
	switch column {
	case "channel_grouping", "visits", "hits", "pageviews", "bounces", "new_visits", "time_on_site", "session_quality_dim", "transactions", "transaction_revenue", "screenviews", "unique_screenviews",
		"hour", "minute", "is_interaction", "is_true_direct", "continent", "sub_continent", "metro", "city_id", "network_domain", "network_location", "session_id", "table_suffix", "suffix", "is_secure", "data_source":
		return false
	}
	return true
}

// memberOf returns a member of an object, which is added where it lacks.
func memberOf(v *record.Value, key string) *record.Value {
	if m := v.Get(key); m != nil {
		return m
	}
	v.Kids = append(v.Kids, record.Value{Kind: record.Object, Key: key})
	return &v.Kids[len(v.Kids)-1]
}

// setAt puts a value at a path of an object.
func setAt(to *record.Value, path string, v *record.Value) {
	group, rest, nested := strings.Cut(path, ".")
	m := memberOf(to, group)
	if nested {
		setAt(m, rest, v)
		return
	}
	*m = *v
	m.Key = group
}

// renamed returns a value whose members, and theirs, have the schema's names.
func renamed(v *record.Value) *record.Value {
	if v.Kind == record.Text {
		if opened, ok := parseNested(v.Text); ok {
			opened.Key = v.Key
			v = opened
		}
	}
	out := *v
	if v.Kind != record.Object && v.Kind != record.List {
		return &out
	}
	out.Kids = make([]record.Value, len(v.Kids))
	for i := range v.Kids {
		out.Kids[i] = *renamed(&v.Kids[i])
		if name := universalMembers()[spelling(out.Kids[i].Key)]; name != "" {
			out.Kids[i].Key = name
		}
	}
	return &out
}

// universalRow returns what translates the rows of a chunk: sessions, or hits
// with their session. The rows of a session stand together.
func (g *ga4) universalRow() translate {
	session, number := "", ""
	return func(rec *record.Record, at pipeline.Origin, out sink, _ *seen) {
		root, flat := universalRecord(rec.Root)
		one := &record.Record{Row: rec.Row, Root: root}
		if !flat {
			g.uaSession(one, at, out, nil)
			return
		}
		text := func(path ...string) string { return textAt(root, path...) }
		own := strings.Join([]string{text("fullVisitorId"), text("clientId"), text("visitId"), text("visitStartTime")}, separator)
		hit := &root.Get("hits").Kids[0]
		n := textAt(hit, "hitNumber")
		if own == session && n != "" && n == number {
			out.Omit(at, omitSameHit)
			return
		}
		entry := n == "1" || textAt(hit, "isEntrance") == "true" || n == "" && own != session
		session, number = own, n
		g.uaHits(one, at, out, entry)
	}
}

// hasUniversalNames reports whether fields are spelled as BigQuery's schema of
// Universal Analytics has them.
func hasUniversalNames(fields []string) bool {
	return slices.Contains(fields, "hits") && (slices.Contains(fields, "fullVisitorId") || slices.Contains(fields, "visitId") || slices.Contains(fields, "visitStartTime"))
}
