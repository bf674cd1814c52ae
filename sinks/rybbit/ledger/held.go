package ledger

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/gofrs/flock"

	"hopper/pipeline"
)

// Held is what one ledger knows of what a site holds.
type Held struct {
	Migration Migration
	Begun     time.Time
	// Complete says that all of the migration is in Rybbit, Holds that something
	// of it may be, and Opened that an import was opened for it.
	Complete, Holds, Opened bool
	Periods                 pipeline.Periods
	Imports                 []Import

	path string
}

// HeldBy returns what the ledgers of a state directory know of a site of a server,
// with those that were put aside. An empty server or site stands for any.
func HeldBy(dir, server, site string) ([]Held, error) {
	var all []Held
	err := each(dir, func(path string, l *Ledger) error {
		if !l.migration.isOf(server, site) {
			return nil
		}
		all = append(all, l.summed(path))
		return nil
	})
	return all, err
}

// isOf reports whether the migration is to a site of a server; empty is any.
func (m *Migration) isOf(server, site string) bool {
	return (server == "" || m.Server == server) && (site == "" || m.Site == site)
}

func (l *Ledger) summed(path string) Held {
	return Held{
		Migration: l.migration, Begun: l.started, Complete: l.end != nil, Holds: l.holds(), Opened: l.opened(),
		Periods: l.held(), Imports: l.Imports(), path: path,
	}
}

// HeldOf returns those of held that know of the inputs of m: the ledger of the
// same migration on each site, if there is one, else those of the migrations that
// read nothing but inputs of m, whatever their options.
func HeldOf(held []Held, m Migration) []Held {
	var same, within []Held
	of := m.all()
	for _, h := range held {
		m.Server, m.Site = h.Migration.Server, h.Migration.Site
		switch files := m.files(filepath.Dir(filepath.Dir(h.path))); {
		case !h.Holds:
		case slices.Contains(files.paths, h.path):
			same = append(same, h)
		case !files.has(h.path) && h.Migration.isWithin(of): // else it was put aside for another import of the same
			within = append(within, h)
		}
	}
	if len(same) > 0 {
		return same
	}
	return within
}

// all returns the digests of the inputs, of what is in them and of them as stored.
func (m Migration) all() map[string]bool {
	all := make(map[string]bool)
	for _, in := range m.Inputs {
		for _, c := range in.all() {
			for _, digest := range c.Known() {
				all[digest] = true
			}
		}
	}
	return all
}

// isWithin reports whether all inputs of m are among those of that digests.
func (m Migration) isWithin(digests map[string]bool) bool {
	for _, in := range m.Inputs {
		foreign := func(c Content) bool { return !c.IsIn(digests) }
		if !in.IsIn(digests) && slices.ContainsFunc(in.contents(), foreign) {
			return false
		}
	}
	return len(m.Inputs) > 0
}

// Open opens the ledger.
func (h *Held) Open() (*Ledger, error) {
	l, err := open(h.path, nil)
	if err == nil {
		l.resumed = true
	}
	return l, err
}

// Begun returns what the ledger of a migration was begun with, if it is there and
// not yet complete, or complete and not to be begun again.
func Begun(m Migration, opt Options) (_ Migration, begun bool, err error) {
	path, err := m.files(opt.Dir).there()
	if path == "" || err != nil {
		return m, false, err
	}
	l, err := read(path)
	if err != nil {
		return m, false, fmt.Errorf("ledger %s: %w", path, err)
	}
	if l.started.IsZero() || l.end != nil && opt.Again {
		return m, false, nil
	}
	return l.migration, true, nil
}

// LockSite keeps other runs out that look for what is new to a site. The lock
// ends with the process.
func LockSite(dir, server, site string) (unlock func() error, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the state directory: %w", err)
	}
	name := sha256.Sum256(fmt.Appendf(nil, "%s\n%s", server, site))
	lock := flock.New(filepath.Join(dir, "new-"+hex.EncodeToString(name[:8])+".lock"), flock.SetPermissions(0o600))
	locked, err := lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("lock the state directory: %w", err)
	}
	if !locked {
		return nil, fmt.Errorf("%w (lock %s)", ErrLocked, lock.Path())
	}
	return lock.Close, nil
}

// held returns the times that the stored events lie in, as far as that is known.
func (s *State) held() pipeline.Periods {
	if len(s.periods) > 0 {
		return s.Periods()
	}
	if stats := s.counted(); stats.Events > 0 {
		return pipeline.Periods{{stats.Earliest, stats.Latest}}
	}
	return nil
}
