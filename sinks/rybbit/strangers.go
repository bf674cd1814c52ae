package rybbit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"hopper/pipeline"
	"hopper/sinks/rybbit/ledger"
)

// Strangers are imports of the site that no ledger here knows. Most are old and
// have nothing to do with this migration. But where the state directory was lost,
// or another machine imports the same inputs, they hold the same events.
//
// A migration that has stored nothing looks for them before it sends anything.
// Where the server answers SQL, an import is taken for one of the same inputs
// when at least half of the migration's first sessions are in it. Elsewhere it is
// when it has the same wire format, and holds as many events as the migration
// has, or is still open, or was begun since the migration was. At the end, an
// import that was begun meanwhile and holds as many events is one, too.

// StrangerError says that an import which no ledger here knows seems to hold the
// same events.
type StrangerError struct{ Imports []Import }

func (e *StrangerError) Error() string {
	names := make([]string, len(e.Imports))
	for i, imp := range e.Imports {
		names[i] = "import " + imp.ID
		if imp.Platform != "" {
			names[i] += fmt.Sprintf(" (%s, %d events, begun %s)", imp.Platform, imp.Total(), imp.Started)
		}
	}
	return fmt.Sprintf("the site has %s, which no ledger in this state directory knows and which seems to hold the same events: "+
		"another machine imported them, or the state directory was lost. Use the state directory of that import (--state); "+
		"or delete it with `hopper imports delete`; or add --again to import the events although they may then be there twice",
		strings.Join(names, " and "))
}

// sampledSessions is how many sessions are looked for.
const sampledSessions = 20

// unknownImports returns the imports with events in them that no ledger here knows.
func (u *Upload) unknownImports(imports []Import) (strange []Import, known map[string]bool, err error) {
	records, err := u.ledger.Siblings()
	if err != nil {
		return nil, nil, err
	}
	known = make(map[string]bool)
	for _, r := range records {
		known[r.Import] = true
	}
	for _, imp := range imports {
		if !known[imp.ID] && imp.Total() > 0 {
			strange = append(strange, imp)
		}
	}
	return strange, known, nil
}

// strangers returns a [StrangerError] when the events seem to be in the site
// already, and then removes the import that was opened for them.
func (u *Upload) strangers(ctx context.Context, run Run) error {
	if u.ledger.Again() || len(u.ledger.Stored()) > 0 || len(u.ledger.Gone()) > 0 {
		return nil
	}
	imports := u.before
	if imports == nil {
		var err error
		if imports, err = u.list(ctx); err != nil {
			return err
		}
	}
	strange, known, err := u.unknownImports(imports)
	if err != nil || len(strange) == 0 && len(imports) < ListedImports {
		return err
	}
	same, err := u.sameSessions(ctx, run, known)
	if errors.Is(err, ErrNoSQL) && len(strange) > 0 {
		same, err = u.sameCount(ctx, run, strange)
	}
	if errors.Is(err, ErrNoSQL) {
		err = nil
	}
	if err != nil || len(same) == 0 {
		return err
	}
	for i := range same {
		if listed := lookup(imports, same[i].ID); listed != nil {
			same[i] = *listed
		}
	}
	return errors.Join(&StrangerError{same}, u.discard(ctx))
}

// discard removes the import that was opened for a migration that is refused.
func (u *Upload) discard(ctx context.Context) error {
	imp, open := u.ledger.Current()
	if !open {
		return nil
	}
	if err := u.complete(ctx, imp); err != nil {
		return err
	}
	if err := u.client.Delete(ctx, imp.ID); err != nil {
		u.log.Warn("an empty import is left", "event", "empty_import_left", "import", imp.ID, "because", err.Error())
		return nil
	}
	return u.ledger.Add(ledger.Gone{Import: imp.ID, Reason: "deleted, since the migration was refused"})
}

// errEnough ends a translation whose beginning is enough.
var errEnough = errors.New("enough")

// sameSessions looks for the migration's first sessions in all imports, also
// those that the list is too short for.
func (u *Upload) sameSessions(ctx context.Context, run Run, known map[string]bool) ([]Import, error) {
	var sessions []string
	_, err := u.translate(ctx, run, func(chunk *pipeline.Collected[*pipeline.Records]) error {
		for i := range chunk.Value.Len() {
			if id := sessionOf(chunk.Value.Record(i)); id != "" && !slices.Contains(sessions, id) {
				if sessions = append(sessions, id); len(sessions) == sampledSessions {
					return errEnough
				}
			}
		}
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) || len(sessions) == 0 {
		return nil, err
	}
	var rows []struct {
		Import string  `json:"import_id"`
		C      jsonInt `json:"c"`
	}
	sql := "SELECT import_id, uniqExact(session_id) AS c FROM scoped_events WHERE session_id IN ('" + strings.Join(sessions, "', '") + "') GROUP BY import_id"
	if err := u.query(ctx, sql, &rows); err != nil {
		return nil, err
	}
	var same []Import
	for _, row := range rows {
		if IsImportID(row.Import) && !known[row.Import] && 2*int(row.C) >= len(sessions) {
			same = append(same, Import{ID: row.Import})
		}
	}
	return same, nil
}

// sessionOf returns the session of a record in any wire format, if it can stand
// in SQL as it is.
func sessionOf(record []byte) string {
	var r struct {
		Session string `json:"session_id"`
		Visit   string `json:"idVisit"`
		PostHog string `json:"$session_id"`
	}
	if json.Unmarshal(record, &r) != nil {
		return ""
	}
	id := r.Session + r.Visit + r.PostHog
	if strings.ContainsFunc(id, notInSite) {
		return ""
	}
	return id
}

// sameCount compares strangers with the migration without SQL: it counts the
// events first.
func (u *Upload) sameCount(ctx context.Context, run Run, strange []Import) ([]Import, error) {
	strange = slices.DeleteFunc(strange, func(imp Import) bool { return imp.Platform != u.platform })
	if len(strange) == 0 {
		return nil, nil
	}
	u.log.Info("the site has imports that no ledger here knows; counting the events before any is sent", "event", "counting")
	stats, err := u.translate(ctx, run, func(*pipeline.Collected[*pipeline.Records]) error { return nil })
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(strange, func(imp Import) bool {
		return stats.Events == 0 || imp.Total() != stats.Events && imp.Completed != nil && !begunSince(imp, u.ledger.Started())
	}), nil
}

// translate translates the inputs without sending anything.
func (u *Upload) translate(
	ctx context.Context, run Run, each func(*pipeline.Collected[*pipeline.Records]) error,
) (_ pipeline.Stats, err error) {
	src, err := run.Open(ctx)
	if err != nil {
		return pipeline.Stats{}, err
	}
	defer func() { err = errors.Join(err, src.Close()) }()
	return pipeline.Translate(ctx, run.Translation, src, pipeline.Mark{}, run.Encode,
		func(_ context.Context, chunk *pipeline.Collected[*pipeline.Records]) error { return each(chunk) })
}

// meanwhile returns a [StrangerError] when another import was begun since the
// migration was and holds as many events.
func (u *Upload) meanwhile(imports []Import, events int64) error {
	if u.ledger.Again() || events == 0 {
		return nil
	}
	strange, _, err := u.unknownImports(imports)
	if err != nil {
		return err
	}
	strange = slices.DeleteFunc(strange, func(imp Import) bool {
		return imp.Platform != u.platform || imp.Total() != events || !begunSince(imp, u.ledger.Started())
	})
	if len(strange) > 0 {
		return &StrangerError{strange}
	}
	return nil
}

// begunSince reports whether the server began an import after a time.
func begunSince(imp Import, since time.Time) bool {
	for _, layout := range []string{time.RFC3339, "2006-01-02 15:04:05"} { // with or without fractions
		if at, err := time.Parse(layout, imp.Started); err == nil {
			return at.After(since)
		}
	}
	return false
}

// busy says whose import keeps this one out, and closes one of this ledger's own
// that is left and nothing of which is in doubt.
func (u *Upload) busy(ctx context.Context, told bool) error {
	imports, err := u.list(ctx)
	if err != nil {
		return err
	}
	records, err := u.ledger.Siblings()
	if err != nil {
		return err
	}
	for _, imp := range imports {
		if imp.Completed != nil {
			continue
		}
		record := slices.IndexFunc(records, func(r ledger.Record) bool { return r.Import == imp.ID })
		switch {
		case u.own(imp):
			u.log.Warn("closing an import that an earlier run of this migration left open", "event", "import_closed", "import", imp.ID)
			return u.ask(ctx, func(ctx context.Context) error { return u.client.Complete(ctx, imp.ID) })
		case told:
		case record >= 0:
			u.log.Error(fmt.Sprintf("waiting for another import that is not finished: run `hopper import %s` again with its options to finish it, "+
				"or `hopper imports close %s`", strings.Join(records[record].Inputs, " "), imp.ID), "event", "import_in_the_way", slog.Group("", "import", imp.ID))
		default:
			u.log.Error(fmt.Sprintf("waiting for another import of the site that is open, begun %s: if nobody is at work on it, "+
				"`hopper imports close %s` ends it", imp.Started, imp.ID), "event", "import_in_the_way", slog.Group("", "import", imp.ID))
		}
	}
	return nil
}

// own reports whether an open import was left by this migration: one that its
// ledger has closed, or one whose creation was never answered.
func (u *Upload) own(imp Import) bool {
	if mine, has := u.ledger.Import(imp.ID); has {
		pending := u.ledger.Pending()
		return !mine.Open && (pending == nil || pending.Import != imp.ID)
	}
	creating := u.ledger.Creating()
	return creating != nil && imp.Total() == 0 && imp.Platform == creating.Platform && !slices.Contains(creating.Known, imp.ID)
}
