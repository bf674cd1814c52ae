package sandbox

import (
	"context"
	"database/sql"
	"time"
)

// Tracked is an event that the site's own tracker has recorded.
type Tracked struct {
	Time               time.Time
	Type               string // pageview, custom_event, outbound, performance or error
	SessionID, UserID  string
	Hostname, Pathname string
	Querystring        string // with its "?"
	Title, Referrer    string
	Browser, System    string
	Device, Country    string
	Name               string // of a custom event
}

// Track stores events that belong to no import, as a site holds them whose tracker
// runs while its history is imported.
func (s *Server) Track(ctx context.Context, tracked ...Tracked) error {
	events := make([]*event, len(tracked))
	for i, t := range tracked {
		events[i] = &event{
			at: t.Time.UTC().Truncate(time.Millisecond), kind: t.Type, session: t.SessionID, user: t.UserID, hostname: t.Hostname,
			pathname: t.Pathname, querystring: t.Querystring, title: t.Title, referrer: foreign(t.Referrer, t.Hostname),
			browser: t.Browser, os: t.System, device: t.Device, country: t.Country, name: t.Name, props: "{}",
		}
	}
	return s.change(ctx, func(tx *sql.Tx) error { return insertEvents(ctx, tx, "", s.opts.Site, events) })
}
