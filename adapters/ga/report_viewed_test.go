package ga

import (
	"testing"

	"hopper/adapters"
)

// TestVisitsWithoutViews has bounces and other visits stay apart where a report
// says nothing of views.
func TestVisitsWithoutViews(t *testing.T) {
	path := write(t, "daily.csv", "# ----------------------------------------\n# Daily\n# ----------------------------------------\n# Start date: 20240301\n# End date: 20240302\nDate,Sessions,Engaged sessions,Total users\n20240301,10,4,9\n20240302,5,2,5\n")
	events, _, _ := read(t, adapters.Options{}, path)
	views := map[string]int{}
	for i := range events {
		views[events[i].Session]++
	}
	bounces := 0
	for _, n := range views {
		if n == 1 {
			bounces++
		}
	}
	if len(views) != 15 || bounces != 9 {
		t.Errorf("%d visits with %d bounces; the report has 15 with 9", len(views), bounces)
	}
}
