package ga

import (
	"cmp"
	"slices"
	"strings"

	"hopper/adapters/reconstruct"
	"hopper/pipeline"
)

// A tableKind says what the rows of a day's table are.
type tableKind uint8

const (
	ofTotals   tableKind = iota // the day
	ofPages                     // pages seen
	ofLandings                  // pages that visits began with
	ofExits                     // pages that visits ended with
	ofEvents                    // kinds of events
	ofVisits                    // traits and origins of visits
)

// keysArePages reports whether rows with an empty key, those of unknown pages,
// say nothing: a visit of unknown browser is still a visit.
func (k tableKind) keysArePages() bool { return k != ofTotals && k != ofVisits }

// A tableKey says which of a day's tables rows belong to.
type tableKey struct {
	kind   tableKind
	fields string // joined by "+"
}

// String is what messages call the table.
func (k tableKey) String() string {
	switch k.kind {
	case ofTotals:
		return "date alone"
	case ofPages:
		return string(byPage)
	case ofLandings:
		return string(byLanding)
	case ofExits:
		return string(byExit)
	}
	return k.fields
}

// reportDay is what the tables tell of one day, or of a longer period.
type reportDay struct {
	outcomes
	input  string // that tells of it first
	tables map[tableKey]*daySums
	order  []tableKey
	// bounds are, by table of the reports, the most visits and visitors of a row
	// among those that visits are in several of, by the traits of the visits.
	bounds map[int]map[string]bound
}

// A bound says between what the visits and visitors of overlapping rows are.
type bound struct{ least, most reconstruct.Sums }

// daySums are a day's rows of tables with the same dimensions.
type daySums struct {
	tableKey
	fields []field
	has    reconstruct.Measure
	rows   map[string]*sums
	order  []string // of rows
}

// perVisitor reports whether all visits of a visitor are in the same row.
func (t *daySums) perVisitor() bool {
	return !slices.ContainsFunc(t.fields, func(f field) bool { return !f.perVisitor() })
}

type sums struct {
	reconstruct.Sums
	averages
	events int
	has    reconstruct.Measure // which of Sums are told
	table  int                 // that told of it first
}

func newReportDay(input string) *reportDay {
	return &reportDay{input: input, tables: make(map[tableKey]*daySums), bounds: make(map[int]map[string]bound)}
}

func joinFields(fields []field, separator string) string {
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = string(f)
	}
	return strings.Join(names, separator)
}

// A part is what one row says of one of a day's tables.
type part struct {
	kind   tableKind
	fields []field
	key    string
	measured
}

// only returns p with no other measures than these.
func (p part) only(has reconstruct.Measure) part {
	p.has &= has
	return p
}

// each calls do for each of the measures of has, with where two Sums hold it.
func each(has reconstruct.Measure, a, b *reconstruct.Sums, do func(a, b *int)) {
	for _, m := range [...]struct {
		measure reconstruct.Measure
		a, b    *int
	}{
		{reconstruct.Visits, &a.Visits, &b.Visits}, {reconstruct.Bounces, &a.Bounces, &b.Bounces}, {reconstruct.Visitors, &a.Visitors, &b.Visitors},
		{reconstruct.Pageviews, &a.Pageviews, &b.Pageviews}, {reconstruct.Duration, &a.Duration, &b.Duration},
	} {
		if has&m.measure != 0 {
			do(m.a, m.b)
		}
	}
}

// add adds a part of a row to its table, but for the measures that another
// table of the inputs has told of the same key. It reports whether it added any.
func (d *reportDay) add(kind tableKind, fields *fieldList, rowKey []byte, p *measured, table int) bool {
	key := tableKey{kind, fields.joined}
	t := d.tables[key]
	if t == nil {
		t = &daySums{tableKey: key, fields: fields.list, rows: make(map[string]*sums)}
		d.tables[key] = t
		d.order = append(d.order, key)
	}
	row := t.rows[string(rowKey)]
	if row == nil {
		row = &sums{table: table, averages: noAverages}
		key := string(rowKey)
		t.rows[key] = row
		t.order = append(t.order, key)
	}
	averaged := row.averages.take(p.averages)
	if row.table != table {
		p.has &^= row.has
		if row.events > 0 {
			p.events = 0
		}
		if p.has == 0 && p.events == 0 {
			return averaged
		}
	}
	each(p.has, &row.Sums, &p.Sums, func(to, n *int) { *to += *n })
	row.events += p.events
	row.has |= p.has
	t.has |= p.has
	return true
}

// take sets what is not told yet, and reports whether that is anything.
func (a *averages) take(from averages) (took bool) {
	for _, f := range [...]struct{ to, from *float64 }{{&a.perUser, &from.perUser}, {&a.perVisit, &from.perVisit}, {&a.bounced, &from.bounced}} {
		if *f.to < 0 && *f.from >= 0 {
			*f.to, took = *f.from, true
		}
	}
	return took
}

// bound notes the visits and visitors of a row of a table whose rows overlap; of
// one by hour, they are about the sum.
func (d *reportDay) bound(table int, traits []byte, m *measured, hourly bool) {
	of := d.bounds[table]
	if of == nil {
		of = make(map[string]bound)
		d.bounds[table] = of
	}
	b := of[string(traits)]
	each(m.has&(reconstruct.Visits|reconstruct.Visitors), &b.least, &m.Sums, func(to, n *int) { *to = max(*to, *n) })
	each(m.has&(reconstruct.Visits|reconstruct.Visitors), &b.most, &m.Sums, func(to, n *int) { *to += *n })
	if hourly {
		b.least.Visits = b.most.Visits
	}
	of[string(traits)] = b
}

// bounded returns between what the bounds of all tables leave the day's visits
// and visitors. A visit has one set of traits.
func (d *reportDay) bounded() (b bound) {
	for _, of := range d.bounds {
		var sum bound
		for _, one := range of {
			sum.least.Visits += one.least.Visits
			sum.least.Visitors = max(sum.least.Visitors, one.least.Visitors)
			sum.most.Visits += one.most.Visits
			sum.most.Visitors += one.most.Visitors
		}
		b.least.Visits, b.least.Visitors = max(b.least.Visits, sum.least.Visits), max(b.least.Visitors, sum.least.Visitors)
		if b.most.Visits == 0 || sum.most.Visits > 0 && sum.most.Visits < b.most.Visits {
			b.most.Visits = sum.most.Visits
		}
		if b.most.Visitors == 0 || sum.most.Visitors > 0 && sum.most.Visitors < b.most.Visitors {
			b.most.Visitors = sum.most.Visitors
		}
	}
	return b
}

// told is what is known of a day as a whole.
type told struct {
	reconstruct.Sums
	has reconstruct.Measure
	// entered says that the visits are the entrances of pages.
	entered bool
	// guessed says that the visits are the least that there can be; most is
	// then the most, 0 where nothing says.
	guessed bool
	most    int
}

// totals returns a day's totals. Those that no table tells by itself are the
// most that a table adds up to, its rows of unknown pages among them. Visitors
// do not add up; package reconstruct finds those.
func (d *reportDay) totals() told {
	var t told
	if own := d.tables[tableKey{kind: ofTotals}]; own != nil {
		t.Sums, t.has = own.rows[""].Sums, own.has
	}
	own := t.has
	landings := d.tables[tableKey{ofLandings, string(byLanding)}]
	t.entered = own&reconstruct.Visits == 0 && landings != nil && d.tables[tableKey{ofPages, string(byPage)}] != nil
	for key, table := range d.tables {
		if key.kind == ofEvents || key.kind == ofTotals {
			continue
		}
		has := table.has &^ (own | reconstruct.Visitors)
		if key.kind == ofPages { // visits to a page are no visits of the day: they overlap
			has &= reconstruct.Pageviews
		}
		var all reconstruct.Sums
		for _, row := range table.rows {
			each(has, &all, &row.Sums, func(to, n *int) { *to += *n })
		}
		each(has, &t.Sums, &all, func(to, n *int) { *to = max(*to, *n) })
		t.has |= has
	}
	d.fromEvents(&t)
	d.implied(&t)
	d.averaged(&t)
	t.viewed()
	return t
}

// viewed gives visits that are no bounces the two views that they must have had,
// where nothing says how many there were: their seconds need them.
func (t *told) viewed() {
	const needed = reconstruct.Visits | reconstruct.Bounces
	if t.has&needed == needed && t.has&reconstruct.Pageviews == 0 && t.Bounces <= t.Visits {
		t.Pageviews, t.has = t.Bounces+2*(t.Visits-t.Bounces), t.has|reconstruct.Pageviews
	}
}

// fromEvents takes views and visits that nothing else tells from the counts of
// the events that stand for them.
func (d *reportDay) fromEvents(t *told) {
	for _, key := range d.order {
		if key.kind != ofEvents || key.fields != string(byEvent) {
			continue
		}
		rows := d.tables[key].rows
		if row := rows["page_view"]; row != nil && t.has&reconstruct.Pageviews == 0 {
			t.Pageviews, t.has = row.events, t.has|reconstruct.Pageviews
		}
		if row := rows["session_start"]; row != nil && t.has&reconstruct.Visits == 0 {
			t.Visits, t.has = row.events, t.has|reconstruct.Visits
		}
	}
}

// implied makes users imply visits: each made one at least. Rows that visits
// are in several of tell how many there are at least.
func (d *reportDay) implied(t *told) {
	b := d.bounded()
	visitors := b.least.Visitors
	if t.has&reconstruct.Visitors != 0 {
		visitors = max(visitors, t.Visitors)
	}
	for _, table := range d.tables {
		if table.kind != ofVisits || table.has&reconstruct.Visitors == 0 {
			continue
		}
		sum, most := 0, 0
		for _, row := range table.rows {
			sum, most = sum+row.Visitors, max(most, row.Visitors)
		}
		if table.perVisitor() {
			most = sum
		}
		visitors = max(visitors, most)
	}
	own := d.tables[tableKey{kind: ofTotals}]
	if t.has&reconstruct.Visits != 0 && (own != nil && own.has&reconstruct.Visits != 0 || t.Visits >= visitors) {
		return
	}
	if visits := max(b.least.Visits, visitors); visits > 0 {
		t.Visits, t.has = visits, t.has|reconstruct.Visits
		t.guessed, t.most = true, b.most.Visits
		if t.has&reconstruct.Pageviews != 0 {
			t.Pageviews = max(t.Pageviews, visits) // tables of the most viewed pages are not of all
		}
		if t.has&reconstruct.Visitors == 0 && visitors > 0 && visitors < visits {
			t.Visitors, t.has = visitors, t.has|reconstruct.Visitors
		}
	}
}

// averaged makes sums of averages that stand in another table than the visits
// or users that they are of.
func (d *reportDay) averaged(t *told) {
	own := d.tables[tableKey{kind: ofTotals}]
	if own == nil || own.rows[""] == nil {
		return
	}
	a := own.rows[""].averages
	if t.has&reconstruct.Duration == 0 {
		switch {
		case a.perVisit >= 0 && t.has&reconstruct.Visits != 0:
			t.Duration, t.has = int(a.perVisit*float64(t.Visits)+0.5), t.has|reconstruct.Duration
		case a.perUser >= 0 && t.has&reconstruct.Visitors != 0:
			t.Duration, t.has = int(a.perUser*float64(t.Visitors)+0.5), t.has|reconstruct.Duration
		}
	}
	if a.bounced >= 0 && t.has&reconstruct.Bounces == 0 && t.has&reconstruct.Visits != 0 {
		t.Bounces, t.has = int(a.bounced*float64(t.Visits)+0.5), t.has|reconstruct.Bounces
	}
}

// fill puts what a day's tables tell into the form that package reconstruct
// takes, and returns the fields of day.Tables.
func (d *reportDay) fill(day *reconstruct.Day) (tables [][]field) {
	t := d.totals()
	day.Totals, day.Has = t.Sums, t.has
	for _, key := range d.order {
		own := d.tables[key]
		table := reconstruct.Table{Name: key.String(), Has: own.has, PerVisitor: own.perVisitor()}
		for _, key := range own.order {
			if key != "" || !own.kind.keysArePages() {
				table.Rows = append(table.Rows, reconstruct.Row{Key: key, Sums: own.rows[key].Sums})
			}
		}
		switch key.kind {
		case ofTotals, ofEvents:
		case ofPages:
			if other := own.rows[""]; other != nil {
				table.Rows = append(table.Rows, reconstruct.Row{Key: otherPage, Sums: other.Sums})
			}
			for _, row := range table.Rows {
				day.Pages = append(day.Pages, reconstruct.Page{Key: row.Key, Pageviews: row.Pageviews, Visits: row.Visits, Visitors: row.Visitors})
			}
		case ofLandings:
			day.Entries = table
		case ofExits:
			day.Exits = table
		default:
			day.Tables = append(day.Tables, table)
			tables = append(tables, own.fields)
		}
	}
	return tables
}

// events returns the day's custom events, with the fields that their keys are
// of, and hands those that are none to omit. Of tables with an event's
// parameters, the one with the most tells of an event, and the rest of it has
// none.
func (d *reportDay) events(omit func(reason string)) (list []reconstruct.Event, fields [][]field) {
	var tables []*daySums
	for _, key := range d.order {
		if key.kind == ofEvents {
			tables = append(tables, d.tables[key])
		}
	}
	slices.SortStableFunc(tables, func(a, b *daySums) int { return cmp.Compare(len(b.fields), len(a.fields)) })
	counted, by := make(map[string]int), make(map[string]*daySums)
	for _, t := range tables {
		for _, key := range t.order {
			name, _, _ := strings.Cut(key, separator)
			row, plain := t.rows[key], len(t.fields) == 1
			n := row.events
			switch {
			case automatic[name] != "":
				omit(automatic[name])
				continue
			case name == "page_view" || name == "screen_view":
				omit("event of a report that its views count too: " + name)
				continue
			case by[name] == nil || by[name] == t:
				by[name] = t
			case plain: // what the finer table lacks
				n = max(0, n-counted[name])
				if n == 0 {
					continue
				}
			default:
				omit(omitTwice)
				continue
			}
			if n == 0 {
				omit(omitNothing)
				continue
			}
			counted[name] += n
			list = append(list, reconstruct.Event{Key: key, Events: n, Visitors: row.Visitors})
			fields = append(fields, t.fields)
		}
	}
	return list, fields
}

// outcomes are what became of rows that are not part of the sums.
type outcomes struct {
	rows    int
	omitted []outcome
}

type outcome struct {
	at          pipeline.Origin
	reason, raw string
}

func (o *outcomes) omit(at pipeline.Origin, reason string) {
	o.rows++
	o.omitted = append(o.omitted, outcome{at: at, reason: reason})
}

func (o *outcomes) to(out *pipeline.Emitter) {
	out.Rows(o.rows)
	for _, x := range o.omitted {
		out.Omit(x.at, x.reason)
	}
}
