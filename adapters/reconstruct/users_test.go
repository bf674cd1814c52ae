package reconstruct

import (
	"testing"

	"pgregory.net/rapid"
)

// TestSharedUsers holds that all days together have the period's users, and that
// no day has one twice.
func TestSharedUsers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		visitors := rapid.SliceOfN(rapid.IntRange(0, 40), 1, 40).Draw(t, "visitors")
		users := rapid.IntRange(0, 900).Draw(t, "users")
		shares, total := ShareUsers(users, visitors)
		all, most := 0, 0
		for _, n := range visitors {
			all, most = all+n, max(most, n)
		}
		if users >= most && users <= all && total != users {
			t.Fatalf("%d users of %d", total, users)
		}
		seen := map[int]bool{}
		for d, n := range visitors {
			today := map[int]bool{}
			for i := range n {
				user := shares[d].user(i)
				if today[user] || user < 0 || user >= total {
					t.Fatalf("day %d: user %d", d, user)
				}
				today[user], seen[user] = true, true
			}
		}
		if len(seen) != total {
			t.Fatalf("%d users, not %d", len(seen), total)
		}
	})
}

// TestUsersKeepTheirTraits has the same day over and over: who comes again
// mostly has the same browser.
func TestUsersKeepTheirTraits(t *testing.T) {
	shares, _ := ShareUsers(700, []int{400, 400, 400})
	browsers := map[int]string{}
	same, again := 0, 0
	for i := range shares {
		d := dayOf(firstDay.AddDate(0, 0, i), aggregate(simulate(7, 500)))
		d.Has, d.Totals.Visitors = everything, 400
		res, err := reconstruct(d)
		if err != nil {
			t.Fatal(err)
		}
		users := res.Users(d, &shares[i])
		today := map[int]string{}
		for _, v := range res.Visits {
			if user := users[v.Visitor]; v.Rows[2] >= 0 {
				today[user] = d.Tables[2].Rows[v.Rows[2]].Key
			}
		}
		if len(today) != 400 {
			t.Fatalf("%d users on a day", len(today))
		}
		for user, browser := range today {
			if had, known := browsers[user]; known {
				again++
				if had == browser {
					same++
				}
			}
			browsers[user] = browser
		}
	}
	if len(browsers) != 700 || same*10 < again*9 {
		t.Errorf("%d users; %d of %d who came again have the same device", len(browsers), same, again)
	}
}
