package reconstruct

import (
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

// TestRoster draws people who come again, counts the users of every moving month,
// and holds that a roster of the days has as many.
func TestRoster(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const window = 28
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		people, days := rapid.IntRange(400, 1500).Draw(t, "people"), rapid.IntRange(40, 90).Draw(t, "days")
		loyal := rapid.Float64Range(0, 0.3).Draw(t, "loyal")
		truth := make([][]int, days)
		for d := range truth {
			share := 0.03 + 0.02*rng.Float64()
			for p := range people {
				chance := share
				if float64(p) < loyal*float64(people) {
					chance *= 4
				}
				if rng.Float64() < chance {
					truth[d] = append(truth[d], p)
				}
			}
		}
		list := make([]RosterDay, days)
		for d := range list {
			list[d] = RosterDay{Visitors: len(truth[d]), Users: usersWithin(truth, d, window)}
		}
		total := 0
		if rapid.Bool().Draw(t, "total") {
			total = usersWithin(truth, days-1, days)
		}
		roster := NewRoster(window, total, list)
		got := make([][]int, days)
		for d := range got {
			share := roster.Next()
			today := make(map[int]bool)
			for i := range share.visitors {
				user := share.user(i)
				if today[user] {
					t.Fatalf("day %d: user %d comes twice", d, user)
				}
				today[user] = true
				got[d] = append(got[d], user)
			}
			if len(got[d]) != list[d].Visitors {
				t.Fatalf("day %d: %d visitors, not %d", d, len(got[d]), list[d].Visitors)
			}
		}
		for d := window - 1; d < days; d++ {
			// A day whose users must all be new, or none, can be one off; seldom there are several in a window.
			if off, most := usersWithin(got, d, window)-list[d].Users, 1+list[d].Users/50; off > most || off < -most {
				n := off + list[d].Users
				t.Fatalf("28 days to day %d: %d users, not %d", d, n, list[d].Users)
			}
		}
		// Who comes again after the window is another one, where the total is not told.
		month, want := usersWithin(got, 36, 31), usersWithin(truth, 36, 31)
		if off := month - want; off*off*10*10 > want*want {
			t.Errorf("%d users in 31 days, not %d", month, want)
		}
		if n := usersWithin(got, days-1, days); total > 0 && n*100 < total*95 {
			t.Errorf("%d users of all days, not %d", n, total)
		}
	})
}

// usersWithin counts the users of the days before and with a day.
func usersWithin(days [][]int, last, n int) int {
	users := make(map[int]bool)
	for d := max(0, last-n+1); d <= last; d++ {
		for _, user := range days[d] {
			users[user] = true
		}
	}
	return len(users)
}
