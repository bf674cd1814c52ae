package plausible

import (
	"context"
	"strconv"
	"strings"
	"time"

	"hopper/adapters/input/rows"
	"hopper/pipeline"
	"hopper/pipeline/recount"
)

// tell yields what the rows of an event dump say, for [recount.Compare]. It
// shares with the translation which tables there are and how text is cut into
// cells; the rest it looks up by the columns' names. A site export holds sums:
// [verify] is for those.
func tell(ctx context.Context, found *tables, yield func(*recount.Fact) error) error {
	for _, e := range found.events {
		if err := tellTable(ctx, e, yield); err != nil {
			return err
		}
	}
	return nil
}

func tellTable(ctx context.Context, e *eventTable, yield func(*recount.Fact) error) error {
	return e.Each(ctx, func(row *rows.Row) error {
		f := &recount.Fact{Origin: pipeline.Origin{Input: e.Input.Name, Row: row.Number}}
		if row.Err == nil {
			for i, cell := range row.Cells {
				if e.nulls && isNull(cell) {
					row.Cells[i] = ""
				}
			}
			tellRow(f, e.Table, row)
		}
		return yield(f)
	})
}

func tellRow(f *recount.Fact, t *rows.Table, row *rows.Row) {
	cell := func(columns ...string) string {
		if i := t.Column(columns...); i >= 0 {
			return row.Cells[i]
		}
		return ""
	}
	f.At = momentOf(cell("timestamp", "time", "event_timestamp"))
	f.Visitor, f.Session = cell("user_id"), cell("session_id")
	f.Host, f.Page = cell("hostname"), cell("pathname", "page")
	if _, address, found := strings.Cut(f.Page, "://"); found && strings.HasPrefix(f.Page, "http") {
		_, f.Page, _ = strings.Cut(address, "/")
		f.Page = "/" + f.Page
	}
	f.Device, f.OS, f.Browser = cell("screen_size", "device"), cell("operating_system", "os"), cell("browser")
	f.Country = strings.Trim(cell("country_code", "country"), "\x00 ")

	// A source without a referrer may become one, if it is a site's name.
	switch referrer, source := cell("referrer"), cell("referrer_source", "source"); {
	case strings.Contains(referrer, "."):
		f.Referrer = referrer
	case referrer == "" && source == "":
		f.Referrer = recount.None
	}
	if f.Name = cell("name", "event_name"); f.Name != "pageview" {
		f.Kind = pipeline.Custom
	}
	if f.Name == "Outbound Link: Click" && strings.Contains(cell("meta.key"), "url") && strings.Contains(cell("meta.value"), "://") {
		f.Kind = pipeline.Outbound
	}
}

// momentOf reads ClickHouse's DateTime, in UTC, or Unix seconds; 0 is none.
func momentOf(s string) pipeline.Micros {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil && len(s) == 10 {
		return pipeline.Micros(n * 1e6)
	}
	s = strings.TrimSuffix(s, " UTC")
	s = strings.Replace(s, "T", " ", 1)
	for _, layout := range []string{time.DateTime, time.DateTime + "Z07:00"} {
		if t, err := time.Parse(layout, s); err == nil {
			return pipeline.MicrosOf(t)
		}
	}
	return 0
}
