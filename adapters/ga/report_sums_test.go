package ga

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"hopper/adapters"
	"hopper/adapters/input"
	"hopper/pipeline"
	"hopper/pipeline/recount"
)

// verifyPaths verifies reports, as t leaves them.
func verifyPaths(t *testing.T, translation pipeline.Translation, paths ...string) *recount.Comparison {
	t.Helper()
	ins, err := input.Open(t.Context(), paths, nil, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ins.Close() })
	reading, err := Adapter{}.Match(t.Context(), ins.Files).Open(t.Context(), adapters.Options{TempDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { reading.Source.Close() })
	c, err := reading.Verify(t.Context(), translation, nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func lineOf(c *recount.Comparison, table, measure string) recount.Line {
	i := slices.IndexFunc(c.Total, func(l recount.Line) bool { return l.Table == table && l.Measure == measure })
	if i < 0 {
		return recount.Line{}
	}
	return c.Total[i]
}

// TestReportsAreVerified compares reports with what is sent, table by table.
func TestReportsAreVerified(t *testing.T) {
	const fixture = "../../fixtures/ga/report-pages.csv"
	c := verifyPaths(t, pipeline.Translation{}, fixture)
	for _, want := range []struct {
		table, measure string
		n              int64
	}{
		{"days", "sessions", 615}, {"days", "users", 534}, {"days", "bounces", 246}, {"days", "views", 1625}, {"days", "seconds", 54683},
		{"pages", "views", 1535}, {"sourcemedium + country", "sessions", 615},
	} {
		if l := lineOf(c, want.table, want.measure); l.Source != want.n || l.Sent != want.n || l.Off != 0 {
			t.Errorf("%s, %s: got %+v, want %d", want.table, want.measure, l, want.n)
		}
	}
	if l := lineOf(c, "events", "events"); l.Source != 2214 || l.LeftOut != 2200 || l.Sent != 14 {
		t.Errorf("events: got %+v", l)
	}
	if !c.Holds() {
		t.Errorf("got %+v", c.Guarantees)
	}
}

// TestVerifyFindsWhatReportsLack takes events away, which must show.
func TestVerifyFindsWhatReportsLack(t *testing.T) {
	lossy := pipeline.Translation{Target: pipeline.Target{Refuses: func(ev *pipeline.Event) string {
		if ev.Country == "DE" || ev.Name == "purchase" || ev.Path == "/" {
			return "test"
		}
		return ""
	}}}
	c := verifyPaths(t, lossy, "../../fixtures/ga/report-pages.csv")
	for _, want := range []string{"days sessions", "days views", "sourcemedium + country sessions"} {
		if !slices.ContainsFunc(c.Guarantees, func(g recount.Guarantee) bool { return !g.Holds && g.Table+" "+g.Measure == want }) {
			t.Errorf("%s is said to hold", want)
		}
	}
	if len(c.Worst) == 0 {
		t.Error("no row is named")
	}
}

// TestReportsOfDaysLeftOut compares no day that is not asked for.
func TestReportsOfDaysLeftOut(t *testing.T) {
	day, err := recount.ParseDay("2024-03-02")
	if err != nil {
		t.Fatal(err)
	}
	since := pipeline.Micros(int64(day) * 24 * 60 * 60 * 1e6)
	c := verifyPaths(t, pipeline.Translation{Normalizer: pipeline.Normalizer{Since: since}}, "../../fixtures/ga/report-pages.csv")
	if len(c.Days) != 1 || c.Days[0].Date != "2024-03-02" || !c.Holds() {
		t.Errorf("got %+v", c.Days)
	}
}

// TestWholeSetOfReports verifies a month of seven reports.
func TestWholeSetOfReports(t *testing.T) {
	const set = "../../../shared/cases/08-multi-report"
	if _, err := os.Stat(set); err != nil {
		t.Skip("the set of seven reports is not here:", err)
	}
	c := verifyPaths(t, pipeline.Translation{}, set)
	for i := range c.Total {
		l := &c.Total[i]
		limit := 0.01
		switch {
		case l.Table == "pages" && l.Measure != "views":
			limit = 0.03
		case l.Table != "country" || l.Measure != "views":
			limit = 0
		}
		if l.Share > limit || l.Source == 0 {
			t.Errorf("%s, %s: got %+v", l.Table, l.Measure, l)
		}
	}
	if l := lineOf(c, "pages", "sessions"); l.Source != 30129 || len(c.Days) != 31 {
		t.Errorf("got %+v on %d days", l, len(c.Days))
	}
}

// TestVerifyComparesWhatIsTold has reports of which not every column or row says
// something of a single day.
func TestVerifyComparesWhatIsTold(t *testing.T) {
	for name, c := range map[string]struct {
		content  string
		lines    int
		sessions int64
	}{
		"null.jsonl": {`{"date": "20240311", "sessions": 27, "totalUsers": null, "screenPageViews": 47, "engagedSessions": 15}
{"date": "20240312", "sessions": 35, "totalUsers": null, "screenPageViews": 56, "engagedSessions": 13}
`, 3, 62},
		"blank.csv": {"Date,Sessions,Users,Views\n20240311,27,,47\n20240312,35,,56\n", 2, 62},
		"weeks.csv": {"# ----------------------------------------\n# All Web Site Data\n# Overview\n# 20240311-20240324\n# ----------------------------------------\n\nWeek Index,Sessions\n0,100\n1,70\n2,10\n,180\n", 1, 10},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), name)
			if err := os.WriteFile(path, []byte(c.content), 0o644); err != nil {
				t.Fatal(err)
			}
			got := verifyPaths(t, pipeline.Translation{}, path)
			if l := lineOf(got, "days", "sessions"); !got.Holds() || len(got.Total) != c.lines || l.Source != c.sessions || l.Sent != c.sessions {
				t.Errorf("got %+v, want %d lines and %d sessions", got.Total, c.lines, c.sessions)
			}
		})
	}
}
