package umami

import (
	"fmt"
	"strings"

	"hopper/adapters/input"
	"hopper/adapters/input/rows"
	"hopper/pipeline"
)

// maxRejects is how many records of the tables that are joined may be
// unreadable. They wait in memory until the events are read.
const maxRejects = 10_000

// rejects are unreadable records of the tables that are joined to the events.
// A nil *rejects takes none.
type rejects struct {
	list []reject
	last *rows.Table
}

type reject struct {
	at          pipeline.Origin
	reason, raw string
}

func (r *rejects) add(t *rows.Table, row *rows.Row, reason string) {
	if r == nil {
		return
	}
	const kept = 1 << 10 // bytes of a record
	r.last = t
	if len(r.list) <= maxRejects {
		raw := row.Text()
		r.list = append(r.list, reject{pipeline.Origin{Input: t.Input.Name, Row: row.Number}, reason, strings.Clone(raw[:min(len(raw), kept)])})
	}
}

// tooMany returns an error when the table read last cannot be what it seems.
func (r *rejects) tooMany() error {
	if r == nil || len(r.list) <= maxRejects {
		return nil
	}
	first := r.list[0]
	return &input.Error{Input: r.last.Input.Name,
		Err: fmt.Errorf("more than %d records cannot be read (%v: %s); export the table %s again", maxRejects, first.at, first.reason, r.last.Name)}
}

// Decode hands the rejects over, as the first chunk of a source.
func (r *rejects) Decode(out *pipeline.Emitter) error {
	out.Rows(len(r.list))
	for _, x := range r.list {
		out.Reject(x.at, x.reason, x.raw)
	}
	return nil
}
