package reconstruct

import (
	"math"
	"slices"
)

// A RosterDay is a day of a [Roster]: its visitors, and the users of the window
// that ends with it; 0 is not told.
type RosterDay struct{ Visitors, Users int }

// A Roster says day by day which users the visitors are, so that every window of
// so many days has the users that are told of it: a moving month. It keeps the
// users of one window, by the day on which they came last. Of those a day's
// visitors are drawn, from every day alike, and as many others come as the window
// needs. A window with users before the first day is not met.
type Roster struct {
	days   []RosterDay
	total  int // users of all days; 0 is not told
	window int

	loyal  float64 // of a window's users, who come again on a day
	day    int
	active [][]int // users by the day of their last visit, the oldest first
	gone   [][]int // who has left the window on the last days, with a total
	old    []int   // who left it before
	known  int     // users so far
	came   int     // visitors so far
	all    int     // visitors of all days
	begun  int     // users when the first window was full, of since visitors
	since  int
	first  int // the first day of which the window is whole and told
}

// absent is how many days users who leave a window stay away at least, so that
// nobody does both in a month that is longer.
const absent = 4

// NewRoster begins a roster of consecutive days. With a total not 0, users also
// come again after longer than a window, so that all days have about as many.
func NewRoster(window, total int, days []RosterDay) *Roster {
	r := &Roster{days: days, total: total, window: window, active: make([][]int, window)}
	for i, d := range days {
		r.all += d.Visitors
		if r.first == 0 && i >= window-1 && d.Users > 0 {
			r.first = i
		}
	}
	r.fill()
	return r
}

// Next returns who the next day's visitors are.
func (r *Roster) Next() Share {
	today := r.days[r.day]
	expired := r.active[0]
	r.active = append(r.active[1:], nil)
	if r.total > 0 {
		r.gone = append(r.gone, expired)
		if len(r.gone) > absent {
			r.old, r.gone = append(r.old, r.gone[0]...), r.gone[1:]
		}
	}
	within := 0
	for _, users := range r.active {
		within += len(users)
	}
	fresh := min(max(r.wanted(today, within), today.Visitors-within, 0), today.Visitors)
	users := r.again(today.Visitors-fresh, within+fresh)
	r.came += today.Visitors
	users = append(users, r.others(fresh)...)
	r.active[r.window-1] = users
	r.day++
	return Share{list: users, visitors: len(users)}
}

// fill sets the share of a window's users who come again on a day, with which the
// first window fills up to its users.
func (r *Roster) fill() {
	if r.first == 0 {
		return
	}
	low, high := 0.0, 1.0
	for range 50 {
		r.loyal = (low + high) / 2
		users := 0.0
		for _, d := range r.days[r.first-r.window+1 : r.first+1] {
			users += max(float64(d.Visitors)-r.loyal*users, 0)
		}
		if users > float64(r.days[r.first].Users) {
			low = r.loyal
		} else {
			high = r.loyal
		}
	}
}

// wanted returns how many of a day's visitors have not come within the window.
func (r *Roster) wanted(today RosterDay, within int) int {
	others := today.Visitors - int(math.Round(r.loyal*float64(within)))
	switch {
	case r.day < r.first:
		return min(others, r.days[r.first].Users-within)
	case today.Users == 0:
		return others
	}
	return today.Users - within
}

// again takes n users who came within the window, of users in it: of each day
// as many as it has, but for those who must leave the window when it does.
func (r *Roster) again(n, users int) []int {
	sizes, caps := make([]int, r.window), make([]int, r.window)
	for i := range sizes {
		sizes[i] = len(r.active[i])
		caps[i] = max(sizes[i]-r.leave(r.day+i), 0)
	}
	oldest := 0
	if next := r.day + 1; next < len(r.days) && r.days[next].Users > 0 {
		// Tomorrow's visitors, and who stays, make tomorrow's users: too many must not leave.
		most := max(users-r.days[next].Users+r.days[next].Visitors, 0)
		oldest = min(max(sizes[0]-most, 0), n)
	}
	take := Apportion(n, sizes, caps)
	if take[0] < oldest {
		caps[0] = 0
		take = Apportion(n-oldest, sizes, caps)
		take[0] = oldest
	}
	rest := n
	for i := range take {
		rest -= take[i]
		sizes[i] -= take[i]
	}
	var list []int
	for i, k := range Apportion(rest, sizes, sizes) {
		k += take[i]
		list = append(list, r.active[i][:k]...)
		r.active[i] = r.active[i][k:]
	}
	return list
}

// leave returns how many users must leave the window at a day's end, for the
// next day to have no more than are told.
func (r *Roster) leave(day int) int {
	if day < r.first || day+1 >= len(r.days) || r.days[day].Users == 0 || r.days[day+1].Users == 0 {
		return 0
	}
	return max(r.days[day].Users-r.days[day+1].Users, 0)
}

// others returns n users who did not come within the window: new ones, and with
// a total those who came before it.
func (r *Roster) others(n int) []int {
	returning := 0
	if r.total > 0 {
		if r.day <= r.first {
			r.begun, r.since = r.known+n, r.came
		}
		due := r.begun + int(float64(r.total-r.begun)*float64(r.came-r.since)/float64(max(r.all-r.since, 1)))
		if r.day <= r.first {
			due = r.begun
		}
		returning = min(max(n-max(due-r.known, 0), 0), len(r.old))
	}
	list := slices.Clone(r.old[:returning])
	r.old = r.old[returning:]
	for range n - returning {
		list = append(list, r.known)
		r.known++
	}
	return list
}

// Users of a roster are spread by their numbers as those of a period are: of
// each day's, numbers tell apart who has which traits.
const (
	rosterUsers = 1<<31 - 1 // a prime
	rosterStep  = 1327217885
)
