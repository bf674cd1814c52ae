package ledger

import (
	"time"

	"hopper/pipeline"
)

// Given is what another migration has brought into a site.
type Given struct {
	Migration Migration
	Begun     time.Time
	// Earliest and Latest are the times of its first and its last event.
	Earliest, Latest pipeline.Micros
	// Periods are the times between in which there are events, as far as that is known.
	Periods pipeline.Periods
}

// Given returns what other migrations have brought into the site of l's, as far
// as the ledgers in its state directory know.
func (l *Ledger) Given(dir string) ([]Given, error) {
	var all []Given
	err := eachBeside(dir, l, func(path string, other *Ledger) error {
		m := other.migration
		if l.files.has(path) || m.Server != l.migration.Server || m.Site != l.migration.Site || !other.holds() {
			return nil
		}
		g := Given{Migration: m, Begun: other.started, Periods: other.held()}
		if n := len(g.Periods); n > 0 {
			g.Earliest, g.Latest = g.Periods[0][0], g.Periods[n-1][1]
			all = append(all, g)
		}
		return nil
	})
	return all, err
}

// counted returns what the migration has counted as far as its last stored batch
// begins.
func (s *State) counted() pipeline.Stats {
	if s.end != nil {
		return s.end.Stats
	}
	var last pipeline.Stats
	for _, a := range s.imports {
		for _, span := range a.spans {
			if span.tail.Mark.Stats.Events >= last.Events {
				last = span.tail.Mark.Stats
			}
		}
	}
	return last
}
