package main

import (
	"archive/zip"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
)

// writeGA writes the events of GA4's export to BigQuery.
func writeGA(w io.Writer, events int) error {
	c := newCrowd(2)
	type object = map[string]any
	type visitor struct {
		id, session string
		number      int
		device, geo json.RawMessage
	}
	open := make([]visitor, 300)
	at := time.Date(2024, 3, 5, 0, 0, 0, 0, time.UTC)
	text := func(key, value string) object { return object{"key": key, "value": object{"string_value": value}} }
	number := func(key string, value any) object {
		return object{"key": key, "value": object{"int_value": fmt.Sprint(value)}}
	}
	encoder := json.NewEncoder(w)
	for n := range events {
		at = at.Add(time.Duration(c.IntN(2_000_000)) * time.Microsecond)
		v := &open[c.IntN(len(open))]
		if v.id == "" || c.IntN(8) == 0 {
			where := c.place()
			device, _ := json.Marshal(object{"category": c.of("desktop", "mobile", "tablet"), "operating_system": c.of("Windows", "iOS", "Android", "Macintosh"),
				"operating_system_version": c.of("10", "17.3", "14"), "language": c.of("en-us", "de-de", "en-gb"),
				"web_info": object{"browser": c.of("Chrome", "Safari", "Firefox", "Edge"), "browser_version": c.of("122.0.6261.94", "17.3", "123.0"), "hostname": "shop.garden.example"}})
			geo, _ := json.Marshal(object{"continent": "Europe", "country": where.name, "region": where.regionName, "city": where.city})
			*v = visitor{fmt.Sprintf("%d.%d", c.IntN(1+n/3)+1_000_000, 1_700_000_000), fmt.Sprint(at.Unix()), 1 + c.IntN(5), device, geo}
		}
		path, title := page(c.pages.Uint64())
		err := encoder.Encode(object{
			"event_date": at.Format("20060102"), "event_timestamp": fmt.Sprint(at.UnixMicro()), "event_name": c.of("page_view", "scroll", "user_engagement", "add_to_cart"),
			"user_pseudo_id": v.id, "device": v.device, "geo": v.geo, "traffic_source": object{"name": "(direct)", "medium": "(none)", "source": "(direct)"},
			"collected_traffic_source": object{"manual_source": c.of("newsletter", "google"), "manual_medium": c.of("email", "cpc")},
			"stream_id":                "3141592653", "platform": "WEB", "is_active_user": true, "batch_event_index": fmt.Sprint(1 + n%4), "batch_page_id": fmt.Sprint(at.UnixMilli()),
			"event_params": []object{text("page_location", "https://shop.garden.example"+path+c.of("", "?q=red+pots")), text("page_title", title),
				number("ga_session_id", v.session), number("ga_session_number", v.number), text("session_engaged", "1"),
				text("page_referrer", c.of("https://www.google.com/", "https://shop.garden.example/", "https://reddit.com/r/gardening")), number("engagement_time_msec", c.IntN(20_000))},
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// visit is a visit of which Plausible keeps the sums of its day.
type visit struct {
	pages           []string
	visitor, second int
	source, browser string
	os, device      string
	place           place
}

// siteSize is how large the site of a Plausible export is.
type siteSize struct{ days, visits, pages int }

// visitsOf returns the visits of a day, about as many as the site has a day.
func (s siteSize) visitsOf(day int) []visit {
	c := newCrowd(uint64(1000 + day))
	fewest := s.visits * 2 / 3
	visits := make([]visit, fewest+c.IntN(fewest))
	for i := range visits {
		v := &visits[i]
		*v = visit{visitor: c.IntN(len(visits)), second: c.IntN(600), source: c.of("Direct / None", "Google", "Reddit"), browser: c.of("Chrome", "Safari", "Firefox"),
			os: c.of("Windows", "iOS", "Mac"), device: c.of("Desktop", "Mobile", "Tablet"), place: c.place()}
		for range 1 + c.IntN(5) {
			path, _ := page(c.pages.Uint64() % uint64(s.pages))
			v.pages = append(v.pages, path)
		}
		if len(v.pages) == 1 {
			v.second = 0
		}
	}
	return visits
}

// sums are a row of one of Plausible's tables.
type sums struct {
	visitors                        map[int]bool
	visits, seconds, bounces, views int
}

// table is one of Plausible's tables: how a visit is named in it, and its columns.
type table struct {
	name, keys string
	of         func(v *visit) string
	measures   string
}

// usual are the measures of most tables.
const usual = "visitors,visits,visit_duration,bounces,pageviews"

var tables = []table{
	{"visitors", "", func(*visit) string { return "" }, "visitors,pageviews,bounces,visits,visit_duration"},
	{"sources", "source,referrer,utm_source,utm_medium,utm_campaign,utm_content,utm_term", func(v *visit) string { return v.source + ",,,,,," },
		"pageviews,visitors,visits,visit_duration,bounces"},
	{"entry_pages", "entry_page", func(v *visit) string { return v.pages[0] }, "visitors,entrances,visit_duration,bounces,pageviews"},
	{"exit_pages", "exit_page", func(v *visit) string { return v.pages[len(v.pages)-1] }, "visitors,visit_duration,exits,bounces,pageviews"},
	{"locations", "country,region,city", func(v *visit) string { return v.place.code + "," + v.place.region + "," + v.place.geoname }, usual},
	{"devices", "device", func(v *visit) string { return v.device }, usual},
	{"browsers", "browser,browser_version", func(v *visit) string { return v.browser + ",122.0" }, usual},
	{"operating_systems", "operating_system,operating_system_version", func(v *visit) string { return v.os + ",10" }, usual},
}

// writePlausible writes the sums of days.
func writePlausible(w io.Writer, site siteSize) error {
	archive := zip.NewWriter(w)
	first := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	period := first.Format("20060102") + "_" + first.AddDate(0, 0, site.days-1).Format("20060102")
	for _, t := range append(tables, table{name: "pages"}) {
		out, err := archive.Create("imported_" + t.name + "_" + period + ".csv")
		if err != nil {
			return err
		}
		header := "date," + t.keys + "," + t.measures
		if t.name == "pages" {
			header = "date,hostname,page,visits,visitors,pageviews,total_scroll_depth,total_scroll_depth_visits,total_time_on_page,total_time_on_page_visits"
		}
		if _, err := fmt.Fprintln(out, strings.ReplaceAll(header, ",,", ",")); err != nil {
			return err
		}
		for day := range site.days {
			date, write := first.AddDate(0, 0, day).Format(time.DateOnly), t.write
			if t.name == "pages" {
				write = writePages
			}
			if err := write(out, date, site.visitsOf(day)); err != nil {
				return err
			}
		}
	}
	return archive.Close()
}

func (t table) write(w io.Writer, date string, visits []visit) error {
	byKey := make(map[string]*sums)
	for i := range visits {
		v := &visits[i]
		s := byKey[t.of(v)]
		if s == nil {
			s = &sums{visitors: make(map[int]bool)}
			byKey[t.of(v)] = s
		}
		s.visitors[v.visitor] = true
		s.visits, s.seconds, s.views = s.visits+1, s.seconds+v.second, s.views+len(v.pages)
		if len(v.pages) == 1 {
			s.bounces++
		}
	}
	for _, key := range slices.Sorted(maps.Keys(byKey)) {
		s := byKey[key]
		row := []string{date}
		if t.keys != "" {
			row = append(row, key)
		}
		for name := range strings.SplitSeq(t.measures, ",") {
			row = append(row, fmt.Sprint(s.of(name)))
		}
		if _, err := fmt.Fprintln(w, strings.Join(row, ",")); err != nil {
			return err
		}
	}
	return nil
}

func (s *sums) of(measure string) int {
	switch measure {
	case "visitors":
		return len(s.visitors)
	case "visit_duration":
		return s.seconds
	case "bounces":
		return s.bounces
	case "pageviews":
		return s.views
	}
	return s.visits
}

func writePages(w io.Writer, date string, visits []visit) error {
	type seen struct {
		visits, visitors map[int]bool
		views            int
	}
	byPage := make(map[string]*seen)
	for i := range visits {
		for _, path := range visits[i].pages {
			s := byPage[path]
			if s == nil {
				s = &seen{visits: make(map[int]bool), visitors: make(map[int]bool)}
				byPage[path] = s
			}
			s.visits[i], s.visitors[visits[i].visitor] = true, true
			s.views++
		}
	}
	for _, path := range slices.Sorted(maps.Keys(byPage)) {
		s := byPage[path]
		if _, err := fmt.Fprintf(w, "%s,garden.example,%s,%d,%d,%d,0,0,0,0\n", date, path, len(s.visits), len(s.visitors), s.views); err != nil {
			return err
		}
	}
	return nil
}
