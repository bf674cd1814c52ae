package ga

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	"hopper/adapters"
	"hopper/adapters/reconstruct"
)

// people decide which of the days' visitors are the same: a report tells each
// day's users, and some tell those of a period, whom days share.
type people struct {
	given   []periodUsers // with [adapters.PeriodUsers]
	told    []periodUsers // by the reports
	windows []periodUsers // of 28 or 30 days, which overlap
	shares  map[time.Time]*share
	roster  *roster // where windows tell of all days; shares are then empty
	notes   []string
	// unshared is how many days no period's users are told of, and visitors how
	// many these days have.
	unshared, visitors int
}

// periodUsers are how many users there were in some days.
type periodUsers struct {
	span  span
	users int
}

// A share says which users of a period the visitors of a day are.
type share struct {
	reconstruct.Share
	span span
}

// givenUsers reads the users of periods that the user gives.
func (p *people) givenUsers(opt adapters.Options) error {
	path := opt.Get(adapters.PeriodUsers)
	if path == "" {
		return nil
	}
	periods, err := adapters.ReadPeriods(path)
	if err != nil {
		return err
	}
	for _, period := range periods {
		from, err1 := time.Parse(time.DateOnly, period.First)
		to, err2 := time.Parse(time.DateOnly, period.Last)
		if err1 == nil && err2 == nil {
			p.given = append(p.given, periodUsers{span{from, to}, period.Users})
		}
	}
	return nil
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
			n, ok = t.numbers.whole(cell(t.totals, i))
		}
	}
	var s span
	for _, row := range t.all() {
		if !row.stays() {
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

// share decides for each period with users which days share them.
func (r *reports) share() error {
	p, days := &r.people, r.sorted()
	for _, of := range r.inOrder() {
		if of.users != nil {
			p.told = append(p.told, periodUsers{of.span, *of.users})
		}
	}
	visitors := make(map[time.Time]int, len(days))
	for _, day := range days {
		visitors[day] = r.visitorsOf(day)
	}
	p.shares = make(map[time.Time]*share)
	asked := false
	if p.roster = p.moving(days, visitors); p.roster != nil {
		return nil
	}
	for _, u := range p.disjoint(days) {
		shared := p.shareOut(u, days, visitors)
		asked = asked || shared && slices.Contains(p.given, u)
	}
	if len(p.given) > 0 && !asked {
		return fmt.Errorf("--%s: %s has no period with any of the reports' days, which are from %s to %s", adapters.PeriodUsers.Name, r.opt.Get(adapters.PeriodUsers),
			days[0].Format(time.DateOnly), days[len(days)-1].Format(time.DateOnly))
	}
	for _, day := range days {
		if p.shares[day] == nil && visitors[day] > 0 {
			p.unshared++
			p.visitors += visitors[day]
		}
	}
	return nil
}

// A roster is what a [reconstruct.Roster] is made of.
type roster struct {
	span          span
	window, total int
	days          []reconstruct.RosterDay
}

// longest is how many days a month has at most.
const longest = 31

// moving returns a roster where days tell the users of the 28 or 30 days that end
// with them, and nothing tells those of months or less. Users of a longer period
// with all days are the roster's total.
func (p *people) moving(days []time.Time, visitors map[time.Time]int) *roster {
	r := &roster{}
	if len(days) > 0 {
		r.span = span{days[0], days[len(days)-1]}
	}
	for _, u := range p.told {
		switch {
		case u.span.days() <= longest:
			return nil
		case u.span.includes(r.span.from) && u.span.includes(r.span.to):
			r.total = u.users
		}
	}
	told := make(map[int]map[time.Time]int) // users, by length and last day
	for _, w := range p.windows {
		if w.span.from.Before(r.span.from) {
			continue
		}
		length := w.span.days()
		if told[length] == nil {
			told[length] = make(map[time.Time]int)
		}
		told[length][w.span.to] = w.users
		if r.window == 0 || len(told[length]) > len(told[r.window]) {
			r.window = length
		}
	}
	const most = 36600 // days: a century
	if r.window == 0 || len(p.given) > 0 || r.span.days() > most {
		return nil
	}
	for day := r.span.from; !day.After(r.span.to); day = day.AddDate(0, 0, 1) {
		r.days = append(r.days, reconstruct.RosterDay{Visitors: visitors[day], Users: told[r.window][day]})
	}
	if r.total == 0 && len(r.days) > r.window {
		p.notes = append(p.notes, fmt.Sprintf("Users are shared by the %d days that are told of them. Who comes again after longer is counted as another one: nothing tells how many do.", r.window))
	}
	return r
}

// disjoint returns periods that do not overlap: those that the user gives, those
// that reports tell, months before others, then windows from the last day back.
func (p *people) disjoint(days []time.Time) []periodUsers {
	var kept []periodUsers
	free := func(s span) bool {
		return !slices.ContainsFunc(kept, func(k periodUsers) bool { return !s.from.After(k.span.to) && !s.to.Before(k.span.from) })
	}
	told := slices.Clone(p.told)
	fromMonth := func(u periodUsers) float64 { return math.Abs(math.Log(float64(u.span.days()) / longest)) }
	slices.SortStableFunc(told, func(a, b periodUsers) int { return cmp.Compare(fromMonth(a), fromMonth(b)) })
	windows := slices.Clone(p.windows)
	slices.SortStableFunc(windows, func(a, b periodUsers) int { return b.span.to.Compare(a.span.to) })
	windows = slices.DeleteFunc(windows, func(u periodUsers) bool { return u.span.from.Before(days[0]) })
	for _, u := range slices.Concat(p.given, told, windows) {
		if free(u.span) {
			kept = append(kept, u)
		}
	}
	return kept
}

// shareOut shares a period's users out to its days, and reports whether it has
// any of them.
func (p *people) shareOut(u periodUsers, days []time.Time, visitors map[time.Time]int) bool {
	var within []time.Time
	var each []int
	for _, day := range days {
		if u.span.includes(day) && visitors[day] > 0 {
			within, each = append(within, day), append(each, visitors[day])
		}
	}
	if within == nil {
		return false
	}
	shares, users := reconstruct.ShareUsers(u.users, each)
	for i, day := range within {
		p.shares[day] = &share{shares[i], u.span}
	}
	if users != u.users {
		p.notes = append(p.notes, fmt.Sprintf("%s will have %d users, not %d: no fewer than came on one day, and no more than came on all days together.", u.span, users, u.users))
	}
	return true
}

// visitorsOf returns how many visitors a day will have.
func (r *reports) visitorsOf(day time.Time) int {
	known := r.days[day]
	d := r.load(known)
	r.keep(known, d)
	skeleton, _ := r.filled(day, d)
	_, visitors, err := reconstruct.CountParts(skeleton)
	if err != nil {
		return 0 // reading the day says why
	}
	return visitors
}

// peopleNote says what a month's users will be.
func (r *reports) peopleNote() []string {
	notes := r.people.notes
	if r.people.roster != nil || r.people.unshared < 2 {
		return notes
	}
	return append(notes, fmt.Sprintf("Nothing tells which of the days' users are the same people on %d days: their users will be the days' added up, %d, where Google showed fewer. A report by Date with the metric 28-day active users, one with a totals row of Total users, or --%s with the users of each month tells it.",
		r.people.unshared, r.people.visitors, adapters.PeriodUsers.Name))
}
