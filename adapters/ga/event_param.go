package ga

import "strings"

// A paramUse is what becomes of a parameter of an event, by its key.
type paramUse int

const (
	// unreadParam is Google's own bookkeeping.
	unreadParam paramUse = iota - 1
	// ownParam becomes a property.
	ownParam
	paramPageLocation
	paramPagePath
	paramPageTitle
	paramPageReferrer
	paramSessionID
	paramBatchPageID
	paramBatchOrderingID
	paramBatchEventIndex
	paramSource
	paramMedium
	paramCampaign
	paramCampaignID
	paramTerm
	paramContent
	paramGclid
	paramDclid
	paramSrsltid
	paramFirebaseScreen
	paramFirebaseScreenClass
	paramOutbound
	paramLinkURL
	paramLinkDomain
	paramLinkText
)

// paramOf returns what becomes of a parameter of event_params.
func paramOf(key string) paramUse {
	switch key {
	case "page_location":
		return paramPageLocation
	case "page_path":
		return paramPagePath
	case "page_title":
		return paramPageTitle
	case "page_referrer":
		return paramPageReferrer
	case "ga_session_id":
		return paramSessionID
	case "batch_page_id":
		return paramBatchPageID
	case "batch_ordering_id":
		return paramBatchOrderingID
	case "batch_event_index":
		return paramBatchEventIndex
	case "source":
		return paramSource
	case "medium":
		return paramMedium
	case "campaign":
		return paramCampaign
	case "campaign_id":
		return paramCampaignID
	case "term":
		return paramTerm
	case "content":
		return paramContent
	case "gclid":
		return paramGclid
	case "dclid":
		return paramDclid
	case "srsltid":
		return paramSrsltid
	case "firebase_screen":
		return paramFirebaseScreen
	case "firebase_screen_class":
		return paramFirebaseScreenClass
	case "outbound":
		return paramOutbound
	case "link_url":
		return paramLinkURL
	case "link_domain":
		return paramLinkDomain
	case "link_text":
		return paramLinkText
	case "engagement_time_msec", "synthetic_bundle", "ga_session_number", "session_engaged", "engaged_session_event", "entrances", "debug_mode",
		"ignore_referrer", "gclsrc", "firebase_screen_id", "firebase_event_origin", "firebase_previous_id",
		"firebase_previous_screen", "firebase_previous_class", "firebase_conversion", "ga_error", "ga_error_value":
		return unreadParam
	}
	return ownParam
}

// param takes one of event_params. What an event has a field for goes there,
// Google's own bookkeeping nowhere, and the rest becomes a property.
func (r *row) param(key, text string, isNumber bool) { r.setParam(paramOf(key), key, text, isNumber) }

func (r *row) setParam(p paramUse, key, text string, isNumber bool) {
	switch p {
	case ownParam:
		if text != "" {
			r.properties = append(r.properties, property(key, text, isNumber))
		}
	case paramPageLocation:
		r.location = clean(text)
	case paramPagePath:
		r.path = clean(text)
	case paramPageTitle:
		r.title = clean(text)
	case paramPageReferrer:
		r.referrer = cleanReferrer(text)
	case paramSessionID:
		r.session = strings.TrimSuffix(clean(text), ".0")
	case paramBatchPageID:
		r.page = text
	case paramBatchOrderingID:
		r.order = text
	case paramBatchEventIndex:
		r.index = text
	case paramSource:
		r.params.source = text
	case paramMedium:
		r.params.medium = text
	case paramCampaign:
		r.params.campaign = text
	case paramCampaignID:
		r.params.campaignID = text
	case paramTerm:
		r.params.term = text
	case paramContent:
		r.params.content = text
	case paramGclid:
		r.params.gclid = text
	case paramDclid:
		r.params.dclid = text
	case paramSrsltid:
		r.params.srsltid = text
	case paramFirebaseScreen:
		r.screen = clean(text)
	case paramFirebaseScreenClass:
		if r.screen == "" {
			r.screen = clean(text)
		}
	case paramOutbound:
		r.outbound = text == "true" || text == "1"
	case paramLinkURL:
		r.linkURL = text
	case paramLinkDomain:
		r.linkDomain = text
	case paramLinkText:
		r.linkText = text
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
