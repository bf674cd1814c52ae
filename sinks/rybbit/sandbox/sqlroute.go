package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/google/uuid"
)

// What the SQL route allows.
const (
	sqlRows    = 1000
	sqlLength  = 20_000
	sqlSeconds = 10
)

// scopedEvents is the table that a query reads: the site's events in the words of
// the real one, where times are whole seconds.
//
// Its last column, stored, is not one of the real table: it orders events by when
// they were stored, which argMin and argMax need to break ties as ClickHouse does.
const scopedEvents = `scoped_events AS (SELECT substr(timestamp, 1, 19) AS timestamp, kind AS type, import_id, session_id, user_id,
	identified_user_id, hostname, pathname, querystring, page_title, referrer, ` + eventChannel + ` AS channel, browser, browser_version,
	operating_system, operating_system_version, device_type, coalesce(screen_width, 0) AS screen_width,
	coalesce(screen_height, 0) AS screen_height, language, country, region, city, lat, lon, timezone, event_name, props,
	lcp, cls, inp, fcp, ttfb, id AS stored FROM events WHERE site = ?)`

// sql answers a query in ClickHouse's SQL.
func (x *exchange) sql(ctx context.Context) (reply, error) {
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
	var request struct {
		Query  string
		SiteID json.Number
	}
	if json.Unmarshal(content, &request) != nil {
		return invalid("query and siteId are expected"), nil
	}
	number, err := strconv.Atoi(x.opts.Site)
	if err != nil {
		number = 1
	}
	if request.SiteID.String() != strconv.Itoa(number) {
		return failure(http.StatusForbidden, "Forbidden"), nil
	}
	release, err := x.ready()
	if err != nil {
		return reply{}, err
	}
	defer release()
	text, err := translateSQL(request.Query)
	if err != nil {
		return failure(http.StatusBadRequest, err.Error()), nil
	}
	limited, cancel := context.WithTimeout(ctx, sqlSeconds*time.Second)
	defer cancel()
	rows, err := readRows(limited, x.readOnly, "SELECT * FROM ("+text+") LIMIT "+strconv.Itoa(sqlRows), x.opts.Site)
	switch {
	case errors.Is(limited.Err(), context.DeadlineExceeded):
		return failure(http.StatusBadRequest, "Timeout exceeded: maximum: 10 seconds"), nil
	case err != nil:
		return failure(http.StatusBadRequest, err.Error()), nil
	}
	for _, r := range rows {
		delete(r, "stored")
		for name, v := range r {
			if n, ok := v.(int64); ok && x.opts.QuotedIntegers {
				r[name] = strconv.FormatInt(n, 10)
			}
		}
	}
	return reply{status: http.StatusOK, body: map[string]any{"data": rows, "meta": map[string]any{
		"queryId": uuid.NewString(), "rowCount": len(rows), "maxExecutionTimeSeconds": sqlSeconds, "maxRows": sqlRows,
	}}}, nil
}
