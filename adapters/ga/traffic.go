package ga

import (
	"net/url"

	"hopper/adapters"
	"hopper/pipeline"
)

// tagged is clean for what goes into UTM parameters, where Google's words for
// traffic without a campaign say nothing that a visitor's link could have said.
func tagged(s string) string {
	switch s = clean(s); s {
	case "(direct)", "(organic)", "(referral)":
		return ""
	}
	return s
}

// traffic is where a session came from.
type traffic struct {
	source, medium, campaign, term, content string
	campaignID                              string
	gclid, dclid, srsltid                   string
}

// into keeps what ev's own address and referrer lack of t. Host is the site's.
func (t *traffic) into(ev *pipeline.Event, host string) {
	if *t == (traffic{}) {
		return
	}
	source, medium := tagged(t.source), tagged(t.medium)
	self := source != "" && adapters.SameHost(source, host)
	var space [256]byte // mostly enough
	query := append(space[:0], ev.Query...)
	add := func(name, value string) {
		if value == "" || adapters.HasParameter(ev.Query, name) {
			return
		}
		if len(query) > 0 {
			query = append(query, '&')
		}
		query = append(append(append(query, name...), '='), url.QueryEscape(value)...)
	}
	if !self {
		add("utm_source", source)
		add("utm_medium", medium)
	}
	add("utm_campaign", tagged(t.campaign))
	add("utm_id", tagged(t.campaignID))
	add("utm_term", tagged(t.term))
	add("utm_content", tagged(t.content))
	add("gclid", clean(t.gclid))
	add("dclid", clean(t.dclid))
	add("srsltid", clean(t.srsltid))
	if len(query) > len(ev.Query) {
		ev.Query = string(query)
	}
	if ev.Referrer == "" && medium == "referral" && !self && adapters.IsHost(source) {
		ev.Referrer = "https://" + source
	}
}
