package rybbit

import (
	"context"
	"net/http"

	"hopper/sinks/rybbit/ledger"
)

// Remove deletes all imports of the migration with their events, each once what
// became of a batch in flight is known: one that landed afterwards would stay. It
// can be interrupted and repeated at any point.
func (u *Upload) Remove(ctx context.Context, reason string) error {
	if u.ledger.Creating() != nil {
		adopted, err := u.adopt(ctx)
		if err == nil && !adopted {
			err = u.ledger.Add(ledger.Refused{Reason: "it does not show"})
		}
		if err != nil {
			return err
		}
	}
	if p := u.ledger.Pending(); p != nil {
		if err := u.settlePending(ctx, p); err != nil && !isRewind(err) {
			return err
		}
	}
	for _, imp := range u.ledger.Imports() {
		if err := u.remove(ctx, imp); err != nil {
			return err
		}
		if err := u.ledger.Add(ledger.Gone{Import: imp.ID, Reason: reason}); err != nil {
			return err
		}
		u.log.Info("import deleted", "event", "import_deleted", "import", imp.ID, "events", imp.Events, "because", reason)
	}
	return nil
}

// remove deletes an import, which the server does only once it is complete. One
// that it does not know by its answer is gone: the answer to an earlier delete
// may have been lost.
func (u *Upload) remove(ctx context.Context, imp ledger.Import) error {
	if imp.Open {
		if err := u.complete(ctx, imp); err != nil {
			return err
		}
	}
	retry, completed := u.patience(), imp.Open
	for {
		if err := u.ready(ctx); err != nil {
			return err
		}
		err := u.inFlight(ctx, func(ctx context.Context) error { return u.client.Delete(ctx, imp.ID) })
		refused := refusal(err)
		switch {
		case err == nil:
			return nil
		case refused != nil && refused.Status == http.StatusNotFound && !refused.Foreign:
			// An unknown site answers the same.
			if presence, err := u.probe(ctx, imp.ID); err != nil || presence == Absent {
				return err
			}
		case refused != nil && refused.Status == http.StatusBadRequest && !completed:
			completed = true
			if err := u.complete(ctx, imp); err != nil {
				return err
			}
			continue
		}
		if err := u.wait(ctx, &retry, err); err != nil {
			return err
		}
	}
}
