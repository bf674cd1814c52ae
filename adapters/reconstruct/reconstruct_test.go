package reconstruct

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"
)

var firstDay = time.Date(2024, 3, 1, 0, 0, 0, 0, time.UTC)

// check fails where a result breaks what holds for every day, however
// inconsistent: visits within the day, hits in order, one trait per visitor.
func check(t *testing.T, d *Day, res *Result) {
	t.Helper()
	seen := make([][]int32, res.Persons)
	steps, long, near := 0, 0, 0
	for i, v := range res.Visits {
		if len(v.Hits) == 0 {
			t.Fatalf("visit %d is empty", i)
		}
		if first, last := v.Hits[0].At, v.Hits[len(v.Hits)-1].At; first < 0 || last >= d.End.Sub(d.Start) {
			t.Fatalf("visit %d, from %s to %s, is not within its day", i, first, last)
		}
		for j := 1; j < len(v.Hits); j++ {
			if v.Hits[j].At < v.Hits[j-1].At {
				t.Fatalf("visit %d: hit %d is before the one before it", i, j)
			}
		}
		// Formats without fractions of seconds must not lose which page is first and last.
		second := func(j int) int { return int(v.Hits[j].At / time.Second) }
		if n := len(v.Hits); v.Hits[0].Event < 0 && v.Hits[n-1].Event < 0 && second(n-1)-second(0) > 1 && (second(1) == second(0) || second(n-2) == second(n-1)) {
			t.Fatalf("visit %d: hits within a second of its first or last: %v", i, v.Hits)
		}
		steps += len(v.Hits) - 1
		long += second(len(v.Hits)-1) - second(0)
		for j := 1; j < len(v.Hits); j++ {
			if v.Hits[j].At-v.Hits[j-1].At < time.Second {
				near++
			}
		}
		if seen[v.Visitor] == nil {
			seen[v.Visitor] = v.Rows
			continue
		}
		for k := range d.Tables {
			if d.Tables[k].PerVisitor && seen[v.Visitor][k] != v.Rows[k] {
				t.Fatalf("visitor %d has two rows of %s", v.Visitor, d.Tables[k].Name)
			}
		}
	}
	if long >= steps && near > 0 {
		t.Fatalf("%d hits are within a second of the hit before, though %d s are enough for %d hits", near, long, steps)
	}
	for v := range seen {
		if seen[v] == nil {
			t.Fatalf("visitor %d has no visit", v)
		}
	}
}

// reconstruct makes all visits of a day.
func reconstruct(day *Day) (*Result, error) {
	p, err := NewPlan(day)
	if err != nil {
		return nil, err
	}
	all := p.Part(0)
	for i := 1; i < p.Parts(); i++ {
		part := p.Part(i)
		all.Visits = append(all.Visits, part.Visits...)
		all.Persons += part.Persons
	}
	return all, nil
}

// exact lists what a consistent export's reconstruction keeps to the last one.
func exact(measure string) bool {
	table, m, _ := strings.Cut(measure, " ")
	if i := strings.LastIndex(measure, " "); i >= 0 {
		table, m = measure[:i], measure[i+1:]
	}
	switch table {
	case "day":
		return true
	case "pages":
		return m == "pageviews"
	case "events", "properties":
		return m == "visits"
	}
	return m == "visits" || m == "bounces"
}

func tolerance(measure string) float64 {
	switch {
	case strings.HasSuffix(measure, "visitors"):
		return 0.03
	case strings.HasSuffix(measure, "pageviews"):
		return 0.05
	case strings.HasSuffix(measure, "duration"):
		return 0.15
	}
	return 1
}

func TestConsistentDaysCountTheSame(t *testing.T) {
	// The tolerances hold for a month; the sums that are exact, every day.
	for _, size := range []struct{ visits, days, months int }{{1, 30, 1}, {3, 30, 1}, {20, 30, 1}, {133, 8, 1}, {2000, 1, 1}} {
		for month := range size.months {
			t.Run(fmt.Sprintf("%d visits a day, month %d", size.visits, month), func(t *testing.T) {
				off := map[string]float64{}
				for day := range size.days {
					seed := uint64(1000*month + day)
					want := aggregate(simulate(seed, size.visits))
					d := dayOf(firstDay.AddDate(0, month, day), want)
					res, err := reconstruct(d)
					if err != nil {
						t.Fatal(err)
					}
					check(t, d, res)
					for k, x := range offs(want, aggregate(visitsOf(d, res))) {
						if x > 0 && exact(k) {
							t.Errorf("seed %d: %s is off by %.2f %%", seed, k, 100*x)
						}
						off[k] += x / float64(size.days)
					}
				}
				for k, x := range off {
					if x > tolerance(k) {
						t.Errorf("%s is off by %.2f %%", k, 100*x)
					}
				}
			})
		}
	}
}

// TestDaysInParts holds that the parts of a large day have its sums together, as
// a day that is made at once has.
func TestDaysInParts(t *testing.T) {
	const visits = 30_000
	want := aggregate(simulate(5, visits))
	d := dayOf(firstDay, want)
	p, err := NewPlan(d)
	if err != nil {
		t.Fatal(err)
	}
	if p.Parts() < 2 {
		t.Fatalf("%d parts", p.Parts())
	}
	res, err := reconstruct(d)
	if err != nil {
		t.Fatal(err)
	}
	check(t, d, res)
	for k, x := range offs(want, aggregate(visitsOf(d, res))) {
		if x > 0 && exact(k) || x > 0.02 {
			t.Errorf("%s is off by %.2f %%", k, 100*x)
		}
	}
	last := p.Part(p.Parts() - 1)
	if n := len(last.Visits); !reflect.DeepEqual(last.Visits, res.Visits[len(res.Visits)-n:]) || last.FirstVisit+n != visits || last.FirstVisitor+last.Persons != res.Persons {
		t.Error("the last part by itself is not the end of the day")
	}
}

func TestSameDayGivesSameVisits(t *testing.T) {
	d := dayOf(firstDay, aggregate(simulate(7, 400)))
	a, err := reconstruct(d)
	if err != nil {
		t.Fatal(err)
	}
	b, err := reconstruct(d)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(a, b) {
		t.Error("two reconstructions of one day differ")
	}
}

// totals returns what the dashboard would show for the day.
func totals(d *Day, res *Result) Sums {
	if day := aggregate(visitsOf(d, res))["day"]; day != nil {
		return *day.sums[""]
	}
	return Sums{}
}

func TestInconsistentDaysKeepTheirTotals(t *testing.T) {
	drop := func(rows []Row, r *rand.Rand) []Row {
		return rows[:r.IntN(len(rows)+1)]
	}
	for _, c := range []struct {
		name   string
		change func(*Day, *rand.Rand)
	}{
		{"tables cut off", func(d *Day, r *rand.Rand) {
			for i := range d.Tables {
				d.Tables[i].Rows = drop(d.Tables[i].Rows, r)
			}
			d.Entries.Rows, d.Exits.Rows = drop(d.Entries.Rows, r), drop(d.Exits.Rows, r)
			d.Pages = d.Pages[:r.IntN(len(d.Pages)+1)]
		}},
		{"tables missing", func(d *Day, r *rand.Rand) {
			d.Tables = d.Tables[:r.IntN(len(d.Tables)+1)]
			if r.IntN(2) == 0 {
				d.Entries = Table{}
			}
			if r.IntN(2) == 0 {
				d.Exits = Table{}
			}
			if r.IntN(2) == 0 {
				d.Pages = nil
			}
		}},
		{"only totals", func(d *Day, r *rand.Rand) {
			*d = Day{Start: d.Start, End: d.End, Has: d.Has, Totals: d.Totals}
		}},
		{"sampled: rows scaled and rounded", func(d *Day, r *rand.Rand) {
			for i := range d.Tables {
				for j := range d.Tables[i].Rows {
					s := &d.Tables[i].Rows[j].Sums
					for _, n := range []*int{&s.Visits, &s.Bounces, &s.Visitors, &s.Pageviews, &s.Duration} {
						*n = int(float64(*n)*(0.8+0.4*r.Float64()) + 0.5)
					}
				}
			}
			for j := range d.Pages {
				d.Pages[j].Pageviews = int(float64(d.Pages[j].Pageviews)*(0.8+0.4*r.Float64()) + 0.5)
			}
		}},
		{"pageviews over midnight", func(d *Day, r *rand.Rand) {
			for j := range d.Pages {
				if k := r.IntN(3) - 1; d.Pages[j].Pageviews+k > 0 {
					d.Pages[j].Pageviews += k
					d.Totals.Pageviews += k
				}
			}
		}},
		{"an entry page that pages lacks", func(d *Day, r *rand.Rand) {
			d.Pages = d.Pages[1:]
			d.Totals.Pageviews = 0
			for _, p := range d.Pages {
				d.Totals.Pageviews += p.Pageviews
			}
			d.Totals.Pageviews = max(d.Totals.Pageviews, 2*d.Totals.Visits)
		}},
		{"visitors that no rows explain", func(d *Day, r *rand.Rand) {
			d.Totals.Visitors = 1 + r.IntN(d.Totals.Visits)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for seed := range uint64(8) {
				r := rand.New(rand.NewPCG(seed, 2))
				d := dayOf(firstDay, aggregate(simulate(seed, 10+int(seed)*12)))
				c.change(d, r)
				res, err := reconstruct(d)
				if err != nil {
					t.Fatal(err)
				}
				check(t, d, res)
				if got := totals(d, res); got != d.Totals {
					t.Fatalf("seed %d: got %+v, want %+v", seed, got, d.Totals)
				}
			}
		})
	}
}

func TestAnyNumbersGiveAReconstruction(t *testing.T) {
	for seed := range uint64(103) {
		r := rand.New(rand.NewPCG(seed, 3))
		scale := 1
		if seed >= 100 {
			scale = 3000 // makes days of several parts
		}
		few := func() int {
			switch r.IntN(12) {
			case 0:
				return -r.IntN(5)
			case 1:
				return r.IntN(300)
			}
			return r.IntN(9)
		}
		n := func() int { return scale * few() }
		sums := func() Sums { return Sums{n(), n(), n(), n(), n() * few()} }
		rows := func() []Row {
			var out []Row
			for i := range r.IntN(6) {
				out = append(out, Row{Key: fmt.Sprint("/", i), Sums: sums(), Kin: uint16(r.IntN(8))})
			}
			return out
		}
		d := &Day{Start: firstDay, End: firstDay.Add(time.Duration(1+r.IntN(90_000)) * time.Second),
			Has: Measure(r.IntN(32)), Totals: sums(),
			Entries: Table{Has: Measure(r.IntN(32)), Rows: rows()},
			Exits:   Table{Has: Measure(r.IntN(32)), Rows: rows()}}
		for range r.IntN(4) {
			d.Tables = append(d.Tables, Table{Has: Measure(r.IntN(32)), PerVisitor: r.IntN(2) == 0, Rows: rows()})
		}
		for i := range r.IntN(6) {
			d.Pages = append(d.Pages, Page{fmt.Sprint("/", i), n(), n(), n()})
		}
		for i := range r.IntN(4) {
			d.Events = append(d.Events, Event{fmt.Sprint("e", i), n(), n()})
			d.Properties = append(d.Properties, Property{fmt.Sprint("p", i%2), fmt.Sprint(i), n(), n()})
		}
		res, err := reconstruct(d)
		if err != nil {
			t.Fatal(err)
		}
		check(t, d, res)
		if d.Has&Visits != 0 && d.Totals.Visits > 0 && len(res.Visits) != d.Totals.Visits {
			t.Fatalf("seed %d: %d visits, want %d", seed, len(res.Visits), d.Totals.Visits)
		}
		events := 0
		for _, e := range d.Events {
			events += max(0, e.Events)
		}
		for _, v := range res.Visits {
			for _, h := range v.Hits {
				if h.Event >= 0 {
					events--
				}
			}
		}
		if events != 0 {
			t.Fatalf("seed %d: %d custom events are lost", seed, events)
		}
	}
}

func TestImpossibleNumbersAreRefused(t *testing.T) {
	for name, d := range map[string]*Day{
		"no length":        {Start: firstDay, End: firstDay},
		"too many visits":  {Start: firstDay, End: firstDay.AddDate(0, 0, 1), Has: Visits, Totals: Sums{Visits: 1 << 60}},
		"too many events":  {Start: firstDay, End: firstDay.AddDate(0, 0, 1), Events: []Event{{Key: "e", Events: 1 << 61}, {Key: "f", Events: 1 << 61}}},
		"too many in rows": {Start: firstDay, End: firstDay.AddDate(0, 0, 1), Tables: []Table{{Has: Visits, Rows: []Row{{Key: "a", Sums: Sums{Visits: 1 << 62}}}}}},
	} {
		if _, err := reconstruct(d); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func BenchmarkReconstruct(b *testing.B) {
	d := dayOf(firstDay, aggregate(simulate(1, 100_000)))
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		if _, err := reconstruct(d); err != nil {
			b.Fatal(err)
		}
	}
}

func TestOnePageVisitsWithEventsKeepTheBounces(t *testing.T) {
	for seed := range uint64(8) {
		visits := simulate(seed, 60)
		for i := range visits {
			if v := &visits[i]; len(v.hits) == 1 && i%3 == 0 {
				v.hits = append(v.hits, simHit{at: v.hits[0].at + 9*time.Second, event: "Signup"})
			}
		}
		d := dayOf(firstDay, aggregateBy(visits, func(v simVisit, _ int) bool { return len(v.hits) == 1 }))
		res, err := reconstruct(d)
		if err != nil {
			t.Fatal(err)
		}
		check(t, d, res)
		if got := totals(d, res); got != d.Totals {
			t.Errorf("seed %d: got %+v, want %+v", seed, got, d.Totals)
		}
	}
}

func TestFewPageviewsLeaveVisitsOfEventsAlone(t *testing.T) {
	d := &Day{Start: firstDay, End: firstDay.AddDate(0, 0, 1), Has: everything,
		Totals: Sums{Visits: 10, Bounces: 5, Visitors: 10, Pageviews: 10, Duration: 100},
		Events: []Event{{Key: "Signup", Events: 5, Visitors: 5}}}
	res, err := reconstruct(d)
	if err != nil {
		t.Fatal(err)
	}
	check(t, d, res)
	if got := totals(d, res); got != d.Totals {
		t.Errorf("got %+v, want %+v", got, d.Totals)
	}
}

func TestVisitsEndWithinShortDays(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Skip(err)
	}
	for _, date := range []time.Time{time.Date(2024, 3, 31, 0, 0, 0, 0, berlin), time.Date(2024, 10, 27, 0, 0, 0, 0, berlin)} {
		d := dayOf(date, aggregate(simulate(1, 50)))
		d.Totals.Duration = 30 * 80_000
		res, err := reconstruct(d)
		if err != nil {
			t.Fatal(err)
		}
		check(t, d, res)
	}
}

func TestReportTellsWhatIsOff(t *testing.T) {
	d := dayOf(firstDay, aggregate(simulate(3, 50)))
	d.Pages = append(d.Pages, Page{Key: "/never", Pageviews: 1000})
	p, err := NewPlan(d)
	if err != nil {
		t.Fatal(err)
	}
	if _, all := p.Report(); all {
		t.Error("a report of visits that are not made yet")
	}
	p.Part(0)
	report, all := p.Report()
	if !all {
		t.Error("no report of a day that is made")
	}
	for _, l := range report.Lines {
		switch {
		case l.Table == "day" && l.Off != 0:
			t.Errorf("the day's %s are off by %d", l.Measure, l.Off)
		case l.Table == "pages" && l.Measure == "pageviews" && (l.Source-l.Sent != 1000 || l.Off != 1000 || l.Rows == 0):
			t.Errorf("pages: %+v", l)
		}
	}
}

func ExamplePlan() {
	p, err := NewPlan(&Day{
		Start:  time.Date(2024, 3, 1, 0, 0, 0, 0, time.UTC),
		End:    time.Date(2024, 3, 2, 0, 0, 0, 0, time.UTC),
		Has:    Visits | Bounces | Visitors | Pageviews | Duration,
		Totals: Sums{Visits: 2, Bounces: 1, Visitors: 2, Pageviews: 4, Duration: 90},
		Pages:  []Page{{Key: "/", Pageviews: 2}, {Key: "/docs", Pageviews: 2}},
		Exits: Table{Has: Visits | Bounces, Rows: []Row{
			{Key: "/", Sums: Sums{Visits: 1, Bounces: 1}},
			{Key: "/docs", Sums: Sums{Visits: 1}},
		}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	res := p.Part(0) // a day of few visits has one part
	for _, v := range res.Visits {
		first, last := v.Hits[0], v.Hits[len(v.Hits)-1]
		fmt.Println(len(v.Hits), "pageviews, last", res.Pages[last.Page], "after", last.At-first.At)
	}
	// Unordered output:
	// 1 pageviews, last / after 0s
	// 3 pageviews, last /docs after 1m30s
}

func TestOnlyEventsCarryTheLengthOfBounces(t *testing.T) {
	d := &Day{Start: firstDay, End: firstDay.AddDate(0, 0, 1), Has: everything,
		Totals: Sums{Visits: 6, Bounces: 4, Visitors: 5, Pageviews: 4, Duration: 300},
		Events: []Event{{Key: "Signup", Events: 7, Visitors: 2}}}
	res, err := reconstruct(d)
	if err != nil {
		t.Fatal(err)
	}
	check(t, d, res)
	if got := totals(d, res); got != d.Totals {
		t.Errorf("got %+v, want %+v", got, d.Totals)
	}
}

func TestRowsThatBelongTogetherMeet(t *testing.T) {
	d := dayOf(firstDay, aggregate(simulate(9, 2000)))
	res, err := reconstruct(d)
	if err != nil {
		t.Fatal(err)
	}
	strangers := 0
	for _, v := range res.Visits {
		for i := 2; i < len(d.Tables); i++ {
			for j := 2; j < i; j++ {
				if !akin(d.Tables[i].Rows[v.Rows[i]].Kin, d.Tables[j].Rows[v.Rows[j]].Kin) {
					strangers++
				}
			}
		}
	}
	if share := float64(strangers) / float64(len(res.Visits)); share > 0.08 {
		t.Errorf("%.1f %% of the visits have rows that do not belong together", 100*share)
	}
}

// TestLoyalVisitors has days in which two visits of three are repeats, most of
// them of one visitor.
func TestLoyalVisitors(t *testing.T) {
	for seed := range 30 {
		visits := simulate(uint64(seed+9000), 5+seed*5)
		for i := range visits {
			if i > 0 && (i*7+seed)%3 != 0 {
				other := &visits[i*13%i]
				visits[i].visitor = other.visitor
				copy(visits[i].rows[1:], other.rows[1:])
			}
		}
		want := aggregate(visits)
		d := dayOf(firstDay.AddDate(0, 0, seed), want)
		res, err := reconstruct(d)
		if err != nil {
			t.Fatal(err)
		}
		check(t, d, res)
		for k, x := range offs(want, aggregate(visitsOf(d, res))) {
			if x > 0 && exact(k) {
				t.Errorf("seed %d: %s is off by %.2f %%", seed, k, 100*x)
			}
		}
	}
}

// TestViewsWithoutBounces has a table that tells rows' visits and pageviews, and
// which of them are bounces only by these.
func TestViewsWithoutBounces(t *testing.T) {
	d := &Day{
		Start: firstDay, End: firstDay.AddDate(0, 0, 1),
		Has: Visits | Bounces | Visitors | Pageviews, Totals: Sums{Visits: 40, Bounces: 14, Visitors: 40, Pageviews: 110},
		Tables: []Table{{Name: "countries", Has: Visits | Pageviews, PerVisitor: true, Rows: []Row{
			{Key: "DE", Sums: Sums{Visits: 30, Pageviews: 95}},
			{Key: "HK", Sums: Sums{Visits: 4, Pageviews: 4}},
			{Key: "TR", Sums: Sums{Visits: 5, Pageviews: 6}},
			{Key: "CI", Sums: Sums{Visits: 1, Pageviews: 5}},
		}}},
	}
	res, err := reconstruct(d)
	if err != nil {
		t.Fatal(err)
	}
	check(t, d, res)
	views, bounces := make([]int, 4), 0
	for _, v := range res.Visits {
		views[v.Rows[0]] += len(v.Hits)
		if len(v.Hits) == 1 {
			bounces++
		}
	}
	if want := []int{95, 4, 6, 5}; !reflect.DeepEqual(views, want) || bounces != 14 {
		t.Errorf("got views %v and %d bounces, want %v and 14", views, bounces, want)
	}
}

// TestVisitorsOfRows has a day that tells no visitors, and a table of all visits
// that does. One that lacks rows says nothing of the day's.
func TestVisitorsOfRows(t *testing.T) {
	for name, tt := range map[string]struct{ google, want int }{"all visits": {70, 60}, "rows missing": {50, 100}} {
		t.Run(name, func(t *testing.T) {
			res, err := reconstruct(&Day{
				Start: firstDay, End: firstDay.AddDate(0, 0, 1),
				Has: Visits | Pageviews, Totals: Sums{Visits: 100, Pageviews: 150},
				Tables: []Table{{Name: "sources", Has: Visits | Visitors, Rows: []Row{
					{Key: "google", Sums: Sums{Visits: tt.google, Visitors: 40}},
					{Key: "bing", Sums: Sums{Visits: 30, Visitors: 20}},
				}}},
			})
			if err != nil {
				t.Fatal(err)
			}
			visitors := map[int32]bool{}
			for _, v := range res.Visits {
				visitors[int32(v.Visitor)] = true
			}
			if len(visitors) != tt.want {
				t.Errorf("got %d visitors, want %d", len(visitors), tt.want)
			}
		})
	}
}

// TestManyParts has a day of many hits, which is made in small parts.
func TestManyParts(t *testing.T) {
	d := &Day{
		Start: firstDay, End: firstDay.AddDate(0, 0, 1),
		Has: Visits | Bounces | Visitors | Pageviews, Totals: Sums{Visits: 150_000, Bounces: 50_000, Visitors: 120_000, Pageviews: 350_000},
	}
	n, _, err := CountParts(d)
	if err != nil || n != 1+350_000/partOfMany {
		t.Errorf("got %d parts and %v", n, err)
	}
	d.Totals.Pageviews = many
	if n, _, err = CountParts(d); err != nil || n != 1+many/partHits {
		t.Errorf("got %d parts and %v", n, err)
	}
}
