package ga

import (
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"strings"
	"time"

	"hopper/adapters/reconstruct"
	"hopper/pipeline"
)

// What rows tell of days may be more than fits into memory, and the rows of a day may
// stand in all tables. It is written down by day, and a day is put together when it
// is asked for; what is asked of all days together is kept of each.

// maxTold is how much memory it takes, in bytes.
const maxTold = 24 << 20

// A knownDay is what is kept of a day.
type knownDay struct {
	bin   int    // of the days' records
	input string // that tells of it first
	stale bool   // there are records that the rest does not know

	told   told
	tables []knownTable
	rows   int
}

// A knownTable is what is kept of one of a day's tables.
type knownTable struct {
	tableKey
	fields []field
	has    reconstruct.Measure
}

// table returns the day's table of that key, or nil.
func (k *knownDay) table(key tableKey) *knownTable {
	if i := slices.IndexFunc(k.tables, func(t knownTable) bool { return t.tableKey == key }); i >= 0 {
		return &k.tables[i]
	}
	return nil
}

// newDay begins a day or a period that an input tells of.
func (r *reports) newDay(input string) knownDay {
	return knownDay{bin: r.records.New(), input: input, stale: true}
}

// know returns what is kept of a day, with all its records.
func (r *reports) know(date time.Time) *knownDay {
	k := r.days[date]
	if k.stale {
		r.keep(k, r.load(k))
	}
	return k
}

func (r *reports) keep(k *knownDay, d *reportDay) {
	k.told, k.rows, k.stale = d.totals(), d.rows, false
	k.tables = k.tables[:0]
	for _, key := range d.order {
		t := d.tables[key]
		k.tables = append(k.tables, knownTable{key, t.fields, t.has})
	}
}

// load puts a day together. An error is in r.broken then; of a day that was kept
// already it is returned by assemble.
func (r *reports) load(k *knownDay) *reportDay {
	d, err := r.assemble(k)
	r.broken = errors.Join(r.broken, err)
	return d
}

// assemble puts a day together. Any number of goroutines may call it once all is added.
func (r *reports) assemble(k *knownDay) (*reportDay, error) {
	d := newReportDay(k.input)
	err := r.records.Each(k.bin, func(record []byte) error {
		r.take(d, record)
		return nil
	})
	return d, err
}

// A rowRecord is what is written down of a row: what it says of its day's tables, and
// what becomes of it.
type rowRecord struct {
	table       int // number of the report's table
	at          pipeline.Origin
	parts       []part
	omit        string // why it says nothing, where that is so
	traits      *string
	of          measured // what is bounded of traits
	overlapping bool     // visits are in several rows of its table
	hourly      bool
	dealt       bool // it is no row, but dealt from a period's
}

// bits of a record.
const (
	recordTraits = 1 << iota
	recordOverlap
	recordHourly
	recordDealt
)

// write adds a row to the records of a day or period.
func (r *reports) write(bin int, row *rowRecord) {
	b := binary.AppendUvarint(r.record[:0], uint64(row.table))
	b = binary.AppendUvarint(b, uint64(r.names.of(row.at.Input)))
	b = binary.AppendUvarint(b, uint64(row.at.Row))
	b = binary.AppendUvarint(b, uint64(r.names.of(row.omit)))
	flags := byte(0)
	for _, flag := range [...]struct {
		set bool
		bit byte
	}{{row.traits != nil, recordTraits}, {row.overlapping, recordOverlap}, {row.hourly, recordHourly}, {row.dealt, recordDealt}} {
		if flag.set {
			flags |= flag.bit
		}
	}
	b = append(b, flags)
	if row.traits != nil {
		b = appendMeasured(appendText(b, *row.traits), &row.of)
	}
	for i := range row.parts {
		p := &row.parts[i]
		b = append(b, byte(p.kind))
		b = binary.AppendUvarint(b, uint64(r.fieldsOf(p.fields)))
		b = appendMeasured(appendText(b, p.key), &p.measured)
	}
	r.record = b
	r.broken = errors.Join(r.broken, r.records.Add(bin, b))
}

// take adds a row of the records to its day.
func (r *reports) take(d *reportDay, record []byte) {
	table, record := cutNumber(record)
	name, record := cutNumber(record)
	number, record := cutNumber(record)
	omit, record := cutNumber(record)
	flags, record := record[0], record[1:]
	var traits []byte
	var of, m measured
	if flags&recordTraits != 0 {
		traits, record = cutBytes(record)
		record = cutMeasured(record, &of)
	}
	kept := false
	for len(record) > 0 {
		kind := tableKind(record[0])
		fields, rest := cutNumber(record[1:])
		key, rest := cutBytes(rest)
		record = cutMeasured(rest, &m)
		kept = d.add(kind, &r.fields[fields], key, &m, int(table)) || kept
	}
	at := pipeline.Origin{Input: r.names.list[name], Row: int64(number)}
	switch {
	case flags&recordDealt != 0:
	case omit > 0:
		d.omit(at, r.names.list[omit])
	case !kept && flags&(recordTraits|recordOverlap) != recordTraits|recordOverlap:
		d.omit(at, omitTwice)
	default:
		if flags&recordTraits != 0 {
			d.bound(int(table), traits, &of, flags&recordHourly != 0)
		}
		d.rows++
	}
}

// A fieldList are the dimensions of a table of days.
type fieldList struct {
	list   []field
	joined string
}

// fieldsOf returns the place of a list of fields in r.fields.
func (r *reports) fieldsOf(fields []field) int {
	for i := range r.fields {
		if slices.Equal(r.fields[i].list, fields) {
			return i
		}
	}
	r.fields = append(r.fields, fieldList{slices.Clone(fields), joinFields(fields, "+")})
	return len(r.fields) - 1
}

// names are texts that many records have, by their places: inputs and reasons.
type names struct {
	list   []string // the first is empty
	places map[string]int
	last   int
}

func newNames() names { return names{list: []string{""}, places: make(map[string]int)} }

// of returns the place of a name. Rows of the same input follow each other.
func (n *names) of(name string) int {
	switch name {
	case "":
		return 0
	case n.list[n.last]:
		return n.last
	}
	at, known := n.places[name]
	if !known {
		at = len(n.list)
		n.list, n.places[name] = append(n.list, name), at
	}
	n.last = at
	return at
}

// Bits of what is told in a record.
const (
	measuredEvents = 1 << iota
	measuredAverages
)

// appendMeasured appends what a day's tables take of a row's measures.
func appendMeasured(b []byte, m *measured) []byte {
	flags := byte(0)
	if m.events != 0 {
		flags |= measuredEvents
	}
	if m.averages != noAverages {
		flags |= measuredAverages
	}
	b = append(b, flags, byte(m.has))
	each(m.has, &m.Sums, &m.Sums, func(n, _ *int) { b = binary.AppendVarint(b, int64(*n)) })
	if flags&measuredEvents != 0 {
		b = binary.AppendVarint(b, int64(m.events))
	}
	if flags&measuredAverages != 0 {
		for _, f := range [...]float64{m.perUser, m.perVisit, m.bounced} {
			b = binary.LittleEndian.AppendUint64(b, math.Float64bits(f))
		}
	}
	return b
}

// cutMeasured sets m to what a record begins with, and returns the rest.
func cutMeasured(b []byte, m *measured) []byte {
	flags := b[0]
	*m = measured{has: reconstruct.Measure(b[1]), averages: noAverages}
	b = b[2:]
	number := func(to *int) {
		n, size := binary.Varint(b)
		*to, b = int(n), b[size:]
	}
	each(m.has, &m.Sums, &m.Sums, func(to, _ *int) { number(to) })
	if flags&measuredEvents != 0 {
		number(&m.events)
	}
	if flags&measuredAverages != 0 {
		for _, to := range [...]*float64{&m.perUser, &m.perVisit, &m.bounced} {
			*to, b = math.Float64frombits(binary.LittleEndian.Uint64(b)), b[8:]
		}
	}
	return b
}

// looseRows are what became of rows that belong to no day. They are a chunk of their
// own.
type looseRows struct {
	reports           *reports
	rows              int
	omitted, rejected int      // bins of the records
	first             *outcome // that was rejected
}

func (r *reports) newLoose() looseRows {
	return looseRows{reports: r, omitted: r.records.New(), rejected: r.records.New()}
}

func (l *looseRows) omit(at pipeline.Origin, reason string) {
	l.rows++
	l.add(l.omitted, outcome{at: at, reason: reason})
}

func (l *looseRows) reject(at pipeline.Origin, reason, raw string) {
	l.rows++
	one := outcome{at, reason, strings.Clone(raw)}
	if l.first == nil {
		l.first = &one
	}
	l.add(l.rejected, one)
}

// take takes what became of a period's rows.
func (l *looseRows) take(of *outcomes) {
	for _, x := range of.omitted {
		l.add(l.omitted, x)
	}
	l.rows += of.rows
}

func (l *looseRows) add(bin int, x outcome) {
	r := l.reports
	b := binary.AppendUvarint(r.record[:0], uint64(r.names.of(x.at.Input)))
	b = binary.AppendUvarint(b, uint64(x.at.Row))
	b = append(appendText(b, x.reason), x.raw...)
	r.record = b
	r.broken = errors.Join(r.broken, r.records.Add(bin, b))
}

func (l *looseRows) Decode(out *pipeline.Emitter) error {
	out.Rows(l.rows)
	each := func(bin int, yield func(at pipeline.Origin, reason string, raw []byte)) error {
		return l.reports.records.Each(bin, func(record []byte) error {
			name, record := cutNumber(record)
			number, record := cutNumber(record)
			reason, raw := cutText(record)
			yield(pipeline.Origin{Input: l.reports.names.list[name], Row: int64(number)}, reason, raw)
			return nil
		})
	}
	err := each(l.omitted, func(at pipeline.Origin, reason string, _ []byte) { out.Omit(at, reason) })
	return errors.Join(err, each(l.rejected, func(at pipeline.Origin, reason string, raw []byte) { out.Reject(at, reason, string(raw)) }))
}
