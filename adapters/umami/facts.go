package umami

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
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
// called, how text is cut into cells, how a spreadsheet's dates are read and which
// website is asked for, each of which has tests of its own; the rest it looks up by
// the columns' names.
//
// Where visit_id is missing, as before version 2.11, visits follow from pauses.
func tell(ctx context.Context, found *tables, website string, opt adapters.Options, yield func(*recount.Fact) error) (err error) {
	told := &teller{website: strings.ToLower(website), yield: yield}
	defer func() { err = errors.Join(err, told.close()) }()
	if told.visitors, err = visitorTable(ctx, found.sessions, opt); err != nil {
		return err
	}
	if told.names, err = propertyNames(ctx, found.eventData, opt); err != nil {
		return err
	}
	if told.repeats, err = repeatedRows(ctx, found.events, opt); err != nil {
		return err
	}
	for i, e := range found.events {
		told.table, told.paused, told.times, told.apart = e.Table, e.derive, &e.times, e.kind == v1Pageviews || found.mixed()
		err := e.Each(ctx, func(row *rows.Row) error { return told.row(ctx, i, row) })
		if err != nil {
			return err
		}
	}
	return nil
}

// ofVisitor are the columns of the session table that events of other
// databases have themselves.
var ofVisitor = []string{"browser", "os", "device", "country", "hostname", "region", "subdivision1", "city", "language", "screen"}

// visitorTable sorts the session tables by their ids, on disk.
func visitorTable(ctx context.Context, sessions []*rows.Table, opt adapters.Options) (*spill.Index, error) {
	return sortedTables(ctx, sessions, opt, func(cell func(...string) string) (id, value string) {
		cells := make([]string, len(ofVisitor))
		for i, column := range ofVisitor {
			cells[i] = strings.ReplaceAll(cell(column), "\x00", "") // which parts them
		}
		return cell("session_id"), strings.Join(cells, "\x00")
	})
}

// propertyNames sorts the names of events' properties by the events' ids, on disk.
func propertyNames(ctx context.Context, data []*rows.Table, opt adapters.Options) (*spill.Index, error) {
	return sortedTables(ctx, data, opt, func(cell func(...string) string) (id, value string) {
		name := cell("data_key", "event_key")
		if object := cell("event_data"); name == "" && object != "" {
			var members map[string]any
			if json.Unmarshal([]byte(object), &members) == nil {
				name = strings.Join(slices.Collect(maps.Keys(members)), " ")
			}
		}
		return cell("website_event_id", "event_id"), name
	})
}

// sortedTables sorts what read returns of each row; nil where there is no table.
func sortedTables(ctx context.Context, tables []*rows.Table, opt adapters.Options, read func(cell func(...string) string) (id, value string)) (*spill.Index, error) {
	if len(tables) == 0 {
		return nil, nil
	}
	s := &spill.Sorter{Dir: opt.TempDir}
	defer s.Close()
	for _, t := range tables {
		err := t.Each(ctx, func(row *rows.Row) error {
			if row.Err != nil {
				return nil
			}
			id, value := read(func(columns ...string) string { return cellOf(t, row, columns...) })
			return s.Add([]byte(strings.ToLower(id)), []byte(value))
		})
		if err != nil {
			return nil, err
		}
	}
	return spill.NewIndex(ctx, s)
}

// repeatedRows finds the rows with an event_id that an earlier one has. One that
// is no UUID is no one's own without the visitor and the time.
func repeatedRows(ctx context.Context, tables []*eventTable, opt adapters.Options) (*adapters.Repeats, error) {
	finder := adapters.RepeatFinder{Dir: opt.TempDir}
	defer finder.Close()
	for i, e := range tables {
		err := e.Each(ctx, func(row *rows.Row) error {
			cell := func(columns ...string) string { return cellOf(e.Table, row, columns...) }
			if row.Err != nil || timeOf(cell("created_at"), &e.times) == 0 {
				return nil
			}
			id := cell("event_id", "view_id", "id")
			if strings.Trim(id, "0-") == "" || id == cell("session_id") {
				return nil
			}
			if strings.Count(id, "-") != 4 || len(id) != 36 {
				id = strings.Join([]string{fmt.Sprint(e.kind), id, cell("session_id"), fmt.Sprint(timeOf(cell("created_at"), &e.times))}, "\x00")
			}
			return finder.Add(i, adapters.Identified{ID: adapters.IDOf(id), Row: row.Number})
		})
		if err != nil {
			return nil, err
		}
	}
	return finder.Find(ctx)
}

// cellOf returns the cell of the first of the columns that t has.
func cellOf(t *rows.Table, row *rows.Row, columns ...string) string {
	i := t.Column(columns...)
	if i < 0 {
		return ""
	}
	return row.Cells[i]
}

// teller makes facts of rows.
type teller struct {
	website         string // in lower case; empty for all
	visitors, names *spill.Index
	repeats         *adapters.Repeats
	yield           func(*recount.Fact) error

	table  *rows.Table
	paused bool
	apart  bool // properties may be another kind of event's with the same id
	times  *adapters.Times
}

func (t *teller) close() (err error) {
	for _, ix := range []*spill.Index{t.visitors, t.names} {
		if ix != nil {
			err = errors.Join(err, ix.Close())
		}
	}
	if t.repeats != nil {
		err = errors.Join(err, t.repeats.Close())
	}
	return err
}

func (t *teller) row(ctx context.Context, table int, row *rows.Row) error {
	f := &recount.Fact{Origin: pipeline.Origin{Input: t.table.Input.Name, Row: row.Number}, Paused: t.paused}
	repeated, err := t.repeats.Take(ctx, table, row.Number+1)
	if err != nil {
		return err
	}
	if row.Err != nil {
		return t.yield(f)
	}
	cell := func(columns ...string) string { return cellOf(t.table, row, columns...) }
	f.At = timeOf(cell("created_at"), t.times)
	f.Visitor = cell("session_id")
	if visit := cell("visit_id"); visit != "00000000-0000-0000-0000-000000000000" && visit != f.Visitor {
		f.Session = visit
	}
	if err := t.client(f, cell); err != nil {
		return err
	}
	t.page(f, cell)
	known := t.kind(f, cell)
	if err := t.properties(f, cell); err != nil {
		return err
	}
	website := strings.ToLower(cell("website_id"))
	switch {
	case len(repeated) > 0, t.website != "" && website != "" && website != t.website, !known && f.Name == "":
		f.Fate = recount.LeftOut
	case f.Kind != pipeline.Vitals: // of which those without a measurement are left out
		f.Fate = recount.Counts
	}
	return t.yield(f)
}

// client tells the visitor's browser, screen, language and place.
func (t *teller) client(f *recount.Fact, cell func(...string) string) error {
	own := map[string]string{}
	for _, column := range ofVisitor {
		own[column] = cell(column)
	}
	placed := own["country"]+own["region"]+own["subdivision1"]+own["city"] != ""
	if t.visitors != nil {
		var cells []string
		if err := t.visitors.Lookup([]byte(strings.ToLower(f.Visitor)), func(value []byte) { cells = strings.Split(string(value), "\x00") }); err != nil {
			return err
		}
		for i, value := range cells {
			place := slices.Contains([]string{"country", "region", "subdivision1", "city"}, ofVisitor[i])
			if column := ofVisitor[i]; own[column] == "" && !(place && placed) {
				own[column] = value
			}
		}
	}
	f.Browser, f.OS, f.Device, f.Country, f.Host = own["browser"], own["os"], own["device"], own["country"], own["hostname"]
	f.Region, f.City, f.Language = cmp.Or(own["region"], own["subdivision1"]), own["city"], own["language"]
	var width, height uint16
	if n, _ := fmt.Sscanf(own["screen"], "%dx%d", &width, &height); n == 2 && own["screen"] == fmt.Sprintf("%dx%d", width, height) && width > 0 && height > 0 {
		f.Screen = own["screen"]
	}
	return nil
}

// page tells the page, its query and title, and the referrer.
func (t *teller) page(f *recount.Fact, cell func(...string) string) {
	f.Page = cell("url_path", "url")
	if address, err := url.Parse(f.Page); err == nil && address.Host != "" && strings.HasPrefix(address.Scheme, "http") {
		f.Page = cmp.Or(address.EscapedPath(), "/")
		if address.RawQuery != "" {
			f.Page += "?" + address.RawQuery
		}
		f.Host = cmp.Or(f.Host, address.Host)
	}
	var inPage string
	if _, inPage, _ = strings.Cut(f.Page, "?"); inPage != "" {
		inPage = strings.TrimLeft(inPage, "?") + "&"
	}
	query := strings.TrimSuffix(inPage+strings.TrimLeft(cell("url_query"), "?"), "&")
	for _, name := range campaignParameters {
		has := "&" + strings.ToLower(query) + "&"
		if value := cell(name); value != "" && !strings.Contains(has, "&"+name+"=") && !strings.Contains(has, "&"+name+"&") {
			query = strings.TrimPrefix(query+"&"+name+"="+url.QueryEscape(value), "&")
		}
	}
	f.Query = cmp.Or(query, recount.None)
	f.Title = cmp.Or(cell("page_title"), recount.None)

	f.Referrer = recount.None
	switch domain, path := cell("referrer_domain"), cell("referrer_path", "referrer"); {
	case strings.Contains(domain, "://"):
		f.Referrer = domain
	case domain != "":
		f.Referrer = "https://" + domain
	case path != "" && path[0] != '/':
		f.Referrer = path
	}
}

// kind tells what happened, and reports whether the row says so.
func (t *teller) kind(f *recount.Fact, cell func(...string) string) (known bool) {
	f.Name = cell("event_name")
	kind := strings.TrimSuffix(strings.Trim(cell("event_type"), "'\""), ".0")
	switch {
	case t.table.Column("url_path") >= 0, t.table.Column("event_type") >= 0 && t.table.Column("event_name") >= 0: // since version 2
		if f.Kind, known = kinds[strings.ToLower(kind)]; !known && f.Name != "" {
			f.Kind = pipeline.Custom
		}
		return known || kind == ""
	case t.table.Column("event_name", "event_value") >= 0: // version 1
		f.Kind = pipeline.Custom
		for _, name := range []string{cell("event_value"), kind} {
			if f.Name == "" {
				f.Name = name
			}
		}
	}
	return true
}

// properties tells the names of the event's properties.
func (t *teller) properties(f *recount.Fact, cell func(...string) string) error {
	if t.apart {
		return nil
	}
	var names []string
	if data := cell("event_data"); t.table.Column("url_path") >= 0 && data != "" {
		var members map[string]any
		var list []map[string]any
		if json.Unmarshal([]byte(data), &members) == nil {
			names = append(names, slices.Collect(maps.Keys(members))...)
		} else if json.Unmarshal([]byte(data), &list) == nil {
			for _, one := range list {
				for _, key := range []string{"data_key", "dataKey"} {
					if name, is := one[key].(string); is {
						names = append(names, name)
					}
				}
			}
		}
	}
	if id := strings.ToLower(cell("event_id", "id")); t.names != nil && id != "" {
		if err := t.names.Lookup([]byte(id), func(value []byte) { names = append(names, string(value)) }); err != nil {
			return err
		}
	}
	if cell("tag") != "" {
		names = append(names, "tag")
	}
	if t.table.Column("url_path") < 0 && cell("event_value") != "" && cell("event_name") == "" && cell("event_type") != "" {
		names = append(names, "event_type")
	}
	const few = 20 // of more, not all may be sent
	if len(names) <= few {
		f.Properties = cmp.Or(strings.Join(names, " "), recount.None)
	}
	return nil
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
