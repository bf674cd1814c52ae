package reconstruct

import "time"

// Measure names one of the sums of a [Table], as a bit of a set.
type Measure uint8

// The measures an analytics export gives for a day or for a row of a table.
const (
	Visits    Measure = 1 << iota // visits that started on the day
	Bounces                       // those of them with one pageview and nothing else
	Visitors                      // distinct visitors
	Pageviews                     // pageviews of the visits
	Duration                      // seconds from the visits' first to last event, summed
)

// Sums holds what the measures count. Durations are in seconds.
type Sums struct {
	Visits, Bounces, Visitors, Pageviews, Duration int
}

// Row is one row of a table: a key that means nothing to this package, and its sums.
type Row struct {
	Key string
	Sums
	// Kin is a set of bits that says, in tables with PerVisitor, which rows
	// belong together: two rows with no bit in common (Safari and Windows) do
	// not meet in a visitor where that costs no sum. 0 goes with all.
	Kin uint16
}

// Table is one dimension of visits: each visit has at most one of its rows.
// Visits that the rows do not cover have no row (index -1).
type Table struct {
	Name string
	Has  Measure // the sums its rows tell; the others are ignored
	// PerVisitor marks what all visits of a visitor share: device, browser, system, place.
	PerVisitor bool
	Rows       []Row
}

// Page is what a day says of one page. Zero Visits or Visitors are taken as unknown.
type Page struct {
	Key                         string
	Pageviews, Visits, Visitors int
}

// Event counts one kind of custom event. Zero Visitors are taken as unknown.
type Event struct {
	Key              string
	Events, Visitors int
}

// Property counts the events, custom ones or pageviews, that carry one value of a property.
type Property struct {
	Name, Value      string
	Events, Visitors int
}

// Day is what an export says of one day of a site. Rows of equal key within
// a table must have been added up. Every part may be missing.
type Day struct {
	// SettleRepeats has visitors per row of tables that are no traits of visitors
	// met by further trades, after all else is searched for.
	SettleRepeats bool

	Start, End time.Time // the day in the site's time zone, End exclusive
	Has        Measure   // which of Totals are known
	Totals     Sums
	Tables     []Table // dimensions of visits
	Entries    Table   // the page a visit begins with; its keys are those of Pages
	Exits      Table   // the page a visit ends with
	Pages      []Page
	Events     []Event
	Properties []Property
}

// Result is a part of a day's visits.
type Result struct {
	Pages  []string // what Hit.Page indexes: the keys of Pages, Entries and Exits
	Visits []Visit  // by start
	// Persons is the number of visitors. Visit.Visitor counts from FirstVisitor
	// on: parts of a day have different visitors.
	Persons, FirstVisitor int
	// FirstVisit is the number of visits in the parts before.
	FirstVisit int
}

// Visit is one visit of one visitor.
type Visit struct {
	Visitor int
	Rows    []int32 // for each of Day.Tables the index of its row, or -1
	Hits    []Hit   // in time order, never empty, all within the day
}

// Hit is a pageview or a custom event.
type Hit struct {
	At         time.Duration // since Day.Start
	Page       int32         // index into Result.Pages, of an event the page it happened on; -1 where no table has it
	Event      int32         // index into Day.Events; -1 for a pageview
	Properties []int32       // indices into Day.Properties
}

// MaxHits bounds the visits, pageviews and events of a day that [NewPlan]
// takes: what is beyond is a damaged export, not a busy site.
const MaxHits = 50_000_000
