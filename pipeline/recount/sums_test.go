package recount_test

import (
	"slices"
	"testing"

	"hopper/pipeline"
	"hopper/pipeline/recount"
)

// layout has a table of days and one of countries that may leave sessions out.
var layout = recount.Layout{
	Dimensions: 1,
	Tables: []recount.Table{
		{Name: "days", By: recount.ByDay, Columns: []recount.Column{{Measure: recount.Sessions, Name: "sessions"}}},
		{Name: "countries", By: recount.ByDimension, Partial: true, Columns: []recount.Column{{Measure: recount.Sessions, Name: "sessions", Limit: 0.25}}},
	},
	Hit: func(ev *pipeline.Event, h *recount.Hit) {
		if h.Rows[0] = ev.Country; ev.Country == "" {
			h.Rows[0] = recount.NoValue
		}
	},
}

// compareSums has sessions of the countries sent on a day, and compares them
// with what a source of sums says.
func compareSums(t *testing.T, sent []string, tell func(s *recount.Sums, day recount.Day)) *recount.Comparison {
	t.Helper()
	c := recount.NewCount(&layout, scratch{})
	defer func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}()
	collector := c.Hits()
	collector.Begin()
	for i, country := range sent {
		id := string(rune('a' + i))
		collector.Add(&pipeline.Event{Time: noon, Session: id, Visitor: id, Country: country})
	}
	if err := c.Sent(collector.Done()); err != nil {
		t.Fatal(err)
	}
	day, err := recount.ParseDay("2024-05-01")
	if err != nil {
		t.Fatal(err)
	}
	tell(c.Sums, day)
	if err := c.Finish(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	out, err := c.Sums.Compare(t.Context(), recount.Kept, recount.Sent)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func add(t *testing.T, s *recount.Sums, day recount.Day, table int, rows map[string]int64) {
	t.Helper()
	s.Tell(day, table, 0)
	s.Promise(day, table)
	for row, n := range rows {
		if err := s.Add(recount.Source, day, table, 0, row, n); err != nil {
			t.Fatal(err)
		}
	}
}

func TestPartialTableLeavesOut(t *testing.T) {
	c := compareSums(t, []string{"DE", "DE", "DE", "FR", ""}, func(s *recount.Sums, day recount.Day) {
		add(t, s, day, 0, map[string]int64{"": 5})
		add(t, s, day, 1, map[string]int64{"DE": 3, "FR": 1})
	})
	if l := line(c, "countries", "sessions"); l.Off != 0 || l.Sent != 4 || !c.Holds() {
		t.Errorf("got %+v", l)
	}
	// A table of all sessions is compared with its row without a value.
	c = compareSums(t, []string{"DE", "DE", "DE", "FR", ""}, func(s *recount.Sums, day recount.Day) {
		add(t, s, day, 0, map[string]int64{"": 5})
		add(t, s, day, 1, map[string]int64{"DE": 3, "FR": 2})
	})
	if l := line(c, "countries", "sessions"); l.Off != 1 || l.Sent != 5 || l.Rows != 2 || !c.Holds() {
		t.Errorf("got %+v", l)
	}
}

func TestLimitIsOfTheWhole(t *testing.T) {
	c := compareSums(t, []string{"DE", "DE", "FR", "FR"}, func(s *recount.Sums, day recount.Day) {
		add(t, s, day, 0, map[string]int64{"": 4})
		add(t, s, day, 1, map[string]int64{"DE": 4})
	})
	i := slices.IndexFunc(c.Guarantees, func(g recount.Guarantee) bool { return g.Table == "countries" })
	if g := c.Guarantees[i]; g.Holds || g.Share != 0.5 || g.Days != 1 || len(c.Worst) != 2 {
		t.Errorf("got %+v, %+v", g, c.Worst)
	}
}

// TestDayThatNobodyTells finds events on a day that the source does not have.
func TestDayThatNobodyTells(t *testing.T) {
	c := compareSums(t, []string{"DE"}, func(s *recount.Sums, day recount.Day) {
		add(t, s, day+1, 0, map[string]int64{"": 1})
	})
	if l := line(c, "days", "sessions"); c.Holds() || l.Off != 2 || l.Rows != 2 {
		t.Errorf("got %+v", l)
	}
	if l := line(c, "countries", "sessions"); l != (recount.Line{}) {
		t.Errorf("got %+v of a table that nobody tells", l)
	}
	// A day that is known and not told is not compared.
	c = compareSums(t, []string{"DE"}, func(s *recount.Sums, day recount.Day) {
		s.Know(day)
		add(t, s, day+1, 0, map[string]int64{"": 0})
	})
	if !c.Holds() || line(c, "days", "sessions").Sent != 0 {
		t.Errorf("got %+v", c.Total)
	}
}
