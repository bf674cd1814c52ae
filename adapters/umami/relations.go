package umami

import (
	"regexp"

	"hopper/adapters/input"
)

// Relations are the tables of Umami's databases, of all versions.
func (Adapter) Relations() []input.Relation {
	named := regexp.MustCompile
	return []input.Relation{
		{Table: named("website_event"), Needs: []string{"session_id", "created_at"}, Time: "created_at", Key: []string{"event_id"}},
		{Table: named("session"), Needs: []string{"session_id", "website_id"}, Time: "created_at", Key: []string{"session_id"}},
		{Table: named("event_data"), Needs: []string{"event_data_id"}, Time: "created_at", Key: []string{"event_data_id"}},
		{Table: named("event_data"), Needs: []string{"event_id"}, Time: "created_at"},
		{Table: named("session_data"), Needs: []string{"session_id", "data_key"}, Time: "created_at", Key: []string{"session_data_id"}},
		{Table: named("website"), Needs: []string{"website_id", "domain"}, Columns: []string{"website_id", "website_uuid", "name", "domain"}, Key: []string{"website_id"}},
		// Version 1.
		{Table: named("pageview"), Needs: []string{"session_id", "url"}, Time: "created_at", Key: []string{"view_id"}},
		{Table: named("event"), Needs: []string{"session_id", "url"}, Time: "created_at", Key: []string{"event_id"}},
	}
}
