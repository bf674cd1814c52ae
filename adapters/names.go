package adapters

import (
	"fmt"
	"slices"
)

// Few returns the first names for a message, at most so many, and then how many more
// there are.
func Few(names []string, most int) []string {
	if len(names) <= most {
		return names
	}
	return append(slices.Clone(names[:most]), fmt.Sprintf("and %d more", len(names)-most))
}

// Commonest returns the name with the highest count, the first in the alphabet of
// several; "" where there is none.
func Commonest[N int | int64](counts map[string]N) string {
	best := ""
	for name, n := range counts {
		if n > counts[best] || n == counts[best] && name < best {
			best = name
		}
	}
	return best
}
