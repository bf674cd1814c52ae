package ledger

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Record is a ledger's view of one import.
type Record struct {
	Import   string `json:"import"`
	Platform string `json:"platform"`
	Ledger   string `json:"ledger"`
	Site     string `json:"site"`
	// Inputs are the names of the migration's inputs.
	Inputs []string `json:"inputs"`
	// Stored is how many events the ledger has settled in this import.
	Stored int64 `json:"stored"`
	// Pending is how many events are in a batch whose outcome is unknown.
	Pending int64 `json:"pending,omitempty"`
	// Open says that the ledger has not seen the import's end.
	Open bool `json:"open,omitempty"`
	// Complete says that the whole migration is.
	Complete bool `json:"complete"`
}

// Records returns what the ledgers in dir know of a site's imports. An empty site
// stands for every site of the server, and an empty server for every server.
func Records(dir, server, site string) ([]Record, error) { return records(dir, nil, server, site) }

// records is Records where a ledger is open.
func records(dir string, opened *Ledger, server, site string) ([]Record, error) {
	var records []Record
	err := eachBeside(dir, opened, func(path string, l *Ledger) error {
		if !l.migration.isOf(server, site) {
			return nil
		}
		for _, imp := range l.imports {
			r := Record{
				Import: imp.ID, Platform: imp.Platform, Ledger: path, Site: l.migration.Site,
				Stored: imp.Events, Open: imp.Open, Complete: l.end != nil,
			}
			for _, in := range l.migration.Inputs {
				r.Inputs = append(r.Inputs, in.Name)
			}
			if l.pending != nil && l.pending.Import == imp.ID {
				r.Pending = int64(l.pending.Batch.Events)
			}
			records = append(records, r)
		}
		return nil
	})
	return records, err
}

// NoteClosed records in the ledger of an import, if there is one, that it takes
// no more batches.
func NoteClosed(dir, server, site, id string) error {
	return note(dir, server, site, id, Closed{Import: id, Reason: "closed by hopper imports close"})
}

// NoteDeleted records in the ledger of an import, if there is one, that it and
// its events are gone, so that running the migration again sends them anew.
func NoteDeleted(dir, server, site, id string) error {
	return note(dir, server, site, id, Gone{Import: id, Reason: "deleted by hopper imports delete"})
}

func note(dir, server, site, id string, step Step) error {
	return each(dir, func(path string, l *Ledger) error {
		if l.migration.Server != server || l.migration.Site != site || l.find(id) == nil {
			return nil
		}
		l, err := open(path, nil)
		if err != nil {
			return err
		}
		return errors.Join(l.Add(step), l.Close())
	})
}

// Clean removes the ledgers, and the rejects, of migrations that were complete
// before a time. Importing their inputs again would then store them twice. It
// returns the ledgers removed and how many bytes that frees; with try, it removes
// nothing.
func Clean(dir string, before time.Time, try bool) (removed []string, bytes int64, err error) {
	err = each(dir, func(path string, l *Ledger) error {
		if l.end == nil || !l.end.At.Before(before) {
			return nil
		}
		l, err := open(path, nil) // nobody else has it open
		if err != nil {
			return err
		}
		for _, file := range []string{l.Rejects(), path} {
			info, statErr := os.Stat(file)
			if errors.Is(statErr, fs.ErrNotExist) {
				continue
			}
			if statErr == nil {
				bytes += info.Size()
			}
			err = errors.Join(err, statErr)
		}
		removed = append(removed, path)
		if try || err != nil {
			return errors.Join(err, l.Close())
		}
		if rm := os.Remove(l.Rejects()); !errors.Is(rm, fs.ErrNotExist) {
			err = rm
		}
		return errors.Join(err, l.remove())
	})
	return removed, bytes, err
}

// each calls fn with each ledger in the state directory, as it stands on the
// disk, without locking it.
func each(dir string, fn func(path string, l *Ledger) error) error { return eachBeside(dir, nil, fn) }

// eachBeside is each, with a ledger that is open as it is: it may know hundreds of
// thousands of files.
func eachBeside(dir string, opened *Ledger, fn func(path string, l *Ledger) error) error {
	paths, err := journals(dir)
	if err != nil {
		return err
	}
	for _, path := range paths {
		l := opened
		if opened == nil || path != opened.Path() {
			if l, err = read(path); err != nil {
				return fmt.Errorf("ledger %s: %w", path, err)
			}
		}
		if l.started.IsZero() {
			continue
		}
		if err := fn(path, l); err != nil {
			return err
		}
	}
	return nil
}

// journals returns where the ledgers in the state directory lie.
func journals(dir string) ([]string, error) {
	names, err := os.ReadDir(migrations(dir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read the state directory: %w", err)
	}
	var paths []string
	for _, name := range names {
		if strings.HasSuffix(name.Name(), journalSuffix) {
			paths = append(paths, filepath.Join(migrations(dir), name.Name()))
		}
	}
	return paths, nil
}

func read(path string) (*Ledger, error) {
	l := new(Ledger)
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	_, err = readJournal(f, l.replay)
	return l, err
}
