package hopper

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"hopper/adapters"
	"hopper/adapters/input"
	"hopper/adapters/input/database"
	"hopper/pipeline"
	"hopper/sinks/rybbit"
	"hopper/sinks/rybbit/ledger"
)

// What is new. [Import.New] takes the parts of an export that no migration of the
// site has brought yet. Which those are, the ledgers say: by what a part holds,
// whatever it is called, and by its name where it holds something else by now. A
// migration that an earlier run left unfinished is finished first, then what is new
// becomes one of its own; tables of the last days stand alone, since those are what
// a source still changes, and an import is deleted as a whole.

// UnitCounts say what became of the parts of an export, where only what is new was
// asked for.
type UnitCounts struct {
	// New are those that this run imported, Finished those of migrations that it
	// finished, and Done those that had been imported.
	New      int `json:"new"`
	Finished int `json:"finished"`
	Done     int `json:"done"`
	// After are those that lie after the site's own tracker began, where that is
	// asked for.
	After int `json:"after,omitempty"`
	// Replaced are the parts of imports that this run deleted, to import them anew.
	Replaced int `json:"replaced"`
	// Refused are the names of those that were not imported.
	Refused []string `json:"refused"`
}

// A ChangedError says that parts of an export were imported as they no longer are.
type ChangedError struct {
	Units []string
	Begun time.Time // when the migration was that imported them
	Why   string    // and what to do
}

func (e *ChangedError) Error() string {
	return fmt.Sprintf("%s: %s (by the migration of %s)", strings.Join(fewOf(e.Units), ", "), e.Why, e.Begun.Format(time.DateOnly))
}

// unit is a part of the export.
type unit struct {
	adapters.Unit
	digests []ledger.Digest
	// stored are the digests of files as they lie there, packed, which is what old
	// ledgers hold.
	stored []ledger.Digest
	names  []string // of its inputs, and of what they lie in
}

// recorded returns the unit as ledgers hold it.
func (u *unit) recorded() ledger.Unit {
	r := ledger.Unit{Name: u.Name, Dated: u.Dated}
	for _, d := range u.digests {
		if d.XXH3 != "" {
			r.XXH3 = append(r.XXH3, d.XXH3)
		} else {
			r.SHA256 = append(r.SHA256, d.SHA256)
		}
	}
	return r
}

// newRun is a run of [Import.New].
type newRun struct {
	*Export
	to     Import
	server string
	result *Result
	errs   []error
	// bounded are the migrations that are known to have left something out.
	bounded map[time.Time]bool
}

// plan says what becomes of each unit.
type plan struct {
	done, fresh []unit
	// finish are the units of migrations that are not complete, and stale those
	// that a migration holds as they no longer are.
	finish, stale []*share
}

// share is what a ledger holds of the units.
type share struct {
	*ledger.Held
	units []unit
}

func (e *Export) importNew(ctx context.Context, to Import) (*Result, error) {
	began := time.Now()
	r := &newRun{Export: e, to: to, server: to.server(), result: e.newResult(), bounded: map[time.Time]bool{}}
	r.result.Inputs, r.result.Units, r.result.Status = []string{}, &UnitCounts{Refused: []string{}}, NothingNew
	err := r.run(ctx)
	r.result.Requests = to.Client.Calls()
	return r.result.finish(began, errors.Join(err, errors.Join(r.errs...)))
}

func (r *newRun) run(ctx context.Context) (err error) {
	unlock, err := ledger.LockSite(r.to.State, r.server, r.to.Client.Site())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	sums, err := r.knownBy(r.to.State, r.server, r.to.Client.Site())
	if err != nil {
		return err
	}
	units, err := r.units(ctx, sums)
	if err != nil {
		return err
	}
	p, err := r.plan(units)
	if err != nil {
		return err
	}
	if p, err = r.replaceStale(ctx, units, p); err != nil {
		return err
	}
	r.result.Units.Done = len(p.done)
	if len(p.done) == len(units) && len(r.inputs.Growing()) > 0 {
		return r.importNewer(ctx, units)
	}
	for _, s := range p.finish {
		if err := r.finishShare(ctx, s); err != nil {
			return err
		}
	}
	for _, s := range p.stale {
		r.refuse(s)
	}
	for _, group := range groups(p.fresh) {
		if err := r.importPart(ctx, group, &r.result.Units.New); err != nil {
			return err
		}
	}
	return nil
}

// units returns the parts of the export, with what identifies them. Those that lie
// in one archive whose contents the store vouches for as a whole are one.
func (e *Export) units(ctx context.Context, sums ledger.Sums) ([]unit, error) {
	var all []unit
	err := e.eachUnit(ctx, sums, func(one unit, at int) {
		if at == len(all) {
			all = append(all, one)
		} else {
			all[at].Inputs = slices.Concat(all[at].Inputs, one.Inputs) // a unit may share its array with others
		}
	})
	return all, err
}

// eachUnit calls yield with each part of the export that is not empty, and its index.
// Parts that lie in an archive that is identified as a whole have the same.
func (e *Export) eachUnit(ctx context.Context, sums ledger.Sums, yield func(one unit, at int)) error {
	identity, err := e.identify(ctx, sums)
	if err != nil {
		return err
	}
	contents := byName(identity.Contents)
	stored := contents
	if !slices.Equal(identity.Stored, identity.Contents) {
		stored = byName(identity.Stored)
	}
	archives := make(map[string]int) // units by archive
	next := 0
	for _, u := range e.match.Units {
		one, archive := identified(u, contents, stored)
		if len(one.digests) == 0 { // it is empty
			continue
		}
		at := next
		if archive != "" {
			one.Name, one.Dated = archive, false
			if known, seen := archives[archive]; seen {
				at = known
			}
			archives[archive] = at
		}
		yield(one, at)
		if at == next {
			next++
		}
	}
	return nil
}

// byName returns what finds the digest of a name.
func byName(all []input.Fingerprint) func(name string) (ledger.Digest, bool) {
	places := make(map[string]int32, len(all)) // there can be hundreds of thousands
	for i, f := range all {
		places[f.Name] = int32(i)
	}
	return func(name string) (ledger.Digest, bool) {
		i, known := places[name]
		if !known {
			return ledger.Digest{}, false
		}
		return digestOf(all[i]), true
	}
}

// identified returns a unit with its digests, and the archive that is identified in
// place of what lies in it, if one is.
func identified(u adapters.Unit, contents, stored func(name string) (ledger.Digest, bool)) (one unit, archive string) {
	one.Unit = u
	for _, in := range u.Inputs {
		for name := in.Name; name != ""; name = above(name) {
			one.names = append(one.names, name)
			if digest, known := stored(name); known {
				one.stored = append(one.stored, digest)
			}
			digest, known := contents(name)
			if known && !slices.Contains(one.digests, digest) {
				one.digests = append(one.digests, digest)
			}
			if known && name != in.Name {
				archive = name
			}
		}
	}
	return one, archive
}

// above returns the name of what an input lies in: an archive, a directory.
func above(name string) string {
	at := strings.LastIndexAny(name, `/\`)
	return name[:max(at, 0)]
}

// plan compares the units with what the ledgers know.
func (r *newRun) plan(units []unit) (*plan, error) {
	held, err := ledger.HeldBy(r.to.State, r.server, r.to.Client.Site())
	if err != nil {
		return nil, err
	}
	held = slices.DeleteFunc(held, func(h ledger.Held) bool { return !h.Holds && !h.Opened || h.Migration.Source != r.Source() })
	all := make([]*share, len(held))
	views := make([]view, len(held))
	for i := range held {
		all[i], views[i] = &share{Held: &held[i]}, viewOf(&held[i].Migration)
	}
	p := new(plan)
	stale := make(map[*share]bool)
	for _, u := range units {
		best, at := strange, -1
		for i := range views {
			if k := views[i].know(&u, held[i].Complete); k > best {
				best, at = k, i
			}
		}
		switch best {
		case complete:
			p.done = append(p.done, u)
			r.warnOfBounds(all[at])
			continue
		case strange:
			p.fresh = append(p.fresh, u)
			continue
		case changed:
			stale[all[at]] = true
		}
		all[at].units = append(all[at].units, u)
	}
	for _, s := range all {
		switch {
		case len(s.units) == 0:
		case stale[s]:
			v := viewOf(&s.Migration)
			s.units = slices.DeleteFunc(s.units, func(u unit) bool { return v.know(&u, s.Complete) != changed })
			p.stale = append(p.stale, s)
		default:
			p.finish = append(p.finish, s)
		}
	}
	return p, nil
}

// knowledge is what a ledger knows of a unit.
type knowledge uint8

const (
	strange  knowledge = iota // nothing
	changed                   // it holds the unit as it no longer is
	begun                     // it holds the unit, and is not complete
	complete                  // it holds the unit
)

// view is a migration as units are looked up in it.
type view struct{ digests, units, inputs map[string]bool }

func viewOf(m *ledger.Migration) view {
	v := view{map[string]bool{}, map[string]bool{}, map[string]bool{}}
	for _, digest := range m.Digests() {
		v.digests[digest] = true
	}
	for _, u := range m.Units {
		v.units[u.Name] = true
	}
	for _, in := range m.Inputs {
		// Where units are known, a name alone says nothing: an archive can grow.
		if !in.Joined && in.Name != ledger.Stdin && len(m.Units) == 0 {
			v.inputs[in.Name] = true
		}
	}
	return v
}

func (v *view) know(u *unit, whole bool) knowledge {
	isKnown := func(d ledger.Digest) bool { return d.IsIn(v.digests) }
	known := 0
	for _, digest := range u.digests {
		if isKnown(digest) {
			known++
		}
	}
	if slices.ContainsFunc(u.stored, isKnown) {
		known = len(u.digests)
	}
	named := v.units[u.Name] || slices.ContainsFunc(u.names, func(name string) bool { return v.inputs[name] })
	switch {
	case known == len(u.digests) && whole:
		return complete
	case known == len(u.digests):
		return begun
	case known > 0 || named:
		return changed
	}
	return strange
}

// youngDays is for how many days before the newest a source may still change its
// tables: Google Analytics does within 72 hours.
const youngDays = 3

// groups divides new units into migrations: each of the last days by itself, and
// all others as one.
func groups(units []unit) [][]unit {
	var days []string
	for _, u := range units {
		if u.Dated && !slices.Contains(days, u.Name) {
			days = append(days, u.Name)
		}
	}
	slices.Sort(days)
	young := days[max(0, len(days)-youngDays):]
	var rest []unit
	var alone [][]unit
	for _, u := range units {
		if u.Dated && slices.Contains(young, u.Name) {
			alone = append(alone, []unit{u})
			continue
		}
		rest = append(rest, u)
	}
	if len(rest) > 0 {
		return append([][]unit{rest}, alone...)
	}
	return alone
}

// part returns the export of some units, with what is joined to them. It is read
// through e, which is the one to close.
func (e *Export) part(ctx context.Context, units []unit) *Export {
	files := slices.Clone(e.match.Joined)
	for _, u := range units {
		files = append(files, u.Inputs...)
	}
	p := &Export{options: e.options, args: e.args, days: e.days, zone: e.zone, live: e.live, adapter: e.adapter, inputs: e.inputs.Only(files)}
	p.match = e.adapter.Match(ctx, p.inputs.Files)
	names := make(map[string]bool)
	for _, in := range p.inputs.Files {
		for name := in.Name; name != ""; name = above(name) {
			names[name] = true
		}
	}
	if e.identity == nil {
		return p
	}
	p.sums, p.identity = e.sums, &input.Identity{Contents: only(e.identity.Contents, names), Stored: only(e.identity.Stored, names)}
	return p
}

func only(all []input.Fingerprint, names map[string]bool) (some []input.Fingerprint) {
	for _, f := range all {
		if names[f.Name] {
			some = append(some, f)
		}
	}
	return some
}

// importPart imports units as a migration of their own. What is wrong with them
// alone keeps no others out.
func (r *newRun) importPart(ctx context.Context, units []unit, count *int) error {
	p := r.part(ctx, units)
	one := r.to
	one.New, one.Replace, one.chosen = false, false, true
	res, err := p.Import(ctx, one)
	r.live, r.result.Live = p.live, p.live
	var given *GivenError
	switch {
	case err == nil:
		r.result.add(res)
		*count += len(units)
		return nil
	case Again(err) || ctx.Err() != nil:
		r.result.add(res)
		return err
	case r.isAfterLive(err):
		r.result.Units.After += len(units)
		r.options.Log.Info(fmt.Sprintf("%s: all of it lies after the site's own tracker began", strings.Join(fewOf(namesOf(units)), ", ")), "event", "after_live")
		return nil
	case errors.As(err, &given) && len(units) > 1:
		// Nothing of them was sent yet, and some may hold other days.
		for i := range units {
			if err := r.importPart(ctx, units[i:i+1], count); err != nil {
				return err
			}
		}
		return nil
	}
	r.result.Units.Refused = append(r.result.Units.Refused, namesOf(units)...)
	r.errs = append(r.errs, err)
	return nil
}

// importNewer imports what databases have been given since the last event that was
// imported of them, as a migration of its own. One that an earlier run left
// unfinished is finished first.
func (r *newRun) importNewer(ctx context.Context, units []unit) error {
	held, err := ledger.HeldBy(r.to.State, r.server, r.to.Client.Site())
	if err != nil {
		return err
	}
	e := r.part(ctx, units)
	e.options.Until = cmp.Or(e.options.Until, time.Now().Add(-database.Lag).UTC().Truncate(time.Microsecond).Format(time.RFC3339Nano))
	var last pipeline.Micros
	for i := range held {
		h := &held[i]
		v := viewOf(&h.Migration)
		if h.Migration.Source != r.Source() || !slices.ContainsFunc(units, func(u unit) bool { return v.know(&u, h.Complete) >= begun }) {
			continue
		}
		if !h.Complete && (h.Holds || h.Opened) {
			e.options.Since, e.options.Until, last = h.Migration.Since, h.Migration.Until, 0
			break
		}
		for _, p := range h.Periods {
			last = max(last, p[1])
		}
	}
	if last >= e.days.since && last > 0 {
		e.options.Since = (last + 1).Time().Format(time.RFC3339Nano)
	}
	if err := e.check(); err != nil {
		return err
	}
	one := r.to
	one.New, one.Replace, one.chosen = false, false, true
	res, err := e.Import(ctx, one)
	var nothing *NothingError
	if errors.As(err, &nothing) && nothing.Stats.Rejected.Total() == 0 {
		return nil
	}
	r.result.add(res)
	return err
}

// isAfterLive reports whether nothing came of units since all of them lies after
// the site's own tracker began.
func (r *newRun) isAfterLive(err error) bool {
	var nothing *NothingError
	if r.options.Until != Live || !errors.As(err, &nothing) {
		return false
	}
	after, tallied := nothing.Stats.Omitted[pipeline.OmitAfter]
	return tallied && after.Count == nothing.Stats.Rows
}

// finishShare goes on with a migration that an earlier run began.
func (r *newRun) finishShare(ctx context.Context, s *share) error {
	same, err := r.goesOn(ctx, s)
	if err != nil {
		return err
	}
	if !same {
		r.refuse(s)
		return nil
	}
	return r.importPart(ctx, s.units, &r.result.Units.Finished)
}

// goesOn reports whether the units, as they are now, are the migration.
func (r *newRun) goesOn(ctx context.Context, s *share) (bool, error) {
	m, err := r.part(ctx, s.units).migration(ctx, r.sums)
	m.Server, m.Site = r.server, r.to.Client.Site()
	return err == nil && m.Same(s.Migration), err
}

// refuse says of units that a ledger knows otherwise what to do.
func (r *newRun) refuse(s *share) {
	e := &ChangedError{Units: namesOf(s.units), Begun: s.Begun}
	switch {
	case s.Complete:
		e.Why = "this has changed since it was imported; --replace deletes that import, with all that it holds, and imports it anew"
	default:
		e.Why = "an import of this is not complete, and was begun with other options, other joined tables, or what has changed since; " +
			"run it again as it was, or add --replace, which deletes that import and imports it anew"
	}
	r.result.Units.Refused = append(r.result.Units.Refused, e.Units...)
	r.errs = append(r.errs, e)
}

func namesOf(units []unit) []string {
	names := make([]string, len(units))
	for i, u := range units {
		names[i] = u.Name
	}
	return names
}

// replaceStale deletes the imports that hold units as they no longer are, so that
// all that they held is new. Without [Import.Replace] those are meant that hold
// nothing yet. Killed at any point, the next run goes on: an import that is deleted
// is noted as gone, and one that is not yet noted is found gone.
func (r *newRun) replaceStale(ctx context.Context, units []unit, p *plan) (*plan, error) {
	stale := slices.Clone(p.stale)
	for _, s := range p.finish {
		same, err := r.goesOn(ctx, s)
		if err != nil {
			return nil, err
		}
		if !same {
			stale = append(stale, s)
		}
	}
	stale = slices.DeleteFunc(stale, func(s *share) bool { return s.Holds && !r.to.Replace })
	for _, s := range stale {
		if missing := r.missing(s, units); s.Holds && len(missing) > 0 {
			return nil, fmt.Errorf("%s: the import of this also holds %s, which is not among the inputs and would be lost with it: give it, too",
				strings.Join(fewOf(namesOf(s.units)), ", "), strings.Join(fewOf(missing), ", "))
		}
	}
	for _, s := range stale {
		if err := r.replaceOne(ctx, s); err != nil {
			return nil, err
		}
	}
	if len(stale) == 0 {
		return p, nil
	}
	return r.plan(units)
}

func (r *newRun) replaceOne(ctx context.Context, s *share) error {
	if !s.Holds {
		return r.remove(ctx, s, "nothing was stored in it, and its inputs have changed")
	}
	held := max(len(s.Migration.Units), len(s.units))
	r.options.Log.Warn(fmt.Sprintf("%s changed since the import of %s: deleting that, and importing all that it held (%d parts) anew",
		strings.Join(fewOf(namesOf(s.units)), ", "), s.Begun.Format(time.DateOnly), held), "event", "replacing", "units", namesOf(s.units))
	r.result.Units.Replaced += held
	return r.remove(ctx, s, "replaced, since an input has changed")
}

// missing returns what a ledger holds that is not among the units, as it was or
// changed.
func (r *newRun) missing(s *share, units []unit) []string {
	digests, names := map[string]bool{}, map[string]bool{}
	for _, u := range units {
		names[u.Name] = true
		for _, d := range u.digests {
			for _, digest := range d.Known() {
				digests[digest] = true
			}
		}
		for _, name := range u.names {
			names[name] = true
		}
	}
	var missing []string
	look := func(name string, held []string) {
		if !names[name] && slices.ContainsFunc(held, func(digest string) bool { return !digests[digest] }) {
			missing = append(missing, name)
		}
	}
	for _, u := range s.Migration.Units {
		look(u.Name, u.Digests())
	}
	for _, in := range s.Migration.Inputs {
		if len(s.Migration.Units) == 0 && !in.Joined {
			look(in.Name, ledger.Migration{Inputs: []ledger.InputID{in}}.Digests())
		}
	}
	return missing
}

// remove deletes the imports of a ledger.
func (r *newRun) remove(ctx context.Context, s *share, why string) (err error) {
	book, err := s.Open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, book.Close()) }()
	memory, err := rybbit.OpenMemory(r.to.State, r.server, time.Now())
	if err != nil {
		return err
	}
	options := r.to.Upload
	options.Log = r.options.Log
	return rybbit.NewUpload(r.to.Client, book, memory, options).Remove(ctx, why)
}

// warnOfBounds says that something of a unit was left out when it was imported.
func (r *newRun) warnOfBounds(s *share) {
	m := s.Migration
	if r.bounded[s.Begun] || m.Since == r.options.Since && m.Until == r.options.Until || m.Since == "" && m.Until == "" {
		return
	}
	r.bounded[s.Begun] = true
	r.options.Log.Warn(fmt.Sprintf("what the migration of %s imported is done, but it left out what lies outside --since %q --until %q; hopper imports delete and another run bring all of it",
		s.Begun.Format(time.DateOnly), m.Since, m.Until), "event", "bounded_before")
}

// takeNote records which times the events lie in. Where only what is new is
// imported, it first refuses what an import holds that no ledger here knows: the
// ledgers are what tells what is new.
func (r *importRun) takeNote(ctx context.Context, book *ledger.Ledger, periods pipeline.Periods) error {
	if r.chosen && len(book.Stored()) == 0 {
		if err := r.checkUnknown(ctx, periods); err != nil {
			return err
		}
	}
	if len(book.Periods()) > 0 {
		return nil
	}
	return book.Add(ledger.Counted{Periods: periods})
}

// checkUnknown looks, where the server answers SQL, for events of the same time in
// imports that no ledger here knows.
func (r *importRun) checkUnknown(ctx context.Context, periods pipeline.Periods) error {
	all, err := r.holdings(ctx)
	if errors.Is(err, rybbit.ErrNoSQL) {
		return nil // the upload compares what the server lists
	}
	if err != nil {
		return err
	}
	records, err := ledger.Records(r.State, r.server(), r.Client.Site())
	if err != nil {
		return err
	}
	known := make(map[string]bool)
	for _, record := range records {
		known[record.Import] = true
	}
	var strange []rybbit.Import
	for _, h := range all {
		held := pipeline.Periods{{h.first, h.last}}
		if first, last := overlap(period{zone: time.UTC}, periods, period{zone: time.UTC}, held); rybbit.IsImportID(h.ID) && !known[h.ID] && first <= last {
			strange = append(strange, rybbit.Import{ID: h.ID})
		}
	}
	if len(strange) > 0 {
		return &rybbit.StrangerError{Imports: strange}
	}
	return nil
}
