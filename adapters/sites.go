package adapters

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// ListSites names the sites of an input for a message, those with the most rows
// first and no more than 20: what each is called, and how many of what it has.
func ListSites(rows map[string]int64, what string, called func(id string) string) string {
	ids := slices.SortedFunc(maps.Keys(rows), func(a, b string) int {
		return cmp.Or(cmp.Compare(rows[b], rows[a]), cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
	})
	for i, id := range ids {
		ids[i] = fmt.Sprintf("%s (%d %s)", called(id), rows[id], what)
	}
	const most = 20
	return strings.Join(Few(ids, most), "; ")
}
