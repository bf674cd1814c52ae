package plausible

import (
	"regexp"

	"hopper/adapters/input"
)

// Relations are the tables of Plausible's two databases: the events in
// ClickHouse, and the sites' names in PostgreSQL.
func (Adapter) Relations() []input.Relation {
	return []input.Relation{
		{Table: regexp.MustCompile("events(_v2)?"), Needs: []string{"timestamp", "user_id", "session_id", "pathname"}, Time: "timestamp"},
		{Table: regexp.MustCompile("sites"), Needs: []string{"id", "domain", "timezone"}, Columns: []string{"id", "domain", "timezone"}, Key: []string{"id"}},
	}
}
