package umami

import (
	"context"
	"slices"
	"strings"

	"hopper/adapters"
	"hopper/adapters/input"
	"hopper/adapters/input/rows"
	"hopper/pipeline"
)

// tablesOf returns an input's tables, each with columns whose names say what
// they hold.
func tablesOf(ctx context.Context, in *input.Input, inputs []*input.Input) ([]*rows.Table, error) {
	all, err := rows.FindAmong(ctx, in, inputs)
	for i, t := range all {
		t.NullWord = "NULL"
		if columns := orderOf(ctx, t); columns != nil {
			t = t.Headless(columns)
			all[i] = t
		}
		if broken := t.Unfold(ctx, columnsRead, "event_data"); broken != nil && err == nil {
			err = broken
		}
		t.Unqualify(slices.Concat(columnsRead, []string{"subdivision1"})...)
		resolve(t)
		if word, found := nullWordOf(ctx, t); found {
			t.NullWord = word
		}
	}
	return all, err
}

// nullWordOf returns the word that text has for values that are not there, if it is
// none of those that are always known. It stands where no value is such a word: for a
// domain, a country, or the name of a pageview.
func nullWordOf(ctx context.Context, t *rows.Table) (word string, found bool) {
	places := []int{t.Column("referrer_domain"), t.Column("country")}
	kind, name := t.Column("event_type"), t.Column("event_name")
	if !t.MayHaveNullWord() || max(places[0], places[1], min(kind, name)) < 0 {
		return "", false
	}
	sample, err := t.Sample(ctx)
	if err != nil {
		return "", false // whoever reads the table says why
	}
	for row := range sample.Rows() {
		if row.Err != nil {
			continue
		}
		get := cells(row.Cells)
		for _, column := range places {
			if word = get.at(column); rows.IsNullWord(word) {
				return strings.Clone(word), true
			}
		}
		if word = get.at(name); strings.TrimSuffix(get.at(kind), ".0") == "1" && rows.IsNullWord(word) {
			return strings.Clone(word), true
		}
	}
	return "", false
}

// ofBoth are columns that the table of events shares with those that people
// join to it.
var ofBoth = []string{"created_at", "session_id", "website_id", "event_id", "hostname", "distinct_id", "event_name"}

// resolve chooses between columns of the same name in a join of events with
// other tables: the event's own stands nearest to its page.
func resolve(t *rows.Table) {
	pages := append(t.Positions("url_path"), t.Positions("url")...)
	if len(pages) != 1 {
		return
	}
	distance := func(i int) int { return max(i-pages[0], pages[0]-i) }
	for _, name := range ofBoth {
		all := t.Positions(name)
		if len(all) < 2 {
			continue
		}
		slices.SortFunc(all, func(a, b int) int { return distance(a) - distance(b) })
		if distance(all[0]) < distance(all[1]) {
			t.Resolve(name, all[0])
		}
	}
}

// The orders of columns of tables without a header: ClickHouse's since version
// 2.17, with web vitals and without, and those that migrations of PostgreSQL
// and MySQL have given the others, which append new columns.
var (
	clickhouseOrder = strings.Fields(`website_id session_id visit_id event_id hostname browser os device screen language country region city
		url_path url_query utm_source utm_medium utm_campaign utm_content utm_term referrer_path referrer_query referrer_domain page_title
		gclid fbclid msclkid ttclid li_fat_id twclid event_type event_name tag distinct_id created_at job_id`)
	clickhouseVitals = slices.Insert(slices.Clone(clickhouseOrder), slices.Index(clickhouseOrder, "event_type"), "lcp", "inp", "cls", "fcp", "ttfb")
	relationalOrder  = strings.Fields(`event_id website_id session_id created_at url_path url_query referrer_path referrer_query referrer_domain page_title
		event_type event_name visit_id tag fbclid gclid li_fat_id msclkid ttclid twclid utm_campaign utm_content utm_medium utm_source utm_term hostname
		lcp inp cls fcp ttfb`)
	sessionOrder = strings.Fields("session_id website_id browser os device screen language country region city created_at distinct_id")
	sessionOlder = strings.Fields("session_id website_id hostname browser os device screen language country subdivision1 subdivision2 city created_at")
	dataOrder    = strings.Fields("event_data_id website_id website_event_id data_key string_value number_value date_value data_type created_at")
)

// orderOf returns the columns of a table whose header is a row of values in a
// known order, else nil.
func orderOf(ctx context.Context, t *rows.Table) []string {
	if !headless(t) {
		return nil
	}
	n := len(t.Header)
	orders := [][]string{clickhouseOrder, clickhouseVitals, sessionOrder, sessionOrder[:len(sessionOrder)-1], sessionOlder, dataOrder}
	if n >= 12 && n <= len(relationalOrder) {
		orders = append(orders, relationalOrder[:n])
	}
	sample, err := t.Sample(ctx)
	if err != nil {
		return nil
	}
	orders = slices.DeleteFunc(orders, func(columns []string) bool { return len(columns) != n || !fits(columns, t.Header) })
	for row := range sample.Rows() {
		if row.Err == nil {
			orders = slices.DeleteFunc(orders, func(columns []string) bool { return !fits(columns, row.Cells) })
		}
	}
	if len(orders) != 1 {
		return nil
	}
	return orders[0]
}

// fits reports whether a row's cells can be those of columns.
func fits(columns, cells []string) bool {
	times := adapters.Times{}
	for i, column := range columns {
		cell, ok := cells[i], true
		switch column {
		case "event_id", "website_id", "session_id", "website_event_id", "event_data_id":
			ok = pipeline.IsUUID(cell)
		case "visit_id", "job_id":
			ok = cell == "" || cell == `\N` || pipeline.IsUUID(cell)
		case "created_at":
			_, ok = times.Parse(cell)
		case "event_type", "data_type":
			ok = len(cell) == 1 && '1' <= cell[0] && cell[0] <= '5'
		case "url_path":
			ok = strings.HasPrefix(cell, "/")
		}
		if !ok {
			return false
		}
	}
	return true
}

// headless reports whether a table's header is a row of Umami's values: a
// time among at least two identifiers.
func headless(t *rows.Table) bool {
	var times adapters.Times
	ids, dates := 0, 0
	for _, c := range t.Header {
		if _, ok := times.Parse(c); ok {
			dates++
		}
		if pipeline.IsUUID(c) {
			ids++
		}
	}
	return ids >= 2 && dates > 0
}
