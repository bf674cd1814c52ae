package sandbox

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
)

const (
	// lease is how long an import keeps others out without a batch.
	lease = 15 * time.Minute
	// cloudLife is how long an import may stay open on Rybbit Cloud.
	cloudLife = 2 * time.Hour
	// longestNumber is the most digits of a site's number. A longer text is looked
	// up as a string identifier.
	longestNumber = 4
)

// eventsPerSecond is how many events a real server stored in a second, by wire
// format. Matomo's was not measured: it is taken for the slowest.
var eventsPerSecond = map[string]float64{
	"umami": 15_000, "plausible": 6_000, "simple_analytics": 3_500, "matomo": 1_600, "posthog": 1_600,
}

// handle answers a request that no fault has answered. An error means that the
// client is gone, the server is closing, or the database failed.
func (x *exchange) handle(ctx context.Context) (reply, error) {
	if answer, ok := x.authorize(); !ok {
		return answer, nil
	}
	if x.importID != "" && !isUUID(x.importID) {
		return invalid("importId is no UUID"), nil
	}
	if x.opts.Cloud {
		if err := x.completeOld(ctx); err != nil {
			return reply{}, err
		}
	}
	switch x.call {
	case Create:
		return x.create(ctx)
	case Events:
		return x.events(ctx)
	case List:
		return x.list(ctx)
	case Stats:
		return x.statistics(ctx)
	case Query:
		return x.sql(ctx)
	default:
		return x.delete(ctx)
	}
}

// authorize checks the key, its budget and the site.
func (x *exchange) authorize() (reply, bool) {
	scheme, key, _ := strings.Cut(x.r.Header.Get("Authorization"), " ")
	isMain := key == x.opts.Key
	if !strings.EqualFold(scheme, "Bearer") || !isMain && (key != x.opts.ReadKey || key == "") {
		if x.old {
			return failure(http.StatusForbidden, "Forbidden"), false
		}
		return failure(http.StatusUnauthorized, "Unauthorized"), false
	}
	if x.opts.Budget > 0 {
		if wait := x.limiter.take(x.opts.Now(), x.opts.Budget, x.opts.Window); wait > 0 {
			answer := failure(http.StatusTooManyRequests, "Rate limit exceeded")
			if !x.old {
				answer.header = x.retryAfter(wait, false)
			}
			return answer, false
		}
	}
	if x.site != x.opts.Site {
		if x.old && len(x.site) <= longestNumber {
			return failure(http.StatusForbidden, "Forbidden"), false
		}
		return failure(http.StatusNotFound, "Site not found"), false
	}
	scopes := x.opts.Scopes
	if !isMain {
		scopes = []string{"sites:read"}
	}
	if required := x.scope(); scopes != nil && !slices.Contains(scopes, required) {
		return reply{status: http.StatusForbidden, body: map[string]string{
			"error": "Insufficient scope", "required": required}}, false
	}
	return reply{}, true
}

// scope returns what a key must be allowed to do for the request.
func (x *exchange) scope() string {
	switch x.call {
	case List:
		return "sites:read"
	case Stats:
		return statistics[x.statistic].scope
	case Query:
		return "sql:read"
	}
	return "sites:write"
}

// expectJSON checks the headers that describe the body.
func (x *exchange) expectJSON() (reply, bool) {
	if e := x.r.Header.Get("Content-Encoding"); e != "" && !strings.EqualFold(e, "identity") {
		return notJSON, false
	}
	if media, _, err := mime.ParseMediaType(x.r.Header.Get("Content-Type")); err != nil || media != "application/json" {
		return fastify(http.StatusUnsupportedMediaType, "FST_ERR_CTP_INVALID_MEDIA_TYPE",
			"Unsupported Media Type: "+x.r.Header.Get("Content-Type")), false
	}
	return reply{}, true
}

var (
	notJSON = fastify(http.StatusBadRequest, "FST_ERR_CTP_INVALID_JSON_BODY",
		"Body is not valid JSON but content-type is set to 'application/json'")
	noBody = fastify(http.StatusBadRequest, "FST_ERR_CTP_EMPTY_JSON_BODY",
		"Body cannot be empty when content-type is set to 'application/json'")
)

// malformed answers a body that is not JSON. It returns an error when the body
// could not be read.
func (x *exchange) malformed() (reply, error) {
	switch {
	case x.body.err != nil:
		return reply{}, x.body.err
	case x.body.read == 0:
		return noBody, nil
	}
	return notJSON, nil
}

func (x *exchange) create(ctx context.Context) (reply, error) {
	if answer, ok := x.expectJSON(); !ok {
		return answer, nil
	}
	content, err := io.ReadAll(x.body)
	if err != nil {
		return reply{}, err
	}
	if !json.Valid(content) {
		return x.malformed()
	}
	var request map[string]any
	if json.Unmarshal(content, &request) != nil {
		return invalid("the body is no object"), nil
	}
	platform, _ := request["platform"].(string)
	if !slices.Contains(x.opts.Platforms, platform) {
		return invalid("platform is not known"), nil
	}
	release, err := x.ready()
	if err != nil {
		return reply{}, err
	}
	defer release()
	now := x.opts.Now().UTC()
	id := uuid.NewString()
	busy := false
	err = x.change(ctx, func(tx *sql.Tx) error {
		var err error
		busy, err = x.open(ctx, tx, id, platform, now)
		return err
	})
	if err != nil {
		return reply{}, err
	}
	if busy {
		return failure(http.StatusTooManyRequests, "Only 1 concurrent import allowed per organization"), nil
	}
	x.importID = id
	if err := x.remember(ctx); err != nil {
		return reply{}, err
	}
	return reply{status: http.StatusOK, body: map[string]any{"data": map[string]any{
		"importId": id,
		"allowedDateRange": map[string]string{
			"earliestAllowedDate": x.opts.Earliest.Format(time.DateOnly),
			"latestAllowedDate":   now.Format(time.DateOnly),
		},
	}}}, nil
}

// open adds an import, unless another one keeps it out.
func (x *exchange) open(ctx context.Context, tx *sql.Tx, id, platform string, now time.Time) (busy bool, err error) {
	if !x.old {
		var others int
		err := tx.QueryRowContext(ctx, `SELECT count(*) FROM imports WHERE completed_at IS NULL AND NOT lease_lost
			AND last_batch_at > ?`, now.Add(-lease).Format(timeLayout)).Scan(&others)
		if err != nil || others > 0 {
			return others > 0, err
		}
		if _, err = tx.ExecContext(ctx, `UPDATE imports SET lease_lost = 1 WHERE completed_at IS NULL`); err != nil {
			return false, err
		}
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO imports (import_id, site, platform, started_at, last_batch_at) VALUES (?,?,?,?,?)`,
		id, x.site, platform, now.Format(timeLayout), now.Format(timeLayout))
	return false, err
}

// target finds the import of the path. Without one it returns the reply to give.
func (x *exchange) target(ctx context.Context, db interface {
	QueryRowContext(context.Context, string, ...any) *sql.Row
}) (*importRow, reply, error) {
	row, err := findImport(ctx, db, x.importID)
	switch {
	case err != nil:
		return nil, reply{}, err
	case row == nil:
		return nil, failure(http.StatusNotFound, "Import not found"), nil
	case row.site != x.site:
		return nil, invalid("the import belongs to another site"), nil
	}
	return row, reply{}, nil
}

func (x *exchange) events(ctx context.Context) (reply, error) {
	if answer, ok := x.expectJSON(); !ok {
		return answer, nil
	}
	row, answer, err := x.target(ctx, x.db)
	if err != nil || row == nil {
		return answer, err
	}
	wire, ok := wireFormats[row.platform]
	if !ok {
		return reply{}, errors.New("the import's platform is not known")
	}
	b, err := decodeBatch(x.body, wire, !x.old)
	if errors.Is(err, errShape) {
		return invalid(err.Error()), nil
	} else if err != nil {
		return x.malformed()
	}
	x.work = time.Duration(float64(b.size()) / eventsPerSecond[row.platform] * x.opts.Pace * float64(time.Second))
	release, err := x.ready()
	if err != nil {
		return reply{}, err
	}
	defer release()
	var stored int64
	err = x.change(ctx, func(tx *sql.Tx) error {
		var err error
		answer, stored, err = x.store(ctx, tx, b)
		return err
	})
	if err != nil {
		return reply{}, err
	}
	x.stored = stored
	return answer, x.remember(ctx)
}

// store adds a batch to its import and returns what it added to the counters.
func (x *exchange) store(ctx context.Context, tx *sql.Tx, b *batch) (reply, int64, error) {
	row, answer, err := x.target(ctx, tx)
	if err != nil || row == nil {
		return answer, 0, err
	}
	switch {
	case row.completed.Valid && !x.old && b.last:
		return reply{status: http.StatusOK}, 0, nil
	case row.completed.Valid && (!x.old || b.size() == 0 && !b.last):
		return failure(http.StatusBadRequest, "Import is already complete"), 0, nil
	case row.leaseLost && !row.completed.Valid:
		return failure(http.StatusConflict, "Import lease expired. Start a new import to continue."), 0, nil
	case b.size() == 0 && !b.last: // changes nothing
		return reply{status: http.StatusOK}, 0, nil
	case x.life.Err() != nil:
		return reply{}, 0, errClosing
	}
	now := x.opts.Now().UTC()
	size := b.size()
	kept, err := x.allowed(ctx, tx, now, b.events)
	if err != nil {
		return reply{}, 0, err
	}
	if err := insertEvents(ctx, tx, x.importID, x.site, kept); err != nil {
		return reply{}, 0, err
	}
	completed := row.completed
	if b.last && !completed.Valid {
		completed = sql.NullString{String: now.Format(timeLayout), Valid: true}
	}
	imported := int64(len(kept))
	if x.isHitBy(Uncounted) {
		return failure(http.StatusInternalServerError, "Internal Server Error"), 0, nil
	}
	_, err = tx.ExecContext(ctx, `UPDATE imports SET imported_events = imported_events + ?, skipped_events = skipped_events + ?,
		invalid_events = invalid_events + ?, batches = batches + 1, last_batch_at = ?, completed_at = ? WHERE import_id = ?`,
		imported, size-b.invalid-imported, b.invalid, now.Format(timeLayout), completed, x.importID)
	return reply{status: http.StatusOK}, size, err
}

// allowed returns the events that are not skipped. It skips those in the future,
// before the allowed range, of a day that does not exist, or over the month's quota.
func (x *exchange) allowed(ctx context.Context, tx *sql.Tx, now time.Time, events []*event) ([]*event, error) {
	used := make(map[string]int64)
	if x.opts.MonthlyQuota > 0 {
		rows, err := tx.QueryContext(ctx, `SELECT substr(timestamp, 1, 7), count(*) FROM events GROUP BY 1`)
		if err != nil {
			return nil, err
		}
		defer rows.Close()
		for rows.Next() {
			var month string
			var n int64
			if err := rows.Scan(&month, &n); err != nil {
				return nil, err
			}
			used[month] = n
		}
		if err := rows.Err(); err != nil {
			return nil, err
		}
	}
	kept := events[:0]
	for _, e := range events {
		if e.noDate || e.at.After(now) || e.at.Before(x.opts.Earliest) {
			continue
		}
		if x.opts.MonthlyQuota > 0 {
			month := e.at.Format("2006-01")
			if used[month] >= x.opts.MonthlyQuota {
				continue
			}
			used[month]++
		}
		kept = append(kept, e)
	}
	return kept, nil
}

// listLength is how many imports the list shows.
const listLength = 10

func (x *exchange) list(ctx context.Context) (reply, error) {
	release, err := x.ready()
	if err != nil {
		return reply{}, err
	}
	defer release()
	rows, err := x.shown(ctx)
	if err != nil {
		return reply{}, err
	}
	type item struct {
		ImportID       string  `json:"importId"`
		Platform       string  `json:"platform"`
		ImportedEvents int64   `json:"importedEvents"`
		SkippedEvents  int64   `json:"skippedEvents"`
		InvalidEvents  int64   `json:"invalidEvents"`
		StartedAt      string  `json:"startedAt"`
		CompletedAt    *string `json:"completedAt"`
	}
	list := []item{}
	for _, row := range rows[:min(len(rows), listLength)] {
		it := item{row.id, row.platform, row.imported, row.skipped, row.invalid, row.started, nil}
		if row.completed.Valid {
			it.CompletedAt = &row.completed.String
		}
		list = append(list, it)
	}
	return reply{status: http.StatusOK, body: map[string]any{"data": list}}, nil
}

// shown returns the imports that the list may show, the newest first, with the
// faults that hit it.
func (x *exchange) shown(ctx context.Context) ([]importRow, error) {
	rows, err := allImports(ctx, x.db, x.site)
	for _, f := range x.faults {
		switch {
		case f.Effect == Empty:
			rows = nil
		case f.Effect == Lag && !f.Counters:
			rows = x.history.all(x.opts.Now().Add(-f.For))
		case f.Effect == Lag:
			for i := range rows {
				if was := x.history.at(rows[i].id, x.opts.Now().Add(-f.For)); was != nil {
					rows[i].imported, rows[i].skipped, rows[i].invalid = was.imported, was.skipped, was.invalid
				} else {
					rows[i].imported, rows[i].skipped, rows[i].invalid = 0, 0, 0
				}
			}
		}
	}
	return rows, err
}

func (x *exchange) delete(ctx context.Context) (reply, error) {
	release, err := x.ready()
	if err != nil {
		return reply{}, err
	}
	defer release()
	var answer reply
	err = x.change(ctx, func(tx *sql.Tx) error {
		row, refused, err := x.target(ctx, tx)
		switch {
		case err != nil || row == nil:
			answer = refused
			return err
		case !row.completed.Valid:
			answer = failure(http.StatusBadRequest, "Cannot delete an active import")
			return nil
		}
		answer = reply{status: http.StatusOK, body: map[string]any{"data": map[string]string{"message": "Import deleted"}}}
		return deleteImport(ctx, tx, row.id)
	})
	if err != nil {
		return reply{}, err
	}
	return answer, x.remember(ctx)
}

// change runs one transaction at a time.
func (s *Server) change(ctx context.Context, do func(*sql.Tx) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := do(tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

// completeOld completes the imports that Rybbit Cloud would have completed by now.
func (s *Server) completeOld(ctx context.Context) error {
	now := s.opts.Now().UTC()
	return s.change(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE imports SET completed_at = ? WHERE completed_at IS NULL AND started_at <= ?`,
			now.Format(timeLayout), now.Add(-cloudLife).Format(timeLayout))
		return err
	})
}

// meddle completes, expires or deletes the request's import, as a fault asks.
func (x *exchange) meddle(ctx context.Context, effect Effect) error {
	err := x.change(ctx, func(tx *sql.Tx) error {
		var err error
		switch effect {
		case Complete:
			_, err = tx.ExecContext(ctx, `UPDATE imports SET completed_at = ? WHERE import_id = ? AND completed_at IS NULL`,
				x.opts.Now().UTC().Format(timeLayout), x.importID)
		case Expire:
			_, err = tx.ExecContext(ctx, `UPDATE imports SET lease_lost = 1 WHERE import_id = ?`, x.importID)
		case Gone:
			err = deleteImport(ctx, tx, x.importID)
		}
		return err
	})
	if err != nil {
		return err
	}
	return x.remember(ctx)
}
