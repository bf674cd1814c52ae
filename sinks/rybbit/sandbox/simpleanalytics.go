package sandbox

var simpleAnalytics = format{
	names: []string{"added_iso", "country_code", "datapoint", "document_referrer", "hostname", "lang_language", "lang_region",
		"path", "query", "screen_height", "screen_width", "session_id", "user_agent", "uuid"},
	row: simpleAnalyticsRow,
}

const (
	maxReferrer  = maxHostname + maxPath // what two of Umami's fields hold together
	maxUserAgent = 1024
)

func simpleAnalyticsRow(f fields, e *event) bool {
	e.session, e.user = f.get("session_id"), f.get("uuid")
	e.hostname, e.pathname, e.referrer = f.get("hostname"), f.get("path"), f.get("document_referrer")
	e.country, e.name = f.get("country_code"), f.get("datapoint")
	language, region := f.get("lang_language"), f.get("lang_region")
	query, agent := f.get("query"), f.get("user_agent")
	if !e.isoTime(f.get("added_iso"), false) || !isCountry(e.country) || !fits(e.name, maxEventName) ||
		!fits(e.referrer, maxReferrer) || !fits(e.hostname, maxHostname) || !fits(language, maxLanguage) ||
		!fits(region, maxLanguage) || !fits(e.pathname, maxPath) || !fits(query, maxQuery) ||
		!pixels(f.get("screen_width"), &e.width) || !pixels(f.get("screen_height"), &e.height) ||
		!isUUID(e.session) || !isUUID(e.user) || !fits(agent, maxUserAgent) {
		return false
	}
	e.kind = customEvent
	if e.name == pageview {
		e.kind, e.name = pageview, ""
	}
	e.language = language
	if language != "" && region != "" {
		e.language += "-" + region
	}
	e.querystring = withQuestionMark(query)
	e.referrer = foreign(e.referrer, e.hostname)
	e.readAgent(agent)
	return true
}
