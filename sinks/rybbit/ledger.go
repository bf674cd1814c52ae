package rybbit

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"hopper/pipeline"
)

// A Migration is what a ledger is about: these inputs, read with these
// options, into this site. Two runs with the same Migration are the same
// migration, and the second goes on where the first stopped.
type Migration struct {
	Server string    `json:"server"`
	Site   string    `json:"site"`
	Source string    `json:"source"`
	Inputs []InputID `json:"inputs"`
	// Options are those that change which events there are, or what is in them.
	Options map[string]string `json:"options,omitempty"`
	// Since and Until are the days asked for, "2024-01-31", or empty.
	Since string `json:"since,omitempty"`
	Until string `json:"until,omitempty"`
}

// Stdin is the name of standard input, which is the only one that says nothing
// of what is in it.
const Stdin = "standard input"

// InputID tells an input by its content.
type InputID struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"` // bytes
	SHA256 string `json:"sha256"`
	// Joined says that it holds no events, but what belongs to those of others.
	Joined bool `json:"joined,omitempty"`
}

// key names a migration's files. Names and sizes of inputs do not enter: a
// renamed file is the same input.
func (m Migration) key() string {
	h := sha256.New()
	enc := json.NewEncoder(h)
	digests := make([]string, len(m.Inputs))
	for i, in := range m.Inputs {
		digests[i] = in.SHA256
	}
	// A string map encodes in the order of its keys.
	for _, part := range []any{m.Server, m.Site, m.Source, digests, m.Options, m.Since, m.Until} {
		if err := enc.Encode(part); err != nil {
			panic(err) // strings and maps of strings always encode
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:12])
}

// entry is one record of a ledger's journal.
type entry struct {
	Type string    `json:"type"`
	At   time.Time `json:"at"`

	Migration *Migration `json:"migration,omitempty"` // begin
	Version   string     `json:"version,omitempty"`   // begin: hopper's

	Import   string   `json:"import,omitempty"`
	Platform string   `json:"platform,omitempty"` // creating, import
	Known    []string `json:"known,omitempty"`    // creating: the imports before it

	Batch *batchEntry `json:"batch,omitempty"` // send

	Reason string `json:"reason,omitempty"` // unsent, closed, gone

	Stats  *pipeline.Stats `json:"stats,omitempty"`  // end
	Counts *Counts         `json:"counts,omitempty"` // end
}

// The types of entries. A ledger is the sequence
//
//	begin (creating (import | refused) (send (stored | unsent))* (closed | gone)?)* end?
//
// cut off anywhere, and gone may follow at any time.
const (
	entryBegin    = "begin"
	entryCreating = "creating" // an import is about to be created
	entryImport   = "import"   // it is
	entryRefused  = "refused"  // it certainly is not
	entrySend     = "send"     // a batch is about to be sent
	entryStored   = "stored"   // it is in Rybbit
	entryUnsent   = "unsent"   // it is not
	entryClosed   = "closed"   // the import takes no more batches
	entryGone     = "gone"     // the import and all its events are no longer there
	entryEnd      = "end"      // everything is in Rybbit
)

type batchEntry struct {
	First  int64         `json:"first"`
	Events int           `json:"events"`
	Bytes  int           `json:"bytes"`
	SHA256 string        `json:"sha256"`
	Mark   pipeline.Mark `json:"mark"`
}

func (b *batchEntry) next() int64 { return b.First + int64(b.Events) }

// Counts are what a server has counted, added up over imports.
type Counts struct {
	Imported int64 `json:"imported"`
	Skipped  int64 `json:"skipped"`
	Invalid  int64 `json:"invalid"`
}

// Total is how many events have landed.
func (c Counts) Total() int64 { return c.Imported + c.Skipped + c.Invalid }

// ledgerImport is what is known of one import.
type ledgerImport struct {
	id, platform string
	open         bool
	segments     []segment
	// events is how many are stored in it, which is what its counters must add up to.
	events  int64
	batches int
	bytes   int64
}

// segment is a run of events that are stored in one import.
type segment struct {
	first, next int64
	// firstBatch and lastBatch are its ends. Their marks are where reading can
	// go on; the batches between are not kept, so that a ledger of many small
	// batches takes little memory.
	firstBatch, lastBatch batchEntry
}

// Ledger remembers what of one migration is in Rybbit. Each step is on the
// disk before the next one is taken.
type Ledger struct {
	journal   *journal
	migration Migration
	version   string
	started   time.Time
	imports   []*ledgerImport
	creating  *entry
	pending   *entry // a send without outcome
	end       *entry
	resumed   bool
}

// LedgerOptions say how a ledger is opened.
type LedgerOptions struct {
	// Dir is the state directory.
	Dir string
	// Version is hopper's, for the record.
	Version string
	// Again begins anew what the ledger holds as complete, and skips the check
	// for overlapping migrations.
	Again bool
	Now   time.Time
}

// migrations is where the ledgers lie in a state directory.
func migrations(dir string) string { return filepath.Join(dir, "migrations") }

const (
	journalSuffix = ".journal"
	rejectsSuffix = ".rejects.ndjson"
)

// OpenLedger opens the ledger of m, or begins one. It refuses, with an
// [OverlapError], inputs that another ledger of the same site overlaps with.
func OpenLedger(m Migration, opt LedgerOptions) (*Ledger, error) {
	path := filepath.Join(migrations(opt.Dir), m.key()+journalSuffix)
	l, err := openLedger(path)
	if err != nil {
		return nil, err
	}
	if l.end != nil && opt.Again {
		old := strings.TrimSuffix(path, journalSuffix) + "." + l.started.Format("20060102T150405.000000000") + journalSuffix
		err := errors.Join(os.Rename(path, old), l.Close())
		if err == nil {
			l, err = openLedger(path)
		}
		if err != nil {
			return nil, fmt.Errorf("begin a new ledger: %w", err)
		}
	}
	l.resumed = !l.started.IsZero()
	if !l.resumed {
		if !opt.Again {
			if err := overlap(opt.Dir, m); err != nil {
				return nil, errors.Join(err, os.Remove(path), l.Close())
			}
		}
		e := entry{Type: entryBegin, At: opt.Now.UTC(), Migration: &m, Version: opt.Version}
		if err := l.add(e); err != nil {
			return nil, errors.Join(err, l.Close())
		}
	}
	return l, nil
}

func openLedger(path string) (*Ledger, error) {
	l := new(Ledger)
	var err error
	l.journal, err = openJournal(path, l.replay)
	if err != nil {
		return nil, err
	}
	return l, nil
}

func (l *Ledger) replay(text []byte) error {
	var e entry
	if err := json.Unmarshal(text, &e); err != nil {
		return err
	}
	return l.apply(e)
}

// Close releases the ledger and its lock.
func (l *Ledger) Close() error { return l.journal.close() }

// Path is where the ledger lies.
func (l *Ledger) Path() string { return l.journal.path }

// Rejects is where the rejects of the migration go by default.
func (l *Ledger) Rejects() string {
	return strings.TrimSuffix(l.journal.path, journalSuffix) + rejectsSuffix
}

// Started is when the migration began. It stays the same when it is resumed.
func (l *Ledger) Started() time.Time { return l.started }

// Resumed reports whether an earlier run began the migration.
func (l *Ledger) Resumed() bool { return l.resumed }

// Platform is the wire format that the migration is bound to: that of an
// import which is open or holds events. It is empty when there is none.
func (l *Ledger) Platform() string {
	for _, i := range l.imports {
		if i.open || i.events > 0 || l.pending != nil && l.pending.Import == i.id {
			return i.platform
		}
	}
	return ""
}

// Complete returns what a complete migration came to.
func (l *Ledger) Complete() (Summary, bool) {
	if l.end == nil {
		return Summary{}, false
	}
	s := l.Summary()
	s.Stats, s.Counts = *l.end.Stats, *l.end.Counts
	return s, true
}

// add records e and applies it.
func (l *Ledger) add(e entry) error {
	if e.At.IsZero() {
		e.At = time.Now().UTC()
	}
	if err := l.journal.add(e); err != nil {
		return err
	}
	return l.apply(e)
}

func (l *Ledger) apply(e entry) error {
	if l.started.IsZero() != (e.Type == entryBegin) {
		return fmt.Errorf("unexpected %q", e.Type)
	}
	switch e.Type {
	case entryBegin:
		if e.Migration == nil || e.At.IsZero() {
			return errors.New("a beginning without its migration")
		}
		l.migration, l.started, l.version = *e.Migration, e.At, e.Version
	case entryCreating:
		l.creating = &e
	case entryRefused:
		l.creating = nil
	case entryImport:
		l.creating = nil
		l.imports = append(l.imports, &ledgerImport{id: e.Import, platform: e.Platform, open: true})
	case entrySend:
		if e.Batch == nil || l.find(e.Import) == nil {
			return errors.New("a batch without its import")
		}
		l.pending = &e
	case entryStored:
		if l.pending == nil {
			return errors.New("an outcome without its batch")
		}
		l.find(l.pending.Import).store(*l.pending.Batch)
		l.pending = nil
	case entryUnsent:
		l.pending = nil
	case entryClosed:
		if imp := l.find(e.Import); imp != nil {
			imp.open = false
		}
	case entryGone:
		l.imports = slices.DeleteFunc(l.imports, func(i *ledgerImport) bool { return i.id == e.Import })
		if l.pending != nil && l.pending.Import == e.Import {
			l.pending = nil
		}
		l.end = nil
	case entryEnd:
		if e.Stats == nil || e.Counts == nil {
			return errors.New("an end without its counts")
		}
		l.end = &e
	default:
		return fmt.Errorf("unknown entry %q: a newer hopper wrote this; use that one", e.Type)
	}
	return nil
}

func (i *ledgerImport) store(b batchEntry) {
	i.events += int64(b.Events)
	i.batches++
	i.bytes += int64(b.Bytes)
	if n := len(i.segments); n > 0 && i.segments[n-1].next == b.First {
		i.segments[n-1].next, i.segments[n-1].lastBatch = b.next(), b
		return
	}
	i.segments = append(i.segments, segment{first: b.First, next: b.next(), firstBatch: b, lastBatch: b})
}

func (l *Ledger) find(id string) *ledgerImport {
	for _, i := range l.imports {
		if i.id == id {
			return i
		}
	}
	return nil
}

// current is the import that takes the next batch, or nil.
func (l *Ledger) current() *ledgerImport {
	for _, i := range l.imports {
		if i.open {
			return i
		}
	}
	return nil
}

// stored returns what is in Rybbit, in the order of the events.
func (l *Ledger) stored() []segment {
	var all []segment
	for _, i := range l.imports {
		all = append(all, i.segments...)
	}
	slices.SortFunc(all, func(a, b segment) int { return int(max(-1, min(1, a.first-b.first))) })
	return all
}

// missing returns the first event that is not stored.
func missing(stored []segment) int64 {
	var next int64
	for _, s := range stored {
		if s.first > next {
			break
		}
		next = s.next
	}
	return next
}

// resume returns where reading must begin so that all that is missing is read
// again, and the stored batch that lies there, if one does, to check that the
// same input still gives the same bytes.
func resume(stored []segment) (from pipeline.Mark, check *batchEntry) {
	first := missing(stored)
	for _, s := range stored {
		for _, b := range []batchEntry{s.firstBatch, s.lastBatch} {
			if b.First < first && b.Mark.Chunk >= from.Chunk {
				from, check = b.Mark, &b
			}
		}
	}
	return from, check
}

// Summary is what a migration came to.
type Summary struct {
	Imports  []string
	Platform string
	// Stored is how many events the ledger has settled as stored.
	Stored  int64
	Stats   pipeline.Stats
	Counts  Counts
	Batches int
	Bytes   int64
}

// Summary returns what is settled so far. Its stats are empty until the
// migration is complete.
func (l *Ledger) Summary() Summary {
	var s Summary
	for _, i := range l.imports {
		s.Platform = i.platform
		s.Imports = append(s.Imports, i.id)
		s.Stored += i.events
		s.Batches += i.batches
		s.Bytes += i.bytes
	}
	return s
}

// OverlapError says that another migration into the same site has read some
// of the same inputs, so that this one would store events twice.
type OverlapError struct {
	Input  string
	Other  Migration
	Begun  time.Time
	Reason string
}

func (e *OverlapError) Error() string {
	return fmt.Sprintf("%s: %s (the migration into site %s of %s). To finish that one, run it with the same inputs and options; "+
		"to import these inputs although events may then stand in Rybbit twice, add --again",
		e.Input, e.Reason, e.Other.Site, e.Begun.Format(time.DateOnly))
}

// overlap looks for a ledger of the same site that has read an input of m, or
// one of the same name that has changed since. Inputs that are only joined to
// events, such as a table of sessions beside each year's events, may be shared.
func overlap(dir string, m Migration) error {
	return eachLedger(dir, func(path string, l *Ledger) error {
		o := l.migration
		if o.key() == m.key() || o.Server != m.Server || o.Site != m.Site || disjoint(o, m) || !l.holds() {
			return nil
		}
		for _, in := range m.Inputs {
			for _, other := range o.Inputs {
				e := &OverlapError{Input: in.Name, Other: o, Begun: l.started}
				switch {
				case in.Joined && other.Joined:
					continue
				case in.SHA256 == other.SHA256:
					e.Reason = "this has been imported already, with other options or together with other inputs"
				case in.Name == other.Name && in.Name != Stdin:
					e.Reason = fmt.Sprintf("this input has changed since it was imported (it had %d bytes, it has %d)", other.Size, in.Size)
				default:
					continue
				}
				return e
			}
		}
		return nil
	})
}

// holds reports whether events of the ledger's inputs may be in Rybbit.
func (l *Ledger) holds() bool {
	return l.pending != nil || slices.ContainsFunc(l.imports, func(i *ledgerImport) bool { return i.events > 0 })
}

func disjoint(a, b Migration) bool {
	before := func(a, b Migration) bool { return a.Until != "" && b.Since != "" && a.Until < b.Since }
	return before(a, b) || before(b, a)
}

// eachLedger calls fn with each ledger in the state directory, as it stands on
// the disk, without locking it.
func eachLedger(dir string, fn func(path string, l *Ledger) error) error {
	names, err := os.ReadDir(migrations(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the state directory: %w", err)
	}
	for _, name := range names {
		if !strings.HasSuffix(name.Name(), journalSuffix) {
			continue
		}
		path := filepath.Join(migrations(dir), name.Name())
		l, err := readLedger(path)
		if err != nil {
			return fmt.Errorf("ledger %s: %w", path, err)
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

func readLedger(path string) (*Ledger, error) {
	l := new(Ledger)
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	_, err = readJournal(f, l.replay)
	return l, err
}
