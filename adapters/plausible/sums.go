package plausible

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/zeebo/xxh3"

	"hopper/adapters"
	"hopper/adapters/input"
	"hopper/adapters/input/rows"
	"hopper/adapters/input/spill"
	"hopper/pipeline"
	"hopper/pipeline/recount"
)

// Why rows of a site export are rejected and omitted.
const (
	RejectDate   = "date is no day such as 2024-01-31"
	RejectNumber = "a count is no number"

	OmitEngagement = "engagement, which is Plausible's own heartbeat"
	OmitInternal   = "url and path of events, which custom_events has too"
	OmitNothing    = "a row that counts nothing"
	OmitRow        = "a row that the table has already"
	OmitTotals     = "a row of totals, which has no day"
)

// sumsTable is one table of the site export, in the order of dates.
type sumsTable struct {
	*rows.Table
	kind   kind
	date   int
	dates  *dates
	site   int    // column, or -1
	only   string // the site whose rows are read; empty is all
	sorted bool   // days never go back
	first  string // the earliest and the latest date
	last   string

	keys    []int // columns of the row's key, -1 where absent
	amounts amounts
	extra   int  // hostname of pages
	nulls   bool // a word such as NULL stands for what is empty
	hosts   map[string]bool

	addresses bool // some pages stand with their hosts
	surveyed  bool // the days are known

	// While reading.
	reader *rows.Reader
	sorter *spill.Sorter
	order  *spill.Sorted
	chunk  *rows.Chunk
	next   func() (*rows.Row, bool)
	stop   func()
	ahead  sumsRow
	more   bool
	cells  []string // of the row read last
	cell   string   // its date
	day    string   // what that names, if it is known
	parts  []string // of the key of the row added last
}

// sumsRow is a row with its date. bad says why it is rejected, and omit why it
// is left out.
type sumsRow struct {
	date      string
	row       int64
	cells     []string
	raw       string
	bad, omit string
}

func newSumsTable(t *rows.Table, k kind) *sumsTable {
	s := &sumsTable{Table: t, kind: k, date: t.Column("date"), dates: newDates(t.Input.Base), site: siteColumn(t), extra: t.Column("hostname")}
	key := func(names ...string) {
		for _, n := range names {
			s.keys = append(s.keys, t.Column(n))
		}
	}
	visits := []string{"visits"}
	switch k {
	case sourcesTable:
		key("source", "referrer", "utm_source", "utm_medium", "utm_campaign", "utm_content", "utm_term")
	case pagesTable:
		key("page")
	case entryPagesTable:
		key("entry_page")
		visits = []string{"entrances", "visits"}
	case exitPagesTable:
		key("exit_page")
		visits = []string{"exits", "visits"}
	case customEventsTable:
		key("name", "link_url", "path")
		visits = []string{"events"}
	case customPropsTable:
		key("property", "value")
		visits = []string{"events"}
	case locationsTable:
		key("country", "region", "city")
	case devicesTable:
		key("device")
	case browsersTable:
		key("browser", "browser_version")
	case systemsTable:
		key("operating_system", "operating_system_version")
	}
	s.amounts.columns = [5]int{t.Column(visits...), t.Column("bounces"), t.Column("visitors"), t.Column("pageviews"), t.Column("visit_duration")}
	return s
}

// manyHosts is how many hosts of a table are known at most: anybody can send a
// site events of any host.
const manyHosts = 1000

// look looks at the table's rows for what must be known of all tables before
// any is read: whose sites they are, the hosts, and the form of dates. Where all
// dates have the export's own form and no row tells a site, it learns the days too.
func (s *sumsTable) look(ctx context.Context, of *sites, dates map[string]bool) error {
	previous, empty := "", false
	s.hosts = map[string]bool{}
	s.surveyed = s.site < 0 && s.kind != visitorsTable
	s.sorted = true
	err := s.Each(ctx, func(row *rows.Row) error {
		if row.Err != nil {
			return nil
		}
		s.amounts.note(row)
		for _, column := range s.keys {
			if column >= 0 {
				empty = empty || row.Cells[column] == ""
				s.nulls = s.nulls || isNull(row.Cells[column])
			}
		}
		if day := row.Cells[s.date]; day != previous { // most are equal
			previous = strings.Clone(day)
			s.dates.note(previous)
			if s.surveyed = s.surveyed && isDate(previous); s.surveyed {
				s.addDay(dates, previous)
			}
		}
		host := ""
		if s.extra >= 0 {
			host = row.Cells[s.extra]
		}
		s.addresses = s.addresses || s.kind == pagesTable && strings.Contains(row.Cells[s.keys[0]], "://")
		if s.site >= 0 {
			of.add(adapters.Integer(row.Cells[s.site]), host)
		}
		if len(s.hosts) < manyHosts && host != "" && !s.hosts[host] {
			s.hosts[strings.Clone(host)] = true
		}
		return nil
	})
	s.nulls = s.nulls && !empty // else it is a value of that name
	return err
}

// addDay takes the day of a row, where it is another than that of the row before.
func (s *sumsTable) addDay(dates map[string]bool, day string) {
	dates[day] = true
	s.sorted = s.sorted && day >= s.last
	if s.first == "" || day < s.first {
		s.first = day
	}
	s.last = max(s.last, day)
}

// survey reads the table through, to learn its days and whether they are in order,
// unless it knows them.
func (s *sumsTable) survey(ctx context.Context, dates map[string]bool, totals map[string]total) error {
	if s.surveyed {
		return nil
	}
	s.sorted, s.first, s.last = true, "", ""
	previous, cell, day := "", "", ""
	return s.Each(ctx, func(row *rows.Row) error {
		if row.Err != nil || s.others(row) {
			return nil
		}
		if row.Cells[s.date] != cell { // most are equal
			cell = strings.Clone(row.Cells[s.date])
			var ok bool
			if day, ok = s.dates.day(cell); !ok {
				cell = ""
				return nil
			}
		}
		if day != previous {
			s.addDay(dates, day)
		}
		previous = day
		if s.kind == visitorsTable {
			return s.addTotal(totals, day, row)
		}
		return nil
	})
}

// addTotal takes a day's row of the table of days. A second one is an error,
// unless it is the same row.
func (s *sumsTable) addTotal(totals map[string]total, day string, row *rows.Row) error {
	n, _, ok := s.amounts.read(row.Cells)
	if !ok {
		return nil
	}
	first, twice := totals[day]
	line := strings.Join(row.Cells, "\x00")
	switch {
	case twice && line == first.line:
		return nil
	case twice:
		return (&input.Error{Input: s.Input.Name, Row: row.Number, Field: "date",
			Err: fmt.Errorf("is the day %s, which row %d is too, with other numbers; one row a day was expected", day, first.row)}).
			Advise("where the rows are hours, or of several imports (import_id), give an export with one row a day")
	}
	visits, visitors := n[0], n[2]
	if s.amounts.columns[0] < 0 {
		visits = visitors
	}
	totals[day] = total{visits, visitors, strings.Clone(line), row.Number}
	return nil
}

// others reports whether a row is of another site than the one that is read.
func (s *sumsTable) others(row *rows.Row) bool {
	return s.only != "" && s.site >= 0 && adapters.Integer(row.Cells[s.site]) != s.only
}

// begin prepares to read the records in the order of their dates.
func (s *sumsTable) begin(ctx context.Context, opt adapters.Options) (err error) {
	if s.reader, err = s.Open(ctx); err != nil {
		return err
	}
	if s.sorted {
		return s.advance(ctx)
	}
	s.sorter = &spill.Sorter{Dir: opt.TempDir}
	var value []byte
	for {
		rec, ok, err := s.read(ctx)
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		value = binary.AppendVarint(value[:0], rec.row)
		for _, text := range append([]string{rec.bad, rec.omit, rec.raw}, rec.cells...) {
			value = binary.AppendUvarint(value, uint64(len(text)))
			value = append(value, text...)
		}
		if err := s.sorter.Add([]byte(rec.date), value); err != nil {
			return input.Errorf(s.Input.Name, "sorting it on disk: %w", err)
		}
	}
	if s.order, err = s.sorter.Sort(); err != nil {
		return input.Errorf(s.Input.Name, "sorting it on disk: %w", err)
	}
	return s.advance(ctx)
}

// advance sets ahead to the next record by date.
func (s *sumsTable) advance(ctx context.Context) (err error) {
	if s.order == nil {
		s.ahead, s.more, err = s.read(ctx)
		return err
	}
	date, value, err := s.order.Next(ctx)
	if errors.Is(err, io.EOF) {
		s.more = false
		return nil
	}
	if err != nil {
		return input.Errorf(s.Input.Name, "reading what was sorted on disk: %w", err)
	}
	s.more = true
	rec := sumsRow{date: string(date)}
	row, n := binary.Varint(value)
	rec.row = row
	texts := make([]string, 0, 3+len(s.Columns))
	for rest := string(value[n:]); rest != ""; {
		size, n := binary.Uvarint([]byte(rest[:min(len(rest), binary.MaxVarintLen64)]))
		texts = append(texts, rest[n:n+int(size)])
		rest = rest[n+int(size):]
	}
	rec.bad, rec.omit, rec.raw, rec.cells = texts[0], texts[1], texts[2], texts[3:]
	s.ahead = rec
	return nil
}

// read returns the next record in the file's order. One without a date has
// that of the record before.
func (s *sumsTable) read(ctx context.Context) (sumsRow, bool, error) {
	for {
		if s.next == nil {
			chunk, err := s.reader.Next(ctx)
			if errors.Is(err, io.EOF) {
				return sumsRow{}, false, nil
			}
			if err != nil {
				return sumsRow{}, false, err
			}
			s.chunk = chunk
			s.next, s.stop = iter.Pull(chunk.Rows())
		}
		row, ok := s.next()
		if !ok {
			s.stop()
			s.next = nil
			if err := s.chunk.Err(); err != nil {
				return sumsRow{}, false, err
			}
			continue
		}
		rec := sumsRow{row: row.Number, raw: row.Text(), date: s.ahead.date}
		if row.Err != nil {
			rec.bad = row.Err.Error()
			return rec, true, nil
		}
		s.cells = append(s.cells[:0], row.Cells...)
		rec.cells = s.cells
		if s.nulls {
			for _, column := range s.keys {
				if column >= 0 && isNull(rec.cells[column]) {
					rec.cells[column] = ""
				}
			}
		}
		ok = true
		if day := row.Cells[s.date]; day != s.cell || s.day == "" { // most are equal
			s.cell = day
			if s.day, ok = s.dates.day(day); !ok {
				s.day = ""
			}
		}
		switch {
		case s.others(row):
			rec.omit = OmitSite
			return rec, true, nil
		case !ok && isTotals(row.Cells[s.date]):
			rec.omit = OmitTotals
			return rec, true, nil
		case !ok:
			rec.bad = RejectDate
			return rec, true, nil
		}
		rec.date = s.day
		return rec, true, nil
	}
}

func (s *sumsTable) close() error {
	if s.next != nil {
		s.stop()
		s.next = nil
	}
	var errs []error
	if s.reader != nil {
		errs = append(errs, s.reader.Close())
	}
	if s.sorter != nil {
		errs = append(errs, s.sorter.Close())
	}
	return errors.Join(errs...)
}

// cell returns a record's cell of a column that may be absent.
func (r *sumsRow) cell(column int) string {
	if column < 0 {
		return ""
	}
	return r.cells[column]
}

// hash tells a row from others of the same key.
func (r *sumsRow) hash() (hash uint64) {
	for _, cell := range r.cells {
		hash = xxh3.HashStringSeed(cell, hash)
	}
	return hash
}

// totalWords are what spreadsheets write before totals.
var totalWords = []string{"total", "totals", "grand total", "sum", "summe", "gesamt", "gesamtergebnis", "insgesamt",
	"total general", "total général", "totale", "totaal", "razem", "suma", "итого", "合計", "总计", "總計", "합계"}

// isTotals reports whether a row's date says that it holds totals.
func isTotals(date string) bool {
	return slices.Contains(totalWords, strings.ToLower(strings.Trim(date, " :\u00a0")))
}

// days yields the site export, a day in one chunk or more.
type days struct {
	opt     adapters.Options
	tables  []*sumsTable
	host    string           // the only one that the export has
	waiting []pipeline.Chunk // further parts of a day
	known   [kinds]known
	first   string
	last    string
	tally   tally
	numbers adapters.Numbers // of all tables

	dates     map[string]bool
	totals    map[string]total   // by date
	shares    map[string]*shared // by date; nil where days share no users
	userNotes []string
}

// openDays surveys the tables and begins to read them.
func openDays(ctx context.Context, found *tables, opt adapters.Options) (_ *days, err error) {
	d := &days{opt: opt, dates: map[string]bool{}, totals: map[string]total{}}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.Close())
		}
	}()
	for k, all := range found.sums {
		for _, t := range all {
			s := newSumsTable(t, kind(k))
			for m := range s.amounts.numbers {
				s.amounts.numbers[m].Others = &d.numbers
			}
			d.tables = append(d.tables, s)
		}
	}
	if err := d.look(ctx, found.sites); err != nil {
		return nil, err
	}
	for _, s := range d.tables {
		if err := s.survey(ctx, d.dates, d.totals); err != nil {
			return nil, err
		}
		if s.first != "" && (d.first == "" || s.first < d.first) {
			d.first = s.first
		}
		d.last = max(d.last, s.last)
	}
	if err := d.overlap(); err != nil {
		return nil, err
	}
	if err := d.share(); err != nil {
		return nil, err
	}
	for _, s := range d.tables {
		if err := s.begin(ctx, opt); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// look chooses the site, and finds the form of dates and the only host.
func (d *days) look(ctx context.Context, names []*rows.Table) error {
	of, hosts := &sites{what: "rows"}, map[string]bool{}
	for _, s := range d.tables {
		if err := s.look(ctx, of, d.dates); err != nil {
			return err
		}
		maps.Copy(hosts, s.hosts)
	}
	var err error
	if of.domains, err = readSites(ctx, names); err != nil {
		return err
	}
	only, err := of.choose(d.opt.Get(adapters.Website), d.tables[0].Input.Name)
	if err != nil {
		return err
	}
	for _, s := range d.tables {
		s.only = only
	}
	for host := range hosts {
		if len(hosts) == 1 {
			d.host = host
		}
	}
	return orderDates(d.tables, adapters.OrderOf(d.opt))
}

// overlap refuses two tables of a kind with the same days.
func (d *days) overlap() error {
	for i, s := range d.tables {
		for _, o := range d.tables[:i] {
			if o.kind != s.kind || s.first == "" || o.first == "" || s.first > o.last || o.first > s.last {
				continue
			}
			err := input.Errorf(s.Input.Name, "and %s both have %s of the days from %s to %s, whose visits would count twice",
				o.Input.Name, s.kind, max(s.first, o.first), min(s.last, o.last))
			if early, late := o, s; s.last != o.last {
				if s.last < o.last {
					early, late = s, o
				}
				return err.Advise("import %s first, and then %s by itself with --since %s",
					exportOf(early.Input), exportOf(late.Input), d.dayAfter(early.last))
			}
			return err.Advise("give only one of them")
		}
	}
	return nil
}

// dayAfter returns the day after another one as --since takes it, whose days are
// those of UTC.
func (d *days) dayAfter(day string) string {
	next := midnight(day, 1, d.opt.Location())
	if next.Location() == time.UTC {
		return next.Format(time.DateOnly)
	}
	return next.Format(time.RFC3339)
}

func (d *days) notes() []string {
	if d.first == "" {
		return []string{"No row has a date, so there is nothing to import."}
	}
	days := fmt.Sprintf("Days are those of the zone %s, from %s to %s; give the site's zone with --timezone if it is another.",
		d.opt.Location(), d.first, d.last)
	return append([]string{days}, d.noteUsers()...)
}

// tally adds up the days' reports.
type tally struct {
	mu     sync.Mutex
	report recount.Report
	days   map[string]bool
}

// add adds a day's report, once.
func (t *tally) add(day string, r recount.Report) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.days[day] {
		return
	}
	if t.days == nil {
		t.days = map[string]bool{}
	}
	t.days[day] = true
	t.report.Add(r)
}

// remarks says which sums of the export the visits made so far do not have.
// Days that a resumed import passed over are not counted. [verify] counts anew
// what Rybbit gets, and judges it.
func (d *days) remarks() []string {
	var remarks []string
	table := ""
	for _, l := range d.report().Lines {
		if l.Off == 0 {
			continue
		}
		off := fmt.Sprintf("%s (%d of %d in another row)", l.Measure, l.Off, l.Source)
		if l.Source != l.Sent {
			off = fmt.Sprintf("%s (%d in the export, %d in its visits)", l.Measure, l.Source, l.Sent)
		}
		if n := len(remarks) - 1; l.Table == table {
			remarks[n] += ", " + off
			continue
		}
		table = l.Table
		remarks = append(remarks, fmt.Sprintf("Not given back exactly, of %s: %s", table, off))
	}
	if remarks != nil {
		remarks = append(remarks, "hopper verify compares all sums, day by day.")
	}
	return remarks
}

// report returns how the visits made so far differ from the export's sums, by
// table and measure.
func (d *days) report() recount.Report {
	d.tally.mu.Lock()
	defer d.tally.mu.Unlock()
	own := map[string]kind{"day": visitorsTable, "entry pages": entryPagesTable, "exit pages": exitPagesTable,
		"custom events": customEventsTable, "custom properties": customPropsTable}
	var out recount.Report
	for _, l := range d.tally.report.Lines {
		if k, ok := own[l.Table]; ok {
			l.Table = k.String()
		}
		out.Lines = append(out.Lines, l)
	}
	// Days are decoded in any order, and the first decides the order of lines.
	order := append(measures[:], "events")
	slices.SortFunc(out.Lines, func(a, b recount.Line) int {
		return cmp.Or(cmp.Compare(slices.Index(kindNames[:], a.Table), slices.Index(kindNames[:], b.Table)),
			cmp.Compare(slices.Index(order, a.Measure), slices.Index(order, b.Measure)))
	})
	return out
}

// Next returns the next day, see [pipeline.Source].
func (d *days) Next(ctx context.Context) (pipeline.Chunk, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if len(d.waiting) > 0 {
		c := d.waiting[0]
		d.waiting = d.waiting[1:]
		return c, nil
	}
	date, any := "", false
	for _, s := range d.tables {
		// A bad record without any date before it has the date "".
		if s.more && (!any || s.ahead.date < date) {
			date, any = s.ahead.date, true
		}
	}
	if !any {
		return nil, io.EOF
	}
	day := newDay(date, d.opt)
	day.host, day.shared = d.host, d.shares[date]
	day.tally = &d.tally
	for k := range d.known {
		d.known[k].forget()
	}
	for _, s := range d.tables {
		for s.more && s.ahead.date == date {
			day.add(s, &s.ahead, &d.known[s.kind])
			if err := s.advance(ctx); err != nil {
				return nil, err
			}
		}
	}
	chunks, err := day.chunks()
	if err != nil {
		return nil, err
	}
	d.waiting = chunks[1:]
	return chunks[0], nil
}

// Close releases temporary files.
func (d *days) Close() error {
	var errs []error
	for _, s := range d.tables {
		errs = append(errs, s.close())
	}
	return errors.Join(errs...)
}
