package adapters

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"hopper/pipeline"
)

func TestDateOrder(t *testing.T) {
	now := pipeline.MicrosOf(time.Date(2024, 6, 1, 0, 0, 0, 0, time.UTC))
	for name, c := range map[string]struct {
		values string
		to     pipeline.Micros
		want   DateOrder
	}{
		"none needs one":                    {"2024-05-01 08:20|1.5.2024|May 1, 2024|13|", 0, AnyOrder},
		"a day above twelve stands second":  {"5/1/2024 8:20|5/13/2024 8:20", 0, MonthFirst},
		"a day above twelve stands first":   {"5/1/2024|13/5/2024", 0, DayFirst},
		"with dashes":                       {"05-01-2024|31-01-2024", 0, DayFirst},
		"three days of a month":             {"5/1/2024 8:20|5/2/2024 9:00|5/3/2024 9:00", 0, MonthFirst},
		"three days of a month, day first":  {"1/5/2024 8:20|2/5/2024 9:00|3/5/2024 9:00", 0, DayFirst},
		"three days of January, with hours": {"1/1/2024 8:20|1/2/2024 9:00|1/3/2024 9:00", 0, MonthFirst},
		"in order of time":                  {"3/4/2024|5/2/2024|5/9/2024|7/8/2024|8/1/2024|9/12/2024|10/2/2024", 0, MonthFirst},
		"newest first":                      {"2/10/2024|12/9/2024|1/8/2024|8/7/2024|9/5/2024|2/5/2024|4/3/2024", 0, DayFirst},
		"in the future otherwise":           {"5/7/2024|1/7/2024", now, MonthFirst},
		"day and month are the same":        {"5/5/2024|6/6/2024", 0, AnyOrder},
	} {
		t.Run(name, func(t *testing.T) {
			f := OrderFinder{To: c.to}
			for _, s := range strings.Split(c.values, "|") {
				f.Add(s)
			}
			if got, err := f.Order(); got != c.want || err != nil {
				t.Errorf("got %d, %v, want %d", got, err, c.want)
			}
		})
	}
}

func TestNoDateOrder(t *testing.T) {
	for name, values := range map[string]string{
		"one day":                         "5/1/2024 8:20|5/1/2024 9:00",
		"two days":                        "5/1/2024 8:20|5/2/2024 8:20",
		"the first of months, or January": "1/1/2024|2/1/2024|3/1/2024|4/1/2024",
		"some days of some months":        "1/4/2024|5/2/2024|3/3/2024|4/1/2024",
	} {
		var f OrderFinder
		for _, s := range strings.Split(values, "|") {
			f.Add(s)
		}
		if got, err := f.Order(); got != AnyOrder || !errors.Is(err, ErrAnyOrder) {
			t.Errorf("%s: got %d, %v", name, got, err)
		}
	}
	var f OrderFinder
	f.Add("5/13/2024")
	f.Add("14/5/2024")
	if got, err := f.Order(); err == nil || !strings.Contains(err.Error(), "month first (5/13/2024) and with the day first (14/5/2024)") {
		t.Errorf("got %d, %v", got, err)
	}
}

// Whatever days a site's events are of, in whatever order, their order of day
// and month is found or refused, and never taken for the other.
func TestDateOrderIsNeverWrong(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		start := time.Date(rapid.IntRange(2005, 2026).Draw(rt, "year"), time.Month(rapid.IntRange(1, 12).Draw(rt, "month")), rapid.IntRange(1, 28).Draw(rt, "day"), 0, 0, 0, 0, time.UTC)
		minutes := rapid.SliceOfN(rapid.IntRange(0, 60*24*60), 1, 200).Draw(rt, "minutes")
		if rapid.Bool().Draw(rt, "sorted") {
			slices.Sort(minutes)
		}
		order, layout := MonthFirst, "1/2/2006 15:04"
		if rapid.Bool().Draw(rt, "day first") {
			order, layout = DayFirst, "02/01/2006 15:04"
		}
		var f OrderFinder
		for _, m := range minutes {
			f.Add(start.Add(time.Duration(m) * time.Minute).Format(layout))
		}
		if got, err := f.Order(); err == nil && got != AnyOrder && got != order {
			rt.Fatalf("got %d, want %d", got, order)
		}
	})
}
