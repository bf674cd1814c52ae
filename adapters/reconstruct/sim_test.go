package reconstruct

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"
)

// simHit is a pageview of a page or, with an event's name, a custom event.
type simHit struct {
	at    time.Duration
	page  string
	event string
	props map[string]string
}

type simVisit struct {
	visitor int
	rows    [5]string // by simTables; empty: unknown
	hits    []simHit
}

var simTables = [5]string{"sources", "locations", "devices", "browsers", "operating_systems"}

// zipf draws from n ranks, the first the likeliest.
func zipf(r *rand.Rand, n int, s float64) int {
	z := rand.NewZipf(r, s, 1, uint64(n-1))
	return int(z.Uint64())
}

// simulate draws one day's visits of a site: visitors with their traits and
// sometimes several visits, skewed sources and pages, bounces, long tails of
// pageviews and durations, custom events with properties on visits that are
// no bounce.
func simulate(seed uint64, visits int) []simVisit {
	r := rand.New(rand.NewPCG(seed, 1))
	places := 20 + visits/10
	pages := 15 + visits/20
	bounceRate := 0.35 + 0.4*r.Float64()
	var out []simVisit
	for visitor := 0; len(out) < visits; visitor++ {
		device, browser, system := "Desktop", "Chrome", "Windows"
		switch k := r.IntN(20); {
		case k < 6:
			device, browser, system = "Mobile", "Mobile Safari", "iOS"
		case k < 9:
			device, browser, system = "Mobile", "Chrome", "Android"
		case k < 13:
			device, browser, system = "Laptop", "Safari", "Mac"
		case k < 14:
			device, browser, system = "Tablet", "Safari", "iOS"
		case k < 16:
			browser, system = "Firefox", "Linux"
		}
		browser += " " + strconv.Itoa(110-zipf(r, 15, 1.7))
		system += " " + strconv.Itoa(16-zipf(r, 8, 1.7))
		place := "place " + strconv.Itoa(zipf(r, places, 1.2))
		if r.IntN(50) == 0 {
			place = ""
		}
		n := 1
		for n < 9 && r.IntN(5) == 0 {
			n++
		}
		source := zipf(r, 40, 1.5)
		for range min(n, visits-len(out)) {
			if r.IntN(2) == 0 {
				source = zipf(r, 40, 1.5)
			}
			v := simVisit{visitor: visitor, rows: [5]string{"source " + strconv.Itoa(source), place, device, browser, system}}
			page := func() string { return "/page/" + strconv.Itoa(zipf(r, pages, 1.3)) }
			at := time.Duration(r.IntN(80000)) * time.Second
			v.hits = append(v.hits, simHit{at: at, page: page()})
			if r.Float64() > bounceRate {
				views := 1 + int(math.Exp(r.NormFloat64()*0.9))
				long := int(math.Exp(4.3+1.3*r.NormFloat64())) + 1
				long = min(long, 6000)
				for k := 1; k <= views; k++ {
					p := page()
					if r.IntN(6) == 0 {
						p = v.hits[0].page
					}
					v.hits = append(v.hits, simHit{at: at + time.Duration(long*k/views)*time.Second, page: p})
				}
				for r.IntN(4) == 0 {
					e := simHit{at: v.hits[0].at, page: v.hits[0].page, event: []string{"Signup", "Outbound", "Download", "404"}[zipf(r, 4, 1.4)]}
					if e.event == "Signup" {
						e.props = map[string]string{"plan": "plan " + strconv.Itoa(zipf(r, 4, 1.5))}
					}
					if r.IntN(3) == 0 {
						if e.props == nil {
							e.props = map[string]string{}
						}
						e.props["variant"] = string(rune('A' + r.IntN(2)))
					}
					v.hits = slices.Insert(v.hits, 1, e)
				}
			}
			out = append(out, v)
		}
	}
	return out
}

type tally struct {
	sums     map[string]*Sums
	visitors map[string]map[int]bool
}

func newTally() *tally {
	return &tally{map[string]*Sums{}, map[string]map[int]bool{}}
}

func (t *tally) add(key string, visitor int, s Sums) {
	if t.sums[key] == nil {
		t.sums[key] = &Sums{}
		t.visitors[key] = map[int]bool{}
	}
	c := t.sums[key]
	c.Visits += s.Visits
	c.Bounces += s.Bounces
	c.Pageviews += s.Pageviews
	c.Duration += s.Duration
	t.visitors[key][visitor] = true
	c.Visitors = len(t.visitors[key])
}

func (t *tally) keys() []string {
	keys := make([]string, 0, len(t.sums))
	for k := range t.sums {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

// aggregate sums visits as Plausible's export queries do and Rybbit's
// dashboard counts: by distinct ids, in one tally a table.
func aggregate(visits []simVisit) map[string]*tally {
	return aggregateBy(visits, func(v simVisit, pageviews int) bool { return pageviews == 1 })
}

// aggregateBy is aggregate with another notion of a bounce.
func aggregateBy(visits []simVisit, bounce func(simVisit, int) bool) map[string]*tally {
	all := map[string]*tally{}
	add := func(table, key string, visitor int, s Sums) {
		if all[table] == nil {
			all[table] = newTally()
		}
		all[table].add(key, visitor, s)
	}
	for _, v := range visits {
		s := Sums{Visits: 1, Duration: int((v.hits[len(v.hits)-1].at - v.hits[0].at) / time.Second)}
		entry, exit := "", ""
		saw := map[string]bool{}
		for _, h := range v.hits {
			for k, x := range h.props {
				add("properties", k+"\x00"+x, v.visitor, Sums{Visits: 1})
			}
			if h.event != "" {
				add("events", h.event, v.visitor, Sums{Visits: 1})
				continue
			}
			s.Pageviews++
			if entry == "" {
				entry = h.page
			}
			exit = h.page
			first := 1
			if saw[h.page] {
				first = 0
			}
			saw[h.page] = true
			add("pages", h.page, v.visitor, Sums{Visits: first, Pageviews: 1})
		}
		if bounce(v, s.Pageviews) {
			s.Bounces = 1
		}
		add("day", "", v.visitor, s)
		for i, name := range simTables {
			if v.rows[i] != "" {
				add(name, v.rows[i], v.visitor, s)
			}
		}
		if entry != "" {
			add("entry pages", entry, v.visitor, s)
			add("exit pages", exit, v.visitor, s)
		}
	}
	return all
}

// simKin has a bit for each of simulate's clients.
var simKin = map[string]uint16{
	"Desktop": 1 | 2, "Mobile": 4 | 8, "Laptop": 16, "Tablet": 32,
	"Chrome": 1 | 8, "Firefox": 2, "Mobile Safari": 4, "Safari": 16 | 32,
	"Windows": 1, "Linux": 2, "iOS": 4 | 32, "Android": 8, "Mac": 16,
}

const everything = Visits | Bounces | Visitors | Pageviews | Duration

func (t *tally) table(name string) Table {
	out := Table{Name: name, Has: everything}
	for _, k := range t.keys() {
		out.Rows = append(out.Rows, Row{Key: k, Sums: *t.sums[k], Kin: simKin[strings.TrimRight(k, " 0123456789")]})
	}
	return out
}

// dayOf makes the export's day of visits.
func dayOf(start time.Time, all map[string]*tally) *Day {
	get := func(name string) *tally {
		if t := all[name]; t != nil {
			return t
		}
		return newTally()
	}
	d := &Day{Start: start, End: start.AddDate(0, 0, 1), Has: everything}
	if t := get("day").sums[""]; t != nil {
		d.Totals = *t
	}
	for i, name := range simTables {
		t := get(name).table(name)
		t.PerVisitor = i > 0
		d.Tables = append(d.Tables, t)
	}
	d.Entries, d.Exits = get("entry pages").table("entry pages"), get("exit pages").table("exit pages")
	for _, r := range get("pages").table("").Rows {
		d.Pages = append(d.Pages, Page{r.Key, r.Pageviews, r.Visits, r.Visitors})
	}
	for _, r := range get("events").table("").Rows {
		d.Events = append(d.Events, Event{r.Key, r.Visits, r.Visitors})
	}
	for _, r := range get("properties").table("").Rows {
		var k, v string
		for i := range r.Key {
			if r.Key[i] == 0 {
				k, v = r.Key[:i], r.Key[i+1:]
			}
		}
		d.Properties = append(d.Properties, Property{k, v, r.Visits, r.Visitors})
	}
	return d
}

// visitsOf reads a result back as visits, for aggregate.
func visitsOf(d *Day, res *Result) []simVisit {
	out := make([]simVisit, 0, len(res.Visits))
	for _, v := range res.Visits {
		s := simVisit{visitor: v.Visitor}
		for i, r := range v.Rows {
			if r >= 0 {
				s.rows[i] = d.Tables[i].Rows[r].Key
			}
		}
		for _, h := range v.Hits {
			hit := simHit{at: h.At, page: "/(not set)"}
			if h.Page >= 0 {
				hit.page = res.Pages[h.Page]
			}
			if h.Event >= 0 {
				hit.event = d.Events[h.Event].Key
			}
			for _, p := range h.Properties {
				if hit.props == nil {
					hit.props = map[string]string{}
				}
				if _, twice := hit.props[d.Properties[p].Name]; twice {
					panic(fmt.Sprintf("two values of %s on one event", d.Properties[p].Name))
				}
				hit.props[d.Properties[p].Name] = d.Properties[p].Value
			}
			s.hits = append(s.hits, hit)
		}
		out = append(out, s)
	}
	return out
}

// offs compares two aggregations: per table and measure the share of the mass
// in wrong rows (total variation).
func offs(want, got map[string]*tally) map[string]float64 {
	mass, diff := map[string]float64{}, map[string]float64{}
	for table := range want {
		if got[table] == nil {
			got[table] = newTally()
		}
	}
	for table, g := range got {
		w := want[table]
		if w == nil {
			w = newTally()
		}
		keys := map[string]bool{}
		for k := range w.sums {
			keys[k] = true
		}
		for k := range g.sums {
			keys[k] = true
		}
		for k := range keys {
			var a, b Sums
			if w.sums[k] != nil {
				a = *w.sums[k]
			}
			if g.sums[k] != nil {
				b = *g.sums[k]
			}
			for _, m := range []struct {
				name string
				a, b int
			}{
				{"visits", a.Visits, b.Visits},
				{"bounces", a.Bounces, b.Bounces},
				{"visitors", a.Visitors, b.Visitors},
				{"pageviews", a.Pageviews, b.Pageviews},
				{"duration", a.Duration, b.Duration},
			} {
				name := table + " " + m.name
				mass[name] += float64(m.a)
				diff[name] += math.Abs(float64(m.a-m.b)) / 2
			}
		}
	}
	out := map[string]float64{}
	for k, d := range diff {
		out[k] = d / max(mass[k], 1)
		if math.IsNaN(out[k]) {
			out[k] = 1
		}
	}
	return out
}
