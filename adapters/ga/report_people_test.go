package ga

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"hopper/adapters"
)

// TestMonthsOfMovingUsers has people come again, tells each day's users and those
// of the 28 days that end with it, and counts the users of months of 31, 30 and 29
// days, and of all days where a totals row tells them.
func TestMonthsOfMovingUsers(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	first := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	const days, people = 121, 4000
	came := make([]map[string]bool, days)
	for d := range came {
		came[d] = make(map[string]bool)
		for p := range people {
			// Some come often, and everybody begins and stops at some time.
			if from := (p * 7) % days; p%5 > 0 && (d < from-40 || d > from+40) {
				continue
			}
			if rng.Float64() < 0.02+0.08/float64(1+p%9) {
				came[d][fmt.Sprint(p)] = true
			}
		}
	}
	within := func(sets []map[string]bool, from, to int) int {
		all := make(map[string]bool)
		for d := max(from, 0); d <= to; d++ {
			for p := range sets[d] {
				all[p] = true
			}
		}
		return len(all)
	}
	for _, totals := range []bool{false, true} {
		var b strings.Builder
		b.WriteString("Date,Sessions,Total users,Views,28-day active users\n")
		for d := range came {
			n := len(came[d])
			fmt.Fprintf(&b, "%s,%d,%d,%d,%d\n", first.AddDate(0, 0, d).Format("20060102"), n, n, 2*n, within(came, d-27, d))
		}
		if totals {
			fmt.Fprintf(&b, ",1,%d,1,1\n", within(came, 0, days-1))
		}
		events, _, _ := read(t, adapters.Options{}, write(t, "r.csv", b.String()))
		got := make([]map[string]bool, days)
		for d := range got {
			got[d] = make(map[string]bool)
		}
		for _, ev := range events {
			got[int(ev.Time.Time().Sub(first)/(24*time.Hour))][ev.Visitor] = true
		}
		for d := 27; d < days; d++ {
			if n, want := within(got, d-27, d), within(came, d-27, d); n != want {
				t.Fatalf("28 days to day %d have %d users, not %d", d, n, want)
			}
		}
		near := func(from, to int) {
			n, want := within(got, from, to), within(came, from, to)
			if off := float64(n-want) / float64(want); off < -0.02 || off > 0.02 {
				t.Errorf("totals %t, days %d to %d: %d users, not %d", totals, from, to, n, want)
			}
		}
		near(0, 30)
		near(31, 59)
		near(60, 90)
		near(91, 120)
		if totals {
			near(0, days-1)
		}
	}
}

// TestUsersOfMonthsInAYear has the users of months come out where those of all of
// them are told too.
func TestUsersOfMonthsInAYear(t *testing.T) {
	var b strings.Builder
	b.WriteString("Date,Sessions,Total users,Views\n")
	for day := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC); day.Month() < 4; day = day.AddDate(0, 0, 1) {
		fmt.Fprintf(&b, "%s,30,20,60\n", day.Format("20060102"))
	}
	b.WriteString(",2730,700,5460\n")
	months := write(t, "months.csv", "Year month,Total users\n202401,300\n202402,310\n202403,320\n")
	events, _, _ := read(t, adapters.Options{}, write(t, "days.csv", b.String()), months)
	users := map[string]map[string]bool{}
	for _, ev := range events {
		month := ev.Time.Time().Format("2006-01")
		if users[month] == nil {
			users[month] = map[string]bool{}
		}
		users[month][ev.Visitor] = true
	}
	expect(t, "users", []int{len(users["2024-01"]), len(users["2024-02"]), len(users["2024-03"])}, []int{300, 310, 320})
}
