package plausible

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"time"

	"hopper/adapters"
	"hopper/adapters/input"
	"hopper/adapters/reconstruct"
)

// total is what the table visitors says of a day.
type total struct {
	visits, visitors int
	line             string // the row
	row              int64  // its number
}

// persons is how many visitors a day is made with.
func (t total) persons() int {
	if t.visits == 0 {
		return 0
	}
	return min(max(t.visitors, 1), t.visits)
}

// shared says which users of a period the visitors of a day are.
type shared struct {
	reconstruct.Share
	digest [8]byte // of the period
}

// share reads the users of periods and shares them out to the days.
func (d *days) share() error {
	path := d.opt.Get(adapters.PeriodUsers)
	if path == "" {
		return nil
	}
	periods, err := adapters.ReadPeriods(path)
	if err != nil {
		return err
	}
	if len(d.totals) == 0 {
		return input.Errorf(d.tables[0].Input.Name, "comes without the table visitors, which says how many visitors each day has").
			Advise("give the whole export, or leave out --%s", adapters.PeriodUsers.Name)
	}
	d.shares = map[string]*shared{}
	for _, p := range periods {
		if n := d.missing(p); n > 0 {
			d.userNotes = append(d.userNotes, fmt.Sprintf("The export lacks %d days of the period %s to %s, whose users are all shared out to the others.", n, p.First, p.Last))
		}
		var dates []string
		var visitors []int
		for _, date := range slices.Sorted(maps.Keys(d.totals)) {
			if p.Has(date) {
				dates, visitors = append(dates, date), append(visitors, d.totals[date].persons())
			}
		}
		shares, users := reconstruct.ShareUsers(p.Users, visitors)
		var digest [8]byte
		hash := sha256.Sum256(fmt.Appendf(nil, "%s %s %d", p.First, p.Last, users))
		copy(digest[:], hash[:])
		for i, date := range dates {
			d.shares[date] = &shared{shares[i], digest}
		}
		if users != p.Users {
			d.userNotes = append(d.userNotes, fmt.Sprintf("%s to %s will have %d users, not %d: no fewer than came on one day, and no more than came on all days together.", p.First, p.Last, users, p.Users))
		}
	}
	if len(d.shares) == 0 {
		return fmt.Errorf("--%s: %s has no period with any of the export's days, which are from %s to %s", adapters.PeriodUsers.Name, path, d.first, d.last)
	}
	uncovered := 0
	for date := range d.totals {
		if d.shares[date] == nil {
			uncovered++
		}
	}
	if uncovered > 0 {
		d.userNotes = append(d.userNotes, fmt.Sprintf("%d days of the export are in no period of --%s: nothing links their visitors to those of other days.", uncovered, adapters.PeriodUsers.Name))
	}
	return nil
}

// missing returns how many days of a period the export lacks, if it has any.
func (d *days) missing(p adapters.Period) int {
	all, has := 0, 0
	first, _ := time.Parse(time.DateOnly, p.First) // was parsed before
	for at := first; ; at = at.AddDate(0, 0, 1) {
		date := at.Format(time.DateOnly)
		if date > p.Last {
			break
		}
		all++
		if d.dates[date] {
			has++
		}
	}
	if has == 0 {
		return 0
	}
	return all - has
}

// noteUsers says what the users of a month will be.
func (d *days) noteUsers() []string {
	if d.shares != nil {
		return d.userNotes
	}
	months, days := map[string]int{}, map[string]int{}
	for date, t := range d.totals {
		months[date[:len("2006-01")]] += t.persons()
		days[date[:len("2006-01")]]++
	}
	best := ""
	for month := range months {
		if days[month] > 1 && (best == "" || months[month] > months[best] || months[month] == months[best] && month < best) {
			best = month
		}
	}
	if best == "" {
		return nil
	}
	return []string{fmt.Sprintf("Nothing in the export links the visitors of one day to those of another, so that Rybbit shows the days added up: %d users for %s, where Plausible showed fewer. "+
		"Give the users of each month with --%s to have these instead.", months[best], best, adapters.PeriodUsers.Name)}
}
