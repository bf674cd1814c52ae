// Package stats asks a Rybbit server what it shows of a site, as sums that
// package recount compares with what was sent.
//
// Where the server answers SQL ([Server] asks it first), what an import holds is
// counted exactly and apart from what the site's own tracker recorded. An older
// server, or a key without the scope sql:read, is asked for the statistics that
// its dashboard shows. Those cannot tell imports apart: other events of the same
// days count, too, and a note says so.
package stats

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"hopper/pipeline/recount"
	"hopper/sinks/rybbit"
)

// An Asker asks a server; a [rybbit.Client] is one. It makes each call once.
type Asker interface {
	Site() string
	Get(ctx context.Context, call string, path []string, query url.Values, answer any) error
	Post(ctx context.Context, call string, path []string, question, answer any) error
}

// Server is what is to be asked of a site.
type Server struct {
	Asker Asker
	// Zone is where days begin; nil is UTC.
	Zone *time.Location
	// Imports are those to count; none are all events of the site.
	Imports []string
	// Patience says how long the server is waited for.
	Patience rybbit.Options

	// BySQL says, after [Server.Show], that the server was asked in SQL.
	BySQL bool
	// Notes say what could not be asked, and what else is in the numbers.
	Notes []string
	// Requests counts the calls.
	Requests int

	answered bool
}

// showing is one run of [Server.Show].
type showing struct {
	*Server
	sums        *recount.Sums
	first, last recount.Day
	site        site
}

// site is what the server says of a site.
type site struct {
	Number       int64  `json:"siteId"`
	Organization string `json:"organizationId"`
}

// Show is the Show of a [recount.Server].
func (s *Server) Show(ctx context.Context, sums *recount.Sums, first, last recount.Day) error {
	run := &showing{Server: s, sums: sums, first: first, last: last}
	err := run.get(ctx, "look up the site", nil, nil, &run.site)
	if err == nil {
		run.explainImports(ctx)
		err = run.bySQL(ctx)
	}
	if err == nil {
		s.BySQL = true
		return nil
	}
	if why := withoutSQL(err); why != "" {
		s.Notes = append(s.Notes, why+" What the site's own tracker recorded on these days, and other imports of them, count here, too.")
		return run.byStatistics(ctx)
	}
	return err
}

// withoutSQL says in plain words why SQL cannot be used; empty is another error.
func withoutSQL(err error) string {
	var status *rybbit.StatusError
	if !errors.As(err, &status) {
		return ""
	}
	switch {
	case status.Status == http.StatusForbidden && strings.Contains(status.Message, "sql:read"):
		return "The key may not ask the server in SQL (scope sql:read), so its statistics are compared."
	case status.Status == http.StatusForbidden && strings.Contains(status.Message, "sites:read"):
		return "The key may not look up the site (scope sites:read), which SQL needs, so the server's statistics are compared."
	case status.Status == http.StatusNotFound:
		return "The server does not answer SQL, so its statistics are compared."
	}
	return ""
}

func (s *showing) zone() string {
	if s.Zone == nil {
		return "UTC"
	}
	return s.Zone.String()
}

// get asks for a route of the site.
func (s *showing) get(ctx context.Context, call string, route []string, query url.Values, answer any) error {
	return s.patiently(ctx, func() error {
		return s.Asker.Get(ctx, call, append([]string{"sites", s.Asker.Site()}, route...), query, answer)
	})
}

// patiently waits and asks again where the server is away or has had too many
// requests.
func (s *Server) patiently(ctx context.Context, ask func() error) error {
	err := s.Patience.Patiently(ctx, func() bool { return s.answered }, func(context.Context) error {
		s.Requests++
		err := ask()
		s.answered = s.answered || err == nil
		return err
	})
	return inPlainWords(err)
}

// inPlainWords adds which scope a key needs.
func inPlainWords(err error) error {
	var status *rybbit.StatusError
	if errors.As(err, &status) && status.Status == http.StatusForbidden {
		if _, scope, found := strings.Cut(status.Message, "required: "); found {
			return fmt.Errorf("%w; give the API key the scope %s, or use one without limits", err, strings.TrimSuffix(scope, ")"))
		}
	}
	return err
}

// row returns a value's row of a table.
func (s *showing) row(table int, value string) string {
	if i := table - recount.DashboardDimensions; i >= 0 && strings.HasSuffix(recount.DashboardFields[i], "_version") {
		at := strings.LastIndexByte(value, ' ')
		if at < 0 {
			at = len(value)
		}
		value = recount.VersionOf(value[:at], strings.TrimSpace(value[at:]))
	}
	return recount.DashboardRow(value)
}

// show adds an amount.
func (s *showing) show(day recount.Day, table, column int, row string, n int64) error {
	return s.sums.Add(recount.Shown, day, table, column, row, n)
}

// tell says that a table over all days is told.
func (s *showing) tell(table int, columns ...int) {
	for _, column := range columns {
		s.sums.Tell(recount.AllDays, table, column)
	}
	s.sums.Promise(recount.AllDays, table)
}

// tellDays says that the days' columns are told.
func (s *showing) tellDays() {
	for day := s.first; day <= s.last; day++ {
		for column := recount.DaySessions; column <= recount.DaySeconds; column++ {
			s.sums.Tell(day, recount.DashboardDays, column)
		}
		s.sums.Promise(day, recount.DashboardDays)
	}
}

// text is a value that comes as a text or, where JavaScript reads it as one, as
// a number.
type text string

// UnmarshalJSON takes either.
func (t *text) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err == nil {
		*t = text(s)
		return nil
	}
	*t = text(strings.Trim(string(b), `"`))
	return nil
}

// number is a count that comes as a number or a text.
type number float64

// UnmarshalJSON takes either; null is 0.
func (n *number) UnmarshalJSON(b []byte) error {
	b = []byte(strings.Trim(string(b), `"`))
	if string(b) == "null" || len(b) == 0 {
		*n = 0
		return nil
	}
	var f float64
	if err := json.Unmarshal(b, &f); err != nil {
		return err
	}
	*n = number(f)
	return nil
}
