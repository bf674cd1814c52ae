package ga

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

// TestTitlesMeanOneThing holds that no title is that of two fields: which of them
// a column is would be chance.
func TestTitlesMeanOneThing(t *testing.T) {
	meaning := make(map[string]field)
	check := func(titles string, f field) {
		for title := range strings.SplitSeq(titles, "|") {
			s := spelling(title)
			if other, known := meaning[s]; known && other != f {
				t.Errorf("%q is both %q and %q", title, other, f)
			}
			meaning[s] = f
		}
	}
	for _, titles := range [...]map[field]string{dimensionTitles, metricTitles} {
		for _, f := range slices.Sorted(maps.Keys(titles)) {
			check(titles[f], f)
		}
	}
	check(unusedMetrics, unknownMetric)
	for parameter, titles := range parameterTitles {
		check(titles, field(parameterOf+parameter))
	}
}
