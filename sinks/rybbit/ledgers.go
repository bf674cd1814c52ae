package rybbit

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"time"
)

// Record is the ledger's view of one import.
type Record struct {
	Import   string `json:"import"`
	Platform string `json:"platform"`
	Ledger   string `json:"ledger"`
	// Inputs are the names of the migration's inputs.
	Inputs []string `json:"inputs"`
	// Stored is how many events the ledger has settled in this import.
	Stored int64 `json:"stored"`
	// Pending is how many events are in a batch whose outcome is unknown.
	Pending int64 `json:"pending,omitempty"`
	// Complete says that the whole migration is.
	Complete bool `json:"complete"`
}

// Records returns what the ledgers in dir know of a site's imports.
func Records(dir, server, site string) ([]Record, error) {
	var records []Record
	err := eachLedger(dir, func(path string, l *Ledger) error {
		if l.migration.Server != server || l.migration.Site != site {
			return nil
		}
		for _, imp := range l.imports {
			r := Record{Import: imp.id, Platform: imp.platform, Ledger: path, Stored: imp.events, Complete: l.end != nil}
			for _, in := range l.migration.Inputs {
				r.Inputs = append(r.Inputs, in.Name)
			}
			if l.pending != nil && l.pending.Import == imp.id {
				r.Pending = int64(l.pending.Batch.Events)
			}
			records = append(records, r)
		}
		return nil
	})
	return records, err
}

// Closed records in the ledger of an import, if there is one, that it takes no
// more batches.
func Closed(dir, server, site, id string) error {
	return amend(dir, server, site, entry{Type: entryClosed, Import: id, Reason: "closed by hopper imports close"})
}

// Deleted records in the ledger of an import, if there is one, that it and
// its events are gone, so that running the migration again sends them anew.
func Deleted(dir, server, site, id string) error {
	return amend(dir, server, site, entry{Type: entryGone, Import: id, Reason: "deleted by hopper imports delete"})
}

func amend(dir, server, site string, e entry) error {
	return eachLedger(dir, func(path string, l *Ledger) error {
		if l.migration.Server != server || l.migration.Site != site || l.find(e.Import) == nil {
			return nil
		}
		l, err := openLedger(path)
		if err != nil {
			return err
		}
		return errors.Join(l.add(e), l.Close())
	})
}

// Clean removes the ledgers, and the rejects, of migrations that were complete
// before a time. Importing their inputs again would then store them twice. It
// returns the ledgers removed.
func Clean(dir string, before time.Time) ([]string, error) {
	var removed []string
	err := eachLedger(dir, func(path string, l *Ledger) error {
		if l.end == nil || !l.end.At.Before(before) {
			return nil
		}
		l, err := openLedger(path) // nobody else has it open
		if err != nil {
			return err
		}
		err = os.Remove(strings.TrimSuffix(path, journalSuffix) + rejectsSuffix)
		if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
		removed = append(removed, path)
		return errors.Join(err, os.Remove(path), l.Close())
	})
	return removed, err
}
