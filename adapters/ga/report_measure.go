package ga

import (
	"math"

	"hopper/adapters/reconstruct"
)

// measured is what a row's metrics say.
type measured struct {
	reconstruct.Sums
	has    reconstruct.Measure // which of Sums are told
	events int
	// Visits that began and ended on the row's page, and how many of the first
	// had no other pageview; below 0 is not told.
	entrances, exits, entranceBounces int
	// What only makes a sum together with numbers of other tables; below 0 is
	// not told.
	averages
	usersOf28, usersOf30 int
}

// averages are a day's: seconds a user and a visit, and the share of visits that
// are bounces. Below 0 is not told.
type averages struct{ perUser, perVisit, bounced float64 }

var noAverages = averages{-1, -1, -1}

// none reports whether the row tells nothing that is read.
func (m *measured) none() bool {
	return m.has == 0 && m.events == 0 && m.entrances <= 0 && m.averages == noAverages && m.usersOf28 == 0 && m.usersOf30 == 0
}

// measures reads a row's metrics.
type measures struct {
	table *reportTable
	cells []string
	ok    bool // all cells could be read
}

// count reads the first of the metrics that the table has.
func (m *measures) count(fields ...field) (n int, told bool) {
	for _, f := range fields {
		if i := m.table.column(f); i >= 0 && !isNothing(cell(m.cells, i)) {
			n, valid := m.table.numbers.whole(cell(m.cells, i))
			m.ok = m.ok && valid
			return n, true
		}
	}
	return 0, false
}

// share reads a rate, length a length of time, mean a mean; below 0 is not told.
func (m *measures) share(f field) float64 { return m.number(f, m.table.numbers.share, 1) }

func (m *measures) length(f field) float64 { return m.number(f, m.table.numbers.length, 1e6) }

func (m *measures) mean(f field) float64 { return m.number(f, m.table.numbers.mean, 1e6) }

func (m *measures) number(f field, parse func(string, int) (float64, bool), most float64) float64 {
	i := m.table.column(f)
	if i < 0 || isNothing(cell(m.cells, i)) {
		return -1
	}
	n, valid := parse(cell(m.cells, i), i)
	if !valid || n < 0 || n > most {
		m.ok = false
		return -1
	}
	return n
}

// measure reads a row's metrics, and reports whether all of them are numbers.
func (t *reportTable) measure(cells []string) (measured, bool) {
	in := &measures{table: t, cells: cells, ok: true}
	m := measured{entrances: -1, exits: -1, entranceBounces: -1, averages: noAverages}
	set := func(measure reconstruct.Measure, to *int, n int, told bool) {
		if told {
			*to = n
			m.has |= measure
		}
	}
	n, told := in.count(users, activeUsers)
	set(reconstruct.Visitors, &m.Visitors, n, told)
	n, told = in.count(views)
	set(reconstruct.Pageviews, &m.Pageviews, n, told)
	n, told = in.visits(&m)
	set(reconstruct.Visits, &m.Visits, n, told)
	if mean := in.mean(viewsPerSession); mean > 0 && m.has&(reconstruct.Visits|reconstruct.Pageviews) == reconstruct.Visits {
		set(reconstruct.Pageviews, &m.Pageviews, int(math.Round(mean*float64(m.Visits))), true)
	} else if mean := in.mean(viewsPerUser); mean > 0 && m.has&(reconstruct.Visitors|reconstruct.Pageviews) == reconstruct.Visitors {
		set(reconstruct.Pageviews, &m.Pageviews, int(math.Round(mean*float64(m.Visitors))), true)
	}
	m.events, _ = in.count(eventCount)
	m.usersOf28, _ = in.count(usersOf28Days)
	m.usersOf30, _ = in.count(usersOf30Days)

	visitsTold := m.has&reconstruct.Visits != 0
	if n, told := in.count(bounces); told {
		set(reconstruct.Bounces, &m.Bounces, n, true)
	} else if m.bounced = in.bounced(m.Visits); m.bounced >= 0 && visitsTold {
		set(reconstruct.Bounces, &m.Bounces, int(math.Round(m.bounced*float64(m.Visits))), true)
	} else if engaged, told := in.count(engagedSessions); told && visitsTold {
		set(reconstruct.Bounces, &m.Bounces, max(0, m.Visits-engaged), true)
	}
	in.lengths(&m)
	in.ends(&m)
	return m, in.ok
}

// visits returns the row's sessions: told, or what the means of other metrics
// make of them.
func (m *measures) visits(of *measured) (int, bool) {
	if n, told := m.count(sessions); told {
		return n, true
	}
	if mean := m.mean(sessionsPerUser); mean > 0 && of.has&reconstruct.Visitors != 0 {
		return int(math.Round(mean * float64(of.Visitors))), true
	}
	if mean := m.mean(viewsPerSession); mean > 0 && of.has&reconstruct.Pageviews != 0 {
		return int(math.Round(float64(of.Pageviews) / mean)), true
	}
	if engaged, told := m.count(engagedSessions); told {
		if share := m.share(engagementRate); share > 0 {
			return int(math.Round(float64(engaged) / share)), true
		}
	}
	return 0, false
}

// bounced returns the share of bounces, below 0 where it is not told. That of
// no visits is of no matter.
func (m *measures) bounced(visits int) float64 {
	ok := m.ok
	share := m.share(bounceRate)
	if engaged := m.share(engagementRate); share < 0 && engaged >= 0 {
		share = 1 - engaged
	}
	if visits == 0 && m.table.has(sessions) {
		m.ok = ok
		return max(share, 0)
	}
	return share
}

// lengths sets the row's seconds.
func (m *measures) lengths(of *measured) {
	visitsTold := of.has&reconstruct.Visits != 0
	tell := func(seconds float64) {
		of.Duration = int(math.Round(seconds))
		of.has |= reconstruct.Duration
		m.ok = m.ok && seconds < math.MaxInt32
	}
	of.perVisit = m.length(averageSession)
	if of.perVisit >= 0 && visitsTold {
		tell(of.perVisit * float64(of.Visits))
		return
	}
	if m.table.has(averageSession) && visitsTold && m.ok {
		tell(0)
		return
	}
	if all := m.number(totalSeconds, m.table.numbers.length, math.MaxInt32); all >= 0 {
		tell(all)
		return
	}
	if each := m.length(engagementPerSession); each >= 0 && of.perVisit < 0 {
		if of.perVisit = each; visitsTold {
			tell(each * float64(of.Visits))
			return
		}
	}
	if of.perUser = m.length(engagementPerUser); of.perUser >= 0 && of.has&reconstruct.Visitors != 0 {
		tell(of.perUser * float64(of.Visitors))
	}
}

// ends sets how many visits began and ended on the row's page. In reports by
// page the bounce rate is that of the visits that began there.
func (m *measures) ends(of *measured) {
	if n, told := m.count(entrances); told {
		of.entrances = n
		if share := m.share(bounceRate); share >= 0 && !m.table.has(sessions) {
			of.entranceBounces = int(math.Round(share * float64(n)))
		}
	}
	if n, told := m.count(exits); told {
		of.exits = n
	}
}
