package ga

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"hopper/adapters/reconstruct"
)

// maxViews is how many views a visit can plausibly have on average.
const maxViews = 50

// An ImplausibleError says that what would be made of reports cannot be what
// happened, and what to add to them.
type ImplausibleError struct {
	Inputs []string
	// What was found, and what to do.
	What, Do string
}

func (e *ImplausibleError) Error() string {
	return fmt.Sprintf("%s: %s; %s", strings.Join(e.Inputs[:min(len(e.Inputs), 3)], ", "), e.What, e.Do)
}

const addDaily = "add a report by Date with the metrics Sessions, Total users, Views, Engaged sessions and Average session duration (in GA4: Explore, Free form, Date as rows, these as values, the download button; in the Data API: date with sessions, totalUsers, screenPageViews, engagedSessions, averageSessionDuration)"

// doubt returns why what the reports tell is implausible, or nil.
func (r *reports) doubt() error {
	var all told
	unknown := 0 // days
	for _, d := range r.days {
		t := d.told
		each(t.has, &all.Sums, &t.Sums, func(to, n *int) { *to += *n })
		all.has |= t.has
		if t.has&reconstruct.Visits == 0 && (t.Pageviews > 0 || d.table(tableKey{ofEvents, string(byEvent)}) != nil) {
			unknown++
		}
	}
	doubt := func(format string, args ...any) error {
		return &ImplausibleError{Inputs: r.inputs, What: fmt.Sprintf(format, args...), Do: addDaily}
	}
	switch {
	case unknown*2 > len(r.days):
		return doubt("neither sessions nor users are told on %d of %d days, so that nobody can tell how many visits their views were", unknown, len(r.days))
	case all.Visits > 0 && all.Pageviews > maxViews*all.Visits:
		return doubt("the reports tell %d views and at least %d visits, which would be %d views a visit", all.Pageviews, all.Visits, all.Pageviews/all.Visits)
	}
	return nil
}

// guesses says of days whose sessions are not told what is made of them.
func (r *reports) guesses() []string {
	days, visits, most := 0, 0, 0
	for _, d := range r.days {
		t := d.told
		if t.entered {
			return []string{"Sessions are not told: they are taken from the pages' entrances, with which each begins. To have them exact, " + addDaily + "."}
		}
		if t.guessed {
			days, visits, most = days+1, visits+t.Visits, most+max(t.most, t.Visits)
		}
	}
	if days == 0 {
		return nil
	}
	bounds := fmt.Sprintf("at least %d", visits)
	if most > visits {
		bounds = fmt.Sprintf("between %d and %d", visits, most)
	}
	return []string{fmt.Sprintf("Sessions are not told for %d of %d days: they are %s, of which %d are made, one at least for each user. To have them exact, %s.", days, len(r.days), bounds, visits, addDaily)}
}

// A wish is a table that reports can have, and what it adds.
type wish struct {
	name, adds string
	// dimensions, beside the date, and metrics of the Data API.
	dimensions, metrics []string
	there               func(d *knownDay) bool
}

func byField(fields ...field) func(d *knownDay) bool {
	return func(d *knownDay) bool {
		for _, t := range d.tables {
			for _, f := range t.fields {
				for _, wanted := range fields {
					if f == wanted {
						return true
					}
				}
			}
		}
		return false
	}
}

// wishes are what a complete set of reports has. REPORTS.md has them all.
var wishes = []wish{
	{
		"Date with Sessions, Total users, Views, Engaged sessions, Average session duration", "each day's totals, exactly",
		nil, []string{"sessions", "totalUsers", "screenPageViews", "engagedSessions", "averageSessionDuration", "active28DayUsers"},
		func(d *knownDay) bool {
			t := d.table(tableKey{kind: ofTotals})
			const whole = reconstruct.Visits | reconstruct.Visitors | reconstruct.Pageviews | reconstruct.Bounces | reconstruct.Duration
			return t != nil && t.has&whole == whole
		},
	},
	{
		"Date, Page path + query string with Views, Total users, Sessions", "pages",
		[]string{"pagePathPlusQueryString"}, []string{"screenPageViews", "totalUsers", "sessions"}, byField(byPage),
	},
	{
		"Date, Landing page + query string with Sessions, Engaged sessions", "entry pages",
		[]string{"landingPagePlusQueryString"}, []string{"sessions", "engagedSessions", "totalUsers"}, byField(byLanding),
	},
	{
		"Date, Session source, Session medium, Session campaign with Sessions, Total users, Engaged sessions", "sources and campaigns",
		[]string{"sessionSource", "sessionMedium", "sessionCampaignName"}, []string{"sessions", "totalUsers", "engagedSessions"}, byField(bySource, bySourceMedium),
	},
	{
		"Date, Country, Region, City with Sessions, Total users", "places",
		[]string{"country", "region", "city"}, []string{"sessions", "totalUsers"}, byField(byCountry),
	},
	{
		"Date, Device category, Browser, Operating system with Sessions, Total users", "devices, browsers and systems",
		[]string{"deviceCategory", "browser", "operatingSystem"}, []string{"sessions", "totalUsers"}, byField(byBrowser),
	},
	{
		"Date, Event name with Event count, Total users", "custom events",
		[]string{"eventName"}, []string{"eventCount", "totalUsers"}, byField(byEvent),
	},
}

// missing lists the reports that would make the import complete, and how to get
// them while Google still has them.
func (r *reports) missing() (notes, advice []string) {
	var lacks []string
	var wanted []wish
	for _, w := range wishes {
		if !slices.ContainsFunc(slices.Collect(maps.Values(r.days)), w.there) {
			lacks = append(lacks, fmt.Sprintf("%s (%s)", w.adds, w.name))
			wanted = append(wanted, w)
		}
	}
	if lacks == nil || len(r.days) == 0 {
		return nil, nil
	}
	note := fmt.Sprintf("Missing are reports for %s.", strings.Join(lacks, "; "))
	if r.universal {
		return []string{note + " Universal Analytics can no longer be asked for them: look for them among what was archived."}, nil
	}
	advice = append(advice, "In GA4, make each of the missing reports under Explore, Free form: the dimensions as rows, the metrics as values, Show rows 500 and every page of them, then the download button, CSV. "+
		"In the Data API, each of these is a body for batchRunReports of the same days; fetch further pages with offset until rowCount is reached, and give hopper the answers as they are:")
	for batch := range slices.Chunk(wanted, maxRequests) {
		advice = append(advice, r.requests(batch))
	}
	return []string{note + " hopper inspect says how to get them."}, advice
}

// maxRequests is how many reports the Data API makes at once.
const maxRequests = 5

// A reportRequest is one of the Data API's.
type reportRequest struct {
	DateRanges   []map[string]string `json:"dateRanges"`
	Dimensions   []map[string]string `json:"dimensions"`
	Metrics      []map[string]string `json:"metrics"`
	Limit        int                 `json:"limit"`
	Aggregations []string            `json:"metricAggregations,omitempty"`
}

// requests returns the body that asks the Data API for reports of all days.
func (r *reports) requests(wanted []wish) string {
	names := func(list ...string) (out []map[string]string) {
		for _, name := range list {
			out = append(out, map[string]string{"name": name})
		}
		return out
	}
	days := r.sorted()
	var body struct {
		Requests []reportRequest `json:"requests"`
	}
	for _, w := range wanted {
		one := reportRequest{
			DateRanges: []map[string]string{{"startDate": days[0].Format(time.DateOnly), "endDate": days[len(days)-1].Format(time.DateOnly)}},
			Dimensions: names(append([]string{"date"}, w.dimensions...)...), Metrics: names(w.metrics...), Limit: 250_000,
		}
		if w.dimensions == nil {
			one.Aggregations = []string{"TOTAL"} // the users of all days together
		}
		body.Requests = append(body.Requests, one)
	}
	text, _ := json.Marshal(body) // of strings and numbers
	return string(text)
}

// isUniversalTitle reports whether only Universal Analytics calls a column so.
func isUniversalTitle(title string) bool {
	if strings.HasPrefix(title, "ga:") {
		return true
	}
	switch spelling(title) {
	case "dayindex", "pageviews", "uniquepageviews", "avgsessionduration", "avgtimeonpage", "%newsessions", "pagessession":
		return true
	}
	return false
}
