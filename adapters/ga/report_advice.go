package ga

import (
	"fmt"
	"strings"

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
		t := d.totals()
		each(t.has, &all.Sums, &t.Sums, func(to, n *int) { *to += *n })
		all.has |= t.has
		if t.has&reconstruct.Visits == 0 && (t.Pageviews > 0 || d.tables[tableKey{ofEvents, string(byEvent)}] != nil) {
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
		t := d.totals()
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
	there      func(d *reportDay) bool
}

func byField(fields ...field) func(d *reportDay) bool {
	return func(d *reportDay) bool {
		for key := range d.tables {
			for _, f := range d.tables[key].fields {
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

// wishes are what a complete set of reports has. REPORTS.md has them as a body
// for the Data API.
var wishes = []wish{
	{"Date with Sessions, Total users, Views, Engaged sessions, Average session duration", "each day's totals, exactly", func(d *reportDay) bool {
		t := d.tables[tableKey{kind: ofTotals}]
		const whole = reconstruct.Visits | reconstruct.Visitors | reconstruct.Pageviews | reconstruct.Bounces | reconstruct.Duration
		return t != nil && t.has&whole == whole
	}},
	{"Date, Page path + query string with Views, Total users, Sessions", "pages", func(d *reportDay) bool { return byField(byPage)(d) }},
	{"Date, Landing page + query string with Sessions, Engaged sessions", "entry pages", byField(byLanding)},
	{"Date, Session source, Session medium, Session campaign with Sessions, Total users, Engaged sessions", "sources and campaigns", byField(bySource, bySourceMedium)},
	{"Date, Country, Region, City with Sessions, Total users", "places", byField(byCountry)},
	{"Date, Device category, Browser, Operating system with Sessions, Total users", "devices, browsers and systems", byField(byBrowser)},
	{"Date, Event name with Event count, Total users", "custom events", byField(byEvent)},
}

// missing lists the reports that would make the import complete.
func (r *reports) missing() []string {
	var lacks []string
	for _, w := range wishes {
		found := false
		for _, d := range r.days {
			if found = w.there(d); found {
				break
			}
		}
		if !found {
			lacks = append(lacks, fmt.Sprintf("%s (%s)", w.adds, w.name))
		}
	}
	if lacks == nil {
		return nil
	}
	return []string{fmt.Sprintf("Missing are reports for %s. In GA4, make each under Explore, Free form, the dimensions as rows and the metrics as values, with all rows, and download it as CSV; adapters/ga/REPORTS.md has them as one request to the Data API.", strings.Join(lacks, "; "))}
}
