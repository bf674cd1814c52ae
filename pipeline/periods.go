package pipeline

import (
	"slices"
	"time"
)

// Periods are stretches of time, each from its first event to its last, in their
// order and at least a day apart.
type Periods [][2]Micros

const aDay = Micros(24 * time.Hour / time.Microsecond)

// Add takes the time from one event to a later one into the periods.
func (p *Periods) Add(first, last Micros) {
	at, _ := slices.BinarySearchFunc(*p, first, func(q [2]Micros, t Micros) int {
		if q[1]+aDay <= t {
			return -1
		}
		return 1
	})
	end := at
	for ; end < len(*p) && (*p)[end][0] < last+aDay; end++ {
		first, last = min(first, (*p)[end][0]), max(last, (*p)[end][1])
	}
	*p = slices.Replace(*p, at, end, [2]Micros{first, last})
}
