package hopper

import (
	"context"
	"io"
	"log/slog"
	"slices"
	"strings"

	"hopper/adapters"
	"hopper/adapters/input"
	"hopper/adapters/input/database"
	"hopper/adapters/input/store"
	"hopper/adapters/input/store/gcs"
	"hopper/adapters/input/store/s3"
)

// putter is a store that files can be written to.
type putter interface {
	// Put writes size bytes of content, from their beginning, to an address: all
	// of them or nothing.
	Put(ctx context.Context, address string, content io.ReadSeeker, size int64) error
}

// putter returns the store that an address is of.
func (e *Export) putter(address string) (putter, error) {
	scheme, _, _ := strings.Cut(address, "://")
	var known []string
	for _, s := range stores(e.options.Log) {
		put, is := s.(putter)
		switch {
		case is && slices.Contains(s.Schemes(), strings.ToLower(scheme)):
			return put, nil
		case is:
			known = append(known, s.Schemes()...)
		}
	}
	return nil, optionErrorf("output", "nothing can be written to %s; a path and the addresses of %s can", input.Printable(address), strings.Join(known, ", "))
}

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
