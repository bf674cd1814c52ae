package plausible_test

import (
	"archive/zip"
	"bytes"
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"sort"
	"strconv"
	"strings"
	"time"
)

// A site is an invented site's visits, from which exports of all forms are made.
type site struct {
	days   []string
	visits [][]siteVisit // by day
}

type siteVisit struct {
	user, session uint64
	source        [7]string // source, referrer, UTM values
	place         [3]string // country, region, city id
	device        string
	browser       [2]string
	system        [2]string
	hits          []siteHit
}

type siteHit struct {
	at         time.Time
	name, path string
	link       string
	props      [][2]string
}

var (
	siteSources = [][7]string{
		{}, {"Google", "google.com"}, {"Direct / None"}, {"GitHub", "github.com/example/shop"},
		{"newsletter", "", "newsletter", "email", "spring sale", "", ""}, {"Hacker News", "news.ycombinator.com/item"},
		{"support", "help.example.net", "support", "email"}, {"DuckDuckGo", ""}, {"blog.example.org", "blog.example.org"},
		{"Google", "google.com", "", "(gclid)", "", "", ""}, {"twitter", "t.co", "twitter", "social", "launch", "card & image", "a+b"},
	}
	sitePlaces = [][3]string{
		{"DE", "DE-BE", "2950159"}, {"US", "US-NY", "5128581"}, {"FR", "FR-IDF", "2988507"}, {"GB", "GB-ENG", "2643743"},
		{"US", "US-CA", "5391959"}, {"JP", "JP-13", "1850147"}, {"BR", "BR-SP", "3448439"}, {"IN", "", "0"}, {"NL", "NL-NH", "2759794"},
		{"DE", "DE-BY", "2867714"}, {"SE", "SE-AB", "2673730"}, {"IT", "IT-62", "3169070"}, {},
	}
	siteClients = [][5]string{
		{"Desktop", "Chrome", "120.0", "Windows", "10"}, {"Mobile", "Safari", "17.1", "iOS", "17.1"}, {"Desktop", "Firefox", "121.0", "GNU/Linux", ""},
		{"Laptop", "Safari", "17.1", "Mac", "10.15"}, {"Mobile", "Chrome", "120.0", "Android", "14"}, {"Laptop", "Microsoft Edge", "120.0", "Windows", "11"},
		{"Tablet", "Safari", "16.6", "iOS", "16.6"}, {"Mobile", "Samsung Browser", "23.0", "Android", "13"}, {"Ultra-wide", "Chrome", "119.0", "Windows", "10"}, {},
	}
	sitePages = []string{"/", "/pricing", "/docs", "/blog", "/docs/install", "/about", "/blog/a-year-of-hopping", "/docs/faq", "/contact", "/legal, and terms", "/häfen", "/docs/api"}
)

func pick[T any](r *rand.Rand, of []T, skew float64) T {
	return of[int(float64(len(of))*math.Pow(r.Float64(), skew))]
}

// newSite draws visits: skewed, some visitors with several, some bounces, some
// custom events with properties on visits that are no bounce.
func newSite(seed uint64, first time.Time, days, visits int) *site {
	r := rand.New(rand.NewPCG(seed, 7))
	s := &site{}
	for d := range days {
		begin := first.AddDate(0, 0, d)
		s.days = append(s.days, begin.Format(time.DateOnly))
		var day []siteVisit
		n := visits/2 + r.IntN(visits+1)
		for len(day) < n {
			user := r.Uint64()
			place, client := pick(r, sitePlaces, 2), pick(r, siteClients, 2)
			for first := true; first || r.IntN(4) == 0 && len(day) < n; first = false {
				v := siteVisit{user: user, session: r.Uint64(), source: pick(r, siteSources, 1.6), place: place,
					device: client[0], browser: [2]string(client[1:3]), system: [2]string(client[3:5])}
				at := begin.Add(time.Duration(r.IntN(80_000)) * time.Second)
				view := func() { v.hits = append(v.hits, siteHit{at: at, name: "pageview", path: pick(r, sitePages, 2)}) }
				view()
				if r.IntN(5) > 2 {
					for more := 1 + int(math.Exp(r.NormFloat64()*0.8)); more > 0; more-- {
						if r.IntN(4) == 0 {
							v.hits = append(v.hits, drawEvent(r, at.Add(time.Second), v.hits[0].path))
						}
						at = at.Add(time.Duration(1+int(math.Exp(3+r.NormFloat64()))) * time.Second)
						view()
					}
				}
				day = append(day, v)
			}
		}
		s.visits = append(s.visits, day)
	}
	return s
}

func drawEvent(r *rand.Rand, at time.Time, path string) siteHit {
	h := siteHit{at: at, path: path}
	switch r.IntN(5) {
	case 0, 1:
		h.name = "Signup"
		h.props = [][2]string{{"plan", pick(r, []string{"free", "team", "it's \"big\""}, 2)}}
	case 2:
		h.name, h.link = "Outbound Link: Click", pick(r, []string{"https://example.org/", "https://example.com/a?b=c,d"}, 1)
		h.props = [][2]string{{"url", h.link}}
	case 3:
		h.name, h.link = "File Download", "https://shop.example.com/list.pdf"
		h.props = [][2]string{{"url", h.link}}
	case 4:
		h.name = "404"
		h.path = "/gone"
		h.props = [][2]string{{"path", "/gone"}}
	}
	if r.IntN(3) == 0 {
		h.props = append(h.props, [2]string{"theme", pick(r, []string{"dark", "light"}, 1)})
	}
	return h
}

// sheet is a table of an export.
type sheet struct {
	name    string
	columns []string
	rows    [][]string
}

type sheetRow struct {
	users                                      map[uint64]bool
	visits, bounces, pageviews, duration, hits int
	sessions                                   map[uint64]bool
}

// sums makes the site export's tables, as Plausible's queries sum them up.
func (s *site) sums() []sheet {
	define := []sheet{
		{name: "visitors", columns: strings.Fields("date visitors pageviews bounces visits visit_duration")},
		{name: "sources", columns: strings.Fields("date source referrer utm_source utm_medium utm_campaign utm_content utm_term pageviews visitors visits visit_duration bounces")},
		{name: "pages", columns: strings.Fields("date hostname page visits visitors pageviews total_scroll_depth total_scroll_depth_visits total_time_on_page total_time_on_page_visits")},
		{name: "entry_pages", columns: strings.Fields("date entry_page visitors entrances visit_duration bounces pageviews")},
		{name: "exit_pages", columns: strings.Fields("date exit_page visitors visit_duration exits bounces pageviews")},
		{name: "custom_events", columns: strings.Fields("date name link_url path visitors events")},
		{name: "custom_props", columns: strings.Fields("date property value visitors events")},
		{name: "locations", columns: strings.Fields("date country region city visitors visits visit_duration bounces pageviews")},
		{name: "devices", columns: strings.Fields("date device visitors visits visit_duration bounces pageviews")},
		{name: "browsers", columns: strings.Fields("date browser browser_version visitors visits visit_duration bounces pageviews")},
		{name: "operating_systems", columns: strings.Fields("date operating_system operating_system_version visitors visits visit_duration bounces pageviews")},
	}
	days := map[string]map[string]map[string]*sheetRow{}
	for d, date := range s.days {
		on := func(date, table string, key ...string) *sheetRow {
			if days[date] == nil {
				days[date] = map[string]map[string]*sheetRow{}
			}
			tables := days[date]
			if tables[table] == nil {
				tables[table] = map[string]*sheetRow{}
			}
			k := strings.Join(key, "\x00")
			if tables[table][k] == nil {
				tables[table][k] = &sheetRow{users: map[uint64]bool{}, sessions: map[uint64]bool{}}
			}
			return tables[table][k]
		}
		row := func(table string, user uint64, key ...string) *sheetRow {
			r := on(date, table, key...)
			r.users[user] = true
			return r
		}
		for _, v := range s.visits[d] {
			views := 0
			var entry, exit string
			for _, h := range v.hits {
				if h.name == "pageview" {
					views++
					if entry == "" {
						entry = h.path
					}
					exit = h.path
					// Pageviews count on their own day, all else where the visit began.
					today := h.at.Format(time.DateOnly)
					p := on(today, "pages", "shop.example.com", h.path)
					p.users[v.user] = true
					p.pageviews++
					p.sessions[v.session] = true
					on(today, "visitors").pageviews++
					continue
				}
				path := ""
				if h.name == "404" {
					path = h.path
				}
				row("custom_events", v.user, h.name, h.link, path).hits++
				for _, p := range h.props {
					if p[0] != "url" && p[0] != "path" {
						row("custom_props", v.user, p[0], p[1]).hits++
					}
				}
			}
			add := func(table string, key ...string) {
				t := row(table, v.user, key...)
				t.visits++
				if table != "visitors" {
					t.pageviews += views
				}
				t.duration += int(v.hits[len(v.hits)-1].at.Sub(v.hits[0].at).Seconds())
				if len(v.hits) == 1 {
					t.bounces++
				}
			}
			add("visitors")
			add("sources", v.source[:]...)
			add("entry_pages", entry)
			add("exit_pages", exit)
			if v.place[0] != "" {
				add("locations", v.place[:]...)
			}
			add("devices", v.device)
			add("browsers", v.browser[:]...)
			add("operating_systems", v.system[:]...)
		}
	}
	for _, date := range s.days {
		for i := range define {
			t, tables := &define[i], days[date]
			keys := make([]string, 0, len(tables[t.name]))
			for k := range tables[t.name] {
				keys = append(keys, k)
			}
			sort.Strings(keys)
			for _, k := range keys {
				t.rows = append(t.rows, t.cells(date, strings.Split(k, "\x00"), tables[t.name][k]))
			}
		}
	}
	return define
}

// cells writes a row in the order of the columns: those with no count are the key's.
func (t *sheet) cells(date string, key []string, r *sheetRow) []string {
	var out []string
	for _, c := range t.columns {
		n := -1
		switch c {
		case "visitors":
			n = len(r.users)
		case "visits", "entrances", "exits":
			if n = r.visits; t.name == "pages" {
				n = len(r.sessions)
			}
		case "bounces":
			n = r.bounces
		case "pageviews":
			n = r.pageviews
		case "visit_duration":
			n = r.duration
		case "events":
			n = r.hits
		case "total_scroll_depth", "total_scroll_depth_visits", "total_time_on_page", "total_time_on_page_visits":
			n = 0
		case "date":
			out = append(out, date)
			continue
		}
		if n >= 0 {
			out = append(out, strconv.Itoa(n))
			continue
		}
		out = append(out, key[0])
		key = key[1:]
	}
	return out
}

func (t *sheet) csv(w io.Writer) {
	c := csv.NewWriter(w)
	c.Write(t.columns)
	c.WriteAll(t.rows)
}

// quoted writes text in quotes and numbers without, as older exports have it.
func (t *sheet) quoted(w io.Writer) {
	for i, row := range append([][]string{t.columns}, t.rows...) {
		for j, cell := range row {
			if j > 0 {
				io.WriteString(w, ",")
			}
			if _, err := strconv.Atoi(cell); err == nil && i > 0 {
				io.WriteString(w, cell)
			} else {
				fmt.Fprintf(w, `"%s"`, strings.ReplaceAll(cell, `"`, `""`))
			}
		}
		io.WriteString(w, "\n")
	}
}

// file is the name of a table in the archive.
func (s *site) file(t *sheet) string {
	day := func(d string) string { return strings.ReplaceAll(d, "-", "") }
	return fmt.Sprintf("imported_%s_%s_%s.csv", t.name, day(s.days[0]), day(s.days[len(s.days)-1]))
}

// archive is the site export, its members streamed.
func (s *site) archive(tables []sheet) []byte {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i := range tables {
		w, err := z.Create(s.file(&tables[i]))
		if err != nil {
			panic(err)
		}
		tables[i].csv(w)
	}
	if err := z.Close(); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// events are the rows of events_v2 that the site's visits left, with a
// heartbeat after each pageview of a longer visit.
func (s *site) events() sheet {
	t := sheet{name: "events_v2", columns: strings.Fields("timestamp name site_id user_id session_id hostname pathname referrer referrer_source country_code " +
		"screen_size operating_system browser utm_medium utm_source utm_campaign meta.key meta.value browser_version operating_system_version " +
		"subdivision1_code subdivision2_code city_geoname_id utm_content utm_term revenue_reporting_amount revenue_reporting_currency revenue_source_amount revenue_source_currency")}
	array := func(props [][2]string, k int) string {
		var items []string
		for _, p := range props {
			items = append(items, "'"+strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(p[k])+"'")
		}
		return "[" + strings.Join(items, ",") + "]"
	}
	for _, day := range s.visits {
		for _, v := range day {
			row := func(h siteHit) {
				source := v.source[0]
				country := v.place[0]
				if country == "" {
					country = "\x00\x00"
				}
				city := v.place[2]
				if city == "" {
					city = "0"
				}
				amount, currency := `\N`, "\x00\x00\x00"
				if h.name == "Signup" && len(h.props) > 0 && h.props[0][1] == "team" {
					amount, currency = "49.500", "EUR"
				}
				t.rows = append(t.rows, []string{h.at.Format(time.DateTime), h.name, "1", strconv.FormatUint(v.user, 10), strconv.FormatUint(v.session, 10),
					"shop.example.com", h.path, v.source[1], source, country, v.device, v.system[0], v.browser[0], v.source[3], v.source[2], v.source[4],
					array(h.props, 0), array(h.props, 1), v.browser[1], v.system[1], v.place[1], "", city, v.source[5], v.source[6], amount, currency, amount, currency})
			}
			for _, h := range v.hits {
				row(h)
				if h.name == "pageview" && len(v.hits) > 2 {
					row(siteHit{at: h.at.Add(time.Second), name: "engagement", path: h.path})
				}
			}
		}
	}
	return t
}

// tsv writes ClickHouse's TabSeparated, with a header or without.
func (t *sheet) tsv(w io.Writer, header bool) {
	line := func(cells []string, escape func(string) string) {
		for i, c := range cells {
			if i > 0 {
				io.WriteString(w, "\t")
			}
			io.WriteString(w, escape(c))
		}
		io.WriteString(w, "\n")
	}
	if header {
		line(t.columns, func(c string) string { return c })
	}
	for _, r := range t.rows {
		line(r, func(c string) string {
			if c == `\N` || strings.HasPrefix(c, "[") { // arrays are escaped in themselves
				return c
			}
			return strings.NewReplacer(`\`, `\\`, "\t", `\t`, "\n", `\n`, "'", `\'`, "\x00", `\0`).Replace(c)
		})
	}
}
