package umami

import (
	"testing"
	"time"

	"hopper/adapters"
)

// TestTimeOf has the facts' reader and the translation's agree on times.
func TestTimeOf(t *testing.T) {
	for _, zone := range []*time.Location{time.UTC, time.FixedZone("", 7200)} {
		times := adapters.Times{Zone: zone}
		for _, s := range []string{
			"2024-05-01 10:00:00", "2024-05-01T10:00:00Z", "2024-05-01T10:00:00", "2024-05-01 10:00:00.123456+00", "2024-05-01 10:00:00 UTC",
			"2024-05-01 12:00:00+02:00", "2024-05-01 12:00:00.5+0200", "2024-05-01 10:00:00.123",
			"2024-05-01 04:30:00-05:30", "1969-12-31 23:59:59+00", "2024-05-01 10:00:00.123456789Z",
			"", "2024-05-01", "2024-33-01 10:00:00", "yesterday", "2024-05-01 10:00:00 CEST",
			"2024-02-29 23:59:59", "2023-02-29 10:00:00", "2024-04-31 10:00:00", "2024-00-10 10:00:00", "2024-05-00 10:00:00",
			"2024-05-01 24:00:00", "2024-05-01 10:60:00", "2024-05-01 10:00:60", "2024-05-01 1a:00:00", "2024/05/01 10:00:00",
		} {
			want, _ := times.Parse(s)
			if got := timeOf(s, &times); got != want {
				t.Errorf("%q in %v: got %v, the translation %v", s, zone, got.Time(), want.Time())
			}
		}
	}
}
