package plausible

import (
	"cmp"
	"context"
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"hopper/adapters"
	"hopper/adapters/input/rows"
	"hopper/adapters/plausible/cities"
	"hopper/pipeline"
	"hopper/pipeline/recount"
)

// tell yields what the rows of an event dump say, for [recount.Compare]. It
// shares with the translation which tables there are, how text is cut into
// cells and which site is asked for; the rest it looks up by the columns' names. A site export holds sums:
// [verify] is for those.
func tell(ctx context.Context, found *tables, dir string, yield func(*recount.Fact) error) error {
	repeats, err := repeatedRows(ctx, found.events, dir)
	if err != nil {
		return err
	}
	if repeats != nil {
		defer repeats.Close()
	}
	for i, e := range found.events {
		if err := tellTable(ctx, i, e, repeats, yield); err != nil {
			return err
		}
	}
	return nil
}

// repeatedRows finds the rows that say what an earlier one says, but for equal
// ones that stand together.
func repeatedRows(ctx context.Context, tables []*eventTable, dir string) (*adapters.Repeats, error) {
	finder := adapters.RepeatFinder{Dir: dir}
	defer finder.Close()
	for i, e := range tables {
		var columns []int
		for _, name := range [...]string{"name", "event_name", "user_id", "session_id", "hostname", "pathname", "page", "site_id", "domain"} {
			if c := e.Column(name); c >= 0 {
				columns = append(columns, c)
			}
		}
		if e.meta >= 0 {
			columns = append(columns, e.meta)
		}
		values := e.Column("meta.value")
		at, kind := e.Column("timestamp", "time", "event_timestamp"), e.Column("name", "event_name")
		together, before := map[string]int{}, ""
		err := e.Each(ctx, func(row *rows.Row) error {
			if row.Err != nil || row.Cells[kind] == heartbeat {
				return nil
			}
			key := row.Cells[at]
			if key != before {
				before = strings.Clone(key)
				clear(together)
			}
			if moment := momentOf(key, e.times); moment != 0 {
				key = moment.Time().String()
			}
			for _, c := range columns {
				cell := row.Cells[c]
				if n, err := strconv.ParseInt(cell, 10, 64); err == nil && n < 0 { // as Avro has it
					cell = strconv.FormatUint(uint64(n), 10)
				}
				key += "\x1f" + cell
			}
			if values >= 0 {
				key += "\x1f" + strings.Map(withoutQuotes, row.Literal(values))
			}
			together[key]++
			return finder.Add(i, adapters.Identified{ID: adapters.IDOf(key + "\x1f" + strconv.Itoa(together[key])), Row: row.Number})
		})
		if err != nil {
			return nil, err
		}
	}
	return finder.Find(ctx)
}

// withoutQuotes leaves out what dialects write differently in arrays.
func withoutQuotes(r rune) rune {
	if strings.ContainsRune("'\"\\ ", r) {
		return -1
	}
	return r
}

// heartbeat is the name of events that Plausible sends for itself.
const heartbeat = "engagement"

func tellTable(ctx context.Context, table int, e *eventTable, repeats *adapters.Repeats, yield func(*recount.Fact) error) error {
	kind, site := e.Column("name", "event_name"), e.Column("site_id", "domain")
	return e.Each(ctx, func(row *rows.Row) error {
		f := &recount.Fact{Origin: pipeline.Origin{Input: e.Input.Name, Row: row.Number}}
		again, err := repeats.Take(ctx, table, row.Number+1)
		if err != nil {
			return err
		}
		if row.Err == nil {
			for i, cell := range row.Cells {
				if e.isNull(cell) {
					row.Cells[i] = ""
				}
			}
			tellRow(f, e.Table, e.times, row)
			f.Fate = recount.Counts
			if len(again) > 0 || row.Cells[kind] == heartbeat || e.only != "" && site >= 0 && strings.TrimSuffix(row.Cells[site], ".0") != e.only {
				f.Fate = recount.LeftOut
			}
		}
		return yield(f)
	})
}

func tellRow(f *recount.Fact, t *rows.Table, times *adapters.Times, row *rows.Row) {
	cell := func(columns ...string) string {
		if i := t.Column(columns...); i >= 0 {
			return row.Cells[i]
		}
		return ""
	}
	f.At = momentOf(cell("timestamp", "time", "event_timestamp"), times)
	f.Visitor, f.Session = cell("user_id"), cell("session_id")
	for _, id := range []*string{&f.Visitor, &f.Session} {
		if n, err := strconv.ParseFloat(*id, 64); err == nil && n == 0 {
			*id = "" // nobody's
		}
	}
	f.Host, f.Page = cell("hostname"), cell("pathname", "page")
	if _, address, found := strings.Cut(f.Page, "://"); found && strings.HasPrefix(f.Page, "http") {
		_, f.Page, _ = strings.Cut(address, "/")
		f.Page = "/" + f.Page
	}
	f.Device, f.OS, f.Browser = cell("screen_size", "device"), cell("operating_system", "os"), cell("browser")
	f.Country = strings.Trim(cell("country_code", "country"), "\x00 ")

	if f.Region = cell("subdivision1_code", "region"); f.Region == "" {
		f.Region = cell("subdivision2_code")
	}
	f.City = cell("city_geoname_id", "city")
	if id, err := strconv.ParseUint(strings.TrimSuffix(f.City, ".0"), 10, 32); err == nil {
		f.City, _ = cities.Name(uint32(id))
	}
	if f.Source = cell("utm_source"); f.Source == "" {
		f.Source = recount.None
	}

	// A source without a referrer may become one, if it is a site's name.
	switch referrer, source := cell("referrer"), cell("referrer_source", "source"); {
	case strings.Contains(referrer, "."):
		f.Referrer = referrer
	case referrer == "" && source == "":
		f.Referrer = recount.None
	}
	f.BrowserVersion, f.OSVersion = cell("browser_version"), cell("operating_system_version", "os_version")
	if !strings.Contains(f.Page, "?") {
		f.Query = campaign(cell)
	}
	if f.Name = cell("name", "event_name"); f.Name != "pageview" {
		f.Kind = pipeline.Custom
	}
	f.Values = propertiesOf(t, row)
	earned(f, cell)
	if f.Name != "Outbound Link: Click" {
		return
	}
	for i, p := range f.Values {
		if p.Key == "url" && strings.Contains(p.Value, "://") {
			f.Kind, f.Link, f.Values = pipeline.Outbound, p.Value, slices.Delete(f.Values, i, i+1)
			return
		}
	}
}

// campaign returns the UTM values as a query.
func campaign(cell func(...string) string) string {
	var query []string
	for _, name := range [...]string{"utm_source", "utm_medium", "utm_campaign", "utm_content", "utm_term"} {
		if value := cell(name); value != "" {
			query = append(query, name+"="+url.QueryEscape(value))
		}
	}
	return cmp.Or(strings.Join(query, "&"), recount.None)
}

// propertiesOf returns the custom properties of a row, or nil where they are
// written in a way that is for the translation alone.
func propertiesOf(t *rows.Table, row *rows.Row) []pipeline.Property {
	out := []pipeline.Property{}
	if i := t.Column("meta", "props", "properties", "custom_props", "custom_properties"); i >= 0 {
		var members map[string]string
		if cell := row.Literal(i); cell != "" && json.Unmarshal([]byte(cell), &members) != nil {
			return nil
		}
		for key, value := range members {
			out = append(out, pipeline.Property{Key: key, Value: value})
		}
	}
	k, v := t.Column("meta.key"), t.Column("meta.value")
	if k < 0 || v < 0 {
		return out
	}
	keys, ok := between(row.Literal(k))
	values, fine := between(row.Literal(v))
	if !ok || !fine || len(keys) != len(values) {
		return nil
	}
	for i := range keys {
		out = append(out, pipeline.Property{Key: keys[i], Value: values[i]})
	}
	return out
}

// between returns what stands between an array's quotes, and reports whether no
// quote is within.
func between(array string) ([]string, bool) {
	array = strings.TrimSpace(array)
	if array == "" || array == "[]" {
		return nil, true
	}
	if len(array) < 4 || strings.Contains(array, `\`) {
		return nil, false
	}
	parts := strings.Split(array[1:len(array)-1], array[1:2])
	var out []string
	for i, part := range parts {
		switch within := strings.Trim(part, ", ") == ""; {
		case i%2 == 1:
			out = append(out, part)
		case !within, part == "" && i > 0 && i < len(parts)-1:
			return nil, false
		}
	}
	return out, len(parts)%2 == 1
}

// earned adds the revenue to the properties.
func earned(f *recount.Fact, cell func(...string) string) {
	amount, currency := cell("revenue_source_amount", "revenue_reporting_amount"), strings.Trim(cell("revenue_source_currency", "revenue_reporting_currency"), "\x00 ")
	n, err := strconv.ParseFloat(amount, 64)
	if amount == "" || f.Values == nil || n == 0 && currency == "" {
		return
	}
	if err != nil || strings.ContainsAny(currency, `\`) {
		f.Values = nil
		return
	}
	f.Values = append(f.Values, pipeline.Property{Key: "revenue", Value: strconv.FormatFloat(n, 'f', -1, 64)})
	if currency != "" {
		f.Values = append(f.Values, pipeline.Property{Key: "currency", Value: currency})
	}
}

// momentOf reads ClickHouse's DateTime, in UTC, or Unix seconds, and leaves the forms
// of other tools to the parser that all sources share; 0 is none.
func momentOf(s string, times *adapters.Times) pipeline.Micros {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil && len(s) == 10 {
		return pipeline.Micros(n * 1e6)
	}
	plain := s
	s = strings.TrimSuffix(s, " UTC")
	s = strings.Replace(s, "T", " ", 1)
	for _, layout := range []string{time.DateTime, time.DateTime + "Z07:00"} {
		if t, err := time.Parse(layout, s); err == nil {
			return pipeline.MicrosOf(t)
		}
	}
	at, _ := times.Parse(plain)
	return at
}
