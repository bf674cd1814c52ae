package umami

import (
	"cmp"
	"context"
	"errors"
	"net/url"
	"strings"
	"time"

	"hopper/adapters"
	"hopper/adapters/input/rows"
	"hopper/adapters/input/spill"
	"hopper/pipeline"
	"hopper/pipeline/recount"
)

// tell yields what the rows of the event tables say, for [recount.Compare]. It
// shares with the translation which tables there are, what their columns are
// called, how text is cut into cells and how a spreadsheet's dates are read,
// each of which has tests of its own; the rest it looks up by the columns' names.
//
// Where visit_id is missing, as before version 2.11, visits follow from pauses.
func tell(ctx context.Context, found *tables, opt adapters.Options, yield func(*recount.Fact) error) (err error) {
	visitors, err := visitorTable(ctx, found.sessions, opt)
	if err != nil {
		return err
	}
	if visitors != nil {
		defer func() { err = errors.Join(err, visitors.Close()) }()
	}
	for _, e := range found.events {
		if err := tellTable(ctx, e.Table, e.derive, visitors, &e.times, yield); err != nil {
			return err
		}
	}
	return nil
}

// ofVisitor are the columns of the session table that events of other
// databases have themselves.
var ofVisitor = []string{"browser", "os", "device", "country", "hostname"}

// visitorTable sorts the session tables by their ids, on disk.
func visitorTable(ctx context.Context, sessions []*rows.Table, opt adapters.Options) (*spill.Index, error) {
	if len(sessions) == 0 {
		return nil, nil
	}
	s := &spill.Sorter{Dir: opt.TempDir}
	defer s.Close()
	for _, t := range sessions {
		err := t.Each(ctx, func(row *rows.Row) error {
			if row.Err != nil {
				return nil
			}
			cells := make([]string, len(ofVisitor))
			for i, column := range ofVisitor {
				cells[i] = cellOf(t, row, column)
			}
			return s.Add([]byte(strings.ToLower(cellOf(t, row, "session_id"))), []byte(strings.Join(cells, "\x00")))
		})
		if err != nil {
			return nil, err
		}
	}
	return spill.NewIndex(ctx, s)
}

// cellOf returns the cell of the first of the columns that t has.
func cellOf(t *rows.Table, row *rows.Row, columns ...string) string {
	i := t.Column(columns...)
	if i < 0 {
		return ""
	}
	return row.Cells[i]
}

func tellTable(ctx context.Context, t *rows.Table, paused bool, visitors *spill.Index, times *adapters.Times, yield func(*recount.Fact) error) error {
	return t.Each(ctx, func(row *rows.Row) error {
		f := &recount.Fact{Origin: pipeline.Origin{Input: t.Input.Name, Row: row.Number}, Paused: paused}
		if row.Err != nil {
			return yield(f)
		}
		cell := func(columns ...string) string { return cellOf(t, row, columns...) }
		f.At = timeOf(cell("created_at"), times)
		f.Visitor = cell("session_id")
		if visit := cell("visit_id"); visit != "00000000-0000-0000-0000-000000000000" && visit != f.Visitor {
			f.Session = visit
		}
		own := map[string]string{}
		for _, column := range ofVisitor {
			own[column] = cell(column)
		}
		if visitors != nil {
			var cells []string
			err := visitors.Lookup([]byte(strings.ToLower(f.Visitor)), func(value []byte) { cells = strings.Split(string(value), "\x00") })
			if err != nil {
				return err
			}
			for i, value := range cells {
				if column := ofVisitor[i]; own[column] == "" {
					own[column] = value
				}
			}
		}
		f.Browser, f.OS, f.Device, f.Country, f.Host = own["browser"], own["os"], own["device"], own["country"], own["hostname"]
		f.Page = cell("url_path", "url")
		if address, err := url.Parse(f.Page); err == nil && address.Host != "" && strings.HasPrefix(address.Scheme, "http") {
			f.Page = cmp.Or(address.EscapedPath(), "/")
			f.Host = cmp.Or(f.Host, address.Host)
		}

		f.Referrer = recount.None
		switch domain, path := cell("referrer_domain"), cell("referrer_path", "referrer"); {
		case strings.Contains(domain, "://"):
			f.Referrer = domain
		case domain != "":
			f.Referrer = "https://" + domain
		case path != "" && path[0] != '/':
			f.Referrer = path
		}
		f.Name = cell("event_name")
		kind := strings.TrimSuffix(strings.Trim(cell("event_type"), "'\""), ".0")
		switch {
		case t.Column("url_path") >= 0, t.Column("event_type") >= 0 && t.Column("event_name") >= 0: // since version 2
			told, known := kinds[strings.ToLower(kind)]
			f.Kind = told
			if !known && f.Name != "" {
				f.Kind = pipeline.Custom
			}
		case t.Column("event_name", "event_value") >= 0: // version 1
			f.Kind = pipeline.Custom
			for _, name := range []string{cell("event_value"), kind} {
				if f.Name == "" {
					f.Name = name
				}
			}
		}
		return yield(f)
	})
}

// kinds are Umami's event_type.
var kinds = map[string]pipeline.Kind{
	"1": pipeline.Pageview, "pageview": pipeline.Pageview, "page_view": pipeline.Pageview,
	"2": pipeline.Custom, "event": pipeline.Custom, "customevent": pipeline.Custom, "custom_event": pipeline.Custom,
	"5": pipeline.Vitals, "performance": pipeline.Vitals,
}

// timeOf reads a created_at in the forms that databases write, and leaves those
// of other tools to the parser that all sources share; 0 is none.
func timeOf(s string, times *adapters.Times) pipeline.Micros {
	zone := times.Zone
	plain := s
	if utc, found := strings.CutSuffix(plain, " UTC"); found {
		plain, zone = utc, time.UTC
	}
	plain = strings.Replace(plain, "T", " ", 1)
	if t, err := time.ParseInLocation(time.DateTime, plain, zone); err == nil {
		return pipeline.MicrosOf(t)
	}
	for _, layout := range []string{time.DateTime + "Z07:00", time.DateTime + "Z0700", time.DateTime + "Z07"} {
		if t, err := time.Parse(layout, plain); err == nil {
			return pipeline.MicrosOf(t)
		}
	}
	at, _ := times.Parse(s)
	return at
}
