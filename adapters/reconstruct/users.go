package reconstruct

import (
	"cmp"
	"math"
	"slices"
)

// A Share says which of a period's users the visitors of one of its days are.
// Users are numbered from 0. Its zero value has none.
type Share struct {
	users, step  int
	known, fresh int // users who came before, and who come on this day first
	from         int // which of the known come again
	visitors     int
	list         []int // of a [Roster]
}

// ShareUsers shares the users of a period out to its days, of which visitors
// says how many visitors each has: a user comes at most once a day, and all days
// together have as many users as returned. That is users, but at least the
// visitors of any day and at most those of all days. Users come for the first
// time over all of the period.
func ShareUsers(users int, visitors []int) (shares []Share, total int) {
	all, most := 0, 0
	for _, n := range visitors {
		all, most = all+n, max(most, n)
	}
	total = min(max(users, most), all)
	step := stepOf(total)
	known, came, again := 0, 0, 0
	for _, n := range visitors {
		came += n
		due := int(float64(total) * float64(came) / float64(max(all, 1)))
		if came == all {
			due = total
		}
		fresh := min(max(due-known, n-known, 0), n)
		shares = append(shares, Share{users: total, step: step, known: known, fresh: fresh, from: again, visitors: n})
		known, again = known+fresh, again+n-fresh
	}
	return shares, total
}

// stepOf returns a number without a divisor in common with n, whose multiples
// modulo n are spread evenly: near n by the golden ratio.
func stepOf(n int) int {
	divisor := func(a, b int) int {
		for b != 0 {
			a, b = b, a%b
		}
		return a
	}
	step := max(1, int(float64(n)/math.Phi))
	for divisor(step, n) > 1 {
		step++
	}
	return step
}

// user returns who the i-th of the day's visitors is.
func (s *Share) user(i int) int {
	if s.list != nil {
		return s.list[i] * rosterStep % rosterUsers
	}
	if i >= s.fresh {
		i = (s.from + i - s.fresh) % s.known
	} else {
		i += s.known
	}
	return i * s.step % s.users
}

// Users returns which of a period's users the visitors of the part are, by
// Visit.Visitor less FirstVisitor; -1 is a visitor more than the share has.
// Visitors are matched by the rank of what their rows in tables with PerVisitor
// say, so that a user mostly has the same device, browser and place on all days.
func (r *Result) Users(day *Day, s *Share) []int {
	out := make([]int, r.Persons)
	users := make([]int, 0, r.Persons)
	for i := range out {
		out[i] = -1
		if n := r.FirstVisitor + i; n < s.visitors {
			users = append(users, s.user(n))
		}
	}
	slices.Sort(users)
	traits := r.traits(day)
	visitors := make([]int, len(users))
	for i := range visitors {
		visitors[i] = i
	}
	slices.SortStableFunc(visitors, func(a, b int) int { return slices.Compare(traits[a], traits[b]) })
	for i, v := range visitors {
		out[v] = users[i]
	}
	return out
}

// traits returns the ranks of the rows that the visitors have in tables with
// PerVisitor, those of the table with the fewest rows first.
func (r *Result) traits(day *Day) [][]int32 {
	var tables []int
	for i := range day.Tables {
		if day.Tables[i].PerVisitor {
			tables = append(tables, i)
		}
	}
	slices.SortStableFunc(tables, func(a, b int) int { return len(day.Tables[a].Rows) - len(day.Tables[b].Rows) })
	ranks := make([][]int32, len(tables))
	for i, t := range tables {
		rows := day.Tables[t].Rows
		order := make([]int32, len(rows))
		for k := range order {
			order[k] = int32(k)
		}
		slices.SortFunc(order, func(a, b int32) int { return cmp.Compare(rows[a].Key, rows[b].Key) })
		ranks[i] = make([]int32, len(rows))
		for rank, row := range order {
			ranks[i][row] = int32(rank)
		}
	}
	out := make([][]int32, r.Persons)
	for _, v := range r.Visits {
		own := v.Visitor - r.FirstVisitor
		if out[own] != nil {
			continue
		}
		for i, t := range tables {
			rank := int32(-1)
			if row := v.Rows[t]; row >= 0 {
				rank = ranks[i][row]
			}
			out[own] = append(out[own], rank)
		}
	}
	return out
}
