package ledger

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
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
// with those that were put aside.
func HeldBy(dir, server, site string) ([]Held, error) {
	var all []Held
	err := each(dir, func(path string, l *Ledger) error {
		if l.migration.Server != server || l.migration.Site != site {
			return nil
		}
		all = append(all, Held{
			Migration: l.migration, Begun: l.started, Complete: l.end != nil, Holds: l.holds(), Opened: l.opened(),
			Periods: l.held(), Imports: l.Imports(), path: path,
		})
		return nil
	})
	return all, err
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
	path := m.files(opt.Dir).paths[0]
	l, err := read(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return m, false, nil
	case err != nil:
		return m, false, fmt.Errorf("ledger %s: %w", path, err)
	case l.started.IsZero() || l.end != nil && opt.Again:
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
