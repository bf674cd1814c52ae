package plausible

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"hopper/adapters"
	"hopper/adapters/input"
	"hopper/adapters/plausible/cities"
	"hopper/adapters/reconstruct"
	"hopper/pipeline"
)

// What is repaired of a site export.
const (
	RepairSource = "source that names no host left out (visits)"
	RepairCity   = "city id that GeoNames' list lacks left out (visits)"
	RepairPage   = "page views of pages that no table tells, as /(not set)"
	RepairSum    = "a number below zero taken as 0 (rows)"
	RepairAdded  = "rows of one day and the same values added up"
)

// notSet is the path of a pageview whose page no table tells.
const notSet = "/(not set)"

// dayRows are a table's rows of one day, those of equal key added up.
type dayRows struct {
	keys  []string // cells of the key columns, joined by "\x00"
	sums  []reconstruct.Sums
	hosts []host // of pages
	has   reconstruct.Measure
}

// known finds the rows of a day that have a key already, while rows are added. It is
// used for one day after the other.
type known struct {
	index map[string]int
	lines []uint64 // hashes of the rows that first had the keys
	size  int      // rows of the day before
}

// forget makes k ready for another day.
func (k *known) forget() {
	clear(k.index)
	k.lines, k.size = k.lines[:0], len(k.lines)
}

// add takes a row and returns which of the rows it is in. It reports false where it
// is the row that had the key before, and whether it was added to another.
func (r *dayRows) add(known *known, key string, line uint64, s reconstruct.Sums) (i int, added, summed bool) {
	i, summed = known.index[key]
	if summed && known.lines[i] == line {
		return i, false, false
	}
	if !summed {
		if known.index == nil {
			known.index = map[string]int{}
		}
		if r.keys == nil {
			r.keys, r.sums = make([]string, 0, known.size), make([]reconstruct.Sums, 0, known.size)
		}
		i = len(r.keys)
		known.index[key] = i
		known.lines = append(known.lines, line)
		r.keys = append(r.keys, key)
		r.sums = append(r.sums, reconstruct.Sums{})
	}
	t := &r.sums[i]
	t.Visits += s.Visits
	t.Bounces += s.Bounces
	t.Visitors += s.Visitors
	t.Pageviews += s.Pageviews
	t.Duration += s.Duration
	return i, true, summed
}

// name notes the host of a page of which a row has so many pageviews: the one of
// most counts.
func (r *dayRows) name(page int, h host) {
	for page >= len(r.hosts) {
		r.hosts = append(r.hosts, host{})
	}
	if h.name != "" && h.pageviews >= r.hosts[page].pageviews {
		r.hosts[page] = h
	}
}

// keyOf joins the cells of the key columns; a NUL in one of them is no part of it.
func keyOf(cells []string) string {
	for i, cell := range cells {
		cells[i] = strings.ReplaceAll(cell, "\x00", "")
	}
	return strings.Join(cells, "\x00")
}

// cells takes a key apart.
func cells(key string) []string { return strings.Split(key, "\x00") }

type reject struct {
	at          pipeline.Origin
	reason, raw string
}

// day is what all tables tell of one day.
type day struct {
	date       string // empty where only rejects are in it
	start, end time.Time
	at         pipeline.Origin // of its first row
	tables     [kinds]dayRows
	host       string // of an export with one
	total      int    // rows
	rejects    []reject
	omits      []reject
	repairs    []reject

	shared *shared // nil where its visitors are of this day alone
	tally  *tally
	once   sync.Once
	sums   *reconstruct.Day
	plan   *reconstruct.Plan
	rows   described
	digest [8]byte // of date and sums
	err    error
}

type host struct {
	name      string
	pageviews int
}

func newDay(date string, opt adapters.Options) *day {
	d := &day{date: date}
	if date != "" {
		d.start, d.end = midnight(date, 0, opt.Location()), midnight(date, 1, opt.Location())
		d.end = opt.End(d.start, d.end)
	}
	return d
}

// midnight returns when a day, or one so many days later, begins in a zone.
// Where clocks jump at midnight, that is the first moment there is.
func midnight(date string, later int, zone *time.Location) time.Time {
	t, _ := time.Parse(time.DateOnly, date) // was parsed before
	t = t.AddDate(0, 0, later)
	begin := time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, zone)
	for begin.Day() != t.Day() {
		begin = begin.Add(15 * time.Minute)
	}
	return begin
}

// add takes a record of the day.
func (d *day) add(s *sumsTable, r *sumsRow, known *known) {
	d.total++
	at := pipeline.Origin{Input: s.Input.Name, Row: r.row}
	if d.at.Input == "" {
		d.at = at
	}
	switch {
	case r.bad != "":
		d.rejects = append(d.rejects, reject{at, r.bad, r.raw})
		return
	case r.omit != "":
		d.omits = append(d.omits, reject{at: at, reason: r.omit})
		return
	}
	n, negative, ok := s.amounts.read(r.cells)
	if !ok {
		d.rejects = append(d.rejects, reject{at, RejectNumber, r.raw})
		return
	}
	if negative {
		d.repairs = append(d.repairs, reject{at: at, reason: RepairSum})
	}
	parts := s.parts[:0] // joined below
	for _, column := range s.keys {
		parts = append(parts, r.cell(column))
	}
	s.parts = parts
	name := r.cell(s.extra)
	if s.kind == pagesTable || s.kind == entryPagesTable || s.kind == exitPagesTable {
		parts[0], name = pageOf(parts[0], name)
	}
	switch {
	case s.kind == customEventsTable && parts[0] == "engagement":
		d.omits = append(d.omits, reject{at: at, reason: OmitEngagement})
		return
	case s.kind == customPropsTable && (parts[0] == "url" || parts[0] == "path"):
		d.omits = append(d.omits, reject{at: at, reason: OmitInternal})
		return
	case n == [5]int{} && s.kind != visitorsTable:
		d.omits = append(d.omits, reject{at: at, reason: OmitNothing})
		return
	}
	t := &d.tables[s.kind]
	for m, column := range s.amounts.columns {
		if column >= 0 {
			t.has |= 1 << m
		}
	}
	i, added, summed := t.add(known, keyOf(parts), r.hash(), reconstruct.Sums{Visits: n[0], Bounces: n[1], Visitors: n[2], Pageviews: n[3], Duration: n[4]})
	switch {
	case !added:
		d.omits = append(d.omits, reject{at: at, reason: OmitRow})
		return
	case summed && s.kind != pagesTable: // a page can have several hosts
		d.repairs = append(d.repairs, reject{at: at, reason: RepairAdded})
	}
	if s.kind == pagesTable {
		t.name(i, host{name, n[3]})
	}
}

// dimensions are the tables of visits, in the order of reconstruct.Day.Tables.
var dimensions = [...]kind{sourcesTable, locationsTable, devicesTable, browsersTable, systemsTable}

// build returns the day's sums as reconstruct takes them.
func (d *day) build() *reconstruct.Day {
	out := &reconstruct.Day{Start: d.start, End: d.end}
	if t := &d.tables[visitorsTable]; len(t.sums) > 0 {
		out.Has, out.Totals = t.has, t.sums[0]
	}
	table := func(k kind) reconstruct.Table {
		t := &d.tables[k]
		r := reconstruct.Table{Name: k.String(), Has: t.has, PerVisitor: k >= locationsTable, Rows: make([]reconstruct.Row, 0, len(t.keys))}
		for i, key := range t.keys {
			r.Rows = append(r.Rows, reconstruct.Row{Key: key, Sums: t.sums[i], Kin: kinOf(k, key)})
		}
		return r
	}
	for _, k := range dimensions {
		out.Tables = append(out.Tables, table(k))
	}
	out.Entries, out.Exits = table(entryPagesTable), table(exitPagesTable)
	out.Pages = make([]reconstruct.Page, 0, len(d.tables[pagesTable].keys))
	for i, key := range d.tables[pagesTable].keys {
		s := d.tables[pagesTable].sums[i]
		out.Pages = append(out.Pages, reconstruct.Page{Key: key, Pageviews: s.Pageviews, Visits: s.Visits, Visitors: s.Visitors})
	}
	for i, key := range d.tables[customEventsTable].keys {
		s := d.tables[customEventsTable].sums[i]
		out.Events = append(out.Events, reconstruct.Event{Key: key, Events: s.Visits, Visitors: s.Visitors})
	}
	for i, key := range d.tables[customPropsTable].keys {
		s := d.tables[customPropsTable].sums[i]
		name, value, _ := strings.Cut(key, "\x00")
		out.Properties = append(out.Properties, reconstruct.Property{Name: name, Value: value, Events: s.Visits, Visitors: s.Visitors})
	}
	return out
}

// chunks returns the day's parts.
func (d *day) chunks() ([]pipeline.Chunk, error) {
	n := 1
	if d.date != "" {
		d.sums = d.build()
		var err error
		if n, _, err = reconstruct.CountParts(d.sums); err != nil {
			return nil, &input.Error{Input: d.at.Input, Row: d.at.Row, Err: err}
		}
	}
	chunks := make([]pipeline.Chunk, n)
	for i := range chunks {
		chunks[i] = &part{day: d, index: i, of: n}
	}
	return chunks, nil
}

// prepare plans the day's visits, once for all its parts.
func (d *day) prepare() error {
	d.once.Do(func() {
		d.digest = d.sign()
		if d.plan, d.err = reconstruct.NewPlan(d.sums); d.err != nil {
			d.err = &input.Error{Input: d.at.Input, Row: d.at.Row, Err: d.err}
			return
		}
		d.rows = d.describe(d.plan.Pages())
	})
	return d.err
}

// sign returns a digest of what the day's tables say.
func (d *day) sign() (digest [8]byte) {
	h := sha256.New()
	b := []byte(d.date)
	for k := range d.tables {
		for i, key := range d.tables[k].keys {
			s := d.tables[k].sums[i]
			b = append(append(b, byte(k)), key...)
			for _, n := range [...]int{s.Visits, s.Bounces, s.Visitors, s.Pageviews, s.Duration} {
				b = binary.AppendVarint(b, int64(n))
			}
			h.Write(b)
			b = b[:0]
		}
	}
	copy(digest[:], h.Sum(b[:0]))
	return digest
}

// The parts of an export that identifiers are made for.
const (
	visitorID = 1
	visitID   = 2
)

// ids makes the identifiers of visitors and visits, UUIDs of version 8 (RFC 9562).
type ids struct {
	hash      hash.Hash // which takes less time to use again than a sum by itself
	name, sum []byte
	text      strings.Builder // of all, in one piece of memory
}

func newIDs(most int) *ids {
	made := &ids{hash: sha256.New()}
	made.text.Grow(most * len(uuid.Nil.String()))
	return made
}

// of returns the identifier of the n-th visitor or visit. The digest, of a day or of
// a period, keeps those of two exports apart that go to one site.
func (i *ids) of(digest [8]byte, of byte, n int) string {
	i.name = binary.AppendVarint(append(append(i.name[:0], digest[:]...), of), int64(n))
	i.hash.Reset()
	i.hash.Write(i.name)
	i.sum = i.hash.Sum(i.sum[:0])
	id := uuid.UUID(i.sum[:16])
	id[6] = id[6]&0x0f | 8<<4
	id[8] = id[8]&0x3f | 1<<7
	at := i.text.Len()
	text, _ := id.MarshalText()
	i.text.Write(text)
	return i.text.String()[at:]
}

// part is a share of a day's visits.
type part struct {
	*day
	index, of int
	result    *reconstruct.Result // made by the first Decode
}

var _ pipeline.Releasable = (*part)(nil)

// Repeatable says that Decode may be called again, see [pipeline.Repeatable]: visits
// take much less memory than their events, and are made once.
func (p *part) Repeatable() bool { return true }

// Release forgets the visits, see [pipeline.Releasable].
func (p *part) Release() { p.result = nil }

// Decode makes the events of the day's visits, see [pipeline.Chunk].
func (p *part) Decode(out *pipeline.Emitter) error {
	if p.index == 0 {
		out.Rows(p.total)
		for _, r := range p.rejects {
			out.Reject(r.at, r.reason, r.raw)
		}
		for _, r := range p.omits {
			out.Omit(r.at, r.reason)
		}
		for _, r := range p.repairs {
			out.Repair(r.at, r.reason)
		}
	}
	if p.date == "" {
		return nil
	}
	if err := p.prepare(); err != nil {
		return err
	}
	if p.result == nil {
		p.result = p.plan.Part(p.index)
		if report, all := p.plan.Report(); all {
			p.tally.add(p.date, report)
		}
	}
	w := &writer{day: p.day, result: p.result, out: out, ids: newIDs(p.result.Persons + len(p.result.Visits)), visitors: make([]string, p.result.Persons)}
	if p.shared != nil {
		w.users = p.result.Users(p.sums, &p.shared.Share)
	}
	for i := range p.result.Visits {
		w.visit(i)
	}
	return nil
}

// described is what the rows of a day say, in the order of reconstruct.Day's.
type described struct {
	sources []origin
	places  []place
	clients [3][][2]string // devices, browsers and systems with their versions
	events  [][]string
	pages   []page // of the plan
	noPage  page   // of a pageview whose page no table tells
	valid   bool   // all texts are UTF-8
}

// page is the address of a page.
type page struct{ host, path string }

// place is what a row of locations says.
type place struct {
	country, region, city string
	lost                  bool
}

// describe reads the keys of the day's rows. Each text is looked at here, once.
func (d *day) describe(pages []string) described {
	out := described{valid: utf8.ValidString(d.host)}
	for k := range d.tables {
		for _, key := range d.tables[k].keys {
			out.valid = out.valid && utf8.ValidString(key)
		}
	}
	for _, r := range d.sums.Tables[0].Rows {
		out.sources = append(out.sources, originOf(r.Key))
	}
	for _, r := range d.sums.Tables[1].Rows {
		out.places = append(out.places, placeOf(r.Key))
	}
	for i := range out.clients {
		for _, r := range d.sums.Tables[2+i].Rows {
			name, version, _ := strings.Cut(r.Key, "\x00")
			out.clients[i] = append(out.clients[i], [2]string{name, version})
		}
	}
	for _, e := range d.sums.Events {
		out.events = append(out.events, cells(e.Key))
	}
	out.noPage = page{d.mainHost(), notSet}
	hosts := d.tables[pagesTable].hosts
	out.pages = make([]page, 0, len(pages))
	for i, path := range pages { // first those of the table of pages, in its order
		own := ""
		if i < len(hosts) {
			own = hosts[i].name
		}
		out.valid = out.valid && utf8.ValidString(own) && utf8.ValidString(path)
		out.pages = append(out.pages, page{cmp.Or(own, out.noPage.host), cmp.Or(path, notSet)})
	}
	return out
}

// mainHost returns the host of most pageviews; of equal ones the first by page.
func (d *day) mainHost() (host string) {
	seen := map[string]int{}
	most := 0
	for i, p := range d.sums.Pages {
		h := d.tables[pagesTable].hosts[i]
		if h.name == "" {
			continue
		}
		if seen[h.name] += p.Pageviews; seen[h.name] > most {
			most, host = seen[h.name], h.name
		}
	}
	return cmp.Or(host, d.host)
}

// writer turns a part of a day's visits into events.
type writer struct {
	*day
	result *reconstruct.Result
	users  []int // of the period, by visitor
	out    *pipeline.Emitter

	ids      *ids
	visitors []string // their identifiers, once needed
	event    pipeline.Event
	props    []pipeline.Property
}

// placeOf names a row of locations.
func placeOf(key string) place {
	c := cells(key)
	p := place{country: c[0], region: c[1]}
	p.city, p.lost = cityName(c[2])
	return p
}

// cityName names the city of a GeoNames id. A cell that is no number is a
// name; 0 and empty are unknown.
func cityName(cell string) (name string, lost bool) {
	if cell == "" || cell == "0" {
		return "", false
	}
	id, err := strconv.ParseUint(adapters.Integer(cell), 10, 32)
	if err != nil {
		return cell, false
	}
	name, ok := cities.Name(uint32(id))
	return name, !ok
}

// visit emits a visit's events.
func (w *writer) visit(index int) {
	v := &w.result.Visits[index]
	base := pipeline.Event{
		Visitor:     w.visitor(v.Visitor),
		Session:     w.ids.of(w.digest, visitID, w.result.FirstVisit+index),
		ClientApart: true,
		ValidUTF8:   w.rows.valid,
		Origin:      w.at,
	}
	if r := v.Rows[0]; r >= 0 {
		o := &w.rows.sources[r]
		base.Referrer, base.Query = o.referrer, o.query
		if o.lost {
			w.out.Repair(w.at, RepairSource)
		}
	}
	if r := v.Rows[1]; r >= 0 {
		p := &w.rows.places[r]
		base.Country, base.Region, base.City = p.country, p.region, p.city
		if p.lost {
			w.out.Repair(w.at, RepairCity)
		}
	}
	client := func(i int) (name, version string) {
		if r := v.Rows[2+i]; r >= 0 {
			c := &w.rows.clients[i][r]
			return c[0], c[1]
		}
		return "", ""
	}
	base.Device, _ = client(0)
	base.Browser, base.BrowserVersion = client(1)
	base.OS, base.OSVersion = client(2)
	for i := range v.Hits {
		if i > 0 {
			base.Follow(&w.event)
		}
		w.event = base
		w.hit(&w.event, &v.Hits[i])
	}
}

// visitor returns the identifier of one of the day's visitors.
func (w *writer) visitor(n int) string {
	id := &w.visitors[n-w.result.FirstVisitor]
	if *id != "" {
		return *id
	}
	digest := w.digest
	if w.users != nil {
		if user := w.users[n-w.result.FirstVisitor]; user >= 0 {
			digest, n = w.shared.digest, user
		}
	}
	*id = w.ids.of(digest, visitorID, n)
	return *id
}

// hit emits a hit of the visit that ev describes.
func (w *writer) hit(ev *pipeline.Event, h *reconstruct.Hit) {
	ev.Time = pipeline.MicrosOf(w.start) + pipeline.Micros(h.At/time.Microsecond)
	at := &w.rows.noPage
	if h.Page >= 0 {
		at = &w.rows.pages[h.Page]
	} else if h.Event < 0 {
		w.out.Repair(w.at, RepairPage)
	}
	ev.Hostname, ev.Path = at.host, at.path
	w.props = w.props[:0]
	for _, p := range h.Properties {
		w.props = append(w.props, pipeline.Property{Key: w.sums.Properties[p].Name, Value: w.sums.Properties[p].Value})
	}
	if h.Event >= 0 {
		w.custom(ev, w.rows.events[h.Event])
	}
	ev.Properties = w.props
	w.out.Event(ev)
}

// outbound is Plausible's name for clicks on links that leave the site.
const outbound = "Outbound Link: Click"

// custom sets what a row of custom_events says: name, link_url, path.
func (w *writer) custom(ev *pipeline.Event, c []string) {
	ev.Kind, ev.Name = pipeline.Custom, c[0]
	link, path := c[1], c[2]
	if c[0] == outbound && strings.Contains(link, "://") {
		ev.Kind, ev.Target = pipeline.Outbound, link
	} else if link != "" {
		w.props = append(w.props, pipeline.Property{Key: "url", Value: link})
	}
	if path != "" {
		w.props = append(w.props, pipeline.Property{Key: "path", Value: path})
		if path[0] == '/' {
			ev.Path = path
		}
	}
}
