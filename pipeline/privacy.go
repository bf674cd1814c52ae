package pipeline

import (
	"crypto/hmac"
	"crypto/sha256"
	"net/url"
	"strings"

	"github.com/google/uuid"
)

// Privacy says which facts of an event are left behind. The zero value leaves none.
// Where it leaves any, rejects name their records by input and row alone: their text
// would hold these facts.
type Privacy struct {
	// QueryKeys are the parameters that are cut from the queries of pages,
	// referrers and links. Case does not matter, and a name that ends in "*"
	// stands for all that begin with the rest of it.
	QueryKeys []string
	// Properties are the properties of events and of users that are dropped, named alike.
	Properties []string
	// VisitorKey, where it is not empty, is the secret that the ids of visitors
	// and visits are hashed with. The name that a site gave a visitor and all
	// properties of users are then dropped. The same key gives the same ids, and
	// who has no key cannot find the visitor again.
	VisitorKey []byte
}

// Kinds of repairs that [Privacy] counts.
const (
	RepairQueryKeys  = "query parameters dropped by --drop-query-keys"
	RepairDropped    = "properties dropped by --drop-properties"
	RepairAnonymized = "visitor and visit ids hashed by --anonymize-visitors"
)

// leaves reports whether any fact is left behind.
func (p *Privacy) leaves() bool {
	return len(p.QueryKeys) > 0 || len(p.Properties) > 0 || len(p.VisitorKey) > 0
}

// apply leaves behind what p says of a normalized event.
func (p *Privacy) apply(ev *Event, repair func(string)) {
	if len(p.QueryKeys) > 0 {
		query, referrer, target := p.query(ev.Query), p.address(ev.Referrer), p.address(ev.Target)
		if query != ev.Query || referrer != ev.Referrer || target != ev.Target {
			ev.Query, ev.Referrer, ev.Target = query, referrer, target
			repair(RepairQueryKeys)
		}
	}
	if len(p.Properties) > 0 {
		events, users := p.properties(ev.Properties), p.properties(ev.UserProperties)
		if len(events) != len(ev.Properties) || len(users) != len(ev.UserProperties) {
			ev.Properties, ev.UserProperties = events, users
			repair(RepairDropped)
		}
	}
	if len(p.VisitorKey) > 0 {
		ev.Visitor, ev.Session = p.hash("visitor", ev.Visitor), p.hash("session", ev.Session)
		ev.Identified, ev.UserProperties = "", nil
		repair(RepairAnonymized)
	}
}

// address returns u without the parameters to drop.
func (p *Privacy) address(u string) string {
	rest, fragment, hasFragment := strings.Cut(u, "#")
	page, query, found := strings.Cut(rest, "?")
	if !found {
		return u
	}
	kept := p.query(query)
	if kept == query {
		return u
	}
	if kept != "" {
		page += "?" + kept
	}
	if hasFragment {
		page += "#" + fragment
	}
	return page
}

// query returns a query without the parameters to drop, the others as they stand.
func (p *Privacy) query(query string) string {
	if query == "" {
		return query
	}
	kept := make([]string, 0, 8)
	dropped := false
	for parameter := range strings.SplitSeq(query, "&") {
		name, _, _ := strings.Cut(parameter, "=")
		if plain, err := url.QueryUnescape(name); err == nil {
			name = plain
		}
		if isNamed(p.QueryKeys, name) {
			dropped = true
			continue
		}
		kept = append(kept, parameter)
	}
	if !dropped {
		return query
	}
	return strings.Join(kept, "&")
}

// properties returns those of ps that are kept, in the memory of ps where none is dropped.
func (p *Privacy) properties(ps []Property) []Property {
	for i := range ps {
		if !isNamed(p.Properties, ps[i].Key) {
			continue
		}
		kept := append([]Property(nil), ps[:i]...)
		for _, property := range ps[i+1:] {
			if !isNamed(p.Properties, property.Key) {
				kept = append(kept, property)
			}
		}
		return kept
	}
	return ps
}

// isNamed reports whether one of names, or of the beginnings that end in "*", is name.
func isNamed(names []string, name string) bool {
	for _, n := range names {
		if beginning, open := strings.CutSuffix(n, "*"); open && len(name) >= len(beginning) && strings.EqualFold(name[:len(beginning)], beginning) ||
			strings.EqualFold(n, name) {
			return true
		}
	}
	return false
}

// hash returns a UUID (RFC 9562, version 8) that only the key leads to.
func (p *Privacy) hash(kind, id string) string {
	mac := hmac.New(sha256.New, p.VisitorKey)
	mac.Write([]byte(kind + ":" + id))
	u := uuid.UUID(mac.Sum(nil)[:16])
	u[6] = u[6]&0x0F | 0x80
	u[8] = u[8]&0x3F | 0x80
	return u.String()
}
