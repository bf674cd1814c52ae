package rows

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"hopper/adapters/input/rows/record"
	"hopper/adapters/input/rows/text"
)

// A Row is one row of a table. It is reused for the next one; the strings in
// it are not, but each keeps its whole chunk in memory: clone what is kept for
// long.
type Row struct {
	// Number counts from 1. In text and JSON lines it is the number of the
	// record or line, the header and blank lines included; in a COPY block the
	// line in the dump; else the row's.
	Number int64
	// Cells are as many as the table has columns, unless Err is set.
	Cells []string
	// Raw is the row as read, without the line's end; empty where the
	// container is binary. See Text.
	Raw string
	// Err says why the row cannot be read, or is nil.
	Err error
	// Replaced says that bytes that are no UTF-8 became U+FFFD in Cells.
	Replaced bool

	table  *Table
	values []*record.Value // of records, by column
	text   *text.Row       // nil of what is no text
}

// Between returns the cells of the columns from first to last as they were read, with
// what stands between them, or "" where that is not known, as in containers that are
// no text. Rows of a table for which it is the same have the same cells there.
func (r *Row) Between(first, last int) string {
	if r.text == nil {
		return ""
	}
	return r.text.Between(first, last)
}

// Cell returns the cell of a column as [Table.Column] gives it, "" of none (-1).
func (r *Row) Cell(column int) string {
	if column < 0 {
		return ""
	}
	return r.Cells[column]
}

// Text returns the row as it was read, or as JSON where the container is binary.
func (r *Row) Text() string {
	if r.Raw != "" || r.table == nil || r.table.text != nil {
		return r.Raw
	}
	b := []byte{'{'}
	for i, v := range r.values {
		if v == nil || v.Kind == record.Null {
			continue
		}
		if len(b) > 1 {
			b = append(b, ',')
		}
		b = append(record.AppendQuoted(b, r.table.Header[i]), ':')
		b = v.AppendJSON(b)
	}
	return string(append(b, '}'))
}

// Value returns the value of column i: that of the container, or what a cell
// holds as JSON text, in any container. It is nil where the cell is empty or
// absent (i is -1), and a Text where it is no object or list. It is valid
// until the next row.
func (r *Row) Value(i int) *record.Value {
	if i < 0 || i >= len(r.Cells) || r.Cells[i] == "" {
		return nil
	}
	if i < len(r.values) && r.values[i] != nil && r.values[i].Kind != record.Text {
		return r.values[i]
	}
	if cell := strings.TrimSpace(r.Cells[i]); cell != "" && (cell[0] == '{' || cell[0] == '[') {
		if v, err := record.Parse(cell); err == nil {
			return v
		}
	}
	return &record.Value{Kind: record.Text, Text: r.Cells[i]}
}

// Literal returns the cell of column i as it stands in text whose backslashes
// escape, before they are taken: a list in a cell of ClickHouse's TSV is
// escaped once, with its cell. In any other container it is the cell.
func (r *Row) Literal(i int) string {
	if t := r.table.text; t != nil && t.Dialect.Escaped && !t.Dialect.Quoted {
		if raw := strings.Split(r.Raw, string(t.Dialect.Delimiter)); i < len(raw) {
			return raw[i]
		}
	}
	return r.Cells[i]
}

// filler turns records into rows.
type filler struct {
	row    Row
	lists  bool
	byKey  map[string][]int // columns by their names as written
	byName map[string]int   // and as Name forms them
	next   int              // column that probably follows
	late   map[string]int64
}

func newFiller(t *Table) *filler {
	f := &filler{lists: t.records.Lists(), byKey: make(map[string][]int, len(t.Header)), byName: make(map[string]int, len(t.Header))}
	own := t.own()
	f.row = Row{table: t, Cells: make([]string, len(own), len(t.Columns)), values: make([]*record.Value, len(own))}
	for i, key := range own {
		f.byKey[key] = append(f.byKey[key], i)
	}
	for i, name := range t.Columns[:len(own)] {
		if _, found := f.byName[name]; !found {
			f.byName[name] = i
		}
	}
	return f
}

func (f *filler) fill(rec *record.Record) {
	row := &f.row
	row.Number, row.Raw, row.Err, row.Replaced = rec.Row, rec.Text(), rec.Err, false
	row.Cells = row.Cells[:len(row.values)]
	clear(row.Cells)
	clear(row.values)
	if rec.Err != nil {
		return
	}
	kids := rec.Root.Kids
	if f.lists {
		switch {
		case len(kids) < len(row.Cells):
			row.Err = ErrFewCells
			return
		case len(kids) > len(row.Cells):
			row.Err = ErrManyCells
			return
		}
		for i := range kids {
			f.set(i, &kids[i])
		}
		return
	}
	f.next = 0
	for i := range kids {
		if at := f.column(kids[i].Key); at >= 0 {
			f.set(at, &kids[i])
			f.next = at + 1
		}
	}
}

// column returns where a member belongs. Members mostly stand in the columns'
// order. A name that stands twice in a record has as many columns.
func (f *filler) column(key string) int {
	header := f.row.table.own()
	if f.next < len(header) && header[f.next] == key && f.row.values[f.next] == nil {
		return f.next
	}
	for _, i := range f.byKey[key] {
		if f.row.values[i] == nil {
			return i
		}
	}
	if i, found := f.byName[Name(key)]; found && f.row.values[i] == nil {
		return i
	}
	if f.row.table.only == nil || len(f.byKey[key]) == 0 {
		if f.late == nil {
			f.late = make(map[string]int64)
		}
		f.late[strings.Clone(key)]++
	}
	return -1
}

// nullOfClickHouse is how its JSONStrings formats write NULL.
const nullOfClickHouse = "ᴺᵁᴸᴸ"

func (f *filler) set(i int, v *record.Value) {
	if v.Kind == record.Text && v.Text == nullOfClickHouse {
		return
	}
	cell := cellOf(v)
	if (v.Kind == record.Text || v.Kids != nil) && !utf8.ValidString(cell) {
		cell = strings.ToValidUTF8(cell, "\uFFFD")
		f.row.Replaced = true
	}
	f.row.values[i], f.row.Cells[i] = v, cell
}

// cellOf writes a value as a cell.
func cellOf(v *record.Value) string {
	switch v.Kind {
	case record.Null:
		return ""
	case record.Number:
		if v.Time != record.NoTime {
			return v.FormatTime()
		}
		return shortest(v.Text)
	case record.Object, record.List:
		if len(v.Kids) == 1 && slices.Contains(extended, v.Kids[0].Key) {
			return cellOf(&v.Kids[0])
		}
		return string(v.AppendJSON(nil))
	}
	return v.Text
}

// extended are the members in which MongoDB's Extended JSON holds a value by its type.
var extended = []string{"$date", "$oid", "$numberLong", "$numberInt", "$numberDouble", "$numberDecimal"}

// shortest writes a number of JSON without an exponent and without zeros at
// the end of its fraction: 1.0 and 1e0 are 1.
func shortest(number string) string {
	if !strings.ContainsAny(number, ".eE") {
		return number
	}
	if strings.ContainsAny(number, "eE") {
		f, err := strconv.ParseFloat(number, 64)
		if err != nil {
			return number
		}
		number = record.FormatFloat(f)
	}
	if strings.Contains(number, ".") && !strings.ContainsAny(number, "eE") {
		number = strings.TrimRight(strings.TrimRight(number, "0"), ".")
	}
	if number == "-0" {
		return "0"
	}
	return number
}
