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
	"strconv"
	"strings"
	"time"

	"hopper/adapters"
	"hopper/adapters/input/rows"
	"hopper/adapters/input/spill"
	"hopper/pipeline"
	"hopper/pipeline/recount"
)

// tellRows tells what the rows of the event tables say, for [recount.Compare]. It
// shares with the translation which tables there are, what their columns are
// called, how text is cut into cells, how a spreadsheet's dates are read and which
// website is asked for, each of which has tests of its own; the rest it looks up by
// the columns' names.
//
// Where visit_id is missing, as before version 2.11, visits follow from pauses.
func tellRows(ctx context.Context, found *tables, website string, opt adapters.Options, tell func(recount.Pieces) error) (err error) {
	told := &joins{}
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
	return tell(func(piece func(recount.Piece) error) error {
		for i, e := range found.events {
			t := &teller{joins: told, website: strings.ToLower(website), eventTable: e, apart: e.kind == v1Pageviews || found.mixed(), columns: columnsTold(e.Table)}
			err := e.EachChunk(ctx, func(chunk *rows.Chunk) error {
				repeated, err := told.repeats.Take(ctx, i, chunk.EndRow)
				if err != nil {
					return err
				}
				return piece(func(yield func(*recount.Fact)) error { return t.chunk(chunk, repeated, yield) })
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// ofVisitor are the columns of the session table that events of other
// databases have themselves.
var ofVisitor = [...]string{
	browser: "browser", system: "os", device: "device", country: "country", hostname: "hostname", region: "region", subdivision: "subdivision1", city: "city",
	language: "language", screen: "screen",
}

const (
	browser = iota
	system
	device
	country
	hostname
	region
	subdivision
	city
	language
	screen
)

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
		createdAt, event, session := e.Column("created_at"), e.Column("event_id", "view_id", "id"), e.Column("session_id")
		err := e.Each(ctx, func(row *rows.Row) error {
			if row.Err != nil {
				return nil
			}
			at := timeOf(row.Cell(createdAt), &e.times)
			if at == 0 {
				return nil
			}
			id := row.Cell(event)
			if strings.Trim(id, "0-") == "" || id == row.Cell(session) {
				return nil
			}
			if strings.Count(id, "-") != 4 || len(id) != 36 {
				id = strings.Join([]string{fmt.Sprint(e.kind), id, row.Cell(session), fmt.Sprint(at)}, "\x00")
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

// joins are what rows are joined with.
type joins struct {
	visitors, names *spill.Index
	repeats         *adapters.Repeats
}

func (t *joins) close() (err error) {
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

// teller makes facts of the rows of a table. Any number of goroutines may use it.
type teller struct {
	*joins
	website string // in lower case; empty for all
	*eventTable
	apart   bool // properties may be another kind of event's with the same id
	columns *toldColumns
}

// toldColumns are where a table has the columns that are told; -1 is nowhere.
type toldColumns struct {
	createdAt, session, visit, website, event                     int
	page, path, query, title, referrerDomain, referrer            int
	eventType, eventName, eventValue, eventData, tag, nameOrValue int
	ofVisitor                                                     [len(ofVisitor)]int
	campaign                                                      []int
}

func columnsTold(t *rows.Table) *toldColumns {
	c := &toldColumns{
		createdAt: t.Column("created_at"), session: t.Column("session_id"), visit: t.Column("visit_id"), website: t.Column("website_id"),
		event: t.Column("event_id", "id"), page: t.Column("url_path", "url"), path: t.Column("url_path"), query: t.Column("url_query"),
		title: t.Column("page_title"), referrerDomain: t.Column("referrer_domain"), referrer: t.Column("referrer_path", "referrer"),
		eventType: t.Column("event_type"), eventName: t.Column("event_name"), eventValue: t.Column("event_value"),
		eventData: t.Column("event_data"), tag: t.Column("tag"), nameOrValue: t.Column("event_name", "event_value"),
	}
	for i, name := range ofVisitor {
		c.ofVisitor[i] = t.Column(name)
	}
	for _, name := range campaignParameters {
		c.campaign = append(c.campaign, t.Column(name))
	}
	return c
}

// chunk tells the rows of a chunk, of which some repeat earlier ones.
func (t *teller) chunk(chunk *rows.Chunk, repeated []int64, yield func(*recount.Fact)) error {
	for row := range chunk.Rows() {
		f := recount.Fact{Origin: pipeline.Origin{Input: t.Input.Name, Row: row.Number}, Paused: t.derive}
		if row.Err == nil {
			for len(repeated) > 0 && repeated[0] < row.Number {
				repeated = repeated[1:]
			}
			if err := t.row(&f, row, len(repeated) > 0 && repeated[0] == row.Number); err != nil {
				return err
			}
		}
		yield(&f)
	}
	chunk.Release()
	return chunk.Err()
}

func (t *teller) row(f *recount.Fact, row *rows.Row, repeated bool) error {
	f.At = timeOf(row.Cell(t.columns.createdAt), &t.times)
	f.Visitor = row.Cell(t.columns.session)
	if visit := row.Cell(t.columns.visit); visit != "00000000-0000-0000-0000-000000000000" && visit != f.Visitor {
		f.Session = visit
	}
	if err := t.client(f, row); err != nil {
		return err
	}
	t.page(f, row)
	known := t.kind(f, row)
	if err := t.properties(f, row); err != nil {
		return err
	}
	website := strings.ToLower(row.Cell(t.columns.website))
	switch {
	case repeated, t.website != "" && website != "" && website != t.website, !known && f.Name == "":
		f.Fate = recount.LeftOut
	case f.Kind != pipeline.Vitals: // of which those without a measurement are left out
		f.Fate = recount.Counts
	}
	return nil
}

// client tells the visitor's browser, screen, language and place.
func (t *teller) client(f *recount.Fact, row *rows.Row) error {
	var own [len(ofVisitor)]string
	for i, column := range t.columns.ofVisitor {
		own[i] = row.Cell(column)
	}
	if t.visitors != nil {
		placed := own[country]+own[region]+own[subdivision]+own[city] != ""
		var cells []string
		if err := t.visitors.Lookup([]byte(strings.ToLower(f.Visitor)), func(value []byte) { cells = strings.Split(string(value), "\x00") }); err != nil {
			return err
		}
		for i, value := range cells {
			place := i == country || i == region || i == subdivision || i == city
			if own[i] == "" && !(place && placed) {
				own[i] = value
			}
		}
	}
	f.Browser, f.OS, f.Device, f.Country, f.Host = own[browser], own[system], own[device], own[country], own[hostname]
	f.Region, f.City, f.Language = cmp.Or(own[region], own[subdivision]), own[city], own[language]
	if width, height, _ := strings.Cut(own[screen], "x"); isPixels(width) && isPixels(height) {
		f.Screen = own[screen]
	}
	return nil
}

// isPixels reports whether a text is a number from 1 to 65535, written plainly.
func isPixels(s string) bool {
	n, err := strconv.ParseUint(s, 10, 16)
	return err == nil && n > 0 && s[0] != '0'
}

// page tells the page, its query and title, and the referrer.
func (t *teller) page(f *recount.Fact, row *rows.Row) {
	f.Page = row.Cell(t.columns.page)
	if strings.Contains(f.Page, "://") {
		if address, err := url.Parse(f.Page); err == nil && address.Host != "" && strings.HasPrefix(address.Scheme, "http") {
			f.Page = cmp.Or(address.EscapedPath(), "/")
			if address.RawQuery != "" {
				f.Page += "?" + address.RawQuery
			}
			f.Host = cmp.Or(f.Host, address.Host)
		}
	}
	var inPage string
	if _, inPage, _ = strings.Cut(f.Page, "?"); inPage != "" {
		inPage = strings.TrimLeft(inPage, "?") + "&"
	}
	query := strings.TrimSuffix(inPage+strings.TrimLeft(row.Cell(t.columns.query), "?"), "&")
	for i, name := range campaignParameters {
		value := row.Cell(t.columns.campaign[i])
		if value == "" {
			continue
		}
		has := "&" + strings.ToLower(query) + "&"
		if !strings.Contains(has, "&"+name+"=") && !strings.Contains(has, "&"+name+"&") {
			query = strings.TrimPrefix(query+"&"+name+"="+url.QueryEscape(value), "&")
		}
	}
	f.Query = cmp.Or(query, recount.None)
	f.Title = cmp.Or(row.Cell(t.columns.title), recount.None)

	f.Referrer = recount.None
	switch domain, path := row.Cell(t.columns.referrerDomain), row.Cell(t.columns.referrer); {
	case strings.Contains(domain, "://"):
		f.Referrer = domain
	case domain != "":
		f.Referrer = "https://" + domain
	case path != "" && path[0] != '/':
		f.Referrer = path
	}
}

// kind tells what happened, and reports whether the row says so.
func (t *teller) kind(f *recount.Fact, row *rows.Row) (known bool) {
	c := t.columns
	f.Name = row.Cell(c.eventName)
	kind := strings.TrimSuffix(strings.Trim(row.Cell(c.eventType), "'\""), ".0")
	switch {
	case c.path >= 0, c.eventType >= 0 && c.eventName >= 0: // since version 2
		if f.Kind, known = kinds[strings.ToLower(kind)]; !known && f.Name != "" {
			f.Kind = pipeline.Custom
		}
		return known || kind == ""
	case c.nameOrValue >= 0: // version 1
		f.Kind = pipeline.Custom
		for _, name := range []string{row.Cell(c.eventValue), kind} {
			if f.Name == "" {
				f.Name = name
			}
		}
	}
	return true
}

// properties tells the names of the event's properties.
func (t *teller) properties(f *recount.Fact, row *rows.Row) error {
	if t.apart {
		return nil
	}
	c := t.columns
	var names []string
	if data := row.Cell(c.eventData); c.path >= 0 && data != "" {
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
	if id := row.Cell(c.event); t.names != nil && id != "" {
		if err := t.names.Lookup([]byte(strings.ToLower(id)), func(value []byte) { names = append(names, string(value)) }); err != nil {
			return err
		}
	}
	if row.Cell(c.tag) != "" {
		names = append(names, "tag")
	}
	if c.path < 0 && row.Cell(c.eventValue) != "" && row.Cell(c.eventName) == "" && row.Cell(c.eventType) != "" {
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
	if at, ok := plainTime(s); ok && zone == time.UTC {
		return at
	}
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

// plainTime reads 2024-05-01 08:20:00 in UTC, and leaves what is not quite that.
func plainTime(s string) (pipeline.Micros, bool) {
	const form = "0000-00-00 00:00:00"
	if len(s) != len(form) {
		return 0, false
	}
	var numbers [6]int
	n := 0
	for i := range len(form) {
		switch digit := s[i] - '0'; {
		case form[i] == '0' && digit <= 9:
			numbers[n] = 10*numbers[n] + int(digit)
		case form[i] != '0' && s[i] == form[i]:
			n++
		default:
			return 0, false
		}
	}
	at := time.Date(numbers[0], time.Month(numbers[1]), numbers[2], numbers[3], numbers[4], numbers[5], 0, time.UTC)
	// What is out of range comes out as another time.
	return pipeline.MicrosOf(at), at.Month() == time.Month(numbers[1]) && at.Day() == numbers[2] && at.Hour() == numbers[3] && at.Minute() == numbers[4]
}
