package ga

import (
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
	if !self {
		ev.Query = adapters.AddParameter(ev.Query, "utm_source", source)
		ev.Query = adapters.AddParameter(ev.Query, "utm_medium", medium)
	}
	ev.Query = adapters.AddParameter(ev.Query, "utm_campaign", tagged(t.campaign))
	ev.Query = adapters.AddParameter(ev.Query, "utm_id", tagged(t.campaignID))
	ev.Query = adapters.AddParameter(ev.Query, "utm_term", tagged(t.term))
	ev.Query = adapters.AddParameter(ev.Query, "utm_content", tagged(t.content))
	ev.Query = adapters.AddParameter(ev.Query, "gclid", clean(t.gclid))
	ev.Query = adapters.AddParameter(ev.Query, "dclid", clean(t.dclid))
	ev.Query = adapters.AddParameter(ev.Query, "srsltid", clean(t.srsltid))
	if ev.Referrer == "" && medium == "referral" && !self && adapters.IsHost(source) {
		ev.Referrer = "https://" + source
	}
}
