package hopper

import (
	"log/slog"

	"hopper/adapters"
	"hopper/adapters/input"
	"hopper/adapters/input/database"
	"hopper/adapters/input/store"
	"hopper/adapters/input/store/gcs"
	"hopper/adapters/input/store/s3"
)

// stores returns where inputs are read from, beside this machine's files.
func stores(log *slog.Logger) []input.Store {
	return []input.Store{
		&store.Web{Warn: func(message string) { log.Warn(message, "event", "unencrypted") }},
		&s3.Store{},
		&gcs.Store{},
		&database.Store{Relations: relations()},
	}
}

// relations returns the tables that are read of databases.
func relations() []input.Relation {
	var all []input.Relation
	for _, a := range Sources() {
		if r, ok := a.(adapters.Relational); ok {
			all = append(all, r.Relations()...)
		}
	}
	return all
}
