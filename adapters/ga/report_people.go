package ga

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	"hopper/adapters/reconstruct"
)

// people decide which of the days' visitors are the same: a report tells each
// day's users, and some tell those of a period, whom days share.
type people struct {
	told    []periodUsers
	windows []periodUsers // of 28 or 30 days, which overlap
	sharing []*sharing
	// unshared is how many days no period's users are told of.
	unshared int
}

// periodUsers are how many users there were in some days.
type periodUsers struct {
	span  span
	users int
}

// take keeps the users of the whole range that a totals row of a dated table
// tells.
func (p *people) take(t *reportTable) {
	if t.totals == nil {
		return
	}
	n, ok := 0, false
	for _, f := range [...]field{users, activeUsers} {
		if i := t.column(f); i >= 0 && !ok {
			n, ok = wholeNumber(cell(t.totals, i))
		}
	}
	var s span
	for _, row := range t.rows {
		if row.omit != "" || row.reject != "" {
			continue
		}
		if s.from.IsZero() || row.span.from.Before(s.from) {
			s.from = row.span.from
		}
		if row.span.to.After(s.to) {
			s.to = row.span.to
		}
	}
	if ok && n > 0 && !s.isZero() && !s.isOneDay() {
		p.told = append(p.told, periodUsers{s, n})
	}
}

// tell keeps what a row tells of the users of a period.
func (p *people) tell(s span, m *measured) {
	if !s.isOneDay() {
		return
	}
	for _, window := range [...]struct{ users, days int }{{m.usersOf28, 28}, {m.usersOf30, 30}} {
		if window.users > 0 {
			p.windows = append(p.windows, periodUsers{span{s.from.AddDate(0, 0, 1-window.days), s.to}, window.users})
		}
	}
}

// A sharing is a period in which days share visitors, so that there are as many
// as the period had users.
type sharing struct {
	span span
	days map[time.Time]*shared
}

// shared is a day's part in it: persons are numbered as they come up.
type shared struct {
	visitors, fresh, before int
}

// share decides for each period with users which days share them.
func (r *reports) share() {
	days := r.sorted()
	for _, p := range r.periods {
		if t := p.tables[tableKey{kind: ofTotals}]; t != nil && t.rows[""].has&reconstruct.Visitors != 0 {
			r.people.told = append(r.people.told, periodUsers{p.span, t.rows[""].Visitors})
		}
	}
	visitors := make(map[time.Time]int, len(days))
	for _, day := range days {
		visitors[day] = r.visitorsOf(day)
	}
	for _, p := range r.people.disjoint(days) {
		if s := p.sharing(days, visitors); s != nil {
			r.people.sharing = append(r.people.sharing, s)
		}
	}
	for _, day := range days {
		if s := r.people.of(day); s == nil && visitors[day] > 0 {
			r.people.unshared++
		}
	}
}

// disjoint returns periods that do not overlap: those that were told, the
// longest first, then windows from the last day back.
func (p *people) disjoint(days []time.Time) []periodUsers {
	var kept []periodUsers
	free := func(s span) bool {
		return !slices.ContainsFunc(kept, func(k periodUsers) bool { return !s.from.After(k.span.to) && !s.to.Before(k.span.from) })
	}
	told := slices.Clone(p.told)
	slices.SortStableFunc(told, func(a, b periodUsers) int { return cmp.Compare(b.span.days(), a.span.days()) })
	windows := slices.Clone(p.windows)
	slices.SortStableFunc(windows, func(a, b periodUsers) int { return b.span.to.Compare(a.span.to) })
	for _, u := range slices.Concat(told, windows) {
		if len(days) > 0 && free(u.span) && !u.span.from.Before(days[0]) {
			kept = append(kept, u)
		}
	}
	return kept
}

// sharing returns how days share users, or nil where they cannot: users cannot
// be fewer than a day's, and where they are as many as the days' together, no
// two days share any.
func (u periodUsers) sharing(days []time.Time, visitors map[time.Time]int) *sharing {
	s := &sharing{span: u.span, days: make(map[time.Time]*shared)}
	var within []time.Time
	sum, most := 0, 0
	for _, day := range days {
		if n := visitors[day]; u.span.includes(day) && n > 0 {
			within = append(within, day)
			sum, most = sum+n, max(most, n)
		}
	}
	if u.users < most || u.users >= sum {
		return nil
	}
	// As few come anew on each day as can, then the rest in proportion.
	fresh, room, seen := make([]int, len(within)), make([]int, len(within)), 0
	for i, day := range within {
		fresh[i] = max(0, visitors[day]-seen)
		room[i] = visitors[day] - fresh[i]
		seen += fresh[i]
	}
	for i, more := range reconstruct.Apportion(u.users-seen, room, room) {
		fresh[i] += more
	}
	before := 0
	for i, day := range within {
		s.days[day] = &shared{visitors: visitors[day], fresh: fresh[i], before: before}
		before += fresh[i]
	}
	return s
}

// of returns the period in which a day shares visitors with others, or nil.
func (p *people) of(day time.Time) *sharing {
	for _, s := range p.sharing {
		if s.days[day] != nil {
			return s
		}
	}
	return nil
}

// persons returns who a day's visitors are, by a place that each has for the
// whole period: visitors who are ordered by their traits and take persons in
// order mostly meet one who had the same traits on other days.
func (s *shared) persons() []int {
	list := make([]int, 0, s.visitors)
	back := s.visitors - s.fresh
	for k := range back { // evenly among those who came before
		list = append(list, int(int64(k)*int64(s.before)/int64(back)))
	}
	for k := range s.fresh {
		list = append(list, s.before+k)
	}
	place := func(person int) float64 {
		const golden = 0.6180339887498949
		_, fraction := math.Modf(float64(person) * golden)
		return fraction
	}
	slices.SortFunc(list, func(a, b int) int { return cmp.Or(cmp.Compare(place(a), place(b)), cmp.Compare(a, b)) })
	return list
}

// visitorsOf returns how many visitors a day will have.
func (r *reports) visitorsOf(day time.Time) int {
	_, visitors, err := reconstruct.CountParts(r.skeleton(day))
	if err != nil {
		return 0 // reading the day says why
	}
	return visitors
}

// peopleNote says what a month's users will be.
func (r *reports) peopleNote() []string {
	if r.people.unshared < 2 {
		return nil
	}
	return []string{fmt.Sprintf("Nothing tells which of the days' users are the same people on %d days: a month's users will be the sum of its days'. A report by Date with the metric 28-day active users, or one with a totals row of Total users, tells it.", r.people.unshared)}
}
