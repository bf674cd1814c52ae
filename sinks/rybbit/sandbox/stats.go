package sandbox

import (
	"context"
	"database/sql"
	"errors"
	"math"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// release is what GET /api/version answers.
const release = "2.7.0"

// organization is the id of the only organization there is.
const organization = "sandboxorganization"

// statistic is a route that returns numbers about the site's events.
type statistic struct {
	scope  string
	answer func(q *query) (any, error)
}

// statistics are the routes below /api/sites/:site/.
var statistics = map[string]statistic{
	"overview":             {"analytics:read", (*query).overview},
	"overview/time-series": {"analytics:read", (*query).timeSeries},
	"metric":               {"analytics:read", (*query).metric},
	"page-titles":          {"analytics:read", (*query).pageTitles},
	"performance/overview": {"analytics:read", (*query).performance},
	"errors/names":         {"analytics:read", (*query).errorNames},
	"events":               {"events:read", (*query).rawEvents},
	"events/names":         {"events:read", (*query).eventNames},
	"events/properties":    {"events:read", (*query).eventProperties},
	"events/count":         {"events:read", (*query).eventCount},
	"events/outbound":      {"events:read", (*query).outboundLinks},
	"sessions":             {"sessions:read", (*query).sessionList},
	"users":                {"users:read", (*query).userList},
	"":                     {"sites:read", (*query).aboutSite},
}

// query is a request for statistics.
type query struct {
	ctx       context.Context
	db        *sql.DB
	site      string
	params    url.Values
	now       time.Time
	selection selection
}

// errUnknownParameter is what a real server answers with 500.
var errUnknownParameter = errors.New("unknown parameter")

// statistics answers one of the statistics.
func (x *exchange) statistics(ctx context.Context) (reply, error) {
	release, err := x.ready()
	if err != nil {
		return reply{}, err
	}
	defer release()
	q := &query{ctx: ctx, db: x.db, site: x.site, params: x.r.URL.Query(), now: x.opts.Now()}
	var data any
	q.selection, err = newSelection(x.site, q.params, q.now)
	if err == nil {
		data, err = statistics[x.statistic].answer(q)
	}
	switch {
	case errors.As(err, new(badParameter)):
		return failure(http.StatusBadRequest, err.Error()), nil
	case errors.Is(err, errUnknownParameter):
		return failure(http.StatusInternalServerError, "Internal Server Error"), nil
	case err != nil:
		return reply{}, err
	}
	if whole, ok := data.(answered); ok {
		return reply{status: http.StatusOK, body: whole}, nil
	}
	return reply{status: http.StatusOK, body: map[string]any{"data": data}}, nil
}

// answered is the whole body of an answer, where that is more than its data.
type answered map[string]any

func (q *query) aboutSite() (any, error) {
	number, err := strconv.Atoi(q.site)
	if err != nil {
		number = 1
	}
	return answered{"id": q.site, "siteId": number, "name": "Sandbox", "domain": "sandbox.localhost", "organizationId": organization}, nil
}

// row is a row of an answer.
type row map[string]any

// rows runs a query over the selection, and shows texts that read as numbers in
// JavaScript as numbers.
func (q *query) rows(text string, values ...any) ([]row, error) {
	with, first := q.selection.with()
	all, err := readRows(q.ctx, q.db, with+text, append(first, values...)...)
	for _, r := range all {
		for name, v := range r {
			if s, ok := v.(string); ok {
				r[name] = numberOrText(s)
			}
		}
	}
	return all, err
}

// one runs a query that gives a single row.
func (q *query) one(text string, values ...any) (row, error) {
	all, err := q.rows(text, values...)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	return all[0], nil
}

func readRows(ctx context.Context, db *sql.DB, text string, values ...any) ([]row, error) {
	rows, err := db.QueryContext(ctx, text, values...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	all := []row{}
	for rows.Next() {
		cells, pointers := make([]any, len(names)), make([]any, len(names))
		for i := range cells {
			pointers[i] = &cells[i]
		}
		if err := rows.Scan(pointers...); err != nil {
			return nil, err
		}
		r := make(row, len(names))
		for i, name := range names {
			r[name] = cells[i]
		}
		all = append(all, r)
	}
	return all, rows.Err()
}

// numberLike is the text that JavaScript's Number reads, but for blanks.
var numberLike = regexp.MustCompile(`^\s*(?:[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|0[xX][0-9a-fA-F]+)\s*$`)

// numberOrText returns a number for a text that JavaScript reads as one.
func numberOrText(s string) any {
	if !numberLike.MatchString(s) {
		return s
	}
	s = strings.TrimSpace(s)
	var n float64
	var err error
	if len(s) > 2 && (s[1] == 'x' || s[1] == 'X') {
		var whole uint64
		whole, err = strconv.ParseUint(s[2:], 16, 64)
		n = float64(whole)
	} else {
		n, err = strconv.ParseFloat(s, 64)
	}
	if err != nil || math.IsInf(n, 0) {
		return s
	}
	return n
}

// number reads a parameter that counts, with a default.
func (q *query) number(name string, otherwise int) (int, error) {
	text := q.params.Get(name)
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return 0, badf("Invalid %s: %s", name, text)
	}
	return n, nil
}

// limit returns LIMIT and OFFSET for the parameters of a list.
func (q *query) limit(sizeName string, otherwise int) (string, error) {
	size, err := q.number(sizeName, otherwise)
	if err != nil {
		return "", err
	}
	page, err := q.number("page", 1)
	return " LIMIT " + strconv.Itoa(size) + " OFFSET " + strconv.Itoa((page-1)*size), err
}

func (q *query) bucket() (string, error) {
	bucket := q.params.Get("bucket")
	if bucket == "" {
		bucket = "hour"
	}
	if !isBucket(bucket) {
		return "", badf("Invalid bucket: %s", bucket)
	}
	return bucket, nil
}
