package sandbox

import (
	"context"
	"slices"
	"sync"
	"time"
)

// history remembers what the list of imports showed, so that a fault can show it
// as it was. It begins when the server is opened.
type history struct {
	mu       sync.Mutex
	opened   map[string]importRow // the imports that the database held
	versions map[string][]version
}

// version is an import from a point in time on; a nil row means that it was deleted.
type version struct {
	at  time.Time
	row *importRow
}

func (h *history) begin(rows []importRow) {
	h.opened, h.versions = make(map[string]importRow), make(map[string][]version)
	for _, row := range rows {
		h.opened[row.id] = row
	}
}

func (h *history) note(at time.Time, id string, row *importRow) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.versions[id] = append(h.versions[id], version{at, row})
}

// at returns an import as it was at a time, or nil when it did not exist.
func (h *history) at(id string, when time.Time) *importRow {
	h.mu.Lock()
	defer h.mu.Unlock()
	versions := h.versions[id]
	for _, v := range slices.Backward(versions) {
		if !v.at.After(when) {
			return v.row
		}
	}
	if row, ok := h.opened[id]; ok {
		return &row
	}
	return nil
}

// ids returns every import that ever was.
func (h *history) ids() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var ids []string
	for id := range h.opened {
		ids = append(ids, id)
	}
	for id := range h.versions {
		if _, both := h.opened[id]; !both {
			ids = append(ids, id)
		}
	}
	return ids
}

// all returns the imports as they were at a time, the newest first.
func (h *history) all(when time.Time) []importRow {
	var rows []importRow
	for _, id := range h.ids() {
		if row := h.at(id, when); row != nil {
			rows = append(rows, *row)
		}
	}
	slices.SortFunc(rows, newestFirst)
	return rows
}

// remember notes what has become of the request's import.
func (x *exchange) remember(ctx context.Context) error {
	if x.importID == "" {
		return nil
	}
	row, err := findImport(ctx, x.db, x.importID)
	if err == nil {
		x.history.note(x.opts.Now(), x.importID, row)
	}
	return err
}
