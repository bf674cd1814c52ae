package ledger

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// A Ledger remembers what of one migration is in Rybbit. Each step is on the
// disk before the next one is taken. Its [Migration] is without inputs and units:
// there can be hundreds of thousands, which the disk alone remembers.
type Ledger struct {
	State
	journal *journal
	files   files // of the migration, where that is known
	resumed bool
	dated   bool // see Dated
	asked   bool // for events that may be in Rybbit already
}

// Options say how a ledger is opened.
type Options struct {
	// Dir is the state directory.
	Dir string
	// Version is hopper's, for the record.
	Version string
	// Again begins anew what the ledger holds as complete, and skips the check
	// for overlapping migrations.
	Again bool
	// Chosen says that the inputs were chosen by what other ledgers of the site
	// hold, so that none overlaps.
	Chosen bool
	Now    time.Time
	// Disk, if set, wraps the ledger's file, for tests of disks that fail.
	Disk func(File) File
}

// migrations is where the ledgers lie in a state directory.
func migrations(dir string) string { return filepath.Join(dir, "migrations") }

const (
	journalSuffix = ".journal"
	rejectsSuffix = ".rejects.ndjson"
	// archiveTime is when a ledger that [Options.Again] replaced was begun, in its name.
	archiveTime = "20060102T150405.000000000"
)

// AgainError says that the inputs are being imported once more, by a migration
// that is not complete, and that the user has not asked for that this time.
type AgainError struct{ Begun time.Time }

func (e *AgainError) Error() string {
	return fmt.Sprintf("these inputs are being imported once more, by a run with --again of %s that is not complete: "+
		"add --again to go on with it, or delete its imports with `hopper imports delete` and run again; nothing was done",
		e.Begun.Format(time.DateTime))
}

// Open opens the ledger of m, or begins one. It refuses, with an
// [OverlapError], inputs that another ledger of the same site overlaps with.
func Open(m Migration, opt Options) (*Ledger, error) {
	files := m.files(opt.Dir)
	path, err := files.current()
	if err != nil {
		return nil, err
	}
	l, err := open(path, opt.Disk)
	if err != nil {
		return nil, err
	}
	if opt.Again && l.end != nil {
		if l, err = l.replace(files.paths[0], opt); err != nil {
			return nil, err
		}
	}
	if !opt.Again && l.again && l.end == nil {
		if l.opened() {
			return nil, errors.Join(&AgainError{l.started}, l.Close())
		}
		if l, err = l.withdraw(files, opt); err != nil {
			return nil, err
		}
	}
	l.asked, l.files = opt.Again, files
	if l.resumed = !l.started.IsZero(); l.resumed {
		return l, nil
	}
	if !opt.Again && !opt.Chosen {
		if err := files.overlap(m); err != nil {
			return nil, errors.Join(err, l.remove())
		}
	}
	begin := Begin{Migration: m.recorded(), Version: opt.Version, Again: opt.Again}
	if err := l.add(begin, opt.Now.UTC()); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	l.dated = m.Dated()
	l.migration.Inputs, l.migration.Units = nil, nil // which may be hundreds of thousands
	return l, nil
}

func open(path string, disk func(File) File) (*Ledger, error) {
	l := new(Ledger)
	var err error
	if l.journal, err = openJournal(path, l.resume); err != nil {
		return nil, err
	}
	if disk != nil {
		l.journal.file = disk(l.journal.file)
	}
	return l, nil
}

// opened reports whether an import of this ledger may be in Rybbit.
func (l *Ledger) opened() bool { return len(l.imports) > 0 || l.creating != nil }

// replace puts a complete ledger aside and opens an empty one at path.
func (l *Ledger) replace(path string, opt Options) (*Ledger, error) {
	old := strings.TrimSuffix(l.Path(), journalSuffix) + "." + l.started.Format(archiveTime) + journalSuffix
	if err := l.journal.leave(func() error { return os.Rename(l.Path(), old) }); err != nil {
		return nil, fmt.Errorf("put the old ledger aside: %w", err)
	}
	return open(path, opt.Disk)
}

// withdraw removes a ledger that opened no import and opens the one that it
// replaced, or an empty one.
func (l *Ledger) withdraw(files files, opt Options) (*Ledger, error) {
	if err := l.remove(); err != nil {
		return nil, fmt.Errorf("take back a ledger of --again that opened no import: %w", err)
	}
	path, err := files.current()
	if err != nil {
		return nil, err
	}
	return open(path, opt.Disk)
}

// replay applies a record of a ledger whose inputs and units are kept.
func (l *Ledger) replay(record io.Reader) error {
	var m Migration
	step, at, err := l.decode(record, func(in InputID) { m.Inputs = append(m.Inputs, in) }, func(u Unit) { m.Units = append(m.Units, u) })
	if begin, ok := step.(Begin); ok {
		begin.Migration.Inputs, begin.Migration.Units = m.Inputs, m.Units
		step = begin
	}
	if err != nil {
		return err
	}
	return l.apply(step, at)
}

// resume applies a record of a ledger that is gone on with.
func (l *Ledger) resume(record io.Reader) error {
	var units, dated int
	step, at, err := l.decode(record, func(InputID) {}, func(u Unit) {
		if units++; u.Dated {
			dated++
		}
	})
	if err != nil {
		return err
	}
	if _, begins := step.(Begin); begins {
		l.dated = units > 0 && dated == units
	}
	return l.apply(step, at)
}

func (l *Ledger) decode(record io.Reader, input func(InputID), unit func(Unit)) (Step, time.Time, error) {
	if l.started.IsZero() {
		return decodeFirst(record, input, unit)
	}
	return decode(record)
}

// Add records a step and returns when it is on the disk.
func (l *Ledger) Add(step Step) error { return l.add(step, time.Now().UTC()) }

func (l *Ledger) add(step Step, at time.Time) error {
	r := step.record()
	r.At = at
	if err := l.journal.add(r); err != nil {
		return err
	}
	return l.apply(step, at)
}

// Close releases the ledger and its lock.
func (l *Ledger) Close() error { return l.journal.close() }

// remove takes the ledger off the disk.
func (l *Ledger) remove() error {
	return l.journal.leave(func() error { return os.Remove(l.Path()) })
}

// Path is where the ledger lies.
func (l *Ledger) Path() string { return l.journal.path }

// Rejects is where the rejects of the migration go by default.
func (l *Ledger) Rejects() string {
	return strings.TrimSuffix(l.journal.path, journalSuffix) + rejectsSuffix
}

// Again reports whether the user asked for events that may be in Rybbit already,
// when the migration was begun or now.
func (l *Ledger) Again() bool { return l.again || l.asked }

// Dated reports [Migration.Dated] of the migration as it was begun.
func (l *Ledger) Dated() bool { return l.dated }

// Siblings returns what the ledgers of the same state directory, this one
// included, know of the imports of the site. This one's are without inputs.
func (l *Ledger) Siblings() ([]Record, error) {
	return records(filepath.Dir(filepath.Dir(l.Path())), l, l.migration.Server, l.migration.Site)
}

// Resumed reports whether an earlier run began the migration.
func (l *Ledger) Resumed() bool { return l.resumed }

// files are where the ledger of a migration may lie.
type files struct {
	dir   string
	paths []string // the newest naming first
}

func (m Migration) files(dir string) files {
	f := files{dir: dir}
	for _, key := range m.keys() {
		f.paths = append(f.paths, filepath.Join(migrations(dir), key+journalSuffix))
	}
	return f
}

// current returns the path of the migration's ledger: one that is there, else one
// that was put aside and not replaced, which it brings back, else where a new one
// belongs.
func (f files) current() (string, error) {
	if path, err := f.there(); path != "" || err != nil {
		return path, err
	}
	for _, path := range f.paths {
		aside, err := filepath.Glob(strings.TrimSuffix(path, journalSuffix) + ".*" + journalSuffix)
		if err != nil {
			return "", err
		}
		if len(aside) > 0 {
			return path, os.Rename(slices.Max(aside), path)
		}
	}
	return f.paths[0], nil
}

// there returns the path of the migration's ledger, empty where there is none.
func (f files) there() (string, error) {
	for _, path := range f.paths {
		switch info, err := os.Stat(path); {
		case err == nil && info.Size() > 0:
			return path, nil
		case err != nil && !errors.Is(err, fs.ErrNotExist):
			return "", fmt.Errorf("open the ledger: %w", err)
		}
	}
	return "", nil
}

// has reports whether the ledger at path is of the same migration: the current
// one, or one that was put aside.
func (f files) has(path string) bool {
	key, _, _ := strings.Cut(filepath.Base(path), ".")
	return slices.ContainsFunc(f.paths, func(p string) bool { return strings.TrimSuffix(filepath.Base(p), journalSuffix) == key })
}

// overlap looks for a ledger of the same site that has read an input of m.
func (f files) overlap(m Migration) error {
	return each(f.dir, func(path string, l *Ledger) error {
		o := l.migration
		if f.has(path) || o.Server != m.Server || o.Site != m.Site || disjoint(o, m) || !l.holds() {
			return nil
		}
		return m.overlaps(o, l.started)
	})
}
