package ga

import "strings"

// A paramUse is what becomes of a parameter of an event, by its key: one of these, or
// the number of its field in paramFields.
type paramUse int

const (
	// unreadParam is Google's own bookkeeping.
	unreadParam paramUse = iota - 1
	// ownParam becomes a property.
	ownParam
)

// paramFields are the parameters of event_params that an event has a field for. The
// first has the number 1.
var paramFields = [...]struct {
	key string
	set setter
}{
	{"page_location", func(r *row, s string) { r.location = clean(s) }},
	{"page_path", func(r *row, s string) { r.path = clean(s) }},
	{"page_title", func(r *row, s string) { r.title = clean(s) }},
	{"page_referrer", func(r *row, s string) { r.referrer = cleanReferrer(s) }},
	{"ga_session_id", func(r *row, s string) { r.session = strings.TrimSuffix(clean(s), ".0") }},
	{"batch_page_id", func(r *row, s string) { r.page = s }},
	{"batch_ordering_id", func(r *row, s string) { r.order = s }},
	{"batch_event_index", func(r *row, s string) { r.index = s }},
	{"source", func(r *row, s string) { r.params.source = s }},
	{"medium", func(r *row, s string) { r.params.medium = s }},
	{"campaign", func(r *row, s string) { r.params.campaign = s }},
	{"campaign_id", func(r *row, s string) { r.params.campaignID = s }},
	{"term", func(r *row, s string) { r.params.term = s }},
	{"content", func(r *row, s string) { r.params.content = s }},
	{"gclid", func(r *row, s string) { r.params.gclid = s }},
	{"dclid", func(r *row, s string) { r.params.dclid = s }},
	{"srsltid", func(r *row, s string) { r.params.srsltid = s }},
	{"firebase_screen", func(r *row, s string) { r.screen = clean(s) }},
	{"firebase_screen_class", func(r *row, s string) {
		if r.screen == "" {
			r.screen = clean(s)
		}
	}},
	{"outbound", func(r *row, s string) { r.outbound = s == "true" || s == "1" }},
	{"link_url", func(r *row, s string) { r.linkURL = s }},
	{"link_domain", func(r *row, s string) { r.linkDomain = s }},
	{"link_text", func(r *row, s string) { r.linkText = s }},
}

// paramUses are the parameters of event_params that do not become properties.
var paramUses = func() map[string]paramUse {
	uses := make(map[string]paramUse)
	for i, f := range paramFields {
		uses[f.key] = paramUse(i + 1)
	}
	for _, key := range [...]string{
		"engagement_time_msec", "synthetic_bundle", "ga_session_number", "session_engaged", "engaged_session_event", "entrances", "debug_mode",
		"ignore_referrer", "gclsrc", "firebase_screen_id", "firebase_event_origin", "firebase_previous_id",
		"firebase_previous_screen", "firebase_previous_class", "firebase_conversion", "ga_error", "ga_error_value",
	} {
		uses[key] = unreadParam
	}
	return uses
}()

// sessionParam is the use of the parameter that names an event's session.
var sessionParam = paramUses["ga_session_id"]

// paramOf returns what becomes of a parameter of event_params.
func paramOf(key string) paramUse { return paramUses[key] }

// param takes one of event_params. What an event has a field for goes there,
// Google's own bookkeeping nowhere, and the rest becomes a property.
func (r *row) param(key, text string, isNumber bool) { r.setParam(paramOf(key), key, text, isNumber) }

func (r *row) setParam(p paramUse, key, text string, isNumber bool) {
	switch {
	case p > ownParam:
		paramFields[p-1].set(r, text)
	case p == ownParam && text != "":
		r.properties = append(r.properties, property(key, text, isNumber))
	}
}

// userPropertyOf is paramOf for user_properties, of which none has a field.
func userPropertyOf(key string) paramUse {
	switch key {
	case "", "ga_session_id", "ga_session_number", "first_open_time", "last_gclid":
		return unreadParam
	}
	return ownParam
}

func (r *row) userProperty(key, text string, isNumber bool) {
	r.setUserProperty(userPropertyOf(key), key, text, isNumber)
}

func (r *row) setUserProperty(p paramUse, key, text string, isNumber bool) {
	if p == ownParam && text != "" {
		r.userProperties = append(r.userProperties, property(key, text, isNumber))
	}
}
